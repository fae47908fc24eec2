//! Options that this command does not know are cargo's.
//!
//! cargo has more options, and gets new ones. What follows an unknown one may be its value, and is passed on with it.

use std::ffi::OsString;

use clap::{Arg, Command};

/// Subcommands that build with cargo.
const BUILDING: [&str; 3] = ["build", "run", "test"];

/// Parts a command line into what `command` knows and what is cargo's.
pub(super) fn part(command: &mut Command, words: Vec<OsString>) -> (Vec<OsString>, Vec<OsString>) {
    command.build();
    let named = |word: &OsString| BUILDING.iter().find(|name| word == **name);
    let known = words.get(1).and_then(named).and_then(|name| command.find_subcommand(name));
    let Some(known) = known else { return (words, Vec::new()) };
    let (mut ours, mut others) = (Vec::new(), Vec::new());
    let mut words = words.into_iter().peekable();
    ours.extend(words.by_ref().take(2));
    while let Some(word) = words.next() {
        let after = match word.to_str() {
            Some("--") | None => {
                ours.push(word);
                ours.extend(words);
                break;
            }
            Some(text) => meaning(known, text),
        };
        let into = if matches!(after, Meaning::Unknown) { &mut others } else { &mut ours };
        let whole = word.to_string_lossy().contains('=');
        into.push(word);
        let is_value = match after {
            Meaning::Value => true,
            Meaning::Unknown if whole => false,
            Meaning::Unknown => words.peek().is_some_and(|next| !next.as_encoded_bytes().starts_with(b"-")),
            Meaning::Whole => false,
        };
        if is_value {
            into.extend(words.next());
        }
    }
    (ours, others)
}

/// What a word is to a command.
enum Meaning {
    /// Complete.
    Whole,
    /// An option whose value is the next word.
    Value,
    /// An option that the command does not have.
    Unknown,
}

fn meaning(command: &Command, word: &str) -> Meaning {
    let takes = |argument: &Arg| argument.get_action().takes_values() && !argument.is_require_equals_set();
    let ends = |argument: &Arg| if takes(argument) { Meaning::Value } else { Meaning::Whole };
    if let Some(long) = word.strip_prefix("--") {
        let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
        let has = |argument: &&Arg| {
            argument.get_long() == Some(name)
                || argument.get_all_aliases().is_some_and(|all| all.contains(&name))
        };
        return match (command.get_arguments().find(has), value) {
            (None, _) => Meaning::Unknown,
            (Some(_), Some(_)) => Meaning::Whole,
            (Some(argument), None) => ends(argument),
        };
    }
    let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
        return Meaning::Whole;
    };
    for (at, letter) in letters.char_indices() {
        let Some(argument) = command.get_arguments().find(|argument| argument.get_short() == Some(letter))
        else {
            // Within a word of several options it is a mistake.
            return if at == 0 { Meaning::Unknown } else { Meaning::Whole };
        };
        if takes(argument) {
            return if at + letter.len_utf8() == letters.len() { Meaning::Value } else { Meaning::Whole };
        }
    }
    Meaning::Whole
}
