//! L6: slices: a part of a history with all its objects, as a value or as a stream of bytes.
//!
//! A slice goes from some heads (`max`) down to where it stops, and holds each object once,
//! children before parents, so that whoever takes it in one object after another never meets one
//! whose parts are still to come. [`Repo::export`] makes one as a value, [`Repo::export_objects`]
//! hands out its objects one by one, and [`Repo::export_to`] writes them to a file, with little
//! memory. [`Repo::import`], [`Repo::import_objects`] and [`Repo::import_from`] take them in.
//!
//! An import checks that every object has its hash and decodes, and that what it refers to is in
//! the slice before it or in the store. It moves no branch: until a ref stands for one of the heads
//! of the slice, nobody sees what was brought in.
//!
//! # Where a slice stops
//! | option | what it leaves out |
//! |---|---|
//! | [`min`](SliceOptions::min) | the ancestors of these commits; they are in it, with their trees |
//! | [`have`](SliceOptions::have) | these commits and all that they reach |
//! | [`depth`](SliceOptions::depth) | commits that are more parent steps from every head |
//! | [`full`](SliceOptions::full)` = false` | directories and values: commits only |
//!
//! `min`, `depth` and `full` are those of the original's `Repo.export`. `have` is for the parts of
//! a slice that its receiver has: it reads and sends what is new, not whole trees.
//!
//! # The stream file
//! Lengths and counts are eight bytes, low first, unless the table says otherwise; a hash is as
//! long as the hash function's are.
//!
//! | bytes | what it is |
//! |---|---|
//! | `irminsl1` | what it is, and the version of this format |
//! | format record | its length in one byte, then the next five rows |
//! | | the name of the hash function: its length in one byte, text ([`HashFunction`](crate::HashFunction)) |
//! | | how values are encoded: `00` tagged, `01` raw |
//! | | the layout: `00` git, and the record ends; `01` Irmin |
//! | | the fan-out in four bytes; `01` if entries have modes, else `00` |
//! | | `00` without a stable bound; `01` and the bound in four bytes |
//! | heads | their number, and the hash of each |
//! | objects | each: its kind in one byte, its hash, the length of its bytes, its bytes |
//! | `00`, number of objects | the end of the objects |
//! | 32 bytes | the BLAKE3 hash of all bytes before it |
//!
//! Kinds are `01` for a value, `02` for a directory, `03` for a part of one, `04` for a commit. The
//! bytes of an object are the pre-image of its hash. Nothing may follow the end, and there is one
//! stream for one sequence of objects. A store takes in only slices of its own format.

mod export;
mod import;
mod plan;
mod stream;

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use crate::error::Result;
use crate::hash::Hash;
use crate::id::CommitId;
use crate::object::{FormatSpec, Kind};

pub use export::Export;
pub use stream::{Reader, Writer};

#[cfg(doc)]
use crate::repo::Repo;

/// Which part of a history a slice is: all of it unless something is set.
///
/// ```
/// use irmin_core::slice::SliceOptions;
/// let commits_only = SliceOptions { depth: Some(10), full: false, ..SliceOptions::default() };
/// assert!(commits_only.max.is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SliceOptions {
    /// Where it begins; `None` stands for the heads of all branches.
    pub max: Option<Vec<CommitId>>,
    /// Commits that it does not go beyond: they are in it, with all of their trees.
    pub min: Vec<CommitId>,
    /// Commits that its receiver has: neither they nor what they reach is in it. Those that this
    /// store does not know are passed over.
    ///
    /// To find out costs about as much as what is new, and not all of history, so that some of it
    /// may be in the slice all the same: directories that moved, and commits that a long line of
    /// the receiver's leads to and that are also reached otherwise.
    pub have: Vec<CommitId>,
    /// How many parent steps it goes from the nearest head; 0 is the heads only.
    pub depth: Option<usize>,
    /// Whether the trees of the commits are in it.
    pub full: bool,
}

impl Default for SliceOptions {
    fn default() -> Self {
        SliceOptions { max: None, min: Vec::new(), have: Vec::new(), depth: None, full: true }
    }
}

