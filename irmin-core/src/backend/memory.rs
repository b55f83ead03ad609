//! A store in memory: the reference of the contract.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use bytes::Bytes;

use super::{
    Backend, Batch, Capabilities, Durability, Expected, Note, Notifier, OnRefChange, Pin,
    Published, RefEdit, RefTable, Stage, Submitted, Target, View, Wait, WatchGuard,
};
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::id::{HashPrefix, Key};
use crate::lock::{OnceLock, RwLock};
use crate::name::{BranchName, RefName};
use crate::numbers::{Hashed, Numbered};
use crate::object::{CommitData, Decoded, Dir, Format, Kind, Object};
use crate::sort;

/// A store in memory, gone when the last handle of it is dropped.
///
/// Nothing is ever collected in it and everything is resident. Reads run in parallel; writes run
/// one after another. It does not check the hashes of what it is given; see
/// [`StrictMemory`](super::StrictMemory) for a store that checks all it can.
///
/// ```
/// use irmin_core::backend::{Backend, Batch, MemoryBackend, Wait};
/// use irmin_core::{Format, FormatSpec};
/// let store = MemoryBackend::new(Format::new(FormatSpec::git()));
/// let value = store.format().value(b"hello");
/// let key = value.id.into();
/// store.publish(Batch { objects: vec![value], ..Batch::default() })?;
/// assert!(store.get_many(&[key], Wait::Block)?[0].is_some());
/// # Ok::<(), irmin_core::Error>(())
/// ```
pub struct MemoryBackend {
    format: Format,
    objects: RwLock<Records>,
    /// The lock of all writers: taken before that of the objects.
    refs: RwLock<RefTable>,
    notifier: Notifier,
    pins: Arc<()>,
}

/// What is kept of objects: [`Layout::children`](crate::Layout::children) finds the rest in the
/// bytes.
type Records = Numbered<Record>;

// In this order all that finding a decoded object looks at is in one line of the processor's cache,
// for hashes of up to 38 bytes, and the rest is in the next one.
#[derive(Clone)]
#[repr(C, align(64))]
struct Record {
    /// What was read once, over the same bytes.
    decoded: OnceLock<Decoded>,
    kind: Kind,
    id: Hash,
    bytes: Bytes,
}

const _: () = assert!(size_of::<usize>() < 8 || size_of::<Record>() <= 128);

impl Hashed for Record {
    fn hash(&self) -> &Hash {
        &self.id
    }
}

impl Record {
    /// The record of an object that came with nothing decoded but its own.
    fn of(object: Object) -> Self {
        let Object { kind, id, bytes, decoded: own, .. } = object;
        let decoded = OnceLock::new();
        if let Some(own) = own {
            let _ = decoded.set(own);
        }
        Record { id, kind, bytes, decoded }
    }

    /// The decoded object; nothing for one of another kind, or what is damaged.
    fn decoded(&self, format: &Format, id: Hash) -> Option<&Decoded> {
        if self.decoded.get().is_none() {
            let layout = format.layout();
            let decoded = match self.kind {
                Kind::Node | Kind::Inode => {
                    let dir = layout.decode(Key::from(id), &self.object(id)).ok()?;
                    Decoded::Dir(Arc::new(dir))
                }
                Kind::Commit => {
                    Decoded::Commit(Arc::new(layout.decode_commit(&self.object(id)).ok()?))
                }
                _ => return None,
            };
            let _ = self.decoded.set(decoded);
        }
        self.decoded.get()
    }

    fn object(&self, id: Hash) -> Object {
        let (kind, bytes) = (self.kind, self.bytes.clone());
        Object::new(kind, id, bytes)
    }
}

impl MemoryBackend {
    /// An empty store whose `HEAD` stands for the branch `main`.
    #[must_use]
    pub fn new(format: Format) -> Self {
        MemoryBackend::with_head(format, &BranchName::main())
    }

