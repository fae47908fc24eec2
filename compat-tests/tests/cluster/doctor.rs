//! What the doctor says is what happens: under each restriction it calls a host fit exactly when a
//! program runs there, and names what is missing.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::harness::{LAUNCH, SCENARIOS, Scratch, copy_program, launch};
use crate::refusals::{forbid_personality, forbid_userfaultfd};

/// Nobody's number.
const NOBODY: u32 = 65_534;
const UNFIT: i32 = 72;

/// A way to take something from a process and its children.
#[derive(Clone, Copy)]
enum Restriction {
    None,
    User,
    Limit(libc::__rlimit_resource_t, u64),
    /// As that user, who cannot lift it again.
    UsersLimit(libc::__rlimit_resource_t, u64),
    NoPersonality,
    NoUserfaultfd,
    NoNetwork,
}

impl Restriction {
    fn apply(self, command: &mut Command, is_root: bool) {
        match self {
            Restriction::None => {}
            Restriction::User => become_nobody(command, is_root),
            Restriction::Limit(resource, most) => limit(command, resource, most),
            Restriction::UsersLimit(resource, most) => {
                become_nobody(command, is_root);
                limit(command, resource, most);
            }
            Restriction::NoPersonality => forbid_personality(command),
            Restriction::NoUserfaultfd => forbid_userfaultfd(command),
            Restriction::NoNetwork => leave_network(command),
        }
    }
}

fn become_nobody(command: &mut Command, is_root: bool) {
    if is_root {
        command.uid(NOBODY).gid(NOBODY);
    }
}

