//! The locks of refs: the original's protocol, so that its programs and ours exclude one another.
//!
//! The lock of branch `b` is the file `lock/refs/b`: who creates it has the lock, who removes it
//! releases it, and one that was not changed for ten minutes is taken to be left by a program that
//! died. (`src/irmin-fs/unix/irmin_fs_unix.ml` of Irmin 3.11.)
//!
//! Our own locks are more than that, which the original does not notice: they are links to the
//! file of their [`Owner`], so that they appear complete, and are taken over at once when the owner
//! is dead.

use alloc::format;
use alloc::string::String;

use super::files;
use super::owner::{self, MARK, Owner};
use crate::error::{Code, Error, Result};
use crate::io::{FileKind, Io, OpenMode};

/// After how long a lock is taken to be forgotten, in nanoseconds: ten minutes.
const STALE: i128 = 600_000_000_000;

/// A lock of a ref that this handle holds.
#[derive(Debug)]
pub(super) struct RefLock<'a> {
    io: &'a dyn Io,
    path: String,
    identity: (u64, u64),
}

impl<'a> RefLock<'a> {
    /// Waits for a lock.
    ///
    /// # Errors
    /// `locked` after so many attempts, `io`.
    pub(super) fn take(
        io: &'a dyn Io,
        owner: &Owner,
        path: String,
        attempts: u32,
    ) -> Result<RefLock<'a>> {
        // The original looks at when the file was changed, which is when this handle was opened.
        owner.touch()?;
        for attempt in 0..attempts.max(1) {
            let in_the_way = match create(io, owner, &path) {
                Ok(identity) => return Ok(RefLock { io, path, identity }),
                Err(e) if e.code() == Code::NameClash => files::first_file(io, &path)?,
                Err(e) if e.code() == Code::NotFound => None,
                Err(e) => return Err(e),
            };
            let gone = match in_the_way {
                Some(there) => take_over(io, owner, &there)?,
                // Directories that the lock of a longer name needed.
                None => files::clear_empty_dirs(io, &path).is_ok(),
            };
            if !gone || attempt > 8 {
                io.back_off(attempt);
            }
        }
        let why = format!(
            "another program holds the lock `{path}`: try again (a lock that a program forgot is \
             ignored after ten minutes)"
        );
        Err(Error::new(Code::Locked, why))
    }

    /// Checks that nobody took the lock away, as others do when they believe that its owner died.
    ///
    /// # Errors
    /// `locked`, `io`.
    pub(super) fn check(&self) -> Result<()> {
        let there = self.io.metadata(&self.path)?.map(|found| found.identity);
        if there == Some(self.identity) {
            return Ok(());
        }
        let why = format!("another program took over the lock `{}`: try again", self.path);
        Err(Error::new(Code::Locked, why))
    }
}

impl Drop for RefLock<'_> {
    fn drop(&mut self) {
        // What cannot be removed now is taken over later.
        if self.check().is_ok() {
            let _ = self.io.remove(&self.path);
        }
    }
}

/// Makes the file of a lock, and says what tells it from others.
fn create(io: &dyn Io, owner: &Owner, path: &str) -> Result<(u64, u64)> {
    files::create_dirs(io, files::parent(path))?;
    match io.link(&owner.file(), path) {
        Ok(()) => Ok(owner.identity),
        Err(e) if e.code() == Code::Unsupported => {
            let file = io.open(path, OpenMode::CreateNew)?;
            // Not the mark: without links nobody can tell whether the owner is alive.
            file.write_at(b"irmin\n", 0)?;
            let found = io.metadata(path)?;
            found.map(|found| found.identity).ok_or_else(|| {
                Error::new(Code::Locked, format!("another program removed the lock `{path}`"))
            })
        }
        Err(e) => Err(e),
    }
}

/// Removes a lock that nobody holds any more, and says whether there is none now.
fn take_over(io: &dyn Io, owner: &Owner, path: &str) -> Result<bool> {
    let Some(found) = io.metadata(path)? else { return Ok(true) };
    if found.kind != FileKind::File {
        return Ok(false);
    }
    let forgotten = found.modified > 0 && owner.touch()? - found.modified > STALE;
    if !forgotten && !is_left(io, owner, path, found.identity)? {
        return Ok(false);
    }
    // Between the look and the removal another one may have done the same, and locked anew.
    let aside = owner.temp();
    if files::if_exists(io.rename(path, &aside))?.is_none() {
        return Ok(true);
    }
    let taken = io.metadata(&aside)?.map(|found| found.identity);
    if taken != Some(found.identity) {
        // Its holder checks that it still has the lock before it changes a ref.
        let _ = io.link(&aside, path);
    }
    files::remove(io, &aside)?;
    Ok(taken == Some(found.identity))
}

/// Whether a lock is one of ours whose owner is dead.
fn is_left(io: &dyn Io, owner: &Owner, path: &str, identity: (u64, u64)) -> Result<bool> {
    if identity == owner.identity {
        // This handle holds no lock when it looks for one: it failed to remove this one.
        return Ok(true);
    }
    let limit = MARK.len() as u64;
    let ours = match files::read(io, path, limit, 0) {
        Ok(bytes) => bytes.as_deref() == Some(MARK),
        Err(e) if e.code() == Code::PayloadTooLarge => false,
        Err(e) => return Err(e),
    };
    Ok(ours && !owner::is_alive(io, identity)?)
}
