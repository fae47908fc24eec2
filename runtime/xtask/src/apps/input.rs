//! What the programs work on: made by rule, the same each time.

use std::fs;
use std::path::Path;

use crate::verdict::{Verdict, while_doing};

/// What is in a program's directory when it starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Input {
    Nothing,
    /// Files of text and code in `tree`, a few of them the same, and their names in `list`.
    Tree,
    /// A table of numbers and words in `table.csv`.
    Table,
    /// A file of 32 MiB, `large`.
    Large,
}

const DIRECTORIES: u64 = 6;
const FILES: u64 = 8;
const WORDS: [&str; 12] =
    ["fn", "let", "needle", "haystack", "window", "page", "node", "mutex", "river", "stone", "x", "12"];

impl Input {
    /// Makes it.
    pub(crate) fn make(self, directory: &Path) -> Verdict {
        match self {
            Input::Nothing => Ok(()),
            Input::Tree => tree(directory),
            Input::Table => write(&directory.join("table.csv"), &table()),
            Input::Large => write(&directory.join("large"), &large()),
        }
    }
}

/// Numbers that look like chance, and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        // The multiplier and increment of Knuth's MMIX; the high bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

fn tree(directory: &Path) -> Verdict {
    let mut list = String::new();
    for d in 0..DIRECTORIES {
        for f in 0..FILES {
            let kind = ["rs", "txt", "c", "py"][(f % 4) as usize];
            let name = format!("tree/d{d}/{}f{f}.{kind}", if f > 5 { "deep/" } else { "" });
            // The third directory is a copy of the second.
            write(&directory.join(&name), &text(if d == 2 { 1 } else { d } * FILES + f))?;
            list.push_str(&name);
            list.push('\n');
        }
    }
    write(&directory.join("list"), &list)
}

fn text(seed: u64) -> String {
    let mut numbers = Numbers(seed);
    let mut text = String::new();
    for _ in 0..40 + numbers.next(120) {
        match numbers.next(8) {
            0 => {}
            1 => text.push_str("// a note"),
            _ => {
                let words =
                    (0..1 + numbers.next(9)).map(|_| WORDS[numbers.next(WORDS.len() as u64) as usize]);
                text.push_str(&words.collect::<Vec<_>>().join(" "));
            }
        }
        text.push('\n');
    }
    text
}

fn table() -> String {
    let mut numbers = Numbers(7);
    let mut text = String::from("word,number,other\n");
    for row in 0..2000 {
        let word = WORDS[numbers.next(WORDS.len() as u64) as usize];
        text.push_str(&format!("{word},{},{}\n", numbers.next(1000), (row * 37) % 101));
    }
    text
}

fn large() -> String {
    let mut text = String::new();
    for seed in 0.. {
        if text.len() >= 1 << 20 {
            break;
        }
        text.push_str(&self::text(seed));
    }
    text.repeat(32)
}

fn write(path: &Path, text: &str) -> Verdict {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).and_then(|()| fs::write(path, text)).map_err(while_doing(path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_the_same_each_time_and_have_something_in_them() {
        assert_eq!((text(3), table(), large()), (text(3), table(), large()));
        assert_ne!(text(3), text(4));
        let all: String = (0..FILES).map(text).collect();
        assert!(all.contains("needle") && all.contains("fn ") && all.contains("//"));
    }
}
