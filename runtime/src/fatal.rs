//! Ending the program with a clear reason.

use core::fmt;

use crate::{context, raw};

/// Bad arguments or environment.
pub(crate) const USAGE: i32 = 64;
/// A wrong secret.
pub(crate) const SECRET: i32 = 67;
/// A bug of dstd.
pub(crate) const INTERNAL: i32 = 70;
/// This host or program cannot run so.
pub(crate) const CANNOT: i32 = 72;

/// A line of text without allocation: stops must work from every state.
pub(crate) struct Line {
    bytes: [u8; 512],
    used: usize,
}

impl Line {
    pub(crate) fn new(args: fmt::Arguments<'_>) -> Line {
        let mut line = Line { bytes: [0; 512], used: 0 };
        // A line that is too long is cut: the error of `write_fmt` says nothing more.
        if fmt::Write::write_fmt(&mut line, args).is_err() {
            line.used = line.bytes.len();
        }
        line
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.used]
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.len() - self.used;
        let part = &text.as_bytes()[..text.len().min(room)];
        self.bytes[self.used..self.used + part.len()].copy_from_slice(part);
        self.used += part.len();
        if part.len() == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

/// Ends this node, and with it the program, with `code` and one line that says why.
///
/// The launcher finds the reason in the node's statistics and reports it as the root cause.
pub(crate) fn stop_with(code: i32, args: fmt::Arguments<'_>) -> ! {
    let line = Line::new(args);
    let reason = core::str::from_utf8(line.bytes()).unwrap_or("the reason was cut inside a character");
    match context::launched() {
        Some(stats) => stats.stop(code, reason),
        None => raw::write_stderr(Line::new(format_args!("dstd: {reason}\n")).bytes()),
    }
    raw::exit_now(code)
}

/// [`stop_with`] with a format string.
macro_rules! stop {
    ($code:expr, $($arg:tt)*) => { $crate::fatal::stop_with($code, format_args!($($arg)*)) };
}
pub(crate) use stop;

/// Ends the program when a panic passes: a node without its runtime would only hang.
/// Forgotten when all went well.
pub(crate) struct StopOnUnwind;

impl Drop for StopOnUnwind {
    fn drop(&mut self) {
        stop!(INTERNAL, "a panic in the runtime: this is a bug in dstd, its message is above");
    }
}
