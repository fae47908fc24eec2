//! Nodes on another host, which is this one: `sh` stands for the remote shell. The real one is tried in
//! compat-tests.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::Command;

use serde_json::Value;

use crate::output::{Scratch, sorted};
use crate::run::{Run, start_changed, state_of, wait_until};

/// A remote shell that goes nowhere: its first word is the host, the second one the command.
const SHELL: &str = r#"/bin/sh -c 'exec /bin/sh -c "$1"'"#;
/// Where the nodes are: node 0 here, elsewhere, and all elsewhere.
const PLACES: [&str; 3] = ["localhost,127.0.0.2", "127.0.0.2,localhost", "127.0.0.2:2"];

fn on(hosts: &str, options: &str, program: &[&str]) -> Run {
    changed(hosts, options, program, "", |_| {})
}

fn changed(
    hosts: &str,
    options: &str,
    program: &[&str],
    stdin: &str,
    change: impl FnOnce(&mut Command),
) -> Run {
    start_changed(&format!("-H {hosts} {options}"), program, stdin, |command| {
        command.env("DSTD_RSH", SHELL);
        change(command);
    })
}

pub(super) fn labels_name_the_node_wherever_it_runs() {
    for hosts in PLACES {
        let outcome = on(hosts, "--output label", &["lines", "9"]).finish();
        outcome.is("main", Some(0), 0);
        assert_eq!(sorted(&outcome.stdout), ["0: out 0 a", "0: out 0 b", "1: out 1 a", "1: out 1 b"]);
        let err = ["0: err 0 \"end", "0: err 0 a", "1: err 1 \"end", "1: err 1 a"];
        assert_eq!(sorted(&outcome.stderr), err, "{hosts}");
    }
}

pub(super) fn files_get_every_byte() {
    for hosts in PLACES {
        for style in ["raw", "json", "none"] {
            let scratch = Scratch::new();
            let options = format!("--output {style} --log-dir {}", scratch.0.display());
            let outcome = on(hosts, &options, &["lines", "9"]).finish();
            outcome.is("main", Some(0), 0);
            for node in 0..2 {
                assert_eq!(
                    scratch.text(&format!("node{node}.stdout")),
                    format!("out {node} a\nout {node} b\n")
                );
                assert_eq!(
                    scratch.text(&format!("node{node}.stderr")),
                    format!("err {node} a\nerr {node} \"end")
                );
            }
            match style {
                "raw" => assert_eq!(sorted(&outcome.stdout), ["out 0 a", "out 0 b", "out 1 a", "out 1 b"]),
                "json" => {
                    let line = |line: &String| serde_json::from_str::<Value>(line).unwrap()["node"].as_u64();
                    let mut nodes: Vec<_> = outcome.stdout.iter().map(|text| line(text).unwrap()).collect();
                    nodes.sort_unstable();
                    assert_eq!(nodes, [0, 0, 0, 0, 1, 1, 1, 1], "{hosts}");
                }
                _ => assert_eq!(outcome.stdout, [""; 0]),
            }
        }
    }
}

pub(super) fn stdin_goes_to_whom_it_is_given() {
    for hosts in PLACES {
        for (option, expected) in [("all", "line"), ("0", "line"), ("none", "")] {
            let options = format!("--stdin {option}");
            let outcome = changed(hosts, &options, &["stdin", "0"], "line\n", |_| {}).finish();
            assert_eq!(outcome.is("main", Some(0), 0).stdout.concat(), expected, "{options} on {hosts}");
        }
        // A node that reads all its stdin sees the end although the launcher's stays open.
        let (reader, _writer) = std::io::pipe().unwrap();
        let never_ends = |command: &mut Command| {
            command.stdin(reader);
        };
        let outcome = changed(hosts, "--stdin none", &["stdin", "0"], "", never_ends).finish();
        outcome.is("main", Some(0), 0).said_nothing();
    }
}

