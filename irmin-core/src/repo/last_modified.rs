//! Which commits changed what is at many paths, in one walk.
//!
//! A commit is compared with its parents once, for all paths together: from the root down, into
//! the directories that differ from those of every parent, towards the paths that still lack an
//! answer. So the walk costs what the commits changed, and not paths times commits.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use super::history::{commits, keys};
use super::{Branch, Commit, Repo};
use crate::contents::Contents;
use crate::error::Result;
use crate::history::{LastModified, candidates};
use crate::id::Key;
use crate::object::{Dir, Entry, EntryKind, Source as _};
use crate::path::{Path, Step};
use crate::tree::Store;

/// How many commits are compared at once: one at first, and then twice as many each time, since
/// paths that changed lately need few.
const MOST_AT_ONCE: usize = 64;

/// Up to so many names are looked up in a directory; more are sought among those that changed.
const FEW: usize = 8;

impl<C: Contents> Repo<C> {
    /// The commits among the history of some that changed what is at each of several paths: for
    /// each path what [`Repo::last_modified`] answers, in one walk.
    ///
    /// All commits in range are read, because dates may lie; their trees are compared from the
    /// newest date on, until every path has its [`n`](LastModified::n) commits.
    ///
    /// # Errors
    /// Those of reading.
    pub fn last_modified_many(
        &self,
        heads: &[Commit<C>],
        paths: &[Path],
        bounds: LastModified,
    ) -> Result<Vec<Vec<Commit<C>>>> {
        let store = self.pinned()?;
        let (mut wanted, ends) = Wanted::new(paths, bounds.n.unwrap_or(usize::MAX));
        let mut rest = candidates(&*store, &keys(heads), bounds.depth)?.peekable();
        let mut compared = Vec::new();
        let mut batch = 1;
        while wanted.is_open(ROOT) && rest.peek().is_some() {
            let mut level = Level::default();
            for candidate in rest.by_ref().take(batch) {
                let trees = core::iter::once(&candidate.commit.tree).chain(&candidate.parents);
                let root = |tree: &Key| Some(Entry { kind: EntryKind::Node, key: *tree });
                let roots: Vec<_> = trees.map(root).collect();
                wanted.compare(compared.len(), ROOT, &roots, &mut level);
                compared.push((candidate.key, candidate.commit));
            }
            while !level.places.is_empty() {
                let places = core::mem::take(&mut level.places);
                wanted.descend(&store, &places, &mut level)?;
            }
            wanted.answer(level.changes);
            batch = (batch * 2).min(MOST_AT_ONCE);
        }
        let found = |at: &usize| compared.get(*at).map(|(key, commit)| (*key, commit.clone()));
        let answer = |node: usize| {
            let found = wanted.nodes.get(node).into_iter().flat_map(|n| &n.found).filter_map(found);
            let mut answer = commits(&store, found);
            answer.reverse();
            answer
        };
        Ok(ends.into_iter().map(answer).collect())
    }
}

impl<C: Contents> Branch<C> {
    /// The commits that changed what is at each of several paths: for each path what
    /// [`Branch::last_modified`] answers, in one walk. No commits without a head.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use irmin_core::{Context, Format, FormatSpec, Path, Repo, backend::MemoryBackend};
    /// # let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
    /// # let repo = Repo::new(backend, Context::new("ann", || 0))?;
    /// let main = repo.main()?;
    /// let first = main.set("a", "1", "first")?.unwrap();
    /// let second = main.set("b/c", "1", "second")?.unwrap();
    /// let paths = [Path::parse("a")?, Path::parse("b")?, Path::parse("c")?];
    /// let last = main.last_modified_many(&paths, Some(1), None)?;
    /// assert_eq!(last, [vec![first], vec![second], vec![]]);
    /// # Ok::<(), irmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of reading.
    pub fn last_modified_many(
        &self,
        paths: &[Path],
        n: Option<usize>,
        depth: Option<usize>,
    ) -> Result<Vec<Vec<Commit<C>>>> {
        let heads: Vec<Commit<C>> = self.head()?.into_iter().collect();
        self.repo().last_modified_many(&heads, paths, LastModified { n, depth })
    }
}

/// The paths that are asked about, as a tree of names, with the answers found.
struct Wanted {
    nodes: Vec<Node>,
    /// How many answers a path gets at most.
    most: usize,
}

/// The node of the empty path.
const ROOT: usize = 0;

#[derive(Default)]
struct Node {
    below: BTreeMap<Step, usize>,
    above: Option<usize>,
    /// Whether a path ends here.
    asked: bool,
    /// How many paths that end here or below still lack answers.
    open: usize,
    /// The commits that changed what is here, in the order in which they were compared.
    found: Vec<usize>,
}

/// A node at which a commit differs from all of its parents: the directories that it has there,
/// and then those that each of its parents has.
struct Place {
    commit: usize,
    node: usize,
    sides: Vec<Option<Key>>,
}

/// What comparing some commits on one level found.
#[derive(Default)]
struct Level {
    /// Commits, and the nodes at which they changed something.
    changes: Vec<(usize, usize)>,
    /// Where to look further.
    places: Vec<Place>,
}

