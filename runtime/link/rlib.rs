//! Reads the names of writable sections from a Rust library: an `ar` archive of 64-bit ELF objects.
//! (Of the host's byte order and word size, which are the target's: x86-64 Linux.)

use std::collections::BTreeSet;

const WRITE: u64 = 1;
const ALLOC: u64 = 2;

/// Adds the names of all sections in `archive` that hold writable statics or thread-locals of Rust code to `names`.
///
/// Members that are no ELF objects, or cut short, are passed over.
pub(crate) fn writable_sections(archive: &[u8], names: &mut BTreeSet<String>) {
    let mut rest = archive.strip_prefix(b"!<arch>\n").unwrap_or(&[]);
    while let Some((header, tail)) = rest.split_at_checked(60) {
        let size = std::str::from_utf8(&header[48..58]).ok().and_then(|text| text.trim().parse().ok());
        let Some((member, tail)) = size.and_then(|size: usize| tail.split_at_checked(size)) else { return };
        let _ = object(member, names);
        rest = tail.get(member.len() % 2..).unwrap_or(&[]);
    }
}

/// `None` when the member is not an object or ends too early.
fn object(elf: &[u8], names: &mut BTreeSet<String>) -> Option<()> {
    if !elf.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let table = usize::try_from(u64_at(elf, 0x28)?).ok()?;
    let entry = usize::from(u16_at(elf, 0x3a)?);
    let header = |index: usize| elf.get(table + index * entry..);
    // Counts that do not fit their fields stand in the first header.
    let count = match u16_at(elf, 0x3c)? {
        0 => usize::try_from(u64_at(header(0)?, 0x20)?).ok()?,
        count => usize::from(count),
    };
    let strings = match u16_at(elf, 0x3e)? {
        0xffff => u32_at(header(0)?, 0x28)? as usize,
        index => usize::from(index),
    };
    let strings = elf.get(usize::try_from(u64_at(header(strings)?, 0x18)?).ok()?..)?;
    for index in 1..count {
        let section = header(index)?;
        if u64_at(section, 8)? & (WRITE | ALLOC) != WRITE | ALLOC {
            continue;
        }
        let name = strings.get(u32_at(section, 0)? as usize..)?;
        let name = std::str::from_utf8(name.split(|&byte| byte == 0).next()?).ok()?;
        if is_static(name) {
            names.insert(name.to_owned());
        }
    }
    Some(())
}

/// Whether a section is one static or thread-local, by its mangled name. (C objects are private by their file name, and
/// their plain names could be those of a program's statics.)
fn is_static(section: &str) -> bool {
    let name = [".data.", ".bss.", ".tdata.", ".tbss."].iter().find_map(|kind| section.strip_prefix(kind));
    name.is_some_and(|name| name.starts_with("_R") || name.starts_with("_ZN"))
}

fn bytes<const N: usize>(from: &[u8], at: usize) -> Option<[u8; N]> {
    from.get(at..at + N)?.try_into().ok()
}

fn u16_at(from: &[u8], at: usize) -> Option<u16> {
    bytes(from, at).map(u16::from_le_bytes)
}

fn u32_at(from: &[u8], at: usize) -> Option<u32> {
    bytes(from, at).map(u32::from_le_bytes)
}

fn u64_at(from: &[u8], at: usize) -> Option<u64> {
    bytes(from, at).map(u64::from_le_bytes)
}
