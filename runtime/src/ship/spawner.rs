//! The spawner thread: it does for other nodes what may block, and what the engine must not do.
//!
//! *Why not safe code*: closures and results arrive as bytes.

use std::alloc::Layout;
use std::collections::HashMap;
use std::io;
use std::sync::OnceLock;
use std::sync::mpsc::Receiver;
use std::thread::Thread;

use dstd_addr::NodeId;

use super::remote::push;
use super::{Job, Op, Task, call, environment, service, thread_ended, wire};
use crate::fatal::{self, stop};
use crate::node::{Request, Shipped};
use crate::stack::on_native;
use crate::{alloc, boot, context, keeper, place, record};

/// The signal mask with which the process started: that of every user thread.
static SIGNALS: OnceLock<libc::sigset_t> = OnceLock::new();

/// Boot: starts the thread that serves `tasks`; `signals` is the mask for user threads.
///
/// # Errors
/// When the thread cannot be made.
pub(crate) fn start(tasks: Receiver<Task>, signals: libc::sigset_t) -> io::Result<()> {
    SIGNALS.get_or_init(|| signals);
    call::prepare();
    let thread = std::thread::Builder::new().stack_size(boot::runtime_stack_bytes());
    thread.name("dstd-spawner".to_owned()).spawn(move || {
        let _runtime = alloc::enter();
        let _guard = fatal::StopOnUnwind;
        // It also runs user code: exit handlers, and std's part of starting a thread.
        record::attach();
        let mut handles = HashMap::new();
        for task in tasks {
            perform(task, &mut handles);
        }
    })?;
    Ok(())
}

/// Gives the running user thread the mask that user code expects.
pub(super) fn restore_signals() {
    if let Some(signals) = SIGNALS.get() {
        // SAFETY: the set is valid, the old mask is not asked for.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, signals, core::ptr::null_mut()) };
    }
}

fn perform(task: Task, handles: &mut HashMap<u64, Thread>) {
    match task {
        Task::Spawn { from, id, body } => spawn(Arrived { from, id, body }, handles),
        Task::Give(work) => call::give(work),
        Task::Detach { id } => drop(handles.remove(&id)),
        Task::AskHandle { from, id, answer: under } => {
            let Some(handle) = handles.get(&id) else {
                stop!(
                    fatal::INTERNAL,
                    "node {from} asked for a thread that node {} does not have",
                    context::me()
                )
            };
            let handle = handle.clone();
            // SAFETY: `Thread` has the size of the array, and the clone is moved out: its bytes are
            // the handle from now on, wherever they go.
            let bytes: [u8; size_of::<Thread>()] = unsafe { core::mem::transmute(handle) };
            answer(from, Op::Handle, under, bytes.to_vec());
        }
        Task::Environment { from, id, body } => environment::order(from, id, &body),
        Task::Follow { from, id, body } => {
            environment::follow(&body);
            answer(from, Op::Ended, id, Vec::new());
        }
        Task::Serve => service::grow(),
        Task::Stripes { asker, words } => keeper::give(asker, words),
        Task::Leave { id, arg } => {
            let user = alloc::leave();
            // SAFETY: flushes all streams of C, as this node's own exit would.
            unsafe { libc::fflush(core::ptr::null_mut()) };
            drop(user);
            push(Request::Ship {
                to: NodeId::ZERO,
                op: Op::Goodbye,
                id,
                arg,
                body: Vec::new(),
                expect: None,
            });
        }
    }
}

pub(super) fn answer(to: NodeId, op: Op, id: u64, body: Vec<u8>) {
    push(Request::Ship { to, op, id, arg: 0, body, expect: None });
}

/// A closure of another node that is to run here.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) from: NodeId,
    pub(crate) id: u64,
    pub(crate) body: Vec<u8>,
}

/// What becomes of it: the result's bytes, still in user memory.
pub(super) struct Finished {
    from: NodeId,
    id: u64,
    result: Buffer,
}

fn spawn(arrived: Arrived, handles: &mut HashMap<u64, Thread>) {
    let (from, id) = (arrived.from, arrived.id);
    let Some((job, _)) = wire::decode(&arrived.body) else { malformed(from) };
    let spawned = {
        // As user code: the thread's handle, with a copy of its name, is for all nodes.
        let _user = alloc::leave();
        let mut builder = std::thread::Builder::new();
        if let Some(name) = &job.name {
            builder = builder.name(name.clone());
        }
        if let Some(size) = job.stack_size {
            builder = builder.stack_size(size);
        }
        let _directed = place::staying();
        builder.spawn(move || {
            restore_signals();
            let finished = arrived.run();
            on_native(|| at_thread_end(finished));
        })
    };
    match spawned {
        Ok(handle) => {
            handles.insert(id, handle.thread().clone());
            answer(from, Op::Spawned, id, Vec::new());
        }
        Err(error) => {
            let errno = error.raw_os_error().unwrap_or(libc::EAGAIN) as u64;
            push(Request::Ship { to: from, op: Op::Spawned, id, arg: errno, body: Vec::new(), expect: None });
        }
    }
}

