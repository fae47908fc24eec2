//! Reading the environment without allocating, as early as an allocation can happen.
//!
//! *Invariants*: none of the heap's; nothing here allocates.
//!
//! *Layout*: `environ` is C's null-terminated array of `NAME=value` strings.
//!
//! *Who may touch what, when*: read at the first allocation, before `main` and before a second
//! thread, so nobody calls `setenv` meanwhile.
//!
//! *Why not safe code*: `std::env` allocates, and this runs inside an allocation.

use core::ffi::{CStr, c_char};

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// Whether libc has its environment yet.
pub(super) fn is_known() -> bool {
    !array().is_null()
}

/// The value of `name` as bytes.
pub(super) fn value(name: &str) -> Option<&'static [u8]> {
    let mut at = array();
    while !at.is_null() {
        // SAFETY: `at` is inside the array, whose end is marked by a null entry.
        let entry = unsafe { *at };
        if entry.is_null() {
            return None;
        }
        // SAFETY: an entry of `environ` is a C string that nobody changes at this time.
        let text = unsafe { CStr::from_ptr(entry) }.to_bytes();
        if let Some(value) = text.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"=")) {
            return Some(value);
        }
        // SAFETY: this entry was not the null at the end, so there is a next one.
        at = unsafe { at.add(1) };
    }
    None
}

/// The value of `name` as a number: `None` when it is not set, `Some(None)` when it is no number.
pub(super) fn number(name: &str) -> Option<Option<u64>> {
    value(name).map(|value| core::str::from_utf8(value).ok()?.parse().ok())
}

fn array() -> *const *const c_char {
    // SAFETY: a variable of libc; it is set before `main` and not written at this time.
    unsafe { environ }
}
