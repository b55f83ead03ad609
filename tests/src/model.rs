//! The reference model: what trees, merges and histories mean, told as simply as possible.
//!
//! A tree is the sorted table of its values by their path; a directory is whatever a path goes
//! through. Nothing is shared, cached or lazy here, and nothing is taken over from the library but
//! the names of its types.

use std::collections::{BTreeMap, BTreeSet};

use irmin_core::{CommitId, Metadata};

/// A path, as its steps.
pub type Steps = Vec<Vec<u8>>;

/// A value with its metadata.
pub type Leaf = (Vec<u8>, Metadata);

/// A tree: every value by its path.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Model(pub BTreeMap<Steps, Leaf>);

/// What is at a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ModelKind {
    /// A value with this metadata.
    Value(Metadata),
    /// A directory.
    Node,
}

/// One difference: the path, what was there, what is there.
pub type ModelChange = (Steps, Option<Leaf>, Option<Leaf>);

impl Model {
    /// What is at a path; the root is a directory, also an empty one.
    #[must_use]
    pub fn kind(&self, path: &[Vec<u8>]) -> Option<ModelKind> {
        if let Some((_, metadata)) = self.0.get(path) {
            return Some(ModelKind::Value(*metadata));
        }
        let inside = self.0.keys().any(|key| key.starts_with(path));
        (inside || path.is_empty()).then_some(ModelKind::Node)
    }

    /// Removes a path and all that is below it.
    pub fn remove(&mut self, path: &[Vec<u8>]) {
        self.0.retain(|key, _| !key.starts_with(path));
    }

    /// Sets a value; a value on the way and a directory in its place give way.
    pub fn set(&mut self, path: &[Vec<u8>], leaf: Leaf) {
        self.make_way(path);
        self.0.insert(path.to_vec(), leaf);
    }

    fn make_way(&mut self, path: &[Vec<u8>]) {
        self.0.retain(|key, _| !key.starts_with(path) && !path.starts_with(key));
    }

    /// The tree at a path: empty if nothing is there, one value at its root if that is there.
    #[must_use]
    pub fn subtree(&self, path: &[Vec<u8>]) -> Model {
        let below = self.0.iter().filter(|(key, _)| key.starts_with(path));
        Model(below.map(|(key, leaf)| (key[path.len()..].to_vec(), leaf.clone())).collect())
    }

    /// Puts a tree at a path; an empty one removes what is there.
    pub fn set_tree(&mut self, path: &[Vec<u8>], tree: &Model) {
        if tree.0.is_empty() {
            return self.remove(path);
        }
        self.make_way(path);
        for (key, leaf) in &tree.0 {
            self.0.insert([path, key.as_slice()].concat(), leaf.clone());
        }
    }

    /// The entries of a directory; nothing for what is not one.
    #[must_use]
    pub fn list(&self, path: &[Vec<u8>]) -> BTreeMap<Vec<u8>, ModelKind> {
        let inside = |key: &Steps| key.starts_with(path) && key.len() > path.len();
        let keys = self.0.iter().filter(|(key, _)| inside(key));
        keys.map(|(key, (_, metadata))| {
            let is_value = key.len() == path.len() + 1;
            let kind = if is_value { ModelKind::Value(*metadata) } else { ModelKind::Node };
            (key[path.len()].clone(), kind)
        })
        .collect()
    }

    /// All directories, the root included.
    #[must_use]
    pub fn directories(&self) -> BTreeSet<Steps> {
        let above = |key: &Steps| (0..key.len()).map(|n| key[..n].to_vec()).collect::<Vec<_>>();
        let root = std::iter::once(Vec::new());
        root.chain(self.0.keys().flat_map(above)).collect()
    }

    /// The values that differ, in order of paths.
    #[must_use]
    pub fn diff(&self, other: &Model) -> Vec<ModelChange> {
        let keys: BTreeSet<&Steps> = self.0.keys().chain(other.0.keys()).collect();
        keys.into_iter()
            .map(|key| (key.clone(), self.0.get(key).cloned(), other.0.get(key).cloned()))
            .filter(|(_, old, new)| old != new)
            .collect()
    }

