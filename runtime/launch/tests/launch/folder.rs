//! Packages that are made for a test, and `cargo dstd` in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// The root of the workspace.
pub(crate) const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A directory of the test's own, removed at its end. What is built in it is kept elsewhere for the next run.
pub(crate) struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

impl Folder {
    pub(crate) fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("dstd-cargo-test-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file; says its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// A package with this program, and with these lines at the end of its Cargo.toml.
    pub(crate) fn package(&self, name: &str, program: &str, manifest: &str) {
        let head = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n"
        );
        self.write("Cargo.toml", &format!("{head}{manifest}"));
        self.write("src/main.rs", program);
        self.lock();
    }

    /// The versions that this workspace has, which are here: nothing is fetched.
    fn lock(&self) {
        fs::copy(Path::new(ROOT).join("Cargo.lock"), self.0.join("Cargo.lock")).unwrap();
    }

    pub(crate) fn dstd(&self, words: &str) -> Done {
        self.within(".", words)
    }

    pub(crate) fn within(&self, directory: &str, words: &str) -> Done {
        self.with(&[], directory, words)
    }

    /// With these variables in the environment.
    pub(crate) fn with(&self, variables: &[(&str, &str)], directory: &str, words: &str) -> Done {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-dstd"));
        command.arg("dstd").args(words.split_whitespace()).current_dir(self.0.join(directory));
        command.envs(variables.iter().copied());
        // For all tests one: dstd is built once, and still there at the next run.
        command.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cargo-dstd"));
        command.env("CARGO_NET_OFFLINE", "true");
        Done(command.stdin(Stdio::null()).output().unwrap())
    }

    pub(crate) fn git(&self, words: &str) -> bool {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@a"]).args(words.split(' ')).current_dir(&self.0);
        git.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    }
}

/// What a command did.
pub(crate) struct Done(Output);

impl Done {
    pub(crate) fn output(&self) -> &Output {
        &self.0
    }

    pub(crate) fn stdout(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }

    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Done {
        assert_eq!(self.0.status.code(), Some(code), "{}\n{}", self.stdout(), self.stderr());
        self
    }

    #[track_caller]
    pub(crate) fn said(self, words: &str) -> Done {
        assert!(self.stderr().contains(words), "{words:?} is not said:\n{}", self.stderr());
        self
    }
}
