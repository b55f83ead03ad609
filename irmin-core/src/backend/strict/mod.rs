//! A store in memory that is stricter than any real one: for the tests of those who use stores.

mod check;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::memory::slice_value;
use super::{
    Backend, Batch, Capabilities, Durability, Expected, GroupCommit, MAX_CANDIDATES, Note,
    Notifier, OnRefChange, Pin, Published, RefEdit, RefTable, Stage, Submitted, Target, Ticket,
    View, Wait, WatchGuard,
};
use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::id::{HashPrefix, Key, Locator};
use crate::lock::Mutex;
use crate::name::{BranchName, RefName};
use crate::object::{Format, Object};

use check::{Staged, Stored, breach, check_key, check_object, with_locators};

/// A store in memory that refuses every breach of the contract that it can see.
///
/// - It hashes every object again, finds its children in its bytes, and asks for exactly these,
///   each present, of the right kind, and really in the base if it is marked as kept.
/// - Its locators are unique in the whole process: one of another store, or of another object,
///   is refused where a real store would look the hash up.
/// - A submitted batch moves tips; refs become durable when someone waits, or by
///   [`sync_now`](StrictMemory::sync_now), so that code that mixes the two up is caught.
///   [`fail_next_sync`](StrictMemory::fail_next_sync) poisons it as a failing disk would.
/// - [`collect`](StrictMemory::collect) drops all that no ref and no pin reaches, at the worst
///   moment a test can think of; [`demanding_pins`](StrictMemory::demanding_pins) refuses reads
///   of objects while no pin is held.
/// - [`evict`](StrictMemory::evict) makes everything non-resident for [`Wait::Resident`].
pub struct StrictMemory {
    format: Format,
    state: Arc<Mutex<State>>,
    group: GroupCommit<Vec<RefEdit>, Flush>,
    notifier: Notifier,
    demand_pins: bool,
}

type EditTicket<'a> = Ticket<'a, Vec<RefEdit>, Flush>;
type Flush = Box<dyn FnMut(Vec<Vec<RefEdit>>) -> Result<()> + Send>;

#[derive(Default)]
struct State {
    objects: BTreeMap<Hash, Stored>,
    /// Every locator that was ever issued.
    issued: BTreeMap<u64, Hash>,
    collected: BTreeSet<Hash>,
    /// The objects in the cache, if not all of them are.
    resident: Option<BTreeSet<Hash>>,
    tip: RefTable,
    durable: RefTable,
    /// What the refs stood for when each pin was made.
    pins: BTreeMap<u64, Vec<Hash>>,
    next_pin: u64,
    fail_next_sync: bool,
    syncs: u64,
}

/// Locators of all strict stores of the process.
static NEXT_LOCATOR: AtomicUsize = AtomicUsize::new(1);

impl State {
    fn absent(&self, hash: Hash) -> Error {
        if self.collected.contains(&hash) {
            let why = format!("object {hash} was collected while it was being referred to");
            return Error::new(Code::Collected, why);
        }
        Error::missing_objects(Vec::from([Key::from(hash)]))
    }

    fn roots(&self) -> Vec<Hash> {
        let refs = self.tip.iter().chain(self.durable.iter());
        refs.filter_map(|(_, target)| object_of(target)).map(|key| key.hash).collect()
    }

    /// Checks objects one after another and gives them their places, visible to nobody yet.
    fn prepare(
        &mut self,
        format: &Format,
        staged: &mut Staged,
        objects: Vec<Object>,
    ) -> Result<Vec<Key>> {
        let mut keys = Vec::with_capacity(objects.len());
        for object in objects {
            let children = check_object(format, self, staged, &object)?;
            let there = staged.get(&object.id).or_else(|| self.objects.get(&object.id));
            let at = there.map_or_else(
                || Locator(NEXT_LOCATOR.fetch_add(1, Ordering::Relaxed) as u64),
                |there| there.at,
            );
            self.issued.insert(at.0, object.id);
            let hash = object.id;
            let children = children.into_iter().map(|(_, child)| child).collect();
            let object = Object { children, ..Object::new(object.kind, hash, object.bytes) };
            staged.insert(hash, Stored { object, at });
            keys.push(Key { hash, at });
        }
        Ok(keys)
    }

