//! The block outlives the process that wrote it, and the names are the protocol's.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::fd::AsFd;
use std::sync::atomic::Ordering::Relaxed;

use dstd_control::stats::blocks::{PageOfBlocks, TRACE_CALLS, Trace};
use dstd_control::stats::hot::{HOT_PAGES, HOT_SITES, HotFault, HotSite, PageKind};
use dstd_control::stats::{Ending, ExitKind, KINDS, KINDS_MAX, Phase, REASON_BYTES_MAX, StatsBlock};
use dstd_protocol::MessageKind;

#[test]
fn kinds_are_named_like_the_protocols_messages() {
    let names: Vec<&str> = MessageKind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(KINDS, names);
    for (number, kind) in MessageKind::ALL.into_iter().enumerate() {
        assert_eq!(number, kind as usize);
    }
}

#[test]
fn what_one_mapping_stores_the_other_sees_even_when_the_first_is_gone() {
    let (launcher, fd) = StatsBlock::create().unwrap();
    assert_eq!(launcher.phase(), Phase::Born);
    {
        let node = StatsBlock::map(fd.as_fd()).unwrap();
        assert_eq!(launcher.phase(), Phase::Booting);
        node.set_phase(Phase::Running);
        node.add_sent(1, 3, 100);
        node.add_sent(2, 3, 50);
        node.add_sent(2, KINDS_MAX + 5, 1);
        node.faults_read.fetch_add(7, Relaxed);
        node.goodbye(ExitKind::Exit, 2, -3);
        node.stop(72, "too late to say");
    }
    assert_eq!(launcher.phase(), Phase::Running);
    assert_eq!(launcher.sent[3].messages.load(Relaxed), 2);
    assert_eq!(launcher.sent[3].bytes.load(Relaxed), 150);
    assert_eq!(launcher.sent[KINDS_MAX - 1].messages.load(Relaxed), 1);
    let to = |peer: usize| {
        let sent = &launcher.peers[peer].sent;
        (sent.messages.load(Relaxed), sent.bytes.load(Relaxed))
    };
    assert_eq!([to(0), to(1), to(2)], [(0, 0), (1, 100), (2, 51)]);
    assert_eq!(launcher.faults_read.load(Relaxed), 7);
    assert_eq!(launcher.ending(), Ending::Goodbye { kind: ExitKind::Exit, origin: 2, code: -3 });
}

#[test]
fn last_words_come_back_whole_or_cut_at_a_character() {
    for text in ["", "x", "12345678", "userfaultfd is not permitted", &"ä".repeat(300), &"x".repeat(5000)] {
        let block = StatsBlock::private().unwrap();
        assert_eq!(block.ending(), Ending::None);
        block.stop(72, text);
        let Ending::Stop { code: 72, reason } = block.ending() else { panic!("{:?}", block.ending()) };
        assert!(text.starts_with(&reason), "{reason}");
        assert!(reason.len() == text.len().min(REASON_BYTES_MAX), "{}", reason.len());
    }
}

#[test]
fn a_lost_peer_is_named() {
    let block = StatsBlock::private().unwrap().leak();
    block.lost(5);
    assert_eq!(block.ending(), Ending::Lost { peer: 5 });
}

#[test]
fn another_file_is_no_block() {
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    assert!(StatsBlock::map(file.as_fd()).is_err());
    let (read, _write) = std::io::pipe().unwrap();
    assert!(StatsBlock::map(read.as_fd()).is_err());
}

#[test]
fn a_snapshot_says_the_same_elsewhere() {
    let (node, _fd) = StatsBlock::create().unwrap();
    node.set_phase(Phase::Running);
    node.add_sent(1, 3, 100);
    node.add_sent(1, KINDS_MAX - 1, 9);
    node.futex_wake.fetch_add(11, Relaxed);
    node.stop(72, "a reason");
    let there = StatsBlock::private().unwrap();
    let snapshot = node.snapshot();
    there.restore(&snapshot).unwrap();
    assert_eq!(there.phase(), Phase::Running);
    assert_eq!(there.ending(), Ending::Stop { code: 72, reason: "a reason".to_owned() });
    assert_eq!(there.sent[3].bytes.load(Relaxed), 100);
    assert_eq!(there.sent[KINDS_MAX - 1].messages.load(Relaxed), 1);
    assert_eq!(there.futex_wake.load(Relaxed), 11);
    assert_eq!(there.snapshot(), snapshot);
    for wrong in [&snapshot[1..], &snapshot[8..], &[], &vec![0xff; snapshot.len()][..]] {
        assert!(there.restore(wrong).is_err());
    }
    assert_eq!(there.snapshot(), snapshot, "nothing was changed");
}

