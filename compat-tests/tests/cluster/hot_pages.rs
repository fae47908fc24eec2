//! A person finds the page that several nodes fight for, and the lines that do.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Ended, LAUNCH, Run, SCENARIOS, Scratch, alone, kill, program, scenario};

/// Every way in which faults are served.
const WAYS: [&str; 3] = ["kernel", "user", "signal"];

/// What the launcher says and reports of a run with `--hot-pages`.
pub(crate) fn report(run: Run) -> (Ended, Value) {
    report_only(run.option("--hot-pages"))
}

/// What the launcher says and reports of a run.
fn report_only(run: Run) -> (Ended, Value) {
    let scratch = Scratch::new();
    let file = scratch.file("report.json");
    let ended = run.option("--report-json").option(&file).finish().with_code(0);
    let text = fs::read_to_string(file).expect("the report is written");
    (ended, serde_json::from_str(&text).expect("the report is JSON"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

/// The rows of the nodes that wrote to `page`.
fn writers(page: &Value) -> Vec<&Value> {
    list(&page["nodes"]).iter().filter(|node| node["write"].as_u64().expect("a number") > 0).collect()
}

fn lines(node: &Value) -> Vec<u64> {
    list(&node["sites"]).iter().filter_map(|site| site["line"].as_u64()).collect()
}

/// What a scenario with neighbours has said: its page, and the lines of the nodes and of their blocks.
pub(crate) struct Said {
    page: String,
    writes: Vec<u64>,
    allocated: Vec<u64>,
}

impl Said {
    pub(crate) fn by(ended: &Ended, name: &str) -> Said {
        let words = ended.stdout.strip_prefix(&format!("ok {name} ")).expect("the page and the lines");
        let words: Vec<&str> = words.split_whitespace().collect();
        let lines: Vec<u64> = words[1..].iter().map(|line| line.parse().expect("a line")).collect();
        Said { page: words[0].to_owned(), writes: lines[..2].to_vec(), allocated: lines[2..].to_vec() }
    }

    /// The report names the page, with two nodes that write from these lines; returns their rows.
    pub(crate) fn is_in<'a>(&self, report: &'a Value, kind: &str) -> Vec<&'a Value> {
        let pages = list(&report["hot_pages"]);
        let page = pages.iter().find(|page| page["page"] == *self.page).expect("the page is named");
        assert_eq!(page["kind"], kind, "{page}");
        let writers = self.wrote(page);
        for (rank, node) in writers.iter().enumerate() {
            assert!(lines(node).contains(&self.writes[rank]), "no line {} in {page}", self.writes[rank]);
            let main = &node["sites"][0];
            assert!(main["file"].as_str().expect("a file").ends_with("contention.rs"), "{page}");
            assert!(main["function"].as_str().expect("a function").contains("count"), "{page}");
        }
        writers
    }

    /// Two nodes wrote to this page, each its own bytes.
    fn wrote<'a>(&self, page: &'a Value) -> Vec<&'a Value> {
        assert_eq!(page["page"], self.page, "{page}");
        let writers = writers(page);
        assert_eq!(writers.len(), 2, "{page}");
        assert_eq!(page["apart"], true, "{page}");
        (0..).zip(&writers).for_each(|(rank, node)| assert_eq!(node["rank"], rank));
        writers
    }

    /// Each node wrote to a block that was allocated on its line by `function`.
    pub(crate) fn is_allocated_in(&self, writers: &[&Value], function: &str) {
        for (node, line) in writers.iter().zip(&self.allocated) {
            let block = &node["blocks"][0];
            assert_eq!(block["line"], *line, "{node}");
            assert!(block["file"].as_str().expect("a file").ends_with("contention.rs"), "{node}");
            assert!(block["function"].as_str().expect("a function").contains(function), "{node}");
        }
    }
}

