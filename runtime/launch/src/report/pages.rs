//! The hot pages of all nodes, put together: which node touched which page from where.

use std::collections::BTreeMap;

use dstd_control::stats::blocks as stats;
use dstd_control::stats::hot::{self, PageKind};
use serde::Serialize;

use super::Node;
use crate::symbols::{Place, Symbols, Whose};

/// Pages that the report names.
const PAGES_MAX: usize = 32;
/// Blocks that are told of what a node touched on a page.
const BLOCKS_MAX: usize = 4;

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
    #[serde(skip)]
    pub(crate) touched: hot::Places,
    pub(crate) sites: Vec<Site>,
    /// What lies where it touched the page, as far as that is known.
    pub(crate) blocks: Vec<Block>,
}

/// A block or a static.
#[derive(Serialize, PartialEq, Eq, Debug)]
pub(crate) struct Block {
    pub(crate) address: String,
    /// What a block has room for.
    pub(crate) bytes: Option<u64>,
    /// What a static is called.
    pub(crate) name: Option<String>,
    /// Where it was allocated.
    #[serde(flatten)]
    pub(crate) place: Place,
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
    let trace = nodes.iter().find_map(|node| node.blocks.any_trace());
    let runtime = trace.and_then(|trace| symbols.runtime_dir(trace));
    let lines = Lines { symbols, runtime: runtime.as_deref() };
    pages.into_iter().filter_map(|(faults, by)| page(faults, &by, nodes, lines)).collect()
}

/// Finds lines of the program.
#[derive(Clone, Copy)]
struct Lines<'a> {
    symbols: &'a Symbols,
    /// Where the files of the runtime lie, if that is known.
    runtime: Option<&'a str>,
}

fn page(faults: u64, by: &[(&Node, &hot::HotPage)], all: &[Node], lines: Lines<'_>) -> Option<HotPage> {
    let (_, first) = by.first()?;
    let toucher = |(node, page): &(&Node, &hot::HotPage)| Toucher {
        rank: node.rank,
        read: page.reads,
        write: page.writes,
        excess: page.excess,
        first_byte: page.low,
        last_byte: page.high,
        touched: page.touched,
        sites: page.sites.iter().map(|at| site(node, at, lines)).collect(),
        blocks: blocks(page, all, lines),
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

/// What to do where no instruction that touched `pages` has a line.
pub(crate) fn advice(pages: &[HotPage], symbols: &Symbols) -> Option<&'static str> {
    let mut sites = pages.iter().flat_map(|page| &page.nodes).flat_map(|node| &node.sites).peekable();
    let is_needed = sites.peek().is_some() && sites.all(|site| site.place.whose() > Whose::Crate);
    is_needed.then(|| symbols.advice())
}

/// A person looks for the line of the program: that of the instruction, or where it is std's or a library's the
/// nearest one from which that seems to be called.
fn site(node: &Node, at: &hot::HotSite, Lines { symbols, runtime }: Lines<'_>) -> Site {
    let in_file = |address: u64| address.saturating_sub(node.image_bias);
    let own = symbols.find(in_file(at.address), runtime);
    let callers: Vec<u64> = at.callers.iter().map(|caller| in_file(*caller)).collect();
    let called = || symbols.find_call(&callers, runtime);
    let is_wanted = own.whose() < Whose::Other && !own.is_below(runtime);
    let place = if is_wanted { own } else { called().unwrap_or(own) };
    Site { address: format!("{:#x}", at.address), samples: at.samples, place }
}

/// What lies where a node touched `page`: up to 4 blocks.
fn blocks(page: &hot::HotPage, nodes: &[Node], Lines { symbols, runtime }: Lines<'_>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for address in [page.low, page.high].into_iter().map(u64::from).chain(places(&page.touched)) {
        let address = page.page + address;
        let allocated = |block: &stats::Block| Block {
            address: format!("{:#x}", block.start),
            bytes: Some(block.bytes),
            name: None,
            place: symbols.find_call(&block.trace, runtime).unwrap_or_default(),
        };
        let found = match page.kind {
            PageKind::Heap => {
                let home = nodes.iter().find(|node| node.rank == page.home);
                home.and_then(|home| home.blocks.on_page(page.page, address)).iter().map(allocated).collect()
            }
            // Who has allocated it is not known: the nodes that remember one there tell.
            PageKind::Striped => {
                nodes.iter().filter_map(|node| node.blocks.striped(address)).map(allocated).collect()
            }
            PageKind::Static => named(address, nodes, symbols),
            PageKind::Stack | PageKind::ThreadLocal => Vec::new(),
        };
        let new: Vec<Block> = found.into_iter().filter(|block| !blocks.contains(block)).collect();
        blocks.extend(new);
    }
    blocks.truncate(BLOCKS_MAX);
    blocks
}

