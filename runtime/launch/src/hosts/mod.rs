//! Nodes on other hosts.
//!
//! ```text
//! launcher                                   host h2
//! options, spec, hostfile: which hosts
//! start --- rsh: ssh h2 dstd-launch agent ----> agent --- setup: is this host fit?
//!      \--- link <==== frames over ssh =======> agent --- spawn: one process a node
//!                                                     `-- relay: stdout, stderr
//! ```
//! One agent a host. Nothing is started anywhere before all hosts have said that they can.

pub(crate) mod agent;
mod build;
pub(crate) mod frames;
mod hostfile;
mod link;
mod net;
mod options;
mod relay;
mod rsh;
mod setup;
mod spec;
mod start;
mod stdin;

pub(crate) use frames::Scope;
pub(crate) use link::Heard;
pub(crate) use options::{Decided, HostOptions};
pub(crate) use spec::Cluster;
pub(crate) use start::{Patience, Remote, listen};

/// What a node gets where the limits of the hosts allow it, as in the runtime.
const DESCRIPTORS_PER_NODE: u64 = 4096;
