//! See `irmin_tests::value_decoders::typed_value`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = irmin_tests::value_decoders::typed_value(data);
});
