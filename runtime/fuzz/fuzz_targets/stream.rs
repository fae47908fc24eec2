//! Frames between nodes, as they come out of a stream.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| dstd_transport::fuzzing::stream(bytes));
