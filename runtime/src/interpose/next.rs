//! libc's own definition of an interposed function.

use core::ffi::{CStr, c_void};
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::fatal::{self, stop};

/// The address of a function of libc, or null.
pub(super) fn look_up(name: &CStr) -> *mut c_void {
    // SAFETY: the name is a C string; RTLD_NEXT skips the executable, where ours is.
    unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) }
}

/// A function behind ours, looked up once.
pub(crate) struct Next {
    name: &'static CStr,
    found: AtomicPtr<c_void>,
}

impl Next {
    pub(crate) const fn new(name: &'static CStr) -> Next {
        Next { name, found: AtomicPtr::new(core::ptr::null_mut()) }
    }

    /// The address of libc's function.
    pub(crate) fn get(&self) -> *mut c_void {
        let found = self.found.load(Ordering::Relaxed);
        if !found.is_null() {
            return found;
        }
        let found = look_up(self.name);
        if found.is_null() {
            stop!(fatal::CANNOT, "libc has no {:?}: is this program linked statically?", self.name);
        }
        self.found.store(found, Ordering::Relaxed);
        found
    }
}
