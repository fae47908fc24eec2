//! The descriptors in the control data of a message.

use libc::{c_int, cmsghdr};

const HEAD: usize = size_of::<cmsghdr>();

/// All descriptors that `control` passes on. Each piece of it is a length of 8 bytes, level and kind of 4, and its bytes; the
/// next one begins at a multiple of 8.
pub(super) fn descriptors(control: &[u8]) -> impl Iterator<Item = c_int> {
    let mut rest = control;
    let pieces = core::iter::from_fn(move || {
        let len = usize::try_from(u64::from_ne_bytes(rest.first_chunk().copied()?)).ok()?;
        let piece = rest.get(..len).filter(|piece| piece.len() >= HEAD)?;
        rest = rest.get(len.checked_next_multiple_of(8)?..).unwrap_or_default();
        Some(piece)
    });
    pieces.flat_map(|piece| {
        let number = |at: usize| c_int::from_ne_bytes(piece[at..at + 4].try_into().unwrap_or_default());
        let is_rights = (number(8), number(12)) == (libc::SOL_SOCKET, libc::SCM_RIGHTS);
        let contents = if is_rights { &piece[HEAD..] } else { &[] };
        contents.chunks_exact(4).filter_map(|fd| Some(c_int::from_ne_bytes(fd.try_into().ok()?)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(level: c_int, kind: c_int, numbers: &[c_int]) -> Vec<u8> {
        let len = HEAD + numbers.len() * 4;
        let mut bytes = (len as u64).to_ne_bytes().to_vec();
        [level, kind].iter().chain(numbers).for_each(|number| bytes.extend(number.to_ne_bytes()));
        bytes.resize(len.next_multiple_of(8), 0);
        bytes
    }

    #[test]
    fn only_rights_are_descriptors() {
        let mut control = piece(libc::SOL_SOCKET, libc::SCM_CREDENTIALS, &[1, 2, 3]);
        control.extend(piece(libc::SOL_SOCKET, libc::SCM_RIGHTS, &[7, 4_097, 9]));
        control.extend(piece(libc::SOL_IP, libc::SCM_RIGHTS, &[8]));
        control.extend(piece(libc::SOL_SOCKET, libc::SCM_RIGHTS, &[-1]));
        assert!(descriptors(&control).eq([7, 4_097, 9, -1]));
        // Wherever it is cut, what is whole is found, and nothing else.
        for len in 0..control.len() {
            assert!(descriptors(&control[..len]).all(|fd| [7, 4_097, 9, -1].contains(&fd)));
        }
        assert_eq!(descriptors(&u64::MAX.to_ne_bytes().repeat(4)).next(), None);
    }
}
