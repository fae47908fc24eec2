//! `exit` on any node ends the program with that code.
//!
//! *Why not safe code*: C signatures.

use core::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use dstd_addr::NodeId;
use dstd_control::stats::ExitKind;

use super::next::Next;
use crate::context;
use crate::node::{self, Request};
use crate::ship::{Op, fresh_id};
use crate::stack::on_native;

type Exit = unsafe extern "C" fn(c_int) -> !;

static NEXT: Next = Next::new(c"exit");
/// Who ends the program and with what, for the last handler: the first that asks.
static OWNER: AtomicU64 = AtomicU64::new(0);
static ORIGIN: AtomicU32 = AtomicU32::new(0);
static CODE: AtomicU32 = AtomicU32::new(0);
static BY_EXIT: AtomicBool = AtomicBool::new(false);

/// libc's `exit`.
///
/// # Safety
/// - As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn exit(code: c_int) -> ! {
    match context::cluster() {
        Some(context) if context.me != NodeId::ZERO => {
            on_native(|| {
                context.queue.push(Request::Ship {
                    to: NodeId::ZERO,
                    op: Op::Exit,
                    id: fresh_id(),
                    arg: u64::from(code as u32),
                    body: Vec::new(),
                    expect: None,
                });
            });
            wait_for_the_end()
        }
        _ => leave(NodeId::ZERO, code, true),
    }
}

/// Node 0, user thread: another node has called `exit`.
pub(crate) fn exit_for(origin: NodeId, code: i32) -> ! {
    leave(origin, code, true)
}

/// Node 0: `main` has returned `code`.
pub(crate) fn main_returned(code: c_int) -> ! {
    leave(NodeId::ZERO, code, false)
}

fn leave(origin: NodeId, code: i32, by_exit: bool) -> ! {
    // SAFETY: the running thread's own identity.
    let me = unsafe { libc::pthread_self() };
    let owner = OWNER.compare_exchange(0, me, Ordering::SeqCst, Ordering::SeqCst);
    if owner.is_err_and(|owner| owner != me) && !context::is_child() {
        // Another thread ends the program already. (A handler that calls `exit` again goes on in libc.)
        wait_for_the_end()
    }
    ORIGIN.store(u32::from(origin.0), Ordering::Relaxed);
    CODE.store(code as u32, Ordering::Relaxed);
    BY_EXIT.store(by_exit, Ordering::Relaxed);
    // SAFETY: libc's function of this name has this type.
    let exit = unsafe { core::mem::transmute::<*mut c_void, Exit>(NEXT.get()) };
    // SAFETY: the program asked for it.
    unsafe { exit(code) }
}

/// The first exit handler that is registered, so the last that runs.
pub(crate) extern "C" fn at_last() {
    if context::me() == NodeId::ZERO && !context::is_child() {
        let kind = if BY_EXIT.load(Ordering::Relaxed) { ExitKind::Exit } else { ExitKind::Main };
        let origin = NodeId(ORIGIN.load(Ordering::Relaxed) as u16);
        node::goodbye(kind, origin, CODE.load(Ordering::Relaxed) as i32);
    }
}

fn wait_for_the_end() -> ! {
    loop {
        // SAFETY: sleeps until a signal.
        unsafe { libc::pause() };
    }
}
