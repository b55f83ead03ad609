//! Taking slices in.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;

use super::stream::Part;
use super::{Imported, LARGE, Objects, Reader, Seen, Slice, SliceObject};
use crate::backend::{Backend, Durability, Note, Published, Stage, Wait};
use crate::contents::Contents;
use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::id::{CommitId, Key};
use crate::io::{Read, fill};
use crate::limits::Limits;
use crate::object::{Child, Format, FormatSpec, Kind, Object};
use crate::repo::Repo;

/// How many objects are handed to the store at once, and how many bytes of them.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 4 << 20;
/// How much of a large value is read at once, and the most bytes that come before a value.
const PIECE: usize = 64 << 10;
const HEADER: u64 = 64;

impl<C: Contents> Repo<C> {
    /// Takes in the objects of a slice: all of them, or none if something is wrong with one.
    ///
    /// No branch moves; [`Imported::heads`] says what to move one to. See [`slice`](mod@crate::slice).
    ///
    /// # Errors
    /// As [`Repo::import_objects`].
    pub fn import(&self, slice: &Slice) -> Result<Imported> {
        let mut objects = slice.objects.iter().map(|object| Ok(object.clone()));
        self.import_objects(&slice.format, &slice.heads, &mut objects)
    }

    /// Takes in a slice that comes as a stream, with little memory: values of more than a mebibyte
    /// go to the store as they come, bounded by [`Limits::streamed`].
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
    /// from.main()?.set("a", "1", "one value")?;
    /// let mut file = Vec::new();
    /// from.export_to(&SliceOptions::default(), &mut file)?;
    /// let imported = to.import_from(&mut &file[..])?;
    /// assert_eq!(imported.heads, [from.main()?.head()?.unwrap().id()]);
    /// # Ok::<(), irmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Repo::import_objects`] and [`Reader::new`].
    pub fn import_from(&self, from: &mut dyn Read) -> Result<Imported> {
        let mut reader = Reader::new(from, self.limits())?;
        let (format, heads) = (*reader.format(), reader.heads().to_vec());
        self.take_in(&format, &heads, |import| {
            while let Some(part) = reader.part(usize::try_from(LARGE).unwrap_or(usize::MAX))? {
                match part {
                    Part::Object(object) => import.take(object)?,
                    Part::Large { id, len } => {
                        import.stream(self.limits(), id, len, &mut reader.body(len))?;
                    }
                }
            }
            Ok(())
        })
    }

    /// Takes in objects as they come, children before parents: what they refer to is before them,
    /// or in the store.
    ///
    /// Each is checked to have its hash and to decode. What is there already is not written again.
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
    /// from.main()?.set("a", "1", "one value")?;
    /// // From store to store, without a slice in memory.
    /// let mut export = from.export_objects(&SliceOptions::default())?;
    /// let (format, heads) = (*export.format(), export.heads().to_vec());
    /// assert_eq!(to.import_objects(&format, &heads, &mut export)?.objects(), 3);
    /// # Ok::<(), irmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `unsupported` for objects of another format, `corrupt_object` for one that does not have
    /// its hash or does not decode, `missing_objects` (see [`Error::missing`]) where something that
    /// is referred to, or a head, is neither in the slice nor in the store, those of the objects,
    /// and those of writing. Nothing is brought in then.
    pub fn import_objects(
        &self,
        format: &FormatSpec,
        heads: &[CommitId],
        objects: &mut Objects<'_>,
    ) -> Result<Imported> {
        self.take_in(format, heads, |import| {
            for object in objects {
                import.take(object?)?;
            }
            Ok(())
        })
    }

