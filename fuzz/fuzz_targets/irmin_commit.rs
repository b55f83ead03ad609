//! See `irmin_tests::decoders::irmin_commit`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = irmin_tests::decoders::irmin_commit(data);
});
