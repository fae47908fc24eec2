//! A node without a runtime: joins as a node does, then does one thing, good or bad.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};
use std::process::exit;
use std::time::Duration;

use dstd_control::env::NodeEnv;
use dstd_control::mesh;
use dstd_control::rendezvous::{Controller, Hello, PROTOCOL};
use dstd_control::secret::Secret;
use dstd_control::stats::{ExitKind, Phase, StatsBlock};

struct Node {
    rank: u16,
    stats: StatsBlock,
    /// By rank.
    peers: Vec<Option<TcpStream>>,
    /// Which rank misbehaves.
    culprit: u16,
    text: String,
}

/// Runs as a node; `args` are behaviour, culprit and a text.
pub(crate) fn main(args: &[String]) -> ! {
    let behaviour = args[0].as_str();
    let culprit: u16 = args.get(1).map_or(0, |rank| rank.parse().unwrap());
    let text = args.get(2).cloned().unwrap_or_default();
    let env = NodeEnv::from_env().unwrap().expect("started by a launcher");
    let culpable = env.rank == culprit;
    match behaviour {
        "never" if culpable => wait_for_ever(),
        "early-exit" if culpable => exit(text.parse().unwrap()),
        "early-abort" if culpable => std::process::abort(),
        _ => {}
    }
    let mut node = join(&env, behaviour, culprit, text);
    node.stats.set_phase(Phase::Running);
    if !matches!(behaviour, "ok" | "stdin" | "show" | "exit" | "read-then-exit" | "lines" | "flood") {
        say(&format!("up {} {}", env.rank, std::process::id()));
    }
    if std::env::var_os("NOISE").is_some() {
        eprintln!("noise of node {}", env.rank);
        node.hear_all();
    }
    match behaviour {
        "exit" => node.exit(),
        "read-then-exit" => {
            if culpable {
                std::io::copy(&mut std::io::stdin(), &mut std::io::stdout()).unwrap();
            }
            node.exit()
        }
        "signal" => node.wait_for_signal(),
        "lines" => node.print_lines(),
        "stay" if node.rank == 0 => node.main_ends(9),
        _ if culpable => node.misbehave(behaviour),
        _ => node.follow(),
    }
}

fn join(env: &NodeEnv, behaviour: &str, culprit: u16, text: String) -> Node {
    let culpable = env.rank == culprit;
    // SAFETY: the launcher opened it for this process, and nobody else here uses it.
    let cred = unsafe { OwnedFd::from_raw_fd(env.cred_fd) };
    // SAFETY: the launcher opened it for this process, and nobody closes it.
    let stats = unsafe { BorrowedFd::borrow_raw(env.stats_fd) };
    let stats = StatsBlock::map(stats).unwrap();
    let mut secret = Secret::read_from(cred).unwrap();
    if behaviour == "wrong-secret" && culpable {
        secret = Secret::from_bytes([0; 32]);
    }
    let stop = |code: i32, reason: String| -> ! {
        stats.stop(code, &reason);
        exit(code)
    };
    let listener = mesh::listen(&env.reach).unwrap();
    let mut controller = match Controller::connect(env, &secret) {
        Ok(controller) => controller,
        Err(error) => stop(error.exit_code(), error.to_string()),
    };
    if behaviour == "unfit" && culpable {
        controller.stop(72, "this host forbids it").unwrap();
        wait_for_ever();
    }
    let build_id = if behaviour == "wrong-build" && culpable { vec![0xbb; 4] } else { vec![0xaa; 4] };
    let hello = Hello {
        protocol: PROTOCOL,
        rank: env.rank,
        pid: std::process::id(),
        host: "here".to_owned(),
        build_id,
        layout: [0; 4],
        probes: [0; 8],
        cpu: 0,
        descriptors: 256,
        threads: 1,
        listen: Some(listener.local_addr().unwrap()),
        memory: None,
    };
    let addresses = match controller.hello(&hello) {
        Ok(peers) => peers.iter().map(|peer| peer.listen.unwrap()).collect::<Vec<_>>(),
        Err(error) => stop(error.exit_code(), error.to_string()),
    };
    let peers = mesh::connect(env.rank, &listener, &addresses, &secret, env.connect_timeout).unwrap();
    if let Err(error) = controller.ready_and_wait_start() {
        stop(error.exit_code(), error.to_string());
    }
    Node { rank: env.rank, stats, peers, culprit, text }
}

