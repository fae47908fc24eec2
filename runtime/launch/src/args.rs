//! The command line of `dstd-launch`, and the options that `cargo dstd run` and `cargo dstd test` share with it.
//!
//! Options that are not built yet are absent, so that using one is a usage error.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, ValueEnum};
use dstd_addr::{HEAP_BYTES_MAX, NODES_MAX};
use dstd_control::env::{Options, Placement, Spread, Transport};
use dstd_control::{exit, parse_duration};

use crate::everyday::Everyday;
use crate::hosts::{Cluster, Decided, HostOptions};
use crate::program;

/// What to run, completely decided.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Options of the launcher.
    pub(crate) launch: LaunchOptions,
    /// What the nodes are told.
    pub(crate) options: Options,
    /// Variables for the nodes, checked.
    pub(crate) vars: Vec<(OsString, OsString)>,
    /// The program as it was typed.
    pub(crate) program: OsString,
    /// Its arguments.
    pub(crate) args: Vec<OsString>,
}

#[derive(Parser, Debug)]
#[command(
    name = "dstd-launch",
    version,
    about = "Runs a dstd program on several nodes",
    after_help = AFTER_HELP,
    args_override_self = true
)]
struct LaunchCommand {
    #[command(flatten)]
    launch: LaunchOptions,
    /// The program (a path, or a name that is looked for in PATH) and its arguments
    #[arg(value_names = ["PROGRAM", "ARGS"], required = true, num_args = 1.., trailing_var_arg = true)]
    command: Vec<OsString>,
}

/// What follows the list of options.
pub(crate) const AFTER_HELP: &str = "\
`dstd-launch doctor` (or `cargo dstd doctor`) says what this host lets nodes do, `dstd-launch top` what \
running programs do. Signals, logs and \
terminals: runtime/docs/everyday.md.

Exit status: that of main on node 0; else 128 + signal or the status of the node that failed first; \
64 usage, 65 a host cannot be used or was lost, 66 different builds, 67 secret refused, 68 no port, \
69 timeout or nobody there, 70 internal, 72 this host or program cannot run so. \
Durations: 500ms, 10s, 2m, 1h. Sizes: 64M, 4G.";

/// The options that `dstd-launch` and `cargo dstd run` share.
#[derive(Args, Debug, Clone)]
pub(crate) struct LaunchOptions {
    /// Number of nodes [default: 2; with hosts: the sum of their slots]
    #[arg(short = 'n', long = "np", value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(NODES_MAX)))]
    np: Option<u16>,
    /// The number of nodes, decided.
    #[arg(skip)]
    pub(crate) nodes: u16,
    /// The hosts, decided; `None`: only this one.
    #[arg(skip)]
    pub(crate) cluster: Option<Cluster>,
    #[command(flatten)]
    pub(crate) hosts: HostOptions,
    /// How nodes talk [default: shm, or tcp where they are on several hosts]
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(Transport::ALL.iter().map(|t| t.name())))]
    transport: Option<String>,
    /// Nodes of one host do not map each other's memory: pages travel over the transport
    #[arg(long)]
    no_direct: bool,
    /// Size of a node's heap with its part of blocks over all nodes, and the most memory of other nodes that it keeps copies of
    /// [default: 128G, the most]
    #[arg(long, value_name = "SIZE", value_parser = parse_heap)]
    heap: Option<u64>,
    /// User threads a node offers [default: its CPUs]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    threads: Option<u32>,
    /// Where spawned threads run [default: least-loaded]
    #[arg(long, value_name = "WHERE", value_parser = PossibleValuesParser::new(Placement::ALL.iter().map(|p| p.name())))]
    placement: Option<String>,
    /// Which threads are placed beside those of dstd's spawn: all that std starts, for whichever crate, or none [default: none]
    #[arg(long, value_name = "WHICH", value_parser = PossibleValuesParser::new(Spread::ALL.iter().map(|s| s.name())))]
    spread: Option<String>,
    /// A variable for all nodes: VAR=VALUE, or VAR to pass on its value here
    #[arg(short = 'x', long = "env", value_name = "VAR[=VALUE]")]
    env: Vec<OsString>,
    /// Working directory of the nodes
    #[arg(long, value_name = "DIR")]
    pub(crate) chdir: Option<PathBuf>,
    /// What happens when a node fails
    #[arg(long, value_name = "WHAT", default_value = "abort")]
    on_failure: OnFailure,
    /// Stop the program after this time
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub(crate) timeout: Option<Duration>,
    /// Time between SIGTERM and SIGKILL when the program is stopped
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    pub(crate) grace: Duration,
    /// Time for all nodes to start
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    pub(crate) connect_timeout: Duration,
    /// Write what happened to FILE as JSON, also when the run fails
    #[arg(long, value_name = "FILE")]
    pub(crate) report_json: Option<PathBuf>,
    /// Say at the end which nodes faulted on whose pages, and which N pages faulted most, from which lines, and which
    /// lines allocated them [default: 5]
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "5")]
    pub(crate) hot_pages: Option<u16>,
    #[command(flatten)]
    pub(crate) everyday: Everyday,
    /// Statics stay private to a node
    #[arg(long)]
    private_statics: bool,
    /// Say more; twice: the nodes too
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say only why a run failed, in one line
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
}

