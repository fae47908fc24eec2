//! Chains of calls and their numbers.
//!
//! *Invariants*: ISO-2 (no lock). *Layout*: slots by hash, each with the return addresses of a chain and where on the stack
//! they were found, counted from the frame that looks. Beside them, by that frame's address, the chains met there last.
//!
//! *Who may touch what, when*: a slot belongs to whoever has exchanged its hash until `len` is stored; then it never
//! changes. A chain met last is a number that anybody replaces.
//!
//! *Why not safe code*: to see that a chain is still the same, return addresses on the own stack are read.

use core::ops::Range;
use core::ptr;
use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use super::unwind::{self, CALLS_MAX, Chain};

/// Chains that get a number. A program has a few thousand at most; what comes later is unknown.
const SLOTS: usize = 1 << 12;
/// How many slots are tried for a chain.
const TRIED: usize = 16;
/// Depths of the stack for which chains met last are known, and how many for each.
const DEPTHS: usize = 256;
const WAYS: usize = 4;

pub(super) struct Table {
    slots: Box<[Slot]>,
    recent: Box<[[AtomicU16; WAYS]]>,
    /// Whose turn it is to be replaced.
    turn: AtomicU32,
}

#[derive(Default)]
struct Slot {
    /// 0: free.
    hash: AtomicU64,
    /// 0: being written.
    len: AtomicU32,
    calls: [AtomicU64; CALLS_MAX],
    places: [AtomicU32; CALLS_MAX],
    /// Whether all `places` hold what they shall.
    is_recognisable: AtomicU32,
}

impl Table {
    pub(super) fn new() -> Table {
        Table {
            slots: (0..SLOTS).map(|_| Slot::default()).collect(),
            recent: (0..DEPTHS).map(|_| <[AtomicU16; WAYS]>::default()).collect(),
            turn: AtomicU32::new(0),
        }
    }

    /// The number of the chain of calls that led here, from the caller on; 0 when there are too many.
    ///
    /// # Safety
    /// - `stack_end` must be where the stack ends that this thread is on, or 0 where that is not known: then no chain is
    ///   recognised.
    #[inline(never)]
    pub(super) unsafe fn number_here(&self, stack_end: u64) -> u16 {
        let mark = 0_u64;
        let here = (&raw const mark).addr() as u64;
        let recent = &self.recent[(here >> 4) as usize % DEPTHS];
        let known = recent.iter().map(|cell| cell.load(Ordering::Relaxed)).find(|&number| {
            self.slot(number).is_some_and(|slot| {
                // SAFETY: `here` is a word of this frame, and the stack goes on to `stack_end`.
                unsafe { slot.is_at(here..stack_end) }
            })
        });
        known.unwrap_or_else(|| {
            // SAFETY: as above.
            let number = self.number(&unsafe { unwind::chain(here..stack_end) });
            let way = self.turn.fetch_add(1, Ordering::Relaxed) as usize % WAYS;
            recent[way].store(number, Ordering::Relaxed);
            number
        })
    }

    /// The chain with this number.
    pub(super) fn chain(&self, number: u16) -> Option<Chain> {
        let slot = self.slot(number)?;
        // Acquire: pairs with the release in `write`: the chain is whole.
        let len = slot.len.load(Ordering::Acquire) as usize;
        let load =
            |at: usize| (slot.calls[at].load(Ordering::Relaxed), slot.places[at].load(Ordering::Relaxed));
        Some(Chain::of((0..len).map(load)))
    }

    fn slot(&self, number: u16) -> Option<&Slot> {
        self.slots.get(usize::from(number.checked_sub(1)?))
    }

    /// The number of `chain`, which it has or gets.
    fn number(&self, chain: &Chain) -> u16 {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(chain.calls()) | 1;
        for at in (0..TRIED).map(|step| (hash as usize + step) % SLOTS) {
            let slot = &self.slots[at];
            match slot.hash.compare_exchange(0, hash, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => slot.write(chain),
                Err(other) if other != hash => continue,
                Err(_) => (),
            }
            return at as u16 + 1;
        }
        0
    }
}

impl Slot {
    fn write(&self, chain: &Chain) {
        for (at, (call, place)) in chain.calls().iter().zip(chain.places()).enumerate() {
            self.calls[at].store(*call, Ordering::Relaxed);
            self.places[at].store(*place, Ordering::Relaxed);
        }
        self.is_recognisable.store(chain.is_recognisable().into(), Ordering::Relaxed);
        // Release: pairs with the acquires in `chain` and `is_at`.
        self.len.store(chain.calls().len() as u32, Ordering::Release);
    }

    /// Whether the calls that led to the frame in which `frames` begins are those of this chain. It follows from the first, which
    /// lies where it must: each says how large the next frame is. Only a frame whose size varies (none of Rust's) may show what an
    /// earlier call has left.
    ///
    /// # Safety
    /// - `frames` must begin at the word that all chains are counted from, and be memory of this thread's stack, unless it is empty.
    unsafe fn is_at(&self, frames: Range<u64>) -> bool {
        // Acquire: pairs with the release in `write`: the chain is whole.
        let len = self.len.load(Ordering::Acquire) as usize;
        let is_met = |at: usize| {
            let place = frames.start + u64::from(self.places[at].load(Ordering::Relaxed));
            let is_there = frames.contains(&place) && place.is_multiple_of(8);
            // SAFETY: an aligned word of this thread's stack (this function's contract). Others who have borrowed from the
            // stack may write it, so it is read volatile (C5).
            let call = is_there
                .then(|| unsafe { ptr::with_exposed_provenance::<u64>(place as usize).read_volatile() });
            call == Some(self.calls[at].load(Ordering::Relaxed))
        };
        len > 0 && self.is_recognisable.load(Ordering::Relaxed) != 0 && (0..len).all(is_met)
    }
}

