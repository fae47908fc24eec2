//! An sshd of a test's own: throw-away keys, a free port, the current user, gone when the test ends.

use std::fs;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::{END, LAUNCH, Scratch, copy_program};

/// What a test of other hosts needs beside the launcher.
const PROGRAMS: [&str; 3] = ["/usr/sbin/sshd", "/usr/bin/ssh", "/usr/bin/ssh-keygen"];
/// An sshd that takes longer to listen is broken.
const LISTENS: Duration = Duration::from_secs(60);

/// A host that can be reached by ssh.
pub(crate) struct Sshd {
    scratch: Scratch,
    child: Child,
    port: u16,
}

/// Whether the programs are there; says so when they are not.
pub(crate) fn is_here() -> bool {
    let missing: Vec<_> = PROGRAMS.into_iter().filter(|path| !Path::new(path).exists()).collect();
    if !missing.is_empty() {
        eprintln!("skipped: no {missing:?} here (install openssh-server and openssh-client)");
    }
    missing.is_empty()
}

impl Sshd {
    /// Starts one at `address`; `before` are words to run it with, like `ip netns exec NAME`.
    pub(crate) fn start(address: &str, before: &[&str]) -> Sshd {
        // When it runs as root it insists on this empty directory, which a package makes at boot.
        drop(fs::create_dir_all("/run/sshd"));
        let scratch = Scratch::new();
        for key in ["host", "user", "stranger"] {
            keygen(&scratch.file(key));
        }
        fs::copy(scratch.file("user.pub"), scratch.file("authorized")).expect("the directory is ours");
        // The launcher has a name of its own, so that its agents can be told from those of other tests.
        let launcher = scratch.file("launch");
        fs::hard_link(LAUNCH, &launcher).unwrap_or_else(|_| copy_program(LAUNCH.as_ref(), &launcher));
        loop {
            let port = free_port(if before.is_empty() { address } else { "127.0.0.1" });
            let mut child = spawn(&scratch, address, port, before);
            if listens(&mut child, address, port, before) {
                known_hosts(&scratch, address, port);
                return Sshd { scratch, child, port };
            }
            // Somebody else took the port; anything else is an error.
            let mut said = String::new();
            child.stderr.take().expect("it is piped").read_to_string(&mut said).expect("it is text");
            assert!(said.contains("Address already in use"), "sshd does not start: {said}");
        }
    }

    /// The launcher that this host has, too.
    pub(crate) fn launcher(&self) -> PathBuf {
        self.scratch.file("launch")
    }

    /// The remote shell that gets in.
    pub(crate) fn rsh(&self) -> String {
        self.rsh_with("user")
    }

    /// The remote shell with a key that nobody knows.
    pub(crate) fn rsh_of_a_stranger(&self) -> String {
        self.rsh_with("stranger")
    }

    fn rsh_with(&self, key: &str) -> String {
        let dir = |name| self.scratch.file(name).display().to_string();
        format!(
            "ssh -F none -x -T -p {} -i '{}' -o UserKnownHostsFile='{}' -o GlobalKnownHostsFile=none \
             -o StrictHostKeyChecking=yes -o BatchMode=yes -o IdentitiesOnly=yes",
            self.port,
            dir(key),
            dir("known")
        )
    }

    /// Waits until no agent is left that this launcher has started.
    pub(crate) fn assert_nobody_left(&self) {
        let deadline = Instant::now() + END;
        while let Some(pid) = self.agents().first() {
            assert!(Instant::now() < deadline, "process {pid} is left on the host");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The processes that run this host's launcher, the ones that start them too.
    pub(crate) fn agents(&self) -> Vec<u32> {
        let launcher = self.launcher().display().to_string();
        let processes = fs::read_dir("/proc").expect("Linux has /proc");
        let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        pids.filter(|pid: &u32| {
            let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&words).contains(&launcher)
        })
        .collect()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // It is our child: killed and reaped, or gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn keygen(path: &Path) {
    let mut command = Command::new("/usr/bin/ssh-keygen");
    let status = command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path).status();
    assert!(status.expect("it is there").success(), "{command:?} fails");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("it is ours");
}

fn free_port(address: &str) -> u16 {
    let listener = TcpListener::bind((address, 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

fn spawn(scratch: &Scratch, address: &str, port: u16, before: &[&str]) -> Child {
    let file = |name| scratch.file(name).display().to_string();
    let config = format!(
        "Port {port}\nListenAddress {address}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\n\
         UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n\
         MaxStartups 100\nLogLevel ERROR\n",
        file("host"),
        file("authorized")
    );
    fs::write(scratch.file("config"), config).expect("the directory is ours");
    let config = file("config");
    let words: Vec<&str> =
        before.iter().copied().chain([PROGRAMS[0], "-D", "-e", "-f", config.as_str()]).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().expect("sshd is there")
}

/// Whether it comes to listen; false when it ends instead.
fn listens(child: &mut Child, address: &str, port: u16, before: &[&str]) -> bool {
    let deadline = Instant::now() + LISTENS;
    loop {
        let reached = if before.is_empty() {
            TcpStream::connect((address, port)).is_ok()
        } else {
            // Its address is not ours: its namespace says who listens.
            let mut list = Command::new(before[0]);
            let list = list.args(&before[1..]).args(["cat", "/proc/net/tcp"]).output().expect("cat is there");
            String::from_utf8_lossy(&list.stdout).contains(&format!(":{port:04X} 00000000:0000 0A"))
        };
        if reached {
            return true;
        }
        if child.try_wait().expect("it is our child").is_some() {
            return false;
        }
        assert!(Instant::now() < deadline, "sshd does not listen");
        thread::sleep(Duration::from_millis(10));
    }
}

fn known_hosts(scratch: &Scratch, address: &str, port: u16) {
    let key = fs::read_to_string(scratch.file("host.pub")).expect("ssh-keygen wrote it");
    // Every loopback address leads to it.
    let hosts = [address, "127.0.0.1"].map(|address| format!("[{address}]:{port} {key}"));
    fs::write(scratch.file("known"), hosts.concat()).expect("the directory is ours");
}
