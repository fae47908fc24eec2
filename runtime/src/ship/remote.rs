//! A thread on another node, as its spawner sees it.
//!
//! *Why not safe code*: the closure and the result travel as bytes, as a Rust move does.

use std::io;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{Ordering, fence};
use std::thread::Thread;

use dstd_addr::NodeId;

use super::{Job, Op, fresh_id, thread_ended, thread_started, wire};
use crate::context;
use crate::node::{Request, ShipState, Shipped};
use crate::stack::on_native;
use crate::wait::Wait;

/// A thread that was spawned on another node. Dropping it detaches the thread.
#[derive(Debug)]
pub(crate) struct Remote {
    id: u64,
    shipped: Arc<Shipped>,
    handle: OnceLock<Thread>,
}

/// Starts `job` on a fresh thread of `node`, which is not this one.
///
/// # Network
/// 1 round trip.
///
/// # Errors
/// When the node could not create the thread; the closure is then still the caller's.
///
/// # Safety
/// - `closure` points to a closure of the type that `job` was made for. On success it is moved out.
pub(crate) unsafe fn spawn(node: NodeId, job: Job, closure: *const u8) -> io::Result<Remote> {
    // Closures are small (large ones are boxed); only a name can be long.
    if job.name.as_ref().is_some_and(|name| name.len() > NAME_BYTES_MAX) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the thread's name is too long to be shipped",
        ));
    }
    on_native(|| {
        // SAFETY: the caller says that `closure` is valid for its layout.
        let (id, shipped) = unsafe { send(node, Op::Spawn, &job, closure) };
        let state = shipped.wait.wait_while(Wait::PENDING, None);
        if state == ShipState::FAILED {
            return Err(io::Error::from_raw_os_error(shipped.wait.value() as i32));
        }
        thread_started(node);
        Ok(Remote { id, shipped, handle: OnceLock::new() })
    })
}

/// Far more than a system shows of a name, far less than a message holds.
const NAME_BYTES_MAX: usize = 1 << 20;

/// Sends a job; what comes back arrives in the returned `Shipped`. Runtime code.
///
/// # Safety
/// - `closure` is valid for reads of `job.closure`.
pub(super) unsafe fn send(node: NodeId, op: Op, job: &Job, closure: *const u8) -> (u64, Arc<Shipped>) {
    let id = fresh_id();
    let mut bytes: Vec<u8> = Vec::with_capacity(job.closure.size());
    let spare: &mut [MaybeUninit<u8>] = bytes.spare_capacity_mut();
    // SAFETY: the caller's promise, and the vector has room for `size` bytes. Padding travels as
    // whatever it is. User memory is read here without any lock held (ISO-2).
    unsafe { core::ptr::copy_nonoverlapping(closure, spare.as_mut_ptr().cast(), job.closure.size()) };
    // SAFETY: just written.
    unsafe { bytes.set_len(job.closure.size()) };
    let body = wire::encode(job, &bytes);
    let shipped = Arc::new(Shipped::new(node, job.drop_result, job.result));
    push(Request::Ship { to: node, op, id, arg: 0, body, expect: Some((id, Arc::clone(&shipped))) });
    (id, shipped)
}

/// Hands a request to the engine of this node, which exists: only programs of several nodes ship.
pub(super) fn push(request: Request) {
    let context = context::cluster().expect("SHIP-1: work is shipped only when there are other nodes");
    context.queue.push(request);
}

impl Remote {
    /// Waits until the thread and its thread-local destructors are done; moves its result to `result`.
    ///
    /// # Network
    /// Nothing is sent before the end; then 1 message.
    ///
    /// # Safety
    /// - `result` is valid for writes of the job's result type.
    pub(crate) unsafe fn join(self, result: *mut u8) {
        on_native(|| {
            while self.shipped.wait.state() != ShipState::ENDED {
                self.shipped.wait.wait_while(ShipState::RUNNING, None);
            }
            let bytes = self.shipped.result.get().expect("the state ENDED is set after the result");
            // SAFETY: the target sent as many bytes as the result's layout has, checked there; the
            // caller vouches for the destination.
            unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), result, bytes.len()) };
            thread_ended(self.shipped.node);
            self.finish();
            self.forget();
        });
    }

    /// Whether [`Remote::join`] would return at once.
    pub(crate) fn is_finished(&self) -> bool {
        self.shipped.wait.state() == ShipState::ENDED
    }

    /// The thread's handle.
    ///
    /// # Network
    /// 1 round trip at the first call.
    pub(crate) fn thread(&self) -> &Thread {
        self.handle.get_or_init(|| {
            let bytes = on_native(|| {
                let answer = fresh_id();
                push(Request::Ship {
                    to: self.shipped.node,
                    op: Op::AskHandle,
                    id: self.id,
                    arg: answer,
                    body: Vec::new(),
                    expect: Some((answer, Arc::clone(&self.shipped))),
                });
                self.shipped.handle_wait.wait_while(Wait::PENDING, None);
                let bytes = self.shipped.handle.get().expect("set before the wait ends");
                let mut handle = [0_u8; size_of::<Thread>()];
                handle.copy_from_slice(bytes);
                handle
            });
            // SAFETY: these are the bytes of a `Thread` that the other node has moved out (and
            // forgotten); `Thread` is `Send`, and what it points to is in the global heap (ADDR-1).
            unsafe { core::mem::transmute::<[u8; size_of::<Thread>()], Thread>(bytes) }
        })
    }

    /// Tells the target that nobody asks for this thread any more.
    fn finish(&self) {
        push(Request::Ship {
            to: self.shipped.node,
            op: Op::Detach,
            id: self.id,
            arg: 0,
            body: Vec::new(),
            expect: None,
        });
    }

    /// Drops everything without detaching.
    fn forget(self) {
        let this = core::mem::ManuallyDrop::new(self);
        // SAFETY: `this` is never dropped, so each field is dropped once, here. The handle's
        // memory belongs to user code, whose allocations are told apart by address.
        drop(unsafe { core::ptr::read(&raw const this.shipped) });
        // SAFETY: as above.
        drop(unsafe { core::ptr::read(&raw const this.handle) });
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.shipped.detached.store(true, Ordering::SeqCst);
        // SeqCst: either this sees `ENDED`, or the engine sees `detached`.
        fence(Ordering::SeqCst);
        if self.shipped.wait.state() == ShipState::ENDED
            && let Some(result) = self.shipped.result.get()
            && self.shipped.take_result()
        {
            super::spawner::drop_result(&self.shipped, result);
        }
        on_native(|| self.finish());
    }
}
