//! The start of a program: what it needs on this host, its nodes here and elsewhere, and where they meet.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use dstd_control::env::{Options, Reach, Transport};
use dstd_control::exit;
use dstd_control::rendezvous;
use dstd_control::secret::Secret;

use super::{Event, Failure, Job, Node, State};
use crate::args::Plan;
use crate::console::{Console, Tail};
use crate::hosts::{self, Cluster, Patience, Remote};
use crate::links::Links;
use crate::output::{Forwarder, Output, Which};
use crate::program::{self, NotFound};
use crate::report::{Heading, Node as NodeReport};
use crate::signals::Signals;
use crate::spawn::{Spawned, Streams, Template, spawn_error_code};
use crate::sys;
use crate::verdict::{Cause, Verdict};

/// What nodes have at least to meet, however long other hosts took to get ready.
const MEET_MIN: Duration = Duration::from_secs(1);

/// Starts the nodes and waits for the end of the last.
pub(super) fn execute(
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
}

fn listen_here() -> Result<TcpListener, Failure> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .map_err(|error| (exit::PORT, format!("cannot listen on the loopback interface: {error}")))
}
