//! Changing trees: in place where a node is not shared, on a copy of its overlay where it is.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use super::edits::Edits;
use super::raw::{Edited, Link, Place, Raw, Slot, Taken, pruned, too_many};
use super::store::Store;
use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::lock::OnceLock;
use crate::object::{Dir, Parts};
use crate::path::{Path, Step};

impl Raw {
    /// Puts a slot at a path, making the directories on the way; a value on the way gives way to
    /// a directory. An empty directory removes what is there.
    ///
    /// The steps must be ones that a store may write.
    pub(crate) fn set(&mut self, path: &Path, slot: Slot) -> Result<()> {
        path.check_git_safe()?;
        if let Slot::Node(link) = &slot
            && link.resolve(self.store.as_ref()).is_known_empty()?
        {
            return self.remove(path);
        }
        self.set_foreign(path, slot)
    }

    /// As [`Raw::set`], for a path that is in a store already, whoever wrote it; an empty directory
    /// that is stored stays one.
    pub(crate) fn set_foreign(&mut self, path: &Path, slot: Slot) -> Result<()> {
        if let Slot::Node(link) = &slot
            && matches!(link.resolve(None).link, Link::Edited(edited) if edited.len == 0)
        {
            return self.remove(path);
        }
        if path.is_root() {
            self.root = slot;
            return Ok(());
        }
        if !matches!(self.root, Slot::Node(_)) {
            self.root = Slot::Node(Link::empty());
        }
        self.put_below(path.steps(), Some(slot))
    }

    /// The directory at a path, ready to be changed; what is on the way becomes one.
    pub(super) fn edit_at(&mut self, path: &Path) -> Result<&mut Edited> {
        let store = self.store.as_ref();
        let Slot::Node(link) = &mut self.root else { return Err(just_made()) };
        let mut edited = make_mut(link, store)?;
        for step in path.steps() {
            edited = make_mut(edited.child_mut(step, store)?, store)?;
        }
        Ok(edited)
    }

    /// Makes what these steps lead to what it should be, and what is on the way a directory.
    fn put_below<'s>(
        &mut self,
        mut steps: impl Iterator<Item = &'s [u8]>,
        slot: Option<Slot>,
    ) -> Result<()> {
        let store = self.store.as_ref();
        let Slot::Node(root) = &mut self.root else { return Ok(()) };
        let Some(mut step) = steps.next() else { return Ok(()) };
        let mut link = root;
        for next in steps {
            link = make_mut(link, store)?.child_mut(step, store)?;
            step = next;
        }
        make_mut(link, store)?.put(step, slot, store)
    }

    /// Removes what is at a path, and the directories that are empty without it.
    pub(crate) fn remove(&mut self, path: &Path) -> Result<()> {
        if path.is_root() {
            self.root = Slot::Node(Link::empty());
            return Ok(());
        }
        let steps: Vec<&[u8]> = path.steps().collect();
        let Some(at) = self.cut(&steps)? else { return Ok(()) };
        self.put_below(steps.into_iter().take(at + 1), None)
    }

    /// Which step to remove so that what these steps lead to is gone, and the directories that it
    /// leaves empty with it; nothing if there is nothing.
    fn cut(&self, steps: &[&[u8]]) -> Result<Option<usize>> {
        let mut here = self.clone();
        let mut cut = 0;
        for (at, step) in steps.iter().enumerate() {
            let Slot::Node(link) = &here.root else { return Ok(None) };
            let place = link.resolve(here.store.as_ref());
            let Some(next) = place.child(step)? else { return Ok(None) };
            if place.len()? > 1 {
                cut = at;
            }
            here = next;
        }
        Ok(Some(cut))
    }
}

