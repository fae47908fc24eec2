//! What the statistics say about faults: which nodes' pages, which pages, which instructions.
//!
//! *Cost*: a search of 64 words a fault. The instruction is known where a signal tells of the fault; else, with
//! `--hot-pages`, the kernel is asked for a sample of the faults, on pages that fault again and again: four system
//! calls, after the request for the page has left.
//!
//! *Who may touch what, when*: the engine thread is the only writer of the table of hot pages.
//! *Why not safe code*: system calls; std's would be this binary's own.

use core::ops::Range;

use dstd_addr::{GlobalAddr, Kind, NodeId, PAGE_BYTES};
use dstd_control::stats::cell;
use dstd_control::stats::hot::{CALLERS, HotFault, PageKind};
use dstd_protocol::page::{Local, Output, PageEngine};

use crate::context::Context;
use crate::page::{At, Fault, Memory};
use crate::{boot, raw, stack};

/// How much of a stack is searched for callers.
const SEARCHED_BYTES: u64 = 1024;

/// What is needed to tell where faults come from.
#[derive(Debug)]
pub(super) struct Hot {
    /// The program's instructions.
    code: Range<u64>,
}

impl Default for Hot {
    fn default() -> Hot {
        Hot { code: boot::code() }
    }
}

impl Hot {
    /// Counts a fault that its page's home was asked about; `outputs` is what the engine then did.
    pub(super) fn count(
        &self,
        context: &Context,
        fault: Fault,
        outputs: &[Output],
        mapped: (&PageEngine, &Memory),
    ) {
        let Some((kind, home)) = memory(context.layout.kind(fault.address)) else { return };
        let stats = context.stats;
        if let Some(peer) = stats.peers.get(usize::from(home.0)) {
            cell::add(&peer.faults, 1);
        }
        let told = HotFault { address: fault.address, write: fault.write, kind, home: home.0 };
        let row = stats.hot.fault(PAGE_BYTES, told);
        if !row.sample {
            return;
        }
        // A thread that was woken is somewhere else by now.
        // The file takes a descriptor for a moment, which a program that counts on the lowest free one would see.
        let may_look_up = context.config.hot_pages && fault.thread != 0 && !outputs.iter().any(wakes);
        let looked_up = || may_look_up.then(|| waits_at(fault.thread));
        if let Some(at) = fault.at.or_else(|| looked_up().flatten()) {
            stats.hot.sample(row, at.instruction, self.callers(context, at.stack, mapped));
        }
    }

    /// The first words on a waiting thread's stack that point into the program's instructions: return addresses, and what
    /// is left of others. 0 where there are no more.
    ///
    /// A true walk needs the unwind tables, which are the launcher's to read; lines of the program are found so as well.
    fn callers(
        &self,
        context: &Context,
        from: u64,
        (pages, memory): (&PageEngine, &Memory),
    ) -> [u64; CALLERS] {
        let mut callers = [0; CALLERS];
        let page = GlobalAddr(from).page();
        let is_own = matches!(context.layout.kind(from), Kind::Stack(owner) if owner == context.me);
        if !is_own || !from.is_multiple_of(8) || stack::is_guard(from) || pages.local(page) == Local::Absent {
            return callers;
        }
        memory.make_readable(page);
        let end = (from + SEARCHED_BYTES).min(page.addr().0 + PAGE_BYTES);
        let words = (from..end).step_by(8).map(|at| {
            // SAFETY: an aligned word of a stack of this node, on a page that this node may read (PAGE-1) and that is there:
            // nothing takes it away but this thread. Other threads may write it, so it is read volatile.
            unsafe { (at as *const u64).read_volatile() }
        });
        for (caller, word) in callers.iter_mut().zip(words.filter(|word| self.code.contains(word))) {
            *caller = word;
        }
        callers
    }
}

fn memory(kind: Kind) -> Option<(PageKind, NodeId)> {
    match kind {
        Kind::Heap(home) => Some((PageKind::Heap, home)),
        Kind::Stack(home) => Some((PageKind::Stack, home)),
        Kind::Striped(home) => Some((PageKind::Striped, home)),
        Kind::ThreadLocal(home) => Some((PageKind::ThreadLocal, home)),
        Kind::Static => Some((PageKind::Static, NodeId::ZERO)),
        Kind::Private(_) | Kind::Native(_) | Kind::Unused | Kind::Image => None,
    }
}

fn wakes(output: &Output) -> bool {
    matches!(
        output,
        Output::Resolve { .. } | Output::Upgrade { .. } | Output::Install { .. } | Output::Fresh { .. }
    )
}

/// The instruction at which a thread of this process waits for a page, or makes the system call that does.
///
/// The kernel answers at once when the thread sleeps; it waits for a tick at most when the thread is on its way to sleep.
fn waits_at(thread: u32) -> Option<At> {
    let path = format!("/proc/self/task/{thread}/syscall\0");
    let flags = (libc::O_RDONLY | libc::O_CLOEXEC) as usize;
    let arguments = [libc::AT_FDCWD as usize, path.as_ptr() as usize, flags, 0, 0, 0];
    // SAFETY: the path ends with a NUL and lives until the call returns.
    let fd = unsafe { raw::syscall(libc::SYS_openat, arguments) };
    let fd = usize::try_from(fd).ok()?;
    let mut text = [0_u8; 256];
    let arguments = [fd, text.as_mut_ptr() as usize, text.len(), 0, 0, 0];
    // SAFETY: the buffer is valid for its length.
    let len = unsafe { raw::syscall(libc::SYS_read, arguments) };
    // SAFETY: the descriptor was opened here and given to nobody.
    unsafe { raw::syscall(libc::SYS_close, [fd, 0, 0, 0, 0, 0]) };
    let text = text.get(..usize::try_from(len).ok()?)?;
    parse(core::str::from_utf8(text).ok()?)
}

/// What `/proc/PID/syscall` says: the number of the system call and its arguments (or -1), the stack pointer and the program
/// counter; or that the thread runs.
fn parse(text: &str) -> Option<At> {
    let mut words = text.trim_end().rsplit(' ');
    let mut number = || u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
    let (instruction, stack) = (number()?, number()?);
    (instruction != 0).then_some(At { instruction, stack })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_understood() {
        let at = |stack, instruction| Some(At { instruction, stack });
        assert_eq!(parse("-1 0x7ffc00001000 0x555555554321\n"), at(0x7ffc_0000_1000, 0x5555_5555_4321));
        assert_eq!(parse("0 0x3 0x1 0x2 0x0 0x0 0x0 0x7ffc0 0x7f01\n"), at(0x7ffc0, 0x7f01));
        for text in ["running\n", "", "-1", "-1 0x0 0x0\n", "-1 5 6"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_sleeping_thread_is_found_in_its_system_call() {
        // SAFETY: no memory is involved.
        let thread = unsafe { libc::gettid() };
        // This thread runs in the kernel's own read, which the kernel tells of as of any other.
        let here = waits_at(thread.unsigned_abs()).unwrap();
        let local = 0_u8;
        // The kernel was entered a little below on this very stack.
        assert!(
            here.stack < &raw const local as u64 && &raw const local as u64 - here.stack < 1 << 16,
            "{here:?}"
        );
    }
}
