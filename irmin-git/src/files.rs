//! Small helpers over [`Io`]: whole files, directories, and names that are absent.

use irmin_core::io::{File, FileKind, Io, OpenMode};
use irmin_core::{Code, Error, Result};

/// `None` where the error says that there is no such name.
pub(crate) fn if_exists<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if e.code() == Code::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// A part of a file, all of it.
///
/// # Errors
/// `io` if the file ends before.
pub(crate) fn read_part(file: &dyn File, offset: u64, len: u64) -> Result<Vec<u8>> {
    let short = || Error::new(Code::Io, "a file ended while it was read");
    // Nothing is allocated on the word of an index alone: the file must be as long.
    if offset.checked_add(len).is_none_or(|end| file.len().is_ok_and(|have| have < end)) {
        return Err(short());
    }
    let mut bytes = vec![0; usize::try_from(len).map_err(|_| short())?];
    if file.read_at(&mut bytes, offset)? < bytes.len() { Err(short()) } else { Ok(bytes) }
}

/// A whole file.
///
/// # Errors
/// `not_found`, `payload_too_large` above `limit`, `io`.
pub(crate) fn read(io: &dyn Io, path: &str, limit: u64) -> Result<Vec<u8>> {
    let file = io.open(path, OpenMode::Read)?;
    let len = file.len()?;
    if len > limit {
        let why = format!("{path} has {len} bytes, more than the {limit} that are read");
        return Err(Error::new(Code::PayloadTooLarge, why));
    }
    let mut bytes = vec![0; usize::try_from(len).unwrap_or_default()];
    let have = file.read_at(&mut bytes, 0)?;
    bytes.truncate(have);
    Ok(bytes)
}

/// Makes a file with these bytes, which must not exist, and syncs it.
///
/// # Errors
/// `name_clash`, `io`, `poisoned` if the sync failed.
pub(crate) fn create(io: &dyn Io, path: &str, bytes: &[u8]) -> Result<()> {
    create_as(io, path, bytes, true)
}

/// Makes a file with these bytes, which must not exist, and syncs it if its sort is to be synced.
///
/// # Errors
/// As [`create`].
pub(crate) fn create_as(io: &dyn Io, path: &str, bytes: &[u8], sync: bool) -> Result<()> {
    let file = io.open(path, OpenMode::CreateNew)?;
    file.write_at(bytes, 0)?;
    if sync { synced(file.sync()) } else { Ok(()) }
}

/// Makes the names in a directory durable.
///
/// # Errors
/// `poisoned` if that failed.
pub(crate) fn sync_dir(io: &dyn Io, path: &str) -> Result<()> {
    synced(io.sync_dir(path))
}

/// Makes the names in a directory of refs durable. Git removes such directories once they are
/// empty: then it is the name of the directory whose removal must last.
///
/// # Errors
/// `poisoned` if that failed.
pub(crate) fn sync_ref_dir(io: &dyn Io, path: &str) -> Result<()> {
    let mut dir = path;
    loop {
        match io.sync_dir(dir) {
            Err(e) if e.code() == Code::NotFound && !dir.is_empty() => dir = parent(dir),
            ended => return synced(ended),
        }
    }
}

/// The result of a sync: after a failure nothing that was written may be relied upon, which is
/// more than any other failure of the disk says.
///
/// # Errors
/// `poisoned` for every error.
pub(crate) fn synced(result: Result<()>) -> Result<()> {
    result.map_err(|e| {
        let why = format!("a sync failed: open the repository again to write to it ({e})");
        Error::new(Code::Poisoned, why).with_source(e)
    })
}

/// The directory that a name is in; empty for a name at the root.
pub(crate) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// Makes a directory and those above it, and makes the new names durable.
///
/// # Errors
/// `name_clash` if a file is in the way, `io`.
pub(crate) fn create_dirs(io: &dyn Io, path: &str) -> Result<()> {
    if path.is_empty() {
        return Ok(());
    }
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    for end in ends {
        let dir = path.get(..end).unwrap_or_default();
        let made = match io.metadata(dir)?.map(|m| m.kind) {
            Some(FileKind::Dir) => false,
            // Whether a link leads to a directory is for the system to find out.
            Some(FileKind::Other) => false,
            _ => true,
        };
        if made {
            io.create_dir(dir)?;
            sync_dir(io, parent(dir))?;
        }
    }
    Ok(())
}

/// Removes a file if it is there.
///
/// # Errors
/// `io`.
pub(crate) fn remove(io: &dyn Io, path: &str) -> Result<()> {
    if_exists(io.remove(path)).map(|_| ())
}

/// Removes the empty directories that stand where a file is to be, as git does for refs.
///
/// # Errors
/// `name_clash` if one of them is not empty, `io`.
pub(crate) fn clear_empty_dirs(io: &dyn Io, path: &str) -> Result<()> {
    if io.metadata(path)?.is_none_or(|m| m.kind != FileKind::Dir) {
        return Ok(());
    }
    let mut dirs = vec![path.to_owned()];
    let mut at = 0;
    while let Some(dir) = dirs.get(at).cloned() {
        for entry in if_exists(io.list(&dir))?.unwrap_or_default() {
            if entry.kind == FileKind::Dir {
                dirs.push(format!("{dir}/{}", entry.name));
            }
        }
        at += 1;
    }
    for dir in dirs.iter().rev() {
        if_exists(io.remove_dir(dir))?;
    }
    Ok(())
}
