//! What becomes of texts.

use super::*;

fn source(text: &str) -> Source {
    Source::read(PathBuf::from("f.rs"), text.to_owned()).unwrap()
}

fn swap(text: &str) -> String {
    apply(text, &edits(&source(text)))
}

#[test]
fn every_form_of_a_path_is_swapped() {
    for (old, new) in [
        ("use std::thread;", "use dstd::thread;"),
        ("pub(crate) use ::std::thread as t;", "pub(crate) use ::dstd::thread as t;"),
        ("use std::{io, sync::{self, mpsc::*}};", "use dstd::{io, sync::{self, mpsc::*}};"),
        ("use {std::io, core::mem, std::fs::File};", "use {dstd::io, core::mem, dstd::fs::File};"),
        ("use std as s;", "use dstd as s;"),
        ("use std::*;", "use dstd::*;"),
        ("extern crate std;", "extern crate dstd as std;"),
        ("#[macro_use] extern crate std as s;", "#[macro_use] extern crate dstd as s;"),
        (
            "fn f() -> std::io::Result<()> { ::std::mem::drop(1); Ok(()) }",
            "fn f() -> dstd::io::Result<()> { ::dstd::mem::drop(1); Ok(()) }",
        ),
        (
            "fn f(v: &::std::vec::Vec<std::string::String>) {}",
            "fn f(v: &::dstd::vec::Vec<dstd::string::String>) {}",
        ),
        (
            "fn f() { std::println!(\"std::x {}\", std::process::id()) }",
            "fn f() { dstd::println!(\"std::x {}\", dstd::process::id()) }",
        ),
        (
            "type A = <std::ops::Range<u8> as std::iter::Iterator>::Item;",
            "type A = <dstd::ops::Range<u8> as dstd::iter::Iterator>::Item;",
        ),
        ("#[derive(std::fmt::Debug)] struct S;", "#[derive(dstd::fmt::Debug)] struct S;"),
        (
            "macro_rules! m { ($t:ident) => { std::sync::$t::new(std::$t::x()) } }",
            "macro_rules! m { ($t:ident) => { dstd::sync::$t::new(dstd::$t::x()) } }",
        ),
        (
            "macro_rules! m { ($($e:expr),*) => { $(std::mem::drop($e);)* } }",
            "macro_rules! m { ($($e:expr),*) => { $(dstd::mem::drop($e);)* } }",
        ),
        ("fn f() { let _ = 0..std::u8::MAX; }", "fn f() { let _ = 0..dstd::u8::MAX; }"),
        (
            "#[cfg(feature = \"std\")] use std::thread; #[cfg(std)] fn f() {}",
            "#[cfg(feature = \"std\")] use dstd::thread; #[cfg(std)] fn f() {}",
        ),
        (
            "fn f<'std>(x: &'std u8) -> impl Sized + use<'std> { std::ptr::from_ref(x) }",
            "fn f<'std>(x: &'std u8) -> impl Sized + use<'std> { dstd::ptr::from_ref(x) }",
        ),
        (
            "fn f() { if x > ::std::i8::MAX { return ::std::mem::drop(1); } }",
            "fn f() { if x > ::dstd::i8::MAX { return ::dstd::mem::drop(1); } }",
        ),
        ("struct P<'a> { h: &'a ::std::vec::Vec<u8> }", "struct P<'a> { h: &'a ::dstd::vec::Vec<u8> }"),
        ("fn f(x: &'static ::std::thread::Thread) {}", "fn f(x: &'static ::dstd::thread::Thread) {}"),
        (
            "use r#std::thread; fn f() { r#std::mem::drop(1) }",
            "use dstd::thread; fn f() { dstd::mem::drop(1) }",
        ),
        (
            "#[macro_export] macro_rules! a { () => { std::x() } } macro_rules! b { () => { std::y() } }",
            "#[macro_export] macro_rules! a { () => { std::x() } } macro_rules! b { () => { dstd::y() } }",
        ),
        (
            "/// No macro_export.\nmacro_rules! b { () => { std::y() } }",
            "/// No macro_export.\nmacro_rules! b { () => { dstd::y() } }",
        ),
        (
            "mod a { mod b { fn f() { std::thread::yield_now() } } }",
            "mod a { mod b { fn f() { dstd::thread::yield_now() } } }",
        ),
    ] {
        assert_eq!(swap(old), new);
        assert_eq!(swap(new), new, "once is enough");
    }
}

