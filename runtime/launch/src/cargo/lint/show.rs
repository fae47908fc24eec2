//! What a finding looks like: as the compiler's.

use super::Finding;
use crate::cargo::args::MessageFormat;
use crate::cargo::source::{Source, place};

/// The text of a finding, with `level` before it.
pub(crate) fn show(
    source: &Source,
    file: &str,
    finding: &Finding,
    level: &str,
    format: MessageFormat,
) -> String {
    let (line, column, text) = place(&source.text, finding.at.start);
    let words = &finding.words;
    if format == MessageFormat::Short {
        return format!("{file}:{line}:{column}: {level}: {words} (dstd::{})\n", finding.lint);
    }
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    // Of a finding over several lines the first is marked.
    let text = text.replace('\t', " ");
    let room = text.chars().count() + 1 - column.min(text.chars().count());
    let marks = "^".repeat(source.text[finding.at.clone()].chars().count().clamp(1, room));
    format!(
        "{level}: {words}\n{margin}--> {file}:{line}:{column}\n{margin} |\n{number} | {text}\n{margin} | {}{marks}\n\
         {margin} |\n{margin} = help: {}\n{margin} = note: `dstd::{}`\n\n",
        " ".repeat(column - 1),
        finding.help,
        finding.lint
    )
}
