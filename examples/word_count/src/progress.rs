//! How far the counting is: a bar on a terminal, a line per quarter elsewhere.

use dstd::io::{self, IsTerminal, Write};
use dstd::sync::mpsc::Receiver;

const BAR_CELLS: usize = 40;
const QUARTERS: usize = 4;

/// Shows on stderr how much of `total` bytes is done, until all counters have ended.
pub(crate) fn show(total: usize, done_bytes: Receiver<usize>) {
    let mut stderr = io::stderr();
    let steps = if stderr.is_terminal() { BAR_CELLS } else { QUARTERS };
    let (mut done, mut shown) = (0, 0);
    for bytes in done_bytes {
        done += bytes;
        let step = done * steps / total;
        if step == shown {
            continue;
        }
        shown = step;
        let line = if steps == BAR_CELLS {
            let end = if step == steps { "\n" } else { "" };
            format!("\r[{:BAR_CELLS$}] {:3} %{end}", "#".repeat(step), done * 100 / total)
        } else {
            format!("counted {:3} %\n", done * 100 / total)
        };
        // Nobody may be reading stderr; the count goes on.
        if stderr.write_all(line.as_bytes()).and_then(|()| stderr.flush()).is_err() {
            shown = steps;
        }
    }
}
