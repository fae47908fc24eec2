//! Large blocks over all nodes: who gets which part of the striped range.
//!
//! Node 0's keeper keeps the books; every other thread asks it. What it gives out has been promised by the
//! homes of the stripes first, each of which answers from its own heap's budget, so no node holds more
//! than `--heap`. What is freed is taken back by each home before it is given out again.
//!
//! | message | from | to | words | answer |
//! |---|---|---|---|---|
//! | `AskStripes` | any | node 0 | take, 0, chunks | the address, or 0 |
//! | | | | resize, address, chunks | 1, or 0 |
//! | | | | free, address, 0 | none |
//! | | | | collect, 0, 0 | 1, when all that was freed is back at its home |
//! | `ShareStripes` | node 0 | home | reserve, chunks, 0 | 1, or 0 |
//! | | | | release, chunks, 0 | none |
//! | | | | discard, first chunk, chunks | 1, when the memory is back at the system |
//! | | | | flush, 0, 0 | 1, when all that its threads have freed has reached the homes |
//! | | | | take in, 0, 0 | 1, when what others have freed there is free |
//! | | any | any | echo, 0, 0 | 1, by the engine: it has read all that came before |
//!
//! All answers are `Ended` messages. A thread that shortens a block waits for the answer: another thread's
//! next request may come to node 0 by another way.
//!
//! *Why nobody waits in a circle*: node 0's keeper waits for other keepers, and those only for engines.

use std::sync::Arc;

use dstd_addr::{NodeId, STRIPED_BASE, STRIPED_CHUNK_BYTES};

use super::ranges::Ranges;
use super::{discard_range, discarded};
use crate::context::Context;
use crate::fatal::{self, stop};
use crate::node::{Request, ShipState, Shipped};
use crate::ship::{Op, fresh_id};
use crate::wait::Wait;
use crate::{alloc, raw};

/// What can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub(crate) enum What {
    Take = 1,
    Resize = 2,
    Free = 3,
    Reserve = 4,
    Release = 5,
    Discard = 6,
    Collect = 7,
    Flush = 8,
    TakeIn = 9,
    Echo = 10,
}

impl What {
    const ALL: [What; 10] = [
        What::Take,
        What::Resize,
        What::Free,
        What::Reserve,
        What::Release,
        What::Discard,
        What::Collect,
        What::Flush,
        What::TakeIn,
        What::Echo,
    ];
}

/// A question, and what a message about stripes says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words(pub(crate) What, pub(crate) u64, pub(crate) u64);

