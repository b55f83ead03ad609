//! Replays what the fuzzers found, and all that is one byte away from it.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use irmin_tests::decoders::{self, Decoder};

use super::tidy::project::root;

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let dir = root().join("fuzz/corpus").join(name);
    let entries = fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("a corpus can be read").path())
        .map(|path| (path.clone(), fs::read(path).expect("a corpus can be read")))
        .collect();
    files.sort();
    files
}

/// Runs a decoder, says whether it accepted the input, and which one it was if a promise is broken.
fn run((name, decoder): &Decoder, from: &Path, input: &[u8]) -> bool {
    catch_unwind(AssertUnwindSafe(|| decoder(input))).unwrap_or_else(|_| {
        let hex: String = input.iter().map(|b| format!("{b:02x}")).collect();
        panic!("{name} broke a promise, near {}; the input in hexadecimal: {hex}", from.display());
    })
}

#[test]
fn every_seed_keeps_the_promises() {
    for decoder in decoders::ALL {
        let corpus = corpus(decoder.0);
        let accepted = corpus.iter().filter(|(path, input)| run(decoder, path, input)).count();
        let refused = corpus.len() - accepted;
        // Seeds that are all refused, or all accepted, exercise half of a decoder.
        assert!(
            accepted >= 2 && refused >= 1,
            "{}: {accepted} seeds of {}",
            decoder.0,
            corpus.len()
        );
    }
}

#[test]
fn every_truncation_of_a_seed_keeps_the_promises() {
    for decoder in decoders::ALL {
        for (path, input) in corpus(decoder.0) {
            for n in 0..input.len().min(4096) {
                let _ = run(decoder, &path, &input[..n]);
            }
        }
    }
}

#[test]
fn every_changed_byte_of_a_seed_keeps_the_promises() {
    for decoder in decoders::ALL {
        for (path, input) in corpus(decoder.0) {
            for at in 0..input.len().min(512) {
                for change in [0x01, 0x80, 0xff] {
                    let mut input = input.clone();
                    input[at] ^= change;
                    let _ = run(decoder, &path, &input);
                    input[at] = change;
                    let _ = run(decoder, &path, &input);
                }
                let longer = [&input[..at], &input[at..=at], &input[at..]].concat();
                let _ = run(decoder, &path, &longer);
            }
        }
    }
}

/// A decoder that is not fuzzed, or a target that is not replayed, is a hole.
#[test]
fn every_decoder_has_a_target() {
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).expect("fuzz/Cargo.toml");
    let manifest: toml::Table = manifest.parse().expect("fuzz/Cargo.toml is TOML");
    let targets = manifest["bin"].as_array().expect("targets").iter();
    let targets: BTreeSet<_> =
        targets.map(|t| t["name"].as_str().expect("a name").to_owned()).collect();
    let decoders: BTreeSet<_> = decoders::ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(targets, decoders);
    for name in &decoders {
        let target = root().join(format!("fuzz/fuzz_targets/{name}.rs"));
        let text = fs::read_to_string(&target).expect("a target has a file");
        assert!(text.contains(&format!("decoders::{name}(")), "{} runs another", target.display());
    }
}
