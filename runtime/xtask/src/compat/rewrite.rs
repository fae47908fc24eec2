//! Swaps the imports of a source file: what a person does who writes `use dstd` instead of `use std`.

use proc_macro2::{TokenStream, TokenTree};

use crate::verdict::{Verdict, cannot};

/// The crates whose place dstd takes. What is in `alloc` is in std under the same name.
const CRATES: [&str; 2] = ["std", "alloc"];

/// Words after which a path may begin with `::`.
const BEFORE_PATHS: [&str; 10] = ["use", "in", "return", "as", "dyn", "impl", "mut", "match", "if", "else"];

/// The text with every path into std or alloc leading into dstd instead.
pub(crate) fn to_dstd(text: &str) -> Verdict<String> {
    let tokens: TokenStream = match text.parse() {
        Ok(tokens) => tokens,
        Err(error) => return cannot(format!("a source file is no Rust: {error}")),
    };
    let mut places = Vec::new();
    find(tokens, &mut places);
    let mut text = text.to_owned();
    for place in places.into_iter().rev() {
        text.replace_range(place, "dstd");
    }
    Ok(text)
}

/// Where a crate's name begins a path: before `::`, and neither after a path's `::` nor after a `.`.
fn find(tokens: TokenStream, places: &mut Vec<std::ops::Range<usize>>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is = |at: usize, sign: char| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == sign);
    let word =
        |at: usize, word: &str| matches!(tokens.get(at), Some(TokenTree::Ident(ident)) if ident == word);
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => find(group.stream(), places),
            TokenTree::Ident(ident) if CRATES.iter().any(|name| ident == name) => {
                let leads = is(at + 1, ':') && is(at + 2, ':');
                let imported = at > 0 && word(at - 1, "use") && (is(at + 1, ';') || word(at + 1, "as"));
                let continues =
                    at > 2 && is(at - 1, ':') && is(at - 2, ':') && path_before(&tokens[..at - 2]);
                let field = at > 0 && is(at - 1, '.') || at > 1 && is(at - 1, '$');
                if (leads || imported) && !continues && !field {
                    places.push(ident.span().byte_range());
                }
            }
            _ => {}
        }
    }
}

/// Whether a `::` after these tokens continues a path (and does not begin one from the crates).
fn path_before(tokens: &[TokenTree]) -> bool {
    let arrow = matches!(tokens, [.., TokenTree::Punct(dash), TokenTree::Punct(_)] if dash.as_char() == '-');
    // `&'a ::std::..`
    let lifetime =
        matches!(tokens, [.., TokenTree::Punct(quote), TokenTree::Ident(_)] if quote.as_char() == '\'');
    match tokens.last() {
        Some(TokenTree::Ident(_)) if lifetime => false,
        Some(TokenTree::Ident(ident)) => !BEFORE_PATHS.iter().any(|word| ident == word),
        Some(TokenTree::Punct(punct)) => punct.as_char() == '>' && !arrow,
        Some(TokenTree::Group(_) | TokenTree::Literal(_)) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::to_dstd;

    #[test]
    fn paths_from_the_crates_are_swapped_and_others_are_not() {
        let before = "use std::sync; use alloc::{vec, rc}; fn f() -> ::std::io::Result<()> { let v = \"std::x\"; a.alloc(std::mem::size_of::<u8>()) }";
        let after = "use dstd::sync; use dstd::{vec, rc}; fn f() -> ::dstd::io::Result<()> { let v = \"std::x\"; a.alloc(dstd::mem::size_of::<u8>()) }";
        assert_eq!(to_dstd(before).expect("it is Rust"), after);
        for same in [
            "use self::std::x;",
            "fn alloc() { alloc(1) }",
            "use core::alloc::Layout;",
            "extern crate alloc;",
        ] {
            assert_eq!(to_dstd(same).expect("it is Rust"), same);
        }
        assert_eq!(
            to_dstd("macro_rules! m { () => { std::panic!() } }").expect("it is Rust"),
            "macro_rules! m { () => { dstd::panic!() } }"
        );
        assert_eq!(
            to_dstd("fn f<'a>(x: &'a ::std::thread::Thread) {}").expect("it is Rust"),
            "fn f<'a>(x: &'a ::dstd::thread::Thread) {}"
        );
    }
}