#[derive(ValueEnum, Debug, Clone, Copy)]
enum OnFailure {
    Abort,
}

/// Reads the command line of `dstd-launch`; has spoken when it returns the status to exit with.
pub(crate) fn parse_launch(args: impl Iterator<Item = OsString>) -> Result<Plan, i32> {
    let mut command = LaunchCommand::try_parse_from(args).map_err(|error| spoken(&error))?;
    let (options, vars) = decide(&mut command.launch)?;
    let mut words = command.command.into_iter();
    let program = words.next().expect("clap requires a program");
    Ok(Plan { launch: command.launch, options, vars, program, args: words.collect() })
}

/// Prints clap's help (0) or error (64).
pub(crate) fn spoken(error: &clap::Error) -> i32 {
    // When even that cannot be printed, the status still tells.
    drop(error.print());
    if error.use_stderr() { exit::USAGE } else { 0 }
}

/// Variables for the nodes, checked.
pub(crate) type Vars = Vec<(OsString, OsString)>;

/// Decides what the command line and the environment leave open; has spoken when it returns the status to exit with.
pub(crate) fn decide(launch: &mut LaunchOptions) -> Result<(Options, Vars), i32> {
    let OnFailure::Abort = launch.on_failure;
    let told = Options::from_env().map_err(|error| error.to_string());
    let decided = told.map(|told| launch.options(told)).and_then(|options| {
        let Decided { cluster, nodes, options } = launch.hosts.decide(launch.np, options)?;
        (launch.cluster, launch.nodes) = (cluster, nodes);
        let vars = launch.env.iter().map(|var| parse_var(var, &|name| std::env::var_os(name)));
        Ok((options, vars.collect::<Result<Vars, String>>()?))
    });
    decided.map_err(|words| {
        eprintln!("dstd: {words}");
        exit::USAGE
    })
}

impl LaunchOptions {
    /// Whether nodes of this host, if there are any, can have the working directory they shall have.
    pub(crate) fn directory_is_there(&self) -> Result<(), String> {
        let here = self.cluster.as_ref().is_none_or(|cluster| cluster.hosts.iter().any(|seat| seat.here));
        self.chdir.as_deref().filter(|_| here).map_or(Ok(()), program::directory)
    }

    /// What the nodes are told: the command line over the environment.
    fn options(&self, told: Options) -> Options {
        Options {
            heap_bytes: self.heap.or(told.heap_bytes),
            placement: self.placement.as_deref().and_then(|p| p.parse().ok()).unwrap_or(told.placement),
            spread: self.spread.as_deref().and_then(|s| s.parse().ok()).unwrap_or(told.spread),
            transport: self.transport.as_deref().and_then(|t| t.parse().ok()).or(told.transport),
            no_direct: self.no_direct || told.no_direct,
            threads: self.threads.or(told.threads),
            private_statics: self.private_statics || told.private_statics,
            hot_pages: self.hot_pages.is_some() || told.hot_pages,
            verbose: self.verbose.saturating_sub(1).max(told.verbose),
        }
    }
}

