//! One program, from its start to its last process.
//!
//! | state | means | left when |
//! |---|---|---|
//! | `Running` | nodes start or run | a node fails, node 0 leaves, a time is over, a signal comes |
//! | `Gathering` | a node failed: what others say may show that it is not the root cause | after a moment |
//! | `Leaving` | node 0 left in good order, the others follow | all are gone, or they take too long |
//! | `Terminating` | TERM was sent | all are gone, or the grace is over |
//! | `Killed` | KILL was sent | all are gone |

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use dstd_control::env::Transport;
use dstd_control::exit;
use dstd_control::rendezvous::{Hello, ServeError};
use dstd_control::stats::{Ending, StatsBlock};

use crate::args::{LaunchOptions, Plan};
use crate::console::{Console, Tail};
use crate::dry_run;
use crate::hosts::{Heard, Remote};
use crate::output::{Forwarder, Output};
use crate::report::{Heading, Node as NodeReport, Report};
use crate::spawn::open_report;
use crate::sys::{self, Arrived, Status, Target};
use crate::verdict::{Cause, Fact, Verdict, failed, judge, lost_and_running};

mod drain;
mod elsewhere;
mod ending;
mod start;
mod words;

/// How long other nodes may take to show that the first death had a cause.
const GATHER: Duration = Duration::from_millis(150);
/// The same when the first death names a peer that still runs.
const GATHER_PEER: Duration = Duration::from_secs(1);
/// How long nodes may take to follow node 0; less where the user gives less grace.
const LEAVE: Duration = Duration::from_secs(5);
/// The most grace after a failure: the whole end takes less than 5 s.
const FAILURE_GRACE: Duration = Duration::from_secs(2);
/// How long a killed process may take to go; the kernel may still be busy for it.
const KILLED: Duration = Duration::from_secs(10);

/// What the job waits for.
pub(crate) enum Event {
    /// A node has ended and waits to be reaped.
    Ended(u16),
    /// The launcher got a signal.
    Signal(Arrived),
    /// All nodes were told to start, or why not.
    Met(Result<Vec<Hello>, ServeError>),
    /// Another host said something, by the number of its connection.
    Host(usize, Heard),
    /// All of a stream of an ended node was forwarded.
    Drained,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Running,
    Gathering { since: Instant },
    Leaving { since: Instant },
    Terminating { kill_at: Instant },
    Killed { since: Instant },
}

struct Node {
    /// 0 until the agent of another host has told it.
    pid: u32,
    host: String,
    /// The connection to its host; `None`: it is this one.
    link: Option<usize>,
    stats: StatsBlock,
    /// What it prints: stderr, and stdout where that is not the launcher's own.
    forwarders: Vec<Forwarder>,
    tail: Tail,
    status: Option<Status>,
    order: usize,
    told_to_end: bool,
    peak_rss_bytes: u64,
}

struct Job<'a> {
    launch: &'a LaunchOptions,
    console: Console,
    output: Output,
    host: String,
    remote: Remote,
    nodes: Vec<Node>,
    state: State,
    cause: Option<Cause>,
    began: Instant,
    started: bool,
    called_off: Arc<AtomicBool>,
    interrupted: Option<Instant>,
}

/// Runs what `plan` says; returns the status to exit with.
pub(crate) fn run(plan: &Plan) -> i32 {
    let console = Console::default();
    if plan.launch.everyday.dry_run {
        return dry_run::run(plan, &console);
    }
    let mut report = match plan.launch.report_json.as_deref().map(open_report).transpose() {
        Ok(file) => file,
        Err(words) => {
            console.say(words);
            return exit::USAGE;
        }
    };
    let began = Instant::now();
    let host = sys::hostname();
    // With nodes on other hosts it was decided with the options.
    let transport = plan.options.transport.unwrap_or(Transport::best(true));
    let mut heading = Heading {
        job: job_id(),
        program: plan.program.to_string_lossy().into_owned(),
        args: plan.args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect(),
        transport: transport.name(),
        mode: if plan.options.no_direct { "no-direct" } else { "direct" },
    };
    let (verdict, mut nodes) = match start::execute(plan, transport, &console, &host, &mut heading, began) {
        Ok(ended) => ended,
        Err((code, reason)) => {
            console.say(&reason);
            (Cause::Start { code, node: None, reason }.into_verdict(), Vec::new())
        }
    };
    let missing = u16::try_from(nodes.len()).unwrap_or(u16::MAX)..plan.launch.nodes;
    nodes.extend(missing.map(|rank| NodeReport::absent(rank, plan.launch.nodes, &host)));
    if report.is_none() && plan.launch.hot_pages.is_none() {
        return verdict.code;
    }
    let whole = Report::new(&heading, began.elapsed().as_secs_f64(), &verdict, nodes);
    if let Some(most) = plan.launch.hot_pages {
        console.say(whole.hot_pages_in_words(most.into()));
    }
    if let Some(file) = &mut report
        && let Err(error) = whole.write(file)
    {
        console.say(format_args!("cannot write the report: {error}"));
        return if verdict.code == 0 { exit::INTERNAL } else { verdict.code };
    }
    verdict.code
}

type Failure = (i32, String);

