//! Several threads, each with its own cache, on one heap.

use std::sync::mpsc;
use std::thread;

use crate::support::{Cache, Random, all_are, heap, heap_that_waits};
use dstd_addr::NodeId;
use dstd_heap::{BATCH_ADDRS, Heap, RemoteFreeError, Waiting};

const ROUNDS: usize = if cfg!(miri) { 24 } else { 40_000 };
const THREADS: usize = 4;

/// A block on its way from the thread that made it to the thread that frees it.
struct Parcel {
    memory: *mut u8,
    size: usize,
    mark: u8,
}

// SAFETY: whoever holds the parcel owns the block.
unsafe impl Send for Parcel {}

fn check_and_free(cache: &mut Cache, parcel: Parcel) {
    // SAFETY: the parcel owns a live block of that size, filled with its mark.
    let bytes = unsafe { std::slice::from_raw_parts(parcel.memory, parcel.size) };
    assert!(all_are(parcel.mark, bytes), "HEAP-3: a live block changed");
    // SAFETY: live, with this size and alignment.
    unsafe { cache.get().free(parcel.memory, parcel.size, 8) };
}

#[test]
fn blocks_freed_by_other_threads_keep_their_contents_until_then() {
    parcels(&mut Random::of_run("blocks_freed_by_other_threads", 3), Waiting::Allowed);
}

#[test]
fn the_same_holds_where_nobody_waits() {
    parcels(&mut Random::of_run("the_same_holds_where_nobody_waits", 5), Waiting::Never);
}

/// Threads that send each other blocks; what is in a block stays until it is freed.
fn parcels(random: &mut Random, waiting: Waiting) {
    // Enough for all blocks at once: a thread may not run for long while its parcels pile up.
    let (heap, _) = heap_that_waits(if cfg!(miri) { 4 << 20 } else { 256 << 20 }, waiting);
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| mpsc::channel::<Parcel>()).unzip();
    thread::scope(|scope| {
        for (me, receiver) in receivers.into_iter().enumerate() {
            let (senders, mut random) = (senders.clone(), random.split());
            scope.spawn(move || {
                let mut cache = Cache::of(heap);
                for round in 0..ROUNDS {
                    let size = 1 + random.below(if round % 32 == 0 { 60_000 } else { 300 });
                    let memory = cache.get().alloc_zeroed(size, 8);
                    assert!(!memory.is_null(), "the heap is large enough for what is under way");
                    // SAFETY: a block of that size that was just allocated.
                    let bytes = unsafe { std::slice::from_raw_parts(memory, size) };
                    assert!(all_are(0, bytes), "a zeroed block is not zero");
                    let mark = random.below(256) as u8;
                    // SAFETY: a block of that size that was just allocated.
                    unsafe { memory.write_bytes(mark, size) };
                    let to = (me + 1 + random.below(THREADS - 1)) % THREADS;
                    let sent = senders[to].send(Parcel { memory, size, mark });
                    assert!(sent.is_ok(), "every thread receives until all have sent");
                    while let Ok(parcel) = receiver.try_recv() {
                        check_and_free(&mut cache, parcel);
                    }
                    if random.below(ROUNDS / 8) == 0 {
                        cache = Cache::of(heap);
                    }
                }
                drop(senders);
                for parcel in receiver {
                    check_and_free(&mut cache, parcel);
                }
            });
        }
        drop(senders);
    });
    assert_eq!(heap.counters().live_bytes, 0);
}

/// Node 1's share of the work: frees blocks of node 0 and returns the batches.
fn free_elsewhere(other: &'static Heap, addrs: Vec<u64>, home: &Heap) {
    let mut cache = Cache::of(other);
    let mut batches = Vec::new();
    for addr in addrs {
        batches.extend(cache.get().free_remote(NodeId(0), addr));
    }
    while let Some(batch) = cache.get().take_remote() {
        batches.push(batch);
    }
    for batch in batches {
        assert_eq!(batch.home(), NodeId(0));
        assert!((1..=BATCH_ADDRS).contains(&batch.addrs().len()));
        home.accept_remote(batch.addrs()).expect("live blocks of this heap");
        other.recycle(batch);
    }
}

#[test]
fn a_million_remote_frees_come_home_and_are_used_again() {
    let total = if cfg!(miri) { 200 } else { 1_000_000 };
    let (home, _) = heap(4 << 20);
    let (other, _) = heap(1 << 20);
    let mut cache = Cache::of(home);
    let mut freed = 0;
    let mut random = Random::of_run("a_million_remote_frees", 11);
    while freed < total {
        let sizes = [64, 64, 400, 9000, 40_000];
        let addrs: Vec<_> = (0..random.below(500))
            .map(|_| cache.get().alloc(sizes[random.below(sizes.len())], 8))
            .filter(|block| !block.is_null())
            .map(|block| block.addr() as u64)
            .collect();
        freed += addrs.len();
        free_elsewhere(other, addrs, home);
    }
    assert_eq!(home.counters().remote_received, freed as u64);
    assert_eq!(other.counters().remote_sent, freed as u64);
    assert_eq!(home.counters().remote_rejected, 0);
    assert_eq!(other.counters().leaked + home.counters().leaked, 0);
}

