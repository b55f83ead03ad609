//! The interface of layouts: how directories, values and commits become objects.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Debug;
use core::ops::ControlFlow;

use bytes::Bytes;

use super::{Child, CommitData, Dir, Entry, Kind, Object, Parts, TagData};
use crate::error::{Code, Error, Result};
use crate::id::Key;

/// Where a layout gets the objects of a directory that spans several.
pub trait Source: Send + Sync {
    /// The decoded directory objects of these keys, in their order.
    ///
    /// Layouts ask for a whole frontier at once, never for one object at a time where they know
    /// of more.
    ///
    /// # Errors
    /// `missing_objects` with all the keys that are not at hand, or what decoding says.
    fn load(&self, keys: &[Key]) -> Result<Vec<Arc<Dir>>>;

    /// What places in other directories refer to: the number of an entry or of an occupied slot.
    ///
    /// A source that keeps its directories may know them without looking for their keys.
    ///
    /// # Errors
    /// As [`Source::load`].
    fn children(&self, places: &[(&Dir, usize)]) -> Result<Vec<Arc<Dir>>> {
        let keys: Vec<Key> = places.iter().map(|(dir, at)| dir.child_key(*at)).collect();
        self.load(&keys)
    }

    /// What one place refers to: what finding a name asks for at every level.
    ///
    /// # Errors
    /// As [`Source::load`].
    fn child(&self, dir: &Dir, at: usize) -> Result<Arc<Dir>> {
        let child = self.children(&[(dir, at)])?.pop();
        child.ok_or_else(|| Error::missing_objects(Vec::from([dir.child_key(at)])))
    }
}

/// One change of a directory: the new entry of a name, or its removal.
#[derive(Clone, Copy, Debug)]
pub struct Edit<'a> {
    /// The step.
    pub name: &'a [u8],
    /// What it becomes.
    pub entry: Option<Entry>,
}

/// A place in the natural order of a directory: opaque, stable while the directory is the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Position(pub Bytes);

/// What a scan calls: the position and name of an entry, and the entry.
pub type OnEntry<'a> = dyn FnMut(&Position, &[u8], Entry) -> ControlFlow<()> + 'a;

/// Where an entry is: the object that holds it, and its place there.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    pub(crate) dir: &'a Dir,
    pub(crate) at: usize,
}

impl Found<'_> {
    /// The entry.
    #[must_use]
    pub fn entry(&self) -> Option<Entry> {
        self.dir.entry_at(self.at)
    }
}

/// What a diff calls: a name, and where its entry is on either side.
pub type OnChange<'a> = dyn FnMut(&[u8], [Option<Found<'_>>; 2]) -> ControlFlow<()> + 'a;

/// What a merge calls: a name, and where its entry is in the base, in ours and in theirs.
pub type OnTriple<'a> = dyn FnMut(&[u8], [Option<Found<'_>>; 3]) -> ControlFlow<()> + 'a;

/// What a layout hands new objects to, children first; it answers where they are.
pub type Put<'a> = dyn FnMut(Object) -> Result<Key> + 'a;

/// How directories, values and commits become objects.
///
/// A [`Dir`] is opaque to everything above: it is asked through these methods, so that nothing
/// above knows which layout it is, or whether a directory is one object or a thousand. All
/// directories are canonical: equal entries give equal objects, whatever their history.
///
/// # Contract
/// - Costs follow the change: `find` loads O(depth of the trie) objects, `diff` and `write` O(changes
///   x depth), `merge` O(changes of both sides in one part x depth); none depends on the width except where one object *is* the directory.
/// - Decoders accept exactly the canonical encodings (of git's objects, what plain `git fsck`
///   accepts, which is then kept byte for byte), bound what they allocate by the length of
///   the input, do not recurse and do not panic.
///
/// ```
/// # use std::sync::Arc;
/// # use irmin_core::{Context, Format, FormatSpec, Repo, backend::MemoryBackend};
/// # let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
/// # let repo = Repo::new(backend, Context::new("ann", || 1_000))?;
/// use irmin_core::backend::Wait;
///
/// let commit = repo.main()?.set("a/b", "1", "why")?.unwrap();
/// let object = repo.backend().get(&commit.id().hash().into(), Wait::Block)?.unwrap();
/// let decoded = repo.format().layout().decode_commit(&object)?;
/// assert_eq!((decoded.parents.len(), &decoded.info), (0, commit.info()));
/// # Ok::<(), irmin_core::Error>(())
/// ```
pub trait Layout: Send + Sync + Debug {
    /// Decodes one directory object; `key` is what it was read by.
    ///
    /// # Errors
    /// `corrupt_object`.
    fn decode(&self, key: Key, object: &Object) -> Result<Dir>;

    /// Checks that a decoded object is one that a directory begins with: a part of one that stands
    /// alone would give equal directories two hashes.
    ///
    /// # Errors
    /// `corrupt_object`.
    fn check_root(&self, _dir: &Dir) -> Result<()> {
        Ok(())
    }

