//! Test functions of others, run on the facades and held against real std: what the commands share that do so.
//!
//! A *unit* is a test function, a *suite* a set of them. The *control* is what real std passes.
//!
//! ```text
//! cuts                      takes single items out of source files
//! play                      runs units, without the single ones that hang or die
//! results                   what came out
//! table, expected, gaps     judged: what is written down
//! ```

pub(crate) mod cuts;
pub(crate) mod expected;
pub(crate) mod facade;
pub(crate) mod gaps;
pub(crate) mod play;
pub(crate) mod results;
pub(crate) mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::tree;
use crate::verdict::{Verdict, cannot, while_doing};
use facade::Facade;
use play::{Outcome, Stage};
use results::Where;

/// The harness that takes the place of libtest's `main`, as a dependency in a manifest.
pub(crate) fn harness(facade: Facade) -> String {
    let (top, cluster) = (tree::root().display(), facade != Facade::Std);
    format!("{{ path = \"{top}/compat-tests/units/glue\", default-features = {cluster} }}")
}

/// A unit that takes longer hangs, with real std and wherever nothing else is said.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A program of units, and the launcher.
pub(crate) struct Program<'a> {
    pub(crate) path: &'a Path,
    pub(crate) launcher: &'a Path,
    /// A unit that takes longer hangs.
    pub(crate) patience: Duration,
}

/// The names of a program's units.
pub(crate) fn list(program: &Path) -> Verdict<Vec<String>> {
    let output = Command::new(program).arg("--list").output().map_err(while_doing(program.display()))?;
    if !output.status.success() {
        return cannot(format!("{} --list: {}", program.display(), output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

/// How all units of a program end on real std.
pub(crate) fn on_std(program: &Path, runs: PathBuf) -> Verdict<BTreeMap<String, Outcome>> {
    Stage::new(runs, PATIENCE)?.play(|| Command::new(program), &list(program)?, false)
}

/// How the units of the control end on a facade: on several nodes nobody sees another's memory, and threads go to other nodes.
pub(crate) fn on_nodes(
    program: &Program,
    place: Where,
    control: &[String],
    runs: PathBuf,
) -> Verdict<BTreeMap<String, Outcome>> {
    let built = list(program.path)?;
    let (names, missing): (Vec<String>, Vec<String>) =
        control.iter().cloned().partition(|name| built.contains(name));
    let launch = || {
        let mut command = Command::new(program.launcher);
        command.args(["-n", &place.nodes.to_string(), "--no-direct"]);
        command.args((place.nodes > 1).then_some(["--placement", "remote"]).into_iter().flatten());
        command.arg("--").arg(program.path);
        command
    };
    let mut outcomes = Stage::new(runs, program.patience)?.play(launch, &names, place.nodes > 1)?;
    outcomes.extend(missing.into_iter().map(|name| (name, Outcome::NotBuilt)));
    Ok(outcomes)
}
