//! How a program is interrupted, suspended and ended; the table in [`crate::signals`] says what is
//! promised.

use std::time::{Duration, Instant};

use super::{Job, Node, State};
use crate::handlers::takes;
use crate::hosts::Scope;
use crate::sys::{self, Arrived, Target};
use crate::verdict::Cause;

/// Within this time a second ^C means the first one did not help.
const INTERRUPT_AGAIN: Duration = Duration::from_secs(2);

/// A host that has not been told so long after ^Z is not waited for: the user wants the terminal.
const TOLD: Duration = Duration::from_secs(1);

impl Node {
    /// Whether a signal that the launcher got has not reached the running node, `by_terminal`: if it is here.
    fn misses(&self, by_terminal: bool) -> bool {
        self.status.is_none() && !(by_terminal && self.link.is_none())
    }

    /// Whether the node would survive a signal, as far as this host can tell.
    fn takes(&self, signal: i32) -> bool {
        self.link.is_none() && takes(self.pid, signal)
    }
}

impl Job<'_> {
    pub(super) fn signalled(&mut self, Arrived { signal, from_terminal }: Arrived) {
        match signal {
            libc::SIGUSR1 | libc::SIGUSR2 | libc::SIGQUIT => self.pass_on(signal, from_terminal),
            _ if sys::stops_and_continues(signal) => {
                let stopped = self.suspend(Arrived { signal, from_terminal });
                self.put_off(stopped);
            }
            libc::SIGINT if !matches!(self.state, State::Terminating { .. } | State::Killed { .. }) => {
                self.interrupt(from_terminal);
            }
            _ => self.stop_for(signal),
        }
    }

    fn interrupt(&mut self, from_terminal: bool) {
        let now = Instant::now();
        let again = self.interrupted.replace(now).is_some_and(|first| now - first <= INTERRUPT_AGAIN);
        if again {
            self.stop_for(libc::SIGINT);
            return;
        }
        if let Some(node) = self.nodes.first().filter(|node| node.misses(from_terminal)) {
            self.signal(0, node, Scope::Process, libc::SIGINT);
        }
        if !self.launch.quiet {
            self.console.say("interrupt sent to node 0; again within 2 s stops all nodes");
        }
    }

    /// Ends the program because somebody wants it; now, when that was said before.
    fn stop_for(&mut self, signal: i32) {
        match self.state {
            State::Terminating { .. } | State::Killed { .. } => self.kill_all(),
            State::Running | State::Gathering { .. } | State::Leaving { .. } => {
                self.cause.get_or_insert(Cause::Signal(signal));
                self.ask_to_end(self.launch.grace);
            }
        }
    }

    fn running(&self) -> impl Iterator<Item = (u16, &Node)> {
        (0..).zip(&self.nodes).filter(|(_, node)| node.status.is_none())
    }

    /// To every node that can take the signal, or to all when none can: a program with a handler on
    /// node 0 is not ended by nodes without. Node 0 has it already when the terminal sent it. Of a node 0
    /// on another host it is not known whether it can: it gets the signal, and those that can.
    fn pass_on(&self, signal: i32, from_terminal: bool) {
        let node_0_elsewhere = self.nodes.first().is_some_and(|node| node.link.is_some());
        let somebody = node_0_elsewhere || self.running().any(|(_, node)| node.takes(signal));
        for (rank, node) in self.running().filter(|(rank, node)| node.misses(from_terminal && *rank == 0)) {
            let to_all = !somebody || (rank == 0 && node_0_elsewhere);
            self.signal(rank, node, if to_all { Scope::Group } else { Scope::GroupThatTakesIt }, signal);
        }
    }

    /// Stops the nodes and then the launcher until somebody continues it; returns how long that was.
    pub(super) fn suspend(&self, Arrived { signal, from_terminal }: Arrived) -> Duration {
        let since = Instant::now();
        for (rank, node) in self.running().filter(|(rank, node)| node.misses(from_terminal && *rank == 0)) {
            self.signal(rank, node, Scope::Group, libc::SIGTSTP);
        }
        // Once the launcher is stopped, it tells nobody anything.
        self.remote.flush(TOLD);
        if let Err(error) = sys::suspend(signal) {
            self.explain(format_args!("cannot be suspended: {error}"));
        }
        for (rank, node) in self.running() {
            self.signal(rank, node, Scope::Group, libc::SIGCONT);
        }
        since.elapsed()
    }

    /// Time that the program was stopped does not count.
    fn put_off(&mut self, by: Duration) {
        self.began += by;
        if let Some(interrupted) = &mut self.interrupted {
            *interrupted += by;
        }
        match &mut self.state {
            State::Running => {}
            State::Gathering { since } | State::Leaving { since } | State::Killed { since } => *since += by,
            State::Terminating { kill_at } => *kill_at += by,
        }
    }

    /// Ends all nodes because the program must not go on.
    pub(super) fn terminate(&mut self, grace: Duration) {
        self.end_all(libc::SIGTERM);
        self.terminating(grace);
    }

    /// Lets the program end: where node 0 has a handler for TERM, only nodes with one get it, so that
    /// node 0 can finish with the help of all. A node 0 on another host may have one.
    pub(super) fn ask_to_end(&mut self, grace: Duration) {
        let may_handle = |node: &Node| node.link.is_some() || node.takes(libc::SIGTERM);
        let handled = self.nodes.first().is_some_and(|node| node.status.is_none() && may_handle(node));
        if !(self.started && handled) {
            self.terminate(grace);
            return;
        }
        self.nodes.iter_mut().filter(|node| node.status.is_none()).for_each(|node| node.told_to_end = true);
        self.pass_on(libc::SIGTERM, false);
        self.terminating(grace);
    }

    fn terminating(&mut self, grace: Duration) {
        self.call_off();
        // A stopped process does not hear TERM.
        self.end_all(libc::SIGCONT);
        self.state = State::Terminating { kill_at: Instant::now() + grace };
    }

    pub(super) fn kill_all(&mut self) {
        self.end_all(libc::SIGKILL);
        if !matches!(self.state, State::Killed { .. }) {
            self.state = State::Killed { since: Instant::now() };
        }
    }

    fn end_all(&mut self, signal: i32) {
        self.nodes.iter_mut().filter(|node| node.status.is_none()).for_each(|node| node.told_to_end = true);
        for (rank, node) in self.running() {
            self.signal(rank, node, Scope::Group, signal);
        }
    }

    /// To a node that has not been reaped.
    fn signal(&self, rank: u16, node: &Node, scope: Scope, signal: i32) {
        let pid = node.pid;
        match (node.link, scope) {
            (Some(link), _) => self.remote.signal(link, rank, scope, signal),
            (None, Scope::GroupThatTakesIt) if !node.takes(signal) => {}
            // Node 0 shares the launcher's own group.
            (None, Scope::Group | Scope::GroupThatTakesIt) if rank > 0 => {
                sys::kill(Target::Group(pid), signal)
            }
            (None, _) => sys::kill(Target::Process(pid), signal),
        }
    }
}
