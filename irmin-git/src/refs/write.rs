//! Moving refs under git's own lock files.
//!
//! The lock of a ref is the file beside it with `.lock` added; whoever creates it has the lock.
//! Here it is created by linking a prepared file, which already holds the new value and is already
//! synced, to that name. So a lock that a crash leaves behind is known to be ours: it is one file
//! with a leftover `tmp_irmin_ref_…`, whose name was durable before the lock existed.

use std::collections::BTreeSet;

use irmin_core::backend::Target;
use irmin_core::io::{FileKind, Io};
use irmin_core::{Code, Error, RefName, Result};

use super::packed::PackedRefs;
use super::{encode, packed};
use crate::files;
use crate::refs::read::{Found, Refs};
use crate::temp::TempNames;

/// How often a lock file that another program holds is tried.
const ATTEMPTS: u32 = 12;

/// One ref that is to move.
#[derive(Clone, Debug)]
pub(crate) struct Move {
    /// The ref.
    pub(crate) name: RefName,
    /// What it is on disk when it moves.
    pub(crate) old: Option<Target>,
    /// What it becomes.
    pub(crate) new: Option<Target>,
}

/// The prepared files of some moves.
#[derive(Debug)]
pub(crate) struct Prepared {
    moves: Vec<(Move, String)>,
    /// The rewritten `packed-refs`, or its lock, if a ref is removed.
    packed: Option<Rewrite>,
}

/// The lock of `packed-refs`.
#[derive(Debug)]
struct Rewrite {
    file: String,
    /// What `packed-refs` was when the file was prepared.
    from: Vec<u8>,
    /// Whether the file is its new value, and not only its lock.
    rewrite: bool,
}

impl Prepared {
    /// The prepared files, for removal.
    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        let packed = self.packed.iter().map(|packed| packed.file.as_str());
        self.moves.iter().map(|(_, file)| file.as_str()).chain(packed)
    }
}

/// The lock files that are held.
#[derive(Debug, Default)]
pub(crate) struct Held {
    locks: Vec<String>,
}

/// What taking the locks of some moves ended with.
pub(crate) enum Locked {
    /// All are held, and the refs are what they were taken for.
    All(Held),
    /// A ref or `packed-refs` changed meanwhile: look again.
    Changed,
}

impl Refs {
    /// Writes the files that will become the refs. Their names become durable with the next sync
    /// of the directory of packs.
    ///
    /// # Errors
    /// `io`.
    pub(crate) fn prepare(&self, moves: Vec<Move>, temp: &mut TempNames) -> Result<Prepared> {
        // What is written back must be what is there, not what was there a moment ago.
        let removes = moves.iter().any(|m| m.new.is_none());
        let packed = if removes { packed::read(&*self.io)? } else { PackedRefs::default() };
        let gone: Vec<&RefName> = moves
            .iter()
            .filter(|m| m.new.is_none() && packed.get(&m.name).is_some())
            .map(|m| &m.name)
            .collect();
        // A removal locks `packed-refs` in any case: `git pack-refs` could else put the ref there
        // between the look at it and the removal of its file.
        let rewrite = !gone.is_empty();
        let rewritten = if removes {
            let file = temp.next("ref");
            if rewrite {
                let sync = self.fsync.reference;
                files::create_as(&*self.io, &file, &packed.without(&gone), sync)?;
            } else {
                self.io.open(&file, irmin_core::io::OpenMode::CreateNew)?;
            }
            Some(Rewrite { file, from: packed.bytes.clone(), rewrite })
        } else {
            None
        };
        let mut prepared = Vec::with_capacity(moves.len());
        for one in moves {
            let file = temp.next("ref");
            match &one.new {
                Some(target) => {
                    let sync = self.fsync.reference;
                    files::create_as(&*self.io, &file, &encode(target)?, sync)?;
                }
                // Its lock becomes nothing: it needs a name, and no bytes.
                None => {
                    self.io.open(&file, irmin_core::io::OpenMode::CreateNew)?;
                }
            }
            prepared.push((one, file));
        }
        Ok(Prepared { moves: prepared, packed: rewritten })
    }

    /// Takes all locks, then checks that everything is as expected.
    ///
    /// # Errors
    /// `locked`, naming a lock file that another program holds; `name_clash`; `io`. No lock is
    /// held then, and the prepared files are gone, unless a lock could not be given back: as long
    /// as its prepared file is there, it is known as one to take away.
    pub(crate) fn lock(&self, prepared: &Prepared, dirs: &mut Directories) -> Result<Locked> {
        let mut held = Held::default();
        let ended = self.lock_all(prepared, dirs, &mut held);
        if matches!(ended, Ok(true)) {
            return Ok(Locked::All(held));
        }
        self.release(&held)?;
        prepared.files().for_each(|file| drop(self.io.remove(file)));
        ended.map(|_| Locked::Changed)
    }

