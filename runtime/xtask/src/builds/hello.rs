//! A hello world with one thread, as a user has it: a package that depends on nothing, or on a facade.

use std::cell::Cell;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Instant, UNIX_EPOCH};

use crate::units::facade::Facade;
use crate::verdict::{Verdict, fail, while_doing};
use crate::{cargo, tree};

/// The program; `NAME` is what it calls its library, `TURN` what changes.
const MAIN: &str = "\
use NAME::thread;

fn main() {
    let words = String::from(\"hello TURN\");
    thread::spawn(move || println!(\"{words}\")).join().unwrap();
}
";

/// How a program is built.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Profile {
    /// What rows call it.
    pub(super) name: &'static str,
    /// cargo's directory for it.
    directory: &'static str,
    /// Words for `cargo build`.
    words: &'static [&'static str],
}

/// cargo's two, and what the lines in Cargo.toml do that `runtime/docs/cargo_dstd.md` recommends.
pub(super) const PROFILES: [Profile; 3] = [
    Profile { name: "debug", directory: "debug", words: &[] },
    Profile {
        name: "debug_lean",
        directory: "debug",
        words: &[
            "--config",
            "profile.dev.package.'*'.debug=false",
            "--config",
            "profile.dev.package.dstd-runtime.opt-level=1",
            "--config",
            "profile.dev.package.dstd-heap.opt-level=1",
            "--config",
            "profile.dev.package.dstd-protocol.opt-level=1",
            "--config",
            "profile.dev.package.dstd-transport.opt-level=1",
        ],
    },
    Profile { name: "release", directory: "release", words: &["--release"] },
];

/// One program.
pub(super) struct Hello {
    facade: Facade,
    directory: PathBuf,
    launcher: PathBuf,
    /// The number in its line, another one at each build.
    changes: Cell<u64>,
}

impl Hello {
    /// A package that can be built without network, below cargo's target directory. It stays there, with what was built.
    pub(super) fn new(facade: Facade, launcher: &Path) -> Verdict<Hello> {
        let directory = tree::target("bench-build")?.join(facade.name());
        // No line of an earlier run comes again.
        let now = UNIX_EPOCH.elapsed().map_err(while_doing("the clock"))?.as_secs();
        let hello = Hello { facade, directory, launcher: launcher.to_owned(), changes: Cell::new(now) };
        let sources = hello.directory.join("src");
        fs::create_dir_all(&sources).map_err(while_doing(sources.display()))?;
        let dependency = facade.dependency();
        let manifest = format!(
            "[package]\nname = {:?}\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n{dependency}",
            hello.name()
        );
        hello.write("Cargo.toml", &manifest)?;
        // The same versions as in the workspace.
        let lock = tree::root().join("Cargo.lock");
        fs::copy(&lock, hello.directory.join("Cargo.lock")).map_err(while_doing(lock.display()))?;
        hello.change()?;
        cargo::passes(&mut hello.cargo(&["fetch", "--quiet"], &hello.target()))?;
        Ok(hello)
    }

    /// What it has as its standard facade.
    pub(super) fn facade(&self) -> Facade {
        self.facade
    }

    /// Where its Cargo.toml lies.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The seconds that a build takes after one line was changed.
    pub(super) fn changed(&self, profile: Profile) -> Verdict<f64> {
        // What both facades are built from is built once.
        self.build(profile, &self.directory.with_file_name("target"))
    }

    /// The seconds that a build takes when nothing was built before.
    pub(super) fn clean(&self, profile: Profile) -> Verdict<f64> {
        let target = self.target();
        match fs::remove_dir_all(&target) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(while_doing(target.display())(error)),
            _ => self.build(profile, &target),
        }
    }

    /// A program with dstd starts on two nodes; with std there is nothing to see.
    fn runs_on_two_nodes(&self, program: &Path) -> Verdict {
        if self.facade == Facade::Std {
            return Ok(());
        }
        let mut launch = Command::new(&self.launcher);
        self.says_its_line(launch.args(["-n", "2", "--no-direct", "--"]).arg(program))
    }

    /// The seconds that a build takes; its line is another one before.
    fn build(&self, profile: Profile, target: &Path) -> Verdict<f64> {
        self.change()?;
        let mut build = self.cargo(&[&["build", "--offline"], profile.words].concat(), target);
        let start = Instant::now();
        let output = build.output().map_err(while_doing("cargo build"))?;
        let seconds = start.elapsed().as_secs_f64();
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            return fail(format!("the hello world for {} does not build:\n{words}", self.facade.name()));
        }
        let program = target.join(profile.directory).join(self.name());
        self.says_its_line(&mut Command::new(&program))?;
        self.runs_on_two_nodes(&program)?;
        Ok(seconds)
    }

    /// What was built is what was written last.
    fn says_its_line(&self, program: &mut Command) -> Verdict {
        let output = program.output().map_err(while_doing(format!("{program:?}")))?;
        let said = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() || said != format!("hello {}\n", self.changes.get()) {
            let words = String::from_utf8_lossy(&output.stderr);
            return fail(format!("{program:?} is not the last one that was written: {said}{words}"));
        }
        Ok(())
    }

    fn change(&self) -> Verdict {
        self.changes.set(self.changes.get() + 1);
        let name = self.facade.in_sources();
        let turn = self.changes.get().to_string();
        self.write("src/main.rs", &MAIN.replace("NAME", name).replace("TURN", &turn))
    }

    fn write(&self, name: &str, text: &str) -> Verdict {
        let path = self.directory.join(name);
        fs::write(&path, text).map_err(while_doing(path.display()))
    }

    /// Where it is built from nothing.
    fn target(&self) -> PathBuf {
        self.directory.join("target")
    }

    fn name(&self) -> String {
        format!("hello-{}", self.facade.name())
    }

    /// cargo as users have it, whatever this session says about incremental compilation.
    fn cargo(&self, words: &[&str], target: &Path) -> Command {
        let mut command = cargo::cargo(words);
        command.current_dir(&self.directory).env("CARGO_TARGET_DIR", target);
        for variable in
            ["CARGO_INCREMENTAL", "CARGO_BUILD_INCREMENTAL", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"]
        {
            command.env_remove(variable);
        }
        command
    }
}
