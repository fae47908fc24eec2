//! Page faults of ordinary users: what the kernel cannot wait for, and what comes by signals.
//!
//! Root runs these as nobody; anybody else runs them as they are. Every scenario also runs where the kernel waits
//! for pages, if this user may have that (`scenarios.rs`).

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;

use serde_json::Value;

use crate::harness::{
    LAUNCH, Run, SCENARIOS, Scratch, alone, copy_program, direct, everywhere, program, scenario,
};
use crate::refusals::{NOBODY, REFUSED, forbid_userfaultfd};

/// What can go wrong where the kernel does not wait: files, sockets, children, and memory of every kind.
const SUBSET: &[&str] = &[
    "reads_collections",
    "arc_mutex",
    "rwlock",
    "condvar",
    "park_timeout",
    "mpsc_strings",
    "sync_channel",
    "main_locals",
    "nested_scopes",
    "statics_program",
    "statics_third",
    "statics_big",
    "two_pages",
    "foreign_drops",
    "print_locked",
    "panic_payloads",
    "panic_unwinds",
    "panic_poison",
    "thread_names",
    "thread_deep",
    "environment_changed",
    "file_buffers",
    "socket_buffers",
    "command",
    "command_forked",
    "fork_away",
    "fork_lent_stack",
    "fork_busy",
    "fork_commands",
    "litmus_sb",
    "litmus_cas",
    "random_atomics",
    "crossbeam",
    "fresh_read_ahead",
    "stack_guards",
    "pthread_exit",
    "shared_futex",
    "foreign_directory",
    "passed_memory",
    "signal_handlers",
    "lent_counter",
    "lent_waits",
    "lent_short_lives",
    "lent_forked",
    "parking_lot_condvar",
    "rayon_spread",
    "thread_memory",
    "memory_reused",
    "shipped_file_calls",
    "shipped_unix_listener",
    "shipped_udp",
    "shipped_copies",
    "shipped_polled",
];

/// Copies of the launcher and the scenarios where nobody may run them.
struct Ordinary {
    scratch: Scratch,
    root: bool,
}

impl Ordinary {
    fn new() -> Ordinary {
        let scratch = Scratch::for_everybody();
        copy_program(LAUNCH.as_ref(), &scratch.file("launch"));
        copy_program(SCENARIOS.as_ref(), &scratch.file("scenarios"));
        // The report is written there.
        fs::set_permissions(scratch.file(""), Permissions::from_mode(0o777)).expect("it is ours");
        let root = fs::metadata("/proc/self").expect("Linux has /proc").uid() == 0;
        Ordinary { scratch, root }
    }

    fn run(&self, nodes: usize, name: &str) -> Run {
        let (directory, root) = (self.scratch.file(""), self.root);
        program(nodes, self.scratch.file("scenarios"), [name]).launcher(self.scratch.file("launch")).change(
            move |command| {
                command.current_dir(directory);
                if root {
                    command.uid(NOBODY).gid(NOBODY);
                }
            },
        )
    }

    /// How the nodes of a run have served faults.
    fn service(&self, run: Run) -> Vec<Value> {
        let report: PathBuf = self.scratch.file("report.json");
        run.option("--report-json").option(&report).finish().ok("reads_dyn");
        let text = fs::read_to_string(report).expect("the report is written");
        let report: Value = serde_json::from_str(&text).expect("the report is JSON");
        let nodes = report["nodes"].as_array().expect("a list");
        nodes.iter().map(|node| node["faults"]["service"].clone()).collect()
    }
}

fn subset(service: &str) {
    let ordinary = Ordinary::new();
    for (at, name) in SUBSET.iter().enumerate() {
        ordinary.run(2 + at % 2, name).variable("DSTD_FAULTS", service).finish().ok(name);
    }
}

#[test]
fn userfaultfd_in_user_mode_serves_them() {
    subset("user");
}

#[test]
fn signals_serve_them() {
    subset("signal");
}