    /// Makes staged objects visible and moves the tips, or says who won.
    fn place(&mut self, staged: Staged, edits: &mut [RefEdit]) -> Result<Option<Published>> {
        edits.iter().flat_map(edit_keys).try_for_each(|key| check_key(self, key))?;
        if let Some(lost) = self.tip.check(edits)? {
            return Ok(Some(lost));
        }
        for key in edits.iter().filter_map(|edit| edit.new.as_ref().and_then(object_of)) {
            if !staged.contains_key(&key.hash) && !self.objects.contains_key(&key.hash) {
                return Err(self.absent(key.hash));
            }
        }
        // A child may have been collected since a stage was checked.
        for child in staged.values().flat_map(|stored| &stored.object.children) {
            let hash = &child.key.hash;
            if !staged.contains_key(hash) && !self.objects.contains_key(hash) {
                return Err(self.absent(*hash));
            }
        }
        for (hash, stored) in staged {
            self.collected.remove(&hash);
            if let Some(resident) = &mut self.resident {
                resident.insert(hash);
            }
            self.objects.entry(hash).or_insert(stored);
        }
        for edit in edits.iter_mut() {
            if let Some(Target::Object(key)) = &mut edit.new {
                key.at = self.objects.get(&key.hash).map_or(Locator::NONE, |found| found.at);
            }
        }
        self.tip.apply(edits);
        Ok(None)
    }
}

/// The keys that an edit names: those of its new value and of its expectation.
fn edit_keys(edit: &RefEdit) -> impl Iterator<Item = &Key> {
    let expected = match &edit.expected {
        Expected::Is(target) => Some(target),
        Expected::Any | Expected::Absent => None,
    };
    edit.new.iter().chain(expected).filter_map(object_of)
}

fn object_of(target: &Target) -> Option<&Key> {
    match target {
        Target::Object(key) => Some(key),
        Target::Symbolic(_) => None,
    }
}

impl StrictMemory {
    /// An empty store whose `HEAD` stands for the branch `main`.
    #[must_use]
    pub fn new(format: Format) -> Self {
        let mut refs = RefTable::default();
        refs.apply(&[RefEdit {
            name: RefName::head(),
            expected: Expected::Any,
            new: Some(Target::Symbolic(BranchName::main().to_ref())),
        }]);
        let state = State { tip: refs.clone(), durable: refs, ..State::default() };
        StrictMemory::of_state(format, state)
    }

    fn of_state(format: Format, state: State) -> Self {
        let (state, notifier) = (Arc::new(Mutex::new(state)), Notifier::default());
        let group = GroupCommit::new(flush(Arc::downgrade(&state), notifier.clone()));
        StrictMemory { format, state, group, notifier, demand_pins: false }
    }

    /// The same store, which refuses to read objects while no pin is held.
    #[must_use]
    pub fn demanding_pins(mut self) -> Self {
        self.demand_pins = true;
        self
    }

    /// The store as it is opened again after a loss of power: refs that were not durable are
    /// what they were, and nothing is poisoned.
    #[must_use]
    pub fn reopen(&self) -> Self {
        let state = self.state.lock();
        let (durable, objects) = (state.durable.clone(), state.objects.clone());
        let issued = state.issued.clone();
        drop(state);
        let state = State { tip: durable.clone(), durable, objects, issued, ..State::default() };
        let mut store = StrictMemory::of_state(self.format.clone(), state);
        store.demand_pins = self.demand_pins;
        store
    }

    /// Makes all submitted batches durable, as a waiter would.
    ///
    /// # Errors
    /// `io` for a planned failure, `poisoned` after one.
    pub fn sync_now(&self) -> Result<()> {
        let result = self.group.flush();
        self.notifier.deliver();
        result
    }

    /// Makes the next sync fail, and with it the store.
    pub fn fail_next_sync(&self) {
        self.state.lock().fail_next_sync = true;
    }