#[test]
fn false_sharing_has_a_page_two_lines_and_two_nodes() {
    for way in WAYS {
        let (ended, report) = report(scenario(2, "neighbours").variable("DSTD_FAULTS", way));
        let said = Said::by(&ended, "neighbours");
        let writers = said.is_in(&report, "heap");
        said.is_allocated_in(&writers, "neighbours");
        for node in writers {
            assert_eq!(node["blocks"][0]["address"], *said.page, "{way}: {node}");
            assert_eq!(list(&node["blocks"]).len(), 1, "{way}: {node}");
        }
        // The same in words.
        let words = &ended.stderr;
        assert!(words.contains(&format!("dstd: page {} (heap, home ", said.page)), "{words}");
        for line in &said.writes {
            assert!(words.contains(&format!("contention.rs:{line} in ")), "{words}");
        }
        let block = format!("the 4096 bytes at {}, allocated at ", said.page);
        assert!(words.contains(&block), "{words}");
        assert!(words.contains("0 -> 1: ") && words.contains("1 -> 0: "), "{words}");
    }
}

/// The nodes write to blocks of so many bytes, and each of these knows where it was allocated.
fn writes_to_blocks_of(bytes: u64, name: &str) {
    let (ended, report) = report(scenario(2, name));
    let said = Said::by(&ended, name);
    let writers = said.is_in(&report, "heap");
    said.is_allocated_in(&writers, name);
    for node in writers {
        assert_eq!(node["blocks"][0]["bytes"], bytes, "{node}");
    }
}

#[test]
fn small_blocks_on_a_page_are_told_apart() {
    writes_to_blocks_of(16, "small_neighbours");
}

#[test]
fn a_page_in_the_middle_of_a_large_block_knows_where_that_was_allocated() {
    writes_to_blocks_of(8 << 20, "large_neighbours");
}

#[test]
fn a_static_has_its_name() {
    let (ended, report) = report(scenario(2, "static_neighbours"));
    for node in Said::by(&ended, "static_neighbours").is_in(&report, "static") {
        let name = node["blocks"][0]["name"].as_str().expect("a name");
        assert!(name.contains("BOTH_COUNTERS"), "{node}");
    }
    assert!(ended.stderr.contains("    in the static "), "{}", ended.stderr);
}

#[test]
fn without_the_option_nobody_asks_for_lines() {
    let (ended, report) = report_only(scenario(2, "neighbours"));
    let said = Said::by(&ended, "neighbours");
    let page = list(&report["hot_pages"]).iter().find(|page| page["page"] == *said.page);
    for node in said.wrote(page.expect("the page is named")) {
        assert_eq!(list(&node["blocks"]).len(), 0, "{node}");
        assert_eq!(lines(node).len(), 0, "{node}");
    }
}

/// The example in a release build, as a user has it.
fn released() -> PathBuf {
    let target =
        Path::new(SCENARIOS).parent().and_then(Path::parent).expect("a profile lies in the target directory");
    let words = ["build", "--quiet", "--release", "-p", "false_sharing", "--target-dir"];
    let cargo = alone(env!("CARGO"), words).option(target).change(|command| {
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
    });
    // From nothing, on a machine that has other things to do.
    cargo.start().within(Duration::from_secs(900)).finish().with_code(0);
    target.join("release/false_sharing")
}

/// What a release build says on two nodes that serve each other's pages.
fn said_by(built: &Path) -> String {
    let nothing: [&str; 0] = [];
    let run = program(2, built, nothing).option("--hot-pages=2");
    let ended = run.finish().with_code(0);
    assert_eq!(ended.stdout, "30421755 numbers below 268435456 have 12 ones\n");
    ended.stderr
}

