//! The options about what the nodes print and read, and what only prepares a run.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Flattened into the options that `dstd-launch` and `cargo dstd run` share.
#[derive(Args, Debug, Clone)]
pub(crate) struct Everyday {
    /// What becomes of what the nodes print
    #[arg(long, value_name = "STYLE", default_value = "raw")]
    pub(crate) output: Style,
    /// Also write what each node prints to files in DIR: node0.stdout, node0.stderr, ...
    #[arg(long, value_name = "DIR")]
    pub(crate) log_dir: Option<PathBuf>,
    /// Which nodes' threads read the launcher's stdin; for the others it is empty
    #[arg(long, value_name = "NODES", default_value = "all")]
    pub(crate) stdin: Readers,
    /// Print what would be started, and start nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// How lines of nodes look.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Style {
    /// As the nodes write it, byte for byte
    Raw,
    /// Each line begins with the node: `0: text`
    Label,
    /// Each line begins with the time (UTC) and the node
    Timestamp,
    /// Each line of both streams is a JSON object on stdout
    Json,
    /// Nothing is shown
    None,
}

/// Whose stdin is the launcher's.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Readers {
    /// Node 0
    #[value(name = "0")]
    Node0,
    /// Nobody
    None,
    /// All nodes, as threads of one process share it: each byte is read once
    All,
}

impl Readers {
    /// The same where node 0 reads for all, since others may be on other hosts.
    pub(crate) const fn of_node_0(self) -> Readers {
        match self {
            Readers::Node0 | Readers::All => Readers::Node0,
            Readers::None => Readers::None,
        }
    }

    /// Whether node `rank` reads the launcher's stdin.
    pub(crate) const fn include(self, rank: u16) -> bool {
        match self {
            Readers::Node0 => rank == 0,
            Readers::None => false,
            Readers::All => true,
        }
    }
}
