//! Files, as the engines see them: the one door to the disk.
//!
//! Whatever a store writes goes through [`Io`], so that one simulation of it can produce every
//! state that a crash can leave behind, and so that a block device can carry a store one day.
//! Paths are relative to the root that the implementation was opened on, with `/` between names;
//! they never leave it, see [`check_path`]. The empty path is the root itself.
//!
//! # Contract
//! - What is written is durable only after [`File::sync`] of that file; a name (created, linked,
//!   renamed or removed) is durable only after [`Io::sync_dir`] of its directory.
//! - [`Io::rename`] replaces its target atomically; [`Io::link`] and [`OpenMode::CreateNew`] fail
//!   with `name_clash` if the name exists, and exactly one of several racing callers succeeds.
//! - After a failed sync nothing may be assumed of the data: callers poison themselves.
//! - An open file stays usable when its name is removed or replaced.
//! - For callers that read, a name whose parent is no directory is absent (`not_found`); for
//!   callers that write, it is a `name_clash`. Symbolic links are never followed.

mod counted;
#[cfg(feature = "std")]
mod std_io;
mod stream;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Debug;

use crate::error::{Code, Error, Result};

pub use counted::{CountedIo, IoCounts};
#[cfg(feature = "std")]
pub use std_io::{StdIo, StdRead, StdWrite};
pub use stream::{Exactly, Read, Write, fill};

/// Checks that a path stays below its root: names that are not empty, `.` or `..`, with one `/`
/// between them and no NUL, backslash or colon, which some systems take for more than a name.
///
/// # Errors
/// `invalid_path`.
pub fn check_path(path: &str) -> Result<()> {
    let bad_name = |name: &str| matches!(name, "" | "." | "..");
    if path.is_empty() || !(path.split('/').any(bad_name) || path.contains(['\0', '\\', ':'])) {
        return Ok(());
    }
    let why = format!("`{}` is no path below the root of a store", path.escape_debug());
    Err(Error::new(Code::InvalidPath, why))
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// For reading; it must exist.
    Read,
    /// For reading and writing; it is created if it does not exist.
    ReadWrite,
    /// For reading and writing; it must not exist.
    CreateNew,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// Anything else.
    Other,
}

/// What is known of a file without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// What it is.
    pub kind: FileKind,
    /// Its length in bytes.
    pub len: u64,
    /// The same for two names exactly when they are links to one file.
    pub identity: (u64, u64),
    /// When it was changed, in nanoseconds since 1970; zero where there is no clock.
    pub modified: i128,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// The name.
    pub name: String,
    /// What it stands for.
    pub kind: FileKind,
}

/// Access to the files below one directory.
///
/// ```
/// use irmin_core::io::{Io, OpenMode, StdIo};
///
/// # let dir = std::env::temp_dir().join(format!("irmin-io-{}", std::process::id()));
/// let io: &dyn Io = &StdIo::create(&dir)?;
/// io.create_dir("a")?;
/// let file = io.open("a/b", OpenMode::CreateNew)?;
/// file.write_at(b"one", 0)?;
/// file.sync()?;
/// io.sync_dir("a")?;
/// assert_eq!(io.list("a")?[0].name, "b");
/// # std::fs::remove_dir_all(&dir).unwrap();
/// # Ok::<(), irmin_core::Error>(())
/// ```
pub trait Io: Send + Sync + Debug {
    /// Opens a file.
    ///
    /// # Errors
    /// `not_found` if there is no such file to read (or a directory has the name) or no directory
    /// to create it in, `name_clash` if the name is taken, `io` otherwise.
    fn open(&self, path: &str, mode: OpenMode) -> Result<Box<dyn File>>;

    /// What a name stands for, without following a symbolic link; `None` if there is no such name.
    ///
    /// # Errors
    /// `io`.
    fn metadata(&self, path: &str) -> Result<Option<Metadata>>;

    /// The names in a directory, in order; names that are not UTF-8 are left out.
    ///
    /// # Errors
    /// `not_found`, `io`.
    fn list(&self, path: &str) -> Result<Vec<DirEntry>>;

    /// Makes a directory; its parent must exist. Succeeds if it is there already.
    ///
    /// # Errors
    /// `name_clash` if a file has the name, `not_found` without a parent, `io`.
    fn create_dir(&self, path: &str) -> Result<()>;

    /// Gives a file one more name.
    ///
    /// # Errors
    /// `name_clash` if the new name exists or the old one is a directory, `not_found`,
    /// `unsupported` where there are no links, `io`.
    fn link(&self, from: &str, to: &str) -> Result<()>;

    /// Renames a file, replacing what has the new name. Two names of one file both stay.
    ///
    /// # Errors
    /// `not_found`, `name_clash` if either name is a directory, `io`.
    fn rename(&self, from: &str, to: &str) -> Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// `not_found`, `name_clash` if it is a directory, `io`.
    fn remove(&self, path: &str) -> Result<()>;

    /// Removes an empty directory.
    ///
    /// # Errors
    /// `not_found`, `name_clash` if it is not empty or a file, `io`.
    fn remove_dir(&self, path: &str) -> Result<()>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// `not_found`, `io`.
    fn sync_dir(&self, path: &str) -> Result<()>;

    /// Takes the lock of a file, which is created if need be, or says that another handle of this
    /// or another process has it. The lock ends when the guard drops or the process dies.
    ///
    /// # Errors
    /// `io`.
    fn try_lock(&self, path: &str) -> Result<Option<Box<dyn LockGuard>>>;

    /// Lets others run for a moment before a lock is tried again; `attempt` counts from zero.
    fn back_off(&self, attempt: u32);
}

/// An open file.
pub trait File: Send + Sync + Debug {
    /// Reads into the buffer from an offset, and says how many bytes there were: fewer than asked
    /// only at the end of the file, none beyond it.
    ///
    /// # Errors
    /// `io`.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize>;

    /// Writes all the bytes at an offset, extending the file if need be, with zeros up to there.
    ///
    /// # Errors
    /// `io`, also for a file that was opened for reading; some of the bytes may be written then.
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()>;

    /// The length of the file in bytes.
    ///
    /// # Errors
    /// `io`.
    fn len(&self) -> Result<u64>;

    /// Whether the file has no bytes.
    ///
    /// # Errors
    /// `io`.
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Cuts the file, or extends it with zeros.
    ///
    /// # Errors
    /// `io`.
    fn set_len(&self, len: u64) -> Result<()>;

    /// Makes the bytes and the length of the file durable.
    ///
    /// # Errors
    /// `io`.
    fn sync(&self) -> Result<()>;
}

/// A lock that is held until it is dropped.
pub trait LockGuard: Send + Sync + Debug {}