impl Words {
    pub(crate) fn encode(self) -> Vec<u8> {
        [self.0 as u64, self.1, self.2].iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    pub(crate) fn decode(body: &[u8]) -> Option<Words> {
        let words: &[u8; 24] = body.try_into().ok()?;
        let word = |at: usize| words[at * 8..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
        let what = What::ALL.into_iter().find(|what| *what as u64 == word(0))?;
        Some(Words(what, word(1), word(2)))
    }
}

/// Who asks.
#[derive(Debug)]
pub(crate) enum Asker {
    /// Another node, under this number.
    Node(NodeId, u64),
    /// A thread of this node.
    Here(Arc<Shipped>),
}

/// Node 0's books, and every node's part in them.
#[derive(Debug)]
pub(super) struct Stripes {
    context: &'static Context,
    ranges: Ranges,
}

impl Stripes {
    pub(super) fn new(context: &'static Context) -> Stripes {
        let range = context.layout.striped();
        let chunks = (range.end - range.start) / STRIPED_CHUNK_BYTES;
        let stripe = context.layout.stripe_bytes() / STRIPED_CHUNK_BYTES;
        Stripes { context, ranges: Ranges::new(chunks, stripe, u64::from(context.layout.nodes())) }
    }

    /// Does what was asked for, and answers.
    pub(super) fn perform(&mut self, asker: &Asker, words: Words) {
        let answer = match words {
            Words(What::Take, _, chunks) => self.take(chunks),
            Words(What::Resize, addr, chunks) => u64::from(self.resize(addr, chunks)),
            Words(What::Free, addr, _) => {
                let (start, len) = self.live(addr);
                self.drop_tail(start, 0, len);
                return;
            }
            Words(What::Discard, start, chunks) => {
                self.discard_own(start, chunks);
                1
            }
            Words(What::Collect, ..) => {
                self.collect();
                1
            }
            Words(What::Flush, ..) => {
                self.flush();
                1
            }
            Words(What::TakeIn, ..) => {
                take_in();
                1
            }
            Words(What::Reserve | What::Release | What::Echo, ..) => return,
        };
        let bytes = answer.to_le_bytes().to_vec();
        match asker {
            Asker::Node(to, id) => self.send(*to, Op::Ended, *id, bytes, None),
            Asker::Here(shipped) => {
                // The question has one answer.
                drop(shipped.result.set(bytes));
                shipped.wait.set(ShipState::ENDED, 0);
            }
        }
    }

    fn take(&mut self, chunks: u64) -> u64 {
        if chunks == 0 {
            return 0;
        }
        for start in self.ranges.candidates(chunks) {
            if self.reserve(&self.ranges.shares(start, chunks)) {
                self.ranges.take(start, chunks);
                return STRIPED_BASE + start * STRIPED_CHUNK_BYTES;
            }
        }
        0
    }

    /// Has everything that any thread has freed come back to its home.
    fn collect(&self) {
        let answers = self.ask_all(What::Flush);
        self.flush();
        wait_all(&answers);
        let answers = self.ask_all(What::TakeIn);
        take_in();
        wait_all(&answers);
    }

    /// Sends what threads of this node have freed elsewhere; returns when it has arrived there.
    fn flush(&self) {
        alloc::flush_all_remote();
        wait_all(&self.ask_all(What::Echo));
    }

    /// Asks all other nodes.
    fn ask_all(&self, what: What) -> Vec<Arc<Shipped>> {
        let nodes = (0..self.context.layout.nodes()).map(NodeId).filter(|node| *node != self.context.me);
        nodes.map(|node| self.ask(node, Words(what, 0, 0))).collect()
    }

    fn resize(&mut self, addr: u64, chunks: u64) -> bool {
        let (start, len) = self.live(addr);
        if chunks <= len {
            self.drop_tail(start, chunks, len);
            return true;
        }
        let more = chunks - len;
        let fits =
            self.ranges.is_free(start + len, more) && self.reserve(&self.ranges.shares(start + len, more));
        if fits {
            self.ranges.lengthen(start, chunks);
        }
        fits
    }

    /// The live part at `addr`: first chunk and length.
    fn live(&self, addr: u64) -> (u64, u64) {
        let start = addr.wrapping_sub(STRIPED_BASE) / STRIPED_CHUNK_BYTES;
        match self.ranges.live(start) {
            Some(len) if addr.is_multiple_of(STRIPED_CHUNK_BYTES) => (start, len),
            _ => stop!(
                fatal::INTERNAL,
                "HEAP-4: the large block at {addr:#x} was freed or resized but is not live (a double free in this program?)"
            ),
        }
    }

    /// Takes back what of the live part at `start` lies between `from` and `len` chunks.
    fn drop_tail(&mut self, start: u64, from: u64, len: u64) {
        if from == len {
            return;
        }
        self.ranges.shorten(start, from);
        self.give_back(start + from, len - from);
        self.ranges.give(start + from, len - from);
    }

    /// Has every home give the memory of its stripes back, and release what it had reserved.
    fn give_back(&self, start: u64, len: u64) {
        let shares = self.ranges.shares(start, len);
        if self.context.direct {
            punch(start, len);
            self.release(&shares);
            return;
        }
        let answers: Vec<_> =
            self.others(&shares).map(|(node, _)| self.ask(node, Words(What::Discard, start, len))).collect();
        self.discard_own(start, len);
        wait_all(&answers);
    }

    /// This node's part of [`Stripes::give_back`].
    fn discard_own(&self, start: u64, len: u64) {
        let mut chunks = 0;
        for (_, from, to) in self.own(start, len) {
            chunks += to - from;
            let addr = |chunk: u64| STRIPED_BASE + chunk * STRIPED_CHUNK_BYTES;
            discard_range(addr(from)..addr(to), |_, _| discarded());
        }
        alloc::release_striped(chunks * STRIPED_CHUNK_BYTES);
    }

    fn own(&self, start: u64, len: u64) -> impl Iterator<Item = (u64, u64, u64)> {
        let me = u64::from(self.context.me.0);
        self.ranges.stripes(start, len).filter(move |(home, ..)| *home == me)
    }

    /// Whether all homes promise their shares; what they have promised is void otherwise.
    fn reserve(&self, shares: &[u64]) -> bool {
        let answers: Vec<_> = self
            .others(shares)
            .map(|(node, share)| (node, share, self.ask(node, Words(What::Reserve, share, 0))))
            .collect();
        let own = shares[self.context.me.index()];
        let mut granted = vec![0; shares.len()];
        if own == 0 || alloc::reserve_striped(own * STRIPED_CHUNK_BYTES) {
            granted[self.context.me.index()] = own;
        }
        for (node, share, shipped) in answers {
            if wait(&shipped) == 1 {
                granted[node.index()] = share;
            }
        }
        let all = granted == shares;
        if !all {
            self.release(&granted);
        }
        all
    }

    fn release(&self, shares: &[u64]) {
        alloc::release_striped(shares[self.context.me.index()] * STRIPED_CHUNK_BYTES);
        for (node, share) in self.others(shares) {
            let words = Words(What::Release, share, 0);
            self.send(node, Op::ShareStripes, 0, words.encode(), None);
        }
    }

    /// The other nodes that have a share.
    fn others(&self, shares: &[u64]) -> impl Iterator<Item = (NodeId, u64)> {
        let me = self.context.me.index();
        let shares = shares.iter().copied().enumerate();
        shares
            .filter(move |(rank, share)| *share > 0 && *rank != me)
            .map(|(rank, share)| (NodeId(rank as u16), share))
    }

    fn ask(&self, node: NodeId, words: Words) -> Arc<Shipped> {
        let shipped = Arc::new(Shipped::without_result());
        let id = fresh_id();
        self.send(node, Op::ShareStripes, id, words.encode(), Some((id, Arc::clone(&shipped))));
        shipped
    }

    fn send(&self, to: NodeId, op: Op, id: u64, body: Vec<u8>, expect: Option<(u64, Arc<Shipped>)>) {
        self.context.queue.push(Request::Ship { to, op, id, arg: 0, body, expect });
    }
}

/// What other nodes have freed here becomes free, and spans without a block as well.
fn take_in() {
    alloc::take_in();
    alloc::reclaim();
}

fn wait_all(answers: &[Arc<Shipped>]) {
    for shipped in answers {
        wait(shipped);
    }
}

/// Waits for the answer to a question; the loss of who was asked ends the program.
pub(crate) fn wait(shipped: &Shipped) -> u64 {
    while shipped.wait.state() != ShipState::ENDED {
        shipped.wait.wait_while(Wait::PENDING, None);
    }
    let bytes = shipped.result.get().and_then(|bytes| bytes.first_chunk());
    bytes.map_or(0, |word| u64::from_le_bytes(*word))
}

/// In a domain: takes the memory from all nodes, which map the same file.
fn punch(start: u64, len: u64) {
    let Some(file) = alloc::reservation().striped_file() else { return };
    let (offset, bytes) = (start * STRIPED_CHUNK_BYTES, len * STRIPED_CHUNK_BYTES);
    // SAFETY: the part was freed by its only owner (COH-1), and nobody gets it before it is given back.
    let result = unsafe { raw::punch_hole(file, offset, bytes) };
    if result != 0 {
        stop!(fatal::INTERNAL, "cannot give memory of a large block back: error {}", -result);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_as_they_were_and_others_are_refused() {
        for what in What::ALL {
            let body = Words(what, 7, u64::MAX).encode();
            let Some(Words(same, 7, u64::MAX)) = Words::decode(&body) else { panic!("{body:?}") };
            assert_eq!(same, what);
            for len in 0..body.len() {
                assert!(Words::decode(&body[..len]).is_none());
            }
        }
        assert!(Words::decode(&[0; 24]).is_none());
        assert!(Words::decode(&[9; 24]).is_none());
    }
}
