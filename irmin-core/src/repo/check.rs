//! Checking a store: everything that its refs reach is there, whole, and of the right kind.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use hashbrown::HashSet;

use super::Repo;
use crate::backend::{Target, ValueRead, View, Wait, resolve_ref, value_hash};
use crate::contents::Contents;
use crate::error::{ErrorKind, Result};
use crate::hash::Hash;
use crate::id::Key;
use crate::name::{HEADS, RefName};
use crate::object::{Kind, Object};
use crate::tree::Store;

/// How far a [check](Repo::check) has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// The objects that were looked at.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The objects that are known of and still to be looked at.
    pub waiting: u64,
}

/// What refers to an object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Referrer {
    /// A branch, a tag, `HEAD` or another ref.
    Ref(RefName),
    /// An object: a commit, a directory, a part of one, or a tag.
    Object(Hash),
}

impl fmt::Display for Referrer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Referrer::Ref(name) => write!(f, "ref `{name}`"),
            Referrer::Object(hash) => write!(f, "{hash}"),
        }
    }
}

/// What can be wrong with an object or a ref.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Damage {
    /// It is not there.
    Missing,
    /// It is there and is not what it should be, for this reason.
    Corrupt(String),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Damage::Missing => "missing",
            Damage::Corrupt(_) => "corrupt",
        })
    }
}

/// Something that is wrong with a store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// What refers to the object: the first of its referrers that was met.
    pub from: Referrer,
    /// The object; none where the ref itself is at fault.
    pub hash: Option<Hash>,
    /// What the object should be; none where the ref itself is at fault.
    pub expected: Option<Kind>,
    /// What is wrong with it.
    pub damage: Damage,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.damage)?;
        match (self.hash, self.expected) {
            (Some(hash), Some(kind)) => write!(f, "{kind} {hash} (referred to by {})", self.from)?,
            (Some(hash), None) => write!(f, "object {hash} (referred to by {})", self.from)?,
            (None, _) => write!(f, "{}", self.from)?,
        }
        match &self.damage {
            Damage::Missing => Ok(()),
            Damage::Corrupt(why) => write!(f, ": {why}"),
        }
    }
}

/// What a check found. What is damaged is counted as far as it could be read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Commits.
    pub commits: u64,
    /// Objects of directories, parts of wide ones included.
    pub directories: u64,
    /// Values, and the pieces of large ones.
    pub values: u64,
    /// Annotated tags.
    pub tags: u64,
    /// The bytes of all these.
    pub bytes: u64,
    /// What is wrong: nothing in a sound store. At most [`Report::MOST`] are kept.
    pub problems: Vec<Problem>,
    /// How many problems there are beyond those.
    pub more_problems: u64,
}

impl Report {
    /// The most problems that a report lists: a store may be all damage.
    pub const MOST: usize = 10_000;

    /// How many objects there are of all kinds.
    #[must_use]
    pub const fn objects(&self) -> u64 {
        self.commits + self.directories + self.values + self.tags
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    fn problem(&mut self, item: Item, damage: Damage) {
        let expected = Some(item.expected.kind());
        self.push(Problem { from: item.from, hash: Some(item.key.hash), expected, damage });
    }

    fn push(&mut self, problem: Problem) {
        if self.problems.len() < Self::MOST {
            self.problems.push(problem);
        } else {
            self.more_problems += 1;
        }
    }
}

/// What an object has to be.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Expected {
    /// What a tag or a parent says it is: a directory for [`Kind::Node`].
    Kind(Kind),
    /// A part of a directory, at a depth.
    Part(u32),
}

impl Expected {
    fn met_by(self, kind: Kind) -> bool {
        match self {
            Expected::Kind(Kind::Node) => matches!(kind, Kind::Node | Kind::Inode),
            Expected::Kind(Kind::Value) => matches!(kind, Kind::Value | Kind::ChunkIndex),
            Expected::Kind(expected) => kind == expected,
            Expected::Part(_) => kind == Kind::Inode,
        }
    }

    fn kind(self) -> Kind {
        match self {
            Expected::Kind(kind) => kind,
            Expected::Part(_) => Kind::Inode,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Expected::Kind(Kind::Node) => "a directory",
            Expected::Kind(Kind::Value | Kind::ChunkIndex) => "a value",
            Expected::Kind(Kind::Commit) => "a commit",
            Expected::Kind(Kind::Tag) => "a tag",
            Expected::Kind(Kind::Chunk) => "a chunk",
            Expected::Kind(Kind::Inode) | Expected::Part(_) => "a part of a directory",
        }
    }
}

/// An object to look at.
struct Item {
    key: Key,
    expected: Expected,
    from: Referrer,
}

/// How many objects are read at once.
const BATCH: usize = 256;
/// How many values are open at once.
const VALUES: usize = 16;

/// The beginning of a hash. Two objects that agree in so much take as long to find as a collision
/// of a hash twice as long as this, and a check of ten million objects takes memory for these
/// alone.
type Mark = [u8; 16];

