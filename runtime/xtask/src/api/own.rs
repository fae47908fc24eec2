//! What dstd defines itself, beside what std has under the same name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::docs::{Docs, key};
use super::paths::{is_elsewhere, is_stable};
use crate::verdict::{Verdict, cannot};

/// Modules of std that are modules of the runtime.
const MODULES: [&str; 1] = ["thread"];
/// Traits that types have without saying so.
const AUTO: [(&str, &str); 5] = [
    ("Send", "marker::Send"),
    ("Sync", "marker::Sync"),
    ("Unpin", "marker::Unpin"),
    ("UnwindSafe", "panic::UnwindSafe"),
    ("RefUnwindSafe", "panic::RefUnwindSafe"),
];

/// An item of ours that has std's name.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// Its path, without the name of the crate.
    pub(super) path: String,
    /// Its parameters: lifetimes and types.
    pub(super) parameters: Vec<String>,
    /// std's methods, with how many closures and types each is given.
    pub(super) methods: Vec<(String, Vec<&'static str>)>,
    /// Paths of the traits that std's has, and of the auto traits.
    pub(super) traits: BTreeSet<String>,
    /// Where ours is less, or other, than std's.
    pub(super) gaps: Vec<String>,
}

/// Compares all modules.
pub(super) fn compare(std: &BTreeMap<String, Docs>, ours: &Docs) -> Verdict<Vec<Own>> {
    let Some(std) = std.get("std") else { return cannot("std has no documentation") };
    let mut all = Vec::new();
    for module in MODULES {
        let (theirs, mine) = (items(std, module), items(ours, module));
        if theirs.is_empty() || mine.is_empty() {
            return cannot(format!("the module {module} was not understood"));
        }
        for (name, item) in &theirs {
            let path = format!("{module}::{name}");
            match mine.get(name) {
                // An item of std's own.
                Some(None) => {}
                Some(Some(own)) => all.extend(item.map(|item| self::item(path, (std, item), (ours, own)))),
                None => all.push(Own { path, gaps: vec!["is not there".to_owned()], ..Own::default() }),
            }
        }
    }
    Ok(all)
}

/// The stable items of a module by name; none: one that is imported from another crate.
fn items<'a>(docs: &'a Docs, module: &str) -> BTreeMap<String, Option<&'a Value>> {
    let children = |id: &str| docs.item(id).and_then(|item| item["inner"]["module"]["items"].as_array());
    let all = children(&docs.root).into_iter().flatten().filter_map(|id| docs.item(&id.to_string()));
    let found = all.filter(|item| item["name"] == module && !item["inner"]["module"].is_null());
    let mut items = BTreeMap::new();
    for module in found {
        let children = module["inner"]["module"]["items"].as_array().into_iter().flatten();
        for item in children.filter_map(|id| docs.item(&id.to_string())).filter(|item| is_stable(item)) {
            let import = &item["inner"]["use"];
            let (name, item) = if import.is_null() {
                (&item["name"], Some(item))
            } else {
                (&import["name"], docs.item(&import["id"].to_string()))
            };
            let stable = item.is_none_or(is_stable);
            if let Some(name) = name.as_str().filter(|_| stable) {
                items.insert(name.to_owned(), item);
            }
        }
    }
    items
}

/// Compares two items of one name.
fn item(path: String, (std, theirs): (&Docs, &Value), (ours, mine): (&Docs, &Value)) -> Own {
    let mut own = Own { path, ..Own::default() };
    let kind = |item: &Value| item["inner"].as_object().and_then(|inner| inner.keys().next().cloned());
    if kind(theirs) != kind(mine) {
        own.gaps.push("is another kind of item".to_owned());
        return own;
    }
    if kind(theirs).as_deref() == Some("function") {
        own.gaps.extend(difference(&theirs["inner"]["function"], &mine["inner"]["function"]));
        return own;
    }
    let Some(kind) = kind(theirs).filter(|kind| !theirs["inner"][kind]["impls"].is_null()) else {
        return own;
    };
    let parameters = theirs["inner"][&kind]["generics"]["params"].as_array().into_iter().flatten();
    own.parameters = parameters.filter_map(|one| one["name"].as_str()).map(str::to_owned).collect();

    let (their_methods, my_methods) = (methods(std, theirs, &kind), methods(ours, mine, &kind));
    for (name, method) in &their_methods {
        own.methods.push((name.clone(), given(method)));
        match my_methods.get(name) {
            None => own.gaps.push(format!("has no method {name}")),
            Some(mine) => own.gaps.extend(difference(method, mine).map(|gap| format!("{name} {gap}"))),
        }
    }
    let (their_traits, my_traits) = (traits(std, theirs, &kind), traits(ours, mine, &kind));
    for (name, path) in &their_traits {
        if !my_traits.contains_key(name) {
            own.gaps.push(format!("does not implement {name}"));
        }
        own.traits.extend(path.clone());
    }
    own.traits.extend(AUTO.map(|(_, path)| path.to_owned()));
    own
}

fn impls<'a>(docs: &'a Docs, item: &'a Value, kind: &str) -> impl Iterator<Item = &'a Value> {
    let ids = item["inner"][kind]["impls"].as_array().into_iter().flatten();
    ids.filter_map(|id| docs.item(&id.to_string()))
        .filter(|item| is_stable(item))
        .map(|item| &item["inner"]["impl"])
}

