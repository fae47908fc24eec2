//! Runs a program on its piece of work, and holds what came out against real std.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::programs::{Order, Program};
use crate::processes::Running;
use crate::tree;
use crate::verdict::{Verdict, cannot, while_doing};

/// A command that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came out of a program's commands.
#[derive(Default, PartialEq, Eq, Debug)]
pub(crate) struct Played {
    /// How each command ended; none for one that did not.
    codes: Vec<Option<i32>>,
    stdout: Vec<u8>,
    files: BTreeMap<String, Vec<u8>>,
    /// What it said on stderr, in a line.
    last_words: String,
    /// Messages for its pages, waits and frees.
    pub(crate) messages: u64,
    /// Threads that ran on other nodes than the first.
    pub(crate) threads_elsewhere: u64,
}

/// A place for the runs of a program: always the same, since programs print where they are.
pub(crate) struct Stage<'a> {
    program: &'a Program,
    directory: PathBuf,
    logs: PathBuf,
}

impl<'a> Stage<'a> {
    pub(crate) fn new(program: &'a Program) -> Verdict<Stage<'a>> {
        let top = tree::target("apps")?.join("run");
        let (directory, logs) = (top.join(program.bin), top.join(format!("{}.logs", program.bin)));
        fs::create_dir_all(&logs).map_err(while_doing(logs.display()))?;
        Ok(Stage { program, directory, logs })
    }

    /// Runs the commands as they are.
    pub(crate) fn alone(&self, executable: &Path) -> Verdict<Played> {
        self.play(|| Command::new(executable))
    }

    /// Runs the commands on several nodes that do not see each other's memory; all threads go to other nodes, whoever
    /// starts them.
    pub(crate) fn on_nodes(&self, executable: &Path, launcher: &Path, nodes: u64) -> Verdict<Played> {
        let report = self.logs.join("report");
        self.play(|| {
            let mut command = Command::new(launcher);
            command.args(["-n", &nodes.to_string(), "--no-direct", "--report-json"]).arg(&report);
            command.args(
                (nodes > 1).then_some(["--placement", "remote", "--spread", "all"]).into_iter().flatten(),
            );
            command.arg("--").arg(executable);
            command
        })
    }

    fn play(&self, start: impl Fn() -> Command) -> Verdict<Played> {
        let clean = |path: &Path| if path.exists() { fs::remove_dir_all(path) } else { Ok(()) };
        clean(&self.directory).map_err(while_doing(self.directory.display()))?;
        fs::create_dir_all(&self.directory).map_err(while_doing(self.directory.display()))?;
        self.program.input.make(&self.directory)?;
        let mut played = Played::default();
        for words in self.program.commands {
            let mut command = start();
            command.args(*words).current_dir(&self.directory).envs(self.program.variables.iter().copied());
            self.run(&mut command, &mut played)?;
        }
        played.files = files(&self.directory)?;
        Ok(played)
    }

    fn run(&self, command: &mut Command, played: &mut Played) -> Verdict {
        let (stdout, stderr) = (self.logs.join("stdout"), self.logs.join("stderr"));
        let create = |path: &Path| File::create(path).map_err(while_doing(path.display()));
        let stdin = match self.program.stdin {
            Some(name) => Stdio::from(File::open(self.directory.join(name)).map_err(while_doing(name))?),
            None => Stdio::null(),
        };
        command.stdin(stdin).stdout(create(&stdout)?).stderr(create(&stderr)?);
        // What the run before has reported is not what this one has.
        fs::write(self.logs.join("report"), "").map_err(while_doing("a report"))?;
        played.codes.push(Running::start_as_is(command)?.wait(PATIENCE)?);
        let read = |path: &Path| fs::read(path).map_err(while_doing(path.display()));
        played.stdout.extend(read(&stdout)?);
        let words = read(&stderr)?;
        let words = String::from_utf8_lossy(&words);
        if let Some(line) = telling(&words) {
            played.last_words = line.to_owned();
        }
        let report = read(&self.logs.join("report"))?;
        if let Ok(report) = serde_json::from_slice::<Value>(&report) {
            let (messages, threads) = network(&report);
            played.messages += messages;
            played.threads_elsewhere += threads;
        }
        Ok(())
    }
}

/// The line that tells most of what a command says: why dstd stopped it, else the last.
fn telling(words: &str) -> Option<&str> {
    let mut lines = words.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.clone().find(|line| line.contains("stopped the program")).or_else(|| lines.next_back())
}

/// Of a launcher's report: messages for pages, words that threads wait on, and frees; threads on other nodes than the
/// first. Messages that only start and end threads are not counted: every node sends one in the end.
fn network(report: &Value) -> (u64, u64) {
    let (mut messages, mut threads) = (0, 0);
    for node in report["nodes"].as_array().into_iter().flatten() {
        let sent = node["sent"].as_object().into_iter().flatten().filter(|(kind, _)| *kind != "ship");
        messages += sent.filter_map(|(_, sent)| sent["messages"].as_u64()).sum::<u64>();
        if node["rank"] != 0 {
            threads += node["threads_run"].as_u64().unwrap_or(0);
        }
    }
    (messages, threads)
}

impl Played {
    /// What went wrong, if some command did not end by itself, well.
    pub(crate) fn wrong(&self) -> Option<String> {
        let well = self.codes.iter().all(|code| *code == Some(0));
        (!well).then(|| format!("codes {:?}: {}", self.codes, self.last_words))
    }