/// `VAR=VALUE`, or `VAR` with the value it has here.
fn parse_var(
    var: &OsString,
    lookup: &dyn Fn(&OsString) -> Option<OsString>,
) -> Result<(OsString, OsString), String> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let bytes = var.as_bytes();
    let (name, value) = match bytes.iter().position(|&byte| byte == b'=') {
        Some(at) => (&bytes[..at], Some(OsString::from_vec(bytes[at + 1..].to_vec()))),
        None => (bytes, None),
    };
    let name = OsString::from_vec(name.to_vec());
    let shown = name.to_string_lossy();
    if name.is_empty() {
        return Err(format!("-x {}: a variable needs a name", var.to_string_lossy()));
    }
    if dstd_control::env::names().iter().any(|ours| name == **ours) {
        return Err(format!("-x {shown}: dstd sets this variable itself, use the launcher's option"));
    }
    let value = value.or_else(|| lookup(&name));
    let value = value.ok_or_else(|| format!("-x {shown}: it is not set here, write {shown}=VALUE"))?;
    Ok((name, value))
}

/// The size of a heap: in whole steps, within what there are addresses for.
pub(crate) fn parse_heap(text: &str) -> Result<u64, String> {
    /// A heap is cut into pieces of this size (`dstd-heap`), and has at least a few.
    const STEP: u64 = 64 << 10;
    const LEAST: u64 = 1 << 20;
    let bytes = parse_bytes(text)?.checked_next_multiple_of(STEP);
    let fits = bytes.filter(|bytes| (LEAST..=HEAP_BYTES_MAX).contains(bytes));
    fits.ok_or_else(|| format!("a heap has {}M to {}G", LEAST >> 20, HEAP_BYTES_MAX >> 30))
}

