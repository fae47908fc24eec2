//! The allocator of this very test program, seen from its users.

use core::ffi::c_void;
use core::ptr;
use std::process::Command;
use std::thread;

use dstd_addr::{Layout, NodeId};

use super::boot::PARTITION;
use super::end::thread_end;
use super::route::{Owner, Which, owner};
use super::{early, enter, environ};

/// Set in the process in which a test runs alone.
const ALONE: &str = "DSTD_ALLOC_TEST_ALONE";

fn owner_of<T: ?Sized>(place: &T) -> Owner {
    owner(ptr::from_ref(place).addr() as u64)
}

/// Runs `work` in a process in which no other test allocates meanwhile.
fn alone(test: &str, work: fn()) {
    if environ::value(ALONE).is_some() {
        return work();
    }
    let this = std::env::current_exe().expect("the path of this test");
    let test = format!("alloc::tests::{test}");
    let output = Command::new(this)
        .args([&test, "--exact", "--nocapture", "--test-threads=1"])
        .env(ALONE, "yes")
        .output()
        .expect("a process for the test");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && stdout.contains("1 passed"),
        "{stdout}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn memory_that_the_program_has_locked_is_freed_and_zero_again() {
    alone("memory_that_the_program_has_locked_is_freed_and_zero_again", || {
        const BYTES: usize = 64 << 20;
        let block = vec![1_u8; BYTES];
        let page = block.as_ptr().wrapping_add(BYTES / 2);
        // SAFETY: memory of this vector.
        assert_eq!(unsafe { libc::mlock(page.cast(), 1) }, 0);
        drop(block);
        assert!(vec![0_u8; BYTES].iter().all(|byte| *byte == 0));
    });
}

/// A block of the C family, freed when dropped.
struct CBlock(*mut c_void);

impl CBlock {
    fn addr(&self) -> usize {
        self.0.addr()
    }

    fn usable(&self) -> usize {
        // SAFETY: a live block of the C family.
        unsafe { libc::malloc_usable_size(self.0) }
    }

    fn fill(&self, byte: u8, len: usize) {
        assert!(len <= self.usable());
        // SAFETY: a live block of at least `len` bytes.
        unsafe { self.0.cast::<u8>().write_bytes(byte, len) }
    }

    fn is_full_of(&self, byte: u8, len: usize) -> bool {
        assert!(len <= self.usable());
        // SAFETY: a live block of at least `len` initialised bytes.
        unsafe { core::slice::from_raw_parts(self.0.cast::<u8>(), len) }.iter().all(|at| *at == byte)
    }

    fn resized(self, size: usize) -> CBlock {
        // SAFETY: a live block, and the old value is forgotten.
        let new = unsafe { libc::realloc(self.0, size) };
        core::mem::forget(self);
        assert!(!new.is_null());
        CBlock(new)
    }
}

impl Drop for CBlock {
    fn drop(&mut self) {
        // SAFETY: a live block (or null), and this was its only owner.
        unsafe { libc::free(self.0) }
    }
}

fn c_malloc(size: usize) -> CBlock {
    // SAFETY: any size is allowed.
    CBlock(unsafe { libc::malloc(size) })
}

#[test]
fn user_code_gets_partition_memory_and_runtime_code_private_memory() {
    let user = Box::new(1);
    assert_eq!(owner_of(&*user), Owner::Mine(Which::User));
    assert!(Layout::heap(NodeId::ZERO).contains(&(ptr::from_ref(&*user).addr() as u64)));
    let runtime = enter();
    let private = Box::new(2);
    assert_eq!(owner_of(&*private), Owner::Mine(Which::Runtime));
    assert!(Layout::private(NodeId::ZERO).contains(&(ptr::from_ref(&*private).addr() as u64)));
    // Freed by address, whatever the flag says.
    drop(user);
    drop(runtime);
    drop(private);
    assert_eq!(owner_of(&PARTITION), Owner::Elsewhere);
}

