//! Headers of frames between nodes: what is understood is what would have been written, and in bounds.
#![no_main]

use dstd_protocol::codec::{body_fits, decode, encode};
use dstd_protocol::limits::SHIP_BYTES_MAX;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for header in dstd_fuzz::headers(bytes) {
        match decode(&header) {
            Ok((message, body_len)) => {
                assert!(body_fits(&message, body_len));
                assert!(body_len <= SHIP_BYTES_MAX);
                assert_eq!(encode(&message, body_len), header, "{message:?}");
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
});
