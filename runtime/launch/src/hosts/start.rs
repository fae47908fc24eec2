//! The start on other hosts: all of them say that they can run the job, or none is told to.

use std::fmt::Write;
use std::fs;
use std::io;
use std::net::{IpAddr, TcpListener, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use dstd_control::env::{Reach, names};
use dstd_control::exit;
use dstd_control::stats::StatsBlock;

use super::frames::{FromAgent, Job, ToAgent};
use super::link::{self, Heard, Link, Load, Way};
use super::spec::{Cluster, Seat};
use super::{DESCRIPTORS_PER_NODE, HostOptions, Scope, build, net, rsh, stdin};
use crate::job::Event;
use crate::spawn::{Spawned, Template};
use crate::sys::{self, signal_name};

type Failure = (i32, String);

/// Where the launcher and its own nodes listen for the nodes of `cluster`.
pub(crate) fn listen(cluster: &Cluster, options: &HostOptions) -> Result<(TcpListener, Reach), Failure> {
    let address = own_address(cluster, options)?;
    let listener = dstd_control::ports::listen(address, options.port_range)
        .map_err(|error| (exit::PORT, format!("cannot listen on {address}: {error}")))?;
    Ok((listener, Reach { listen: Some(address), ports: options.port_range, ..Reach::default() }))
}

fn own_address(cluster: &Cluster, options: &HostOptions) -> Result<IpAddr, Failure> {
    let here = cluster.hosts.iter().find(|seat| seat.here);
    if let Some(address) = here.and_then(|seat| seat.host.addr) {
        return Ok(address);
    }
    if let Some(iface) = &options.iface {
        let interfaces = net::interfaces()
            .map_err(|error| (exit::HOST, format!("cannot read the addresses of this host: {error}")))?;
        return iface
            .pick(&interfaces)
            .ok_or_else(|| (exit::USAGE, format!("--iface {iface}: this host has no such address")));
    }
    let Some(first) = cluster.hosts.iter().find(|seat| !seat.here) else {
        return Ok(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));
    };
    let name = &first.host.name;
    let unknown = |error: io::Error| {
        let words = format!(
            "host {name}: its address is not known here ({error}): say which network to use with --iface, \
             or its address in the host file with addr="
        );
        (exit::HOST, words)
    };
    let address = match first.host.addr {
        Some(address) => address,
        None => resolve(name).map_err(unknown)?,
    };
    net::route_to(address).map_err(unknown)
}

fn resolve(name: &str) -> io::Result<IpAddr> {
    let found = (name, 0).to_socket_addrs()?.map(|address| address.ip()).min_by_key(IpAddr::is_ipv6);
    found.ok_or_else(|| io::Error::other("it has none"))
}

/// How far a host has come.
enum State {
    Asked,
    Greeted,
    Ready { descriptors: u64 },
    Failed(Failure),
}

/// The agents on all other hosts.
#[derive(Default)]
pub(crate) struct Remote {
    links: Vec<Link>,
    /// Asks for more of stdin.
    stdin: Option<Sender<()>>,
}

/// What the start waits for and by when.
pub(crate) struct Patience<'a> {
    pub(crate) events: Sender<Event>,
    pub(crate) inbox: &'a Receiver<Event>,
    pub(crate) deadline: Instant,
    /// The same as the user said it.
    pub(crate) said: Duration,
}