struct Check<'a> {
    store: &'a Arc<Store>,
    report: Report,
    waiting: Vec<Item>,
    seen: HashSet<(Mark, Expected)>,
}

impl<C: Contents> Repo<C> {
    /// Reads and verifies everything that the refs reach: bytes that have their hash and decode,
    /// and children that are there and of the right kind, each object once.
    ///
    /// Damage is no error but a [`Problem`] of the report, and the check goes on around it. It
    /// holds the hashes of what it has seen (16 bytes of each) and what it has yet to see, and
    /// reads in batches. A large value that is stored in pieces is checked piece by piece.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use irmin_core::{Context, Format, FormatSpec, Repo, backend::MemoryBackend};
    /// # let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
    /// # let repo = Repo::new(backend, Context::new("ann", || 0))?;
    /// repo.main()?.set("a/b", "1", "one value")?;
    /// let report = repo.check(&mut |_progress| {})?;
    /// assert!(report.is_sound());
    /// assert_eq!((report.commits, report.directories, report.values), (1, 2, 1));
    /// # Ok::<(), irmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `io` and its like: where the store cannot be read, nothing can be said of it.
    pub fn check(&self, progress: &mut dyn FnMut(Progress)) -> Result<Report> {
        let store = self.pinned()?;
        let mut check = Check {
            store: &store,
            report: Report::default(),
            waiting: Vec::new(),
            seen: HashSet::new(),
        };
        check.roots()?;
        while !check.waiting.is_empty() {
            check.batch()?;
            progress(Progress {
                objects: check.report.objects(),
                bytes: check.report.bytes,
                waiting: u64::try_from(check.waiting.len()).unwrap_or(u64::MAX),
            });
        }
        Ok(check.report)
    }
}

