//! Outputs of the real OCaml Irmin 3.11, stored compressed in `tests/vectors`.

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;

use serde_json::Value;

/// The whole text of a vector file, named without its `.gz`.
///
/// # Panics
/// If the file is not there or not readable: the tests cannot run without it.
#[must_use]
pub fn text(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors").join(format!("{name}.gz"));
    let bytes = fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&bytes[..])
        .read_to_string(&mut text)
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text
}

/// A vector file that is one JSON document.
///
/// # Panics
/// As [`text`].
#[must_use]
pub fn json(name: &str) -> Value {
    serde_json::from_str(&text(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// A vector file with one JSON document a line.
///
/// # Panics
/// As [`text`].
#[must_use]
pub fn json_lines(name: &str) -> Vec<Value> {
    text(name)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{name}: {e}")))
        .collect()
}
