//! Round trips between two processes of one thread each, over loopback TCP and over shared memory by turns: the least
//! that two nodes pay to talk to each other, with the frames, the pace and the sleep of their engines.
//!
//! `round_trip ROUNDS` prints a line for each transport, for `cargo xtask bench page`: its name, and the medians in
//! microseconds of a small frame there and back and of a small one there and 4 KiB back. `round_trip bandwidth` prints its name and the MiB/s of 256 MiB that come in frames of 64 pages, of which four are asked for at a time.

mod common;

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
use dstd_transport::wait::{Cores, SPIN_NS_DEFAULT, Waiter};
use dstd_transport::{Event, Transport};

use common::{header, step};

const ZERO: NodeId = NodeId(0);
const ONE: NodeId = NodeId(1);

/// How often the transports take turns.
const TURNS: usize = 10;
/// Bodies of the answers: as small as the question, and a page.
const ANSWERS: [usize; 2] = [SMALL, 4 << 10];
const SMALL: usize = 8;
/// As many pages as an engine asks for with one request.
const WINDOW: usize = 64 << 12;
/// How many windows are asked for before the first has come: as many as a walk of a program.
const WINDOWS_AHEAD: usize = 4;
/// What the other process has: as much as a walk of `measure` goes through.
const ALL: usize = 256 << 20;
/// How often that comes.
const FLOWS: usize = 5;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        // The other process, started below.
        ["tcp", port] => answer(tcp(ONE, TcpStream::connect(format!("127.0.0.1:{port}"))?)?),
        ["shm"] => answer(shm(ONE, &UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?))?),
        ["bandwidth"] => with_others(bandwidth),
        [rounds] => {
            let rounds = rounds.parse()?;
            if rounds < TURNS {
                return Err(format!("less than {TURNS} rounds are not enough").into());
            }
            with_others(|tcp, shm| medians(tcp, shm, rounds))
        }
        _ => Err("usage: round_trip ROUNDS | round_trip bandwidth".into()),
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

/// Measures with a process at the other end of each transport.
fn with_others(measure: impl FnOnce(&mut Tcp, &mut Shm) -> Outcome) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port().to_string();
    let tcp_other = start(&["tcp", &port], Stdio::null())?;
    let mut tcp = tcp(ZERO, listener.accept()?.0)?;
    let (stream, given) = UnixStream::pair()?;
    let shm_other = start(&["shm"], OwnedFd::from(given).into())?;
    let mut shm = shm(ZERO, &stream)?;
    let outcome = measure(&mut tcp, &mut shm);
    drop((tcp, shm));
    for mut other in [tcp_other, shm_other] {
        if !other.wait()?.success() {
            return Err("the other process has failed".into());
        }
    }
    outcome
}

fn medians(tcp: &mut Tcp, shm: &mut Shm, rounds: usize) -> Outcome {
    let mut us = [const { [const { Vec::new() }; ANSWERS.len()] }; 2];
    for _ in 0..TURNS {
        for (at, back) in ANSWERS.into_iter().enumerate() {
            measure(tcp, rounds / TURNS, back, &mut us[0][at])?;
            measure(shm, rounds / TURNS, back, &mut us[1][at])?;
        }
    }
    for (name, [mut small, mut page]) in ["tcp", "shm"].into_iter().zip(us) {
        println!("{name}\t{}\t{}", median(&mut small), median(&mut page));
    }
    Ok(())
}

fn bandwidth(tcp: &mut Tcp, shm: &mut Shm) -> Outcome {
    let mut speeds = [const { Vec::new() }; 2];
    for turn in 0..=FLOWS {
        let both = [flow(tcp)?, flow(shm)?];
        // The first time, the other process makes what it sends.
        if turn > 0 {
            speeds.iter_mut().zip(both).for_each(|(speeds, speed)| speeds.push(speed));
        }
    }
    for (name, mut speeds) in ["tcp", "shm"].into_iter().zip(speeds) {
        println!("{name}\t{}", median(&mut speeds));
    }
    Ok(())
}

fn median(results: &mut [f64]) -> f64 {
    results.sort_by(f64::total_cmp);
    results[results.len() / 2]
}

/// As an engine of two nodes on this host.
fn waiter() -> Waiter {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Waiter::new(SPIN_NS_DEFAULT, if cores > 4 { Cores::Enough } else { Cores::Shared })
}

/// Adds the times of `rounds` questions, each of which says how many bytes shall come back.
fn measure(node: &mut impl Transport, rounds: usize, back: usize, us: &mut Vec<f64>) -> Outcome {
    let question = header(SMALL);
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

/// The MiB/s at which all that the other process has comes here.
fn flow(node: &mut impl Transport) -> Outcome<f64> {
    let question = header(SMALL);
    let mut waiter = waiter();
    let start = Instant::now();
    let (mut asked, mut back, mut is_right) = (0, 0, true);
    while back < ALL / WINDOW {
        while asked < (ALL / WINDOW).min(back + WINDOWS_AHEAD) {
            node.send(ONE, &question, &[IoSlice::new(&(WINDOW as u64).to_le_bytes())])?;
            asked += 1;
        }
        step(node, &mut waiter, &mut |_, event| {
            is_right &= match event {
                Event::Frame { body, .. } => body.len() == WINDOW && body.starts_with(&word(back)),
                Event::Closed { .. } => false,
            };
            back += 1;
        });
    }
    if !is_right {
        return Err("the other process has ended, or its answer is another one".into());
    }
    Ok((ALL >> 20) as f64 / start.elapsed().as_secs_f64())
}

/// What a window begins with.
fn word(window: usize) -> [u8; 8] {
    (window as u64).to_le_bytes()
}

/// Answers until the other one goes.
fn answer(mut node: impl Transport) -> Outcome {
    let (headers, bytes) = (ANSWERS.map(header), [7; ANSWERS[1]]);
    let (mut all, mut window) = (Vec::new(), 0);
    let mut waiter = waiter();
    let mut closed = None;
    while closed.is_none() {
        step(&mut node, &mut waiter, &mut |out, event| match event {
            Event::Frame { from, body, .. } => {
                let back = body.try_into().map_or(0, u64::from_le_bytes) as usize;
                let (header, body) = if back == WINDOW {
                    if all.is_empty() {
                        all.resize(ALL, 7);
                        all.chunks_mut(WINDOW)
                            .enumerate()
                            .for_each(|(at, all)| all[..8].copy_from_slice(&word(at)));
                    }
                    let at = window % (ALL / WINDOW) * WINDOW;
                    window += 1;
                    (header(WINDOW), &all[at..at + WINDOW])
                } else {
                    let at = ANSWERS.iter().position(|len| *len == back).expect("one of three lengths");
                    (headers[at], &bytes[..back])
                };
                out.send(from, &header, &[IoSlice::new(body)]).expect("the other one waits");
            }
            Event::Closed { why, .. } => closed = Some(why),
        });
    }
    match closed {
        Some(why) if !why.is_clean() => Err(why.to_string().into()),
        _ => Ok(()),
    }
}
