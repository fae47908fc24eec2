//! `--report-json` is written however the run ends, with all its keys.

use std::fs;

use serde_json::Value;

use crate::harness::{Run, Scratch, direct, kill, over, program, scenario};

const KEYS: &[&str] = &[
    "schema",
    "job",
    "program",
    "args",
    "transport",
    "engine",
    "mode",
    "wall_s",
    "exit",
    "nodes",
    "hot_pages",
];
const EXIT_KEYS: &[&str] = &["origin", "node", "code", "reason"];
const NODE_KEYS: &[&str] = &[
    "rank",
    "host",
    "pid",
    "threads_run",
    "peak_rss_bytes",
    "sent",
    "peers",
    "faults",
    "remote_frees",
    "heap",
    "futex",
    "pages",
];

fn has_keys(value: &Value, keys: &[&str]) {
    for key in keys {
        assert!(value.get(key).is_some(), "no {key:?} in {value}");
    }
}

/// Runs it to its end with a report, checks that the report is whole, and returns it.
fn report(run: Run, nodes: usize, code: i32) -> Value {
    let scratch = Scratch::new();
    let file = scratch.file("report.json");
    run.option("--report-json").option(&file).finish().with_code(code);
    read(&fs::read_to_string(file).expect("the report is written"), nodes)
}

fn read(text: &str, nodes: usize) -> Value {
    let report: Value = serde_json::from_str(text).expect("the report is JSON");
    has_keys(&report, KEYS);
    has_keys(&report["exit"], EXIT_KEYS);
    let listed = report["nodes"].as_array().expect("a list of nodes");
    assert_eq!(listed.len(), nodes);
    for (rank, node) in listed.iter().enumerate() {
        has_keys(node, NODE_KEYS);
        has_keys(&node["faults"], &["service", "read", "write", "upgrade"]);
        has_keys(&node["heap"], &["in_use_bytes", "returned_bytes", "striped_peak_bytes"]);
        has_keys(&node["futex"], &["wait", "wake"]);
        has_keys(&node["pages"], &["evicted", "discarded"]);
        assert_eq!(node["rank"], rank);
        pairs_add_up(node, nodes);
        for sent in node["sent"].as_object().expect("an object by kind of message").values() {
            has_keys(sent, &["messages", "bytes"]);
        }
    }
    report
}

/// What is told by pair of nodes is what is told by kind, divided otherwise.
fn pairs_add_up(node: &Value, nodes: usize) {
    let peers = node["peers"].as_array().expect("a list of nodes");
    assert_eq!(peers.len(), nodes);
    let by_pair = |key: &str| peers.iter().map(|peer| number(&peer[key])).sum::<u64>();
    let sent = node["sent"].as_object().expect("an object by kind of message");
    let by_kind = |key: &str| sent.values().map(|kind| number(&kind[key])).sum::<u64>();
    assert_eq!((by_pair("messages"), by_pair("bytes")), (by_kind("messages"), by_kind("bytes")), "{node}");
    let faults = ["read", "write", "upgrade"].iter().map(|kind| number(&node["faults"][kind])).sum::<u64>();
    assert_eq!(by_pair("faults"), faults, "{node}");
}

fn number(value: &Value) -> u64 {
    value.as_u64().expect("a whole number")
}

#[test]
fn of_a_run_that_passes() {
    let report = report(scenario(3, "reads_collections").argument("--top").argument("5"), 3, 0);
    assert_eq!(report["args"], serde_json::json!(["reads_collections", "--top", "5"]));
    assert_eq!((&report["transport"], &report["mode"]), (&Value::from("shm"), &Value::from("no-direct")));
    assert_eq!(report["exit"]["code"], 0);
    assert!(report["wall_s"].as_f64().expect("seconds") > 0.0);
    for node in report["nodes"].as_array().expect("a list") {
        assert!(number(&node["threads_run"]) > 0, "{node}");
        assert!(number(&node["peak_rss_bytes"]) > 1 << 20, "{node}");
        let messages =
            node["sent"].as_object().expect("an object").values().map(|kind| number(&kind["messages"]));
        assert!(messages.sum::<u64>() > 0, "{node}");
    }
    // The last node built what nodes 0 and 1 read.
    for rank in [0, 1] {
        assert!(number(&report["nodes"][rank]["faults"]["read"]) > 10, "{report}");
    }
}

/// What libc, std and the kernel keep beside a thread's lent thread-locals is on other pages: the owner faults for
/// what it touches itself, not for each of its 3000 turns.
#[test]
fn of_a_run_that_lends_a_thread_local() {
    let report = report(scenario(2, "lent_quiet"), 2, 0);
    let faults = &report["nodes"][0]["faults"];
    let count: u64 = ["read", "write", "upgrade"].iter().map(|kind| number(&faults[kind])).sum();
    assert!((1..300).contains(&count), "{faults}");
}

#[test]
fn of_a_run_that_exits_elsewhere() {
    let report = report(scenario(2, "exit_last"), 2, 7);
    assert_eq!((&report["exit"]["code"], &report["exit"]["node"]), (&Value::from(7), &Value::from(1)));
}

