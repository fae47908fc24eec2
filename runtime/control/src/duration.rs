//! Durations as people write them: `500ms`, `10s`, `2m`, `1h`.

use std::fmt;
use std::time::Duration;

/// The longest wait that can be asked for: a year. Clocks add it to now without overflow.
pub const DURATION_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// A text is no duration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseDurationError;

impl fmt::Display for ParseDurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not a duration: write a whole number and a unit, like 500ms, 10s, 2m or 1h, at most a year",
        )
    }
}

impl std::error::Error for ParseDurationError {}

/// Reads a whole number followed by `ms`, `s`, `m` or `h`; a number alone means seconds.
///
/// # Errors
/// When `text` is anything else, or more than [`DURATION_MAX`].
pub fn parse_duration(text: &str) -> Result<Duration, ParseDurationError> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| ParseDurationError)?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" | "" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(ParseDurationError),
    };
    let duration = number.checked_mul(unit_ms).map(Duration::from_millis);
    duration.filter(|&duration| duration <= DURATION_MAX).ok_or(ParseDurationError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_scale() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(parse_duration("7"), Ok(Duration::from_secs(7)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(parse_duration("1h"), Ok(Duration::from_secs(3600)));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", "s", "-1s", "1.5s", "10 s", "10d", "99999999999999999999s", "18446744073709551615h", "8761h"]
        {
            assert_eq!(parse_duration(text), Err(ParseDurationError), "{text:?}");
        }
    }
}