#[expect(unsafe_code, reason = "a limit is set between fork and exec")]
fn limit(command: &mut Command, resource: libc::__rlimit_resource_t, most: u64) {
    let set = move || {
        let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
        // SAFETY: the structure is live.
        match unsafe { libc::setrlimit(resource, &raw const limit) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: the function makes one system call.
    unsafe { command.pre_exec(set) };
}

/// In a network of its own, whose loopback interface is down.
#[expect(unsafe_code, reason = "the network is left between fork and exec")]
fn leave_network(command: &mut Command) {
    let leave = || {
        // SAFETY: no memory is involved.
        match unsafe { libc::unshare(libc::CLONE_NEWNET) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: the function makes one system call.
    unsafe { command.pre_exec(leave) };
}

/// Asks the doctor and runs a program, both restricted; the doctor's words.
#[track_caller]
fn agree(restriction: Restriction, options: &[&str], expected: i32) -> String {
    let scratch = Scratch::for_everybody();
    let (launcher, program) = (scratch.file("launch"), scratch.file("scenarios"));
    copy_program(LAUNCH.as_ref(), &launcher);
    copy_program(SCENARIOS.as_ref(), &program);
    let is_root = is_root();
    let directory = scratch.file("");
    let restricted = |run: crate::harness::Run| {
        let directory = directory.clone();
        run.launcher(launcher.clone())
            .change(move |command| {
                command.current_dir(directory);
                restriction.apply(command, is_root);
            })
            .finish()
    };
    let none: [&str; 0] = [];
    let told = restricted(launch([&["doctor", "-n", "2"], options].concat(), none)).with_code(expected);
    assert_eq!(told.stderr, "");
    let last = told.stdout.lines().last().unwrap_or_default();
    assert!(last.starts_with(if expected == 0 { "fit: " } else { "not fit: " }), "{}", told.stdout);
    let mut ran =
        restricted(launch([&["-n", "2"], options].concat(), [program.into_os_string(), "reads_dyn".into()]));
    if expected == 0 {
        ran = ran.ok("reads_dyn");
    }
    assert_eq!(ran.code == 0, expected == 0, "the doctor is wrong:\n{}{}", told.stdout, ran.stderr);
    told.stdout
}

fn is_root() -> bool {
    fs::metadata("/proc/self").expect("Linux has /proc").uid() == 0
}

#[track_caller]
fn line<'a>(text: &'a str, what: &str) -> &'a str {
    let found = text.lines().find(|line| line.get(9..).is_some_and(|rest| rest.starts_with(what)));
    found.unwrap_or_else(|| panic!("no line about {what}:\n{text}"))
}

#[test]
fn a_host_without_restrictions_is_fit() {
    let text = agree(Restriction::None, &[], 0);
    assert!(line(&text, "address space").starts_with("ok "), "{text}");
}

#[test]
fn a_user_without_rights_is_told_what_is_closed_and_how_to_open_it() {
    let text = agree(Restriction::User, &[], 0);
    let faults = line(&text, "page faults");
    let allowed = fs::read_to_string("/proc/sys/vm/unprivileged_userfaultfd").unwrap_or_default();
    if allowed.trim() == "1" {
        assert!(faults.starts_with("ok "), "{faults}");
        return;
    }
    assert!(faults.starts_with("slower "), "{faults}");
    assert!(faults.contains("; do: sysctl -w vm.unprivileged_userfaultfd=1"), "{faults}");
    agree(Restriction::User, &["--no-direct"], 0);
}

#[test]
fn too_little_address_space_is_missing() {
    let text = agree(Restriction::Limit(libc::RLIMIT_AS, 8 << 30), &[], UNFIT);
    let space = line(&text, "address space");
    assert!(space.starts_with("missing ") && space.ends_with("; do: ulimit -v unlimited"), "{space}");
}

#[test]
fn too_short_files_are_missing() {
    let text = agree(Restriction::Limit(libc::RLIMIT_FSIZE, 64 << 20), &[], UNFIT);
    let space = line(&text, "address space");
    assert!(space.starts_with("missing ") && space.ends_with("; do: ulimit -f unlimited"), "{space}");
}

#[test]
fn too_few_descriptors_are_missing() {
    let text = agree(Restriction::UsersLimit(libc::RLIMIT_NOFILE, 256), &[], UNFIT);
    let descriptors = line(&text, "descriptors");
    assert!(
        descriptors.starts_with("missing ") && descriptors.contains("; do: ulimit -Hn 512"),
        "{descriptors}"
    );
    let text = agree(Restriction::UsersLimit(libc::RLIMIT_NOFILE, 1024), &[], 0);
    assert!(line(&text, "descriptors").starts_with("slower   descriptors            512 a node"), "{text}");
}

#[test]
fn a_container_that_forbids_fixed_addresses_is_unfit() {
    let text = agree(Restriction::NoPersonality, &[], UNFIT);
    assert!(line(&text, "sandbox").contains("filtered (seccomp)"), "{text}");
    let fixed = line(&text, "fixed addresses");
    assert!(
        fixed.starts_with("missing ")
            && fixed.ends_with("; do: docker run --security-opt seccomp=unconfined"),
        "{fixed}"
    );
}

#[test]
fn a_container_that_forbids_userfaultfd_is_fit() {
    for options in [&[][..], &["--no-direct"]] {
        let text = agree(Restriction::NoUserfaultfd, options, 0);
        let faults = line(&text, "page faults");
        assert!(faults.starts_with("slower   page faults            userfaultfd is forbidden"), "{faults}");
        assert!(faults.ends_with("; do: docker run --security-opt seccomp=unconfined"), "{faults}");
    }
}

/// The file of large blocks over all nodes is the longest: in a domain it is made, without one it is not.
#[test]
fn files_that_are_long_enough_for_heaps_only_are_too_short_for_a_domain() {
    let limit = Restriction::Limit(libc::RLIMIT_FSIZE, 200 << 30);
    let text = agree(limit, &[], UNFIT);
    assert!(line(&text, "address space").ends_with("; do: ulimit -f unlimited"), "{text}");
    agree(limit, &["--no-direct"], 0);
}

#[test]
fn nodes_that_cannot_reach_each_other_are_unfit() {
    if !is_root() {
        println!("not tried: only root can leave the network");
        return;
    }
    let text = agree(Restriction::NoNetwork, &[], UNFIT);
    let loopback = line(&text, "loopback interface");
    assert!(loopback.starts_with("missing ") && loopback.contains("; do: ip link set lo up"), "{loopback}");
}
