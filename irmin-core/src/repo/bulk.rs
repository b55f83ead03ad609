//! Whole histories in one write: values, directories, commits and tags, and then the refs.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;
use hashbrown::HashMap;

use super::Repo;
use super::publish::put_staged;
use crate::backend::{Durability, Note, Published, RefEdit, Stage};
use crate::contents::Contents;
use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::history::{self, CommitSource};
use crate::id::Key;
use crate::io::Read;
use crate::limits;
use crate::lock::Mutex;
use crate::object::{
    CommitData, Dir, Edit, Entry, EntryKind, Kind, Object, Parts, Source, TagData,
};
use crate::path::{Path, Step};
use crate::tree::Store;

/// A write of any number of commits: nothing of it is visible before it is published.
///
/// Objects go to the disk as they come; of directories a bounded number is kept in memory. This is
/// for imports, which bring commits with parents, authors and dates of their own: everyday writes
/// are those of [`Branch`](super::Branch). Commits are written as they are given, and what they
/// refer to must be there.
///
/// ```
/// # use std::sync::Arc;
/// use irmin_core::backend::{Durability, Expected, Note, RefEdit, Target};
/// # use irmin_core::{Context, Format, FormatSpec, Repo, backend::MemoryBackend};
/// use irmin_core::{CommitData, Entry, EntryKind, Info, Metadata, Path};
///
/// # let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
/// # let repo = Repo::new(backend, Context::new("ann", || 0))?;
/// let bulk = repo.bulk()?;
/// let value = Entry { kind: EntryKind::Value(Metadata::Normal), key: bulk.value(b"1")? };
/// let mut root = bulk.directory(None)?;
/// bulk.set(&mut root, &Path::parse("a/b")?, Some(value))?;
/// let (tree, info) = (bulk.seal(root)?, Info::new("bob <b@example.org>", 7, "long ago"));
/// let commit = bulk.commit(&CommitData { tree, parents: vec![], info })?;
/// let name = "refs/heads/old".parse()?;
/// let edit = RefEdit { name, expected: Expected::Absent, new: Some(Target::Object(commit)) };
/// bulk.publish(vec![edit], Durability::Durable, Note::default())?;
/// assert_eq!(repo.branch("old")?.get("a/b")?.unwrap(), "1");
/// # Ok::<(), irmin_core::Error>(())
/// ```
pub struct Bulk<'a> {
    store: Arc<Store>,
    stage: Mutex<Box<dyn Stage + 'a>>,
    cache: Mutex<Cache>,
    empty: Key,
}

impl core::fmt::Debug for Bulk<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Bulk")
    }
}

/// Decoded directories; all are forgotten when there are too many bytes of them.
#[derive(Default)]
struct Cache {
    dirs: HashMap<Hash, Arc<Dir>>,
    bytes: usize,
}

/// How many bytes of directories are kept decoded.
const CACHED: usize = 16 << 20;

/// A directory that is being edited: see [`Bulk::directory`].
#[derive(Debug, Default)]
pub struct Directory {
    base: Option<Key>,
    edits: BTreeMap<Step, Slot>,
}

#[derive(Debug)]
enum Slot {
    Entry(Option<Entry>),
    Inside(Directory),
}

impl<C: Contents> Repo<C> {
    /// Begins a write of whole histories.
    ///
    /// # Errors
    /// `read_only`, `io`.
    pub fn bulk(&self) -> Result<Bulk<'_>> {
        self.bulk_through(self.backend().stage()?)
    }

    /// Begins such a write through a stage of the backend.
    pub(super) fn bulk_through<'a>(&self, stage: Box<dyn Stage + 'a>) -> Result<Bulk<'a>> {
        let store = self.pinned()?;
        let (empty, _) = self.format().empty_dir()?;
        Ok(Bulk { store, stage: Mutex::new(stage), cache: Mutex::new(Cache::default()), empty })
    }
}

