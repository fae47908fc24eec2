//! What Linux has a new thread inherit from the one that starts it, as far as it is no matter of one machine: its signal
//! mask and its name. CPUs, scheduling and limits stay those of the machine.
//!
//! *Why not safe code*: system calls.

use crate::raw;

/// The kernel's bound of a thread's name, with its end.
pub(super) const NAME_BYTES: usize = 16;

/// What a thread passes on.
pub(super) struct Inherited {
    blocked: u64,
    name: [u8; NAME_BYTES],
}

impl Inherited {
    /// The running thread's. Runtime code: the kernel writes it.
    pub(super) fn get() -> Inherited {
        let mut found = Inherited { blocked: 0, name: [0; NAME_BYTES] };
        let mask = [0, 0, (&raw mut found.blocked) as usize, size_of::<u64>(), 0, 0];
        // SAFETY: the kernel writes the eight bytes of its mask.
        unsafe { raw::syscall(libc::SYS_rt_sigprocmask, mask) };
        let name = [libc::PR_GET_NAME as usize, found.name.as_mut_ptr() as usize, 0, 0, 0, 0];
        // SAFETY: the kernel writes at most 16 bytes.
        unsafe { raw::syscall(libc::SYS_prctl, name) };
        found
    }

    /// Runs `start`, whose threads inherit this and not what the running thread has. Runtime code.
    pub(super) fn lend<R>(&self, start: impl FnOnce() -> R) -> R {
        let own = Inherited::get();
        self.set();
        let started = start();
        own.set();
        started
    }

    fn set(&self) {
        let how = libc::SIG_SETMASK as usize;
        let mask = [how, (&raw const self.blocked) as usize, 0, size_of::<u64>(), 0, 0];
        // SAFETY: the kernel reads eight bytes; a mask that a thread of this program has, which leaves out what brings pages.
        unsafe { raw::syscall(libc::SYS_rt_sigprocmask, mask) };
        let name = [libc::PR_SET_NAME as usize, self.name.as_ptr() as usize, 0, 0, 0, 0];
        // SAFETY: the kernel reads up to the name's end, which it has written.
        unsafe { raw::syscall(libc::SYS_prctl, name) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_inherit_what_is_lent_and_their_starter_keeps_its_own() {
        let of_a_new_one = || std::thread::spawn(Inherited::get).join().expect("it cannot panic");
        let before = Inherited::get();
        let blocked = before.blocked ^ 1 << (libc::SIGUSR2 - 1);
        let lent = Inherited { blocked, name: *b"somebody else\0\0\0" };
        let found = lent.lend(of_a_new_one);
        assert_eq!((found.blocked, found.name), (lent.blocked, lent.name));
        let after = Inherited::get();
        assert_eq!((after.blocked, after.name), (before.blocked, before.name));
    }
}
