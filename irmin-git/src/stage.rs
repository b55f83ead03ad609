//! A write that does not fit in memory: a pack that grows on disk and is named when published.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};

use irmin_core::backend::{
    Backend, Batch, Durability, Note, Published, RefEdit, Stage, put_collected,
};
use irmin_core::io::{Exactly, File, LockGuard, OpenMode, Read};
use irmin_core::{Code, Error, Format, Hash, Key, Object, Result};

use crate::backend::{GitBackend, NewBatch, object};
use crate::files;
use crate::oid::{self, Oid};
use crate::pack::write::{Running, pack_header};
use crate::pack::{HEADER, Place, index, read, stream};
use crate::publish::StagedPack;
use crate::reader::WHOLE;
use crate::temp::{PACKS, STAGE};

/// How much of a pack is read at once to hash it.
const CHUNK: u64 = 1 << 18;

/// The stage.
pub(crate) struct GitStage<'a> {
    backend: &'a GitBackend,
    pack: String,
    index: String,
    file: Box<dyn File>,
    /// What tells its file from another one of the same name.
    identity: (u64, u64),
    /// Tells other processes that the files are in use.
    _lock: Box<dyn LockGuard>,
    table: HashMap<Oid, (u64, u32)>,
    end: u64,
}

impl<'a> GitStage<'a> {
    /// An empty stage.
    ///
    /// # Errors
    /// `locked`, `io`.
    pub(crate) fn begin(backend: &'a GitBackend) -> Result<Self> {
        let io = &*backend.refs.io;
        backend.line.lock().alive()?;
        let mut writer = backend.writer.lock();
        // Under the lock nobody takes the file for a leftover before it is locked itself.
        let _guard = backend.heed(backend.lock_store(&mut writer))?;
        for n in 0..u32::MAX {
            let pack = format!("{PACKS}/{STAGE}{n}.pack");
            let file = match io.open(&pack, OpenMode::CreateNew) {
                Err(e) if e.code() == Code::NameClash => continue,
                file => file?,
            };
            let Some(lock) = io.try_lock(&pack)? else { continue };
            let Some(identity) = io.metadata(&pack)?.map(|m| m.identity) else { continue };
            let index = format!("{PACKS}/{STAGE}{n}.idx");
            file.write_at(&pack_header(0)?, 0)?;
            let table = HashMap::new();
            let (end, _lock) = (HEADER, lock);
            return Ok(GitStage { backend, pack, index, file, identity, _lock, table, end });
        }
        Err(Error::new(Code::Io, "there are too many stages"))
    }

    /// Completes the pack and writes its index, both synced.
    fn finish(&self) -> Result<StagedPack> {
        let io = &*self.backend.refs.io;
        self.file.write_at(&pack_header(self.table.len())?, 0)?;
        let mut running = Running::new();
        while running.offset < self.end {
            let len = CHUNK.min(self.end - running.offset);
            running.push(&files::read_part(&*self.file, running.offset, len)?);
        }
        let checksum = running.checksum();
        self.file.write_at(&checksum, self.end)?;
        // A write that failed half-way may have left more.
        self.file.set_len(self.end + checksum.len() as u64)?;
        let fsync = self.backend.refs.fsync;
        if fsync.pack {
            files::synced(self.file.sync())?;
        }
        let place = |(id, (offset, crc)): (&Oid, &(u64, u32))| Place {
            id: *id,
            crc: *crc,
            offset: *offset,
        };
        let mut places: Vec<Place> = self.table.iter().map(place).collect();
        places.sort_unstable();
        let encoded = index::encode(&places, &checksum)?;
        files::create_as(io, &self.index, &encoded, fsync.pack_metadata)?;
        Ok(StagedPack { pack: self.pack.clone(), index: self.index.clone(), checksum })
    }

    fn get(&self, hash: &Hash) -> Result<Option<Object>> {
        let found =
            oid::from_hash(hash).ok().and_then(|id| self.table.get(&id).map(|at| (id, at.0)));
        let Some((id, offset)) = found else { return Ok(None) };
        let (kind, body) = read::entry(&*self.file, &id, offset, self.backend.limit)?;
        object(kind, hash, &body).map(Some)
    }
}

impl Stage for GitStage<'_> {
    fn put(&mut self, objects: Vec<Object>) -> Result<Vec<Key>> {
        self.backend.line.lock().alive()?;
        // Equal values and directories come as often as there are of them: none is compressed twice.
        let mut ids = HashSet::new();
        let mut fresh = Vec::with_capacity(objects.len());
        for object in &objects {
            let id = oid::from_hash(&object.id)?;
            if !self.table.contains_key(&id) && ids.insert(id) {
                fresh.push(object);
            }
        }
        let (entries, outside) = self.backend.encode(&fresh)?;
        let outside: BTreeSet<Oid> =
            outside.into_iter().filter(|id| !self.table.contains_key(id)).collect();
        // What is only in line could still be lost and leave a hole: it must be stored.
        while !self.backend.check_present(&outside)?.is_empty() {
            self.backend.drain();
        }
        let mut bytes = Vec::new();
        let mut places = Vec::new();
        for entry in &entries {
            places.push((entry.id, (self.end + bytes.len() as u64, entry.crc)));
            bytes.extend_from_slice(&entry.bytes);
        }
        self.file.write_at(&bytes, self.end)?;
        self.end += bytes.len() as u64;
        self.table.extend(places);
        Ok(objects.iter().map(|o| Key::from(o.id)).collect())
    }

    fn put_value(&mut self, format: &Format, len: u64, read: &mut dyn Read) -> Result<Key> {
        if len <= WHOLE {
            return put_collected(self, format, len, read);
        }
        self.backend.line.lock().alive()?;
        let written = stream::write(&*self.file, self.end, len, Exactly::new(read, len))?;
        // What is there already is written over by what comes next.
        if let Entry::Vacant(place) = self.table.entry(written.id) {
            place.insert((self.end, written.crc));
            self.end = written.end;
        }
        Ok(oid::to_key(&written.id))
    }

    fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Object>>> {
        keys.iter().map(|key| self.get(&key.hash)).collect()
    }

    fn publish(
        self: Box<Self>,
        edits: Vec<RefEdit>,
        durability: Durability,
        note: Note,
    ) -> Result<Published> {
        if self.table.is_empty() {
            return self.backend.publish(Batch { objects: Vec::new(), edits, durability, note });
        }
        self.backend.line.lock().alive()?;
        let staged = self.backend.heed(self.finish())?;
        let queued = self.backend.enqueue(NewBatch {
            objects: Vec::new(),
            entries: Vec::new(),
            staged: Some(staged),
            keys: Vec::new(),
            edits,
            note,
            outside: BTreeSet::new(),
            own: &|id| self.table.contains_key(id),
        })?;
        match queued {
            Err(lost) => Ok(lost),
            Ok(slot) => self.backend.wait_for(&slot),
        }
    }
}

impl Drop for GitStage<'_> {
    fn drop(&mut self) {
        // Once they are published their names are free, and may be those of another stage now.
        let io = &*self.backend.refs.io;
        let there = io.metadata(&self.pack).ok().flatten().map(|found| found.identity);
        if there == Some(self.identity) {
            drop((io.remove(&self.index), io.remove(&self.pack)));
        }
    }
}

impl std::fmt::Debug for GitStage<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GitStage({}, {} objects)", self.pack, self.table.len())
    }
}
