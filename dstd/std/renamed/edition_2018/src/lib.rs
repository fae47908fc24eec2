//! A library of edition 2018 whose std is dstd-std: paths, prelude, macros, derives, unit tests and
//! documentation tests.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::thread;

/// How often each word occurs, counted by one thread per text.
///
/// ```
/// let counts = renamed_2018::count(vec!["a b".to_string(), "b".to_string()]);
/// assert_eq!(counts["b"], 2);
/// // What std does not have shows that the rename reaches documentation tests.
/// assert_eq!(std::place::here(), std::place::nodes().next().unwrap());
/// ```
pub fn count(texts: Vec<String>) -> BTreeMap<String, usize> {
    let threads: Vec<thread::JoinHandle<Counts>> =
        texts.into_iter().map(|text| thread::spawn(move || Counts::of(&text))).collect();
    let mut sum = Counts::default();
    for thread in threads {
        let counts = thread.join().expect("counting does not panic");
        for (word, count) in counts.words {
            *sum.words.entry(word).or_insert(0) += count;
        }
    }
    sum.words
}

#[derive(Debug, Default, Clone, PartialEq)]
struct Counts {
    words: BTreeMap<String, usize>,
}

impl Counts {
    fn of(text: &str) -> Counts {
        let mut counts = Counts::default();
        for word in text.split_whitespace() {
            *counts.words.entry(word.to_owned()).or_insert(0) += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_tests_are_renamed_too() {
        let handle = std::place::spawn_on(std::place::here(), || Counts::of("x x"));
        assert_eq!(handle.join().expect("no panic").words["x"], 2);
        assert_eq!(count(vec![String::from("x y"), format!("{}", "x")]).len(), 2);
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn panics_are_those_of_std() {
        thread::scope(|s| {
            s.spawn(|| panic!("on purpose"));
        });
    }
}
