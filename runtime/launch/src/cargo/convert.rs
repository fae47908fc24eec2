//! `--convert`: crates of others against dstd, unchanged.
//!
//! cargo does not know that a converted crate needs the facade, so it builds twice: first everything but the
//! converted crates and what needs them, to have the facade as this very program will link it; then the rest
//! ([`wrapper`](super::wrapper), which also lets cargo know of another facade). The results lie in a target directory
//! of their own for each choice of crates, since cargo takes a converted crate for the same as the plain one.
//!
//! | asked for | what happens |
//! |---|---|
//! | a crate that is not among the dependencies, of two versions and which, part of dstd itself | refused |
//! | a crate that only runs while building, or makes macros | refused |
//! | a crate that does not name std (`no_std`) | refused: nothing would change |
//! | a program that does not depend on dstd | refused, with the line that helps |
//! | a crate whose types another crate knows as std's (`JoinHandle`) | the compiler refuses; both can be converted |

mod graph;

use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, Command, Stdio};

use serde_json::Value;

use self::graph::Graph;
use super::args::CargoOptions;
use super::build::messages;
use super::metadata::{Failure, Package, ask, broken, cargo, here, wrong};
use super::test::TARGET;
use super::wrapper::{Order, WAITS, mark};

/// How and where a build is made.
pub(crate) struct Conversion {
    /// None, where nothing is converted.
    order: Option<Order>,
    target: Option<String>,
    directory: Option<PathBuf>,
}

impl Conversion {
    /// Lets a cargo command build so.
    pub(crate) fn apply(&self, command: &mut Command) {
        if let Some(target) = &self.target {
            command.args(["--target", target]);
        }
        if let Some(directory) = &self.directory {
            command.arg("--target-dir").arg(directory);
        }
        if let Some(order) = &self.order {
            order.apply(command);
        }
    }

    /// What to say when the build failed.
    pub(crate) fn words(&self) -> String {
        let Some(order) = &self.order else { return String::new() };
        let names: Vec<&str> = order.packages.iter().map(|(name, _)| name.as_str()).collect();
        format!(
            "built with --convert {}: where types of dstd and of std do not match, crates that pass them to each other \
             must be converted together; a crate that needs more of std than dstd has cannot be",
            names.join(",")
        )
    }
}

/// Prepares a build with these arguments, of the packages that the options choose or of all.
pub(crate) fn prepare(options: &CargoOptions, all: bool, args: &[OsString]) -> Result<Conversion, Failure> {
    if options.convert.is_empty() {
        let (target, directory) = (options.target.clone(), options.target_dir.clone());
        return Ok(Conversion { order: None, target, directory });
    }
    let metadata = ask(&options.graph_args())?;
    let roots: Vec<&str> = if all {
        metadata.workspace_members.iter().map(String::as_str).collect()
    } else {
        let here = here(options.manifest_path.as_deref())?;
        let selected = metadata.selected(&options.package, &here).map_err(wrong)?;
        selected.into_iter().map(|package| package.id.as_str()).collect()
    };
    let graph = Graph::new(&metadata, roots)?;
    let packages = graph.convertible(&options.convert).map_err(wrong)?;
    let facade = graph.facade().map_err(wrong)?;

    let named = |package: &&Package| (package.name.clone(), package.version.clone());
    let order = Order { packages: packages.iter().map(named).collect(), facade: None };
    let directory = directory(options.target_dir.as_ref().unwrap_or(&metadata.target_directory), &order);
    // What runs while building is told from the program by the target that is named.
    let target = options.target.clone().unwrap_or_else(|| TARGET.to_owned());
    let mut conversion =
        Conversion { order: Some(order.clone()), target: Some(target), directory: Some(directory) };
    let mut first = cargo();
    first.args(["build", "--keep-going", "--message-format=json"]).args(args);
    conversion.apply(&mut first);
    let library = first_build(first, facade)?;
    mark(&library).map_err(|error| wrong(format!("{}: {error}", library.display())))?;
    conversion.order = Some(Order { facade: Some(library), ..order });
    Ok(conversion)
}

/// Prepares a build of tests: their own dependencies count.
pub(crate) fn prepare_tests(
    options: &CargoOptions,
    all: bool,
    args: &[OsString],
) -> Result<Conversion, Failure> {
    prepare(options, all, &[args, &["--tests".into()]].concat())
}

/// Where converted programs are built: for each choice of crates another place, apart from plain builds.
fn directory(target: &Path, order: &Order) -> PathBuf {
    let names: Vec<String> =
        order.packages.iter().map(|(name, version)| format!("{name}-{version}")).collect();
    let mut name = names.join("+");
    if name.len() > 100 {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        name = format!("{:016x}", hasher.finish());
    }
    target.join("dstd-convert").join(name)
}

/// Builds what does not need converted crates; returns the facade's library.
fn first_build(mut command: Command, facade: &Package) -> Result<PathBuf, Failure> {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(broken)?;
    let stderr = child.stderr.take();
    let words = std::thread::spawn(move || stderr.map(say));
    let (mut library, mut errors) = (None, String::new());
    messages(&mut child, |message| {
        if message["reason"] == "compiler-artifact" && message["package_id"] == *facade.id {
            library = rlib(message).or(library.take());
        }
        if message["message"]["level"] == "error" {
            errors.push_str(message["message"]["rendered"].as_str().unwrap_or_default());
        }
    })?;
    child.wait().map_err(broken)?;
    // It ends with cargo's stderr.
    drop(words.join());
    library.ok_or_else(|| {
        let name = &facade.name;
        wrong(format!(
            "--convert: cargo did not build {name}, which is to be the std of other crates\n{errors}"
        ))
    })
}

fn rlib(message: &Value) -> Option<PathBuf> {
    let files = message["filenames"].as_array()?.iter().filter_map(Value::as_str);
    files.map(PathBuf::from).find(|file| file.extension().is_some_and(|end| end == "rlib"))
}

/// What cargo says of crates that wait, and of the end of a build that is only the first.
const OF_THE_FIRST: [&str; 6] = [
    WAITS,
    "could not compile",
    "Caused by:",
    "process didn't exit successfully",
    "build failed, waiting for other jobs to finish",
    "Finished",
];

/// Shows cargo's words as they come.
fn say(stderr: ChildStderr) {
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        if !line.is_empty() && !OF_THE_FIRST.iter().any(|words| line.contains(words)) {
            eprintln!("{line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_choice_of_crates_has_a_place_of_its_own() {
        let place = |names: &[&str]| {
            let packages = names.iter().map(|name| ((*name).to_owned(), "1.0.0".to_owned())).collect();
            directory(Path::new("/t"), &Order { packages, facade: None })
        };
        assert_eq!(place(&["a"]), Path::new("/t/dstd-convert/a-1.0.0"));
        assert_eq!(place(&["a", "b"]), Path::new("/t/dstd-convert/a-1.0.0+b-1.0.0"));
        let long = "é".repeat(300);
        assert_eq!(place(&[&long]).file_name().unwrap().len(), 16);
        assert_ne!(place(&[&long]), place(&[&long, "a"]));
    }
}
