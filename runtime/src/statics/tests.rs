//! The statics of this test program. Children are forked, because taking over needs a process
//! with one thread and leaves its mark on it.

use std::sync::atomic::{AtomicU64, Ordering};

use dstd_addr::NodeId;

use super::{ranges, std_thread_ids, take_over};

// Statics of the crate under test are the runtime's: private.
static OWN_DATA: AtomicU64 = AtomicU64::new(7);
static OWN_BSS: AtomicU64 = AtomicU64::new(0);

/// Runs `check` in a child with one thread and returns its exit code.
fn in_child(check: impl FnOnce() -> bool) -> i32 {
    // SAFETY: the child calls nothing but `check` and `_exit`; the checks neither allocate nor lock.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork failed");
    if child == 0 {
        let code = if check() { 0 } else { 1 };
        // SAFETY: ends the child without running the test harness's exit handlers.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: waits for the child made above.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -1 }
}

#[test]
fn the_script_is_there_and_the_runtimes_statics_are_outside() {
    let ranges = ranges().expect("the tests are linked with the script");
    assert!(!ranges[0].is_empty(), "std's stdout is shared, so there is a page");
    for own in [&OWN_DATA, &OWN_BSS] {
        let address = own.as_ptr() as u64;
        own.fetch_add(1, Ordering::Relaxed);
        assert!(ranges.iter().all(|range| !range.contains(&address)), "{address:#x} is in {ranges:x?}");
    }
}

/// A word in the first shared section that is not zero, to see whether contents stay.
fn marked_word() -> *mut u64 {
    let data = ranges().expect("the tests are linked with the script")[0].clone();
    let mut words = (data.start..data.end)
        .step_by(8)
        .map(|at| core::ptr::with_exposed_provenance_mut::<u64>(at as usize));
    // SAFETY: aligned words of mapped memory; used by forked children that have one thread.
    words.find(|&word| unsafe { word.read_volatile() } != 0).expect("std's stdin holds a pointer or a count")
}

#[test]
fn node_0_keeps_the_contents() {
    let code = in_child(|| {
        let (word, ranges) = (marked_word(), ranges().expect("seen above"));
        // SAFETY: as in `marked_word`.
        let before = unsafe { word.read_volatile() };
        // SAFETY: the child has one thread and ends soon.
        let done = unsafe { take_over(NodeId::ZERO, &ranges) };
        // SAFETY: as in `marked_word`.
        done.is_ok() && before == unsafe { word.read_volatile() }
    });
    assert_eq!(code, 0);
}

#[test]
fn other_nodes_start_with_empty_pages() {
    let code = in_child(|| {
        let (word, ranges) = (marked_word(), ranges().expect("seen above"));
        // SAFETY: the child has one thread and ends soon.
        let done = unsafe { take_over(NodeId(1), &ranges) };
        // SAFETY: as in `marked_word`.
        done.is_ok() && unsafe { word.read_volatile() } == 0
    });
    assert_eq!(code, 0);
}

#[test]
fn thread_ids_of_a_node_start_at_its_own_place() {
    let seen: String = format!("{:?}", std::thread::current().id());
    assert!(seen.len() < 20, "this process is no node: {seen}");
    let code = in_child(|| {
        let [start, end] = super::bounds::bounds().tid;
        let counter = core::ptr::with_exposed_provenance::<u64>(start as usize);
        // SAFETY: the counter is 8 aligned bytes; the child has one thread.
        let before = unsafe { counter.read_volatile() };
        // SAFETY: the child has one thread and calls this once.
        let done = unsafe { std_thread_ids(NodeId(5)) };
        // SAFETY: as above.
        let after = unsafe { counter.read_volatile() };
        done && end - start == 8 && before < 1 << 48 && after == before + (5 << 48)
    });
    assert_eq!(code, 0);
}
