//! What cargo is told: the options that were given, as words again.

use std::ffi::OsString;

use super::{BuildCommand, CargoOptions, ReleaseProfile, RunCommand, TestCommand};

fn flags<const N: usize>(flags: [(&str, bool); N]) -> impl Iterator<Item = OsString> {
    flags.into_iter().filter(|(_, on)| *on).map(|(name, _)| name.into())
}

fn valued<'a>(name: &'a str, value: Option<impl Into<OsString> + 'a>) -> impl Iterator<Item = OsString> + 'a {
    value.into_iter().flat_map(move |value| [name.into(), value.into()])
}

impl ReleaseProfile {
    fn args(&self) -> Vec<OsString> {
        match &self.profile {
            Some(profile) => vec!["--profile".into(), profile.into()],
            None if self.dev => Vec::new(),
            None => vec!["--release".into()],
        }
    }
}

impl CargoOptions {
    /// What a build is given, without the choice of packages and targets and the place.
    fn build_args(&self) -> Vec<OsString> {
        let mut args = self.feature_args();
        args.extend(valued("--jobs", self.jobs.as_ref()));
        args.extend(self.lock_args());
        args
    }

    fn package_args(&self) -> impl Iterator<Item = OsString> {
        self.package.iter().flat_map(|name| ["--package".into(), name.into()])
    }

    fn feature_args(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> = Vec::new();
        for features in &self.features {
            args.extend(["--features".into(), features.into()]);
        }
        args.extend(flags([
            ("--all-features", self.all_features),
            ("--no-default-features", self.no_default_features),
        ]));
        args
    }

    /// The options that `cargo metadata` takes as well, without features.
    pub(crate) fn lock_args(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> = valued("--manifest-path", self.manifest_path.as_ref()).collect();
        args.extend(flags([
            ("--locked", self.locked),
            ("--offline", self.offline),
            ("--frozen", self.frozen),
        ]));
        args.extend(self.config.iter().flat_map(|setting| ["--config".into(), setting.clone()]));
        args
    }

    /// What `cargo metadata` is asked for all that is built.
    pub(crate) fn graph_args(&self) -> Vec<OsString> {
        [self.feature_args(), self.lock_args()].concat()
    }
}

impl RunCommand {
    /// What `cargo build` is given, without the choice of the program.
    pub(crate) fn build_args(&self) -> Vec<OsString> {
        let quiet = flags([("--quiet", self.launch.quiet)]);
        let args = [self.profile.args(), self.cargo.build_args(), self.cargo.others.clone()];
        args.concat().into_iter().chain(quiet).collect()
    }
}

impl BuildCommand {
    /// What `cargo build` is given.
    pub(crate) fn build_args(&self) -> Vec<OsString> {
        let mut args = [self.profile.args(), self.cargo.build_args()].concat();
        args.extend(flags([("--workspace", self.workspace)]));
        args.extend(self.cargo.package_args());
        args.extend(self.cargo.others.iter().cloned());
        args
    }

    /// What only the build that counts is given.
    pub(crate) fn message_args(&self) -> impl Iterator<Item = OsString> {
        self.message_format.iter().flat_map(|format| ["--message-format".into(), format.into()])
    }
}

impl TestCommand {
    /// What building the tests is given: packages, features, profile, and not which of the tests.
    pub(crate) fn build_args(&self) -> Vec<OsString> {
        let mut args = self.cargo.build_args();
        args.extend(flags([("--workspace", self.workspace), ("--release", self.release)]));
        args.extend(valued("--profile", self.profile.as_ref()));
        args.extend(self.cargo.package_args());
        args.extend(flags([("--quiet", self.launch.quiet)]));
        args
    }

    /// What `cargo test` is given.
    pub(crate) fn test_args(&self) -> Vec<OsString> {
        let mut args = self.build_args();
        args.extend(self.cargo.others.iter().cloned());
        args.extend(self.filter.iter().cloned());
        args
    }

    /// What the test programs are given.
    pub(crate) fn program_args(&self) -> &[OsString] {
        &self.args
    }
}
