//! All integration tests, one program.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::print_stdout
)] // test code: what is not as it must be stops the test, by name

mod backend;
mod backend_broken;
mod branches;
mod chunked;
mod containers;
mod corpora;
mod cost;
mod formats;
mod formats_bytes;
mod formats_git;
mod formats_merge;
mod formats_model;
mod formats_vectors;
mod fs_crash;
mod fs_pieces;
mod fs_store;
mod git_conformance;
mod git_crash;
mod git_fsync;
mod git_kill;
mod git_neighbours;
mod git_repository;
mod git_streams;
mod git_writers;
mod graph;
mod history;
mod inodes;
mod journal;
mod json_tree;
mod kv;
mod last_modified;
mod licences;
mod limits;
mod merge_algebra;
mod merges;
mod merges_hostile;
mod merges_mixed;
mod model;
mod replay;
mod repo_edges;
mod repo_reports;
mod sim_io;
mod sim_io_engines;
mod slices;
mod streams;
mod sync;
mod sync_formats;
mod tidy;
mod trees;
mod trees_edges;
mod typed;
mod values;
mod watches;
