//! Small helpers over [`Io`]: whole files, directories, and names that are absent.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::error::{Code, Error, Result};
use crate::io::{FileKind, Io, LockGuard, OpenMode};
use crate::lock::Mutex;

/// `None` where the error says that there is no such name.
pub(super) fn if_exists<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if e.code() == Code::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// A whole file, if there is one, with so many bytes of room before what was read.
///
/// # Errors
/// `payload_too_large` above `limit`, `io`.
pub(super) fn read(io: &dyn Io, path: &str, limit: u64, room: usize) -> Result<Option<Vec<u8>>> {
    let Some(file) = if_exists(io.open(path, OpenMode::Read))? else { return Ok(None) };
    let len = file.len()?;
    let size = usize::try_from(len).ok().and_then(|n| n.checked_add(room));
    let (Some(size), true) = (size, len <= limit) else {
        let why = format!("`{path}` has {len} bytes, more than the {limit} that are read");
        return Err(Error::new(Code::PayloadTooLarge, why));
    };
    let mut bytes = alloc::vec![0; size];
    let have = file.read_at(bytes.get_mut(room..).unwrap_or_default(), 0)?;
    bytes.truncate(room.saturating_add(have));
    Ok(Some(bytes))
}

/// Makes a file with these bytes, which must not exist, and syncs it.
///
/// # Errors
/// `name_clash`, `io`, `poisoned` if the sync failed.
pub(super) fn create(io: &dyn Io, path: &str, bytes: &[u8]) -> Result<()> {
    let file = io.open(path, OpenMode::CreateNew)?;
    file.write_at(bytes, 0)?;
    synced(file.sync())
}

/// Removes a file, if it is there, and says whether it was.
///
/// # Errors
/// `io`.
pub(super) fn remove(io: &dyn Io, path: &str) -> Result<bool> {
    Ok(if_exists(io.remove(path))?.is_some())
}

/// Waits for the lock of a file; none if others have it after so many attempts.
///
/// # Errors
/// `io`.
pub(super) fn wait_for(
    io: &dyn Io,
    path: &str,
    attempts: u32,
) -> Result<Option<Box<dyn LockGuard>>> {
    for attempt in 0..attempts.max(1) {
        if let Some(guard) = io.try_lock(path)? {
            return Ok(Some(guard));
        }
        io.back_off(attempt);
    }
    Ok(None)
}

/// The result of a sync: after a failure nothing that was written may be relied upon, which is
/// more than any other failure of the disk says.
///
/// # Errors
/// `poisoned` for every error.
pub(super) fn synced(result: Result<()>) -> Result<()> {
    result.map_err(|e| {
        let why = format!("a sync failed: open the store again to write to it ({e})");
        Error::new(Code::Poisoned, why).with_source(e)
    })
}

/// Makes the names in a directory durable; if it is gone, that it is.
///
/// # Errors
/// `poisoned` if that failed.
pub(super) fn sync_dir(io: &dyn Io, path: &str) -> Result<()> {
    let mut dir = path;
    loop {
        match io.sync_dir(dir) {
            Err(e) if e.code() == Code::NotFound && !dir.is_empty() => dir = parent(dir),
            ended => return synced(ended),
        }
    }
}

/// The directory that a name is in; empty for a name at the root.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// A path and the directories that it is in, from the top.
fn steps(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    ends.filter_map(|end| path.get(..end)).filter(|step| !step.is_empty())
}

/// The first of a path and the directories that it is in that is a file.
///
/// # Errors
/// `io`.
pub(super) fn first_file(io: &dyn Io, path: &str) -> Result<Option<String>> {
    for step in steps(path) {
        if io.metadata(step)?.is_some_and(|found| found.kind == FileKind::File) {
            return Ok(Some(step.into()));
        }
    }
    Ok(None)
}

/// Makes a directory and those above it, and says which had to be made.
///
/// # Errors
/// `name_clash` if a file is in the way, `corrupt_store` for a link, which may lead out of the
/// store, `io`.
pub(super) fn create_dirs<'a>(io: &dyn Io, path: &'a str) -> Result<Vec<&'a str>> {
    let mut made = Vec::new();
    for step in steps(path) {
        match io.metadata(step)?.map(|found| found.kind) {
            Some(FileKind::Dir) => continue,
            Some(FileKind::Other) => {
                let why = format!("`{step}` is a link or a device, and should be a directory");
                return Err(Error::new(Code::CorruptStore, why));
            }
            Some(FileKind::File) | None => {
                io.create_dir(step)?;
                made.push(step);
            }
        }
    }
    Ok(made)
}

/// Removes the empty directories that stand where a file is to be, as git does for refs.
///
/// # Errors
/// `name_clash` if one of them is not empty, `io`.
pub(super) fn clear_empty_dirs(io: &dyn Io, path: &str) -> Result<()> {
    if io.metadata(path)?.is_none_or(|found| found.kind != FileKind::Dir) {
        return Ok(());
    }
    let mut dirs = Vec::from([String::from(path)]);
    let mut at = 0;
    while let Some(dir) = dirs.get(at).cloned() {
        for entry in if_exists(io.list(&dir))?.unwrap_or_default() {
            if entry.kind == FileKind::Dir {
                dirs.push(format!("{dir}/{}", entry.name));
            }
        }
        at += 1;
    }
    dirs.iter().rev().try_for_each(|dir| if_exists(io.remove_dir(dir)).map(|_| ()))
}

/// The directories of a store, some of which are known to have durable names.
#[derive(Debug)]
pub(super) struct Dirs {
    io: Arc<dyn Io>,
    durable: Mutex<BTreeSet<String>>,
}

/// What is still to be synced.
#[derive(Debug, Default)]
pub(super) struct Unsynced {
    /// Directories whose names changed.
    pub(super) dirs: BTreeSet<String>,
    /// Directories whose own name will be durable then.
    made: BTreeSet<String>,
}

impl Dirs {
    pub(super) fn new(io: Arc<dyn Io>) -> Self {
        Dirs { io, durable: Mutex::default() }
    }

    /// Makes a directory of objects, which is never removed.
    ///
    /// One that is there already may have been made by a program that died before its sync: the
    /// first use of each by this handle syncs it too.
    ///
    /// # Errors
    /// As [`create_dirs`].
    pub(super) fn create(&self, path: &str, unsynced: &mut Unsynced) -> Result<()> {
        if self.durable.lock().contains(path) && self.io.metadata(path)?.is_some() {
            return Ok(());
        }
        create_dirs(&*self.io, path)?;
        for step in steps(path) {
            unsynced.dirs.insert(parent(step).into());
            unsynced.made.insert(step.into());
        }
        Ok(())
    }

    /// Syncs.
    ///
    /// # Errors
    /// `poisoned`.
    pub(super) fn sync(&self, unsynced: Unsynced) -> Result<()> {
        unsynced.dirs.iter().try_for_each(|dir| sync_dir(&*self.io, dir))?;
        self.durable.lock().extend(unsynced.made);
        Ok(())
    }
}