impl Wanted {
    /// The tree of some paths, and the node of each of them.
    fn new(paths: &[Path], most: usize) -> (Self, Vec<usize>) {
        let mut wanted = Wanted { nodes: Vec::from([Node::default()]), most };
        let ends = paths.iter().map(|path| wanted.add(path)).collect();
        (wanted, ends)
    }

    fn add(&mut self, path: &Path) -> usize {
        let mut at = ROOT;
        for step in path.steps() {
            let (above, new) = (at, self.nodes.len());
            let Some(node) = self.nodes.get_mut(above) else { break };
            at = *node.below.entry(Step::foreign(step)).or_insert(new);
            if at == new {
                self.nodes.push(Node { above: Some(above), ..Node::default() });
            }
        }
        let Some(end) = self.nodes.get_mut(at) else { return at };
        if !core::mem::replace(&mut end.asked, true) && self.most > 0 {
            self.walk_up(at, |open| *open += 1);
        }
        at
    }

    fn walk_up(&mut self, from: usize, count: impl Fn(&mut usize)) {
        let mut at = Some(from);
        while let Some(node) = at.and_then(|at| self.nodes.get_mut(at)) {
            count(&mut node.open);
            at = node.above;
        }
    }

    fn is_open(&self, node: usize) -> bool {
        self.nodes.get(node).is_some_and(|node| node.open > 0)
    }

    /// Compares what a commit has at a node with what each of its parents has there, which follows.
    fn compare(&self, commit: usize, node: usize, sides: &[Option<Entry>], level: &mut Level) {
        let (Some((own, parents)), Some(at)) = (sides.split_first(), self.nodes.get(node)) else {
            return;
        };
        // What is as in one parent is so all the way down.
        let same = if parents.is_empty() { own.is_none() } else { parents.contains(own) };
        if same {
            return;
        }
        if at.asked {
            level.changes.push((commit, node));
        }
        let dir = |e: &Option<Entry>| e.filter(|e| e.kind == EntryKind::Node).map(|e| e.key);
        let nothing_below = dir(own).is_none()
            && (parents.is_empty() || parents.iter().any(|parent| dir(parent).is_none()));
        if !at.below.is_empty() && !nothing_below {
            level.places.push(Place { commit, node, sides: sides.iter().map(dir).collect() });
        }
    }

    /// Looks into the directories of some places, all of which are loaded at once.
    fn descend(&self, store: &Store, places: &[Place], level: &mut Level) -> Result<()> {
        // What one commit has, the commit after it has as its parent's.
        let mut keys: Vec<Key> = places.iter().flat_map(|p| &p.sides).flatten().copied().collect();
        keys.sort_unstable();
        keys.dedup();
        let loaded = store.load(&keys)?;
        let dir = |key: &Option<Key>| {
            let at = keys.binary_search(key.as_ref()?).ok()?;
            loaded.get(at).map(|dir| &**dir)
        };
        for place in places {
            let dirs: Vec<Option<&Dir>> = place.sides.iter().map(dir).collect();
            for (name, node) in self.candidates(store, place.node, &dirs)? {
                let find = |dir: &Option<&Dir>| match dir {
                    Some(dir) => store.layout().find(store, dir, name.as_bytes()),
                    None => Ok(None),
                };
                let sides = dirs.iter().map(find).collect::<Result<Vec<_>>>()?;
                self.compare(place.commit, node, &sides, level);
            }
        }
        Ok(())
    }

    /// The names below a node that may differ between the first directory and all others, and
    /// below which answers are lacking.
    fn candidates<'n>(
        &'n self,
        store: &Store,
        node: usize,
        dirs: &[Option<&Dir>],
    ) -> Result<Vec<(&'n Step, usize)>> {
        let Some(node) = self.nodes.get(node) else { return Ok(Vec::new()) };
        let open = |(name, node): (&'n Step, &usize)| self.is_open(*node).then_some((name, *node));
        let [Some(own), Some(parent), ..] = dirs else {
            return Ok(node.below.iter().filter_map(open).collect());
        };
        if node.below.len() <= FEW {
            return Ok(node.below.iter().filter_map(open).collect());
        }
        let mut found = Vec::new();
        // A damaged directory may refer to one part of itself any number of times.
        let mut left = store.limits().entries.saturating_mul(2);
        store.layout().diff(store, Some(parent), Some(own), &mut |name, _| {
            found.extend(node.below.get_key_value(name).and_then(open));
            left = left.saturating_sub(1);
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(found)
    }

    /// Takes up what commits changed, in the order in which they count.
    fn answer(&mut self, mut changes: Vec<(usize, usize)>) {
        changes.sort_unstable();
        for (commit, at) in changes {
            let Some(node) = self.nodes.get_mut(at).filter(|node| node.found.len() < self.most)
            else {
                continue;
            };
            node.found.push(commit);
            if node.found.len() == self.most {
                self.walk_up(at, |open| *open -= 1);
            }
        }
    }
}
