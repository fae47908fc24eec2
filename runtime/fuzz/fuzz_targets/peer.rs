//! A peer that writes what it likes to the shared memory of a link.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| dstd_transport::fuzzing::peer(bytes));
