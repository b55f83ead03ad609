//! What the crates of Irmin for Rust are tested with: public, so that other backends can run it.
//!
//! This library fails by panicking, as tests do, and says what it skips.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::missing_errors_doc,
    clippy::print_stdout
)] // test code: what is not as it must be stops the test, by name
pub mod chunk_decoders;
pub mod conformance;
pub mod decoders;
pub mod fs_decoders;
pub mod git_support;
pub mod hooked;
pub mod line_decoders;
pub mod model;
mod needs;
pub mod replay;
pub mod repository_decoders;
pub mod sim_io;
pub mod slice_decoders;
pub mod value_decoders;
pub mod vectors;

pub use needs::needs;
