//! What a launcher and its agent on another host say to each other.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| dstd_launch::fuzz_frames(bytes));
