//! How a node says that it ends.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::{REASON_BYTES_MAX, Stats};

/// How an orderly end began.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExitKind {
    /// `main` returned or panicked on node 0.
    Main,
    /// A thread on the origin called `process::exit`.
    Exit,
}

/// How a node says it ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    /// It has not said anything: it runs, or died.
    None,
    /// An orderly end of the whole program.
    Goodbye {
        /// How it began.
        kind: ExitKind,
        /// On which node.
        origin: u16,
        /// The program's exit code.
        code: i32,
    },
    /// dstd stopped the program on this node.
    Stop {
        /// 64 to 72.
        code: i32,
        /// Why.
        reason: String,
    },
    /// The connection to a peer broke.
    Lost {
        /// The peer.
        peer: u16,
    },
}

const ENDING_NONE: u64 = 0;
const ENDING_MAIN: u64 = 1;
const ENDING_EXIT: u64 = 2;
const ENDING_STOP: u64 = 3;
const ENDING_LOST: u64 = 4;
/// Somebody is writing its last words; for the reader as good as nothing.
const ENDING_WRITING: u64 = u64::MAX;

impl Stats {
    /// The last thing before an orderly end: how and on which node it began, and the program's exit
    /// code. A node that ends without has failed. The first last words of a node count.
    pub fn goodbye(&self, kind: ExitKind, origin: u16, code: i32) {
        let ending = match kind {
            ExitKind::Main => ENDING_MAIN,
            ExitKind::Exit => ENDING_EXIT,
        };
        self.end(ending, origin, code, "");
    }

    /// The last thing before dstd itself stops the program on this node with `code` (64 to 72).
    pub fn stop(&self, code: i32, reason: &str) {
        self.end(ENDING_STOP, 0, code, reason);
    }

    /// The last thing before this node ends because the connection to `peer` broke.
    pub fn lost(&self, peer: u16) {
        self.end(ENDING_LOST, peer, crate::exit::INTERNAL, "");
    }

    /// What the node said about its end.
    pub fn ending(&self) -> Ending {
        // Acquire: pairs with the release in `end`, so that origin, code and reason are whole.
        let ending = self.ending.load(Acquire);
        let origin = self.origin.load(Relaxed) as u16;
        let code = self.code.load(Relaxed) as i32;
        match ending {
            ENDING_MAIN => Ending::Goodbye { kind: ExitKind::Main, origin, code },
            ENDING_EXIT => Ending::Goodbye { kind: ExitKind::Exit, origin, code },
            ENDING_STOP => Ending::Stop { code, reason: self.reason() },
            ENDING_LOST => Ending::Lost { peer: origin },
            _ => Ending::None,
        }
    }

    fn end(&self, ending: u64, origin: u16, code: i32, reason: &str) {
        if self.ending.compare_exchange(ENDING_NONE, ENDING_WRITING, Relaxed, Relaxed).is_err() {
            return;
        }
        let cut = reason.floor_char_boundary(REASON_BYTES_MAX);
        for (word, bytes) in self.reason.iter().zip(reason.as_bytes()[..cut].chunks(8)) {
            let mut padded = [0; 8];
            padded[..bytes.len()].copy_from_slice(bytes);
            word.store(u64::from_le_bytes(padded), Relaxed);
        }
        self.reason_len.store(cut as u64, Relaxed);
        self.origin.store(origin.into(), Relaxed);
        self.code.store(code as u32 as u64, Relaxed);
        // Release: pairs with the acquire in `ending`.
        self.ending.store(ending, Release);
    }

    fn reason(&self) -> String {
        let mut bytes: Vec<u8> =
            self.reason.iter().flat_map(|word| word.load(Relaxed).to_le_bytes()).collect();
        bytes.truncate(usize::try_from(self.reason_len.load(Relaxed)).unwrap_or(usize::MAX));
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