impl Job<'_> {
    /// Handles events until the last node has ended; says why the program ended.
    fn see_through(&mut self, inbox: &Receiver<Event>) -> Verdict {
        while self.nodes.iter().any(|node| node.status.is_none()) {
            let event = match self.deadline() {
                Some(at) => inbox.recv_timeout(at.saturating_duration_since(Instant::now())),
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match event {
                Ok(Event::Ended(rank)) => self.ended(rank),
                Ok(Event::Signal(arrived)) => self.signalled(arrived),
                Ok(Event::Met(met)) => self.met(met),
                Ok(Event::Host(link, heard)) => self.heard(link, heard),
                Ok(Event::Drained) => {}
                Err(RecvTimeoutError::Timeout) => {
                    if self.time_is_over().is_break() {
                        break;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => unreachable!("the signal thread holds a sender"),
            }
        }
        judge(&self.facts(), self.cause.as_ref(), self.started)
    }

    fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Running => self.launch.timeout.and_then(|timeout| self.began.checked_add(timeout)),
            State::Gathering { since } => Some(since + self.gather()),
            State::Leaving { since } => Some(since + LEAVE.min(self.launch.grace)),
            State::Terminating { kill_at } => Some(kill_at),
            State::Killed { since } => Some(since + KILLED),
        }
    }

    fn gather(&self) -> Duration {
        if lost_and_running(&self.facts()).is_some() { GATHER_PEER } else { GATHER }
    }

    fn time_is_over(&mut self) -> std::ops::ControlFlow<()> {
        let grace = self.launch.grace;
        match self.state {
            State::Running => {
                if let Some(timeout) = self.launch.timeout {
                    self.cause = Some(Cause::Timeout(timeout));
                }
                self.ask_to_end(grace);
            }
            State::Gathering { .. } => self.terminate(grace.min(FAILURE_GRACE)),
            // They may have followed long ago: a reader of stdout may be slow.
            State::Leaving { .. } if self.remote.is_held_up() => {
                self.state = State::Leaving { since: Instant::now() };
            }
            State::Leaving { .. } => {
                self.explain("nodes do not follow node 0: stopping them");
                self.terminate(grace.min(FAILURE_GRACE));
            }
            State::Terminating { .. } => self.kill_all(),
            State::Killed { .. } => {
                self.console.say("processes of the program cannot be killed: leaving them to the kernel");
                return std::ops::ControlFlow::Break(());
            }
        }
        std::ops::ControlFlow::Continue(())
    }

    fn met(&mut self, met: Result<Vec<Hello>, ServeError>) {
        match met {
            Ok(_) => {
                self.started = true;
                let after = self.began.elapsed();
                self.explain(format_args!("all nodes started after {after:.2?}"));
            }
            Err(ServeError::CalledOff) => {}
            Err(error) if matches!(self.state, State::Running) => {
                let node = match &error {
                    ServeError::Refused { node, .. } => *node,
                    _ => None,
                };
                let reason = match &error {
                    ServeError::Refused { reason, .. } => reason.clone(),
                    ServeError::Missing(missing) => self.who_is_missing(missing),
                    other => other.to_string(),
                };
                self.cause = Some(Cause::Start { code: error.exit_code(), node, reason });
                self.terminate(self.launch.grace.min(FAILURE_GRACE));
            }
            Err(_) => {}
        }
    }

    /// A node of this host has ended.
    fn ended(&mut self, rank: u16) {
        let node = &self.nodes[usize::from(rank)];
        if rank > 0 && !matches!(node.stats.ending(), Ending::Goodbye { .. }) {
            // What a failed node had started goes with it.
            sys::kill(Target::Group(node.pid), libc::SIGKILL);
        }
        let (status, peak_rss_bytes) = sys::reap(node.pid).expect("an ended child can be reaped");
        self.over(rank, status, peak_rss_bytes);
    }

    /// A node is reaped.
    fn over(&mut self, rank: u16, status: Status, peak_rss_bytes: u64) {
        let order = self.nodes.iter().filter(|node| node.status.is_some()).count();
        let node = &mut self.nodes[usize::from(rank)];
        node.status = Some(status);
        node.peak_rss_bytes = peak_rss_bytes;
        node.order = order;
        node.forwarders.iter().for_each(Forwarder::node_ended);
        if matches!(self.state, State::Running) {
            let now = Instant::now();
            if failed(&self.facts(), rank) {
                self.call_off();
                self.state = State::Gathering { since: now };
            } else if rank == 0 {
                self.call_off();
                self.state = State::Leaving { since: now };
            }
        }
    }

    fn call_off(&self) {
        // Relaxed: the flag carries nothing but itself.
        self.called_off.store(true, Ordering::Relaxed);
    }

    fn facts(&self) -> Vec<Fact> {
        let fact = |node: &Node| Fact {
            phase: node.stats.phase(),
            ending: node.stats.ending(),
            status: node.status,
            order: node.order,
            told_to_end: node.told_to_end,
        };
        self.nodes.iter().map(fact).collect()
    }

    fn report(&self) -> Vec<NodeReport> {
        let nodes = (0..).zip(&self.nodes);
        nodes
            .map(|(rank, node)| {
                let nodes = self.launch.nodes;
                NodeReport::new(rank, nodes, &node.host, node.pid, node.peak_rss_bytes, &node.stats)
            })
            .collect()
    }
}

fn job_id() -> String {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    format!("{:x}-{:x}", since.as_millis(), std::process::id())
}
