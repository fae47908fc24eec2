//! From the root of a target to all files of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::parts::{Module, Source};
use super::place;

/// Reads `root` and every file that its modules name; those already in `files` are not read again.
pub(crate) fn walk(root: &Path, files: &mut BTreeMap<PathBuf, Source>) -> Result<(), String> {
    let mut open = vec![(root.to_owned(), true)];
    while let Some((path, is_root)) = open.pop() {
        if files.contains_key(&path) {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let source = Source::read(path.clone(), text).map_err(|(at, words)| {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let (line, column, _) = place(&text, at.min(text.len()));
            format!("{}:{line}:{column}: {words}", path.display())
        })?;
        let modules = source.modules.iter().filter(|module| !module.inline);
        open.extend(
            modules.flat_map(|module| candidates(&path, is_root, module)).filter(|(path, _)| path.is_file()),
        );
        files.insert(path, source);
    }
    Ok(())
}

/// Where a module's file can be, and whether modules in it lie beside it.
fn candidates(file: &Path, is_root: bool, module: &Module) -> Vec<(PathBuf, bool)> {
    let here = file.parent().unwrap_or(Path::new("")).to_owned();
    let owns = is_root || file.file_name().is_some_and(|name| name == "mod.rs");
    let mut folder = if owns { here.clone() } else { file.with_extension("") };
    let beside = if module.within.is_empty() {
        here
    } else {
        module.within.iter().fold(folder.clone(), |dir, name| dir.join(name))
    };
    folder.extend(&module.within);
    let name = module.name.text.trim_start_matches("r#");
    let mut found: Vec<(PathBuf, bool)> = module.files.iter().map(|file| (beside.join(file), true)).collect();
    found.push((folder.join(format!("{name}.rs")), false));
    found.push((folder.join(name).join("mod.rs"), false));
    found
}
