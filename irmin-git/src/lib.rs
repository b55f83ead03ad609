//! Git repositories as stores of Irmin.
//!
//! A store can be a plain git repository: every git program reads, clones and pushes to it. A new
//! one is bare; an existing one, bare or with a working tree, is opened as it is, and its config,
//! hooks, index and working tree are left alone.
//!
//! ```
//! use irmin_core::backend::{Backend, Batch, Published};
//! use irmin_core::{HashFunction, Kind, Object};
//! use irmin_git::{GitBackend, InitOptions, Options};
//!
//! # let dir = tempfile::tempdir()?;
//! let path = dir.path().join("notes.git");
//! let store = GitBackend::open_or_init(&path, &InitOptions::default(), &Options::default())?;
//! let bytes = irmin_core::Bytes::from_static(b"blob 6\0hello\n");
//! let id = HashFunction::Sha1.digest(&bytes);
//! let blob = Object::new(Kind::Value, id, bytes);
//! let done = store.publish(Batch { objects: vec![blob], ..Batch::default() })?;
//! assert_eq!(done, Published::Done { keys: vec![id.into()] });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it is written
//! - [`GitBackend`] reads objects through gix and refs from their files, and writes everything
//!   itself through [`Io`](irmin_core::io::Io), because git programs and libraries do not sync
//!   what they write by default.
//! - One publish is one small pack with its index and one move of each ref under git's lock files.
//!   Publishes that wait at the same time share one pack and its syncs.
//! - Everything is synced, unless the owner of the repository has said otherwise by git's
//!   `core.fsync`: see [`GitBackend`].
//! - When packs gather they are merged geometrically, so that there are few.
//! - A crash leaves at most files to remove: opening the repository, or the next write, does that.
//!   The refs of one publish do not move in one instant: a crash can leave some of them moved,
//!   each of them complete ([`Capabilities::atomic_refs`](irmin_core::backend::Capabilities)).
//! - What the store records of itself is in `irmin/config.toml` below the common git directory
//!   ([`Config`]); `irmin/lock` is what its writers lock.

mod backend;
mod cache;
mod config;
mod consolidate;
pub mod fast;
mod files;
mod flush;
mod fsync;
mod init;
mod large;
mod oid;
mod open;
mod outside;
mod pack;
mod publish;
mod reader;
mod recover;
mod reflog;
mod refs;
mod repository;
mod settings;
mod stage;
pub mod tar;
mod temp;
mod written;

pub use backend::GitBackend;
pub use config::Config;
pub use init::InitOptions;
pub use open::Options;
pub use repository::{init, open, open_or_init};

/// The file that writers lock.
pub(crate) const LOCK: &str = "irmin/lock";
