//! System calls without libc: no errno, no interposed symbol on the way.
//!
//! *Why not safe code*: the interposed `syscall` and descriptor functions are what libc's and
//! rustix's wrappers would call; the runtime must reach the kernel below them.

use core::arch::asm;

/// Makes a system call; a negative result is `-errno`.
///
/// # Safety
/// - The arguments are what the call `number` expects, and memory they point to is valid for it.
#[inline]
pub(crate) unsafe fn syscall(number: i64, args: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: the x86-64 Linux calling convention: number in rax, arguments in these registers,
    // rcx and r11 are overwritten; the caller vouches for the arguments.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r9") args[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// Sleeps while `*word == expected`, until woken, for at most `timeout` (relative).
pub(crate) fn futex_wait(
    word: &core::sync::atomic::AtomicU32,
    expected: u32,
    timeout: Option<&libc::timespec>,
) {
    let timeout = timeout.map_or(0, |time| core::ptr::from_ref(time) as usize);
    let op = (libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG) as usize;
    // SAFETY: the word and the timespec are borrowed for the whole call. Every outcome (woken,
    // value differs, interrupted, timeout) means the same to the caller: look again.
    unsafe { syscall(libc::SYS_futex, [word.as_ptr() as usize, op, expected as usize, timeout, 0, 0]) };
}

/// As [`futex_wake`], for a word that may be gone already: its address is a key only.
pub(crate) fn futex_wake_gone(word: *const core::sync::atomic::AtomicU32, count: i32) {
    let op = (libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG) as usize;
    // SAFETY: a private wake reads nothing but the address.
    unsafe { syscall(libc::SYS_futex, [word as usize, op, count as usize, 0, 0, 0]) };
}

/// Wakes up to `count` threads that wait for `word`.
pub(crate) fn futex_wake(word: &core::sync::atomic::AtomicU32, count: i32) {
    futex_wake_gone(word, count);
}

/// Sleeps for `time_ns`, below a second, or until a signal.
pub(crate) fn nap(time_ns: u32) {
    let time = libc::timespec { tv_sec: 0, tv_nsec: i64::from(time_ns) };
    // SAFETY: the timespec is borrowed for the call.
    unsafe { syscall(libc::SYS_nanosleep, [(&raw const time) as usize, 0, 0, 0, 0, 0]) };
}

/// Gives the memory of `len` bytes at `offset` of a memory file back: they read as zero; a negative
/// result is `-errno`.
///
/// # Safety
/// - Nobody relies on what the file holds there.
pub(crate) unsafe fn punch_hole(file: i32, offset: u64, len: u64) -> isize {
    let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    let arguments = [file as usize, mode as usize, offset as usize, len as usize, 0, 0];
    loop {
        // SAFETY: no memory is passed; the caller gives up what the file holds.
        match unsafe { syscall(libc::SYS_fallocate, arguments) } {
            again if again == -(libc::EINTR as isize) => {}
            result => return result,
        }
    }
}

/// Writes all of `text` to the standard error, ignoring failure: there is nobody left to tell.
pub(crate) fn write_stderr(text: &[u8]) {
    let mut rest = text;
    while !rest.is_empty() {
        // SAFETY: the slice is valid for its length.
        let written = unsafe { syscall(libc::SYS_write, [2, rest.as_ptr() as usize, rest.len(), 0, 0, 0]) };
        match written {
            0 => return,
            n if n > 0 => rest = &rest[n as usize..],
            n if n == -(libc::EINTR as isize) => {}
            _ => return,
        }
    }
}

/// Ends the process at once, without any handler.
pub(crate) fn exit_now(code: i32) -> ! {
    loop {
        // SAFETY: ends the process.
        unsafe { syscall(libc::SYS_exit_group, [code as usize, 0, 0, 0, 0, 0]) };
    }
}

/// Nanoseconds of the monotonic clock.
pub(crate) fn now_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the timespec is valid; clock_gettime is a vDSO call without side effects.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Has the kernel run this thread soon after it wakes, also where another thread has the core, and wake it when its time
/// has come and not up to 50 us later. It asks for short slices of time, which says nothing about how many it gets; before
/// Linux 6.12 the kernel does not know that.
pub(crate) fn run_promptly() {
    // SAFETY: no memory is involved. The slack of 1 ns is that of the calling thread.
    unsafe { syscall(libc::SYS_prctl, [libc::PR_SET_TIMERSLACK as usize, 1, 0, 0, 0, 0]) };
    let mut attributes = [0_u64; SCHED_ATTR_WORDS];
    let size = size_of_val(&attributes);
    // SAFETY: the kernel writes at most `size` bytes into a local.
    let got = unsafe { syscall(libc::SYS_sched_getattr, [0, (&raw mut attributes) as usize, size, 0, 0, 0]) };
    if got == 0 {
        attributes[SCHED_RUNTIME] = SLICE_NS;
        let attributes = (&raw const attributes) as usize;
        // SAFETY: reads the local, whose first word says how large it is. What it changes is this thread's time.
        unsafe { syscall(libc::SYS_sched_setattr, [0, attributes, 0, 0, 0, 0]) };
    }
}

/// `struct sched_attr` in its first version: size and policy, flags, nice and priority, runtime, deadline, period.
const SCHED_ATTR_WORDS: usize = 6;
const SCHED_RUNTIME: usize = 3;
/// The shortest slice that the kernel grants.
const SLICE_NS: u64 = 100_000;

/// The kernel's number of the running thread.
pub(crate) fn thread() -> u32 {
    // SAFETY: takes nothing, returns the caller's number.
    let number = unsafe { syscall(libc::SYS_gettid, [0; 6]) };
    number as u32
}

/// How long a thread of this process has run so far; none when there is no such thread.
pub(crate) fn processor_ns(thread: u32) -> Option<u64> {
    // As `pthread_getcpuclockid`: the time that the scheduler has counted for one thread.
    const OF_ONE_THREAD: i32 = 4;
    const SCHEDULED: i32 = 2;
    let clock = !(thread as i32) << 3 | OF_ONE_THREAD | SCHEDULED;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let arguments = [clock as usize, (&raw mut time) as usize, 0, 0, 0, 0];
    // SAFETY: the timespec is valid for the call, which changes nothing else.
    let result = unsafe { syscall(libc::SYS_clock_gettime, arguments) };
    (result == 0).then_some(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}
