//! Every stable public path of std is one of dstd-std, under the name that it is renamed to.
//!
//! The list is made from std's documentation: `cargo xtask api --write`.

use std as facade;

#[rustfmt::skip]
#[path = "../../api/paths.rs"]
mod paths;

#[test]
fn std_is_dstd() {
    // Real std has no such path.
    assert!(facade::place::nodes().len() > 0);
}
