//! Three-way merge, key by key.
//!
//! The result is that of merging every key (its value and metadata) on its own, where an absent
//! directory is an empty one, and one clash: a key that ends up a value and a directory at once.
//! A name that only one side changed is taken from that side whole, whatever is below it, and the
//! result is the tree of one side with the changes of the other on top. Directories that are stored
//! are compared all three together, and of these even parts are taken whole; where some of it is in
//! memory, or of several stores, it takes two diffs against the base.

use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use super::diff::{Known, Pair, changed, same, same_contents, split};
use super::raw::{Link, Raw, Slot, Value};
use super::stored::{self, Both, Versions};
use super::visits::{Visits, check_path};
use crate::error::{Code, Error, Result};
use crate::id::Key;
use crate::merge::Reason;
use crate::object::{Dir, Metadata, Parts};
use crate::path::{Path, Step};
use crate::sort;

/// A key that has no merge: what it is in the base and on both sides, and why.
pub(crate) struct RawConflict {
    pub(crate) path: Path,
    pub(crate) base: Option<Raw>,
    pub(crate) ours: Option<Raw>,
    pub(crate) theirs: Option<Raw>,
    pub(crate) reason: Reason,
}

/// What merging trees needs to know of values.
pub(crate) trait ValueMerge {
    /// The text form of what a value becomes that both sides changed.
    fn merge(
        &self,
        path: &Path,
        base: Option<&Raw>,
        ours: &Raw,
        theirs: &Raw,
    ) -> Result<Result<Bytes, Reason>>;

    /// Whether equal values always merge to that value, for every key.
    fn idempotent(&self) -> bool;

    /// Whether equal values merge to that value at a path.
    fn is_idempotent_at(&self, path: &Path) -> bool;
}

/// The merged tree, with every conflicting key as it is in ours; and the conflicts, by path.
pub(crate) struct Outcome {
    pub(crate) tree: Raw,
    pub(crate) conflicts: Vec<RawConflict>,
}

/// How often directories that clash with values may be nested before a merge gives up.
const MAX_CLASHES: usize = 32;

/// What two sides have in common.
#[derive(Clone, Copy)]
pub(crate) struct Base<'a> {
    /// The tree; without one every key is new on both sides.
    pub(crate) tree: Option<&'a Raw>,
    /// The keys that are not in the tree because there are several common ancestors, and these
    /// conflict. Values there, and below, were something that nobody knows: that is not nothing,
    /// and over nothing a counter would count twice.
    pub(crate) unknown: &'a BTreeSet<Path>,
}

/// Merges `theirs` into `ours`.
pub(crate) fn merge(
    base: Base<'_>,
    ours: &Raw,
    theirs: &Raw,
    values: &dyn ValueMerge,
) -> Result<Outcome> {
    let mut visits = Visits::default();
    let mut merge = Merge {
        values,
        unknown: base.unknown,
        result: ours.clone(),
        conflicts: Vec::new(),
        clashes: 0,
        visits: &mut visits,
        parts: Vec::new(),
    };
    let root = Triple {
        path: Path::root(),
        base: base.tree.cloned(),
        ours: Some(ours.clone()),
        theirs: Some(theirs.clone()),
    };
    merge.key(root)?;
    sort::by(&mut merge.conflicts, |a, b| a.path.cmp(&b.path));
    Ok(Outcome { tree: merge.result, conflicts: merge.conflicts })
}

/// One key on three sides.
pub(super) struct Triple {
    pub(super) path: Path,
    pub(super) base: Option<Raw>,
    pub(super) ours: Option<Raw>,
    pub(super) theirs: Option<Raw>,
}

/// What is still to be merged.
enum Task {
    Key(Box<Triple>),
    /// Stored directories, of the store of the result.
    Dirs(Path, Versions),
    /// The same, which are still to be read.
    Keys(Path, Box<[Key; 3]>),
}

/// How many directories are read together that both sides changed.
const AT_ONCE: usize = 64;

struct Merge<'a> {
    values: &'a dyn ValueMerge,
    /// As in [`Base`].
    unknown: &'a BTreeSet<Path>,
    result: Raw,
    conflicts: Vec<RawConflict>,
    clashes: usize,
    visits: &'a mut Visits,
    /// What directories of the result take over from theirs, each with what it is in ours; those
    /// below another one after it.
    parts: Vec<(Path, Arc<Dir>, Parts)>,
}

/// The outcome of one key's value.
enum Merged {
    Absent,
    Leaf(Raw),
    Conflict(Reason),
}

