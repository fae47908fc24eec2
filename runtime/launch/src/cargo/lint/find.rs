//! Finds what the rules are about.

use std::collections::BTreeSet;

use super::rules::{OF_A_PROCESS, RULES, THREADS};
use super::{Finding, Program, moments};
use crate::cargo::source::{Kind, Named, Source};

/// All findings in a source, in its order.
pub(crate) fn find(source: &Source, program: &Program) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut said = BTreeSet::new();
    // A module of the program may have the name of a crate.
    let is_crate = |name: &str| {
        name == "std"
            || program.crates.contains(name) && !source.modules.iter().any(|module| module.name.text == name)
    };
    for path in &source.named {
        let mut meanings = source.meanings(path);
        meanings.retain(|meaning| is_crate(meaning.split("::").next().unwrap_or_default()));
        if !program.renamed {
            found.extend(import(path));
        }
        found.extend(foreign_threads(path, &meanings, &mut said));
        if path.kind == Kind::Code {
            found.extend(named(path, &meanings, &mut said));
        }
    }
    found.extend(moments::find(source));
    found.extend(source.literals.iter().filter(|literal| literal.text.contains(OF_A_PROCESS)).map(
        |literal| Finding {
            lint: "node_identity",
            at: literal.at.clone(),
            words: format!("`{OF_A_PROCESS}` shows the process of the calling node"),
            help: "what is read there is not that of the whole program".to_owned(),
        },
    ));
    let allocators = source.attributes.iter().filter(|name| name.text == "global_allocator");
    found.extend(
        allocators.map(|name| Finding {
            lint: "own_allocator",
            at: name.at.clone(),
            words: "dstd brings the allocator whose memory all nodes reach".to_owned(),
            help: "remove this one; with dstd's `default-features = false` it can stay, on one node only"
                .to_owned(),
        }),
    );
    found.retain(|finding| !is_allowed(source, finding));
    found.sort_by_key(|finding| finding.at.start);
    found.dedup_by_key(|finding| (finding.lint, finding.at.start));
    found
}

/// A path that begins with `std` and goes on to threads, or nobody knows where. Other modules' types are std's own in
/// dstd as well. What a swap leaves alone is not mentioned.
fn import(path: &Named) -> Option<Finding> {
    let first = path.words.first().filter(|word| word.text == "std" && path.kept.is_none())?;
    let words = match (path.words.get(1).map(|word| word.text.as_str()), &path.kind) {
        (Some("thread"), _) => "threads of `std::thread` stay on the node that starts them",
        (None, Kind::Use { .. } | Kind::ExternCrate { .. }) => {
            "names of std, whose threads stay on the node that starts them"
        }
        _ => return None,
    };
    Some(Finding {
        lint: "std_import",
        at: first.at.start..path.words.last().map_or(first.at.end, |last| first.at.end.max(last.at.end)),
        words: words.to_owned(),
        help: "`cargo dstd swap` writes `dstd` in place of `std`".to_owned(),
    })
}

/// The first use of each crate that starts threads.
fn foreign_threads(path: &Named, meanings: &[String], said: &mut BTreeSet<&'static str>) -> Option<Finding> {
    let is_it = |name: &str| meanings.iter().any(|meaning| begins(meaning, name));
    // A name alone is a variable or a function, unless it is imported.
    let is_path = path.words.len() > 1 || path.kind != Kind::Code;
    let (name, package) = THREADS.iter().find(|(name, _)| is_path && is_it(name))?;
    let help = match package {
        Some(package) => format!("`cargo dstd run --convert {package}` lets them run on all nodes"),
        None => "they wait for descriptors of their node: start what computes with `dstd::thread`".to_owned(),
    };
    said.insert(package.unwrap_or(name)).then(|| Finding {
        lint: "foreign_threads",
        at: path.words[0].at.start..path.words[path.words.len() - 1].at.end.max(path.words[0].at.end),
        words: format!("threads of `{name}` stay on the node that starts them"),
        help,
    })
}

/// A name that a rule is about; of a rule for a whole crate the first.
fn named(path: &Named, meanings: &[String], said: &mut BTreeSet<&'static str>) -> Option<Finding> {
    let is_it = |name: &str| {
        meanings.iter().any(|meaning| match name.strip_suffix('*') {
            Some(start) => meaning.starts_with(start),
            None => meaning == name,
        })
    };
    let (rule, wanted) =
        RULES.iter().find_map(|rule| Some((rule, *rule.names.iter().find(|name| is_it(name))?)))?;
    let name = path.words.last()?;
    (!wanted.ends_with("::*") || said.insert(wanted)).then(|| Finding {
        lint: rule.lint,
        at: path.words[0].at.start..name.at.end,
        words: format!("`{}` {}", name.text, rule.words),
        help: rule.help.to_owned(),
    })
}