    /// How many syncs there were.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.state.lock().syncs
    }

    /// Drops every object that no ref, tip or durable, and no pin reaches; says how many.
    ///
    /// # Errors
    /// `corrupt_object`, if the layout cannot read what the store holds.
    pub fn collect(&self) -> Result<usize> {
        let mut state = self.state.lock();
        let mut todo = state.roots();
        todo.extend(state.pins.values().flatten());
        let mut live = BTreeSet::new();
        while let Some(hash) = todo.pop() {
            if let Some(stored) = state.objects.get(&hash).filter(|_| live.insert(hash)) {
                let children = self.format.layout().children(&stored.object)?;
                todo.extend(children.iter().map(|(_, child)| child.key.hash));
            }
        }
        let dead: Vec<Hash> =
            state.objects.keys().filter(|hash| !live.contains(*hash)).copied().collect();
        for hash in &dead {
            state.objects.remove(hash);
            state.collected.insert(*hash);
        }
        Ok(dead.len())
    }

    /// Makes everything non-resident: only what is read with [`Wait::Block`], or written, from
    /// now on is at hand without waiting.
    pub fn evict(&self) {
        self.state.lock().resident = Some(BTreeSet::new());
    }

    /// How many pins are held.
    #[must_use]
    pub fn pins(&self) -> usize {
        self.state.lock().pins.len()
    }

    /// Publishes what was prepared, as far as its place in the order.
    fn submit_staged(
        &self,
        mut edits: Vec<RefEdit>,
        prepare: impl FnOnce(&mut State) -> Result<(Staged, Vec<Key>)>,
    ) -> Result<(Option<EditTicket<'_>>, Published)> {
        let mut published = Published::Done { keys: Vec::new() };
        let ticket = self.group.submit_with(|| {
            let mut state = self.state.lock();
            let (staged, keys) = prepare(&mut state)?;
            if let Some(lost) = state.place(staged, &mut edits)? {
                published = lost;
                return Ok(None);
            }
            published = Published::Done { keys };
            Ok(Some(edits))
        })?;
        Ok((ticket, published))
    }

    fn read(&self, key: &Key, state: &mut State, wait: Wait) -> Result<Option<Object>> {
        if self.demand_pins && state.pins.is_empty() {
            return Err(breach(format!("{} is read while no pin is held", key.hash)));
        }
        check_key(state, key)?;
        if let Some(resident) = &mut state.resident {
            match wait {
                Wait::Block => drop(resident.insert(key.hash)),
                Wait::Resident if resident.contains(&key.hash) => {}
                Wait::Resident => return Err(Error::missing_objects(Vec::from([*key]))),
            }
        }
        let found = state.objects.get(&key.hash);
        found.map(|stored| with_locators(&self.format, state, None, stored)).transpose()
    }
}

/// What makes edits durable, a group with one sync.
fn flush(state: Weak<Mutex<State>>, notifier: Notifier) -> Flush {
    Box::new(move |groups| {
        let Some(state) = state.upgrade() else { return Ok(()) };
        let mut state = state.lock();
        if core::mem::take(&mut state.fail_next_sync) {
            return Err(Error::new(Code::Io, "syncing a strict store: it failed, as planned"));
        }
        state.syncs += 1;
        for edits in groups {
            let changes = state.durable.apply(&edits);
            notifier.queue(changes);
        }
        Ok(())
    })
}

impl Backend for StrictMemory {
    fn format(&self) -> &Format {
        &self.format
    }

    fn pin(&self) -> Result<Pin> {
        let mut state = self.state.lock();
        let id = state.next_pin;
        state.next_pin += 1;
        let roots = state.roots();
        state.pins.insert(id, roots);
        Ok(Arc::new(StrictPin { state: Arc::downgrade(&self.state), id }))
    }

    fn get_many(&self, keys: &[Key], wait: Wait) -> Result<Vec<Option<Object>>> {
        let mut state = self.state.lock();
        let mut missing = Vec::new();
        let mut objects = Vec::with_capacity(keys.len());
        for key in keys {
            match self.read(key, &mut state, wait) {
                Ok(object) => objects.push(object),
                Err(e) if e.code() == Code::MissingObjects => missing.extend(e.missing()),
                Err(e) => return Err(e),
            }
        }
        if missing.is_empty() { Ok(objects) } else { Err(Error::missing_objects(missing)) }
    }

