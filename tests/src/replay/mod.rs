//! What replays of the original's vectors compare with: trees as plain data, a model of merging
//! key by key (ours), and a model of what OCaml Irmin 3.11 does.
//!
//! None of it shares code with the store. The two models are what makes a difference narrow: where
//! ours and the original differ, each must be what its own model says of the same inputs.

pub mod node;
pub mod original;
pub mod per_key;

use irmin_core::CommitId;
use std::rc::Rc;

use node::Node;

/// The history that the models read, and to which the original's model adds commits of its own.
pub trait Dag {
    /// The parents of a commit, as stored.
    fn parents(&mut self, commit: CommitId) -> Vec<CommitId>;

    /// The tree of a commit.
    fn node(&mut self, commit: CommitId) -> Rc<Node>;

    /// Writes a commit, with the info of the operation that is replayed.
    fn add(&mut self, node: &Node, parents: &[CommitId]) -> CommitId;
}