fn begins(path: &str, name: &str) -> bool {
    path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Whether a comment on the line, or on the line before, allows the lint.
fn is_allowed(source: &Source, finding: &Finding) -> bool {
    let (before, after) = source.text.split_at(finding.at.start);
    let line = |text: &str| {
        text.split_once("// dstd: allow(").is_some_and(|(_, names)| {
            let names = names.split(')').next().unwrap_or_default();
            names.split(',').any(|name| name.trim() == finding.lint)
        })
    };
    let mut above = before.rsplit('\n');
    let here = above.next().unwrap_or_default().to_owned() + after.lines().next().unwrap_or_default();
    line(&here) || above.next().is_some_and(|above| above.trim_start().starts_with("//") && line(above))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn lints(text: &str) -> Vec<(&'static str, String)> {
        let source = Source::read(PathBuf::from("f.rs"), text.to_owned()).unwrap();
        let crates = ["rayon", "crossbeam", "libc", "tokio", "mio", "polling", "threadpool"];
        let program = Program { renamed: false, crates: crates.map(str::to_owned).into() };
        find(&source, &program).into_iter().map(|f| (f.lint, text[f.at].to_owned())).collect()
    }

    #[track_caller]
    fn finds(text: &str, expected: &[(&'static str, &str)]) {
        let found = lints(text);
        let found: Vec<(&str, &str)> = found.iter().map(|(lint, at)| (*lint, at.as_str())).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn imports_to_swap_are_those_of_threads() {
        finds("use std::thread;", &[("std_import", "std::thread")]);
        finds("fn f() { std::thread::spawn(|| ()); }", &[("std_import", "std::thread::spawn")]);
        finds("use std::{io, thread::sleep};", &[("std_import", "std::{io, thread::sleep")]);
        finds("use std::{io, sync::Arc, collections::HashMap};", &[]);
        finds("fn f() { quote! { std::thread::spawn(f) } }", &[]);
        finds("use std::*;", &[("std_import", "std")]);
        finds("use std::io; use dstd::thread; fn f() { std::mem::drop(1) }", &[]);
    }

    #[test]
    fn names_are_found_through_imports() {
        finds("fn f() { std::process::id(); }", &[("node_identity", "std::process::id")]);
        finds("use dstd::process; fn f() { process::id(); }", &[("node_identity", "process::id")]);
        finds("use std::process::id as pid; fn f() { pid(); }", &[("node_identity", "pid")]);
        finds("use std::process::*; mod m { use super::*; fn f() { id(); } }", &[("node_identity", "id")]);
        finds("use std::process::id; mod m { fn f() { id(); } }", &[]);
        finds(
            "use std::panic; fn f() { println!(\"{:?}\", panic::take_hook()); }",
            &[("node_state", "panic::take_hook")],
        );
        finds("fn id() {} fn f() { id(); x.id(); crate::process::id(); }", &[]);
        finds("fn f() { libc::epoll_create1(0); }", &[("node_descriptor", "libc::epoll_create1")]);
        finds(
            "use libc::{mmap, O_DIRECT}; fn f() { mmap(O_DIRECT); }",
            &[("node_mapping", "mmap"), ("pinned_buffer", "O_DIRECT")],
        );
        finds("#[global_allocator] static A: B = B;", &[("own_allocator", "global_allocator")]);
        finds("const F: &str = \"/proc/self/fd\"; // /proc/self", &[("node_identity", "\"/proc/self/fd\"")]);
        finds("//! Reads /proc/self/maps.\n\n/// And /proc/self/fd.\nfn f() {}", &[]);
    }

    #[test]
    fn pools_are_said_once() {
        finds(
            "use rayon::prelude::*; use rayon::scope; fn f() { rayon::join(|| (), || ()); }",
            &[("foreign_threads", "rayon::prelude")],
        );
        finds("use crossbeam::channel; fn tokio() { tokio() }", &[]);
        finds("fn f(t: mio::Token) -> mio::Poll { mio::Poll::new() }", &[("node_descriptor", "mio::Token")]);
    }

    #[test]
    fn a_module_or_another_crate_of_that_name_is_not_meant() {
        finds("mod threadpool; fn f() { threadpool::start() }", &[]);
        finds("mod polling; fn f() { polling::go() }", &[]);
        finds("use smol::block_on; fn f() { memmap2::Mmap::map(f) }", &[]);
    }

    #[test]
    fn comments_allow() {
        finds("fn f() { std::process::id(); } // dstd: allow(node_identity)", &[]);
        finds("// dstd: allow(instant, node_identity)\nfn f() { std::process::id(); }", &[]);
        finds(
            "// dstd: allow(instant)\nfn f() { std::process::id(); }",
            &[("node_identity", "std::process::id")],
        );
    }

    #[test]
    fn a_renamed_program_has_nothing_to_import() {
        let source = Source::read(PathBuf::from("f.rs"), "use std::thread;".to_owned()).unwrap();
        assert_eq!(find(&source, &Program { renamed: true, ..Program::default() }), []);
    }
}
