//! Round trips between two threads that spin and then sleep, over loopback TCP and over shared
//! memory by turns, so that both see the same machine.
//!
//! `cargo run --release -p dstd-transport --example ping_pong [ROUNDS]` prints a table by length and by time of
//! spinning. What two nodes pay, `round_trip` measures.

mod common;

use std::error::Error;
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

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [rounds] => table(rounds.parse()?),
        [] => table(20_000),
        _ => Err("usage: ping_pong [ROUNDS]".into()),
    }
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
                measure(&mut tcp, rounds / TURNS, len, spin_ns, &mut tcp_us)?;
                measure(&mut shm, rounds / TURNS, len, spin_ns, &mut shm_us)?;
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

/// Adds the times of `rounds` frames of so many bytes, each answered by one of as many.
fn measure<T: Transport + Send>(
    (here, there): &mut (T, T),
    rounds: usize,
    len: usize,
    spin_ns: u64,
    us: &mut Vec<f64>,
) -> Result<(), Box<dyn Error>> {
    let (header, body) = (header(len), vec![7; len]);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut waiter = Waiter::new(spin_ns, Cores::Enough);
            let mut back = 0;
            let mut waiting = 0;
            while back < rounds || waiting > 0 {
                waiting = step(there, &mut waiter, &mut |out, event| {
                    if let Event::Frame { from, .. } = event {
                        out.send(from, &header, &[IoSlice::new(&body)]).expect("node 0 waits for the answer");
                        back += 1;
                    }
                });
            }
        });
        let mut waiter = Waiter::new(spin_ns, Cores::Enough);
        for _ in 0..rounds {
            let start = Instant::now();
            here.send(ONE, &header, &[IoSlice::new(&body)])?;
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
