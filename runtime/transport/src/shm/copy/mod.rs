//! Copies between private and shared memory that the compiler may not reason about.

// The portable one is compiled for tests as well, or nobody would ever run it.
#[cfg(any(test, not(target_arch = "x86_64")))]
mod portable;
#[cfg(target_arch = "x86_64")]
mod string;

#[cfg(not(target_arch = "x86_64"))]
pub(super) use portable::copy;
#[cfg(target_arch = "x86_64")]
pub(super) use string::copy;

#[cfg(test)]
mod tests {
    #[test]
    fn both_ways_copy_every_byte_and_no_other() {
        for len in [0, 1, 7, 8, 63, 64, 65, 1000, 5000] {
            let from: Vec<u8> = (0..len).map(|at| (at * 7 + 1) as u8).collect();
            for copy in [super::copy, super::portable::copy] {
                let mut to = vec![0xee; len + 2];
                // SAFETY: both vectors hold the bytes, and nobody else knows them.
                unsafe { copy(from.as_ptr(), to[1..].as_mut_ptr(), len) };
                assert_eq!(to[1..=len], from);
                assert_eq!((to[0], to[len + 1]), (0xee, 0xee));
            }
        }
    }
}
