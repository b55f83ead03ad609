//! What the compiler says of types that cannot be derived: it has to be readable.
//!
//! `TRYBUILD=overwrite cargo test -p irmin-derive --test ui` writes the answers anew.

#[test]
fn what_cannot_merge_is_explained() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
