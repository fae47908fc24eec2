//! Crates from elsewhere, used by threads on all nodes at once.

use crossbeam_channel::{bounded, select, unbounded};
use dstd::thread;
use serde_json::{Value, json};

use crate::cluster;

/// crossbeam's channels: several senders and receivers, a selection, a rendezvous.
pub(crate) fn crossbeam() -> String {
    const EACH: u64 = 500;
    let size = cluster::size();
    let (jobs, inbox) = bounded::<(u64, String)>(8);
    let (done, results) = unbounded::<u64>();
    let (stop, stopped) = bounded::<()>(0);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..size)
            .map(|i| {
                let (inbox, done, stopped) = (inbox.clone(), done.clone(), stopped.clone());
                cluster::scoped(scope, i, move || {
                    let mut worked = 0;
                    loop {
                        select! {
                            recv(inbox) -> job => {
                                let (n, text) = job.unwrap();
                                assert_eq!(text, format!("job {n}"));
                                done.send(n).unwrap();
                                worked += 1;
                            }
                            recv(stopped) -> _ => return worked,
                        }
                    }
                })
            })
            .collect();
        for i in 0..size as u64 {
            let jobs = jobs.clone();
            cluster::scoped(scope, i as usize + 1, move || {
                (i * EACH..(i + 1) * EACH).for_each(|n| jobs.send((n, format!("job {n}"))).unwrap());
            });
        }
        let total = EACH * size as u64;
        let mut numbers: Vec<u64> = results.iter().take(total as usize).collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..total));
        (0..size).for_each(|_| stop.send(()).unwrap());
        let worked: u64 = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
        assert_eq!(worked, total);
    });
    format!("{} jobs", EACH * size as u64)
}

/// serde_json: documents made, parsed, changed and printed on different nodes.
pub(crate) fn json() -> String {
    let document = json!({
        "name": "shared",
        "numbers": (0..500).collect::<Vec<u64>>(),
        "nested": { "list": [1, "two", 3.5, null, true], "text": "\u{00fc}ber \"quoted\"" },
    });
    let text = document.to_string();
    let answers = thread::scope(|scope| {
        let threads: Vec<_> = (0..2 * cluster::size())
            .map(|i| {
                let (document, text) = (&document, &text);
                cluster::scoped(scope, i, move || {
                    let mut parsed: Value = serde_json::from_str(text).unwrap();
                    assert_eq!(parsed, *document);
                    parsed["by"] = json!(i);
                    parsed["numbers"].as_array_mut().unwrap().truncate(i);
                    parsed
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let all = cluster::spawn(1, move || serde_json::to_string_pretty(&Value::from(answers)).unwrap());
    let all: Value = serde_json::from_str(&all.join().unwrap()).unwrap();
    for (i, answer) in all.as_array().unwrap().iter().enumerate() {
        assert_eq!(answer["by"], json!(i));
        assert_eq!(answer["numbers"], json!((0..i as u64).collect::<Vec<_>>()));
        assert_eq!(answer["nested"], document["nested"]);
    }
    format!("{} documents", 2 * cluster::size())
}
