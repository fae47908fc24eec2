//! What the futex engine decides, carried out.

use std::sync::atomic::{AtomicU64, Ordering};

use dstd_addr::GlobalAddr;
use dstd_protocol::futex;
use dstd_transport::Outbox;

use super::{Engine, FutexState};
use crate::fatal::{self, stop};
use crate::raw;

/// How many threads of other nodes wait for addresses of this node. A wake at home that reads
/// 0 here stays in the kernel.
static REMOTE_WAITERS: AtomicU64 = AtomicU64::new(0);

/// See [`REMOTE_WAITERS`]; the caller has fenced its store to the futex word before.
pub(crate) fn remote_waiters() -> u64 {
    REMOTE_WAITERS.load(Ordering::SeqCst)
}

impl Engine {
    pub(super) fn futex(&mut self, out: &mut dyn Outbox, input: futex::Input) {
        let mut outputs = core::mem::take(&mut self.futex_outputs);
        let mut next = Some(input);
        while let Some(input) = next.take() {
            outputs.clear();
            if let Err(violation) = self.futexes.step(input, &mut outputs) {
                stop!(fatal::INTERNAL, "futex engine: {violation} on {input:?}");
            }
            // Before `FutexArmed` goes out: a waker at home that stores after the waiter's second
            // look must see the waiter counted.
            REMOTE_WAITERS.store(self.futexes.remote_waiters(), Ordering::SeqCst);
            for output in &outputs {
                match *output {
                    futex::Output::Send { to, message } => self.send(out, to, message, &[]),
                    futex::Output::Armed { token } => {
                        if let Some(wait) = self.waits.get(&token) {
                            wait.set(FutexState::ARMED, 0);
                        }
                    }
                    futex::Output::Woken { token } => self.answer(token, FutexState::WOKEN, 0),
                    futex::Output::Cancelled { token } => self.answer(token, FutexState::CANCELLED, 0),
                    futex::Output::WakeDone { token, woken } => {
                        self.answer(token, FutexState::WAKE_DONE, u64::from(woken));
                    }
                    futex::Output::KernelWake { ticket, addr, count, bitset } => {
                        let woken = kernel_wake(addr, count, bitset);
                        next = Some(futex::Input::KernelWoke { ticket, woken });
                    }
                }
            }
        }
        self.futex_outputs = outputs;
    }

    fn answer(&mut self, token: u64, state: u32, value: u64) {
        if let Some(wait) = self.waits.remove(&token) {
            wait.set(state, value);
        }
    }
}

/// Wakes waiters of this node in the kernel; touches no memory at `addr`.
fn kernel_wake(addr: GlobalAddr, count: u32, bitset: u32) -> u32 {
    let op = (libc::FUTEX_WAKE_BITSET | libc::FUTEX_PRIVATE_FLAG) as usize;
    let count = count.min(i32::MAX as u32) as usize;
    // SAFETY: a private wake uses the address as a key only.
    let woken = unsafe { raw::syscall(libc::SYS_futex, [addr.0 as usize, op, count, 0, 0, bitset as usize]) };
    u32::try_from(woken).unwrap_or(0)
}
