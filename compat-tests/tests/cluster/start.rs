//! The start is all or nothing: who does not belong together does not run.
//!
//! A shell between the launcher and a node changes what the node gets.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::harness::{Ended, SCENARIOS, Scratch, copy_program, launch, program};

/// Runs a scenario on two nodes, with the shell's `change` made before node 1 becomes the program.
fn changed_on_node_1(change: &str) -> Ended {
    let script = format!("if [ \"$DSTD_RANK\" = 1 ]; then {change}; fi; exec \"$0\" \"$@\"");
    program(2, "/bin/sh", ["-c", &script, SCENARIOS, "reads_dyn"]).finish()
}

#[test]
fn a_shell_in_between_changes_nothing() {
    changed_on_node_1("true").ok("reads_dyn");
}

#[test]
fn a_controller_that_cannot_be_reached_gives_69() {
    // Nobody listens on port 1.
    let ended = changed_on_node_1("export DSTD_CONTROLLER=127.0.0.1:1").with_code(69);
    assert_eq!(ended.says(&["127.0.0.1:1"]).stdout, "");
}

#[test]
fn a_wrong_secret_gives_67() {
    let scratch = Scratch::new();
    let file = scratch.file("secret");
    fs::write(&file, [7; 32]).expect("the directory is ours");
    let change = format!("exec 9<'{}'; export DSTD_CRED_FD=9", file.display());
    let ended = changed_on_node_1(&change).with_code(67);
    assert_eq!(ended.says(&["secret"]).stdout, "");
}

#[test]
fn a_program_of_another_build_gives_66() {
    let scratch = Scratch::new();
    let other = scratch.file("scenarios");
    copy_with_another_build_id(SCENARIOS.as_ref(), &other);
    let ended = changed_on_node_1(&format!("exec '{}' reads_dyn", other.display())).with_code(66);
    assert_eq!(ended.says(&["build"]).stdout, "");
}

/// Copies an executable and changes one byte of the build-id in its note.
pub(crate) fn copy_with_another_build_id(program: &Path, copy: &Path) {
    let mut bytes = fs::read(program).expect("it was built");
    // Note of 4 bytes of name and 20 or 8 of id, type 3, named GNU.
    let heads = [20_u8, 8, 16].map(|length| [4, 0, 0, 0, length, 0, 0, 0, 3, 0, 0, 0, b'G', b'N', b'U', 0]);
    let at = bytes.windows(16).position(|window| heads.iter().any(|head| window == head));
    let at = at.expect("the program has a build-id");
    bytes[at + 16] ^= 0xff;
    let changed = copy.with_extension("changed");
    fs::write(&changed, bytes).expect("the directory is ours");
    fs::set_permissions(&changed, Permissions::from_mode(0o755)).expect("it is ours");
    copy_program(&changed, copy);
}

#[test]
fn a_node_that_never_comes_gives_69() {
    let script = "if [ \"$DSTD_RANK\" = 1 ]; then exec sleep 600; fi; exec \"$0\" reads_dyn";
    let ended =
        program(2, "/bin/sh", ["-c", script, SCENARIOS]).option("--connect-timeout").option("2s").finish();
    assert_eq!(ended.with_code(69).says(&["node 1"]).stdout, "");
}

#[test]
fn a_node_that_leaves_without_a_word_has_failed() {
    let script = "if [ \"$DSTD_RANK\" = 1 ]; then exit 0; fi; exec \"$0\" reads_dyn";
    let ended = program(2, "/bin/sh", ["-c", script, SCENARIOS]).finish();
    assert_ne!(ended.code, 0);
    assert_eq!(ended.says(&["node 1"]).stdout, "");
}

#[test]
fn wrong_command_lines_give_64() {
    for options in [
        vec!["-n", "65"],
        vec!["-n", "0"],
        vec!["-n", "many"],
        vec!["-n"],
        vec!["--no-such-option"],
        vec!["--transport", "pigeon"],
        vec!["--placement", "anywhere"],
        vec!["--timeout", "soon"],
    ] {
        let ended = launch(options, [SCENARIOS, "reads_dyn"]).finish().with_code(64);
        assert_eq!(ended.stdout, "");
        assert!(!ended.stderr.is_empty());
    }
    let nothing: [&str; 0] = [];
    launch(["-n", "2"], nothing).finish().with_code(64);
}

#[test]
fn a_program_that_is_not_there_is_said_so() {
    let ended = program(2, "/no/such/program", ["x"]).finish();
    assert_ne!(ended.code, 0);
    ended.says(&["/no/such/program"]);
}

#[test]
fn a_program_that_takes_too_long_is_ended_with_69() {
    let ended = program(2, SCENARIOS, ["run_on"])
        .option("--timeout")
        .option("3s")
        .option("--grace")
        .option("1s")
        .finish();
    ended.with_code(69);
}