    /// In a word, whether this is what real std does, and the cause if it is not.
    pub(crate) fn beside(&self, std: &Played, order: Order) -> (&'static str, String) {
        let sorted = |text: &[u8]| {
            let mut lines: Vec<Vec<u8>> = text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            if order == Order::Lines {
                lines.sort();
            }
            lines
        };
        let cause = || self.last_words.clone();
        if self.codes.contains(&None) {
            ("hangs", cause())
        } else if self.codes.iter().flatten().any(|code| *code == 72) {
            ("refused", cause())
        } else if self.codes != std.codes {
            ("fails", self.wrong().unwrap_or_default())
        } else if sorted(&self.stdout) != sorted(&std.stdout) {
            ("differs", "stdout".to_owned())
        } else if let Some(name) = self.other_file(std) {
            ("differs", name)
        } else {
            ("as std", String::new())
        }
    }

    fn other_file(&self, std: &Played) -> Option<String> {
        let names = self.files.keys().chain(std.files.keys());
        names.into_iter().find(|name| self.files.get(*name) != std.files.get(*name)).cloned()
    }
}

/// All files below a directory.
fn files(top: &Path) -> Verdict<BTreeMap<String, Vec<u8>>> {
    let (mut found, mut open) = (BTreeMap::new(), vec![top.to_owned()]);
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).map_err(while_doing(directory.display()))? {
            let path = entry.map_err(while_doing(directory.display()))?.path();
            let Ok(name) = path.strip_prefix(top) else {
                return cannot("a file lies outside of its directory");
            };
            let name = name.display().to_string();
            if path.is_dir() {
                open.push(path);
            } else {
                found.insert(name, fs::read(&path).map_err(while_doing(path.display()))?);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn played(code: Option<i32>, stdout: &str) -> Played {
        Played { codes: vec![code], stdout: stdout.into(), ..Played::default() }
    }

    #[test]
    fn what_is_not_as_on_std_has_a_word() {
        let std = played(Some(0), "a\nb\n");
        let word = |played: Played, order| played.beside(&std, order).0;
        assert_eq!(word(played(Some(0), "a\nb\n"), Order::Fixed), "as std");
        assert_eq!(word(played(Some(0), "b\na\n"), Order::Fixed), "differs");
        assert_eq!(word(played(Some(0), "b\na\n"), Order::Lines), "as std");
        assert_eq!(word(played(Some(0), "b\nc\n"), Order::Lines), "differs");
        assert_eq!(word(played(Some(72), ""), Order::Lines), "refused");
        assert_eq!(word(played(Some(101), "a\nb\n"), Order::Lines), "fails");
        assert_eq!(word(played(None, "a\nb\n"), Order::Lines), "hangs");
        let mut other = played(Some(0), "a\nb\n");
        other.files.insert("f".to_owned(), Vec::new());
        assert_eq!(other.beside(&std, Order::Fixed), ("differs", "f".to_owned()));
    }

    #[test]
    fn what_every_run_sends_is_no_network() {
        let sent =
            |pages: u64| serde_json::json!({"page_request": {"messages": pages}, "ship": {"messages": 2}});
        let report = |pages: u64| {
            serde_json::json!({"nodes": [
                {"rank": 0, "threads_run": 3, "sent": sent(pages)}, {"rank": 1, "threads_run": 2, "sent": sent(1)}
            ]})
        };
        assert_eq!(network(&report(4)), (5, 2));
        let alone = serde_json::json!({"nodes": [{"rank": 0, "threads_run": 1, "sent": sent(0)}]});
        assert_eq!(network(&alone), (0, 0));
    }
}
