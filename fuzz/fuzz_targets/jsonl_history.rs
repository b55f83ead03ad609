//! See `irmin_tests::line_decoders::jsonl_history`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = irmin_tests::line_decoders::jsonl_history(data);
});
