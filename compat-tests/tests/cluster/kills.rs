//! A node that is killed takes the program with it, soon and with words.

use crate::harness::{END, Run, everywhere, kill};

fn kill_node(nodes: usize, rank: usize) {
    for (_, run) in everywhere("run_on").filter(|(count, _)| *count == nodes) {
        kill_in(run, rank);
    }
}

fn kill_in(run: Run, rank: usize) {
    let running = run.start();
    let stdout = running.wait_for("all run\n");
    let prefix = format!("node {rank} is process ");
    let pid: u32 =
        stdout.lines().find_map(|line| line.strip_prefix(&prefix)?.parse().ok()).expect("it says so");
    kill(pid);
    let ended = running.within(END).finish().with_code(137);
    let ours: Vec<_> = ended.stderr.lines().filter(|line| line.starts_with("dstd:")).collect();
    let first = ours.first().expect("the launcher says why");
    assert!(first.contains(&format!("node {rank}")), "not the root cause first: {ours:?}");
    ended.says(&[&pid.to_string()]);
}

#[test]
fn node_0_of_2() {
    kill_node(2, 0);
}

#[test]
fn node_1_of_2() {
    kill_node(2, 1);
}

#[test]
fn node_0_of_3() {
    kill_node(3, 0);
}

#[test]
fn node_1_of_3() {
    kill_node(3, 1);
}

#[test]
fn node_2_of_3() {
    kill_node(3, 2);
}

/// Joins and starts of threads that std has put on a node do not outlive it.
#[test]
fn while_threads_of_std_run_everywhere() {
    let all = |run: Run| run.option("--spread").option("all");
    for (nodes, run) in everywhere("spread_run_on") {
        kill_in(all(run), nodes - 1);
    }
    for (_, run) in everywhere("spread_run_on") {
        kill_in(all(run), 0);
    }
}

/// Who waits for a call that the dead node makes, or for its memory in one, does not wait on.
#[test]
fn in_the_midst_of_calls_on_other_nodes_descriptors() {
    for (nodes, run) in everywhere("shipped_for_ever") {
        kill_in(run, nodes - 1);
    }
    for (_, run) in everywhere("shipped_for_ever") {
        kill_in(run, 0);
    }
}

#[test]
fn killing_the_launcher_leaves_nobody_behind() {
    for (_, run) in everywhere("run_on") {
        let running = run.start();
        running.wait_for("all run\n");
        kill(running.launcher());
        running.within(END).finish().with_code(137);
    }
}
