//! What must be equal on all nodes (SHIP-1).
//!
//! *Why not safe code*: program headers and addresses of functions.

use core::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering};

use dstd_addr::{
    ALIAS_BASE, GLOBAL_BASE, HEAP_BYTES_MAX, Layout, NATIVE_TOP, NODES_MAX, PARTITION_BYTES, PRIVATE_BASE,
    STACKS_OFFSET, STRIPED_BASE, STRIPED_CHUNK_BYTES,
};

use crate::interpose;

/// Size of the thread-locals of the program and its libraries.
pub(crate) fn tls_bytes() -> u64 {
    static KNOWN: AtomicU64 = AtomicU64::new(0);
    let known = KNOWN.load(Ordering::Relaxed);
    if known != 0 {
        return known;
    }
    let bytes = tls().bytes.max(1);
    KNOWN.store(bytes, Ordering::Relaxed);
    bytes
}

/// A runtime thread's stack, on which libc also puts the thread-locals.
pub(crate) fn runtime_stack_bytes() -> usize {
    const STACK_BYTES: usize = 2 << 20;
    STACK_BYTES + tls_bytes() as usize
}

/// The blocks of thread-locals that every thread has.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Tls {
    /// Size of all blocks together.
    pub(crate) bytes: u64,
    /// The strictest alignment of a block.
    pub(crate) align: u64,
    /// Where the initial values of the program's own block lie, its size in a thread, its alignment.
    pub(crate) program: Option<[u64; 3]>,
}

/// What the program and the libraries it was started with say about their thread-locals.
pub(crate) fn tls() -> Tls {
    Headers::read().tls
}

/// What the kernel has added to the addresses in the program's file.
pub(super) fn image_bias() -> u64 {
    Headers::read().bias
}

/// Where the program's instructions lie.
pub(crate) fn code() -> core::ops::Range<u64> {
    Headers::read().code
}

/// The build id that the linker has put into the program, or else a digest of its file.
pub(super) fn build_id() -> std::io::Result<Vec<u8>> {
    let headers = Headers::read();
    if !headers.build_id.is_empty() {
        return Ok(headers.build_id);
    }
    let mut digest = Vec::new();
    let bytes = std::fs::read("/proc/self/exe")?;
    for seed in 0..4_u64 {
        digest.extend_from_slice(&fnv(seed, &bytes).to_le_bytes());
    }
    Ok(digest)
}

