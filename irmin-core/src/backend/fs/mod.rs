//! Stores in plain files, in the layout of OCaml's irmin-fs: each reads and writes what the other
//! made.
//!
//! | path | what it is |
//! |---|---|
//! | `objects/<hh>/<digits>` | a value, directory or commit in the original's binary form |
//! | `refs/<branch>` | a branch: the bytes of the hash of its commit |
//! | `lock/refs/<branch>` | who created it may change the branch |
//! | `tmp/…` | what is being written |
//! | `irmin/…` | ours: the original never looks here |
//! | `irmin/config` | format, hash function, type of values; absent in the original's directories |
//! | `irmin/HEAD`, `irmin/refs/…` | all refs that are not branches with a commit |
//! | `irmin/objects/…` | objects that the original has no files for |
//!
//! The layout is that of `src/irmin-fs` of Irmin 3.11; the tests compare with directories that it
//! made.

mod files;
mod names;
mod naming;
mod objects;
mod open;
mod owner;
mod publish;
mod record;
mod ref_lock;
mod refs;
mod stage;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use bytes::Bytes;

use super::{
    Backend, Batch, Capabilities, Expected, MAX_CANDIDATES, Notifier, OnRefChange, Pin, Recorded,
    RefEdit, RefTable, Stage, Submitted, Target, ValueRead, View, Wait, WatchGuard,
};
use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::id::{HashPrefix, Key};
use crate::io::{FileKind, Io};
use crate::lock::{Mutex, OnceLock};
use crate::name::RefName;
use crate::object::{Format, Object};

use objects::{Coding, Large, Stamp};
use owner::Owner;
use publish::Pending;

pub use open::{FsInit, FsOptions};

/// How many large files are remembered to have their hash.
const CHECKED: usize = 64;
/// How often a listing is begun again when refs move meanwhile.
const LISTINGS: usize = 8;

/// A store in plain files.
///
/// Programs of the original may use the directory at the same time: branches are locked by its
/// protocol, so that no change of either is lost. There, what it wrote is as durable as it made it,
/// which is not at all: it never syncs.
///
/// [`Durability::Relaxed`](super::Durability::Relaxed) is no cheaper here: without a sync of each
/// file a loss of power could keep a branch and lose what it stands for. Each ref of a batch is
/// changed atomically; a crash may leave some of them changed. Objects are never removed.
///
/// ```
/// use std::sync::Arc;
/// use irmin_core::backend::{FsBackend, FsInit, FsOptions};
/// use irmin_core::io::StdIo;
/// use irmin_core::{Context, Repo};
/// # let dir = std::env::temp_dir().join(format!("irmin-fs-{}", std::process::id()));
/// let io = Arc::new(StdIo::create(&dir)?);
/// let store = FsBackend::open_or_init(io, &FsInit::default(), &FsOptions::default())?;
/// let main = Repo::new(Arc::new(store), Context::new("ann", || 0))?.main()?;
/// main.set("a/b", "1", "first")?;
/// assert!(dir.join("refs/main").exists());
/// # std::fs::remove_dir_all(&dir).unwrap();
/// # Ok::<(), irmin_core::Error>(())
/// ```
pub struct FsBackend {
    io: Arc<dyn Io>,
    format: Format,
    recorded: Recorded,
    /// Whether the format was read from the store, and not only given.
    is_recorded: bool,
    coding: Coding,
    /// How often a lock is tried.
    attempts: u32,
    dirs: files::Dirs,
    owner: OnceLock<Owner>,
    beginning: Mutex<()>,
    /// Why nothing can be written any more.
    poison: Mutex<Option<Error>>,
    /// Held while refs move.
    state: Mutex<State>,
    moving: Mutex<Moving>,
    notifier: Notifier,
    /// Files that had their hash, the latest last.
    checked: Mutex<VecDeque<Stamp>>,
}

/// What belongs to whoever moves refs.
#[derive(Debug, Default)]
struct State {
    /// What the watches know of; none where there are no watches.
    known: Option<RefTable>,
}

/// The refs that move: their new values may be read, and are not durable yet.
#[derive(Debug, Default)]
struct Moving {
    old: BTreeMap<RefName, Option<Target>>,
    /// How many batches have ended.
    ended: u64,
}

impl Moving {
    fn end(&mut self) {
        self.old.clear();
        self.ended = self.ended.wrapping_add(1);
    }
}

/// The edits after which refs are as a table has them.
fn become_of<'a>(names: impl Iterator<Item = &'a RefName>, table: &RefTable) -> Vec<RefEdit> {
    let edit = |name: &RefName| {
        let new = table.get(name).cloned();
        RefEdit { name: name.clone(), expected: Expected::Any, new }
    };
    names.map(edit).collect()
}

