//! What commits are in stores of other formats, so that each is met again as what it was.
//!
//! A translation leaves out what the other format has no place for: a commit that came from there
//! and was made anew when it goes back would be another one. So a store that translates keeps a
//! table, under a ref of its own: for the hash of each commit, on either side, what commits it is in
//! other formats. It is a tree of values like any other, `ab/cd/abcd…`, written together with the
//! commits. A store that fetches asks its own table and that of the other one, and reads no history
//! that either knows.
//!
//! A value has a line for each of these commits: its hash, and where something was left out, a space
//! and the length in bytes of the original object, which follows with a line feed of its own. So also
//! a store that never had that commit gets it as it was, by way of one that could not hold it.

use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use super::BATCH;
use crate::backend::{Expected, RefEdit, Target, View};
use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::id::Key;
use crate::info::Info;
use crate::object::{Child, CommitData, Entry, EntryKind, Kind, Metadata, Object};
use crate::path::Path;
use crate::repo::{Bulk, Directory};
use crate::tree::Store;

/// Where the table is.
const TABLE: &str = "refs/irmin/translated";
/// How many commits of other formats one can be: more are not kept, nor looked at.
const NAMES: usize = 16;
/// How many entries are held before they are written.
const HELD: usize = 1 << 14;

/// A commit of another store that is here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Translated {
    /// Its tree there.
    pub(super) tree: Key,
    /// The commit here.
    pub(super) commit: Key,
    /// Its tree here.
    pub(super) tree_here: Key,
}

/// What is known of the commits of one store in another one.
pub(super) struct Translations<'a> {
    from: &'a Store,
    to: &'a Store,
    here: Table,
    there: Table,
}

/// The table of a store.
#[derive(Clone, Copy, Debug, Default)]
struct Table {
    head: Option<Key>,
    tree: Option<Key>,
}

impl Table {
    fn open(store: &Store) -> Result<Self> {
        let name = TABLE.parse()?;
        let Some(Target::Object(head)) = store.backend().read_ref(&name, View::Tip)? else {
            return Ok(Table::default());
        };
        let commit = store.load_commits(&[head]).map_err(in_table)?.pop();
        Ok(Table { head: Some(head), tree: commit.map(|commit| commit.tree) })
    }

    /// What a commit is elsewhere.
    fn get(&self, store: &Store, hash: &Hash) -> Result<Vec<Name>> {
        let path = path(hash)?;
        let mut next = self.tree.map(|key| Entry { kind: EntryKind::Node, key });
        for step in path.steps() {
            let Some(Entry { kind: EntryKind::Node, key }) = next else { return Ok(Vec::new()) };
            let dir = store.dir(key)?;
            next = store.layout().find(store, &dir, step)?;
        }
        let Some(Entry { kind: EntryKind::Value(_), key }) = next else { return Ok(Vec::new()) };
        let object = store.backend().get(&key, store.wait())?;
        let object = object.ok_or_else(|| Error::missing_objects(Vec::from([key])))?;
        names(&store.layout().decode_value(&object)?)
    }
}

/// A commit in another format.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Name {
    hash: Hash,
    /// Its bytes, unless a translation says as much.
    original: Option<Bytes>,
}

fn in_table(error: Error) -> Error {
    error.context(format_args!("the table of translated commits, `{TABLE}`"))
}

/// Where a commit is in the table. Hashes of two bytes at least spread over as many directories as
/// there are; those of other lengths are beside them.
fn path(hash: &Hash) -> Result<Path> {
    let digits = hash.to_string();
    let padded = alloc::format!("{digits:0<4}");
    let (first, rest) = padded.split_at_checked(2).unwrap_or((&padded, ""));
    let second = rest.get(..2).unwrap_or(rest);
    Path::new([first.as_bytes(), second.as_bytes(), digits.as_bytes()])
}