    /// An empty store whose `HEAD` stands for this branch.
    #[must_use]
    pub fn with_head(format: Format, branch: &BranchName) -> Self {
        let mut refs = RefTable::default();
        refs.apply(&[RefEdit {
            name: RefName::head(),
            expected: Expected::Any,
            new: Some(Target::Symbolic(branch.to_ref())),
        }]);
        MemoryBackend {
            format,
            objects: RwLock::default(),
            refs: RwLock::new(refs),
            notifier: Notifier::default(),
            pins: Arc::default(),
        }
    }

    /// How many pins are held: tests of callers see with it that they release them.
    #[must_use]
    pub fn pins(&self) -> usize {
        Arc::strong_count(&self.pins) - 1
    }

    /// How many objects there are.
    #[must_use]
    pub fn object_count(&self) -> usize {
        self.objects.read().len()
    }

    /// Makes edits and keeps the objects that `add` adds, or does nothing; the watches are still to
    /// be told.
    fn commit(
        &self,
        edits: &[RefEdit],
        add: impl FnOnce(&mut Records) -> Result<Vec<Key>>,
    ) -> Result<Published> {
        let mut refs = self.refs.write();
        let done = {
            let mut objects = self.objects.write();
            let before = objects.len();
            let done = add(&mut objects).and_then(|keys| accept(&refs, &objects, edits, keys));
            if !matches!(done, Ok(Published::Done { .. })) {
                objects.truncate(before);
                return done;
            }
            done
        };
        let changes = refs.apply(edits);
        self.notifier.queue(changes);
        done
    }
}

/// Whether edits may be made now that all objects are there.
fn accept(
    refs: &RefTable,
    objects: &Records,
    edits: &[RefEdit],
    keys: Vec<Key>,
) -> Result<Published> {
    if let Some(lost) = refs.check(edits)? {
        return Ok(lost);
    }
    let absent: Vec<Key> = targets(edits).filter(|key| !objects.contains(&key.hash)).collect();
    if absent.is_empty() {
        Ok(Published::Done { keys })
    } else {
        Err(Error::missing_objects(absent))
    }
}

/// Adds objects to records if all that they refer to is there or in `stored`.
fn add(records: &mut Records, stored: Option<&Records>, objects: Vec<Object>) -> Result<Vec<Key>> {
    let before = records.len();
    let mut keys = Vec::with_capacity(objects.len());
    let mut absent = Vec::new();
    records.reserve(objects.len());
    let (mut last, mut below) = (None, Vec::new());
    for mut object in objects {
        for hash in object.children.iter().map(|child| &child.key.hash) {
            // What is on one path comes in a row.
            let just = last.take().and_then(|last| records.at(last));
            let just = just.filter(|record| record.id == *hash);
            let stored = || stored.and_then(|stored| stored.get(hash));
            let found = just.or_else(|| records.get(hash)).or_else(stored);
            match found.map(|record| record.decoded.get()) {
                None => absent.push(Key::from(*hash)),
                Some(Some(Decoded::Dir(dir))) => below.push(dir.clone()),
                Some(_) => {}
            }
        }
        object.check_decoded();
        if let Some(dir) = object.dir().filter(|_| !below.is_empty()) {
            dir.adopt(&mut below);
        }
        below.clear();
        keys.push(Key::from(object.id));
        last = Some(records.add(Record::of(object)).0);
    }
    if absent.is_empty() {
        return Ok(keys);
    }
    records.truncate(before);
    Err(Error::missing_objects(absent))
}

/// The objects that refs will stand for.
fn targets(edits: &[RefEdit]) -> impl Iterator<Item = Key> + '_ {
    edits.iter().filter_map(|edit| match &edit.new {
        Some(Target::Object(key)) => Some(*key),
        Some(Target::Symbolic(_)) | None => None,
    })
}

/// A part of a value: what of the range is inside it.
pub(super) fn slice_value(format: &Format, object: &Object, range: &Range<u64>) -> Result<Bytes> {
    if !matches!(object.kind, Kind::Value | Kind::Chunk) {
        return Err(super::values::no_value(object));
    }
    let value = format.layout().decode_value(object)?;
    let clip = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(value.len());
    let (start, end) = (clip(range.start), clip(range.end));
    Ok(if start < end { value.slice(start..end) } else { Bytes::new() })
}

