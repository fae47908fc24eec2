//! Replaces text by its place, and shows that as a diff that `patch` and `git apply` take.

use std::ops::Range;

/// Lines around a change.
const AROUND: usize = 3;

/// Text that replaces bytes of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    /// What is replaced.
    pub(crate) at: Range<usize>,
    /// By what.
    pub(crate) text: String,
}

/// `text` after `edits`, which are in order and do not overlap.
pub(crate) fn apply(text: &str, edits: &[Edit]) -> String {
    let mut result = String::with_capacity(text.len());
    let mut done = 0;
    for edit in edits {
        result.push_str(&text[done..edit.at.start]);
        result.push_str(&edit.text);
        done = edit.at.end;
    }
    result + &text[done..]
}

/// Lines of the old text and those that replace them.
struct Change<'a> {
    old: Range<usize>,
    new: Vec<&'a str>,
}

/// The difference between two texts of a file, with headers; nothing where they are equal.
pub(crate) fn unified(name: &str, old: &str, new: &str) -> String {
    let (before, after): (Vec<&str>, Vec<&str>) =
        (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let changes = changes(&before, &after);
    let mut text = String::new();
    let mut shift = 0_isize;
    let mut rest = &changes[..];
    while !rest.is_empty() {
        let near = |pair: &[Change<'_>]| pair[1].old.start - pair[0].old.end <= 2 * AROUND;
        let (hunk, later) = rest.split_at(1 + rest.windows(2).take_while(|pair| near(pair)).count());
        rest = later;
        if text.is_empty() {
            text = format!("--- a/{name}\n+++ b/{name}\n");
        }
        shift = show(&mut text, &before, hunk, shift);
    }
    text
}

/// Shows one hunk; returns by how many lines the new text is ahead after it.
fn show(text: &mut String, before: &[&str], hunk: &[Change<'_>], shift: isize) -> isize {
    let (first, last) = (&hunk[0], &hunk[hunk.len() - 1]);
    let lines = first.old.start.saturating_sub(AROUND)..(last.old.end + AROUND).min(before.len());
    let more: isize = hunk.iter().map(|change| change.new.len() as isize - change.old.len() as isize).sum();
    let (count, new_count) = (lines.len(), lines.len().saturating_add_signed(more));
    // Where there are no lines, the line before is named.
    let from = |start: usize, count: usize| if count == 0 { start } else { start + 1 };
    let new_start = lines.start.saturating_add_signed(shift);
    let (old_from, new_from) = (from(lines.start, count), from(new_start, new_count));
    text.push_str(&format!("@@ -{old_from},{count} +{new_from},{new_count} @@\n"));
    let mut line = |mark: char, content: &str| {
        text.push(mark);
        text.push_str(content);
        if !content.ends_with('\n') {
            text.push_str("\n\\ No newline at end of file\n");
        }
    };
    let mut at = lines.start;
    for change in hunk {
        before[at..change.old.start].iter().for_each(|kept| line(' ', kept));
        before[change.old.clone()].iter().for_each(|old| line('-', old));
        change.new.iter().for_each(|new| line('+', new));
        at = change.old.end;
    }
    before[at..lines.end].iter().for_each(|kept| line(' ', kept));
    shift + more
}

/// The changed lines. The texts differ by words within lines and by few whole lines, so the next equal line is near.
fn changes<'a>(before: &[&str], after: &[&'a str]) -> Vec<Change<'a>> {
    let mut changes: Vec<Change<'a>> = Vec::new();
    let (mut old, mut new) = (0, 0);
    while old < before.len() || new < after.len() {
        if old < before.len() && new < after.len() && before[old] == after[new] {
            (old, new) = (old + 1, new + 1);
            continue;
        }
        let (lines, others) = next_equal(&before[old..], &after[new..]);
        changes.push(Change { old: old..old + lines, new: after[new..new + others].to_vec() });
        (old, new) = (old + lines, new + others);
    }
    changes
}

/// How many lines of each come before the nearest line that both have.
fn next_equal(before: &[&str], after: &[&str]) -> (usize, usize) {
    for sum in 1..=before.len() + after.len() {
        for lines in sum.saturating_sub(after.len())..=sum.min(before.len()) {
            let others = sum - lines;
            let (left, right) = (&before[lines..], &after[others..]);
            if left.first() == right.first() && left.get(1) == right.get(1) {
                return (lines, others);
            }
        }
    }
    (before.len(), after.len())
}