impl Bulk<'_> {
    fn put(&self, object: Object) -> Result<Key> {
        put_staged(&mut **self.stage.lock(), object)
    }

    /// Writes objects as they are, children before parents.
    pub(super) fn put_all(&self, objects: Vec<Object>) -> Result<()> {
        if objects.is_empty() { Ok(()) } else { self.stage.lock().put(objects).map(drop) }
    }

    /// Writes a value, in the text form of the store's type.
    ///
    /// # Errors
    /// `payload_too_large`, `invalid_value`, and those of writing.
    pub fn value(&self, text: &[u8]) -> Result<Key> {
        self.put(self.store.value_object(&Bytes::copy_from_slice(text))?)
    }

    /// Writes a value as it is, whatever the store's type.
    pub(super) fn plain(&self, bytes: &[u8]) -> Result<Key> {
        self.put(self.store.format().value(bytes))
    }

    /// Reads such a value.
    pub(super) fn read_plain(&self, key: Key) -> Result<Bytes> {
        let object = self.existing(&[key])?.pop();
        let object = object.ok_or_else(|| Error::missing_objects(vec![key]))?;
        self.store.layout().decode_value(&object)
    }

    /// Writes a value of exactly `len` bytes from a stream, as
    /// [`Staged::set_stream`](super::Staged::set_stream) does. They are taken as they are: whether
    /// they are a value of the store's type is for the caller to know.
    ///
    /// # Errors
    /// `invalid_argument` if there are fewer or more bytes, `payload_too_large` above
    /// [`Limits::streamed`](crate::Limits::streamed), and those of reading and writing.
    pub fn stream(&self, len: u64, read: &mut dyn Read) -> Result<Key> {
        self.store.check_len(len)?;
        self.stage.lock().put_value(self.store.format(), len, read)
    }

    /// Begins to edit a directory: that of a key, or an empty one.
    ///
    /// # Errors
    /// None so far: it is read when something in it is touched.
    pub fn directory(&self, base: Option<Key>) -> Result<Directory> {
        Ok(Directory { base, edits: BTreeMap::new() })
    }

    /// Sets the entry at a path, or removes it; what is in its way gives way. At the root there can
    /// only be a directory.
    ///
    /// # Errors
    /// `invalid_path` for a step that git refuses, `payload_too_large` for too deep a path,
    /// `invalid_argument` for a value at the root, and those of reading.
    pub fn set(&self, root: &mut Directory, path: &Path, entry: Option<Entry>) -> Result<()> {
        path.check_git_safe()?;
        if path.depth() > limits::DEPTH {
            let why = format!("a path has at most {} steps", limits::DEPTH);
            return Err(Error::new(Code::PayloadTooLarge, why));
        }
        let steps: Vec<&[u8]> = path.steps().collect();
        let Some((last, above)) = steps.split_last() else {
            *root = match entry {
                None => Directory::default(),
                Some(Entry { kind: EntryKind::Node, key }) => self.directory(Some(key))?,
                Some(_) => {
                    let why = "cannot add contents at the root";
                    return Err(Error::new(Code::InvalidArgument, why));
                }
            };
            return Ok(());
        };
        let mut dir = root;
        for step in above {
            dir = self.enter(dir, step)?;
        }
        dir.edits.insert(Step::new(last)?, Slot::Entry(entry));
        Ok(())
    }

    fn enter<'d>(&self, dir: &'d mut Directory, step: &[u8]) -> Result<&'d mut Directory> {
        let step = Step::new(step)?;
        let entry = match dir.edits.get(&step) {
            Some(Slot::Inside(_)) => None,
            Some(Slot::Entry(entry)) => Some(*entry),
            None => Some(self.stored(dir.base, &step)?),
        };
        if let Some(entry) = entry {
            let base = entry.filter(|e| e.kind == EntryKind::Node).map(|e| e.key);
            dir.edits.insert(step.clone(), Slot::Inside(self.directory(base)?));
        }
        match dir.edits.get_mut(&step) {
            Some(Slot::Inside(inside)) => Ok(inside),
            _ => Err(Error::new(Code::InvalidArgument, "an edit was lost")),
        }
    }

    /// What is at a path; what was edited there is written for it.
    ///
    /// # Errors
    /// Those of the path, of reading and of writing.
    pub fn entry(&self, root: &mut Directory, path: &Path) -> Result<Option<Entry>> {
        let mut dir = root;
        let mut steps = path.steps().peekable();
        if path.is_root() {
            let key = self.seal(core::mem::take(dir))?;
            dir.base = Some(key);
            return Ok(Some(Entry { kind: EntryKind::Node, key }));
        }
        while let Some(step) = steps.next() {
            let step = Step::foreign(step);
            let last = steps.peek().is_none();
            let entry = match dir.edits.get_mut(&step) {
                Some(Slot::Entry(entry)) => *entry,
                None => self.stored(dir.base, &step)?,
                Some(slot) if last => {
                    let inside = core::mem::replace(slot, Slot::Entry(None));
                    let Slot::Inside(inside) = inside else { return Ok(None) };
                    let entry = self.sealed(inside)?;
                    *slot = Slot::Entry(entry);
                    return Ok(entry);
                }
                Some(_) => {
                    match dir.edits.get_mut(&step) {
                        Some(Slot::Inside(inside)) => dir = inside,
                        _ => return Ok(None),
                    }
                    continue;
                }
            };
            let Some(entry) = entry else { return Ok(None) };
            if last {
                return Ok(Some(entry));
            }
            if entry.kind != EntryKind::Node {
                return Ok(None);
            }
            return self.stored_below(entry.key, steps);
        }
        Ok(None)
    }

    fn stored_below<'p>(
        &self,
        mut dir: Key,
        mut steps: impl Iterator<Item = &'p [u8]>,
    ) -> Result<Option<Entry>> {
        let mut found = None;
        while let Some(step) = steps.next() {
            found = self.stored(Some(dir), &Step::foreign(step))?;
            match found {
                Some(Entry { kind: EntryKind::Node, key }) => dir = key,
                _ => return Ok(found.filter(|_| steps.next().is_none())),
            }
        }
        Ok(found)
    }

    fn stored(&self, dir: Option<Key>, step: &Step) -> Result<Option<Entry>> {
        let Some(key) = dir else { return Ok(None) };
        let dir = self.root(key)?;
        self.store.layout().find(self, &dir, step.as_bytes())
    }

    /// The object that a directory begins with.
    fn root(&self, key: Key) -> Result<Arc<Dir>> {
        let dir = Source::load(self, &[key])?.pop();
        let dir = dir.ok_or_else(|| Error::missing_objects(vec![key]))?;
        self.store.layout().check_root(&dir)?;
        Ok(dir)
    }

    /// Writes an edited directory and everything below it, and says where it is. Directories that
    /// the edits left empty are not in it.
    ///
    /// # Errors
    /// `unrepresentable` for what the format cannot hold, and those of reading and writing.
    pub fn seal(&self, root: Directory) -> Result<Key> {
        // The depth of the recursion is that of paths, which `set` limits.
        let mut entries = Vec::with_capacity(root.edits.len());
        for (step, slot) in root.edits {
            let entry = match slot {
                Slot::Entry(entry) => entry.filter(|entry| entry.key != self.empty),
                Slot::Inside(inside) => self.sealed(inside)?,
            };
            entries.push((step, entry));
        }
        let edits: Vec<Edit<'_>> = entries
            .iter()
            .map(|(step, entry)| Edit { name: step.as_bytes(), entry: *entry })
            .collect();
        let base = root.base.map(|key| self.root(key)).transpose()?;
        self.store
            .layout()
            .write(self, base.as_deref(), &Parts::NONE, &edits, &mut |object| self.put(object))
    }

    fn sealed(&self, inside: Directory) -> Result<Option<Entry>> {
        let key = self.seal(inside)?;
        Ok((key != self.empty).then_some(Entry { kind: EntryKind::Node, key }))
    }

    /// Writes a commit.
    ///
    /// # Errors
    /// `payload_too_large` for too many parents or too long a message, `missing_objects` for a
    /// directory or a parent that is not here, `invalid_value` or `unrepresentable` for what the
    /// format cannot hold, and those of writing.
    pub fn commit(&self, commit: &CommitData) -> Result<Key> {
        let most = self.store.limits();
        let (parents, bytes) = (commit.parents.len(), commit.info.message.len());
        if parents > most.parents || bytes > most.message {
            let why = format!(
                "a commit with {parents} parents and {bytes} bytes of message is over the limits \
                 of {} and {}",
                most.parents, most.message
            );
            return Err(Error::new(Code::PayloadTooLarge, why));
        }
        self.put(self.store.format().commit(commit)?)
    }

    /// Writes an annotated tag.
    ///
    /// # Errors
    /// As [`Repo::write_tag`].
    pub fn tag(&self, tag: &TagData) -> Result<Key> {
        let (bytes, most) = (tag.message.len(), self.store.limits().message);
        if bytes > most {
            let why = format!("{bytes} bytes in the message of a tag are over {most}");
            return Err(Error::new(Code::PayloadTooLarge, why));
        }
        self.put(self.store.format().tag(tag)?)
    }

    /// The kind of an object, if there is one.
    ///
    /// # Errors
    /// Those of reading.
    pub fn kind(&self, key: Key) -> Result<Option<Kind>> {
        Ok(self.objects(&[key])?.pop().flatten().map(|object| object.kind))
    }

    /// The root directory of a commit.
    ///
    /// # Errors
    /// `missing_objects`, `invalid_revision` for what is no commit, and those of reading.
    pub fn tree_of(&self, commit: Key) -> Result<Key> {
        match CommitSource::load(self, &[commit])?.pop() {
            Some(commit) => Ok(commit.tree),
            None => Err(Error::missing_objects(vec![commit])),
        }
    }

    /// Whether a commit is another one or one of its ancestors.
    ///
    /// # Errors
    /// Those of reading.
    pub fn is_ancestor(&self, a: Key, b: Key) -> Result<bool> {
        history::is_ancestor(self, a, b)
    }

    /// Makes all of it visible and durable, and changes refs.
    ///
    /// # Errors
    /// As [`Backend::publish`](crate::backend::Backend::publish).
    pub fn publish(
        self,
        edits: Vec<RefEdit>,
        durability: Durability,
        note: Note,
    ) -> Result<Published> {
        self.stage.into_inner().publish(edits, durability, note)
    }

    /// Objects of this write or of the store.
    fn objects(&self, keys: &[Key]) -> Result<Vec<Option<Object>>> {
        let mut found = self.stage.lock().get_many(keys)?;
        let absent: Vec<Key> =
            keys.iter().zip(&found).filter(|(_, o)| o.is_none()).map(|(key, _)| *key).collect();
        if !absent.is_empty() {
            let backend = self.store.backend();
            let mut there = backend.get_many(&absent, self.store.wait())?.into_iter();
            let gaps = found.iter_mut().filter(|object| object.is_none());
            gaps.for_each(|gap| *gap = there.next().flatten());
        }
        Ok(found)
    }

    fn existing(&self, keys: &[Key]) -> Result<Vec<Object>> {
        let found = self.objects(keys)?;
        let missing: Vec<Key> =
            keys.iter().zip(&found).filter(|(_, o)| o.is_none()).map(|(key, _)| *key).collect();
        if missing.is_empty() {
            return Ok(found.into_iter().flatten().collect());
        }
        Err(Error::missing_objects(missing))
    }
}