pub(super) fn signals_go_to_who_takes_them() {
    for hosts in PLACES {
        for (sent, handled) in [
            (libc::SIGUSR1, libc::SIGUSR1),
            (libc::SIGQUIT, libc::SIGQUIT),
            (libc::SIGTERM, libc::SIGTERM),
            (libc::SIGHUP, libc::SIGTERM),
        ] {
            let mut run = on(hosts, "", &["handler", "0", &handled.to_string()]);
            run.wait_out("waiting");
            run.kill(sent);
            run.finish().is("main", Some(0), 0).said_nothing();
        }
        // Without a handler they end the program, as if it were one process.
        for signal in [libc::SIGUSR1, libc::SIGTERM] {
            let mut run = on(hosts, "", &["hang", "0"]);
            run.wait_up(2);
            run.kill(signal);
            assert_eq!(run.finish().code, 128 + signal, "on {hosts}");
        }
        let mut run = on(hosts, "--grace 100ms", &["deaf", "0"]);
        run.wait_out("deaf");
        run.kill(libc::SIGTERM);
        run.finish().is("launcher", None, 143);
    }
}

pub(super) fn a_stopped_job_is_stopped_everywhere() {
    for hosts in PLACES {
        // As a shell does: a group whose parent is in another one can be stopped.
        let of_a_shell = |command: &mut Command| _ = command.process_group(0);
        let mut run = changed(hosts, "", &["hang", "0"], "", of_a_shell);
        let pids = run.wait_up(2);
        for _ in 0..3 {
            run.kill(libc::SIGTSTP);
            for pid in pids.iter().copied().chain([run.pid()]) {
                wait_until("it does not stop", || state_of(pid) == Some('T'));
            }
            run.kill(libc::SIGCONT);
            for &pid in &pids {
                wait_until("it does not go on", || state_of(pid) != Some('T'));
            }
        }
        run.kill(libc::SIGTERM);
        run.finish().is("launcher", None, 143);
    }
}

pub(super) fn a_dry_run_calls_no_host() {
    let untouched = |command: &mut Command| {
        command.env("DSTD_RSH", "/bin/false");
    };
    let options = "--dry-run --output label --log-dir /no/such -x A=b";
    let outcome =
        changed("localhost,no-such-host.invalid:2", options, &["/bin/echo", "a b"], "", untouched).finish();
    assert_eq!(outcome.code, 0);
    assert_eq!(outcome.stdout.len(), 3);
    for (rank, (line, host)) in
        outcome.stdout.iter().zip(["localhost", "no-such-host.invalid", "no-such-host.invalid"]).enumerate()
    {
        assert!(line.starts_with(&format!("node {rank} on {host}: A=b ")), "{line}");
        assert!(
            line.contains(&format!(" DSTD_RANK={rank} ")) && line.contains(" DSTD_NO_DIRECT=1 "),
            "{line}"
        );
        assert!(line.ends_with(" /bin/echo 'a b'"), "{line}");
    }
}

/// The time is the point: longer than nodes may take to follow node 0.
pub(super) fn a_slow_reader_gets_all() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let to_pipe = |command: &mut Command| {
        command.stdout(writer);
    };
    let mut run =
        changed("localhost,127.0.0.2", "-v --grace 2s --output label", &["flood", "1", "5000"], "", to_pipe);
    run.wait_err("all nodes started");
    // Node 1 floods and waits for room; when there was room for all of it, node 0 ends.
    let mut text = vec![0; 300_000];
    reader.read_exact(&mut text).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(2_500));
    reader.read_to_end(&mut text).unwrap();
    let outcome = run.finish();
    outcome.is("main", Some(0), 0);
    assert!(!outcome.stderr.iter().any(|line| line.contains("do not follow")), "{:?}", outcome.stderr);
    assert_eq!(text.len(), 5000 * 103);
}

/// What a node has started and left behind goes on; nobody waits for it.
pub(super) fn a_chatty_child_holds_nobody() {
    for options in ["", "--output label"] {
        for hosts in PLACES {
            for (rank, who) in ["0", "1"].into_iter().enumerate() {
                if hosts.split(',').nth(rank) == Some("localhost") && options.is_empty() {
                    // It has the launcher's own stdout, as without a launcher.
                    continue;
                }
                let outcome = on(hosts, options, &["chatty", who]).finish();
                outcome.is("main", Some(0), 0);
                assert!(outcome.stdout.iter().any(|line| line.contains("chat")), "{options} on {hosts}");
                let complaint = outcome.stderr.iter().find(|line| line.starts_with("dstd: "));
                assert_eq!(complaint, None, "{options} on {hosts}");
            }
        }
    }
}
