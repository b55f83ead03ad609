//! Benchmarks of the engines: what each workload is, how it is measured, and what it is run on.
//!
//! The program `irmin-benches` runs workloads on stores of ours and prints one JSON object for
//! each measurement. `benches/compare`, a package of its own, runs the same keys and values on
//! other programs and libraries. Everything is a function of the seed 42: two runs do the same.
//!
//! - [`compare`]: what running something else beside our stores says.
//! - [`keys`]: the keys and values of all workloads, made before a clock starts.
//! - [`store`]: the stores, with counters around what they do.
//! - [`heap`]: a heap that has its memory before a clock starts.
//! - [`machine`]: what the system says about time, memory, disks and its load.
//! - [`meter`]: runs the operations of a workload and makes a [`record::Record`] of them.
//! - [`run`]: the commit and the day that figures are of.
//! - [`workloads`]: the workloads themselves.
//! - [`notes`]: targets, and what bounds the figures.
//! - [`report`]: turns records into a page.

// A benchmark measures time, reads what the system says of itself, and ends where it cannot go on.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::panic)]
// It counts and divides: what it loses in the last digit is noise.
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::indexing_slicing)]

pub mod compare;
pub mod heap;
pub mod keys;
pub mod machine;
pub mod meter;
pub mod notes;
pub mod record;
pub mod report;
pub mod run;
pub mod store;
pub mod workloads;
