//! The launcher with real processes. The nodes are this program again, see `node`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cargo;
mod convert;
mod folder;
mod hosts;
mod node;
mod output;
mod run;
mod shell;
mod terminal;

use run::{command, send, start, start_with_stdin, wait_gone};
use serde_json::json;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|arg| arg == "node") {
        node::main(&args[1..]);
    }
    if args.first().is_some_and(|arg| arg == "shell") {
        shell::main(&args[1..]);
    }
    let filters: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let list = args.iter().any(|arg| arg == "--list");
    let wanted =
        |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()));
    let mut failed = Vec::new();
    for (name, test) in TESTS.iter().filter(|(name, _)| wanted(name)) {
        if list {
            println!("{name}: test");
        } else if std::panic::catch_unwind(test).is_ok() {
            println!("test {name} ... ok");
        } else {
            println!("test {name} ... FAILED");
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        println!("failed: {failed:?}");
        std::process::exit(1);
    }
    if !list {
        println!("all passed");
    }
}

macro_rules! tests {
    ($($name:path),+ $(,)?) => {
        const TESTS: &[(&str, fn())] = &[$((stringify!($name), $name)),+];
    };
}

tests!(
    a_program_that_ends_well_is_left_alone,
    the_exit_code_is_mains,
    exit_on_any_node_is_the_programs_exit,
    stdin_reaches_node_0,
    nodes_get_variables_directory_and_a_clean_state,
    the_report_counts,
    a_node_that_aborts_is_the_root_cause,
    stderr_is_shown_again_only_when_others_wrote,
    quiet_is_one_line,
    kill_9_of_any_node_ends_the_program_with_137,
    a_node_that_leaves_without_goodbye_has_failed,
    what_a_failed_node_started_goes_with_it,
    dstds_own_stop_is_not_the_programs_72,
    a_node_that_never_joins_is_69,
    a_program_that_is_not_dstds_is_69,
    a_death_before_the_start_is_told,
    another_build_is_66,
    another_secret_is_67,
    a_host_that_forbids_it_is_72,
    a_launcher_that_is_killed_leaves_nothing,
    timeout_is_69,
    deaf_nodes_are_killed,
    node_0s_last_wish_holds_though_others_stay,
    a_death_after_the_goodbye_is_a_death,
    the_first_interrupt_is_node_0s,
    a_second_interrupt_ends_all,
    term_ends_all,
    user_signals_reach_all,
    a_handler_on_node_0_is_enough,
    node_0_ends_in_its_own_way_when_it_handles_term,
    a_signal_to_launcher_and_nodes_has_its_code,
    output::labels_name_the_node,
    output::times_are_utc,
    output::json_has_both_streams_on_stdout,
    output::none_shows_nothing_but_why_it_failed,
    output::files_get_every_byte,
    output::a_full_disk_is_said_and_ends_with_70,
    output::a_disk_that_becomes_full_keeps_what_came_before,
    output::a_log_that_cannot_be_opened_starts_nothing,
    output::a_limit_of_file_size_is_no_death,
    output::a_stdout_that_cannot_be_written_fails_the_nodes,
    output::a_closed_stdout_is_as_in_std,
    output::a_slow_reader_gets_all,
    output::nobody_reads_and_a_signal_ends_it,
    output::who_is_told_to_end_waits_for_no_reader,
    output::a_chatty_child_does_not_hold_the_launcher,
    output::stdin_goes_to_whom_it_is_given,
    output::a_dry_run_starts_nothing,
    hosts::labels_name_the_node_wherever_it_runs,
    hosts::files_get_every_byte,
    hosts::stdin_goes_to_whom_it_is_given,
    hosts::signals_go_to_who_takes_them,
    hosts::a_stopped_job_is_stopped_everywhere,
    hosts::a_dry_run_calls_no_host,
    hosts::a_slow_reader_gets_all,
    hosts::a_chatty_child_holds_nobody,
    terminal::an_interrupt_is_node_0s,
    terminal::a_second_interrupt_ends_all,
    terminal::quit_ends_all,
    terminal::a_stopped_job_is_continued_as_often_as_wanted,
    terminal::time_stands_still_for_a_stopped_job,
    terminal::reading_in_the_background_stops_the_whole_job,
    terminal::writing_in_the_background_is_as_the_terminal_says,
    terminal::a_closed_window_ends_all,
    what_cannot_run_is_told_before_it_runs,
    cargo::a_run_builds_what_it_runs,
    cargo::test_programs_are_launched_whatever_they_are_built_for,
    cargo::a_new_program_runs_and_is_tested_on_three_nodes,
    cargo::a_swapped_program_prints_what_it_printed,
    cargo::a_swap_can_be_undone_or_is_not_made,
    cargo::a_swap_stays_in_its_package,
    cargo::a_check_says_where_and_ends_as_clippy_does,
    convert::a_converted_crate_starts_its_threads_everywhere,
    convert::a_wrapper_of_the_users_is_called,
    convert::what_cannot_be_converted_is_refused,
    cargo::wrong_input_is_told,
);