#[test]
fn remote_frees_and_allocations_race_without_loss() {
    let (home, _) = heap(8 << 20);
    let (to_engine, engine) = mpsc::sync_channel::<Vec<u64>>(64);
    thread::scope(|scope| {
        scope.spawn(move || {
            for addrs in engine {
                home.accept_remote(&addrs).expect("each block is sent once, while it is live");
            }
        });
        for _ in 0..2 {
            let to_engine = to_engine.clone();
            scope.spawn(move || {
                let mut cache = Cache::of(home);
                for round in 0..ROUNDS / 20 {
                    let size = 32 << (round % 6);
                    let addrs: Vec<u64> = (0..50).map(|_| cache.get().alloc(size, 8).addr() as u64).collect();
                    assert!(addrs.iter().all(|addr| *addr != 0), "blocks that came home were not found");
                    to_engine.send(addrs).expect("the engine runs until all have sent");
                }
            });
        }
        drop(to_engine);
    });
    let all = (ROUNDS / 20 * 50 * 2) as u64;
    assert_eq!(home.counters().remote_received, all);
}

#[test]
fn wild_addresses_are_refused_and_the_good_ones_accepted() {
    let (home, start) = heap(2 << 20);
    let mut cache = Cache::of(home);
    let small = cache.get().alloc(48, 8).addr() as u64;
    // Too small a hole for a span, so that nothing takes its place.
    let large = cache.get().alloc(40_000, 8).addr() as u64;
    let behind = cache.get().alloc(40_000, 8).addr() as u64;
    let never = start + (2 << 20) - 4096;
    for (addr, error) in [
        (0, RemoteFreeError::Foreign { addr: 0 }),
        (start - 16, RemoteFreeError::Foreign { addr: start - 16 }),
        (start + (2 << 20), RemoteFreeError::Foreign { addr: start + (2 << 20) }),
        (u64::MAX, RemoteFreeError::Foreign { addr: u64::MAX }),
        (never, RemoteFreeError::NeverAllocated { addr: never }),
        (small + 16, RemoteFreeError::Misplaced { addr: small + 16 }),
        (small + 1, RemoteFreeError::Misplaced { addr: small + 1 }),
        (large + 16, RemoteFreeError::Misplaced { addr: large + 16 }),
        (large + 4096, RemoteFreeError::NeverAllocated { addr: large + 4096 }),
    ] {
        assert_eq!(home.accept_remote(&[addr]), Err(error));
    }
    assert_eq!(home.counters().remote_rejected, 9);
    let twice = home.accept_remote(&[small, never, large, small]);
    assert_eq!(twice, Err(RemoteFreeError::NeverAllocated { addr: never }));
    assert_eq!(home.accept_remote(&[large]), Err(RemoteFreeError::DoubleFree { addr: large }));
    assert_eq!(home.counters().remote_received, 2);
    // A slow path drains what has come; then the large block is gone for good.
    assert!(!cache.get().alloc(900, 8).is_null());
    assert_eq!(home.accept_remote(&[large]), Err(RemoteFreeError::NeverAllocated { addr: large }));
    assert_eq!(home.accept_remote(&[behind]), Ok(()));
}

/// What the engine relies on: it goes on while another thread is stuck inside an allocation.
#[test]
fn a_heap_that_never_waits_serves_others_while_its_lock_is_held() {
    // In Miri to wait in vain for a lock is slow.
    let (count, bytes) = if cfg!(miri) { (4, 160_000) } else { (100, 4_000_000) };
    let (heap, _) = heap_that_waits(16 << 20, Waiting::Never);
    let mut cache = Cache::of(heap);
    let before = cache.get().alloc(100_000, 8);
    heap.lock_for_fork();
    let engine = thread::spawn(move || {
        let mut cache = Cache::of(heap);
        let blocks: Vec<_> = (0..count).map(|at| (40_000 + at, cache.get().alloc(40_000 + at, 8))).collect();
        assert!(blocks.iter().all(|(_, block)| !block.is_null()));
        let small = cache.get().alloc(700, 8);
        assert!(!small.is_null());
        for (size, block) in blocks {
            // SAFETY: live, with this size and alignment.
            unsafe { cache.get().free(block, size, 8) };
        }
        // SAFETY: as above.
        unsafe { cache.get().free(small, 700, 8) };
    });
    engine.join().expect("no panic");
    heap.unlock_after_fork();
    // SAFETY: live, with this size and alignment.
    unsafe { cache.get().free(before, 100_000, 8) };
    // What was freed meanwhile is one piece again, below the span of the small block.
    assert!(!cache.get().alloc(11 << 20, 8).is_null(), "above the span");
    assert!(!cache.get().alloc(bytes, 8).is_null(), "below the span");
}
