//! The environment that a launcher gives a node.
//!
//! | variable | content | set by |
//! |---|---|---|
//! | `DSTD_JOB_ID` | name of the job | launcher |
//! | `DSTD_RANK`, `DSTD_SIZE`, `DSTD_LOCAL_RANK` | this node, number of nodes, this node among those of its host | launcher |
//! | `DSTD_CONTROLLER` | `ip:port` of the launcher | launcher |
//! | `DSTD_CRED_FD` | descriptor from which the 32 bytes of the secret are read | launcher |
//! | `DSTD_STATS_FD` | descriptor of the statistics block | launcher |
//! | `DSTD_LINK_FDS` | with `shm`: descriptors of the sockets to the other nodes, by rank, as in `5,7` | launcher |
//! | `DSTD_CONNECT_TIMEOUT_MS` | bound of the start, in milliseconds | launcher |
//! | `DSTD_LISTEN`, `DSTD_PORTS` | address and `first-last` ports on which this node accepts its peers, with several hosts | launcher |
//! | `DSTD_DESCRIPTORS` | how many descriptors a process can have on every host | launcher |
//! | `DSTD_OWN_STDOUT` | `1`: with several hosts, stdout is each node's own, not node 0's | launcher |
//! | `DSTD_UNWATCHED` | `1`: nobody reads the statistics block, the node speaks for itself | `srun` and the like |
//! | `DSTD_HEAP_BYTES` | size of a node's heap | launcher or user |
//! | `DSTD_PLACEMENT` | where spawned threads run | launcher or user |
//! | `DSTD_SPREAD` | which threads are placed beside those of dstd's `spawn` | launcher or user |
//! | `DSTD_TRANSPORT` | how nodes talk | launcher or user |
//! | `DSTD_NO_DIRECT` | `1`: nodes of one host do not map each other's memory | launcher or user |
//! | `DSTD_THREADS` | user threads a node offers | launcher or user |
//! | `DSTD_PRIVATE_STATICS` | `1`: statics stay private to a node | launcher or user |
//! | `DSTD_HOT_PAGES` | `1`: nodes remember from where memory was allocated | launcher or user |
//! | `DSTD_VERBOSE` | 0 to 255 | launcher or user |
//!
//! A program that finds none of the launcher's variables runs as one node. One that finds some of
//! them but not all was launched badly and must fail; it never falls back to one node silently.

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::time::Duration;

mod managed;
mod options;
mod reach;

pub use managed::{ALONE, Managed, is_of_a_rank};
pub use options::{Options, Placement, Spread, Transport, UnknownName};
pub use reach::Reach;

/// Every variable, by name.
pub mod name {
    #![allow(missing_docs, reason = "named like the variables, explained by the table above")]
    pub const JOB_ID: &str = "DSTD_JOB_ID";
    pub const RANK: &str = "DSTD_RANK";
    pub const SIZE: &str = "DSTD_SIZE";
    pub const LOCAL_RANK: &str = "DSTD_LOCAL_RANK";
    pub const CONTROLLER: &str = "DSTD_CONTROLLER";
    pub const CRED_FD: &str = "DSTD_CRED_FD";
    pub const STATS_FD: &str = "DSTD_STATS_FD";
    pub const LINK_FDS: &str = "DSTD_LINK_FDS";
    pub const CONNECT_TIMEOUT_MS: &str = "DSTD_CONNECT_TIMEOUT_MS";
    pub const LISTEN: &str = "DSTD_LISTEN";
    pub const PORTS: &str = "DSTD_PORTS";
    pub const DESCRIPTORS: &str = "DSTD_DESCRIPTORS";
    pub const OWN_STDOUT: &str = "DSTD_OWN_STDOUT";
    pub const UNWATCHED: &str = "DSTD_UNWATCHED";
    pub const HEAP_BYTES: &str = "DSTD_HEAP_BYTES";
    pub const PLACEMENT: &str = "DSTD_PLACEMENT";
    pub const SPREAD: &str = "DSTD_SPREAD";
    pub const TRANSPORT: &str = "DSTD_TRANSPORT";
    pub const NO_DIRECT: &str = "DSTD_NO_DIRECT";
    pub const THREADS: &str = "DSTD_THREADS";
    pub const PRIVATE_STATICS: &str = "DSTD_PRIVATE_STATICS";
    pub const HOT_PAGES: &str = "DSTD_HOT_PAGES";
    pub const VERBOSE: &str = "DSTD_VERBOSE";
}