impl FsBackend {
    fn owner(&self) -> Result<&Owner> {
        if let Some(owner) = self.owner.get() {
            return Ok(owner);
        }
        let _one = self.beginning.lock();
        if self.owner.get().is_none() {
            self.agree()?;
            let begun = Owner::begin(&self.io, self.attempts);
            let begun = self.heed(begun.and_then(|owner| {
                files::create_dirs(&*self.io, names::REFS)?;
                files::sync_dir(&*self.io, "").map(|()| owner)
            }));
            let _ = self.owner.set(begun?);
        }
        self.owner.get().ok_or_else(|| Error::new(Code::Closed, "the store was not opened"))
    }

    /// Refuses to write after a failed sync.
    fn alive(&self) -> Result<()> {
        let cause = self.poison.lock().clone();
        let why = "an earlier write could not be made durable; open the store again";
        cause.map_or(Ok(()), |cause| Err(Error::new(Code::Poisoned, why).with_source(cause)))
    }

    /// Remembers a failed sync.
    fn heed<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(e) = &result
            && e.code() == Code::Poisoned
        {
            self.poison.lock().get_or_insert_with(|| e.clone());
        }
        result
    }

    /// All refs, `HEAD` included: what watches are told of.
    fn all_refs(&self) -> Result<RefTable> {
        let hash_len = self.coding.hash.len();
        let mut refs = refs::list(&*self.io, hash_len, "")?;
        let head = RefName::head();
        refs.extend(refs::read(&*self.io, hash_len, &head)?.map(|target| (head, target)));
        Ok(refs.into_iter().collect())
    }

    /// The file of a large value; nothing for one that is read whole, and for all other objects.
    fn large(&self, hash: &Hash) -> Result<Option<Large>> {
        let known = |stamp: &Stamp| self.checked.lock().contains(stamp);
        let found = self.coding.open_large(&*self.io, hash, &known)?;
        if let Some(large) = found.as_ref().filter(|large| !known(&large.stamp)) {
            let mut checked = self.checked.lock();
            if checked.len() >= CHECKED {
                checked.pop_front();
            }
            checked.push_back(large.stamp.clone());
        }
        Ok(found)
    }

    /// A value, to be read piece by piece.
    fn open_value(&self, hash: &Hash) -> Result<Option<Box<dyn ValueRead>>> {
        if let Some(large) = self.large(hash)? {
            return Ok(Some(Box::new(large)));
        }
        let object = self.coding.read(&*self.io, hash)?;
        object.map(|object| super::values::hold(&self.format, &object)).transpose()
    }
}

impl ValueRead for Large {
    fn len(&self) -> u64 {
        self.stamp.len
    }

    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        if offset >= self.stamp.len {
            return Ok(0);
        }
        self.file.read_at(buffer, offset)
    }
}

/// That an answer would have to wait: nothing is kept in memory.
fn may_wait(keys: &[Key], wait: Wait) -> Result<()> {
    if wait == Wait::Block || keys.is_empty() {
        return Ok(());
    }
    Err(Error::missing_objects(keys.to_vec()))
}

impl Backend for FsBackend {
    fn format(&self) -> &Format {
        &self.format
    }

    /// Objects are never removed.
    fn pin(&self) -> Result<Pin> {
        Ok(Arc::new(()))
    }

    fn get_many(&self, keys: &[Key], wait: Wait) -> Result<Vec<Option<Object>>> {
        may_wait(keys, wait)?;
        keys.iter().map(|key| self.coding.read(&*self.io, &key.hash)).collect()
    }

    fn get_within(&self, key: &Key, most: u64, wait: Wait) -> Result<Option<Object>> {
        may_wait(core::slice::from_ref(key), wait)?;
        self.coding.within(most).read(&*self.io, &key.hash)
    }

    fn read_range(&self, key: &Key, range: Range<u64>) -> Result<Bytes> {
        let absent = || Error::missing_objects(Vec::from([*key]));
        if let Some(mut large) = self.large(&key.hash)? {
            let (start, end) = (range.start.min(large.len()), range.end.min(large.len()));
            let size = usize::try_from(end.saturating_sub(start)).unwrap_or_default();
            if size as u64 > self.coding.limit {
                let why = format!("{size} bytes are more than are read at once");
                return Err(Error::new(Code::PayloadTooLarge, why));
            }
            let mut bytes = alloc::vec![0; size];
            let have = large.read_at(&mut bytes, start)?;
            bytes.truncate(have);
            return Ok(bytes.into());
        }
        let object = self.coding.read(&*self.io, &key.hash)?.ok_or_else(absent)?;
        super::memory::slice_value(&self.format, &object, &range)
    }

