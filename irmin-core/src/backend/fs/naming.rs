//! Naming objects, so that whoever sees one may build on it.
//!
//! What has a name is taken to be whole and durable by everybody who brings it again: it is not
//! written twice, and what is below it is not looked at. So an object gets its name only when all
//! that it refers to has a durable one; and whoever publishes waits until nobody is between naming
//! and syncing. That is what the lock of `irmin/naming` is for, and its only byte tells that a
//! program died there: then all directories of objects are synced once.

use alloc::boxed::Box;
use alloc::format;

use super::{files, names};
use crate::error::{Code, Error, Result};
use crate::io::{FileKind, Io, LockGuard, OpenMode};

/// What the file begins with while there are names that need not be durable.
const BEGUN: &[u8] = b"1";
/// What it begins with when there are none.
const ENDED: &[u8] = b"0";

/// The right to name objects; all names of objects were durable when it was given.
#[derive(Debug)]
pub(super) struct Naming<'a> {
    io: &'a dyn Io,
    _guard: Box<dyn LockGuard>,
}

impl<'a> Naming<'a> {
    /// Waits until nobody else names objects.
    ///
    /// # Errors
    /// `locked` after so many attempts, `io`, `poisoned`.
    pub(super) fn take(io: &'a dyn Io, attempts: u32) -> Result<Self> {
        let busy =
            || Error::new(Code::Locked, "other programs write objects all the time: try again");
        let guard = files::wait_for(io, names::NAMING, attempts)?.ok_or_else(busy)?;
        if files::read(io, names::NAMING, ENDED.len() as u64, 0)?.as_deref() == Some(BEGUN) {
            sync_all(io)?;
            put(io, ENDED)?;
        }
        Ok(Naming { io, _guard: guard })
    }

    /// Calls what names objects and syncs their directories.
    ///
    /// # Errors
    /// Those of `name`, and `io`.
    pub(super) fn run(&self, name: impl FnOnce() -> Result<()>) -> Result<()> {
        put(self.io, BEGUN)?;
        name()?;
        put(self.io, ENDED)
    }
}

/// Not synced: after a loss of power there are no names that are not durable.
fn put(io: &dyn Io, what: &[u8]) -> Result<()> {
    io.open(names::NAMING, OpenMode::ReadWrite)?.write_at(what, 0)
}

/// Makes the names of all objects durable.
fn sync_all(io: &dyn Io) -> Result<()> {
    files::sync_dir(io, "")?;
    files::sync_dir(io, names::OURS)?;
    for dir in [names::OBJECTS, names::OUR_OBJECTS] {
        for entry in files::if_exists(io.list(dir))?.unwrap_or_default() {
            if entry.kind == FileKind::Dir {
                files::sync_dir(io, &format!("{dir}/{}", entry.name))?;
            }
        }
        files::sync_dir(io, dir)?;
    }
    Ok(())
}
