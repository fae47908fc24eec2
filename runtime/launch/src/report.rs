//! What happened, as JSON: `runtime/docs/report.md` explains each key.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use dstd_control::stats::blocks::Blocks;
use dstd_control::stats::cell::get;
use dstd_control::stats::hot;
use dstd_control::stats::{FaultService, KINDS, Stats};
use serde::Serialize;

use self::pages::HotPage;
use crate::symbols::Symbols;
use crate::verdict::{Origin, Verdict};

pub(crate) mod pages;
pub(crate) mod words;

/// Changes when a key changes its meaning or goes away.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
pub(crate) struct Report {
    schema: u32,
    pub(crate) job: String,
    pub(crate) program: String,
    pub(crate) args: Vec<String>,
    pub(crate) transport: &'static str,
    engine: &'static str,
    mode: &'static str,
    wall_s: f64,
    exit: Exit,
    pub(crate) nodes: Vec<Node>,
    pub(crate) hot_pages: Vec<HotPage>,
    /// How a person gets to see more.
    #[serde(skip)]
    advice: Option<&'static str>,
}

#[derive(Serialize)]
struct Exit {
    origin: &'static str,
    node: Option<u16>,
    code: i32,
    reason: String,
}

#[derive(Serialize)]
pub(crate) struct Node {
    pub(crate) rank: u16,
    host: String,
    pid: Option<u32>,
    threads_run: u64,
    peak_rss_bytes: u64,
    sent: BTreeMap<&'static str, Sent>,
    pub(crate) peers: Vec<Peer>,
    faults: Faults,
    remote_frees: u64,
    heap: Heap,
    futex: Futex,
    pages: Pages,
    /// What the report says of all nodes' hot pages comes from here.
    #[serde(skip)]
    pub(crate) hot: Vec<hot::HotPage>,
    #[serde(skip)]
    pub(crate) blocks: Blocks,
    #[serde(skip)]
    pub(crate) image_bias: u64,
}

/// What a node had to do with the node `rank`.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Peer {
    pub(crate) rank: u16,
    pub(crate) faults: u64,
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

#[derive(Serialize)]
struct Sent {
    messages: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct Faults {
    service: Option<&'static str>,
    read: u64,
    write: u64,
    upgrade: u64,
}

#[derive(Serialize)]
struct Heap {
    in_use_bytes: u64,
    returned_bytes: u64,
    striped_peak_bytes: u64,
}

#[derive(Serialize)]
struct Futex {
    wait: u64,
    wake: u64,
}

#[derive(Serialize)]
struct Pages {
    evicted: u64,
    discarded: u64,
}

impl Node {
    /// A node that ran: `peak_rss_bytes` is what the kernel says, `pid` is 0 when nobody knows it.
    pub(crate) fn new(
        rank: u16,
        nodes: u16,
        host: &str,
        pid: u32,
        peak_rss_bytes: u64,
        stats: &Stats,
    ) -> Node {
        let sent = KINDS.iter().zip(&stats.sent);
        Node {
            rank,
            host: host.to_owned(),
            pid: (pid > 0).then_some(pid),
            threads_run: get(&stats.threads_run),
            peak_rss_bytes: peak_rss_bytes.max(get(&stats.peak_rss_bytes)),
            sent: sent
                .map(|(name, sent)| (*name, Sent { messages: get(&sent.messages), bytes: get(&sent.bytes) }))
                .collect(),
            peers: peers(nodes, stats),
            faults: Faults {
                service: stats.fault_service().map(FaultService::name),
                read: get(&stats.faults_read),
                write: get(&stats.faults_write),
                upgrade: get(&stats.faults_upgrade),
            },
            remote_frees: get(&stats.remote_frees),
            heap: Heap {
                in_use_bytes: get(&stats.heap_in_use_bytes),
                returned_bytes: get(&stats.heap_returned_bytes),
                striped_peak_bytes: get(&stats.striped_peak_bytes),
            },
            futex: Futex { wait: get(&stats.futex_wait), wake: get(&stats.futex_wake) },
            pages: Pages { evicted: get(&stats.pages_evicted), discarded: get(&stats.pages_discarded) },
            hot: stats.hot.pages(),
            blocks: stats.blocks.read(),
            image_bias: get(&stats.image_bias),
        }
    }

