//! Every stable public path of std.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::docs::{Docs, key};
use crate::verdict::{Verdict, cannot};

/// Modules whose thousands of intrinsics are std's by one `pub use`: the module stands for them.
const WHOLE: [&str; 1] = ["arch"];

/// Modules that are documented everywhere, and are there on other systems only.
const ELSEWHERE: [&str; 5] = ["os::windows", "os::wasi", "os::wasip2", "os::darwin", "os::macos"];

/// Where the walk is: a crate, and an item of it.
#[derive(Clone)]
struct Place<'a> {
    of: &'a str,
    id: String,
}

/// All paths, without `std::`.
pub(super) fn stable(std: &BTreeMap<String, Docs>) -> Verdict<BTreeSet<String>> {
    let Some((name, docs)) = std.get_key_value("std") else { return cannot("std has no documentation") };
    let mut walk = Walk { std, found: BTreeSet::new(), open: BTreeSet::new() };
    walk.children(&Place { of: name, id: docs.root.clone() }, "");
    if walk.found.len() < 1000 {
        return cannot(format!(
            "std has more than {} paths: its documentation was not understood",
            walk.found.len()
        ));
    }
    Ok(walk.found)
}

struct Walk<'a> {
    std: &'a BTreeMap<String, Docs>,
    found: BTreeSet<String>,
    /// Modules on the way, so that none is walked within itself.
    open: BTreeSet<(String, String)>,
}

impl<'a> Walk<'a> {
    fn item(&self, place: &Place<'a>) -> Option<&'a Value> {
        self.std.get(place.of)?.item(&place.id)
    }

    /// Where an item is documented that `of` names by this number: perhaps in another crate.
    fn definition(&self, of: &'a str, id: &str) -> Option<Place<'a>> {
        let docs = self.std.get(of)?;
        if docs.item(id).is_some() {
            return Some(Place { of, id: id.to_owned() });
        }
        let entry = docs.paths.get(id)?;
        let (path, kind) = key(entry);
        let (name, theirs) = self.std.get_key_value(path.split("::").next()?)?;
        Some(Place { of: name, id: theirs.defined.get(&(path, kind))?.clone() })
    }

    /// Everything in a module, or an enum.
    fn children(&mut self, place: &Place<'a>, prefix: &str) {
        let Some(item) = self.item(place) else { return };
        let inner = &item["inner"];
        let children = inner["module"]["items"].as_array().or_else(|| inner["enum"]["variants"].as_array());
        if !self.open.insert((place.of.to_owned(), place.id.clone())) {
            return;
        }
        for child in children.into_iter().flatten() {
            let child = Place { of: place.of, id: child.to_string() };
            self.child(&child, prefix);
        }
        self.open.remove(&(place.of.to_owned(), place.id.clone()));
    }

    fn child(&mut self, place: &Place<'a>, prefix: &str) {
        let Some(item) = self.item(place).filter(|item| is_stable(item) && is_public(item)) else { return };
        let inner = &item["inner"];
        let import = &inner["use"];
        if import.is_null() {
            if let Some(name) = item["name"].as_str() {
                self.named(place, prefix, name);
            }
            return;
        }
        let Some(target) = import["id"].as_u64().and_then(|id| self.definition(place.of, &id.to_string()))
        else {
            // Primitive types, and what is documented nowhere, are known by their imports.
            let known = import["id"].as_u64().map(|id| self.std.get(place.of)?.paths.get(id.to_string()));
            if let Some(name) = import["name"].as_str().filter(|_| known.is_none_or(|entry| entry.is_some()))
            {
                self.found.insert(format!("{prefix}{name}"));
            }
            return;
        };
        if import["is_glob"] == true {
            self.children(&target, prefix);
        } else if let Some(name) = import["name"].as_str()
            && self.item(&target).is_some_and(is_stable)
        {
            self.named(&target, prefix, name);
        }
    }

    fn named(&mut self, place: &Place<'a>, prefix: &str, name: &str) {
        let Some(item) = self.item(place) else { return };
        let inner = &item["inner"];
        let kinds = [
            "module",
            "struct",
            "enum",
            "union",
            "trait",
            "function",
            "constant",
            "static",
            "type_alias",
            "macro",
            "proc_macro",
            "variant",
            "use",
            "trait_alias",
        ];
        let Some(kind) = kinds.into_iter().find(|kind| !inner[kind].is_null()) else { return };
        if kind == "use" {
            return self.child(place, prefix);
        }
        let path = format!("{prefix}{name}");
        if ELSEWHERE.contains(&path.as_str()) {
            return;
        }
        // A name can be a module and a macro.
        self.found.insert(path.clone());
        let whole = WHOLE.contains(&path.as_str());
        if (kind == "module" || kind == "enum") && !whole {
            self.children(place, &format!("{path}::"));
        }
    }
}

fn is_public(item: &Value) -> bool {
    item["visibility"] == "public" || item["visibility"] == "default"
}

/// Whether a path leads to something that this system does not have.
pub(super) fn is_elsewhere(path: &str) -> bool {
    ELSEWHERE.iter().any(|module| path.strip_prefix(module).is_some_and(|rest| rest.starts_with("::")))
}

/// Whether an item may be used on the stable toolchain; what says nothing is as what it stands in.
pub(super) fn is_stable(item: &Value) -> bool {
    let words =
        item["attrs"].as_array().into_iter().flatten().filter_map(|attribute| attribute["other"].as_str());
    !words.into_iter().any(|words| words.contains("level: Unstable"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn docs(index: Value, paths: Value) -> Docs {
        let own = paths.as_object().unwrap().iter().filter(|(_, entry)| entry["crate_id"] == 0);
        let defined = own.map(|(id, entry)| (key(entry), id.clone())).collect();
        Docs { index, root: "0".to_owned(), paths, defined }
    }

    fn item(name: &str, inner: Value, stable: bool) -> Value {
        let level = if stable { "level: Stable" } else { "level: Unstable" };
        json!({"name": name, "inner": inner, "visibility": "public", "attrs": [{"other": level}]})
    }

    #[test]
    fn paths_lead_through_crates_and_stop_at_what_is_unstable() {
        let core = docs(
            json!({
                "7": item("mem", json!({"module": {"items": [8, 9]}}), true),
                "8": item("swap", json!({"function": {}}), true),
                "9": item("odd", json!({"function": {}}), false),
            }),
            json!({"7": {"crate_id": 0, "path": ["core", "mem"], "kind": "module"}}),
        );
        let std = docs(
            json!({
                "0": item("std", json!({"module": {"items": [1, 2, 4, 5]}}), true),
                "1": item("", json!({"use": {"name": "mem", "id": 3, "is_glob": false}}), true),
                "2": item("Way", json!({"enum": {"variants": [6]}}), true),
                "6": item("Up", json!({"variant": {}}), true),
                "4": item("new", json!({"module": {"items": [2]}}), false),
                "5": item("", json!({"use": {"name": "Way", "id": 2, "is_glob": true}}), true),
            }),
            json!({"3": {"crate_id": 1, "path": ["core", "mem"], "kind": "module"}}),
        );
        let all = BTreeMap::from([("core".to_owned(), core), ("std".to_owned(), std)]);
        let mut walk = Walk { std: &all, found: BTreeSet::new(), open: BTreeSet::new() };
        walk.children(&Place { of: "std", id: "0".to_owned() }, "");
        let found: Vec<&str> = walk.found.iter().map(String::as_str).collect();
        assert_eq!(found, ["Up", "Way", "Way::Up", "mem", "mem::swap"]);
    }
}
