//! What a commit says.

use alloc::vec::Vec;

use crate::id::Key;
use crate::info::Info;

/// The data of a commit: a tree, the commits it follows, and who made it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommitData {
    /// The root directory.
    pub tree: Key,
    /// The parents. The Git layout keeps their order; the Irmin layout sorts them by hash, as the
    /// original does.
    pub parents: Vec<Key>,
    /// Who, when and why.
    pub info: Info,
}

impl CommitData {
    /// All that it refers to, in the order of both layouts: the tree, then the parents.
    pub(crate) fn references(&self) -> impl Iterator<Item = &Key> {
        core::iter::once(&self.tree).chain(&self.parents)
    }
}
