//! Cuts a stream into lines, wherever its bytes come in.

/// A line that is longer is given in pieces.
pub(super) const LINE_BYTES_MAX: usize = 64 * 1024;

/// The part of a stream that is no whole line yet.
#[derive(Default)]
pub(super) struct Lines {
    held: Vec<u8>,
}

impl Lines {
    /// Gives `each` the lines that `bytes` complete, without their line ends, and whether a line
    /// end follows: a piece of a long line has none.
    pub(super) fn take(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8], bool)) {
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            self.held.extend_from_slice(text);
            while self.held.len() > LINE_BYTES_MAX {
                let rest = self.held.split_off(LINE_BYTES_MAX);
                each(&self.held, false);
                self.held = rest;
            }
            if text.len() < part.len() {
                each(&self.held, true);
                self.held.clear();
            }
        }
    }

    /// Gives `each` what the stream ended with, unless that was a whole line.
    pub(super) fn end(&mut self, mut each: impl FnMut(&[u8], bool)) {
        if !self.held.is_empty() {
            each(&std::mem::take(&mut self.held), false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(parts: &[&[u8]]) -> Vec<(Vec<u8>, bool)> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for part in parts {
            lines.take(part, |line, whole| found.push((line.to_vec(), whole)));
        }
        lines.end(|line, whole| found.push((line.to_vec(), whole)));
        found
    }

    #[test]
    fn lines_are_the_same_wherever_the_stream_is_cut() {
        let whole = b"one\n\nthree\r\nfour";
        let expected: Vec<(Vec<u8>, bool)> =
            [(&b"one"[..], true), (b"", true), (b"three\r", true), (b"four", false)]
                .map(|(line, whole)| (line.to_vec(), whole))
                .to_vec();
        for at in 0..=whole.len() {
            assert_eq!(cut(&[&whole[..at], &whole[at..]]), expected, "cut at {at}");
        }
        assert_eq!(cut(&[b"all\n"]), [(b"all".to_vec(), true)]);
        assert_eq!(cut(&[]), []);
    }

    #[test]
    fn a_long_line_comes_in_pieces_and_nothing_of_it_is_lost() {
        let text: Vec<u8> = (0..3 * LINE_BYTES_MAX + 5).map(|at| b'a' + (at % 26) as u8).collect();
        let mut line = text.clone();
        line.push(b'\n');
        let found = cut(&[&line[..10], &line[10..]]);
        let sizes: Vec<_> = found.iter().map(|(piece, whole)| (piece.len(), *whole)).collect();
        let max = LINE_BYTES_MAX;
        assert_eq!(sizes, [(max, false), (max, false), (max, false), (5, true)]);
        assert_eq!(found.into_iter().flat_map(|(piece, _)| piece).collect::<Vec<_>>(), text);
    }
}
