//! How a program ends.

use dstd::sync::atomic::{AtomicU64, Ordering};
use dstd::sync::{Arc, Mutex, mpsc};
use dstd::{place, process, thread};
use std::time::Duration;

use crate::cluster;

/// Threads of `main` that never end by themselves.
const PAUSE: Duration = Duration::from_millis(10);

/// Main returns while threads on all nodes sleep, wait and compute.
pub(crate) fn detached() -> String {
    let (started, starts) = mpsc::channel();
    let (never, nothing) = mpsc::channel::<()>();
    let nothing = Arc::new(Mutex::new(nothing));
    let held = Arc::new(Mutex::new(()));
    std::mem::forget(never);
    std::mem::forget(held.lock().unwrap());
    let spinning = Arc::new(AtomicU64::new(0));
    for i in 0..cluster::size() {
        let tell = started.clone();
        cluster::spawn(i, move || {
            tell.send("sleeper").unwrap();
            loop {
                thread::sleep(PAUSE);
            }
        });
        let (tell, nothing) = (started.clone(), Arc::clone(&nothing));
        cluster::spawn(i, move || {
            tell.send("receiver").unwrap();
            nothing.lock().unwrap().recv()
        });
        let (tell, held) = (started.clone(), Arc::clone(&held));
        cluster::spawn(i, move || {
            tell.send("locker").unwrap();
            drop(held.lock());
        });
        let (tell, spinning) = (started.clone(), Arc::clone(&spinning));
        cluster::spawn(i, move || {
            tell.send("spinner").unwrap();
            loop {
                spinning.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let count = 4 * cluster::size();
    assert_eq!(starts.iter().take(count).count(), count);
    format!("{count} threads")
}

/// The last node ends the program while main waits for it.
pub(crate) fn exit_on_last_node() -> String {
    println!("main waits");
    let thread = cluster::spawn(cluster::size() - 1, || {
        println!("last node leaves");
        std::process::exit(7)
    });
    thread.join().unwrap()
}

/// A thread beside main on node 0 ends the program, while other nodes are busy.
pub(crate) fn exit_beside_main() -> String {
    let (started, starts) = mpsc::channel();
    for i in 0..cluster::size() {
        let started = started.clone();
        cluster::spawn(i, move || {
            started.send(()).unwrap();
            loop {
                thread::sleep(PAUSE);
            }
        });
    }
    let size = cluster::size();
    cluster::spawn(0, move || {
        assert_eq!(starts.iter().take(size).count(), size);
        process::exit(7)
    });
    loop {
        thread::park();
    }
}

/// Main panics.
pub(crate) fn panic_in_main() -> String {
    let sum: usize = cluster::everywhere(|i| i).into_iter().sum();
    panic!("main fails after {sum}");
}

/// The last node aborts.
pub(crate) fn abort_on_last_node() -> String {
    cluster::spawn(cluster::size() - 1, || std::process::abort()).join().unwrap()
}

/// What `main` does before it returns a code of its own.
pub(crate) fn code_of_main() -> String {
    format!("{}", cluster::everywhere(|i| i + 1).into_iter().sum::<usize>() > 0)
}

/// Every node says who it is, then all work on a common lock until somebody ends them.
pub(crate) fn run_on() -> String {
    for (rank, node) in place::nodes().enumerate() {
        let pid = place::call(node, std::process::id);
        println!("node {rank} is process {pid}");
    }
    println!("all run");
    let counter = Arc::new(Mutex::new(0_u64));
    cluster::everywhere(move |_| {
        loop {
            *counter.lock().unwrap() += 1;
            thread::sleep(PAUSE);
        }
    });
    String::from("never")
}
