//! The options that name other hosts.

use std::ffi::OsString;
use std::path::PathBuf;

use dstd_control::env::{Options, Transport};
use dstd_control::ports::PortRange;

use super::net::{self, Iface};
use super::spec::{self, Cluster};
use super::{hostfile, rsh};
use crate::sys;

/// The variable that says what `--rsh` does not.
const RSH: &str = "DSTD_RSH";

/// Where `--help` lists them.
const HEADING: &str = "Several hosts";

/// Where the nodes run, and how they are reached.
#[derive(clap::Args, Debug, Clone, Default)]
pub(crate) struct HostOptions {
    /// Run on these hosts, N nodes on each [default: 1]; reached by ssh, except this one
    #[arg(short = 'H', long = "host", value_name = "HOST[:N],..", conflicts_with = "hostfile", help_heading = HEADING)]
    host: Vec<String>,
    /// The same from a file, a line a host: name [slots=N] [addr=IP] [user=U], # for comments
    #[arg(long, value_name = "FILE", help_heading = HEADING)]
    hostfile: Option<PathBuf>,
    /// Network over which nodes talk: eth0, or 10.0.0.0/8 [default: the one that leads to the first other host]
    #[arg(long, value_name = "NAME|NETWORK", help_heading = HEADING)]
    pub(super) iface: Option<Iface>,
    /// Ports on which launcher and nodes may listen, like 4000-4100 [default: any]
    #[arg(long, value_name = "A-B", help_heading = HEADING)]
    pub(super) port_range: Option<PortRange>,
    /// Copy program and launcher to a new directory in DIR on each other host [default DIR: /tmp]; else they
    /// must be there, at the same paths
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true, default_missing_value = "", help_heading = HEADING)]
    pub(super) bcast: Option<OsString>,
    /// How a command is run on another host [default: $DSTD_RSH, or ssh without questions]
    #[arg(long, value_name = "COMMAND", help_heading = HEADING)]
    rsh: Option<String>,
}

/// What [`HostOptions`] come to.
#[derive(Debug, Clone)]
pub(crate) struct Decided {
    pub(crate) cluster: Option<Cluster>,
    pub(crate) nodes: u16,
    pub(crate) options: Options,
}

impl HostOptions {
    /// The hosts, and how many nodes they run: `nodes`, else one a slot, else 2. What nodes of several hosts
    /// cannot do is switched off in `options`, or refused where it was asked for.
    pub(crate) fn decide(&self, nodes: Option<u16>, options: Options) -> Result<Decided, String> {
        const NODES: u16 = 2;
        let hosts = match &self.hostfile {
            Some(path) => hostfile::read(path)?,
            None if !self.host.is_empty() => spec::parse_list(&self.host)?,
            None => return Ok(Decided { cluster: None, nodes: nodes.unwrap_or(NODES), options }),
        };
        let names = names_of_this_host();
        let interfaces =
            net::interfaces().map_err(|error| format!("cannot read the addresses of this host: {error}"))?;
        let addresses: Vec<_> = interfaces.iter().map(|interface| interface.address).collect();
        let (cluster, nodes) = Cluster::fill(hosts, nodes, |host| host.is_here(&names, &addresses))?;
        let options = restrict(options, &cluster)?;
        Ok(Decided { cluster: Some(cluster), nodes, options })
    }

    /// The remote shell.
    pub(super) fn rsh(&self) -> String {
        let told = || std::env::var(RSH).ok().filter(|rsh| !rsh.trim().is_empty());
        self.rsh.clone().or_else(told).unwrap_or_else(|| rsh::DEFAULT.to_owned())
    }
}

fn names_of_this_host() -> Vec<String> {
    let name = sys::hostname();
    let short = name.split('.').next().unwrap_or_default().to_owned();
    vec!["localhost".to_owned(), name, short]
}

/// Memory is mapped and shared within one host only.
fn restrict(options: Options, cluster: &Cluster) -> Result<Options, String> {
    if !cluster.is_remote() {
        return Ok(options);
    }
    let transport = options.transport.unwrap_or(Transport::Tcp);
    if transport != Transport::Tcp {
        return Err(format!(
            "--transport {transport}: all nodes must be on this host for that, use tcp with others"
        ));
    }
    Ok(Options { transport: Some(transport), no_direct: options.no_direct || cluster.count() > 1, ..options })
}