#[test]
fn of_a_run_that_is_stopped() {
    let report = report(scenario(2, "private_mapping"), 2, 72);
    assert_eq!((&report["exit"]["code"], &report["exit"]["node"]), (&Value::from(72), &Value::from(1)));
    assert!(report["exit"]["reason"].as_str().expect("words").contains("touched"), "{report}");
}

#[test]
fn of_a_run_that_never_starts() {
    let leave = "if [ \"$DSTD_RANK\" = 1 ]; then exit 3; else exec sleep 60; fi";
    let report = report(program(2, "/bin/sh", ["-c", leave]), 2, 69);
    assert_eq!((&report["exit"]["code"], &report["exit"]["node"]), (&Value::from(69), &Value::from(1)));
    assert!(report["exit"]["reason"].as_str().expect("words").contains("status 3"), "{report}");
}

#[test]
fn of_a_run_that_loses_a_node() {
    let scratch = Scratch::new();
    let file = scratch.file("report.json");
    let running = scenario(2, "run_on").option("--report-json").option(&file).start();
    let stdout = running.wait_for("all run\n");
    let pid = stdout.lines().find_map(|line| line.strip_prefix("node 1 is process ")?.parse().ok());
    kill(pid.expect("it says so"));
    running.finish().with_code(137);
    let report = read(&fs::read_to_string(file).expect("the report is written"), 2);
    assert_eq!((&report["exit"]["code"], &report["exit"]["node"]), (&Value::from(137), &Value::from(1)));
    assert_eq!(report["nodes"][1]["pid"], pid.expect("it says so"));
    assert!(number(&report["nodes"][0]["threads_run"]) > 0);
}

/// A page that its home has given to a third node: three messages one after the other, and what keeps the home informed.
#[test]
fn of_pages_of_three_parties() {
    const KINDS: [&str; 9] = [
        "page_request",
        "page_grant",
        "page_pass",
        "page_passed",
        "page_installed",
        "page_invalidate",
        "page_invalidated",
        "page_fetch",
        "page_return",
    ];
    let sent = |transport: &str, pages: &str| {
        let run = over(transport, 3, "three_parties").variable("DSTD_WINDOW", "1").argument(pages);
        let report = report(run, 3, 0);
        let nodes = report["nodes"].as_array().expect("a list");
        KINDS.map(|kind| nodes.iter().map(|node| number(&node["sent"][kind]["messages"])).sum::<u64>())
    };
    for transport in ["tcp", "shm"] {
        let (few, many) = (sent(transport, "20"), sent(transport, "270"));
        let of_a_page: Vec<f64> =
            many.iter().zip(few).map(|(many, few)| (many - few) as f64 / 250.0).collect();
        // Node 2 writes: request, grant. Node 0 reads: request, pass, passed to it and to the home, installed. Node 2
        // writes again: request, invalidate, invalidated, grant. Node 0 writes: request, pass, passed, installed.
        assert_eq!(of_a_page, [4.0, 2.0, 2.0, 3.0, 2.0, 1.0, 1.0, 0.0, 0.0]);
    }
}

/// A call on another node's descriptor is two messages: there and back.
#[test]
fn of_calls_on_descriptors() {
    let ships = |run: Run, calls: &str| {
        let report = report(run.argument(calls), 2, 0);
        report["nodes"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|node| number(&node["sent"]["ship"]["messages"]))
            .sum::<u64>()
    };
    for run in [scenario, direct] {
        let (few, many) = (ships(run(2, "shipped_counted"), "20"), ships(run(2, "shipped_counted"), "270"));
        assert_eq!(many - few, 2 * 250);
    }
}

/// A thread that std starts on another node is two messages to start and two to join; without `--spread` it is none.
#[test]
fn of_threads_of_std_on_another_node() {
    let ships = |run: Run, which: &str, threads: &str| {
        let report = report(run.option("--spread").option(which).argument(threads), 2, 0);
        let nodes = report["nodes"].as_array().expect("a list");
        nodes.iter().map(|node| number(&node["sent"]["ship"]["messages"])).sum::<u64>()
    };
    for run in [scenario, direct] {
        for (which, each) in [("all", 4), ("none", 0)] {
            let [few, many] = ["20", "270"].map(|threads| ships(run(2, "spread_counted"), which, threads));
            assert_eq!(many - few, each * 250, "--spread {which}");
        }
    }
}

/// Two nodes write by turns, 200 times each, to counters of their own.
#[test]
fn of_runs_whose_counters_lie_together_and_apart() {
    let transfers = |name| {
        let report = report(scenario(3, name), 3, 0);
        let of = |rank: usize| {
            let faults = &report["nodes"][rank]["faults"];
            number(&faults["read"]) + number(&faults["write"]) + number(&faults["upgrade"])
        };
        of(1) + of(2)
    };
    // At every turn, but for the first ones of a node.
    assert!(transfers("turns_together") >= 390);
    assert!(transfers("turns_apart") < 20);
    assert!(transfers("statics_apart") < 20);
}
