//! What a directory has instead of its own parts: those of another version of it.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::Dir;

/// Parts of a directory that stand as they do in another version of it, so that nobody looked into
/// them: what a merge makes of the parts that only one side changed.
///
/// Only a [`Layout`](super::Layout) knows what its parts are; one whose directories are single
/// objects has none.
#[derive(Clone, Default)]
pub struct Parts(Option<Arc<Node>>);

impl Parts {
    /// None: the directory is its own.
    pub const NONE: Parts = Parts(None);

    pub(super) fn new(node: Option<Node>) -> Self {
        Parts(node.map(Arc::new))
    }

    pub(super) fn node(&self) -> Option<&Node> {
        self.0.as_deref()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// How many entries more the directory has with them; fewer if it is negative.
    ///
    /// What directories say of their lengths may be a lie, and so may this be.
    #[must_use]
    pub fn grow_by(&self) -> i64 {
        self.node().map_or(0, Node::grow_by)
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.node() {
            Some(node) => write!(f, "Parts(of {:?})", node.from),
            None => f.write_str("Parts(none)"),
        }
    }
}

/// What an inner node of a trie has instead of what is in some of its slots.
pub(super) struct Node {
    /// The other version of the node.
    pub(super) from: Arc<Dir>,
    /// The slots, ascending.
    pub(super) slots: Vec<(u32, Other)>,
    /// How many entries more the whole parts among them have than what was there.
    pub(super) grow_by: i64,
}

/// What is in one slot, of another version.
pub(super) enum Other {
    /// What is at this place of the other version; nothing if there is none.
    Whole(Option<usize>),
    /// The node that is there, with what it has in its slots.
    Below(Node),
}

impl Node {
    /// With all that is below: no deeper than a trie is.
    fn grow_by(&self) -> i64 {
        self.slots.iter().fold(self.grow_by, |sum, (_, part)| match part {
            Other::Whole(_) => sum,
            Other::Below(node) => sum.saturating_add(node.grow_by()),
        })
    }
}
