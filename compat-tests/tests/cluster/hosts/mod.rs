//! Programs on several hosts: an sshd on another address of the loopback stands for one.

mod everyday;
mod losses;
pub(crate) mod namespaces;
mod refused;
mod sshd;

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::harness::{END, Run, SCENARIOS, Scratch, launch};
use sshd::Sshd;

/// An address that is this machine's and no name of this host.
const ELSEWHERE: &str = "127.0.0.2";

/// Far more than it takes to start a program that has to be sent, which is large with all that is for a debugger.
const SENT: &str = "150s";

/// Runs a scenario on `hosts`, reached as `sshd` wants.
fn on(sshd: &Sshd, hosts: &str, scenario: &str) -> Run {
    launch(["--rsh", &sshd.rsh(), "-H", hosts], [SCENARIOS, scenario]).launcher(sshd.launcher())
}

/// The other host, if this machine can have one.
fn other_host() -> Option<Sshd> {
    sshd::is_here().then(|| Sshd::start(ELSEWHERE, &[]))
}

#[test]
fn threads_and_memory_reach_other_hosts() {
    let Some(sshd) = other_host() else { return };
    for hosts in ["localhost,127.0.0.2", "localhost,127.0.0.2:2", "127.0.0.2:2,localhost"] {
        for scenario in ["reads_dyn", "println_order", "environment", "environment_changed", "parallelism"] {
            on(&sshd, hosts, scenario).finish().ok(scenario);
        }
    }
    sshd.assert_nobody_left();
}

#[test]
fn one_other_host_is_a_domain() {
    let Some(sshd) = other_host() else { return };
    on(&sshd, "127.0.0.2:3", "println_order").finish().ok("println_order");
    sshd.assert_nobody_left();
}

#[test]
fn a_host_file_says_who_runs_what() {
    let Some(sshd) = other_host() else { return };
    let (scratch, report) = (Scratch::new(), Scratch::new());
    let (file, report) = (scratch.file("hosts"), report.file("report"));
    fs::write(
        &file,
        "# two of three slots are used\nlocalhost slots=1\n127.0.0.2 slots=2 addr=127.0.0.2 # other\n",
    )
    .expect("the directory is ours");
    let run =
        launch(["--rsh", &sshd.rsh(), "--hostfile"], [SCENARIOS, "reads_dyn"]).launcher(sshd.launcher());
    let run = run.option(&file).option("-n").option("2").option("--report-json").option(&report);
    run.finish().ok("reads_dyn");
    let report: serde_json::Value =
        serde_json::from_slice(&fs::read(&report).expect("written")).expect("JSON");
    assert_eq!(report["mode"], "no-direct");
    let nodes = report["nodes"].as_array().expect("a list");
    assert_eq!(nodes.len(), 2);
    assert_eq!(nodes[1]["host"], ELSEWHERE);
    assert!(nodes[1]["pid"].as_u64() > Some(1), "{report}");
    assert!(nodes[1]["threads_run"].as_u64() > Some(0), "its counters came: {report}");
    assert!(nodes[1]["sent"]["page_request"]["messages"].as_u64() > Some(0), "{report}");
    assert!(nodes[1]["peak_rss_bytes"].as_u64() > Some(1 << 20), "{report}");
}

#[test]
fn exit_codes_come_from_where_they_are() {
    let Some(sshd) = other_host() else { return };
    for hosts in ["localhost,127.0.0.2", "127.0.0.2,localhost"] {
        on(&sshd, hosts, "exit_last").finish().with_code(7);
        on(&sshd, hosts, "exit_panic").finish().with_code(101).says(&["panicked"]);
        on(&sshd, hosts, "exit_abort").finish().with_code(134).says(&["node 1", "SIGABRT"]);
    }
    sshd.assert_nobody_left();
}

