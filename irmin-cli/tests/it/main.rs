//! The real program, run as people and scripts run it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod bad_input;
mod checkout;
mod exit_codes;
mod files;
mod fs_store;
mod git;
mod help;
mod history;
mod json_histories;
mod large;
mod names;
mod output;
mod persons;
mod shared_writers;
mod shells;
mod slices;
mod story;
mod streams;
mod support;
mod transcript;
mod undo;
mod watch;
