//! Memory that may not be shared: touching it from another node ends the program, with words.
//!
//! The address goes to stdout first, so that a test can compare it with what is reported.

use dstd::thread;
use std::ffi::c_void;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use crate::cluster;

thread_local! {
    static COUNTER: AtomicU64 = const { AtomicU64::new(3) };
}

/// The last node reads a number.
fn read_elsewhere(number: &AtomicI32) -> String {
    println!("address {:p}", number);
    let seen = thread::scope(|scope| {
        cluster::scoped(scope, cluster::size() - 1, || number.load(Ordering::SeqCst)).join().unwrap()
    });
    format!("went on with {seen}")
}

/// A thread-local of libc.
#[expect(unsafe_code, reason = "std lends none")]
pub(crate) fn libc_thread_local() -> String {
    // SAFETY: takes nothing.
    let number = unsafe { libc::__errno_location() };
    // SAFETY: this thread's error number lives as long as the thread, and nobody else stores to it.
    read_elsewhere(unsafe { AtomicI32::from_ptr(number) })
}

extern "C" fn lend_a_local(_: *mut c_void) {
    let local = AtomicI32::new(1);
    println!("{}", read_elsewhere(&local));
}

/// A local of the destructor of a C library's thread-specific value.
#[expect(unsafe_code, reason = "std's thread-locals are others")]
pub(crate) fn native_stack() -> String {
    let mut key = 0;
    // SAFETY: the key is writable.
    assert_eq!(unsafe { libc::pthread_key_create(&raw mut key, Some(lend_a_local)) }, 0);
    let thread = cluster::spawn(0, move || {
        // SAFETY: the key was made above; any value but null has the destructor run.
        unsafe { libc::pthread_setspecific(key, core::ptr::without_provenance(1)) }
    });
    assert_eq!(thread.join().unwrap(), 0);
    String::from("went on")
}

/// A thread-local whose thread has ended.
#[expect(unsafe_code, reason = "std lends none after the end")]
pub(crate) fn dead_thread_local() -> String {
    let address = cluster::spawn(0, || COUNTER.with(|counter| counter.as_ptr() as usize)).join().unwrap();
    // SAFETY: none; the program is wrong, and the runtime's memory of ended threads stays mapped.
    read_elsewhere(unsafe { AtomicI32::from_ptr(address as *mut i32) })
}

/// A file that main mapped, borrowed by a scoped thread on another node.
#[expect(unsafe_code, reason = "a file can be cut short")]
pub(crate) fn mapped_file() -> String {
    let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
    // SAFETY: nobody changes the program's file.
    let mapping = unsafe { memmap2::Mmap::map(&file) }.unwrap();
    let bytes = &mapping[5_000..6_000];
    println!("address {:p}", bytes);
    let sum = thread::scope(|scope| {
        cluster::scoped(scope, cluster::size() - 1, || bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>())
            .join()
            .unwrap()
    });
    format!("went on with {sum}")
}

/// A mapping that main made for itself, borrowed by a scoped thread on another node.
pub(crate) fn private_mapping() -> String {
    let mut mapping = memmap2::MmapMut::map_anon(1 << 20).unwrap();
    mapping.fill(9);
    let bytes = &mapping[5_000..6_000];
    println!("address {:p}", bytes);
    let sum = thread::scope(|scope| {
        cluster::scoped(scope, cluster::size() - 1, || bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>())
            .join()
            .unwrap()
    });
    format!("went on with {sum}")
}

/// The last node holds so many pages, none beside another, that a system allows no more mappings.
pub(crate) fn isolated_pages() -> String {
    const PAGES: usize = 34_000;
    let bytes = vec![0_u8; PAGES * 2 * 4096];
    let read = |bytes: &[u8]| bytes.iter().step_by(2 * 4096).map(|&byte| usize::from(byte)).sum::<usize>();
    let sum = dstd::thread::scope(|scope| {
        cluster::scoped(scope, cluster::size() - 1, || read(&bytes)).join().unwrap()
    });
    format!("{sum}")
}