    /// A node that was never started.
    pub(crate) fn absent(rank: u16, nodes: u16, host: &str) -> Node {
        Node {
            rank,
            host: host.to_owned(),
            pid: None,
            threads_run: 0,
            peak_rss_bytes: 0,
            sent: KINDS.iter().map(|name| (*name, Sent { messages: 0, bytes: 0 })).collect(),
            peers: (0..nodes).map(|rank| Peer { rank, faults: 0, messages: 0, bytes: 0 }).collect(),
            faults: Faults { service: None, read: 0, write: 0, upgrade: 0 },
            remote_frees: 0,
            heap: Heap { in_use_bytes: 0, returned_bytes: 0, striped_peak_bytes: 0 },
            futex: Futex { wait: 0, wake: 0 },
            pages: Pages { evicted: 0, discarded: 0 },
            hot: Vec::new(),
            blocks: Blocks::default(),
            image_bias: 0,
        }
    }
}

/// What `stats` say of each node of a program of `nodes` nodes.
fn peers(nodes: u16, stats: &Stats) -> Vec<Peer> {
    let peer = |(rank, peer): (u16, &dstd_control::stats::Peer)| Peer {
        rank,
        faults: get(&peer.faults),
        messages: get(&peer.sent.messages),
        bytes: get(&peer.sent.bytes),
    };
    (0..nodes).zip(&stats.peers).map(peer).collect()
}

/// What is known of a job before it runs.
pub(crate) struct Heading {
    pub(crate) job: String,
    pub(crate) program: String,
    pub(crate) args: Vec<String>,
    pub(crate) transport: &'static str,
    pub(crate) mode: &'static str,
}

impl Report {
    pub(crate) fn new(heading: &Heading, wall_s: f64, verdict: &Verdict, nodes: Vec<Node>) -> Report {
        // Reading a program's debug information takes its time.
        let any = nodes.iter().any(|node| !node.hot.is_empty());
        let symbols = if any { Symbols::of(Path::new(&heading.program)) } else { Symbols::none() };
        let hot_pages = pages::merge(&nodes, &symbols, pages::PAGES_MAX);
        let advice = pages::advice(&hot_pages, &symbols);
        Report {
            schema: SCHEMA,
            job: heading.job.clone(),
            program: heading.program.clone(),
            args: heading.args.clone(),
            transport: heading.transport,
            engine: "page",
            mode: heading.mode,
            wall_s,
            exit: Exit {
                origin: match verdict.origin {
                    Origin::Main => "main",
                    Origin::Exit => "exit",
                    Origin::Node => "node",
                    Origin::Launcher => "launcher",
                },
                node: verdict.node,
                code: verdict.code,
                reason: verdict.reason.clone(),
            },
            nodes,
            hot_pages,
            advice,
        }
    }

    /// Writes the report and a line end.
    pub(crate) fn write(&self, file: &mut File) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        file.write_all(&text)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use dstd_control::stats::StatsBlock;
    use dstd_control::stats::blocks::{PageOfBlocks, TRACE_CALLS};
    use serde_json::{Value, json};

    fn report(nodes: Vec<Node>) -> Value {
        serde_json::to_value(report_of("/p", nodes)).unwrap()
    }

    pub(super) fn report_of(program: &str, nodes: Vec<Node>) -> Report {
        let heading = Heading {
            job: "j".to_owned(),
            program: program.to_owned(),
            args: vec!["a".to_owned()],
            transport: "tcp",
            mode: "no-direct",
        };
        let verdict = Verdict { origin: Origin::Node, node: Some(1), code: 137, reason: "why".to_owned() };
        Report::new(&heading, 1.5, &verdict, nodes)
    }

    /// Makes `stats` say that blocks of 32 bytes lie on the page at 0x2000.
    fn describe(stats: &Stats) {
        let table = &stats.blocks;
        let row = table.ask(0x2000).or_else(|| table.ask(0x2000)).unwrap();
        let page = PageOfBlocks { first: 0x2000, bytes: 32 };
        table.describe(row, page, [1].into_iter(), |_| [0; TRACE_CALLS]);
    }

