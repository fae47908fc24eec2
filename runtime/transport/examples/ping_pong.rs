//! Round trips between two threads that spin and then sleep, over loopback TCP and over shared
//! memory by turns, so that both see the same machine.
//!
//! `cargo run --release -p dstd-transport --example ping_pong [ROUNDS]`
//!
//! With `medians ROUNDS` it prints a line for each transport, for `cargo xtask modes`: its name, and the medians of a
//! small frame there and back and of a small one there and 4 KiB back, at the pace of a node's engine.

mod common;

use std::error::Error;
use std::fmt::Write;
use std::io::IoSlice;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

use dstd_addr::NodeId;
use dstd_transport::shm::{LinkEnd, Shm, Sizes};
use dstd_transport::tcp::Tcp;
use dstd_transport::wait::{Cores, SPIN_NS_DEFAULT, Waiter};
use dstd_transport::{Event, Transport};

use common::{header, step};

const ZERO: NodeId = NodeId(0);
const ONE: NodeId = NodeId(1);

/// How often the transports take turns.
const TURNS: usize = 10;

/// A message without a body of its own.
const SMALL: usize = 8;
/// A page.
const PAGE: usize = 4 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["medians", rounds] => medians(rounds.parse()?),
        [rounds] => table(rounds.parse()?),
        _ => table(20_000),
    }
}

fn medians(rounds: usize) -> Result<(), Box<dyn Error>> {
    let (mut tcp, mut shm) = (tcp()?, shm()?);
    let mut lines = ["tcp", "shm"].map(str::to_owned);
    for back in [SMALL, PAGE] {
        let pace = Pace { spin_ns: SPIN_NS_DEFAULT, cores: Cores::Shared };
        let mut us = [Vec::new(), Vec::new()];
        for _ in 0..TURNS {
            measure(&mut tcp, rounds / TURNS, (SMALL, back), pace, &mut us[0])?;
            measure(&mut shm, rounds / TURNS, (SMALL, back), pace, &mut us[1])?;
        }
        for (line, us) in lines.iter_mut().zip(&mut us) {
            us.sort_by(f64::total_cmp);
            write!(line, "\t{}", us[us.len() / 2])?;
        }
    }
    println!("{}", lines.join("\n"));
    Ok(())
}

fn table(rounds: usize) -> Result<(), Box<dyn Error>> {
    println!("{rounds} round trips, microseconds (1 MiB: a tenth as many)");
    println!("{:>8} {:>8} {:>26} {:>26}", "", "", "tcp", "shm");
    print!("{:>8} {:>8}", "spin us", "body");
    println!("{0:>9} {1:>8} {2:>8}{0:>9} {1:>8} {2:>8}", " min", "p50", "p99");
    for spin_ns in [0, SPIN_NS_DEFAULT, 1_000_000] {
        for len in [8, 4 << 10, 64 << 10, 1 << 20] {
            let rounds = if len < 1 << 20 { rounds } else { rounds / 10 };
            let (mut tcp, mut shm) = (tcp()?, shm()?);
            let (mut tcp_us, mut shm_us) = (Vec::new(), Vec::new());
            for _ in 0..TURNS {
                let pace = Pace { spin_ns, cores: Cores::Enough };
                measure(&mut tcp, rounds / TURNS, (len, len), pace, &mut tcp_us)?;
                measure(&mut shm, rounds / TURNS, (len, len), pace, &mut shm_us)?;
            }
            print!("{:>8} {len:>8}", spin_ns / 1000);
            for us in [&mut tcp_us, &mut shm_us] {
                us.sort_by(f64::total_cmp);
                let at = |part: f64| us[((us.len() - 1) as f64 * part) as usize];
                print!("{:>9.1} {:>8.1} {:>8.1}", at(0.0), at(0.5), at(0.99));
            }
            println!();
        }
    }
    Ok(())
}

fn tcp() -> Result<(Tcp, Tcp), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let here = TcpStream::connect(listener.local_addr()?)?;
    let (there, _) = listener.accept()?;
    Ok((Tcp::new(ZERO, vec![None, Some(here)])?, Tcp::new(ONE, vec![Some(there), None])?))
}

fn shm() -> Result<(Shm, Shm), Box<dyn Error>> {
    let (here, there) = LinkEnd::pair(Sizes::default())?;
    Ok((Shm::new(ZERO, vec![None, Some(here)])?, Shm::new(ONE, vec![Some(there), None])?))
}

/// How a node waits.
#[derive(Clone, Copy)]
struct Pace {
    spin_ns: u64,
    cores: Cores,
}

/// Adds the times of `rounds` frames of so many bytes there, each answered by one of so many back.
fn measure<T: Transport + Send>(
    (here, there): &mut (T, T),
    rounds: usize,
    (there_len, back_len): (usize, usize),
    pace: Pace,
    us: &mut Vec<f64>,
) -> Result<(), Box<dyn Error>> {
    let (question, answer) = (header(there_len), header(back_len));
    let (asked, answered) = (vec![7; there_len], vec![7; back_len]);
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut waiter = Waiter::new(pace.spin_ns, pace.cores);
            let mut back = 0;
            let mut waiting = 0;
            while back < rounds || waiting > 0 {
                waiting = step(there, &mut waiter, &mut |out, event| {
                    if let Event::Frame { from, .. } = event {
                        out.send(from, &answer, &[IoSlice::new(&answered)])
                            .expect("node 0 waits for the answer");
                        back += 1;
                    }
                });
            }
        });
        let mut waiter = Waiter::new(pace.spin_ns, pace.cores);
        for _ in 0..rounds {
            let start = Instant::now();
            here.send(ONE, &question, &[IoSlice::new(&asked)])?;
            here.flush();
            let mut back = false;
            while !back {
                step(here, &mut waiter, &mut |_, event| back |= matches!(event, Event::Frame { .. }));
            }
            us.push(start.elapsed().as_secs_f64() * 1e6);
        }
        Ok(())
    })
}
