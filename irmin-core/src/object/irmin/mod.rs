//! The Irmin layout: nodes, inodes and commits with the pre-images of OCaml Irmin 3.
//!
//! A directory is one flat object up to the stable bound. Above it, it is a trie: a leaf holds at
//! most as many entries as an inner node has slots, the slots are chosen by bits of the hash of
//! the step, and an inner node whose entries would fit in a leaf is one. So equal directories are
//! equal objects, whatever their history, and a change rewrites one path of the trie.

mod commit;
mod diff;
mod merge;
mod node;
mod order;
pub(super) mod varint;
mod walk;
mod write;

use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use super::format::ValueEncoding;
use super::layout::{OnChange, OnEntry, OnTriple, Put};
use super::{Child, CommitData, Dir, Edit, Entry, Kind, Layout, Object, Parts, Position, Source};
use crate::error::{Error, Result};
use crate::hash::HashFunction;
use crate::id::Key;

/// The parameters of the layout.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Params {
    /// The most entries of a leaf, and the number of slots of an inner node: a power of two from
    /// 2 to 1024 (another number counts as the next one below).
    pub fanout: u32,
    /// A directory of at most that many entries is one flat object; `None` = every directory is.
    pub stable_bound: Option<u32>,
    /// Whether entries have a place for a mode other than normal.
    pub modes: bool,
}

impl Params {
    /// OCaml's in-memory and file stores.
    pub const MEM: Params = Params { fanout: 32, stable_bound: None, modes: false };
    /// OCaml's irmin-pack with its default configuration.
    pub const PACK: Params = Params { fanout: 32, stable_bound: Some(256), modes: false };
    /// New stores of our own.
    pub const NATIVE: Params = Params { fanout: 32, stable_bound: Some(32), modes: true };
}

/// Irmin's objects.
#[derive(Debug)]
pub struct IrminLayout {
    hash: HashFunction,
    params: Params,
    values: ValueEncoding,
    order: order::Order,
}

impl IrminLayout {
    /// The layout with its parameters.
    #[must_use]
    pub fn new(hash: HashFunction, params: Params, values: ValueEncoding) -> Self {
        IrminLayout { hash, params, values, order: order::Order::new(hash, params.fanout) }
    }
}

/// What the binary form of a string of this length begins with.
pub(crate) fn string_header(len: u64) -> Vec<u8> {
    let mut out = Vec::new();
    varint::put(&mut out, len);
    out
}

/// The first byte of a value's pre-image.
const VALUE: u8 = b'B';

impl Layout for IrminLayout {
    fn decode(&self, key: Key, object: &Object) -> Result<Dir> {
        node::decode(self, key, object)
    }

    fn check_root(&self, dir: &Dir) -> Result<()> {
        let flat = write::is_flat(self, dir.len());
        if dir.depth == 0 && flat != node::is_inode(dir) {
            return Ok(());
        }
        let why = "it is in a form that no directory begins with";
        Err(Error::corrupt("directory", &dir.key().hash, why))
    }

    fn find(&self, source: &dyn Source, dir: &Dir, name: &[u8]) -> Result<Option<Entry>> {
        walk::find(self, source, dir, name)
    }

    fn open(&self, source: &dyn Source, dir: &Dir, name: &[u8]) -> Result<Option<Arc<Dir>>> {
        let found = walk::open(self, source, dir, name)?;
        found.as_ref().map_or(Ok(()), |dir| self.check_root(dir))?;
        Ok(found)
    }

    fn scan(
        &self,
        source: &dyn Source,
        dir: &Dir,
        after: Option<&Position>,
        f: &mut OnEntry<'_>,
    ) -> Result<()> {
        walk::scan(self, source, dir, after, f)
    }

    fn diff(
        &self,
        source: &dyn Source,
        a: Option<&Dir>,
        b: Option<&Dir>,
        f: &mut OnChange<'_>,
    ) -> Result<()> {
        diff::diff(self, source, a, b, f)
    }

    fn merge(
        &self,
        source: &dyn Source,
        versions: [&Arc<Dir>; 3],
        f: &mut OnTriple<'_>,
    ) -> Result<Parts> {
        merge::merge(self, source, versions, f)
    }

    fn diff_parts(
        &self,
        source: &dyn Source,
        dir: &Dir,
        parts: &Parts,
        f: &mut OnChange<'_>,
    ) -> Result<()> {
        parts.node().map_or(Ok(()), |node| merge::diff_parts(self, source, dir, node, f))
    }

    fn write(
        &self,
        source: &dyn Source,
        base: Option<&Dir>,
        parts: &Parts,
        edits: &[Edit<'_>],
        put: &mut Put<'_>,
    ) -> Result<Key> {
        write::write(self, source, base, parts, edits, put)
    }

    fn value_header(&self, _: u64) -> Bytes {
        Bytes::from_static(match self.values {
            ValueEncoding::Tagged => &[VALUE],
            ValueEncoding::Raw => &[],
        })
    }

    fn decode_value(&self, object: &Object) -> Result<Bytes> {
        match (self.values, object.bytes.first()) {
            (ValueEncoding::Raw, _) => Ok(object.bytes.clone()),
            (ValueEncoding::Tagged, Some(&VALUE)) => Ok(object.bytes.slice(1..)),
            _ => Err(Error::corrupt("value", &object.id, "it does not begin with `B`")),
        }
    }

    fn encode_commit(&self, commit: &CommitData) -> Result<Bytes> {
        commit::encode(self.hash.len(), commit)
    }

    fn decode_commit(&self, object: &Object) -> Result<CommitData> {
        commit::decode(self.hash.len(), object)
    }

    fn children(&self, object: &Object) -> Result<Vec<(Kind, Child)>> {
        match object.kind {
            Kind::Value => Ok(Vec::new()),
            Kind::Chunk | Kind::ChunkIndex => super::chunk::children(self.hash.len(), object),
            Kind::Node | Kind::Inode => node::children(self, object),
            Kind::Commit => {
                let commit = self.decode_commit(object)?;
                let parents = commit.parents.into_iter().map(|key| (Kind::Commit, key.into()));
                Ok(core::iter::once((Kind::Node, commit.tree.into())).chain(parents).collect())
            }
            Kind::Tag => Err(Error::corrupt("tag", &object.id, "this format has no tags")),
        }
    }
}
