//! `--spread all`: threads that crates start through std run on all nodes.

use crate::harness::{Run, SCENARIOS, alone, direct, everywhere, scenario};

/// Runs `name` on 2 nodes over TCP, on 3 over shared memory, and in a domain of 3; in turns, so that all nodes have threads.
fn spread(name: &str) {
    let runs = [(2, scenario(2, name)), (3, scenario(3, name)), (3, direct(3, name))];
    for (nodes, run) in runs {
        let ended = all(run).option("--placement").option("round-robin").finish().ok(name);
        let on: Vec<String> = (0..nodes).map(|node| node.to_string()).collect();
        let line = format!("on {}", on.join(" "));
        assert!(ended.stdout.lines().any(|found| found == line), "{name}: no {line:?} in {}", ended.stdout);
    }
}

fn all(run: Run) -> Run {
    run.option("--spread").option("all")
}

macro_rules! spread {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                spread(concat!("spread_", stringify!($name)));
            }
        )*
    };
}

spread! {
    joins scopes detached handles trees signalled named forked left parked sized panics
    rayon threadpool deque epochs maps locks
}

macro_rules! alike {
    ($($name:ident)*) => {
        $(
            /// The same with and without: where its threads run is none of its business, or is said by itself.
            #[test]
            fn $name() {
                let name = concat!("spread_", stringify!($name));
                for run in [scenario(2, name), scenario(3, name), direct(3, name)] {
                    all(run).option("--placement").option("round-robin").finish().ok(name);
                }
            }
        )*
    };
}

alike! { kept homes scheduled_so cancelled joined_in_time used_after crossbeam_scopes channels }

#[test]
fn threads_stay_at_home_unless_told() {
    for run in [scenario(3, "spread_joins"), direct(3, "spread_joins")] {
        let ended = run.option("--placement").option("round-robin").finish().ok("spread_joins");
        assert!(ended.stdout.lines().any(|line| line == "on 0"), "{}", ended.stdout);
    }
}

/// The placement is that of dstd's own threads.
#[test]
fn remote_threads_never_run_where_they_were_started() {
    let run = all(scenario(3, "spread_joins")).option("--placement").option("remote");
    let ended = run.finish().ok("spread_joins");
    assert!(ended.stdout.lines().any(|line| line == "on 1 2"), "{}", ended.stdout);
}

#[test]
fn exit_on_another_node_ends_a_program_that_starts_threads() {
    for (_, run) in everywhere("spread_exit") {
        all(run).finish().with_code(7);
    }
    alone(SCENARIOS, ["spread_exit"]).finish().with_code(7);
}
