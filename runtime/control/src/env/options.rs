//! What a user may choose about a run, with or without a launcher.

use std::fmt;
use std::str::FromStr;

use super::{EnvError, Lookup, get, name, process_env};

/// A text names none of the choices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownName {
    /// The choices that exist.
    pub choices: &'static str,
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is {}", self.choices)
    }
}

impl std::error::Error for UnknownName {}

macro_rules! named {
    ($type:ident, $choices:literal, $($variant:ident = $text:literal),+) => {
        impl $type {
            /// All choices that exist.
            pub const ALL: &'static [$type] = &[$($type::$variant),+];

            /// The name used on the command line.
            pub const fn name(self) -> &'static str {
                match self { $($type::$variant => $text),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl FromStr for $type {
            type Err = UnknownName;
            fn from_str(text: &str) -> Result<$type, UnknownName> {
                match text {
                    $($text => Ok($type::$variant),)+
                    _ => Err(UnknownName { choices: $choices }),
                }
            }
        }
    };
}

/// Where a spawned thread runs.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Placement {
    /// On the node that spawns it.
    Local,
    /// On each node in turn.
    RoundRobin,
    /// On the node that runs the fewest threads.
    #[default]
    LeastLoaded,
    /// Always on another node, if there is one: for tests.
    Remote,
}

named!(
    Placement,
    "local, round-robin, least-loaded or remote",
    Local = "local",
    RoundRobin = "round-robin",
    LeastLoaded = "least-loaded",
    Remote = "remote"
);

/// Which threads are placed over the nodes, beside those that dstd's own `spawn` starts.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Spread {
    /// None: a thread that std starts runs on the node that starts it.
    #[default]
    None,
    /// All that std starts, for whichever crate.
    All,
}

named!(Spread, "none or all", None = "none", All = "all");

/// How nodes talk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// TCP sockets.
    Tcp,
    /// Memory that two nodes of one host share.
    Shm,
}

named!(Transport, "tcp or shm", Tcp = "tcp", Shm = "shm");

impl Transport {
    /// What serves best where nobody has chosen.
    pub const fn best(one_host: bool) -> Transport {
        if one_host { Transport::Shm } else { Transport::Tcp }
    }
}

/// What a user may choose about a run, with or without a launcher.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Options {
    /// Size of a node's heap; `None`: the runtime's default.
    pub heap_bytes: Option<u64>,
    /// Where spawned threads run.
    pub placement: Placement,
    /// Which other threads are placed like those.
    pub spread: Spread,
    /// How nodes talk; `None`: as the launcher thinks [best](Transport::best).
    pub transport: Option<Transport>,
    /// Nodes of one host do not map each other's memory.
    pub no_direct: bool,
    /// User threads a node offers; `None`: its CPUs.
    pub threads: Option<u32>,
    /// Statics stay private to a node.
    pub private_statics: bool,
    /// Nodes remember from where memory was allocated, to tell what lies on hot pages.
    pub hot_pages: bool,
    /// How much the runtime says about itself on stderr.
    pub verbose: u8,
}

impl Options {
    /// Reads the options from the environment of this process.
    ///
    /// # Errors
    /// When a variable is set to something that cannot be used.
    pub fn from_env() -> Result<Options, EnvError> {
        Options::from_lookup(&process_env)
    }

    /// Reads the options from `lookup`.
    ///
    /// # Errors
    /// When a variable is set to something that cannot be used.
    pub fn from_lookup(lookup: &Lookup<'_>) -> Result<Options, EnvError> {
        let positive = "a whole number above 0";
        let flag = |name| match get(lookup, name, "0 or 1", |text| match text {
            "0" => Some(false),
            "1" => Some(true),
            _ => None,
        }) {
            Ok(flag) => Ok(flag.unwrap_or(false)),
            Err(error) => Err(error),
        };
        Ok(Options {
            heap_bytes: get(lookup, name::HEAP_BYTES, positive, |t| t.parse().ok().filter(|&n| n > 0))?,
            placement: get(lookup, name::PLACEMENT, "local, round-robin, least-loaded or remote", |t| {
                t.parse().ok()
            })?
            .unwrap_or_default(),
            spread: get(lookup, name::SPREAD, "none or all", |t| t.parse().ok())?.unwrap_or_default(),
            transport: get(lookup, name::TRANSPORT, "tcp or shm", |t| t.parse().ok())?,
            no_direct: flag(name::NO_DIRECT)?,
            threads: get(lookup, name::THREADS, positive, |t| t.parse().ok().filter(|&n| n > 0))?,
            private_statics: flag(name::PRIVATE_STATICS)?,
            hot_pages: flag(name::HOT_PAGES)?,
            verbose: get(lookup, name::VERBOSE, "a number from 0 to 255", |t| t.parse().ok())?.unwrap_or(0),
        })
    }

    /// The variables that carry these options to a node.
    pub fn to_vars(&self) -> Vec<(&'static str, String)> {
        let flag = |on: bool| if on { "1" } else { "0" }.to_owned();
        let mut vars = vec![
            (name::PLACEMENT, self.placement.to_string()),
            (name::SPREAD, self.spread.to_string()),
            (name::NO_DIRECT, flag(self.no_direct)),
            (name::PRIVATE_STATICS, flag(self.private_statics)),
            (name::HOT_PAGES, flag(self.hot_pages)),
            (name::VERBOSE, self.verbose.to_string()),
        ];
        vars.extend(self.heap_bytes.map(|bytes| (name::HEAP_BYTES, bytes.to_string())));
        vars.extend(self.transport.map(|transport| (name::TRANSPORT, transport.to_string())));
        vars.extend(self.threads.map(|threads| (name::THREADS, threads.to_string())));
        vars
    }
}