    fn lock_all(&self, p: &Prepared, dirs: &mut Directories, held: &mut Held) -> Result<bool> {
        for (one, file) in &p.moves {
            let target = self.places.file(&one.name);
            self.lock_one(file, &target, dirs, held)?;
        }
        if let Some(Rewrite { file, .. }) = &p.packed {
            self.lock_one(file, packed::FILE, dirs, held)?;
        }
        for (one, _) in &p.moves {
            let found = self.find(&one.name)?;
            let is_file = matches!(found, Found::Loose(_));
            if found.target() != one.old {
                return Ok(false);
            }
            if one.old.is_none()
                && one.new.is_some()
                && let Some(there) = self.clash(&one.name, &|_| false)?
            {
                return Err(name_clash(&one.name, &there));
            }
            // Where its file is nothing else is in the way.
            if one.new.is_some() && !is_file {
                self.clear_way(&one.name)?;
            }
        }
        match &p.packed {
            Some(packed) => Ok(packed::read(&*self.io)?.bytes == packed.from),
            None => Ok(true),
        }
    }

    fn lock_one(
        &self,
        file: &str,
        target: &str,
        dirs: &mut Directories,
        held: &mut Held,
    ) -> Result<()> {
        let lock = format!("{target}.lock");
        for attempt in 0..ATTEMPTS {
            dirs.ensure(&*self.io, files::parent(target), self.fsync.reference)?;
            match self.io.link(file, &lock) {
                Ok(()) => {
                    held.locks.push(lock);
                    return Ok(());
                }
                Err(e) if e.code() == Code::NameClash => self.io.back_off(attempt),
                // Git removes directories that it finds empty: this one is made again.
                Err(e) if e.code() == Code::NotFound && attempt + 1 < ATTEMPTS => {}
                Err(e) => return Err(e),
            }
        }
        Err(is_locked(target))
    }

    /// Waits until no other program holds the lock of a ref; nothing is promised of afterwards.
    ///
    /// # Errors
    /// `locked`, naming the file, `io`.
    pub(crate) fn wait_for_locks(&self, moves: &[Move]) -> Result<()> {
        for one in moves {
            let target = self.places.file(&one.name);
            let mut attempt = 0;
            while self.io.metadata(&format!("{target}.lock"))?.is_some() {
                if attempt == ATTEMPTS {
                    return Err(is_locked(&target));
                }
                self.io.back_off(attempt);
                attempt += 1;
            }
        }
        Ok(())
    }

    /// Gives locks back without moving anything. The prepared files may go only afterwards.
    ///
    /// # Errors
    /// `io`.
    pub(crate) fn release(&self, held: &Held) -> Result<()> {
        let mut dirs = BTreeSet::new();
        let mut ended = Ok(());
        for lock in &held.locks {
            // One that cannot be given back is no reason to keep the others.
            ended = files::remove(&*self.io, lock).and(ended);
            dirs.insert(files::parent(lock).to_owned());
        }
        ended?;
        // Durable before the prepared files go, or a crash could leave a lock no one knows.
        self.sync_dirs(&dirs)
    }

    /// Moves the refs whose locks are held, and makes that durable.
    ///
    /// # Errors
    /// `io`: then some may have moved.
    pub(crate) fn commit(&self, prepared: &Prepared, held: Held) -> Result<()> {
        let mut dirs = BTreeSet::new();
        let lock_of = |target: &str| format!("{target}.lock");
        let (removals, mut updates): (Vec<_>, Vec<_>) =
            prepared.moves.iter().map(|(m, _)| m).partition(|m| m.new.is_none());
        // A symbolic ref comes after what it stands for, which may be new.
        updates.sort_by_key(|m| matches!(m.new, Some(Target::Symbolic(_))));
        debug_assert!(held.locks.len() >= prepared.moves.len());
        drop(held);
        for one in updates {
            let target = self.places.file(&one.name);
            let lock = lock_of(&target);
            if let Err(e) = self.io.rename(&lock, &target) {
                // Directories that others made there since the way was clear.
                if e.code() != Code::NameClash {
                    return Err(e);
                }
                files::clear_empty_dirs(&*self.io, &target)?;
                self.io.rename(&lock, &target)?;
            }
            dirs.insert(files::parent(&target).to_owned());
        }
        if prepared.packed.as_ref().is_some_and(|packed| packed.rewrite) {
            // Before the file of a removed ref goes: the other order brings an old value back.
            self.io.rename(&lock_of(packed::FILE), packed::FILE)?;
            if self.fsync.reference {
                files::sync_dir(&*self.io, "")?;
            }
        }
        for one in removals {
            let target = self.places.file(&one.name);
            // A ref that is only packed has no file; a directory left there by others may stay.
            if self.io.metadata(&target)?.is_some_and(|m| m.kind == FileKind::File) {
                self.io.remove(&target)?;
            }
            files::remove(&*self.io, &lock_of(&target))?;
            dirs.insert(files::parent(&target).to_owned());
        }
        if prepared.packed.as_ref().is_some_and(|packed| !packed.rewrite) {
            // Only now may `git pack-refs` go on.
            files::remove(&*self.io, &lock_of(packed::FILE))?;
            dirs.insert(String::new());
        }
        self.sync_dirs(&dirs)
    }

