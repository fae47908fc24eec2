//! The command line of `cargo dstd`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::args::{AFTER_HELP, LaunchOptions};

#[derive(Parser, Debug)]
#[command(
    name = "cargo dstd",
    bin_name = "cargo dstd",
    version,
    about = "Makes, checks, builds, runs and tests dstd programs"
)]
struct CargoCommand {
    #[command(subcommand)]
    what: What,
}

/// What is wanted.
#[derive(Subcommand, Debug)]
pub(crate) enum What {
    /// Makes a project whose program runs on several nodes at once
    New(NewCommand),
    /// Says what of a package's own sources stays on one node, and which imports to swap
    Check(CheckCommand),
    /// Swaps `std` for `dstd` in a package's sources and Cargo.toml: shows the difference, --write makes it
    Swap(SwapCommand),
    /// Builds programs (for release, unless told otherwise)
    #[command(after_help = "All other options are those of `cargo build`.")]
    Build(BuildCommand),
    /// Builds a program (for release, unless told otherwise) and runs it on several nodes
    #[command(after_help = AFTER_HELP, args_override_self = true)]
    Run(Box<RunCommand>),
    /// Builds a package's tests as `cargo test` does and runs each test program on several nodes
    #[command(after_help = "All other options are those of `cargo test`.", args_override_self = true)]
    Test(Box<TestCommand>),
    /// Says what this host lets nodes do
    Doctor,
}

/// The two forms of the standard library for a cluster.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Facade {
    /// The source says `use dstd::..`
    Dstd,
    /// The source stays, Cargo.toml renames the package `dstd-std` to `std`
    DstdStd,
}

/// `cargo dstd new`.
#[derive(Args, Debug)]
pub(crate) struct NewCommand {
    /// Directory of the project; its last part is the package's name
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// Name of the package
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Version control of the project: git, none, .. (as `cargo new` has them)
    #[arg(long, value_name = "VCS")]
    pub(crate) vcs: Option<String>,
    /// How the program names dstd
    #[arg(long, value_name = "FACADE", default_value = "dstd")]
    pub(crate) facade: Facade,
    #[command(flatten)]
    pub(crate) origin: OriginArgs,
}

/// Where dstd comes from.
#[derive(Args, Debug)]
pub(crate) struct OriginArgs {
    /// A checkout of dstd to depend on [default: the one this command was built from, where it still is; else the
    /// version on the registry]
    #[arg(long, value_name = "DIR")]
    pub(crate) dstd_path: Option<PathBuf>,
}

/// `cargo dstd check`.
#[derive(Args, Debug)]
#[command(after_help = "\
A comment `// dstd: allow(LINT)` on a line or the line before it allows a lint there. \
Exit status: 0, also with warnings; 101 when a lint is denied and finds something, or a source cannot be read; 64 usage.")]
pub(crate) struct CheckCommand {
    /// Packages to check
    #[arg(short, long, value_name = "PACKAGE")]
    pub(crate) package: Vec<String>,
    /// Check all packages of the workspace
    #[arg(long, conflicts_with = "package")]
    pub(crate) workspace: bool,
    /// Path of Cargo.toml
    #[arg(long, value_name = "PATH")]
    pub(crate) manifest_path: Option<PathBuf>,
    /// Make a lint an error; `warnings`: all that are not allowed
    #[arg(short = 'D', long = "deny", value_name = "LINT")]
    pub(crate) deny: Vec<String>,
    /// Do not mention a lint
    #[arg(short = 'A', long = "allow", value_name = "LINT")]
    pub(crate) allow: Vec<String>,
    /// How findings look
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(crate) message_format: MessageFormat,
    /// List the lints
    #[arg(long)]
    pub(crate) list: bool,
}

/// How a finding looks.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MessageFormat {
    /// With the line of the source
    Human,
    /// In one line
    Short,
}

/// `cargo dstd swap`.
#[derive(Args, Debug)]
pub(crate) struct SwapCommand {
    /// Package to swap
    #[arg(short, long, value_name = "PACKAGE")]
    pub(crate) package: Option<String>,
    /// Path of Cargo.toml
    #[arg(long, value_name = "PATH")]
    pub(crate) manifest_path: Option<PathBuf>,
    /// How the program shall name dstd
    #[arg(long, value_name = "FACADE", default_value = "dstd")]
    pub(crate) facade: Facade,
    /// Change the files, and not only show how
    #[arg(long)]
    pub(crate) write: bool,
    /// Change files although there are changes that are not committed
    #[arg(long)]
    pub(crate) allow_dirty: bool,
    /// Change files that no version control knows
    #[arg(long)]
    pub(crate) allow_no_vcs: bool,
    #[command(flatten)]
    pub(crate) origin: OriginArgs,
}