    fn take_in(
        &self,
        format: &FormatSpec,
        heads: &[CommitId],
        take: impl FnOnce(&mut Import<'_>) -> Result<()>,
    ) -> Result<Imported> {
        if format != self.format().spec() {
            let why = alloc::format!(
                "the slice is of another format than the store: {format}, and {}",
                self.format().spec()
            );
            return Err(Error::new(Code::Unsupported, why));
        }
        let _pin = self.backend().pin()?;
        let mut import = Import {
            backend: &**self.backend(),
            stage: self.backend().stage()?,
            seen: Seen::default(),
            batch: Vec::new(),
            bytes: 0,
            imported: Imported { heads: heads.to_vec(), ..Imported::default() },
        };
        take(&mut import)?;
        import.flush()?;
        import.check_heads()?;
        let Import { stage, imported, .. } = import;
        match stage.publish(Vec::new(), Durability::Durable, Note::default())? {
            Published::Done { .. } => Ok(imported),
            Published::Lost { name, .. } => {
                let why = alloc::format!("the store says that ref `{name}`, which was left, moved");
                Err(Error::new(Code::CorruptStore, why))
            }
        }
    }
}

struct Import<'a> {
    backend: &'a dyn Backend,
    stage: Box<dyn Stage + 'a>,
    seen: Seen,
    batch: Vec<Object>,
    bytes: usize,
    imported: Imported,
}