fn a_program_that_ends_well_is_left_alone() {
    for size in [1, 2, 5] {
        let outcome = start(&format!("-n {size}"), &["ok", "0", "hello"]).finish();
        outcome.is("main", Some(0), 0).said_nothing();
        assert_eq!(outcome.stdout, ["hello"]);
    }
}

fn the_exit_code_is_mains() {
    for code in [1, 3, 66, 72, 101, 255] {
        let outcome = start("-n 2", &["code", "0", &code.to_string()]).finish();
        outcome.is("main", Some(0), code).said_nothing();
    }
}

fn exit_on_any_node_is_the_programs_exit() {
    for (node, code) in [(0, 0), (0, 5), (1, 0), (2, 68)] {
        let outcome = start("-n 3", &["exit", &node.to_string(), &code.to_string()]).finish();
        outcome.is("exit", Some(node), code).said_nothing();
    }
}

fn stdin_reaches_node_0() {
    let outcome = start_with_stdin("-n 2", &["stdin"], "one\ntwo\n").finish();
    outcome.is("main", Some(0), 0);
    assert_eq!(outcome.stdout, ["one", "two"]);
}

fn nodes_get_variables_directory_and_a_clean_state() {
    let outcome =
        start("-n 2 -x SHOWN=a=b -x HOME --chdir /proc/self/fdinfo/../../../usr", &["show"]).finish();
    outcome.is("main", Some(0), 0);
    let home = std::env::var("HOME").unwrap_or_default();
    let program = std::env::current_exe().unwrap();
    assert_eq!(outcome.stdout[0], format!("a=b {home} /usr"));
    assert_eq!(outcome.stdout[1].split_whitespace().nth(1), Some("0000000000000000"), "signals are blocked");
    assert_eq!(outcome.stdout[2], program.to_str().unwrap());
    let personality = u32::from_str_radix(&outcome.stdout[3], 16).unwrap();
    assert_ne!(personality & libc::ADDR_NO_RANDOMIZE as u32, 0, "addresses are random");
}

fn the_report_counts() {
    let outcome = start("-n 2", &["count", "0", "some text"]).finish();
    let report = &outcome.is("main", Some(0), 0).report;
    let program = std::env::current_exe().unwrap();
    assert_eq!(report["program"], program.to_str().unwrap());
    assert_eq!(report["args"], json!(["node", "count", "0", "some text"]));
    assert_eq!(report["nodes"].as_array().unwrap().len(), 2);
    assert_eq!(report["nodes"][0]["sent"]["ship"], json!({"messages": 1, "bytes": 99}));
    assert_eq!(report["nodes"][1]["sent"]["ship"], json!({"messages": 0, "bytes": 0}));
    assert_eq!(report["nodes"][0]["futex"], json!({"wait": 0, "wake": 5}));
    assert!(report["nodes"][1]["peak_rss_bytes"].as_u64().unwrap() > 100_000);
}

fn a_node_that_aborts_is_the_root_cause() {
    for node in [0, 1, 2] {
        let outcome = start("-n 3", &["abort", &node.to_string(), "thread panicked\\n"]).finish();
        outcome
            .is("node", Some(node), 134)
            .said(&format!("node {node} ("))
            .said("killed by signal 6 (SIGABRT");
        assert_eq!(outcome.stderr.iter().filter(|line| line.contains("panicked")).count(), 1);
        assert_eq!(outcome.stderr[0], "thread panicked");
        let later: Vec<_> =
            outcome.stderr.iter().filter(|line| line.starts_with("dstd: after that:")).collect();
        assert_eq!(later.len(), 1, "{:#?}", outcome.stderr);
    }
}

fn stderr_is_shown_again_only_when_others_wrote() {
    let outcome = start("-n 2", &["abort", "1", "no line end"]).finish();
    outcome.is("node", Some(1), 134);
    assert_eq!(outcome.stderr[0], "no line end", "the launcher's words begin a line");
    let outcome = start("-n 2 -x NOISE=1", &["abort", "1", "first\\nsecond\\n"]).finish();
    outcome
        .is("node", Some(1), 134)
        .said("the last lines of its stderr:")
        .said("  | first")
        .said("  | second");
}

