//! L7: a branch as a key-value device, with the verbs of MirageOS's `mirage-kv`.
//!
//! Programs that were written for a key-value device need no branches, trees or merges: they get
//! and set bytes at keys, and each write is durable when it returns. [`Kv`] is that face of a
//! branch. What it writes is history like any other, so that another program can read it, merge
//! it, or clone it with git.
//!
//! Keys are paths, *dictionaries* are directories. Where `mirage-kv` (version 6) leaves a choice,
//! this one is made: what is absent is `None` when it is read and no error when it is removed; a
//! write never replaces a dictionary by a value, or a value by a dictionary, since either loses
//! what the caller did not name; an empty dictionary does not exist, except the root.
//!
//! ```
//! # use std::sync::Arc;
//! # use irmin_core::{Context, Format, FormatSpec, Repo, backend::MemoryBackend, kv::Kv};
//! # let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
//! # let repo = Repo::new(backend, Context::new("ann", || 1_000))?;
//! let kv = Kv::new(repo.main()?);
//! kv.set("calendars/work/1.ics", "BEGIN:VCALENDAR")?;
//! kv.batch("move the week", |batch| {
//!     batch.rename("calendars/work/1.ics", "calendars/old/1.ics")?;
//!     batch.set("calendars/work/2.ics", "BEGIN:VCALENDAR")
//! })?;
//! assert_eq!(kv.get_partial("calendars/old/1.ics", 6, 9)?.unwrap(), "VCALENDAR");
//! assert_eq!(kv.last_modified("calendars")?, Some(1_000));
//! # Ok::<(), irmin_core::Error>(())
//! ```

use alloc::borrow::Cow;
use alloc::format;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::path::{IntoPath, Path};
use crate::repo::{Branch, Commit, CommitOptions, Repo};
use crate::tree::{KindedHash, Tree, TreeKind, ValueReader};

/// How much of a value is read at once.
const PIECE: usize = 1 << 16;

/// What a key stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A value.
    Value,
    /// A dictionary: there are keys below it.
    Dictionary,
}

/// A branch as a key-value device.
///
/// Every read takes a fresh snapshot of the branch, and every write is one commit: use
/// [`batch`](Kv::batch) for what belongs together. A write that changes nothing makes no commit.
/// Several of them, in any number of threads and processes, may share a branch.
///
/// ```
/// # use std::sync::Arc;
/// # use irmin_core::{Context, Format, FormatSpec, Repo, backend::MemoryBackend};
/// # let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
/// # let repo = Repo::new(backend, Context::new("ann", || 1_000))?;
/// use irmin_core::kv::{Kind, Kv};
///
/// let kv = Kv::new(repo.main()?);
/// kv.set("a/b", "one")?;
/// assert_eq!((kv.get("a/b")?.unwrap(), kv.size("a/b")?), ("one".into(), Some(3)));
/// assert_eq!(kv.exists("a")?, Some(Kind::Dictionary));
/// # Ok::<(), irmin_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Kv {
    branch: Branch,
    options: CommitOptions,
}

impl Kv {
    /// The key-value device that a branch is.
    #[must_use]
    pub fn new(branch: Branch) -> Self {
        Kv { branch, options: CommitOptions::default() }
    }

    /// The same device, whose commits say this of themselves: author, date and durability. Each
    /// write has a message of its own.
    #[must_use]
    pub fn with_options(self, options: CommitOptions) -> Self {
        Kv { options, ..self }
    }

    /// The branch.
    #[must_use]
    pub fn branch(&self) -> &Branch {
        &self.branch
    }

    /// What a key stands for, if anything.
    ///
    /// # Errors
    /// Those of the key and of reading.
    pub fn exists(&self, key: impl IntoPath) -> Result<Option<Kind>> {
        exists(&self.branch.tree()?, &*key.into_path()?)
    }

    /// The value of a key.
    ///
    /// # Errors
    /// `value_expected` for a dictionary, and those of the key and of reading.
    pub fn get(&self, key: impl IntoPath) -> Result<Option<Bytes>> {
        get(&self.branch.tree()?, &*key.into_path()?)
    }

    /// The bytes of a value from an offset on: fewer than `length` where it ends before.
    ///
    /// # Errors
    /// As [`Kv::get`].
    pub fn get_partial(
        &self,
        key: impl IntoPath,
        offset: u64,
        length: usize,
    ) -> Result<Option<Bytes>> {
        get_partial(&self.branch.tree()?, &*key.into_path()?, offset, length)
    }

