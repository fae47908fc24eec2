//! The remote shell: how a command is run on another host.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::spec::Host;
use crate::sys;

/// What is run unless the user says otherwise: no terminal, no question to answer, and a dead network is noticed.
pub(super) const DEFAULT: &str =
    "ssh -x -T -o BatchMode=yes -o ServerAliveInterval=5 -o ServerAliveCountMax=3 -o ConnectTimeout=30";

/// Starts `remote` on `host` with `rsh`, a remote shell and its options as one would type them.
///
/// All three streams are pipes. It dies with the calling thread, and ^C of a terminal does not reach it.
pub(super) fn start(rsh: &str, host: &Host, remote: &str, signals: &sys::Mask) -> io::Result<Child> {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(format!("exec {rsh} \"$@\"")).arg("dstd-launch").arg(host.login()).arg(remote);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let (launcher, signals) = (std::process::id(), *signals);
    // SAFETY: the function makes only calls that are safe between fork and exec.
    unsafe { command.pre_exec(move || sys::die_with(launcher, &signals)) };
    command.spawn()
}

/// The command that starts the agent where the launcher is installed at the same path.
pub(super) fn agent_command(launcher: &Path) -> String {
    format!("{} agent", quote(&launcher.to_string_lossy()))
}

/// The command that receives the launcher (`bytes` long) on stdin, puts it into a new directory
/// under `dir`, starts it as agent, and removes the directory in the end.
pub(super) fn receiving_command(dir: Option<&Path>, bytes: u64) -> String {
    let base = dir.map_or("\"${TMPDIR:-/tmp}\"".to_owned(), |dir| quote(&dir.to_string_lossy()));
    let script = format!(
        "d=$(mktemp -d {base}/dstd-XXXXXX) || exit 1; \
         head -c {bytes} > \"$d/dstd-launch\" && chmod 700 \"$d/dstd-launch\" && \"$d/dstd-launch\" agent \"$d\"; \
         s=$?; rm -rf \"$d\"; exit $s"
    );
    // The login shell need not be one of Bourne's.
    format!("exec /bin/sh -c {}", quote(&script))
}

/// `text` as one word of any shell.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> String {
        let output = Command::new("/bin/sh").args(["-c", script]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn words_survive_a_shell() {
        for text in ["/usr/bin/dstd-launch", "/a dir/it's", "$HOME `x` \"y\" \\"] {
            assert_eq!(sh(&format!("printf %s {}", quote(text))), text);
        }
    }

    #[test]
    fn the_received_launcher_is_run_and_removed() {
        use std::io::Write;
        let script = b"#!/bin/sh\necho \"$1\"; head -c 4; ls -d \"$2\"; exit 3\n";
        let dir = std::env::temp_dir();
        let mut child = Command::new("/bin/sh")
            .args(["-c", &receiving_command(Some(&dir), script.len() as u64)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(script).unwrap();
        stdin.write_all(b"rest").unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let made = text.strip_prefix("agent\nrest").expect("its arguments and its stdin").trim();
        assert!(made.starts_with(dir.to_str().unwrap()), "{made}");
        assert!(!Path::new(made).exists(), "it stays behind");
        assert_eq!(output.status.code(), Some(3));
    }
}