#[test]
fn what_std_allocates_for_a_thread_is_user_memory() {
    // std keeps its thread handles in memory of the C family.
    let handle = thread::Builder::new().name("somebody".into()).spawn(thread::current).expect("a thread");
    let inside = handle.join().expect("no panic");
    assert_eq!(owner_of(inside.name().expect("a name").as_bytes()), Owner::Mine(Which::User));
    assert_eq!(owner(c_malloc(1).addr() as u64), Owner::Mine(Which::User));
    let _runtime = enter();
    assert_eq!(owner(c_malloc(1).addr() as u64), Owner::Mine(Which::Runtime));
}

#[test]
fn memory_of_libc_comes_from_here() {
    // SAFETY: a C string; the copy belongs to us.
    let copy = CBlock(unsafe { libc::strdup(c"word".as_ptr()) }.cast());
    assert_eq!(owner(copy.addr() as u64), Owner::Mine(Which::User));
    assert_eq!(copy.usable(), 5);
}

#[test]
fn c_blocks_are_aligned_and_distinct() {
    let blocks: Vec<_> = (0..500).map(|size| c_malloc(size * 7)).collect();
    for (at, block) in blocks.iter().enumerate() {
        assert!(block.addr().is_multiple_of(16) && block.usable() == at * 7);
        block.fill(at as u8, at * 7);
    }
    for (at, block) in blocks.iter().enumerate() {
        assert!(block.is_full_of(at as u8, at * 7), "block {at} changed");
    }
}

#[test]
fn over_aligned_c_blocks_are_aligned() {
    for shift in 3..22 {
        let align = 1 << shift;
        let mut block = ptr::null_mut();
        // SAFETY: `block` is writable.
        assert_eq!(unsafe { libc::posix_memalign(&raw mut block, align, 100) }, 0);
        let block = CBlock(block);
        assert!(block.addr().is_multiple_of(align), "{align}");
        block.fill(7, 100);
        let block = block.resized(200_000);
        assert!(block.is_full_of(7, 100));
    }
    let mut block = ptr::null_mut();
    // SAFETY: `block` is writable.
    assert_eq!(unsafe { libc::posix_memalign(&raw mut block, 24, 100) }, libc::EINVAL);
}

#[test]
fn realloc_keeps_what_fits() {
    let mut block = c_malloc(10);
    block.fill(3, 10);
    for size in [11, 100, 5000, 40_000, 2_000_000, 3_000_000, 50_000, 17, 10] {
        block = block.resized(size);
        assert!(block.usable() == size && block.is_full_of(3, 10));
    }
}

#[test]
fn calloc_is_zero_also_in_used_memory() {
    for size in [1, 40, 700, 33_000, 1_000_000] {
        for _ in 0..3 {
            // SAFETY: any size is allowed.
            let block = CBlock(unsafe { libc::calloc(size, 3) });
            assert!(block.is_full_of(0, 3 * size));
            block.fill(255, 3 * size);
        }
    }
}

#[test]
fn sizes_that_cannot_be_are_refused_with_enomem() {
    type Call = fn() -> *mut c_void;
    let calls: [Call; 3] = [
        // SAFETY: any size is allowed.
        || unsafe { libc::malloc(usize::MAX) },
        // SAFETY: as above.
        || unsafe { libc::calloc(usize::MAX / 2, 3) },
        // SAFETY: as above; null is allowed.
        || unsafe { libc::realloc(ptr::null_mut(), usize::MAX - 64) },
    ];
    for call in calls {
        assert!(call().is_null());
        assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(libc::ENOMEM));
    }
    assert!(Vec::<u8>::new().try_reserve(isize::MAX as usize).is_err());
}

#[test]
fn a_thread_that_gave_its_caches_back_still_works() {
    let work = || {
        let kept = vec![1_u8; 3000];
        thread_end();
        thread_end();
        let more: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
        let block = c_malloc(100).resized(70_000);
        (kept.len(), more.concat().len(), block.usable())
    };
    assert_eq!(thread::spawn(work).join().expect("no panic"), (3000, 2890, 70_000));
}

