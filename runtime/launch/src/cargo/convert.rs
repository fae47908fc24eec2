//! `--convert`: crates of others against dstd, unchanged.
//!
//! cargo does not know that a converted crate needs the facade, so it builds twice: first everything but the
//! converted crates and what needs them, to have the facade as this very program will link it; then the rest
//! ([`wrapper`](super::wrapper)). The results lie in a target directory of their own, since cargo takes a converted
//! crate for the same as the plain one.
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
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::UNIX_EPOCH;

use dstd_control::exit;

use self::graph::Graph;
use super::args::CargoOptions;
use super::build::messages;
use super::metadata::{Failure, Metadata, Package, ask, broken, cargo, here, wrong};
use super::test::TARGET;
use super::wrapper::{Order, WAITS};

/// What a build must be told; nothing, where nothing is converted.
pub(crate) struct Conversion {
    order: Option<Order>,
    args: Vec<OsString>,
}

impl Conversion {
    /// Lets a cargo command build so.
    pub(crate) fn apply(&self, command: &mut Command) {
        if let Some(order) = &self.order {
            command.args(&self.args);
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

/// Prepares a build with these arguments, of the package that the options choose or of all.
pub(crate) fn prepare(options: &CargoOptions, all: bool, args: &[OsString]) -> Result<Conversion, Failure> {
    prepare_with(options, all, args, &[])
}

/// Prepares a build of tests: their own dependencies count.
pub(crate) fn prepare_tests(
    options: &CargoOptions,
    all: bool,
    args: &[OsString],
) -> Result<Conversion, Failure> {
    prepare_with(options, all, args, &["--tests"])
}

fn prepare_with(
    options: &CargoOptions,
    all: bool,
    args: &[OsString],
    more: &[&str],
) -> Result<Conversion, Failure> {
    if options.convert.is_empty() {
        return Ok(Conversion { order: None, args: Vec::new() });
    }
    let metadata = ask(&options.graph_args())?;
    let here = here(options.manifest_path.as_deref())?;
    let roots: Vec<&str> = if all {
        metadata.workspace_members.iter().map(String::as_str).collect()
    } else {
        let selected = metadata.selected(options.package.as_deref(), &here).map_err(wrong)?;
        selected.into_iter().map(|package| package.id.as_str()).collect()
    };
    let graph = Graph::new(&metadata, roots)?;
    let packages = graph.convertible(&options.convert).map_err(wrong)?;
    let facade = graph.facade().map_err(wrong)?;

    let mut extra: Vec<OsString> = Vec::new();
    if options.target.is_none() {
        extra.extend(["--target".into(), TARGET.into()]);
    }
    let directory = directory(options, &metadata, &packages);
    // Said again where the user has said it: the last one counts for cargo's config, not for its options.
    if options.target_dir.is_none() {
        extra.extend(["--target-dir".into(), directory.clone().into()]);
    }
    let mut order = Order {
        packages: packages.iter().map(|package| (package.name.clone(), package.version.clone())).collect(),
        facade: None,
    };
    let mut first = cargo();
    first.args(["build", "--keep-going", "--message-format=json"]).args(args).args(more).args(&extra);
    order.apply(&mut first);
    let library = first_build(first, facade)?;
    if let Some(stale) = stale(&directory, &library) {
        let mut clean = cargo();
        clean.args(["clean", "--quiet"]).args(options.lock_args()).arg("--target-dir").arg(&directory);
        for package in &packages {
            clean.arg("--package").arg(format!("{}@{}", package.name, package.version));
        }
        if !clean.stdin(Stdio::null()).status().map_err(broken)?.success() {
            return Err((exit::INTERNAL, format!("cannot clean {}", directory.display())));
        }
        stale.store().map_err(|error| (exit::INTERNAL, format!("{}: {error}", directory.display())))?;
    }
    order.facade = Some(library);
    Ok(Conversion { order: Some(order), args: extra })
}

/// Where converted programs are built: for each choice of crates another place.
fn directory(options: &CargoOptions, metadata: &Metadata, packages: &[&Package]) -> PathBuf {
    if let Some(directory) = &options.target_dir {
        return directory.clone();
    }
    let names: Vec<String> =
        packages.iter().map(|package| format!("{}-{}", package.name, package.version)).collect();
    let mut name = names.join("+");
    if name.len() > 100 {
        let sum = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
            (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        name = format!("{sum:016x}");
    }
    metadata.target_directory.join("dstd-convert").join(name)
}

/// Builds what does not need converted crates; returns where the facade's library is.
fn first_build(mut command: Command, facade: &Package) -> Result<PathBuf, Failure> {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(broken)?;
    let stderr = child.stderr.take();
    // cargo's words are shown as they come, but for its failures: those of the second build count.
    let words = std::thread::spawn(move || {
        let mut kept = Vec::new();
        for line in stderr.into_iter().flat_map(|stderr| BufReader::new(stderr).lines()).map_while(Result::ok)
        {
            let progress = ["   Compiling ", " Downloading ", "  Downloaded ", "    Updating "];
            if progress.iter().any(|start| line.starts_with(start)) {
                eprintln!("{line}");
            } else if !line.contains(WAITS) {
                kept.push(line);
            }
        }
        kept.join("\n")
    });
    let mut library = None;
    messages(&mut child, |message| {
        if message["reason"] == "compiler-artifact" && message["package_id"] == *facade.id {
            let files =
                message["filenames"].as_array().into_iter().flatten().filter_map(|file| file.as_str());
            library =
                files.filter(|file| file.ends_with(".rlib")).map(PathBuf::from).next().or(library.take());
        }
    })?;
    child.wait().map_err(broken)?;
    let words = words.join().unwrap_or_default();
    library.ok_or_else(|| {
        let why =
            format!("--convert: cargo did not build {}, which is to be the std of other crates", facade.name);
        (exit::USAGE, if words.is_empty() { why } else { format!("{why}:\n{words}") })
    })
}

/// A facade that the converted crates were not built with.
struct Stale {
    stamp: PathBuf,
    now: String,
}

/// Compares the facade with the one that the crates were built with: cargo does not know that they need it.
fn stale(directory: &Path, library: &Path) -> Option<Stale> {
    let changed = fs::metadata(library).and_then(|library| library.modified()).ok();
    let nanos =
        changed.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map_or(0, |time| time.as_nanos());
    let name = library.to_string_lossy().replace('/', "%");
    let name = &name[name.len().saturating_sub(200)..];
    let (stamp, now) = (directory.join(format!(".dstd-facade{name}")), nanos.to_string());
    let same = fs::read_to_string(&stamp).is_ok_and(|then| then == now);
    (!same).then_some(Stale { stamp, now })
}

impl Stale {
    fn store(&self) -> std::io::Result<()> {
        fs::write(&self.stamp, &self.now)
    }
}
