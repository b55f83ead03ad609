//! Writing: objects are prepared as temporary files, named, and only then refs are moved.
//!
//! Every step is durable before the next one begins, so that a loss of power at any moment leaves
//! refs that are as they were or as they shall be, and whose objects are there.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use hashbrown::HashSet;

use super::files::Unsynced;
use super::naming::Naming;
use super::ref_lock::RefLock;
use super::{FsBackend, files, names, refs};
use crate::backend::{Published, RefEdit, RefTable, Target};
use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::id::Key;
use crate::io::OpenMode;
use crate::name::RefName;
use crate::numbers::{Hashed, Numbered};
use crate::object::Object;

/// How many objects are named before others may name theirs: each can cost the sync of a directory,
/// and who waits for the lock does so a bounded number of times.
const NAMED: usize = 64;

/// An object whose file is written and synced, and has no name yet.
///
/// There is one for each piece of a large value, so that it tells its two paths and holds neither.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prepared {
    pub(super) hash: Hash,
    /// Whether only we read it, or the original too.
    pub(super) ours: bool,
    /// It is named after all pending objects of lower levels, among which is what it refers to.
    pub(super) level: u32,
    /// The number of its temporary file.
    pub(super) temp: u64,
}

impl Prepared {
    /// The name that it will have.
    fn path(&self) -> String {
        if self.ours { names::our_object(&self.hash) } else { names::object(&self.hash) }
    }
}

impl Hashed for Prepared {
    fn hash(&self) -> &Hash {
        &self.hash
    }
}

/// Objects that are not visible yet; what is not named is removed again.
pub(super) struct Pending<'a> {
    store: &'a FsBackend,
    objects: Numbered<Prepared>,
    /// Objects that were there already: each is looked at and synced once, however often it comes.
    there: HashSet<Hash>,
    /// Their directories, to be synced with the others.
    unsynced: Unsynced,
}

impl<'a> Pending<'a> {
    pub(super) fn new(store: &'a FsBackend) -> Self {
        Pending {
            store,
            objects: Numbered::default(),
            there: HashSet::new(),
            unsynced: Unsynced::default(),
        }
    }

    pub(super) fn get(&self, hash: &Hash) -> Option<&Prepared> {
        self.objects.get(hash)
    }

    pub(super) fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether an object is here or in the store.
    ///
    /// # Errors
    /// `io`.
    fn reaches(&self, hash: &Hash) -> Result<bool> {
        Ok(self.objects.contains(hash) || self.store.coding.exists(&*self.store.io, hash)?)
    }

    /// Refuses objects whose children are neither here, nor before them, nor in the store.
    ///
    /// # Errors
    /// `missing_objects`, `io`.
    pub(super) fn check(&self, objects: &[Object]) -> Result<()> {
        let mut before: BTreeSet<Hash> = BTreeSet::new();
        let mut absent = Vec::new();
        for object in objects {
            for child in &object.children {
                let hash = child.key.hash;
                if !before.contains(&hash) && !self.reaches(&hash)? {
                    absent.push(Key::from(hash));
                }
            }
            before.insert(object.id);
        }
        if absent.is_empty() { Ok(()) } else { Err(Error::missing_objects(absent)) }
    }

    /// Writes objects, all or none of them.
    ///
    /// # Errors
    /// `io`, `poisoned`.
    pub(super) fn add(&mut self, objects: &[Object]) -> Result<()> {
        let before = self.objects.len();
        for object in objects {
            if self.objects.contains(&object.id) || self.there.contains(&object.id) {
                continue;
            }
            match self.prepare(object) {
                Ok(None) => {
                    self.there.insert(object.id);
                }
                Ok(Some(prepared)) => {
                    self.objects.add(prepared);
                }
                Err(e) => {
                    self.forget(before);
                    return Err(e);
                }
            }
        }
        Ok(())
    }

    /// Writes one object, unless it is there: then it is made durable, for whoever wrote it need
    /// not have cared; what is there and damaged is written again.
    fn prepare(&mut self, object: &Object) -> Result<Option<Prepared>> {
        let FsBackend { io, coding, .. } = self.store;
        let (path, bytes) = coding.encode(object);
        // Its bytes are known, so that nothing need be hashed; what is longer is damaged, too.
        let there = match files::read(&**io, &path, bytes.len() as u64, 0) {
            Err(e) if e.code() == Code::PayloadTooLarge => None,
            there => there?,
        };
        if there.is_some_and(|there| there == bytes) {
            files::synced(io.open(&path, OpenMode::Read)?.sync())?;
            self.store.dirs.create(files::parent(&path), &mut self.unsynced)?;
            self.unsynced.dirs.insert(files::parent(&path).into());
            return Ok(None);
        }
        let owner = self.store.owner()?;
        let (hash, temp) = (object.id, owner.number_temp());
        let at = owner.temp_of(temp);
        if let Err(e) = files::create(&**io, &at, &bytes) {
            let _ = files::remove(&**io, &at);
            return Err(e);
        }
        let (ours, level) = (path.starts_with(names::OURS), self.level(object));
        Ok(Some(Prepared { hash, ours, level, temp }))
    }