impl Merge<'_> {
    /// Merges a key and, breadth first, all that is below it.
    fn key(&mut self, root: Triple) -> Result<()> {
        let mut queue = VecDeque::from([Task::Key(Box::new(root))]);
        while let Some(task) = queue.pop_front() {
            let triple = match task {
                Task::Key(triple) => *triple,
                Task::Dirs(path, versions) => {
                    self.stored(&path, &versions, &mut queue)?;
                    continue;
                }
                Task::Keys(path, keys) => {
                    self.read(path, *keys, &mut queue)?;
                    continue;
                }
            };
            check_path(&triple.path, triple.path.depth())?;
            let is_dir =
                |raw: &Option<Raw>| matches!(raw, None | Some(Raw { root: Slot::Node(_), .. }));
            if is_dir(&triple.base) && is_dir(&triple.ours) && is_dir(&triple.theirs) {
                self.dir(&triple, &mut queue)?;
            } else {
                self.leaf(triple)?;
            }
        }
        // Those below first: what has parts is not changed any more.
        for (path, ours, parts) in core::mem::take(&mut self.parts).into_iter().rev() {
            self.result.edit_at(&path)?.take_over(&ours, parts)?;
        }
        Ok(())
    }

    /// Merges a key that is a directory, or nothing, on all sides: queues the names that both
    /// sides changed, and takes over those that only they changed.
    fn dir(&mut self, triple: &Triple, queue: &mut VecDeque<Task>) -> Result<()> {
        if let Some(versions) = Versions::of(triple, self.result.store.as_ref())? {
            return self.stored(&triple.path, &versions, queue);
        }
        let base = triple.base.as_ref();
        let theirs = changed(base, triple.theirs.as_ref(), Known::default())?;
        if theirs.is_empty() {
            return Ok(());
        }
        let mut ours =
            changed(base, triple.ours.as_ref(), Known::default())?.into_iter().peekable();
        let stores = [&triple.base, &triple.ours, &triple.theirs].into_iter().flatten();
        for store in stores.filter_map(|raw| raw.store.as_ref()).take(1) {
            self.visits.add(Some(store), theirs.len().saturating_add(ours.len()))?;
        }
        for Pair { step, old, new, .. } in theirs {
            check_step(&triple.path, &step)?;
            let path = triple.path.child(step.as_bytes());
            // Both are in the order of names.
            while ours.next_if(|our| our.step < step).is_some() {}
            let Some(Pair { new: our, .. }) = ours.next_if(|our| our.step == step) else {
                self.take(&path, new)?;
                continue;
            };
            if self.values.idempotent()
                && let (Some(a), Some(b)) = (&our, &new)
                && same(a, b)?
            {
                continue;
            }
            let triple = Triple { path, base: old, ours: our, theirs: new };
            queue.push_back(Task::Key(Box::new(triple)));
        }
        Ok(())
    }

    /// Merges directories that are still to be read, and those that are next in the queue with them.
    fn read(&mut self, path: Path, keys: [Key; 3], queue: &mut VecDeque<Task>) -> Result<()> {
        let (mut paths, mut keys) = (Vec::from([path]), Vec::from(keys));
        while let (true, Some(Task::Keys(..))) = (paths.len() < AT_ONCE, queue.front()) {
            if let Some(Task::Keys(path, next)) = queue.pop_front() {
                paths.push(path);
                keys.extend(*next);
            }
        }
        let Some(store) = self.result.store.clone() else { return Ok(()) };
        for (path, versions) in paths.iter().zip(stored::load(&store, &keys)?) {
            self.stored(path, &versions, queue)?;
        }
        Ok(())
    }

    /// As [`Merge::dir`], of directories that are stored: all three are compared together, and parts
    /// that only they changed are taken over without a look at names.
    fn stored(
        &mut self,
        path: &Path,
        versions: &Versions,
        queue: &mut VecDeque<Task>,
    ) -> Result<()> {
        check_path(path, path.depth())?;
        let Some(store) = self.result.store.clone() else { return Ok(()) };
        let found = versions.compare(&store, self.values.idempotent())?;
        self.visits.add(Some(&store), found.met())?;
        if !found.taken.is_empty() {
            let dir = self.result.edit_at(path)?;
            for (step, slot, existed) in found.taken {
                check_step(path, &step)?;
                dir.put_over(step, Some(slot), |_| Ok(existed))?;
            }
        }
        for step in found.removed {
            check_step(path, &step)?;
            self.take(&path.child(step.as_bytes()), None)?;
        }
        for (step, both) in found.both {
            check_step(path, &step)?;
            let path = path.child(step.as_bytes());
            queue.push_back(match both {
                Both::Dirs(versions) => Task::Dirs(path, versions),
                Both::Keys(keys) => Task::Keys(path, keys),
                Both::Slots(slots) => {
                    let [base, ours, theirs] = *slots;
                    let raw =
                        |slot: Option<Slot>| Some(Raw { root: slot?, store: Some(store.clone()) });
                    let (base, ours, theirs) = (raw(base), raw(ours), raw(theirs));
                    Task::Key(Box::new(Triple { path, base, ours, theirs }))
                }
            });
        }
        if !found.parts.is_none() {
            self.parts.push((path.clone(), versions.ours.clone(), found.parts));
        }
        Ok(())
    }

    /// Merges a key that is a value on some side: its value, the directory of that name, and the
    /// clash of the two.
    fn leaf(&mut self, triple: Triple) -> Result<()> {
        let Triple { path, base, ours, theirs } = triple;
        let (base_leaf, base_dir) = split(base.clone());
        let (our_leaf, our_dir) = split(ours.clone());
        let (their_leaf, their_dir) = split(theirs.clone());
        let merged =
            self.value(&path, base_leaf.as_ref(), our_leaf.as_ref(), their_leaf.as_ref())?;
        let dirs = Triple { path: path.clone(), base: base_dir, ours: our_dir, theirs: their_dir };
        let (dir, nested) = self.clashing_dir(dirs)?;
        let reason = match (merged, dir) {
            (Merged::Conflict(reason), _) => reason,
            (Merged::Leaf(_), Some(_)) => Reason::new("add/add values"),
            (Merged::Leaf(leaf), None) => {
                self.conflicts.extend(nested);
                return self.take(&path, Some(leaf));
            }
            (Merged::Absent, dir) => {
                self.conflicts.extend(nested);
                return self.take(&path, dir);
            }
        };
        self.conflicts.push(RawConflict { path, base, ours, theirs, reason });
        Ok(())
    }

    /// Merges the directory of a name that is a value elsewhere: the result if it is not empty,
    /// and the conflicts in it.
    fn clashing_dir(&mut self, dirs: Triple) -> Result<(Option<Raw>, Vec<RawConflict>)> {
        if dirs.base.is_none() && dirs.ours.is_none() && dirs.theirs.is_none() {
            return Ok((None, Vec::new()));
        }
        if self.clashes >= MAX_CLASHES {
            let what = alloc::format!(
                "`{}`: files and directories of one name clash on {MAX_CLASHES} levels",
                dirs.path
            );
            return Err(Error::new(Code::PayloadTooLarge, what));
        }
        let store = self.result.store.clone();
        let empty = Raw::empty(store.clone());
        let mut result = empty.clone();
        if let Some(ours) = &dirs.ours {
            result.set_foreign(&dirs.path, ours.clone().into_slot_of(store.as_ref()))?;
        }
        let mut nested = Merge {
            values: self.values,
            unknown: self.unknown,
            result,
            conflicts: Vec::new(),
            clashes: self.clashes + 1,
            visits: &mut *self.visits,
            parts: Vec::new(),
        };
        let path = dirs.path.clone();
        nested.key(dirs)?;
        let dir = nested.result.find(&path)?.filter(|raw| match &raw.root {
            Slot::Node(link) => link.resolve(raw.store.as_ref()).len().is_ok_and(|len| len > 0),
            _ => true,
        });
        // A conflict in it means that something is there.
        let dir = if nested.conflicts.is_empty() { dir } else { dir.or(Some(empty)) };
        Ok((dir, nested.conflicts))
    }

    /// Merges a value, or an opaque entry, that may be absent on some sides.
    fn value(
        &self,
        path: &Path,
        base: Option<&Raw>,
        ours: Option<&Raw>,
        theirs: Option<&Raw>,
    ) -> Result<Merged> {
        let equal = |a: Option<&Raw>, b: Option<&Raw>| match (a, b) {
            (Some(a), Some(b)) => same(a, b),
            (None, None) => Ok(true),
            _ => Ok(false),
        };
        let keep = |side: Option<&Raw>| side.cloned().map_or(Merged::Absent, Merged::Leaf);
        if equal(base, ours)? {
            return Ok(keep(theirs));
        }
        if equal(base, theirs)? {
            return Ok(keep(ours));
        }
        let (Some(ours), Some(theirs)) = (ours, theirs) else {
            return Ok(match (ours, theirs) {
                (None, None) => Merged::Absent,
                _ => Merged::Conflict(Reason::new("option: add/del")),
            });
        };
        self.changed_on_both(path, base, ours, theirs)
    }

    fn changed_on_both(
        &self,
        path: &Path,
        base: Option<&Raw>,
        ours: &Raw,
        theirs: &Raw,
    ) -> Result<Merged> {
        let (Slot::Value(our_mode, _), Slot::Value(their_mode, _)) = (&ours.root, &theirs.root)
        else {
            let equal = same(ours, theirs)?;
            return Ok(if equal {
                Merged::Leaf(ours.clone())
            } else {
                Merged::Conflict(Reason::new("add/add values"))
            });
        };
        let base_mode = match base {
            Some(Raw { root: Slot::Value(mode, _), .. }) => Some(*mode),
            _ => None,
        };
        let Some(mode) = merge_metadata(base_mode, *our_mode, *their_mode) else {
            return Ok(Merged::Conflict(Reason::new("default")));
        };
        if let Some(base) = base.filter(|base| matches!(base.root, Slot::Value(..))) {
            // Only the mode differs on one side: the value of the other one stands.
            for (unchanged, changed) in [(ours, theirs), (theirs, ours)] {
                if same_contents(base, unchanged)? {
                    return Ok(Merged::Leaf(with_mode(changed.clone(), mode)));
                }
            }
        }
        if self.is_unknown(path) {
            // Neither is asked what it makes of nothing.
            let agreed = self.values.is_idempotent_at(path) && same_contents(ours, theirs)?;
            return Ok(if agreed {
                Merged::Leaf(with_mode(ours.clone(), mode))
            } else {
                Merged::Conflict(Reason::NO_ANCESTOR)
            });
        }
        match self.values.merge(path, base, ours, theirs) {
            Ok(Ok(bytes)) => Ok(Merged::Leaf(pending(mode, bytes))),
            Ok(Err(reason)) => Ok(Merged::Conflict(reason)),
            // Whoever resolves it takes a side, without a look at the values.
            Err(e) if e.code() == Code::PayloadTooLarge => {
                Ok(Merged::Conflict(Reason::of("a value is too large to be merged")))
            }
            Err(e) => Err(e),
        }
    }

    /// Whether nobody knows what the sides have in common at a path.
    fn is_unknown(&self, path: &Path) -> bool {
        let mut above = Path::root();
        let mut is_there = |step: &[u8]| {
            above = above.child(step);
            self.unknown.contains(&above)
        };
        !self.unknown.is_empty()
            && (self.unknown.contains(&Path::root()) || path.steps().any(&mut is_there))
    }

    /// Makes a key of the result what it is in `raw`.
    fn take(&mut self, path: &Path, raw: Option<Raw>) -> Result<()> {
        match raw {
            None => self.result.remove(path),
            Some(raw) => {
                let slot = raw.into_slot_of(self.result.store.as_ref());
                self.result.set_foreign(path, slot)
            }
        }
    }
}

