//! The line in a Cargo.toml that makes a program depend on dstd.

use std::fs;
use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, InlineTable, Item, Table, Value};

use super::args::{Facade, OriginArgs};
use super::metadata::{Failure, wrong};

/// Where dstd comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A checkout.
    Checkout(PathBuf),
    /// The registry.
    Version(&'static str),
}

/// The checkout that is named, else the one this command was built from if it is still there, else the registry.
pub(crate) fn origin(args: &OriginArgs) -> Result<Origin, Failure> {
    if let Some(named) = &args.dstd_path {
        let checkout =
            named.canonicalize().map_err(|error| wrong(format!("{}: {error}", named.display())))?;
        return match is_checkout(&checkout) {
            true => Ok(Origin::Checkout(checkout)),
            false => {
                Err(wrong(format!("{} is no checkout of dstd: it has no dstd/Cargo.toml", named.display())))
            }
        };
    }
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize();
    Ok(match built_from {
        Ok(checkout) if is_checkout(&checkout) => Origin::Checkout(checkout),
        _ => Origin::Version(env!("CARGO_PKG_VERSION")),
    })
}

fn is_checkout(directory: &Path) -> bool {
    let manifest = fs::read_to_string(directory.join("dstd/Cargo.toml"));
    manifest.is_ok_and(|text| text.contains("name = \"dstd\""))
        && directory.join("dstd/std/Cargo.toml").is_file()
}

impl Facade {
    /// The package.
    pub(crate) fn package(self) -> &'static str {
        match self {
            Facade::Dstd => "dstd",
            Facade::DstdStd => "dstd-std",
        }
    }

    /// What a program calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Facade::Dstd => "dstd",
            Facade::DstdStd => "std",
        }
    }

    fn directory(self) -> &'static str {
        match self {
            Facade::Dstd => "dstd",
            Facade::DstdStd => "dstd/std",
        }
    }
}

/// `manifest` with the dependency, which it does not have yet. `root` is the workspace's manifest.
pub(crate) fn with_dependency(
    manifest: &str,
    directory: &Path,
    root: Option<&str>,
    facade: Facade,
    origin: &Origin,
) -> Result<String, String> {
    let mut document: DocumentMut = manifest.parse().map_err(|error| format!("Cargo.toml: {error}"))?;
    let item = if root.is_some_and(|root| is_inherited(root, facade)) {
        let mut table = Table::new();
        table.set_dotted(true);
        table.insert("workspace", toml_edit::value(true));
        Item::Table(table)
    } else {
        toml_edit::value(entry(directory, facade, origin))
    };
    let table = document
        .entry("dependencies")
        .or_insert_with(toml_edit::table)
        .as_table_like_mut()
        .ok_or("Cargo.toml: dependencies is not a table")?;
    let names: Vec<String> = table.iter().map(|(name, _)| name.to_owned()).collect();
    table.insert(facade.name(), item);
    // As `cargo add` does: what was in order stays in order.
    if names.is_sorted()
        && let Some(table) = document["dependencies"].as_table_mut()
    {
        table.sort_values();
    }
    let text = document.to_string();
    // The lines that are made end as all others do.
    let is_crlf =
        manifest.contains("\r\n") && manifest.matches('\n').count() == manifest.matches("\r\n").count();
    Ok(if is_crlf { text.replace("\r\n", "\n").replace('\n', "\r\n") } else { text })
}

fn entry(directory: &Path, facade: Facade, origin: &Origin) -> Value {
    let mut table = InlineTable::new();
    if facade == Facade::DstdStd {
        table.insert("package", facade.package().into());
    }
    match origin {
        Origin::Version(version) if table.is_empty() => return (*version).into(),
        Origin::Version(version) => table.insert("version", (*version).into()),
        Origin::Checkout(checkout) => {
            let path = seen_from(directory, checkout).join(facade.directory());
            table.insert("path", path.to_string_lossy().into_owned().into())
        }
    };
    Value::InlineTable(table)
}

/// The way to a checkout: relative within it, absolute from elsewhere.
fn seen_from(directory: &Path, checkout: &Path) -> PathBuf {
    match directory.strip_prefix(checkout) {
        Ok(inside) => inside.components().map(|_| "..").collect(),
        Err(_) => checkout.to_owned(),
    }
}

/// Whether a workspace's manifest says where the facade comes from.
fn is_inherited(root: &str, facade: Facade) -> bool {
    let Ok(document) = root.parse::<DocumentMut>() else { return false };
    let entry = document.get("workspace").and_then(|workspace| workspace.get("dependencies"));
    let entry = entry.and_then(|all| all.get(facade.name()));
    // Under the name `std` only the renamed package is meant.
    entry.is_some_and(|entry| {
        facade == Facade::Dstd || entry.get("package").and_then(Item::as_str) == Some(facade.package())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(manifest: &str, root: Option<&str>, facade: Facade, origin: &Origin) -> String {
        with_dependency(manifest, Path::new("/w/p"), root, facade, origin).unwrap()
    }

    #[test]
    fn a_line_is_added_and_nothing_else_changes() {
        let registry = Origin::Version("0.1.0");
        let before = "# about\n[package]\nname = \"p\" # here\n\n[dependencies]\nb = \"1\"   # why\n# the other\na = { version = \"2\" }\n\n[features]\nx = []\n";
        let after = add(before, None, Facade::Dstd, &registry);
        assert_eq!(after, before.replace("\"2\" }\n", "\"2\" }\ndstd = \"0.1.0\"\n"));
        let windows = |text: &str| text.replace('\n', "\r\n");
        assert_eq!(add(&windows(before), None, Facade::Dstd, &registry), windows(&after));
        let sorted = "[dependencies]\na = \"1\"\nz = \"1\"\n";
        assert_eq!(
            add(sorted, None, Facade::DstdStd, &registry),
            "[dependencies]\na = \"1\"\nstd = { package = \"dstd-std\", version = \"0.1.0\" }\nz = \"1\"\n"
        );
        assert_eq!(
            add("[package]\nname = \"p\"\n", None, Facade::Dstd, &Origin::Checkout("/d".into())),
            "[package]\nname = \"p\"\n\n[dependencies]\ndstd = { path = \"/d/dstd\" }\n"
        );
    }

    #[test]
    fn a_workspace_that_says_where_dstd_is_says_it_for_all() {
        let root = "[workspace]\n[workspace.dependencies]\ndstd = \"0.1\"\nstd = { package = \"other\" }\n";
        let registry = Origin::Version("0.1.0");
        assert_eq!(
            add("[dependencies]\n", Some(root), Facade::Dstd, &registry),
            "[dependencies]\ndstd.workspace = true\n"
        );
        assert!(add("[dependencies]\n", Some(root), Facade::DstdStd, &registry).contains("0.1.0"));
    }

    #[test]
    fn within_a_checkout_paths_are_relative() {
        assert_eq!(seen_from(Path::new("/d/a/b"), Path::new("/d")), Path::new("../.."));
        assert_eq!(seen_from(Path::new("/e"), Path::new("/d")), Path::new("/d"));
    }

    #[test]
    fn what_is_no_checkout_is_refused() {
        let args = OriginArgs { dstd_path: Some("/proc".into()) };
        assert!(origin(&args).unwrap_err().1.contains("no checkout"));
        assert!(matches!(origin(&OriginArgs { dstd_path: None }), Ok(Origin::Checkout(_))));
    }
}