fn quiet_is_one_line() {
    let outcome = start("-n 3 -q", &["abort", "1"]).finish();
    outcome.is("node", Some(1), 134);
    assert_eq!(outcome.stderr.len(), 1, "{:#?}", outcome.stderr);
}

fn kill_9_of_any_node_ends_the_program_with_137() {
    for victim in [0, 1, 2] {
        let mut run = start("-n 3", &["hang", "7"]);
        let pids = run.wait_up(3);
        send(pids[victim], libc::SIGKILL);
        let outcome = run.finish();
        outcome.is("node", Some(victim as u16), 137).said("SIGKILL");
        let reason = outcome.report["exit"]["reason"].as_str().unwrap();
        assert_eq!(reason, "killed by signal 9 (SIGKILL)");
    }
}

fn a_node_that_leaves_without_goodbye_has_failed() {
    for (node, status, code) in [(1, 0, 70), (0, 0, 70), (1, 3, 3), (2, 68, 68)] {
        let outcome = start("-n 3", &["vanish", &node.to_string(), &status.to_string()]).finish();
        outcome.is("node", Some(node), code).said("without a goodbye");
    }
}

fn what_a_failed_node_started_goes_with_it() {
    let mut run = start("-n 2", &["child", "1"]);
    let child = run.wait_out("child ");
    run.finish().is("node", Some(1), 134);
    wait_gone(child.split(' ').nth(1).unwrap().parse().unwrap());
}

fn dstds_own_stop_is_not_the_programs_72() {
    let outcome = start("-n 2", &["stop", "1", "node 1 touched a thread-local of node 0"]).finish();
    outcome.is("launcher", Some(1), 72).said("touched a thread-local");
}

fn a_node_that_never_joins_is_69() {
    let outcome = start("-n 3 --connect-timeout 500ms", &["never", "1"]).finish();
    outcome.is("launcher", None, 69).said("not all nodes were ready within 500ms");
    let row = outcome.stderr.iter().find(|line| line.contains("node 1 ")).unwrap();
    assert!(row.contains("did not join"), "{row}");
}

fn a_program_that_is_not_dstds_is_69() {
    for program in ["/bin/true", "/bin/false"] {
        let outcome = start("-n 2", &[program]).finish();
        outcome.said("before it joined: is the program built with dstd?");
        assert_eq!((outcome.code, outcome.report["exit"]["origin"].as_str()), (69, Some("launcher")));
    }
    let outcome = start("-n 2 --connect-timeout 300ms", &["/bin/sleep", "1000"]).finish();
    outcome.is("launcher", None, 69).said("did not join: is the program built with dstd?");
}

fn a_death_before_the_start_is_told() {
    let outcome = start("-n 2", &["early-abort", "1"]).finish();
    outcome.is("node", Some(1), 134).said("before all nodes had started");
    start("-n 2", &["early-exit", "0", "64"]).finish().is("launcher", Some(0), 64);
}

fn another_build_is_66() {
    let outcome = start("-n 3", &["wrong-build", "2"]).finish();
    outcome
        .is("launcher", None, 66)
        .said("nodes 0 and 2 do not agree on the build-id (aaaaaaaa and bbbbbbbb)");
}

fn another_secret_is_67() {
    let outcome = start("-n 3", &["wrong-secret", "1"]).finish();
    outcome.is("launcher", Some(1), 67).said("does not know the secret");
}

fn a_host_that_forbids_it_is_72() {
    start("-n 2", &["unfit", "1"]).finish().is("launcher", Some(1), 72).said("this host forbids it");
}

fn a_launcher_that_is_killed_leaves_nothing() {
    let mut run = start("-n 3", &["deaf", "1"]);
    let pids = run.wait_up(3);
    run.kill(libc::SIGKILL);
    assert_eq!(run.finish().code, 137);
    pids.into_iter().for_each(wait_gone);
}

fn timeout_is_69() {
    let outcome = start("-n 2 --timeout 500ms", &["hang", "0"]).finish();
    outcome.is("launcher", None, 69).said("not done within 500ms (--timeout)");
}

fn deaf_nodes_are_killed() {
    let mut run = start("-n 2 --grace 100ms", &["deaf", "1"]);
    run.wait_out("deaf");
    run.kill(libc::SIGTERM);
    run.finish().is("launcher", None, 143).said("the launcher got SIGTERM");
}

