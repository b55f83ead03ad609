//! Files of a working tree: what is there, and making it what it should be. No link is followed.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix_index::entry::Stat;
use irmin_core::backend::ValueRead;
use irmin_core::{Error, HashFunction};

use super::trees::{EXEC, Entry, LINK, hash};
use crate::commands::export::{absent, make_link, name_of, set_mode};
use crate::exit::Failure;

/// How much of a file is in memory at once.
const PIECE: usize = 1 << 16;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Absent,
    /// This, which is above it, is no directory.
    Below(Vec<u8>),
    File {
        exec: bool,
    },
    Link,
    Dir,
    Other,
}

/// The root of a working tree.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    pub(super) root: PathBuf,
    /// Whether it tells executables from other files.
    pub(super) modes: bool,
}

impl Disk {
    /// The file of a path.
    pub(super) fn file(&self, path: &[u8]) -> Result<PathBuf, Failure> {
        let mut file = self.root.clone();
        for step in path.split(|b| *b == b'/') {
            file.push(name_of(step)?);
        }
        Ok(file)
    }

    /// Looks.
    pub(super) fn look(&self, path: &[u8]) -> Result<Found, Failure> {
        for (at, _) in path.iter().enumerate().filter(|(_, b)| **b == b'/') {
            let above = path.get(..at).unwrap_or_default();
            match self.stat(above)? {
                Some(found) if found.is_dir() => {}
                Some(_) => return Ok(Found::Below(above.to_vec())),
                None => return Ok(Found::Absent),
            }
        }
        Ok(match self.stat(path)? {
            None => Found::Absent,
            Some(found) if found.is_dir() => Found::Dir,
            Some(found) if found.is_symlink() => Found::Link,
            Some(found) if found.is_file() => Found::File { exec: is_exec(&found) },
            Some(_) => Found::Other,
        })
    }

    fn stat(&self, path: &[u8]) -> Result<Option<fs::Metadata>, Failure> {
        let file = self.file(path)?;
        match fs::symlink_metadata(&file) {
            Ok(found) => Ok(Some(found)),
            Err(e) if absent(&e) => Ok(None),
            Err(e) => Err(Failure::file(&file, &e)),
        }
    }

    /// How the file that was found at a path looks, if it is this entry.
    pub(super) fn is(
        &self,
        path: &[u8],
        found: &Found,
        entry: &Entry,
    ) -> Result<Option<Stat>, Failure> {
        let file = self.file(path)?;
        let failed = |e: io::Error| Failure::file(&file, &e);
        // Looked at before it is read: who writes to it meanwhile makes it another one for git.
        let stat = || stat(gix_index::fs::Metadata::from_path_no_follow(&file)).map_err(failed);
        match found {
            Found::File { exec } if entry.mode != LINK => {
                if self.modes && *exec != (entry.mode == EXEC) {
                    return Ok(None);
                }
                let stat = stat()?;
                let same = hash_file(&file).map_err(failed)? == Some(entry.id);
                Ok(same.then_some(stat))
            }
            Found::Link if entry.mode == LINK => {
                let stat = stat()?;
                let target = fs::read_link(&file).map_err(failed)?;
                let target = crate::args::bytes_of(target.into_os_string());
                Ok((hash("blob", &target) == Some(entry.id)).then_some(stat))
            }
            _ => Ok(None),
        }
    }

    /// The files below a directory, as paths of the tree.
    pub(super) fn below(&self, path: &[u8]) -> Result<Vec<Vec<u8>>, Failure> {
        let (mut files, mut todo) = (Vec::new(), vec![path.to_vec()]);
        while let Some(dir) = todo.pop() {
            let at = self.file(&dir)?;
            for entry in fs::read_dir(&at).map_err(|e| Failure::file(&at, &e))? {
                let entry = entry.map_err(|e| Failure::file(&at, &e))?;
                let name = crate::args::bytes_of(entry.file_name());
                let below = [dir.as_slice(), b"/", &name].concat();
                let kind = entry.file_type().map_err(|e| Failure::file(&at, &e))?;
                if kind.is_dir() { todo.push(below) } else { files.push(below) }
            }
        }
        Ok(files)
    }

