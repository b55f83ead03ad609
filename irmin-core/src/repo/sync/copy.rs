//! Between stores of one format: objects as they are.

use alloc::boxed::Box;
use alloc::vec::Vec;

use hashbrown::HashSet;

use super::{BATCH, commits_below};
use crate::backend::{ValueRead, copy_value};
use crate::contents::Contents;
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::id::Key;
use crate::io::Read;
use crate::object::{Child, Kind, Object};
use crate::repo::{Bulk, Repo};
use crate::tree::Store;

/// How many values are open at once.
const VALUES: usize = 16;
/// How many directories are read at once, and how many bytes of them before what is below them is
/// copied: versions of one wide directory are as many as there are commits.
const DIRS_AT_ONCE: usize = 16;
const DIRS: usize = 1 << 20;
/// How many bytes of values are collected before they are written.
pub(super) const SMALL: u64 = 256 << 10;

/// A copy that is under way.
struct Copy<'a, 'r> {
    from: &'a Store,
    to: &'a Store,
    bulk: &'a Bulk<'r>,
    /// What is known to be here, or in the stage.
    here: HashSet<Mark>,
}

/// The beginning of a hash: see the checks of a store, which remember as much.
type Mark = [u8; 16];

fn mark(hash: &Hash) -> Mark {
    let mut mark = Mark::default();
    mark.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
    mark
}

/// Directories that wait until what is below them is here.
#[derive(Default)]
struct Frame {
    objects: Vec<Object>,
    below: Vec<(Kind, Key)>,
}

/// Stages what is missing of a commit; nothing if nothing is.
pub(super) fn copy<'r, C: Contents>(
    repo: &'r Repo<C>,
    from: &Store,
    head: Key,
) -> Result<Option<Bulk<'r>>> {
    let to = repo.pinned()?;
    let missing = commits_below(from, head, &mut |hashes| {
        Ok(to.backend().find_many(hashes)?.iter().map(Option::is_some).collect())
    })?;
    if missing.is_empty() {
        return Ok(None);
    }
    let bulk = repo.bulk()?;
    let mut copy = Copy { from, to: &to, bulk: &bulk, here: HashSet::new() };
    for keys in missing.chunks(BATCH) {
        let objects =
            copy.read(&keys.iter().map(|key| (Kind::Commit, *key)).collect::<Vec<_>>())?;
        // Parents are here, or before it.
        let mut roots = Vec::with_capacity(objects.len());
        for object in &objects {
            let children = from.layout().children(object)?;
            let dirs = children.into_iter().filter(|(kind, _)| *kind != Kind::Commit);
            roots.extend(dirs.map(|(kind, child)| (kind, child.key)));
        }
        copy.trees(roots)?;
        copy.put(objects)?;
    }
    Ok(Some(bulk))
}

impl Copy<'_, '_> {
    /// Copies directories with all that is below them.
    fn trees(&mut self, roots: Vec<(Kind, Key)>) -> Result<()> {
        let mut stack = alloc::vec![Frame { objects: Vec::new(), below: roots }];
        while let Some(frame) = stack.last_mut() {
            let rest = frame.below.len().saturating_sub(BATCH);
            let some = frame.below.split_off(rest);
            if some.is_empty() {
                // One that is also below another of the frame came with that.
                if let Some(frame) = stack.pop() {
                    self.put(frame.objects)?;
                }
                continue;
            }
            let (values, dirs): (Vec<_>, Vec<_>) =
                self.absent(some)?.into_iter().partition(|(kind, _)| *kind == Kind::Value);
            for some in values.chunks(VALUES) {
                let keys: Vec<Key> = some.iter().map(|(_, key)| *key).collect();
                self.values(&keys)?;
            }
            if dirs.is_empty() {
                continue;
            }
            let (below, rest) = self.descend(&dirs)?;
            frame.below.extend(rest);
            stack.push(below);
        }
        Ok(())
    }

