//! What becomes of what nodes print, and of what they read.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

use crate::run::{Outcome, command, start, start_changed, start_with_stdin};

/// A directory of a test; it goes with the test.
pub(super) struct Scratch(pub(super) PathBuf);

impl Scratch {
    pub(super) fn new() -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("dstd-output-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Scratch(path)
    }

    pub(super) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

pub(super) fn sorted(lines: &[String]) -> Vec<&str> {
    let mut lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    lines.sort_unstable();
    lines
}

fn to_devfull(command: &mut Command) {
    command.stdout(File::options().write(true).open("/dev/full").unwrap());
}

pub(super) fn labels_name_the_node() {
    let outcome = start("-n 2 --output label", &["lines", "9"]).finish();
    outcome.is("main", Some(0), 0);
    assert_eq!(sorted(&outcome.stdout), ["0: out 0 a", "0: out 0 b", "1: out 1 a", "1: out 1 b"]);
    let err = ["0: err 0 \"end", "0: err 0 a", "1: err 1 \"end", "1: err 1 a"];
    assert_eq!(sorted(&outcome.stderr), err);
    // The order within a node is kept, and the numbers are as wide as the largest.
    let outcome = start("-n 11 --output label", &["lines", "99"]).finish();
    let ten: Vec<_> = outcome.stdout.iter().filter(|line| line.starts_with("10: ")).collect();
    assert_eq!(ten, ["10: out 10 a", "10: out 10 b"]);
    assert!(outcome.stdout.contains(&" 9: out 9 a".to_owned()), "{:?}", outcome.stdout);
}

pub(super) fn times_are_utc() {
    let outcome = start("-n 1 --output timestamp", &["ok", "0", "hello"]).finish();
    let (time, text) = outcome.is("main", Some(0), 0).stdout[0].split_once(' ').unwrap();
    assert_eq!(text, "0: hello");
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    assert_eq!(shape, "9999-99-99T99:99:99.999999Z");
}

pub(super) fn json_has_both_streams_on_stdout() {
    let outcome = start("-n 2 --output json", &["lines", "9"]).finish();
    outcome.is("main", Some(0), 0).said_nothing();
    let lines: Vec<Value> = outcome.stdout.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |node: u64, stream: &str| -> Vec<(String, bool)> {
        let lines = lines.iter().filter(|line| line["node"] == node && line["stream"] == stream);
        lines.map(|line| (line["text"].as_str().unwrap().to_owned(), line["partial"] == true)).collect()
    };
    for node in 0..2 {
        let whole = |text: &str| (text.to_owned(), false);
        assert_eq!(of(node, "stdout"), [whole(&format!("out {node} a")), whole(&format!("out {node} b"))]);
        let end = (format!("err {node} \"end"), true);
        assert_eq!(of(node, "stderr"), [whole(&format!("err {node} a")), end]);
    }
    assert_eq!(lines.len(), 8);
}

pub(super) fn none_shows_nothing_but_why_it_failed() {
    let outcome = start("-n 2 --output none", &["lines", "9"]).finish();
    outcome.is("main", Some(0), 0).said_nothing();
    assert_eq!(outcome.stdout, [""; 0]);
    let outcome = start("-n 2 --output none", &["abort", "1", "its last words\\n"]).finish();
    outcome.is("node", Some(1), 134).said("  | its last words");
}

pub(super) fn files_get_every_byte() {
    for style in ["raw", "label", "none"] {
        let scratch = Scratch::new();
        // The directory is made.
        let dir = scratch.0.join("deep/logs");
        let options = format!("-n 2 --output {style} --log-dir {}", dir.display());
        let outcome = start(&options, &["lines", "9"]).finish();
        outcome.is("main", Some(0), 0);
        for node in 0..2 {
            let (out, err) = (format!("deep/logs/node{node}.stdout"), format!("deep/logs/node{node}.stderr"));
            assert_eq!(scratch.text(&out), format!("out {node} a\nout {node} b\n"));
            assert_eq!(scratch.text(&err), format!("err {node} a\nerr {node} \"end"));
        }
        let shown = if style == "none" { 0 } else { 4 };
        assert_eq!(outcome.stdout.len(), shown, "{style}");
    }
}

fn log_to(dir: &Path, more: &str, program: &[&str]) -> Outcome {
    start(&format!("-n 2 --log-dir {} {more}", dir.display()), program).finish()
}

pub(super) fn a_full_disk_is_said_and_ends_with_70() {
    let scratch = Scratch::new();
    std::os::unix::fs::symlink("/dev/full", scratch.0.join("node1.stdout")).unwrap();
    let outcome = log_to(&scratch.0, "", &["lines", "9"]);
    outcome.is("launcher", None, 70).said("No space left on device").said("16 bytes are lost");
    // Nothing else is lost: the program went on, and was shown.
    assert_eq!(sorted(&outcome.stdout), ["out 0 a", "out 0 b", "out 1 a", "out 1 b"]);
    assert_eq!(scratch.text("node0.stdout"), "out 0 a\nout 0 b\n");
    // The program's own failure stays its own.
    let outcome = log_to(&scratch.0, "", &["lines", "9", "3"]);
    outcome.is("main", Some(0), 3).said("16 bytes are lost");
}

pub(super) fn a_disk_that_becomes_full_keeps_what_came_before() {
    // SAFETY: no memory is involved.
    if unsafe { libc::geteuid() } != 0 {
        println!("not tried: only root can mount a small disk");
        return;
    }
    let scratch = Scratch::new();
    let dir = scratch.0.to_str().unwrap();
    let launcher = env!("CARGO_BIN_EXE_dstd-launch");
    let node = std::env::current_exe().unwrap();
    let script = format!(
        "mount -t tmpfs -o size=64k none {dir} && \
         {launcher} -n 1 --output none --log-dir {dir} -- {} node flood 0 1000; echo $?; wc -c < {dir}/node0.stdout",
        node.display()
    );
    // The mount is the script's own and goes with it.
    let output = Command::new("unshare").args(["-m", "sh", "-c", &script]).output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    if err.contains("unshare failed") || err.contains("mount:") {
        println!("not tried: {err}");
        return;
    }
    // 1000 lines of 100 bytes on 64 KiB.
    assert_eq!(out.split_whitespace().collect::<Vec<_>>(), ["70", "65536"], "{err}");
    assert!(err.contains(&format!("{} bytes are lost (No space left", 100_000 - 65_536)), "{err}");
}

pub(super) fn a_log_that_cannot_be_opened_starts_nothing() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.0.join("node1.stderr")).unwrap();
    let outcome = log_to(&scratch.0, "", &["ok", "0", "hello"]);
    outcome.is("launcher", None, 64).said("cannot write the log").said("node1.stderr: Is a directory");
    assert_eq!(outcome.stdout, [""; 0]);
    log_to(Path::new("/proc/no"), "", &["ok"])
        .is("launcher", None, 64)
        .said("directory of the logs /proc/no");
}

