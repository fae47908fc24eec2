//! Page faults of nodes that do not map each other's memory: the best way to serve them that a node would find.

use std::io;
use std::path::Path;

use super::Finding;
use super::host;
use super::memory::UNFILTERED;
use super::probe::{self, Faults};

const WHAT: &str = "page faults";
const SYSCTL: &str = "sysctl -w vm.unprivileged_userfaultfd=1";
/// Where an administrator can give the right to a group.
const DEVICE: &str = "/dev/userfaultfd";
/// The first kernel with all of userfaultfd that nodes use (`UFFD_FEATURE_WP_UNPOPULATED`).
const ALL_SINCE: &str = "Linux 6.4";

pub(super) fn handling() -> Finding {
    match probe::userfaultfd(Faults::All) {
        Ok(()) => Finding::ok(WHAT, "all of userfaultfd may be used"),
        Err(_) => less(probe::userfaultfd(Faults::UserMode), host::is_filtered(), Path::new(DEVICE).exists()),
    }
}

/// `user_mode`: whether those in user mode may be handled; `device`: whether there is one.
fn less(user_mode: io::Result<()>, filtered: bool, device: bool) -> Finding {
    match user_mode.map_err(|error| (error.raw_os_error(), error)) {
        Ok(()) => {
            let group = format!(" (for one group: chgrp GROUP {DEVICE}; chmod 660 {DEVICE})");
            let cure = format!("{SYSCTL}{}", if device { &group } else { "" });
            Finding::slower(WHAT, "userfaultfd in user mode: unless nodes map each other's memory, system calls get copies of it")
                .cured_by(cure)
        }
        Err((Some(libc::EINVAL), _)) => Finding::slower(
            WHAT,
            format!(
                "userfaultfd is too old ({ALL_SINCE} has all of it): unless nodes map each other's memory, they come as signals"
            ),
        ),
        Err((_, error)) => {
            let finding = Finding::slower(
                WHAT,
                format!(
                    "userfaultfd is forbidden ({error}): unless nodes map each other's memory, they come as signals"
                ),
            );
            if filtered { finding.cured_by(UNFILTERED) } else { finding }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Grade;

    fn found(user_mode: Option<i32>, filtered: bool, device: bool) -> Finding {
        less(user_mode.map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno))), filtered, device)
    }

    #[test]
    fn there_is_always_a_way_and_what_opens_a_better_one_is_named() {
        let finding = found(None, false, false);
        assert_eq!((finding.grade, finding.cure.as_deref()), (Grade::Slower, Some(SYSCTL)));
        assert!(found(None, false, true).cure.unwrap().contains(DEVICE));
        assert_eq!(found(Some(libc::EPERM), true, false).cure.as_deref(), Some(UNFILTERED));
        let finding = found(Some(libc::EINVAL), true, true);
        assert!(finding.words.contains(ALL_SINCE) && finding.cure.is_none());
        for errno in [libc::EINVAL, libc::EPERM, libc::ENOSYS] {
            assert!(!found(Some(errno), false, false).forbids());
        }
    }
}
