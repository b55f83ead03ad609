//! The state of a simulated disk: what programs see, what is durable, and what is between.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use irmin_core::Bytes;

use super::content::Content;

/// The number of a file or directory, never used again.
pub(super) type Ino = u64;

/// The root directory.
pub(super) const ROOT: Ino = 0;

/// One operation that changed a simulated disk.
#[derive(Clone, Debug)]
pub(super) enum Op {
    /// A new file or directory under a name.
    Create { dir: Ino, name: Arc<str>, ino: Ino, directory: bool },
    /// One more name of a file.
    Link { dir: Ino, name: Arc<str>, ino: Ino },
    /// The removal of a name.
    Unlink { dir: Ino, name: Arc<str> },
    /// A rename: atomic within one directory; between two, each changes on its own.
    Rename { from: (Ino, Arc<str>), to: (Ino, Arc<str>), ino: Ino },
    /// Bytes at an offset.
    Write { ino: Ino, bytes: Bytes, offset: usize },
    /// A new length.
    SetLen { ino: Ino, len: usize },
    /// A sync of a file or directory that succeeded.
    Sync { ino: Ino },
    /// One that failed: what was not durable is forgotten by the disk, not by the page cache.
    FailedSync { ino: Ino },
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Op::Create { dir, name, ino, directory: false } => {
                write!(f, "create file {ino} as `{name}` in {dir}")
            }
            Op::Create { dir, name, ino, directory: true } => {
                write!(f, "make directory {ino} as `{name}` in {dir}")
            }
            Op::Link { dir, name, ino } => write!(f, "link {ino} as `{name}` in {dir}"),
            Op::Unlink { dir, name } => write!(f, "remove `{name}` from {dir}"),
            Op::Rename { from: (a, from), to: (b, to), ino } => {
                write!(f, "rename {ino} from `{from}` in {a} to `{to}` in {b}")
            }
            Op::Write { ino, bytes, offset } => {
                write!(f, "write {} bytes to {ino} at {offset}", bytes.len())
            }
            Op::SetLen { ino, len } => write!(f, "set the length of {ino} to {len}"),
            Op::Sync { ino } => write!(f, "sync {ino}"),
            Op::FailedSync { ino } => write!(f, "fail to sync {ino}"),
        }
    }
}

/// A change of a file's bytes that is not durable yet.
#[derive(Clone, Debug)]
pub(super) enum DataChange {
    Write { bytes: Bytes, offset: usize },
    SetLen(usize),
}

/// Changes of names that become durable together: one, or the two of a rename.
pub(super) type NameChange = Vec<(Arc<str>, Option<Ino>)>;

/// The names of a directory.
pub(super) type Names = BTreeMap<Arc<str>, Ino>;

#[derive(Clone, Debug)]
pub(super) enum Node {
    File { now: Content, durable: Content, pending: Vec<DataChange>, modified: u64 },
    Dir { now: Names, durable: Names, pending: Vec<NameChange> },
}

impl Node {
    pub(super) fn file(content: Content) -> Self {
        Node::File { now: content.clone(), durable: content, pending: Vec::new(), modified: 0 }
    }

    pub(super) fn dir(names: Names) -> Self {
        Node::Dir { now: names.clone(), durable: names, pending: Vec::new() }
    }

    /// How many changes of it are not durable.
    pub(super) fn pending(&self) -> usize {
        match self {
            Node::File { pending, .. } => pending.len(),
            Node::Dir { pending, .. } => pending.len(),
        }
    }
}

pub(super) fn change_data(content: &mut Content, change: &DataChange) {
    match change {
        DataChange::Write { bytes, offset } => content.write(bytes, *offset),
        DataChange::SetLen(len) => content.set_len(*len),
    }
}

pub(super) fn change_names(names: &mut Names, change: &NameChange) {
    for (name, ino) in change {
        match ino {
            Some(ino) => names.insert(name.clone(), *ino),
            None => names.remove(name),
        };
    }
}

/// All files and directories; a clone shares what neither copy changes.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    nodes: BTreeMap<Ino, Arc<Node>>,
    /// Those whose durable state may differ from what programs see.
    dirty: BTreeSet<Ino>,
    /// Those that a failed sync made differ for ever.
    dropped: BTreeSet<Ino>,
    next: Ino,
    clock: u64,
}

