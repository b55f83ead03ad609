//! The Git layout: git's blobs, trees and commits, byte for byte.
//!
//! An object is its whole pre-image: the type, the length, a NUL and the content, as
//! `git hash-object` hashes it. Decoding accepts what plain `git fsck` accepts, warnings included:
//! odd modes, foreign names such as `.git` or `..`, empty trees. What this library would not write
//! survives edits of its siblings byte for byte.

mod commit;
mod tag;
mod tree;

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::{ControlFlow, Range};

use bytes::Bytes;

use super::layout::{OnChange, OnEntry, OnTriple, Put};
use super::{
    Child, CommitData, Dir, Edit, Entry, Kind, Layout, Object, Parts, Position, Source, TagData,
    flat,
};
use crate::error::{Code, Error, Result};
use crate::hash::{Hash, HashFunction};
use crate::id::Key;

/// Git's objects.
#[derive(Debug)]
pub struct GitLayout {
    hash: HashFunction,
}

impl GitLayout {
    /// The layout, with the hash function of the repository.
    #[must_use]
    pub fn new(hash: HashFunction) -> Self {
        GitLayout { hash }
    }
}

impl Layout for GitLayout {
    fn decode(&self, key: Key, object: &Object) -> Result<Dir> {
        tree::decode(self.hash.len(), key, object)
    }

    fn find(&self, _: &dyn Source, dir: &Dir, name: &[u8]) -> Result<Option<Entry>> {
        Ok(dir.lookup(name).map(|item| dir.entry(item)))
    }

    fn open(&self, source: &dyn Source, dir: &Dir, name: &[u8]) -> Result<Option<Arc<Dir>>> {
        dir.place_of_node(name).map(|at| source.child(dir, at)).transpose()
    }

    fn scan(
        &self,
        _: &dyn Source,
        dir: &Dir,
        after: Option<&Position>,
        f: &mut OnEntry<'_>,
    ) -> Result<()> {
        let (ControlFlow::Continue(()) | ControlFlow::Break(())) =
            dir.scan_entries(after.map(|position| &*position.0), f);
        Ok(())
    }

    fn diff(
        &self,
        _: &dyn Source,
        a: Option<&Dir>,
        b: Option<&Dir>,
        f: &mut OnChange<'_>,
    ) -> Result<()> {
        if a.map(Dir::key) == b.map(Dir::key) {
            return Ok(());
        }
        let side = |dir: Option<_>| dir.into_iter().flat_map(flat::all);
        let (ControlFlow::Continue(()) | ControlFlow::Break(())) = match (a, b) {
            (Some(a), Some(b)) => flat::diff_dirs(a, b, f),
            _ => flat::diff_sorted(&mut side(a), &mut side(b), f),
        };
        Ok(())
    }

    fn merge(
        &self,
        _: &dyn Source,
        [base, ours, theirs]: [&Arc<Dir>; 3],
        f: &mut OnTriple<'_>,
    ) -> Result<Parts> {
        let (ControlFlow::Continue(()) | ControlFlow::Break(())) =
            flat::triples(base, ours, theirs, f);
        Ok(Parts::NONE)
    }

    fn write(
        &self,
        _: &dyn Source,
        base: Option<&Dir>,
        parts: &Parts,
        edits: &[Edit<'_>],
        put: &mut Put<'_>,
    ) -> Result<Key> {
        if !parts.is_none() {
            let why = "a tree of git is one object: it takes over no parts";
            return Err(Error::new(Code::InvalidArgument, why));
        }
        flat::check_edits(edits)?;
        match tree::write(self.hash, base, edits)? {
            tree::Written::Same(key) => Ok(key),
            tree::Written::New(object) => put(object),
        }
    }

    fn value_header(&self, len: u64) -> Bytes {
        format!("blob {len}\0").into()
    }

    fn decode_value(&self, object: &Object) -> Result<Bytes> {
        let content = content("blob", object)?;
        Ok(object.bytes.slice(content))
    }

    fn encode_commit(&self, commit: &CommitData) -> Result<Bytes> {
        commit::encode(self.hash.len(), commit)
    }

    fn decode_commit(&self, object: &Object) -> Result<CommitData> {
        commit::decode(self.hash.len(), object)
    }

    fn encode_tag(&self, tag: &TagData) -> Result<Bytes> {
        tag::encode(self.hash.len(), tag)
    }

    fn decode_tag(&self, object: &Object) -> Result<TagData> {
        tag::decode(self.hash.len(), object)
    }

    fn children(&self, object: &Object) -> Result<Vec<(Kind, Child)>> {
        match object.kind {
            Kind::Value => Ok(Vec::new()),
            Kind::Chunk | Kind::ChunkIndex => super::chunk::children(self.hash.len(), object),
            Kind::Node | Kind::Inode => tree::children(self.hash.len(), object),
            Kind::Tag => {
                let (kind, target) = tag::target(self.hash.len(), object)?;
                Ok(Vec::from([(kind, target.into())]))
            }
            Kind::Commit => {
                let commit = self.decode_commit(object)?;
                let parents = commit.parents.into_iter().map(|key| (Kind::Commit, key.into()));
                Ok(core::iter::once((Kind::Node, commit.tree.into())).chain(parents).collect())
            }
        }
    }
}

/// A line of a word and a hash in lower-case hexadecimal, and what follows it.
fn hash_line<'a>(text: &'a [u8], word: &[u8], hash_len: usize) -> Option<(Hash, &'a [u8])> {
    let rest = text.strip_prefix(word)?;
    let (digits, rest) = rest.split_at_checked(2 * hash_len)?;
    // Git reads capitals too and no program writes them; what decodes here encodes to the same.
    if digits.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    let hash = core::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((hash, rest.strip_prefix(b"\n")?))
}

/// Where the content of an object is in its bytes, after a header that must be right.
fn content(kind: &str, object: &Object) -> Result<Range<usize>> {
    let bytes: &[u8] = &object.bytes;
    let header = || {
        let rest = bytes.strip_prefix(kind.as_bytes())?.strip_prefix(b" ")?;
        let digits = rest.iter().take(20).take_while(|b| b.is_ascii_digit()).count();
        let (number, rest) = rest.split_at_checked(digits)?;
        let content = rest.strip_prefix(b"\0")?;
        let len = core::str::from_utf8(number).ok()?.parse::<usize>().ok()?;
        let canonical = number == b"0" || number.first() != Some(&b'0');
        (canonical && len == content.len()).then(|| bytes.len() - len..bytes.len())
    };
    header().ok_or_else(|| {
        let why = format!("its header is not `{kind}` and the length of the content");
        Error::corrupt(&format!("{}", object.kind), &object.id, why)
    })
}

/// The bytes of an object whose content has this length.
fn with_header(kind: &str, len: usize, content: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let header = format!("{kind} {len}\0");
    let mut out = Vec::with_capacity(header.len().saturating_add(len));
    out.extend_from_slice(header.as_bytes());
    content(&mut out);
    out.into()
}
