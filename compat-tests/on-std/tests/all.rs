//! Real std passes every scenario.

use std::process::Command;

fn run(name: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_scenarios_on_std")).arg(name).output().expect("it starts");
    let stdout = String::from_utf8(output.stdout).expect("scenarios print text");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {:?}\n{stdout}\n{stderr}", output.status);
    stdout
}

#[test]
fn std_passes_every_scenario() {
    let names = run("list");
    assert!(names.lines().count() > 40);
    for name in names.lines() {
        let stdout = run(name);
        let last = stdout.lines().last().unwrap_or_default();
        assert!(last.starts_with(&format!("ok {name} ")), "{name} ended with {last:?}");
    }
}
