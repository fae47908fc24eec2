//! Which packages can be converted.

use std::collections::{BTreeMap, BTreeSet};

use dstd_control::exit;

use crate::cargo::args::Facade;
use crate::cargo::metadata::{Edge, Failure, Metadata, Package};
use crate::cargo::source;

/// Packages and what they are built from.
pub(super) struct Graph<'a> {
    /// What is built.
    roots: Vec<&'a str>,
    packages: BTreeMap<&'a str, &'a Package>,
    /// Without dependencies of build scripts; those of tests are in.
    needs: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Graph<'a> {
    /// Of what is built when `roots` are.
    pub(super) fn new(metadata: &'a Metadata, roots: Vec<&'a str>) -> Result<Graph<'a>, Failure> {
        let resolve = metadata.resolve.as_ref();
        let resolve = resolve.ok_or((exit::INTERNAL, "cargo does not tell the dependencies".to_owned()))?;
        let runs = |edge: &&Edge| edge.dep_kinds.iter().any(|kind| kind.kind.as_deref() != Some("build"));
        let needs = resolve.nodes.iter().map(|node| {
            let deps = node.deps.iter().filter(runs).map(|edge| edge.pkg.as_str()).collect();
            (node.id.as_str(), deps)
        });
        let packages = metadata.packages.iter().map(|package| (package.id.as_str(), package)).collect();
        Ok(Graph { roots, packages, needs: needs.collect() })
    }

    /// What `roots` are built from, and themselves, without macros and what only those need.
    fn closure(&self, roots: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
        let mut open: Vec<&str> = roots.into_iter().collect();
        let mut all = BTreeSet::new();
        while let Some(id) = open.pop() {
            if self.packages.get(id).is_some_and(|package| package.is_proc_macro()) || !all.insert(id) {
                continue;
            }
            open.extend(self.needs.get(id).into_iter().flatten());
        }
        all
    }

    fn of_the_program(&self) -> BTreeSet<&'a str> {
        self.closure(self.roots.iter().copied())
    }

    /// The facade that the program links.
    pub(super) fn facade(&self) -> Result<&'a Package, String> {
        let all = self.of_the_program();
        let named = |facade: Facade| {
            self.packages
                .values()
                .find(|package| package.name == facade.package() && all.contains(&*package.id))
        };
        let facade = named(Facade::DstdStd).or_else(|| named(Facade::Dstd)).copied();
        facade.ok_or_else(|| {
            "--convert: nothing here depends on dstd: `cargo dstd swap --write` adds it to a package"
                .to_owned()
        })
    }

    /// The packages that are named, if they can be converted.
    pub(super) fn convertible(&self, names: &[String]) -> Result<Vec<&'a Package>, String> {
        let ours: BTreeSet<&str> = self.closure(
            self.packages.values().filter(|p| p.name == "dstd" || p.name == "dstd-std").map(|p| &*p.id),
        );
        let all = self.of_the_program();
        let mut found: BTreeMap<&str, &Package> = BTreeMap::new();
        for spec in names {
            let (name, version) =
                spec.split_once('@').map_or((&**spec, None), |(name, version)| (name, Some(version)));
            let is_it = |package: &&&Package| {
                package.name == name && version.is_none_or(|version| package.version == version)
            };
            let mut candidates: Vec<&&Package> = self.packages.values().filter(is_it).collect();
            if candidates.is_empty() {
                return Err(self.unknown(spec, name));
            }
            // Another member of the workspace may need one of its own, or be one of this name.
            if candidates.iter().any(|package| all.contains(&*package.id)) {
                candidates.retain(|package| all.contains(&*package.id));
            }
            for package in candidates {
                let refuse = |why: &str| Err(format!("--convert {spec}: {why}"));
                if ours.contains(&*package.id) {
                    return refuse("dstd itself is built from it");
                }
                if package.is_proc_macro() {
                    return refuse("it makes macros, and runs in the compiler");
                }
                if !all.contains(&*package.id) {
                    return refuse("it only runs while building, on this host");
                }
                names_std(package).map_err(|why| format!("--convert {spec}: {why}"))?;
                found.insert(&package.id, package);
            }
        }
        Ok(found.into_values().collect())
    }

    fn unknown(&self, spec: &str, name: &str) -> String {
        let mut versions: Vec<&str> = self
            .packages
            .values()
            .filter(|package| package.name == name)
            .map(|package| &*package.version)
            .collect();
        versions.sort_unstable();
        if !versions.is_empty() {
            return format!("--convert {spec}: here it has version {}", versions.join(" and "));
        }
        let other = name.replace('_', "-");
        let near = self.packages.values().find(|package| package.name.replace('_', "-") == other);
        let hint = near.map(|package| format!("; there is {}", package.name)).unwrap_or_default();
        format!("--convert {spec}: no dependency has this name{hint}")
    }
}

