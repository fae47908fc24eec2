//! Programs that give another thread what it must not have do not compile, and the compiler says why.
//!
//! `TRYBUILD=overwrite cargo test -p compat-ui -p compat-ui-renamed` writes the expected words anew.

#[test]
fn what_std_refuses_is_refused() {
    trybuild::TestCases::new().compile_fail("tests/refused/*.rs");
}