fn fnv(seed: u64, bytes: &[u8]) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bytes.iter().fold(start, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Where things lie by this build's layout, and how descriptors are numbered.
pub(super) fn layout_words(heap_bytes: u64) -> [u64; 4] {
    [
        GLOBAL_BASE ^ PARTITION_BYTES ^ u64::from(NODES_MAX),
        PRIVATE_BASE ^ ALIAS_BASE ^ HEAP_BYTES_MAX,
        NATIVE_TOP
            ^ STACKS_OFFSET
            ^ STRIPED_BASE
            ^ STRIPED_CHUNK_BYTES
            ^ u64::from(interpose::fd::count_each()),
        heap_bytes,
    ]
}

/// Addresses that must be the same wherever a shipped pointer is used.
pub(super) fn probes(layout: &Layout) -> [u64; 8] {
    // SAFETY: the name is a C string.
    let libc_address = unsafe { libc::dlsym(libc::RTLD_NEXT, c"exit".as_ptr()) };
    let [data, bss] = layout.statics();
    [
        probes as *const () as u64,
        libc_address as u64,
        (&raw const PROBE) as u64,
        data.start.0,
        data.end.0,
        bss.end.0,
        slots(layout),
        std::thread::spawn::<fn(), ()> as *const () as u64,
    ]
}

/// Where a thread's thread-locals lie.
fn slots(layout: &Layout) -> u64 {
    let slots = layout.slots();
    let words = [tls_bytes(), slots.bytes, slots.locals.start, slots.locals.end];
    fnv(0, words.map(u64::to_le_bytes).as_flattened())
}

static PROBE: &str = "an address of read-only memory";

/// Which instructions this CPU has, as far as programs choose by them.
pub(super) fn cpu() -> u64 {
    use core::arch::x86_64::{__cpuid, __cpuid_count};
    let basic = __cpuid(1);
    let extended = __cpuid_count(7, 0);
    // OSXSAVE and the like are the same wherever the same kernel runs; identifiers are left out.
    let words = [basic.ecx, basic.edx, extended.ebx, extended.ecx];
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    fnv(0, &bytes)
}

#[derive(Default)]
struct Headers {
    build_id: Vec<u8>,
    tls: Tls,
    /// Of the program itself.
    bias: u64,
    code: core::ops::Range<u64>,
    objects: usize,
}

impl Headers {
    fn read() -> Headers {
        let mut headers = Headers::default();
        // SAFETY: the callback gets the `Headers` passed here, for the time of the call.
        unsafe { libc::dl_iterate_phdr(Some(visit), core::ptr::from_mut(&mut headers).cast()) };
        headers
    }

    fn program_header(&mut self, base: u64, header: &libc::Elf64_Phdr) {
        match header.p_type {
            libc::PT_TLS => {
                let align = header.p_align.max(1);
                let bytes = header.p_memsz.next_multiple_of(align);
                self.tls.bytes += bytes;
                self.tls.align = self.tls.align.max(align);
                // The program itself comes first.
                if self.objects == 0 {
                    self.tls.program = Some([base + header.p_vaddr, bytes, align]);
                }
            }
            libc::PT_LOAD if self.objects == 0 && header.p_flags & libc::PF_X != 0 => {
                let start = base + header.p_vaddr;
                self.code = start..start + header.p_memsz;
            }
            libc::PT_NOTE if self.objects == 0 && self.build_id.is_empty() => {
                let start = (base + header.p_vaddr) as *const u8;
                // SAFETY: a note segment of the program is mapped, readable and never changes.
                let notes = unsafe { core::slice::from_raw_parts(start, header.p_memsz as usize) };
                if let Some(id) = gnu_build_id(notes) {
                    self.build_id = id.to_vec();
                }
            }
            _ => {}
        }
    }
}

unsafe extern "C" fn visit(info: *mut libc::dl_phdr_info, _: usize, headers: *mut c_void) -> i32 {
    // SAFETY: the caller passes the `Headers` of `Headers::read`.
    let headers = unsafe { &mut *headers.cast::<Headers>() };
    // SAFETY: libc passes a valid structure.
    let info = unsafe { &*info };
    // SAFETY: libc vouches for the table's length.
    let table = unsafe { core::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    if headers.objects == 0 {
        headers.bias = info.dlpi_addr;
    }
    for header in table {
        headers.program_header(info.dlpi_addr, header);
    }
    headers.objects += 1;
    0
}

/// The description of the note `GNU`, type 3.
fn gnu_build_id(notes: &[u8]) -> Option<&[u8]> {
    let word = |at: usize| Some(u32::from_le_bytes(notes.get(at..at + 4)?.try_into().ok()?) as usize);
    let mut at = 0;
    loop {
        let (name, size, kind) = (word(at)?, word(at + 4)?, word(at + 8)?);
        let description = at + 12 + name.next_multiple_of(4);
        if kind == 3 && notes.get(at + 12..at + 16) == Some(b"GNU\0") {
            return notes.get(description..description + size);
        }
        at = description + size.next_multiple_of(4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_id_is_found_behind_another_note() {
        let mut notes = Vec::new();
        for (kind, text) in [(1_u32, &b"abcde"[..]), (3, b"IDID")] {
            notes.extend_from_slice(&4_u32.to_le_bytes());
            notes.extend_from_slice(&(text.len() as u32).to_le_bytes());
            notes.extend_from_slice(&kind.to_le_bytes());
            notes.extend_from_slice(b"GNU\0");
            notes.extend_from_slice(text);
            notes.resize(notes.len().next_multiple_of(4), 0);
        }
        assert_eq!(gnu_build_id(&notes), Some(&b"IDID"[..]));
        assert_eq!(gnu_build_id(&notes[..20]), None);
    }
}