    /// Removes a file, and the directories above it that are empty then.
    pub(super) fn remove(&self, path: &[u8]) -> Result<(), Failure> {
        let file = self.file(path)?;
        match fs::remove_file(&file) {
            Err(e) if !absent(&e) => return Err(Failure::file(&file, &e)),
            _ => {}
        }
        let above = file.ancestors().skip(1).take_while(|dir| **dir != self.root);
        for dir in above {
            // One that is not empty stays, and so do those above it.
            if fs::remove_dir(dir).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Makes a file, where nothing but empty directories may be, and says how it looks.
    pub(super) fn write(
        &self,
        path: &[u8],
        entry: &Entry,
        value: &mut dyn ValueRead,
    ) -> Result<Stat, Failure> {
        let file = self.file(path)?;
        let above: Vec<&Path> =
            file.ancestors().skip(1).take_while(|dir| **dir != self.root).collect();
        for dir in above.into_iter().rev() {
            match fs::create_dir(dir) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(Failure::file(dir, &e));
                }
                _ => {}
            }
        }
        clear(&file);
        let failed = |e: io::Error| Failure::file(&file, &e);
        if entry.mode == LINK {
            let mut target = Vec::new();
            copy(value, entry, &mut target, &file)?;
            make_link(&target, &file).map_err(failed)?;
            return stat(gix_index::fs::Metadata::from_path_no_follow(&file)).map_err(failed);
        }
        let mut options = OpenOptions::new();
        // Making it new follows no link, and replaces nothing that came meanwhile.
        options.write(true).create_new(true);
        set_mode(&mut options, entry.mode == EXEC);
        let mut opened = options.open(&file).map_err(failed)?;
        if let Err(failure) = copy(value, entry, &mut opened, &file) {
            // A part of a file would be in the way of the next attempt.
            let _ = fs::remove_file(&file);
            return Err(failure);
        }
        stat(gix_index::fs::Metadata::from_file(&opened)).map_err(failed)
    }
}

/// What the index keeps of how a file looks.
fn stat(found: io::Result<gix_index::fs::Metadata>) -> io::Result<Stat> {
    // A clock before 1970 makes git read the file, no more.
    Ok(Stat::from_fs(&found?).unwrap_or_default())
}

/// Copies a value piece by piece, and checks that it is the one of the entry.
fn copy(
    value: &mut dyn ValueRead,
    entry: &Entry,
    to: &mut dyn io::Write,
    file: &Path,
) -> Result<(), Failure> {
    let mut hasher = HashFunction::Sha1.hasher();
    hasher.update(format!("blob {}\0", value.len()).as_bytes());
    let (mut buffer, mut at) = (vec![0; PIECE], 0);
    loop {
        let read = value.read_at(&mut buffer, at)?;
        let piece = buffer.get(..read).unwrap_or_default();
        if piece.is_empty() {
            break;
        }
        hasher.update(piece);
        to.write_all(piece).map_err(|e| Failure::file(file, &e))?;
        at += piece.len() as u64;
    }
    let hash = hasher.finish();
    if hash.as_bytes() == entry.id.as_slice() {
        return Ok(());
    }
    Err(Error::corrupt("value", &hash, format_args!("it should be {}", entry.id)).into())
}

/// Removes a directory in which there are only directories.
fn clear(dir: &Path) {
    let Ok(found) = fs::symlink_metadata(dir) else { return };
    if !found.is_dir() {
        return;
    }
    let mut dirs = vec![dir.to_owned()];
    let mut at = 0;
    while let Some(next) = dirs.get(at) {
        let below = fs::read_dir(next).into_iter().flatten().flatten();
        let below: Vec<PathBuf> = below.map(|entry| entry.path()).collect();
        let is_dir = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|m| m.is_dir());
        dirs.extend(below.into_iter().filter(is_dir));
        at += 1;
    }
    // What is not empty stays, and making the file fails.
    dirs.iter().rev().for_each(|dir| drop(fs::remove_dir(dir)));
}

fn hash_file(file: &Path) -> io::Result<Option<ObjectId>> {
    let mut opened = fs::File::open(file)?;
    let len = opened.metadata()?.len();
    let mut hasher = HashFunction::Sha1.hasher();
    hasher.update(format!("blob {len}\0").as_bytes());
    let mut buffer = vec![0; PIECE];
    loop {
        let read = opened.read(&mut buffer)?;
        if read == 0 {
            return Ok(ObjectId::try_from(hasher.finish().as_bytes()).ok());
        }
        hasher.update(buffer.get(..read).unwrap_or_default());
    }
}

#[cfg(unix)]
fn is_exec(found: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o100 != 0
}

#[cfg(not(unix))]
fn is_exec(_: &fs::Metadata) -> bool {
    false
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    /// A value whose second half cannot be read.
    #[derive(Debug)]
    struct Half;

    impl ValueRead for Half {
        fn len(&self) -> u64 {
            2
        }

        fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> irmin_core::Result<usize> {
            if offset > 0 {
                return Err(Error::new(irmin_core::Code::Io, "unreadable"));
            }
            buffer[0] = b'x';
            Ok(1)
        }
    }

    #[test]
    fn no_part_of_a_file_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk { root: dir.path().to_owned(), modes: true };
        let entry = Entry { mode: 0o100_644, id: hash("blob", b"xy").unwrap() };
        let failure = disk.write(b"dir/file", &entry, &mut Half).unwrap_err();
        assert!(failure.message.contains("unreadable"), "{failure:?}");
        assert_eq!(disk.look(b"dir/file").unwrap(), Found::Absent);
    }
}
