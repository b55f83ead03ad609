//! The backend: reads through gix, writes of our own.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use irmin_core::backend::{
    Backend, Batch, Capabilities, MAX_CANDIDATES, Note, Notifier, OnRefChange, Pin, Published,
    Recorded, RefChange, RefEdit, Stage, Submitted, Target, ValueRead, View, Wait, WatchGuard,
    open_whole,
};
use irmin_core::io::Io;
use irmin_core::lock::Mutex;
use irmin_core::{
    Bytes, Code, Error, Format, Hash, HashPrefix, Key, Kind, Object, RefName, Result,
};

use crate::cache::Cache;
use crate::config::Config;
use crate::flush::Writer;
use crate::oid::{self, Oid};
use crate::outside::Outside;
use crate::pack::write::{Encoder, Entry};
use crate::publish::{Line, Pending, Slot, StagedPack, check_edits};
use crate::reader::ObjectReader;
use crate::recover::{Leftovers, Listing};
use crate::refs::Places;
use crate::refs::read::Refs;
use crate::settings::Settings;
use crate::written::Written;

/// A git repository as a [`Backend`].
///
/// Objects are read as git reads them (loose, packed, deltas, alternates). A publish writes its
/// objects as one pack and moves its refs under git's own lock files, and syncs all of it: what is
/// acknowledged survives the loss of power and is visible to every git program.
/// [`Durability::Relaxed`](irmin_core::backend::Durability::Relaxed) is no cheaper here: objects
/// have to be durable before a ref names them, since git programs may build on it at once.
///
/// # Without syncs
///
/// Whoever owns the repository may decide, as for git itself, that losing it costs less than waiting
/// for the disk: by git's `core.fsync`, in the `config` of the repository, of the user or of the
/// system, or in the environment (`GIT_CONFIG_COUNT`). What it takes away is not synced here either,
/// from the next opening on, whatever [`Durability`](irmin_core::backend::Durability) a write asks
/// for: packs are its `pack`, their indices `pack-metadata`, refs `reference`, and directories go
/// with what they name. **Such a repository does not survive the loss of power**: the latest writes
/// may be gone, refs may name objects that are not there, and older objects may be lost as well,
/// since small packs are merged as `git repack` does it. `core.fsync=none` turns all syncs off;
/// [`not_synced`](GitBackend::not_synced) tells what is off. What git does not sync unless told to
/// (refs) is synced here unless told not to; `core.fsyncObjectFiles` and `core.fsyncMethod` turn
/// nothing off. A new repository, and `irmin/config.toml`, are synced in any case. What the
/// repository's own `config` includes is not read: one that includes something and does not say
/// itself what is synced turns nothing off. `git -c` is for git alone.
///
/// An external `git gc --prune=now` may remove objects that no ref reaches yet: then a publish, or
/// a read of a pinned tree, fails with `missing_objects`.
///
/// ```
/// use std::sync::Arc;
/// use irmin_core::{Context, Repo};
/// use irmin_git::{GitBackend, InitOptions, Options};
///
/// let dir = tempfile::tempdir().unwrap();
/// let backend = GitBackend::init(dir.path(), &InitOptions::default(), &Options::default())?;
/// let repo = Repo::new(Arc::new(backend), Context::new("ann <ann@example.org>", || 1_000))?;
/// repo.main()?.set("README", "hello", "begin")?;
/// let again = GitBackend::open(dir.path(), &Options::default())?;
/// let again = Repo::new(Arc::new(again), Context::new("bob <bob@example.org>", || 2_000))?;
/// assert_eq!(again.main()?.get("README")?.unwrap(), "hello");
/// # Ok::<(), irmin_core::Error>(())
/// ```
pub struct GitBackend {
    pub(crate) refs: Refs,
    pub(crate) settings: Settings,
    pub(crate) objects: Box<dyn ObjectReader>,
    pub(crate) cache: Cache,
    pub(crate) written: Written,
    pub(crate) line: Mutex<Line>,
    /// Who has it writes.
    pub(crate) writer: Mutex<Writer>,
    pub(crate) notifier: Notifier,
    pub(crate) limit: usize,
    /// The packs that were found not to be such as can be merged.
    pub(crate) unmergeable: Mutex<BTreeSet<String>>,
    /// What makes entries, for the next who needs it.
    encoder: Mutex<Option<Encoder>>,
    format: Format,
    config: Mutex<Config>,
}

