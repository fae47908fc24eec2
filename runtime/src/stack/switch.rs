//! Changing the stack of the running thread.
//!
//! *Invariants*: ISO-2. *Layout*: a user thread has two stacks: the native one that pthread
//! made (it also carries the thread control block, which must never leave the node) and one in
//! the node's partition, on which user code runs so that other nodes may borrow from it.
//! *Why not safe code*: the stack pointer.
//!
//! Both functions keep a frame pointer with matching CFI, so that unwinders and backtraces walk
//! across the switch.

use core::arch::global_asm;
use core::ffi::c_void;

global_asm!(
    ".globl dstd_stack_enter",
    ".hidden dstd_stack_enter",
    ".type dstd_stack_enter,@function",
    "dstd_stack_enter:",
    ".cfi_startproc",
    "push rbp",
    ".cfi_def_cfa_offset 16",
    ".cfi_offset rbp, -16",
    "mov rbp, rsp",
    ".cfi_def_cfa_register rbp",
    "mov [rcx], rsp",
    "mov rsp, rdx",
    "mov rax, rdi",
    "mov rdi, rsi",
    "call rax",
    "mov rsp, rbp",
    "pop rbp",
    ".cfi_def_cfa rsp, 8",
    "ret",
    ".cfi_endproc",
    ".size dstd_stack_enter, . - dstd_stack_enter",
);

unsafe extern "C" {
    /// Runs `function(argument)` on the stack that ends at `top` and returns its result. The
    /// stack pointer of the caller is stored in `*saved` first.
    ///
    /// # Safety
    /// - `top` is 16-byte aligned and the end of enough writable memory that nobody else uses.
    /// - `saved` is writable.
    pub(crate) fn dstd_stack_enter(
        function: extern "C-unwind" fn(*mut c_void) -> *mut c_void,
        argument: *mut c_void,
        top: usize,
        saved: *mut usize,
    ) -> *mut c_void;
}
