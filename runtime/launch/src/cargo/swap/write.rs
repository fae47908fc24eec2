//! Puts new texts in the place of files: what may fail is done beside them first.

use std::fs;
use std::path::{Path, PathBuf};

use super::Swapped;

/// New texts that are not in their place yet, removed at the end.
struct Beside(Vec<PathBuf>);

impl Drop for Beside {
    fn drop(&mut self) {
        // One that has been renamed is gone already.
        self.0.iter().for_each(|path| drop(fs::remove_file(path)));
    }
}

/// Writes all, or says why none is, or which.
pub(super) fn all(files: &[Swapped]) -> Result<(), String> {
    let mut beside = Beside(Vec::new());
    for file in files {
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        let path = file.path.with_file_name(format!(".{name}.dstd-swap"));
        beside.0.push(path.clone());
        prepare(file, &path)
            .map_err(|error| format!("{}: {error}; nothing is written", file.path.display()))?;
    }
    for (count, (file, new)) in files.iter().zip(&beside.0).enumerate() {
        fs::rename(new, &file.path).map_err(|error| {
            let done: Vec<String> =
                files[..count].iter().map(|file| file.path.display().to_string()).collect();
            format!("{}: {error}; already swapped: {}", file.path.display(), done.join(", "))
        })?;
    }
    Ok(())
}

fn prepare(file: &Swapped, beside: &Path) -> std::io::Result<()> {
    let permissions = fs::metadata(&file.path)?.permissions();
    if permissions.readonly() {
        return Err(std::io::Error::other("it may only be read"));
    }
    fs::write(beside, &file.new)?;
    fs::set_permissions(beside, permissions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn swapped(path: PathBuf) -> Swapped {
        Swapped { path, old: "old".to_owned(), new: "new".to_owned() }
    }

    #[test]
    fn what_cannot_be_written_leaves_all_as_it_was_or_says_what_is_not() {
        let directory = std::env::temp_dir().join(format!("dstd-swap-test-{}", std::process::id()));
        fs::create_dir_all(directory.join("folder")).unwrap();
        let [one, fixed] = ["one.rs", "fixed.rs"].map(|name| directory.join(name));
        fs::write(&one, "old").unwrap();
        fs::write(&fixed, "old").unwrap();
        let mut permissions = fs::metadata(&fixed).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&fixed, permissions).unwrap();
        let names = || {
            let mut names: Vec<_> =
                fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };

        let words = all(&[swapped(one.clone()), swapped(fixed)]).unwrap_err();
        assert!(words.contains("fixed.rs: it may only be read; nothing is written"), "{words}");
        assert_eq!(fs::read_to_string(&one).unwrap(), "old");
        assert_eq!(names(), ["fixed.rs", "folder", "one.rs"]);

        // A file does not take the place of a directory.
        let words = all(&[swapped(one.clone()), swapped(directory.join("folder"))]).unwrap_err();
        assert!(words.contains("already swapped: ") && words.ends_with("one.rs"), "{words}");
        assert_eq!(fs::read_to_string(&one).unwrap(), "new");
        assert_eq!(names(), ["fixed.rs", "folder", "one.rs"]);
        fs::remove_dir_all(&directory).unwrap();
    }
}