    /// Adds an object that was written to a temporary file.
    pub(super) fn adopt(&mut self, prepared: Prepared) {
        if let (_, false) = self.objects.add(prepared) {
            self.remove(&prepared);
        }
    }

    /// Removes the file of an object that has no name.
    fn remove(&self, prepared: &Prepared) {
        if let Ok(owner) = self.store.owner() {
            let _ = files::remove(&*self.store.io, &owner.temp_of(prepared.temp));
        }
    }

    /// Removes all objects but the first so many.
    fn forget(&mut self, from: usize) {
        self.objects.since(from).for_each(|prepared| self.remove(prepared));
        self.objects.truncate(from);
    }

    /// The level of an object: that of its base, which vouches for what is common to both, or one
    /// above the highest of what else it refers to.
    fn level(&self, object: &Object) -> u32 {
        let level = |hash: &Hash| self.objects.get(hash).map_or(0, |pending| pending.level);
        let base = object.base.map_or(0, |base| level(&base.hash));
        let children = object.children.iter();
        children.map(|child| level(&child.key.hash).saturating_add(1)).fold(base, u32::max)
    }

    /// Gives all objects their names, durably, each after what it refers to; what had names before
    /// is durable then, too.
    ///
    /// # Errors
    /// `locked`, `io`, `poisoned`.
    fn name(&mut self) -> Result<()> {
        let FsBackend { io, dirs, attempts, .. } = self.store;
        // It makes the directory of the lock.
        let owner = self.store.owner()?;
        let mut unsynced = core::mem::take(&mut self.unsynced);
        let mut order: Vec<&Prepared> = self.objects.iter().collect();
        order.sort_unstable_by_key(|prepared| (prepared.level, prepared.ours, prepared.hash));
        for prepared in &order {
            dirs.create(files::parent(&prepared.path()), &mut unsynced)?;
        }
        if order.is_empty() {
            let _named = Naming::take(&**io, *attempts)?;
            return dirs.sync(unsynced);
        }
        let levels = order.chunk_by(|a, b| a.level == b.level);
        for some in levels.flat_map(|level| level.chunks(NAMED)) {
            // Refs may be locked meanwhile, and a lock that looks old is taken for forgotten.
            owner.touch()?;
            Naming::take(&**io, *attempts)?.run(|| {
                for prepared in some {
                    let path = prepared.path();
                    io.rename(&owner.temp_of(prepared.temp), &path)?;
                    unsynced.dirs.insert(files::parent(&path).into());
                }
                dirs.sync(core::mem::take(&mut unsynced))
            })?;
        }
        self.objects = Numbered::default();
        Ok(())
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.forget(0);
    }
}

impl FsBackend {
    /// Makes what is pending visible and moves refs, or does nothing. The watches are still to be
    /// told.
    ///
    /// # Errors
    /// Those of [`Backend::publish`](crate::backend::Backend::publish).
    pub(super) fn commit(
        &self,
        mut pending: Pending<'_>,
        edits: &[RefEdit],
        keys: Vec<Key>,
    ) -> Result<Published> {
        self.alive()?;
        if edits.is_empty() {
            self.heed(pending.name())?;
            return Ok(Published::Done { keys });
        }
        let mut state = self.state.lock();
        let locks = self.lock_all(edits)?;
        let table = self.table(edits)?;
        if let Some(lost) = table.check(edits)? {
            return Ok(lost);
        }
        self.heed(pending.name())?;
        self.heed(self.move_refs(&locks, &table, edits))?;
        if self.notifier.is_idle() {
            state.known = None;
        }
        if let Some(known) = &mut state.known {
            // What others did meanwhile is told first, so that each change follows from the last.
            let names = edits.iter().map(|edit| &edit.name);
            let mut changes = known.apply(&super::become_of(names, &table));
            changes.extend(known.apply(edits));
            self.notifier.queue(changes);
        }
        Ok(Published::Done { keys })
    }