/// Stable public methods of a type.
fn methods(docs: &Docs, item: &Value, kind: &str) -> BTreeMap<String, Value> {
    let inherent = impls(docs, item, kind).filter(|block| block["trait"].is_null());
    let ids = inherent.flat_map(|block| block["items"].as_array().into_iter().flatten());
    let all = ids.filter_map(|id| docs.item(&id.to_string()));
    let stable = all.filter(|method| method["visibility"] == "public" && is_stable(method));
    stable
        .filter(|method| !method["inner"]["function"].is_null())
        .filter_map(|method| Some((method["name"].as_str()?.to_owned(), method["inner"]["function"].clone())))
        .collect()
}

/// Traits that a type says it has, by name, with a path where std has one.
fn traits(docs: &Docs, item: &Value, kind: &str) -> BTreeMap<String, Option<String>> {
    let said = impls(docs, item, kind).filter(|block| {
        !block["trait"].is_null() && block["blanket_impl"].is_null() && block["is_synthetic"] != true
    });
    let of_it = |block: &&Value| block["for"]["resolved_path"]["id"] == item["id"];
    let auto = |name: &str| AUTO.iter().any(|(auto, _)| *auto == name);
    let named = said.filter(of_it).filter_map(|block| {
        let name = block["trait"]["path"].as_str()?.rsplit("::").next()?.to_owned();
        let entry = docs.paths.get(block["trait"]["id"].to_string())?;
        Some((name, key(entry).0))
    });
    named
        .filter(|(name, _)| !auto(name))
        .map(|(name, path)| (name, path.split_once("::").map(|(_, path)| path.to_owned())))
        .filter(|(_, path)| !path.as_deref().is_some_and(is_elsewhere))
        .collect()
}

/// What a method's type parameters are given: closures where they are called.
fn given(method: &Value) -> Vec<&'static str> {
    let parameters = method["generics"]["params"].as_array().into_iter().flatten();
    let types = parameters.filter(|one| !one["kind"]["type"].is_null());
    let called = |one: &Value| {
        let bounds = one["kind"]["type"]["bounds"].to_string();
        let named = one["name"].as_str().unwrap_or_default();
        let predicates = method["generics"]["where_predicates"].as_array().into_iter().flatten();
        let clauses = predicates.filter(|clause| clause["bound_predicate"]["type"]["generic"] == named);
        bounds.contains("FnOnce") || clauses.into_iter().any(|clause| clause.to_string().contains("FnOnce"))
    };
    types.map(|one| if called(one) { "fn() -> u8" } else { "u8" }).collect()
}

/// What differs between two functions.
fn difference(theirs: &Value, mine: &Value) -> Option<String> {
    let parts = [
        ("sig", "has another signature"),
        ("generics", "has other bounds"),
        ("header", "has other qualifiers"),
    ];
    parts
        .into_iter()
        .find(|(part, _)| plain(&theirs[part]) != plain(&mine[part]))
        .map(|(_, words)| words.to_owned())
}

/// The same without numbers of items, names of arguments and the modules before a name.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(name, _)| *name != "id");
            Value::Object(kept.map(|(name, value)| (name.clone(), field(name, value))).collect::<Map<_, _>>())
        }
        Value::Array(all) => Value::Array(all.iter().map(plain).collect()),
        other => other.clone(),
    }
}

fn field(name: &str, value: &Value) -> Value {
    match (name, value) {
        ("path", Value::String(path)) => Value::from(path.rsplit("::").next().unwrap_or_default()),
        ("inputs", Value::Array(all)) => {
            // Each is a name and a type; those of function pointers are types.
            Value::Array(all.iter().map(|one| plain(one.get(1).unwrap_or(one))).collect())
        }
        ("where_predicates", Value::Array(all)) => {
            let mut all: Vec<Value> = all.iter().map(plain).collect();
            all.sort_by_key(Value::to_string);
            Value::Array(all)
        }
        ("bounds", Value::Array(all)) => {
            let mut all: Vec<Value> = all.iter().map(plain).collect();
            all.sort_by_key(Value::to_string);
            Value::Array(all)
        }
        _ => plain(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_and_numbers_make_no_difference() {
        let function = |name: &str, path: &str, id: u32| json!({"sig": {"inputs": [[name, {"resolved_path": {"path": path, "id": id}}]], "output": null}});
        let theirs = function("f", "super::JoinHandle", 1);
        assert_eq!(difference(&theirs, &function("g", "JoinHandle", 2)), None);
        assert!(difference(&theirs, &function("f", "Builder", 1)).is_some());
    }

    #[test]
    fn closures_are_told_from_types() {
        let method = json!({"generics": {
            "params": [
                {"name": "'a", "kind": {"lifetime": {}}},
                {"name": "F", "kind": {"type": {"bounds": []}}}, {"name": "T", "kind": {"type": {"bounds": []}}},
            ],
            "where_predicates": [{"bound_predicate": {"type": {"generic": "F"}, "bounds": ["FnOnce"]}}]
        }});
        assert_eq!(given(&method), ["fn() -> u8", "u8"]);
    }
}