impl Import<'_> {
    fn take(&mut self, object: SliceObject) -> Result<()> {
        let children = check(self.backend.format(), &object)?;
        for (kind, child) in &children {
            if let Some(found) = self.seen.get(&child.key.hash) {
                fits(&object, *kind, found, &child.key.hash)?;
            }
        }
        self.note(object.kind, &object.id)?;
        self.bytes = self.bytes.saturating_add(object.bytes.len());
        let SliceObject { kind, id, bytes } = object;
        let children = children.into_iter().map(|(_, child)| child).collect();
        self.batch.push(Object { children, ..Object::new(kind, id, bytes) });
        if self.batch.len() >= BATCH || self.bytes >= BATCH_BYTES { self.flush() } else { Ok(()) }
    }

    fn note(&mut self, kind: Kind, id: &Hash) -> Result<()> {
        if self.seen.insert(id, kind) {
            return Ok(());
        }
        let why = alloc::format!("{kind} {id} is in the slice twice");
        Err(Error::new(Code::CorruptObject, why))
    }

    /// Takes a value as it comes.
    fn stream(&mut self, limits: &Limits, id: Hash, len: u64, body: &mut dyn Read) -> Result<()> {
        self.note(Kind::Value, &id)?;
        let format = self.backend.format();
        let bad = |why: &str| Error::corrupt("value", &id, why);
        let (header, len) =
            value_of(format, len).ok_or_else(|| bad("no value has an object so long"))?;
        if len > limits.streamed {
            let why = alloc::format!("value {id} of the slice has {len} bytes, over the limit");
            return Err(Error::new(Code::PayloadTooLarge, why));
        }
        let mut begin = alloc::vec![0; header.len()];
        fill(body, &mut begin)?;
        if begin != header {
            return Err(bad("its object does not begin as one of a value"));
        }
        let there = self.find(&[id])?.contains(&true);
        let (actual, counter) = if there {
            (hash_of(format, len, body)?, &mut self.imported.present)
        } else {
            let key = self.stage.put_value(format, len, body)?;
            (key.hash, &mut self.imported.contents)
        };
        *counter += 1;
        same(Kind::Value, &id, &actual)
    }

    /// Hands on what was collected and is not in the store.
    fn flush(&mut self) -> Result<()> {
        self.bytes = 0;
        let batch = core::mem::take(&mut self.batch);
        let ids: Vec<Hash> = batch.iter().map(|object| object.id).collect();
        let there = self.find(&ids)?;
        let mut new = Vec::with_capacity(batch.len());
        for (object, there) in batch.into_iter().zip(there) {
            let counter = match object.kind {
                _ if there => &mut self.imported.present,
                Kind::Commit => &mut self.imported.commits,
                Kind::Node | Kind::Inode => &mut self.imported.nodes,
                _ => &mut self.imported.contents,
            };
            *counter += 1;
            if !there {
                new.push(object);
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        self.stage.put(new).map(drop).map_err(not_whole)
    }

    /// Which objects are in the store. Stores without an index are given all of them.
    fn find(&self, ids: &[Hash]) -> Result<Vec<bool>> {
        match self.backend.find_many(ids) {
            Ok(found) => Ok(found.iter().map(Option::is_some).collect()),
            Err(e) if e.code() == Code::Unsupported => Ok(alloc::vec![false; ids.len()]),
            Err(e) => Err(e),
        }
    }

    /// Heads that nobody has would be found out only when a branch is moved to them.
    fn check_heads(&self) -> Result<()> {
        let keys: Vec<Key> = self.imported.heads.iter().map(|id| Key::from(id.hash())).collect();
        let new = self.stage.get_many(&keys)?;
        let old = self.backend.get_many(&keys, Wait::Block)?;
        let commit = |object: &Object| object.kind == Kind::Commit;
        let found =
            new.into_iter().zip(old).map(|(new, old)| new.or(old).is_some_and(|o| commit(&o)));
        let missing = keys.iter().zip(found).filter(|(_, found)| !found);
        let missing: Vec<Key> = missing.map(|(key, _)| *key).collect();
        if missing.is_empty() { Ok(()) } else { Err(not_whole(Error::missing_objects(missing))) }
    }
}

/// The header of a value whose pre-image has so many bytes, and how many follow it.
fn value_of(format: &Format, len: u64) -> Option<(Bytes, u64)> {
    // It takes no fewer bytes for a longer value, and never many.
    (0..=HEADER).find_map(|n| {
        let rest = len.checked_sub(n)?;
        let header = format.layout().value_header(rest);
        (header.len() as u64 == n).then_some((header, rest))
    })
}

/// The hash of a value of so many bytes, which are read.
fn hash_of(format: &Format, len: u64, body: &mut dyn Read) -> Result<Hash> {
    let mut hasher = format.hasher(len);
    let mut piece = alloc::vec![0; PIECE];
    loop {
        let n = fill(body, &mut piece)?;
        if n == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(piece.get(..n).unwrap_or_default());
    }
}

/// Refuses what has another hash, in the words of the original.
fn same(kind: Kind, expected: &Hash, actual: &Hash) -> Result<()> {
    if actual == expected {
        return Ok(());
    }
    let name = match kind {
        Kind::Commit => "Commit",
        Kind::Node | Kind::Inode => "Node",
        _ => "Contents",
    };
    let why = alloc::format!("{name} import error: expected {expected}, got {actual}");
    Err(Error::new(Code::CorruptObject, why))
}

/// Checks an object alone, and says what it refers to.
fn check(format: &Format, object: &SliceObject) -> Result<Vec<(Kind, Child)>> {
    if matches!(object.kind, Kind::Tag | Kind::Chunk | Kind::ChunkIndex) {
        let why = alloc::format!("object {} is a {}, in a slice", object.id, object.kind);
        return Err(Error::new(Code::CorruptObject, why));
    }
    let (kind, id, bytes) = (object.kind, object.id, object.bytes.clone());
    same(kind, &id, &format.hash().digest(&bytes))?;
    let object = Object::new(kind, id, bytes);
    let layout = format.layout();
    match kind {
        Kind::Value => drop(layout.decode_value(&object)?),
        Kind::Commit => drop(layout.decode_commit(&object)?),
        _ => drop(layout.decode(Key::from(id), &object)?),
    }
    layout.children(&object)
}

/// Checks that an object is what another one refers to it as.
fn fits(parent: &SliceObject, expected: Kind, found: Kind, child: &Hash) -> Result<()> {
    let fine = match expected {
        Kind::Node => matches!(found, Kind::Node | Kind::Inode),
        expected => found == expected,
    };
    if fine {
        return Ok(());
    }
    let what = alloc::format!("{}", parent.kind);
    let why = format_args!("it refers to {child} as a {expected}, which is a {found}");
    Err(Error::corrupt(&what, &parent.id, why))
}

/// Says why objects may be missing, and what to do about it.
fn not_whole(error: Error) -> Error {
    if error.code() != Code::MissingObjects {
        return error;
    }
    error.context(
        "the slice refers to what is not in it: import it where the rest is, or export it whole \
         (without `have`, `min` and `depth`, with trees)",
    )
}