    /// The entries of a dictionary, sorted, each with its whole key.
    ///
    /// # Errors
    /// `directory_expected` for a value, and as [`Tree::list`].
    pub fn list(&self, key: impl IntoPath) -> Result<Option<Vec<(Path, Kind)>>> {
        list(&self.branch.tree()?, &*key.into_path()?)
    }

    /// The size of a value in bytes.
    ///
    /// # Errors
    /// As [`Kv::get`].
    pub fn size(&self, key: impl IntoPath) -> Result<Option<u64>> {
        size(&self.branch.tree()?, &*key.into_path()?)
    }

    /// When a value, or anything in a dictionary, was last changed: seconds since 1970, when the
    /// commit was made that did it. It is the date that this commit has, also where another clock
    /// gave an earlier one a later date. What is before that commit is not read.
    ///
    /// # Errors
    /// Those of the key and of reading.
    pub fn last_modified(&self, key: impl IntoPath) -> Result<Option<i64>> {
        let key = key.into_path()?;
        // The commits are those of the head that has the key, whatever is written meanwhile.
        let Some(head) = self.branch.head()? else { return Ok(None) };
        if exists(&head.tree(), &key)?.is_none() {
            return Ok(None);
        }
        let made = self.branch.repo().last_change(&head, &key)?;
        Ok(made.map(|commit| commit.info.committer.date))
    }

    /// The hash of a value, or of a dictionary with all that is in it: equal if and only if they
    /// are.
    ///
    /// # Errors
    /// Those of the key and of reading.
    pub fn digest(&self, key: impl IntoPath) -> Result<Option<Hash>> {
        digest(self.branch.repo(), &self.branch.tree()?, &*key.into_path()?)
    }

    /// Sets the value of a key.
    ///
    /// # Errors
    /// `value_expected` if it is a dictionary, `directory_expected` if a key above it is a value,
    /// and as [`Branch::set`].
    pub fn set(&self, key: impl IntoPath, value: impl Into<Bytes>) -> Result<()> {
        let (key, value) = (key.into_path()?, value.into());
        self.write(format!("set {key}"), |batch| batch.set(&key, value.clone()))
    }

    /// Writes bytes into a value from an offset on, and leaves the others as they are: at its end
    /// if it is shorter than the offset, and into an empty one if there is none.
    ///
    /// # Errors
    /// As [`Kv::set`], and `payload_too_large` if the result is.
    pub fn set_partial(
        &self,
        key: impl IntoPath,
        offset: u64,
        bytes: impl AsRef<[u8]>,
    ) -> Result<()> {
        let (key, bytes) = (key.into_path()?, bytes.as_ref());
        self.write(format!("set {key} from {offset}"), |batch| {
            batch.set_partial(&key, offset, bytes)
        })
    }

    /// Moves a value or a dictionary, in place of the value at `dest`, or into the dictionary that
    /// is there. Nothing happens if they are the same key.
    ///
    /// # Errors
    /// `not_found` if there is nothing at `source`, `value_expected` if a dictionary should
    /// replace a value or be replaced, `invalid_argument` if a dictionary should move into itself,
    /// as the root would wherever it goes, and as [`Kv::set`].
    pub fn rename(&self, source: impl IntoPath, dest: impl IntoPath) -> Result<()> {
        let (source, dest) = (source.into_path()?, dest.into_path()?);
        self.write(format!("rename {source} to {dest}"), |batch| batch.rename(&source, &dest))
    }

    /// Removes a value, or a dictionary with all that is in it.
    ///
    /// # Errors
    /// As [`Branch::remove`].
    pub fn remove(&self, key: impl IntoPath) -> Result<()> {
        let key = key.into_path()?;
        self.write(format!("remove {key}"), |batch| batch.remove(&key))
    }

    /// Does several things as one commit, or nothing if the callback fails. It returns the commit,
    /// unless nothing changed.
    ///
    /// The callback runs again, on the new values, if another process wrote meanwhile; it must not
    /// write to the branch but through the batch.
    ///
    /// # Errors
    /// What the callback returns, and as [`Branch::transaction`].
    pub fn batch(
        &self,
        message: impl Into<alloc::string::String>,
        mut f: impl FnMut(&mut Batch<'_>) -> Result<()>,
    ) -> Result<Option<Commit>> {
        let options = CommitOptions { message: message.into(), ..self.options.clone() };
        let repo = self.branch.repo();
        self.branch.transaction(options, |tree| f(&mut Batch { repo, tree }))
    }

    fn write(
        &self,
        message: alloc::string::String,
        f: impl FnMut(&mut Batch<'_>) -> Result<()>,
    ) -> Result<()> {
        self.batch(message, f).map(drop)
    }
}

/// Several reads and writes that become one commit: see [`Kv::batch`].
///
/// Reads see what was written before them in the batch.
#[derive(Debug)]
pub struct Batch<'a> {
    repo: &'a Repo,
    tree: &'a mut Tree,
}

impl Batch<'_> {
    /// As [`Kv::exists`].
    ///
    /// # Errors
    /// As there.
    pub fn exists(&self, key: impl IntoPath) -> Result<Option<Kind>> {
        exists(self.tree, &*key.into_path()?)
    }

