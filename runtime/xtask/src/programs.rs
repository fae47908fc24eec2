//! The programs that measure.

use std::path::PathBuf;
use std::process::Command;

use crate::bench::measured;
use crate::cargo;
use crate::verdict::{Verdict, fail, while_doing};

/// Round trips of one run of the bare transport.
pub(crate) const ROUNDS: &str = "2000";
/// Pages of one run of bare faults.
const PAGES: &str = "1024";

/// The transports of a host.
pub(crate) const TRANSPORTS: [&str; 2] = ["shm", "tcp"];

/// Where they are.
pub(crate) struct Programs {
    bin: PathBuf,
}

/// Medians of the bare transport's round trips, in microseconds.
pub(crate) struct RoundTrips {
    /// A small frame there and back.
    pub(crate) small: f64,
    /// A small frame there, 4 KiB back.
    pub(crate) page: f64,
}

impl Programs {
    /// Builds them.
    pub(crate) fn build() -> Verdict<Programs> {
        let bin = cargo::build_release(&["compat-tests", "compat-on-std", "dstd-launch"])?;
        for example in ["round_trip", "bare_fault"] {
            cargo::run(&["build", "--release", "--quiet", "-p", "dstd-transport", "--example", example])?;
        }
        Ok(Programs { bin })
    }

    /// `measure` on one node, without a launcher.
    pub(crate) fn alone(&self) -> Command {
        Command::new(self.bin.join("measure"))
    }

    /// The same source on std.
    pub(crate) fn on_std(&self) -> Command {
        Command::new(self.bin.join("measure_on_std"))
    }

    /// `measure` on two nodes that serve each other's pages.
    pub(crate) fn pages(&self, transport: &str) -> Command {
        self.launched(&["-n", "2", "--transport", transport, "--no-direct"], "measure")
    }

    /// The medians that `measure WORDS` prints under `names` on such nodes, for each of [`TRANSPORTS`].
    pub(crate) fn on_both(&self, words: &[&str], names: &[&str]) -> Verdict<[Vec<f64>; 2]> {
        let of = |transport: &str| medians(self.pages(transport).args(words), names);
        Ok([of(TRANSPORTS[0])?, of(TRANSPORTS[1])?])
    }

    /// `measure` on two nodes of a domain.
    pub(crate) fn domain(&self) -> Command {
        self.launched(&["-n", "2"], "measure")
    }

    /// A program under the launcher.
    pub(crate) fn launched(&self, options: &[&str], program: &str) -> Command {
        let mut launch = Command::new(self.bin.join("dstd-launch"));
        launch.args(options).arg("--").arg(self.bin.join(program));
        launch
    }

    /// The round trips of a bare transport between two processes, for each of [`TRANSPORTS`].
    pub(crate) fn round_trips(&self) -> Verdict<[RoundTrips; 2]> {
        Ok(self.round_trip(ROUNDS)?.map(|[small, page]| RoundTrips { small, page }))
    }

    /// What a bare transport between two processes carries, in MiB/s, for each of [`TRANSPORTS`].
    pub(crate) fn bandwidths(&self) -> Verdict<[f64; 2]> {
        Ok(self.round_trip("bandwidth")?.map(|[speed]| speed))
    }

    /// What `round_trip` prints for each of [`TRANSPORTS`].
    fn round_trip<const N: usize>(&self, word: &str) -> Verdict<[[f64; N]; 2]> {
        let lines = numbers(Command::new(self.bin.join("examples/round_trip")).arg(word))?;
        let of = |transport| {
            let line = lines.iter().find(|(name, _)| name == transport);
            match line.and_then(|(_, numbers)| numbers[..].try_into().ok()) {
                Some(numbers) => Ok(numbers),
                None => fail(format!("round_trip {word} has no line for {transport}")),
            }
        };
        Ok([of(TRANSPORTS[0])?, of(TRANSPORTS[1])?])
    }

    /// Bare userfaultfd faults: reading and writing an absent page.
    pub(crate) fn bare_faults(&self) -> Verdict<[f64; 2]> {
        let lines = numbers(Command::new(self.bin.join("examples/bare_fault")).arg(PAGES))?;
        match &lines[..] {
            [(read, write)] if write.len() == 1 => match read.parse() {
                Ok(read) => Ok([read, write[0]]),
                Err(_) => fail(format!("bare_fault prints {read:?}")),
            },
            _ => fail("bare_fault prints something else"),
        }
    }
}

/// The median that a program as `measure` prints under `name`.
pub(crate) fn median(command: &mut Command, name: &str) -> Verdict<f64> {
    Ok(medians(command, &[name])?[0])
}

/// The medians that a program as `measure` prints under `names`.
pub(crate) fn medians(command: &mut Command, names: &[&str]) -> Verdict<Vec<f64>> {
    let results = measured(command)?;
    let of = |name: &&str| match results.iter().find(|(known, ..)| known == name) {
        Some((_, [_, median, _], _)) => Ok(*median),
        None => fail(format!("{command:?} does not measure {name:?}")),
    };
    names.iter().map(of).collect()
}

/// What `command` prints: in each line a word and numbers.
fn numbers(command: &mut Command) -> Verdict<Vec<(String, Vec<f64>)>> {
    let output = command.output().map_err(while_doing(format!("{command:?}")))?;
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    let parse = |line: &str| {
        let mut fields = line.split('\t');
        let name = fields.next()?.to_owned();
        Some((name, fields.map(|field| field.parse().ok()).collect::<Option<_>>()?))
    };
    match words.lines().map(parse).collect() {
        Some(lines) if output.status.success() => Ok(lines),
        _ => fail(format!("{command:?}: {words}{}", String::from_utf8_lossy(&output.stderr))),
    }
}
