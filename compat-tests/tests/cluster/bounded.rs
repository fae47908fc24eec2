//! Nodes that may keep few pages of others.

use std::fs;

use serde_json::Value;

use crate::harness::{Run, Scratch, scenario};

fn bounded(nodes: usize, pages: u32, name: &str) -> Run {
    scenario(nodes, name).variable("DSTD_COPIES", &pages.to_string())
}

/// Runs it to its end; what the last line of stdout says and the pages that each node evicted.
fn evicted(run: Run, name: &str) -> (String, Vec<u64>) {
    let scratch = Scratch::new();
    let file = scratch.file("report.json");
    let finished = run.option("--report-json").option(&file).finish();
    let last = finished.stdout.lines().last().unwrap_or_default().to_owned();
    finished.ok(name);
    let text = fs::read_to_string(file).expect("the report is written");
    let report: Value = serde_json::from_str(&text).expect("the report is JSON");
    let nodes = report["nodes"].as_array().expect("a list of nodes");
    (last, nodes.iter().map(|node| node["pages"]["evicted"].as_u64().expect("a whole number")).collect())
}

#[test]
fn a_walk_through_another_nodes_memory_stays_small() {
    const KIB: u64 = 64 << 10;
    let (said, evicted) = evicted(bounded(2, 256, "foreign_stream"), "foreign_stream");
    let grown: u64 = said
        .split_once("grown ")
        .and_then(|(_, grown)| grown.strip_suffix(" KiB")?.parse().ok())
        .expect("it says how much it grew");
    // 1 MiB of copies, the state of all pages, and buffers; not 64 MiB.
    assert!(grown < KIB / 4, "grew by {grown} KiB");
    // All of it, once to write and once to read; the other node uses its own.
    assert!(evicted[1] > 2 * (KIB / 4) - 512, "{evicted:?}");
    assert!(evicted[0] < 512, "{evicted:?}");
}

#[test]
fn nobody_evicts_below_the_bound() {
    let (_, evicted) = evicted(scenario(2, "foreign_stream"), "foreign_stream");
    assert_eq!(evicted, [0, 0]);
}

/// 2 pages are brought up to the least that makes progress; 17 are an odd bound.
#[test]
fn few_pages_are_enough() {
    for pages in [2, 17] {
        for name in [
            "two_pages",
            "arc_mutex",
            "word_map",
            "reads_collections",
            "mpsc_boxes",
            "statics_program",
            "drop_glue",
        ] {
            bounded(3, pages, name).finish().ok(name);
        }
    }
}