    /// As [`Kv::get`].
    ///
    /// # Errors
    /// As there.
    pub fn get(&self, key: impl IntoPath) -> Result<Option<Bytes>> {
        get(self.tree, &*key.into_path()?)
    }

    /// As [`Kv::get_partial`].
    ///
    /// # Errors
    /// As there.
    pub fn get_partial(
        &self,
        key: impl IntoPath,
        offset: u64,
        length: usize,
    ) -> Result<Option<Bytes>> {
        get_partial(self.tree, &*key.into_path()?, offset, length)
    }

    /// As [`Kv::list`].
    ///
    /// # Errors
    /// As there.
    pub fn list(&self, key: impl IntoPath) -> Result<Option<Vec<(Path, Kind)>>> {
        list(self.tree, &*key.into_path()?)
    }

    /// As [`Kv::size`].
    ///
    /// # Errors
    /// As there.
    pub fn size(&self, key: impl IntoPath) -> Result<Option<u64>> {
        size(self.tree, &*key.into_path()?)
    }

    /// As [`Kv::digest`].
    ///
    /// # Errors
    /// As there.
    pub fn digest(&self, key: impl IntoPath) -> Result<Option<Hash>> {
        digest(self.repo, self.tree, &*key.into_path()?)
    }

    /// As [`Kv::set`].
    ///
    /// # Errors
    /// `value_expected`, `directory_expected`, and as [`Tree::set`].
    pub fn set(&mut self, key: impl IntoPath, value: impl Into<Bytes>) -> Result<()> {
        let key = key.into_path()?;
        if exists(self.tree, &key)? == Some(Kind::Dictionary) {
            return Err(value_expected(&key));
        }
        self.check_above(&key, None)?;
        // A value that is set again keeps whether it may be executed.
        let metadata = self.tree.get_tree(&key)?.and_then(|old| old.metadata());
        self.tree.set_with(&key, value, metadata.unwrap_or_default())
    }

    /// As [`Kv::set_partial`].
    ///
    /// # Errors
    /// As [`Batch::set`].
    pub fn set_partial(
        &mut self,
        key: impl IntoPath,
        offset: u64,
        bytes: impl AsRef<[u8]>,
    ) -> Result<()> {
        let (key, bytes) = (key.into_path()?, bytes.as_ref());
        let old = self.get(&key)?.unwrap_or_default();
        let start = position(&old, offset);
        let end = position(&old, offset.saturating_add(len(bytes)));
        let mut new = BytesMut::with_capacity(old.len().saturating_add(bytes.len()));
        new.extend_from_slice(old.get(..start).unwrap_or_default());
        new.extend_from_slice(bytes);
        new.extend_from_slice(old.get(end..).unwrap_or_default());
        self.set(&key, new.freeze())
    }

    /// As [`Kv::rename`].
    ///
    /// # Errors
    /// As there.
    pub fn rename(&mut self, source: impl IntoPath, dest: impl IntoPath) -> Result<()> {
        let (source, mut dest) = (source.into_path()?, dest.into_path()?);
        let Some(kind) = exists(self.tree, &source)? else {
            return Err(Error::new(Code::NotFound, format!("there is nothing at `{source}`")));
        };
        if dest == source {
            return Ok(());
        }
        if kind == Kind::Dictionary && dest.strip_prefix(&source).is_some() {
            let what = format!("`{source}` cannot be moved into itself, to `{dest}`");
            return Err(Error::new(Code::InvalidArgument, what));
        }
        if exists(self.tree, &dest)? == Some(Kind::Dictionary) {
            let name = source.split_last().map(|(_, name)| name.to_vec());
            dest = Cow::Owned(dest.child(&name.unwrap_or_default()));
            if dest == source {
                return Ok(());
            }
        }
        // Neither is silently replaced by the other, and no dictionary by another one.
        match (kind, exists(self.tree, &dest)?) {
            (_, Some(Kind::Dictionary)) => return Err(value_expected(&dest)),
            (Kind::Dictionary, Some(Kind::Value)) => return Err(value_expected(&source)),
            _ => {}
        }
        self.check_above(&dest, Some(&source))?;
        if let Some(moved) = self.tree.get_tree(&source)? {
            self.tree.remove(&source)?;
            self.tree.set_tree(&dest, moved)?;
        }
        Ok(())
    }

