//! Memory and descriptors that may not be shared: the program is told so, in words.

use crate::harness::{Ended, direct, everywhere, scenario};

/// stderr names an address on the page of the one that was printed.
fn names_address(ended: &Ended) -> bool {
    let address = |text: &str| {
        u64::from_str_radix(text.split("0x").nth(1)?.split(|c: char| !c.is_ascii_hexdigit()).next()?, 16).ok()
    };
    let printed = ended.stdout.lines().find_map(|line| address(line.strip_prefix("address ")?));
    let printed = printed.expect("the scenario prints it first");
    let mut words = ended.stderr.split_inclusive("0x").skip(1).map(|after| format!("0x{after}"));
    words.any(|word| address(&word).is_some_and(|named| named >> 12 == printed >> 12))
}

fn stops(name: &str, kind: &str) {
    for (nodes, run) in everywhere(name) {
        let last = format!("node {} touched", nodes - 1);
        let ended = run.finish().with_code(72).says(&["dstd:", &last, kind, "of node 0"]);
        assert!(names_address(&ended), "the address is not named: {}{}", ended.stdout, ended.stderr);
        assert!(!ended.stdout.contains("went on"));
    }
}

#[test]
fn a_thread_local_of_libc() {
    stops("libc_thread_local", "thread-local of a library");
}

#[test]
fn a_local_on_a_native_stack() {
    stops("native_stack", "native stack");
}

#[test]
fn a_thread_local_of_a_thread_that_has_ended() {
    for nodes in [2, 3] {
        let ended = scenario(nodes, "dead_thread_local").finish().with_code(72);
        let ended = ended.says(&["dstd:", "thread-local, after the end of its thread", "of node 0"]);
        assert!(names_address(&ended), "the address is not named: {}{}", ended.stdout, ended.stderr);
        assert!(!ended.stdout.contains("went on"));
    }
}

/// libc looks into a thread to say which clock it has.
#[test]
fn the_clock_of_another_nodes_thread() {
    stops("spread_clock", "thread-local of a library");
}

#[test]
fn a_mapped_file() {
    stops("mapped_file", "scenarios");
}

#[test]
fn a_private_mapping() {
    stops("private_mapping", "mapping");
}

#[test]
fn a_foreign_descriptor_is_refused_and_its_owner_named() {
    for (_, run) in everywhere("foreign_file") {
        let ended = run.finish().ok("foreign_file");
        let number = ended.stdout.split("fd: ").nth(1).and_then(|rest| rest.split([',', ' ']).next());
        let number = number.expect("Debug of a file shows its number");
        let ours: Vec<_> = ended.stderr.lines().filter(|line| line.starts_with("dstd:")).collect();
        assert!(
            ours.iter().any(|line| line.contains(&format!("descriptor {number}")) && line.contains("node 0")),
            "{ours:?} do not name the owner of {number}"
        );
    }
}

#[test]
fn a_child_is_not_given_another_nodes_file() {
    for (_, run) in everywhere("given_to_a_child") {
        run.finish().ok("given_to_a_child").says(&["belongs to node 0", "posix_spawn"]);
    }
}

#[test]
fn the_runtimes_descriptors_are_nobodys() {
    for (_, run) in everywhere("runtimes_own") {
        run.finish().ok("runtimes_own");
    }
}

#[test]
fn what_pins_memory_is_refused_where_pages_leave() {
    for nodes in [2, 3] {
        let ended = scenario(nodes, "pinned").finish().ok("pinned");
        assert!(ended.stdout.contains("ok pinned refused"), "{}", ended.stdout);
        ended.says(&["dstd: O_DIRECT is refused", "io_uring is refused", "SO_ZEROCOPY is refused"]);
        let ended = direct(nodes, "pinned").finish().ok("pinned");
        assert!(ended.stdout.contains("ok pinned allowed"), "{}", ended.stdout);
    }
}
