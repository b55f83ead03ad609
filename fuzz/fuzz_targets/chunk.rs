//! See `irmin_tests::chunk_decoders::chunk`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = irmin_tests::chunk_decoders::chunk(data);
});
