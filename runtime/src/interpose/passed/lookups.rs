//! `getaddrinfo`: libc asks the network with frames and allocations of its own, which are then private; the answer is the
//! program's, in the shape in which libc would have allocated it.

use core::ffi::{CStr, c_char, c_int, c_void};
use std::ffi::CString;

use libc::addrinfo;

use super::super::next::Next;
use super::is_needed;
use crate::alloc;
use crate::stack::on_native;

type Function =
    unsafe extern "C" fn(*const c_char, *const c_char, *const addrinfo, *mut *mut addrinfo) -> c_int;

#[unsafe(no_mangle)]
unsafe extern "C" fn getaddrinfo(
    node: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    result: *mut *mut addrinfo,
) -> c_int {
    static NEXT: Next = Next::new(c"getaddrinfo");
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, Function>(NEXT.get()) };
    if !is_needed() {
        // SAFETY: the caller's.
        return unsafe { next(node, service, hints, result) };
    }
    let mut list: *mut addrinfo = core::ptr::null_mut();
    let error = on_native(|| {
        // SAFETY: null, or a C string of the caller's.
        let node = unsafe { text(node) };
        // SAFETY: as above.
        let service = unsafe { text(service) };
        // SAFETY: null or valid.
        let hints = unsafe { hints.as_ref() }.copied();
        let hints = hints.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
        let mut found = core::ptr::null_mut();
        // SAFETY: copies of what the caller has passed.
        let error = unsafe { next(pointer(&node), pointer(&service), hints, &raw mut found) };
        if error == 0 {
            // SAFETY: a list that libc has made.
            let copied = unsafe { for_user(found) };
            // SAFETY: as above, used no more.
            unsafe { libc::freeaddrinfo(found) };
            let Some(copied) = copied else { return libc::EAI_MEMORY };
            list = copied;
        }
        error
    });
    if error == 0 {
        // SAFETY: the caller passes a place for it.
        unsafe { result.write(list) };
    }
    error
}

/// # Safety
/// - `text` is null or a C string.
unsafe fn text(text: *const c_char) -> Option<CString> {
    // SAFETY: the caller's.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_owned())
}

fn pointer(text: &Option<CString>) -> *const c_char {
    text.as_ref().map_or(core::ptr::null(), |text| text.as_ptr())
}

/// Copies a list to the program's heap: an entry and its address are one block, a name is another, as `freeaddrinfo`
/// expects. `None` without memory; then what was copied is freed.
///
/// # Safety
/// - `list` is null or was made by `getaddrinfo`.
unsafe fn for_user(list: *const addrinfo) -> Option<*mut addrinfo> {
    let _user = alloc::leave();
    let mut first: *mut addrinfo = core::ptr::null_mut();
    let mut last: *mut addrinfo = core::ptr::null_mut();
    let mut at = list;
    // SAFETY: null, or an entry of the list.
    while let Some(entry) = unsafe { at.as_ref() } {
        let address_len = entry.ai_addrlen as usize;
        // SAFETY: allocates.
        let block = unsafe { libc::malloc(size_of::<addrinfo>() + address_len) }.cast::<addrinfo>();
        if block.is_null() {
            // SAFETY: entries of this shape.
            unsafe { libc::freeaddrinfo(first) };
            return None;
        }
        // SAFETY: behind the entry, in the same block.
        let address = unsafe { block.add(1) }.cast::<u8>();
        if !entry.ai_addr.is_null() {
            // SAFETY: so many bytes on both sides.
            unsafe { core::ptr::copy_nonoverlapping(entry.ai_addr.cast(), address, address_len) };
        }
        let name = if entry.ai_canonname.is_null() {
            entry.ai_canonname
        } else {
            // SAFETY: a C string of libc's. Without memory there is no name.
            unsafe { libc::strdup(entry.ai_canonname) }
        };
        let mut copy = *entry;
        copy.ai_addr = address.cast();
        copy.ai_canonname = name;
        copy.ai_next = core::ptr::null_mut();
        // SAFETY: new memory of this size.
        unsafe { block.write(copy) };
        if last.is_null() {
            first = block;
        } else {
            // SAFETY: the entry before, which nobody else has seen.
            unsafe { (*last).ai_next = block };
        }
        last = block;
        at = entry.ai_next;
    }
    Some(first)
}

/// A reference that makes the linker take this file.
pub(super) fn keep() -> *const () {
    getaddrinfo as *const ()
}
