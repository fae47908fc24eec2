//! What cargo and rustc say about a build, as JSON.

use std::path::PathBuf;

use proc_macro2::LineColumn;
use serde_json::Value;

/// What a build has come to.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    /// The program, if it was built.
    pub(crate) program: Option<PathBuf>,
    /// What keeps it from being built.
    pub(crate) errors: Vec<BuildError>,
}

/// An error in a source file.
#[derive(Debug)]
pub(crate) struct BuildError {
    /// What rustc says.
    pub(crate) text: String,
    /// The feature gate that is missing, if that is what is wrong.
    pub(crate) feature: Option<String>,
    /// Files and places it is about: where macros are involved, all places from the macro to its outermost call.
    pub(crate) places: Vec<(PathBuf, LineColumn)>,
}

impl Messages {
    /// Reads cargo's output for the test `name`.
    pub(crate) fn read(output: &str, name: &str) -> Messages {
        let mut messages = Messages::default();
        for value in output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            match value["reason"].as_str() {
                Some("compiler-artifact") if value["target"]["name"] == name => {
                    messages.program = value["executable"].as_str().map(PathBuf::from);
                }
                Some("compiler-message") if value["message"]["level"] == "error" => {
                    messages.errors.push(BuildError::read(&value["message"]));
                }
                _ => {}
            }
        }
        messages
    }
}

impl BuildError {
    fn read(message: &Value) -> BuildError {
        let text = message["message"].as_str().unwrap_or_default().to_owned();
        let mut places = Vec::new();
        for span in
            message["spans"].as_array().into_iter().flatten().filter(|span| span["is_primary"] == true)
        {
            let mut span = span;
            while !span.is_null() {
                let number = |key: &str| span[key].as_u64().and_then(|number| usize::try_from(number).ok());
                if let (Some(file), Some(line), Some(column)) =
                    (span["file_name"].as_str(), number("line_start"), number("column_start"))
                {
                    places.push((PathBuf::from(file), LineColumn { line, column }));
                }
                span = &span["expansion"]["span"];
            }
        }
        BuildError { feature: feature(&text), text, places }
    }
}

/// `use of unstable library feature `name`` and the like.
fn feature(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("unstable library feature `")?;
    Some(rest.split_once('`')?.0.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_places_and_programs_a_path() {
        let output = r#"{"reason":"compiler-message","message":{"level":"error","message":"use of unstable library feature `a_b`: why","spans":[{"is_primary":true,"file_name":"m.rs","line_start":3,"column_start":5,"expansion":{"span":{"file_name":"t.rs","line_start":9,"column_start":1,"expansion":null}}}]}}
not JSON
{"reason":"compiler-message","message":{"level":"warning","message":"w","spans":[]}}
{"reason":"compiler-artifact","target":{"name":"t"},"executable":"/x/t"}"#;
        let messages = Messages::read(output, "t");
        assert_eq!(messages.program, Some("/x/t".into()));
        let [error] = &messages.errors[..] else { panic!("{messages:?}") };
        assert_eq!(error.feature.as_deref(), Some("a_b"));
        let lines: Vec<usize> = error.places.iter().map(|(_, place)| place.line).collect();
        assert_eq!(lines, [3, 9]);
    }
}
