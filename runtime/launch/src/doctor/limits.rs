//! What the kernel counts.

use std::fs;

use super::{Finding, Wish, probe};

/// The kernel's own default.
const MAPPINGS: u64 = 65_530;
/// Fewer descriptors than these a node does not take (`interpose/fd/stride.rs` in the runtime).
const DESCRIPTORS_MIN: u64 = 256;
/// What a node takes where it gets it.
const DESCRIPTORS: u64 = 4096;
/// Threads that each node has beside the program's.
const THREADS: u64 = 8;

pub(super) fn mappings() -> Finding {
    let what = "mappings of a process";
    let found: Option<u64> =
        fs::read_to_string("/proc/sys/vm/max_map_count").ok().and_then(|text| text.trim().parse().ok());
    match found {
        Some(count) if count < MAPPINGS => {
            Finding::slower(what, format!("at most {count}: large programs may stop, {MAPPINGS} is usual"))
                .cured_by(format!("sysctl -w vm.max_map_count={MAPPINGS}"))
        }
        Some(count) => Finding::ok(what, format!("at most {count}")),
        None => Finding::ok(what, "the kernel does not tell"),
    }
}

pub(super) fn descriptors(wish: &Wish) -> Finding {
    let what = "descriptors";
    let Ok(limit) = probe::hard_limit(libc::RLIMIT_NOFILE) else {
        return Finding::missing(what, "the kernel does not tell the limit");
    };
    let nodes = u64::from(wish.nodes);
    let (least, wanted) = (nodes * DESCRIPTORS_MIN, nodes * DESCRIPTORS);
    let each = if limit >= wanted || probe::may_raise_limits() { DESCRIPTORS } else { limit / nodes };
    if wish.nodes > 1 && each < DESCRIPTORS_MIN {
        let words = format!("hard limit {limit}, {nodes} nodes need {least} numbers that differ");
        Finding::missing(what, words).cured_by(format!("ulimit -Hn {least} (as root)"))
    } else if wish.nodes > 1 && each < DESCRIPTORS {
        let each = 1 << each.ilog2();
        Finding::slower(what, format!("{each} a node, as the hard limit is {limit}"))
            .cured_by(format!("ulimit -Hn {wanted} (as root)"))
    } else {
        Finding::ok(what, "as many as a node wants")
    }
}

pub(super) fn processes(wish: &Wish) -> Finding {
    let what = "processes of this user";
    let wanted = u64::from(wish.nodes) * THREADS;
    match probe::hard_limit(libc::RLIMIT_NPROC) {
        Ok(limit) if limit < wanted && !probe::is_root() => {
            Finding::missing(what, format!("at most {limit}, {} nodes start {wanted} threads", wish.nodes))
                .cured_by(format!("ulimit -Hu {} (as root)", wanted * 8))
        }
        Ok(u64::MAX) => Finding::ok(what, "no limit"),
        Ok(limit) => Finding::ok(what, format!("at most {limit}")),
        Err(_) => Finding::ok(what, "the kernel does not tell"),
    }
}
