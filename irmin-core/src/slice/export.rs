//! Making slices: the objects of some commits, children first, each once.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::{self, Vec};
use core::fmt;

use hashbrown::HashSet;

use super::plan::{Planned, plan};
use super::{LARGE, Mark, Seen, Slice, SliceObject, SliceOptions, Writer, mark};
use crate::backend::{ValueRead, copy_value};
use crate::contents::Contents;
use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::id::{CommitId, Key};
use crate::io::Write;
use crate::limits::READ_DEPTH;
use crate::object::{FormatSpec, Kind, Object};
use crate::repo::Repo;
use crate::tree::Store;

/// How many objects of one directory are read at once.
const BATCH: usize = 16;

impl<C: Contents> Repo<C> {
    /// A part of the history, as a value: see [`slice`](mod@crate::slice).
    ///
    /// # Errors
    /// As [`Repo::export_objects`].
    pub fn export(&self, options: &SliceOptions) -> Result<Slice> {
        let export = self.export_objects(options)?;
        let (format, heads) = (*export.format(), export.heads().to_vec());
        Ok(Slice { format, heads, objects: export.collect::<Result<_>>()? })
    }

    /// The objects of a part of the history one by one, children before parents, each once and
    /// with its hash checked.
    ///
    /// The commits are found first; then it holds 16 bytes of each object's hash, and of every
    /// directory on the way down to the next object a few of its objects. An object that is handed
    /// out is in memory whole; [`Export::write_next`] writes large values as they are read.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use irmin_core::{Context, Format, FormatSpec, Repo, backend::MemoryBackend};
    /// # use irmin_core::{Kind, slice::SliceOptions};
    /// # let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
    /// # let repo = Repo::new(backend, Context::new("ann", || 0))?;
    /// repo.main()?.set("a", "1", "one value")?;
    /// let kinds = repo.export_objects(&SliceOptions::default())?.map(|o| Ok(o?.kind));
    /// let kinds = kinds.collect::<irmin_core::Result<Vec<_>>>()?;
    /// assert_eq!(kinds, [Kind::Value, Kind::Node, Kind::Commit]);
    /// # Ok::<(), irmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `missing_objects` for commits of `max` that are not there, `invalid_revision` for ids of
    /// other things than commits in `max` and `have`, `unsupported` for values that are kept in pieces by a
    /// store that was not opened as one of large values, and those of reading.
    pub fn export_objects(&self, options: &SliceOptions) -> Result<Export> {
        let store = self.pinned()?;
        let mut max: Vec<Key> = match &options.max {
            Some(ids) => ids.iter().map(|id| Key::from(id.hash())).collect(),
            None => self.heads()?.iter().map(|head| Key::from(head.id().hash())).collect(),
        };
        max.sort_unstable();
        max.dedup();
        let commits = plan(&store, &max, options)?;
        Ok(Export {
            store,
            heads: max.iter().map(|key| CommitId(key.hash)).collect(),
            commits: commits.into_iter(),
            full: options.full,
            seen: Seen::default(),
            stack: Vec::new(),
        })
    }

    /// Writes a part of the history as a stream, and says how many objects it has. Values of
    /// more than a mebibyte are written as they are read.
    ///
    /// # Errors
    /// As [`Repo::export_objects`], and those of writing.
    pub fn export_to(&self, options: &SliceOptions, to: &mut dyn Write) -> Result<u64> {
        let mut export = self.export_objects(options)?;
        let mut writer = Writer::new(to, export.format(), export.heads())?;
        while export.write_next(&mut writer)?.is_some() {}
        writer.finish()
    }
}

/// The objects of a slice, one by one: see [`Repo::export_objects`].
///
/// What it has yet to read stays readable while it is held. After an error there is nothing more.
pub struct Export {
    store: Arc<Store>,
    heads: Vec<CommitId>,
    commits: vec::IntoIter<Planned>,
    full: bool,
    /// What was handed out, is on the way, or is left out because the receiver has it.
    seen: Seen,
    stack: Vec<Frame>,
}

/// An object whose children come first.
struct Frame {
    object: Object,
    children: vec::IntoIter<(Kind, Key)>,
    ready: VecDeque<Ready>,
}

/// What was read of a slice.
enum Ready {
    Object(Object),
    /// A large value.
    Value(Hash, Box<dyn ValueRead>),
}

impl Ready {
    fn id(&self) -> (&Hash, Kind) {
        match self {
            Ready::Object(object) => (&object.id, object.kind),
            Ready::Value(id, _) => (id, Kind::Value),
        }
    }
}

impl Export {
    /// The format of the objects.
    #[must_use]
    pub fn format(&self) -> &FormatSpec {
        self.store.format().spec()
    }

