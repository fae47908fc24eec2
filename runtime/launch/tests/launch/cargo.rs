//! `cargo dstd` on programs that are made here, built by cargo and run by real processes.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::folder::{Folder, ROOT};

pub(crate) fn a_run_builds_what_it_runs() {
    let folder = Folder::new();
    folder.package("tiny", "fn main() { eprintln!(\"tiny was built\"); }", "");
    for more in ["", "--bin tiny -- -x"] {
        let done = folder.dstd(&format!("run -n 1 --dev {more}")).code(69);
        // The tiny program is an ordinary one.
        done.said("tiny was built").said("is the program built with dstd?");
    }
    folder.dstd("build --dev").code(0);
    for words in ["run --bin other", "run --example no", "build --bin other"] {
        folder.dstd(words).code(101).said("error");
    }
    folder.write("src/main.rs", "fn main() { no }");
    for words in ["run --dev", "build --dev"] {
        folder.dstd(words).code(101).said("error");
    }
}

/// A test program that the launcher does not start would pass on one node.
pub(crate) fn test_programs_are_launched_whatever_they_are_built_for() {
    let folder = Folder::new();
    folder.package("tiny", "fn main() {}\n#[test]\nfn t() {}\n", "");
    let refused = "is the program built with dstd?";
    folder.dstd("test -n 2 --bins").code(69).said(refused);
    folder.write(".cargo/config.toml", "[build]\ntarget = \"x86_64-unknown-linux-musl\"\n");
    folder.dstd("test -n 2 --bins").code(69).said(refused);
    let runner = "[target.'cfg(unix)']\nrunner = \"true\"\n";
    folder.write(".cargo/config.toml", runner);
    folder.dstd("test -n 2 --bins").code(69).said(refused);
    // What this command does not know is cargo's.
    folder.write("src/bin/other.rs", "fn main() { no }\n");
    folder.dstd("test -n 2 --bin tiny --no-run --color never").code(0).said("unittests src/main.rs");
    let built = folder.dstd("build --dev --bin tiny --message-format json --config profile.dev.debug=false");
    assert!(built.code(0).stdout().contains("\"reason\":\"build-finished\""));
    folder.dstd("build --dev --bins").code(101).said("error");
}

pub(crate) fn a_new_program_runs_and_is_tested_on_three_nodes() {
    for facade in ["dstd", "dstd-std"] {
        let folder = Folder::new();
        folder.dstd(&format!("new primes --vcs none --facade {facade}")).code(0).said("cd primes");
        fs::copy(Path::new(ROOT).join("Cargo.lock"), folder.path().join("primes/Cargo.lock")).unwrap();
        let ran = folder.within("primes", "run -n 3 --dev --placement round-robin").code(0);
        assert_eq!(ran.stdout(), "25997 primes below 300000, found by 6 threads\n");
        for node in ["NodeId(0)", "NodeId(1)", "NodeId(2)"] {
            assert!(ran.stderr().contains(&format!("on {node}")), "{}", ran.stderr());
        }
        let tested = folder.within("primes", "test -n 3").code(0).stdout();
        for name in
            ["tests::small_primes_are_counted ... ok", "every_node_answers ... ok", "threads_borrow ... ok"]
        {
            assert!(tested.contains(name), "{tested}");
        }
        // A test that fails is cargo's 101; filters and arguments reach the tests.
        let wrong = "#[test] fn wrong() { assert_eq!(dstd::place::nodes().len(), 1) }".replace(
            "dstd::",
            match facade {
                "dstd" => "dstd::",
                _ => "std::",
            },
        );
        folder.write("primes/tests/wrong.rs", &wrong);
        let failed = folder.within("primes", "test -n 2 wrong -- --exact").code(101);
        assert!(failed.stdout().contains("left: 2") && !failed.stdout().contains("threads_borrow ..."));
        folder.within("primes", "test -n 1 wrong").code(0);
        folder.within("primes", "check -D warnings").code(0);
        folder.dstd("new primes").code(101).said("already exists");
    }
    let folder = Folder::new();
    folder.write("Cargo.toml", "[workspace]\nresolver = \"3\"\n");
    folder.dstd("new member --vcs none").code(0);
    let profile = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap().contains("[profile");
    assert!(!profile("member/Cargo.toml"), "cargo takes profiles from the workspace's Cargo.toml alone");
    let folder = Folder::new();
    folder.dstd("new 1st --vcs none").code(101).said("cannot start with a digit");
    folder.dstd("new a --dstd-path /proc").code(64).said("no checkout of dstd");
}

