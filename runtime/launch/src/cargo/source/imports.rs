//! The trees of `use`, and the files that `#[path]` and `include!` name.

use proc_macro2::{Delimiter, Literal, TokenStream, TokenTree};

use super::Word;
use super::parts::Kind;
use super::scan::is_colons;

/// One name that a `use` brings.
pub(super) struct Leaf {
    pub(super) words: Vec<Word>,
    pub(super) global: bool,
    pub(super) kind: Kind,
}

/// Takes a tree apart: `a::{b, c::*}` brings `a::b` and everything of `a::c`.
pub(super) fn tree(
    tokens: &[TokenTree],
    above: &[Word],
    global: bool,
    word: &dyn Fn(&TokenTree) -> Word,
    found: &mut Vec<Leaf>,
) {
    let mut words = above.to_vec();
    let mut rest = tokens;
    let mut global = global;
    if is_colons(rest, 0) {
        global |= words.is_empty();
        rest = &rest[2..];
    }
    loop {
        match rest {
            [TokenTree::Ident(keyword), name @ TokenTree::Ident(_), ..] if keyword == "as" => {
                let alias = Some(name.to_string());
                return leaf(words, global, Kind::Use { alias, glob: false }, found);
            }
            [name @ TokenTree::Ident(_), after @ ..] => {
                // `{self}` is what it stands in.
                if words.is_empty() || name.to_string() != "self" {
                    words.push(word(name));
                }
                rest = after;
            }
            [TokenTree::Punct(star), ..] if star.as_char() == '*' => {
                return leaf(words, global, Kind::Use { alias: None, glob: true }, found);
            }
            [TokenTree::Group(group), ..] if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let comma = |token: &TokenTree| matches!(token, TokenTree::Punct(p) if p.as_char() == ',');
                for part in inner.split(comma).filter(|part| !part.is_empty()) {
                    tree(part, &words, global, word, found);
                }
                return;
            }
            [_, after @ ..] => rest = after,
            [] => {
                return leaf(words, global, Kind::Use { alias: None, glob: false }, found);
            }
        }
    }
}

/// `use *` and the like name nothing.
fn leaf(words: Vec<Word>, global: bool, kind: Kind, found: &mut Vec<Leaf>) {
    if !words.is_empty() {
        found.push(Leaf { words, global, kind });
    }
}

/// Every `path = ".."` of an attribute.
pub(super) fn named_files(attribute: TokenStream) -> Vec<String> {
    let tokens: Vec<TokenTree> = attribute.into_iter().collect();
    let mut files = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match (token, tokens.get(at + 2)) {
            (TokenTree::Group(group), _) => files.extend(named_files(group.stream())),
            (TokenTree::Ident(name), Some(TokenTree::Literal(literal))) if name == "path" => {
                files.push(content(literal));
            }
            _ => {}
        }
    }
    files
}

/// What a macro is given, if that is one literal.
pub(super) fn only_literal(arguments: TokenStream) -> Option<String> {
    let mut tokens = arguments.into_iter();
    match (tokens.next(), tokens.next()) {
        (Some(TokenTree::Literal(literal)), None) => Some(content(&literal)),
        _ => None,
    }
}

/// The text of a string without its marks.
fn content(literal: &Literal) -> String {
    literal.to_string().trim_start_matches('r').trim_matches(['#', '"']).to_owned()
}
