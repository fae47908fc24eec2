//! `cargo dstd .. --convert`: crates of others, built against dstd by cargo and run by real processes.

use std::fs;
use std::process::Command;

use crate::folder::{Folder, ROOT};

/// A crate of somebody else's, that starts threads and knows only std.
const POOL: &str = "use std::sync::mpsc;\nuse std::thread;\n\n\
    pub fn everywhere<T: Send + 'static>(count: usize, work: fn() -> T) -> Vec<T> {\n    \
    let (sender, receiver) = mpsc::channel();\n    for _ in 0..count {\n        let sender = sender.clone();\n        \
    thread::Builder::new().spawn(move || sender.send(work()).unwrap()).unwrap();\n    }\n    drop(sender);\n    \
    receiver.into_iter().collect()\n}\n\npub fn start() -> thread::JoinHandle<()> { thread::spawn(|| ()) }\n";

fn program_with_pool(folder: &Folder, program: &str) {
    let manifest = format!(
        "[dependencies]\ndstd = {{ path = \"{}/dstd\" }}\npool-of-threads = {{ path = \"pool\" }}\nquiet = {{ path = \"quiet\" }}\n\n\
         [build-dependencies]\nbuilder = {{ path = \"builder\" }}\n",
        fs::canonicalize(ROOT).unwrap().display()
    );
    folder.package("user", program, &manifest);
    for (name, directory, text) in
        [("pool-of-threads", "pool", POOL), ("quiet", "quiet", "#![no_std]\n"), ("builder", "builder", "")]
    {
        let head = format!("[package]\nname = \"{name}\"\nversion = \"1.2.3\"\nedition = \"2021\"\n");
        folder.write(&format!("{directory}/Cargo.toml"), &head);
        folder.write(&format!("{directory}/src/lib.rs"), text);
    }
    folder.write("build.rs", "use builder as _;\nfn main() {}\n");
}

const USER: &str = "fn main() {\n    let mut nodes = pool_of_threads::everywhere(6, || format!(\"{:?}\", dstd::place::here()));\n    \
    nodes.sort();\n    nodes.dedup();\n    println!(\"{nodes:?}\");\n}\n";

pub(crate) fn a_converted_crate_starts_its_threads_everywhere() {
    let folder = Folder::new();
    program_with_pool(&folder, USER);
    let run =
        |more: &str| folder.dstd(&format!("run -n 3 --dev --placement round-robin {more}")).code(0).stdout();
    assert_eq!(run(""), "[\"NodeId(0)\"]\n");
    let all = "[\"NodeId(0)\", \"NodeId(1)\", \"NodeId(2)\"]\n";
    assert_eq!(run("--convert pool-of-threads"), all);
    assert_eq!(run("--convert pool-of-threads@1.2.3"), all);
    // Neither form is taken for the other, and a change is seen.
    assert_eq!(run(""), "[\"NodeId(0)\"]\n");
    folder.write("pool/src/lib.rs", &POOL.replace("0..count", "0..1"));
    assert_eq!(run("--convert pool-of-threads"), "[\"NodeId(1)\"]\n");
    // Another facade is another std, in the same place.
    let manifest = fs::read_to_string(folder.path().join("Cargo.toml")).unwrap();
    let other = manifest.replace("/dstd\" }", "/dstd\", default-features = false }");
    assert_ne!(manifest, other);
    folder.write("Cargo.toml", &other);
    folder.dstd("build --dev --convert pool-of-threads").code(0).said("Compiling pool-of-threads");
    folder.write("Cargo.toml", &manifest);
    folder.dstd("build --dev --convert pool-of-threads").code(0).said("Compiling pool-of-threads");
    let again = folder.dstd("build --dev --convert pool-of-threads").code(0);
    assert!(!again.stderr().contains("Compiling"), "{}", again.stderr());
    assert_eq!(run("--convert pool-of-threads"), "[\"NodeId(1)\"]\n");
    // Tests are converted as well.
    folder.write(
        "tests/nodes.rs",
        "#[test]\nfn t() { assert_ne!(pool_of_threads::everywhere(1, dstd::place::here), [dstd::place::here()]); }\n",
    );
    folder.dstd("test -n 2 --placement remote --test nodes --convert pool-of-threads").code(0);
    folder.dstd("test -n 2 --placement remote --test nodes").code(101);
    // What does not fit is the compiler's to say.
    folder.write(
        "src/main.rs",
        "fn main() { let _: std::thread::JoinHandle<()> = pool_of_threads::start(); }\n",
    );
    folder.dstd("build --dev").code(0);
    let refused = folder.dstd("build --dev --convert pool-of-threads").code(101);
    refused.said("mismatched types").said("must be converted together");
}

