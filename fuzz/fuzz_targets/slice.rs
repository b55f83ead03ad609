//! See `irmin_tests::slice_decoders::slice`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = irmin_tests::slice_decoders::slice(data);
});
