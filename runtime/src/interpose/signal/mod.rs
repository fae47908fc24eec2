//! Signals of a program with several nodes.
//!
//! *Why anything is done at all*: the kernel puts a handler's frame on the stack of the thread, and the pages
//! of a stack in the partition may be at another node. So every user thread has an alternate stack
//! in private memory, and every handler runs there. And a touch of a page that is away may itself be a
//! `SIGSEGV` (see `page::segv`): then the runtime's handler comes first, and nobody may block that signal.
//!
//! *Who may touch what, when*: the program's own action for `SIGSEGV` is kept in atomics, since a handler reads it.
//! Calls of `sigaction` that race with a crash may show it a mixture.
//!
//! *Why not safe code*: C signatures, and handlers.

mod action;
mod alternate;
mod mask;
mod segv;

pub(crate) use mask::without_segv;
pub(crate) use segv::install;

/// References that make the linker take these files.
pub(super) fn keep() -> *const () {
    core::hint::black_box([action::keep(), alternate::keep(), mask::keep()])[0]
}