    /// The commits that the slice begins with, each once, in order of ids.
    #[must_use]
    pub fn heads(&self) -> &[CommitId] {
        &self.heads
    }

    /// Writes the next object to a stream, and says of what kind it is; nothing after the last.
    ///
    /// A value of more than a mebibyte is written as it is read, whatever its size.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use irmin_core::{Context, Format, FormatSpec, Repo, backend::MemoryBackend};
    /// # use irmin_core::slice::{SliceOptions, Writer};
    /// # let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
    /// # let repo = Repo::new(backend, Context::new("ann", || 0))?;
    /// repo.main()?.set("a", "1", "one value")?;
    /// let (mut export, mut file) = (repo.export_objects(&SliceOptions::default())?, Vec::new());
    /// let mut writer = Writer::new(&mut file, export.format(), export.heads())?;
    /// while let Some(kind) = export.write_next(&mut writer)? {
    ///     println!("a {kind}");
    /// }
    /// assert_eq!(writer.finish()?, 3);
    /// # Ok::<(), irmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of reading and writing; there is nothing more then.
    pub fn write_next(&mut self, to: &mut Writer<'_>) -> Result<Option<Kind>> {
        let written = self.step().and_then(|made| match made {
            None => Ok(None),
            Some(Ready::Object(object)) => {
                let object = hand_out(object);
                to.put(&object).map(|()| Some(object.kind))
            }
            Some(Ready::Value(id, mut value)) => {
                let written = to.put_value(self.store.format(), &id, &mut *value);
                written.map(|()| Some(Kind::Value))
            }
        });
        if written.is_err() {
            self.end();
        }
        written
    }

    fn end(&mut self) {
        self.stack.clear();
        self.commits = Vec::new().into_iter();
    }

    fn step(&mut self) -> Result<Option<Ready>> {
        loop {
            let Some(frame) = self.stack.last_mut() else {
                let Some(commit) = self.commits.next() else { return Ok(None) };
                self.begin(&commit)?;
                continue;
            };
            let Some(ready) = frame.next(&self.store, &self.seen)? else {
                return Ok(self.stack.pop().map(|frame| Ready::Object(frame.object)));
            };
            // Prefetched twice among its siblings, or below one of them.
            let (id, kind) = ready.id();
            if !self.seen.insert(id, kind) {
                continue;
            }
            let Ready::Object(object) = ready else { return Ok(Some(ready)) };
            self.store.format().verify(&object)?;
            match object.kind {
                Kind::Value => return Ok(Some(Ready::Object(object))),
                Kind::Node | Kind::Inode => {
                    let children = children(&self.store, &object)?;
                    self.push(object, children)?;
                }
                kind => return Err(unfit(&object, kind)),
            }
        }
    }

    /// Puts a commit on the empty stack.
    fn begin(&mut self, commit: &Planned) -> Result<()> {
        if self.full && !commit.before.is_empty() {
            self.leave_out(commit.tree, &commit.before)?;
        }
        let Some(object) = self.store.objects(&[commit.key])?.pop() else { return Ok(()) };
        self.store.format().verify(&object)?;
        self.seen.insert(&object.id, object.kind);
        let tree = self.full.then_some((Kind::Node, commit.tree));
        self.push(object, tree.into_iter().collect())
    }

    fn push(&mut self, object: Object, children: Vec<(Kind, Key)>) -> Result<()> {
        if self.stack.len() > READ_DEPTH {
            let why = alloc::format!(
                "{} {} is more than {READ_DEPTH} directories deep",
                object.kind,
                object.id
            );
            return Err(Error::new(Code::LimitReached, why));
        }
        let children = children.into_iter();
        self.stack.push(Frame { object, children, ready: VecDeque::new() });
        Ok(())
    }

    /// Notes what a tree shares with trees that the receiver has, level by level: it reads the
    /// directories that differ, on both sides, and nothing below one that does not.
    fn leave_out(&mut self, tree: Key, before: &[Key]) -> Result<()> {
        let mut new = Vec::from([tree]);
        let mut old: Vec<Key> = before.to_vec();
        loop {
            for key in &old {
                self.seen.insert(&key.hash, Kind::Node);
            }
            new.retain(|key| !self.seen.has(&key.hash));
            if new.is_empty() || old.is_empty() {
                return Ok(());
            }
            let new_below = self.below(&new)?;
            let old_below = self.below(&old)?;
            for (kind, key) in &old_below {
                self.seen.insert(&key.hash, *kind);
            }
            let kept: HashSet<Mark> = new_below.iter().map(|(_, key)| mark(&key.hash)).collect();
            let is_dir = |kind: &Kind| matches!(kind, Kind::Node | Kind::Inode);
            let mut met = HashSet::new();
            let once = |(kind, key): (Kind, Key)| {
                (is_dir(&kind) && met.insert(mark(&key.hash))).then_some(key)
            };
            new = new_below.into_iter().filter_map(once).collect();
            let mut met = HashSet::new();
            let differs = |(kind, key): (Kind, Key)| {
                let mark = mark(&key.hash);
                (is_dir(&kind) && !kept.contains(&mark) && met.insert(mark)).then_some(key)
            };
            old = old_below.into_iter().filter_map(differs).collect();
        }
    }

