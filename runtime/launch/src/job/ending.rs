//! How a program is interrupted and ended; the table in [`crate::signals`] says what is promised.

use std::time::{Duration, Instant};

use super::{Job, Node, State};
use crate::sys::{self, Arrived, Target};
use crate::verdict::Cause;

/// Within this time a second ^C means the first one did not help.
const INTERRUPT_AGAIN: Duration = Duration::from_secs(2);

/// Who gets a signal.
enum Scope {
    /// The node.
    Process,
    /// It, and what it has started.
    Group,
}

impl Node {
    /// Whether a signal that the launcher got has not reached the running node, `by_terminal`: if it is here.
    fn misses(&self, by_terminal: bool) -> bool {
        self.status.is_none() && !(by_terminal && self.link.is_none())
    }
}

impl Job<'_> {
    pub(super) fn signalled(&mut self, Arrived { signal, from_terminal }: Arrived) {
        match signal {
            libc::SIGUSR1 | libc::SIGUSR2 | libc::SIGQUIT => self.pass_on(signal, from_terminal),
            libc::SIGTSTP => {
                self.pass_on(signal, from_terminal);
                if let Err(error) = sys::suspend() {
                    self.explain(format_args!("cannot be suspended: {error}"));
                }
                self.pass_on(libc::SIGCONT, false);
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
                self.terminate(self.launch.grace);
            }
        }
    }

    /// To every node that runs; node 0 has it already when the terminal sent it.
    fn pass_on(&self, signal: i32, from_terminal: bool) {
        for (rank, node) in (0..).zip(&self.nodes) {
            if node.misses(from_terminal && rank == 0) {
                self.signal(rank, node, Scope::Process, signal);
            }
        }
    }

    pub(super) fn terminate(&mut self, grace: Duration) {
        self.call_off();
        self.end_all(libc::SIGTERM);
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
        for (rank, node) in (0..).zip(&self.nodes).filter(|(_, node)| node.status.is_none()) {
            self.signal(rank, node, Scope::Group, signal);
        }
    }

    /// To a node that has not been reaped.
    fn signal(&self, rank: u16, node: &Node, scope: Scope, signal: i32) {
        let group = matches!(scope, Scope::Group);
        match node.link {
            Some(link) => self.remote.signal(link, rank, group, signal),
            // Node 0 shares the launcher's own group.
            None if group && rank > 0 => sys::kill(Target::Group(node.pid), signal),
            None => sys::kill(Target::Process(node.pid), signal),
        }
    }
}