#[test]
fn threads_leave_nothing_behind() {
    alone("threads_leave_nothing_behind", || {
        let round = || {
            let threads: Vec<_> = (0..4)
                .map(|at| {
                    thread::spawn(move || (0..300).map(|size| vec![at as u8; size * 10]).collect::<Vec<_>>())
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic").len()).sum::<usize>()
        };
        // The first rounds fill the caches of this thread.
        let warm: usize = (0..50).map(|_| round()).sum();
        let before = PARTITION.counters().live_bytes;
        let total: usize = (0..200).map(|_| round()).sum();
        let after = PARTITION.counters().live_bytes;
        assert_eq!(total, 4 * warm);
        // A round holds 1.8 MB; 200 rounds that lost a twentieth of it would show.
        assert!(after < before + (8 << 20), "{before} bytes were live before, {after} after");
        assert_eq!(PARTITION.counters().leaked, 0);
    });
}

#[test]
fn a_child_of_fork_can_allocate_while_others_do() {
    alone("a_child_of_fork_can_allocate_while_others_do", || {
        use std::os::unix::process::CommandExt;
        use std::sync::atomic::{AtomicBool, Ordering};
        static STOP: AtomicBool = AtomicBool::new(false);
        let busy = thread::spawn(|| {
            let mut most = 0;
            while !STOP.load(Ordering::Relaxed) {
                most = most.max(vec![1_u8; 100_000].len());
            }
            most
        });
        for _ in 0..20 {
            let mut child = Command::new("true");
            let in_child = || {
                let large = vec![1_u8; 200_000];
                let small = large.chunks(1000).map(<[u8]>::to_vec).collect::<Vec<_>>();
                if small.concat() == large { Ok(()) } else { Err(std::io::ErrorKind::Other.into()) }
            };
            // SAFETY: the closure only allocates, which our fork handlers make possible in a child.
            unsafe { child.pre_exec(in_child) };
            assert!(child.status().expect("the child ran").success());
        }
        STOP.store(true, Ordering::Relaxed);
        assert_eq!(busy.join().expect("no panic"), 100_000);
    });
}

#[test]
fn a_wild_free_aborts_and_says_so() {
    const WILD: &str = "DSTD_ALLOC_TEST_WILD";
    if environ::value(WILD).is_some() {
        let not_from_malloc = Box::leak(Box::new([0_u64; 8]));
        // SAFETY: deliberately wrong; the program must stop before anything is done with the block.
        unsafe { libc::free(ptr::from_mut(&mut not_from_malloc[4]).cast()) };
        return;
    }
    let this = std::env::current_exe().expect("the path of this test");
    let test = "alloc::tests::a_wild_free_aborts_and_says_so";
    let output = Command::new(this).args([test, "--exact"]).env(WILD, "yes").output().expect("a process");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&output.status), Some(libc::SIGABRT));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("dstd: free or realloc of an address that malloc did not return"), "{stderr}");
}

#[test]
fn the_early_area_hands_out_aligned_zeroes_within_its_bounds() {
    let first = early::alloc(10, 16);
    let second = early::alloc(10, 64);
    assert!(first.addr().is_multiple_of(16) && second.addr().is_multiple_of(64));
    assert!(second.addr() >= first.addr() + 10);
    assert_eq!(owner(first.addr() as u64), Owner::Early);
    assert!(early::alloc(usize::MAX, 16).is_null() && early::alloc(1 << 21, 16).is_null());
    assert!(!early::contains(ptr::from_ref(&*Box::new(1)).addr()));
}

#[test]
fn the_environment_is_read_as_std_reads_it() {
    let path = std::env::var("PATH").expect("a PATH");
    assert_eq!(environ::value("PATH"), Some(path.as_bytes()));
    assert_eq!(environ::number("PATH"), Some(None));
    assert_eq!(environ::value("PAT"), None);
    assert_eq!(environ::number("DSTD_THERE_IS_NO_SUCH_VARIABLE"), None);
}
