//! Draws the Mandelbrot set with characters, using several threads.
//!
//! ```text
//! mandelbrot [WIDTH [HEIGHT [THREADS]]]
//! ```

use std::collections::VecDeque;
use std::env;
use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::num::ParseIntError;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;

const STEPS_MAX: u32 = 5_000;
const SHADES: &[u8] = b" .:-=+*#%";

#[derive(Debug, Clone, Copy, PartialEq)]
struct Size {
    width: usize,
    height: usize,
}

#[derive(Debug)]
enum BadArgument {
    NotANumber(String, ParseIntError),
    Zero,
}

impl fmt::Display for BadArgument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadArgument::NotANumber(text, _) => write!(f, "{text:?} is not a number"),
            BadArgument::Zero => write!(f, "a size must be at least 1"),
        }
    }
}

impl Error for BadArgument {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            BadArgument::NotANumber(_, error) => Some(error),
            BadArgument::Zero => None,
        }
    }
}

fn argument(text: Option<String>, default: usize) -> Result<usize, BadArgument> {
    let Some(text) = text else { return Ok(default) };
    match usize::from_str(&text) {
        Ok(0) => Err(BadArgument::Zero),
        Ok(number) => Ok(number),
        Err(error) => Err(BadArgument::NotANumber(text, error)),
    }
}

/// How many steps the point takes to escape.
fn steps(re: f64, im: f64) -> u32 {
    let (mut x, mut y) = (0.0, 0.0);
    for step in 0..STEPS_MAX {
        if x * x + y * y > 4.0 {
            return step;
        }
        (x, y) = (x * x - y * y + re, 2.0 * x * y + im);
    }
    STEPS_MAX
}

fn row(size: Size, y: usize) -> Vec<u32> {
    let im = (y as f64 + 0.5) / size.height as f64 * 2.4 - 1.2;
    (0..size.width).map(|x| steps((x as f64 + 0.5) / size.width as f64 * 3.2 - 2.3, im)).collect()
}

fn shade(steps: u32, slowest: u32) -> char {
    if steps == STEPS_MAX {
        return '@';
    }
    // Logarithmic, for most points escape at once.
    let brightness = f64::from(steps + 1).ln() / f64::from(slowest + 2).ln();
    char::from(SHADES[(brightness * SHADES.len() as f64) as usize])
}

/// What all threads share.
struct Work {
    size: Size,
    rows: Mutex<VecDeque<usize>>,
    /// The most steps of any point that escapes: known when all rows are computed.
    slowest: AtomicU32,
    all_steps: AtomicU64,
    computed: Barrier,
}

impl Work {
    fn next(&self) -> Option<usize> {
        self.rows.lock().unwrap().pop_front()
    }

    fn draw(&self, lines: mpsc::Sender<(usize, String)>) {
        let mut mine = Vec::new();
        while let Some(y) = self.next() {
            let row = row(self.size, y);
            let slowest = row.iter().copied().filter(|steps| *steps < STEPS_MAX).max();
            self.slowest.fetch_max(slowest.unwrap_or(0), Ordering::Relaxed);
            self.all_steps.fetch_add(row.iter().copied().map(u64::from).sum(), Ordering::Relaxed);
            mine.push((y, row));
        }
        self.computed.wait();
        let slowest = self.slowest.load(Ordering::Relaxed);
        for (y, row) in mine {
            let line = row.into_iter().map(|steps| shade(steps, slowest)).collect();
            lines.send((y, line)).unwrap();
        }
    }
}

fn picture(size: Size, threads: usize) -> io::Result<(Vec<String>, u64)> {
    let work = Arc::new(Work {
        size,
        rows: Mutex::new((0..size.height).collect()),
        slowest: AtomicU32::new(0),
        all_steps: AtomicU64::new(0),
        computed: Barrier::new(threads),
    });
    let (sender, receiver) = mpsc::channel();
    let mut workers = Vec::new();
    for number in 0..threads {
        let (work, sender) = (Arc::clone(&work), sender.clone());
        let builder = thread::Builder::new().name(format!("painter {number}"));
        workers.push(builder.spawn(move || work.draw(sender))?);
    }
    drop(sender);
    let mut lines = vec![String::new(); size.height];
    for (y, line) in receiver {
        lines[y] = line;
    }
    for worker in workers {
        worker.join().expect("a painter panicked");
    }
    let all_steps = work.all_steps.load(Ordering::Relaxed);
    Ok((lines, all_steps))
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let size = Size { width: argument(arguments.next(), 78)?, height: argument(arguments.next(), 30)? };
    let threads = argument(arguments.next(), thread::available_parallelism().map_or(4, |n| n.get()))?;
    let (lines, all_steps) = picture(size, threads)?;
    let mut out = io::stdout().lock();
    for line in lines {
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(out, "{all_steps} steps")?;
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mandelbrot: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_does_not_depend_on_the_threads() {
        let size = Size { width: 30, height: 11 };
        let one = picture(size, 1).unwrap();
        assert_eq!(picture(size, 3).unwrap(), one);
        // On the real axis the set reaches from -2 to 1/4.
        assert_eq!(one.0[5].chars().filter(|c| *c == '@').count(), 21);
    }

    #[test]
    fn arguments_that_are_no_sizes_are_refused() {
        assert!(matches!(argument(Some("0".into()), 1), Err(BadArgument::Zero)));
        let error = argument(Some("x".to_string()), 1).unwrap_err();
        assert_eq!(error.to_string(), "\"x\" is not a number");
        assert!(error.source().is_some());
        assert_eq!(argument(None, 7).unwrap(), 7);
    }
}
