//! How a program ends is how the launcher ends.

use crate::harness::{SCENARIOS, alone, everywhere};

#[test]
fn exit_on_another_node_ends_the_program_with_its_code() {
    for (_, run) in everywhere("exit_last") {
        let ended = run.finish().with_code(7);
        assert_eq!(ended.stdout, "main waits\nlast node leaves\n");
    }
}

#[test]
fn exit_beside_main_ends_the_program_with_its_code() {
    for (_, run) in everywhere("exit_first") {
        assert_eq!(run.finish().with_code(7).stdout, "");
    }
    alone(SCENARIOS, ["exit_first"]).finish().with_code(7);
}

#[test]
fn mains_code_is_the_programs_code() {
    for (_, run) in everywhere("exit_code") {
        assert_eq!(run.finish().with_code(5).stdout, "ok exit_code true\n");
    }
    alone(SCENARIOS, ["exit_code"]).finish().with_code(5);
}

#[test]
fn a_panic_of_main_gives_101() {
    for (nodes, run) in everywhere("exit_panic") {
        let sum = nodes * (nodes - 1) / 2;
        let message = format!("main fails after {sum}");
        run.finish().with_code(101).says(&["thread 'main'", &message]);
    }
    alone(SCENARIOS, ["exit_panic"]).finish().with_code(101).says(&["main fails after 0"]);
}

#[test]
fn an_abort_on_another_node_gives_its_signal() {
    for (nodes, run) in everywhere("exit_abort") {
        run.finish().with_code(128 + 6).says(&[&format!("node {}", nodes - 1)]);
    }
}

#[test]
fn a_call_that_is_blocked_elsewhere_does_not_keep_the_program() {
    for (_, run) in everywhere("blocked_at_the_end") {
        let ended = run.finish().ok("blocked_at_the_end");
        assert!(!ended.stdout.contains("went on"));
    }
    for (_, run) in everywhere("blocked_at_the_end") {
        run.argument("exit").finish().with_code(9);
    }
}
