//! Whether a process would survive a signal: what /proc says of its handlers and masks.
//!
//! A program installs its handlers where it runs `main`, on node 0. The same signal would end the
//! other nodes, so the launcher looks before it passes one on.

use std::fs;
use std::thread;
use std::time::Duration;

/// How the names of the runtime's threads begin, which block all signals for ever. Threads of the program may
/// begin with such a name, too, but with signals.
const RUNTIME_THREADS: &str = "dstd-";
/// Who blocks all of these blocks everything.
const TELLING: [i32; 6] =
    [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGUSR1, libc::SIGUSR2, libc::SIGCHLD];

/// Whether `signal` does not end process `pid`: it has a handler, ignores it, or waits for it with
/// the signal blocked. A process that cannot be looked at has no handler.
pub(crate) fn takes(pid: u32, signal: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let bit = bit(signal);
    if (mask(&status, "SigCgt") | mask(&status, "SigIgn")) & bit != 0 {
        return true;
    }
    (0..LOOKS).all(|look| {
        if look > 0 {
            thread::sleep(BETWEEN_LOOKS);
        }
        let mut threads = threads(pid).filter(|thread| counts(pid, &thread.status)).peekable();
        threads.peek().is_some()
            && threads.all(|thread| thread.waits || mask(&thread.status, "SigBlk") & bit != 0)
    })
}

/// A thread that handles another signal blocks all for as long, also the one by which it learns of an absent page.
const LOOKS: u32 = 4;
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

struct Thread {
    status: String,
    /// It is in `sigwait` or a relative: while it waits for a signal, its mask is without that.
    waits: bool,
}

fn threads(pid: u32) -> impl Iterator<Item = Thread> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
    tasks.filter_map(|task| {
        let task = task.ok()?.path();
        let call = fs::read_to_string(task.join("syscall")).unwrap_or_default();
        let waits =
            call.split(' ').next().and_then(|call| call.parse().ok()) == Some(libc::SYS_rt_sigtimedwait);
        Some(Thread { status: fs::read_to_string(task.join("status")).ok()?, waits })
    })
}

/// Whether a thread's mask is the program's will: the runtime's threads and the initial thread of
/// a node, which sleeps, block everything.
fn counts(pid: u32, status: &str) -> bool {
    let of_runtime = field(status, "Name").is_some_and(|name| name.starts_with(RUNTIME_THREADS));
    let initial = field(status, "Pid").and_then(|id| id.parse().ok()) == Some(pid);
    let all = TELLING.iter().fold(0, |all, &signal| all | bit(signal));
    !((of_runtime || initial) && mask(status, "SigBlk") & all == all)
}

const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim())
}

fn mask(status: &str, name: &str) -> u64 {
    field(status, name).and_then(|text| u64::from_str_radix(text, 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INITIAL: &str = "Name:\tprog\nTgid:\t7\nPid:\t7\nSigBlk:\tfffffffe7ffbfeff\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000000200\n";

    #[test]
    fn masks_are_read_by_name() {
        assert_eq!(mask(INITIAL, "SigIgn"), bit(libc::SIGPIPE));
        assert_eq!(mask(INITIAL, "SigCgt"), bit(libc::SIGUSR1));
        assert_eq!((mask(INITIAL, "Sig"), field(INITIAL, "Pid")), (0, Some("7")));
    }

    #[test]
    fn threads_that_block_for_other_reasons_do_not_count() {
        assert!(!counts(7, INITIAL), "the initial thread of a node");
        assert!(counts(6, INITIAL), "a thread of the program may block everything");
        let partly = INITIAL.replace("fffffffe7ffbfeff", "0000000000000200");
        assert!(counts(7, &partly));
        for name in ["dstd-engine", "dstd-keeper", "dstd-service", "dstd-pages"] {
            assert!(!counts(6, &INITIAL.replace("prog", name)), "{name}");
        }
        assert!(counts(6, &partly.replace("prog", "dstd-spawner")), "a thread without a name of its own");
    }

    #[test]
    fn this_process_is_seen_as_it_is() {
        let me = std::process::id();
        // Rust programs ignore PIPE, and nobody here handles these.
        assert!(takes(me, libc::SIGPIPE));
        assert!(!takes(me, libc::SIGUSR2) && !takes(u32::MAX, libc::SIGUSR1));
    }
}
