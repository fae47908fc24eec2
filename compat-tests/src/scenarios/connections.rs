//! What a node has open to reach the others: nothing of it gets in the way of the program's own files and children.

use std::fs;
use std::io::{self, ErrorKind};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::cluster;

/// Far more than a node takes to close what it needed to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sockets of this process: their numbers, and how many of them are TCP.
fn sockets() -> (Vec<i32>, usize) {
    let tables = ["/proc/self/net/tcp", "/proc/self/net/tcp6"]
        .map(|table| fs::read_to_string(table).unwrap_or_default());
    let is_tcp = |inode: &str| {
        tables
            .iter()
            .flat_map(|table| table.lines())
            .any(|line| line.split_whitespace().nth(9) == Some(inode))
    };
    let mut numbers = Vec::new();
    let mut tcp = 0;
    for entry in fs::read_dir("/proc/self/fd").unwrap() {
        let entry = entry.unwrap();
        // The directory itself is in the list, and gone when somebody looks.
        let target = fs::read_link(entry.path()).unwrap_or_default();
        let target = target.to_string_lossy();
        if let Some(inode) = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']')) {
            numbers.push(entry.file_name().to_string_lossy().parse().unwrap());
            tcp += usize::from(is_tcp(inode));
        }
    }
    (numbers, tcp)
}

/// The same when this node has closed its connection to the launcher: threads of other nodes may run here before.
fn sockets_of_the_program() -> (Vec<i32>, usize) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (numbers, tcp) = sockets();
        if numbers.len() < cluster::size() || cluster::size() == 1 || Instant::now() > deadline {
            return (numbers, tcp);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// The end of this node's range of descriptors.
fn end_of_range() -> i32 {
    let limits = fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// Every node's connections have numbers of its own, and end with it: a command inherits none, and a forked child has
/// closed them before it runs anything of the program.
pub(crate) fn connections() -> String {
    let seen = cluster::everywhere(|rank| {
        let (numbers, tcp) = sockets_of_the_program();
        if cluster::size() > 1 {
            let end = end_of_range();
            let start = end - end / (rank as i32 + 1);
            assert!(
                numbers.iter().all(|number| (start..end).contains(number)),
                "{numbers:?} of node {rank}, {start}..{end}"
            );
        }
        let listed = Command::new("ls").args(["-l", "/proc/self/fd"]).stdin(Stdio::null()).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert!(listed.contains("/dev/null") && !listed.contains("socket:"), "a command inherits {listed}");
        check_forked_child(numbers.clone());
        (tcp, numbers.len() - tcp)
    });
    seen.iter().map(|(tcp, others)| format!("{tcp}+{others}")).collect::<Vec<_>>().join(" ")
}

#[expect(unsafe_code, reason = "only a child's code between fork and exec needs it")]
fn check_forked_child(numbers: Vec<i32>) {
    use std::os::unix::process::CommandExt;

    let closed = move || {
        // SAFETY: takes integers only.
        let open = numbers.iter().any(|&number| unsafe { libc::fcntl(number, libc::F_GETFD) } >= 0);
        if open { Err(io::Error::from(ErrorKind::ResourceBusy)) } else { Ok(()) }
    };
    let mut command = Command::new("true");
    // SAFETY: the closure makes system calls, nothing else.
    unsafe { command.pre_exec(closed) };
    assert!(command.status().expect("a forked child has closed the connections").success());
}
