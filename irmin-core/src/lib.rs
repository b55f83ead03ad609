//! The core of Irmin for Rust: a content-addressed key-value store with branches, history and
//! three-way merge, on any backend.
//!
//! ```
//! use std::sync::Arc;
//! use irmin_core::backend::MemoryBackend;
//! use irmin_core::{Context, Format, FormatSpec, Repo};
//!
//! let backend = MemoryBackend::new(Format::new(FormatSpec::git()));
//! let repo = Repo::new(Arc::new(backend), Context::new("ann <ann@example.org>", || 1_000))?;
//! let main = repo.main()?;
//! main.set("greetings/en", "hello", "first words")?;
//! let draft = main.fork("draft")?;
//! draft.set("greetings/fr", "bonjour", "add French")?;
//! main.merge(&draft, "bring French in")?.resolved()?;
//! assert_eq!(main.get("greetings/fr")?.unwrap(), "bonjour");
//! # Ok::<(), irmin_core::Error>(())
//! ```
//!
//! # What to read first
//! - [`Repo`], [`Branch`] and [`Commit`] are what programs hold; a write says why, and how, with
//!   [`CommitOptions`], and a text is enough.
//! - [`Tree`] is a directory as a value: read it, change it, compare it, merge it, put it back.
//! - [`Contents`] is what a type of values says of itself; [`contents::AsJson`] says it for every
//!   type that serde knows, and `derive(Contents)` merges structs and enums field by field.
//! - [`Merge`] and [`contents::Policies`] decide how values merge; a merge that fails is data, a
//!   list of [`Conflict`]s.
//! - [`kv`] has the verbs of a plain key-value store, with a commit behind each of them, or behind
//!   many; [`json_tree`] spreads a JSON object over keys.
//! - [`containers`] are types whose merges never conflict: counters, logs, sets, text, queues.
//! - [`backend::Backend`] is what stores implement: objects and refs, with one atomic write.
//! - [`Format`] is how a store's bytes are made: git's objects, or those of OCaml Irmin.
//! - [`graph`] lays out the commits of a log as a drawing of text.
//! - [`mod@slice`] takes a part of a history from one store to another, as a value or a file.
//! - [`Error`] is the only error; its [`ErrorKind`] says what to do about it.
//!
//! # Layers
//! Words ([`Hash`](struct@Hash), [`Path`], [`Info`], [`io`] …) < [`object`] < [`contents`] and [`merge`] <
//! [`backend`] < [`tree`] < [`history`] < repositories. A layer uses what is before it, never what
//! comes after.
//!
//! # Features
//! Without `std` (on by default) the crate needs `alloc` and nothing else: it
//! has no clock, no files, no threads and no randomness, they are parameters. `std` adds real
//! files ([`io`]), blocking locks, the system's clock, and watches that survive a callback's
//! panic. `derive` adds the macro `derive(Contents)` beside the trait [`Contents`].
//!
//! # Limits
//! Everything that an input can make large has a bound: see [`limits`].
#![cfg_attr(not(any(feature = "std", test)), no_std)]

extern crate alloc;

pub mod backend;
pub mod containers;
pub mod contents;
mod dot;
mod error;
pub mod graph;
mod hash;
pub mod history;
mod id;
mod info;
pub mod io;
pub mod json_tree;
pub mod kv;
pub mod limits;
pub mod lock;
pub mod merge;
pub mod name;
mod numbers;
pub mod object;
mod panics;
mod path;
mod repo;
mod segments;
pub mod slice;
mod sort;
pub mod tree;

pub use bytes::Bytes;
pub use contents::Contents;
pub use dot::DotOptions;
pub use error::{Code, Error, ErrorKind, Result};
pub use hash::{Hash, HashFunction, Hasher, MAX_HASH_LEN};
pub use history::{FastForward, LcaLimits};
pub use id::{CommitId, ContentsId, HashPrefix, Key, Locator, TreeId};
pub use info::{Info, Signature, Zone};
#[cfg(feature = "derive")]
pub use irmin_derive::Contents;
pub use limits::Limits;
pub use merge::{Merge, Reason};
pub use name::{BranchName, RefName, TagName};
pub use object::{
    Child, CommitData, Decoded, Dir, Edit, Entry, EntryKind, Format, FormatSpec, Found, Kind,
    Layout, Metadata, Object, Parts, Position, Source, TagData, ValueEncoding,
};
pub use path::{IntoPath, Path, Step};
pub use repo::{
    Blamed, Branch, BranchUpdate, Bulk, Clock, Commit, CommitGraph, CommitOptions, CompareLines,
    Context, Damage, Directory, Fetched, HeadChange, KeyChange, LogOptions, Merged, Preview,
    Problem, Progress, Pull, Push, Referrer, Repo, Report, Revision, Staged, Status, Strategy, Tag,
    TagForm, Watch,
};
pub use tree::{Change, Conflict, KindedHash, Tree, TreeKind, ValueReader};