impl Check<'_> {
    fn roots(&mut self) -> Result<()> {
        let backend = self.store.backend().clone();
        let mut names = backend.ref_names("refs/")?;
        names.push(RefName::head());
        for name in names {
            let found = match backend.read_ref(&name, View::Durable) {
                // Its target is a ref of its own, or does not exist yet.
                Ok(Some(Target::Symbolic(_))) => {
                    resolve_ref(&*backend, &name, View::Durable).map(|(_, key)| key)
                }
                Ok(Some(Target::Object(key))) => Ok(Some(key)),
                Ok(None) => Ok(None),
                Err(e) if e.kind() == ErrorKind::Corrupt => Err(e),
                Err(e) => return Err(e),
            };
            let key = match found {
                Ok(Some(key)) => key,
                Ok(None) => continue,
                Err(e) => {
                    let damage = Damage::Corrupt(alloc::format!("{e}"));
                    let from = Referrer::Ref(name);
                    self.report.push(Problem { from, hash: None, expected: None, damage });
                    continue;
                }
            };
            let branch = name.as_str().starts_with(HEADS) || name == RefName::head();
            let kind = if branch { Kind::Commit } else { self.kind_of(key) };
            self.meet(Item { key, expected: Expected::Kind(kind), from: Referrer::Ref(name) });
        }
        Ok(())
    }

    /// What a ref that may stand for anything stands for; a commit if that cannot be said, so that
    /// the object is looked at all the same.
    fn kind_of(&self, key: Key) -> Kind {
        let found = self.store.backend().get_many(&[key], Wait::Block);
        let kind = found.ok().and_then(|found| found.into_iter().next().flatten()).map(|o| o.kind);
        match kind {
            Some(Kind::Node | Kind::Inode) => Kind::Node,
            Some(Kind::Value | Kind::Chunk | Kind::ChunkIndex) => Kind::Value,
            Some(Kind::Tag) => Kind::Tag,
            Some(Kind::Commit) | None => Kind::Commit,
        }
    }

    /// Puts an object in line, unless it was there as the same thing before.
    fn meet(&mut self, item: Item) {
        let mut mark = Mark::default();
        mark.iter_mut().zip(item.key.hash.as_bytes()).for_each(|(to, from)| *to = *from);
        // A leaf of a trie may be met at several depths: once for each, which are few.
        if self.seen.insert((mark, item.expected)) {
            self.waiting.push(item);
        }
    }

    fn batch(&mut self) -> Result<()> {
        // From the end: what was met last is nearest to the leaves, so that little waits.
        let items = self.waiting.split_off(self.waiting.len().saturating_sub(BATCH));
        let (values, others): (Vec<Item>, Vec<Item>) =
            items.into_iter().partition(|item| item.expected == Expected::Kind(Kind::Value));
        let mut values = values.into_iter();
        loop {
            // Few at a time: a store may hold some of each.
            let some: Vec<Item> = values.by_ref().take(VALUES).collect();
            if some.is_empty() {
                break;
            }
            let keys: Vec<Key> = some.iter().map(|item| item.key).collect();
            match self.store.backend().open_values(&keys, Wait::Block) {
                Ok(opened) => {
                    for (item, value) in some.into_iter().zip(opened) {
                        self.value(item, value)?;
                    }
                }
                // Which of them it is, and whether it is a value at all, is said of each.
                Err(_) => self.one_by_one(some)?,
            }
        }
        let keys: Vec<Key> = others.iter().map(|item| item.key).collect();
        match self.store.backend().get_many(&keys, Wait::Block) {
            Ok(found) => {
                for (item, object) in others.into_iter().zip(found) {
                    self.look(item, object);
                }
                Ok(())
            }
            Err(e) if is_fatal(e.kind()) => Err(e),
            Err(_) => self.one_by_one(others),
        }
    }

    fn one_by_one(&mut self, items: Vec<Item>) -> Result<()> {
        for item in items {
            match self.store.backend().get_many(&[item.key], Wait::Block) {
                Ok(found) => self.look(item, found.into_iter().next().flatten()),
                Err(e) if is_fatal(e.kind()) => return Err(e),
                Err(e) if e.kind() == ErrorKind::Corrupt => {
                    self.report.problem(item, Damage::Corrupt(alloc::format!("{e}")));
                }
                Err(_) => self.report.problem(item, Damage::Missing),
            }
        }
        Ok(())
    }

    /// Hashes a value as it is read: it may be larger than memory.
    fn value(&mut self, item: Item, value: Option<Box<dyn ValueRead>>) -> Result<()> {
        let Some(mut value) = value else {
            self.report.problem(item, Damage::Missing);
            return Ok(());
        };
        self.report.values += 1;
        self.report.bytes += self.store.format().layout().value_header(value.len()).len() as u64;
        self.report.bytes += value.len();
        let why = match value_hash(self.store.format(), &mut *value) {
            Ok(actual) if actual == item.key.hash => return Ok(()),
            Ok(actual) => alloc::format!("its bytes hash to {actual}"),
            Err(e) if is_fatal(e.kind()) => return Err(e),
            Err(e) => alloc::format!("{e}"),
        };
        self.report.problem(item, Damage::Corrupt(why));
        Ok(())
    }

    /// Looks at one object and puts what it refers to in line.
    fn look(&mut self, item: Item, object: Option<Object>) {
        let hash = item.key.hash;
        let Some(object) = object else {
            return self.report.problem(item, Damage::Missing);
        };
        self.report.bytes += u64::try_from(object.bytes.len()).unwrap_or(u64::MAX);
        *match object.kind {
            Kind::Commit => &mut self.report.commits,
            Kind::Node | Kind::Inode => &mut self.report.directories,
            Kind::Value | Kind::Chunk | Kind::ChunkIndex => &mut self.report.values,
            Kind::Tag => &mut self.report.tags,
        } += 1;
        match self.whole(&item, &object).and_then(|()| self.children(&item, &object)) {
            Ok(children) => {
                for (key, expected) in children {
                    self.meet(Item { key, expected, from: Referrer::Object(hash) });
                }
            }
            Err(why) => self.report.problem(item, Damage::Corrupt(why)),
        }
    }

    /// Whether an object has its hash and is of the kind that it should be.
    fn whole(&self, item: &Item, object: &Object) -> Result<(), String> {
        if object.id != item.key.hash {
            return Err(alloc::format!("the store answers with object {}", object.id));
        }
        self.store.format().verify(object).map_err(|e| alloc::format!("{e}"))?;
        if item.expected.met_by(object.kind) {
            return Ok(());
        }
        Err(alloc::format!("it is a {}, and should be {}", object.kind, item.expected.name()))
    }

    /// What an object refers to, if it decodes.
    fn children(&self, item: &Item, object: &Object) -> Result<Vec<(Key, Expected)>, String> {
        let text = |e: crate::Error| alloc::format!("{e}");
        let layout = self.store.layout();
        let mut below = None;
        match object.kind {
            Kind::Commit => drop(layout.decode_commit(object).map_err(text)?),
            Kind::Value => drop(layout.decode_value(object).map_err(text)?),
            Kind::Node | Kind::Inode => {
                let dir = layout.decode(item.key, object).map_err(text)?;
                if let Some(depth) = dir.inner_depth() {
                    let wanted = match item.expected {
                        Expected::Part(wanted) => wanted,
                        _ => 0,
                    };
                    if depth != wanted {
                        return Err(alloc::format!("it is of depth {depth}, at depth {wanted}"));
                    }
                    below = depth.checked_add(1);
                }
            }
            Kind::Tag | Kind::Chunk | Kind::ChunkIndex => {}
        }
        let expected = |kind| match (kind, below) {
            (Kind::Inode, Some(depth)) => Expected::Part(depth),
            (kind, _) => Expected::Kind(kind),
        };
        let children = layout.children(object).map_err(text)?;
        Ok(children.into_iter().map(|(kind, child)| (child.key, expected(kind))).collect())
    }
}

/// Whether an error is of the surroundings and not of an object.
fn is_fatal(kind: ErrorKind) -> bool {
    !matches!(kind, ErrorKind::Corrupt | ErrorKind::Missing | ErrorKind::Collected)
}
