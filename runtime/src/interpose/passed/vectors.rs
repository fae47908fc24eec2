//! System calls with pointers inside what they point to: vectors of buffers, and messages.
//!
//! All buffers of a vector become one copy, which means the same to the kernel.

use core::mem::MaybeUninit;
use core::ptr;

use libc::{iovec, mmsghdr, msghdr};

use super::bounce::{BYTES_MAX, Room, copy};
use super::is_global;
use crate::raw;

/// As the kernel's `UIO_MAXIOV`.
const VECTORS_MAX: usize = 1024;

/// Whether this module carries out the call.
pub(super) fn has_inner_pointers(number: i64) -> bool {
    matches!(
        number,
        libc::SYS_readv
            | libc::SYS_preadv
            | libc::SYS_preadv2
            | libc::SYS_writev
            | libc::SYS_pwritev
            | libc::SYS_pwritev2
            | libc::SYS_sendmsg
            | libc::SYS_recvmsg
            | libc::SYS_sendmmsg
            | libc::SYS_recvmmsg
    )
}

/// Which way bytes go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    ToKernel,
    FromKernel,
}

/// # Safety
/// - As [`raw::syscall`], for a call of this module; on a native stack.
pub(super) unsafe fn syscall(number: i64, args: [usize; 6]) -> isize {
    match number {
        // SAFETY: the caller's.
        libc::SYS_sendmsg => unsafe { message(number, args, Way::ToKernel) },
        // SAFETY: the caller's.
        libc::SYS_recvmsg => unsafe { message(number, args, Way::FromKernel) },
        // SAFETY: the caller's.
        libc::SYS_sendmmsg => unsafe { messages(libc::SYS_sendmsg, args, Way::ToKernel) },
        // SAFETY: the caller's.
        libc::SYS_recvmmsg => unsafe { messages(libc::SYS_recvmsg, args, Way::FromKernel) },
        libc::SYS_readv | libc::SYS_preadv | libc::SYS_preadv2 => {
            // SAFETY: the caller's.
            unsafe { vector(number, args, Way::FromKernel) }
        }
        // SAFETY: the caller's.
        _ => unsafe { vector(number, args, Way::ToKernel) },
    }
}

/// The buffers of a vector, copied to private memory.
struct Buffers {
    list: [MaybeUninit<iovec>; VECTORS_MAX],
    count: usize,
    copy: iovec,
}

impl Buffers {
    const fn new() -> Buffers {
        let copy = iovec { iov_base: ptr::null_mut(), iov_len: 0 };
        Buffers { list: [MaybeUninit::uninit(); VECTORS_MAX], count: 0, copy }
    }

    /// Takes the vector over, and the bytes when they go to the kernel. `None` when the vector is one that the kernel
    /// refuses, or no memory is left.
    ///
    /// # Safety
    /// - `from` points to `count` buffers, as the system call demands.
    unsafe fn fill(&mut self, from: *const iovec, count: usize, way: Way, room: &mut Room) -> Option<()> {
        if count > VECTORS_MAX || count > 0 && from.is_null() {
            return None;
        }
        // SAFETY: the caller's, and the list has room.
        unsafe { ptr::copy_nonoverlapping(from, self.list.as_mut_ptr().cast::<iovec>(), count) };
        self.count = count;
        let all = self.list().try_fold(0_usize, |sum, buffer| sum.checked_add(buffer.iov_len))?;
        let len = all.min(BYTES_MAX);
        self.copy = iovec { iov_base: room.take(len)?.cast(), iov_len: len };
        if way == Way::ToKernel {
            // SAFETY: the caller passes readable buffers; together they fill the copy, or more.
            unsafe { self.each(len, |user, at, len| copy(user, at, len)) };
        }
        Some(())
    }

    fn list(&self) -> impl Iterator<Item = iovec> + '_ {
        // SAFETY: the first `count` were written by `fill`.
        self.list[..self.count].iter().map(|buffer| unsafe { buffer.assume_init() })
    }

    /// Calls `act` with each buffer, its place in the copy, and its length, for the first `len` bytes.
    fn each(&self, len: usize, mut act: impl FnMut(*mut u8, *mut u8, usize)) {
        let mut done = 0;
        for buffer in self.list() {
            let part = buffer.iov_len.min(len - done);
            if part > 0 {
                act(buffer.iov_base.cast(), self.copy.iov_base.cast::<u8>().wrapping_add(done), part);
            }
            done += part;
        }
    }

    /// Copies the first `len` bytes back to the buffers.
    ///
    /// # Safety
    /// - The kernel has written them, and the buffers are writable.
    unsafe fn scatter(&self, len: usize) {
        // SAFETY: the caller's.
        self.each(len.min(self.copy.iov_len), |user, at, len| unsafe { copy(at, user, len) });
    }
}

