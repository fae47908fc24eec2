//! libc's functions on streams, of directories and of files, as far as they open or close descriptors.
//!
//! libc makes its system calls in place, past the functions defined here. The streams themselves are allocated
//! by the program, so other nodes can read them, but their descriptor is open on one. Directories are read by their owner; files
//! of C stay with it.
//!
//! A child process inherits descriptors of its own node only: `posix_spawn` is told so here, because in the child the
//! number of another node's is a filler.
//!
//! `dirfd` and `fileno` stay libc's: the number they return is right on every node, and calls on it are refused.

use core::ffi::{CStr, c_char, c_long};
use core::ptr;

use libc::{DIR, FILE, c_int, dirent, dirent64};

use super::super::passed;
use super::calls::fail;
use super::elsewhere::{self, Step};
use super::fillers;
use super::foreign::{is_apart, is_foreign, refused};
use super::settle::fill_holes;
use crate::alloc;
use crate::interpose::next::Next;
use crate::stack::on_native;

/// Functions of libc that are passed on, unless other nodes exist and the condition holds: then what stands behind it
/// is their result.
macro_rules! passed_on {
    ($($name:ident ($($arg:ident: $type:ty),*) -> $result:ty, if $refused:expr => $failed:expr;)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($arg: $type),*) -> $result {
            type Function = unsafe extern "C" fn($($type),*) -> $result;
            static NEXT: Next = Next::new(name_of(concat!(stringify!($name), "\0")));
            if is_apart() && $refused {
                return $failed;
            }
            // SAFETY: libc's function of this name has this type.
            let next = unsafe { core::mem::transmute::<*mut core::ffi::c_void, Function>(NEXT.get()) };
            if passed::is_needed() {
                // libc's frames are passed to the kernel.
                return on_native(|| {
                    let _user = alloc::leave();
                    // SAFETY: the caller keeps the rules of the function.
                    repeated(|| unsafe { next($($arg),*) }, stringify!($name), [$($arg as usize),*][0])
                });
            }
            // SAFETY: the caller keeps the rules of the function.
            unsafe { next($($arg),*) }
        }
    )*};
}

const fn name_of(text: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(text.as_bytes()) {
        Ok(name) => name,
        Err(_) => panic!("one NUL, at the end"),
    }
}

passed_on! {
    opendir(path: *const c_char) -> *mut DIR, if true => open_dir(path);
    fdopendir(fd: c_int) -> *mut DIR, if refused(fd, "fdopendir") => no_stream();
    closedir(dir: *mut DIR) -> c_int, if is_foreign(of_dir(dir)) => close_dir(dir);
    readdir(dir: *mut DIR) -> *mut dirent, if is_foreign(of_dir(dir)) => next("readdir", dir).cast();
    readdir64(dir: *mut DIR) -> *mut dirent64, if is_foreign(of_dir(dir)) => next("readdir64", dir);
    readdir_r(dir: *mut DIR, entry: *mut dirent, result: *mut *mut dirent) -> c_int,
        if refused(of_dir(dir), "readdir_r") => no_entry(result);
    readdir64_r(dir: *mut DIR, entry: *mut dirent64, result: *mut *mut dirent64) -> c_int,
        if refused(of_dir(dir), "readdir64_r") => no_entry(result);
    rewinddir(dir: *mut DIR) -> (), if is_foreign(of_dir(dir)) => place("rewinddir", Step::Rewind, dir, 0);
    seekdir(dir: *mut DIR, at: c_long) -> (),
        if is_foreign(of_dir(dir)) => place("seekdir", Step::Seek, dir, at);

    fopen(path: *const c_char, mode: *const c_char) -> *mut FILE, if filled() => no_stream();
    fopen64(path: *const c_char, mode: *const c_char) -> *mut FILE, if filled() => no_stream();
    fdopen(fd: c_int, mode: *const c_char) -> *mut FILE, if refused(fd, "fdopen") => no_stream();
    freopen(path: *const c_char, mode: *const c_char, file: *mut FILE) -> *mut FILE,
        if refused(of_file(file), "freopen") || filled() => no_stream();
    freopen64(path: *const c_char, mode: *const c_char, file: *mut FILE) -> *mut FILE,
        if refused(of_file(file), "freopen64") || filled() => no_stream();
    fclose(file: *mut FILE) -> c_int, if refused(of_file(file), "fclose") => fail(libc::EBADF) as c_int;
    pclose(file: *mut FILE) -> c_int, if refused(of_file(file), "pclose") => fail(libc::EBADF) as c_int;
}

