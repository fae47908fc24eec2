//! Whether changes to files can be undone, as `cargo fix` asks.

use std::path::Path;
use std::process::{Command, Stdio};

/// Fails with words where a change of files under `directory` could not be told from what was changed before.
pub(crate) fn is_clean(directory: &Path, allow_dirty: bool, allow_no_vcs: bool) -> Result<(), String> {
    let status = Command::new("git")
        .args(["status", "--porcelain", "--untracked-files=all", "--", "."])
        .current_dir(directory)
        .stdin(Stdio::null())
        .output();
    let files = match status {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).into_owned(),
        _ if allow_no_vcs => return Ok(()),
        _ => {
            return Err(format!(
                "no git repository holds {}, so that what is written could not be undone: \
                 --allow-no-vcs writes it all the same",
                directory.display()
            ));
        }
    };
    if allow_dirty || files.trim().is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} has changes that are not committed: commit them, or write with --allow-dirty:\n{}",
        directory.display(),
        files.trim_end()
    ))
}
