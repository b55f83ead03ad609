//! L3: where objects and refs are kept, and the contract of whoever keeps them.

mod chunked;
mod counted;
mod fs;
mod group;
mod journal;
mod memory;
mod notify;
mod pass_on;
mod ref_table;
mod strict;
mod values;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::fmt;
use core::ops::Range;

use bytes::Bytes;

use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::id::{HashPrefix, Key};
use crate::io::Read;
use crate::name::RefName;
use crate::object::{CommitData, Dir, Format, Object};

pub use chunked::{Chunked, Chunking};
pub use counted::{Counted, Counts};
pub use fs::{FsBackend, FsInit, FsOptions};
pub use group::{GroupCommit, Ticket};
pub use journal::{JournalOptions, Journaled, Operation, Operations, Origin, Trouble};
pub use memory::MemoryBackend;
pub use notify::{Notifier, WatchGuard};
#[doc(hidden)]
pub use pass_on::passed;
pub use ref_table::RefTable;
pub use strict::StrictMemory;
pub(crate) use values::{Held, IN_PIECES, copy_value, value_hash};
pub use values::{ValueRead, open_whole, put_collected};

/// The most objects that [`Backend::find_prefix`] answers: more candidates help nobody choose.
pub const MAX_CANDIDATES: usize = 32;

/// Whether a read may wait for the disk or the network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wait {
    /// It may.
    Block,
    /// It may not: what is not resident is `missing_objects`.
    Resident,
}

/// Which value of a ref is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum View {
    /// The value that survives a crash, as safe as its writer asked for: what readers, watches
    /// and servers see. What was acknowledged is seen, also after a relaxed write.
    Durable,
    /// The value last submitted: what writers build on.
    Tip,
}

/// What a ref stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// An object: a commit, or a tag.
    Object(Key),
    /// Another ref.
    Symbolic(RefName),
}

/// What an edit expects of a ref.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expected {
    /// Anything.
    Any,
    /// That it does not exist.
    Absent,
    /// That it has this value.
    Is(Target),
}

/// The change of one ref.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefEdit {
    /// The ref.
    pub name: RefName,
    /// What must hold for the change to be made.
    pub expected: Expected,
    /// The new value, or its removal.
    pub new: Option<Target>,
}

/// How safe a write must be when it is acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Durability {
    /// It survives the loss of power.
    ///
    /// The one exception is a git repository whose owner has turned syncs off by git's own
    /// `core.fsync`: it gives that up for all writes, whatever they ask for, as it does when git
    /// writes to it.
    #[default]
    Durable,
    /// It survives the end of the process; the loss of power may take back the latest writes,
    /// always a suffix of them.
    ///
    /// This is a permission that a backend uses where it is master of its files. Stores in git
    /// repositories (unless their owner turned that off, see above) and in plain files sync these
    /// writes, too: any program sees a ref as soon as
    /// it has moved, and may build on it, make another ref of it or pack it. What a loss of power
    /// then takes back is not a suffix of our writes any more but a hole below those of others,
    /// which no recovery of ours could mend, and a ref held back until it is durable could be moved
    /// by others after the write was acknowledged.
    Relaxed,
}

/// Who made a change of refs, when and why: for journals such as git's reflog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// Who, as `name <e-mail>` or `name`.
    pub author: String,
    /// Seconds since 1970.
    pub date: i64,
    /// What, in one line.
    pub message: String,
}

/// Objects and ref changes that become visible and durable together, or not at all.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The new objects, children before parents.
    pub objects: Vec<Object>,
    /// The ref changes, at most one for a name.
    pub edits: Vec<RefEdit>,
    /// How safe they must be.
    pub durability: Durability,
    /// Who and why.
    pub note: Note,
}

/// How a publish ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Published {
    /// All of it is there, as safe as was asked.
    Done {
        /// Where the objects of the batch are, in its order; none for a stage, whose
        /// [`put`](Stage::put) said it.
        keys: Vec<Key>,
    },
    /// None of it is there: a ref was not as expected.
    Lost {
        /// The ref.
        name: RefName,
        /// What it is.
        actual: Option<Target>,
    },
}

/// A publish whose place in the order is fixed and whose acknowledgement may still be to come.
pub enum Submitted<'a> {
    /// It has ended.
    Ended(Published),
    /// The tips of its refs are moved; calling this waits until they are durable.
    Accepted(Box<dyn FnOnce() -> Result<Published> + Send + 'a>),
}