fn fault(address: u64, write: bool) -> HotFault {
    HotFault { address, write, kind: PageKind::Heap, home: 3 }
}

#[test]
fn what_faults_often_is_kept_and_never_counted_too_low() {
    let block = StatsBlock::private().unwrap();
    let hot = |n: u64| 0x1000_0000_0000 + n * 4096;
    // Three pages fault again and again between thousands that fault once or twice.
    for round in 0..1000_u64 {
        for page in 0..3 {
            let write = round % 4 == 0;
            let row = block.hot.fault(4096, fault(hot(page) + 16 + page * 8, write));
            if row.sample {
                block.hot.sample(row, 0x5000 + page, [0, 8, page, 0]);
            }
        }
        for cold in 0..10 {
            block.hot.fault(4096, fault(hot(1000 + round * 7 + cold), false));
        }
    }
    let pages = block.hot.pages();
    assert_eq!(pages.len(), HOT_PAGES);
    for (n, page) in pages.iter().take(3).enumerate() {
        let n = n as u64;
        assert_eq!((page.page, page.kind, page.home), (hot(n), PageKind::Heap, 3));
        assert_eq!((page.faults, page.excess, page.reads, page.writes), (1000, 0, 750, 250));
        assert_eq!((page.low, page.high), (16 + n as u16 * 8, 16 + n as u16 * 8));
        // 2, 4, 8, and every 16th: 16, 32, ... 992.
        let callers = [8, n].into_iter().filter(|&caller| caller != 0).collect();
        assert_eq!(page.sites, [HotSite { address: 0x5000 + n, samples: 3 + 62, callers }]);
    }
    let sum: u64 = pages.iter().map(|page| page.faults).sum();
    assert_eq!(sum, 13_000, "every fault is somewhere in the table");
    for page in &pages {
        assert_eq!(page.reads + page.writes, page.faults - page.excess, "{page:?}");
    }
}

#[test]
fn the_most_frequent_instructions_of_a_page_are_kept() {
    let block = StatsBlock::private().unwrap();
    for n in 0..100_u64 {
        let row = block.hot.fault(4096, fault(4096, true));
        block.hot.sample(row, if n % 2 == 0 { 7 } else { 100 + n }, [0; 4]);
    }
    let sites = &block.hot.pages()[0].sites;
    assert_eq!(sites.len(), HOT_SITES);
    assert_eq!((sites[0].address, sites[0].samples), (7, 50));
}

#[test]
fn a_watcher_changes_nothing() {
    let (launcher, fd) = StatsBlock::create().unwrap();
    let watcher = StatsBlock::watch(fd.as_fd()).unwrap();
    launcher.futex_wait.fetch_add(3, Relaxed);
    assert_eq!((watcher.futex_wait.load(Relaxed), watcher.phase()), (3, Phase::Born));
}

#[test]
fn the_span_of_a_page_is_that_of_its_writes() {
    let span_after = |faults: &[(u64, bool)]| {
        let block = StatsBlock::private().unwrap();
        for &(offset, write) in faults {
            block.hot.fault(4096, fault(4096 + offset, write));
        }
        (block.hot.pages()[0].low, block.hot.pages()[0].high)
    };
    assert_eq!(span_after(&[(8, false), (100, false), (50, false)]), (8, 100));
    assert_eq!(span_after(&[(8, false), (20, true), (24, true), (100, false)]), (20, 24));
    assert_eq!(span_after(&[(20, true), (0, false), (16, true)]), (16, 20));
}

#[test]
fn the_places_of_a_page_are_those_of_its_writes() {
    let block = StatsBlock::private().unwrap();
    for (offset, write) in [(4088, false), (0, true), (7, true), (16, true), (4095, true), (3000, false)] {
        block.hot.fault(4096, fault(4096 + offset, write));
    }
    assert_eq!(block.hot.pages()[0].touched, [0b101, 0, 0, 0, 0, 0, 0, 1 << 63]);
}

