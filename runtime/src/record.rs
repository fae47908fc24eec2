//! What the runtime knows about a user thread.
//!
//! *Invariants*: ISO-1 (records are private memory; the engine reads them). *Layout*: records
//! form a list that only grows; a record of an ended thread is used again. *Who may touch what,
//! when*: `native_sp`, `stack` and `alternate`: the thread itself; `wait`: the thread and the engine, by
//! atomics; `tls`: written by the thread at its start and end, read by the engine.
//! *Why not safe code*: the thread-local is a plain pointer, so that reading it needs no destructor.

use core::cell::Cell;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

use crate::stack::UserStack;
use crate::wait::Wait;

/// One user thread.
pub(crate) struct Record {
    /// Stack pointer on the native stack while user code runs on the partition stack, else 0.
    native_sp: Cell<usize>,
    /// The stack in the partition, given back when the thread has ended.
    stack: Cell<Option<UserStack>>,
    /// What the program has asked `sigaltstack` for.
    alternate: Cell<libc::stack_t>,
    /// The thread's blocking request to the engine.
    pub(crate) wait: Wait,
    /// The thread-local block: first address and end, 0 when the thread has ended.
    tls: [AtomicU64; 2],
    busy: AtomicBool,
    next: AtomicPtr<Record>,
}

// SAFETY: `native_sp`, `stack` and `alternate` are touched only by the thread that owns the record; the rest is atomic.
unsafe impl Sync for Record {}

const NO_ALTERNATE: libc::stack_t =
    libc::stack_t { ss_sp: core::ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };

static RECORDS: AtomicPtr<Record> = AtomicPtr::new(core::ptr::null_mut());

thread_local! {
    static CURRENT: Cell<Option<&'static Record>> = const { Cell::new(None) };
}

/// The record of the running thread, if it is a user thread of a program with several nodes.
#[inline]
pub(crate) fn current() -> Option<&'static Record> {
    CURRENT.get()
}

/// All records, the newest first.
pub(crate) fn all() -> impl Iterator<Item = &'static Record> {
    let follow = |at: &AtomicPtr<Record>| {
        // SAFETY: records are leaked boxes that are published after they were written (the release
        // in `attach`) and never freed.
        unsafe { at.load(Ordering::Acquire).as_ref() }
    };
    core::iter::successors(follow(&RECORDS), move |record| follow(&record.next))
}

/// Gives the running thread a record. Runtime code.
pub(crate) fn attach() -> &'static Record {
    let free = all().find(|record| {
        record.busy.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
    });
    let record = free.unwrap_or_else(|| {
        let record = Box::leak(Box::new(Record {
            native_sp: Cell::new(0),
            stack: Cell::new(None),
            alternate: Cell::new(NO_ALTERNATE),
            wait: Wait::new(),
            tls: [AtomicU64::new(0), AtomicU64::new(0)],
            busy: AtomicBool::new(true),
            next: AtomicPtr::new(core::ptr::null_mut()),
        }));
        let mut head = RECORDS.load(Ordering::Relaxed);
        loop {
            record.next.store(head, Ordering::Relaxed);
            // Release: pairs with the acquire in `all`.
            match RECORDS.compare_exchange_weak(head, record, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => break record,
                Err(now) => head = now,
            }
        }
    });
    let [low, high] = tls_block();
    record.tls[0].store(low, Ordering::Relaxed);
    record.tls[1].store(high, Ordering::Relaxed);
    CURRENT.set(Some(record));
    record
}

/// Takes the record from the running thread. Runtime code.
pub(crate) fn detach() {
    if let Some(record) = CURRENT.replace(None) {
        record.tls[0].store(0, Ordering::Relaxed);
        record.tls[1].store(0, Ordering::Relaxed);
        record.native_sp.set(0);
        record.alternate.set(NO_ALTERNATE);
        // The thread is on its native stack for good: nothing uses this one any more.
        if let Some(stack) = record.stack.take()
            // In a forked child the pool's lock may be held for ever.
            && !crate::context::is_child()
        {
            stack.remove_alternate();
            stack.give_back();
        }
        // Release: pairs with the acquire in `attach`.
        record.busy.store(false, Ordering::Release);
    }
}

impl Record {
    /// Where to store the native stack pointer when user code is entered.
    pub(crate) fn native_sp(&self) -> *mut usize {
        self.native_sp.as_ptr()
    }

    /// Keeps the running thread's stack until the thread has ended.
    pub(crate) fn keep_stack(&self, stack: UserStack) {
        stack.install_alternate();
        self.stack.set(Some(stack));
    }

    /// First address (above the guard page) and size of the thread's stack in the partition.
    pub(crate) fn stack(&self) -> Option<(u64, u64)> {
        let stack = self.stack.take();
        let usable = stack.as_ref().map(UserStack::usable);
        self.stack.set(stack);
        usable
    }

    /// What the program has asked `sigaltstack` for, on a thread that has an alternate stack of ours.
    pub(crate) fn alternate(&self) -> Option<&Cell<libc::stack_t>> {
        self.stack().map(|_| &self.alternate)
    }

    /// The native stack pointer, which is 0 from now on: the thread is on its native stack.
    #[inline]
    pub(crate) fn leave_user_stack(&self) -> usize {
        self.native_sp.replace(0)
    }

    /// The thread goes back to its partition stack.
    #[inline]
    pub(crate) fn return_to_user_stack(&self, native_sp: usize) {
        self.native_sp.set(native_sp);
    }

    /// Whether `addr` is a thread-local of this thread.
    pub(crate) fn has_thread_local(&self, addr: u64) -> bool {
        (self.tls[0].load(Ordering::Relaxed)..self.tls[1].load(Ordering::Relaxed)).contains(&addr)
    }
}

/// The address of the running thread's control block, which ends its thread-locals.
pub(crate) fn thread_pointer() -> u64 {
    let pointer: u64;
    // SAFETY: on x86-64 the word at fs:0 is the address of the thread control block itself.
    unsafe {
        core::arch::asm!("mov {}, fs:0", out(reg) pointer, options(nostack, readonly, preserves_flags))
    };
    pointer
}

/// The thread control block and the pages below it that hold the thread-locals.
fn tls_block() -> [u64; 2] {
    let pointer = thread_pointer();
    [pointer - crate::boot::tls_bytes(), pointer + TCB_BYTES]
}

/// The thread control block and glibc's `struct pthread` behind the thread-locals.
const TCB_BYTES: u64 = 0x1000;