    /// Reads directories until they are some bytes together, and finds what is below them and not
    /// known to be here, each once; answers those that are left, too.
    fn descend<'k>(&self, dirs: &'k [(Kind, Key)]) -> Result<(Frame, &'k [(Kind, Key)])> {
        let (mut frame, mut rest, mut bytes) = (Frame::default(), dirs, 0);
        let mut met = HashSet::new();
        while bytes < DIRS && !rest.is_empty() {
            let (some, left) = rest.split_at(rest.len().min(DIRS_AT_ONCE));
            rest = left;
            for object in self.read(some)? {
                bytes += object.bytes.len();
                let children = self.from.layout().children(&object)?;
                let children = children.into_iter().map(|(kind, child)| (kind, child.key));
                frame.below.extend(children.filter(|(_, key)| {
                    let mark = mark(&key.hash);
                    !self.here.contains(&mark) && met.insert(mark)
                }));
                frame.objects.push(object);
            }
        }
        Ok((frame, rest))
    }

    /// What of these is not here, each once.
    fn absent(&mut self, mut keys: Vec<(Kind, Key)>) -> Result<Vec<(Kind, Key)>> {
        let mut once = HashSet::new();
        keys.retain(|(_, key)| {
            let mark = mark(&key.hash);
            !self.here.contains(&mark) && once.insert(mark)
        });
        let hashes: Vec<Hash> = keys.iter().map(|(_, key)| key.hash).collect();
        let found = self.to.backend().find_many(&hashes)?;
        let mut absent = Vec::new();
        for (item, found) in keys.into_iter().zip(found) {
            if found.is_some() {
                self.here.insert(mark(&item.1.hash));
            } else {
                absent.push(item);
            }
        }
        Ok(absent)
    }

    /// Reads objects there, and checks that they are what they should be.
    fn read(&self, items: &[(Kind, Key)]) -> Result<Vec<Object>> {
        let keys: Vec<Key> = items.iter().map(|(_, key)| *key).collect();
        let objects = self.from.objects(&keys)?;
        for ((kind, key), object) in items.iter().zip(&objects) {
            let is_dir = matches!(object.kind, Kind::Node | Kind::Inode);
            if object.id != key.hash || (object.kind != *kind && !(*kind == Kind::Node && is_dir)) {
                let why = alloc::format!("it is {} {}, not a {kind}", object.kind, object.id);
                return Err(Error::corrupt("object", &key.hash, why));
            }
            self.from.format().verify(object)?;
        }
        Ok(objects)
    }

    /// Stages objects, unless they were.
    fn put(&mut self, mut objects: Vec<Object>) -> Result<()> {
        objects.retain(|object| self.here.insert(mark(&object.id)));
        for object in &mut objects {
            // Where things are there means nothing here, and the bytes alone were verified.
            let children = self.from.layout().children(object)?;
            let by_hash = |(_, child): (Kind, Child)| Child::from(Key::from(child.key.hash));
            object.children = children.into_iter().map(by_hash).collect();
            object.base = None;
            object.decoded = None;
        }
        self.bulk.put_all(objects)
    }

    /// Copies a few values: small ones together, large ones as streams.
    fn values(&mut self, keys: &[Key]) -> Result<()> {
        let opened = self.from.backend().open_values(keys, self.from.wait())?;
        let (mut small, mut bytes) = (Vec::new(), 0);
        for (key, value) in keys.iter().zip(opened) {
            let mut value = value.ok_or_else(|| Error::missing_objects(alloc::vec![*key]))?;
            self.to.check_len(value.len())?;
            let len = value.len();
            if len > SMALL {
                let hash = self.bulk.stream(len, &mut Stream { value, at: 0 })?.hash;
                check(*key, hash)?;
                self.here.insert(mark(&hash));
                continue;
            }
            let mut text = Vec::new();
            check(*key, copy_value(self.from.format(), &mut *value, &mut text)?)?;
            bytes += len;
            small.push(self.to.format().value(&text));
            if bytes > SMALL {
                self.put(core::mem::take(&mut small))?;
                bytes = 0;
            }
        }
        self.put(small)
    }
}

/// A value, from its beginning.
pub(super) struct Stream {
    pub(super) value: Box<dyn ValueRead>,
    pub(super) at: u64,
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let n = self.value.read_at(buffer, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

/// Refuses a value that is not what its key says.
pub(super) fn check(key: Key, actual: Hash) -> Result<()> {
    if actual == key.hash {
        return Ok(());
    }
    Err(Error::corrupt("value", &key.hash, format_args!("its bytes hash to {actual}")))
}
