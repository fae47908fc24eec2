//! How a program is interrupted and ended; the table in [`crate::signals`] says what is promised.

use std::time::{Duration, Instant};

use super::{Job, State};
use crate::sys::{self, Arrived, Target};
use crate::verdict::Cause;

/// Within this time a second ^C means the first one did not help.
const INTERRUPT_AGAIN: Duration = Duration::from_secs(2);
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
        if let Some(node) = self.nodes.first().filter(|node| node.status.is_none() && !from_terminal) {
            sys::kill(Target::Process(node.pid), libc::SIGINT);
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
        for (rank, node) in self.nodes.iter().enumerate() {
            if node.status.is_none() && !(rank == 0 && from_terminal) {
                sys::kill(Target::Process(node.pid), signal);
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
        for (rank, node) in self.nodes.iter_mut().enumerate().filter(|(_, node)| node.status.is_none()) {
            node.told_to_end = true;
            // Node 0 shares the launcher's own group.
            let target = if rank == 0 { Target::Process(node.pid) } else { Target::Group(node.pid) };
            sys::kill(target, signal);
        }
    }
}
