//! A call runs on another thread: a guard is released by the one that took it.

use std::place;
use std::sync::Mutex;

fn main() {
    let lock = Mutex::new(1);
    let guard = lock.lock().unwrap();
    place::call(place::here(), move || *guard);
}
