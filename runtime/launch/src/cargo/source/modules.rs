//! From the root of a target to all files of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::parts::{Module, Source};
use super::place;

/// Files that were read, by the one path that each has without links and `..`.
pub(crate) type Files = BTreeMap<PathBuf, Source>;

/// Reads `root` and every file that its modules and `include!` name; those already in `files` are not read again.
/// Returns the path of the root among them.
pub(crate) fn walk(root: &Path, files: &mut Files) -> Result<PathBuf, String> {
    let real = |path: &Path| path.canonicalize().map_err(|error| format!("{}: {error}", path.display()));
    let mut open = vec![(root.to_owned(), true)];
    // Modules are found from the path that names a file, also where that is a link.
    while let Some((path, is_root)) = open.pop() {
        let file = real(&path)?;
        if files.contains_key(&file) {
            continue;
        }
        let source = read(&file)?;
        let modules = source.modules.iter().filter(|module| !module.inline);
        let modules = modules.flat_map(|module| candidates(&path, is_root, module));
        // Modules of an included file lie beside it.
        let included = source.includes.iter().map(|file| (path.with_file_name(file), true));
        open.extend(modules.chain(included).filter(|(path, _)| path.is_file()));
        files.insert(file, source);
    }
    real(root)
}

fn read(file: &Path) -> Result<Source, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Source::read(file.to_owned(), text).map_err(|(at, words)| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let (line, column, _) = place(&text, at.min(text.len()));
        format!("{}:{line}:{column}: {words}", file.display())
    })
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
    let name = &module.name.text;
    let mut found: Vec<(PathBuf, bool)> = module.files.iter().map(|file| (beside.join(file), true)).collect();
    found.push((folder.join(format!("{name}.rs")), false));
    found.push((folder.join(name).join("mod.rs"), false));
    found
}