    /// The entry of a name.
    ///
    /// # Errors
    /// Those of the source.
    fn find(&self, source: &dyn Source, dir: &Dir, name: &[u8]) -> Result<Option<Entry>>;

    /// The object that the directory of a name begins with; nothing where a name stands for
    /// anything else, or for nothing.
    ///
    /// # Errors
    /// Those of the source, and `corrupt_object` for a part of a directory that stands alone.
    fn open(&self, source: &dyn Source, dir: &Dir, name: &[u8]) -> Result<Option<Arc<Dir>>>;

    /// Calls `f` for the entries in natural order, from after a position, until it breaks.
    ///
    /// # Errors
    /// Those of the source, and `invalid_argument` for a position that is none of this layout's.
    fn scan(
        &self,
        source: &dyn Source,
        dir: &Dir,
        after: Option<&Position>,
        f: &mut OnEntry<'_>,
    ) -> Result<()>;

    /// Calls `f` for every name whose entry differs between two directories, in ascending order
    /// of names within each object compared; an absent directory is an empty one.
    ///
    /// # Errors
    /// Those of the source.
    fn diff(
        &self,
        source: &dyn Source,
        a: Option<&Dir>,
        b: Option<&Dir>,
        f: &mut OnChange<'_>,
    ) -> Result<()>;

    /// Calls `f` for the names whose entries differ between the base and theirs, of a base, ours and
    /// theirs, in no order; but where only they changed a part of the directory, which then is in
    /// the merge as they have it, its names are not looked at: it is in the answer.
    ///
    /// # Errors
    /// Those of the source.
    fn merge(
        &self,
        source: &dyn Source,
        versions: [&Arc<Dir>; 3],
        f: &mut OnTriple<'_>,
    ) -> Result<Parts>;

    /// Calls `f` for every name whose entry in a directory is not that which it has in some parts:
    /// with where both are, in no order.
    ///
    /// # Errors
    /// Those of the source; `corrupt_object` for parts of another directory.
    fn diff_parts(
        &self,
        _source: &dyn Source,
        _dir: &Dir,
        _parts: &Parts,
        _f: &mut OnChange<'_>,
    ) -> Result<()> {
        Ok(())
    }

    /// Puts parts into a directory in the place of its own, applies edits (ascending names, each
    /// once) to what is in no such part, hands every new object to `put` children first, and returns
    /// the key of the root object.
    ///
    /// Edits that change nothing return the key of `base` and put nothing. The result may be the
    /// empty directory, which is an object like any other.
    ///
    /// # Errors
    /// Those of the source and of `put`; `unrepresentable` for an entry that the layout has no
    /// place for; `payload_too_large` for an object over the bounds of the format.
    fn write(
        &self,
        source: &dyn Source,
        base: Option<&Dir>,
        parts: &Parts,
        edits: &[Edit<'_>],
        put: &mut Put<'_>,
    ) -> Result<Key>;

    /// What the pre-image of a value with this many encoded bytes begins with: the bytes follow.
    ///
    /// So a value is hashed as it comes, without ever being held whole.
    fn value_header(&self, len: u64) -> Bytes;

    /// The pre-image of a value with these encoded bytes.
    fn encode_value(&self, value: &[u8]) -> Bytes {
        let header = self.value_header(value.len() as u64);
        let mut out = Vec::with_capacity(header.len().saturating_add(value.len()));
        out.extend_from_slice(&header);
        out.extend_from_slice(value);
        out.into()
    }

    /// The encoded bytes of a value, from its pre-image.
    ///
    /// # Errors
    /// `corrupt_object`.
    fn decode_value(&self, object: &Object) -> Result<Bytes>;

    /// The pre-image of a commit.
    ///
    /// # Errors
    /// `unrepresentable` for an info that the layout cannot hold, `invalid_value` for one that
    /// would break its syntax.
    fn encode_commit(&self, commit: &CommitData) -> Result<Bytes>;

    /// A commit, from its object.
    ///
    /// # Errors
    /// `corrupt_object`.
    fn decode_commit(&self, object: &Object) -> Result<CommitData>;

    /// The pre-image of an annotated tag.
    ///
    /// # Errors
    /// `unrepresentable` in a layout without such tags, as the Irmin layout is; `invalid_name` or
    /// `invalid_value` for what would break the syntax.
    fn encode_tag(&self, _tag: &TagData) -> Result<Bytes> {
        let why = "stores of this format have no annotated tags: make one without a message";
        Err(Error::new(Code::Unrepresentable, why))
    }

    /// An annotated tag, from its object.
    ///
    /// # Errors
    /// `corrupt_object`.
    fn decode_tag(&self, object: &Object) -> Result<TagData> {
        Err(Error::corrupt("tag", &object.id, "this format has no tags"))
    }

    /// What an object of any kind refers to, in canonical order, from its bytes, each with the
    /// kind of object to expect: [`Kind::Node`] where a directory begins.
    ///
    /// # Errors
    /// `corrupt_object`.
    fn children(&self, object: &Object) -> Result<Vec<(Kind, Child)>>;
}