const MEMBERSHIP: [&str; 8] = [
    name::JOB_ID,
    name::RANK,
    name::SIZE,
    name::LOCAL_RANK,
    name::CONTROLLER,
    name::CRED_FD,
    name::STATS_FD,
    name::CONNECT_TIMEOUT_MS,
];

const ALL: [&str; 23] = [
    name::JOB_ID,
    name::RANK,
    name::SIZE,
    name::LOCAL_RANK,
    name::CONTROLLER,
    name::CRED_FD,
    name::STATS_FD,
    name::LINK_FDS,
    name::CONNECT_TIMEOUT_MS,
    name::LISTEN,
    name::PORTS,
    name::DESCRIPTORS,
    name::OWN_STDOUT,
    name::UNWATCHED,
    name::HEAP_BYTES,
    name::PLACEMENT,
    name::SPREAD,
    name::TRANSPORT,
    name::NO_DIRECT,
    name::THREADS,
    name::PRIVATE_STATICS,
    name::HOT_PAGES,
    name::VERBOSE,
];

/// The variables a node removes after it has read them, so that the program and its commands do not see them.
pub const fn names() -> &'static [&'static str] {
    &ALL
}

/// A variable that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum EnvError {
    /// Some variables of a launcher are there and this one is not.
    Missing {
        /// The variable that is missing.
        name: &'static str,
    },
    /// The variable's value cannot be understood.
    Invalid {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What was expected.
        expected: &'static str,
    },
}

impl EnvError {
    /// The status with which a node ends that finds this.
    pub const fn exit_code(&self) -> i32 {
        crate::exit::USAGE
    }
}

impl fmt::Display for EnvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EnvError::Missing { name } => write!(
                f,
                "{name} is not set although other variables of a launcher are: start the program with dstd-launch, or unset them all to run as one node"
            ),
            EnvError::Invalid { name, value, expected } => {
                write!(f, "{name}={value:?} cannot be used: it must be {expected}")
            }
        }
    }
}

impl std::error::Error for EnvError {}

/// Membership in a launched program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeEnv {
    /// Name of the job.
    pub job_id: String,
    /// This node.
    pub rank: u16,
    /// How many nodes there are.
    pub size: u16,
    /// This node among those of its host.
    pub local_rank: u16,
    /// Where the launcher listens.
    pub controller: SocketAddr,
    /// Descriptor from which the secret is read.
    pub cred_fd: RawFd,
    /// Descriptor of the statistics block.
    pub stats_fd: RawFd,
    /// Descriptors of the sockets over which this node sets up its links of shared memory: one for each other
    /// node, by rank. `None` for every other transport, and where there is one node.
    pub link_fds: Option<Vec<RawFd>>,
    /// Bound of the start.
    pub connect_timeout: Duration,
    /// What several hosts, or the lack of a launcher, ask of it.
    pub reach: Reach,
    /// What the user chose.
    pub options: Options,
}

impl NodeEnv {
    /// Reads the membership from the environment of this process; `None` without a launcher.
    ///
    /// # Errors
    /// When a variable of the launcher is missing or cannot be understood.
    pub fn from_env() -> Result<Option<NodeEnv>, EnvError> {
        NodeEnv::from_lookup(&process_env)
    }

