//! `posix_spawn` and `exec`: the kernel reads what the new program gets, and so does a child that blocks all
//! signals. Both get copies in private memory.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem::MaybeUninit;
use std::ffi::CString;

use libc::{mode_t, posix_spawn_file_actions_t, posix_spawnattr_t};

use super::super::fd::refused;
use super::super::next::Next;
use super::is_needed;
use crate::stack::on_native;

type Strings = *const *mut c_char;
type Spawn = unsafe extern "C" fn(
    *mut c_int,
    *const c_char,
    *const posix_spawn_file_actions_t,
    *const posix_spawnattr_t,
    Strings,
    Strings,
) -> c_int;

/// A list of strings in private memory.
struct List {
    /// Keeps what `pointers` point to.
    _texts: Vec<CString>,
    pointers: Vec<*mut c_char>,
}

impl List {
    /// # Safety
    /// - `from` is null, or a list of C strings that ends with null.
    unsafe fn copy(from: Strings) -> List {
        let mut texts = Vec::new();
        let mut at = from;
        while !at.is_null() {
            // SAFETY: before the end of the list.
            let text = unsafe { at.read() };
            if text.is_null() {
                break;
            }
            // SAFETY: a C string of the caller's.
            texts.push(unsafe { CStr::from_ptr(text) }.to_owned());
            at = at.wrapping_add(1);
        }
        let ends = (!from.is_null()).then_some(core::ptr::null_mut());
        let pointers = texts.iter().map(|text| text.as_ptr().cast_mut()).chain(ends).collect();
        List { _texts: texts, pointers }
    }

    /// The list as it was passed: null when that was null.
    fn as_ptr(&self) -> Strings {
        if self.pointers.is_empty() { core::ptr::null() } else { self.pointers.as_ptr() }
    }
}

/// The bytes of a structure of libc's, if there is one.
///
/// # Safety
/// - `from` is null or valid.
unsafe fn bytes<T>(from: *const T) -> Option<MaybeUninit<T>> {
    // SAFETY: valid when it is not null; uninitialised parts stay so.
    (!from.is_null()).then(|| unsafe { from.cast::<MaybeUninit<T>>().read() })
}

fn pointer<T>(bytes: &Option<MaybeUninit<T>>) -> *const T {
    bytes.as_ref().map_or(core::ptr::null(), MaybeUninit::as_ptr)
}

macro_rules! spawns {
    ($($name:ident $text:literal)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(
            pid: *mut c_int,
            path: *const c_char,
            actions: *const posix_spawn_file_actions_t,
            attributes: *const posix_spawnattr_t,
            arguments: Strings,
            environment: Strings,
        ) -> c_int {
            static NEXT: Next = Next::new($text);
            // SAFETY: libc's function of this name has this type.
            let next = unsafe { core::mem::transmute::<*mut c_void, Spawn>(NEXT.get()) };
            if !is_needed() {
                // SAFETY: the caller's.
                return unsafe { next(pid, path, actions, attributes, arguments, environment) };
            }
            let mut made: c_int = 0;
            let error = on_native(|| {
                // SAFETY: a C string of the caller's.
                let path = unsafe { CStr::from_ptr(path) }.to_owned();
                // SAFETY: a list of the caller's.
                let arguments = unsafe { List::copy(arguments) };
                // SAFETY: as above.
                let environment = unsafe { List::copy(environment) };
                // The actions themselves are in private memory: see `in_private_memory`.
                // SAFETY: null or valid.
                let actions = unsafe { bytes(actions) };
                // SAFETY: as above.
                let attributes = unsafe { bytes(attributes) };
                let mut pid = 0;
                // SAFETY: copies of what the caller has passed.
                let error = unsafe {
                    next(
                        &raw mut pid,
                        path.as_ptr(),
                        pointer(&actions),
                        pointer(&attributes),
                        arguments.as_ptr(),
                        environment.as_ptr(),
                    )
                };
                made = pid;
                error
            });
            if error == 0 && !pid.is_null() {
                // SAFETY: the caller passes a place for it.
                unsafe { pid.write(made) };
            }
            error
        }
    )*};
}

spawns! {
    posix_spawn c"posix_spawn"
    posix_spawnp c"posix_spawnp"
}

