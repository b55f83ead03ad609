//! Which commits are in a slice, parents first.

use alloc::vec::Vec;

use hashbrown::{HashMap, HashSet};

use super::SliceOptions;
use crate::backend::Wait;
use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::id::Key;
use crate::object::Kind;
use crate::tree::Store;

/// What is kept of a commit.
#[derive(Clone, Debug)]
struct Known {
    key: Key,
    tree: Key,
    parents: Vec<Key>,
}

/// A commit of a slice.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) key: Key,
    pub(super) tree: Key,
    /// The trees of its parents that whoever gets the commit has by then: the receiver's own, and
    /// those of commits before this one.
    pub(super) before: Vec<Key>,
}

/// Finds the commits of a slice.
pub(super) fn plan(store: &Store, max: &[Key], options: &SliceOptions) -> Result<Vec<Planned>> {
    let mut walk = Walk { store, known: HashMap::new(), had: HashSet::new() };
    let heads = walk.look(max.to_vec())?;
    if heads.len() < max.len() {
        let absent = max.iter().filter(|key| !heads.contains(key));
        return Err(Error::missing_objects(absent.copied().collect()));
    }
    let had = walk.look(options.have.iter().map(|id| Key::from(id.hash())).collect())?;
    walk.had.extend(had.iter().map(|key| key.hash));
    let wanted = walk.collect(max, had, options)?;
    walk.read_bounds(&wanted)?;
    // Where nothing is left out, every tree is whole and there is nothing to compare it with.
    let compare = !walk.had.is_empty();
    let mut planned = Vec::with_capacity(wanted.len());
    for key in parents_first(max, &wanted, &walk.known) {
        let Some(commit) = walk.known.get(&key.hash) else { continue };
        let parents = commit.parents.iter().map(|parent| parent.hash);
        let there = |hash: &Hash| walk.had.contains(hash) || wanted.contains(hash);
        let before = parents.filter(|hash| compare && there(hash));
        let before = before.filter_map(|hash| Some(walk.known.get(&hash)?.tree)).collect();
        planned.push(Planned { key: commit.key, tree: commit.tree, before });
    }
    Ok(planned)
}

struct Walk<'a> {
    store: &'a Store,
    /// The commits that were read.
    known: HashMap<Hash, Known>,
    /// Those that the receiver has, as far as they were met.
    had: HashSet<Hash>,
}