#[test]
fn everything_else_stays() {
    for text in [
        "// use std::thread;\n/* std::io */\n/// std::fs\nfn f() { \"std::mem\"; r#\"use std::x;\"#; b\"std::y\"; }",
        "//! std::thread\nfn f(std: u8) -> u8 { std + s.std.std::<u8>() }",
        "fn f() { crate::std::x(); self::std::y(); a::std::z(); <T>::std::new(); Vec::<u8>::std::q(); }",
        "fn f() -> T { quote! { ::std::thread::spawn(#x) } }",
        "const T: &str = stringify!(std::mem::swap);",
        "fn f() { cpp!([] { std::cout << 1; }) }",
        "#[cfg_attr(a, macro_export)]\nmacro_rules! m { () => { std::thread::spawn(|| ()) } }",
        "#[macro_export]\nmacro_rules! m { () => { ::std::thread::spawn(|| ()) } }",
        "struct S { std: u8 } fn f() -> S { S { std: 1 } }",
        "use *; use {}; use ::{*}; use as x; use {as y}; extern crate; mod; let; use",
        "use core::mem; use alloc::vec::Vec; use mystd::std_thing;",
    ] {
        assert_eq!(swap(text), text);
    }
}

#[test]
fn blanks_scripts_and_marks_stay_where_they_are() {
    assert_eq!(swap("\u{feff}use  std :: io ; // é std\n"), "\u{feff}use  dstd :: io ; // é std\n");
    assert_eq!(swap("#!/usr/bin/env é\nuse std::io;\r\n"), "#!/usr/bin/env é\nuse dstd::io;\r\n");
    assert_eq!(swap("#![no_std]\nextern crate std;"), "#![no_std]\nextern crate dstd as std;");
}

#[test]
fn a_std_of_the_programs_own_is_refused() {
    for text in [
        "mod std;",
        "mod std { }",
        "use crate::a as std;",
        "extern crate core as std;",
        "mod dstd {}",
        "use foreign::std;",
        "use foreign::{x, std::{self, io}};",
        "use foreign::dstd as dstd;",
    ] {
        assert!(own_std(&source(text)).is_some(), "{text}");
    }
    for text in [
        "use std as std;",
        "extern crate std as std;",
        "use std::io;",
        "extern crate dstd as std;",
        "use std::*;",
        "use foreign::std as s;",
    ] {
        assert!(own_std(&source(text)).is_none(), "{text}");
    }
}

#[test]
fn an_old_edition_declares_the_crate() {
    let text = "//! About.\n#![allow(dead_code)]\n\n// why\n/// Doc.\nfn f() { ::std::mem::drop(1) }\n";
    let mut swapped = vec![Swapped { path: PathBuf::from("f.rs"), old: text.to_owned(), new: swap(text) }];
    declare(&source(text), &mut swapped);
    assert_eq!(
        swapped[0].new,
        "//! About.\n#![allow(dead_code)]\n\n// why\nextern crate dstd;\n/// Doc.\nfn f() { ::dstd::mem::drop(1) }\n"
    );
}

#[test]
fn the_difference_is_one_that_patch_takes() {
    let old: String = (1..=30).map(|line| format!("line {line}\n")).collect();
    let new =
        old.replace("line 3\n", "LINE 3\n").replace("line 20\n", "line 20\nmore\n").replace("line 23\n", "");
    assert_eq!(
        unified("f", &old, &new),
        "--- a/f\n+++ b/f\n@@ -1,6 +1,6 @@\n line 1\n line 2\n-line 3\n+LINE 3\n line 4\n line 5\n line 6\n\
         @@ -18,9 +18,9 @@\n line 18\n line 19\n line 20\n+more\n line 21\n line 22\n-line 23\n line 24\n line 25\n line 26\n"
    );
    assert_eq!(
        unified("f", "a", "b"),
        "--- a/f\n+++ b/f\n@@ -1,1 +1,1 @@\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n"
    );
    assert_eq!(unified("f", &old, &old), "");
}