/// Whether every user of this machine may have faults in system calls handled.
fn everybody_may() -> bool {
    fs::read_to_string("/proc/sys/vm/unprivileged_userfaultfd").is_ok_and(|text| text.trim() == "1")
}

#[test]
fn an_ordinary_user_gets_the_best_way_that_is_allowed() {
    let ordinary = Ordinary::new();
    let best = if everybody_may() { "kernel" } else { "user" };
    assert_eq!(ordinary.service(ordinary.run(2, "reads_dyn")), [best; 2]);
}

#[test]
fn where_userfaultfd_is_forbidden_signals_take_its_place() {
    let ordinary = Ordinary::new();
    let run = ordinary.run(3, "reads_dyn").change(forbid_userfaultfd);
    assert_eq!(ordinary.service(run), ["signal"; 3]);
    for name in ["file_buffers", "command", "main_locals", "passed_memory"] {
        ordinary.run(2, name).change(forbid_userfaultfd).finish().ok(name);
    }
}

#[test]
fn who_asks_for_a_way_that_is_forbidden_is_told() {
    let ordinary = Ordinary::new();
    for way in ["kernel", "user"] {
        let run = ordinary.run(2, "reads_dyn").change(forbid_userfaultfd);
        let ended = run.variable("DSTD_FAULTS", way).finish().with_code(REFUSED);
        let ended = ended.says(&["page faults may not be handled", "unset DSTD_FAULTS"]);
        assert_eq!(ended.stdout, "");
    }
    let ended = scenario(2, "reads_dyn").variable("DSTD_FAULTS", "magic").finish();
    ended.with_code(64).says(&["magic"]);
}

#[test]
fn too_many_mappings_are_a_stop_that_names_the_limit() {
    let limit = fs::read_to_string("/proc/sys/vm/max_map_count").unwrap_or_default();
    if limit.trim().parse().map_or(true, |limit: u64| limit > 66_000) {
        eprintln!("not tried: vm.max_map_count is larger than usual");
        return;
    }
    let ended = scenario(2, "isolated_pages").variable("DSTD_FAULTS", "signal").finish();
    ended.with_code(REFUSED).says(&["node 1", "sysctl -w vm.max_map_count"]);
    scenario(2, "isolated_pages").finish().ok("isolated_pages");
}

/// In every way, and in a domain with and without userfaultfd.
fn in_every_way(name: &'static str) -> impl Iterator<Item = Run> {
    let ways = ["user", "signal"].map(|way| scenario(2, name).variable("DSTD_FAULTS", way));
    let domain = direct(2, name).variable("DSTD_FAULTS", "signal");
    everywhere(name).map(|(_, run)| run).chain(ways).chain([domain])
}

#[test]
fn a_thread_that_overflows_its_stack_is_named_on_every_node() {
    let words = ["thread 'deep' (", ") has overflowed its stack", "fatal runtime error: stack overflow"];
    for run in in_every_way("overflow_last") {
        run.finish().with_code(128 + 6).says(&words);
    }
    alone(SCENARIOS, ["overflow_last"]).finish().with_code(128 + 6).says(&words);
}

#[test]
fn main_may_overflow_its_stack_too() {
    let words = ["thread 'main' (", ") has overflowed its stack", "fatal runtime error: stack overflow"];
    for run in in_every_way("overflow_main") {
        run.finish().with_code(128 + 6).says(&words);
    }
}

#[test]
fn the_programs_own_handler_gets_what_is_no_page() {
    for run in in_every_way("own_handler") {
        assert_eq!(run.finish().with_code(9).stdout, "handled\n");
    }
    assert_eq!(alone(SCENARIOS, ["own_handler"]).finish().with_code(9).stdout, "handled\n");
}

#[test]
fn strays_are_told_in_every_way() {
    for (name, kind) in [
        ("libc_thread_local", "thread-local of a library"),
        ("native_stack", "native stack"),
        ("private_mapping", "mapping"),
    ] {
        for run in in_every_way(name) {
            run.finish().with_code(REFUSED).says(&["touched", kind, "of node 0"]);
        }
    }
}
