//! The paths, imports and modules of one file.

use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

use proc_macro2::{Delimiter, Group, LexError, Spacing, Span, TokenStream, TokenTree};

use super::parts::{Kind, Let, Module, Named, Scope, Source};
use super::{Word, imports};

/// Macros whose arguments are text, code for another crate, or C++.
const FOR_OTHERS: [&str; 7] =
    ["quote", "quote_spanned", "parse_quote", "parse_quote_spanned", "stringify", "cpp", "cpp_class"];
/// Words after which `::` begins a path.
const KEYWORDS: [&str; 23] = [
    "as", "await", "box", "break", "const", "dyn", "else", "for", "if", "impl", "in", "let", "match", "move",
    "mut", "pub", "ref", "return", "static", "unsafe", "use", "where", "while",
];

impl Source {
    /// Reads a text; an error says what cannot be read and where (a byte).
    pub(crate) fn read(path: PathBuf, text: String) -> Result<Source, (usize, String)> {
        let (blank, skipped) = without_beginnings(&text);
        let stream = TokenStream::from_str(&blank).map_err(|error: LexError| {
            (skipped + error.span().byte_range().start, "this is not Rust that can be read".to_owned())
        })?;
        let all = 0..text.len();
        let items = skipped + items(stream.clone()).unwrap_or(blank.len());
        let source = Source { path, text, items, scopes: vec![Scope::default()], ..Source::default() };
        let mut scanner =
            Scanner { source, skipped, scope: 0, kept: None, in_static: false, within: Vec::new() };
        scanner.tokens(stream, &all);
        Ok(scanner.source)
    }
}

/// The text without a byte order mark, which is not counted, and with blanks for the line of a script.
fn without_beginnings(text: &str) -> (String, usize) {
    let rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let skipped = text.len() - rest.len();
    let script = rest.starts_with("#!") && !rest[2..].trim_start().starts_with('[');
    let line = if script { rest.find('\n').unwrap_or(rest.len()) } else { 0 };
    (" ".repeat(line) + &rest[line..], skipped)
}

/// Where the first token after `#![..]` and `//!` stands.
fn items(stream: TokenStream) -> Option<usize> {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let mut at = 0;
    while punct(&tokens, at) == Some('#') && punct(&tokens, at + 1) == Some('!') {
        at += 3;
    }
    tokens.get(at).map(|token| token.span().byte_range().start)
}

struct Scanner {
    source: Source,
    skipped: usize,
    scope: usize,
    kept: Option<&'static str>,
    in_static: bool,
    within: Vec<String>,
}

impl Scanner {
    fn at(&self, span: Span) -> Range<usize> {
        let at = span.byte_range();
        at.start + self.skipped..at.end + self.skipped
    }

    fn word(&self, token: &TokenTree) -> Word {
        let text = token.to_string();
        // A raw name is the same name; the text of a literal stays as it is written.
        let name = matches!(token, TokenTree::Ident(_)).then(|| text.strip_prefix("r#")).flatten();
        Word { text: name.unwrap_or(&text).to_owned(), at: self.at(token.span()) }
    }

