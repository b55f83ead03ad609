//! See `irmin_tests::decoders::git_tag`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = irmin_tests::decoders::git_tag(data);
});
