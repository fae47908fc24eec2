//! What a command has found out.

use std::fmt;

/// Pass, or why not.
pub(crate) type Verdict<T = ()> = Result<T, Wrong>;

/// Why a command does not pass.
#[derive(Debug)]
pub(crate) enum Wrong {
    /// What was checked is not so.
    Failed(String),
    /// It could not be checked.
    CouldNotRun(String),
}

impl Wrong {
    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Wrong::Failed(_) => 1,
            Wrong::CouldNotRun(_) => 2,
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wrong::Failed(why) => write!(f, "failed: {why}"),
            Wrong::CouldNotRun(why) => write!(f, "could not run: {why}"),
        }
    }
}

/// The check failed.
pub(crate) fn fail<T>(why: impl Into<String>) -> Verdict<T> {
    Err(Wrong::Failed(why.into()))
}

/// The check could not be made.
pub(crate) fn cannot<T>(why: impl Into<String>) -> Verdict<T> {
    Err(Wrong::CouldNotRun(why.into()))
}

/// For an error of the surroundings: `map_err(while_doing("what"))`.
pub(crate) fn while_doing<E: fmt::Display>(what: impl fmt::Display) -> impl FnOnce(E) -> Wrong {
    move |error| Wrong::CouldNotRun(format!("{what}: {error}"))
}
