//! L1: objects, and the formats that turn them into bytes and back.
//!
//! Everything here is pure: no module of this layer reads a store, except through the [`Source`]
//! that a caller passes to walk a directory that spans several objects.
//!
//! - an [`Object`] is what a backend stores: a kind, canonical bytes, and their hash;
//! - a [`Dir`] is one decoded directory object, a [`Layout`] the way directories, values and
//!   commits become objects; there are two, [`git`] and [`irmin`]; [`Parts`] are what a directory
//!   takes over from another version of it;
//! - a [`Format`] is a layout with a hash function and a contents encoding: a value that a store
//!   records.

pub(crate) mod chunk;
mod commit;
mod dir;
mod flat;
mod format;
pub mod git;
pub mod irmin;
mod items;
mod layout;
mod parts;
mod tag;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use crate::hash::Hash;
use crate::id::Key;
use crate::numbers::Hashed;

pub use commit::CommitData;
pub use dir::{Dir, Entry, EntryKind, Metadata};
pub use format::{Format, FormatSpec, LayoutSpec, ValueEncoding};
pub use layout::{Edit, Found, Layout, OnChange, OnEntry, OnTriple, Position, Put, Source};
pub use parts::Parts;
pub use tag::TagData;

/// What an object is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// The bytes of a value.
    Value,
    /// A directory, all in one object.
    Node,
    /// A part of a directory that is spread over several objects, its root included.
    Inode,
    /// A commit.
    Commit,
    /// An annotated tag of git.
    Tag,
    /// A piece of a large value.
    Chunk,
    /// The list of the pieces of a large value; its id is that of the whole value.
    ChunkIndex,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Value => "value",
            Kind::Node => "directory",
            Kind::Inode => "directory part",
            Kind::Commit => "commit",
            Kind::Tag => "tag",
            Kind::Chunk => "chunk",
            Kind::ChunkIndex => "chunk index",
        })
    }
}

/// One object: its canonical bytes and what they refer to.
#[derive(Clone, Debug)]
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// The hash of `bytes`; of the whole value for a [`Kind::ChunkIndex`].
    pub id: Hash,
    /// The canonical bytes: the pre-image of the id, headers included.
    pub bytes: Bytes,
    /// What it refers to, in canonical order.
    ///
    /// When an object is written it is all that its `base` does not refer to: of a wide directory
    /// with one change it is one child. When it is read it is complete or empty: an engine that
    /// has neither locators nor inline values to give leaves it empty, and [`Layout::children`]
    /// finds them in the bytes.
    pub children: Vec<Child>,
    /// The directory object that this one was edited from: a hint for deltas, and the voucher of
    /// the children that are not named.
    pub base: Option<Key>,
    /// What the bytes decode to, with the locators of all that they refer to, from the layout that
    /// made them: a store that keeps its objects decoded takes it over. Whoever hands in an object
    /// vouches for it, so what comes from elsewhere comes without it.
    pub decoded: Option<Decoded>,
}

/// An object as its readers want it.
#[derive(Clone, Debug)]
pub enum Decoded {
    /// A directory, or a part of one.
    Dir(Arc<Dir>),
    /// A commit.
    Commit(Arc<CommitData>),
}

impl Object {
    /// An object that says nothing of its children.
    #[must_use]
    pub fn new(kind: Kind, id: Hash, bytes: Bytes) -> Self {
        Object { kind, id, bytes, children: Vec::new(), base: None, decoded: None }
    }

    /// The directory that came along decoded.
    pub(crate) fn dir(&self) -> Option<&Arc<Dir>> {
        match &self.decoded {
            Some(Decoded::Dir(dir)) => Some(dir),
            Some(Decoded::Commit(_)) | None => None,
        }
    }

    /// Drops what came along decoded but can be told to be of another object: a directory must be of
    /// these very bytes, and a commit refer to what the object does.
    pub(crate) fn check_decoded(&mut self) {
        let own = match &self.decoded {
            Some(Decoded::Dir(dir)) => {
                let same = dir.bytes.as_ptr() == self.bytes.as_ptr();
                let kind = matches!(self.kind, Kind::Node | Kind::Inode);
                kind && same && dir.bytes.len() == self.bytes.len() && dir.key.hash == self.id
            }
            Some(Decoded::Commit(commit)) => {
                let named = self.children.iter().map(|child| &child.key);
                self.kind == Kind::Commit && commit.references().eq(named)
            }
            None => return,
        };
        if !own {
            self.decoded = None;
        }
    }
}

impl Hashed for Object {
    fn hash(&self) -> &Hash {
        &self.id
    }
}

/// One reference of an object.
#[derive(Clone, Debug)]
pub struct Child {
    /// The object referred to.
    pub key: Key,
    /// Its canonical bytes, where an engine keeps small values in their parent's record.
    pub inline: Option<Bytes>,
}

impl From<Key> for Child {
    fn from(key: Key) -> Self {
        Child { key, inline: None }
    }
}