    /// What some directories refer to.
    fn below(&self, dirs: &[Key]) -> Result<Vec<(Kind, Key)>> {
        let mut below = Vec::new();
        for some in dirs.chunks(BATCH) {
            for object in self.store.objects(some)? {
                below.extend(children(&self.store, &object)?);
            }
        }
        Ok(below)
    }
}

impl Frame {
    /// The next child that was not met yet.
    fn next(&mut self, store: &Store, seen: &Seen) -> Result<Option<Ready>> {
        if self.ready.is_empty() {
            let fresh = self.children.by_ref().filter(|(_, key)| !seen.has(&key.hash));
            let mut fresh: Vec<(Kind, Key)> = fresh.take(BATCH).collect();
            // Values come first: else those of all directories on the way down would be held.
            fresh.sort_by_key(|(kind, _)| *kind != Kind::Value);
            for some in fresh.chunk_by(|(a, _), (b, _)| (*a == Kind::Value) == (*b == Kind::Value))
            {
                let keys: Vec<Key> = some.iter().map(|(_, key)| *key).collect();
                if some.first().is_some_and(|(kind, _)| *kind == Kind::Value) {
                    self.ready.extend(values(store, &keys)?);
                } else {
                    self.ready.extend(store.objects(&keys)?.into_iter().map(Ready::Object));
                }
            }
        }
        Ok(self.ready.pop_front())
    }
}

/// Some values: small ones as they are, large ones open.
fn values(store: &Store, keys: &[Key]) -> Result<Vec<Ready>> {
    let opened = match store.backend().open_values(keys, store.wait()) {
        // What is none says so itself.
        Err(e) if e.code() == Code::InvalidArgument => {
            return Ok(store.objects(keys)?.into_iter().map(Ready::Object).collect());
        }
        opened => opened?,
    };
    let absent = keys.iter().zip(&opened).filter(|(_, value)| value.is_none());
    let absent: Vec<Key> = absent.map(|(key, _)| *key).collect();
    if !absent.is_empty() {
        return Err(Error::missing_objects(absent));
    }
    let values = keys.iter().zip(opened.into_iter().flatten());
    let ready = |(key, value): (&Key, Box<dyn ValueRead>)| {
        if value.len() > LARGE {
            return Ok(Ready::Value(key.hash, value));
        }
        read_value(store, key.hash, value).map(Ready::Object)
    };
    values.map(ready).collect()
}

/// A value as an object, under the hash by which it was opened.
fn read_value(store: &Store, id: Hash, mut value: Box<dyn ValueRead>) -> Result<Object> {
    let (len, most) = (value.len(), store.limits().object);
    if len > most as u64 {
        let why = alloc::format!("value {id} has {len} bytes, over {most}: write it as a stream");
        return Err(Error::new(Code::PayloadTooLarge, why));
    }
    let mut text = Vec::new();
    copy_value(store.format(), &mut *value, &mut text)?;
    Ok(Object { id, ..store.format().value(&text) })
}

fn children(store: &Store, object: &Object) -> Result<Vec<(Kind, Key)>> {
    let children = store.layout().children(object)?;
    Ok(children.into_iter().map(|(kind, child)| (kind, child.key)).collect())
}

fn hand_out(object: Object) -> SliceObject {
    SliceObject { kind: object.kind, id: object.id, bytes: object.bytes }
}

/// The error of an object that cannot be in a slice.
fn unfit(object: &Object, kind: Kind) -> Error {
    if kind == Kind::ChunkIndex {
        let why = alloc::format!(
            "value {} is kept in pieces: open the store as one of large values (`Chunked`)",
            object.id
        );
        return Error::new(Code::Unsupported, why);
    }
    Error::corrupt("object", &object.id, format_args!("it is a {kind}, in a directory"))
}

impl Iterator for Export {
    type Item = Result<SliceObject>;

    fn next(&mut self) -> Option<Self::Item> {
        let object = self.step().and_then(|made| match made {
            None => Ok(None),
            Some(Ready::Object(object)) => Ok(Some(hand_out(object))),
            Some(Ready::Value(id, value)) => {
                let object = read_value(&self.store, id, value)?;
                self.store.format().verify(&object)?;
                Ok(Some(hand_out(object)))
            }
        });
        if object.is_err() {
            self.end();
        }
        object.transpose()
    }
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Export({} commits to go)", self.commits.len())
    }
}
