//! Which handles are alive: so that what a dead one left can go at once.
//!
//! A handle that writes owns a file in `irmin/owners`, on which it holds a lock of the operating
//! system: whoever can take that lock knows that the owner is dead. Its temporary files carry its
//! number, and its locks of refs are hard links to its file.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

use super::files;
use super::names::{GATE, OWNERS, TEMPS};
use crate::error::{Code, Error, Result};
use crate::io::{FileKind, Io, LockGuard, OpenMode};

/// What is in the files of owners: it tells our locks of refs from those of the original.
pub(super) const MARK: &[u8] = b"irmin owner\n";
/// What the names of temporary files begin with.
const PREFIX: &str = "irmin-";

/// One handle that writes.
#[derive(Debug)]
pub(super) struct Owner {
    io: Arc<dyn Io>,
    number: u32,
    /// What tells its file from all others.
    pub(super) identity: (u64, u64),
    next: AtomicU64,
    _alive: Box<dyn LockGuard>,
}

fn path(number: u32) -> String {
    format!("{OWNERS}/{number}")
}

/// Waits until no other handle comes, and no other program makes the store. Its directory is there.
///
/// # Errors
/// `locked` after so many attempts, `io`.
pub(super) fn gate(io: &dyn Io, attempts: u32) -> Result<Box<dyn LockGuard>> {
    let busy = || Error::new(Code::Locked, format!("another program holds `{GATE}`: try again"));
    files::wait_for(io, GATE, attempts)?.ok_or_else(busy)
}

impl Owner {
    /// Begins to own: removes what dead handles left, and takes a free number.
    ///
    /// # Errors
    /// `locked` if others do so for too long, `io`, `poisoned`.
    pub(super) fn begin(io: &Arc<dyn Io>, attempts: u32) -> Result<Owner> {
        files::create_dirs(&**io, OWNERS)?;
        files::create_dirs(&**io, TEMPS)?;
        let _gate = gate(&**io, attempts)?;
        sweep(&**io)?;
        for number in 0..u32::MAX {
            let at = path(number);
            let file = match io.open(&at, OpenMode::CreateNew) {
                Err(e) if e.code() == Code::NameClash => continue,
                opened => opened?,
            };
            file.write_at(MARK, 0)?;
            // A lock that is a link to this file must be known as ours after a crash, too.
            files::synced(file.sync())?;
            let (alive, found) = (io.try_lock(&at)?, io.metadata(&at)?);
            if let (Some(_alive), Some(found)) = (alive, found) {
                let (identity, next) = (found.identity, AtomicU64::new(0));
                return Ok(Owner { io: io.clone(), number, identity, next, _alive });
            }
        }
        Err(Error::new(Code::Locked, "too many programs write to the store"))
    }

    /// The name of a file that nobody has.
    pub(super) fn temp(&self) -> String {
        self.temp_of(self.number_temp())
    }

    /// The number of a temporary file that nobody has.
    pub(super) fn number_temp(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// The name of the temporary file with this number.
    pub(super) fn temp_of(&self, number: u64) -> String {
        format!("{TEMPS}/{PREFIX}{}-{number}", self.number)
    }

    /// The file that the locks of refs are links to.
    pub(super) fn file(&self) -> String {
        path(self.number)
    }

    /// What time it is on the disk, in nanoseconds since 1970; as a side effect all locks that
    /// this handle holds look fresh.
    ///
    /// # Errors
    /// `io`.
    pub(super) fn touch(&self) -> Result<i128> {
        let at = self.file();
        self.io.open(&at, OpenMode::ReadWrite)?.write_at(MARK, 0)?;
        Ok(self.io.metadata(&at)?.map_or(0, |found| found.modified))
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // Others may only think that it died, which by then is true.
        let _ = self.io.remove(&self.file());
    }
}

/// Whether the file with this identity belongs to a handle that is alive.
///
/// # Errors
/// `io`.
pub(super) fn is_alive(io: &dyn Io, identity: (u64, u64)) -> Result<bool> {
    for entry in files::if_exists(io.list(OWNERS))?.unwrap_or_default() {
        let at = format!("{OWNERS}/{}", entry.name);
        if io.metadata(&at)?.is_some_and(|found| found.identity == identity) {
            return Ok(io.try_lock(&at)?.is_none());
        }
    }
    Ok(false)
}

/// Removes the temporary files and then the files of dead handles. Nothing of others is touched:
/// the original's temporary files have other names.
fn sweep(io: &dyn Io) -> Result<()> {
    let temps = files::if_exists(io.list(TEMPS))?.unwrap_or_default();
    let owners = files::if_exists(io.list(OWNERS))?.unwrap_or_default();
    let mut alive = alloc::collections::BTreeSet::new();
    for owner in &owners {
        let at = format!("{OWNERS}/{}", owner.name);
        if io.try_lock(&at)?.is_none() {
            alive.insert(owner.name.as_str());
        }
    }
    for temp in temps.iter().filter(|temp| temp.kind == FileKind::File) {
        let owner = temp.name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-'));
        if owner.is_some_and(|(owner, _)| !alive.contains(owner)) {
            files::remove(io, &format!("{TEMPS}/{}", temp.name))?;
        }
    }
    for owner in owners.iter().filter(|owner| !alive.contains(owner.name.as_str())) {
        files::remove(io, &format!("{OWNERS}/{}", owner.name))?;
    }
    Ok(())
}