impl GitBackend {
    /// A backend over the parts of an opened repository.
    pub(crate) fn assemble(
        io: Arc<dyn Io>,
        places: Places,
        objects: Box<dyn ObjectReader>,
        options: &crate::Options,
        outside: Outside,
    ) -> Result<Self> {
        let settings = Settings::load(&*io, &places, outside)?;
        let config = Config::load(&*io)?;
        let backend = GitBackend {
            refs: Refs::new(io, places, settings.fsync),
            settings,
            objects,
            cache: Cache::new(options.cache),
            written: Written::default(),
            line: Mutex::default(),
            writer: Mutex::default(),
            notifier: Notifier::default(),
            limit: options.limits.object,
            unmergeable: Mutex::default(),
            encoder: Mutex::default(),
            format: Format::new(config.spec()?),
            config: Mutex::new(config),
        };
        backend.recover_at_open();
        Ok(backend)
    }

    /// Frees what a crash left locked, if there is anything and nobody writes. Where that fails,
    /// say on a read-only disk, reading works all the same, and writing will say why it does not.
    fn recover_at_open(&self) {
        let listed = Listing::read(&*self.refs.io);
        if listed.is_ok_and(|listed| !Leftovers::among(&listed).is_empty())
            && self.refs.io.create_dir("irmin").is_ok()
            && let Ok(Some(_guard)) = self.refs.io.try_lock(crate::LOCK)
        {
            let _ = self.sweep();
        }
    }

    /// The files of the common git directory. What is below `irmin/` is for programs like ours;
    /// all else is git's.
    #[must_use]
    pub fn files(&self) -> Arc<dyn Io> {
        self.refs.io.clone()
    }

