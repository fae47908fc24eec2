//! A guard is released by the thread that took it.

use dstd::sync::Mutex;
use dstd::thread;

static LOCK: Mutex<u8> = Mutex::new(0);

fn main() {
    let guard = LOCK.lock().unwrap();
    thread::spawn(move || *guard);
}
