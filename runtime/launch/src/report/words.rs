//! Where the faults of a run came from, for a person.

use super::pages::{HotPage, Site, Toucher};
use super::{Peer, Report};

impl Report {
    /// Who served whose faults, and the `most` hottest pages.
    pub(crate) fn hot_pages_in_words(&self, most: usize) -> String {
        let mut text = String::from("faults and bytes sent, by node and by the node they went to:\n");
        let pairs: Vec<(u16, &Peer)> =
            self.nodes.iter().flat_map(|node| node.peers.iter().map(|peer| (node.rank, peer))).collect();
        for (rank, peer) in pairs.iter().filter(|(_, peer)| peer.faults + peer.messages > 0) {
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
        text
    }
}

/// Adds a page with those who touched it.
pub(crate) fn add_page(text: &mut String, page: &HotPage) {
    let HotPage { page: address, kind, home, faults, apart, nodes } = page;
    let hint = if *apart { ", each node its own bytes of it: false sharing?" } else { "" };
    line(text, format_args!("page {address} ({kind}, home {home}): {faults} faults{hint}"));
    for node in nodes {
        let Toucher { rank, read, write, first_byte, last_byte, sites, .. } = node;
        let bytes = if first_byte == last_byte {
            format!("byte {first_byte}")
        } else {
            format!("bytes {first_byte} to {last_byte}")
        };
        line(text, format_args!("  node {rank}: {write} writes, {read} reads, {bytes}"));
        sites.iter().for_each(|site| line(text, format_args!("    {}", in_words(site))));
    }
}

fn in_words(site: &Site) -> String {
    let place = &site.place;
    let function = place.function.as_deref().unwrap_or("?");
    match (&place.file, place.line) {
        (Some(file), Some(line)) => format!("{file}:{line} in {function} ({} samples)", site.samples),
        _ => format!("{} in {function} ({} samples)", site.address, site.samples),
    }
}

fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    text.push_str(&words.to_string());
    text.push('\n');
}