#[test]
fn a_release_build_tells_lines_or_how_to_get_them() {
    let built = released();
    let source = include_str!("../../../examples/false_sharing/src/main.rs");
    let line = |text: &str| 1 + source.lines().position(|line| line.contains(text)).expect("it is there");
    // The function is inlined; its name comes without a path.
    let counts = format!("main.rs:{} in ", line("fetch_add"));
    let allocates =
        format!("examples/false_sharing/src/main.rs:{} in false_sharing::main", line("let counters"));
    let words = said_by(&built);
    assert!(words.contains(&counts) && words.contains("each node its own bytes"), "{words}");
    assert!(words.contains(&allocates), "{words}");
    assert!(!words.contains("are not known"), "{words}");
    assert!(!said_by(&built.with_file_name("false_sharing_mended")).contains("each node its own bytes"));

    let scratch = Scratch::new();
    for (how, parts) in [
        ("--strip-debug", ["lines are not known: set debug = ", "an unknown line in false_sharing::main"]),
        ("--strip-all", ["for the program is stripped: set strip = ", "an unknown line in ?"]),
    ] {
        let stripped = scratch.file("false_sharing");
        alone("strip", [how, "-o"]).option(&stripped).option(&built).finish().with_code(0);
        let words = said_by(&stripped);
        assert!(parts.iter().all(|part| words.contains(part)), "{how}: {words}");
        assert!(!words.contains("main.rs:"), "{how}: {words}");
    }
}

#[test]
fn nothing_is_hot_where_nothing_is_shared() {
    let (ended, report) = report(scenario(1, "false_sharing"));
    assert!(ended.stderr.contains("dstd: no page faulted"), "{}", ended.stderr);
    assert_eq!(list(&report["hot_pages"]).len(), 0);
}

#[test]
fn top_shows_a_running_program() {
    let running = scenario(2, "run_contended").option("--hot-pages").start();
    running.wait_for("both run\n");
    let top = |job: &str| alone(LAUNCH, ["top", job, "--count", "2", "--interval", "1s"]).finish();
    let text = top(&running.launcher().to_string()).with_code(0).stdout;
    assert_eq!(text.matches(": 2 nodes\n").count(), 2, "{text}");
    assert!(text.contains("  node 0: ") && text.contains("  node 1: "), "{text}");
    assert!(text.contains("contention.rs:"), "{text}");
    kill(running.launcher());
    running.finish().with_code(137);
    top("1000000000").with_code(64);
}

/// Node 1 waits for a file before it is a program of dstd at all: until then no node can begin to run.
#[test]
fn top_waits_for_nodes_that_start_and_ends_with_them() {
    let scratch = Scratch::new();
    let gate = scratch.file("gate");
    let start = "echo \"start $DSTD_RANK\"; [ $DSTD_RANK = 0 ] || until [ -e \"$1\" ]; do sleep 0.02; done; \
                 shift; exec \"$@\"";
    let words: [&OsStr; 6] = [
        "-c".as_ref(),
        start.as_ref(),
        "sh".as_ref(),
        gate.as_ref(),
        SCENARIOS.as_ref(),
        "run_contended".as_ref(),
    ];
    let running = program(2, "/bin/sh", words).option("--connect-timeout").option("150s").start();
    running.wait_for("start 1\n");
    let top = alone(LAUNCH, ["top", &running.launcher().to_string(), "--interval", "50ms"]).start();
    assert_eq!(top.wait_for("nodes start\n").lines().count(), 1);
    fs::write(&gate, "").expect("the directory is ours");
    top.wait_for(": 2 nodes\n");
    running.wait_for("both run\n");
    kill(running.launcher());
    running.finish().with_code(137);
    top.finish().with_code(0);
}

#[test]
fn top_ends_with_nodes_that_never_run() {
    let words = ["-c", "echo \"start $DSTD_RANK\"; exec sleep 200"];
    let running = program(2, "/bin/sh", words).option("--connect-timeout").option("150s").start();
    running.wait_for("start 1\n");
    let top = alone(LAUNCH, ["top", &running.launcher().to_string()]).start();
    top.wait_for("nodes start\n");
    kill(running.launcher());
    running.finish().with_code(137);
    assert_eq!(top.finish().with_code(0).stdout.lines().count(), 1);
}
