//! Which build a program is: what must be equal on all hosts.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// More notes than any program has.
const NOTES_BYTES_MAX: u64 = 1 << 20;
const PT_NOTE: u32 = 4;
const NT_GNU_BUILD_ID: u32 = 3;

/// The build-id that the linker has put into the program at `path`, or else the digest of the file.
pub(super) fn identity(path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    match build_id(&file) {
        Some(id) => Ok(format!("build-id {}", hex(&id))),
        None => Ok(format!("sha256 {}", hex(&digest(file)?))),
    }
}

/// SHA-256 of what is left to read of `file`.
pub(super) fn digest(mut file: impl Read) -> io::Result<[u8; 32]> {
    let mut hash = hmac_sha256::Hash::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hash.finalize()),
            Ok(got) => hash.update(&buffer[..got]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The id in the notes of a little-endian ELF file of 64 bits; `None` when it is none or has none.
fn build_id(file: &File) -> Option<Vec<u8>> {
    let header: [u8; 64] = read_at(file, 0, 64)?.try_into().ok()?;
    if header[..6] != *b"\x7fELF\x02\x01" {
        return None;
    }
    let table = number(&header, 32, 8)?;
    let (size, count) = (number(&header, 54, 2)?, number(&header, 56, 2)?);
    (0..count).find_map(|index| {
        let entry = read_at(file, table.checked_add(index * size)?, size)?;
        if number(&entry, 0, 4)? != u64::from(PT_NOTE) {
            return None;
        }
        in_notes(&read_at(file, number(&entry, 8, 8)?, number(&entry, 32, 8)?)?)
    })
}

fn in_notes(notes: &[u8]) -> Option<Vec<u8>> {
    let mut at = 0;
    loop {
        let word = |offset| usize::try_from(number(notes, at + offset, 4)?).ok();
        let (name, size, kind) = (word(0)?, word(4)?, word(8)?);
        let description = at + 12 + name.next_multiple_of(4);
        if kind == NT_GNU_BUILD_ID as usize && notes.get(at + 12..at + 16) == Some(b"GNU\0") {
            return notes.get(description..description + size).map(<[u8]>::to_vec);
        }
        at = description + size.next_multiple_of(4);
    }
}

fn number(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let mut number = [0; 8];
    number.get_mut(..size)?.copy_from_slice(bytes.get(at..at + size)?);
    Some(u64::from_le_bytes(number))
}

fn read_at(file: &File, at: u64, size: u64) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(size.min(NOTES_BYTES_MAX)).ok()?];
    file.read_exact_at(&mut bytes, at).ok().map(|()| bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_has_an_identity_and_a_copy_has_the_same() {
        let own = std::env::current_exe().unwrap();
        let identity_here = identity(&own).unwrap();
        assert!(identity_here.len() > 16, "{identity_here}");
        assert_eq!(identity(&own).unwrap(), identity_here);
        assert_ne!(identity(Path::new("/bin/sh")).unwrap(), identity_here);
        assert!(identity(Path::new("/no/such/program")).is_err());
    }

    #[test]
    fn what_is_no_program_is_known_by_its_digest() {
        let text = identity(Path::new("/proc/self/status")).unwrap();
        assert!(text.starts_with("sha256 "), "{text}");
        let empty = hex(&digest(io::empty()).unwrap());
        assert_eq!(empty, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn damaged_notes_are_no_id() {
        let mut notes = [4_u32, 4, 3].map(u32::to_le_bytes).concat();
        notes.extend_from_slice(b"GNU\0abcd");
        assert_eq!(in_notes(&notes), Some(b"abcd".to_vec()));
        for cut in 0..notes.len() {
            assert_eq!(in_notes(&notes[..cut]), None, "cut at {cut}");
        }
    }
}
