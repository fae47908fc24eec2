//! Mistakes made on purpose: a checker that does not notice them checks nothing.

use std::process::Command;

use crate::verdict::{Verdict, fail, while_doing};

/// Which mistake the child makes; see `heap/tests/heap/canary.rs`.
pub(crate) const VARIABLE: &str = "DSTD_CANARY";

/// Runs what must fail, with these words.
pub(crate) fn notices(command: &mut Command, what: &str, words: &str) -> Verdict {
    let output = command.output().map_err(while_doing(format!("{command:?}")))?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    if output.status.success() || !said.contains(words) {
        return fail(format!("{said}\n{command:?} ended with {}, not with {words:?}: {what}", output.status));
    }
    println!("canary: {what}: noticed");
    Ok(())
}