impl Backend for MemoryBackend {
    fn format(&self) -> &Format {
        &self.format
    }

    fn pin(&self) -> Result<Pin> {
        Ok(self.pins.clone())
    }

    fn get_many(&self, keys: &[Key], _: Wait) -> Result<Vec<Option<Object>>> {
        let objects = self.objects.read();
        let get = |key: &Key| objects.get(&key.hash).map(|record| record.object(key.hash));
        Ok(keys.iter().map(get).collect())
    }

    fn get(&self, key: &Key, _: Wait) -> Result<Option<Object>> {
        Ok(self.objects.read().get(&key.hash).map(|record| record.object(key.hash)))
    }

    fn resident_dir(&self, key: &Key) -> Option<Arc<Dir>> {
        match self.objects.read().get(&key.hash)?.decoded(&self.format, key.hash)? {
            Decoded::Dir(dir) => Some(dir.clone()),
            Decoded::Commit(_) => None,
        }
    }

    fn resident_commit(&self, key: &Key) -> Option<Arc<CommitData>> {
        match self.objects.read().get(&key.hash)?.decoded(&self.format, key.hash)? {
            Decoded::Commit(commit) => Some(commit.clone()),
            Decoded::Dir(_) => None,
        }
    }

    fn read_range(&self, key: &Key, range: Range<u64>) -> Result<Bytes> {
        let object = self.objects.read().get(&key.hash).map(|record| record.object(key.hash));
        let object = object.ok_or_else(|| Error::missing_objects(Vec::from([*key])))?;
        slice_value(&self.format, &object, &range)
    }

    fn find_many(&self, hashes: &[Hash]) -> Result<Vec<Option<Key>>> {
        let objects = self.objects.read();
        let find = |hash: &Hash| objects.contains(hash).then(|| Key::from(*hash));
        Ok(hashes.iter().map(find).collect())
    }

    /// Looks at every object.
    fn find_prefix(&self, prefix: &HashPrefix) -> Result<Vec<Key>> {
        let objects = self.objects.read();
        let ids = objects.iter().map(|record| record.id);
        let mut found: Vec<Key> = ids.filter(|id| prefix.matches(id)).map(Key::from).collect();
        sort::by(&mut found, Key::cmp);
        found.truncate(super::MAX_CANDIDATES);
        Ok(found)
    }

    fn refs(&self, prefix: &str) -> Result<Vec<(RefName, Target)>> {
        Ok(self.refs.read().list(prefix))
    }

    fn read_ref(&self, name: &RefName, _: View) -> Result<Option<Target>> {
        Ok(self.refs.read().get(name).cloned())
    }

    fn submit(&self, batch: Batch) -> Result<Submitted<'_>> {
        let published = self.commit(&batch.edits, |records| add(records, None, batch.objects))?;
        Ok(Submitted::Accepted(Box::new(move || {
            self.notifier.deliver();
            Ok(published)
        })))
    }

    fn stage(&self) -> Result<Box<dyn Stage + '_>> {
        Ok(Box::new(MemoryStage { store: self, objects: Records::default() }))
    }

    fn watch(&self, notify: OnRefChange) -> Result<WatchGuard> {
        Ok(self.notifier.add(notify))
    }

    fn refresh(&self) -> Result<()> {
        Ok(())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(true, false, false).with_foreign_ids()
    }
}

impl fmt::Debug for MemoryBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryBackend({:?}, {} objects)", self.format, self.object_count())
    }
}

/// Objects that are not visible yet.
struct MemoryStage<'a> {
    store: &'a MemoryBackend,
    objects: Records,
}

