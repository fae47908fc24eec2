//! Threads and calls on another node.

use crate::bench::measured;
use crate::programs::{Programs, TRANSPORTS, median};
use crate::row::Row;
use crate::samples::{Samples, pair};
use crate::tree;
use crate::verdict::{Verdict, fail, while_doing};

const SPAWN: &str = "spawn and join";
const CALL: &str = "call";
const CALL_US: f64 = 10.0;
const MESSAGES: f64 = 4.0;

/// Rows for spawn and join over the same on std, its messages, and calls.
pub(super) fn run(programs: &Programs, samples: u64, rows: &mut Vec<Row>) -> Verdict {
    let mut all = Samples::default();
    for turn in 0..samples {
        let remote = || programs.on_both(&["spawn", "call"], &[SPAWN, CALL]);
        let local = || Ok((median(programs.on_std().arg("spawn"), SPAWN)?, programs.round_trips()?));
        let (remote, (local, round_trips)) = pair(turn, remote, local)?;
        all.add("spawn and join on std", local);
        for ((transport, remote), round_trip) in TRANSPORTS.into_iter().zip(remote).zip(round_trips) {
            all.add(format!("spawn_join.over_local, {transport}"), remote[0] - local);
            all.add(format!("call.us, {transport}"), remote[1]);
            all.add(format!("round trip, {transport}"), round_trip.small);
        }
    }
    let command = "cargo xtask bench page threads";
    rows.push(all.row("spawn and join on std", "us", command));
    for transport in TRANSPORTS {
        let round_trip = all.row(&format!("round trip, {transport}"), "us", command);
        let over = all.row(&format!("spawn_join.over_local, {transport}"), "us", command);
        rows.push(over.beside("round trip", round_trip.value).target("<=", 2.0 * round_trip.value));
        let call = all.row(&format!("call.us, {transport}"), "us", command);
        // The target is for links that engines poll without system calls.
        rows.push(if transport == "shm" { call.target("<=", CALL_US) } else { call });
        rows.push(round_trip);
        let messages = messages(programs, transport)?;
        let name = format!("spawn_join.messages, {transport}");
        rows.push(Row::new(name, messages, "messages", command).target("<=", MESSAGES));
    }
    Ok(())
}

/// How many messages a spawn with its join costs: what more of them send, by the runtime's own count.
fn messages(programs: &Programs, transport: &str) -> Verdict<f64> {
    let (few_spawns, few) = sent(programs, transport, 1)?;
    let (many_spawns, many) = sent(programs, transport, 11)?;
    if many_spawns <= few_spawns || many <= few {
        return fail(format!("{few_spawns} spawns send {few} messages, {many_spawns} send {many}"));
    }
    Ok((many - few) / (many_spawns - few_spawns))
}

/// How often a run of `measure` spawns that is told to do it so many times, and all messages that it sends.
fn sent(programs: &Programs, transport: &str, times: usize) -> Verdict<(f64, f64)> {
    let file = std::env::temp_dir().join(format!("dstd-bench-report-{}.json", std::process::id()));
    let report = file.display().to_string();
    let options = ["-n", "2", "--transport", transport, "--no-direct", "--report-json", &report];
    let mut launch = programs.launched(&options, "measure");
    let results = measured(launch.args(vec!["spawn"; times]))?;
    let spawns = results.iter().filter(|(name, ..)| name == SPAWN).map(|(.., count)| *count as f64).sum();
    let text = tree::read(&file)?;
    std::fs::remove_file(&file).map_err(while_doing(file.display()))?;
    match messages_of(&text) {
        Some(messages) => Ok((spawns, messages)),
        None => fail(format!("the report of {launch:?} counts no messages: {text}")),
    }
}

/// The sum of what all nodes have sent, of all kinds; `None` where that is not told.
fn messages_of(report: &str) -> Option<f64> {
    let sent = report.split("\"sent\":").skip(1).map(object);
    let mut counts = sent.flat_map(|sent| sent.split("\"messages\":").skip(1)).peekable();
    counts.peek()?;
    counts
        .map(|rest| rest.trim_start().split(|c: char| !c.is_ascii_digit()).next()?.parse::<f64>().ok())
        .sum()
}

/// The object at the start of `text`.
fn object(text: &str) -> &str {
    let mut depth = 0;
    let end = text.find(|c| {
        depth += match c {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        c == '}' && depth == 0
    });
    &text[..end.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::messages_of;

    #[test]
    fn messages_of_all_nodes_and_kinds_count() {
        let node = |a, b| {
            format!(
                "{{\"sent\": {{\"ship\": {{\"messages\": {a}, \"bytes\": 9}}, \"free\":{{\"messages\":{b},\"bytes\":7}}}}, \"messages\": 1000}}"
            )
        };
        assert_eq!(messages_of(&format!("[{}, {}]", node(12, 3), node(40, 0))), Some(55.0));
        for unknown in ["{}", "{\"sent\": {}}", "{\"sent\": {\"ship\": {\"messages\": null}}}"] {
            assert_eq!(messages_of(unknown), None, "{unknown}");
        }
    }
}
