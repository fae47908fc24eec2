//! What a node and the launcher say to each other.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| dstd_control::fuzzing::wire(bytes));
