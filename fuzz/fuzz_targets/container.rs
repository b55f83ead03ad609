//! See `irmin_tests::decoders::container`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = irmin_tests::decoders::container(data);
});