impl Submitted<'_> {
    /// Waits for the end.
    ///
    /// # Errors
    /// `io` or `poisoned` if it could not be made durable.
    pub fn wait(self) -> Result<Published> {
        match self {
            Submitted::Ended(published) => Ok(published),
            Submitted::Accepted(wait) => wait(),
        }
    }
}

impl fmt::Debug for Submitted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Submitted::Ended(published) => f.debug_tuple("Ended").field(published).finish(),
            Submitted::Accepted(_) => f.write_str("Accepted"),
        }
    }
}

/// While it is held, what the refs reached when it was made stays readable.
///
/// Shared, since every handle of what was read holds it, and a store in which nothing is removed
/// may hand out the same one to all.
pub type Pin = Arc<dyn Any + Send + Sync>;

/// One change of a ref that became durable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefChange {
    /// The ref.
    pub name: RefName,
    /// What it was.
    pub old: Option<Target>,
    /// What it is.
    pub new: Option<Target>,
}

/// What a watch calls, outside of all locks, in the order in which refs became durable.
pub type OnRefChange = Arc<dyn Fn(&RefChange) + Send + Sync>;

/// A place that keeps objects and refs.
///
/// # Contract
///
/// For callers:
/// - take a [`pin`](Backend::pin) before reading a ref, and hold it while reading what it reaches;
/// - name children before parents in a batch, and by hash alone where they are in the batch;
/// - an edit is of the very ref that it names: follow symbolic refs with [`resolve_ref`] first;
/// - a [`Submitted::Accepted`] that is dropped unwaited may still become durable.
///
/// For implementers:
/// - a locator is a hint: check that the record has the key's hash, else look it up, else answer
///   `None`; never return bytes of another object, never reuse a locator;
/// - a publish is refused whole if a child that an object [names](crate::Object::children) is
///   neither in the batch nor in the store (`missing_objects`, or `collected`); so it is if the
///   object that a ref shall stand for is, while a symbolic ref may stand for one that does not
///   exist yet;
/// - a name that is new in a batch clashes with the others of the batch and with every ref that
///   there is, also with one that the batch removes, as in git; expectations are checked first;
/// - an object that is there already may be put again, which changes nothing;
/// - edits check their expectation against the *tip*, and a later acknowledgement implies the
///   earlier ones; readers and watches see only durable values;
/// - [`submit`](Backend::submit) tells no watches, so that its callers may hold locks of their own;
///   waiting for what was submitted may;
/// - an edit that changes nothing is no [`RefChange`]; watches hear of the others in their order,
///   at the latest when the store is next used, and may use the store themselves;
/// - a failed sync fails every publish that is not acknowledged yet, and all later ones
///   (`poisoned`) until the store is opened again.
///
/// ```
/// # use std::sync::Arc;
/// # use irmin_core::{Context, Format, FormatSpec, Repo, backend::MemoryBackend};
/// # let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
/// # let repo = Repo::new(backend, Context::new("ann", || 1_000))?;
/// use irmin_core::backend::{Backend, Target, View, Wait};
///
/// let value = repo.format().value(b"1").id;
/// let commit = repo.main()?.set("a", "1", "one")?.unwrap();
/// let backend: &Arc<dyn Backend> = repo.backend();
/// let name = "refs/heads/main".parse()?;
/// let Some(Target::Object(head)) = backend.read_ref(&name, View::Durable)? else { panic!() };
/// assert_eq!(head.hash, commit.id().hash());
/// let object = backend.get(&value.into(), Wait::Block)?.unwrap();
/// assert_eq!(object.bytes, "blob 1\01");
/// # Ok::<(), irmin_core::Error>(())
/// ```
pub trait Backend: Send + Sync + fmt::Debug {
    /// The format of everything in it.
    fn format(&self) -> &Format;

    /// Keeps what the refs reach now readable until the pin is dropped.
    ///
    /// # Errors
    /// `io`.
    fn pin(&self) -> Result<Pin>;

    /// Reads objects: the answer is parallel to the keys, `None` where there is no such object.
    ///
    /// # Errors
    /// `missing_objects` if `wait` forbids to look for some, `corrupt_object`, `io`.
    fn get_many(&self, keys: &[Key], wait: Wait) -> Result<Vec<Option<Object>>>;