/// Calls `next`; where that reads a directory into its stream, which is the program's memory, as often as a page of that is
/// missing.
fn repeated<T>(next: impl Fn() -> T, name: &str, stream: usize) -> T {
    if !name.starts_with("readdir") {
        return next();
    }
    // SAFETY: the address of this thread's errno.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: valid while the thread lives.
    let before = unsafe { errno.replace(0) };
    loop {
        let result = next();
        // SAFETY: as above.
        let error = unsafe { errno.read() };
        if error == libc::EFAULT {
            // SAFETY: libc has allocated the stream.
            let bytes = unsafe { libc::malloc_usable_size(stream as *mut _) };
            passed::touch::touch(stream, bytes);
            // SAFETY: as above.
            unsafe { errno.write(0) };
            continue;
        }
        if error == 0 {
            // SAFETY: as above.
            unsafe { errno.write(before) };
        }
        return result;
    }
}

/// `opendir`, with a descriptor of this node's range.
fn open_dir(path: *const c_char) -> *mut DIR {
    const FLAGS: c_int = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: the caller of `opendir` passes a path.
    let fd = unsafe { libc::open(path, FLAGS) };
    if fd < 0 {
        return ptr::null_mut();
    }
    // SAFETY: just opened.
    let dir = unsafe { fdopendir(fd) };
    if dir.is_null() {
        // It leaves errno as it is. Nothing was written that a failure could lose.
        drop(fillers::close(fd));
    }
    dir
}

/// `closedir` of a directory that another node has opened: the stream is memory of the program, which ends here, and
/// its descriptor ends there.
fn close_dir(dir: *mut DIR) -> c_int {
    let fd = of_dir(dir);
    // SAFETY: a stream is one block of memory (glibc's `closedir` frees it so), and the caller gives it up.
    unsafe { libc::free(dir.cast()) };
    // SAFETY: the caller gives up the descriptor with it.
    unsafe { libc::close(fd) }
}

/// `readdir` of a directory that another node has opened. The entry lies in the stream, which is global memory.
fn next(name: &'static str, dir: *mut DIR) -> *mut dirent64 {
    // SAFETY: the caller passes an open stream.
    let entry = unsafe { elsewhere::call_directory(name, Step::Next, dir, of_dir(dir), 0) };
    ptr::with_exposed_provenance_mut(entry)
}

/// Sets the place in a directory that another node has opened.
fn place(name: &'static str, function: Step, dir: *mut DIR, at: c_long) {
    // SAFETY: the caller passes an open stream and one of its places.
    unsafe { elsewhere::call_directory(name, function, dir, of_dir(dir), at) };
}

/// The descriptor of `dir`; -1 when there is none.
fn of_dir(dir: *mut DIR) -> c_int {
    // SAFETY: null, or a stream, by the rules of all functions here.
    if dir.is_null() { -1 } else { unsafe { libc::dirfd(dir) } }
}

/// The descriptor of `file`; -1 when there is none.
fn of_file(file: *mut FILE) -> c_int {
    // SAFETY: null, or a stream, by the rules of all functions here.
    if file.is_null() { -1 } else { unsafe { libc::fileno(file) } }
}

/// Fills holes, so that libc's own call finds none, and refuses nothing.
fn filled() -> bool {
    fill_holes();
    false
}

fn no_stream<T>() -> *mut T {
    fail(libc::EBADF);
    ptr::null_mut()
}

/// The failure of `readdir_r`, which returns the error.
fn no_entry<T>(result: *mut *mut T) -> c_int {
    // SAFETY: the caller has passed a place for the result.
    unsafe { result.write(ptr::null_mut()) };
    libc::EBADF
}

/// A reference that makes the linker take this file.
pub(super) fn keep() -> *const () {
    closedir as *const ()
}