/// Whether a library would be another with dstd as its std.
fn names_std(package: &Package) -> Result<(), String> {
    let Some(library) = package.targets.iter().find(|target| target.is("lib") || target.is("rlib")) else {
        let any = package.targets.iter().any(|target| target.is("bin"));
        return if any { Ok(()) } else { Err("it has no library".to_owned()) };
    };
    let mut files = source::Files::new();
    let root = source::walk(&library.src_path, &mut files)?;
    let without = files.get(&root).is_some_and(|root| {
        // `#![cfg_attr(.., no_std)]` is decided by features.
        root.attributes.iter().any(|name| name.text == "no_std" && name.at.start < root.items)
    });
    let named = files.values().flat_map(|file| &file.named).any(|path| path.words[0].text == "std");
    if without && !named {
        return Err("it does not use std (`no_std`): nothing would change".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn package(name: &str, kind: &str) -> Value {
        json!({
            "name": name, "id": name, "version": "1.0.0", "manifest_path": format!("/w/{name}/Cargo.toml"),
            "targets": [{"name": name, "kind": [kind], "src_path": concat!(env!("CARGO_MANIFEST_DIR"), "/src/lib.rs")}]
        })
    }

    fn node(name: &str, deps: &[(&str, Value)]) -> Value {
        let deps: Vec<Value> =
            deps.iter().map(|(pkg, kind)| json!({"pkg": pkg, "dep_kinds": [{"kind": kind}]})).collect();
        json!({"id": name, "deps": deps})
    }

    #[test]
    fn what_cannot_be_converted_is_refused_with_its_reason() {
        let run = Value::Null;
        let mut member = package("pool-core", "lib");
        member["id"] = json!("pool-core of another program");
        let metadata: Metadata = serde_json::from_value(json!({
            "packages": [
                package("app", "bin"), package("dstd", "lib"), package("libc", "lib"), package("pool-core", "lib"), member,
                package("derive", "proc-macro"), package("syn", "lib"), package("cc", "lib"),
            ],
            "workspace_members": ["app"],
            "resolve": {"nodes": [
                node("app", &[("dstd", run.clone()), ("pool-core", run.clone()), ("derive", run.clone()), ("cc", json!("build"))]),
                node("dstd", &[("libc", run.clone())]),
                node("derive", &[("syn", run.clone())]),
                node("libc", &[]), node("pool-core", &[("libc", run)]), node("syn", &[]), node("cc", &[]),
            ]}
        }))
        .unwrap();
        let graph = Graph::new(&metadata, vec!["app"]).unwrap();
        let convert = |name: &str| {
            let found = graph.convertible(&[name.to_owned()]);
            found.map(|packages| packages.into_iter().map(|package| package.name.clone()).collect::<Vec<_>>())
        };
        assert_eq!(convert("pool-core"), Ok(vec!["pool-core".to_owned()]));
        assert_eq!(convert("pool-core@1.0.0"), Ok(vec!["pool-core".to_owned()]));
        assert_eq!(graph.facade().unwrap().name, "dstd");
        for (name, why) in [
            ("pool_core", "there is pool-core"),
            ("pool-core@2.0.0", "here it has version 1.0.0 and 1.0.0"),
            ("nothing", "no dependency has this name"),
            ("libc", "dstd itself"),
            ("dstd", "dstd itself"),
            ("derive", "it makes macros"),
            ("syn", "only runs while building"),
            ("cc", "only runs while building"),
        ] {
            let said = convert(name).unwrap_err();
            assert!(said.contains(why), "{name}: {said}");
        }
    }

    #[test]
    fn a_program_without_dstd_has_nothing_to_convert_to() {
        let value = json!({"packages": [package("app", "bin")], "workspace_members": ["app"], "resolve": {"nodes": []}});
        let metadata: Metadata = serde_json::from_value(value).unwrap();
        assert!(
            Graph::new(&metadata, vec!["app"])
                .unwrap()
                .facade()
                .unwrap_err()
                .contains("cargo dstd swap --write")
        );
    }
}
