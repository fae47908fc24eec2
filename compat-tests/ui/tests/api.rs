//! Every stable public path of std is one of dstd, and dstd's own types have what std's have.
//!
//! The lists are made from std's documentation: `cargo xtask api --write`.

use dstd as facade;

#[rustfmt::skip]
#[path = "../api/paths.rs"]
mod paths;

/// Whether a type has a trait.
macro_rules! has {
    ($type:ty, $trait:path) => {{
        #[allow(dead_code, reason = "the parameter is what it is for")]
        struct Probe<T: ?Sized>(core::marker::PhantomData<T>);
        #[allow(dead_code, reason = "used where the type does not have the trait")]
        trait HasNot {
            const HAS: bool = false;
        }
        impl<T: ?Sized> HasNot for Probe<T> {}
        #[allow(dead_code, reason = "used where the type has the trait")]
        impl<T: ?Sized + $trait> Probe<T> {
            const HAS: bool = true;
        }
        <Probe<$type>>::HAS
    }};
}

/// Two types have a trait, or neither.
macro_rules! same {
    ($trait:path, $std:ty, $ours:ty) => {
        assert_eq!(
            has!($ours, $trait),
            has!($std, $trait),
            "{} is {}",
            stringify!($ours),
            stringify!($trait)
        );
    };
}

#[test]
fn the_macro_knows_what_a_type_has() {
    assert!(has!(u8, Send) && !has!(*const u8, Send) && !has!(facade::cell::Cell<u8>, Sync));
}

#[rustfmt::skip]
#[path = "../api/own.rs"]
mod own;
