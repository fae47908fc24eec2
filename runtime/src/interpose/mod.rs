//! Functions of libc that the program calls through us.
//!
//! A definition in the executable comes before libc's. Each does what libc's does, unless
//! another node is concerned.

mod environment;
mod exit;
pub(crate) mod fd;
mod fork;
mod fork_like;
mod futex;
mod inherited;
mod join;
mod next;
mod others;
pub(crate) mod passed;
mod pthread;
pub(crate) mod signal;
mod spread;
mod wishes;

pub(crate) use exit::{at_last, exit_for, main_returned};
pub(crate) use fork::check_fork;
pub(crate) use pthread::start_user_thread;
pub(crate) use spread::{knows_std, learn_from};

/// This thread's `errno`.
fn last_error() -> core::ffi::c_int {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL)
}

/// References that make sure that the linker takes all of these definitions, or none: libc's start
/// code refers to the last of them.
#[doc(hidden)]
pub fn keep() {
    core::hint::black_box([
        crate::alloc::keep(),
        fd::keep(),
        fork::fork as *const (),
        fork_like::daemon as *const (),
        futex::syscall as *const (),
        passed::keep(),
        signal::keep(),
        others::keep(),
        pthread::pthread_create as *const (),
        pthread::pthread_getattr_np as *const (),
        join::pthread_detach as *const (),
        join::pthread_join as *const (),
        join::pthread_tryjoin_np as *const (),
        join::pthread_timedjoin_np as *const (),
        join::pthread_clockjoin_np as *const (),
        exit::exit as *const (),
        environment::setenv as *const (),
        environment::unsetenv as *const (),
        environment::chdir as *const (),
        environment::putenv as *const (),
        environment::clearenv as *const (),
        crate::boot::__libc_start_main as *const (),
    ]);
}
