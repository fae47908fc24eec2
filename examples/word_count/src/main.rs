//! Word count and inverted index over a text: for each word how often it occurs and in which lines.
//!
//! ```text
//! word_count FILE [--top K] [--threads N]
//! ```
//!
//! This is an ordinary program of std threads whose `use std::..` lines say `use dstd::..`. Only
//! `place::here`, for the report of who did what, is not in std. stdout holds the result, which depends on
//! the text alone; stderr shows progress and the work of each node.
//!
//! ```text
//!            chunks              batches, by word             tables
//! text ──┬──────────▶ counter ──┬──────────────▶ collector ──┬────────▶ main
//!        ├──────────▶ counter ──┤                            │
//!        └──────────▶ counter ──┴──────────────▶ collector ──┘
//! ```
//! Threads share no map, so they wait for no lock. A counter works on its own map and hands it over in few
//! large buffers, which cross to another node as a run of whole pages; each word belongs to one collector.

#![forbid(unsafe_code)]

mod collect;
mod count;
mod options;
mod progress;
mod report;
mod table;
mod text;

use dstd::process::ExitCode;
use dstd::sync::{Arc, mpsc};
use dstd::{fs, thread};

/// Not private only so that the crate that builds this source against std can call it.
pub(crate) fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("word_count: {message}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), String> {
    let options = options::parse(dstd::env::args().skip(1))?;
    let text = fs::read_to_string(&options.file)
        .map_err(|error| format!("cannot read {}: {error}", options.file))?;
    let threads = match options.threads {
        Some(threads) => threads,
        None => thread::available_parallelism().map_or(1, |threads| threads.get()),
    };
    let text = Arc::new(text::Chunks::new(text, threads));

    let (collectors, batches): (Vec<_>, Vec<_>) = (0..threads).map(|_| collect::start()).unzip();
    let (done, progress) = mpsc::channel();
    let counters: Vec<_> =
        (0..threads).map(|_| count::start(Arc::clone(&text), batches.clone(), done.clone())).collect();
    // The counters hold the other ends: collectors and progress end with them.
    drop((batches, done));
    progress::show(text.len_bytes(), progress);

    let counted: Vec<_> = counters.into_iter().map(join).collect();
    let collected: Vec<_> = collectors.into_iter().map(join).collect();
    report::work(&counted, &collected);
    report::result(&collected, options.top).map_err(|error| format!("cannot write the result: {error}"))
}

/// The result of a thread; if it panicked, so does the caller.
fn join<T>(thread: thread::JoinHandle<T>) -> T {
    thread.join().unwrap_or_else(|panic| dstd::panic::resume_unwind(panic))
}
