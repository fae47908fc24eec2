//! The block outlives the process that wrote it, and the names are the protocol's.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::fd::AsFd;
use std::sync::atomic::Ordering::Relaxed;

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
        node.add_sent(3, 100);
        node.add_sent(3, 50);
        node.add_sent(KINDS_MAX + 5, 1);
        node.faults_read.fetch_add(7, Relaxed);
        node.goodbye(ExitKind::Exit, 2, -3);
        node.stop(72, "too late to say");
    }
    assert_eq!(launcher.phase(), Phase::Running);
    assert_eq!(launcher.sent[3].messages.load(Relaxed), 2);
    assert_eq!(launcher.sent[3].bytes.load(Relaxed), 150);
    assert_eq!(launcher.sent[KINDS_MAX - 1].messages.load(Relaxed), 1);
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
    node.add_sent(3, 100);
    node.add_sent(KINDS_MAX - 1, 9);
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
