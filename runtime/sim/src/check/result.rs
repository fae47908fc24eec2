//! Counters are exact and threads have nothing to complain about.

use crate::check::order::Order;
use crate::failure::{Broken, Checked, Rule};
use crate::program::Expected;

/// What a thread noticed itself.
pub(crate) fn complaint(thread: usize, complaint: Option<String>) -> Checked {
    match complaint {
        None => Ok(()),
        Some(what) => Err(Broken::new(Rule::Result, format!("thread {thread}: {what}"))),
    }
}

/// At the end of a run.
pub(crate) fn exact(results: &[Expected], order: &Order) -> Checked {
    for Expected { addr, value, what } in results {
        let found = order.latest(*addr);
        if found != *value {
            return Err(Broken::new(Rule::Result, format!("{what} at {addr:?}: {found}, not {value}")));
        }
    }
    Ok(())
}
