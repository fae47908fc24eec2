//! The program that `cargo dstd run` runs.

use std::ffi::OsString;
use std::path::Path;

use super::metadata::Metadata;

/// One target of cargo.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Choice {
    pub(crate) packages: Vec<String>,
    pub(crate) kind: &'static str,
    pub(crate) name: String,
}

impl Choice {
    /// What `cargo build` is told.
    pub(crate) fn args(&self) -> Vec<OsString> {
        let packages = self.packages.iter().flat_map(|name| ["--package".into(), name.into()]);
        packages.chain([format!("--{}", self.kind).into(), (&self.name).into()]).collect()
    }
}

/// The program `cargo run` would choose, and where that is not clear the one named like its package.
pub(crate) fn choose(metadata: &Metadata, wanted: &[String], here: &Path) -> Result<Choice, String> {
    let mut programs = Vec::new();
    for package in metadata.selected(wanted, here)? {
        let bins: Vec<&str> =
            package.targets.iter().filter(|target| target.is("bin")).map(|target| &*target.name).collect();
        let default = package.default_run.as_deref().unwrap_or(&package.name);
        let chosen = if bins.contains(&default) { vec![default] } else { bins };
        programs.extend(chosen.into_iter().map(|bin| (package, bin)));
    }
    match &*programs {
        [(package, bin)] => {
            let package = format!("{}@{}", package.name, package.version);
            Ok(Choice { packages: vec![package], kind: "bin", name: (*bin).to_owned() })
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
            "name": name, "version": "1.2.0", "id": format!("path+file:///w/{name}"), "default_run": default_run,
            "manifest_path": format!("/w/{name}/Cargo.toml"), "targets": targets
        })
    }

    fn workspace(packages: &[Value]) -> Metadata {
        let ids: Vec<&Value> = packages.iter().map(|package| &package["id"]).collect();
        let value = json!({"packages": packages, "workspace_default_members": ids, "workspace_root": "/w"});
        serde_json::from_value(value).unwrap()
    }

    fn pick(packages: &[Value], wanted: Option<&str>, here: &str) -> Result<(String, String), String> {
        let wanted: Vec<String> = wanted.map(str::to_owned).into_iter().collect();
        choose(&workspace(packages), &wanted, Path::new(here))
            .map(|choice| (choice.packages.concat(), choice.name))
    }

    #[test]
    fn the_program_is_the_one_cargo_run_would_take_or_the_packages_namesake() {
        let one = package("one", None, &["only"]);
        let named = package("named", None, &["named", "named_std"]);
        let default = package("default", Some("b"), &["a", "b", "default"]);
        let unclear = package("unclear", None, &["a", "b"]);
        let library = package("library", None, &[]);
        let all = [one, named, default, unclear, library];
        let ok = |package: &str, bin: &str| Ok((format!("{package}@1.2.0"), bin.to_owned()));
        for spec in ["one", "one@1.2.0", "one@1", "one:1.2", "path+file:///w/one"] {
            assert_eq!(pick(&all, Some(spec), "/"), ok("one", "only"));
        }
        assert_eq!(pick(&all, Some("named"), "/"), ok("named", "named"));
        assert_eq!(pick(&all, Some("default"), "/"), ok("default", "b"));
        assert_eq!(pick(&all, None, "/w/named/src"), ok("named", "named"));
        assert_eq!(pick(&all[4..], None, "/w").unwrap_err(), pick(&all, Some("library"), "/").unwrap_err());
        for (wanted, here) in [
            (Some("unclear"), "/"),
            (Some("library"), "/"),
            (Some("no"), "/"),
            (Some("one@1.20"), "/"),
            (None, "/w"),
        ] {
            assert!(pick(&all, wanted, here).is_err(), "{wanted:?} {here}");
        }
        assert!(pick(&all, Some("unclear"), "/").unwrap_err().ends_with("a, b"));
        assert!(pick(&all, Some("no"), "/").unwrap_err().contains("there is no package no here"));
    }

    #[test]
    fn at_the_root_of_a_workspace_its_default_members_are_meant() {
        let mut root = package("root", None, &["root"]);
        root["manifest_path"] = json!("/w/Cargo.toml");
        let mut metadata = workspace(&[root, package("app", None, &["app"])]);
        let here = |metadata: &Metadata, here: &str| choose(metadata, &[], Path::new(here)).unwrap().name;
        metadata.workspace_default_members = Some(vec!["path+file:///w/app".to_owned()]);
        assert_eq!((here(&metadata, "/w"), here(&metadata, "/w/app/src")), ("app".into(), "app".into()));
        metadata.workspace_default_members = Some(vec!["path+file:///w/root".to_owned()]);
        assert_eq!(here(&metadata, "/w/src"), "root");
    }
}
