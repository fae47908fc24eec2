//! Samples, gathered under the names of their rows.

use crate::row::Row;
use crate::verdict::Verdict;

/// Samples of several rows, in the order in which the rows were first met.
#[derive(Default)]
pub(crate) struct Samples(Vec<(String, Vec<f64>)>);

impl Samples {
    /// Adds one.
    pub(crate) fn add(&mut self, name: impl Into<String>, sample: f64) {
        let name = name.into();
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, samples)) => samples.push(sample),
            None => self.0.push((name, vec![sample])),
        }
    }

    /// The row of this name: the median, with its interval.
    pub(crate) fn row(&self, name: &str, unit: &'static str, command: &str) -> Row {
        let samples = self.0.iter().find(|(known, _)| known == name).map(|(_, samples)| samples.clone());
        Row::of_samples(name, samples.unwrap_or_default(), unit, command)
    }

    /// The median of the samples of this name.
    pub(crate) fn median(&self, name: &str) -> f64 {
        self.row(name, "", "").value
    }
}

/// Two results, one made after the other, in an order that changes from turn to turn.
pub(crate) fn pair<A, B>(
    turn: u64,
    first: impl FnOnce() -> Verdict<A>,
    second: impl FnOnce() -> Verdict<B>,
) -> Verdict<(A, B)> {
    if turn.is_multiple_of(2) {
        let first = first()?;
        Ok((first, second()?))
    } else {
        let second = second()?;
        Ok((first()?, second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_keep_to_their_rows() {
        let mut samples = Samples::default();
        for (name, sample) in [("a", 1.0), ("b", 9.0), ("a", 3.0), ("a", 2.0)] {
            samples.add(name, sample);
        }
        assert_eq!((samples.median("a"), samples.median("b")), (2.0, 9.0));
        assert_eq!(samples.row("a", "us", "").count, 3);
        assert!(samples.median("c").is_nan());
    }

    #[test]
    fn pairs_alternate() {
        let order = std::cell::RefCell::new(Vec::new());
        for turn in 0..2 {
            let note = |name| {
                order.borrow_mut().push(name);
                Ok(name)
            };
            assert_eq!(pair(turn, || note('a'), || note('b')).expect("both"), ('a', 'b'));
        }
        assert_eq!(*order.borrow(), ['a', 'b', 'b', 'a']);
    }
}
