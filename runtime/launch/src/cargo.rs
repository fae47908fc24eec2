//! `cargo dstd run`: builds with cargo, finds out what was built, and launches it.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dstd_control::exit;
use serde_json::Value;

use crate::args::{Build, Plan, RunCommand};
use crate::job;

/// What `cargo run` says about its own program (this one, when started through the alias); a build
/// or a program that inherits it would take it for its own.
const OF_CARGO_RUN: [&str; 6] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_CRATE_NAME",
    "CARGO_BIN_NAME",
    "CARGO_PRIMARY_PACKAGE",
    "CARGO_MANIFEST_LINKS",
];

type Failure = (i32, String);

/// Builds and runs; returns the status to exit with.
pub(crate) fn build_and_run(build: &Build) -> i32 {
    forget_cargo_run();
    let executable = match build_program(&build.run) {
        Ok(executable) => executable,
        Err((code, words)) => {
            if !words.is_empty() {
                eprintln!("dstd: {words}");
            }
            return code;
        }
    };
    job::run(&Plan {
        launch: build.run.launch.clone(),
        options: build.options.clone(),
        vars: build.vars.clone(),
        program: executable.into_os_string(),
        args: build.run.args.clone(),
    })
}

fn forget_cargo_run() {
    for (name, _) in env::vars_os() {
        let ours =
            name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || OF_CARGO_RUN.contains(&name));
        if ours {
            // SAFETY: the process has one thread here: `cargo_main` has just been entered.
            unsafe { env::remove_var(&name) };
        }
    }
}

fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn build_program(run: &RunCommand) -> Result<PathBuf, Failure> {
    let choice = match (&run.bin, &run.example) {
        (Some(bin), _) => Choice { package: run.package.clone(), kind: "bin", name: bin.clone() },
        (_, Some(example)) => Choice { package: run.package.clone(), kind: "example", name: example.clone() },
        (None, None) => {
            let here = match &run.manifest_path {
                Some(manifest) => std::path::absolute(manifest.parent().unwrap_or(manifest)),
                None => env::current_dir(),
            };
            let here = here.map_err(|error| (exit::INTERNAL, error.to_string()))?;
            choose(&metadata(run)?, run.package.as_deref(), &here).map_err(|words| (exit::USAGE, words))?
        }
    };
    let mut command = cargo();
    command.args(["build", "--message-format=json-render-diagnostics"]);
    command.args(run.build_args());
    command.args(choice.args()).stdin(Stdio::null()).stdout(Stdio::piped());
    let broken = |error: std::io::Error| (exit::INTERNAL, format!("cannot run cargo: {error}"));
    let mut child = command.spawn().map_err(broken)?;
    let mut executable = None;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            executable = built(&line.map_err(broken)?, &choice).or(executable);
        }
    }
    let status = child.wait().map_err(broken)?;
    if !status.success() {
        // cargo has said why.
        return Err((status.code().unwrap_or(exit::INTERNAL), String::new()));
    }
    executable.ok_or_else(|| (exit::INTERNAL, format!("cargo does not say where {} is", choice.name)))
}