/// A number of bytes with an optional unit K, M, G or T (powers of 1024).
fn parse_bytes(text: &str) -> Result<u64, String> {
    let wrong = || "not a size: write a whole number above 0 and a unit, like 512M or 4G".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let shift = match unit.to_ascii_uppercase().trim_end_matches('B').trim_end_matches('I') {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err(wrong()),
    };
    number.checked_mul(1 << shift).filter(|&bytes| bytes > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::everyday::{Readers, Style};

    fn launch(line: &str) -> Result<LaunchCommand, i32> {
        let words = std::iter::once("dstd-launch").chain(line.split(' '));
        LaunchCommand::try_parse_from(words).map_err(|error| if error.use_stderr() { 64 } else { 0 })
    }

    #[test]
    fn options_end_where_the_program_begins() {
        let command = launch("-n 3 --no-direct prog -n 5 --help -- x").unwrap();
        assert_eq!(command.launch.np, Some(3));
        assert_eq!(command.command, ["prog", "-n", "5", "--help", "--", "x"]);
        let command = launch("--np=64 -- --odd a -- b").unwrap();
        assert_eq!(command.launch.np, Some(64));
        assert_eq!(command.command, ["--odd", "a", "--", "b"]);
        assert_eq!(launch("-n 2").err(), Some(64));
    }

    #[test]
    fn every_option_is_understood_and_has_its_default() {
        let plain = launch("prog").unwrap().launch;
        assert_eq!(plain.np, None);
        assert_eq!((plain.grace, plain.connect_timeout), (Duration::from_secs(10), Duration::from_secs(30)));
        let everyday = &plain.everyday;
        assert_eq!((everyday.output, everyday.stdin, everyday.dry_run), (Style::Raw, Readers::All, false));
        assert_eq!((plain.timeout, plain.quiet, plain.verbose), (None, false, 0));
        assert_eq!(plain.options(Options::default()), Options::default());

        let all = launch(
            "-n 4 --transport tcp --no-direct --heap 4G --threads 8 --placement remote --spread all -x A=b --env C=d=e \
             --chdir /tmp --on-failure abort --timeout 2m --grace 500ms --connect-timeout 1s --report-json r \
             --hot-pages --private-statics -vv prog",
        )
        .unwrap()
        .launch;
        assert_eq!((all.timeout, all.grace), (Some(Duration::from_secs(120)), Duration::from_millis(500)));
        assert_eq!(all.connect_timeout, Duration::from_secs(1));
        assert_eq!((plain.hot_pages, all.hot_pages), (None, Some(5)));
        assert_eq!(launch("--hot-pages=9 prog").unwrap().launch.hot_pages, Some(9));
        assert_eq!(all.env, ["A=b", "C=d=e"]);
        let options = all.options(Options::default());
        assert_eq!(
            options,
            Options {
                heap_bytes: Some(4 << 30),
                placement: Placement::Remote,
                spread: Spread::All,
                transport: Some(Transport::Tcp),
                no_direct: true,
                threads: Some(8),
                private_statics: true,
                hot_pages: true,
                verbose: 1,
            }
        );
    }

    #[test]
    fn the_environment_holds_where_the_command_line_is_silent() {
        let told = Options { threads: Some(3), placement: Placement::Local, ..Options::default() };
        let options = launch("--placement remote prog").unwrap().launch.options(told);
        assert_eq!((options.threads, options.placement), (Some(3), Placement::Remote));
        let told = Options { transport: Some(Transport::Tcp), ..Options::default() };
        assert_eq!(launch("prog").unwrap().launch.options(told.clone()).transport, Some(Transport::Tcp));
        let options = launch("--transport shm prog").unwrap().launch.options(told);
        assert_eq!(options.transport, Some(Transport::Shm));
    }

    #[test]
    fn what_is_not_built_or_not_right_is_a_usage_error() {
        for line in [
            "-n 0 prog",
            "-n 65 prog",
            "-n x prog",
            "--transport rdma prog",
            "--placement locality prog",
            "--on-failure continue prog",
            "-H a --hostfile f prog",
            "--iface 10.0.0.0/33 prog",
            "--port-range 5-4 prog",
            "--output colour prog",
            "--stdin 1 prog",
            "--log-dir",
            "--spread some prog",
            "--insecure prog",
            "--heap 4X prog",
            "--heap 0 prog",
            "--heap 99999999T prog",
            "--heap 129G prog",
            "--heap 960K prog",
            "--threads 0 prog",
            "--timeout soon prog",
            "-v -q prog",
            "--nonsense prog",
        ] {
            assert_eq!(launch(line).err(), Some(64), "{line}");
        }
        assert_eq!(launch("--help").err(), Some(0));
        assert_eq!(launch("--version").err(), Some(0));
    }

    #[test]
    fn variables_have_names_and_values_and_are_not_ours() {
        let lookup = |name: &OsString| (name == "HOME").then(|| OsString::from("/root"));
        let parse = |text: &str| parse_var(&text.into(), &lookup);
        assert_eq!(parse("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert_eq!(parse("A="), Ok(("A".into(), "".into())));
        assert_eq!(parse("HOME"), Ok(("HOME".into(), "/root".into())));
        for wrong in ["", "=x", "MISSING", "DSTD_RANK=1", "DSTD_CRED_FD"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_have_binary_units() {
        for (text, bytes) in [
            ("4096", 4096),
            ("1K", 1 << 10),
            ("64M", 64 << 20),
            ("4G", 4 << 30),
            ("4GiB", 4 << 30),
            ("1t", 1 << 40),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes));
        }
        for text in ["", "G", "-1G", "1.5G", "4GG", "4 G"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn heaps_have_whole_steps() {
        assert_eq!(parse_heap("128G"), Ok(HEAP_BYTES_MAX));
        assert_eq!(parse_heap("1M"), Ok(1 << 20));
        assert_eq!(parse_heap("100000000"), Ok(1526 << 16));
        for text in ["1T", "960K", "0", "18446744073709551615"] {
            assert!(parse_heap(text).is_err(), "{text}");
        }
    }
}