/// A program of std in several files, with everything a path can stand in.
const MAIN: &str = r##"//! Says what its threads found; std::thread is named here too.
#![allow(unused_imports)]

use std::sync::{Arc, Mutex, mpsc::{self, Sender}};
use std::{fmt, thread}; // use std::io stays in comments
use ::std::collections::BTreeMap as Map;

mod count;
#[path = "odd place.rs"]
mod odd;

macro_rules! lock {
    ($kind:ident, $value:expr) => { std::sync::$kind::new($value) };
}

struct Shown<'std>(&'std str);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> std::fmt::Result { std::write!(f, "std::{}", self.0) }
}

#[cfg(all(unix, not(feature = "std")))]
fn nothing() -> ::std::io::Result<()> { ::std::result::Result::Ok(()) }

fn main() {
    let found = Arc::new(lock!(Mutex, Map::<usize, String>::new()));
    let (sender, receiver): (Sender<usize>, _) = mpsc::channel();
    thread::scope(|scope| {
        for number in 0..4 {
            let (found, sender) = (Arc::clone(&found), sender.clone());
            scope.spawn(move || {
                found.lock().unwrap().insert(number, count::count(&odd::text(number)));
                sender.send(number).unwrap();
            });
        }
    });
    drop(sender);
    nothing().unwrap();
    let sum: usize = receiver.iter().sum();
    std::println!("{} {sum} {:?} r\"use std::x\"", Shown("x"), found.lock().unwrap());
    std::process::exit(if std::env::args().count() == 1 { 7 } else { 0 });
}
"##;

fn program_of_std(folder: &Folder) {
    folder.package("program", MAIN, "[dependencies] # none yet\n\n[features]\nstd = []\n");
    folder.write("src/count.rs", "/// As std::str counts.\npub fn count(text: &str) -> std::string::String { deep::len(text) }\nmod deep;\n");
    folder.write("src/count/deep.rs", "pub fn len(text: &str) -> String {\n\tstd::thread::spawn({ let n = text.len(); move || n.to_string() }).join().unwrap()\r\n}\n");
    folder
        .write("src/odd place.rs", "pub fn text(n: usize) -> std::string::String { \"std::\".repeat(n) }\n");
    folder.write("src/unused.rs", "use std::this_is_no_module_of_the_program;\n");
    folder.write("build.rs", "use std::env;\nfn main() { std::assert!(env::var(\"OUT_DIR\").is_ok()); }\n");
    folder.write(
        "tests/words.rs",
        "use std::thread;\n#[test]\nfn t() { assert_eq!(thread::spawn(|| 1).join().unwrap(), 1); }\n",
    );
}

fn texts(folder: &Folder) -> Vec<(String, String)> {
    let names = [
        "Cargo.toml",
        "src/main.rs",
        "src/count.rs",
        "src/count/deep.rs",
        "src/odd place.rs",
        "src/unused.rs",
        "build.rs",
        "tests/words.rs",
    ];
    names.map(|name| (name.to_owned(), fs::read_to_string(folder.path().join(name)).unwrap())).to_vec()
}

pub(crate) fn a_swapped_program_prints_what_it_printed() {
    let folder = Folder::new();
    program_of_std(&folder);
    // By itself, with std.
    folder.dstd("build --dev").code(0);
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cargo-dstd/debug/program");
    let before = Command::new(&program).output().unwrap();
    assert_eq!(before.status.code(), Some(7));

    let old = texts(&folder);
    let shown = folder.dstd("swap").code(0).said("nothing is written without --write");
    assert_eq!(texts(&folder), old, "swap alone writes nothing");
    assert!(folder.git("init -q") && folder.git("add -A") && folder.git("commit -q -m one"));
    folder.dstd("swap --write").code(0).said("swapped 16 paths in 6 files");
    let new = texts(&folder);
    for ((name, old), (_, new)) in old.iter().zip(&new) {
        // What was swapped, swapped back by hand, is what was: nothing else has changed.
        let back = new.replace("dstd::", "std::");
        match name.as_str() {
            "Cargo.toml" => assert!(new.contains("[dependencies] # none yet\ndstd = { path = \""), "{new}"),
            "build.rs" | "src/unused.rs" => assert_eq!(old, new, "{name}"),
            _ => assert!(*old == back && old != new, "{name}: {new}"),
        }
    }
    assert!(new[1].1.contains("// use std::io stays") && new[1].1.contains("r\\\"use std::x\\\""));
    // The difference that was shown is the one that was made.
    assert!(folder.git("stash -q"));
    folder.write("shown.diff", &shown.stdout());
    assert!(folder.git("apply shown.diff"), "{}", shown.stdout());
    assert_eq!(texts(&folder), new);
    folder.dstd("swap").code(0).said("is swapped already");

    folder.dstd("check -D warnings").code(0);
    let after = folder.dstd("run -n 3 --dev --no-direct").code(7);
    assert_eq!(after.output().stdout, before.stdout);
    folder.dstd("test -n 3 --test words").code(0);
}

