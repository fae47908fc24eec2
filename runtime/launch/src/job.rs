//! One program, from its start to its last process.
//!
//! | state | means | left when |
//! |---|---|---|
//! | `Running` | nodes start or run | a node fails, node 0 leaves, a time is over, a signal comes |
//! | `Gathering` | a node failed: what others say may show that it is not the root cause | after a moment |
//! | `Leaving` | node 0 left in good order, the others follow | all are gone, or they take too long |
//! | `Terminating` | TERM was sent | all are gone, or the grace is over |
//! | `Killed` | KILL was sent | all are gone |

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{io, thread};

use dstd_control::env::{Options, Reach, Transport};
use dstd_control::exit;
use dstd_control::rendezvous::{self, Hello, ServeError};
use dstd_control::secret::Secret;
use dstd_control::stats::{Ending, StatsBlock};

use crate::args::{LaunchOptions, Plan};
use crate::console::{Console, Tail};
use crate::dry_run;
use crate::hosts::{self, Cluster, Heard, Patience, Remote};
use crate::links::Links;
use crate::output::{Forwarder, Output, Which};
use crate::program::{self, NotFound};
use crate::report::{Heading, Node as NodeReport, Report};
use crate::signals::Signals;
use crate::spawn::{Spawned, Streams, Template, open_report, spawn_error_code};
use crate::sys::{self, Arrived, Status, Target};
use crate::verdict::{Cause, Fact, Verdict, failed, judge, lost_and_running};

mod drain;
mod elsewhere;
mod ending;
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