/// Functions that allocate what a child will read: in private memory, where nothing is ever away.
macro_rules! in_private_memory {
    ($($name:ident $text:literal ($($arg:ident: $type:ty),*) $(, not from $fd:ident)?;)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($arg: $type),*) -> c_int {
            type Function = unsafe extern "C" fn($($type),*) -> c_int;
            static NEXT: Next = Next::new($text);
            // SAFETY: libc's function of this name has this type.
            let next = unsafe { core::mem::transmute::<*mut c_void, Function>(NEXT.get()) };
            $(if refused($fd, "posix_spawn") {
                return libc::EBADF;
            })?
            // SAFETY: the caller keeps the rules of the function.
            if is_needed() { on_native(|| unsafe { next($($arg),*) }) } else { unsafe { next($($arg),*) } }
        }
    )*};
}

in_private_memory! {
    posix_spawn_file_actions_addopen c"posix_spawn_file_actions_addopen" (
        to: *mut posix_spawn_file_actions_t, fd: c_int, path: *const c_char, flags: c_int, mode: mode_t
    );
    posix_spawn_file_actions_addclose c"posix_spawn_file_actions_addclose" (
        to: *mut posix_spawn_file_actions_t, fd: c_int
    );
    posix_spawn_file_actions_adddup2 c"posix_spawn_file_actions_adddup2" (
        to: *mut posix_spawn_file_actions_t, from: c_int, fd: c_int
    ), not from from;
    // The newer name of the same function, which not every libc has.
    posix_spawn_file_actions_addchdir c"posix_spawn_file_actions_addchdir_np" (
        to: *mut posix_spawn_file_actions_t, path: *const c_char
    );
    posix_spawn_file_actions_addchdir_np c"posix_spawn_file_actions_addchdir_np" (
        to: *mut posix_spawn_file_actions_t, path: *const c_char
    );
    posix_spawn_file_actions_addfchdir_np c"posix_spawn_file_actions_addfchdir_np" (
        to: *mut posix_spawn_file_actions_t, fd: c_int
    );
}

type Exec = unsafe extern "C" fn(*const c_char, Strings, Strings) -> c_int;

macro_rules! execs {
    ($($name:ident $text:literal)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name(path: *const c_char, arguments: Strings, environment: Strings) -> c_int {
            static NEXT: Next = Next::new($text);
            // SAFETY: libc's function of this name has this type.
            let next = unsafe { core::mem::transmute::<*mut c_void, Exec>(NEXT.get()) };
            if !is_needed() {
                // SAFETY: the caller's.
                return unsafe { next(path, arguments, environment) };
            }
            on_native(|| {
                // SAFETY: a C string of the caller's.
                let path = unsafe { CStr::from_ptr(path) }.to_owned();
                // SAFETY: a list of the caller's.
                let arguments = unsafe { List::copy(arguments) };
                // SAFETY: as above.
                let environment = unsafe { List::copy(environment) };
                // SAFETY: copies of what the caller has passed.
                unsafe { next(path.as_ptr(), arguments.as_ptr(), environment.as_ptr()) }
            })
        }
    )*};
}

execs! {
    execve c"execve"
    execvpe c"execvpe"
}

unsafe extern "C" {
    static environ: Strings;
}

#[unsafe(no_mangle)]
unsafe extern "C" fn execv(path: *const c_char, arguments: Strings) -> c_int {
    // SAFETY: the caller's; the environment is changed by nobody meanwhile, or the program is wrong.
    unsafe { execve(path, arguments, environ) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn execvp(file: *const c_char, arguments: Strings) -> c_int {
    // SAFETY: as above.
    unsafe { execvpe(file, arguments, environ) }
}

/// The shell gets its command line from private memory.
#[unsafe(no_mangle)]
unsafe extern "C" fn system(command: *const c_char) -> c_int {
    type Function = unsafe extern "C" fn(*const c_char) -> c_int;
    static NEXT: Next = Next::new(c"system");
    // SAFETY: libc's function of this name has this type.
    let next = unsafe { core::mem::transmute::<*mut c_void, Function>(NEXT.get()) };
    if !is_needed() || command.is_null() {
        // SAFETY: the caller's.
        return unsafe { next(command) };
    }
    on_native(|| {
        // SAFETY: a C string of the caller's.
        let command = unsafe { CStr::from_ptr(command) }.to_owned();
        // SAFETY: a copy of it.
        unsafe { next(command.as_ptr()) }
    })
}

/// A reference that makes the linker take this file.
pub(super) fn keep() -> *const () {
    posix_spawn as *const ()
}
