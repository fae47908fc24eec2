//! The command line.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// A command with its options: most have a number, `--json` a file, some a word or nothing.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    /// The command.
    pub(crate) command: String,
    /// Of `bench build` and `bench page`: which part, if not all.
    pub(crate) part: Option<String>,
    /// Where rows of results go.
    pub(crate) json: Option<PathBuf>,
    numbers: BTreeMap<String, u64>,
    words: BTreeMap<String, String>,
    flags: BTreeSet<String>,
}

impl Arguments {
    /// Reads the words after the program's name.
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Arguments, String> {
        let mut words = words.peekable();
        let mut command = words.next().ok_or("a command is missing")?;
        // Of the measurements a part has a name of its own.
        if command == "bench"
            && let Some(what) = words.next_if(|word| ["build", "page"].contains(&&**word))
        {
            command = format!("bench {what}");
        }
        let part = words.next_if(|word| command.starts_with("bench ") && !word.starts_with('-'));
        let known: &[&str] = match command.as_str() {
            "sim" | "miri" => &["--seeds", "--from"],
            "fuzz" => &["--seconds", "--from"],
            "compat" | "apps" | "suites" => &["--nodes"],
            "drill" => &["--rounds", "--from"],
            "soak" => &["--runs"],
            "bench" | "bench build" | "bench page" | "modes" => &["--samples"],
            _ => &[],
        };
        // Those with a word, and those with nothing.
        let (worded, flags): (&[&str], &[&str]) = match command.as_str() {
            "compat" => (&["--module", "--facade"], &["--sample", "--write"]),
            "apps" => (&["--name"], &["--sample", "--write"]),
            "suites" => (&["--name", "--facade"], &["--sample", "--write"]),
            "api" => (&[], &["--write"]),
            "soak" => (&["--name", "--transport"], &[]),
            _ => (&[], &[]),
        };
        let mut arguments = Arguments { command, part, ..Arguments::default() };
        while let Some(option) = words.next() {
            if flags.contains(&option.as_str()) {
                arguments.flags.insert(option);
                continue;
            }
            let value = words.next().ok_or_else(|| format!("{option} needs a value"))?;
            if option == "--json" {
                arguments.json = Some(value.into());
            } else if known.contains(&option.as_str()) {
                let number = value.parse().map_err(|_| format!("{option} needs a number, not {value:?}"))?;
                arguments.numbers.insert(option, number);
            } else if worded.contains(&option.as_str()) {
                arguments.words.insert(option, value);
            } else {
                return Err(format!("{} does not know {option}", arguments.command));
            }
        }
        Ok(arguments)
    }

    /// The number given with `option`.
    pub(crate) fn number(&self, option: &str) -> Option<u64> {
        self.numbers.get(option).copied()
    }

    /// The word given with `option`.
    pub(crate) fn word(&self, option: &str) -> Option<&str> {
        self.words.get(option).map(String::as_str)
    }

    /// Whether `option` was given.
    pub(crate) fn flag(&self, option: &str) -> bool {
        self.flags.contains(option)
    }
}

#[cfg(test)]
mod tests {
    use super::Arguments;

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::parse(line.split(' ').map(str::to_owned))
    }

    #[test]
    fn options_belong_to_their_command() {
        let sim = parse("sim --seeds 9 --json out --from 4").expect("all known");
        assert_eq!(
            (sim.number("--seeds"), sim.number("--from"), sim.number("--nodes")),
            (Some(9), Some(4), None)
        );
        assert_eq!(sim.json, Some("out".into()));
        assert!(parse("tidy --seeds 9").is_err());
        assert!(parse("sim --seeds").is_err());
        assert!(parse("sim --seeds many").is_err());
        let all = parse("bench page --samples 2").expect("all parts");
        assert_eq!((all.command.as_str(), all.part, all.numbers.len()), ("bench page", None, 1));
        assert_eq!(parse("bench page single").expect("a part").part.as_deref(), Some("single"));
        let build = parse("bench build clean").expect("a part");
        assert_eq!((build.command.as_str(), build.part.as_deref()), ("bench build", Some("clean")));
        assert!(parse("modes page").is_err() && parse("bench threads").is_err());
        let compat = parse("compat --sample --module sync --nodes 1").expect("all known");
        assert_eq!((compat.word("--module"), compat.word("--facade")), (Some("sync"), None));
        assert!(compat.flag("--sample") && !compat.flag("--write"));
    }
}
