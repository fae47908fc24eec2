//! A suite as a package of its own, in the target directory: written, and built without what does not compile.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::messages::{BuildError, Messages};
use crate::cargo;
use crate::tree;
use crate::units::cuts;
use crate::units::facade::Facade;
use crate::verdict::{Verdict, cannot, while_doing};

/// After so many attempts something else is wrong than single items.
const ATTEMPTS: usize = 12;

/// A suite's files, as they are built against a facade.
pub(crate) struct Package {
    name: String,
    facade: Facade,
    directory: PathBuf,
    /// By name; every one of them is below `directory`.
    files: BTreeMap<PathBuf, Source>,
    /// Feature gates that the files do not name themselves.
    features: BTreeSet<String>,
    root: PathBuf,
}

/// What a package is made of.
#[derive(Clone, Default)]
pub(crate) struct Sources {
    /// By name; the first is the root.
    pub(crate) files: Vec<(String, String)>,
    /// Feature gates that the files do not name themselves.
    pub(crate) features: BTreeSet<String>,
}

struct Source {
    text: String,
    /// What is taken out. No two of them overlap.
    cut: Vec<Range<usize>>,
}

impl Package {
    /// A package of these files, named from its top; the first is the root.
    pub(crate) fn new(name: &str, facade: Facade, sources: Sources) -> Verdict<Package> {
        let Sources { files, features } = sources;
        let directory = tree::target("compat")?.join(facade.name()).join(name);
        let Some((root, _)) = files.first() else { return cannot(format!("{name} has no files")) };
        let root = root.into();
        let files = files.into_iter().map(|(path, text)| {
            Ok((PathBuf::from(path), Source { text: facade.source(text)?, cut: Vec::new() }))
        });
        let files = files.collect::<Verdict<_>>()?;
        Ok(Package { name: name.to_owned(), facade, directory, files, features, root })
    }

    /// What was built in the end: nobody has to find out again what real std does not compile.
    pub(crate) fn into_sources(self) -> Sources {
        let text = |source: &Source| cuts::without(&source.text, &source.cut);
        let name = |path: &Path| path.display().to_string();
        let others = self.files.iter().filter(|(path, _)| **path != self.root);
        let root = self.files.get_key_value(&self.root).into_iter();
        let files = root.chain(others).map(|(path, source)| (name(path), text(source))).collect();
        Sources { files, features: self.features }
    }

    /// What was taken out that holds no unit, so that nobody would miss it.
    pub(crate) fn lost(&self) -> Vec<String> {
        let mut lost = Vec::new();
        for (name, source) in &self.files {
            for cut in &source.cut {
                let item = &source.text[cut.clone()];
                // A method alone is no file, and no unit.
                if cuts::tests(item).map_or(true, |units| units.is_empty()) {
                    let code =
                        item.lines().map(str::trim).find(|line| !line.starts_with("//") && !line.is_empty());
                    lost.push(format!("{}: {}", name.display(), code.unwrap_or_default()));
                }
            }
        }
        lost
    }

    /// Builds it; the program, which lacks the items that do not compile.
    pub(crate) fn build(&mut self) -> Verdict<PathBuf> {
        self.write_manifest()?;
        for _ in 0..ATTEMPTS {
            self.write_sources()?;
            let messages = self.cargo()?;
            if let Some(program) = messages.program {
                return Ok(program);
            }
            if !self.learn(&messages.errors)? {
                let texts: Vec<&str> = messages.errors.iter().take(8).map(|error| &*error.text).collect();
                return cannot(format!(
                    "{} does not build against {}: {}",
                    self.name,
                    self.facade.name(),
                    texts.join("; ")
                ));
            }
        }
        cannot(format!(
            "{} still does not build against {} after {ATTEMPTS} attempts",
            self.name,
            self.facade.name()
        ))
    }

    /// The gates and items that errors are about; whether there is anything new.
    fn learn(&mut self, errors: &[BuildError]) -> Verdict<bool> {
        let mut new = false;
        for error in errors {
            if let Some(feature) = &error.feature {
                new |= self.features.insert(feature.clone());
                continue;
            }
            // Of a macro's call and its definition the call goes: other calls may be right.
            for (file, place) in error.places.iter().rev() {
                let file = file.strip_prefix(&self.directory).unwrap_or(file);
                let Some(source) = self.files.get_mut(file) else { continue };
                let at = cuts::byte_of(&source.text, *place);
                if source.cut.iter().any(|cut| cut.contains(&at)) {
                    break;
                }
                let now = cuts::without(&source.text, &source.cut);
                if let Some(range) = cuts::item_at(&now, at)? {
                    source.cut.retain(|cut| !range.contains(&cut.start));
                    source.cut.push(range);
                    new = true;
                    break;
                }
            }
        }
        Ok(new)
    }

    fn write_manifest(&self) -> Verdict {
        let Package { name, facade, root, .. } = self;
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\nautotests = false\n\n\
             [[test]]\nname = \"{name}\"\npath = \"{}\"\n\n\
             [dependencies]\n{}rand = {{ version = \"0.9\", default-features = false, features = [\"alloc\"] }}\n\
             rand_xorshift = \"0.4\"\n\n[workspace]\n\n[profile.dev]\nopt-level = 1\ndebug = false\nincremental = false\n",
            root.display(),
            facade.dependencies(),
        );
        tree::write(&self.directory.join("Cargo.toml"), &manifest)?;
        // The versions that the workspace has been tested with.
        tree::write(&self.directory.join("Cargo.lock"), &tree::read(&tree::root().join("Cargo.lock"))?)
    }

    fn write_sources(&self) -> Verdict {
        self.files.iter().try_for_each(|(name, source)| {
            tree::write(&self.directory.join(name), &cuts::without(&source.text, &source.cut))
        })
    }

    fn cargo(&self) -> Verdict<Messages> {
        let manifest = self.directory.join("Cargo.toml");
        let target = tree::target("compat")?.join("build");
        let mut command =
            cargo::cargo(&["rustc", "--quiet", "--message-format", "json", "--test", &self.name]);
        command.arg("--manifest-path").arg(&manifest).arg("--target-dir").arg(&target);
        command.args(["--", "-Awarnings", "-Zcrate-attr=feature(custom_test_frameworks)"]);
        command.arg("-Zcrate-attr=test_runner(compat_glue::run)");
        command.args(self.features.iter().map(|feature| format!("-Zcrate-attr=feature({feature})")));
        // The unstable mode, for the suite and the harness alone.
        command.env("RUSTC_BOOTSTRAP", format!("{},compat_glue", self.name.replace('-', "_")));
        let output = command.stderr(Stdio::piped()).output().map_err(while_doing(format!("{command:?}")))?;
        let messages = Messages::read(&String::from_utf8_lossy(&output.stdout), &self.name);
        if messages.program.is_none() && messages.errors.is_empty() {
            return cannot(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)));
        }
        Ok(messages)
    }
}
