//! `Instant`s that another node may see: the clocks of two hosts began at different times.
//!
//! An `Instant` that stays in the thread that took it is right. Found are those in statics, those inside what threads
//! share or send (`Mutex<Instant>`), and variables that a spawned closure uses.

use super::Finding;
use crate::cargo::source::{Named, Source};

const INSTANT: &str = "std::time::Instant";
/// Types whose contents go to other threads.
const SHARED: [&str; 9] =
    ["Arc", "Mutex", "RwLock", "OnceLock", "LazyLock", "Sender", "SyncSender", "channel", "sync_channel"];
/// Functions and methods whose closures may run on other nodes.
const SPAWNING: [&str; 4] = ["spawn", "spawn_on", "spawn_to", "call"];

pub(super) fn find(source: &Source) -> Vec<Finding> {
    let moments: Vec<&Named> = source.named.iter().filter(|path| is_instant(source, path)).collect();
    let placed = moments.iter().filter(|path| path.in_static || is_shared(source, path));
    let mut found: Vec<Finding> = placed
        .map(|path| finding(path, "an `Instant` that other nodes see: on several hosts their clocks differ"))
        .collect();
    for variable in &source.lets {
        let taken = |path: &&Named| path.words[0].at.start == variable.value && path.words.len() > 1;
        if !source.named.iter().any(|path| taken(&path) && is_now(source, path)) {
            continue;
        }
        let closures = source.calls.iter().filter(|call| SPAWNING.contains(&call.text.as_str()));
        // Where nothing is captured, a value is taken.
        let closures = closures.filter(|call| source.text[call.at.clone()].contains('|'));
        for call in closures.filter(|call| variable.block.contains(&call.at.start)) {
            let again = source.lets.iter().find(|other| {
                call.at.contains(&other.name.at.start) && other.name.text == variable.name.text
            });
            let used = source.named.iter().find(|path| {
                path.words.len() == 1
                    && path.words[0].text == variable.name.text
                    && call.at.contains(&path.words[0].at.start)
                    && path.words[0].at.start > variable.value
            });
            if let (Some(path), None) = (used, again) {
                let words = format!(
                    "`{}` is an `Instant` of another thread: on several hosts their clocks differ",
                    variable.name.text
                );
                found.push(finding(path, &words));
            }
        }
    }
    found
}

fn finding(path: &Named, words: &str) -> Finding {
    Finding {
        lint: "instant",
        at: path.words[0].at.start..path.words[path.words.len() - 1].at.end,
        words: words.to_owned(),
        help: "pass a `Duration`, or use `SystemTime`".to_owned(),
    }
}

fn is_instant(source: &Source, path: &Named) -> bool {
    source.meanings(path).iter().any(|meaning| meaning == INSTANT)
        && path.kind == crate::cargo::source::Kind::Code
}

fn is_now(source: &Source, path: &Named) -> bool {
    source.meanings(path).iter().any(|meaning| meaning.strip_prefix(INSTANT) == Some("::now"))
}

/// Whether what stands before is `Mutex<` and the like.
fn is_shared(source: &Source, path: &Named) -> bool {
    let before = source.text[..path.words[0].at.start].trim_end_matches([':', ' ', '(']);
    let Some(name) = before.strip_suffix('<') else { return false };
    let name = name.trim_end_matches(':').trim_end();
    SHARED.iter().any(|shared| {
        name.strip_suffix(shared)
            .is_some_and(|rest| !rest.ends_with(|c: char| c.is_alphanumeric() || c == '_'))
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn found(text: &str) -> Vec<String> {
        let source =
            Source::read(PathBuf::from("f.rs"), format!("use dstd::time::Instant;\n{text}")).unwrap();
        find(&source).into_iter().map(|finding| source.text[finding.at].to_owned()).collect()
    }

    #[test]
    fn an_instant_that_others_see_is_found() {
        assert_eq!(found("static START: OnceLock<Instant> = OnceLock::new();"), ["Instant"]);
        assert_eq!(found("struct S { last: Arc<Mutex<std::time::Instant>>, }"), ["std::time::Instant"]);
        assert_eq!(found("fn f() { let (s, r) = mpsc::channel::<Instant>(); }"), ["Instant"]);
        let captured =
            "fn f() { let start = Instant::now(); thread::spawn(move || { g(start.elapsed()) }); }";
        assert_eq!(found(captured), ["start"]);
        assert_eq!(
            found("fn f() { let mut t: Instant = Instant::now(); scope.spawn(|| t.elapsed()); }"),
            ["t"]
        );
    }

    #[test]
    fn an_instant_of_one_thread_is_not() {
        for text in [
            "fn f() { let start = Instant::now(); g(); start.elapsed(); }",
            "struct S { last: Instant }",
            "fn f() { thread::spawn(|| { let start = Instant::now(); start.elapsed() }); }",
            "fn f() { let start = Instant::now(); thread::spawn(|| { let start = 1; g(start) }); }",
            "fn f() { let start = Instant::now(); } fn g() { thread::spawn(|| h(start)); }",
            "fn f() { let start = 1; Instant::now(); thread::spawn(|| h(start)); }",
            "fn f() { let start = Instant::now(); client.call(start.elapsed()); }",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }
}
