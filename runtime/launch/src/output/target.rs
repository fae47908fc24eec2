//! A file that takes what nodes print, until it cannot.
//!
//! A target that failed once gets nothing more, so that it has no gap in its middle. What it did not
//! get is counted: the job says so, and does not end with 0.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use crate::console::Console;
use crate::sys;

/// How long to wait for room at a time, where a target does not block.
const TICK: Duration = Duration::from_secs(1);

/// One file, or the launcher's stdout.
pub(super) struct Target {
    name: String,
    file: File,
    failed: Option<String>,
    lost_bytes: u64,
}

impl Target {
    pub(super) const fn new(name: String, file: File) -> Target {
        Target { name, file, failed: None, lost_bytes: 0 }
    }

    /// Writes all of `bytes`, or counts them as lost. The first failure is said at once.
    pub(super) fn write(&mut self, bytes: &[u8], console: &Console) {
        let mut rest = bytes;
        while self.failed.is_none() && !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => self.fail(&io::ErrorKind::WriteZero.into(), console),
                Ok(taken) => rest = &rest[taken..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if let Err(error) = sys::writable(self.file.as_fd(), TICK) {
                        self.fail(&error, console);
                    }
                }
                Err(error) => self.fail(&error, console),
            }
        }
        self.lost_bytes += rest.len() as u64;
    }

    fn fail(&mut self, error: &io::Error, console: &Console) {
        console.say(format_args!("cannot write {}: {error}; it gets nothing more", self.name));
        self.failed = Some(error.to_string());
    }

    /// Whether nothing can be written any more.
    pub(super) const fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// What is missing in it, in words.
    pub(super) fn lost(&self) -> Option<String> {
        let error = self.failed.as_ref().filter(|_| self.lost_bytes > 0)?;
        Some(format!("{} is not complete: {} bytes are lost ({error})", self.name, self.lost_bytes))
    }
}
