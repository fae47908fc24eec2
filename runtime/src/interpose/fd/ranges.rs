//! libc's functions that close many descriptors: none of another node.

use libc::{c_int, c_uint};

use super::calls::call;
use super::foreign::own;

/// Closes what is there in the common numbers and in this node's own.
#[unsafe(no_mangle)]
unsafe extern "C" fn close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int {
    let close = |first: c_uint, last: c_uint| {
        // SAFETY: the caller closes what it owns.
        unsafe { call(libc::SYS_close_range, [first as usize, last as usize, flags as usize]) as c_int }
    };
    match own() {
        // The wrong way round is the kernel's to refuse.
        Some(own) if first <= last => [(0, 2), (own.start, own.end - 1)]
            .map(|(start, end)| (first.max(start), last.min(end)))
            .into_iter()
            .filter(|(first, last)| first <= last)
            .map(|(first, last)| close(first, last))
            .find(|result| *result != 0)
            .unwrap_or(0),
        _ => close(first, last),
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn closefrom(first: c_int) {
    // SAFETY: the caller closes what it owns. Failures have no way out.
    unsafe { close_range(first.max(0) as c_uint, c_uint::MAX, 0) };
}

/// A reference that makes the linker take this file.
pub(super) fn keep() -> *const () {
    close_range as *const ()
}
