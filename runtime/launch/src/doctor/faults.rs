//! userfaultfd: who may handle the page faults of nodes that do not map each other's memory.

use std::io;

use super::host::{self, PAGES};
use super::memory::UNFILTERED;
use super::probe::{self, Faults};
use super::{Finding, Wish};

const WHAT: &str = "page faults";
const SYSCTL: &str = "sysctl -w vm.unprivileged_userfaultfd=1";

pub(super) fn handling(wish: &Wish) -> Finding {
    match probe::userfaultfd(Faults::All) {
        Ok(()) => Finding::ok(WHAT, "all of userfaultfd may be used"),
        Err(error) => less(wish, &error, probe::userfaultfd(Faults::UserMode)),
    }
}

/// `all`: why not all faults; `user_mode`: whether those in user mode.
fn less(wish: &Wish, all: &io::Error, user_mode: io::Result<()>) -> Finding {
    let grade = if wish.no_direct { Finding::missing } else { Finding::slower };
    let refused = if wish.no_direct {
        "--no-direct is refused (without it, nodes of one host map each other's memory and run)"
    } else {
        "nodes of one host run, as they map each other's memory; --no-direct is refused"
    };
    let too_old = matches!(all.raw_os_error(), Some(libc::EINVAL));
    match user_mode {
        Ok(()) if too_old => grade(
            WHAT,
            format!("userfaultfd is too old ({} Linux {}.{}): {refused}", "needed:", PAGES.0, PAGES.1),
        ),
        Ok(()) => grade(WHAT, format!("only those in user mode: {refused}")).cured_by(SYSCTL),
        Err(error) => {
            let words = format!(
                "userfaultfd is forbidden ({error}): {refused}; a stray touch of another node's private memory is SIGSEGV"
            );
            let finding = grade(WHAT, words);
            if host::is_filtered() { finding.cured_by(UNFILTERED) } else { finding }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Grade;

    fn found(no_direct: bool, errno: i32, user_mode: Option<i32>) -> Finding {
        let wish = Wish { nodes: 2, heap_bytes: 1 << 30, no_direct };
        let user_mode = user_mode.map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)));
        less(&wish, &io::Error::from_raw_os_error(errno), user_mode)
    }

    #[test]
    fn a_right_that_is_missing_has_one_command() {
        let finding = found(false, libc::EPERM, None);
        assert_eq!((finding.grade, finding.cure.as_deref()), (Grade::Slower, Some(SYSCTL)));
        let finding = found(true, libc::EPERM, None);
        assert!(finding.forbids() && finding.cure.as_deref() == Some(SYSCTL));
        let finding = found(false, libc::EINVAL, None);
        assert_eq!((finding.grade, finding.cure), (Grade::Slower, None));
        assert!(found(true, libc::ENOSYS, Some(libc::ENOSYS)).forbids());
        assert!(!found(false, libc::EPERM, Some(libc::EPERM)).forbids());
    }
}