/// One object of a slice.
#[derive(Clone, PartialEq, Eq)]
pub struct SliceObject {
    /// A value, a directory, a part of one, or a commit.
    pub kind: Kind,
    /// Its hash.
    pub id: Hash,
    /// The pre-image of the hash.
    pub bytes: Bytes,
}

impl fmt::Debug for SliceObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({} bytes)", self.kind, self.id, self.bytes.len())
    }
}

/// A part of a history, in memory.
///
/// ```
/// # use std::sync::Arc;
/// # use irmin_core::{Context, Format, FormatSpec, Repo, backend::MemoryBackend};
/// # use irmin_core::slice::SliceOptions;
/// # let repo = || {
/// #     let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
/// #     Repo::new(backend, Context::new("ann", || 0))
/// # };
/// let (from, to) = (repo()?, repo()?);
/// from.main()?.set("a/b", "1", "one value")?;
/// let slice = from.export(&SliceOptions::default())?;
/// assert_eq!((slice.contents().count(), slice.nodes().count(), slice.commits().count()), (1, 2, 1));
/// let imported = to.import(&slice)?;
/// assert_eq!(imported.objects(), 4);
/// // No branch has moved: that is for the caller.
/// assert!(to.main()?.head()?.is_none());
/// to.main()?.set_head(to.commit(imported.heads[0])?.as_ref(), "bring a slice in")?;
/// assert_eq!(to.main()?.get("a/b")?.unwrap(), "1");
/// # Ok::<(), irmin_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// The format of its objects.
    pub format: FormatSpec,
    /// The commits that it was made from, each once, in order of ids.
    pub heads: Vec<CommitId>,
    /// Its objects, children before parents, each once.
    pub objects: Vec<SliceObject>,
}

impl Slice {
    /// The values.
    pub fn contents(&self) -> impl Iterator<Item = &SliceObject> {
        self.objects.iter().filter(|object| object.kind == Kind::Value)
    }

    /// The directories, and the parts of wide ones.
    pub fn nodes(&self) -> impl Iterator<Item = &SliceObject> {
        self.objects.iter().filter(|object| matches!(object.kind, Kind::Node | Kind::Inode))
    }

    /// The commits, parents before children.
    pub fn commits(&self) -> impl Iterator<Item = &SliceObject> {
        self.objects.iter().filter(|object| object.kind == Kind::Commit)
    }
}

/// What an import brought in.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Imported {
    /// The heads of the slice: nothing stands for them yet.
    pub heads: Vec<CommitId>,
    /// Values that were not there.
    pub contents: u64,
    /// Directories, and parts of wide ones, that were not there.
    pub nodes: u64,
    /// Commits that were not there.
    pub commits: u64,
    /// Objects of the slice that were there already.
    pub present: u64,
}

impl Imported {
    /// How many objects are new.
    #[must_use]
    pub const fn objects(&self) -> u64 {
        self.contents + self.nodes + self.commits
    }
}

/// From how many bytes on values of a stream are read and written piece by piece.
const LARGE: u64 = 1 << 20;

/// The beginning of a hash: as much as a [check](Repo::check) keeps of what it has seen.
type Mark = [u8; 16];

/// Objects that were met, as what: sixteen bytes of each hash.
#[derive(Debug, Default)]
struct Seen(HashMap<Mark, Kind>);

impl Seen {
    /// Notes an object; false if it was met before.
    fn insert(&mut self, hash: &Hash, kind: Kind) -> bool {
        match self.0.entry(mark(hash)) {
            Entry::Occupied(_) => false,
            Entry::Vacant(vacant) => {
                vacant.insert(kind);
                true
            }
        }
    }

    fn get(&self, hash: &Hash) -> Option<Kind> {
        self.0.get(&mark(hash)).copied()
    }

    fn has(&self, hash: &Hash) -> bool {
        self.0.contains_key(&mark(hash))
    }
}

fn mark(hash: &Hash) -> Mark {
    let mut mark = Mark::default();
    mark.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
    mark
}

/// Objects as they come: what slices are made of.
type Objects<'a> = dyn Iterator<Item = Result<SliceObject>> + 'a;