pub(crate) fn a_swap_can_be_undone_or_is_not_made() {
    let folder = Folder::new();
    program_of_std(&folder);
    let old = texts(&folder);
    folder.dstd("swap --write").code(64).said("--allow-no-vcs");
    assert!(folder.git("init -q") && folder.git("add -A") && folder.git("commit -q -m one"));
    folder.write("src/count.rs", &format!("{}// mine\n", old[2].1));
    folder.dstd("swap --write").code(64).said("not committed").said("src/count.rs");
    folder.dstd("swap --facade dstd-std --write --allow-dirty").code(0).said("0 paths in 1 files");
    let now = texts(&folder);
    assert!(now[0].1.contains("std = { package = \"dstd-std\", path = \""), "{}", now[0].1);
    assert_eq!((&now[1], &now[3..]), (&old[1], &old[3..]));

    let own = Folder::new();
    own.package("own", "mod std { pub fn f() {} }\nfn main() { std::f() }", "");
    own.dstd("swap").code(64).said("src/main.rs:1:5").said("a `std` of its own");
    own.package("own", "fn main() { let c = 'x; }}", "");
    own.dstd("swap").code(101).said("src/main.rs:1:");
}

/// Files that a program shares, with others and with what builds it.
pub(crate) fn a_swap_stays_in_its_package() {
    let folder = Folder::new();
    let std = "pub fn f() -> std::thread::ThreadId { std::thread::current().id() }\n";
    folder.write(
        "program/Cargo.toml",
        "[package]\nname = \"program\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n",
    );
    folder.write(
        "program/src/main.rs",
        "#[path = \"../../shared/x.rs\"]\nmod x;\nmod both;\nmod cli;\ninclude!(\"inc.rs\");\n\
         macro_rules! mods { ($m:ident) => { mod $m; } }\nmods! { hidden }\nfn main() { std::thread::yield_now() }\n",
    );
    for name in [
        "shared/x.rs",
        "program/src/both.rs",
        "program/src/cli.rs",
        "program/src/inc.rs",
        "program/src/hidden.rs",
    ] {
        folder.write(name, std);
    }
    folder.write("program/tests/t.rs", "#[path = \"../src/../src/both.rs\"]\nmod both;\n");
    folder.write("program/build.rs", "#[path = \"src/cli.rs\"]\nmod cli;\nfn main() { cli::f(); }\n");
    assert!(folder.git("init -q") && folder.git("add -A") && folder.git("commit -q -m one"));

    let shown = folder.within("program", "swap").code(0).said("dstd: 5 paths in 4 files");
    let shown = shown.said("shared/x.rs stays as it is: it is not in the package's directory");
    let shown = shown.said("src/cli.rs stays as it is: the build script, which has no dstd, shares it");
    let shown = shown.said("src/hidden.rs is not looked at");
    assert_eq!(shown.stdout().matches("+++ ").count(), 4, "{}", shown.stdout());
    // From elsewhere the names are those in the package.
    let elsewhere = folder.within("shared", "swap --manifest-path ../program/Cargo.toml").code(0);
    assert_eq!(elsewhere.said("names are those in").stdout(), shown.stdout());
    folder.write("shown.diff", &shown.stdout());
    assert!(folder.git("apply --directory=program --check shown.diff"), "{}", shown.stdout());
    fs::remove_file(folder.path().join("shown.diff")).unwrap();

    folder.within("program", "swap --write --manifest-path Cargo.toml").code(0);
    let text = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    for name in ["shared/x.rs", "program/src/cli.rs", "program/src/hidden.rs"] {
        assert_eq!(text(name), std, "{name}");
    }
    for name in ["program/src/both.rs", "program/src/inc.rs"] {
        assert_eq!(text(name), std.replace("std::", "dstd::"), "{name}");
    }
    // What git ignores could not be undone.
    assert!(folder.git("reset -q --hard"));
    folder.write(".gitignore", "program/\n");
    assert!(folder.git("rm -q -r --cached program") && folder.git("commit -q -a -m two"));
    folder.within("program", "swap --write").code(64).said("git ignores").said("--allow-no-vcs");
    assert_eq!(text("program/src/both.rs"), std);
    folder.within("program", "swap --write --allow-no-vcs").code(0);
}

