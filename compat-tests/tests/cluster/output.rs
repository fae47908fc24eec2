//! stdout, byte for byte; and where threads run, where that is printed.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::harness::{SCENARIOS, alone, scenario};

/// `name` prints `expected` and its last line, on one to three nodes.
fn prints(name: &str, expected: &str) {
    let mut runs = vec![alone(SCENARIOS, [name]).finish()];
    runs.extend([2, 3].map(|nodes| scenario(nodes, name).finish()));
    for ended in runs {
        let ended = ended.ok(name);
        let (text, _) = ended.stdout.split_once("ok ").expect("the last line");
        assert_eq!(text, expected);
    }
}

#[test]
fn lines_keep_the_order_of_joins() {
    let expected = (0..30).fold(String::new(), |mut text, i| {
        writeln!(text, "thread {i}\nmain {i}").expect("a string takes all");
        text
    });
    prints("println_order", &expected);
}

#[test]
fn parts_of_a_line_keep_the_order_of_joins() {
    let expected: String = (0..12).map(|i| format!("{i} / ")).collect();
    prints("print_partial", &(expected + "\n"));
}

#[test]
fn lines_keep_the_order_of_locks_and_channels() {
    let turns: String = (0..30).map(|i| format!("turn {i}\n")).collect();
    let sent: String = (0..10).map(|i| format!("sent {i}\nreceived {i}\n")).collect();
    prints("print_locked", &(turns + &sent));
}

/// C keeps what is printed until the node ends, so only the lines are certain.
#[test]
fn lines_of_c_streams_of_all_nodes_appear() {
    for nodes in [2, 3] {
        let ended = scenario(nodes, "c_streams").finish().with_code(0);
        let mut lines: Vec<_> = ended.stdout.lines().collect();
        lines.sort_unstable();
        let mut expected = vec![format!("ok c_streams {nodes} lines")];
        expected.extend((0..nodes).map(|node| format!("printed by C as {node}")));
        assert_eq!(lines, expected);
    }
}

#[test]
fn a_panic_names_thread_and_message() {
    let ended = scenario(2, "panic_payloads").finish().ok("panic_payloads");
    ended.says(&[
        "thread 'thrower-0'",
        "thread 'thrower-1'",
        "plain text",
        "formatted 0",
        "formatted 1",
        "index out of bounds: the len is 0 but the index is 3",
    ]);
}

#[test]
fn all_nodes_have_the_arguments_variables_and_directory_of_the_command_line() {
    let ended = scenario(3, "environment")
        .option("-x")
        .option("SCENARIO_VARIABLE=a value, with = in it")
        .option("--chdir")
        .option("/usr")
        .argument("--top")
        .argument("two words")
        .argument("")
        .finish()
        .ok("environment");
    let expected =
        "argument --top\nargument two words\nargument \nvariable a value, with = in it\ndirectory /usr\n";
    assert!(ended.stdout.starts_with(expected), "{}", ended.stdout);
}

#[test]
fn variables_of_the_launcher_reach_all_nodes() {
    let run = scenario(2, "environment")
        .variable("SCENARIO_VARIABLE", "inherited")
        .option("-x")
        .option("SCENARIO_VARIABLE");
    assert!(run.finish().ok("environment").stdout.contains("variable inherited\n"));
}

/// How many threads ran on each node: all alive at once, one after the other, and all alive and detached.
fn placed(nodes: usize, placement: &str) -> [BTreeMap<String, usize>; 3] {
    let ended = scenario(nodes, "placement").option("--placement").option(placement).finish().ok("placement");
    ["together ", "alone ", "detached "].map(|prefix| {
        let mut counts = BTreeMap::new();
        let line = ended.stdout.lines().find_map(|line| line.strip_prefix(prefix)).expect("it is printed");
        line.split(' ').for_each(|node| *counts.entry(node.to_owned()).or_default() += 1);
        counts
    })
}

fn counts(each: &[(&str, usize)]) -> BTreeMap<String, usize> {
    each.iter().map(|(node, count)| ((*node).to_owned(), *count)).collect()
}

#[test]
fn local_threads_stay_on_node_0() {
    assert_eq!(placed(3, "local"), [counts(&[("0", 12)]), counts(&[("0", 12)]), counts(&[("0", 12)])]);
}

#[test]
fn round_robin_serves_all_nodes_alike() {
    let each = counts(&[("0", 4), ("1", 4), ("2", 4)]);
    assert_eq!(placed(3, "round-robin"), [each.clone(), each.clone(), each]);
}

#[test]
fn least_loaded_spreads_threads_that_live_together() {
    let [together, _, detached] = placed(3, "least-loaded");
    for placed in [together, detached] {
        // main counts as one thread, and where a tie goes is not promised.
        assert!(placed.len() == 3 && placed.values().all(|count| (3..=5).contains(count)), "{placed:?}");
    }
}

#[test]
fn remote_threads_never_run_where_they_were_spawned() {
    for placed in placed(3, "remote") {
        assert!(!placed.contains_key("0") && placed.values().sum::<usize>() == 12, "{placed:?}");
    }
    assert_eq!(placed(2, "remote"), [counts(&[("1", 8)]), counts(&[("1", 8)]), counts(&[("1", 8)])]);
}
