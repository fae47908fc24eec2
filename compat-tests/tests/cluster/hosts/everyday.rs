//! What nodes print and read, and the signals they get, with nodes on two hosts.

use std::fs::{self, File};

use super::{on, other_host};
use crate::harness::{Scratch, signal};
use crate::hot_pages::{Said, report};

/// Node 0 here, and elsewhere.
const PLACES: [&str; 2] = ["localhost,127.0.0.2", "127.0.0.2,localhost"];

#[test]
fn labels_and_logs_name_the_node_whose_thread_printed() {
    let Some(sshd) = other_host() else { return };
    for hosts in PLACES {
        let scratch = Scratch::new();
        let run = on(&sshd, hosts, "println_order").option("--output").option("label");
        let ended = run.option("--log-dir").option(scratch.file("")).finish().with_code(0);
        for node in 0..2 {
            let threads = (0..30).filter(|i| i % 2 == node).map(|i| format!("thread {i}\n"));
            let main = (0..30).map(|i| format!("main {i}\n"));
            let log = fs::read_to_string(scratch.file(&format!("node{node}.stdout"))).expect("it was made");
            let mut lines: Vec<_> = log.split_inclusive('\n').map(str::to_owned).collect();
            lines.retain(|line| !line.starts_with("ok "));
            lines.sort_unstable();
            let mut expected: Vec<_> =
                if node == 0 { threads.chain(main).collect() } else { threads.collect() };
            expected.sort_unstable();
            assert_eq!(lines, expected, "node {node} of {hosts}");
            let labelled = ended.stdout.lines().filter(|line| line.starts_with(&format!("{node}: "))).count();
            assert_eq!(labelled, expected.len() + usize::from(node == 0), "{}", ended.stdout);
        }
    }
    sshd.assert_nobody_left();
}

#[test]
fn threads_on_all_hosts_read_one_stdin() {
    let Some(sshd) = other_host() else { return };
    let scratch = Scratch::new();
    fs::write(scratch.file("lines"), "first\nsecond\n").expect("the directory is ours");
    for hosts in PLACES {
        for (who, expected) in [
            ("all", ["0 read \"first\\n\"\n", "1 read \"second\\n\"\n"]),
            ("none", ["0 read \"\"\n", "1 read \"\"\n"]),
        ] {
            let file = File::open(scratch.file("lines")).expect("it was written");
            let run = on(&sshd, hosts, "shared_stdin").option("--stdin").option(who);
            let ended = run.change(move |command| {
                command.stdin(file);
            });
            let ended = ended.finish().ok("shared_stdin");
            assert!(ended.stdout.starts_with(&expected.concat()), "{who} on {hosts}: {}", ended.stdout);
        }
    }
    sshd.assert_nobody_left();
}

#[test]
fn a_handler_on_node_0_gets_its_signals_on_any_host() {
    let Some(sshd) = other_host() else { return };
    for hosts in ["localhost,127.0.0.2", "127.0.0.2,localhost", "127.0.0.2:2,localhost"] {
        let running = on(&sshd, hosts, "signals_handled").start();
        running.wait_for("ready\n");
        for count in 1..=2 {
            signal(running.launcher(), "USR1");
            running.wait_for(&format!("user signal {count}: all nodes work\n"));
        }
        signal(running.launcher(), "TERM");
        running.finish().ok("signals_handled");
    }
    sshd.assert_nobody_left();
}

#[test]
fn a_program_without_handlers_is_ended_by_a_signal_on_any_host() {
    let Some(sshd) = other_host() else { return };
    for hosts in PLACES {
        for (name, code) in [("USR1", 138), ("TERM", 143), ("HUP", 129)] {
            let running = on(&sshd, hosts, "run_on").start();
            running.wait_for("all run\n");
            signal(running.launcher(), name);
            running.finish().with_code(code);
        }
    }
    sshd.assert_nobody_left();
}

#[test]
fn hot_pages_have_lines_and_allocations_wherever_their_home_is() {
    let Some(sshd) = other_host() else { return };
    for hosts in PLACES {
        let (ended, report) = report(on(&sshd, hosts, "small_neighbours"));
        let said = Said::by(&ended, "small_neighbours");
        let writers = said.is_in(&report, "heap");
        said.is_allocated_in(&writers, "small_neighbours");
    }
    sshd.assert_nobody_left();
}
