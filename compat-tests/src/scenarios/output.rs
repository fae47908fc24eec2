//! What different nodes print appears in the order in which they printed it.
//!
//! The text is the same for any number of nodes; the tests compare it byte for byte.

use dstd::sync::{Condvar, Mutex, mpsc};
use dstd::thread;
use std::io::{self, Write};

use crate::cluster;

/// Lines, with a join between any two of them.
pub(crate) fn println_order() -> String {
    for i in 0..30 {
        cluster::spawn(i, move || println!("thread {i}")).join().unwrap();
        println!("main {i}");
    }
    String::from("60 lines")
}

/// Parts of one line from all nodes, with a join between any two of them.
pub(crate) fn print_partial() -> String {
    for i in 0..12 {
        cluster::spawn(i, move || print!("{i} ")).join().unwrap();
        print!("/ ");
    }
    println!();
    String::from("1 line")
}

/// Lines ordered by a mutex and by a channel instead of a join.
pub(crate) fn print_locked() -> String {
    let (turn, turned) = (Mutex::new(0), Condvar::new());
    thread::scope(|scope| {
        for i in 0..3 {
            let (turn, turned) = (&turn, &turned);
            cluster::scoped(scope, i, move || {
                for round in 0..10 {
                    let next = 3 * round + i;
                    let mut turn = turned.wait_while(turn.lock().unwrap(), |turn| *turn != next).unwrap();
                    let mut out = io::stdout().lock();
                    write!(out, "turn ").unwrap();
                    writeln!(out, "{next}").unwrap();
                    *turn += 1;
                    turned.notify_all();
                }
            });
        }
    });
    let (sender, receiver) = mpsc::channel();
    let (answer, answers) = mpsc::channel();
    let talker = cluster::spawn(1, move || {
        for i in 0..10 {
            println!("sent {i}");
            sender.send(i).unwrap();
            answers.recv().unwrap();
        }
    });
    for i in receiver {
        println!("received {i}");
        answer.send(()).unwrap();
    }
    talker.join().unwrap();
    String::from("50 lines")
}