impl Default for Disk {
    fn default() -> Self {
        let nodes = BTreeMap::from([(ROOT, Arc::new(Node::dir(Names::new())))]);
        Disk { nodes, dirty: BTreeSet::new(), dropped: BTreeSet::new(), next: ROOT + 1, clock: 0 }
    }
}

impl Disk {
    pub(super) fn node(&self, ino: Ino) -> &Node {
        self.nodes.get(&ino).unwrap_or_else(|| unreachable!("nodes are never removed"))
    }

    fn node_mut(&mut self, ino: Ino) -> &mut Node {
        let node = self.nodes.get_mut(&ino);
        Arc::make_mut(node.unwrap_or_else(|| unreachable!("nodes are never removed")))
    }

    pub(super) fn next_ino(&self) -> Ino {
        self.next
    }

    pub(super) fn dirty(&self) -> impl Iterator<Item = (Ino, &Node)> {
        self.dirty.iter().map(|ino| (*ino, self.node(*ino)))
    }

    /// Replaces a node by one that has nothing pending.
    pub(super) fn settle(&mut self, ino: Ino, node: Node) {
        debug_assert_eq!(node.pending(), 0);
        self.nodes.insert(ino, Arc::new(node));
        self.dirty.remove(&ino);
        self.dropped.remove(&ino);
        self.next = self.next.max(ino + 1);
    }

    pub(super) fn names(&self, dir: Ino) -> Option<&Names> {
        match self.node(dir) {
            Node::Dir { now, .. } => Some(now),
            Node::File { .. } => None,
        }
    }

    /// The bytes of a file, `None` for a directory.
    pub(super) fn content(&self, ino: Ino) -> Option<&Content> {
        match self.node(ino) {
            Node::File { now, .. } => Some(now),
            Node::Dir { .. } => None,
        }
    }

    pub(super) fn apply(&mut self, op: &Op) {
        self.clock += 1;
        match op {
            Op::Create { dir, name, ino, directory } => {
                let mut node = if *directory {
                    Node::dir(Names::new())
                } else {
                    Node::file(Content::default())
                };
                if let Node::File { modified, .. } = &mut node {
                    *modified = self.clock;
                }
                self.settle(*ino, node);
                self.rename(*dir, vec![(name.clone(), Some(*ino))]);
            }
            Op::Link { dir, name, ino } => {
                self.rename(*dir, vec![(name.clone(), Some(*ino))]);
            }
            Op::Unlink { dir, name } => self.rename(*dir, vec![(name.clone(), None)]),
            Op::Rename { from: (a, from), to: (b, to), ino } => {
                let (gone, new) = ((from.clone(), None), (to.clone(), Some(*ino)));
                if a == b {
                    self.rename(*a, vec![gone, new]);
                } else {
                    self.rename(*b, vec![new]);
                    self.rename(*a, vec![gone]);
                }
            }
            Op::Write { ino, bytes, offset } => {
                let (bytes, offset) = (bytes.clone(), *offset);
                self.change(*ino, DataChange::Write { bytes, offset });
            }
            Op::SetLen { ino, len } => self.change(*ino, DataChange::SetLen(*len)),
            Op::Sync { ino } => self.sync(*ino),
            Op::FailedSync { ino } => {
                if self.dirty.contains(ino) {
                    self.dropped.insert(*ino);
                }
                match self.node_mut(*ino) {
                    Node::File { pending, .. } => pending.clear(),
                    Node::Dir { pending, .. } => pending.clear(),
                }
            }
        }
    }

    fn rename(&mut self, dir: Ino, change: NameChange) {
        self.dirty.insert(dir);
        if let Node::Dir { now, pending, .. } = self.node_mut(dir) {
            change_names(now, &change);
            pending.push(change);
        }
    }

    fn change(&mut self, ino: Ino, change: DataChange) {
        self.dirty.insert(ino);
        let clock = self.clock;
        if let Node::File { now, pending, modified, .. } = self.node_mut(ino) {
            change_data(now, &change);
            pending.push(change);
            *modified = clock;
        }
    }

    fn sync(&mut self, ino: Ino) {
        if !self.dirty.contains(&ino) {
            return;
        }
        if !self.dropped.contains(&ino) {
            self.dirty.remove(&ino);
        }
        match self.node_mut(ino) {
            Node::File { durable, pending, .. } => {
                pending.drain(..).for_each(|change| change_data(durable, &change));
            }
            Node::Dir { durable, pending, .. } => {
                pending.drain(..).for_each(|change| change_names(durable, &change));
            }
        }
    }
}
