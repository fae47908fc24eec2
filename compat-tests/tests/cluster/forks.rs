//! Children of `fork` that cannot go on: they say so, and nobody else ends.

use crate::harness::{direct, everywhere, scenario};

#[test]
fn a_child_whose_parent_has_ended_has_the_memory_that_it_has_copied() {
    let ended = direct(3, "fork_orphan").finish().with_code(0);
    assert!(ended.stdout.contains("orphan sees 7000"), "{}{}", ended.stdout, ended.stderr);
}

#[test]
fn a_child_whose_parent_has_ended_cannot_ask_for_pages() {
    for nodes in [2, 3] {
        let ended = scenario(nodes, "fork_orphan").finish().with_code(0);
        let words = "dstd: a child process ends: it needs memory of its parent's node, which has ended";
        assert!(ended.stdout.contains(words), "{}{}", ended.stdout, ended.stderr);
        assert!(!ended.stdout.contains("orphan sees"), "{}", ended.stdout);
    }
}

#[test]
fn a_daemon_goes_on_when_the_program_has_ended() {
    for (_, run) in everywhere("fork_daemon") {
        let ended = run.finish().with_code(0);
        assert!(ended.stdout.contains("daemon sees 7000"), "{}{}", ended.stdout, ended.stderr);
    }
}

#[test]
fn a_clone_past_libc_ends_and_the_program_goes_on() {
    for (nodes, run) in everywhere("fork_by_clone") {
        let ended = run
            .finish()
            .ok("fork_by_clone")
            .says(&["dstd: a child process ends: it was made past libc's fork"]);
        assert_eq!(ended.stderr.matches("a child process ends").count(), nodes);
    }
}
