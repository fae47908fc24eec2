//! What cargo starts in place of the compiler for the packages of suites (`RUSTC_WORKSPACE_WRAPPER`): their test programs get
//! the harness that runs units in the place of libtest's `main`. Nothing else differs.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use crate::verdict::{Verdict, cannot, while_doing};

/// Tells this program that it stands for the compiler.
const MARK: &str = "DSTD_XTASK_UNITS";

/// What the mark says where tests are to have the counts that their authors have for slow machines.
const FEWER: &str = "fewer";

/// Lets a cargo command build units; cargo does not know which counts they have.
pub(crate) fn apply(command: &mut Command, fewer: bool) -> Verdict {
    let this: PathBuf = env::current_exe().map_err(while_doing("the path of this program"))?;
    command.env("RUSTC_WORKSPACE_WRAPPER", this).env(MARK, if fewer { FEWER } else { "as published" });
    // The harness alone names what is unstable. It is the same word each time: some build scripts look at it.
    command.env("RUSTC_BOOTSTRAP", "compat_glue");
    Ok(())
}

/// Compiles, if this process was started in place of the compiler; the compiler's code.
pub(crate) fn run() -> Option<Verdict<u8>> {
    let mark = env::var_os(MARK)?;
    Some(compile(env::args_os().skip(1).collect(), mark == FEWER))
}

fn compile(words: Vec<OsString>, fewer: bool) -> Verdict<u8> {
    let [compiler, rest @ ..] = &words[..] else { return cannot("there is no compiler") };
    let mut command = Command::new(compiler);
    command.args(rest);
    if rest.iter().any(|word| word == "--crate-name") {
        // What its authors have not cleaned up is not looked at, and warnings that they forbid come with newer compilers.
        command.arg("--cap-lints=allow");
    }
    if rest.iter().any(|word| word == "--test") {
        command.arg("-Zcrate-attr=feature(custom_test_frameworks)");
        command.arg("-Zcrate-attr=test_runner(compat_glue::run)");
        // Of the tests alone: in a library the word means more than counts.
        let beside = rest.iter().any(|word| word.to_string_lossy().contains("tests/"));
        command.args((fewer && beside).then_some("--cfg=miri"));
        // The unstable mode, for this crate alone: it is one process for each.
        command.env("RUSTC_BOOTSTRAP", "1");
    }
    let status = command.status().map_err(while_doing(format!("{command:?}")))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