/// Options of cargo that building, running and testing share.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Cargo options")]
pub(crate) struct CargoOptions {
    /// Packages that are meant
    #[arg(short, long, value_name = "PACKAGE")]
    pub(crate) package: Vec<String>,
    /// Features to activate
    #[arg(short = 'F', long, value_name = "FEATURES")]
    features: Vec<String>,
    /// Activate all features
    #[arg(long)]
    all_features: bool,
    /// Do not activate the default feature
    #[arg(long)]
    no_default_features: bool,
    /// Path of Cargo.toml
    #[arg(long, value_name = "PATH")]
    pub(crate) manifest_path: Option<PathBuf>,
    /// Directory of what is built
    #[arg(long, value_name = "DIR")]
    pub(crate) target_dir: Option<PathBuf>,
    /// Build for this target
    #[arg(long, value_name = "TRIPLE")]
    pub(crate) target: Option<String>,
    /// Parallel jobs of the build
    #[arg(short, long, value_name = "N")]
    jobs: Option<String>,
    /// Cargo.lock must not change
    #[arg(long)]
    locked: bool,
    /// Build without network
    #[arg(long)]
    offline: bool,
    /// As --locked --offline
    #[arg(long)]
    frozen: bool,
    /// A setting of cargo, or a file with settings
    #[arg(long, value_name = "KEY=VALUE|PATH")]
    config: Vec<OsString>,
    /// Build these crates of others against dstd, unchanged: CRATE or CRATE@VERSION
    #[arg(long, value_name = "CRATES", value_delimiter = ',')]
    pub(crate) convert: Vec<String>,
    /// Options that this command does not know, as they were typed: they are cargo's.
    #[arg(skip)]
    pub(crate) others: Vec<OsString>,
}

/// How much the compiler does, where release is the default.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Cargo options")]
pub(crate) struct ReleaseProfile {
    /// Build for release (the default)
    #[arg(short, long, conflicts_with_all = ["dev", "profile"])]
    release: bool,
    /// Build without optimisation
    #[arg(long, conflicts_with = "profile")]
    dev: bool,
    /// Build with this profile
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
}

/// `cargo dstd build`.
#[derive(Args, Debug)]
pub(crate) struct BuildCommand {
    /// Build all packages of the workspace
    #[arg(long, alias = "all", conflicts_with = "package", help_heading = "Cargo options")]
    pub(crate) workspace: bool,
    /// Form of cargo's messages
    #[arg(long, value_name = "FORMAT", help_heading = "Cargo options")]
    message_format: Vec<String>,
    #[command(flatten)]
    profile: ReleaseProfile,
    #[command(flatten)]
    pub(crate) cargo: CargoOptions,
}

/// `cargo dstd run`.
#[derive(Args, Debug, Clone)]
pub(crate) struct RunCommand {
    #[command(flatten)]
    pub(crate) launch: LaunchOptions,
    /// Program to run
    #[arg(long, value_name = "NAME", conflicts_with = "example", help_heading = "Cargo options")]
    pub(crate) bin: Option<String>,
    /// Example to run
    #[arg(long, value_name = "NAME", help_heading = "Cargo options")]
    pub(crate) example: Option<String>,
    #[command(flatten)]
    profile: ReleaseProfile,
    #[command(flatten)]
    pub(crate) cargo: CargoOptions,
    /// Arguments of the program
    #[arg(value_name = "ARGS", last = true)]
    pub(crate) args: Vec<OsString>,
}

/// `cargo dstd test`.
#[derive(Args, Debug)]
pub(crate) struct TestCommand {
    #[command(flatten)]
    pub(crate) launch: LaunchOptions,
    /// Test all packages of the workspace
    #[arg(long, alias = "all", conflicts_with = "package", help_heading = "Cargo options")]
    pub(crate) workspace: bool,
    /// Build for release
    #[arg(short, long, conflicts_with = "profile", help_heading = "Cargo options")]
    release: bool,
    /// Build with this profile
    #[arg(long, value_name = "PROFILE", help_heading = "Cargo options")]
    profile: Option<String>,
    #[command(flatten)]
    pub(crate) cargo: CargoOptions,
    /// Run tests whose names contain this
    #[arg(value_name = "TESTNAME")]
    filter: Option<OsString>,
    /// Arguments of the test programs
    #[arg(value_name = "ARGS", last = true)]
    args: Vec<OsString>,
    /// What was typed for the launcher, for those who start the test programs.
    #[arg(skip)]
    pub(crate) launch_words: Vec<OsString>,
}

/// Reads the command line of `cargo dstd`, without the word `dstd`.
pub(crate) fn parse(args: impl Iterator<Item = OsString>) -> Result<What, clap::Error> {
    let (ours, others) = others::part(&mut CargoCommand::command(), args.collect());
    let mut matches = CargoCommand::command().try_get_matches_from(ours)?;
    let launch_words = matches.subcommand_matches("test").map(launch_words).unwrap_or_default();
    let mut what = CargoCommand::from_arg_matches_mut(&mut matches)?.what;
    match &mut what {
        What::Build(build) => build.cargo.others = others,
        What::Run(run) => run.cargo.others = others,
        What::Test(test) => (test.launch_words, test.cargo.others) = (launch_words, others),
        _ => {}
    }
    Ok(what)
}

/// The launcher's options as they were typed, one word each.
fn launch_words(matches: &ArgMatches) -> Vec<OsString> {
    let known = LaunchOptions::augment_args(clap::Command::new("options"));
    let mut words = Vec::new();
    for argument in known.get_arguments() {
        let id = argument.get_id().as_str();
        let typed = matches.value_source(id) == Some(clap::parser::ValueSource::CommandLine);
        let Some(name) = argument.get_long().filter(|_| typed) else { continue };
        match argument.get_action() {
            ArgAction::SetTrue => words.push(format!("--{name}").into()),
            ArgAction::Count => {
                words.extend((0..matches.get_count(id)).map(|_| OsString::from(format!("--{name}"))));
            }
            _ => words.extend(matches.get_raw(id).into_iter().flatten().map(|value| {
                let mut word = OsString::from(format!("--{name}="));
                word.push(value);
                word
            })),
        }
    }
    words
}

mod others;
#[cfg(test)]
mod tests;
mod words;