impl Source for Bulk<'_> {
    fn load(&self, keys: &[Key]) -> Result<Vec<Arc<Dir>>> {
        let mut dirs = Vec::with_capacity(keys.len());
        for key in keys {
            let cached = self.cache.lock().dirs.get(&key.hash).cloned();
            if let Some(dir) = cached {
                dirs.push(dir);
                continue;
            }
            let Some(object) = self.existing(&[*key])?.pop() else {
                return Err(Error::missing_objects(vec![*key]));
            };
            let dir = Arc::new(self.store.layout().decode(*key, &object)?);
            let mut cache = self.cache.lock();
            if cache.bytes > CACHED {
                *cache = Cache::default();
            }
            // Its table of entries is about as large as its bytes.
            cache.bytes = cache.bytes.saturating_add(object.bytes.len().saturating_mul(2));
            cache.dirs.insert(key.hash, dir.clone());
            dirs.push(dir);
        }
        Ok(dirs)
    }
}

impl CommitSource for Bulk<'_> {
    fn load(&self, keys: &[Key]) -> Result<Vec<Arc<CommitData>>> {
        let decode = |object: &Object| {
            if object.kind == Kind::Commit {
                return self.store.layout().decode_commit(object).map(Arc::new);
            }
            let why = format!("object {} is a {}, not a commit", object.id, object.kind);
            Err(Error::new(Code::InvalidRevision, why))
        };
        self.existing(keys)?.iter().map(decode).collect()
    }
}
