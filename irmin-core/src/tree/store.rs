//! What trees read through: a backend, its format, and a cache of decoded directories.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use hashbrown::HashMap;

use crate::backend::{Backend, Held, IN_PIECES, Pin, ValueRead, Wait};
use crate::contents::Contents;
use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::id::Key;
use crate::limits::Limits;
use crate::lock::Mutex;
use crate::object::{Dir, Format, Found, Kind, Layout, LayoutSpec, Object, Source};

/// One open store, as trees see it.
#[derive(Clone)]
pub(crate) struct Store {
    backend: Arc<dyn Backend>,
    limits: Limits,
    wait: Wait,
    codec: Codec,
    /// Keeps what is read through this handle readable while the handle lives.
    _pin: Option<Pin>,
    cache: Arc<Mutex<Cache>>,
    /// Tells stores apart, so that a tree knows whether a key means something in one.
    id: u64,
}

/// Translates the two byte forms of a type of values: trees hold the text form, stores of the
/// Irmin layout the binary one.
#[derive(Clone, Copy)]
pub(crate) struct Codec {
    to_text: fn(Bytes) -> Result<Bytes>,
    to_binary: fn(Bytes) -> Result<Bytes>,
    /// Whether both forms are the same, and anything is one.
    plain: bool,
}

impl Codec {
    pub(crate) fn of<C: Contents>() -> Self {
        Codec {
            to_text: |bytes| C::decode_binary(bytes)?.encode(),
            to_binary: |bytes| C::decode(bytes)?.encode_binary(),
            plain: C::PLAIN,
        }
    }
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Store {
    pub(crate) fn new<C: Contents>(backend: Arc<dyn Backend>, limits: Limits) -> Self {
        let cache = Arc::new(Mutex::new(Cache::new(limits.cache)));
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Store { backend, limits, wait: Wait::Block, codec: Codec::of::<C>(), _pin: None, cache, id }
    }

    /// The same store with other limits and readiness to wait.
    pub(crate) fn with(&self, limits: Limits, wait: Wait) -> Self {
        Store { limits, wait, ..self.clone() }
    }

    /// The same store with values of another type.
    pub(crate) fn typed<C: Contents>(&self) -> Self {
        Store { codec: Codec::of::<C>(), ..self.clone() }
    }

    /// The same store, with all that its refs reach now kept readable.
    pub(crate) fn pinned(&self) -> Result<Self> {
        Ok(Store { _pin: Some(self.backend.pin()?), ..self.clone() })
    }

    /// The object of a value, from its text form.
    pub(crate) fn value_object(&self, text: &Bytes) -> Result<Object> {
        let limit = self.limits.value;
        if text.len() > limit {
            let what =
                alloc::format!("a value of {} bytes is over the limit of {limit}", text.len());
            return Err(Error::new(Code::PayloadTooLarge, what));
        }
        Ok(match self.format().spec().layout {
            LayoutSpec::Git => self.format().value(text),
            LayoutSpec::Irmin(_) => self.format().value(&(self.codec.to_binary)(text.clone())?),
        })
    }

    pub(crate) fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    pub(crate) fn format(&self) -> &Format {
        self.backend.format()
    }

    pub(crate) fn layout(&self) -> &dyn Layout {
        self.format().layout()
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn wait(&self) -> Wait {
        self.wait
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The objects of some keys, all of which must be there.
    pub(crate) fn objects(&self, keys: &[Key]) -> Result<Vec<Object>> {
        let found = self.backend.get_many(keys, self.wait)?;
        if found.iter().all(Option::is_some) {
            return Ok(found.into_iter().flatten().collect());
        }
        let missing = keys.iter().zip(&found).filter(|(_, object)| object.is_none());
        Err(Error::missing_objects(missing.map(|(key, _)| *key).collect()))
    }

    /// The text form of some values.
    pub(crate) fn values(&self, keys: &[Key]) -> Result<Vec<Bytes>> {
        let objects = self.objects(keys)?;
        objects.iter().map(|object| self.decode_value(object)).collect()
    }

    /// The text form of one value.
    pub(crate) fn value(&self, key: &Key) -> Result<Bytes> {
        let limit = self.limits.value as u64;
        let object = match self.backend.get_within(key, limit, self.wait) {
            Err(e) if e.code() == Code::PayloadTooLarge => return Err(self.too_large(&key.hash)),
            read => read?,
        };
        self.decode_value(&object.ok_or_else(|| Error::missing_objects(alloc::vec![*key]))?)
    }

    /// Whether the bytes that are stored of a value are its text form.
    pub(crate) fn keeps_text(&self) -> bool {
        self.codec.plain || self.format().spec().layout == LayoutSpec::Git
    }

    /// Refuses to write values as streams where their bytes would have to be understood.
    pub(crate) fn check_streamed(&self, len: u64) -> Result<()> {
        if !self.codec.plain {
            let why = "only values of plain bytes are written as streams: set it whole";
            return Err(Error::new(Code::Unsupported, why));
        }
        self.check_len(len)
    }

    /// Refuses values that are too large even as streams.
    pub(crate) fn check_len(&self, len: u64) -> Result<()> {
        let limit = self.limits.streamed;
        if len <= limit {
            return Ok(());
        }
        let what =
            alloc::format!("a value of {len} bytes is over the limit of {limit} for streams");
        Err(Error::new(Code::PayloadTooLarge, what))
    }

    /// The text form of a value, to be read piece by piece.
    pub(crate) fn open_value(&self, key: &Key) -> Result<Box<dyn ValueRead>> {
        if !self.keeps_text() {
            let text = self.value(key)?;
            return Ok(Box::new(Held(text)));
        }
        let found = self.backend.open_values(&[*key], self.wait)?.pop().flatten();
        let value = found.ok_or_else(|| Error::missing_objects(alloc::vec![*key]))?;
        self.check_len(value.len())?;
        Ok(value)
    }

    fn too_large(&self, id: &Hash) -> Error {
        let limit = self.limits.value;
        let what =
            alloc::format!("value {id} is over the limit of {limit} bytes: read it as a stream");
        Error::new(Code::PayloadTooLarge, what)
    }

    fn decode_value(&self, object: &Object) -> Result<Bytes> {
        if object.kind == Kind::ChunkIndex {
            let why = alloc::format!("value {} {IN_PIECES}", object.id);
            return Err(Error::new(Code::Unsupported, why));
        }
        let value = self.layout().decode_value(object)?;
        if value.len() > self.limits.value {
            return Err(self.too_large(&object.id));
        }
        match self.format().spec().layout {
            LayoutSpec::Git => Ok(value),
            LayoutSpec::Irmin(_) => (self.codec.to_text)(value)
                .map_err(|e| e.context(format_args!("value {}", object.id))),
        }
    }

    /// The object that a directory begins with.
    pub(crate) fn dir(&self, key: Key) -> Result<Arc<Dir>> {
        let dir = self.load_one(key)?;
        self.layout().check_root(&dir)?;
        Ok(dir)
    }

    /// What a place in a directory refers to, if the backend keeps it decoded.
    fn resident(&self, dir: &Dir, at: usize) -> Option<Arc<Dir>> {
        if let Some(child) = dir.child(at) {
            return Some(child.clone());
        }
        let child = self.backend.resident_dir(&dir.child_key(at))?;
        dir.remember(at, &child);
        Some(child)
    }

    /// The directory that an entry stands for, if the backend keeps it decoded.
    pub(super) fn resident_root(&self, found: Found<'_>) -> Option<Arc<Dir>> {
        let dir = self.resident(found.dir, found.at)?;
        self.layout().check_root(&dir).is_ok().then_some(dir)
    }

    fn load_one(&self, key: Key) -> Result<Arc<Dir>> {
        let resident = self.backend.resident_dir(&key);
        let known = resident.or_else(|| self.cache.lock().get(&key.hash));
        let dir = match known {
            Some(dir) => Some(dir),
            None => self.load(&[key])?.pop(),
        };
        dir.ok_or_else(|| Error::missing_objects(alloc::vec![key]))
    }
}

impl Source for Store {
    fn children(&self, places: &[(&Dir, usize)]) -> Result<Vec<Arc<Dir>>> {
        if let Some(dirs) = places.iter().map(|(dir, at)| self.resident(dir, *at)).collect() {
            return Ok(dirs);
        }
        let keys: Vec<Key> = places.iter().map(|(dir, at)| dir.child_key(*at)).collect();
        self.load(&keys)
    }

    fn child(&self, dir: &Dir, at: usize) -> Result<Arc<Dir>> {
        match self.resident(dir, at) {
            Some(child) => Ok(child),
            None => self.load_one(dir.child_key(at)),
        }
    }

    fn load(&self, keys: &[Key]) -> Result<Vec<Arc<Dir>>> {
        let mut dirs: Vec<Option<Arc<Dir>>> =
            keys.iter().map(|key| self.backend.resident_dir(key)).collect();
        if dirs.iter().any(Option::is_none) {
            let mut cache = self.cache.lock();
            let unknown = keys.iter().zip(&mut dirs).filter(|(_, dir)| dir.is_none());
            unknown.for_each(|(key, dir)| *dir = cache.get(&key.hash));
        }
        let absent: Vec<Key> =
            keys.iter().zip(&dirs).filter(|(_, dir)| dir.is_none()).map(|(key, _)| *key).collect();
        if !absent.is_empty() {
            let objects = self.objects(&absent)?;
            let mut decoded = Vec::with_capacity(absent.len());
            for (key, object) in absent.iter().zip(&objects) {
                if !matches!(object.kind, Kind::Node | Kind::Inode) {
                    let why = alloc::format!("it is a {}, not a directory", object.kind);
                    return Err(Error::corrupt("object", &key.hash, why));
                }
                decoded.push(Arc::new(self.layout().decode(*key, object)?));
            }
            let mut cache = self.cache.lock();
            decoded.iter().for_each(|dir| cache.put(dir));
            let mut fresh = decoded.into_iter();
            dirs.iter_mut().filter(|dir| dir.is_none()).for_each(|dir| *dir = fresh.next());
        }
        Ok(dirs.into_iter().flatten().collect())
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({:?})", self.backend)
    }
}

/// Decoded directories by hash, within a budget.
///
/// Two generations: what is used moves to the young one, and when that has half of the budget the
/// old one is dropped. It costs no list to maintain, and one pass over a large tree throws out no
/// more than what was not used since the last two.
struct Cache {
    young: HashMap<Hash, Arc<Dir>>,
    old: HashMap<Hash, Arc<Dir>>,
    weight: usize,
    budget: usize,
}

impl Cache {
    fn new(budget: usize) -> Self {
        Cache { young: HashMap::new(), old: HashMap::new(), weight: 0, budget }
    }

    fn get(&mut self, hash: &Hash) -> Option<Arc<Dir>> {
        if let Some(dir) = self.young.get(hash) {
            return Some(dir.clone());
        }
        let dir = self.old.remove(hash)?;
        self.put(&dir);
        Some(dir)
    }

    fn put(&mut self, dir: &Arc<Dir>) {
        let weight = dir.weight();
        if weight > self.budget / 2 {
            return;
        }
        if self.weight + weight > self.budget / 2 {
            self.old = core::mem::take(&mut self.young);
            self.weight = 0;
        }
        if self.young.insert(dir.key().hash, dir.clone()).is_none() {
            self.weight += weight;
        }
    }
}
