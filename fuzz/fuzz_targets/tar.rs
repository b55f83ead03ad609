//! See `irmin_tests::repository_decoders::tar`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = irmin_tests::repository_decoders::tar(data);
});
