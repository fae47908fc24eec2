//! Programs and machines that cannot carry several nodes are refused with 72, and told what to do.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::harness::{direct, scenario};

/// Nobody's number.
pub(crate) const NOBODY: u32 = 65_534;
/// The program was refused.
pub(crate) const REFUSED: i32 = 72;

/// In a container whose system calls are filtered.
#[test]
fn a_container_that_forbids_fixed_addresses_is_named() {
    let run = scenario(2, "reads_dyn").change(forbid_personality);
    let ended = run.finish().with_code(REFUSED).says(&["personality", "seccomp"]);
    assert_eq!(ended.stdout, "");
}

/// A sandbox without userfaultfd still lends thread-locals to the nodes of its domain.
#[test]
fn thread_locals_are_lent_where_page_faults_may_not_be_handled() {
    for name in ["lent_counter", "lent_waits", "lent_short_lives", "lent_forked", "parking_lot_mutex"] {
        direct(3, name).change(forbid_userfaultfd).finish().ok(name);
    }
}

/// What is started may not call `personality`, nor may its children.
#[expect(unsafe_code, reason = "a filter is installed between fork and exec")]
pub(crate) fn forbid_personality(command: &mut Command) {
    // SAFETY: the function makes two system calls and touches its own stack only.
    unsafe { command.pre_exec(|| filter(&[(CALL_NUMBER, libc::SYS_personality as u32)])) };
}

/// Neither the system call nor the request to the device that does the same.
#[expect(unsafe_code, reason = "a filter is installed between fork and exec")]
pub(crate) fn forbid_userfaultfd(command: &mut Command) {
    const USERFAULTFD_IOC_NEW: u32 = 0xaa00;
    let words = [(CALL_NUMBER, libc::SYS_userfaultfd as u32), (SECOND_ARGUMENT, USERFAULTFD_IOC_NEW)];
    // SAFETY: the function makes two system calls and touches its own stack only.
    unsafe { command.pre_exec(move || filter(&words)) };
}

/// Where in `struct seccomp_data` the number of the call and the low half of its second argument are.
const CALL_NUMBER: u32 = 0;
const SECOND_ARGUMENT: u32 = 24;

/// Refuses system calls with one of these words at these places.
#[expect(unsafe_code, reason = "std filters no system calls")]
fn filter(refused: &[(u32, u32)]) -> io::Result<()> {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const SKIP_UNLESS_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    const WORDS_MAX: usize = 4;
    let instruction = |code, jf, k| libc::sock_filter { code, jt: 0, jf, k };
    let mut filter = [instruction(RETURN, 0, libc::SECCOMP_RET_ALLOW); 3 * WORDS_MAX + 1];
    for (at, &(place, word)) in refused.iter().enumerate() {
        filter[3 * at] = instruction(LOAD, 0, place);
        filter[3 * at + 1] = instruction(SKIP_UNLESS_EQUAL, 1, word);
        filter[3 * at + 2] = instruction(RETURN, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32);
    }
    let len = 3 * refused.len() as u16 + 1;
    let program = libc::sock_fprog { len, filter: filter.as_mut_ptr() };
    // SAFETY: no memory is involved.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel copies the program, which is valid for the call.
    if unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
