//! Where the faults of a run came from, for a person.

use std::path::Path;

use super::pages::{Block, HotPage, Site, Toucher};
use super::{Peer, Report};
use crate::symbols::Place;

impl Report {
    /// Who served whose faults, and the `most` hottest pages.
    pub(crate) fn hot_pages_in_words(&self, most: usize) -> String {
        let mut text = String::from("faults and bytes sent, by node and by the node they went to:\n");
        let pairs: Vec<(u16, &Peer)> =
            self.nodes.iter().flat_map(|node| node.peers.iter().map(|peer| (node.rank, peer))).collect();
        for (rank, peer) in pairs.iter().filter(|(_, peer)| peer.faults > 0 || peer.messages > 0) {
            let Peer { rank: to, faults, messages, bytes } = peer;
            line(
                &mut text,
                format_args!("  {rank} -> {to}: {faults} faults, {messages} messages, {bytes} bytes"),
            );
        }
        if self.hot_pages.is_empty() {
            line(&mut text, format_args!("no page faulted"));
        }
        self.hot_pages.iter().take(most).for_each(|page| add_page(&mut text, page));
        if let Some(advice) = self.advice {
            line(&mut text, format_args!("{advice}"));
        }
        text
    }
}

/// A page with fewer faults may have been where nodes met once, each on its way to something else.
const HINT_FAULTS_MIN: u64 = 8;

/// Adds a page with those who touched it.
pub(crate) fn add_page(text: &mut String, page: &HotPage) {
    let HotPage { page: address, kind, home, faults, apart, nodes } = page;
    let is_suspect = *apart && *faults >= HINT_FAULTS_MIN;
    let hint = if is_suspect { ", each node its own bytes of it: false sharing?" } else { "" };
    line(text, format_args!("page {address} ({kind}, home {home}): {faults} faults{hint}"));
    for node in nodes {
        let Toucher { rank, read, write, first_byte, last_byte, sites, blocks, .. } = node;
        let bytes = if first_byte == last_byte {
            format!("byte {first_byte}")
        } else {
            format!("bytes {first_byte} to {last_byte}")
        };
        line(text, format_args!("  node {rank}: {write} writes, {read} reads, {bytes}"));
        sites.iter().for_each(|site| line(text, format_args!("    {}", site_in_words(site))));
        for block in blocks {
            let perhaps = if block.perhaps { "perhaps " } else { "" };
            line(text, format_args!("    {perhaps}in {}", block_in_words(block)));
        }
    }
}

fn site_in_words(site: &Site) -> String {
    let plural = if site.samples == 1 { "" } else { "s" };
    format!("{} ({} sample{plural})", place_in_words(&site.place, &site.address), site.samples)
}

fn block_in_words(block: &Block) -> String {
    match (&block.name, block.bytes) {
        (Some(name), _) => format!("the static {name}"),
        (None, bytes) => {
            let bytes = bytes.unwrap_or(0);
            let place = place_in_words(&block.place, "an unknown line");
            format!("the {bytes} bytes at {}, allocated at {place}", block.address)
        }
    }
}

/// The line, or else the function beside `address`.
fn place_in_words(place: &Place, address: &str) -> String {
    let function = place.function.as_deref().unwrap_or("?");
    match (&place.file, place.line) {
        (Some(file), Some(line)) => format!("{}:{line} in {function}", from_here(file)),
        _ => format!("{address} in {function}"),
    }
}

/// The path as a person sees it who works in this directory; std's begins with `library`.
fn from_here(file: &str) -> String {
    if let Some((_, stds)) = file.strip_prefix("/rustc/").and_then(|rest| rest.split_once('/')) {
        return stds.to_owned();
    }
    let here = std::env::current_dir().ok();
    let file = Path::new(file);
    here.and_then(|here| file.strip_prefix(here).ok()).unwrap_or(file).display().to_string()
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    text.push_str(&words.to_string());
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use dstd_control::stats::StatsBlock;
    use dstd_control::stats::hot;

    use super::*;
    use crate::report::Node;
    use crate::report::tests::report_of;

    #[test]
    fn a_page_with_few_faults_is_no_suspect() {
        for (faults, apart, hinted) in [(8, true, true), (7, true, false), (900, false, false)] {
            let page = HotPage {
                page: "0x1000".to_owned(),
                kind: "heap",
                home: 0,
                faults,
                apart,
                nodes: Vec::new(),
            };
            let mut text = String::new();
            add_page(&mut text, &page);
            assert_eq!(text.contains("false sharing?"), hinted, "{text}");
        }
    }

    #[test]
    fn whatever_a_node_has_written_there_is_a_report() {
        let stats = StatsBlock::private().unwrap();
        let mut numbers = stats.snapshot();
        // All but the version.
        numbers[8..].fill(0xff);
        stats.restore(&numbers).unwrap();
        let mut nodes = [0, 1].map(|rank| Node::new(rank, 2, "h", 0, 0, &stats));
        for node in &mut nodes {
            let wild = node.hot[0].clone();
            assert_eq!((wild.page, wild.reads, wild.low), (u64::MAX, u64::MAX, u16::MAX));
            let kinds = [hot::PageKind::Heap, hot::PageKind::Striped, hot::PageKind::Static];
            node.hot = (0..)
                .zip(kinds)
                .map(|(at, kind)| hot::HotPage { page: u64::MAX - at, kind, home: 0, ..wild.clone() })
                .collect();
        }
        let program = std::env::current_exe().unwrap();
        let report = report_of(program.to_str().unwrap(), nodes.into());
        let faults: Vec<u64> = report.hot_pages.iter().map(|page| page.faults).collect();
        assert_eq!(faults, [u64::MAX; 3]);
        assert!(serde_json::to_string(&report).unwrap().contains("0xffffffffffffffff"));
        assert!(report.hot_pages_in_words(3).contains("0 -> 1: 18446744073709551615 faults"));
    }
}
