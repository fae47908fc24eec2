//! Round trips between two processes of one thread each, over loopback TCP and over shared memory by turns: the least
//! that two nodes pay to talk to each other, with the frames, the pace and the sleep of their engines.
//!
//! `round_trip ROUNDS` prints a line for each transport, for `cargo xtask bench page`: its name, and the medians in
//! microseconds of a small frame there and back and of a small one there and 4 KiB back.

use std::error::Error;
use std::io::{self, IoSlice};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use dstd_addr::NodeId;
use dstd_transport::shm::{Shm, Sizes, exchange};
use dstd_transport::tcp::Tcp;
use dstd_transport::wait::{Cores, Idle, SPIN_NS_DEFAULT, Waiter};
use dstd_transport::{Event, HEADER_BYTES, Header, Outbox, Transport, set_body_bytes};

const ZERO: NodeId = NodeId(0);
const ONE: NodeId = NodeId(1);

/// How often the transports take turns.
const TURNS: usize = 10;
/// Bodies of the answers: as small as the question, and a page.
const ANSWERS: [usize; 2] = [SMALL, 4 << 10];
const SMALL: usize = 8;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        // The other process, started below.
        ["tcp", port] => answer(tcp(ONE, TcpStream::connect(format!("127.0.0.1:{port}"))?)?),
        ["shm"] => answer(shm(ONE, &UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?))?),
        [rounds] => ask(rounds.parse()?),
        _ => Err("usage: round_trip ROUNDS".into()),
    }
}

fn tcp(me: NodeId, stream: TcpStream) -> Outcome<Tcp> {
    let streams = if me == ZERO { vec![None, Some(stream)] } else { vec![Some(stream), None] };
    Ok(Tcp::new(me, streams)?)
}

fn shm(me: NodeId, stream: &UnixStream) -> Outcome<Shm> {
    let other = if me == ZERO { ONE } else { ZERO };
    let link = exchange(stream, me, other, Sizes::default())?;
    Ok(Shm::new(me, if me == ZERO { vec![None, Some(link)] } else { vec![Some(link), None] })?)
}

/// The other process.
fn start(words: &[&str], stdin: Stdio) -> Outcome<Child> {
    Ok(Command::new(std::env::current_exe()?).args(words).stdin(stdin).stdout(Stdio::null()).spawn()?)
}

fn ask(rounds: usize) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port().to_string();
    let tcp_other = start(&["tcp", &port], Stdio::null())?;
    let mut tcp = tcp(ZERO, listener.accept()?.0)?;
    let (stream, given) = UnixStream::pair()?;
    let shm_other = start(&["shm"], OwnedFd::from(given).into())?;
    let mut shm = shm(ZERO, &stream)?;

    let mut us = [const { [const { Vec::new() }; ANSWERS.len()] }; 2];
    for _ in 0..TURNS {
        for (at, back) in ANSWERS.into_iter().enumerate() {
            measure(&mut tcp, rounds / TURNS, back, &mut us[0][at])?;
            measure(&mut shm, rounds / TURNS, back, &mut us[1][at])?;
        }
    }
    drop((tcp, shm));
    for mut other in [tcp_other, shm_other] {
        if !other.wait()?.success() {
            return Err("the other process has failed".into());
        }
    }
    for (name, [mut small, mut page]) in ["tcp", "shm"].into_iter().zip(us) {
        println!("{name}\t{}\t{}", median(&mut small), median(&mut page));
    }
    Ok(())
}

fn median(us: &mut [f64]) -> f64 {
    us.sort_by(f64::total_cmp);
    us[us.len() / 2]
}

/// As an engine of two nodes on this host.
fn waiter() -> Waiter {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Waiter::new(SPIN_NS_DEFAULT, if cores > 4 { Cores::Enough } else { Cores::Shared })
}

fn frame(len: usize) -> Outcome<Header> {
    let mut header = [0; HEADER_BYTES];
    set_body_bytes(&mut header, u32::try_from(len)?);
    Ok(header)
}

/// Adds the times of `rounds` questions, each of which says how many bytes shall come back.
fn measure(node: &mut impl Transport, rounds: usize, back: usize, us: &mut Vec<f64>) -> Outcome {
    let question = frame(SMALL)?;
    let mut waiter = waiter();
    for _ in 0..rounds {
        let start = Instant::now();
        node.send(ONE, &question, &[IoSlice::new(&(back as u64).to_le_bytes())])?;
        node.flush();
        let mut got = None;
        while got.is_none() {
            step(node, &mut waiter, &mut |_, event| {
                got = Some(if let Event::Frame { body, .. } = event { body.len() } else { usize::MAX });
            });
        }
        us.push(start.elapsed().as_secs_f64() * 1e6);
        if got != Some(back) {
            return Err("the other process has ended, or its answer has another length".into());
        }
    }
    Ok(())
}

/// Answers until the other one goes.
fn answer(mut node: impl Transport) -> Outcome {
    let (answers, bytes) = ([frame(ANSWERS[0])?, frame(ANSWERS[1])?], [7; ANSWERS[1]]);
    let mut waiter = waiter();
    let mut closed = None;
    while closed.is_none() {
        step(&mut node, &mut waiter, &mut |out, event| match event {
            Event::Frame { from, body, .. } => {
                let back = body.try_into().map_or(0, u64::from_le_bytes) as usize;
                let at = ANSWERS.iter().position(|len| *len == back).expect("one of two lengths");
                out.send(from, &answers[at], &[IoSlice::new(&bytes[..back])]).expect("the other one waits");
            }
            Event::Closed { why, .. } => closed = Some(why),
        });
    }
    match closed {
        Some(why) if !why.is_clean() => Err(why.to_string().into()),
        _ => Ok(()),
    }
}

/// One round of an engine loop.
fn step<T: Transport>(node: &mut T, waiter: &mut Waiter, sink: &mut dyn FnMut(&mut dyn Outbox, Event<'_>)) {
    let events = node.poll(sink);
    node.flush();
    if events > 0 {
        waiter.active();
    } else if waiter.idle() == Idle::Sleep {
        let mut fds = Vec::new();
        node.fds(&mut fds);
        waiter.sleep(&mut fds, None).expect("the descriptors are open");
    }
}
