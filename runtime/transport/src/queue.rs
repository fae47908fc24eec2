//! Bytes that wait to be written to one peer.

use crate::limits::QUEUE_KEEP_BYTES;

/// A first-in first-out queue of bytes in one piece of memory, so that one write takes them all.
#[derive(Default)]
pub(crate) struct Queue {
    bytes: Vec<u8>,
    /// `bytes[..head]` is written already.
    head: usize,
}

impl Queue {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.head
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[self.head..]
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Drops the first `count` bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        assert!(count <= self.len(), "XPORT-1: more bytes were written than were queued");
        self.head += count;
        if self.head == self.bytes.len() {
            self.clear();
        } else if self.head >= self.bytes.len() / 2 {
            // Moves at most as many bytes as were consumed since the last time.
            self.bytes.drain(..self.head);
            self.head = 0;
        }
    }

    /// Drops everything, and memory beyond what steady traffic needs.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.head = 0;
        self.bytes.shrink_to(QUEUE_KEEP_BYTES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_the_order_they_came() {
        let mut queue = Queue::default();
        let (mut came, mut left) = (0_u8, 0_u8);
        for round in 0..1000_usize {
            for _ in 0..round % 13 {
                queue.push(&[came]);
                came = came.wrapping_add(1);
            }
            let count = queue.len().min(round % 11);
            for &byte in &queue.as_slice()[..count] {
                assert_eq!(byte, left);
                left = left.wrapping_add(1);
            }
            queue.consume(count);
        }
        assert!(queue.len() > 1, "the queue was never longer than what is taken");
    }

    #[test]
    fn a_drained_queue_gives_memory_back() {
        let mut queue = Queue::default();
        queue.push(&vec![7; 4 * QUEUE_KEEP_BYTES]);
        queue.consume(4 * QUEUE_KEEP_BYTES);
        assert!(queue.is_empty());
        assert!(queue.bytes.capacity() <= QUEUE_KEEP_BYTES);
    }
}
