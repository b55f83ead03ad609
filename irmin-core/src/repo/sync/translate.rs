//! Between stores of different formats: commits and trees, made anew.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use bytes::Bytes;
use hashbrown::HashMap;

use super::copy::{SMALL, Stream, check};
use super::translations::{Record, Translated, Translations};
use super::{BATCH, Brought, commits_below};
use crate::backend::{Backend, Stage, ValueRead, copy_value};
use crate::contents::Contents;
use crate::error::{Code, Error, Result};
use crate::hash::{Hash, Hasher};
use crate::id::Key;
use crate::info::{Info, Signature};
use crate::io::Write;
use crate::object::{CommitData, Entry, EntryKind, LayoutSpec, Object};
use crate::path::Path;
use crate::repo::{Bulk, Directory, Repo};
use crate::tree::Store;

/// A translation that is under way.
struct Translation<'a, 'r> {
    from: &'a Store,
    to: &'a Store,
    bulk: &'a Bulk<'r>,
    commits: HashMap<Hash, Translated>,
    known: &'a Translations<'a>,
    record: Record<'a, 'r>,
    /// What values became: the versions of a value are few, and the places where it is are many.
    values: HashMap<Hash, Key>,
}

/// Stages what a commit and its history become here, as far as it is not known, and adds that to
/// the table of translations.
pub(super) fn translate<'r, C: Contents>(
    repo: &'r Repo<C>,
    from: &Store,
    head: Key,
) -> Result<Brought<'r>> {
    let to = repo.pinned()?;
    let known = Translations::open(from, &to)?;
    let mut commits = HashMap::new();
    let order = commits_below(from, head, &mut |hashes| {
        let found = known.find(hashes)?;
        let met = hashes.iter().zip(&found).filter_map(|(hash, found)| Some((*hash, (*found)?)));
        commits.extend(met);
        Ok(found.iter().map(Option::is_some).collect())
    })?;
    if let Some(Translated { commit, .. }) = commits.get(&head.hash) {
        return Ok(Brought { bulk: None, head: *commit, edits: Vec::new() });
    }
    let stage = OnlyNew {
        stage: repo.backend().stage()?,
        backend: repo.backend().clone(),
        known: HashMap::new(),
    };
    let bulk = repo.bulk_through(Box::new(stage))?;
    let (record, values) = (known.record(&bulk)?, HashMap::new());
    commits.reserve(order.len());
    let mut run =
        Translation { from, to: &to, bulk: &bulk, commits, values, known: &known, record };
    for keys in order.chunks(BATCH) {
        for (key, data) in keys.iter().zip(from.load_commits(keys)?) {
            run.commit(*key, &data).map_err(|e| e.context(format_args!("commit {}", key.hash)))?;
        }
    }
    let Some(made) = run.commits.get(&head.hash) else {
        return Err(Error::missing_objects(alloc::vec![head]));
    };
    let head = made.commit;
    let edits = run.record.finish()?.into_iter().collect();
    Ok(Brought { bulk: Some(bulk), head, edits })
}

impl Translation<'_, '_> {
    fn commit(&mut self, key: Key, data: &CommitData) -> Result<()> {
        let known = |parent: &Key| self.commits.get(&parent.hash);
        let parents: Vec<&Translated> = data.parents.iter().filter_map(known).collect();
        if parents.len() != data.parents.len() {
            return Err(Error::missing_objects(data.parents.clone()));
        }
        let base = parents.first().map(|parent| (parent.tree, parent.tree_here));
        let parents = parents.iter().map(|parent| parent.commit).collect();
        let tree = match base {
            Some((there, here)) if there.hash == data.tree.hash => here,
            _ => self.tree(base, data.tree)?,
        };
        let made = CommitData { tree, parents, info: self.info(&data.info) };
        let commit = match self.known.restore(&key.hash, &made)? {
            Some(original) => {
                let hash = original.id;
                self.bulk.put_all(alloc::vec![original])?;
                Key::from(hash)
            }
            None => self.bulk.commit(&made)?,
        };
        self.commits.insert(key.hash, Translated { tree: data.tree, commit, tree_here: tree });
        let original = self.original(key, data, &made)?;
        self.record.add(key.hash, commit.hash, original)
    }

    /// The bytes of a commit of which what is made of it does not say all: parents may be in
    /// another order here.
    fn original(&self, key: Key, data: &CommitData, made: &CommitData) -> Result<Option<Bytes>> {
        if data.parents.len() < 2 && data.info == made.info {
            return Ok(None);
        }
        let object = self.from.backend().get(&key, self.from.wait())?;
        let object = object.ok_or_else(|| Error::missing_objects(alloc::vec![key]))?;
        self.from.format().verify(&object)?;
        Ok(Some(object.bytes))
    }

    /// What a commit says of itself, as far as the format here has a place for it.
    fn info(&self, info: &Info) -> Info {
        match self.to.format().spec().layout {
            // A signature is of other bytes than those that there will be.
            LayoutSpec::Git => {
                let signs = |name: &[u8]| name.starts_with(b"gpgsig") || name == b"mergetag";
                let mut info = info.clone();
                info.headers.retain(|(name, _)| !signs(name));
                info
            }
            LayoutSpec::Irmin(_) => {
                let plain = Signature::new("", info.author.date);
                let author = Signature { author: info.author.author.clone(), ..plain };
                let committer = author.clone();
                Info { author, committer, message: info.message.clone(), headers: Vec::new() }
            }
        }
    }

