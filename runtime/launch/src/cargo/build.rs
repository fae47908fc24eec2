//! `cargo dstd build` and `cargo dstd run`: builds with cargo, finds out what was built, and launches it.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use dstd_control::exit;
use serde_json::Value;

use super::args::{BuildCommand, RunCommand};
use super::choose::{Choice, choose};
use super::convert;
use super::metadata::{Failure, ask, broken, cargo, here, wrong};
use crate::args::{Plan, decide};
use crate::job;

/// `cargo dstd build`.
pub(crate) fn build(command: &BuildCommand) -> Result<i32, Failure> {
    let args = command.build_args();
    let conversion = convert::prepare(&command.cargo, command.workspace, &args)?;
    let mut build = cargo();
    build.arg("build").args(args).args(command.message_args());
    conversion.apply(&mut build);
    let status = build.stdin(Stdio::null()).status().map_err(broken)?;
    let code = status.code().unwrap_or(exit::INTERNAL);
    if code != 0 { Err((code, conversion.words())) } else { Ok(0) }
}

/// `cargo dstd run`.
pub(crate) fn run(mut command: RunCommand) -> Result<i32, Failure> {
    let (options, vars) = decide(&mut command.launch).map_err(|code| (code, String::new()))?;
    let executable = build_program(&command)?;
    Ok(job::run(&Plan {
        launch: command.launch,
        options,
        vars,
        program: executable.into_os_string(),
        args: command.args,
    }))
}

fn build_program(run: &RunCommand) -> Result<PathBuf, Failure> {
    let packages = run.cargo.package.clone();
    let choice = match (&run.bin, &run.example) {
        (Some(bin), _) => Choice { packages, kind: "bin", name: bin.clone() },
        (_, Some(example)) => Choice { packages, kind: "example", name: example.clone() },
        (None, None) => {
            let metadata = ask(&[vec!["--no-deps".into()], run.cargo.lock_args()].concat())?;
            let here = here(run.cargo.manifest_path.as_deref())?;
            choose(&metadata, &packages, &here).map_err(wrong)?
        }
    };
    let args = [run.build_args(), choice.args()].concat();
    let conversion = convert::prepare(&run.cargo, false, &args)?;
    let mut command = cargo();
    command.args(["build", "--message-format=json-render-diagnostics"]).args(&args);
    conversion.apply(&mut command);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(broken)?;
    let mut executable = None;
    messages(&mut child, |message| executable = built(message, &choice).or(executable.take()))?;
    let status = child.wait().map_err(broken)?;
    if !status.success() {
        // cargo has said why.
        return Err((status.code().unwrap_or(exit::INTERNAL), conversion.words()));
    }
    executable.ok_or_else(|| (exit::INTERNAL, format!("cargo does not say where {} is", choice.name)))
}

/// Reads what a cargo says on its stdout as JSON.
pub(super) fn messages(child: &mut Child, mut take: impl FnMut(&Value)) -> Result<(), Failure> {
    let Some(stdout) = child.stdout.take() else { return Ok(()) };
    for line in BufReader::new(stdout).lines() {
        if let Ok(message) = serde_json::from_str(&line.map_err(broken)?) {
            take(&message);
        }
    }
    Ok(())
}

/// The path in a message of cargo that says the chosen program was built.
fn built(message: &Value, choice: &Choice) -> Option<PathBuf> {
    let target = &message["target"];
    let is_it = message["reason"] == "compiler-artifact"
        && target["name"] == *choice.name
        && target["kind"].as_array()?.contains(&choice.kind.into());
    is_it.then(|| message["executable"].as_str().map(PathBuf::from))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_executable_is_found_among_cargos_messages() {
        let choice = Choice { packages: Vec::new(), kind: "bin", name: "p".to_owned() };
        let message = |name: &str, kind: &str, executable: Value| {
            json!({
                "reason": "compiler-artifact", "target": {"name": name, "kind": [kind]}, "executable": executable
            })
        };
        assert_eq!(built(&message("p", "bin", json!("/t/p")), &choice), Some("/t/p".into()));
        for other in [
            message("p", "lib", Value::Null),
            message("p", "example", json!("/t/p")),
            message("q", "bin", json!("/t/q")),
            json!({"reason": "build-finished", "success": true}),
        ] {
            assert_eq!(built(&other, &choice), None, "{other}");
        }
    }
}
