//! Stands for a crate from elsewhere: it uses std and has statics of every kind.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use once_cell::sync::Lazy;

/// A counter that starts in .data.
pub static FROM_SEVEN: AtomicUsize = AtomicUsize::new(7);
/// A counter that starts in .bss.
pub static FROM_ZERO: AtomicUsize = AtomicUsize::new(0);
/// How often the initialiser of [`names`] ran.
pub static INITIALISED: AtomicUsize = AtomicUsize::new(0);

static NAMES: Lazy<Mutex<HashMap<String, usize>>> = Lazy::new(|| {
    INITIALISED.fetch_add(1, Ordering::Relaxed);
    Mutex::new(HashMap::new())
});
static FIRST: OnceLock<String> = OnceLock::new();

/// Counts one more use of `name` and returns how often it was used.
pub fn names(name: &str) -> usize {
    let mut names = NAMES.lock().expect("no holder panics");
    let count = names.entry(name.to_owned()).or_insert(0);
    *count += 1;
    *count
}

/// How many different names there are, and all their uses.
pub fn names_total() -> (usize, usize) {
    let names = NAMES.lock().expect("no holder panics");
    (names.len(), names.values().sum())
}

/// The text of whoever asked first.
pub fn first(text: &str) -> &'static str {
    FIRST.get_or_init(|| text.to_owned())
}

/// Adds `amount` to a static that lives inside a generic function; returns the sum.
pub fn add<T: Into<u64>>(amount: T) -> u64 {
    static SUM: AtomicU64 = AtomicU64::new(0);
    let amount = amount.into();
    SUM.fetch_add(amount, Ordering::SeqCst) + amount
}