    fn open_values(&self, keys: &[Key], wait: Wait) -> Result<Vec<Option<Box<dyn ValueRead>>>> {
        may_wait(keys, wait)?;
        keys.iter().map(|key| self.open_value(&key.hash)).collect()
    }

    fn find_many(&self, hashes: &[Hash]) -> Result<Vec<Option<Key>>> {
        let find = |hash: &Hash| Ok(self.coding.exists(&*self.io, hash)?.then(|| Key::from(*hash)));
        hashes.iter().map(find).collect()
    }

    fn find_prefix(&self, prefix: &HashPrefix) -> Result<Vec<Key>> {
        let shard = prefix.as_str().get(..2).unwrap_or_default();
        let mut found = Vec::new();
        for dir in [names::OBJECTS, names::OUR_OBJECTS] {
            let list = self.io.list(&format!("{dir}/{shard}"));
            for entry in files::if_exists(list)?.unwrap_or_default() {
                // What has another name than a hash is not ours.
                let hash = format!("{shard}{}", entry.name).parse::<Hash>().ok();
                let hash = hash.filter(|hash| hash.len() == self.coding.hash.len());
                let file = entry.kind == FileKind::File;
                found.extend(hash.filter(|hash| file && prefix.matches(hash)).map(Key::from));
            }
        }
        found.sort_unstable();
        found.dedup();
        found.truncate(MAX_CANDIDATES);
        Ok(found)
    }

    fn ref_names(&self, prefix: &str) -> Result<Vec<RefName>> {
        Ok(refs::list_names(&*self.io, prefix)?.into_iter().collect())
    }

    fn refs(&self, prefix: &str) -> Result<Vec<(RefName, Target)>> {
        let mut listing = BTreeMap::new();
        for _ in 0..LISTINGS {
            let before = self.moving.lock().ended;
            listing = refs::list(&*self.io, self.coding.hash.len(), prefix)?;
            let moving = self.moving.lock();
            let listed = |name: &&RefName| {
                name.as_str().starts_with("refs/") && name.as_str().starts_with(prefix)
            };
            for (name, old) in moving.old.iter().filter(|(name, _)| listed(name)) {
                match old {
                    Some(target) => listing.insert(name.clone(), target.clone()),
                    None => listing.remove(name),
                };
            }
            if moving.ended == before {
                break;
            }
        }
        Ok(listing.into_iter().collect())
    }

    fn read_ref(&self, name: &RefName, view: View) -> Result<Option<Target>> {
        let now = refs::read(&*self.io, self.coding.hash.len(), name)?;
        // In this order: what was read before it was durable is still said to move.
        let moving = self.moving.lock();
        match moving.old.get(name).filter(|_| view == View::Durable) {
            Some(old) => Ok(old.clone()),
            None => Ok(now),
        }
    }

    fn submit(&self, batch: Batch) -> Result<Submitted<'_>> {
        self.alive()?;
        let mut pending = Pending::new(self);
        pending.check(&batch.objects)?;
        let here = |hash: &Hash| {
            Ok(batch.objects.iter().any(|object| object.id == *hash)
                || self.coding.exists(&*self.io, hash)?)
        };
        if let Some(lost) = self.foresee(&batch.edits, &here)? {
            return Ok(Submitted::Ended(lost));
        }
        self.heed(pending.add(&batch.objects))?;
        let keys = batch.objects.iter().map(|object| Key::from(object.id)).collect();
        let published = self.commit(pending, &batch.edits, keys)?;
        Ok(Submitted::Accepted(Box::new(move || {
            self.notifier.deliver();
            Ok(published)
        })))
    }

    fn stage(&self) -> Result<Box<dyn Stage + '_>> {
        self.alive()?;
        Ok(Box::new(stage::FsStage::new(self)))
    }

    fn watch(&self, notify: OnRefChange) -> Result<WatchGuard> {
        let mut state = self.state.lock();
        if state.known.is_none() {
            state.known = Some(self.all_refs()?);
        }
        Ok(self.notifier.add(notify))
    }

    fn refresh(&self) -> Result<()> {
        let mut state = self.state.lock();
        if let Some(known) = &mut state.known {
            let now = self.all_refs()?;
            let names: Vec<RefName> =
                known.iter().chain(now.iter()).map(|(name, _)| name.clone()).collect();
            let changes = known.apply(&become_of(names.iter(), &now));
            self.notifier.queue(changes);
        }
        drop(state);
        self.notifier.deliver();
        Ok(())
    }

    fn recorded(&self) -> Recorded {
        self.recorded.clone()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(false, true, true).with_foreign_ids()
    }
}

impl fmt::Debug for FsBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FsBackend({:?}, {:?})", self.format, self.io)
    }
}
