//! Signals, stops and odd standard streams, as a shell, a terminal, cron or a debugger make them.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{Run, Running, SCENARIOS, Scratch, alone, direct, everywhere, scenario};

/// Far more than a signal takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn send(pid: u32, signal: &str) {
    let status = Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]).status();
    assert!(status.expect("kill is there").success(), "no process {pid}");
}

/// Starts the scenario that handles signals; its processes by rank.
fn handled(run: Run) -> (Running, Vec<u32>) {
    let running = run.start();
    let text = running.wait_for("ready\n");
    let pids =
        text.lines().filter_map(|line| line.strip_prefix("node ")?.split(' ').next_back()?.parse().ok());
    let pids = pids.collect();
    (running, pids)
}

/// The program says that all nodes go on, and ends in its own way.
fn goes_on(running: Running, signals: usize) {
    send(running.launcher(), "USR1");
    running.wait_for(&format!("user signal {signals}: all nodes work\n"));
    send(running.launcher(), "TERM");
    running.finish().ok("signals_handled");
}

fn state(pid: u32) -> char {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it lives");
    stat.rsplit(") ").next().and_then(|rest| rest.chars().next()).expect("a state")
}

fn wait_for_state(pid: u32, wanted: impl Fn(char) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !wanted(state(pid)) {
        assert!(Instant::now() < deadline, "process {pid} stays in state {}", state(pid));
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_handler_on_node_0_gets_its_signals_and_ends_the_program_in_its_way() {
    for (nodes, run) in everywhere("signals_handled") {
        let (running, pids) = handled(run);
        assert_eq!(pids.len(), nodes);
        send(running.launcher(), "USR1");
        running.wait_for("user signal 1: all nodes work\n");
        goes_on(running, 2);
    }
}

#[test]
fn a_program_without_handlers_ends_as_one_process_does() {
    for (signal, code) in [("USR1", 138), ("QUIT", 131), ("TERM", 143), ("HUP", 129), ("INT", 130)] {
        let running = direct(3, "run_on").start();
        running.wait_for("all run\n");
        send(running.launcher(), signal);
        running.finish().with_code(code);
    }
}

/// Nodes without a thread of the program cannot take a signal for it.
#[test]
fn nodes_without_work_take_no_signals() {
    for (_, run) in everywhere("idle") {
        let running = run.start();
        running.wait_for("all wait\n");
        send(running.launcher(), "USR1");
        running.finish().with_code(138);
    }
}

/// Several seconds are the point: a person looks at a variable.
#[test]
fn a_node_in_a_debugger_is_waited_for() {
    for run in [scenario, direct] {
        for rank in [0, 1] {
            let (running, pids) = handled(run(3, "signals_handled"));
            send(pids[rank], "STOP");
            wait_for_state(pids[rank], |state| state == 'T');
            thread::sleep(Duration::from_secs(3));
            send(pids[rank], "CONT");
            goes_on(running, 1);
        }
    }
}

/// The debugger itself: it holds a node, shows its threads, and leaves.
#[test]
fn gdb_attaches_and_leaves() {
    if Command::new("gdb").arg("--version").output().is_err() {
        eprintln!("not tried: there is no gdb here");
        return;
    }
    let by_signals = scenario(2, "signals_handled").variable("DSTD_FAULTS", "signal");
    for run in [scenario(2, "signals_handled"), direct(2, "signals_handled"), by_signals] {
        let (running, pids) = handled(run);
        for pid in pids {
            let mut gdb = Command::new("gdb");
            gdb.args(["-nx", "-batch", "-ex", "handle SIGSEGV nostop noprint pass", "-p", &pid.to_string()]);
            let output = gdb.args(["-ex", "info threads", "-ex", "detach"]).output().expect("gdb is there");
            let text = String::from_utf8_lossy(&output.stdout);
            if !text.contains("dstd-engine") {
                eprintln!("not tried: gdb may not attach: {text}{}", String::from_utf8_lossy(&output.stderr));
            }
        }
        goes_on(running, 1);
    }
}

#[test]
fn a_stopped_job_goes_on_where_it_was() {
    for run in [scenario(3, "signals_handled"), direct(3, "signals_handled")] {
        let (running, pids) = handled(run);
        let launcher = running.launcher();
        for _ in 0..2 {
            send(launcher, "TSTP");
            pids.iter().chain([&launcher]).for_each(|&pid| wait_for_state(pid, |state| state == 'T'));
            send(launcher, "CONT");
            pids.iter().for_each(|&pid| wait_for_state(pid, |state| state != 'T'));
        }
        goes_on(running, 1);
    }
}

/// A stdout to which nothing can be written fails `println!` as in std.
#[test]
fn a_full_stdout_panics_as_in_std() {
    let full = |command: &mut Command| {
        command.stdout(File::options().write(true).open("/dev/full").expect("Linux has it"));
    };
    let message = "failed printing to stdout: No space left on device";
    alone(SCENARIOS, ["println_order"]).change(full).finish().with_code(101).says(&[message]);
    for (_, run) in everywhere("println_order") {
        run.change(full).finish().with_code(101).says(&[message]);
    }
    let run = scenario(2, "println_order").option("--output").option("label").change(full);
    run.finish().says(&["dstd: cannot write standard output: No space left on device"]);
}

#[test]
fn a_reader_that_goes_away_panics_as_in_std() {
    let gone = |command: &mut Command| {
        let (reader, writer) = io::pipe().expect("a pipe");
        drop(reader);
        command.stdout(writer);
    };
    let message = "failed printing to stdout: Broken pipe";
    alone(SCENARIOS, ["println_order"]).change(gone).finish().with_code(101).says(&[message]);
    for (_, run) in everywhere("println_order") {
        run.change(gone).finish().with_code(101).says(&[message]);
    }
}

/// As cron and systemd start programs: without a terminal, a session or a stdin.
#[test]
fn without_terminal_and_stdin_all_is_well() {
    for (_, run) in everywhere("println_order") {
        run.change(detach).finish().ok("println_order");
    }
}

#[expect(unsafe_code, reason = "std makes no sessions")]
fn detach(command: &mut Command) {
    let detach = || {
        // SAFETY: no memory is involved; as the leader of its group it may not be, which does not matter.
        unsafe { libc::setsid() };
        // SAFETY: nobody uses the descriptor between fork and exec.
        unsafe { libc::close(libc::STDIN_FILENO) };
        Ok(())
    };
    // SAFETY: the function makes two system calls.
    unsafe { command.pre_exec(detach) };
}

#[test]
fn threads_on_all_nodes_read_one_stdin() {
    let scratch = Scratch::new();
    let path = scratch.file("lines");
    fs::write(&path, "first\nsecond\nthird\n").expect("it can be written");
    let read = |run: Run, who: &str| {
        let file = File::open(&path).expect("it was written");
        let run = run.option("--stdin").option(who).change(move |command| {
            command.stdin(file);
        });
        run.finish().ok("shared_stdin").stdout
    };
    let expected = "0 read \"first\\n\"\n1 read \"second\\n\"\n2 read \"third\\n\"\n";
    for run in [scenario, direct] {
        assert!(read(run(3, "shared_stdin"), "all").starts_with(expected));
        assert!(read(run(3, "shared_stdin"), "none").starts_with("0 read \"\"\n1 read \"\"\n2 read \"\"\n"));
    }
}

#[test]
fn labels_name_the_node_whose_thread_printed() {
    let ended = direct(3, "c_streams").option("--output").option("label").finish().with_code(0);
    let mut lines: Vec<_> = ended.stdout.lines().filter(|line| line.contains("printed by C")).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["0: printed by C as 0", "1: printed by C as 1", "2: printed by C as 2"]);
}
