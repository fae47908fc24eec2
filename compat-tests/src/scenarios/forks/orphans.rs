//! Children that have no parent, or none that knows of them.

use dstd::thread;

use super::{code_of, fork};
use crate::cluster;

/// A child that needs another node's memory when the program has ended says so, on stdout, and ends.
pub(crate) fn orphan() -> String {
    let words = cluster::spawn(cluster::size() - 1, || vec![7_usize; 1_000]).join().unwrap();
    let parent = std::process::id() as i32;
    let child = fork(move || {
        // The launcher reads what comes on stderr as long as the node lives; stdout is the reader's own.
        // SAFETY: no memory is involved.
        if unsafe { libc::dup2(libc::STDOUT_FILENO, libc::STDERR_FILENO) } < 0 {
            return 1;
        }
        // SAFETY: asks who the parent is: another one when ours has ended.
        while unsafe { libc::getppid() } == parent {
            thread::yield_now();
        }
        println!("orphan sees {}", words.iter().sum::<usize>());
        0
    });
    format!("child {child}")
}

/// A clone that libc knows nothing of ends instead of running on its parent's stack.
pub(crate) fn by_clone() -> String {
    for i in 0..cluster::size() {
        cluster::spawn(i, || {
            let words = vec![1_usize; 1_000];
            // SAFETY: as fork, without libc's part of it.
            let pid = unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) } as i32;
            assert!(pid >= 0);
            if pid == 0 {
                let seen = words.iter().sum::<usize>();
                // SAFETY: ends the child.
                unsafe { libc::_exit(i32::from(seen != 1_000)) };
            }
            assert_eq!(code_of(pid), 72);
        })
        .join()
        .unwrap();
    }
    format!("{} nodes", cluster::size())
}

/// `daemon` ends the program; the child goes on with what `main` had.
pub(crate) fn daemon() -> String {
    let words = vec![7_usize; 1_000];
    // SAFETY: no other thread of the program has work to do.
    assert_eq!(unsafe { libc::daemon(1, 1) }, 0);
    println!("daemon sees {}", words.iter().sum::<usize>());
    // SAFETY: ends the child.
    unsafe { libc::_exit(0) }
}