    #[test]
    fn every_key_is_there_with_its_number() {
        let stats = StatsBlock::private().unwrap();
        stats.threads_run.store(3, Ordering::Relaxed);
        stats.peak_rss_bytes.store(100, Ordering::Relaxed);
        stats.set_fault_service(FaultService::User);
        stats.faults_read.store(4, Ordering::Relaxed);
        stats.faults_write.store(5, Ordering::Relaxed);
        stats.faults_upgrade.store(6, Ordering::Relaxed);
        stats.remote_frees.store(7, Ordering::Relaxed);
        stats.futex_wait.store(8, Ordering::Relaxed);
        stats.futex_wake.store(9, Ordering::Relaxed);
        stats.pages_evicted.store(10, Ordering::Relaxed);
        stats.pages_discarded.store(11, Ordering::Relaxed);
        stats.heap_in_use_bytes.store(12, Ordering::Relaxed);
        stats.heap_returned_bytes.store(13, Ordering::Relaxed);
        stats.striped_peak_bytes.store(14, Ordering::Relaxed);
        stats.add_sent(1, 1, 4096);
        stats.peers[0].faults.store(15, Ordering::Relaxed);
        let fault = hot::HotFault { address: 0x2008, write: true, kind: hot::PageKind::Heap, home: 0 };
        let row = stats.hot.fault(4096, fault);
        stats.hot.sample(row, 0x77, [0; 4]);
        describe(&stats);
        let mut value = report(vec![Node::new(0, 2, "h", 42, 50, &stats)]);

        let sent = value["nodes"][0]["sent"].take();
        assert_eq!(sent.as_object().unwrap().len(), KINDS.len());
        for name in KINDS {
            let expected = if *name == "page_grant" { (1, 4096) } else { (0, 0) };
            assert_eq!(sent[name], json!({"messages": expected.0, "bytes": expected.1}), "{name}");
        }
        assert_eq!(
            value,
            json!({
                "schema": 1, "job": "j", "program": "/p", "args": ["a"],
                "transport": "tcp", "engine": "page", "mode": "no-direct", "wall_s": 1.5,
                "exit": {"origin": "node", "node": 1, "code": 137, "reason": "why"},
                "nodes": [{
                    "rank": 0, "host": "h", "pid": 42, "threads_run": 3, "peak_rss_bytes": 100, "sent": null,
                    "peers": [
                        {"rank": 0, "faults": 15, "messages": 0, "bytes": 0},
                        {"rank": 1, "faults": 0, "messages": 1, "bytes": 4096}
                    ],
                    "faults": {"service": "user", "read": 4, "write": 5, "upgrade": 6}, "remote_frees": 7,
                    "heap": {"in_use_bytes": 12, "returned_bytes": 13, "striped_peak_bytes": 14},
                    "futex": {"wait": 8, "wake": 9}, "pages": {"evicted": 10, "discarded": 11}
                }],
                "hot_pages": [{
                    "page": "0x2000", "kind": "heap", "home": 0, "faults": 1, "apart": false,
                    "nodes": [{
                        "rank": 0, "read": 0, "write": 1, "excess": 0, "first_byte": 8, "last_byte": 8,
                        "sites": [{"address": "0x77", "samples": 1, "function": null, "file": null, "line": null}],
                        "blocks": [{
                            "address": "0x2000", "bytes": 32, "name": null, "perhaps": false,
                            "function": null, "file": null, "line": null
                        }]
                    }]
                }]
            })
        );
    }

    #[test]
    fn a_node_that_never_ran_has_the_same_keys() {
        let stats = StatsBlock::private().unwrap();
        let value = report(vec![Node::new(0, 2, "h", 42, 50, &stats), Node::absent(1, 2, "h")]);
        let keys = |node: &Value| node.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&value["nodes"][0]), keys(&value["nodes"][1]));
        assert_eq!(value["nodes"][1]["pid"], Value::Null);
        assert_eq!(value["nodes"][1]["sent"].as_object().unwrap().len(), KINDS.len());
    }

    #[test]
    fn every_key_is_explained() {
        let text = include_str!("../../docs/report.md");
        let stats = StatsBlock::private().unwrap();
        let fault = hot::HotFault { address: 1, write: true, kind: hot::PageKind::Heap, home: 0 };
        stats.hot.sample(stats.hot.fault(4096, hot::HotFault { address: 0x2008, ..fault }), 1, [0; 4]);
        describe(&stats);
        let value = report(vec![Node::new(0, 2, "h", 1, 1, &stats)]);
        let mut missing = Vec::new();
        let mut look = |value: &Value| {
            for key in value.as_object().unwrap().keys() {
                if !text.contains(&format!("`{key}`")) {
                    missing.push(key.clone());
                }
            }
        };
        [
            &value,
            &value["exit"],
            &value["nodes"][0],
            &value["nodes"][0]["faults"],
            &value["nodes"][0]["futex"],
            &value["nodes"][0]["pages"],
            &value["nodes"][0]["peers"][0],
            &value["hot_pages"][0],
            &value["hot_pages"][0]["nodes"][0],
            &value["hot_pages"][0]["nodes"][0]["sites"][0],
            &value["hot_pages"][0]["nodes"][0]["blocks"][0],
        ]
        .into_iter()
        .for_each(&mut look);
        look(&value["nodes"][0]["sent"]["ship"]);
        look(&value["nodes"][0]["sent"]);
        assert_eq!(missing, [""; 0]);
    }
}
