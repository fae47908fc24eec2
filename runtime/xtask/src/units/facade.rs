//! What stands in std's place.

/// What a suite is built against.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Facade {
    /// Real std: the control.
    Std,
    /// dstd under its own name: the sources' paths lead into it.
    Dstd,
    /// dstd renamed to `std`: the sources are as they were.
    DstdStd,
}

impl Facade {
    /// Those that are held against the control.
    pub(crate) const OURS: [Facade; 2] = [Facade::DstdStd, Facade::Dstd];

    /// Its name on the command line and in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Facade::Std => "std",
            Facade::Dstd => "dstd",
            Facade::DstdStd => "dstd-std",
        }
    }
}