fn malformed(from: NodeId) -> ! {
    stop!(fatal::INTERNAL, "node {from} shipped a malformed closure")
}

impl Arrived {
    /// Runs the closure. User code, on a user thread.
    pub(super) fn run(self) -> Finished {
        let Some((job, at)) = wire::decode(&self.body) else { malformed(self.from) };
        let Job { run, closure, result, .. } = job;
        let closure = Buffer::new(closure);
        // SAFETY: decode has checked that as many bytes as the closure needs follow `at`.
        unsafe {
            core::ptr::copy_nonoverlapping(self.body[at..].as_ptr(), closure.start, closure.layout.size())
        };
        let Arrived { from, id, body } = self;
        on_native(|| drop(body));
        let result = Buffer::new(result);
        // SAFETY: SHIP-1: `run` is the function that the sender's instance of the same binary made
        // for this closure type; both buffers have the layout that came with it. SHIP-2: the
        // closure is moved out once.
        unsafe { run(closure.start, result.start) };
        Finished { from, id, result }
    }
}

impl Finished {
    /// Sends the result. Runtime code; reads user memory without any lock held (ISO-2).
    pub(super) fn send(self) {
        let mut bytes = Vec::<u8>::with_capacity(self.result.layout.size());
        let size = self.result.layout.size();
        // SAFETY: the job has written the result; the vector has room.
        unsafe { core::ptr::copy_nonoverlapping(self.result.start, bytes.as_mut_ptr(), size) };
        // SAFETY: just written; padding travels as it is.
        unsafe { bytes.set_len(size) };
        answer(self.from, Op::Ended, self.id, bytes);
    }
}

/// Sends the result after the thread-local destructors of the running thread: pthread runs key
/// destructors after them.
fn at_thread_end(finished: Finished) {
    static KEY: OnceLock<libc::pthread_key_t> = OnceLock::new();
    let key = *KEY.get_or_init(|| {
        let mut key = 0;
        // SAFETY: `key` is writable; the destructor takes what `pthread_setspecific` stores below.
        let error = unsafe { libc::pthread_key_create(&raw mut key, Some(send_finished)) };
        if error != 0 {
            stop!(fatal::INTERNAL, "cannot make a thread key: {}", io::Error::from_raw_os_error(error));
        }
        key
    });
    let finished = Box::into_raw(Box::new(finished));
    // SAFETY: the key exists; the pointer is given up to the destructor.
    let error = unsafe { libc::pthread_setspecific(key, finished.cast()) };
    if error != 0 {
        stop!(fatal::INTERNAL, "cannot set a thread key: {}", io::Error::from_raw_os_error(error));
    }
}

unsafe extern "C" fn send_finished(finished: *mut libc::c_void) {
    on_native(|| {
        // SAFETY: `at_thread_end` stored a leaked box of this type; a destructor runs once for it.
        let finished = unsafe { Box::from_raw(finished.cast::<Finished>()) };
        finished.send();
    });
}

/// User memory for one value.
struct Buffer {
    start: *mut u8,
    layout: Layout,
}

impl Buffer {
    fn new(layout: Layout) -> Buffer {
        if layout.size() == 0 {
            return Buffer { start: core::ptr::without_provenance_mut(layout.align()), layout };
        }
        // SAFETY: the size is not 0.
        let start = unsafe { std::alloc::alloc(layout) };
        if start.is_null() {
            std::alloc::handle_alloc_error(layout);
        }
        Buffer { start, layout }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.layout.size() != 0 {
            // SAFETY: allocated in `new` with this layout. The value has been moved out.
            unsafe { std::alloc::dealloc(self.start, self.layout) };
        }
    }
}

/// Drops a result that nobody joined, as user code: the end of a detached thread.
pub(super) fn drop_result(shipped: &Shipped, bytes: &[u8]) {
    let buffer = Buffer::new(shipped.layout);
    // SAFETY: the target sent as many bytes as the layout has.
    unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), buffer.start, bytes.len()) };
    thread_ended(shipped.node);
    // SAFETY: the buffer holds a result of the type that `drop_result` was made for, and
    // `Shipped::take_result` lets only one caller come here.
    unsafe { (shipped.drop_result)(buffer.start) };
}
