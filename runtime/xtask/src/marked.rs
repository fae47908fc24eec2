//! Parts of Markdown files that commands write.

use std::fs;
use std::path::PathBuf;

use crate::tree;
use crate::verdict::{Verdict, cannot, while_doing};

const END: &str = "<!-- end -->";

/// The part of a file that a command writes, between two marks.
pub(crate) struct Marked {
    file: PathBuf,
    begin: String,
}

impl Marked {
    /// The part of the file with this name, from the top of the workspace, that `cargo xtask COMMAND --write` writes.
    pub(crate) fn new(file: &str, command: &str) -> Marked {
        let begin = format!("<!-- written by `cargo xtask {command} --write` -->\n");
        Marked { file: tree::root().join(file), begin }
    }

    /// What is written there.
    pub(crate) fn read(&self) -> Verdict<String> {
        let [_, written, _] = self.parts()?;
        Ok(written)
    }

    /// Writes it.
    pub(crate) fn write(&self, text: &str) -> Verdict {
        let [before, _, after] = self.parts()?;
        let text = format!("{before}{}{text}{END}{after}", self.begin);
        fs::write(&self.file, text).map_err(while_doing(self.file.display()))
    }

    fn parts(&self) -> Verdict<[String; 3]> {
        match split(&tree::read(&self.file)?, &self.begin) {
            Some(parts) => Ok(parts.map(str::to_owned)),
            None => cannot(format!("{} has no place marked {}", self.file.display(), self.begin)),
        }
    }
}

/// What is before the marks, between them, and behind.
fn split<'a>(text: &'a str, begin: &str) -> Option<[&'a str; 3]> {
    let (before, rest) = text.split_once(begin)?;
    let (written, after) = rest.split_once(END)?;
    Some([before, written, after])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_its_own_part() {
        let text = format!("a<!--1-->\nb{END}\nc<!--2-->\nd{END}\ne");
        assert_eq!(split(&text, "<!--1-->\n"), Some(["a", "b", &*format!("\nc<!--2-->\nd{END}\ne")]));
        assert_eq!(split(&text, "<!--2-->\n"), Some([&*format!("a<!--1-->\nb{END}\nc"), "d", "\ne"]));
        assert_eq!(split(&text, "<!--3-->\n"), None);
    }
}
