//! Counts prime numbers with threads. `cargo dstd run -n 3` spreads the threads over three nodes.

use dstd::collections::BTreeMap;
use dstd::sync::{Arc, Mutex};
use dstd::{ops::Range, place, thread};

const THREADS: u32 = 6;
const PART: u32 = 50_000;

fn main() {
    // One map for all threads, on whichever node they run.
    let found = Arc::new(Mutex::new(BTreeMap::new()));
    let threads: Vec<_> = (0..THREADS)
        .map(|number| {
            let found = Arc::clone(&found);
            thread::spawn(move || {
                let count = primes(number * PART..(number + 1) * PART);
                found.lock().unwrap().insert(number, (count, place::here()));
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }

    let found = found.lock().unwrap();
    for (number, (count, node)) in found.iter() {
        eprintln!("thread {number} found {count} on {node:?}");
    }
    let all: usize = found.values().map(|(count, _)| count).sum();
    println!("{all} primes below {}, found by {THREADS} threads", THREADS * PART);
}

fn primes(numbers: Range<u32>) -> usize {
    numbers.filter(|&number| is_prime(number)).count()
}

fn is_prime(number: u32) -> bool {
    number > 1 && (2..).take_while(|divisor| divisor * divisor <= number).all(|divisor| number % divisor != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_primes_are_counted() {
        assert_eq!(primes(0..30), 10);
    }
}