/// A trace of three calls that says which one it is.
fn trace(name: u16) -> Trace {
    let mut trace = [0; TRACE_CALLS];
    trace[..3].copy_from_slice(&[1, 2, u32::from(name)]);
    trace
}

#[test]
fn a_page_that_is_asked_for_again_and_again_tells_its_blocks() {
    let block = StatsBlock::private().unwrap();
    let table = &block.blocks;
    let page = 0x10_0000_u64;
    let described: Vec<u32> = (1..=20).filter(|_| table.ask(page).is_some()).collect();
    assert_eq!(described, [2, 4, 8, 16]);
    let row = table.ask(page + 4096).or_else(|| table.ask(page + 4096)).unwrap();
    // Blocks of 48 bytes, the first of which begins 32 bytes before the page.
    let of = PageOfBlocks { first: page + 4096 - 32, bytes: 48 };
    table.describe(row, of, [7, 0, 8, 7].into_iter(), trace);
    let blocks = table.read();
    let at = |byte: u64| blocks.on_page(page + 4096, page + 4096 + byte).unwrap();
    for (byte, start, calls) in
        [(0, -32_i64, vec![1, 2, 7]), (15, -32, vec![1, 2, 7]), (16, 16, vec![]), (64, 64, vec![1, 2, 8])]
    {
        let block = at(byte);
        let wanted = (page + 4096).wrapping_add_signed(start);
        assert_eq!((block.start, block.bytes, block.trace), (wanted, 48, calls), "byte {byte}");
    }
    assert_eq!(at(112).trace, at(0).trace);
    assert_eq!(blocks.on_page(page, page), None, "it was never described");
}

#[test]
fn traces_that_no_page_names_make_room_for_others() {
    let block = StatsBlock::private().unwrap();
    let table = &block.blocks;
    let row_of = |page: u64| table.ask(page).or_else(|| table.ask(page)).unwrap();
    let of = |page: u64| PageOfBlocks { first: page, bytes: 32 };
    // One page after the other names 128 traces: of 127 numbers one is missing.
    for page in (1..=200_u64).map(|page| page << 12) {
        let first = (page >> 12) as u16;
        table.describe(row_of(page), of(page), first..first + 128, trace);
        let blocks = table.read();
        let known = |at: u64| blocks.on_page(page, page + 32 * at).unwrap().trace;
        let right = (0..128).filter(|&at| known(at) == [1, 2, u64::from(first) + at]).count();
        let unknown = (0..128).filter(|&at| known(at).is_empty()).count();
        assert_eq!(right + unknown, 128, "a wrong one is never told");
        // The pages before name the others.
        assert!(right >= 1, "page {page:#x}: {right}");
    }
}

#[test]
fn striped_blocks_are_found_until_they_are_freed_or_too_many() {
    let block = StatsBlock::private().unwrap();
    let table = &block.blocks;
    for n in 1..=16_u64 {
        table.note_striped(n << 30, 1 << 20, &trace(n as u16));
    }
    let trace_at = |address: u64| table.read().striped(address).map(|block| block.trace.clone());
    assert_eq!(trace_at((3 << 30) + 5000), Some(vec![1, 2, 3]));
    assert_eq!(trace_at((3 << 30) + (1 << 20)), None);
    table.resize_striped(3 << 30, Some(2 << 20));
    assert_eq!(trace_at((3 << 30) + (1 << 20)), Some(vec![1, 2, 3]));
    table.resize_striped(3 << 30, None);
    assert_eq!(trace_at((3 << 30) + 5000), None);
    // The free row is taken first, then the oldest.
    table.note_striped(17 << 30, 1 << 20, &trace(17));
    assert_eq!(trace_at(1 << 30), Some(vec![1, 2, 1]));
    table.note_striped(18 << 30, 1 << 20, &trace(18));
    assert_eq!((trace_at(1 << 30), trace_at(18 << 30)), (None, Some(vec![1, 2, 18])));
    // Another node has freed the block there, and told nobody.
    table.note_striped(5 << 30, 1 << 20, &trace(19));
    assert_eq!(trace_at(5 << 30), Some(vec![1, 2, 19]));
}