impl Node {
    fn misbehave(self, behaviour: &str) -> ! {
        match behaviour {
            // The good ones.
            "ok" => {
                say(&self.text);
                self.main_ends(0)
            }
            "code" => {
                let code = self.text.parse().unwrap();
                self.main_ends(code)
            }
            "stdin" => {
                std::io::copy(&mut std::io::stdin(), &mut std::io::stdout()).unwrap();
                self.main_ends(0)
            }
            "show" => {
                let var = |name| std::env::var(name).unwrap_or_default();
                say(&format!(
                    "{} {} {}",
                    var("SHOWN"),
                    var("HOME"),
                    std::env::current_dir().unwrap().display()
                ));
                let status = std::fs::read_to_string("/proc/self/status").unwrap();
                say(status.lines().find(|line| line.starts_with("SigBlk")).unwrap());
                say(&std::env::args().next().unwrap());
                say(std::fs::read_to_string("/proc/self/personality").unwrap().trim());
                self.main_ends(0)
            }
            "handler" => {
                let signal = self.text.parse().unwrap();
                block(signal);
                say("waiting");
                wait_for(signal);
                say("got");
                self.main_ends(0)
            }
            "flood" => {
                let line = format!("{}\n", "x".repeat(99));
                for _ in 0..self.text.parse::<usize>().unwrap() {
                    if std::io::stdout().write_all(line.as_bytes()).is_err() {
                        self.main_ends(101);
                    }
                }
                self.main_ends(0)
            }
            "count" => {
                self.stats.add_sent(0, 14, 99);
                self.stats.futex_wake.fetch_add(5, std::sync::atomic::Ordering::Relaxed);
                self.main_ends(0)
            }
            // The bad ones.
            "abort" => {
                eprint!("{}", self.text.replace("\\n", "\n"));
                std::process::abort()
            }
            "vanish" => exit(self.text.parse().unwrap()),
            "stop" => {
                self.stats.stop(72, &self.text);
                exit(72)
            }
            "goodbye-then-hang" => {
                self.stats.goodbye(ExitKind::Main, 0, 0);
                wait_for_ever()
            }
            "hang" | "stay" => wait_for_ever(),
            "deaf" => {
                for signal in [libc::SIGTERM, libc::SIGINT] {
                    // SAFETY: ignoring a signal installs no code.
                    unsafe { libc::signal(signal, libc::SIG_IGN) };
                }
                say("deaf");
                wait_for_ever()
            }
            "chatty" => {
                let script = "while echo chat && echo chat >&2; do :; done";
                #[expect(clippy::zombie_processes, reason = "it shall outlive this node")]
                let child = std::process::Command::new("/bin/sh").args(["-c", script]).spawn().unwrap();
                say(&format!("chat {}", child.id()));
                self.main_ends(0)
            }
            "child" => {
                let child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
                say(&format!("child {}", child.id()));
                std::process::abort()
            }
            other => panic!("no behaviour {other}"),
        }
    }

    fn main_ends(self, code: i32) -> ! {
        for mut peer in self.peers.iter().flatten() {
            // The byte says: follow. A peer that is gone already needs none.
            drop(peer.write_all(&[1]));
        }
        self.stats.goodbye(ExitKind::Main, 0, code);
        exit(code)
    }

