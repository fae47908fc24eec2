//! What a job hears of its nodes on other hosts.

use super::{Job, State};
use crate::hosts::Heard;
use crate::hosts::frames::FromAgent;
use crate::sys::Status;
use crate::verdict::Cause;

impl Job<'_> {
    pub(super) fn heard(&mut self, link: usize, heard: Heard) {
        match heard {
            Heard::Said(message) => self.told(link, message),
            Heard::Closed => self.host_lost(link),
            Heard::Greeted => {}
        }
    }

    fn told(&mut self, link: usize, message: FromAgent) {
        match message {
            FromAgent::Spawned { rank, pid } => {
                if let Some(index) = self.node_there(link, rank) {
                    self.nodes[index].pid = pid;
                    let host = &self.nodes[index].host;
                    self.explain(format_args!("node {rank} is process {pid} on {host}"));
                }
            }
            FromAgent::NotSpawned { rank, code, words } => {
                if self.node_there(link, rank).is_some() {
                    self.cause.get_or_insert(Cause::Start { code, node: Some(rank), reason: words });
                    self.over(rank, Status::Lost, 0);
                    self.kill_all();
                }
            }
            FromAgent::Phase { rank, phase } => {
                if let Some(index) = self.node_there(link, rank) {
                    self.nodes[index].stats.set_phase(phase);
                }
            }
            FromAgent::Stats { rank, bytes } => {
                if let Some(index) = self.node_there(link, rank)
                    && let Err(error) = self.nodes[index].stats.restore(&bytes)
                {
                    self.explain(format_args!("node {rank}: {error}"));
                }
            }
            FromAgent::Ended { rank, status, peak_rss_bytes } => {
                if self.node_there(link, rank).is_some() {
                    self.over(rank, status, peak_rss_bytes);
                }
            }
            FromAgent::StdinTaken => self.remote.stdin_taken(),
            // Before the start, or handled where it is read.
            FromAgent::Ready { .. }
            | FromAgent::Refused { .. }
            | FromAgent::Stdout { .. }
            | FromAgent::Stderr { .. } => {}
        }
    }

    /// The place of a node that runs behind `link`.
    fn node_there(&self, link: usize, rank: u16) -> Option<usize> {
        let node = self.nodes.get(usize::from(rank))?;
        (node.link == Some(link) && node.status.is_none()).then_some(rank.into())
    }

    /// The connection to a host is closed: its nodes are dead, or will be when the host notices.
    fn host_lost(&mut self, link: usize) {
        let lost: Vec<u16> = (0..)
            .zip(&self.nodes)
            .filter(|(_, node)| node.link == Some(link) && node.status.is_none())
            .map(|(rank, _)| rank)
            .collect();
        if lost.is_empty() {
            return;
        }
        let (name, why) = self.remote.obituary(link);
        if matches!(self.state, State::Running | State::Gathering { .. }) {
            self.cause.get_or_insert(Cause::Host(format!("lost host {name}: {why}")));
        }
        for rank in lost {
            self.nodes[usize::from(rank)].told_to_end |= !matches!(self.state, State::Running);
            self.over(rank, Status::Lost, 0);
        }
    }
}