    fn tokens(&mut self, stream: TokenStream, block: &Range<usize>) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let outside = self.in_static;
        let mut attributes: Vec<Group> = Vec::new();
        let mut next = 0;
        while let Some(token) = tokens.get(next) {
            next = match token {
                TokenTree::Literal(_) => {
                    let word = self.word(token);
                    self.source.literals.push(word);
                    next + 1
                }
                TokenTree::Punct(punct) => {
                    if punct.as_char() == ';' {
                        self.in_static = outside;
                        attributes.clear();
                    }
                    // The name of a lifetime, or a variable of a macro.
                    let named = matches!(tokens.get(next + 1), Some(TokenTree::Ident(_)));
                    next + 1 + usize::from(named && matches!(punct.as_char(), '\'' | '$'))
                }
                TokenTree::Group(group) => {
                    let is_attribute = is_attribute(&tokens[..next]);
                    if is_attribute {
                        attributes.push(group.clone());
                        self.attribute(group);
                    }
                    // A comment with documentation is an attribute, and no code.
                    let first = group.stream().into_iter().next();
                    if !is_attribute || !first.is_some_and(|name| is(&name, "doc")) {
                        self.group(group, block);
                    }
                    if group.delimiter() == Delimiter::Brace {
                        attributes.clear();
                    }
                    next + 1
                }
                TokenTree::Ident(_) => self.ident(&tokens, next, &mut attributes, block),
            };
        }
        self.in_static = outside;
    }

    fn attribute(&mut self, group: &Group) {
        if let Some(name @ TokenTree::Ident(_)) = group.stream().into_iter().next() {
            let name = self.word(&name);
            self.source.attributes.push(name);
        }
    }

    fn group(&mut self, group: &Group, block: &Range<usize>) {
        if group.delimiter() == Delimiter::Brace {
            self.scoped(group, Some(self.scope));
        } else {
            self.tokens(group.stream(), block);
        }
    }

    fn scoped(&mut self, group: &Group, parent: Option<usize>) {
        let outer = self.scope;
        self.scope = self.source.scopes.len();
        self.source.scopes.push(Scope { parent, ..Scope::default() });
        self.tokens(group.stream(), &self.at(group.span()));
        self.scope = outer;
    }

    /// What begins with a word; returns the token after what was taken.
    fn ident(
        &mut self,
        tokens: &[TokenTree],
        at: usize,
        attributes: &mut Vec<Group>,
        block: &Range<usize>,
    ) -> usize {
        let text = tokens[at].to_string();
        let following = |step: usize| tokens.get(at + step);
        if punct(tokens, at.wrapping_sub(1)) == Some('.') && punct(tokens, at.wrapping_sub(2)) != Some('.') {
            self.call(&tokens[at], following(1));
            return at + 1;
        }
        match text.as_str() {
            "use" if !matches!(punct(tokens, at + 1), Some('<')) => return self.import(tokens, at + 1),
            "extern" if following(1).is_some_and(|word| is(word, "crate")) => {
                return self.extern_crate(tokens, at + 2);
            }
            "mod" => {
                if let Some(end) = self.module(tokens, at, attributes) {
                    attributes.clear();
                    return end;
                }
            }
            "macro_rules" if punct(tokens, at + 1) == Some('!') => {
                let exported = attributes.iter().any(|group| names(group, "macro_export"));
                if let (true, Some(TokenTree::Group(body))) = (exported, following(3)) {
                    attributes.clear();
                    self.kept("an exported macro, which other crates expand", body, block);
                    return at + 4;
                }
            }
            "static" => self.in_static = true,
            "let" => self.binding(tokens, at, block),
            _ => {}
        }
        if KEYWORDS.contains(&text.as_str()) { at + 1 } else { self.path(tokens, at, block) }
    }

    fn kept(&mut self, why: &'static str, group: &Group, block: &Range<usize>) {
        let outer = self.kept.replace(self.kept.unwrap_or(why));
        self.group(group, block);
        self.kept = outer;
    }

    fn call(&mut self, name: &TokenTree, after: Option<&TokenTree>) {
        if let Some(TokenTree::Group(group)) = after
            && group.delimiter() == Delimiter::Parenthesis
        {
            let call = Word { text: name.to_string(), at: self.at(group.span()) };
            self.source.calls.push(call);
        }
    }

    /// A path, or a word that is none. Stops at generics.
    fn path(&mut self, tokens: &[TokenTree], at: usize, block: &Range<usize>) -> usize {
        let colons = is_colons(tokens, at.wrapping_sub(2));
        let global = colons && self.begins_a_path(tokens, at - 2);
        let mut words = vec![self.word(&tokens[at])];
        let mut end = at + 1;
        while is_colons(tokens, end) && matches!(tokens.get(end + 2), Some(TokenTree::Ident(_))) {
            words.push(self.word(&tokens[end + 2]));
            end += 3;
        }
        self.call(&tokens[end - 1], tokens.get(end));
        let last = words.last().map(|word| word.text.clone()).unwrap_or_default();
        // What follows the generics of another path belongs to that one.
        if global || !colons {
            self.source.named.push(Named {
                words,
                global,
                open: is_colons(tokens, end),
                kind: Kind::Code,
                kept: self.kept,
                in_static: self.in_static,
                scope: self.scope,
            });
        }
        if punct(tokens, end) == Some('!')
            && let Some(TokenTree::Group(group)) = tokens.get(end + 1)
        {
            if FOR_OTHERS.contains(&last.as_str()) {
                self.kept("words that a macro keeps as they are, or of another language", group, block);
                return end + 2;
            }
            if last == "include" && self.kept.is_none() {
                self.source.includes.extend(imports::only_literal(group.stream()));
            }
        }
        end
    }

    /// Whether `::` at this place begins a path, and does not continue one: `&::std::mem`, `&'a ::std::mem`, `<T>::std`.
    fn begins_a_path(&self, tokens: &[TokenTree], colons: usize) -> bool {
        let Some(before) = colons.checked_sub(1).map(|before| &tokens[before]) else { return true };
        match before {
            TokenTree::Ident(word) => {
                let is_lifetime = punct(tokens, colons.wrapping_sub(2)) == Some('\'');
                is_lifetime || KEYWORDS.contains(&word.to_string().as_str())
            }
            TokenTree::Punct(punct) if punct.as_char() == '>' => {
                self.at(before.span()).end < self.at(tokens[colons].span()).start
            }
            _ => true,
        }
    }

    fn binding(&mut self, tokens: &[TokenTree], at: usize, block: &Range<usize>) {
        let name = at + 1 + usize::from(tokens.get(at + 1).is_some_and(|word| is(word, "mut")));
        let Some(variable @ TokenTree::Ident(_)) = tokens.get(name) else { return };
        let rest = || (name + 1..tokens.len()).take_while(|&at| punct(tokens, at) != Some(';'));
        let Some(equals) = rest().find(|&at| punct(tokens, at) == Some('=')) else { return };
        let Some(value) = tokens.get(equals + 1).map(|token| self.at(token.span()).start) else { return };
        let name = self.word(variable);
        self.source.lets.push(Let { name, value, block: block.clone() });
    }

    fn import(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        let end = (at..tokens.len()).find(|&at| punct(tokens, at) == Some(';')).unwrap_or(tokens.len());
        let mut found = Vec::new();
        let word = |token: &TokenTree| self.word(token);
        imports::tree(&tokens[at..end], &[], false, &word, &mut found);
        for imports::Leaf { words, global, kind } in found {
            let full: Vec<String> = words.iter().map(|word| word.text.clone()).collect();
            let scope = &mut self.source.scopes[self.scope];
            if let Kind::Use { alias, glob } = &kind {
                if *glob {
                    scope.globs.push(full);
                } else if let Some(name) = alias.clone().or_else(|| full.last().cloned()) {
                    scope.imports.insert(name, full);
                }
            }
            let (kept, in_static, scope) = (self.kept, false, self.scope);
            self.source.named.push(Named { words, global, open: false, kind, kept, in_static, scope });
        }
        end
    }

    fn extern_crate(&mut self, tokens: &[TokenTree], at: usize) -> usize {
        let Some(name @ TokenTree::Ident(_)) = tokens.get(at) else { return at };
        let alias = tokens.get(at + 1).filter(|word| is(word, "as")).and_then(|_| tokens.get(at + 2));
        let alias = alias.map(|word| word.to_string());
        let name = self.word(name);
        if let Some(alias) = &alias {
            self.source.scopes[self.scope].imports.insert(alias.clone(), vec![name.text.clone()]);
        }
        let kind = Kind::ExternCrate { alias: alias.clone() };
        let (kept, scope) = (self.kept, self.scope);
        let words = vec![name];
        self.source.named.push(Named {
            words,
            global: true,
            open: false,
            kind,
            kept,
            in_static: false,
            scope,
        });
        at + 1 + if alias.is_some() { 2 } else { 0 }
    }

    /// `mod x;`, `mod x { .. }`.
    fn module(&mut self, tokens: &[TokenTree], at: usize, attributes: &[Group]) -> Option<usize> {
        let name @ TokenTree::Ident(_) = tokens.get(at + 1)? else { return None };
        let name = self.word(name);
        let files = attributes.iter().flat_map(|group| imports::named_files(group.stream())).collect();
        let (within, body) = (self.within.clone(), tokens.get(at + 2)?);
        let text = name.text.clone();
        match body {
            TokenTree::Punct(punct) if punct.as_char() == ';' => {
                self.source.modules.push(Module { name, within, inline: false, files });
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let folder = files.first().cloned().unwrap_or(text);
                self.source.modules.push(Module { name, within, inline: true, files });
                self.within.push(folder);
                let inner = self.source.scopes.len();
                let outer = self.scope;
                self.scoped(group, None);
                // `use super::*` brings what the module around it has imported.
                let scope = &mut self.source.scopes[inner];
                if scope.globs.iter().any(|glob| *glob == ["super"]) {
                    scope.parent = Some(outer);
                }
                self.within.pop();
            }
            _ => return None,
        }
        Some(at + 3)
    }
}

fn punct(tokens: &[TokenTree], at: usize) -> Option<char> {
    match tokens.get(at)? {
        TokenTree::Punct(punct) => Some(punct.as_char()),
        _ => None,
    }
}

/// Whether a word stands in an attribute, also under `cfg_attr`. A comment's words are literals.
fn names(attribute: &Group, name: &str) -> bool {
    attribute.stream().into_iter().any(|token| match &token {
        TokenTree::Group(group) => names(group, name),
        token => is(token, name),
    })
}

fn is(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

fn is_attribute(before: &[TokenTree]) -> bool {
    let last = before.len().wrapping_sub(1);
    match punct(before, last) {
        Some('#') => true,
        Some('!') => punct(before, last.wrapping_sub(1)) == Some('#'),
        _ => false,
    }
}

/// Whether `::` stands here.
pub(super) fn is_colons(tokens: &[TokenTree], at: usize) -> bool {
    let first = tokens.get(at);
    let joint = matches!(first, Some(TokenTree::Punct(punct)) if punct.as_char() == ':' && punct.spacing() == Spacing::Joint);
    joint && punct(tokens, at.wrapping_add(1)) == Some(':')
}
