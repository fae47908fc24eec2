//! What the launcher says about a job: root cause first.

use std::fmt::{Display, Write};

use dstd_control::rendezvous::Missing;
use dstd_control::stats::{Ending, Phase};

use super::Job;
use crate::console::LINES_MAX;
use crate::sys::{Status, signal_name};
use crate::verdict::{Cause, Origin, Verdict};

impl Cause {
    /// The verdict on a program that was never started.
    pub(super) fn into_verdict(self) -> Verdict {
        crate::verdict::judge(&[], Some(&self), false)
    }
}

impl Job<'_> {
    /// Says something to a user who wants to know more.
    pub(super) fn explain(&self, words: impl Display) {
        if self.launch.verbose > 0 {
            self.console.say(words);
        }
    }

    /// Says why the program ended; nothing when it ended by itself.
    pub(super) fn tell(&self, verdict: &Verdict) {
        if matches!(verdict.origin, Origin::Main | Origin::Exit) {
            self.explain(format_args!("{} with status {}", verdict.reason, verdict.code));
            if let Some(later) = self.later(None) {
                self.explain(later);
            }
            return;
        }
        let Some(rank) = verdict.node else {
            self.console.say(&verdict.reason);
            return;
        };
        let Some(node) = self.nodes.get(usize::from(rank)) else {
            self.console.say(format_args!("node {rank}: {}", verdict.reason));
            return;
        };
        let what = match verdict.origin {
            Origin::Launcher => "stopped the program",
            _ => "failed",
        };
        let mut words = format!("node {rank} ({}, pid {}) {what}: {}", node.host, node.pid, verdict.reason);
        let interrupted = self.interrupted.is_some() && verdict.code == 128 + libc::SIGINT;
        if !self.launch.quiet && !interrupted {
            self.add_tail(&mut words, rank);
            if let Some(later) = self.later(Some(rank)) {
                words.push('\n');
                words.push_str(&later);
            }
        }
        self.console.say(words);
    }

    /// The last lines of the node, unless they are just above: nobody else wrote.
    fn add_tail(&self, words: &mut String, rank: u16) {
        let others = || self.nodes.iter().enumerate().filter(|(other, _)| *other != usize::from(rank));
        let tail = &self.nodes[usize::from(rank)].tail;
        let just_above = self.output.is_shown() && others().all(|(_, node)| node.tail.is_empty());
        if tail.is_empty() || just_above {
            return;
        }
        words.push_str("\nthe last lines of its stderr:");
        for line in tail.lines().take(LINES_MAX) {
            words.push_str("\n  | ");
            words.push_str(&line);
        }
    }

    /// In one line, what became of the nodes that did not leave in good order, without `root`.
    fn later(&self, root: Option<u16>) -> Option<String> {
        let mut line = String::new();
        let mut nodes: Vec<_> = (0_u16..).zip(&self.nodes).filter(|(rank, _)| Some(*rank) != root).collect();
        nodes.sort_by_key(|(_, node)| node.order);
        for (rank, node) in nodes {
            let how = match (node.stats.ending(), node.status) {
                (Ending::Goodbye { .. }, Some(Status::Exit(_))) => continue,
                (Ending::Lost { peer }, _) => format!("lost node {peer}"),
                (_, None) => "cannot be killed".to_owned(),
                (_, Some(_)) if node.told_to_end => "stopped by the launcher".to_owned(),
                (_, Some(Status::Lost)) => format!("lost with its host {}", node.host),
                (_, Some(Status::Exit(code))) => format!("status {code}"),
                (_, Some(Status::Signal { signal, .. })) => signal_name(signal).to_owned(),
            };
            let separator = if line.is_empty() { "after that: " } else { ", " };
            write!(line, "{separator}node {rank} {how}").expect("a String takes all");
        }
        (!line.is_empty()).then_some(line)
    }

    /// The nodes, one a line, and how far each has come.
    pub(super) fn who_is_missing(&self, missing: &Missing) -> String {
        let mut words =
            format!("not all nodes were ready within {:?} (--connect-timeout)", self.launch.connect_timeout);
        for ((rank, stage), node) in missing.stages.iter().enumerate().zip(&self.nodes) {
            let hint =
                if node.stats.phase() == Phase::Born { ": is the program built with dstd?" } else { "" };
            write!(words, "\n  node {rank}  {}  pid {}  {stage}{hint}", node.host, node.pid)
                .expect("a String takes all");
        }
        if missing.strangers > 0 {
            write!(words, "\n  {} connections did not know the secret", missing.strangers)
                .expect("a String takes all");
        }
        words
    }
}
