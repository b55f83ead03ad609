//! A write that does not fit in memory: temporary files that are named when it is published.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::publish::{Pending, Prepared};
use super::{FsBackend, files};
use crate::backend::{Durability, Note, Published, RefEdit, Stage};
use crate::error::Result;
use crate::hash::Hash;
use crate::id::Key;
use crate::io::{Exactly, OpenMode, Read};
use crate::object::{Format, Object};

/// How much of a value is written at once, in bytes.
const PIECE: usize = 1 << 16;

/// The stage.
pub(super) struct FsStage<'a> {
    store: &'a FsBackend,
    pending: Pending<'a>,
}

impl<'a> FsStage<'a> {
    pub(super) fn new(store: &'a FsBackend) -> Self {
        FsStage { store, pending: Pending::new(store) }
    }

    fn get(&self, hash: &Hash) -> Result<Option<Object>> {
        let Some(Prepared { temp, ours, .. }) = self.pending.get(hash) else { return Ok(None) };
        let temp = self.store.owner()?.temp_of(*temp);
        self.store.coding.read_file(&*self.store.io, hash, &temp, *ours)
    }

    /// Writes a value to a temporary file as it comes, and answers its hash.
    fn stream(&self, temp: &str, len: u64, read: &mut dyn Read) -> Result<Hash> {
        let file = self.store.io.open(temp, OpenMode::CreateNew)?;
        let mut hasher = self.store.coding.value_hasher();
        let mut stream = Exactly::new(read, len);
        let mut piece = alloc::vec![0; PIECE];
        let mut at = 0;
        loop {
            let n = stream.fill(&mut piece)?;
            if n == 0 {
                files::synced(file.sync())?;
                return Ok(hasher.finish());
            }
            let bytes = piece.get(..n).unwrap_or_default();
            hasher.update(bytes);
            file.write_at(bytes, at)?;
            at = at.saturating_add(n as u64);
        }
    }
}

impl Stage for FsStage<'_> {
    fn put(&mut self, objects: Vec<Object>) -> Result<Vec<Key>> {
        self.store.alive()?;
        self.pending.check(&objects)?;
        self.store.heed(self.pending.add(&objects))?;
        Ok(objects.iter().map(|object| Key::from(object.id)).collect())
    }

    fn put_value(&mut self, _: &Format, len: u64, read: &mut dyn Read) -> Result<Key> {
        self.store.alive()?;
        let owner = self.store.owner()?;
        let temp = owner.number_temp();
        let path = owner.temp_of(temp);
        match self.store.heed(self.stream(&path, len, read)) {
            Ok(hash) => {
                self.pending.adopt(Prepared { hash, ours: false, level: 0, temp });
                Ok(Key::from(hash))
            }
            Err(e) => {
                let _ = files::remove(&*self.store.io, &path);
                Err(e)
            }
        }
    }

    fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Object>>> {
        keys.iter().map(|key| self.get(&key.hash)).collect()
    }

    fn publish(self: Box<Self>, edits: Vec<RefEdit>, _: Durability, _: Note) -> Result<Published> {
        let FsStage { store, pending } = *self;
        store.alive()?;
        let here =
            |hash: &Hash| Ok(pending.get(hash).is_some() || store.coding.exists(&*store.io, hash)?);
        if let Some(lost) = store.foresee(&edits, &here)? {
            return Ok(lost);
        }
        let published = store.commit(pending, &edits, Vec::new())?;
        store.notifier.deliver();
        Ok(published)
    }
}

impl fmt::Debug for FsStage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FsStage({} objects)", self.pending.len())
    }
}