    fn read_range(&self, key: &Key, range: Range<u64>) -> Result<Bytes> {
        let mut state = self.state.lock();
        let object = self.read(key, &mut state, Wait::Block)?;
        let object = object.ok_or_else(|| Error::missing_objects(Vec::from([*key])))?;
        slice_value(&self.format, &object, &range)
    }

    fn find_many(&self, hashes: &[Hash]) -> Result<Vec<Option<Key>>> {
        let state = self.state.lock();
        let find =
            |hash: &Hash| state.objects.get(hash).map(|stored| Key { hash: *hash, at: stored.at });
        Ok(hashes.iter().map(find).collect())
    }

    fn find_prefix(&self, prefix: &HashPrefix) -> Result<Vec<Key>> {
        let state = self.state.lock();
        let found = state.objects.iter().filter(|(hash, _)| prefix.matches(hash));
        let keys = found.map(|(hash, stored)| Key { hash: *hash, at: stored.at });
        Ok(keys.take(MAX_CANDIDATES).collect())
    }

    fn refs(&self, prefix: &str) -> Result<Vec<(RefName, Target)>> {
        Ok(self.state.lock().durable.list(prefix))
    }

    fn read_ref(&self, name: &RefName, view: View) -> Result<Option<Target>> {
        let state = self.state.lock();
        let refs = match view {
            View::Durable => &state.durable,
            View::Tip => &state.tip,
        };
        Ok(refs.get(name).cloned())
    }

    fn submit(&self, batch: Batch) -> Result<Submitted<'_>> {
        let (ticket, published) = self.submit_staged(batch.edits, |state| {
            let mut staged = Staged::new();
            let keys = state.prepare(&self.format, &mut staged, batch.objects)?;
            Ok((staged, keys))
        })?;
        let Some(ticket) = ticket else { return Ok(Submitted::Ended(published)) };
        Ok(Submitted::Accepted(Box::new(move || {
            let result = ticket.wait();
            self.notifier.deliver();
            result.map(|()| published)
        })))
    }

    fn stage(&self) -> Result<Box<dyn Stage + '_>> {
        Ok(Box::new(StrictStage { store: self, staged: Staged::new() }))
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

impl fmt::Debug for StrictMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.state.lock().objects.len();
        write!(f, "StrictMemory({:?}, {n} objects)", self.format)
    }
}

struct StrictPin {
    state: Weak<Mutex<State>>,
    id: u64,
}

impl Drop for StrictPin {
    fn drop(&mut self) {
        if let Some(state) = self.state.upgrade() {
            state.lock().pins.remove(&self.id);
        }
    }
}

struct StrictStage<'a> {
    store: &'a StrictMemory,
    staged: Staged,
}

impl Stage for StrictStage<'_> {
    fn put(&mut self, objects: Vec<Object>) -> Result<Vec<Key>> {
        let mut staged = self.staged.clone();
        let mut state = self.store.state.lock();
        let keys = state.prepare(&self.store.format, &mut staged, objects)?;
        self.staged = staged;
        Ok(keys)
    }

    fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Object>>> {
        let state = self.store.state.lock();
        let get = |key: &Key| {
            check_key(&state, key)?;
            let found = self.staged.get(&key.hash);
            let format = &self.store.format;
            found
                .map(|stored| with_locators(format, &state, Some(&self.staged), stored))
                .transpose()
        };
        keys.iter().map(get).collect()
    }

    fn publish(self: Box<Self>, edits: Vec<RefEdit>, _: Durability, _: Note) -> Result<Published> {
        let staged = self.staged;
        let (ticket, published) = self.store.submit_staged(edits, |_| Ok((staged, Vec::new())))?;
        let result = ticket.map_or(Ok(()), Ticket::wait);
        self.store.notifier.deliver();
        result.map(|()| published)
    }
}