/// What nodes have at least to meet, however long other hosts took to get ready.
const MEET_MIN: Duration = Duration::from_secs(1);

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
    let (verdict, mut nodes) = match execute(plan, transport, &console, &host, &mut heading, began) {
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

/// Starts the nodes and waits for the end of the last.
fn execute(
    plan: &Plan,
    transport: Transport,
    console: &Console,
    host: &str,
    heading: &mut Heading,
    began: Instant,
) -> Result<(Verdict, Vec<NodeReport>), Failure> {
    let internal = |what: &str, error: io::Error| (exit::INTERNAL, format!("{what}: {error}"));
    let path = std::env::var_os("PATH");
    let path = program::find(&plan.program, path.as_deref())
        .map_err(|not_found: NotFound| (exit::USAGE, not_found.to_string()))?;
    heading.program = path.to_string_lossy().into_owned();
    plan.launch.directory_is_there().map_err(|words| (exit::USAGE, words))?;

    let links = Links::wanted(transport, plan.launch.nodes).map_err(|reason| (exit::UNFIT, reason))?;
    let output = Output::prepare(&plan.launch.everyday, plan.launch.nodes, console)
        .map_err(|words| (exit::USAGE, words))?;
    let (events, inbox) = channel();
    let signals =
        Signals::watch(events.clone()).map_err(|error| internal("cannot wait for signals", error))?;
    let cluster = plan.launch.cluster.as_ref().filter(|cluster| cluster.is_remote());
    let (listener, reach) = match cluster {
        Some(cluster) => {
            let (listener, reach) = hosts::listen(cluster, &plan.launch.hosts)?;
            (listener, Reach { own_stdout: !output.inherits_stdout(), ..reach })
        }
        None => (listen_here()?, Reach::default()),
    };
    let deadline = began + plan.launch.connect_timeout;
    let mut template = Template {
        path,
        name: plan.program.clone(),
        args: plan.args.clone(),
        vars: plan.vars.clone(),
        dir: plan.launch.chdir.clone(),
        job_id: heading.job.clone(),
        size: plan.launch.nodes,
        controller: listener.local_addr().map_err(|error| internal("cannot listen", error))?,
        connect_timeout: plan.launch.connect_timeout,
        reach,
        options: Options { transport: Some(transport), ..plan.options.clone() },
        stdout: None,
        relayed: false,
        signals: signals.mask_before(),
        secret: Secret::random().map_err(|error| internal("cannot make a secret", error))?,
        streams: Streams {
            stdin: if cluster.is_some() {
                plan.launch.everyday.stdin.of_node_0()
            } else {
                plan.launch.everyday.stdin
            },
            stdout_inherited: output.inherits_stdout(),
            stderr_like_ours: output.may_be_a_terminal(),
        },
    };
    let remote = match cluster {
        Some(cluster) => {
            let said = plan.launch.connect_timeout;
            let patience = Patience { events: events.clone(), inbox: &inbox, deadline, said };
            let remote = Remote::reach(cluster, &plan.launch.hosts, &mut template, &patience)?;
            template.connect_timeout = deadline.saturating_duration_since(Instant::now()).max(MEET_MIN);
            remote
        }
        None => Remote::default(),
    };
    let mut job = Job {
        launch: &plan.launch,
        console: console.clone(),
        output,
        host: host.to_owned(),
        remote,
        nodes: Vec::new(),
        state: State::Running,
        cause: None,
        began,
        started: false,
        called_off: Arc::default(),
        interrupted: None,
    };
    job.explain(format_args!("job {}: {} nodes of {}", heading.job, template.size, heading.program));
    let meeting = job
        .meet(listener, &template, events.clone())
        .map_err(|error| internal("cannot start a thread", error))?;
    job.spawn_all(&template, links, cluster, &events);
    drop(events);
    let verdict = job.see_through(&inbox);
    job.called_off.store(true, Ordering::Relaxed);
    meeting.join().expect("the meeting does not panic");
    let verdict = job.drain(&inbox, verdict);
    drop(signals);
    job.tell(&verdict);
    Ok((verdict, job.report()))
}

impl Job<'_> {
    /// Starts the thread at which the nodes meet.
    fn meet(
        &self,
        listener: TcpListener,
        template: &Template,
        events: Sender<Event>,
    ) -> io::Result<JoinHandle<()>> {
        let deadline = Instant::now() + template.connect_timeout;
        let (secret, size) = (template.secret.clone(), template.size);
        let called_off = Arc::clone(&self.called_off);
        thread::Builder::new().name("meeting".to_owned()).spawn(move || {
            match rendezvous::serve(&listener, &secret, size, deadline, &called_off) {
                // The job may be over already.
                Ok(hellos) => drop(events.send(Event::Met(Ok(hellos)))),
                // The job hears it first: nodes that leave because of it are not the root cause.
                Err((error, nodes)) => {
                    drop(events.send(Event::Met(Err(error))));
                    drop(nodes.tell());
                }
            }
        })
    }

    /// Starts all nodes, or none: when one cannot be started, those before it are killed.
    fn spawn_all(
        &mut self,
        template: &Template,
        mut links: Option<Links>,
        cluster: Option<&Cluster>,
        events: &Sender<Event>,
    ) {
        if let Some(Err(error)) = cluster.map(|cluster| self.remote.go(template, cluster)) {
            let reason = format!("cannot forward stdin: {error}");
            self.cause = Some(Cause::Start { code: exit::INTERNAL, node: None, reason });
            self.call_off();
            return;
        }
        for rank in 0..template.size {
            let spawned = self.spawn(rank, template, links.as_mut(), cluster, events);
            if let Err(error) = spawned {
                let reason = format!("cannot start {}: {error}", template.path.display());
                self.cause = Some(Cause::Start { code: spawn_error_code(&error), node: Some(rank), reason });
                self.call_off();
                self.kill_all();
                return;
            }
        }
    }

    /// Starts a node here, or gets ready for one that an agent starts.
    fn spawn(
        &mut self,
        rank: u16,
        template: &Template,
        links: Option<&mut Links>,
        cluster: Option<&Cluster>,
        events: &Sender<Event>,
    ) -> io::Result<()> {
        let there = cluster.and_then(|cluster| Some((cluster, self.remote.link_of(cluster, rank)?)));
        if let Some((cluster, link)) = there {
            let spawned = self.remote.spawned(link, rank)?;
            let host = cluster.hosts[cluster.host_of(rank)].host.name.clone();
            return self.adopt(rank, spawned, host, Some(link), events);
        }
        let local_rank = cluster.map_or(rank, |cluster| cluster.local_rank(rank));
        let spawned = template.spawn(rank, local_rank, links)?;
        let pid = spawned.pid;
        self.explain(format_args!("node {rank} is process {pid}"));
        self.adopt(rank, spawned, self.host.clone(), None, events)?;
        let events = events.clone();
        thread::Builder::new().name("wait".to_owned()).spawn(move || {
            sys::wait_for_end(pid).expect("a child that was not reaped can be waited for");
            // The job may have given up.
            drop(events.send(Event::Ended(rank)));
        })?;
        Ok(())
    }

    fn adopt(
        &mut self,
        rank: u16,
        spawned: Spawned,
        host: String,
        link: Option<usize>,
        events: &Sender<Event>,
    ) -> io::Result<()> {
        let Spawned { pid, stats, stdout, stderr, .. } = spawned;
        self.nodes.push(Node {
            pid,
            host,
            link,
            stats,
            forwarders: Vec::new(),
            tail: Tail::default(),
            status: None,
            order: usize::MAX,
            told_to_end: false,
            peak_rss_bytes: 0,
        });
        let streams = [(Which::Stderr, Some(stderr)), (Which::Stdout, stdout)];
        for (which, source) in streams.into_iter().filter_map(|(which, source)| Some((which, source?))) {
            let events = events.clone();
            // The job may have given up.
            let done = move || drop(events.send(Event::Drained));
            let forwarder = Forwarder::start(source, self.output.stream(rank, which), done)?;
            self.nodes[usize::from(rank)].forwarders.push(forwarder);
        }
        Ok(())
    }

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

fn listen_here() -> Result<TcpListener, Failure> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .map_err(|error| (exit::PORT, format!("cannot listen on the loopback interface: {error}")))
}

fn job_id() -> String {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    format!("{:x}-{:x}", since.as_millis(), std::process::id())
}
