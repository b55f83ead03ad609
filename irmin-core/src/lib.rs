//! The core of Irmin for Rust: a content-addressed key-value store with branches, history and
//! three-way merge, on any backend.
#![cfg_attr(not(any(feature = "std", test)), no_std)]

extern crate alloc;

pub mod backend;
pub mod contents;
mod error;
mod hash;
pub mod history;
mod id;
mod info;
pub mod io;
pub mod limits;
pub mod lock;
pub mod merge;
pub mod name;
pub mod object;
mod panics;
mod path;
pub mod tree;

pub use bytes::Bytes;
pub use contents::Contents;
pub use error::{Code, Error, ErrorKind, Result};
pub use hash::{Hash, HashFunction, Hasher, MAX_HASH_LEN};
pub use history::{FastForward, LcaLimits};
pub use id::{CommitId, ContentsId, HashPrefix, Key, Locator, TreeId};
pub use info::{Info, Signature, Zone};
pub use limits::Limits;
pub use merge::{Merge, Reason};
pub use name::{BranchName, RefName, TagName};
pub use object::{
    Child, CommitData, Dir, Edit, Entry, EntryKind, Format, FormatSpec, Kind, Layout, Metadata,
    Object, Position, Source, ValueEncoding,
};
pub use path::{IntoPath, Path, Step};
pub use tree::{Change, Conflict, KindedHash, Tree, TreeKind};