    /// A tree, made of that of a parent (there, and here) by what changed.
    fn tree(&mut self, base: Option<(Key, Key)>, new: Key) -> Result<Key> {
        let mut root = self.bulk.directory(base.map(|(_, here)| here))?;
        let mut waiting = alloc::vec![(Path::root(), base.map(|(there, _)| there), new)];
        while let Some((path, old, new)) = waiting.pop() {
            for (name, old, new) in self.changes(old, new)? {
                let path = path.child(&name);
                let dir = |entry: Option<Entry>| entry.filter(|e| e.kind == EntryKind::Node);
                if let Some(new) = dir(new) {
                    if old.is_some() && dir(old).is_none() {
                        // It may be an empty directory, below which nothing would remove it.
                        self.leaf(&mut root, &path, None)?;
                    }
                    waiting.push((path, dir(old).map(|old| old.key), new.key));
                } else {
                    self.leaf(&mut root, &path, new)?;
                }
            }
        }
        self.bulk.seal(root)
    }

    /// The names that differ between two directories there.
    fn changes(&self, old: Option<Key>, new: Key) -> Result<Vec<Changed>> {
        let old = old.map(|key| self.from.dir(key)).transpose()?;
        let new = self.from.dir(new)?;
        let mut changed = Vec::new();
        let layout = self.from.layout();
        layout.diff(self.from, old.as_deref(), Some(&new), &mut |name, sides| {
            let [old, new] = sides.map(|side| side.and_then(|found| found.entry()));
            changed.push((name.to_vec(), old, new));
            ControlFlow::Continue(())
        })?;
        Ok(changed)
    }

    /// Sets what is no directory, or nothing.
    fn leaf(&mut self, root: &mut Directory, path: &Path, new: Option<Entry>) -> Result<()> {
        let entry = match new {
            None => None,
            Some(Entry { kind: EntryKind::Value(metadata), key }) => {
                let key = self.value(key).map_err(|e| e.context(format_args!("`{path}`")))?;
                Some(Entry { kind: EntryKind::Value(metadata), key })
            }
            Some(_) => {
                let why = alloc::format!("`{path}` is neither a value nor a directory");
                return Err(Error::new(Code::Unrepresentable, why));
            }
        };
        self.bulk.set(root, path, entry)
    }

    fn value(&mut self, key: Key) -> Result<Key> {
        if let Some(known) = self.values.get(&key.hash) {
            return Ok(*known);
        }
        let mut value = self.from.open_value(&key)?;
        let len = value.len();
        let here = if len > SMALL && self.to.keeps_text() {
            self.large(key, value)?
        } else {
            if len > self.to.limits().value as u64 {
                let why = alloc::format!("a value of {len} bytes is over the limit for values");
                return Err(Error::new(Code::PayloadTooLarge, why));
            }
            let mut text = Vec::new();
            let hash = copy_value(self.from.format(), &mut *value, &mut text)?;
            // Where the text is not what is stored, it was checked when it was made.
            if self.from.keeps_text() {
                check(key, hash)?;
            }
            self.bulk.value(&text)?
        };
        self.values.insert(key.hash, here);
        Ok(here)
    }

    /// A large value is read twice, and not written again where it is here already.
    fn large(&self, key: Key, mut value: Box<dyn ValueRead>) -> Result<Key> {
        let len = value.len();
        self.to.check_len(len)?;
        let mut hashed = Hashed(self.to.format().hasher(len));
        let there = copy_value(self.from.format(), &mut *value, &mut hashed)?;
        if self.from.keeps_text() {
            check(key, there)?;
        }
        let here = hashed.0.finish();
        match self.to.backend().find_many(&[here])?.pop().flatten() {
            Some(key) => Ok(key),
            None => self.bulk.stream(len, &mut Stream { value, at: 0 }),
        }
    }
}

/// Bytes that are hashed as they are written.
struct Hashed(Hasher);

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.update(bytes);
        Ok(())
    }
}

/// A name, and what it was and is.
type Changed = (Vec<u8>, Option<Entry>, Option<Entry>);

/// A stage that takes what is not in the store yet: a translation makes again what it made before.
struct OnlyNew<'a> {
    stage: Box<dyn Stage + 'a>,
    backend: Arc<dyn Backend>,
    known: HashMap<Hash, Key>,
}

impl Stage for OnlyNew<'_> {
    fn put(&mut self, objects: Vec<Object>) -> Result<Vec<Key>> {
        let hashes: Vec<Hash> = objects.iter().map(|object| object.id).collect();
        let asked: Vec<Hash> =
            hashes.iter().filter(|hash| !self.known.contains_key(*hash)).copied().collect();
        let found = self.backend.find_many(&asked)?;
        self.known.extend(asked.iter().zip(found).filter_map(|(hash, key)| Some((*hash, key?))));
        let new: Vec<Object> =
            objects.into_iter().filter(|object| !self.known.contains_key(&object.id)).collect();
        if !new.is_empty() {
            let new_hashes: Vec<Hash> = new.iter().map(|object| object.id).collect();
            self.known.extend(new_hashes.into_iter().zip(self.stage.put(new)?));
        }
        let key = |hash: Hash| self.known.get(&hash).copied().unwrap_or(Key::from(hash));
        Ok(hashes.into_iter().map(key).collect())
    }

    // The hash of a large value is known when it is written.
    crate::pass_on! { Stage for stage: put_value get_many publish }
}
