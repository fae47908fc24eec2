//! libc's functions that pass the kernel their own frames or allocations: those are then on the native stack
//! and in the private heap.

use core::ffi::{CStr, c_char, c_int, c_long, c_void};

use libc::{clockid_t, size_t, timespec};

use super::super::fd::fail;
use super::super::next::Next;
use super::touch::touch;
use super::{is_global, is_needed};
use crate::alloc;
use crate::stack::on_native;

/// A copy of a private C string that the program may keep and free; null without memory.
fn for_user(text: &CStr) -> *mut c_char {
    let bytes = text.to_bytes_with_nul();
    let _user = alloc::leave();
    // SAFETY: allocates.
    let place = unsafe { libc::malloc(bytes.len()) };
    if !place.is_null() {
        // SAFETY: new memory of this size.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), place.cast(), bytes.len()) };
    }
    place.cast()
}

/// The longest path, with its end.
const PATH_MAX: usize = libc::PATH_MAX as usize;

#[unsafe(no_mangle)]
unsafe extern "C" fn getcwd(to: *mut c_char, len: size_t) -> *mut c_char {
    type Function = unsafe extern "C" fn(*mut c_char, size_t) -> *mut c_char;
    static NEXT: Next = Next::new(c"getcwd");
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, Function>(NEXT.get()) };
    if !is_needed() {
        // SAFETY: the caller's.
        return unsafe { next(to, len) };
    }
    on_native(|| {
        let mut place = [0_u8; PATH_MAX];
        let room = if to.is_null() && len == 0 { PATH_MAX } else { len.min(PATH_MAX) };
        // SAFETY: a local with so much room.
        if unsafe { next(place.as_mut_ptr().cast(), room) }.is_null() {
            return core::ptr::null_mut();
        }
        let Ok(path) = CStr::from_bytes_until_nul(&place) else { return core::ptr::null_mut() };
        if to.is_null() {
            return for_user(path);
        }
        let bytes = path.to_bytes_with_nul();
        // SAFETY: it fits into `len`, as libc has said of the copy.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), to.cast(), bytes.len()) };
        to
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn realpath(path: *const c_char, to: *mut c_char) -> *mut c_char {
    type Function = unsafe extern "C" fn(*const c_char, *mut c_char) -> *mut c_char;
    static NEXT: Next = Next::new(c"realpath");
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, Function>(NEXT.get()) };
    if !is_needed() || path.is_null() {
        // SAFETY: the caller's.
        return unsafe { next(path, to) };
    }
    on_native(|| {
        // SAFETY: a C string of the caller's.
        let path = unsafe { CStr::from_ptr(path) }.to_owned();
        // SAFETY: as above; the result is allocated in the private heap.
        let found = unsafe { next(path.as_ptr(), core::ptr::null_mut()) };
        if found.is_null() {
            return found;
        }
        // SAFETY: libc returns a C string.
        let text = unsafe { CStr::from_ptr(found) };
        let result = if to.is_null() {
            for_user(text)
        } else {
            let bytes = text.to_bytes_with_nul();
            // SAFETY: the caller passes room for PATH_MAX bytes, and libc makes no longer paths.
            unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), to.cast(), bytes.len().min(PATH_MAX)) };
            to
        };
        // SAFETY: allocated by libc for us.
        unsafe { libc::free(found.cast()) };
        result
    })
}

/// What some answers are read from goes through libc's own buffers.
#[unsafe(no_mangle)]
unsafe extern "C" fn sysconf(name: c_int) -> c_long {
    static NEXT: Next = Next::new(c"sysconf");
    // SAFETY: libc's function of this name has this type.
    let next =
        unsafe { core::mem::transmute::<*mut c_void, unsafe extern "C" fn(c_int) -> c_long>(NEXT.get()) };
    // SAFETY: any number may be asked for.
    if is_needed() { on_native(|| unsafe { next(name) }) } else { unsafe { next(name) } }
}

/// Mostly no system call at all. Where it is one, the kernel writes the time.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: clockid_t, to: *mut timespec) -> c_int {
    type Function = unsafe extern "C" fn(clockid_t, *mut timespec) -> c_int;
    static NEXT: Next = Next::new(c"clock_gettime");
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, Function>(NEXT.get()) };
    if !is_needed() || !is_global(to as usize) {
        // SAFETY: the caller's.
        return unsafe { next(clock, to) };
    }
    loop {
        // SAFETY: the caller's.
        let result = unsafe { next(clock, to) };
        if result == 0 || std::io::Error::last_os_error().raw_os_error() != Some(libc::EFAULT) {
            return result;
        }
        touch(to as usize, size_of::<timespec>());
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn gethostname(to: *mut c_char, len: size_t) -> c_int {
    type Function = unsafe extern "C" fn(*mut c_char, size_t) -> c_int;
    static NEXT: Next = Next::new(c"gethostname");
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, Function>(NEXT.get()) };
    if !is_needed() {
        // SAFETY: the caller's.
        return unsafe { next(to, len) };
    }
    let mut place = [0_u8; 256];
    // SAFETY: a local with so much room.
    let result = on_native(|| unsafe { next(place.as_mut_ptr().cast(), place.len()) });
    if result != 0 {
        return result;
    }
    let used = place.iter().position(|&byte| byte == 0).map_or(place.len(), |end| end + 1);
    // SAFETY: the caller has room for `len` bytes.
    unsafe { core::ptr::copy_nonoverlapping(place.as_ptr(), to.cast(), used.min(len)) };
    if used > len { fail(libc::ENAMETOOLONG) as c_int } else { 0 }
}

/// A reference that makes the linker take this file.
pub(super) fn keep() -> *const () {
    getcwd as *const ()
}