/// What a value of the table says.
fn names(value: &Bytes) -> Result<Vec<Name>> {
    let bad = || Error::new(Code::CorruptStore, "its lines are not hashes");
    let (mut names, mut at) = (Vec::new(), 0);
    while names.len() < NAMES && at < value.len() {
        let rest = value.get(at..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(bad)?;
        let line = rest.get(..end).and_then(|line| core::str::from_utf8(line).ok());
        let line = line.ok_or_else(bad)?;
        at = at.saturating_add(end).saturating_add(1);
        let (hash, len) = line.split_once(' ').map_or((line, None), |(h, len)| (h, Some(len)));
        let mut original = None;
        if let Some(len) = len {
            let len: usize = len.parse().map_err(|_| bad())?;
            let end = at.checked_add(len).filter(|end| *end < value.len()).ok_or_else(bad)?;
            original = Some(value.slice(at..end));
            at = end.saturating_add(1);
        }
        names.push(Name { hash: hash.parse().map_err(|_| bad())?, original });
    }
    Ok(names)
}

/// The value that says it.
fn value(names: &[Name]) -> Vec<u8> {
    let mut value = Vec::new();
    for Name { hash, original } in names {
        value.extend_from_slice(hash.to_string().as_bytes());
        if let Some(original) = original {
            value.extend_from_slice(alloc::format!(" {}\n", original.len()).as_bytes());
            value.extend_from_slice(original);
        }
        value.push(b'\n');
    }
    value
}

/// What all formats keep of an info.
fn said(info: &Info) -> (&Bytes, i64, &Bytes) {
    (&info.author.author, info.author.date, &info.message)
}

impl<'a> Translations<'a> {
    /// What is known of the commits of `from` in the store `to`.
    ///
    /// # Errors
    /// Those of reading the tables.
    pub(super) fn open(from: &'a Store, to: &'a Store) -> Result<Self> {
        Ok(Translations { from, to, here: Table::open(to)?, there: Table::open(from)? })
    }

    /// What each commit is here, if that is known and it is here.
    ///
    /// # Errors
    /// Those of reading.
    pub(super) fn find(&self, commits: &[Hash]) -> Result<Vec<Option<Translated>>> {
        let mut found = alloc::vec![None; commits.len()];
        if self.here.tree.is_none() && self.there.tree.is_none() {
            return Ok(found);
        }
        for (found, commits) in found.chunks_mut(BATCH).zip(commits.chunks(BATCH)) {
            self.find_some(commits, found).map_err(in_table)?;
        }
        Ok(found)
    }

    fn find_some(&self, commits: &[Hash], found: &mut [Option<Translated>]) -> Result<()> {
        let (mut slots, mut names) = (Vec::new(), Vec::new());
        for (commit, slot) in commits.iter().zip(found) {
            let mut known = self.here.get(self.to, commit)?;
            known.extend(self.there.get(self.from, commit)?);
            slots.push((Key::from(*commit), known.len(), slot));
            names.extend(known.into_iter().map(|name| name.hash));
        }
        let mut here = self.to.backend().find_many(&names)?.into_iter();
        for (there, candidates, slot) in slots {
            // All are taken, so that those of the next commit come next.
            let found: Vec<Option<Key>> = here.by_ref().take(candidates).collect();
            if let Some(commit) = found.into_iter().flatten().next() {
                *slot = self.meet(there, commit)?;
            }
        }
        Ok(())
    }

    /// A pair of the table, unless they cannot be translations of one another: a table is no more
    /// than what somebody wrote.
    fn meet(&self, there: Key, commit: Key) -> Result<Option<Translated>> {
        let load = |store: &Store, key| {
            let loaded = store.load_commits(&[key])?.pop();
            loaded.ok_or_else(|| Error::missing_objects(Vec::from([key])))
        };
        let (theirs, ours): (Arc<CommitData>, _) =
            (load(self.from, there)?, load(self.to, commit)?);
        let same =
            said(&theirs.info) == said(&ours.info) && theirs.parents.len() == ours.parents.len();
        Ok(same.then(|| Translated { tree: theirs.tree, commit, tree_here: ours.tree }))
    }

    /// The commit that a translation of it is of, as it was, if that is known and nothing else in
    /// it is other than in a translation here: such as its tree.
    ///
    /// # Errors
    /// Those of reading.
    pub(super) fn restore(&self, there: &Hash, as_here: &CommitData) -> Result<Option<Object>> {
        let mut names = self.there.get(self.from, there).map_err(in_table)?;
        names.extend(self.here.get(self.to, there).map_err(in_table)?);
        Ok(names.into_iter().find_map(|name| self.restored(name, as_here)))
    }

    fn restored(&self, name: Name, as_here: &CommitData) -> Option<Object> {
        let mut object = Object::new(Kind::Commit, name.hash, name.original?);
        // What is in a table may be anything; and some of it is of other formats.
        self.to.format().verify(&object).ok()?;
        let commit = self.to.layout().decode_commit(&object).ok()?;
        let sorted = |commit: &CommitData| {
            let mut hashes: Vec<Hash> = commit.parents.iter().map(|key| key.hash).collect();
            hashes.sort_unstable();
            hashes
        };
        let same = said(&commit.info) == said(&as_here.info)
            && commit.tree.hash == as_here.tree.hash
            && sorted(&commit) == sorted(as_here);
        let known = |key: &Key| as_here.references().find(|known| known.hash == key.hash);
        object.children =
            commit.references().filter_map(known).map(|key| Child::from(*key)).collect();
        same.then_some(object)
    }

    /// Begins to add to the table here.
    ///
    /// # Errors
    /// Those of the bulk.
    pub(super) fn record<'b, 'r>(&self, bulk: &'b Bulk<'r>) -> Result<Record<'b, 'r>> {
        let root = bulk.directory(self.here.tree)?;
        Ok(Record { bulk, old: self.here.head, root, held: 0, added: false })
    }
}

/// Additions to the table, in the write of the commits that they are about.
pub(super) struct Record<'b, 'r> {
    bulk: &'b Bulk<'r>,
    old: Option<Key>,
    root: Directory,
    held: usize,
    added: bool,
}

impl Record<'_, '_> {
    /// Says that two commits are one; the bytes of that there where the one here says less.
    ///
    /// # Errors
    /// Those of the bulk.
    pub(super) fn add(&mut self, there: Hash, here: Hash, original: Option<Bytes>) -> Result<()> {
        self.link(&there, Name { hash: here, original: None }).map_err(in_table)?;
        self.link(&here, Name { hash: there, original }).map_err(in_table)?;
        if self.held >= HELD {
            let tree = self.bulk.seal(core::mem::take(&mut self.root))?;
            (self.root, self.held) = (self.bulk.directory(Some(tree))?, 0);
        }
        Ok(())
    }

    fn link(&mut self, hash: &Hash, name: Name) -> Result<()> {
        let path = path(hash)?;
        let mut known = match self.bulk.entry(&mut self.root, &path)? {
            Some(Entry { kind: EntryKind::Value(_), key }) => names(&self.bulk.read_plain(key)?)?,
            _ => Vec::new(),
        };
        if known.len() >= NAMES || known.iter().any(|known| known.hash == name.hash) {
            return Ok(());
        }
        known.push(name);
        let key = self.bulk.plain(&value(&known))?;
        let entry = Entry { kind: EntryKind::Value(Metadata::Normal), key };
        self.bulk.set(&mut self.root, &path, Some(entry))?;
        (self.held, self.added) = (self.held.saturating_add(1), true);
        Ok(())
    }

    /// Writes the table, and says how its ref changes; nothing where nothing was added.
    ///
    /// # Errors
    /// Those of the bulk.
    pub(super) fn finish(self) -> Result<Option<RefEdit>> {
        if !self.added {
            return Ok(None);
        }
        let tree = self.bulk.seal(self.root)?;
        let info = Info::new("irmin <irmin@localhost>", 0, "commits and what they are elsewhere\n");
        let key = self.bulk.commit(&CommitData { tree, parents: Vec::new(), info })?;
        let old = self.old.map(Target::Object);
        let expected = old.map_or(Expected::Absent, Expected::Is);
        Ok(Some(RefEdit { name: TABLE.parse()?, expected, new: Some(Target::Object(key)) }))
    }
}
