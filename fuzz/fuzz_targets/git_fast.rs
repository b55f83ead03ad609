//! See `irmin_tests::repository_decoders::git_fast`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = irmin_tests::repository_decoders::git_fast(data);
});