/// A name that other programs gave may be one that no path can lead to.
fn check_step(dir: &Path, step: &Step) -> Result<()> {
    let name = step.as_bytes();
    if !name.is_empty() && !name.contains(&b'/') {
        return Ok(());
    }
    let what = alloc::format!(
        "the directory `{dir}` has an entry named `{}`, which is no step of a path: not merged",
        name.escape_ascii()
    );
    Err(Error::new(Code::Unrepresentable, what))
}

/// The same value with a mode.
fn with_mode(mut raw: Raw, mode: Metadata) -> Raw {
    if let Slot::Value(metadata, _) = &mut raw.root {
        *metadata = mode;
    }
    raw
}

fn pending(mode: Metadata, bytes: Bytes) -> Raw {
    Raw { root: Slot::Value(mode, Value::Pending(bytes)), store: None }
}

/// Modes merge like plain values do, and equal ones agree.
fn merge_metadata(base: Option<Metadata>, ours: Metadata, theirs: Metadata) -> Option<Metadata> {
    match base {
        _ if ours == theirs => Some(ours),
        Some(base) if base == ours => Some(theirs),
        Some(base) if base == theirs => Some(ours),
        _ => None,
    }
}

/// The base that several common ancestors have together, and that is not stored: the merge of one
/// more with those before it, and the keys of which that says nothing.
pub(crate) fn virtual_base(
    base: Base<'_>,
    before: Base<'_>,
    next: &Raw,
    values: &dyn ValueMerge,
) -> Result<(Raw, BTreeSet<Path>)> {
    let empty = Raw::empty(None);
    let ours = before.tree.unwrap_or(&empty);
    let Outcome { mut tree, conflicts } = merge(base, ours, next, values)?;
    let mut unknown = before.unknown.clone();
    unknown.extend(conflicts.into_iter().map(|conflict| conflict.path));
    for path in &unknown {
        tree.remove(path)?;
    }
    if !matches!(tree.root, Slot::Node(_)) && matches!(ours.root, Slot::Node(_)) {
        tree.root = Slot::Node(Link::empty());
    }
    Ok((tree, unknown))
}
