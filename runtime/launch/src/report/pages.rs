//! The hot pages of all nodes, put together: which node touched which page from where.

use std::collections::BTreeMap;

use dstd_control::stats::blocks as stats;
use dstd_control::stats::hot::{self, PageKind};
use serde::Serialize;

use super::Node;
use crate::symbols::{Place, Symbols, Whose};

/// Pages that the report names.
pub(crate) const PAGES_MAX: usize = 32;
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
    /// Whether nodes remember different ones there.
    pub(crate) perhaps: bool,
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

/// Puts the tables of `nodes` together, whose program has these symbols: up to `most` pages, of which the one with the most
/// faults comes first. What a node has written may be any numbers.
pub(crate) fn merge(nodes: &[Node], symbols: &Symbols, most: usize) -> Vec<HotPage> {
    let mut touched: BTreeMap<u64, Vec<(&Node, &hot::HotPage)>> = BTreeMap::new();
    for node in nodes {
        for page in &node.hot {
            touched.entry(page.page).or_default().push((node, page));
        }
    }
    let faults = |by: &[(&Node, &hot::HotPage)]| {
        let each = by.iter().map(|(_, page)| page.reads.saturating_add(page.writes));
        each.fold(0, u64::saturating_add)
    };
    let mut pages: Vec<(u64, _)> = touched.into_values().map(|by| (faults(&by), by)).collect();
    pages.sort_by_key(|(faults, _)| std::cmp::Reverse(*faults));
    pages.truncate(most);
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
fn blocks(page: &hot::HotPage, nodes: &[Node], lines: Lines<'_>) -> Vec<Block> {
    let offsets = [page.low, page.high].into_iter().map(u64::from).chain(places(&page.touched));
    let addresses = offsets.map(|offset| page.page.saturating_add(offset));
    let home = nodes.iter().find(|node| node.rank == page.home);
    let found = match page.kind {
        PageKind::Heap => distinct(addresses, |address| {
            home.and_then(|home| home.blocks.on_page(page.page, address)).into_iter().collect()
        }),
        // Who has allocated it is not known: the nodes that remember one there tell.
        PageKind::Striped => distinct(addresses, |address| {
            nodes.iter().filter_map(|node| node.blocks.striped(address)).cloned().collect()
        }),
        PageKind::Static => return named(addresses, nodes, lines.symbols),
        PageKind::Stack | PageKind::ThreadLocal => Vec::new(),
    };
    found.into_iter().map(|found| allocated(&found, lines)).collect()
}

/// A block, and whether another one is remembered in its place.
#[derive(PartialEq, Eq, Debug)]
struct Found {
    block: stats::Block,
    perhaps: bool,
}

/// The first few blocks that lie at these addresses; `at` is what nodes remember at one.
fn distinct(mut addresses: impl Iterator<Item = u64>, at: impl Fn(u64) -> Vec<stats::Block>) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    while found.len() < BLOCKS_MAX
        && let Some(address) = addresses.next()
    {
        let answers = at(address);
        // Whoever frees a block cannot tell all who remember it, so one of these may be gone.
        let perhaps = answers.windows(2).any(|two| two[0] != two[1]);
        for block in answers {
            match found.iter_mut().find(|found| found.block == block) {
                Some(found) => found.perhaps |= perhaps,
                None => found.push(Found { block, perhaps }),
            }
        }
    }
    found.truncate(BLOCKS_MAX);
    found
}

fn allocated(Found { block, perhaps }: &Found, Lines { symbols, runtime }: Lines<'_>) -> Block {
    Block {
        address: format!("{:#x}", block.start),
        bytes: Some(block.bytes),
        name: None,
        perhaps: *perhaps,
        place: symbols.find_call(&block.trace, runtime).unwrap_or_default(),
    }
}

/// The offsets of these places on a page.
fn places(places: &hot::Places) -> impl Iterator<Item = u64> {
    let words = (0..).zip(*places);
    words.flat_map(|(at, word)| {
        (0..64).filter(move |bit| word >> bit & 1 != 0).map(move |bit| 8 * (64 * at + bit))
    })
}

/// The first few statics that lie at these addresses.
fn named(addresses: impl Iterator<Item = u64>, nodes: &[Node], symbols: &Symbols) -> Vec<Block> {
    // All nodes run the program at the same addresses.
    let Some(bias) = nodes.first().map(|node| node.image_bias) else { return Vec::new() };
    let mut found: Vec<(String, u64)> = Vec::new();
    let mut symbols = addresses.filter_map(|address| symbols.symbol(address.saturating_sub(bias)));
    while found.len() < BLOCKS_MAX
        && let Some(symbol) = symbols.next()
    {
        if !found.contains(&symbol) {
            found.push(symbol);
        }
    }
    let block = |(name, start): (String, u64)| Block {
        address: format!("{:#x}", start.saturating_add(bias)),
        bytes: None,
        name: Some(name),
        perhaps: false,
        place: Place::default(),
    };
    found.into_iter().map(block).collect()
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
    fn blocks_are_named_once_and_doubted_where_nodes_differ() {
        let block = |start, bytes, call| stats::Block { start, bytes, trace: vec![call] };
        let (old, new) = (block(0, 100, 1), block(0, 1000, 2));
        let at = |address| match address {
            0..100 => vec![old.clone(), new.clone()],
            // Both remember the same.
            _ => vec![new.clone(), new.clone()],
        };
        let doubted = |block: &stats::Block, perhaps| Found { block: block.clone(), perhaps };
        assert_eq!(distinct(200..300, at), [doubted(&new, false)]);
        assert_eq!(distinct([200, 8].into_iter(), at), [doubted(&new, true), doubted(&old, true)]);
        assert_eq!(distinct([8, 200].into_iter(), at), [doubted(&old, true), doubted(&new, true)]);
        let mut looked = 0;
        let many = distinct((0..).inspect(|_| looked += 1), |address| vec![block(address, 1, 3)]);
        assert_eq!((many.len(), looked), (BLOCKS_MAX, BLOCKS_MAX));
    }

    #[test]
    fn places_are_multiples_of_eight_bytes() {
        let touched = toucher(&[0, 15, 512, 4095], 1).touched;
        assert_eq!(places(&touched).collect::<Vec<_>>(), [0, 8, 512, 4088]);
    }
}
