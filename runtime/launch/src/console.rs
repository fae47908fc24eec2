//! Standard error: what the nodes write there, byte for byte, and the launcher's own words.

use std::collections::VecDeque;
use std::fmt::Display;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// How many lines of a node are kept.
pub(crate) const LINES_MAX: usize = 20;
/// How many bytes of a line are kept.
const LINE_BYTES_MAX: usize = 2000;

/// Where all words go; shared by the threads that forward (`output`) and the job that speaks.
#[derive(Clone, Default)]
pub(crate) struct Console {
    in_line: Arc<Mutex<bool>>,
}

impl Console {
    /// Says something of the launcher's own, on lines of its own.
    pub(crate) fn say(&self, words: impl Display) {
        let mut text = String::new();
        for line in words.to_string().lines() {
            text.push_str("dstd: ");
            text.push_str(line);
            text.push('\n');
        }
        let mut in_line = self.in_line.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut *in_line) {
            text.insert(0, '\n');
        }
        write_through(text.as_bytes());
    }

    /// Shows what a node wrote.
    pub(crate) fn forward(&self, bytes: &[u8]) {
        let mut in_line = self.in_line.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&last) = bytes.last() {
            *in_line = last != b'\n';
        }
        write_through(bytes);
    }
}

/// The job goes on when nobody reads what it says.
fn write_through(bytes: &[u8]) {
    let mut stderr = io::stderr().lock();
    drop(stderr.write_all(bytes).and_then(|()| stderr.flush()));
}

/// The last lines of a stream.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Tail {
    lines: VecDeque<Vec<u8>>,
    in_line: bool,
}

impl Tail {
    /// Adds what was read next.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            if !self.in_line {
                if self.lines.len() == LINES_MAX {
                    self.lines.pop_front();
                }
                self.lines.push_back(Vec::new());
            }
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            self.in_line = text.len() == part.len();
            if let Some(line) = self.lines.back_mut() {
                let room = LINE_BYTES_MAX - line.len();
                line.extend_from_slice(&text[..text.len().min(room)]);
            }
        }
    }

    /// The lines, oldest first; bytes that are no text are replaced.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> + '_ {
        self.lines.iter().map(|line| String::from_utf8_lossy(line).into_owned())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(parts: &[&[u8]]) -> Vec<String> {
        let mut tail = Tail::default();
        parts.iter().for_each(|part| tail.add(part));
        tail.lines().collect()
    }

    #[test]
    fn lines_are_found_wherever_the_stream_is_cut() {
        let whole = b"one\ntwo\n\nfour";
        for cut in 0..=whole.len() {
            assert_eq!(tail(&[&whole[..cut], &whole[cut..]]), ["one", "two", "", "four"], "cut at {cut}");
        }
        assert!(Tail::default().is_empty());
        assert_eq!(tail(&[b""]), [""; 0]);
    }

    #[test]
    fn only_the_last_lines_are_kept_and_long_ones_are_cut() {
        let text: String = (0..LINES_MAX + 3).map(|line| format!("{line}\n")).collect();
        let lines = tail(&[text.as_bytes()]);
        assert_eq!((lines.len(), lines[0].as_str(), lines[LINES_MAX - 1].as_str()), (LINES_MAX, "3", "22"));
        let long = tail(&[&[b'x'; 1500], &[b'x'; 1500], b"\nnext"]);
        assert_eq!((long[0].len(), long[1].as_str()), (LINE_BYTES_MAX, "next"));
    }
}