fn metadata(run: &RunCommand) -> Result<Value, Failure> {
    let broken = |error: std::io::Error| (exit::INTERNAL, format!("cannot run cargo: {error}"));
    let mut command = cargo();
    command.args(["metadata", "--no-deps", "--format-version=1"]).args(run.lock_args());
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(broken)?;
    if !output.status.success() {
        return Err((output.status.code().unwrap_or(exit::INTERNAL), String::new()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| broken(error.into()))
}

/// One target of cargo.
#[derive(PartialEq, Eq, Debug)]
struct Choice {
    package: Option<String>,
    kind: &'static str,
    name: String,
}

impl Choice {
    fn args(&self) -> Vec<OsString> {
        let package = self.package.iter().flat_map(|name| ["--package".into(), name.into()]);
        package.chain([format!("--{}", self.kind).into(), (&self.name).into()]).collect()
    }
}

/// The program `cargo run` would choose, and where that is not clear the one named like its package.
fn choose(metadata: &Value, package: Option<&str>, here: &Path) -> Result<Choice, String> {
    let all = || metadata["packages"].as_array().into_iter().flatten();
    let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    let directory = |package: &Value| {
        Path::new(package["manifest_path"].as_str().unwrap_or_default()).parent().map(Path::to_owned)
    };
    let innermost = all()
        .filter(|package| directory(package).is_some_and(|directory| here.starts_with(directory)))
        .max_by_key(|package| directory(package).map(|directory| directory.as_os_str().len()));
    let candidates: Vec<&Value> = match (package, innermost) {
        (Some(wanted), _) => all().filter(|package| name(package) == wanted).collect(),
        (None, Some(package)) => vec![package],
        (None, None) => {
            let default = metadata["workspace_default_members"].as_array();
            all().filter(|package| default.is_none_or(|ids| ids.contains(&package["id"]))).collect()
        }
    };
    if candidates.is_empty() {
        return Err(format!("there is no package {} here", package.unwrap_or_default()));
    }
    let mut programs = Vec::new();
    for package in candidates {
        let package_name = name(package);
        let is_bin =
            |target: &&Value| target["kind"].as_array().is_some_and(|kinds| kinds.contains(&"bin".into()));
        let bins: Vec<String> =
            package["targets"].as_array().into_iter().flatten().filter(is_bin).map(name).collect();
        let default = package["default_run"].as_str().unwrap_or(&package_name);
        let chosen = if bins.iter().any(|bin| bin == default) { vec![default.to_owned()] } else { bins };
        programs.extend(chosen.into_iter().map(|bin| (package_name.clone(), bin)));
    }
    match &*programs {
        [(package, bin)] => Ok(Choice { package: Some(package.clone()), kind: "bin", name: bin.clone() }),
        [] => Err("there is no program to run: choose with --package, --bin or --example".to_owned()),
        several => {
            let names: Vec<&str> = several.iter().map(|(_, bin)| bin.as_str()).collect();
            Err(format!(
                "choose with --package, --bin or --example which program to run: {}",
                names.join(", ")
            ))
        }
    }
}

/// The path in a message of cargo that says the chosen program was built.
fn built(line: &str, choice: &Choice) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let target = &message["target"];
    let is_it = message["reason"] == "compiler-artifact"
        && target["name"] == *choice.name
        && target["kind"].as_array()?.contains(&choice.kind.into());
    is_it.then(|| message["executable"].as_str().map(PathBuf::from))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn package(name: &str, default_run: Option<&str>, bins: &[&str]) -> Value {
        let mut targets: Vec<Value> = bins.iter().map(|bin| json!({"name": bin, "kind": ["bin"]})).collect();
        targets.push(json!({"name": "show", "kind": ["example"]}));
        json!({
            "name": name, "id": format!("path+file:///w/{name}"), "default_run": default_run,
            "manifest_path": format!("/w/{name}/Cargo.toml"), "targets": targets
        })
    }

    fn workspace(packages: &[Value]) -> Value {
        let ids: Vec<&Value> = packages.iter().map(|package| &package["id"]).collect();
        json!({"packages": packages, "workspace_default_members": ids})
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
    }

    #[test]
    fn the_executable_is_found_among_cargos_messages() {
        let choice = Choice { package: None, kind: "bin", name: "p".to_owned() };
        let message = |name: &str, kind: &str, executable: Value| {
            json!({
                "reason": "compiler-artifact", "target": {"name": name, "kind": [kind]}, "executable": executable
            })
            .to_string()
        };
        assert_eq!(built(&message("p", "bin", json!("/t/p")), &choice), Some("/t/p".into()));
        for other in [
            message("p", "lib", Value::Null),
            message("p", "example", json!("/t/p")),
            message("q", "bin", json!("/t/q")),
            json!({"reason": "build-finished", "success": true}).to_string(),
            "not json".to_owned(),
        ] {
            assert_eq!(built(&other, &choice), None, "{other}");
        }
    }
}