/// What cargo starts in place of the compiler, and what that starts.
pub(crate) fn a_wrapper_of_the_users_is_called() {
    let folder = Folder::new();
    let compile = |variables: &[(&str, &str)], words: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-dstd"));
        for name in ["RUSTC_WRAPPER", "CARGO_BUILD_RUSTC_WRAPPER"] {
            command.env_remove(name);
        }
        let order = r#"{"packages":[["pool","1.2.3"]],"facade":"/f.rlib"}"#;
        command.env("DSTD_CONVERT", order).envs([("CARGO_PKG_NAME", "pool"), ("CARGO_PKG_VERSION", "1.2.3")]);
        let done = command.envs(variables.iter().copied()).args(words.split(' ')).output().unwrap();
        assert!(done.status.code().is_some());
        (String::from_utf8(done.stdout).unwrap(), String::from_utf8(done.stderr).unwrap())
    };
    let words = "--crate-name pool a.rs --target x";
    let converted = format!("{words} --extern std=/f.rlib\n");
    assert_eq!(compile(&[], &format!("/bin/echo {words}")).0, converted);
    let next = [("DSTD_CONVERT_NEXT", "/bin/echo")];
    assert_eq!(compile(&next, &format!("rustc {words}")).0, format!("rustc {converted}"));
    let next = [("CARGO_BUILD_RUSTC_WRAPPER", "/bin/echo")];
    assert_eq!(compile(&next, &format!("rustc {words}")).0, format!("rustc {converted}"));
    // A wrapper of workspaces comes before the compiler.
    let workspace = compile(&[], &format!("/bin/echo /bin/rustc {words}")).0;
    assert_eq!(workspace, format!("/bin/rustc {converted}"));
    assert!(compile(&[], &format!("/no/rustc {words}")).1.contains("dstd: /no/rustc: No such file"));
    // Test programs have what the user has.
    folder.package("tiny", "fn main() {}", "");
    let show = folder.write("show", "#!/bin/sh\necho \"wrapper: $RUSTC_WRAPPER $DSTD_CONVERT\" >&2\n");
    fs::set_permissions(&show, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let launch = |variables: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-dstd"));
        command.envs(variables.iter().copied()).args(["launch", "-n", "1", "--"]).arg(&show);
        String::from_utf8(command.output().unwrap().stderr).unwrap()
    };
    assert!(launch(&[("RUSTC_WRAPPER", "sccache")]).contains("wrapper: sccache \n"));
    let during = [("RUSTC_WRAPPER", "/dstd"), ("DSTD_CONVERT", "{}"), ("DSTD_CONVERT_NEXT", "sccache")];
    assert!(launch(&during).contains("wrapper: sccache \n"));
}

pub(crate) fn what_cannot_be_converted_is_refused() {
    let folder = Folder::new();
    program_with_pool(&folder, USER);
    for (names, words) in [
        ("pool_of_threads", "no dependency has this name; there is pool-of-threads"),
        ("pool-of-threads@2.0.0", "here it has version 1.2.3"),
        ("libc", "dstd itself is built from it"),
        ("quiet", "nothing would change"),
        ("builder", "it only runs while building"),
        ("pool-of-threads,nothing", "--convert nothing: no dependency has this name"),
    ] {
        folder.dstd(&format!("build --dev --convert {names}")).code(64).said(words);
    }
    let other = Folder::new();
    other.package("tiny", "fn main() {}", "");
    other.dstd("run --dev --convert tiny").code(64).said("nothing here depends on dstd");
}
