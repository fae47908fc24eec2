//! Takes single items out of a source file: those that do not compile.

use std::ops::Range;

use proc_macro2::LineColumn;
use syn::spanned::Spanned;
use syn::{File, ImplItem, Item, TraitItem};

use crate::verdict::{Verdict, cannot};

/// The bytes of the smallest item that contains the byte `at`: a function, an import, a call of a macro.
/// Nothing if there is none, as for an error in a file's own attributes.
pub(crate) fn item_at(text: &str, at: usize) -> Verdict<Option<Range<usize>>> {
    Ok(among(&parse(text)?.items, at))
}

fn parse(text: &str) -> Verdict<File> {
    syn::parse_file(text).or_else(|error| cannot(format!("a source file is no Rust: {error}")))
}

fn among(items: &[Item], at: usize) -> Option<Range<usize>> {
    let item = items.iter().find(|item| bytes(item).contains(&at))?;
    let inner = match item {
        Item::Mod(module) => module.content.as_ref().and_then(|(_, items)| among(items, at)),
        Item::Impl(block) => {
            block.items.iter().find_map(|item| inside(item, at, |item| !matches!(item, ImplItem::Type(_))))
        }
        Item::Trait(block) => {
            block.items.iter().find_map(|item| inside(item, at, |item| matches!(item, TraitItem::Const(_))))
        }
        _ => None,
    };
    Some(inner.unwrap_or_else(|| bytes(item)))
}

/// Methods of an inherent block may go alone; a trait's implementation that lacks something without them goes in the next round.
fn inside<T: Spanned>(item: &T, at: usize, may_go: impl Fn(&T) -> bool) -> Option<Range<usize>> {
    let range = bytes(item);
    (range.contains(&at) && may_go(item)).then_some(range)
}

fn bytes(item: &impl Spanned) -> Range<usize> {
    item.span().byte_range()
}

/// The test functions of a file, by name, with their bytes.
pub(crate) fn tests(text: &str) -> Verdict<Vec<(String, Range<usize>)>> {
    let mut found = Vec::new();
    tests_among(&parse(text)?.items, &mut found);
    Ok(found)
}

fn tests_among(items: &[Item], found: &mut Vec<(String, Range<usize>)>) {
    for item in items {
        match item {
            Item::Fn(function)
                if function.attrs.iter().any(|attribute| attribute.path().is_ident("test")) =>
            {
                found.push((function.sig.ident.to_string(), bytes(item)));
            }
            Item::Mod(module) => {
                tests_among(module.content.as_ref().map_or(&[], |(_, items)| items), found);
            }
            _ => {}
        }
    }
}

/// The byte of a place that rustc names by line and column, both from 1, in characters.
pub(crate) fn byte_of(text: &str, place: LineColumn) -> usize {
    let line: usize = text.split_inclusive('\n').take(place.line - 1).map(str::len).sum();
    let rest = &text[line..];
    line + rest.char_indices().nth(place.column - 1).map_or(rest.len(), |(byte, _)| byte)
}

/// The text with these bytes blank; lines stay where they are.
pub(crate) fn without(text: &str, ranges: &[Range<usize>]) -> String {
    let mut text = text.to_owned();
    for range in ranges {
        let blank: String =
            text[range.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
        text.replace_range(range.clone(), &blank);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_item_goes_with_its_attributes() {
        let text = "use a::b;\nmod m {\n    /// It.\n    #[test]\n    fn f() { é(1) }\n    fn g() {}\n}\n";
        let at = byte_of(text, LineColumn { line: 5, column: 16 });
        assert_eq!(&text[at..at + 1], "1");
        let range = item_at(text, at).expect("it is Rust").expect("there is an item");
        assert!(text[range.clone()].starts_with("/// It.") && text[range.clone()].ends_with('}'));
        let cut = without(text, &[range]);
        assert_eq!(cut.lines().count(), text.lines().count());
        assert!(cut.contains("fn g") && !cut.contains("fn f"));
        assert_eq!(item_at("#![x]\n", 2).expect("it is Rust"), None);
    }
}
