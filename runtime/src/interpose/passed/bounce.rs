//! A system call on copies of what its arguments point to.

use core::mem::MaybeUninit;
use core::ptr;

use super::is_global;
use super::shapes::{Part, Size};
use crate::raw;

/// Room on the native stack: paths, structures, datagrams, usual buffers.
const ON_STACK: usize = 80 << 10;
/// No call transfers more: longer buffers are used in part, as the kernel may do as well.
pub(super) const BYTES_MAX: usize = 64 << 20;
/// As the kernel's `PATH_MAX`, one more: a longer one is refused by the kernel.
const TEXT_MAX: usize = 4097;
/// No call has more pointers.
const PARTS_MAX: usize = 4;

/// Private memory for the copies of one call.
pub(super) struct Room {
    on_stack: MaybeUninit<[u8; ON_STACK]>,
    used: usize,
    mapped: [(*mut u8, usize); PARTS_MAX],
    mappings: usize,
}

impl Room {
    /// Empty; large, so it stays where it is made.
    pub(super) const fn new() -> Room {
        Room {
            on_stack: MaybeUninit::uninit(),
            used: 0,
            mapped: [(ptr::null_mut(), 0); PARTS_MAX],
            mappings: 0,
        }
    }

    /// `len` bytes, not initialised; `None` when the kernel gives no memory.
    pub(super) fn take(&mut self, len: usize) -> Option<*mut u8> {
        let start = self.used.next_multiple_of(16);
        if start + len <= ON_STACK {
            self.used = start + len;
            // SAFETY: within the array.
            return Some(unsafe { self.on_stack.as_mut_ptr().cast::<u8>().add(start) });
        }
        let place = self.mapped.get_mut(self.mappings)?;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a fresh mapping wherever the kernel likes.
        let at = unsafe { libc::mmap(ptr::null_mut(), len, protection, flags, -1, 0) };
        if at == libc::MAP_FAILED {
            return None;
        }
        *place = (at.cast(), len);
        self.mappings += 1;
        Some(at.cast())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        for &(at, len) in &self.mapped[..self.mappings] {
            // SAFETY: mapped by `take`; the call is over.
            unsafe { libc::munmap(at.cast(), len) };
        }
    }
}

/// Copies between user memory and a copy; the pages of the former come as they are touched.
///
/// # Safety
/// - As [`ptr::copy_nonoverlapping`].
pub(super) unsafe fn copy(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller's.
    unsafe { ptr::copy_nonoverlapping(from, to, len) };
}

/// The length of a C string with its end, at most [`TEXT_MAX`].
fn text_len(text: *const u8) -> usize {
    // SAFETY: the caller of the system call passes a C string; `strnlen` stops at its end.
    let len = unsafe { libc::strnlen(text.cast(), TEXT_MAX) };
    (len + 1).min(TEXT_MAX)
}

struct Copied {
    part: Part,
    user: *mut u8,
    copy: *mut u8,
    room: usize,
}

/// Makes the call `number` on copies of those of `parts` that are global memory.
///
/// # Safety
/// - As [`raw::syscall`]; on a native stack.
pub(super) unsafe fn syscall(number: i64, mut args: [usize; 6], parts: &'static [Part]) -> isize {
    let mut room = Room::new();
    let mut copies: [Option<Copied>; PARTS_MAX] = [const { None }; PARTS_MAX];
    for (place, part) in copies.iter_mut().zip(parts) {
        let user = args[part.arg] as *mut u8;
        if !is_global(args[part.arg]) {
            continue;
        }
        let wanted = match part.size {
            Size::Fixed(bytes) => bytes,
            Size::Arg(by) | Size::Result(by) => args[by].min(BYTES_MAX),
            Size::Items(by, bytes) | Size::ResultItems(by, bytes) => {
                (args[by] as u32 as usize).saturating_mul(bytes).min(BYTES_MAX)
            }
            // A copy already, if need be: it comes before (see `shapes::of`).
            Size::Told(by) if args[by] == 0 => 0,
            Size::Told(by) => told(args[by]),
            Size::Text => text_len(user),
        };
        let len = wanted.min(BYTES_MAX);
        let Some(copy_at) = room.take(len) else { return -(libc::ENOMEM as isize) };
        if part.is_read {
            // SAFETY: the caller passes so many readable bytes; the copy has as much room.
            unsafe { copy(user, copy_at, len) };
        }
        shorten(&mut args, part.size, len);
        args[part.arg] = copy_at as usize;
        *place = Some(Copied { part: *part, user, copy: copy_at, room: len });
    }
    // SAFETY: the caller's; the copies are as large as what they stand for.
    let result = unsafe { raw::syscall(number, args) };
    // What tells a size is read before it is copied back, which changes nothing in the copy.
    for copied in copies.iter().flatten() {
        let len = written(copied, result, &args).min(copied.room);
        // SAFETY: so many bytes of the copy have been written, by the call or before it, and the caller passes
        // as much room.
        unsafe { copy(copied.copy, copied.user, len) };
    }
    result
}

/// The call transfers no more than there is room for in the copy.
fn shorten(args: &mut [usize; 6], size: Size, len: usize) {
    if let Size::Arg(by) | Size::Result(by) = size {
        args[by] = args[by].min(len);
    }
}

/// The number at `place`: the copy, or the caller's own private memory.
fn told(place: usize) -> usize {
    let place = place as *const u32;
    // SAFETY: the caller passes a place of this type.
    let number = unsafe { place.read_unaligned() };
    number as usize
}

/// How many bytes of a copy go back.
fn written(copied: &Copied, result: isize, args: &[usize; 6]) -> usize {
    let Part { size, is_read, is_written, .. } = copied.part;
    if !is_written || result < 0 && !is_read {
        return 0;
    }
    match size {
        Size::Result(_) => result.max(0) as usize,
        Size::ResultItems(_, bytes) => result.max(0) as usize * bytes,
        Size::Told(by) if args[by] != 0 => told(args[by]),
        _ => copied.room,
    }
}
