//! What several hosts ask of a node, and what the lack of a launcher does.

use std::net::IpAddr;

use super::{EnvError, Lookup, get, name};
use crate::ports::PortRange;

/// How a node reaches the others; all of it absent where a launcher starts all nodes on one host.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Reach {
    /// The address on which it accepts its peers; `None`: the loopback.
    pub listen: Option<IpAddr>,
    /// The ports it may take; `None`: any.
    pub ports: Option<PortRange>,
    /// How many descriptors a process can have on every host; `None`: as many as on this one.
    pub descriptors: Option<u64>,
    /// The launcher tells the nodes' stdout apart, so that it is each node's own and not node 0's.
    pub own_stdout: bool,
    /// Nobody reads the statistics block: what this node has to say goes to its stderr.
    pub unwatched: bool,
}

impl Reach {
    pub(super) fn from_lookup(lookup: &Lookup<'_>) -> Result<Reach, EnvError> {
        let flag = |name| {
            get(lookup, name, "0 or 1", |text| match text {
                "0" => Some(false),
                "1" => Some(true),
                _ => None,
            })
        };
        Ok(Reach {
            listen: get(lookup, name::LISTEN, "an IP address", |text| text.parse().ok())?,
            ports: get(lookup, name::PORTS, "two ports, like 4000-4100", |text| text.parse().ok())?,
            descriptors: get(lookup, name::DESCRIPTORS, "a whole number", |text| text.parse().ok())?,
            own_stdout: flag(name::OWN_STDOUT)?.unwrap_or(false),
            unwatched: flag(name::UNWATCHED)?.unwrap_or(false),
        })
    }

    /// The variables that carry this to a node.
    pub(super) fn to_vars(&self) -> Vec<(&'static str, String)> {
        let mut vars = Vec::new();
        vars.extend(self.listen.map(|address| (name::LISTEN, address.to_string())));
        vars.extend(self.ports.map(|ports| (name::PORTS, ports.to_string())));
        vars.extend(self.descriptors.map(|count| (name::DESCRIPTORS, count.to_string())));
        vars.extend(self.own_stdout.then(|| (name::OWN_STDOUT, "1".to_owned())));
        vars.extend(self.unwatched.then(|| (name::UNWATCHED, "1".to_owned())));
        vars
    }
}