#[cfg(test)]
mod tests {
    #[cfg(feature = "global-alloc")]
    use core::ffi::c_void;

    use super::*;
    #[cfg(feature = "global-alloc")]
    use crate::stack::dstd_stack_enter;

    #[inline(always)]
    fn number_here(table: &Table) -> u16 {
        // SAFETY: chains that the unwinder has found here lie on this stack; tests have no other ones.
        unsafe { table.number_here(u64::MAX) }
    }

    #[inline(never)]
    fn deeper(table: &Table, depth: u32) -> u16 {
        let number = if depth == 0 { number_here(table) } else { deeper(table, depth - 1) };
        core::hint::black_box(number)
    }

    #[test]
    fn a_chain_has_one_number_and_another_chain_another() {
        let table = Table::new();
        let numbers: Vec<[u16; 2]> =
            (0..5).map(|depth| [deeper(&table, depth), deeper(&table, depth)]).collect();
        // The two calls of a pair return to different places.
        let flat: Vec<u16> = numbers.iter().flatten().copied().collect();
        for (at, number) in flat.iter().enumerate() {
            assert!(*number != 0 && !flat[..at].contains(number), "{flat:?}");
        }
        let again = |_| [deeper(&table, 0), deeper(&table, 1)];
        let twice: Vec<[u16; 2]> = (0..2).map(again).collect();
        assert_eq!(twice[0], twice[1], "from the same lines");
    }

    #[test]
    fn a_chain_that_was_met_here_is_recognised_without_the_unwinder() {
        let table = Table::new();
        let numbers: Vec<u16> = (0..100).map(|_| deeper(&table, 3)).collect();
        assert!(numbers.iter().all(|number| *number == numbers[0]), "{numbers:?}");
        assert_eq!(table.turn.load(Ordering::Relaxed), 1, "the stack was unwound once");
        let chain = table.chain(numbers[0]).expect("a chain");
        assert!(chain.is_recognisable());
        let calls = chain.calls();
        assert!(calls.len() > 5 && calls[1..4].iter().all(|call| *call == calls[1]), "{calls:x?}");
    }

    /// User code runs on a stack of its own, in the partition.
    #[cfg(feature = "global-alloc")]
    #[test]
    fn a_chain_is_recognised_on_a_stack_far_below_the_native_one() {
        extern "C-unwind" fn run(table: *mut c_void) -> *mut c_void {
            // SAFETY: the test passes its own table.
            let table = unsafe { &*table.cast::<Table>() };
            let numbers: Vec<u16> = (0..100).map(|_| deeper(table, 3)).collect();
            assert!(numbers.iter().all(|number| *number == numbers[0]), "{numbers:?}");
            ptr::null_mut()
        }
        let table = Table::new();
        let mut stack = vec![0_u128; 1 << 16];
        let top = stack.as_mut_ptr_range().end as usize;
        let mut saved = 0;
        // SAFETY: the stack is this test's own, of 1 MiB, and its end is a multiple of 16.
        unsafe { dstd_stack_enter(run, (&raw const table).cast_mut().cast(), top, &raw mut saved) };
        assert!(saved - top > 1 << 32, "the stacks are in different parts of the address space");
        assert_eq!(table.turn.load(Ordering::Relaxed), 1, "the stack was unwound once");
    }

    #[test]
    fn nothing_beyond_the_end_of_the_stack_is_looked_at() {
        let (table, words) = (Table::new(), [7_u64; 4]);
        let number = table.number(&Chain::of([(7, 8), (7, 24)].into_iter()));
        let slot = table.slot(number).expect("it was just written");
        let here = words.as_ptr().addr() as u64;
        for (bytes, is_met) in [(0, false), (8, false), (24, false), (32, true)] {
            // SAFETY: the words of the array.
            assert_eq!(unsafe { slot.is_at(here..here + bytes) }, is_met, "{bytes}");
        }
    }

    #[test]
    fn where_the_end_of_the_stack_is_not_known_chains_are_the_unwinders() {
        let table = Table::new();
        // SAFETY: 0 says so.
        let numbers: Vec<u16> = (0..5).map(|_| unsafe { table.number_here(0) }).collect();
        assert!(numbers[0] != 0 && numbers.iter().all(|number| *number == numbers[0]), "{numbers:?}");
        assert_eq!(table.turn.load(Ordering::Relaxed), 5);
    }

    #[test]
    fn a_full_table_says_so() {
        let table = Table::new();
        let numbers: Vec<u16> =
            (1..=2 * SLOTS as u64).map(|call| table.number(&Chain::of([(call, 8)].into_iter()))).collect();
        assert!(numbers.contains(&0));
        let mut given: Vec<u16> = numbers.into_iter().filter(|number| *number != 0).collect();
        let many = given.len();
        given.sort_unstable();
        given.dedup();
        assert_eq!(given.len(), many);
        assert!(many > SLOTS / 2);
    }
}
