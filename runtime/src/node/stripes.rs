//! The engine's part in large blocks over all nodes: promises are made here, the rest is the keeper's.

use dstd_addr::{NodeId, STRIPED_CHUNK_BYTES};
use dstd_protocol::Message;
use dstd_transport::Outbox;

use super::Engine;
use crate::alloc;
use crate::fatal::{self, stop};
use crate::keeper::{Asker, What, Words};
use crate::ship::{Op, Task};

impl Engine {
    /// `AskStripes` and `ShareStripes`.
    pub(super) fn stripes(&mut self, out: &mut dyn Outbox, from: NodeId, op: Op, id: u64, body: &[u8]) {
        let Some(words) = Words::decode(body) else {
            stop!(fatal::INTERNAL, "node {from} sent a malformed word about stripes")
        };
        match (op, words) {
            (Op::ShareStripes, Words(What::Reserve, chunks, _)) => {
                let promised = chunks.checked_mul(STRIPED_CHUNK_BYTES).is_some_and(alloc::reserve_striped);
                let answer = Message::Ship { op: Op::Ended as u16, id, arg: 0 };
                self.send(out, from, answer, &u64::from(promised).to_le_bytes());
            }
            (Op::ShareStripes, Words(What::Release, chunks, _)) => {
                alloc::release_striped(chunks.saturating_mul(STRIPED_CHUNK_BYTES));
            }
            (Op::ShareStripes, Words(What::Echo, ..)) => {
                let answer = Message::Ship { op: Op::Ended as u16, id, arg: 0 };
                self.send(out, from, answer, &1_u64.to_le_bytes());
            }
            (Op::ShareStripes, Words(What::Discard | What::Flush | What::TakeIn, ..))
            | (Op::AskStripes, Words(What::Take | What::Resize | What::Free | What::Collect, ..)) => {
                self.hand_over(Task::Stripes { asker: Asker::Node(from, id), words });
            }
            _ => stop!(fatal::INTERNAL, "node {from} sent the wrong word {words:?} about stripes"),
        }
    }
}