    /// Whether it has no working tree: what a bare repository says of itself does not hold for the
    /// trees that are linked to it.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        self.settings.bare && !self.is_linked()
    }

    /// Whether it was opened through a linked working tree, which has a `HEAD` of its own.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        !self.refs.places.private.is_empty()
    }

    /// What `core.fsync` kept from being synced when the repository was opened, by git's names
    /// (`pack`, `pack-metadata`, `reference`): nothing, unless someone chose so.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// let store = irmin_git::GitBackend::init(dir.path(), &Default::default(), &Default::default())?;
    /// assert!(store.not_synced().is_empty(), "what is acknowledged survives the loss of power");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn not_synced(&self) -> Vec<&'static str> {
        self.settings.fsync.missing()
    }

    /// What the repository's `irmin/config.toml` said when it was opened, or was last set here.
    #[must_use]
    pub fn config(&self) -> Config {
        self.config.lock().clone()
    }

    /// Replaces `irmin/config.toml`, durably.
    ///
    /// # Errors
    /// `unsupported` for a format that a git repository cannot have, `locked`, `poisoned`, `io`.
    pub fn set_config(&self, config: &Config) -> Result<()> {
        config.spec()?;
        self.line.lock().alive()?;
        let mut writer = self.writer.lock();
        let _guard = self.heed(self.lock_store(&mut writer))?;
        self.heed(writer.dirs.ensure(&*self.refs.io, "irmin", true))?;
        self.heed(config.store(&*self.refs.io))?;
        *self.config.lock() = config.clone();
        Ok(())
    }

    /// Takes note of a failed sync: nothing is written after it.
    pub(crate) fn heed<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(e) = &result
            && e.code() == Code::Poisoned
        {
            self.line.lock().poisoned.get_or_insert_with(|| e.clone());
        }
        result
    }

    /// The object in line, in the cache, or stored.
    fn get(&self, key: &Key, wait: Wait) -> Result<Found> {
        let Ok(id) = oid::from_hash(&key.hash) else { return Ok(Found::Absent) };
        if let Some((_, object)) = self.line.lock().object(&id) {
            return Ok(Found::Object(Box::new(object.clone())));
        }
        if let Some(object) = self.cache.get(&key.hash) {
            return Ok(Found::Object(Box::new(object)));
        }
        if wait == Wait::Resident {
            return Ok(Found::NotResident);
        }
        let Some((kind, body)) = self.objects.read(&id)? else { return Ok(Found::Absent) };
        let object = object(kind, &key.hash, &body)?;
        self.cache.put(&object);
        Ok(Found::Object(Box::new(object)))
    }

    /// Whether an object is stored.
    fn is_stored(&self, id: &Oid) -> Result<bool> {
        Ok(self.not_stored([id])?.is_empty())
    }

    /// Those of some objects that are not stored.
    fn not_stored<'a>(&self, ids: impl IntoIterator<Item = &'a Oid>) -> Result<Vec<&'a Oid>> {
        let mut missing = Vec::new();
        for id in self.written.unknown(&*self.refs.io, ids)? {
            if !self.objects.contains(id)? {
                missing.push(id);
            }
        }
        Ok(missing)
    }

    /// Checks that objects exist: in line, or stored. Answers the batches in line that are needed.
    ///
    /// # Errors
    /// `missing_objects` with all that do not.
    pub(crate) fn check_present(&self, ids: &BTreeSet<Oid>) -> Result<BTreeSet<u64>> {
        let mut needs = BTreeSet::new();
        let mut elsewhere = Vec::new();
        {
            let line = self.line.lock();
            for id in ids {
                match line.object(id) {
                    Some((seq, _)) => drop(needs.insert(*seq)),
                    None => elsewhere.push(id),
                }
            }
        }
        let missing: Vec<Key> = self.not_stored(elsewhere)?.into_iter().map(oid::to_key).collect();
        if missing.is_empty() { Ok(needs) } else { Err(Error::missing_objects(missing)) }
    }

    /// What objects refer to outside themselves, and the entries of a pack they make.
    ///
    /// # Errors
    /// `corrupt_object`, `unsupported`.
    pub(crate) fn encode<O: Borrow<Object>>(
        &self,
        objects: &[O],
    ) -> Result<(Vec<Entry>, BTreeSet<Oid>)> {
        // Who comes while another one has it makes one more, of which one stays.
        let mut encoder = self.encoder.lock().take().unwrap_or_default();
        let encoded = encode(&mut encoder, objects);
        *self.encoder.lock() = Some(encoder);
        encoded
    }

    /// Puts a batch in line.
    pub(crate) fn enqueue(&self, batch: NewBatch) -> Result<Result<Slot, Published>> {
        check_edits(&batch.edits)?;
        let mut outside = batch.outside;
        let targets = batch.edits.iter().filter_map(|edit| match &edit.new {
            Some(Target::Object(key)) => oid::from_hash(&key.hash).ok(),
            _ => None,
        });
        outside.extend(targets.filter(|id| !(batch.own)(id)));
        let present = self.check_present(&outside);
        let mut line = self.line.lock();
        line.alive()?;
        // First, because what is built on a batch that was lost meanwhile misses its objects too.
        if let Some(lost) = line.check(&self.refs, &batch.edits)? {
            return Ok(Err(lost));
        }
        let needs = present?;
        if !needs.is_empty() {
            // What was in line then may have been lost since; seldom enough to look again.
            let elsewhere = outside.iter().filter(|id| line.object(id).is_none());
            if let Some(missing) = self.not_stored(elsewhere)?.first() {
                return Err(Error::missing_objects(vec![oid::to_key(missing)]));
            }
        }
        let slot = Slot::default();
        let pending = Pending {
            seq: 0,
            entries: batch.entries,
            staged: batch.staged,
            keys: batch.keys,
            edits: batch.edits,
            note: batch.note,
            needs,
            slot: slot.clone(),
        };
        line.push(pending, batch.objects);
        Ok(Ok(slot))
    }

    /// Waits until a batch in line has ended, writing what is in line if nobody else does.
    pub(crate) fn wait_for(&self, slot: &Slot) -> Result<Published> {
        let ended = loop {
            if let Some(ended) = slot.get() {
                break ended.clone();
            }
            let mut writer = self.writer.lock();
            if slot.get().is_none() {
                self.lead(&mut writer);
            }
        };
        self.notifier.deliver();
        ended
    }

    /// Writes what is in line now, whoever waits for it.
    pub(crate) fn drain(&self) {
        let mut writer = self.writer.lock();
        self.lead(&mut writer);
        drop(writer);
        self.notifier.deliver();
    }

    /// Writes what is in line, up to where a stage begins.
    fn lead(&self, writer: &mut Writer) {
        let group = {
            let mut line = self.line.lock();
            // A stage's pack gets its name once: it is a group of its own.
            let staged = line.waiting.iter().position(|p| p.staged.is_some());
            let len = match staged {
                Some(0) => 1,
                Some(at) => at,
                None => line.waiting.len(),
            };
            line.waiting.drain(..len).collect::<Vec<_>>()
        };
        let ends = self.flush(&group, writer);
        let objects = self.line.lock().settle(&group);
        for object in &objects {
            self.cache.put(object);
        }
        for (pending, end) in group.iter().zip(ends) {
            // Nobody else sets it.
            let _ = pending.slot.set(end);
        }
    }

    /// What the refs are on disk, apart from those just moving, whose new value may not be durable.
    fn durable(&self, prefix: &str) -> Result<std::collections::BTreeMap<RefName, Target>> {
        let mut found = self.refs.list(prefix)?;
        let line = self.line.lock();
        for (name, old) in &line.moving {
            if name.as_str().starts_with(prefix) && name.as_str().starts_with("refs/") {
                match old {
                    Some(target) => found.insert(name.clone(), target.clone()),
                    None => found.remove(name),
                };
            }
        }
        Ok(found)
    }

    /// All refs, `HEAD` included.
    fn everything(&self) -> Result<std::collections::BTreeMap<RefName, Target>> {
        let mut all = self.refs.list("refs/")?;
        let head = RefName::head();
        if let Some(target) = self.refs.read(&head)? {
            all.insert(head, target);
        }
        Ok(all)
    }
}

