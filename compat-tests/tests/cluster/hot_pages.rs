//! A person finds the page that several nodes fight for, and the lines that do.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::harness::{Ended, LAUNCH, Run, Scratch, scenario};

/// Every way in which faults are served.
const WAYS: [&str; 3] = ["kernel", "user", "signal"];

fn report(run: Run) -> (Ended, Value) {
    let scratch = Scratch::new();
    let file = scratch.file("report.json");
    let ended = run.option("--report-json").option(&file).option("--hot-pages").finish().with_code(0);
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

#[test]
fn false_sharing_has_a_page_two_lines_and_two_nodes() {
    for way in WAYS {
        let (ended, report) = report(scenario(2, "neighbours").variable("DSTD_FAULTS", way));
        let said = ended.stdout.strip_prefix("ok neighbours ").expect("the page and the lines");
        let said: Vec<&str> = said.split_whitespace().collect();
        let pages = list(&report["hot_pages"]);
        let page = pages.iter().find(|page| page["page"] == said[0]).expect("the page is named");
        assert_eq!(page["kind"], "heap", "{page}");
        assert_eq!(pages[0]["page"], said[0], "{way}: it is the hottest: {pages:?}");
        let writers = writers(page);
        assert_eq!(writers.len(), 2, "{way}: {page}");
        assert_eq!(page["apart"], true, "{way}: {page}");
        for (rank, node) in writers.iter().enumerate() {
            assert_eq!(node["rank"], rank);
            let line = said[1 + rank].parse().expect("a line");
            let main = &node["sites"][0];
            assert!(lines(node).contains(&line), "{way}: no line {line} in {page}");
            assert!(main["file"].as_str().expect("a file").ends_with("contention.rs"), "{way}: {page}");
            assert!(main["function"].as_str().expect("a function").contains("neighbours"), "{way}: {page}");
        }
        // The same in words.
        let words = &ended.stderr;
        assert!(words.contains(&format!("dstd: page {} (heap, home ", said[0])), "{words}");
        for line in &said[1..] {
            assert!(words.contains(&format!("contention.rs:{line} in ")), "{words}");
        }
        assert!(words.contains("0 -> 1: ") && words.contains("1 -> 0: "), "{words}");
    }
}

#[test]
fn counters_of_a_vec_are_found() {
    let (_, report) = report(scenario(2, "false_sharing"));
    let hot = &report["hot_pages"][0];
    let writers = writers(hot);
    assert_eq!(writers.len(), 2, "{hot}");
    for node in writers {
        let site = &node["sites"][0];
        assert!(site["function"].as_str().expect("a function").contains("false_sharing"), "{hot}");
    }
}

#[test]
fn nothing_is_hot_where_nothing_is_shared() {
    let scratch = Scratch::new();
    let file = scratch.file("report.json");
    let ended =
        scenario(1, "false_sharing").option("--report-json").option(&file).option("--hot-pages").finish();
    let words = ended.with_code(0).stderr;
    assert!(words.contains("dstd: no page faulted"), "{words}");
    let text = fs::read_to_string(file).expect("the report is written");
    let report: Value = serde_json::from_str(&text).expect("the report is JSON");
    assert_eq!(list(&report["hot_pages"]).len(), 0);
}

#[test]
fn top_shows_a_running_program() {
    let running = scenario(2, "run_contended").start();
    running.wait_for("both run\n");
    let top = |job: &str| {
        let views = ["top", job, "--count", "2", "--interval", "300ms"];
        Command::new(LAUNCH).args(views).output().expect("it runs")
    };
    let seen = top(&running.launcher().to_string());
    let text = String::from_utf8_lossy(&seen.stdout).into_owned();
    assert_eq!(seen.status.code(), Some(0), "{}", String::from_utf8_lossy(&seen.stderr));
    assert_eq!(text.matches(": 2 nodes\n").count(), 2, "{text}");
    assert!(text.contains("  node 0: ") && text.contains("  node 1: "), "{text}");
    assert!(text.contains("contention.rs:"), "{text}");
    crate::harness::kill(running.launcher());
    running.finish().with_code(137);
    let seen = top("1000000000");
    assert_eq!(seen.status.code(), Some(64));
}
