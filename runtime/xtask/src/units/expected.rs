//! How many units real std passes, written down: fewer, and
//! something is wrong here.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::results::Key;
use crate::tree;
use crate::verdict::{Verdict, cannot, while_doing};

type Counts = BTreeMap<Key, u64>;

fn file(name: &str) -> PathBuf {
    tree::root().join(format!("compat-tests/expected/{name}.txt"))
}

/// What real std passes less of than is written down.
pub(crate) fn lower(name: &str, control: &Counts) -> Verdict<Vec<String>> {
    let file = file(name);
    let Ok(text) = fs::read_to_string(&file) else {
        return cannot(format!(
            "nobody has written down what std passes: --write does, to {}",
            file.display()
        ));
    };
    let expected = parse(&text);
    Ok(fewer(&expected, control))
}

/// What there is less of now, in the suites that ran.
fn fewer(before: &Counts, now: &Counts) -> Vec<String> {
    let ran = |suite: &str| now.keys().any(|(name, _)| name == suite);
    let mut fewer = Vec::new();
    for (key, count) in before.iter().filter(|(key, _)| ran(&key.0)) {
        let now = now.get(key).copied().unwrap_or(0);
        if now < *count {
            fewer.push(format!("real std passes {now} units of {}::{}, not {count}", key.0, key.1));
        }
    }
    fewer
}

/// Writes down what real std passes of the suites that ran, and tells what has become less.
pub(crate) fn write(name: &str, control: &Counts) -> Verdict {
    let file = file(name);
    let mut counts = fs::read_to_string(&file).map(|text| parse(&text)).unwrap_or_default();
    let ran = |suite: &str| control.keys().any(|(name, _)| name == suite);
    fewer(&counts, control).iter().for_each(|words| println!("{words}"));
    counts.retain(|key, _| !ran(&key.0));
    counts.extend(control.iter().map(|(key, count)| (key.clone(), *count)));
    let mut text = String::new();
    for ((suite, module), count) in counts {
        text.push_str(&format!("{suite} {module} {count}\n"));
    }
    let parent = file.parent().unwrap_or(&file);
    fs::create_dir_all(parent).and_then(|()| fs::write(&file, text)).map_err(while_doing(file.display()))
}

fn parse(text: &str) -> Counts {
    let lines = text.lines().filter_map(|line| {
        let [suite, module, count] = line.split(' ').collect::<Vec<_>>()[..] else { return None };
        Some(((suite.to_owned(), module.to_owned()), count.parse().ok()?))
    });
    lines.collect()
}