    /// As [`Kv::remove`].
    ///
    /// # Errors
    /// As [`Tree::remove`].
    pub fn remove(&mut self, key: impl IntoPath) -> Result<()> {
        self.tree.remove(key)
    }

    /// Refuses a key below a value, unless that is about to go.
    fn check_above(&self, key: &Path, leaving: Option<&Path>) -> Result<()> {
        let mut dir = Path::root();
        for step in key.steps() {
            if exists(self.tree, &dir)? == Some(Kind::Value) && leaving != Some(&dir) {
                return Err(directory_expected(&dir));
            }
            dir = dir.child(step);
        }
        Ok(())
    }
}

fn exists(tree: &Tree, key: &Path) -> Result<Option<Kind>> {
    Ok(tree.kind(key)?.map(kind))
}

/// What is kept without being followed, such as a submodule, has no keys below it.
fn kind(kind: TreeKind) -> Kind {
    match kind {
        TreeKind::Node => Kind::Dictionary,
        TreeKind::Value(_) | TreeKind::Opaque(_) => Kind::Value,
    }
}

/// Refuses what is there and is no value.
fn is_value(tree: &Tree, key: &Path) -> Result<()> {
    match tree.kind(key)? {
        Some(TreeKind::Node) => Err(value_expected(key)),
        Some(TreeKind::Opaque(_)) => {
            let what = format!("`{key}` is a submodule or the like, which is kept but not read");
            Err(Error::new(Code::Unsupported, what))
        }
        _ => Ok(()),
    }
}

fn get(tree: &Tree, key: &Path) -> Result<Option<Bytes>> {
    is_value(tree, key)?;
    tree.get(key)
}

/// A value, to read what is asked for and no more.
fn open(tree: &Tree, key: &Path) -> Result<Option<ValueReader>> {
    is_value(tree, key)?;
    tree.open(key)
}

fn get_partial(tree: &Tree, key: &Path, offset: u64, length: usize) -> Result<Option<Bytes>> {
    let Some(mut value) = open(tree, key)? else { return Ok(None) };
    let mut part = BytesMut::new();
    loop {
        // A damaged value may say that there is more than anybody has memory for.
        let (from, more) = (part.len(), length.saturating_sub(part.len()).min(PIECE));
        part.resize(from.saturating_add(more), 0);
        let place = offset.saturating_add(len(part.get(..from).unwrap_or_default()));
        let rest = part.get_mut(from..).unwrap_or_default();
        let n = if place < value.len() { value.read_at(rest, place)? } else { 0 };
        part.truncate(from.saturating_add(n));
        if n == 0 || n < more {
            return Ok(Some(part.freeze()));
        }
    }
}

fn size(tree: &Tree, key: &Path) -> Result<Option<u64>> {
    Ok(open(tree, key)?.map(|value| value.len()))
}

fn list(tree: &Tree, key: &Path) -> Result<Option<Vec<(Path, Kind)>>> {
    match tree.kind(key)? {
        None => Ok(None),
        Some(TreeKind::Node) => {
            let entries = tree.list(key)?.into_iter();
            Ok(Some(entries.map(|(step, of)| (key.child(step.as_bytes()), kind(of))).collect()))
        }
        Some(_) => Err(directory_expected(key)),
    }
}

fn digest(repo: &Repo, tree: &Tree, key: &Path) -> Result<Option<Hash>> {
    let found = tree.get_tree(key)?.map(|tree| repo.hash_of(&tree)).transpose()?;
    Ok(found.map(|hash| match hash {
        KindedHash::Node(id) => id.hash(),
        KindedHash::Value(id, _) => id.hash(),
    }))
}

/// Where an offset is in some bytes: at their end if they are shorter.
fn position(bytes: &[u8], offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len())
}

fn len(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn value_expected(key: &Path) -> Error {
    Error::new(Code::ValueExpected, format!("`{key}` is a dictionary, not a value"))
}

fn directory_expected(key: &Path) -> Error {
    Error::new(Code::DirectoryExpected, format!("`{key}` is a value, not a dictionary"))
}
