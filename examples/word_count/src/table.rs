//! Rows keyed by words, in two buffers: few large allocations travel between nodes much better than many
//! small ones.

/// Words, each with an `R`.
pub(crate) struct Table<R> {
    words: String,
    rows: Vec<(u32, R)>,
}

impl<R> Table<R> {
    pub(crate) fn new() -> Table<R> {
        Table { words: String::new(), rows: Vec::new() }
    }

    pub(crate) fn push(&mut self, word: &str, row: R) {
        self.words.push_str(word);
        self.rows.push((word.len() as u32, row));
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The rows in the order in which they were pushed.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &R)> {
        let mut rest = self.words.as_str();
        self.rows.iter().map(move |(bytes, row)| {
            let (word, after) = rest.split_at(*bytes as usize);
            rest = after;
            (word, row)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_went_in() {
        let mut table = Table::new();
        table.push("äther", 1);
        table.push("", 2);
        table.push("b", 3);
        assert_eq!(table.iter().collect::<Vec<_>>(), [("äther", &1), ("", &2), ("b", &3)]);
        assert_eq!(table.len(), 3);
    }
}