    /// Reads one object: what a walk along a path asks for.
    ///
    /// # Errors
    /// As [`get_many`](Backend::get_many).
    fn get(&self, key: &Key, wait: Wait) -> Result<Option<Object>> {
        Ok(self.get_many(core::slice::from_ref(key), wait)?.pop().flatten())
    }

    /// Reads one object, unless it has more than so many bytes: a store that knows the length of
    /// what it has not read refuses it unread, so that no memory is taken for what the caller would
    /// not take. Others read it all the same.
    ///
    /// # Errors
    /// As [`get`](Backend::get), and `payload_too_large`.
    fn get_within(&self, key: &Key, most: u64, wait: Wait) -> Result<Option<Object>> {
        let _ = most;
        self.get(key, wait)
    }

    /// The decoded directory object of a key, where the engine keeps directories decoded: what is
    /// in memory anyway is decoded once, whoever reads it, and found without a cache in between.
    ///
    /// `None` says nothing of the object: [`get_many`](Backend::get_many) does.
    fn resident_dir(&self, _key: &Key) -> Option<Arc<Dir>> {
        None
    }

    /// The decoded commit of a key, as [`resident_dir`](Backend::resident_dir) of a directory: walks
    /// through a history that was walked before decode nothing.
    fn resident_commit(&self, _key: &Key) -> Option<Arc<CommitData>> {
        None
    }

    /// Reads a part of the encoded bytes of a value: what of the range lies inside it.
    ///
    /// # Errors
    /// As [`get_many`](Backend::get_many), `missing_objects` if the value is absent, and
    /// `invalid_argument` if the object is no value.
    fn read_range(&self, key: &Key, range: Range<u64>) -> Result<Bytes>;

    /// Opens values for reading piece by piece: the answer is parallel to the keys, `None` where
    /// there is no such object.
    ///
    /// Stores that keep large values hold no more of them in memory than a piece; the others, which
    /// need not implement this, read them whole.
    ///
    /// # Errors
    /// As [`get_many`](Backend::get_many), and `invalid_argument` if an object is no value.
    fn open_values(&self, keys: &[Key], wait: Wait) -> Result<Vec<Option<Box<dyn ValueRead>>>> {
        open_whole(self, keys, wait)
    }

    /// Where objects are: `None` where there is no such object.
    ///
    /// # Errors
    /// `unsupported` if the store has no index, `io`.
    fn find_many(&self, hashes: &[Hash]) -> Result<Vec<Option<Key>>>;

    /// The objects whose hash begins so, in order, the first [`MAX_CANDIDATES`] of them.
    ///
    /// # Errors
    /// `unsupported` if the store has no index, `io`.
    fn find_prefix(&self, prefix: &HashPrefix) -> Result<Vec<Key>>;

    /// The refs under `refs/` whose name begins so, in order, with their durable values, all of
    /// one moment. `HEAD` and its like are in no listing.
    ///
    /// # Errors
    /// `io`, `corrupt_store`.
    fn refs(&self, prefix: &str) -> Result<Vec<(RefName, Target)>>;

    /// The names that [`refs`](Backend::refs) lists, also of refs whose values cannot be
    /// understood: so that a check can tell of each, and goes on around it.
    ///
    /// # Errors
    /// `io`, `corrupt_store`.
    fn ref_names(&self, prefix: &str) -> Result<Vec<RefName>> {
        Ok(self.refs(prefix)?.into_iter().map(|(name, _)| name).collect())
    }

    /// The value of a ref.
    ///
    /// # Errors
    /// `io`, `corrupt_store`.
    fn read_ref(&self, name: &RefName, view: View) -> Result<Option<Target>>;

    /// Fixes the place of a batch in the order of writes, moving the tips of its refs.
    ///
    /// # Errors
    /// `missing_objects` or `collected` for an absent child, `name_clash` for a ref that cannot
    /// exist beside another, `invalid_argument` for two edits of one ref, `locked` if another
    /// process holds what is needed, `poisoned`, `read_only`, `io`. Nothing of the batch is
    /// visible then.
    fn submit(&self, batch: Batch) -> Result<Submitted<'_>>;

    /// Submits a batch and waits for it.
    ///
    /// # Errors
    /// Those of [`submit`](Backend::submit) and [`Submitted::wait`].
    fn publish(&self, batch: Batch) -> Result<Published> {
        self.submit(batch)?.wait()
    }