/// # Safety
/// - As [`raw::syscall`].
unsafe fn vector(number: i64, mut args: [usize; 6], way: Way) -> isize {
    let (mut room, mut buffers) = (Room::new(), Buffers::new());
    let (from, count) = (args[1] as *const iovec, args[2] as u32 as usize);
    // SAFETY: the caller's.
    if unsafe { buffers.fill(from, count, way, &mut room) }.is_none() {
        // SAFETY: the caller's; the kernel says what is wrong.
        return unsafe { raw::syscall(number, args) };
    }
    let one = buffers.copy;
    args[1] = &raw const one as usize;
    args[2] = 1;
    // SAFETY: the vector of one buffer is valid.
    let result = unsafe { raw::syscall(number, args) };
    if way == Way::FromKernel && result > 0 {
        // SAFETY: the kernel has written as many.
        unsafe { buffers.scatter(result as usize) };
    }
    result
}

/// `sendmsg` and `recvmsg`.
///
/// # Safety
/// - As [`raw::syscall`].
unsafe fn message(number: i64, mut args: [usize; 6], way: Way) -> isize {
    let user = args[1] as *mut msghdr;
    if user.is_null() {
        return -(libc::EFAULT as isize);
    }
    let (mut room, mut buffers) = (Room::new(), Buffers::new());
    // SAFETY: the caller passes a message.
    let header = unsafe { user.read() };
    // SAFETY: the caller's.
    let filled = unsafe { buffers.fill(header.msg_iov, header.msg_iovlen, way, &mut room) };
    let (name_len, control_len) = (header.msg_namelen as usize, header.msg_controllen);
    let copies = [(header.msg_name, name_len), (header.msg_control, control_len)]
        // SAFETY: the caller passes so many bytes there.
        .map(|(at, len)| unsafe { private_copy(at.cast(), len, way, &mut room) });
    let ([Some(name), Some(control)], Some(())) = (copies, filled) else {
        return -(libc::ENOMEM as isize);
    };
    let mut one = buffers.copy;
    let mut copied = header;
    copied.msg_name = name.cast();
    copied.msg_control = control.cast();
    copied.msg_iov = &raw mut one;
    copied.msg_iovlen = 1;
    args[1] = &raw mut copied as usize;
    // SAFETY: the copy of the message is valid.
    let result = unsafe { raw::syscall(number, args) };
    if way == Way::FromKernel && result >= 0 {
        // SAFETY: the kernel has written as many.
        unsafe { buffers.scatter(result as usize) };
        let name_len = name_len.min(copied.msg_namelen as usize);
        let back = [
            (name, header.msg_name.cast::<u8>(), name_len),
            (control, header.msg_control.cast::<u8>(), control_len.min(copied.msg_controllen)),
        ];
        for (from, to, len) in back.into_iter().filter(|(from, to, _)| from != to && !to.is_null()) {
            // SAFETY: the kernel has written as many, and the caller has as much room.
            unsafe { copy(from, to, len) };
        }
        copied.msg_name = header.msg_name;
        copied.msg_control = header.msg_control;
        copied.msg_iov = header.msg_iov;
        copied.msg_iovlen = header.msg_iovlen;
        // SAFETY: the caller passes a message that the call may write.
        unsafe { user.write(copied) };
    }
    result
}

/// A copy of `len` bytes at `at`, or `at` itself when the kernel can use it. `None` when no memory is left.
///
/// # Safety
/// - `at` is null or has so many bytes.
unsafe fn private_copy(at: *mut u8, len: usize, way: Way, room: &mut Room) -> Option<*mut u8> {
    if !is_global(at as usize) || len > BYTES_MAX {
        return Some(at);
    }
    let to = room.take(len)?;
    if way == Way::ToKernel {
        // SAFETY: the caller's.
        unsafe { copy(at, to, len) };
    }
    Some(to)
}

/// `sendmmsg` and `recvmmsg`, one message after the other.
///
/// # Safety
/// - As [`raw::syscall`].
unsafe fn messages(one: i64, args: [usize; 6], way: Way) -> isize {
    let (list, count) = (args[1] as *mut mmsghdr, args[2] as u32 as usize);
    let mut flags = args[3] as i32;
    let deadline = match (way, args[4] as *const libc::timespec) {
        (Way::FromKernel, time) if !time.is_null() => {
            // SAFETY: the caller passes a time there.
            let time = unsafe { time.read() };
            let rest = time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64;
            Some(raw::now_ns().saturating_add(rest))
        }
        _ => None,
    };
    let mut done = 0;
    while done < count.min(VECTORS_MAX) {
        // SAFETY: below `count`.
        let at = unsafe { list.add(done) };
        let plain = (flags & !libc::MSG_WAITFORONE) as usize;
        // SAFETY: a message of the caller's.
        let result = unsafe { message(one, [args[0], at as usize, plain, 0, 0, 0], way) };
        if result < 0 {
            return if done > 0 { done as isize } else { result };
        }
        // SAFETY: an entry of the caller's that the call writes.
        unsafe { (*at).msg_len = result as u32 };
        done += 1;
        if flags & libc::MSG_WAITFORONE != 0 {
            flags |= libc::MSG_DONTWAIT;
        }
        if deadline.is_some_and(|deadline| raw::now_ns() >= deadline) {
            break;
        }
    }
    done as isize
}