impl Remote {
    /// Starts the agents; returns when all hosts are ready, and tells `template` what they agree on.
    ///
    /// # Errors
    /// With a line for each host, when one is not ready. Nothing runs anywhere then.
    pub(crate) fn reach(
        cluster: &Cluster,
        options: &HostOptions,
        template: &mut Template,
        patience: &Patience<'_>,
    ) -> Result<Remote, Failure> {
        let cannot = |what: &str, error: io::Error| (exit::INTERNAL, format!("{what}: {error}"));
        let launcher = std::env::current_exe().map_err(|error| cannot("cannot find this launcher", error))?;
        let remote = match &options.bcast {
            None => rsh::agent_command(&launcher),
            Some(dir) => {
                let dir = (!dir.is_empty()).then_some(Path::new(dir));
                let bytes =
                    fs::metadata(&launcher).map_err(|error| cannot("cannot read this launcher", error))?;
                rsh::receiving_command(dir, bytes.len())
            }
        };
        let dir = template.dir.clone().unwrap_or_else(|| ".".into());
        let dir = fs::canonicalize(&dir)
            .map_err(|error| (exit::USAGE, format!("cannot use the directory {}: {error}", dir.display())))?;
        let program = |error| (exit::USAGE, format!("cannot read {}: {error}", template.path.display()));
        let job = describe(template, dir, options).map_err(program)?;
        let rsh = options.rsh();
        let mut this = Remote::default();
        let each_stdout = !template.streams.stdout_inherited;
        let seats: Vec<&Seat> = cluster.hosts.iter().filter(|seat| !seat.here).collect();
        for (index, seat) in seats.iter().enumerate() {
            let launcher = options.bcast.is_some().then(|| launcher.clone());
            let way = Way { rsh: &rsh, remote: &remote, launcher, signals: &template.signals, each_stdout };
            let link = Link::open(way, seat, index, patience.events.clone());
            this.links.push(link.map_err(|error| cannot("cannot start a remote shell", error))?);
        }
        let mut states: Vec<State> = seats.iter().map(|_| State::Asked).collect();
        this.gather(&mut states, &seats, &job, patience)?;
        let most = sys::descriptors(u64::from(template.size) * DESCRIPTORS_PER_NODE)
            .map_err(|error| cannot("cannot read the limit of descriptors", error))?;
        let least = states.iter().fold(most, |least, state| match state {
            State::Ready { descriptors } => least.min(*descriptors),
            _ => least,
        });
        template.reach.descriptors = Some(least);
        Ok(this)
    }

    fn gather(
        &mut self,
        states: &mut [State],
        seats: &[&Seat],
        job: &Job,
        patience: &Patience<'_>,
    ) -> Result<(), Failure> {
        while states.iter().any(|state| matches!(state, State::Asked | State::Greeted)) {
            match patience.inbox.recv_timeout(patience.deadline.saturating_duration_since(Instant::now())) {
                Ok(Event::Host(index, heard)) => {
                    self.hear(&mut states[index], index, heard, || describe_for(job, seats[index]));
                }
                Ok(Event::Signal(arrived)) => match arrived.signal {
                    libc::SIGINT | libc::SIGTERM | libc::SIGHUP | libc::SIGQUIT => {
                        let words = format!("the launcher got {}", signal_name(arrived.signal));
                        return Err((128 + arrived.signal, words));
                    }
                    // It can be sent again when there is somebody to get it.
                    _ => {}
                },
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => unreachable!("the caller holds a sender"),
            }
        }
        for (state, link) in states.iter_mut().zip(&self.links) {
            let what = match state {
                State::Asked => "no answer",
                State::Greeted => "its agent did not get ready",
                State::Ready { .. } | State::Failed(_) => continue,
            };
            let words = match link.last_words() {
                Some(words) => format!("{what} within {:?} (--connect-timeout): {words}", patience.said),
                None => format!("{what} within {:?} (--connect-timeout)", patience.said),
            };
            *state = State::Failed((exit::HOST, words));
        }
        table(states, seats)
    }

    fn hear(&mut self, state: &mut State, index: usize, heard: Heard, job: impl FnOnce() -> Job) {
        let link = &mut self.links[index];
        match heard {
            Heard::Greeted => {
                let job = job();
                let (sent, path) = (job.sent.is_some(), job.path.clone());
                link.say(ToAgent::Job(Box::new(job)));
                if sent {
                    drop(link.to.send(Load::Program(path.into())));
                }
                *state = State::Greeted;
            }
            Heard::Said(FromAgent::Ready { descriptors }) => *state = State::Ready { descriptors },
            Heard::Said(FromAgent::Refused { code, words }) => *state = State::Failed((code, words)),
            Heard::Said(_) => {}
            Heard::Closed if matches!(state, State::Failed(_)) => {}
            Heard::Closed => *state = State::Failed((exit::HOST, link.obituary())),
        }
    }

    /// Tells all hosts to start their nodes.
    pub(crate) fn go(&mut self, template: &Template, cluster: &Cluster) -> io::Result<()> {
        let descriptors = template.reach.descriptors.unwrap_or(0);
        for link in &self.links {
            link.say(ToAgent::Go { descriptors });
        }
        if let Some(link) = self.link_of(cluster, 0) {
            if !template.streams.stdin.include(0) {
                self.links[link].say(ToAgent::StdinEnd);
                return Ok(());
            }
            self.stdin = Some(stdin::forward(self.links[link].to.clone())?);
        }
        Ok(())
    }

