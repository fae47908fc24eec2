//! Reservations, each in a process of its own: their addresses are fixed, so one process has one.
#![cfg(not(miri))]

use std::process::Command;
use std::ptr::NonNull;

use dstd_addr::{GLOBAL_BASE, GlobalAddr, Layout, NodeId};
use dstd_heap::{MapError, Reservation};

const HEAP: u64 = 1 << 30;
const CASE: &str = "DSTD_MAPPING_CASE";

/// Runs `test` again in a fresh process as case `case`; the text it wrote to stderr.
fn run_alone(test: &str, case: &str) -> (bool, String) {
    let this = std::env::current_exe().expect("the path of this test");
    let output = Command::new(this)
        .args([test, "--exact", "--nocapture"])
        .env(CASE, case)
        .output()
        .expect("a process for the case");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn in_own_process(test: &str, work: fn()) {
    if std::env::var_os(CASE).is_some() {
        return work();
    }
    let (passed, stderr) = run_alone(test, "yes");
    assert!(passed, "{stderr}");
}

fn write(at: NonNull<u8>, value: u8) {
    // SAFETY: resolved by the reservation, mapped for reading and writing, used by this test only.
    unsafe { at.write_volatile(value) }
}

fn read(at: NonNull<u8>) -> u8 {
    // SAFETY: as for `write`.
    unsafe { at.read_volatile() }
}

#[test]
fn one_node_has_its_heap_and_maps_stacks_later() {
    in_own_process("one_node_has_its_heap_and_maps_stacks_later", || {
        let reservation = Reservation::single(HEAP).expect("a free address space");
        let heap = reservation.heap_range(NodeId(0));
        assert_eq!(heap, GLOBAL_BASE..GLOBAL_BASE + HEAP);
        let last = reservation.resolve(GlobalAddr(heap.end - 1)).expect("the last byte");
        write(last, 7);
        assert_eq!(read(last), 7);
        let stack = GlobalAddr(Layout::stacks(NodeId(0)).start);
        assert_eq!(reservation.resolve(stack), None);
        let stacks = reservation.stacks().expect("a range of stacks");
        assert_eq!(reservation.resolve(stack), Some(stacks.cast()));
        assert_eq!(reservation.stacks(), Ok(stacks));
        for wild in [0, 1, heap.start - 1, heap.end, Layout::heap(NodeId(1)).start, u64::MAX] {
            assert_eq!(reservation.resolve(GlobalAddr(wild)), None, "{wild:#x} is wild");
        }
        assert_eq!(reservation.alias(GlobalAddr(heap.start)), None);
        assert!(reservation.memfd().is_none());
    });
}

#[test]
fn a_node_sees_its_own_heap_twice_and_the_others_empty() {
    in_own_process("a_node_sees_its_own_heap_twice_and_the_others_empty", || {
        let me = NodeId(1);
        let reservation = Reservation::cluster(me, 3, HEAP).expect("a free address space");
        let own = GlobalAddr(Layout::heap(me).start + 4097);
        let place = reservation.resolve(own).expect("an own byte");
        let alias = reservation.alias(own).expect("an own byte has an alias");
        assert_eq!(alias.addr().get() as u64, Layout::alias(me).start + 4097);
        write(place, 9);
        assert_eq!(read(alias), 9);
        write(alias, 10);
        assert_eq!(read(place), 10);
        for node in [NodeId(0), NodeId(2)] {
            for start in [Layout::heap(node).start, Layout::stacks(node).start] {
                assert_eq!(read(reservation.resolve(GlobalAddr(start)).expect("mapped")), 0);
            }
            assert_eq!(reservation.alias(GlobalAddr(Layout::heap(node).start)), None);
        }
        assert_eq!(reservation.resolve(GlobalAddr(Layout::heap(NodeId(3)).start)), None);
        assert_eq!(reservation.resolve(GlobalAddr(Layout::heap(me).start + HEAP)), None);
        assert_eq!(
            reservation.stacks().expect("stacks").cast::<u8>().addr().get() as u64,
            Layout::stacks(me).start
        );
    });
}

#[test]
fn another_nodes_memory_is_absent_in_a_child_of_fork() {
    in_own_process("another_nodes_memory_is_absent_in_a_child_of_fork", || {
        let reservation = Reservation::cluster(NodeId(0), 2, HEAP).expect("a free address space");
        let foreign = reservation.resolve(GlobalAddr(Layout::heap(NodeId(1)).start)).expect("mapped");
        write(foreign, 1);
        // SAFETY: the child touches one byte and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let seen = read(foreign);
            // SAFETY: ends the child without running the parent's destructors.
            unsafe { libc::_exit(i32::from(seen)) };
        }
        let mut status = 0;
        // SAFETY: waits for the child made above; `status` is writable.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGSEGV);
    });
}

#[test]
fn impossible_numbers_and_taken_ranges_are_errors() {
    in_own_process("impossible_numbers_and_taken_ranges_are_errors", || {
        let bad = Reservation::single(HEAP + 1).map(|_| ());
        assert_eq!(bad, Err(MapError::BadSize { heap_bytes: HEAP + 1 }));
        let bad = Reservation::cluster(NodeId(3), 3, HEAP).map(|_| ());
        assert_eq!(bad, Err(MapError::BadRank { rank: 3, nodes: 3 }));
        let bad = Reservation::cluster(NodeId(0), 65, HEAP).map(|_| ());
        assert_eq!(bad, Err(MapError::BadRank { rank: 0, nodes: 65 }));
        let first = Reservation::single(HEAP).map(|_| ());
        assert_eq!(first, Ok(()));
        let again = Reservation::single(HEAP).map(|_| ());
        assert_eq!(again, Err(MapError::Taken { range: GLOBAL_BASE..GLOBAL_BASE + HEAP }));
        let text = again.expect_err("taken").to_string();
        assert!(text.contains("0x100000000000-0x100040000000") && text.contains("run without"), "{text}");
    });
}

#[test]
fn a_heap_shrinks_to_what_the_kernel_grants() {
    in_own_process("a_heap_shrinks_to_what_the_kernel_grants", || {
        let limit = libc::rlimit { rlim_cur: 8 << 30, rlim_max: 8 << 30 };
        // SAFETY: `limit` is readable; only this process is limited.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
        assert!(matches!(Reservation::single(64 << 30), Err(MapError::NoMemory { .. })));
        let reservation = Reservation::single_at_most(64 << 30).expect("a smaller heap");
        assert!((1 << 30..=4 << 30).contains(&reservation.heap_bytes()));
        let stacks = reservation.stacks().expect("fewer stacks");
        assert!((1 << 30..=4 << 30).contains(&stacks.len()));
    });
}
