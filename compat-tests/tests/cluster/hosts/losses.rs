//! What is killed takes everything with it, on all hosts.

use super::sshd::Sshd;
use super::{on, other_host};
use crate::harness::{END, Running, kill};

/// A program that runs on two hosts, and the processes of its nodes.
fn running(sshd: &Sshd, hosts: &str) -> (Running, Vec<u32>) {
    let running = on(sshd, hosts, "run_on").start();
    let stdout = running.wait_for("all run\n");
    let pid = |line: &str| line.split_once(" is process ")?.1.parse().ok();
    let mut nodes: Vec<(String, u32)> =
        stdout.lines().filter_map(|line| Some((line.to_owned(), pid(line)?))).collect();
    nodes.sort();
    (running, nodes.into_iter().map(|(_, pid)| pid).collect())
}

/// The processes of this run's remote shells and agents whose command line has all of `parts`.
fn process(sshd: &Sshd, parts: &[&str]) -> Vec<u32> {
    let words = |pid: &u32| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let has = |pid: &u32| {
        let words = String::from_utf8_lossy(&words(pid)).replace('\0', " ");
        parts.iter().all(|part| words.contains(part))
    };
    sshd.agents().into_iter().filter(has).collect()
}

#[test]
fn a_killed_node_is_the_root_cause_wherever_it_runs() {
    let Some(sshd) = other_host() else { return };
    for (hosts, rank) in [("localhost,127.0.0.2", 1), ("localhost,127.0.0.2", 0), ("127.0.0.2,localhost", 0)]
    {
        let (running, nodes) = running(&sshd, hosts);
        kill(nodes[rank]);
        let ended = running.within(END).finish().with_code(137);
        let first =
            ended.stderr.lines().find(|line| line.starts_with("dstd:")).expect("it says why").to_owned();
        assert!(first.contains(&format!("node {rank}")), "not the root cause first: {first}");
        ended.says(&[&nodes[rank].to_string()]);
        sshd.assert_nobody_left();
    }
}

#[test]
fn a_killed_launcher_leaves_nothing_on_any_host() {
    let Some(sshd) = other_host() else { return };
    for hosts in ["localhost,127.0.0.2:2", "127.0.0.2:2,localhost"] {
        let (running, _) = running(&sshd, hosts);
        kill(running.launcher());
        running.within(END).finish().with_code(137);
        sshd.assert_nobody_left();
    }
}

#[test]
fn a_killed_remote_shell_is_a_lost_host() {
    let Some(sshd) = other_host() else { return };
    let (running, _) = running(&sshd, "localhost,127.0.0.2:2");
    let shells: Vec<u32> = process(&sshd, &["ssh -F none", "agent"]);
    assert_eq!(shells.len(), 1, "one connection to one host");
    kill(shells[0]);
    running.within(END).finish().with_code(65).says(&["lost host 127.0.0.2", "SIGKILL"]);
    sshd.assert_nobody_left();
}

#[test]
fn a_killed_agent_is_a_lost_host() {
    let Some(sshd) = other_host() else { return };
    let (running, _) = running(&sshd, "localhost,127.0.0.2:2");
    let launcher = sshd.launcher().display().to_string();
    let agents: Vec<u32> = process(&sshd, &["agent"])
        .into_iter()
        .filter(|pid| {
            std::fs::read_link(format!("/proc/{pid}/exe"))
                .is_ok_and(|exe| exe.display().to_string() == launcher)
        })
        .collect();
    assert_eq!(agents.len(), 1, "one agent on one host");
    kill(agents[0]);
    running.within(END).finish().with_code(65).says(&["lost host 127.0.0.2"]);
    sshd.assert_nobody_left();
}
