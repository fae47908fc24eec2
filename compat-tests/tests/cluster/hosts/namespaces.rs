//! Two hosts that share nothing but a wire: network namespaces that the test makes and removes.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::SENT;
use super::sshd::{self, Sshd};
use crate::examples::{examples, some_text};
use crate::harness::{Run, SCENARIOS, alone, launch};

pub(crate) const HERE: &str = "10.231.77.1";
const THERE: &str = "10.231.77.2";

/// A namespace; it goes when the test ends.
struct Namespace(String);

impl Namespace {
    fn new(name: &str) -> Namespace {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("dstd-{}-{}-{name}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        ip(&["netns", "add", &name]);
        Namespace(name)
    }

    fn set_up(&self, link: &str, address: &str) {
        ip(&["-n", &self.0, "addr", "add", address, "dev", link]);
        ip(&["-n", &self.0, "link", "set", link, "up"]);
        ip(&["-n", &self.0, "link", "set", "lo", "up"]);
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = Command::new("ip").args(["netns", "del", &self.0]).status() {
            eprintln!("{} stays behind: {error}", self.0);
        }
    }
}

fn ip(words: &[&str]) {
    let output = Command::new("ip").args(words).output().expect("ip is there");
    assert!(output.status.success(), "ip {words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Two hosts and the wire between them.
pub(crate) struct Wire {
    here: Namespace,
    there: Namespace,
}

impl Wire {
    /// `None`, with words, where it cannot be made.
    pub(crate) fn new() -> Option<Wire> {
        let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
        let tool = ["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip"].iter().any(|path| Path::new(path).exists());
        if !root || !tool {
            eprintln!("skipped: network namespaces need root and iproute2");
            return None;
        }
        let (here, there) = (Namespace::new("here"), Namespace::new("there"));
        ip(&[
            "-n", &here.0, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", &there.0,
        ]);
        here.set_up("wire", &format!("{HERE}/24"));
        there.set_up("wire", &format!("{THERE}/24"));
        Some(Wire { here, there })
    }

    /// What to write before a command to run it on this host, and on the other.
    pub(crate) fn entries(&self) -> [[&str; 4]; 2] {
        [&self.here, &self.there].map(|namespace| ["ip", "netns", "exec", &namespace.0])
    }
}

/// The same, with an sshd on the other host.
struct Reached {
    sshd: Sshd,
    wire: Wire,
}

impl Reached {
    fn new() -> Option<Reached> {
        if !sshd::is_here() {
            return None;
        }
        let wire = Wire::new()?;
        let sshd = Sshd::start(THERE, &wire.entries()[1]);
        Some(Reached { sshd, wire })
    }

    /// Runs the launcher on one of the hosts.
    fn launch(&self, options: &[&str], command: &[&std::ffi::OsStr]) -> Run {
        let launcher = self.sshd.launcher().display().to_string();
        let rsh = self.sshd.rsh();
        let entries = self.wire.entries();
        let words = entries[0][1..].iter().copied().chain([launcher.as_str(), "--rsh", &rsh]);
        launch(words.chain(options.iter().copied()), command.iter().copied()).launcher("ip".into())
    }
}

#[test]
fn word_count_prints_the_same_on_two_hosts() {
    let Some(reached) = Reached::new() else { return };
    let (_scratch, text) = some_text();
    let arguments = [text.as_os_str(), "--top".as_ref(), "7".as_ref()];
    let std = alone(examples().join("word_count_std"), arguments).finish().with_code(0);
    let program = examples().join("word_count");
    let command = [program.as_os_str(), arguments[0], arguments[1], arguments[2]];
    for hosts in [format!("{HERE},{THERE}"), format!("{HERE}:2,{THERE}:2"), format!("{THERE}:2,{HERE}")] {
        for more in [&[][..], &["--iface", "10.231.77.0/24"], &["--iface", "wire"]] {
            let options = [&["-H", hosts.as_str()], more].concat();
            let ended = reached.launch(&options, &command).finish().with_code(0);
            assert_eq!(ended.stdout, std.stdout, "on {options:?}");
        }
    }
    reached.sshd.assert_nobody_left();
}

#[test]
fn a_program_crosses_the_wire() {
    let Some(reached) = Reached::new() else { return };
    let hosts = format!("{HERE},{THERE}:2");
    let options = ["--bcast", "--connect-timeout", SENT, "-H", &hosts];
    let run = reached.launch(&options, &[SCENARIOS.as_ref(), "println_order".as_ref()]);
    run.finish().ok("println_order");
    reached.sshd.assert_nobody_left();
}

#[test]
fn a_network_that_a_host_lacks_gives_65() {
    let Some(reached) = Reached::new() else { return };
    ip(&["-n", &reached.wire.here.0, "addr", "add", "10.231.78.1/24", "dev", "wire"]);
    let hosts = format!("{HERE},{THERE}");
    let options = ["--iface", "10.231.78.0/24", "-H", &hosts];
    let ended = reached.launch(&options, &[SCENARIOS.as_ref(), "reads_dyn".as_ref()]).finish();
    ended.with_code(65).says(&[THERE, "10.231.78.0/24", "--iface"]);
    reached.sshd.assert_nobody_left();
}