/// A batch that is ready to be put in line.
pub(crate) struct NewBatch<'a> {
    pub(crate) objects: Vec<Object>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) staged: Option<StagedPack>,
    pub(crate) keys: Vec<Key>,
    pub(crate) edits: Vec<RefEdit>,
    pub(crate) note: Note,
    /// What it refers to outside itself.
    pub(crate) outside: BTreeSet<Oid>,
    /// Whether it has an object itself.
    pub(crate) own: &'a dyn Fn(&Oid) -> bool,
}

/// What a look for an object found.
enum Found {
    Object(Box<Object>),
    Absent,
    NotResident,
}

/// An object as it is handed out, checked against its name.
pub(crate) fn object(kind: Kind, id: &Hash, body: &[u8]) -> Result<Object> {
    let bytes = Bytes::from(oid::pre_image(kind, body)?);
    if irmin_core::HashFunction::Sha1.digest(&bytes) != *id {
        return Err(Error::corrupt("object", id, "its bytes have another hash"));
    }
    Ok(Object::new(kind, *id, bytes))
}

/// What objects refer to outside themselves, and the entries of a pack they make.
///
/// # Errors
/// `corrupt_object`, `unsupported`.
fn encode<O: Borrow<Object>>(
    encoder: &mut Encoder,
    objects: &[O],
) -> Result<(Vec<Entry>, BTreeSet<Oid>)> {
    let entries = objects.iter().map(|o| encoder.entry(o.borrow())).collect::<Result<Vec<_>>>()?;
    let own: std::collections::HashSet<Oid> = entries.iter().map(|e| e.id).collect();
    let mut outside = BTreeSet::new();
    for object in objects.iter().map(Borrow::borrow) {
        for key in object.children.iter().map(|c| &c.key).chain(&object.base) {
            let id = oid::from_hash(&key.hash)?;
            if !own.contains(&id) {
                outside.insert(id);
            }
        }
    }
    Ok((entries, outside))
}

impl fmt::Debug for GitBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitBackend").field("objects", &self.objects).finish_non_exhaustive()
    }
}

impl Backend for GitBackend {
    fn format(&self) -> &Format {
        &self.format
    }

    /// Nothing is to be kept: this crate removes no object, and what other programs remove is
    /// outside its reach.
    fn pin(&self) -> Result<Pin> {
        Ok(Arc::new(()))
    }

    fn get_many(&self, keys: &[Key], wait: Wait) -> Result<Vec<Option<Object>>> {
        let mut found = Vec::with_capacity(keys.len());
        let mut missing = Vec::new();
        for key in keys {
            match self.get(key, wait)? {
                Found::Object(object) => found.push(Some(*object)),
                Found::Absent => found.push(None),
                Found::NotResident => missing.push(*key),
            }
        }
        if missing.is_empty() { Ok(found) } else { Err(Error::missing_objects(missing)) }
    }

    fn get_within(&self, key: &Key, most: u64, wait: Wait) -> Result<Option<Object>> {
        if let Found::Object(object) = self.get(key, Wait::Resident)? {
            return Ok(Some(*object));
        }
        if wait == Wait::Block
            && let Ok(id) = oid::from_hash(&key.hash)
            && let Some(len) = self.objects.longer(&id, most)?
        {
            let why = format!("object {} has {len} bytes, over {most}", key.hash);
            return Err(Error::new(Code::PayloadTooLarge, why));
        }
        self.get_many(core::slice::from_ref(key), wait).map(|mut found| found.pop().flatten())
    }

