//! The same addresses on every node.
//!
//! *Why not safe code*: runs before libc's own start, so it reads the environment by hand.

use core::ffi::{CStr, c_char};

use dstd_control::env::NodeEnv;

use crate::fatal::{self, stop};
use crate::raw;

unsafe extern "C" {
    static environ: *const *mut c_char;
}

/// Whether the launcher started this process as one of several nodes.
pub(super) fn is_node_of_several() -> bool {
    // SAFETY: getenv reads the environment, which no other thread changes: there is none yet.
    let size = unsafe { libc::getenv(c"DSTD_SIZE".as_ptr()) };
    if size.is_null() {
        return false;
    }
    // SAFETY: a C string of the environment.
    let size = unsafe { CStr::from_ptr(size) };
    size != c"1"
}

/// Runs this program again with address randomisation off, unless it is off.
pub(super) fn make_addresses_equal(argv: *mut *mut c_char) {
    const ASK: libc::c_ulong = 0xffff_ffff;
    // SAFETY: asks only.
    let personality = unsafe { libc::personality(ASK) };
    let off = libc::ADDR_NO_RANDOMIZE;
    // A refusal is -1, which has every bit.
    if personality >= 0 && personality & off != 0 {
        return;
    }
    // SAFETY: changes a flag of this process.
    let set = unsafe { libc::personality((personality | off) as libc::c_ulong) };
    if personality < 0 || set < 0 {
        refuse(
            "address randomisation cannot be switched off here (personality is forbidden): allow the system \
             call `personality` in the container's seccomp profile (docker run --security-opt seccomp=unconfined)",
        );
    }
    // SAFETY: both arrays are the process's own, null-terminated.
    unsafe { libc::execve(c"/proc/self/exe".as_ptr(), argv.cast(), environ.cast()) };
    let error = std::io::Error::last_os_error();
    refuse(&format!("cannot start this program again with address randomisation off: {error}"))
}

/// Ends this node before it has met the others: its statistics tell the launcher why.
fn refuse(reason: &str) -> ! {
    if let Ok(Some(environment)) = NodeEnv::from_env() {
        super::start::stats(&environment).stop(fatal::CANNOT, reason);
        raw::exit_now(fatal::CANNOT);
    }
    stop!(fatal::CANNOT, "{reason}")
}
