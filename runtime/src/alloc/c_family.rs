//! C's `malloc` family, so that what std and C libraries allocate for a user thread is global too.
//!
//! std allocates its thread handles with the system allocator; they must be where other nodes can
//! reach them.
//!
//! *Invariants*: HEAP-2, HEAP-3, ISO-2: a header is read and written without a lock, because it may
//! be on a page that is at another node.
//!
//! *Layout*: a header right before the block. `offset` is the alignment, at least 16.
//! ```text
//! start                     start + offset - 16              start + offset
//! | unused if align > 16    | size u64 | offset u32 | magic u32 | the block: `size` bytes ...
//! ```
//!
//! *Who may touch what, when*: the header belongs to whoever owns the block.
//!
//! *Why not safe code*: this is C's interface.

use core::ffi::{c_int, c_void};
use core::ptr;

use dstd_addr::PAGE_BYTES;

use super::end::set_errno;
use super::route::{self, Owner};

const MAGIC: u32 = 0x6473_7464;
const ALIGN_MIN: usize = size_of::<Header>();

#[repr(C)]
#[derive(Clone, Copy)]
struct Header {
    size: usize,
    offset: u32,
    magic: u32,
}

const _: () = assert!(size_of::<Header>() == 16);

/// C's `malloc`.
#[unsafe(no_mangle)]
extern "C" fn malloc(size: usize) -> *mut c_void {
    new_block(size, ALIGN_MIN, route::alloc)
}

/// C's `calloc`.
#[unsafe(no_mangle)]
extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    match count.checked_mul(size) {
        Some(bytes) => new_block(bytes, ALIGN_MIN, route::alloc_zeroed),
        None => no_memory(),
    }
}

/// C's `free`.
///
/// # Safety
/// - `block` must be null or a live block of this family that is not used any more.
#[unsafe(no_mangle)]
unsafe extern "C" fn free(block: *mut c_void) {
    if block.is_null() {
        return;
    }
    // SAFETY: a live block (this function's contract).
    match unsafe { header(block) } {
        Some(header) => {
            let start = block.cast::<u8>().wrapping_sub(header.offset as usize);
            // SAFETY: the header says how the block was allocated.
            unsafe { route::free(start, total(&header), header.offset as usize) };
        }
        // SAFETY: not ours, so it is a block of libc's own allocator.
        None => unsafe { route::libc_free(block.cast()) },
    }
}

/// C's `realloc`.
///
/// # Safety
/// - `block` must be null or a live block of this family.
#[unsafe(no_mangle)]
unsafe extern "C" fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
    if block.is_null() {
        return malloc(size);
    }
    if size == 0 {
        // SAFETY: live, and the caller may not use it after this call.
        unsafe { free(block) };
        return ptr::null_mut();
    }
    // SAFETY: a live block (this function's contract).
    let Some(old) = (unsafe { header(block) }) else {
        // SAFETY: not ours, so it is a block of libc's own allocator.
        return unsafe { libc_realloc(block, size) };
    };
    // SAFETY: the header says how the block was allocated.
    if unsafe { resize(block, &old, size) } {
        return block;
    }
    let new = malloc(size);
    if !new.is_null() {
        // SAFETY: both blocks have at least that many bytes and do not overlap; no lock is held.
        unsafe { ptr::copy_nonoverlapping(block.cast::<u8>(), new.cast::<u8>(), old.size.min(size)) };
        // SAFETY: the contents have moved, and the caller uses only the new block.
        unsafe { free(block) };
    }
    new
}

/// GNU's `reallocarray`.
///
/// # Safety
/// - As for [`realloc`].
#[unsafe(no_mangle)]
unsafe extern "C" fn reallocarray(block: *mut c_void, count: usize, size: usize) -> *mut c_void {
    match count.checked_mul(size) {
        // SAFETY: the contract is the same.
        Some(bytes) => unsafe { realloc(block, bytes) },
        None => no_memory(),
    }
}

/// The old name of `aligned_alloc`.
#[unsafe(no_mangle)]
extern "C" fn memalign(align: usize, size: usize) -> *mut c_void {
    aligned_alloc(align, size)
}

/// C's `aligned_alloc`.
#[unsafe(no_mangle)]
extern "C" fn aligned_alloc(align: usize, size: usize) -> *mut c_void {
    match align.max(ALIGN_MIN).checked_next_power_of_two() {
        Some(align) => new_block(size, align, route::alloc),
        None => no_memory(),
    }
}