    /// Reads the membership from `lookup`; `None` when no variable of a launcher is set.
    ///
    /// # Errors
    /// When a variable of the launcher is missing or cannot be understood.
    pub fn from_lookup(lookup: &Lookup<'_>) -> Result<Option<NodeEnv>, EnvError> {
        if MEMBERSHIP.iter().all(|name| lookup(name).is_none()) {
            return Ok(None);
        }
        let size_max = dstd_addr::NODES_MAX;
        let size = need(lookup, name::SIZE, "a number from 1 to 64", |t| {
            t.parse().ok().filter(|n| (1..=size_max).contains(n))
        })?;
        let rank = |t: &str| t.parse().ok().filter(|&rank| rank < size);
        let fd = |t: &str| t.parse().ok().filter(|&fd: &RawFd| fd > 2);
        let options = Options::from_lookup(lookup)?;
        let linked = size > 1 && options.transport == Some(Transport::Shm);
        let link_fds = |text: &str| {
            let fds: Vec<RawFd> = text.split(',').map(fd).collect::<Option<_>>()?;
            let repeated = (1..fds.len()).any(|at| fds[..at].contains(&fds[at]));
            (fds.len() + 1 == usize::from(size) && !repeated).then_some(fds)
        };
        Ok(Some(NodeEnv {
            job_id: need(lookup, name::JOB_ID, "a text", |t| (!t.is_empty()).then(|| t.to_owned()))?,
            rank: need(lookup, name::RANK, "a number below DSTD_SIZE", rank)?,
            size,
            local_rank: need(lookup, name::LOCAL_RANK, "a number below DSTD_SIZE", rank)?,
            controller: need(lookup, name::CONTROLLER, "ip:port", |t| t.parse().ok())?,
            cred_fd: need(lookup, name::CRED_FD, "a descriptor above 2", fd)?,
            stats_fd: need(lookup, name::STATS_FD, "a descriptor above 2", fd)?,
            link_fds: linked
                .then(|| {
                    need(lookup, name::LINK_FDS, "different descriptors above 2, one for each peer", link_fds)
                })
                .transpose()?,
            connect_timeout: need(lookup, name::CONNECT_TIMEOUT_MS, "milliseconds", |t| {
                t.parse().ok().map(Duration::from_millis).filter(|&wait| wait <= crate::DURATION_MAX)
            })?,
            reach: Reach::from_lookup(lookup)?,
            options,
        }))
    }

    /// The variables that carry this membership to a node.
    pub fn to_vars(&self) -> Vec<(&'static str, String)> {
        let mut vars = vec![
            (name::JOB_ID, self.job_id.clone()),
            (name::RANK, self.rank.to_string()),
            (name::SIZE, self.size.to_string()),
            (name::LOCAL_RANK, self.local_rank.to_string()),
            (name::CONTROLLER, self.controller.to_string()),
            (name::CRED_FD, self.cred_fd.to_string()),
            (name::STATS_FD, self.stats_fd.to_string()),
            (name::CONNECT_TIMEOUT_MS, self.connect_timeout.as_millis().to_string()),
        ];
        vars.extend(self.link_fds.as_ref().map(|fds| {
            let fds: Vec<String> = fds.iter().map(RawFd::to_string).collect();
            (name::LINK_FDS, fds.join(","))
        }));
        vars.extend(self.reach.to_vars());
        vars.extend(self.options.to_vars());
        vars
    }
}

/// Finds the value of a variable.
pub type Lookup<'a> = dyn Fn(&str) -> Option<OsString> + 'a;