    /// Makes the names of refs durable.
    fn sync_dirs(&self, dirs: &BTreeSet<String>) -> Result<()> {
        if !self.fsync.reference {
            return Ok(());
        }
        dirs.iter().try_for_each(|dir| files::sync_ref_dir(&*self.io, dir))
    }

    /// Makes sure that nothing stands where a ref is to be, as long as nothing has moved: what is
    /// left in a directory there, without being a ref, is the lock of a ref that is being made.
    fn clear_way(&self, name: &RefName) -> Result<()> {
        let path = self.places.file(name);
        for attempt in 0..ATTEMPTS {
            match files::clear_empty_dirs(&*self.io, &path) {
                Err(e) if e.code() == Code::NameClash => self.io.back_off(attempt),
                ended => return ended,
            }
        }
        let why = format!(
            "the directory `{path}` is in use by another program: wait for it, or remove what is \
             in it if it crashed"
        );
        Err(Error::new(Code::Locked, why))
    }

    /// Removes the directories that a removed ref and its journal leave empty, up to `refs/heads`
    /// and its like. A failure is of no consequence.
    pub(crate) fn prune_dirs(&self, name: &RefName, dirs: &mut Directories) {
        let own = name.as_str().match_indices('/').count();
        for path in [self.places.file(name), self.places.log(name)] {
            let mut dir = files::parent(&path);
            for _ in 2..own {
                if self.io.remove_dir(dir).is_err() {
                    break;
                }
                dirs.forget(dir);
                dir = files::parent(dir);
            }
        }
    }
}

fn is_locked(target: &str) -> Error {
    let why = format!(
        "`{target}` is locked by another program: wait for it, or remove `{target}.lock` if it \
         crashed"
    );
    Error::new(Code::Locked, why)
}

/// The error for a ref that cannot be beside another one.
pub(crate) fn name_clash(name: &RefName, there: &RefName) -> Error {
    Error::new(Code::NameClash, format!("ref `{name}` cannot be beside ref `{there}`"))
}

/// The directories whose names are known to be durable, or need not be.
///
/// A directory that another program made may not be: whatever is synced inside it would be lost
/// with it. So each is made durable once, from the root down, before anything in it counts.
#[derive(Debug, Default)]
pub(crate) struct Directories {
    known: std::collections::HashMap<String, (u64, u64)>,
}

impl Directories {
    /// Makes a directory if need be, and makes sure that its name is durable, unless what it is for
    /// is not synced.
    ///
    /// # Errors
    /// `name_clash` if a file is in the way, `io`.
    pub(crate) fn ensure(&mut self, io: &dyn Io, path: &str, sync: bool) -> Result<()> {
        if path.is_empty() || self.is_known(path, identity(io, path)?) {
            return Ok(());
        }
        for end in path.match_indices('/').map(|(at, _)| at).chain([path.len()]) {
            let dir = path.get(..end).unwrap_or_default();
            let mut now = identity(io, dir)?;
            if self.is_known(dir, now) {
                continue;
            }
            if now.is_none() {
                io.create_dir(dir)?;
                now = identity(io, dir)?;
            }
            if sync {
                files::sync_dir(io, files::parent(dir))?;
            }
            now.map(|now| self.known.insert(dir.to_owned(), now));
        }
        Ok(())
    }

    fn is_known(&self, dir: &str, now: Option<(u64, u64)>) -> bool {
        now.is_some() && now == self.known.get(dir).copied()
    }

    /// Forgets a directory that was removed.
    fn forget(&mut self, dir: &str) {
        self.known.remove(dir);
    }
}

/// What a directory is told by.
fn identity(io: &dyn Io, dir: &str) -> Result<Option<(u64, u64)>> {
    match io.metadata(dir)? {
        Some(found) if found.kind == FileKind::File => {
            Err(Error::new(Code::NameClash, format!("`{dir}` is a file, a directory is needed")))
        }
        found => Ok(found.map(|m| m.identity)),
    }
}