fn node_0s_last_wish_holds_though_others_stay() {
    start("-n 2 --grace 100ms", &["stay", "1"]).finish().is("main", Some(0), 9).said_nothing();
}

fn a_death_after_the_goodbye_is_a_death() {
    let mut run = start("-n 2", &["goodbye-then-hang", "1"]);
    let pids = run.wait_up(2);
    send(pids[1], libc::SIGKILL);
    run.finish().is("node", Some(1), 137);
}

fn the_first_interrupt_is_node_0s() {
    let mut run = start("-n 2", &["hang", "0"]);
    run.wait_up(2);
    run.kill(libc::SIGINT);
    let outcome = run.finish();
    outcome.is("node", Some(0), 130).said("interrupt sent to node 0").said("SIGINT");
}

fn a_second_interrupt_ends_all() {
    let mut run = start("-n 2 --grace 100ms", &["deaf", "0"]);
    run.wait_out("deaf");
    run.kill(libc::SIGINT);
    run.wait_err("again within 2 s");
    run.kill(libc::SIGINT);
    run.finish().is("launcher", None, 130).said("the launcher got SIGINT");
}

fn term_ends_all() {
    for signal in [libc::SIGTERM, libc::SIGHUP] {
        let mut run = start("-n 3", &["hang", "0"]);
        run.wait_up(3);
        run.kill(signal);
        run.finish().is("launcher", None, 128 + signal);
    }
}

fn user_signals_reach_all() {
    for signal in [libc::SIGUSR1, libc::SIGUSR2] {
        let mut run = start("-n 3", &["signal", "9", &signal.to_string()]);
        for _ in 0..3 {
            run.wait_out("waiting");
        }
        run.kill(signal);
        for _ in 0..3 {
            run.wait_out("got");
        }
        run.finish().is("main", Some(0), 0);
    }
}

fn a_handler_on_node_0_is_enough() {
    for signal in [libc::SIGUSR1, libc::SIGUSR2, libc::SIGQUIT] {
        let mut run = start("-n 3", &["handler", "0", &signal.to_string()]);
        run.wait_out("waiting");
        run.kill(signal);
        run.finish().is("main", Some(0), 0).said_nothing();
    }
    // Without any, the signal does what it does to a program of one process.
    let mut run = start("-n 3", &["hang", "0"]);
    run.wait_up(3);
    run.kill(libc::SIGUSR1);
    assert_eq!(run.finish().code, 128 + libc::SIGUSR1);
}

fn node_0_ends_in_its_own_way_when_it_handles_term() {
    for signal in [libc::SIGTERM, libc::SIGHUP] {
        let mut run = start("-n 3", &["handler", "0", &libc::SIGTERM.to_string()]);
        run.wait_out("waiting");
        run.kill(signal);
        run.finish().is("main", Some(0), 0).said_nothing();
    }
    let mut run = start("-n 2 --grace 100ms", &["deaf", "0"]);
    run.wait_out("deaf");
    run.kill(libc::SIGTERM);
    run.finish().is("launcher", None, 143);
}

fn a_signal_to_launcher_and_nodes_has_its_code() {
    let mut run = start("-n 2", &["hang", "0"]);
    let pids = run.wait_up(2);
    // As `timeout` and systemd do: to everybody. Who is told of it first depends.
    run.kill(libc::SIGTERM);
    send(pids[0], libc::SIGTERM);
    assert_eq!(run.finish().code, 143);
}

fn what_cannot_run_is_told_before_it_runs() {
    let outcome = start("-n 2", &["/no/such/program"]).finish();
    outcome.is("launcher", None, 64).said("cannot run /no/such/program");
    assert_eq!(outcome.report["nodes"][1]["pid"], json!(null));
    start("-n 2", &["/etc/passwd"]).finish().is("launcher", None, 64).said("not executable");
    start("-n 2 --chdir /no/such", &["ok"]).finish().is("launcher", None, 64).said("--chdir /no/such: ");
    let (code, stderr) =
        command(env!("CARGO_BIN_EXE_dstd-launch"), &["--report-json", "/no/such/f", "/bin/echo"]);
    assert_eq!(code, 64);
    assert_eq!(
        stderr,
        "dstd: cannot write the report to /no/such/f: No such file or directory (os error 2)\n"
    );
    for options in ["--transport pigeon", "--no-such-option", "-n 0", "-x DSTD_RANK=1"] {
        assert_eq!(start(options, &["ok"]).finish().code, 64, "{options}");
    }
}
