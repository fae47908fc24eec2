//! What cargo knows of a workspace: `cargo metadata`.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use dstd_control::exit;
use serde::Deserialize;

/// A status to exit with, and words for stderr; none when somebody has spoken already.
pub(crate) type Failure = (i32, String);

/// What was typed is wrong.
pub(crate) fn wrong(words: impl Into<String>) -> Failure {
    (exit::USAGE, words.into())
}

/// The parts that are used here.
#[derive(Deserialize, Debug)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    #[serde(default)]
    pub(crate) workspace_members: Vec<String>,
    pub(crate) workspace_default_members: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) workspace_root: PathBuf,
    #[serde(default)]
    pub(crate) target_directory: PathBuf,
    pub(crate) resolve: Option<Resolve>,
}

#[derive(Deserialize, Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) version: String,
    pub(crate) manifest_path: PathBuf,
    #[serde(default)]
    pub(crate) edition: String,
    pub(crate) default_run: Option<String>,
    #[serde(default)]
    pub(crate) targets: Vec<Target>,
    #[serde(default)]
    pub(crate) dependencies: Vec<Dependency>,
}

#[derive(Deserialize, Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
    #[serde(default)]
    pub(crate) src_path: PathBuf,
}

#[derive(Deserialize, Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) rename: Option<String>,
    pub(crate) kind: Option<String>,
}

#[derive(Deserialize, Debug)]
pub(crate) struct Resolve {
    pub(crate) nodes: Vec<Node>,
}

/// A package among those that it is built from.
#[derive(Deserialize, Debug)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) deps: Vec<Edge>,
}

#[derive(Deserialize, Debug)]
pub(crate) struct Edge {
    pub(crate) pkg: String,
    #[serde(default)]
    pub(crate) dep_kinds: Vec<EdgeKind>,
}

#[derive(Deserialize, Debug)]
pub(crate) struct EdgeKind {
    pub(crate) kind: Option<String>,
}

impl Package {
    /// The directory of its Cargo.toml.
    pub(crate) fn directory(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new(""))
    }

    /// Whether a `--package` of cargo means it: by name, name and version or its beginning, or the whole id.
    fn is_meant(&self, spec: &str) -> bool {
        let Some((name, version)) = spec.split_once(['@', ':']) else { return self.name == spec };
        let rest = self.version.strip_prefix(version);
        let is_version = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        (self.name == name && is_version) || self.id == spec
    }

    /// Whether it is code that the compiler runs.
    pub(crate) fn is_proc_macro(&self) -> bool {
        self.targets.iter().any(|target| target.is("proc-macro"))
    }
}

impl Dependency {
    /// The name that the package gives it.
    pub(crate) fn in_sources(&self) -> &str {
        self.rename.as_deref().unwrap_or(&self.name)
    }
}

impl Target {
    /// Whether it is of this kind.
    pub(crate) fn is(&self, kind: &str) -> bool {
        self.kind.iter().any(|word| word == kind)
    }
}

impl Metadata {
    /// The packages that are `wanted`, else the innermost around `here`, else the workspace's default ones. Those are
    /// meant as well where the innermost is the workspace's root.
    pub(crate) fn selected(&self, wanted: &[String], here: &Path) -> Result<Vec<&Package>, String> {
        let here_or_above = |package: &&Package| here.starts_with(package.directory());
        let length = |package: &&Package| package.directory().as_os_str().len();
        let members = || self.packages.iter().filter(|package| self.is_member(package));
        if let Some(unknown) = wanted.iter().find(|spec| !members().any(|package| package.is_meant(spec))) {
            let names: Vec<&str> = members().map(|package| package.name.as_str()).collect();
            return Err(format!("there is no package {unknown} here; there are: {}", names.join(", ")));
        }
        if !wanted.is_empty() {
            let is_wanted = |package: &&Package| wanted.iter().any(|spec| package.is_meant(spec));
            return Ok(members().filter(is_wanted).collect());
        }
        let innermost = members().filter(here_or_above).max_by_key(length);
        let default = self.workspace_default_members.as_ref();
        Ok(match innermost.filter(|package| package.directory() != self.workspace_root) {
            Some(package) => vec![package],
            None => members().filter(|package| default.is_none_or(|ids| ids.contains(&package.id))).collect(),
        })
    }

    fn is_member(&self, package: &Package) -> bool {
        self.workspace_members.is_empty() || self.workspace_members.contains(&package.id)
    }
}

/// The command `cargo` that started this one.
pub(crate) fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// What to say when cargo cannot be run.
pub(crate) fn broken(error: std::io::Error) -> Failure {
    (exit::INTERNAL, format!("cannot run cargo: {error}"))
}

/// Asks cargo; `args` say which workspace, and how much. cargo has said itself why it fails.
pub(crate) fn ask(args: &[OsString]) -> Result<Metadata, Failure> {
    let mut command = cargo();
    command.args(["metadata", "--format-version=1"]).args(args);
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(broken)?;
    if !output.status.success() {
        return Err((output.status.code().unwrap_or(exit::INTERNAL), String::new()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| broken(error.into()))
}

/// The directory whose package is meant: that of the manifest, or the current one.
pub(crate) fn here(manifest: Option<&Path>) -> Result<PathBuf, Failure> {
    let here = match manifest {
        // A bare name has no parent before it is absolute.
        Some(manifest) => std::path::absolute(manifest).map(|path| path.parent().unwrap_or(&path).to_owned()),
        None => env::current_dir(),
    };
    here.and_then(|here| here.canonicalize()).map_err(|error| wrong(error.to_string()))
}
