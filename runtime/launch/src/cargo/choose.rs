//! The program that `cargo dstd run` runs.

use std::ffi::OsString;
use std::path::Path;

use super::metadata::Metadata;

/// One target of cargo.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Choice {
    pub(crate) package: Option<String>,
    pub(crate) kind: &'static str,
    pub(crate) name: String,
}

impl Choice {
    /// What `cargo build` is told.
    pub(crate) fn args(&self) -> Vec<OsString> {
        let package = self.package.iter().flat_map(|name| ["--package".into(), name.into()]);
        package.chain([format!("--{}", self.kind).into(), (&self.name).into()]).collect()
    }
}

/// The program `cargo run` would choose, and where that is not clear the one named like its package.
pub(crate) fn choose(metadata: &Metadata, package: Option<&str>, here: &Path) -> Result<Choice, String> {
    let mut programs = Vec::new();
    for package in metadata.selected(package, here)? {
        let bins: Vec<&str> =
            package.targets.iter().filter(|target| target.is("bin")).map(|target| &*target.name).collect();
        let default = package.default_run.as_deref().unwrap_or(&package.name);
        let chosen = if bins.contains(&default) { vec![default] } else { bins };
        programs.extend(chosen.into_iter().map(|bin| (&package.name, bin)));
    }
    match &*programs {
        [(package, bin)] => {
            Ok(Choice { package: Some((*package).clone()), kind: "bin", name: (*bin).to_owned() })
        }
        [] => Err("there is no program to run: choose with --package, --bin or --example".to_owned()),
        several => {
            let names: Vec<&str> = several.iter().map(|(_, bin)| *bin).collect();
            Err(format!(
                "choose with --package, --bin or --example which program to run: {}",
                names.join(", ")
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn package(name: &str, default_run: Option<&str>, bins: &[&str]) -> Value {
        let mut targets: Vec<Value> = bins.iter().map(|bin| json!({"name": bin, "kind": ["bin"]})).collect();
        targets.push(json!({"name": "show", "kind": ["example"]}));
        json!({
            "name": name, "id": format!("path+file:///w/{name}"), "default_run": default_run,
            "manifest_path": format!("/w/{name}/Cargo.toml"), "targets": targets
        })
    }

    fn workspace(packages: &[Value]) -> Metadata {
        let ids: Vec<&Value> = packages.iter().map(|package| &package["id"]).collect();
        let value = json!({"packages": packages, "workspace_default_members": ids});
        serde_json::from_value(value).unwrap()
    }

    fn pick(packages: &[Value], wanted: Option<&str>, here: &str) -> Result<(String, String), String> {
        choose(&workspace(packages), wanted, Path::new(here))
            .map(|choice| (choice.package.unwrap(), choice.name))
    }

    #[test]
    fn the_program_is_the_one_cargo_run_would_take_or_the_packages_namesake() {
        let one = package("one", None, &["only"]);
        let named = package("named", None, &["named", "named_std"]);
        let default = package("default", Some("b"), &["a", "b", "default"]);
        let unclear = package("unclear", None, &["a", "b"]);
        let library = package("library", None, &[]);
        let all = [one, named, default, unclear, library];
        let ok = |package: &str, bin: &str| Ok((package.to_owned(), bin.to_owned()));
        assert_eq!(pick(&all, Some("one"), "/"), ok("one", "only"));
        assert_eq!(pick(&all, Some("named"), "/"), ok("named", "named"));
        assert_eq!(pick(&all, Some("default"), "/"), ok("default", "b"));
        assert_eq!(pick(&all, None, "/w/named/src"), ok("named", "named"));
        assert_eq!(pick(&all[4..], None, "/w").unwrap_err(), pick(&all, Some("library"), "/").unwrap_err());
        for (wanted, here) in
            [(Some("unclear"), "/"), (Some("library"), "/"), (Some("no"), "/"), (None, "/w")]
        {
            assert!(pick(&all, wanted, here).is_err(), "{wanted:?} {here}");
        }
        assert!(pick(&all, Some("unclear"), "/").unwrap_err().ends_with("a, b"));
        assert!(pick(&all, Some("no"), "/").unwrap_err().contains("there is no package no here"));
    }
}