pub(super) fn a_limit_of_file_size_is_no_death() {
    let scratch = Scratch::new();
    let options = format!("-n 1 --output none --log-dir {}", scratch.0.display());
    const LIMIT: u64 = 64 << 10;
    let limit = || {
        // The statistics of a node lie in a file, too, which is smaller.
        let limit = libc::rlimit { rlim_cur: LIMIT, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: the limit is live.
        unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) };
        Ok(())
    };
    let outcome = start_changed(&options, &["flood", "0", "1000"], "", |command| {
        // SAFETY: `limit` makes one system call.
        unsafe { command.pre_exec(limit) };
    })
    .finish();
    outcome.is("launcher", None, 70).said("File too large");
    assert_eq!(scratch.text("node0.stdout").len() as u64, LIMIT);
}

pub(super) fn a_stdout_that_cannot_be_written_fails_the_nodes() {
    // As it is: the node's own write fails.
    let outcome = start_changed("-n 1", &["flood", "0", "10"], "", to_devfull).finish();
    outcome.is("main", Some(0), 101).said_nothing();
    // Through the launcher: its write fails, and then the node's.
    let outcome = start_changed("-n 1 --output label", &["flood", "0", "100000"], "", to_devfull).finish();
    outcome.is("main", Some(0), 101).said("cannot write standard output: No space left on device");
    // What fitted into the pipe and was never written is not forgotten.
    let outcome = start_changed("-n 1 --output label", &["ok", "0", "hello"], "", to_devfull).finish();
    outcome.is("launcher", None, 70).said("standard output is not complete: 9 bytes are lost");
}

pub(super) fn a_closed_stdout_is_as_in_std() {
    let closed = || {
        // SAFETY: nobody uses the descriptor between fork and exec.
        unsafe { libc::close(1) };
        Ok(())
    };
    for options in ["-n 2", "-n 2 --output label"] {
        // std opens /dev/null in its place, in the launcher as in any program.
        let outcome = start_changed(options, &["ok", "0", "hello"], "", |command| {
            // SAFETY: `closed` makes one system call.
            unsafe { command.pre_exec(closed) };
        })
        .finish();
        outcome.is("main", Some(0), 0).said_nothing();
    }
    // A reader that goes away.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let outcome = start_changed("-n 1 --output label", &["flood", "0", "100000"], "", |command| {
        command.stdout(writer);
    })
    .finish();
    outcome.is("main", Some(0), 101).said("cannot write standard output: Broken pipe");
}