    /// The three-way merge of every key under the idempotent policy, without the keys that
    /// conflict, and those: a value and a directory of one name conflict as that name.
    #[must_use]
    pub fn merge(base: Option<&Model>, ours: &Model, theirs: &Model) -> (Model, Vec<Steps>) {
        let none = Model::default();
        let base = base.unwrap_or(&none);
        let keys: BTreeSet<&Steps> =
            base.0.keys().chain(ours.0.keys()).chain(theirs.0.keys()).collect();
        // What each key comes to: `Err` for a conflict. Absent keys are left out.
        let mut merged: BTreeMap<Steps, Result<Leaf, ()>> = BTreeMap::new();
        for key in keys {
            match merge_key(base.0.get(key), ours.0.get(key), theirs.0.get(key)) {
                Ok(None) => {}
                Ok(Some(leaf)) => drop(merged.insert(key.clone(), Ok(leaf))),
                Err(()) => drop(merged.insert(key.clone(), Err(()))),
            }
        }
        let mut tree = Model::default();
        let mut conflicts: Vec<Steps> = Vec::new();
        for (key, outcome) in &merged {
            if conflicts.last().is_some_and(|last| key.starts_with(last)) {
                continue;
            }
            let clash =
                merged.keys().any(|other| other.len() > key.len() && other.starts_with(key));
            match outcome {
                Ok(leaf) if !clash => drop(tree.0.insert(key.clone(), leaf.clone())),
                _ => conflicts.push(key.clone()),
            }
        }
        (tree, conflicts)
    }
}

fn merge_key(
    base: Option<&Leaf>,
    ours: Option<&Leaf>,
    theirs: Option<&Leaf>,
) -> Result<Option<Leaf>, ()> {
    if ours == theirs || base == theirs {
        return Ok(ours.cloned());
    }
    if base == ours {
        return Ok(theirs.cloned());
    }
    let (Some(ours), Some(theirs)) = (ours, theirs) else { return Err(()) };
    let bytes = merge_part(base.map(|(bytes, _)| bytes), &ours.0, &theirs.0)?;
    let mode = merge_part(base.map(|(_, mode)| mode), &ours.1, &theirs.1)?;
    Ok(Some((bytes, mode)))
}

fn merge_part<T: Clone + PartialEq>(base: Option<&T>, ours: &T, theirs: &T) -> Result<T, ()> {
    if ours == theirs || base == Some(theirs) {
        return Ok(ours.clone());
    }
    if base == Some(ours) { Ok(theirs.clone()) } else { Err(()) }
}

/// One commit of the model.
#[derive(Clone, Debug)]
pub struct ModelCommit {
    /// Its tree.
    pub tree: Model,
    /// The commits it follows.
    pub parents: Vec<CommitId>,
}

/// Commits by the ids that the store under test gave them.
#[derive(Clone, Debug, Default)]
pub struct History(pub BTreeMap<CommitId, ModelCommit>);

impl History {
    /// Some commits and all that they follow.
    #[must_use]
    pub fn ancestors(&self, of: &[CommitId]) -> BTreeSet<CommitId> {
        let mut seen = BTreeSet::new();
        let mut todo = of.to_vec();
        while let Some(id) = todo.pop() {
            if seen.insert(id) {
                todo.extend(&self.0[&id].parents);
            }
        }
        seen
    }

    /// The common ancestors of one commit and any of some others that are ancestors of no other
    /// common ancestor.
    #[must_use]
    pub fn bases(&self, these: &[CommitId], that: CommitId) -> Vec<CommitId> {
        let theirs = self.ancestors(&[that]);
        let common: Vec<CommitId> = self.ancestors(these).intersection(&theirs).copied().collect();
        let above = |id: &CommitId| self.ancestors(&self.0[id].parents);
        let covered: BTreeSet<CommitId> = common.iter().flat_map(above).collect();
        common.into_iter().filter(|id| !covered.contains(id)).collect()
    }

    /// The tree that common ancestors have together, folded in the order of their ids. Where two
    /// of them conflict, no other one says what there is.
    #[must_use]
    pub fn base_tree(&self, bases: &[CommitId]) -> Option<Model> {
        let mut tree = self.0[bases.first()?].tree.clone();
        let mut unknown = BTreeSet::new();
        for (n, next) in bases.iter().enumerate().skip(1) {
            let below = self.base_tree(&self.bases(&bases[..n], *next));
            let merged = Model::merge(below.as_ref(), &tree, &self.0[next].tree);
            tree = merged.0;
            unknown.extend(merged.1);
            unknown.iter().for_each(|key| tree.remove(key));
        }
        Some(tree)
    }
}
