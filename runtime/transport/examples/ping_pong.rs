//! Round trips over loopback TCP between two threads that spin and then sleep.
//!
//! `cargo run --release -p dstd-transport --example ping_pong [ROUNDS]`

use std::error::Error;
use std::io::IoSlice;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

use dstd_addr::NodeId;
use dstd_transport::tcp::Tcp;
use dstd_transport::wait::{Cores, Idle, SPIN_NS_DEFAULT, Waiter};
use dstd_transport::{Event, HEADER_BYTES, Outbox, Transport, set_body_bytes};

const ZERO: NodeId = NodeId(0);
const ONE: NodeId = NodeId(1);

fn main() -> Result<(), Box<dyn Error>> {
    let rounds = std::env::args().nth(1).map_or(Ok(20_000), |rounds| rounds.parse())?;
    println!("{rounds} round trips, microseconds");
    println!("{:>8} {:>8} {:>8} {:>8} {:>8}", "spin us", "body", "min", "p50", "p99");
    for spin_ns in [0, SPIN_NS_DEFAULT, 1_000_000] {
        for len in [0, 4096, 65536] {
            let mut us = measure(rounds, len, spin_ns)?;
            us.sort_by(f64::total_cmp);
            let at = |part: f64| us[((us.len() - 1) as f64 * part) as usize];
            println!("{:>8} {len:>8} {:>8.1} {:>8.1} {:>8.1}", spin_ns / 1000, us[0], at(0.5), at(0.99));
        }
    }
    Ok(())
}

/// The times of `rounds` frames of `len` bytes that come back as they are.
fn measure(rounds: usize, len: usize, spin_ns: u64) -> Result<Vec<f64>, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let here = TcpStream::connect(listener.local_addr()?)?;
    let (there, _) = listener.accept()?;
    let mut here = Tcp::new(ZERO, vec![None, Some(here)])?;
    let mut there = Tcp::new(ONE, vec![Some(there), None])?;
    let echo = thread::spawn(move || {
        let mut waiter = Waiter::new(spin_ns, Cores::Enough);
        while !there.peers().is_empty() {
            step(&mut there, &mut waiter, &mut |out, event| {
                if let Event::Frame { from, header, body } = event {
                    out.send(from, header, &[IoSlice::new(body)]).expect("node 0 waits for the answer");
                }
            });
        }
    });
    let mut waiter = Waiter::new(spin_ns, Cores::Enough);
    let mut header = [0; HEADER_BYTES];
    set_body_bytes(&mut header, u32::try_from(len)?);
    let body = vec![7; len];
    let mut us = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let start = Instant::now();
        here.send(ONE, &header, &[IoSlice::new(&body)])?;
        here.flush();
        let mut back = false;
        while !back {
            step(&mut here, &mut waiter, &mut |_, event| back |= matches!(event, Event::Frame { .. }));
        }
        us.push(start.elapsed().as_secs_f64() * 1e6);
    }
    drop(here);
    echo.join().map_err(|_| "the echo panicked")?;
    Ok(us)
}

/// One round of an engine loop.
fn step(node: &mut Tcp, waiter: &mut Waiter, sink: &mut dyn FnMut(&mut dyn Outbox, Event<'_>)) {
    let events = node.poll(sink);
    node.flush();
    if events > 0 {
        return waiter.active();
    }
    if waiter.idle() == Idle::PollAgain {
        return;
    }
    let mut fds = Vec::new();
    node.fds(&mut fds);
    waiter.sleep(&mut fds, None).expect("the descriptors are open");
}