impl Stage for MemoryStage<'_> {
    fn put(&mut self, objects: Vec<Object>) -> Result<Vec<Key>> {
        add(&mut self.objects, Some(&self.store.objects.read()), objects)
    }

    fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Object>>> {
        let get = |key: &Key| self.objects.get(&key.hash).map(|record| record.object(key.hash));
        Ok(keys.iter().map(get).collect())
    }

    fn publish(self: Box<Self>, edits: Vec<RefEdit>, _: Durability, _: Note) -> Result<Published> {
        let MemoryStage { store, objects } = *self;
        let published = store.commit(&edits, |records| {
            // The first objects of a store, often most of it, are there already as they shall be.
            if records.is_empty() {
                *records = objects;
            } else {
                records.extend(objects);
            }
            Ok(Vec::new())
        })?;
        store.notifier.deliver();
        Ok(published)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::info::Info;
    use crate::object::{Child, Edit, Entry, EntryKind, FormatSpec, Metadata, Parts, Source};
    use alloc::string::String;
    use alloc::vec;

    fn store() -> MemoryBackend {
        MemoryBackend::new(Format::new(FormatSpec::git()))
    }

    /// An object without a layout: the store does not look into it.
    fn object(store: &MemoryBackend, text: &str, children: &[&Object]) -> Object {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        let children = children.iter().map(|c| Child::from(Key::from(c.id))).collect();
        let id = store.format().hash().digest(&bytes);
        Object { children, ..Object::new(Kind::Node, id, bytes) }
    }

    #[test]
    fn the_head_of_a_new_store_is_symbolic() {
        let read = |store: MemoryBackend| store.read_ref(&RefName::head(), View::Tip).unwrap();
        let main = Target::Symbolic("refs/heads/main".parse().unwrap());
        assert_eq!(read(store()), Some(main));
        let other = "trunk".parse().unwrap();
        let named = MemoryBackend::with_head(Format::new(FormatSpec::git()), &other);
        assert_eq!(read(named), Some(Target::Symbolic(other.to_ref())));
    }

    /// What layouts read directories from here.
    struct Dirs<'a>(&'a MemoryBackend);

    impl Source for Dirs<'_> {
        fn load(&self, keys: &[Key]) -> Result<Vec<Arc<Dir>>> {
            let dir = |key: &Key| self.0.resident_dir(key);
            let dirs: Option<Vec<_>> = keys.iter().map(dir).collect();
            dirs.ok_or_else(|| Error::missing_objects(keys.to_vec()))
        }
    }

    /// Writes a directory over another one, and answers how many of the directories that it and its
    /// parts refer to they know without a look at the store; each must be the one.
    fn known(store: &MemoryBackend, base: Option<&Key>, edits: &[(String, Key)]) -> (Key, usize) {
        let kind = EntryKind::Node;
        let edit = |(name, key): &'_ (String, Key)| (name.clone(), Entry { kind, key: *key });
        let mut sorted: Vec<(String, Entry)> = edits.iter().map(edit).collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        let edits: Vec<Edit<'_>> = sorted
            .iter()
            .map(|(name, entry)| Edit { name: name.as_bytes(), entry: Some(*entry) })
            .collect();
        let base = base.map(|key| store.resident_dir(key).unwrap());
        let mut objects = Vec::new();
        let mut put = |object: Object| {
            let key = Key::from(object.id);
            objects.push(object);
            Ok(key)
        };
        let layout = store.format().layout();
        let key =
            layout.write(&Dirs(store), base.as_deref(), &Parts::NONE, &edits, &mut put).unwrap();
        let dirs: Vec<Arc<Dir>> = objects.iter().filter_map(|o| o.dir().cloned()).collect();
        store.publish(Batch { objects, ..Batch::default() }).unwrap();
        let mut count = 0;
        for dir in &dirs {
            for (at, key) in dir.child_keys().enumerate() {
                if let Some(child) = dir.child(at) {
                    assert_eq!(child.key(), key);
                    count += 1;
                }
            }
        }
        (key, count)
    }

    #[test]
    fn directories_know_those_that_came_with_them() {
        // Those of git come decoded only where hashes alone differ.
        for (spec, all_come) in [
            (FormatSpec::git(), false),
            (FormatSpec::irmin_mem(), true),
            (FormatSpec::native(), true),
        ] {
            let store = MemoryBackend::new(Format::new(spec));
            let leaf = |n: usize| {
                let name = format!("leaf-{n}");
                let value = store.format().value(name.as_bytes());
                let key = Key::from(value.id);
                store.publish(Batch { objects: vec![value], ..Batch::default() }).unwrap();
                known(&store, None, &[(name, key)]).0
            };
            let names = |n: usize| format!("name-{n:05}");
            for width in [1, 2, 31, 200] {
                let all: Vec<_> = (0..width).map(|n| (names(n), leaf(n))).collect();
                let (wide, count) = known(&store, None, &all);
                // Those of a trie refer to its parts, too.
                assert!(count >= width || !all_come, "{count} of {width}");
                let one = [(names(width / 2), leaf(width + 7))];
                assert!(known(&store, Some(&wide), &one).1 >= 1 || !all_come);
                // Two that are the same are one.
                let same = leaf(width + 8);
                let twice = [(names(0), same), (names(width), same)];
                assert!(known(&store, Some(&wide), &twice).1 >= 1 || !all_come);
            }
        }
    }

    /// What comes along can be told to be of another object by what it refers to.
    #[test]
    fn what_is_decoded_of_another_object_is_not_believed() {
        let store = MemoryBackend::new(Format::new(FormatSpec::native()));
        let format = store.format();
        let value = format.value(b"value");
        let entry = Entry { kind: EntryKind::Value(Metadata::Normal), key: value.id.into() };
        let dir = |name: &str| {
            let mut made = None;
            let mut put = |object: Object| Ok(Key::from(made.insert(object).id));
            let edits = [Edit { name: name.as_bytes(), entry: Some(entry) }];
            let layout = format.layout();
            layout.write(&Dirs(&store), None, &Parts::NONE, &edits, &mut put).unwrap();
            made.unwrap()
        };
        let commit = |tree: &Object| {
            let info = Info::new("me", 1, "why");
            let data = CommitData { tree: tree.id.into(), parents: Vec::new(), info };
            format.commit_as_read(&data).unwrap().0
        };
        let (one, two) = (dir("one"), dir("two"));
        let all = [commit(&one), commit(&two), one, two];
        assert!(all.iter().all(|object| object.decoded.is_some()));
        let lies =
            all.iter().zip(all.iter().rev()).chain(all.iter().zip(all.iter().cycle().skip(1)));
        for (object, other) in lies {
            let store = MemoryBackend::new(format.clone());
            let lie = Object { decoded: other.decoded.clone(), ..object.clone() };
            let [_, _, one, two] = all.clone();
            let objects = match object.kind {
                Kind::Commit => vec![value.clone(), one, two, lie],
                _ => vec![value.clone(), lie],
            };
            store.publish(Batch { objects, ..Batch::default() }).unwrap();
            let key = Key::from(object.id);
            let (dir, commit) = (store.resident_dir(&key), store.resident_commit(&key));
            assert_eq!(dir.as_ref(), object.dir());
            let bare = Object { decoded: None, ..object.clone() };
            let read = format.layout().decode_commit(&bare).ok();
            assert_eq!(commit.as_deref(), read.as_ref().filter(|_| object.kind == Kind::Commit));
        }
    }

    #[test]
    fn a_refused_put_leaves_nothing_in_its_stage() {
        let store = store();
        let (leaf, absent) = (object(&store, "leaf", &[]), object(&store, "absent", &[]));
        let (good, bad) = (object(&store, "good", &[&leaf]), object(&store, "bad", &[&absent]));
        let mut stage = store.stage().unwrap();
        stage.put(Vec::from([leaf.clone()])).unwrap();
        let error = stage.put(Vec::from([good.clone(), bad])).unwrap_err();
        assert_eq!(
            (error.code(), error.missing()),
            (Code::MissingObjects, &[absent.id.into()][..])
        );
        assert!(stage.get_many(&[good.id.into()]).unwrap()[0].is_none());
        stage.publish(Vec::new(), Durability::Durable, Note::default()).unwrap();
        assert_eq!(store.object_count(), 1);
    }

    #[test]
    fn pins_are_counted_until_they_are_dropped() {
        let store = store();
        let pins = [store.pin().unwrap(), store.pin().unwrap()];
        assert_eq!(store.pins(), 2);
        drop(pins);
        assert_eq!(store.pins(), 0);
    }
}
