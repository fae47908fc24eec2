//! The hot pages of all nodes, put together: which node touched which page from where.

use std::collections::BTreeMap;

use dstd_control::stats::hot;
use serde::Serialize;

use super::Node;
use crate::symbols::{Place, Symbols};

/// Pages that the report names.
const PAGES_MAX: usize = 32;

/// A page, and who touched it.
#[derive(Serialize, Debug)]
pub(crate) struct HotPage {
    /// Address of its first byte, in hexadecimal.
    pub(crate) page: String,
    pub(crate) kind: &'static str,
    pub(crate) home: u16,
    pub(crate) faults: u64,
    /// Whether nodes touched different bytes of it, and at least one wrote.
    pub(crate) apart: bool,
    pub(crate) nodes: Vec<Toucher>,
}

/// What a node did with a page.
#[derive(Serialize, Debug)]
pub(crate) struct Toucher {
    pub(crate) rank: u16,
    pub(crate) read: u64,
    pub(crate) write: u64,
    pub(crate) excess: u64,
    pub(crate) first_byte: u16,
    pub(crate) last_byte: u16,
    pub(crate) sites: Vec<Site>,
}

/// An instruction that touched a page, as a person knows it.
#[derive(Serialize, Debug)]
pub(crate) struct Site {
    pub(crate) address: String,
    pub(crate) samples: u64,
    #[serde(flatten)]
    pub(crate) place: Place,
}

/// Puts the tables of `nodes` together, whose program has these symbols; the page with the most faults comes first.
pub(crate) fn merge(nodes: &[Node], symbols: &Symbols) -> Vec<HotPage> {
    let mut touched: BTreeMap<u64, Vec<(&Node, &hot::HotPage)>> = BTreeMap::new();
    for node in nodes {
        for page in &node.hot {
            touched.entry(page.page).or_default().push((node, page));
        }
    }
    let faults = |by: &[(&Node, &hot::HotPage)]| by.iter().map(|(_, page)| page.reads + page.writes).sum();
    let mut pages: Vec<(u64, _)> = touched.into_values().map(|by| (faults(&by), by)).collect();
    pages.sort_by_key(|(faults, _)| std::cmp::Reverse(*faults));
    pages.truncate(PAGES_MAX);
    pages.into_iter().filter_map(|(faults, by)| page(faults, &by, symbols)).collect()
}

fn page(faults: u64, by: &[(&Node, &hot::HotPage)], symbols: &Symbols) -> Option<HotPage> {
    let (_, first) = by.first()?;
    let toucher = |(node, page): &(&Node, &hot::HotPage)| Toucher {
        rank: node.rank,
        read: page.reads,
        write: page.writes,
        excess: page.excess,
        first_byte: page.low,
        last_byte: page.high,
        sites: page.sites.iter().map(|at| site(node, at, symbols)).collect(),
    };
    let nodes: Vec<Toucher> = by.iter().map(toucher).collect();
    Some(HotPage {
        page: format!("{:#x}", first.page),
        kind: first.kind.name(),
        home: first.home,
        faults,
        apart: are_apart(&nodes),
        nodes,
    })
}

/// A person looks for the line of the program: that of the instruction, or where it is std's or a library's the
/// nearest one from which that seems to be called.
fn site(node: &Node, at: &hot::HotSite, symbols: &Symbols) -> Site {
    let find =
        |address: u64| address.checked_sub(node.image_bias).map(|at| symbols.find(at)).unwrap_or_default();
    let own = find(at.address);
    // A call ends before the address to which it returns.
    let called = || at.callers.iter().map(|caller| find(caller - 1)).find(Place::is_the_programs);
    let place = if own.is_the_programs() { own } else { called().unwrap_or(own) };
    Site { address: format!("{:#x}", at.address), samples: at.samples, place }
}

/// Whether no node touched bytes between those of another, and somebody wrote.
fn are_apart(nodes: &[Toucher]) -> bool {
    let mut spans: Vec<(u16, u16)> = nodes.iter().map(|node| (node.first_byte, node.last_byte)).collect();
    spans.sort_unstable();
    nodes.len() > 1
        && nodes.iter().any(|node| node.write > 0)
        && spans.windows(2).all(|pair| pair[0].1 < pair[1].0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toucher(first_byte: u16, last_byte: u16, write: u64) -> Toucher {
        Toucher { rank: 0, read: 5, write, excess: 0, first_byte, last_byte, sites: Vec::new() }
    }

    #[test]
    fn nodes_are_apart_when_no_bytes_are_common_and_one_writes() {
        for (nodes, apart) in [
            (vec![toucher(0, 8, 1), toucher(16, 24, 0)], true),
            (vec![toucher(16, 24, 0), toucher(0, 8, 1)], true),
            (vec![toucher(0, 8, 0), toucher(16, 24, 0)], false),
            (vec![toucher(0, 16, 1), toucher(16, 24, 1)], false),
            (vec![toucher(0, 100, 1), toucher(16, 24, 1)], false),
            (vec![toucher(0, 8, 1)], false),
        ] {
            assert_eq!(are_apart(&nodes), apart, "{nodes:?}");
        }
    }
}
