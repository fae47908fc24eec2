//! Runs the units of a program, however some of them end.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::processes::Running;
use crate::verdict::{Verdict, cannot, while_doing};

/// A run takes this long to begin with its first unit, at most.
const START: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How a unit ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// As its author wants; so often it used the network.
    Passed(u64),
    /// Otherwise, and why.
    Failed(String),
    /// It took the program down, and how.
    Died(String),
    /// Not within so many seconds.
    Hung(u64),
    /// It is not in the program.
    NotBuilt,
}

impl Outcome {
    /// What went wrong, in words.
    pub(crate) fn wrong(&self) -> Option<String> {
        match self {
            Outcome::Passed(_) => None,
            Outcome::Failed(cause) => Some(cause.clone()),
            Outcome::Died(cause) => Some(format!("ends the program: {cause}")),
            Outcome::Hung(seconds) => Some(format!("hangs for {seconds} s")),
            Outcome::NotBuilt => Some("does not compile".to_owned()),
        }
    }
}

/// Where the files of runs are: what they are to run, what came out, what they printed.
pub(crate) struct Stage {
    directory: PathBuf,
    /// A unit that takes longer hangs.
    patience: Duration,
}

impl Stage {
    /// With files in this directory, which stay until there are others.
    pub(crate) fn new(directory: PathBuf, patience: Duration) -> Verdict<Stage> {
        if directory.exists() {
            fs::remove_dir_all(&directory).map_err(while_doing(directory.display()))?;
        }
        fs::create_dir_all(&directory).map_err(while_doing(directory.display()))?;
        Ok(Stage { directory, patience })
    }

    /// Runs `names`, which the program of `command` has. One run does for all of them unless units hang or take it down:
    /// those are charged alone, and another run goes on with the rest. A run that ends badly between two units, or after
    /// all of them, is charged to the last one that ran.
    pub(crate) fn play(
        &self,
        command: impl Fn() -> Command,
        names: &[String],
        steal: bool,
    ) -> Verdict<BTreeMap<String, Outcome>> {
        let mut outcomes = BTreeMap::new();
        let mut rest = names.to_vec();
        for round in 1.. {
            if rest.is_empty() {
                break;
            }
            let file = |name: &str| self.directory.join(format!("{name}.{round}"));
            let (units, results, log) = (file("units"), file("results"), file("log"));
            fs::write(&units, rest.join("\n") + "\n").map_err(while_doing(units.display()))?;
            fs::write(&results, "").map_err(while_doing(results.display()))?;
            let mut command = command();
            command.arg("--units").arg(&units).arg("--results").arg(&results);
            command.args(steal.then_some("--steal"));
            let (end, text) = self.run(&mut command, &results, &log)?;
            let Read { ended, last, open } = read(&text);
            let before = rest.len();
            outcomes.extend(ended);
            // Nobody else can have been the cause: after its end a unit may still have threads.
            if let Some(last) = last.filter(|_| open || !matches!(end, End::Code(0))) {
                let outcome = match end {
                    End::Late => Outcome::Hung(self.patience.as_secs()),
                    End::Code(code) => Outcome::Died(format!("code {code}, {}", last_words(&log))),
                };
                outcomes.insert(last, outcome);
            }
            rest.retain(|name| !outcomes.contains_key(name));
            if rest.len() == before {
                return cannot(format!("{command:?} runs no unit: {}", last_words(&log)));
            }
        }
        Ok(outcomes)
    }

    /// Runs it until it ends, or nothing new is in `results` for too long; with what is there then. Whoever is killed in the middle
    /// may write more.
    fn run(&self, command: &mut Command, results: &Path, log: &Path) -> Verdict<(End, String)> {
        let output = File::create(log).map_err(while_doing(log.display()))?;
        let mut running = Running::start_into(command, output)?;
        let (mut seen, mut since, mut patience) = (String::new(), Instant::now(), START);
        loop {
            let code = running.wait(LOOK_AGAIN)?;
            let now = fs::read_to_string(results).map_err(while_doing(results.display()))?;
            if let Some(code) = code {
                return Ok((End::Code(code), now));
            }
            if now != seen {
                (seen, since, patience) = (now, Instant::now(), self.patience);
            } else if since.elapsed() > patience {
                return Ok((End::Late, now));
            }
        }
    }
}

enum End {
    Code(i32),
    Late,
}

/// What a run has noted.
#[derive(Default)]
struct Read {
    ended: BTreeMap<String, Outcome>,
    /// The unit that began last.
    last: Option<String>,
    /// Whether that one has not ended.
    open: bool,
}

fn read(results: &str) -> Read {
    let mut read = Read::default();
    for line in results.lines() {
        let fields: Vec<&str> = line.splitn(4, '\t').collect();
        match fields[..] {
            ["begin", name] => (read.last, read.open) = (Some(name.to_owned()), true),
            ["passed", name, network] => {
                read.ended.insert(name.to_owned(), Outcome::Passed(network.parse().unwrap_or(0)));
                read.open = false;
            }
            ["failed", name, _, cause] => {
                read.ended.insert(name.to_owned(), Outcome::Failed(cause.to_owned()));
                read.open = false;
            }
            _ => {}
        }
    }
    read
}

/// The last line that says something.
fn last_words(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut lines = text.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    lines.next().unwrap_or("without a word").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Does with the units what their names say.
    const PROGRAM: &str = r#"while read -r name; do
        printf 'begin\t%s\n' "$name" >> "$4"
        case $name in
            dies) echo bye; exit 3 ;;
            hangs) sleep 3600 ;;
            later) printf 'passed\t%s\t2\n' "$name" >> "$4"; exit 4 ;;
            *) printf 'passed\t%s\t2\n' "$name" >> "$4" ;;
        esac
    done < "$2""#;

    #[test]
    fn a_unit_that_hangs_or_dies_is_charged_alone() {
        let directory = std::env::temp_dir().join(format!("dstd-xtask-play-{}", std::process::id()));
        let stage = Stage::new(directory, Duration::from_secs(2)).expect("there is room");
        let command = || {
            let mut command = Command::new("sh");
            command.args(["-c", PROGRAM, "sh"]);
            command
        };
        let names = ["a", "hangs", "b", "dies", "c", "later"].map(str::to_owned);
        let outcomes = stage.play(command, &names, false).expect("there is a shell");
        fs::remove_dir_all(&stage.directory).expect("it is ours");
        let of = |name: &str| outcomes.get(name).expect("all have ended").clone();
        assert_eq!(["a", "b", "c"].map(of), [const { Outcome::Passed(2) }; 3]);
        assert_eq!(of("hangs"), Outcome::Hung(2));
        assert_eq!(of("dies"), Outcome::Died("code 3, bye".to_owned()));
        assert_eq!(of("later"), Outcome::Died("code 4, without a word".to_owned()));
    }

    #[test]
    fn results_are_read_up_to_where_a_run_stopped() {
        let text = "begin\ta::b\npassed\ta::b\t3\nbegin\tc\nfailed\tc\t0\tpanicked:\ta tab\nbegin\td\n";
        let Read { ended, last, open } = read(text);
        assert_eq!((last.as_deref(), open), (Some("d"), true));
        assert_eq!(ended.get("a::b"), Some(&Outcome::Passed(3)));
        assert_eq!(ended.get("c"), Some(&Outcome::Failed("panicked:\ta tab".to_owned())));
        assert_eq!(ended.len(), 2);
    }
}