/// POSIX's `posix_memalign`.
///
/// # Safety
/// - `out` must be writable.
#[unsafe(no_mangle)]
unsafe extern "C" fn posix_memalign(out: *mut *mut c_void, align: usize, size: usize) -> c_int {
    if !align.is_power_of_two() || align < size_of::<*mut c_void>() {
        return libc::EINVAL;
    }
    let block = new_block(size, align.max(ALIGN_MIN), route::alloc);
    if block.is_null() {
        return libc::ENOMEM;
    }
    // SAFETY: writable (this function's contract).
    unsafe { out.write(block) };
    0
}

/// The old `valloc`: a block on a page boundary.
#[unsafe(no_mangle)]
extern "C" fn valloc(size: usize) -> *mut c_void {
    aligned_alloc(PAGE_BYTES as usize, size)
}

/// The old `pvalloc`: whole pages.
#[unsafe(no_mangle)]
extern "C" fn pvalloc(size: usize) -> *mut c_void {
    match size.max(1).checked_next_multiple_of(PAGE_BYTES as usize) {
        Some(bytes) => valloc(bytes),
        None => no_memory(),
    }
}

/// GNU's `malloc_usable_size`.
///
/// # Safety
/// - `block` must be null or a live block of this family.
#[unsafe(no_mangle)]
unsafe extern "C" fn malloc_usable_size(block: *mut c_void) -> usize {
    if block.is_null() {
        return 0;
    }
    // SAFETY: a live block (this function's contract).
    unsafe { header(block) }.map_or(0, |header| header.size)
}

/// A block of `size` bytes at `align` (a power of two, at least 16) with its header, or null and
/// ENOMEM.
fn new_block(size: usize, align: usize, alloc: fn(usize, usize) -> *mut u8) -> *mut c_void {
    let (Some(bytes), Ok(offset)) = (size.checked_add(align), u32::try_from(align)) else {
        return no_memory();
    };
    let start = if bytes <= isize::MAX as usize { alloc(bytes, align) } else { ptr::null_mut() };
    if start.is_null() {
        return no_memory();
    }
    let block = start.wrapping_add(align);
    // SAFETY: the header lies between `start` and `block`, in memory that was just allocated.
    unsafe { place(block.cast()).write(Header { size, offset, magic: MAGIC }) };
    block.cast()
}

/// The header of `block`; `None` when the block is not of this family.
///
/// # Safety
/// - `block` must be a live block, of this family or of libc's own allocator.
unsafe fn header(block: *mut c_void) -> Option<Header> {
    if route::owner(block.addr() as u64) == Owner::Elsewhere {
        return None;
    }
    // SAFETY: a live block in one of our heaps has a header before it. The page may be at another
    // node: the load then waits for it, and no lock is held.
    let header = unsafe { place(block).read() };
    if header.magic != MAGIC {
        super::boot::abort("free or realloc of an address that malloc did not return");
    }
    Some(header)
}

/// Changes the size in place, when the block's place allows; whether it did.
///
/// # Safety
/// - `old` must be the header of the live block `block`.
unsafe fn resize(block: *mut c_void, old: &Header, size: usize) -> bool {
    let offset = old.offset as usize;
    let Some(bytes) = size.checked_add(offset) else { return false };
    let start = block.cast::<u8>().wrapping_sub(offset);
    // SAFETY: the header says how the block was allocated.
    let resized = unsafe { route::resize(start, total(old), offset, bytes) };
    if resized {
        // SAFETY: the header of a live block that the caller owns.
        unsafe { place(block).write(Header { size, ..*old }) };
    }
    resized
}

fn place(block: *mut c_void) -> *mut Header {
    block.cast::<Header>().wrapping_sub(1)
}

fn total(header: &Header) -> usize {
    header.size + header.offset as usize
}

fn no_memory() -> *mut c_void {
    set_errno(libc::ENOMEM);
    ptr::null_mut()
}

/// Resizes a block that libc's own allocator made.
///
/// # Safety
/// - `block` must be such a block, live.
unsafe fn libc_realloc(block: *mut c_void, size: usize) -> *mut c_void {
    unsafe extern "C" {
        fn __libc_realloc(block: *mut c_void, size: usize) -> *mut c_void;
    }
    // SAFETY: this function's contract; glibc exports its allocator under this name as well.
    unsafe { __libc_realloc(block, size) }
}

/// A reference that makes the linker take this file.
pub(crate) fn keep() -> *const () {
    malloc as *const ()
}
