//! The `irmin` command: a versioned key-value store in a git repository.

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
mod scan;
mod settings;
mod store;
mod time;
mod value;
mod worktree;

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(commands::run(std::env::args_os().collect()))
}