impl Walk<'_> {
    /// Reads those of some commits that are there, each once.
    fn look(&mut self, mut keys: Vec<Key>) -> Result<Vec<Key>> {
        keys.sort_unstable();
        keys.dedup();
        let found = self.store.backend().get_many(&keys, Wait::Block)?;
        let mut here = Vec::new();
        for (key, object) in keys.into_iter().zip(found) {
            let Some(object) = object else { continue };
            if object.kind != Kind::Commit {
                let why = alloc::format!("`{}` is a {}, not a commit", key.hash, object.kind);
                return Err(Error::new(Code::InvalidRevision, why));
            }
            let commit = self.store.layout().decode_commit(&object)?;
            self.known.insert(key.hash, Known { key, tree: commit.tree, parents: commit.parents });
            here.push(key);
        }
        Ok(here)
    }

    /// Reads the commits of the receiver that wanted ones follow.
    fn read_bounds(&mut self, wanted: &HashSet<Hash>) -> Result<()> {
        let known = wanted.iter().filter_map(|hash| self.known.get(hash));
        let parents = known.flat_map(|commit| &commit.parents);
        let mut bounds: Vec<Key> =
            parents.filter(|parent| self.had.contains(&parent.hash)).copied().collect();
        bounds.sort_unstable();
        bounds.dedup();
        self.read(&bounds)
    }

    /// Walks down from the heads and from what the receiver has, one parent step at a time, until
    /// nothing is left that the receiver may lack. So it reads about as many commits of the
    /// receiver as there are new ones, and not all of its history.
    fn collect(
        &mut self,
        max: &[Key],
        mut had: Vec<Key>,
        options: &SliceOptions,
    ) -> Result<HashSet<Hash>> {
        let min: HashSet<Hash> = options.min.iter().map(|id| id.hash()).collect();
        let mut wanted: HashSet<Hash> = HashSet::new();
        let mut next: Vec<Key> = max.to_vec();
        let mut depth = 0;
        loop {
            // What the receiver has comes first, so that less is wanted.
            had = self.step_down(&had)?;
            next.retain(|key| !self.had.contains(&key.hash) && wanted.insert(key.hash));
            if next.is_empty() {
                break;
            }
            self.read(&next)?;
            let last = options.depth.is_some_and(|most| depth >= most);
            let through = next.iter().filter(|key| !last && !min.contains(&key.hash));
            let known = through.filter_map(|key| self.known.get(&key.hash));
            next = known.flat_map(|commit| commit.parents.iter().copied()).collect();
            depth += 1;
        }
        // What ends without coming to the receiver's commits may be one of them that its own walk
        // has not come to yet: it goes on until that is known.
        let mut open = self.open(&wanted);
        while !had.is_empty() && !open.is_empty() {
            had = self.step_down(&had)?;
            open.retain(|hash| !self.had.contains(hash));
        }
        wanted.retain(|hash| !self.had.contains(hash));
        Ok(wanted)
    }

    /// The wanted commits none of whose parents is wanted or the receiver's.
    fn open(&self, wanted: &HashSet<Hash>) -> Vec<Hash> {
        let met = |key: &Key| wanted.contains(&key.hash) || self.had.contains(&key.hash);
        let ends = wanted.iter().filter(|hash| !self.had.contains(*hash));
        let ends = ends.filter(|hash| {
            self.known.get(*hash).is_some_and(|commit| !commit.parents.iter().any(met))
        });
        ends.copied().collect()
    }

    /// Goes from commits of the receiver to their parents, and at once through all those that were
    /// read already; answers the others.
    fn step_down(&mut self, had: &[Key]) -> Result<Vec<Key>> {
        self.read(had)?;
        let mut through: Vec<Hash> = had.iter().map(|key| key.hash).collect();
        let mut next = Vec::new();
        while let Some(hash) = through.pop() {
            let Some(commit) = self.known.get(&hash) else { continue };
            for parent in &commit.parents {
                if self.had.insert(parent.hash) {
                    if self.known.contains_key(&parent.hash) {
                        through.push(parent.hash);
                    } else {
                        next.push(*parent);
                    }
                }
            }
        }
        Ok(next)
    }

    /// Reads those of some commits that were not read before.
    fn read(&mut self, keys: &[Key]) -> Result<()> {
        let keys: Vec<Key> =
            keys.iter().filter(|key| !self.known.contains_key(&key.hash)).copied().collect();
        let commits = self.store.load_commits(&keys)?;
        for (key, commit) in keys.into_iter().zip(commits) {
            let known = Known { key, tree: commit.tree, parents: commit.parents.clone() };
            self.known.insert(key.hash, known);
        }
        Ok(())
    }
}

/// The wanted commits, each after its parents, in an order that depends on nothing but the graph
/// and the heads.
fn parents_first(max: &[Key], wanted: &HashSet<Hash>, known: &HashMap<Hash, Known>) -> Vec<Key> {
    let mut order = Vec::with_capacity(wanted.len());
    let mut met: HashSet<Hash> = HashSet::new();
    let mut stack: Vec<(Key, usize)> = Vec::new();
    for head in max {
        if wanted.contains(&head.hash) && met.insert(head.hash) {
            stack.push((*head, 0));
        }
        while let Some((key, at)) = stack.last_mut() {
            let parents = known.get(&key.hash).map_or(&[][..], |commit| &commit.parents);
            match parents.get(*at) {
                Some(parent) => {
                    *at += 1;
                    if wanted.contains(&parent.hash) && met.insert(parent.hash) {
                        stack.push((*parent, 0));
                    }
                }
                None => {
                    order.push(*key);
                    stack.pop();
                }
            }
        }
    }
    order
}
