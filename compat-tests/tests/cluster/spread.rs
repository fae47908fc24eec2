//! `--spread all`: threads that crates start through std run on all nodes.

use crate::harness::{Run, direct, scenario};

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

spread! { joins scopes detached handles trees rayon threadpool deque epochs maps locks }

/// Where two receivers run depends on how many senders came before them.
#[test]
fn channels() {
    for run in [scenario(2, "spread_channels"), scenario(3, "spread_channels"), direct(3, "spread_channels")]
    {
        all(run).finish().ok("spread_channels");
    }
}

#[test]
fn threads_placed_by_hand_stay_there() {
    for run in [scenario(2, "spread_kept"), scenario(3, "spread_kept"), direct(3, "spread_kept")] {
        all(run).finish().ok("spread_kept");
    }
}

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