    fn read_range(&self, key: &Key, range: Range<u64>) -> Result<Bytes> {
        let opened = self.open_values(&[*key], Wait::Block)?.pop().flatten();
        let mut value = opened.ok_or_else(|| Error::missing_objects(vec![*key]))?;
        let end = range.end.min(value.len());
        let len = usize::try_from(end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        if len > self.limit {
            let why = format!("{len} bytes of {} are over the limit of {}", key.hash, self.limit);
            return Err(Error::new(Code::PayloadTooLarge, why));
        }
        let mut bytes = vec![0; len];
        let have = value.read_at(&mut bytes, range.start)?;
        bytes.truncate(have);
        Ok(bytes.into())
    }

    fn open_values(&self, keys: &[Key], wait: Wait) -> Result<Vec<Option<Box<dyn ValueRead>>>> {
        let open = |key: &Key| -> Result<Option<Box<dyn ValueRead>>> {
            if wait == Wait::Block
                && !matches!(self.get(key, Wait::Resident)?, Found::Object(_))
                && let Ok(id) = oid::from_hash(&key.hash)
                && let Some(blob) = self.objects.large(&id)?
            {
                return Ok(Some(Box::new(blob)));
            }
            open_whole(self, &[*key], wait).map(|mut opened| opened.pop().flatten())
        };
        keys.iter().map(open).collect()
    }

    fn find_many(&self, hashes: &[Hash]) -> Result<Vec<Option<Key>>> {
        let find = |hash: &Hash| {
            let Ok(id) = oid::from_hash(hash) else { return Ok(None) };
            let there = self.line.lock().object(&id).is_some() || self.is_stored(&id)?;
            Ok(there.then(|| Key::from(*hash)))
        };
        hashes.iter().map(find).collect()
    }

    fn find_prefix(&self, prefix: &HashPrefix) -> Result<Vec<Key>> {
        let mut found = self.objects.starting(prefix)?;
        let line = self.line.lock();
        found.extend(line.ids().filter(|id| prefix.matches(&oid::to_hash(id))));
        Ok(found.iter().take(MAX_CANDIDATES).map(oid::to_key).collect())
    }

    fn ref_names(&self, prefix: &str) -> Result<Vec<RefName>> {
        Ok(self.refs.names(prefix)?.into_iter().collect())
    }

    fn refs(&self, prefix: &str) -> Result<Vec<(RefName, Target)>> {
        Ok(self.durable(prefix)?.into_iter().collect())
    }

    fn read_ref(&self, name: &RefName, view: View) -> Result<Option<Target>> {
        match view {
            View::Tip => self.line.lock().tip(&self.refs, name),
            View::Durable => {
                // Read first: a value read while nothing moves was durable before.
                let now = self.refs.read(name)?;
                Ok(self.line.lock().moving.get(name).cloned().unwrap_or(now))
            }
        }
    }

    fn submit(&self, batch: Batch) -> Result<Submitted<'_>> {
        self.line.lock().alive()?;
        let (entries, outside) = self.encode(&batch.objects)?;
        let keys: Vec<Key> = batch.objects.iter().map(|o| Key::from(o.id)).collect();
        if entries.is_empty() && batch.edits.is_empty() {
            return Ok(Submitted::Ended(Published::Done { keys }));
        }
        let ids: std::collections::HashSet<Oid> = entries.iter().map(|e| e.id).collect();
        let queued = self.enqueue(NewBatch {
            objects: batch.objects,
            entries,
            staged: None,
            keys,
            edits: batch.edits,
            note: batch.note,
            outside,
            own: &|id| ids.contains(id),
        })?;
        Ok(match queued {
            Err(lost) => Submitted::Ended(lost),
            Ok(slot) => Submitted::Accepted(Box::new(move || self.wait_for(&slot))),
        })
    }

    fn stage(&self) -> Result<Box<dyn Stage + '_>> {
        Ok(Box::new(crate::stage::GitStage::begin(self)?))
    }

    fn watch(&self, notify: OnRefChange) -> Result<WatchGuard> {
        let mut writer = self.writer.lock();
        if writer.known.is_none() {
            writer.known = Some(self.everything()?);
        }
        Ok(self.notifier.add(notify))
    }

    fn refresh(&self) -> Result<()> {
        {
            let mut writer = self.writer.lock();
            let now = self.everything()?;
            if let Some(known) = writer.known.replace(now.clone()) {
                let names: BTreeSet<&RefName> = known.keys().chain(now.keys()).collect();
                let changes = names.into_iter().filter(|name| known.get(*name) != now.get(*name));
                let change = |name: &RefName| RefChange {
                    name: name.clone(),
                    old: known.get(name).cloned(),
                    new: now.get(name).cloned(),
                };
                self.notifier.queue(changes.map(change).collect());
            }
        }
        self.notifier.deliver();
        Ok(())
    }

    fn recorded(&self) -> Recorded {
        let config = self.config();
        Recorded { contents: config.contents, policies: config.policies.into_iter().collect() }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(false, true, true)
    }
}
