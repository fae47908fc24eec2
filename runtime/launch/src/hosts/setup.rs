//! What an agent finds out about its host before a node starts there.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::{IpAddr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dstd_control::env::{Options, Reach};
use dstd_control::exit;

use super::frames::Job;
use super::net::{self, Iface};
use super::{DESCRIPTORS_PER_NODE, build};
use crate::everyday::Readers;
use crate::program;
use crate::spawn::{Streams, Template};
use crate::sys;

type Failure = (i32, String);

/// A descriptor of stdout for the caller alone.
pub(super) fn take_stdout() -> io::Result<OwnedFd> {
    io::stdout().as_fd().try_clone_to_owned()
}

/// A new file for the program, in a new directory.
pub(super) fn new_program(path: &Path) -> io::Result<File> {
    if let Some(dir) = path.parent() {
        fs::create_dir(dir)?;
    }
    OpenOptions::new().write(true).create_new(true).mode(0o700).open(path)
}

/// How many descriptors a node of this host can have, as far as `size` nodes need them.
pub(super) fn descriptors(size: u16) -> Result<u64, Failure> {
    let wanted = u64::from(size) * DESCRIPTORS_PER_NODE;
    let limit = sys::descriptors(wanted);
    limit.map_err(|error| (exit::HOST, format!("cannot read the limit of descriptors: {error}")))
}

/// What the nodes of this host have in common; fails when the host is not fit for them.
pub(super) fn template(job: &Job, path: PathBuf) -> Result<Template, Failure> {
    let path = program::find(path.as_os_str(), None)
        .map_err(|error| (exit::HOST, format!("{error}: put the program there, or use --bcast")))?;
    let found = build::identity(&path)
        .map_err(|error| (exit::HOST, format!("cannot read {}: {error}", path.display())))?;
    if found != job.build {
        let path = path.display();
        let words =
            format!("{path} is another build ({found}, wanted {}): copy it, or use --bcast", job.build);
        return Err((exit::VERSION, words));
    }
    let dir = PathBuf::from(&job.dir);
    if !dir.is_dir() {
        let words = format!("there is no directory {}: choose another with --chdir", dir.display());
        return Err((exit::HOST, words));
    }
    let wrong = |what: &str| (exit::INTERNAL, format!("the launcher sent {what} that cannot be used"));
    let lookup = |name: &str| {
        let found = job.options.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.into())
    };
    let ports = job.ports.as_deref().map(str::parse).transpose().map_err(|_| wrong("ports"))?;
    Ok(Template {
        path,
        name: job.name.clone(),
        args: job.args.clone(),
        vars: job.vars.clone(),
        dir: Some(dir),
        job_id: job.job_id.clone(),
        size: job.size,
        controller: job.controller,
        connect_timeout: Duration::from_millis(job.connect_timeout_ms),
        reach: Reach {
            listen: Some(listen_address(job)?),
            ports,
            own_stdout: job.each_stdout,
            ..Reach::default()
        },
        options: Options::from_lookup(&lookup).map_err(|_| wrong("options"))?,
        relayed: true,
        stdout: None,
        signals: sys::mask()
            .map_err(|error| (exit::INTERNAL, format!("cannot read the signal mask: {error}")))?,
        secret: job.secret.clone(),
        streams: Streams {
            stdin: Readers::Node0,
            stdout_inherited: !job.each_stdout,
            stderr_like_ours: false,
        },
    })
}

/// Where the nodes of this host listen: where the host file says, else in the network that was asked
/// for, else where the launcher is reached from.
fn listen_address(job: &Job) -> Result<IpAddr, Failure> {
    if let Some(address) = job.addr {
        return match UdpSocket::bind((address, 0)) {
            Ok(_) => Ok(address),
            Err(error) => Err((exit::HOST, format!("addr={address} is no address of this host: {error}"))),
        };
    }
    if let Some(iface) = &job.iface {
        let iface: Iface = iface.parse().map_err(|words| (exit::INTERNAL, words))?;
        let interfaces = net::interfaces()
            .map_err(|error| (exit::HOST, format!("cannot read the addresses of this host: {error}")))?;
        return iface
            .pick(&interfaces)
            .ok_or_else(|| (exit::HOST, format!("no address of this host is in {iface} (--iface)")));
    }
    let controller = job.controller.ip();
    net::route_to(controller)
        .map_err(|error| (exit::HOST, format!("the launcher cannot be reached at {controller}: {error}")))
}
