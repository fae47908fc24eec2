//! Frames through memory that two processes of one host share.
//!
//! # One link
//!
//! Two nodes share one [link](LinkEnd): an anonymous memory file that both map, and a pair of
//! Unix sockets. Each direction has a ring of slots of one cache line, and a larger area for bulk.
//!
//! ```text
//!  sender (node 0)                shared memory                       receiver (node 1)
//!  ---------------   slots: | seq len bytes... | seq len *bulk* |    ------------------
//!  queue or body --> bulk:  | ....  64 KiB pieces ............. | --> inbox --> sink
//!                    taken: | slots that were read              |
//!                    door:  | sleeps? for frames? for room?     |
//!                                 sockets
//!  writes one byte only if the other sleeps ---> ppoll     end of stream = the peer is gone
//! ```
//!
//! A link carries a stream of bytes in pieces: a small piece lies in its slot, so one cache line
//! travels and no index has to be read; a larger one lies in the bulk area and its slot says how
//! long it is. The receiver pulls the bytes from there straight into its private inbox. A frame
//! larger than the whole area passes in several pieces. [`Mesh`](crate::mesh::Mesh) makes frames
//! out of the stream, as it does for TCP: queues, bounds, order and fairness are the same code.
//!
//! # Cost
//!
//! | what | cost |
//! |---|---|
//! | small frame, receiver spinning | one line there, no system call |
//! | small frame, receiver asleep | one byte through a socket, and waking it |
//! | bulk | one copy in, one copy out, no system call; lines move between the cores |
//! | sleeping | one read of a socket per peer, then `ppoll` |
//! | a spinning poll | two loads per peer; a look at the socket every 1024th time |
//!
//! Rewriting lines that the other core still holds costs more than the copy itself. The bulk area
//! is therefore larger than what is usually under way: most lines were evicted from the reader's
//! cache before they are written again.
//!
//! # What a peer can do
//!
//! The other side's memory is not trusted. Only three kinds of word are read from it, each by one
//! atomic load: a slot's word, the count of slots taken, and the door. Positions and offsets are
//! counted privately, lengths are checked against the area, and bytes are copied out before
//! anybody looks at them. The file is sealed against shrinking, so no access can fault. What is
//! out of bounds closes the link with [`Io`](crate::CloseReason::Io) and `InvalidData`; a header
//! that declares too much closes it as on every other transport.
//!
//! # The end of a peer
//!
//! A node that leaves says so at its door, and its socket ends. One that is killed leaves only the
//! second sign, which the kernel gives. In both cases everything that was published is read first,
//! and then the end is clean or in the middle of a frame.

mod bell;
mod copy;
mod door;
mod end;
mod exchange;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod layout;
mod link;
mod receiver;
mod region;
mod sender;
mod sys;
#[cfg(test)]
mod tests;
mod transport;
mod wire;

pub use end::LinkEnd;
pub use exchange::{accept, exchange, offer};
pub use layout::Sizes;
pub use transport::Shm;
pub use wire::ShmWire;
