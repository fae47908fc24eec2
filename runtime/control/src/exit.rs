//! Exit codes by which dstd speaks for itself.

/// The command line or the environment is wrong.
pub const USAGE: i32 = 64;
/// A host cannot be reached.
pub const HOST: i32 = 65;
/// The nodes run different programs, protocols or address layouts.
pub const VERSION: i32 = 66;
/// A peer does not know the secret.
pub const AUTH: i32 = 67;
/// A port cannot be listened on.
pub const PORT: i32 = 68;
/// Somebody did not answer in time.
pub const TIMEOUT: i32 = 69;
/// A defect or a lost node inside dstd.
pub const INTERNAL: i32 = 70;
/// Too few nodes are left.
pub const QUORUM: i32 = 71;
/// This host or program cannot run so: rights, kernel, address space, statics, private memory touched.
pub const UNFIT: i32 = 72;

/// Whether dstd uses `code` for itself.
pub const fn is_ours(code: i32) -> bool {
    matches!(code, USAGE..=UNFIT)
}
