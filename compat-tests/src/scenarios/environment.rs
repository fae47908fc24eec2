//! Arguments, environment and working directory are those of node 0.

use dstd::{place, thread};
use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::cluster;

type Seen = (Vec<OsString>, BTreeMap<OsString, OsString>, PathBuf);

fn here() -> Seen {
    (env::args_os().collect(), env::vars_os().collect(), env::current_dir().unwrap())
}

/// As the program was started.
pub(crate) fn equal() -> String {
    let mine = here();
    assert!(cluster::everywhere(|_| here()).iter().all(|other| *other == mine));
    let (arguments, variables, directory) = mine;
    for argument in &arguments[2..] {
        println!("argument {}", argument.to_string_lossy());
    }
    if let Some(value) = variables.get(&OsString::from("SCENARIO_VARIABLE")) {
        println!("variable {}", value.to_string_lossy());
    }
    println!("directory {}", directory.display());
    String::from("on all nodes")
}

/// As `main` changed them before it spawned anything, and as threads on other nodes changed them later.
pub(crate) fn changed() -> String {
    set_variable("SCENARIO_CHANGED", "new value");
    env::set_current_dir("/proc").unwrap();
    for node in place::nodes() {
        cluster::spawn(0, move || {
            let seen = place::spawn_on(node, here).join().unwrap();
            assert_eq!(seen.1.get(&OsString::from("SCENARIO_CHANGED")), Some(&OsString::from("new value")));
            assert_eq!(seen.2, Path::new("/proc"));
        })
        .join()
        .unwrap();
    }
    for i in 0..cluster::size() {
        let name = format!("SCENARIO_CHANGED_BY_{i}");
        cluster::spawn(i, move || {
            set_variable(&name, "later");
            env::set_current_dir("/sys").unwrap();
        })
        .join()
        .unwrap();
        let mine = here();
        assert_eq!(
            mine.1.get(&OsString::from(format!("SCENARIO_CHANGED_BY_{i}"))),
            Some(&OsString::from("later"))
        );
        assert_eq!(mine.2, Path::new("/sys"));
        assert!(cluster::everywhere(|_| here()).iter().all(|other| *other == mine));
        env::set_current_dir("/proc").unwrap();
    }
    String::from("on all nodes")
}

/// C's own ways to change the environment.
#[expect(unsafe_code, reason = "std has neither function")]
pub(crate) fn changed_by_c() -> String {
    use std::ffi::CString;

    for i in 0..cluster::size() {
        let (name, value) = (format!("SCENARIO_PUT_{i}"), format!("by {i}=x"));
        let put = CString::new(format!("{name}={value}")).unwrap().into_raw();
        let put = put.expose_provenance();
        cluster::spawn(i, move || {
            // SAFETY: a C string that stays.
            assert_eq!(unsafe { libc::putenv(std::ptr::with_exposed_provenance_mut(put)) }, 0);
        })
        .join()
        .unwrap();
        let seen = cluster::everywhere(move |_| env::var(&name));
        assert!(seen.iter().all(|seen| *seen == Ok(value.clone())), "{seen:?}");
    }
    cluster::spawn(cluster::size() - 1, || {
        // SAFETY: nobody uses the environment now.
        assert_eq!(unsafe { libc::clearenv() }, 0);
    })
    .join()
    .unwrap();
    assert!(cluster::everywhere(|_| env::vars_os().count()).iter().all(|&count| count == 0));
    set_variable("SCENARIO_AFTER", "1");
    assert!(cluster::everywhere(|_| env::vars_os().count()).iter().all(|&count| count == 1));
    format!("{} nodes", cluster::size())
}

/// All nodes change the directory at the same time: one of them is the last, for all.
pub(crate) fn directory_race() -> String {
    const ROUNDS: usize = 200;
    const DIRECTORIES: [&str; 3] = ["/proc", "/sys", "/dev"];
    for round in 0..ROUNDS {
        thread::scope(|scope| {
            for i in 0..cluster::size().max(2) {
                let directory = DIRECTORIES[(round + i) % DIRECTORIES.len()];
                cluster::scoped(scope, i, move || env::set_current_dir(directory).unwrap());
            }
        });
        let seen = cluster::everywhere(|_| env::current_dir().unwrap());
        assert!(seen.iter().all(|other| *other == seen[0]), "round {round}: {seen:?}");
        assert!(DIRECTORIES.iter().any(|directory| seen[0] == Path::new(directory)));
    }
    format!("{ROUNDS} rounds")
}

#[expect(unsafe_code, reason = "std offers no safe way")]
fn set_variable(name: &str, value: &str) {
    // SAFETY: no other thread of the program runs meanwhile: it has none yet, or main waits for this one.
    unsafe { env::set_var(name, value) };
}
