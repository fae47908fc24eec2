//! Spans of which every block is free become free runs again.
//!
//! *Invariants*: HEAP-3: a span is free when all of its blocks are in batches and ranges that the sweep has
//! taken off the centre, so nobody else can hand one out. Blocks that threads keep in their caches hold
//! their spans.
//!
//! *Layout*: `free_blocks` has a u16 for each unit: how many blocks of the span that begins there were
//! met; 0 between sweeps.
//!
//! *Who may touch what, when*: a sweep everything it has taken off; one sweep at a time (`sweeping`).

use core::array;
use core::sync::atomic::Ordering;

use crate::class::{CLASSES, Class, UNIT_SHIFT};
use crate::heap::{Central, Heap, Inner, Place};
use crate::node::Node;
use crate::slow::PAGES_PER_UNIT;
use crate::stack::Stack;

impl Heap {
    /// Makes free runs of the spans that nobody uses; whether there were any, `None` when another thread is at it.
    /// Looks twice at every free block's address at the centre, so it is for idle times and for need.
    pub fn reclaim_spans(&self) -> Option<bool> {
        let Some(inner) = self.inner() else { return Some(false) };
        // Acquire and release: the counts are as the last sweep has left them.
        if inner.sweeping.swap(true, Ordering::Acquire) {
            return None;
        }
        inner.begin_taking();
        let off: [Central; CLASSES] = array::from_fn(|_| Central::new());
        let classes = || (0..CLASSES).filter_map(Class::from_index).zip(inner.central.iter().zip(&off));
        classes().for_each(|(class, (central, off))| inner.count_free(class, central, off));
        classes().for_each(|(class, (central, off))| inner.keep_partial(class, central, off));
        let found = inner.free_full();
        inner.end_taking();
        inner.sweeping.store(false, Ordering::Release);
        if found {
            inner.tell_freed();
        }
        Some(found)
    }
}

impl Inner {
    /// Takes everything of `class` off the centre, and counts the free blocks of each span.
    fn count_free(&self, class: Class, central: &Central, off: &Central) {
        let count = |addr: u64, blocks: usize| {
            self.free_blocks[self.span_unit(addr)].fetch_add(blocks as u16, Ordering::Relaxed);
        };
        while let Some(index) = central.batches.pop(&self.arena) {
            let node = Node::at(&self.arena, index);
            (0..node.len()).for_each(|at| count(node.get(at), 1));
            off.batches.push(&self.arena, index);
        }
        while let Some(index) = central.ranges.pop(&self.arena) {
            let node = Node::at(&self.arena, index);
            count(node.get(0), (node.get(1) - node.get(0)) as usize / class.size());
            off.ranges.push(&self.arena, index);
        }
    }

    /// Puts what belongs to spans that are in use back to the centre.
    fn keep_partial(&self, class: Class, central: &Central, off: &Central) {
        let full = |addr| {
            usize::from(self.free_blocks[self.span_unit(addr)].load(Ordering::Relaxed)) == class.blocks()
        };
        let put_back = |stack: &Stack, index, some| {
            if some { stack.push(&self.arena, index) } else { self.recycle_node(index) }
        };
        while let Some(index) = off.batches.pop(&self.arena) {
            let node = Node::at(&self.arena, index);
            let len = node.len();
            node.set_len(0);
            for addr in (0..len).map(|at| node.get(at)).filter(|addr| !full(*addr)) {
                let kept = node.push(addr);
                debug_assert!(kept, "no more than there were");
            }
            put_back(&central.batches, index, node.len() > 0);
        }
        while let Some(index) = off.ranges.pop(&self.arena) {
            let node = Node::at(&self.arena, index);
            put_back(&central.ranges, index, !full(node.get(0)));
        }
    }

    /// Frees the spans of which all blocks were counted, and clears all counts.
    fn free_full(&self) -> bool {
        let mut found = false;
        let units = self.runs.used().div_ceil(PAGES_PER_UNIT) as usize;
        for unit in 0..units {
            if self.free_blocks[unit].load(Ordering::Relaxed) == 0 {
                continue;
            }
            let blocks = usize::from(self.free_blocks[unit].swap(0, Ordering::Relaxed));
            let start = self.start + ((unit as u64) << UNIT_SHIFT);
            let Place::Span(class, _) = self.place(start) else { continue };
            if blocks == class.blocks() {
                for part in &self.units[unit..unit + class.units()] {
                    part.store(0, Ordering::Relaxed);
                }
                let freed = self.runs.free(unit as u32 * PAGES_PER_UNIT);
                debug_assert!(freed.is_some(), "HEAP-3: a span is a live run");
                found = true;
            }
        }
        found
    }

    /// The first unit of the span that holds the block at `addr`.
    fn span_unit(&self, addr: u64) -> usize {
        match self.place(addr) {
            Place::Span(_, start) => ((start - self.start) >> UNIT_SHIFT) as usize,
            Place::Page(_) => unreachable!("HEAP-3: the centre holds blocks of spans only"),
        }
    }
}