/// The node behind a link, ready to be changed.
fn make_mut<'a>(link: &'a mut Link, store: Option<&Arc<Store>>) -> Result<&'a mut Edited> {
    // A link out of the store may lead back to it.
    let own = match &*link {
        Link::Foreign(_) => {
            let place = link.resolve(None);
            let is_own = place.store.zip(store).is_some_and(|(at, own)| at.id() == own.id());
            is_own.then(|| place.link.clone())
        }
        _ => None,
    };
    if let Some(own) = own {
        *link = own;
    }
    let fresh = match &*link {
        Link::Edited(edited) => match (edited.sealed.get(), store) {
            // Written since: go on from there, with an empty overlay, unless it is not at hand.
            (Some((id, key)), Some(own)) if *id == own.id() => match own.dir(*key) {
                Ok(dir) => Some(Edited::over(dir)),
                Err(e) if !e.missing().is_empty() => edited.without_parts(store)?,
                Err(e) => return Err(e),
            },
            _ => edited.without_parts(store)?,
        },
        Link::Stored(key) => {
            let place = Place { link, store };
            let base = place.base()?.ok_or_else(|| Error::missing_objects(alloc::vec![*key]))?;
            Some(Edited::over(base))
        }
        Link::Pruned(hash) => return Err(pruned(hash)),
        Link::Foreign(_) => Some(copy_foreign(link)?),
    };
    if let Some(edited) = fresh {
        *link = Link::Edited(Arc::new(edited));
    }
    match link {
        Link::Edited(edited) => {
            let edited = Arc::make_mut(edited);
            edited.sealed.take();
            Ok(edited)
        }
        _ => Err(Error::new(Code::InvalidArgument, "the directory cannot be edited")),
    }
}

/// A directory of another store as edits over nothing: its base means nothing in this store.
fn copy_foreign(link: &Link) -> Result<Edited> {
    let place = link.resolve(None);
    let limit = place.store.map_or(usize::MAX, |store| store.limits().entries);
    let mut edited = Edited::default();
    for (step, root) in place.entries(limit)? {
        let raw = Raw { root, store: place.store.cloned() };
        if let Err(gap) = edited.edits.find(&step) {
            edited.edits.insert(gap, step, Some(raw.into_slot_of(None)));
            edited.len += 1;
        }
    }
    Ok(edited)
}

impl Edited {
    fn over(base: Arc<Dir>) -> Self {
        let mut edited = Edited::default();
        edited.len = base.len();
        edited.base = Some(base);
        edited
    }

    /// Whether it is what its base is.
    pub(super) fn is_unchanged(&self) -> bool {
        self.edits.is_empty() && self.taken.is_none()
    }