    /// Begins a write that does not fit in memory.
    ///
    /// # Errors
    /// `read_only`, `io`.
    fn stage(&self) -> Result<Box<dyn Stage + '_>>;

    /// Calls `notify` for each change of a ref that this handle makes or that
    /// [`refresh`](Backend::refresh) finds, until the guard is dropped.
    ///
    /// # Errors
    /// `unsupported`.
    fn watch(&self, notify: OnRefChange) -> Result<WatchGuard>;

    /// Brings in what other processes did, and reports it to the watches.
    ///
    /// # Errors
    /// `io`, `corrupt_store`.
    fn refresh(&self) -> Result<()>;

    /// What the store records of how its values merge: programs that would merge otherwise do not.
    fn recorded(&self) -> Recorded {
        Recorded::default()
    }

    /// What this store can do beyond the contract's minimum.
    fn capabilities(&self) -> Capabilities;
}

/// How the values of a store merge, by name: what is not recorded is left to the program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The type of the values ([`Contents::TYPE`](crate::Contents::TYPE)).
    pub contents: Option<String>,
    /// The names of merge policies, by the pattern of the paths they are for.
    pub policies: Vec<(String, String)>,
}

/// What stores may differ in: the conformance suite asks for no more than is declared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Capabilities {
    /// Whether a crash leaves all the refs of a batch changed, or none.
    pub atomic_refs: bool,
    /// Whether the store is still there when it is opened again.
    pub persistent: bool,
    /// Whether several processes may write it.
    pub shared: bool,
    /// Whether it keeps objects under ids that are not the hash of their bytes
    /// ([`Kind::ChunkIndex`](crate::Kind::ChunkIndex)), as [`Chunked`] needs.
    pub foreign_ids: bool,
}

impl Capabilities {
    /// Declares them.
    #[must_use]
    pub const fn new(atomic_refs: bool, persistent: bool, shared: bool) -> Self {
        Capabilities { atomic_refs, persistent, shared, foreign_ids: false }
    }

    /// Declares that foreign ids are kept.
    #[must_use]
    pub const fn with_foreign_ids(self) -> Self {
        Capabilities { foreign_ids: true, ..self }
    }
}

/// A write that is prepared piece by piece: invisible until published, gone if dropped.
pub trait Stage: Send {
    /// Writes objects, children before parents, and says where they are. Their children are in
    /// the store, in the stage already, or before them here. The same object may come any number
    /// of times.
    ///
    /// # Errors
    /// As [`Backend::submit`], and `io` when the disk is full. None of these objects is in the
    /// stage then; those of earlier calls are.
    fn put(&mut self, objects: Vec<Object>) -> Result<Vec<Key>>;

    /// Writes a value of `len` encoded bytes as it comes, and says where it is.
    ///
    /// Stores that keep large values hold no more of it in memory than a piece; the others, which
    /// need not implement this, collect it first. `format` is that of the store.
    ///
    /// # Errors
    /// `invalid_argument` if there are fewer or more bytes than `len`, as [`put`](Stage::put), and
    /// those of reading.
    fn put_value(&mut self, format: &Format, len: u64, read: &mut dyn Read) -> Result<Key> {
        put_collected(self, format, len, read)
    }

    /// Reads objects of this stage; `None` for any other.
    ///
    /// # Errors
    /// As [`Backend::get_many`].
    fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Object>>>;

    /// Makes all objects of the stage and some ref changes visible and durable together.
    ///
    /// # Errors
    /// As [`Backend::publish`].
    fn publish(
        self: Box<Self>,
        edits: Vec<RefEdit>,
        durability: Durability,
        note: Note,
    ) -> Result<Published>;
}

/// Follows symbolic refs to the ref that is written when `name` is.
///
/// # Errors
/// `corrupt_store` for a chain that does not end, and those of the backend.
pub fn resolve_ref(
    backend: &dyn Backend,
    name: &RefName,
    view: View,
) -> Result<(RefName, Option<Key>)> {
    let mut name = name.clone();
    for _ in 0..5 {
        match backend.read_ref(&name, view)? {
            Some(Target::Symbolic(next)) => name = next,
            Some(Target::Object(key)) => return Ok((name, Some(key))),
            None => return Ok((name, None)),
        }
    }
    let why = alloc::format!("ref `{name}` is at the end of more than five symbolic refs");
    Err(Error::new(Code::CorruptStore, why))
}