/// The offsets of these places on a page.
fn places(places: &hot::Places) -> impl Iterator<Item = u64> {
    let words = (0..).zip(*places);
    words.flat_map(|(at, word)| {
        (0..64).filter(move |bit| word >> bit & 1 != 0).map(move |bit| 8 * (64 * at + bit))
    })
}

fn named(address: u64, nodes: &[Node], symbols: &Symbols) -> Vec<Block> {
    // All nodes run the program at the same addresses.
    let Some(bias) = nodes.first().map(|node| node.image_bias) else { return Vec::new() };
    let found = symbols.find_static(address.saturating_sub(bias));
    let block = found.map(|(name, start)| Block {
        address: format!("{:#x}", start + bias),
        bytes: None,
        name: Some(name),
        place: Place::default(),
    });
    block.into_iter().collect()
}

/// Whether nodes touched different places only, and somebody wrote.
fn are_apart(nodes: &[Toucher]) -> bool {
    let common = |a: &Toucher, b: &Toucher| a.touched.iter().zip(b.touched).any(|(a, b)| a & b != 0);
    let pairs = nodes.iter().enumerate().flat_map(|(at, a)| nodes[..at].iter().map(move |b| (a, b)));
    nodes.len() > 1
        && nodes.iter().any(|node| node.write > 0)
        && !pairs.into_iter().any(|(a, b)| common(a, b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toucher(bytes: &[u16], write: u64) -> Toucher {
        let mut touched = hot::Places::default();
        bytes.iter().for_each(|byte| touched[usize::from(byte / 512)] |= 1 << (byte / 8 % 64));
        let (first_byte, last_byte) = (bytes[0], bytes[bytes.len() - 1]);
        Toucher {
            rank: 0,
            read: 5,
            write,
            excess: 0,
            first_byte,
            last_byte,
            touched,
            sites: Vec::new(),
            blocks: Vec::new(),
        }
    }

    #[test]
    fn nodes_are_apart_when_no_places_are_common_and_one_writes() {
        for (nodes, apart) in [
            (vec![toucher(&[0, 8], 1), toucher(&[16, 24], 0)], true),
            (vec![toucher(&[16, 24], 0), toucher(&[0, 8], 1)], true),
            // One between the other's.
            (vec![toucher(&[0, 16, 3000], 1), toucher(&[8, 24], 1), toucher(&[4088], 1)], true),
            (vec![toucher(&[0, 8], 0), toucher(&[16, 24], 0)], false),
            (vec![toucher(&[0, 16], 1), toucher(&[16, 24], 1)], false),
            (vec![toucher(&[0, 8], 1), toucher(&[16], 1), toucher(&[24, 12], 1)], false),
            (vec![toucher(&[0, 8], 1)], false),
        ] {
            assert_eq!(are_apart(&nodes), apart, "{nodes:?}");
        }
    }

    #[test]
    fn places_are_multiples_of_eight_bytes() {
        let touched = toucher(&[0, 15, 512, 4095], 1).touched;
        assert_eq!(places(&touched).collect::<Vec<_>>(), [0, 8, 512, 4088]);
    }
}
