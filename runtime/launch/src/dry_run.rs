//! `--dry-run`: says what would be started.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{self, Write as _};

use dstd_control::exit;

use crate::args::Plan;
use crate::console::Console;
use crate::{program, sys};

/// Prints one line a node to stdout; returns the status to exit with.
pub(crate) fn run(plan: &Plan, console: &Console) -> i32 {
    let path = std::env::var_os("PATH");
    let path = match program::find(&plan.program, path.as_deref()) {
        Ok(path) => path,
        Err(not_found) => {
            console.say(not_found);
            return exit::USAGE;
        }
    };
    if let Err(words) = plan.launch.directory_is_there() {
        console.say(words);
        return exit::USAGE;
    }
    let text = describe(plan, path.as_os_str(), &sys::hostname());
    match io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => 0,
        Err(error) => {
            console.say(format_args!("cannot write standard output: {error}"));
            exit::INTERNAL
        }
    }
}

/// One line a node, which a shell would understand but for the secret and what is made at the start.
fn describe(plan: &Plan, path: &OsStr, host: &str) -> String {
    let mut text = String::new();
    for rank in 0..plan.launch.nodes {
        let cluster = plan.launch.cluster.as_ref();
        let host = cluster.map_or(host, |cluster| &cluster.hosts[cluster.host_of(rank)].host.name);
        write!(text, "node {rank} on {host}:").expect("a String takes all");
        if let Some(dir) = &plan.launch.chdir {
            write!(text, " cd {} &&", quoted(dir.as_os_str())).expect("a String takes all");
        }
        let mut variables = plan.vars.clone();
        variables.extend([
            ("DSTD_RANK".into(), rank.to_string().into()),
            ("DSTD_SIZE".into(), plan.launch.nodes.to_string().into()),
        ]);
        variables.extend(plan.options.to_vars().into_iter().map(|(name, value)| (name.into(), value.into())));
        for (name, value) in &variables {
            write!(text, " {}={}", name.to_string_lossy(), quoted(value)).expect("a String takes all");
        }
        for word in std::iter::once(path).chain(plan.args.iter().map(|arg| arg.as_os_str())) {
            write!(text, " {}", quoted(word)).expect("a String takes all");
        }
        text.push('\n');
    }
    text
}

/// A word as a shell takes it.
fn quoted(word: &OsStr) -> String {
    let text = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "%+,-./:=@_".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        for (word, expected) in [
            ("plain/word-1.0", "plain/word-1.0"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", "'it'\\''s'"),
            ("$x", "'$x'"),
        ] {
            assert_eq!(quoted(OsStr::new(word)), expected);
        }
    }
}
