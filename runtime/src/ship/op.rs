//! What nodes say about shipped work, and what the spawner thread is asked to do about it.

use dstd_addr::NodeId;

use super::Work;
use crate::keeper::{Asker, Words};

/// The `op` of a `Message::Ship`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub(crate) enum Op {
    /// Run the closure in the body on a fresh thread.
    Spawn = 1,
    /// The thread exists (`arg` 0) or could not be made (`arg` is the error number).
    Spawned = 2,
    /// The thread or call has ended; the body is its result.
    Ended = 3,
    /// Nobody waits for the thread any more.
    Detach = 4,
    /// Send the thread's handle under the id in `arg`.
    AskHandle = 5,
    /// The body is the thread's handle.
    Handle = 6,
    /// Run the closure in the body on a pool thread.
    Call = 7,
    /// End the program with the code in `arg`.
    Exit = 8,
    /// The program has ended (from node 0), heard (to node 0).
    Goodbye = 9,
    /// What lies at the address `id`?
    WhatIs = 10,
    /// The answer.
    ThisIs = 11,
    /// To node 0: have all nodes change the environment or the working directory as the body says;
    /// answered by `Ended`.
    Environment = 12,
    /// From node 0: make that change; answered by `Ended`.
    Follow = 13,
    /// Make the call on a descriptor in the body; answered by `Ended`.
    Descriptor = 20,
    /// To node 0: about large blocks over all nodes (`keeper::Words`).
    AskStripes = 40,
    /// From node 0: the same, about the receiver's share.
    ShareStripes = 41,
}

impl Op {
    /// The operation with this number.
    pub(crate) fn from_wire(op: u16) -> Option<Op> {
        const ALL: [Op; 16] = [
            Op::Spawn,
            Op::Spawned,
            Op::Ended,
            Op::Detach,
            Op::AskHandle,
            Op::Handle,
            Op::Call,
            Op::Exit,
            Op::Goodbye,
            Op::WhatIs,
            Op::ThisIs,
            Op::Environment,
            Op::Follow,
            Op::Descriptor,
            Op::AskStripes,
            Op::ShareStripes,
        ];
        ALL.into_iter().find(|known| *known as u16 == op)
    }
}

/// Work that may block, for the spawner thread.
#[derive(Debug)]
pub(crate) enum Task {
    Spawn {
        from: NodeId,
        id: u64,
        body: Vec<u8>,
    },
    Detach {
        id: u64,
    },
    AskHandle {
        from: NodeId,
        id: u64,
        answer: u64,
    },
    Environment {
        from: NodeId,
        id: u64,
        body: Vec<u8>,
    },
    Follow {
        from: NodeId,
        id: u64,
        body: Vec<u8>,
    },
    /// For a pool thread, and none is idle.
    Give(Work),
    Leave {
        id: u64,
        arg: u64,
    },
    /// One more thread for calls on descriptors.
    Serve,
    /// For the keeper.
    Stripes {
        asker: Asker,
        words: Words,
    },
}