    /// The connection to the host of `rank`; `None`: it is this one.
    pub(crate) fn link_of(&self, cluster: &Cluster, rank: u16) -> Option<usize> {
        let host = cluster.host_of(rank);
        let before = cluster.hosts[..host].iter().filter(|seat| !seat.here).count();
        (!cluster.hosts[host].here).then_some(before)
    }

    /// What a job needs to know of a node that its agent starts; the process id is told later.
    pub(crate) fn spawned(&mut self, link: usize, rank: u16) -> io::Result<Spawned> {
        let [stdout, stderr] = self.links[link].streams.each_mut().map(|ends| ends.remove(&rank));
        let stderr = stderr.ok_or_else(|| io::Error::other("its stderr is taken"))?;
        Ok(Spawned { pid: 0, stats: StatsBlock::private()?, stdout, stderr, stdin: None })
    }

    /// Sends a signal to a node or its group.
    pub(crate) fn signal(&self, link: usize, rank: u16, scope: Scope, signal: i32) {
        self.links[link].say(ToAgent::Signal { rank, scope, signal });
    }

    /// Waits until all that was said is on its way, at most `timeout`.
    pub(crate) fn flush(&self, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        let (done, written) = mpsc::channel();
        for link in &self.links {
            // The connection may be closed.
            drop(link.to.send(Load::Written(done.clone())));
        }
        drop(done);
        while written.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok() {}
    }

    /// Whether what a host has said is not yet heard, because nobody reads what its nodes wrote before.
    pub(crate) fn is_held_up(&self) -> bool {
        self.links.iter().any(|link| link.held_up.load(Ordering::Relaxed))
    }

    /// Node 0 has what was read for it.
    pub(crate) fn stdin_taken(&self) {
        if let Some(stdin) = &self.stdin {
            // At its end nobody reads.
            stdin.send(()).unwrap_or_default();
        }
    }

    /// The name of a host, and why its connection has closed.
    pub(crate) fn obituary(&mut self, link: usize) -> (String, String) {
        let link = &mut self.links[link];
        (link.name.clone(), link.obituary())
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        link::close(&mut self.links);
    }
}

/// What all hosts are told.
fn describe(template: &Template, dir: PathBuf, options: &HostOptions) -> io::Result<Job> {
    let told = |name: &std::ffi::OsString| !names().iter().any(|ours| name == *ours);
    let mut vars: Vec<_> = std::env::vars_os().filter(|(name, _)| told(name)).collect();
    vars.extend(template.vars.iter().cloned());
    let sent = match options.bcast {
        Some(_) => {
            let file = fs::File::open(&template.path)?;
            Some((file.metadata()?.len(), build::digest(file)?))
        }
        None => None,
    };
    Ok(Job {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        job_id: template.job_id.clone(),
        path: template.path.clone().into(),
        name: template.name.clone(),
        args: template.args.clone(),
        vars,
        dir: dir.into(),
        size: template.size,
        ranks: Vec::new(),
        controller: template.controller,
        connect_timeout_ms: u64::try_from(template.connect_timeout.as_millis()).unwrap_or(u64::MAX),
        options: template
            .options
            .to_vars()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        addr: None,
        iface: options.iface.as_ref().map(ToString::to_string),
        ports: options.port_range.as_ref().map(ToString::to_string),
        secret: template.secret.clone(),
        build: build::identity(&template.path)?,
        each_stdout: !template.streams.stdout_inherited,
        sent,
    })
}

/// What one host is told.
fn describe_for(job: &Job, seat: &Seat) -> Job {
    let ranks = seat.ranks.clone().enumerate().map(|(local, rank)| (rank, local as u16)).collect();
    Job { ranks, addr: seat.host.addr, ..job.clone() }
}

/// All hosts and what they say, unless all are ready.
fn table(states: &[State], seats: &[&Seat]) -> Result<(), Failure> {
    let failed = || {
        states
            .iter()
            .filter_map(|state| if let State::Failed(failure) = state { Some(failure) } else { None })
    };
    let Some((code, first)) = failed().next() else { return Ok(()) };
    if let [seat] = seats {
        return Err((*code, format!("host {}: {first}", seat.host.login())));
    }
    let mut words = format!("{} of {} hosts cannot run the program:", failed().count(), seats.len());
    let width = seats.iter().map(|seat| seat.host.login().len()).max().unwrap_or(0);
    for (state, seat) in states.iter().zip(seats) {
        let what = if let State::Failed((_, words)) = state { words } else { "ready" };
        write!(words, "\n  {:width$}  {what}", seat.host.login()).expect("a String takes all");
    }
    Err((*code, words))
}
