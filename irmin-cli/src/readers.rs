//! Readers of what others wrote, apart from the stores that they write to: for fuzzers.

use std::io::BufRead;

use irmin_core::{Metadata, Path, Result};
use irmin_git::fast::Command;

use crate::formats::fast_import::Source as _;
use crate::formats::{history, jsonl};

/// Reads one tree as JSON lines, and calls `f` for each key with its value and mode; values have at
/// most about `limit` bytes.
///
/// # Errors
/// `invalid_value` for what is not of the form, naming the line, `payload_too_large`, `io`, and
/// those of `f`.
pub fn keys(
    input: &mut dyn BufRead,
    limit: usize,
    f: &mut dyn FnMut(Path, Vec<u8>, Metadata) -> Result<()>,
) -> Result<()> {
    jsonl::read(input, limit, f).map(drop)
}

/// The line that [`keys`] reads as a key with this value and mode.
#[must_use]
pub fn key_line(path: &Path, value: &[u8], mode: Metadata) -> String {
    jsonl::key_line(path, value, mode)
}

/// Reads a history as JSON lines, and calls `f` for each command that it stands for.
///
/// # Errors
/// As [`keys`].
pub fn history(
    input: &mut dyn BufRead,
    limit: usize,
    f: &mut dyn FnMut(Command) -> Result<()>,
) -> Result<()> {
    let mut lines = history::Lines::new(input, limit);
    while let Some(command) = lines.next()? {
        f(command)?;
    }
    Ok(())
}
