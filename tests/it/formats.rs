//! What the tests of the object formats share: a store of decoded objects that counts.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use irmin_core::{
    Decoded, Dir, Edit, Entry, EntryKind, Error, Format, FormatSpec, Hash, Key, Kind, Metadata,
    Object, Parts, Result, Source,
};

/// Objects by their hash, and how often they were asked for.
pub(crate) struct Store {
    pub(crate) format: Format,
    objects: Mutex<HashMap<Hash, Object>>,
    pub(crate) loads: AtomicUsize,
    pub(crate) batches: AtomicUsize,
    pub(crate) puts: AtomicUsize,
}

impl Source for Store {
    fn load(&self, keys: &[Key]) -> Result<Vec<Arc<Dir>>> {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.loads.fetch_add(keys.len(), Ordering::Relaxed);
        keys.iter().map(|key| self.dir(*key).map(Arc::new)).collect()
    }
}

impl Store {
    pub(crate) fn new(spec: FormatSpec) -> Self {
        Store {
            format: Format::new(spec),
            objects: Mutex::default(),
            loads: AtomicUsize::new(0),
            batches: AtomicUsize::new(0),
            puts: AtomicUsize::new(0),
        }
    }

    pub(crate) fn object(&self, key: Key) -> Result<Object> {
        let objects = self.objects.lock().unwrap();
        objects.get(&key.hash).cloned().ok_or_else(|| Error::missing_objects(vec![key]))
    }

    pub(crate) fn dir(&self, key: Key) -> Result<Dir> {
        self.format.layout().decode(key, &self.object(key)?)
    }

    /// Checks an object as an engine would, and keeps it.
    pub(crate) fn put(&self, object: Object) -> Key {
        self.puts.fetch_add(1, Ordering::Relaxed);
        self.format.verify(&object).unwrap();
        let read = Object::new(object.kind, object.id, object.bytes.clone());
        let children = self.format.layout().children(&read).unwrap();
        // In the order of the bytes: what is not named is in the base.
        let there = object.base.map_or(Vec::new(), |base| {
            self.format.layout().children(&self.object(base).unwrap()).unwrap()
        });
        let mut named = object.children.iter().peekable();
        for (_, child) in &children {
            let key = child.key;
            let is_named = named.next_if(|named| named.key == key).is_some();
            let is_there = || there.iter().any(|(_, child)| child.key == key);
            assert!(is_named || is_there(), "{key:?} is neither named nor in the base");
        }
        assert!(named.next().is_none(), "what is named is a child");
        // What comes along is what the bytes decode to.
        match &object.decoded {
            Some(Decoded::Dir(dir)) => {
                let decoded = self.format.layout().decode(object.id.into(), &read).unwrap();
                assert_eq!(**dir, decoded);
            }
            Some(Decoded::Commit(commit)) => {
                assert_eq!(**commit, self.format.layout().decode_commit(&read).unwrap());
            }
            None => {}
        }
        let objects = &mut *self.objects.lock().unwrap();
        for (kind, child) in children {
            // Children first: parts of a directory are there before what refers to them.
            assert!(kind != Kind::Inode || objects.contains_key(&child.key.hash));
        }
        let key = Key::from(object.id);
        objects.insert(object.id, object);
        key
    }

    pub(crate) fn write(&self, base: Option<Key>, edits: &[Edit<'_>]) -> Result<Key> {
        let base = base.map(|key| self.dir(key)).transpose()?;
        self.format
            .layout()
            .write(self, base.as_ref(), &Parts::NONE, edits, &mut |object| Ok(self.put(object)))
    }

    /// Keeps an object that another program made.
    pub(crate) fn put_as_is(&self, object: Object) -> Key {
        let key = Key::from(object.id);
        self.objects.lock().unwrap().insert(object.id, object);
        key
    }

    pub(crate) fn all(&self) -> Vec<Object> {
        self.objects.lock().unwrap().values().cloned().collect()
    }

    /// Changes the bytes of one object and nothing else: its hash is no longer right.
    pub(crate) fn damage(&self, at: proptest::sample::Index, change: impl FnOnce(&mut Vec<u8>)) {
        let objects = &mut *self.objects.lock().unwrap();
        let mut keys: Vec<Hash> = objects.keys().copied().collect();
        keys.sort();
        let object = objects.get_mut(&keys[at.index(keys.len())]).unwrap();
        let mut bytes = object.bytes.to_vec();
        change(&mut bytes);
        object.bytes = bytes.into();
    }

    pub(crate) fn value(&self, bytes: &[u8]) -> Key {
        self.put(self.format.value(bytes))
    }

    /// The directory of a flat map: paths with `/`, an empty directory as a path that ends in one.
    pub(crate) fn tree(&self, map: &BTreeMap<String, Option<String>>) -> Key {
        let mut entries: BTreeMap<&[u8], Entry> = BTreeMap::new();
        let mut below: BTreeMap<&str, BTreeMap<String, Option<String>>> = BTreeMap::new();
        for (path, value) in map {
            match (path.split_once('/'), value) {
                (None, Some(value)) => {
                    let kind = EntryKind::Value(Metadata::Normal);
                    let key = self.value(value.as_bytes());
                    entries.insert(path.as_bytes(), Entry { kind, key });
                }
                (Some((step, rest)), value) => {
                    let dir = below.entry(step).or_default();
                    if !rest.is_empty() {
                        dir.insert(rest.to_owned(), value.clone());
                    }
                }
                (None, None) => panic!("`{path}` has no value"),
            }
        }
        for (step, map) in &below {
            let entry = Entry { kind: EntryKind::Node, key: self.tree(map) };
            entries.insert(step.as_bytes(), entry);
        }
        let edits: Vec<Edit<'_>> =
            entries.iter().map(|(name, entry)| Edit { name, entry: Some(*entry) }).collect();
        self.write(None, &edits).unwrap()
    }
}
