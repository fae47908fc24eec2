//! Kernel, C library, and signs of a container.

use std::fs;
use std::path::Path;

use super::{Finding, probe};

/// Fixed mappings that replace nothing (`MAP_FIXED_NOREPLACE`).
const LEAST: (u32, u32) = (4, 17);

pub(super) fn kernel() -> Finding {
    let what = "kernel";
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim();
    match version(release) {
        None => Finding::missing(what, "not told by /proc, which nodes need as well")
            .cured_by("mount -t proc proc /proc"),
        Some(found) if found < LEAST => Finding::missing(
            what,
            format!("Linux {release} is too old: {}.{} or later is needed", LEAST.0, LEAST.1),
        ),
        Some(_) => Finding::ok(what, format!("Linux {release}")),
    }
}

/// `6.18.44-fc` is (6, 18).
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

pub(super) fn libc() -> Finding {
    Finding::ok("C library", format!("glibc {}", probe::glibc()))
}

/// Whether system calls are filtered, and by what it looks like.
pub(super) fn sandbox() -> Finding {
    let what = "sandbox";
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let filtered = seccomp(&status);
    let container = [("/.dockerenv", "docker"), ("/run/.containerenv", "podman")];
    let container = container.iter().find(|(sign, _)| Path::new(sign).exists()).map(|(_, name)| *name);
    let words = match (container, filtered) {
        (Some(name), true) => format!("{name}, system calls are filtered (seccomp)"),
        (Some(name), false) => format!("{name}, no system call is filtered"),
        (None, true) => "system calls are filtered (seccomp)".to_owned(),
        (None, false) => "none".to_owned(),
    };
    Finding::ok(what, words)
}

/// Whether system calls of this process pass a filter.
pub(super) fn is_filtered() -> bool {
    seccomp(&fs::read_to_string("/proc/self/status").unwrap_or_default())
}

fn seccomp(status: &str) -> bool {
    let mode = status.lines().find_map(|line| line.strip_prefix("Seccomp:"));
    mode.is_some_and(|mode| mode.trim() != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_have_two_numbers() {
        for (release, expected) in [
            ("6.18.44-fc-v445", Some((6, 18))),
            ("5.4", Some((5, 4))),
            ("4.17-rc1", Some((4, 17))),
            ("6", None),
            ("", None),
            ("linux", None),
        ] {
            assert_eq!(version(release), expected, "{release}");
        }
        assert!(version("4.9.1") < Some(LEAST) && version("10.0") > Some(LEAST));
    }

    #[test]
    fn a_filter_is_seen_in_the_status() {
        assert!(seccomp("Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n"));
        assert!(!seccomp("Name:\tx\nSeccomp:\t0\nSeccomp_filters:\t0\n") && !seccomp(""));
    }
}
