//! What a line of a node looks like: pure functions.

use std::io::Write;
use std::time::Duration;

use serde::Serialize;

use super::Which;
use crate::everyday::Style;

/// Where a line comes from, and when it came to the launcher.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    pub(super) rank: u16,
    /// Digits of the largest rank, so that lines of all nodes begin alike.
    pub(super) width: usize,
    pub(super) which: Which,
    /// Since 1970.
    pub(super) time: Duration,
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    node: u16,
    stream: &'static str,
    text: &'a str,
    /// The exact bytes, where they are no UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
    /// No line end follows: a piece of a long line, or the end of the stream.
    #[serde(skip_serializing_if = "is_false")]
    partial: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// Adds `text`, which a line end follows or not, to `into`; always ends the line.
pub(super) fn add_line(into: &mut Vec<u8>, style: Style, origin: Origin, text: &[u8], whole: bool) {
    let Origin { rank, width, .. } = origin;
    let written = match style {
        Style::Raw | Style::None => Ok(()),
        Style::Label => write!(into, "{rank:width$}: "),
        Style::Timestamp => write!(into, "{} {rank:width$}: ", utc(origin.time)),
        Style::Json => {
            let shown = String::from_utf8_lossy(text);
            let hex = std::str::from_utf8(text).is_err().then(|| hex(text));
            let (time, stream) = (utc(origin.time), origin.which.name());
            let line = Line { time, node: rank, stream, text: &shown, hex, partial: !whole };
            serde_json::to_writer(&mut *into, &line).map_err(std::io::Error::from)
        }
    };
    written.expect("a Vec takes all");
    if style != Style::Json {
        into.extend_from_slice(text);
    }
    into.push(b'\n');
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A time since 1970 as RFC 3339 writes it, in UTC, with microseconds.
fn utc(time: Duration) -> String {
    const DAY: u64 = 86_400;
    let (days, second) = (time.as_secs() / DAY, time.as_secs() % DAY);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let micros = time.subsec_micros();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// The date that is `days` after 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date
/// algorithms", `civil_from_days`, for days that are not negative): years begin in March there, so
/// that the leap day is the last.
const fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year + era * 400 + (month <= 2) as u64, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(style: Style, text: &[u8], whole: bool) -> String {
        let time = Duration::new(1_795_231_699, 123_456_789);
        let origin = Origin { rank: 3, width: 2, which: Which::Stderr, time };
        let mut into = b"before\n".to_vec();
        add_line(&mut into, style, origin, text, whole);
        String::from_utf8(into).unwrap().strip_prefix("before\n").unwrap().to_owned()
    }

    #[test]
    fn each_style_has_its_look() {
        assert_eq!(line(Style::Label, b"text", true), " 3: text\n");
        assert_eq!(line(Style::Timestamp, b"text", false), "2026-11-21T03:28:19.123456Z  3: text\n");
        assert_eq!(
            line(Style::Json, b"a \"b\"\t", true),
            "{\"time\":\"2026-11-21T03:28:19.123456Z\",\"node\":3,\"stream\":\"stderr\",\"text\":\"a \\\"b\\\"\\t\"}\n"
        );
        let odd = line(Style::Json, b"\xff", false);
        assert!(odd.ends_with("\"text\":\"\u{fffd}\",\"hex\":\"ff\",\"partial\":true}\n"), "{odd}");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (days, expected) in [
            (0, (1970, 1, 1)),
            (58, (1970, 2, 28)),
            (59, (1970, 3, 1)),
            (789, (1972, 2, 29)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (20_778, (2026, 11, 21)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(date(days), expected, "{days}");
        }
    }
}
