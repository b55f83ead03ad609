//! Walking a whole tree.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use hashbrown::HashSet;

use super::raw::{Link, Place, Raw, Slot, too_many};
use super::visits::{Visits, check_path};
use crate::backend::Wait;
use crate::error::Result;
use crate::hash::Hash;
use crate::id::Key;
use crate::object::Source as _;
use crate::path::{Path, Step};

/// In which order the entries of a directory are visited.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Order {
    /// Ascending order of names.
    #[default]
    Sorted,
    /// The order of the layout, which costs no sorting.
    Natural,
}

/// Which depths of a tree are visited; the root has depth 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Depth {
    /// Exactly that deep.
    Eq(usize),
    /// Less deep.
    Lt(usize),
    /// That deep or less.
    Le(usize),
    /// Deeper.
    Gt(usize),
    /// That deep or deeper.
    Ge(usize),
}

impl Depth {
    fn visits(self, depth: usize) -> bool {
        match self {
            Depth::Eq(n) => depth == n,
            Depth::Lt(n) => depth < n,
            Depth::Le(n) => depth <= n,
            Depth::Gt(n) => depth > n,
            Depth::Ge(n) => depth >= n,
        }
    }

    fn descends(self, depth: usize) -> bool {
        match self {
            Depth::Eq(n) | Depth::Le(n) => depth < n,
            Depth::Lt(n) => depth.saturating_add(1) < n,
            Depth::Gt(_) | Depth::Ge(_) => true,
        }
    }
}

/// How a tree is walked.
///
/// ```
/// use irmin_core::tree::{Depth, FoldOptions};
/// let top_level = FoldOptions { depth: Some(Depth::Le(1)), ..FoldOptions::default() };
/// assert!(top_level.force);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FoldOptions {
    /// In which order.
    pub order: Order,
    /// How deep; all of it if absent.
    pub depth: Option<Depth>,
    /// Whether directories that are not in memory are read; otherwise they are reported unread.
    pub force: bool,
    /// Whether a directory that was visited under another path is skipped.
    pub unique: bool,
}

impl Default for FoldOptions {
    fn default() -> Self {
        FoldOptions { order: Order::Sorted, depth: None, force: true, unique: false }
    }
}

/// What the walk meets.
pub(crate) enum Event<'a> {
    Enter(&'a Path, &'a Raw),
    Leaf(&'a Path, &'a Raw),
    Leave(&'a Path, &'a Raw),
    Unread(&'a Path, Hash),
}

/// What a walk calls.
pub(crate) type OnEvent<'a> = dyn FnMut(Event<'_>) -> Result<ControlFlow<()>> + 'a;

/// How many child directories are asked for at once before they are walked.
const PREFETCH: usize = 256;

/// One directory on the way down.
struct Frame {
    path: Path,
    raw: Raw,
    rest: alloc::vec::IntoIter<(Step, Slot)>,
    visited: bool,
}

/// Walks a tree depth first, without recursion.
pub(crate) fn fold(root: &Raw, options: FoldOptions, f: &mut OnEvent<'_>) -> Result<()> {
    let mut walk =
        Walk { options, seen: HashSet::new(), stack: Vec::new(), visits: Visits::default() };
    if walk.visit(Path::root(), root.clone(), f)?.is_break() {
        return Ok(());
    }
    while let Some(frame) = walk.stack.last_mut() {
        let Some((step, slot)) = frame.rest.next() else {
            if let Some(frame) = walk.stack.pop()
                && frame.visited
                && f(Event::Leave(&frame.path, &frame.raw))?.is_break()
            {
                return Ok(());
            }
            continue;
        };
        let path = frame.path.child(step.as_bytes());
        let store = match &frame.raw.root {
            Slot::Node(link) => link.resolve(frame.raw.store.as_ref()).store.cloned(),
            _ => frame.raw.store.clone(),
        };
        if walk.visit(path, Raw { root: slot, store }, f)?.is_break() {
            return Ok(());
        }
    }
    Ok(())
}

struct Walk {
    options: FoldOptions,
    seen: HashSet<Identity>,
    stack: Vec<Frame>,
    visits: Visits,
}

/// What two directories have in common that are surely equal.
#[derive(PartialEq, Eq, Hash)]
enum Identity {
    Stored(Hash),
    /// Where a node is in memory: the tree that is walked holds it.
    Shared(usize),
}

impl Identity {
    fn of(link: &Link) -> Option<Self> {
        match link {
            Link::Stored(key) => Some(Identity::Stored(key.hash)),
            Link::Pruned(hash) => Some(Identity::Stored(*hash)),
            Link::Edited(edited) => Some(Identity::Shared(Arc::as_ptr(edited).addr())),
            Link::Foreign(_) => None,
        }
    }
}

impl Walk {
    fn visit(&mut self, path: Path, raw: Raw, f: &mut OnEvent<'_>) -> Result<ControlFlow<()>> {
        let depth = self.stack.len();
        let visits = self.options.depth.is_none_or(|d| d.visits(depth));
        let Slot::Node(link) = &raw.root else {
            return if visits {
                f(Event::Leaf(&path, &raw))
            } else {
                Ok(ControlFlow::Continue(()))
            };
        };
        let place = link.resolve(raw.store.as_ref());
        if self.options.unique
            && let Some(identity) = Identity::of(place.link)
            && !self.seen.insert(identity)
        {
            return Ok(ControlFlow::Continue(()));
        }
        let unread = match place.link {
            Link::Stored(key) => Some(key.hash),
            Link::Pruned(hash) => Some(*hash),
            _ => None,
        };
        if let Some(hash) = unread
            && !self.options.force
        {
            return f(Event::Unread(&path, hash));
        }
        check_path(&path, depth)?;
        if visits && f(Event::Enter(&path, &raw))?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let descends = |depth| self.options.depth.is_none_or(|d| d.descends(depth));
        let mut entries = Vec::new();
        if descends(depth) {
            entries = self.entries(&place)?;
            self.visits.add(place.store, entries.len())?;
            if descends(depth + 1) && self.options.force {
                prefetch(&place, &entries)?;
            }
        }
        self.stack.push(Frame { path, raw, rest: entries.into_iter(), visited: visits });
        Ok(ControlFlow::Continue(()))
    }

    fn entries(&self, place: &Place<'_>) -> Result<Vec<(Step, Slot)>> {
        let limit = place.store.map_or(usize::MAX, |store| store.limits().entries);
        let entries = match self.options.order {
            Order::Sorted => place.entries(limit)?,
            Order::Natural => place.page(None, limit.saturating_add(1))?.0,
        };
        if entries.len() > limit {
            return Err(too_many(entries.len() as u64, limit));
        }
        Ok(entries)
    }
}

/// Reads the next directories into the cache, all at once.
fn prefetch(place: &Place<'_>, entries: &[(Step, Slot)]) -> Result<()> {
    let Some(store) = place.store else { return Ok(()) };
    let stored = |(_, slot): &(Step, Slot)| match slot {
        Slot::Node(Link::Stored(key)) => Some(*key),
        _ => None,
    };
    let keys: Vec<Key> = entries.iter().filter_map(stored).take(PREFETCH).collect();
    if keys.len() < 2 {
        return Ok(());
    }
    match store.load(&keys) {
        // Who may not wait is told of all that is to be fetched, not of one after another.
        Err(e) if store.wait() == Wait::Resident && !e.missing().is_empty() => Err(e),
        // What cannot be read is an error where it is visited, if it is.
        _ => Ok(()),
    }
}