fn process_env(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

fn get<T>(
    lookup: &Lookup<'_>,
    name: &'static str,
    expected: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, EnvError> {
    let Some(value) = lookup(name) else { return Ok(None) };
    match value.to_str().and_then(parse) {
        Some(parsed) => Ok(Some(parsed)),
        None => Err(EnvError::Invalid { name, value: value.to_string_lossy().into_owned(), expected }),
    }
}

fn need<T>(
    lookup: &Lookup<'_>,
    name: &'static str,
    expected: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<T, EnvError> {
    get(lookup, name, expected, parse)?.ok_or(EnvError::Missing { name })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn member() -> NodeEnv {
        NodeEnv {
            job_id: "j1".to_owned(),
            rank: 1,
            size: 3,
            local_rank: 1,
            controller: "127.0.0.1:4000".parse().expect("an address"),
            cred_fd: 3,
            stats_fd: 4,
            link_fds: Some(vec![5, 17]),
            connect_timeout: Duration::from_millis(1500),
            reach: Reach {
                listen: Some("10.1.2.3".parse().expect("an address")),
                ports: Some("4000-4100".parse().expect("a range")),
                descriptors: Some(1024),
                own_stdout: true,
                unwatched: true,
            },
            options: Options {
                heap_bytes: Some(1 << 32),
                placement: Placement::Remote,
                spread: Spread::All,
                transport: Some(Transport::Shm),
                no_direct: true,
                threads: Some(4),
                private_statics: true,
                hot_pages: true,
                verbose: 2,
            },
        }
    }

    fn parse(vars: &BTreeMap<&str, String>) -> Result<Option<NodeEnv>, EnvError> {
        NodeEnv::from_lookup(&|name| vars.get(name).map(OsString::from))
    }

    #[test]
    fn what_a_launcher_writes_a_node_reads() {
        let vars: BTreeMap<_, _> = member().to_vars().into_iter().collect();
        assert_eq!(parse(&vars), Ok(Some(member())));
        assert!(vars.keys().all(|name| names().contains(name)), "a node removes all it was given");
        assert_eq!(vars.len(), names().len());
    }

    #[test]
    fn no_variable_is_one_node_and_half_of_them_is_an_error() {
        assert_eq!(parse(&BTreeMap::new()), Ok(None));
        for missing in MEMBERSHIP.into_iter().chain([name::LINK_FDS]) {
            let mut vars: BTreeMap<_, _> = member().to_vars().into_iter().collect();
            vars.remove(missing);
            assert_eq!(parse(&vars), Err(EnvError::Missing { name: missing }));
        }
    }

    #[test]
    fn descriptors_of_links_belong_to_shared_memory_and_to_several_nodes() {
        let alone = NodeEnv { rank: 0, size: 1, local_rank: 0, link_fds: None, ..member() };
        let options = Options { transport: Some(Transport::Tcp), ..member().options };
        for other in [alone, NodeEnv { link_fds: None, options, ..member() }] {
            let vars: BTreeMap<_, _> = other.to_vars().into_iter().collect();
            assert!(!vars.contains_key(name::LINK_FDS));
            assert_eq!(parse(&vars), Ok(Some(other)));
        }
    }

    #[test]
    fn options_alone_do_not_make_a_member() {
        let vars: BTreeMap<_, _> = member().options.to_vars().into_iter().collect();
        assert_eq!(parse(&vars), Ok(None));
        let options = Options::from_lookup(&|name| vars.get(name).map(OsString::from));
        assert_eq!(options, Ok(member().options));
        assert_eq!(Options::from_lookup(&|_| None), Ok(Options::default()));
    }

    #[test]
    fn a_bad_value_is_an_error_that_names_its_variable() {
        for (name, value) in [
            (name::RANK, "3"),
            (name::RANK, "-1"),
            (name::LOCAL_RANK, "3"),
            (name::SIZE, "0"),
            (name::SIZE, "65"),
            (name::CONTROLLER, "localhost:1"),
            (name::CRED_FD, "2"),
            (name::STATS_FD, "x"),
            (name::LINK_FDS, "5"),
            (name::LINK_FDS, "5,6,7"),
            (name::LINK_FDS, "5,5"),
            (name::LINK_FDS, "2,5"),
            (name::LINK_FDS, ""),
            (name::CONNECT_TIMEOUT_MS, "10s"),
            (name::CONNECT_TIMEOUT_MS, "18446744073709551615"),
            (name::LISTEN, "eth0"),
            (name::PORTS, "5-4"),
            (name::DESCRIPTORS, "-1"),
            (name::UNWATCHED, "yes"),
            (name::HEAP_BYTES, "4G"),
            (name::HEAP_BYTES, "0"),
            (name::PLACEMENT, "anywhere"),
            (name::SPREAD, "some"),
            (name::TRANSPORT, "rdma"),
            (name::NO_DIRECT, "yes"),
            (name::THREADS, "0"),
            (name::PRIVATE_STATICS, ""),
            (name::HOT_PAGES, "5"),
            (name::VERBOSE, "256"),
            (name::JOB_ID, ""),
        ] {
            let mut vars: BTreeMap<_, _> = member().to_vars().into_iter().collect();
            vars.insert(name, value.to_owned());
            match parse(&vars) {
                Err(error @ EnvError::Invalid { name: named, .. }) => {
                    assert_eq!(named, name);
                    assert!(error.to_string().starts_with(&format!("{name}={value:?}")), "{error}");
                }
                other => panic!("{name}={value:?} gave {other:?}"),
            }
        }
    }
}