#[test]
fn stdin_is_node_0s_also_on_another_host() {
    let Some(sshd) = other_host() else { return };
    // Longer than any pipe, so that it comes in pieces.
    let text: String = (0..100_000).map(|line| format!("line {line}\n")).collect();
    let scratch = Scratch::new();
    fs::write(scratch.file("input"), &text).expect("the directory is ours");
    for hosts in ["localhost,127.0.0.2", "127.0.0.2,localhost"] {
        // cat is no program of ours: the launcher says so when it has copied everything.
        let input = fs::File::open(scratch.file("input")).expect("it was written");
        let run = launch(["--rsh", &sshd.rsh(), "-H", hosts, "-q"], ["/bin/cat"]).launcher(sshd.launcher());
        let stdin = |command: &mut Command| {
            command.stdin(Stdio::from(input));
        };
        let ended = run.change(stdin).finish().with_code(69);
        assert!(text.starts_with(&ended.stdout), "{hosts}: what it reads is what was written");
    }
    sshd.assert_nobody_left();
}

#[test]
fn a_program_that_is_sent_runs_and_is_removed() {
    let Some(sshd) = other_host() else { return };
    let scratch = Scratch::new();
    let dir = scratch.file("sent");
    fs::create_dir(&dir).expect("the directory is ours");
    let run = on(&sshd, "localhost,127.0.0.2:2", "run_on").option(format!("--bcast={}", dir.display()));
    let running = run.option("--connect-timeout").option(SENT).start();
    let stdout = running.wait_for("all run\n");
    let program = |rank: usize| {
        let prefix = format!("node {rank} is process ");
        let pid: u32 =
            stdout.lines().find_map(|line| line.strip_prefix(&prefix)?.parse().ok()).expect("says so");
        fs::read_link(format!("/proc/{pid}/exe")).expect("it runs")
    };
    assert_eq!(program(0), fs::canonicalize(SCENARIOS).expect("it is there"));
    for rank in [1, 2] {
        assert!(program(rank).starts_with(&dir), "{:?} is no copy", program(rank));
    }
    crate::harness::signal(running.launcher(), "TERM");
    running.finish().with_code(143);
    sshd.assert_nobody_left();
    let left = || fs::read_dir(&dir).expect("it is there").count();
    let deadline = std::time::Instant::now() + END;
    while left() > 0 {
        assert!(std::time::Instant::now() < deadline, "the copy stays behind");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn signals_reach_nodes_of_other_hosts() {
    let Some(sshd) = other_host() else { return };
    // Node 0 is elsewhere and has no handler: the interrupt ends it.
    let running = on(&sshd, "127.0.0.2,localhost", "run_on").start();
    running.wait_for("all run\n");
    crate::harness::signal(running.launcher(), "INT");
    running.finish().with_code(130);
    let running = on(&sshd, "localhost,127.0.0.2", "run_on").start();
    running.wait_for("all run\n");
    crate::harness::signal(running.launcher(), "USR1");
    running.finish().with_code(138);
    sshd.assert_nobody_left();
}

#[test]
fn a_timeout_ends_nodes_of_other_hosts() {
    let Some(sshd) = other_host() else { return };
    let run = on(&sshd, "localhost,127.0.0.2", "run_on");
    run.option("--timeout").option("4s").option("--grace").option("1s").finish().with_code(69);
    sshd.assert_nobody_left();
}

#[test]
fn ports_are_taken_from_the_range() {
    let Some(sshd) = other_host() else { return };
    let taken: Vec<_> =
        (0..2).map(|_| std::net::TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
    let port = taken[0].local_addr().expect("it is bound").port();
    let run = on(&sshd, "localhost,127.0.0.2", "reads_dyn").option("--port-range");
    run.option(format!("{port}-{port}")).finish().with_code(68).says(&[&port.to_string()]);
    sshd.assert_nobody_left();
}

#[test]
fn words_of_a_login_shell_change_nothing() {
    let Some(sshd) = other_host() else { return };
    let scratch = Scratch::new();
    let noisy = scratch.file("noisy");
    let mut file = fs::File::create(&noisy).expect("the directory is ours");
    writeln!(file, "echo Welcome; echo to this host >&2; exec {} \"$@\"", sshd.rsh()).expect("written");
    let rsh = format!("/bin/sh {}", noisy.display());
    let run = launch(["--rsh", &rsh, "-H", "localhost,127.0.0.2"], [SCENARIOS, "reads_dyn"]);
    let ended = run.launcher(sshd.launcher()).finish().ok("reads_dyn");
    assert!(!ended.stdout.contains("Welcome"), "{}", ended.stdout);
}