pub(crate) fn a_check_says_where_and_ends_as_clippy_does() {
    let folder = Folder::new();
    let program = "use std::thread;\n\nfn main() {\n    let start = std::time::Instant::now();\n    \
        thread::spawn(move || println!(\"é {} {:?}\", std::process::id(), start.elapsed()));\n}\n";
    folder.package("tiny", program, "");
    let done = folder.dstd("check").code(0).said("does not depend on dstd");
    let expected = "\
warning: `id` is the node's own: every node is a process
 --> src/main.rs:5:49
  |
5 |     thread::spawn(move || println!(\"é {} {:?}\", std::process::id(), start.elapsed()));
  |                                                 ^^^^^^^^^^^^^^^^
  |
  = help: to tell nodes apart use `place::here()`
  = note: `dstd::node_identity`
";
    let done = done.said(expected).said(" --> src/main.rs:1:5\n").said("`tiny` has 3 warnings");
    assert!(done.stdout().is_empty());
    let short = folder
        .dstd("check --message-format short -A std_import -A dstd::node_identity -D warnings")
        .code(101);
    let short = short
        .said("src/main.rs:5:69: error: `start` is an `Instant` of another thread")
        .said("has 1 error of");
    assert!(!short.stderr().contains("warning"));
    folder.dstd("check -D node_state").code(0);
    folder.dstd("check -A warnings -D instant").code(101);
    folder.dstd("check -D no_such_lint").code(64).said("no lint no_such_lint");
    assert!(folder.dstd("check --list").code(0).stdout().contains("pinned_buffer"));
    folder.write("src/main.rs", "mod inner;\nfn main() {}\n");
    folder.write("src/inner.rs", "fn f() { ( }\n");
    folder.dstd("check").code(101).said("src/inner.rs:1:");
}

pub(crate) fn wrong_input_is_told() {
    let empty = Folder::new();
    for words in ["check", "swap", "run", "test", "build"] {
        empty.dstd(words).code(101).said("could not find `Cargo.toml`");
        empty.dstd(&format!("{words} --manifest-path none/Cargo.toml")).code(101).said("none/Cargo.toml");
    }
    let workspace = Folder::new();
    workspace.write("Cargo.toml", "[workspace]\nmembers = [\"a\", \"b\"]\nresolver = \"3\"\n");
    for name in ["a", "b"] {
        workspace.write(
            &format!("{name}/Cargo.toml"),
            &format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n"),
        );
        workspace
            .write(&format!("{name}/src/main.rs"), "use std::thread;\nfn main() { thread::yield_now() }\n");
    }
    workspace.dstd("swap").code(64).said("--package a, b");
    workspace.dstd("swap -p c").code(64).said("there is no package c here; there are: a, b");
    workspace.dstd("check -p c").code(64).said("there is no package c here");
    let all = workspace.dstd("check").code(0).said("a/src/main.rs:1:5").said("b/src/main.rs:1:5");
    assert_eq!(all.stderr(), workspace.dstd("check --workspace").code(0).stderr());
    let both = workspace.dstd("check -p a -p b@0").code(0).said("a/src/main.rs:1:5");
    assert_eq!(both.stderr(), all.stderr());
    workspace.within("a", "check --manifest-path Cargo.toml").code(0).said("--> src/main.rs:1:5");
    let one = workspace.within("a", "check").code(0).said("--> src/main.rs:1:5");
    assert!(!one.stderr().contains("`b`"));
    assert!(workspace.within("a", "swap").code(0).stdout().contains("+use dstd::thread;"));
    workspace.write("a/Cargo.toml", "[package\n");
    workspace.dstd("check").code(101).said("error");
}
