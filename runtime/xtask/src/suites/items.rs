//! Items of source files by name: test functions by their path in the file.

use syn::spanned::Spanned;
use syn::{Item, ItemFn};

use crate::units::cuts;
use crate::verdict::{Verdict, cannot};

/// The text without the item of this name, or nothing if there is none.
pub(crate) fn without(text: &str, name: &str) -> Verdict<Option<String>> {
    let mut found = None;
    walk(&parse(text)?.items, "", &mut |path, item| {
        let is_static = matches!(item, Item::Static(item) if item.ident == name);
        if path == name || is_static {
            found = Some(item.span().byte_range());
        }
    });
    Ok(found.map(|range| cuts::without(text, &[range])))
}

/// The test functions of a file, by path, with their code.
pub(crate) fn tests(text: &str) -> Verdict<Vec<(String, String)>> {
    let mut found = Vec::new();
    walk(&parse(text)?.items, "", &mut |path, item| {
        if let Item::Fn(function) = item
            && is_test(function)
        {
            let code = text.get(function.block.span().byte_range()).unwrap_or_default();
            found.push((path.to_owned(), code.to_owned()));
        }
    });
    Ok(found)
}

fn parse(text: &str) -> Verdict<syn::File> {
    syn::parse_file(text).or_else(|error| cannot(format!("a source file is no Rust: {error}")))
}

/// Whether its last attribute's word is `test`: runtimes have attributes of their own for theirs.
fn is_test(function: &ItemFn) -> bool {
    let last =
        |attribute: &syn::Attribute| attribute.path().segments.last().map(|word| word.ident.to_string());
    function.attrs.iter().any(|attribute| last(attribute).as_deref() == Some("test"))
}

/// Calls `take` with every function, and every item that is neither function nor module, and its path.
fn walk(items: &[Item], at: &str, take: &mut impl FnMut(&str, &Item)) {
    for item in items {
        match item {
            Item::Mod(module) => {
                let inner = module.content.as_ref().map_or(&[][..], |(_, items)| items);
                walk(inner, &format!("{at}{}::", module.ident), take);
            }
            Item::Fn(function) => take(&format!("{at}{}", function.sig.ident), item),
            _ => take("", item),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "#[allocator]\nstatic A: u8 = 0;\nmod m {\n    #[test]\n    fn f() { g() }\n    #[x::test]\n    async fn h() { A }\n}\nfn g() {}\n";

    #[test]
    fn tests_are_found_by_path() {
        let names: Vec<(String, String)> = tests(TEXT).expect("it is Rust");
        let names: Vec<(&str, &str)> = names.iter().map(|(path, code)| (&**path, &**code)).collect();
        assert_eq!(names, [("m::f", "{ g() }"), ("m::h", "{ A }")]);
    }

    #[test]
    fn items_go_with_their_attributes() {
        let without = |name| without(TEXT, name).expect("it is Rust");
        let text = without("A").expect("there is one");
        assert!(!text.contains("static") && !text.contains("allocator") && text.contains("fn f"));
        assert!(!without("m::f").expect("there is one").contains("fn f"));
        assert_eq!(without("f"), None);
    }
}
