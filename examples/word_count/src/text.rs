//! The text, cut into chunks of whole lines, and what a word is.

use dstd::ops::Range;
use dstd::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Small enough that every thread gets several chunks and all end at about the same time.
const CHUNKS_PER_THREAD: usize = 8;
/// Large enough that taking a chunk, which may be a message to another node, costs little beside counting
/// it (about a millisecond).
const CHUNK_BYTES_MIN: usize = 64 * 1024;
/// Small enough that progress is seen to move.
const CHUNK_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A text whose chunks are handed out once each.
pub(crate) struct Chunks {
    text: String,
    chunks: Vec<Chunk>,
    next: AtomicUsize,
}

#[derive(Clone)]
struct Chunk {
    bytes: Range<usize>,
    first_line: u32,
}

impl Chunks {
    /// Cuts `text` for so many threads.
    pub(crate) fn new(text: String, threads: usize) -> Chunks {
        let bytes = (text.len() / (threads * CHUNKS_PER_THREAD)).clamp(CHUNK_BYTES_MIN, CHUNK_BYTES_MAX);
        let chunks = cut(&text, bytes);
        Chunks { text, chunks, next: AtomicUsize::new(0) }
    }

    /// The length of the text.
    pub(crate) fn len_bytes(&self) -> usize {
        self.text.len()
    }

    /// The next chunk that no thread has taken, with the number of its first line.
    pub(crate) fn take(&self) -> Option<(&str, u32)> {
        // Relaxed: the number is all that threads tell each other here; the text was written before they
        // started.
        let chunk = self.chunks.get(self.next.fetch_add(1, Relaxed))?;
        Some((&self.text[chunk.bytes.clone()], chunk.first_line))
    }
}

/// Chunks of at least `bytes` bytes, but for the last one, each ending with a line. Lines are numbered from
/// 1.
fn cut(text: &str, bytes: usize) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let (mut start, mut line) = (0, 1);
    while start < text.len() {
        let at_least = (start + bytes).min(text.len());
        // A newline byte is never part of another character, so the cut is at a character's boundary.
        let rest = &text.as_bytes()[at_least - 1..];
        let end =
            rest.iter().position(|byte| *byte == b'\n').map_or(text.len(), |newline| at_least + newline);
        chunks.push(Chunk { bytes: start..end, first_line: line });
        line += text.as_bytes()[start..end].iter().filter(|byte| **byte == b'\n').count() as u32;
        start = end;
    }
    chunks
}

/// The words of a line: runs of letters, with apostrophes between letters.
pub(crate) fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|letter: char| !letter.is_alphabetic() && letter != '\'')
        .map(|word| word.trim_matches('\''))
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_whole_lines_and_cover_the_text() {
        let text = "one\ntwo\n\nfour, no end of line: ä\nfive";
        for bytes in 1..=text.len() + 1 {
            let chunks = cut(text, bytes);
            let joined: String = chunks.iter().map(|chunk| &text[chunk.bytes.clone()]).collect();
            assert_eq!(joined, text);
            for chunk in &chunks {
                assert_eq!(chunk.first_line as usize, text[..chunk.bytes.start].matches('\n').count() + 1);
                assert!(chunk.bytes.end == text.len() || text[chunk.bytes.clone()].ends_with('\n'));
            }
        }
        assert!(cut("", 5).is_empty());
    }

    #[test]
    fn a_word_is_letters_and_inner_apostrophes() {
        let found: Vec<_> = words("Ge1:1 'Twas God's -- Äther; ' 12").collect();
        assert_eq!(found, ["Ge", "Twas", "God's", "Äther"]);
    }
}