    /// The changed names, those in parts of other versions included.
    pub(super) fn by_name(&self, store: Option<&Arc<Store>>) -> Result<&Edits> {
        let (Some(base), Some(taken)) = (&self.base, &self.taken) else { return Ok(&self.edits) };
        if let Some(named) = taken.named.get() {
            return Ok(named);
        }
        let store = store.ok_or_else(|| Error::missing_objects(alloc::vec![base.key()]))?;
        let (mut all, mut met) = (self.edits.clone(), 0_usize);
        // As many as two directories may have: of what a damaged one says there is no end.
        let limit = store.limits().entries.saturating_mul(2);
        store.layout().diff_parts(&**store, base, &taken.parts, &mut |name, [_, new]| {
            let step = Step::foreign(name);
            if let Err(gap) = all.find(&step) {
                all.insert(gap, step, new.and_then(|found| found.entry()).map(Slot::from));
            }
            met += 1;
            if met > limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if met > limit {
            return Err(too_many(u64::try_from(met).unwrap_or(u64::MAX), limit));
        }
        Ok(taken.named.get_or_init(|| all))
    }

    /// The same with names in the place of parts, so that any of them may be changed; nothing where
    /// there are no parts.
    fn without_parts(&self, store: Option<&Arc<Store>>) -> Result<Option<Self>> {
        if self.taken.is_none() {
            return Ok(None);
        }
        let mut edited = Edited::default();
        edited.base.clone_from(&self.base);
        edited.edits = self.by_name(store)?.clone();
        edited.len = self.len;
        Ok(Some(edited))
    }

    /// Puts parts of another version in the place of its own; no name in them may be changed before.
    ///
    /// `over` is the directory that they are parts of another version of.
    pub(super) fn take_over(&mut self, over: &Dir, parts: Parts) -> Result<()> {
        if self.base.as_deref().is_none_or(|base| base.key() != over.key()) {
            let why = "the directory is another one than that which was merged";
            return Err(Error::new(Code::InvalidArgument, why));
        }
        let len = self.len.checked_add_signed(parts.grow_by());
        self.len = len.ok_or_else(|| miscounted(self.base.as_deref()))?;
        self.taken = Some(Box::new(Taken { parts, named: OnceLock::new() }));
        Ok(())
    }

    /// The directory of a name, made if there is none.
    fn child_mut(&mut self, step: &[u8], store: Option<&Arc<Store>>) -> Result<&mut Link> {
        let Edited { base, edits, len, .. } = self;
        let step = Step::foreign(step);
        let at = match edits.find(&step) {
            Ok(at) => at,
            Err(gap) => {
                let slot = opened(base.as_deref(), step.as_bytes(), store)?;
                edits.insert(gap, step, slot)
            }
        };
        let slot = edits.at_mut(at).ok_or_else(just_made)?;
        if !matches!(slot, Some(Slot::Node(_))) {
            if slot.is_none() {
                count(len, base.as_deref(), true, false)?;
            }
            *slot = Some(Slot::Node(Link::empty()));
        }
        match slot {
            Some(Slot::Node(link)) => Ok(link),
            _ => Err(just_made()),
        }
    }

    /// Sets or removes a name.
    fn put(&mut self, step: &[u8], slot: Option<Slot>, store: Option<&Arc<Store>>) -> Result<()> {
        let existed = |base: Option<&Dir>| Ok(stored(base, step, store)?.is_some());
        self.put_over(Step::foreign(step), slot, existed)
    }

    /// Sets or removes a name, of which `existed` says whether the base has it.
    pub(super) fn put_over(
        &mut self,
        step: Step,
        slot: Option<Slot>,
        existed: impl FnOnce(Option<&Dir>) -> Result<bool>,
    ) -> Result<()> {
        let Edited { base, edits, len, .. } = self;
        match edits.find(&step) {
            Ok(at) => {
                let old = edits.at_mut(at).ok_or_else(just_made)?;
                count(len, base.as_deref(), slot.is_some(), old.is_some())?;
                *old = slot;
            }
            Err(gap) => {
                let existed = existed(base.as_deref())?;
                if slot.is_some() || existed {
                    count(len, base.as_deref(), slot.is_some(), existed)?;
                    edits.insert(gap, step, slot);
                }
            }
        }
        Ok(())
    }
}

fn just_made() -> Error {
    Error::new(Code::InvalidArgument, "the directory was just made")
}

/// The slot that a stored directory has for a name.
fn stored(base: Option<&Dir>, step: &[u8], store: Option<&Arc<Store>>) -> Result<Option<Slot>> {
    let (Some(base), Some(store)) = (base, store) else { return Ok(None) };
    Ok(store.layout().find(&**store, base, step)?.map(Slot::from))
}

/// As [`stored`], with the directory of a name open to be changed.
fn opened(base: Option<&Dir>, step: &[u8], store: Option<&Arc<Store>>) -> Result<Option<Slot>> {
    let (Some(dir), Some(own)) = (base, store) else { return Ok(None) };
    match own.layout().open(&**own, dir, step)? {
        Some(below) => Ok(Some(Slot::Node(Link::Edited(Arc::new(Edited::over(below)))))),
        None => stored(base, step, store),
    }
}

/// Counts one name: what a stored directory says of its length may be a lie.
fn count(len: &mut u64, base: Option<&Dir>, there: bool, existed: bool) -> Result<()> {
    let more = len.checked_add(u64::from(there));
    let counted = more.and_then(|len| len.checked_sub(u64::from(existed)));
    *len = counted.ok_or_else(|| miscounted(base))?;
    Ok(())
}

fn miscounted(base: Option<&Dir>) -> Error {
    match base {
        Some(base) => {
            let why = "it has not as many entries as it says";
            Error::corrupt("directory", &base.key().hash, why)
        }
        None => Error::new(Code::PayloadTooLarge, "a directory has too many entries to count"),
    }
}

impl Place<'_> {
    /// Whether it is a directory with nothing in it, as far as can be told without reading.
    pub(crate) fn is_known_empty(&self) -> Result<bool> {
        let empty = |hash: &Hash| match self.store {
            Some(store) => Ok(store.format().empty_dir()?.0.hash == *hash),
            None => Ok(false),
        };
        match self.link {
            Link::Edited(edited) => Ok(edited.len == 0),
            Link::Stored(key) => empty(&key.hash),
            Link::Pruned(hash) => empty(hash),
            Link::Foreign(_) => Ok(false),
        }
    }
}
