//! Loopback, and the way to other hosts.

use std::ffi::OsStr;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::Finding;
use crate::program;

/// Loopback answers at once, or not at all.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn loopback() -> Finding {
    let what = "loopback interface";
    match call_ourselves() {
        Ok(address) => Finding::ok(what, format!("{} can be listened on and reached", address.ip())),
        Err(error) => Finding::missing(what, format!("nodes cannot reach each other through it: {error}"))
            .cured_by("ip link set lo up (as root)"),
    }
}

fn call_ourselves() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    TcpStream::connect_timeout(&address, PATIENCE)?;
    Ok(address)
}

pub(super) fn ssh() -> Finding {
    let path = std::env::var_os("PATH");
    match program::find(OsStr::new("ssh"), path.as_deref()) {
        Ok(path) => Finding::ok("ssh", path.display().to_string()),
        Err(_) => Finding::missing("ssh", "not in PATH: only nodes on other hosts need it")
            .not_needed()
            .cured_by("apt-get install openssh-client"),
    }
}
