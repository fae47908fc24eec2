//! All hosts can run the program, or nothing starts and each says why.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use super::{on, other_host, sshd};
use crate::harness::{Ended, SCENARIOS, Scratch, copy_program, launch};
use crate::start::copy_with_another_build_id;

#[test]
fn a_host_that_does_not_exist_gives_65_with_sshs_words() {
    let Some(sshd) = other_host() else { return };
    let ended = on(&sshd, "localhost,127.0.0.2,no-such-host.invalid", "reads_dyn").finish().with_code(65);
    let ended = ended.says(&["no-such-host.invalid", "Could not resolve", "127.0.0.2", "ready"]);
    assert_eq!(ended.stdout, "");
    sshd.assert_nobody_left();
}

#[test]
fn a_refused_key_gives_65() {
    let Some(sshd) = other_host() else { return };
    let rsh = sshd.rsh_of_a_stranger();
    let run = launch(["--rsh", &rsh, "-H", "localhost,127.0.0.2"], [SCENARIOS, "reads_dyn"]);
    assert_eq!(run.finish().with_code(65).says(&["127.0.0.2", "Permission denied"]).stdout, "");
}

#[test]
fn a_port_on_which_nobody_listens_gives_65() {
    if !sshd::is_here() {
        return;
    }
    // Nobody listens on port 1.
    let options = ["--rsh", "ssh -F none -o BatchMode=yes -p 1", "-H", "localhost,127.0.0.2"];
    launch(options, [SCENARIOS, "reads_dyn"]).finish().with_code(65).says(&["127.0.0.2", "refused"]);
}

#[test]
fn a_host_that_never_answers_gives_65_in_time() {
    if !sshd::is_here() {
        return;
    }
    // It accepts connections and says nothing.
    let mute = TcpListener::bind("127.0.0.2:0").expect("a free port");
    let port = mute.local_addr().expect("it is bound").port();
    let rsh = format!("ssh -F none -o BatchMode=yes -p {port}");
    let run =
        launch(["--rsh", &rsh, "--connect-timeout", "2s", "-H", "127.0.0.2,localhost"], [SCENARIOS, "x"]);
    run.finish().with_code(65).says(&["127.0.0.2", "--connect-timeout"]);
}

/// Runs a copy of the program, to which `change` is done on the way to the other host.
fn with_changed_program(change: impl Fn(&Path, &Path) -> String) -> Option<Ended> {
    let sshd = other_host()?;
    let scratch = Scratch::new();
    let (program, other) = (scratch.file("program"), scratch.file("other"));
    copy_program(SCENARIOS.as_ref(), &program);
    copy_with_another_build_id(SCENARIOS.as_ref(), &other);
    let script = scratch.file("rsh");
    let text = format!("{}; exec {} \"$@\"\n", change(&program, &other), sshd.rsh());
    fs::write(&script, text).expect("the directory is ours");
    let rsh = format!("/bin/sh {}", script.display());
    let run = launch(["--rsh".into(), rsh, "-H".into(), "localhost,127.0.0.2".into()], [&program]);
    let ended = run.argument("reads_dyn").launcher(sshd.launcher()).finish();
    sshd.assert_nobody_left();
    Some(ended)
}

#[test]
fn another_build_on_a_host_gives_66() {
    let swap = |program: &Path, other: &Path| format!("mv '{}' '{}'", other.display(), program.display());
    let Some(ended) = with_changed_program(swap) else { return };
    assert_eq!(ended.with_code(66).says(&["host 127.0.0.2", "another build", "--bcast"]).stdout, "");
}

#[test]
fn a_program_that_a_host_lacks_gives_65() {
    let remove = |program: &Path, _: &Path| format!("rm '{}'", program.display());
    let Some(ended) = with_changed_program(remove) else { return };
    assert_eq!(ended.with_code(65).says(&["host 127.0.0.2", "--bcast"]).stdout, "");
}

#[test]
fn a_launcher_that_a_host_lacks_gives_65() {
    let Some(sshd) = other_host() else { return };
    let scratch = Scratch::new();
    let script = scratch.file("rsh");
    // The path of the agent's launcher is made wrong on the way.
    let text = format!("exec {} \"$1\" /no/such/dstd-launch agent\n", sshd.rsh());
    fs::write(&script, text).expect("the directory is ours");
    let rsh = format!("/bin/sh {}", script.display());
    let run = launch(["--rsh", &rsh, "-H", "localhost,127.0.0.2"], [SCENARIOS, "reads_dyn"]);
    run.finish().with_code(65).says(&["host 127.0.0.2", "/no/such/dstd-launch", "install"]);
}

#[test]
fn wrong_hosts_give_64_with_file_and_line() {
    let scratch = Scratch::new();
    let file = scratch.file("hosts");
    fs::write(&file, "# a comment\nlocalhost slots=many\n").expect("the directory is ours");
    let place = format!("{}:2: ", file.display());
    let run = launch(["--hostfile"], [SCENARIOS, "reads_dyn"]);
    // The option's value comes right behind it.
    let run = run.option(&file);
    run.finish().with_code(64).says(&[&place, "slots"]);
    for options in [
        ["-H", "localhost:2", "-n", "3"],
        ["-H", "h:0", "-n", "1"],
        ["-H", "", "-n", "1"],
        // Memory is shared within one host.
        ["-H", "localhost,127.0.0.2", "--transport", "shm"],
    ] {
        launch(options, [SCENARIOS, "reads_dyn"]).finish().with_code(64);
    }
}

#[test]
fn slots_of_this_host_alone_need_no_shell() {
    let options = ["--rsh", "/bin/false", "-H", "localhost:2"];
    launch(options, [SCENARIOS, "reads_dyn"]).finish().ok("reads_dyn");
}
