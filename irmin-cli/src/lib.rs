//! The `irmin` command: a versioned key-value store in a git repository.
//!
//! This is a library so that its readers of foreign bytes can be fuzzed, see [`readers`]; what the
//! program promises is its command line.

mod args;
mod cli;
mod commands;
mod exit;
mod formats;
mod names;
mod ops;
mod output;
mod pager;
mod patch;
mod progress;
pub mod readers;
mod scan;
mod settings;
mod store;
mod time;
mod value;
mod worktree;

use std::process::ExitCode;

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    ExitCode::from(commands::run(std::env::args_os().collect()))
}
