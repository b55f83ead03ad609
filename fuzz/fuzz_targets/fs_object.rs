//! See `irmin_tests::fs_decoders::fs_object`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = irmin_tests::fs_decoders::fs_object(data);
});