    /// What can be known of a publish before anything is written: whether it is lost.
    ///
    /// # Errors
    /// `missing_objects` for the target of a ref, and those of [`RefTable::check`].
    pub(super) fn foresee(
        &self,
        edits: &[RefEdit],
        here: &dyn Fn(&Hash) -> Result<bool>,
    ) -> Result<Option<Published>> {
        let mut absent = Vec::new();
        for edit in edits {
            if let Some(Target::Object(key)) = &edit.new
                && !here(&key.hash)?
            {
                absent.push(Key::from(key.hash));
            }
        }
        if !absent.is_empty() {
            return Err(Error::missing_objects(absent));
        }
        self.table(edits)?.check(edits)
    }

    /// What the edits of a batch can meet.
    fn table(&self, edits: &[RefEdit]) -> Result<RefTable> {
        let names = edits.iter().map(|edit| &edit.name);
        refs::around(&*self.io, self.coding.hash.len(), names)
    }

    /// Takes the locks of refs, in one order, so that nobody waits for ever.
    fn lock_all(&self, edits: &[RefEdit]) -> Result<Vec<RefLock<'_>>> {
        let paths: BTreeSet<String> = edits.iter().map(|edit| names::lock(&edit.name)).collect();
        let owner = self.owner()?;
        // The lock of `a` is a file, so that nobody can lock `a/b` beside it.
        let covered = |path: &str| {
            let mut above = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
            above.any(|above| paths.contains(above))
        };
        let free = paths.iter().filter(|path| !covered(path));
        free.map(|path| RefLock::take(&*self.io, owner, path.clone(), self.attempts)).collect()
    }

    /// Moves refs. Readers go on seeing the old values until all are durable.
    fn move_refs(&self, locks: &[RefLock<'_>], old: &RefTable, edits: &[RefEdit]) -> Result<()> {
        let value = |edit: &RefEdit| (edit.name.clone(), old.get(&edit.name).cloned());
        self.moving.lock().old.extend(edits.iter().map(value));
        for (at, edit) in edits.iter().enumerate() {
            let checked = locks.iter().try_for_each(RefLock::check);
            let moved = checked.and_then(|()| self.put_ref(&edit.name, edit.new.as_ref()));
            if let Err(e) = moved {
                let done = edits.get(..at).unwrap_or_default();
                let undone = done
                    .iter()
                    .rev()
                    .try_for_each(|edit| self.put_ref(&edit.name, old.get(&edit.name)));
                if undone.is_err() || e.code() == Code::Poisoned {
                    // What the disk holds is not known: readers keep what was durable.
                    let why = "some refs of a batch may have moved and others not: open the store \
                               again";
                    return Err(Error::new(Code::Poisoned, why).with_source(e));
                }
                self.moving.lock().end();
                return Err(e);
            }
        }
        self.moving.lock().end();
        Ok(())
    }

    /// Gives a ref a value, or removes it, durably.
    ///
    /// A ref may have two files, see [`refs`]: the one that counts is there before the other goes.
    fn put_ref(&self, name: &RefName, new: Option<&Target>) -> Result<()> {
        let io = &*self.io;
        let mut keep = None;
        if let Some(target) = new {
            let (path, bytes) = refs::encode(name, target);
            let temp = self.owner()?.temp();
            let written = files::create(io, &temp, &bytes).and_then(|()| self.place(&temp, &path));
            if let Err(e) = written {
                let _ = files::remove(io, &temp);
                return Err(e);
            }
            keep = Some(path);
        }
        let ours = names::our_ref(name);
        for path in [Some(ours), names::branch(name)].into_iter().flatten() {
            if keep.as_ref() != Some(&path) && files::remove(io, &path)? {
                files::sync_dir(io, files::parent(&path))?;
            }
        }
        Ok(())
    }

    /// Gives the file of a ref its name, durably.
    fn place(&self, temp: &str, path: &str) -> Result<()> {
        let io = &*self.io;
        files::clear_empty_dirs(io, path)?;
        for attempt in 0..self.attempts.max(1) {
            files::create_dirs(io, files::parent(path))?;
            match io.rename(temp, path) {
                // Others remove directories that are empty.
                Err(e) if e.code() == Code::NotFound => io.back_off(attempt),
                Err(e) => return Err(e),
                Ok(()) => {
                    // Whoever made the directories need not have synced them.
                    let mut dir = files::parent(path);
                    while !dir.is_empty() {
                        files::sync_dir(io, dir)?;
                        dir = files::parent(dir);
                    }
                    return Ok(());
                }
            }
        }
        let why = format!("`{path}` could not be made: others remove its directory");
        Err(Error::new(Code::Locked, why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value of a GiB is a quarter of a million pieces of 4096 bytes, the original's.
    #[test]
    fn little_is_known_of_each_piece() {
        assert!(size_of::<Prepared>() <= size_of::<Hash>() + 16);
    }
}
