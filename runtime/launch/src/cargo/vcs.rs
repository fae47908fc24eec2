//! Whether changes to files can be undone, as `cargo fix` asks.

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// So many files that are changed are named.
const NAMED_MAX: usize = 20;

/// Fails with words where a change of `files`, under `directory`, could not be told from what was changed before.
pub(crate) fn is_clean(
    directory: &Path,
    files: &[&Path],
    allow_dirty: bool,
    allow_no_vcs: bool,
) -> Result<(), String> {
    let changed = match changed(directory, files) {
        Ok(changed) => changed,
        Err(_) if allow_no_vcs => return Ok(()),
        Err(why) => {
            return Err(format!(
                "{why}: what is written could not be undone; --allow-no-vcs writes it all the same"
            ));
        }
    };
    if allow_dirty || changed.is_empty() {
        return Ok(());
    }
    let mut names = changed.iter().take(NAMED_MAX).fold(String::new(), |names, line| names + "\n" + line);
    if let more @ 1.. = changed.len().saturating_sub(NAMED_MAX) {
        names += &format!("\nand {more} more");
    }
    Err(format!(
        "{} has changes that are not committed: commit them, or write with --allow-dirty:{names}",
        directory.display(),
    ))
}

/// What git says is changed under `directory`; fails where it does not look after `files`.
fn changed(directory: &Path, files: &[&Path]) -> Result<Vec<String>, String> {
    let git = |args: &[&str], files: &[&Path]| {
        let mut git = Command::new("git");
        git.args(args).arg("--").args(files).current_dir(directory).stdin(Stdio::null());
        git.output().map_err(|error| format!("git cannot be run ({error})"))
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    let failed = |output: &Output| {
        format!("git does not look after {} ({})", directory.display(), text(&output.stderr))
    };
    let status = git(&["status", "--porcelain", "--untracked-files=all"], &[Path::new(".")])?;
    if !status.status.success() {
        return Err(failed(&status));
    }
    let ignored = git(&["check-ignore"], files)?;
    match ignored.status.code() {
        Some(1) => Ok(text(&status.stdout).lines().map(str::to_owned).collect()),
        Some(0) => Err(format!("git ignores {}", text(&ignored.stdout).lines().next().unwrap_or_default())),
        _ => Err(failed(&ignored)),
    }
}