    /// `process::exit` on the culprit: it tells node 0, node 0 tells all.
    fn exit(mut self) -> ! {
        let code = self.text.parse().unwrap();
        if self.rank == self.culprit && self.rank > 0 {
            self.tell(0);
        }
        if self.rank == 0 {
            if self.culprit > 0 {
                self.listen(usize::from(self.culprit));
            }
            (1..self.peers.len()).for_each(|peer| self.tell(peer));
        } else {
            self.listen(0);
        }
        self.stats.goodbye(ExitKind::Exit, self.culprit, code);
        exit(if self.rank == 0 { code } else { 0 })
    }

    /// Waits for a signal, says so, and ends when all have got it.
    fn wait_for_signal(mut self) -> ! {
        let signal = self.text.parse().unwrap();
        block(signal);
        say("waiting");
        wait_for(signal);
        say("got");
        if self.rank == 0 {
            (1..self.peers.len()).for_each(|peer| self.listen(peer));
            self.main_ends(0);
        }
        self.tell(0);
        self.follow()
    }

    /// Every node prints on both streams; node 0 ends the program when all have.
    fn print_lines(mut self) -> ! {
        let rank = self.rank;
        std::io::stdout().write_all(format!("out {rank} a\nout {rank} b\n").as_bytes()).unwrap();
        eprint!("err {rank} a\nerr {rank} \"end");
        if rank == 0 {
            (1..self.peers.len()).for_each(|peer| self.listen(peer));
            let code = self.text.parse().unwrap_or(0);
            self.main_ends(code);
        }
        self.tell(0);
        self.follow()
    }

    /// The culprit goes on when all others have come this far.
    fn hear_all(&mut self) {
        let culprit = usize::from(self.culprit);
        if self.rank == self.culprit {
            (0..self.peers.len()).filter(|&peer| peer != culprit).for_each(|peer| self.listen(peer));
        } else {
            self.tell(culprit);
        }
    }

    fn tell(&mut self, peer: usize) {
        self.peers[peer].as_mut().unwrap().write_all(&[1]).unwrap();
    }

    fn listen(&mut self, peer: usize) {
        self.peers[peer].as_mut().unwrap().read_exact(&mut [0]).unwrap();
    }

    /// Waits for a peer to say that the program is over, or to be lost.
    fn follow(self) -> ! {
        let streams: Vec<(u16, &TcpStream)> =
            (0..).zip(&self.peers).filter_map(|(rank, peer)| Some((rank, peer.as_ref()?))).collect();
        for (_, stream) in &streams {
            stream.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        }
        loop {
            for &(peer, mut stream) in &streams {
                match stream.read(&mut [0]) {
                    Ok(1) => {
                        self.stats.goodbye(ExitKind::Main, 0, 0);
                        exit(0)
                    }
                    // A read with a time limit is interrupted when the process was stopped.
                    Err(error) if is_nothing(error.kind()) => {}
                    _ => {
                        self.stats.lost(peer);
                        exit(70)
                    }
                }
            }
        }
    }
}

fn is_nothing(kind: std::io::ErrorKind) -> bool {
    matches!(kind, std::io::ErrorKind::WouldBlock | std::io::ErrorKind::Interrupted)
}

fn set_of(signal: i32) -> libc::sigset_t {
    // SAFETY: all-zero bytes are a valid `sigset_t`.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is live and writable.
    unsafe { libc::sigaddset(&mut set, signal) };
    set
}

fn block(signal: i32) {
    // SAFETY: the set is live.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set_of(signal), std::ptr::null_mut()) };
}

fn wait_for(signal: i32) {
    loop {
        // SAFETY: the set is live.
        let got = unsafe { libc::sigwaitinfo(&set_of(signal), std::ptr::null_mut()) };
        if got == signal {
            return;
        }
        // A process that was stopped and continued is interrupted.
        assert_eq!(std::io::Error::last_os_error().kind(), std::io::ErrorKind::Interrupted);
    }
}

/// One write, so that lines of different nodes do not mix.
fn say(line: &str) {
    std::io::stdout().write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn wait_for_ever() -> ! {
    loop {
        std::thread::park();
    }
}