pub(super) fn a_slow_reader_gets_all() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let run = start_changed("-n 1 --output label", &["flood", "0", "5000"], "", |command| {
        command.stdout(writer);
    });
    // Nobody reads before the pipes are full, so the node waits.
    run.wait_node_blocked();
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    run.finish().is("main", Some(0), 0).said_nothing();
    assert_eq!(text.lines().count(), 5000);
    assert!(text.lines().all(|line| line.len() == 102 && line.starts_with("0: x")));
}

pub(super) fn nobody_reads_and_a_signal_ends_it() {
    let (reader, writer) = std::io::pipe().unwrap();
    // The launcher's pipe holds 64 KiB: the rest waits in the launcher, when the node has ended.
    let mut run = start_changed("-n 1 -v --output label", &["flood", "0", "1000"], "", |command| {
        command.stdout(writer);
    });
    run.wait_err("node 0 is process");
    run.wait_nodes_gone();
    run.kill(libc::SIGTERM);
    run.finish().is("launcher", None, 143);
    drop(reader);
}

/// The signal or the time that ends the nodes is the only one: no second one has to end the launcher.
pub(super) fn who_is_told_to_end_waits_for_no_reader() {
    for (options, signal, code) in [("", Some(libc::SIGTERM), 143), ("--timeout 5s", None, 69)] {
        let (reader, writer) = std::io::pipe().unwrap();
        let options = format!("-n 1 --grace 500ms --output label {options}");
        let run = start_changed(options.trim_end(), &["flood", "0", "5000"], "", |command| {
            command.stdout(writer);
        });
        run.wait_node_blocked();
        signal.into_iter().for_each(|signal| run.kill(signal));
        run.finish().is("launcher", None, code);
        drop(reader);
    }
}

pub(super) fn a_chatty_child_does_not_hold_the_launcher() {
    let shell = "yes & echo started";
    let outcome = start("-n 1 --output label --connect-timeout 1s", &["/bin/sh", "-c", shell]).finish();
    // A shell is no dstd program; what counts is that the launcher ends although `yes` goes on.
    assert_eq!(outcome.code, 69);
}

pub(super) fn stdin_goes_to_whom_it_is_given() {
    for (option, culprit, expected) in [("all", "0", "line"), ("0", "0", "line"), ("none", "0", "")] {
        let options = format!("-n 2 --stdin {option}");
        let outcome = start_with_stdin(&options, &["stdin", culprit], "line\n").finish();
        assert_eq!(outcome.is("main", Some(0), 0).stdout.concat(), expected, "--stdin {option}");
    }
    for (option, expected) in [("all", "line"), ("0", ""), ("none", "")] {
        let options = format!("-n 2 --stdin {option}");
        let outcome = start_with_stdin(&options, &["read-then-exit", "1", "0"], "line\n").finish();
        assert_eq!(outcome.is("exit", Some(1), 0).stdout.concat(), expected, "--stdin {option}");
    }
    // Without any.
    let outcome = start_changed("-n 2", &["stdin", "0"], "", |command| {
        command.stdin(Stdio::null());
    })
    .finish();
    assert_eq!(outcome.is("main", Some(0), 0).stdout, [""; 0]);
}

pub(super) fn a_dry_run_starts_nothing() {
    let scratch = Scratch::new();
    let (logs, report) = (scratch.0.join("logs"), scratch.0.join("report"));
    let mut dry = Command::new(env!("CARGO_BIN_EXE_dstd-launch"));
    dry.args(["--dry-run", "-n", "2", "-x", "A=b c", "--heap", "1G", "--chdir", "/usr", "--log-dir"]);
    dry.arg(&logs).arg("--report-json").arg(&report).args(["--", "/bin/echo", "it's"]);
    let output = dry.output().unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    for (rank, line) in lines.iter().enumerate() {
        assert!(line.starts_with(&format!("node {rank} on ")), "{line}");
        let parts = [
            ": cd /usr && A='b c' ",
            &format!(" DSTD_RANK={rank} DSTD_SIZE=2 "),
            " DSTD_HEAP_BYTES=1073741824 ",
        ];
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
        assert!(line.ends_with(" /bin/echo 'it'\\''s'"), "{line}");
    }
    assert!(!logs.exists() && !report.exists());
    let (code, words) = command(env!("CARGO_BIN_EXE_dstd-launch"), &["--dry-run", "/no/such"]);
    assert_eq!((code, words.starts_with("dstd: cannot run /no/such")), (64, true), "{words}");
}
