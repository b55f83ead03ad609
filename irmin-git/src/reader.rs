//! Where objects are read from: gix on real directories, our own packs over [`Io`].

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gix::error::Class;
use gix::hash::ObjectId;
use gix::odb::HandleArc;
use gix::odb::store::init::{Options, Slots};
use irmin_core::backend::ValueRead as _;
use irmin_core::io::{Io, StdIo};
use irmin_core::lock::Mutex;
use irmin_core::{Code, Error, HashPrefix, Kind, Result};

use crate::oid::{self, Oid};
use crate::pack::inflate::Blob;
use crate::pack::read::Pack;
use crate::temp::PACKS;
use crate::{files, large};

/// How often an object is searched for while packs keep changing.
const SEARCHES: u32 = 8;

/// The largest value that is read and written whole where it could be a stream, in bytes.
pub(crate) const WHOLE: u64 = 1 << 20;

/// A source of objects.
pub(crate) trait ObjectReader: Send + Sync + fmt::Debug {
    /// The kind and body of an object; `None` if there is no such object.
    ///
    /// # Errors
    /// `corrupt_object`, `payload_too_large`, `io`.
    fn read(&self, id: &Oid) -> Result<Option<(Kind, Vec<u8>)>>;

    /// The length of an object of more than `most` bytes, found without reading them; `None` for what
    /// is not there, not so large, or a delta whose length only reading it tells.
    ///
    /// # Errors
    /// `corrupt_object`, `io`.
    fn longer(&self, id: &Oid, most: u64) -> Result<Option<u64>>;

    /// A blob of more than [`WHOLE`] bytes, to be read piece by piece; `None` for what is not there,
    /// not so large, no blob, or stored as a delta, which is for [`read`](ObjectReader::read).
    ///
    /// # Errors
    /// `corrupt_object`, `io`.
    fn large(&self, id: &Oid) -> Result<Option<Blob>>;

    /// Whether there is such an object.
    ///
    /// # Errors
    /// `corrupt_object`, `io`.
    fn contains(&self, id: &Oid) -> Result<bool>;

    /// The objects whose name begins so.
    ///
    /// # Errors
    /// `io`.
    fn starting(&self, prefix: &HashPrefix) -> Result<BTreeSet<Oid>>;
}

/// Reads whatever git can: loose objects, packs with deltas, alternates.
pub(crate) struct GixReader {
    objects: PathBuf,
    limit: usize,
    state: Mutex<State>,
}

/// What is open.
struct State {
    store: Arc<gix::odb::Store>,
    /// The names in the directories of packs from just before the store was opened.
    names: BTreeSet<(PathBuf, String)>,
    /// Handles of the store keep what they have found out of the packs: they are used again.
    idle: Vec<HandleArc>,
}

impl GixReader {
    /// A reader of a directory of objects; objects over `limit` bytes are refused unread.
    ///
    /// # Errors
    /// `io`.
    pub(crate) fn open(objects: &Path, limit: usize) -> Result<Self> {
        // Alternates are only found from a path that does not depend on anything else.
        let objects = std::path::absolute(objects).unwrap_or_else(|_| objects.to_owned());
        let state = Mutex::new(State::open(&objects, limit)?);
        Ok(GixReader { objects, limit, state })
    }

    /// Runs a search.
    ///
    /// That something is nowhere is believed only of a store that was opened on the very packs
    /// that there are now. Programs that merge packs take one away when its objects are in another
    /// one, which a search that runs meanwhile may have missed.
    fn search<T>(
        &self,
        id: &Oid,
        search: impl Fn(&HandleArc) -> gix::Result<Option<T>>,
    ) -> Result<Option<T>> {
        for _ in 0..SEARCHES {
            let (found, used) = self.with(&search).map_err(|e| translate(id, e))?;
            if found.is_some() {
                return Ok(found);
            }
            let names = pack_names(&self.objects);
            let mut state = self.state.lock();
            if Arc::ptr_eq(&state.store, &used) {
                if state.names == names {
                    return Ok(None);
                }
                *state = State::open(&self.objects, self.limit)?;
            }
        }
        Ok(None)
    }

    /// Runs a read, and says on which store; once more on a fresh one if it fails, because a store
    /// has room for a fixed number of packs and other programs may have replaced them all.
    fn with<T>(
        &self,
        read: impl Fn(&HandleArc) -> gix::Result<T>,
    ) -> gix::Result<(T, Arc<gix::odb::Store>)> {
        let handle = self.handle();
        match read(&handle) {
            Ok(value) => Ok((value, self.give_back(handle))),
            Err(e) => {
                let Ok(fresh) = State::open(&self.objects, self.limit) else { return Err(e) };
                *self.state.lock() = fresh;
                let handle = self.handle();
                let value = read(&handle)?;
                Ok((value, self.give_back(handle)))
            }
        }
    }

    /// A handle that never follows changes of the disk by itself: a store of gix that has followed
    /// thousands of them can take an old state for the newest, or stop the program. Its state is
    /// that of the packs it was opened on, and [`search`](GixReader::search) opens another one.
    fn handle(&self) -> HandleArc {
        let mut state = self.state.lock();
        state.idle.pop().unwrap_or_else(|| {
            let mut handle = state.store.to_cache_arc();
            handle.refresh_never();
            handle
        })
    }

    /// Keeps a handle for the next read, and answers its store.
    fn give_back(&self, handle: HandleArc) -> Arc<gix::odb::Store> {
        let store = handle.store();
        let mut state = self.state.lock();
        if Arc::ptr_eq(&state.store, &store) {
            state.idle.push(handle);
        }
        store
    }
}

impl State {
    fn open(objects: &Path, limit: usize) -> Result<State> {
        let names = pack_names(objects);
        Ok(State { store: open_store(objects, limit)?, names, idle: Vec::new() })
    }
}

/// What is in the directories of packs, those of alternates too; nothing of one that cannot be read.
fn pack_names(objects: &Path) -> BTreeSet<(PathBuf, String)> {
    let alternates = gix::odb::alternate::resolve(objects.to_owned(), objects).unwrap_or_default();
    let mut names = BTreeSet::new();
    for dir in core::iter::once(objects.to_owned()).chain(alternates) {
        let entries = StdIo::open(&dir).and_then(|io| io.list("pack"));
        names.extend(entries.into_iter().flatten().map(|entry| (dir.clone(), entry.name)));
    }
    names
}

fn open_store(objects: &Path, limit: usize) -> Result<Arc<gix::odb::Store>> {
    let options = Options {
        slots: Slots::AsNeededByDiskState { multiplier: 2.0, minimum: 256 },
        alloc_limit_bytes: Some(limit),
        ..Options::default()
    };
    let kind = gix::hash::Kind::Sha1;
    let store =
        gix::odb::Store::at_opts(objects.to_owned(), kind, &mut core::iter::empty(), options);
    store.map(Arc::new).map_err(|e| {
        let why = format!("the objects in {} cannot be opened", objects.display());
        Error::new(Code::Io, why).with_source(e)
    })
}

impl fmt::Debug for GixReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GixReader({})", self.objects.display())
    }
}

impl ObjectReader for GixReader {
    fn read(&self, id: &Oid) -> Result<Option<(Kind, Vec<u8>)>> {
        use gix::objs::Find as _;
        self.search(id, |odb| {
            let mut body = Vec::new();
            let kind = odb.try_find(&ObjectId::Sha1(*id), &mut body)?.map(|data| data.kind);
            Ok(kind.map(|kind| (kind_of(kind), body)))
        })
    }

    fn longer(&self, id: &Oid, most: u64) -> Result<Option<u64>> {
        use gix::odb::Header as _;
        let header = self.search(id, |odb| odb.try_header(&ObjectId::Sha1(*id)))?;
        Ok(header.map(|header| header.size()).filter(|len| *len > most))
    }

    fn large(&self, id: &Oid) -> Result<Option<Blob>> {
        use gix::odb::Header as _;
        let header = self.search(id, |odb| odb.try_header(&ObjectId::Sha1(*id)))?;
        let large = header.is_some_and(|h| h.kind() == gix::objs::Kind::Blob && h.size() > WHOLE);
        if large { large::find(&self.objects, id) } else { Ok(None) }
    }

    fn contains(&self, id: &Oid) -> Result<bool> {
        use gix::objs::Exists as _;
        use gix::odb::Header as _;
        // `exists` says no where it cannot read an index; the header says why.
        let id_of_gix = ObjectId::Sha1(*id);
        let found = self.search(id, |odb| {
            let there = odb.exists(&id_of_gix) || odb.try_header(&id_of_gix)?.is_some();
            Ok(there.then_some(()))
        })?;
        Ok(found.is_some())
    }

    fn starting(&self, prefix: &HashPrefix) -> Result<BTreeSet<Oid>> {
        if prefix.as_str().len() > 40 {
            return Ok(BTreeSet::new());
        }
        let mut found = std::collections::HashSet::new();
        for _ in 0..SEARCHES {
            // All candidates are wanted: the store must be one of the packs that there are.
            let names = pack_names(&self.objects);
            if self.state.lock().names != names {
                let fresh = State::open(&self.objects, self.limit)?;
                *self.state.lock() = fresh;
            }
            let looked = self.with(|odb| {
                let prefix = gix::hash::Prefix::from_hex(prefix.as_str())?;
                let mut found = std::collections::HashSet::new();
                let _: Option<_> = odb.lookup_prefix(prefix, Some(&mut found))?;
                Ok(found)
            });
            let looked = looked.map_err(|e| {
                let why = format!("looking for objects that begin with {prefix}");
                Error::new(Code::Io, why).with_source(e)
            })?;
            found = looked.0;
            if pack_names(&self.objects) == names {
                break;
            }
        }
        Ok(found.iter().filter_map(|id| id.as_slice().try_into().ok()).collect())
    }
}

fn kind_of(kind: gix::objs::Kind) -> Kind {
    match kind {
        gix::objs::Kind::Blob => Kind::Value,
        gix::objs::Kind::Tree => Kind::Node,
        gix::objs::Kind::Commit => Kind::Commit,
        gix::objs::Kind::Tag => Kind::Tag,
    }
}

/// Our error for one of gix's: what the disk refused is `io`, the rest is damage.
fn translate(id: &Oid, e: gix::Error) -> Error {
    let name = oid::to_hash(id);
    let damage = [std::io::ErrorKind::UnexpectedEof, std::io::ErrorKind::InvalidData];
    let io = e.downcast_any_ref::<std::io::Error>().is_some_and(|io| !damage.contains(&io.kind()));
    let error = match e.dominant_class() {
        Some(Class::ResourceExhaustion(_)) => {
            Error::new(Code::PayloadTooLarge, format!("object {name} is over the limit: {e}"))
        }
        _ if io => Error::new(Code::Io, format!("object {name} cannot be read: {e}")),
        _ => Error::corrupt("object", &name, &e),
    };
    error.with_source(e)
}

/// Reads the packs that this crate writes, through [`Io`]: no loose objects, no deltas.
#[derive(Debug)]
pub(crate) struct IoReader {
    io: Arc<dyn Io>,
    limit: usize,
    packs: Mutex<HashMap<String, Arc<Pack>>>,
}

impl IoReader {
    /// A reader of the packs below a git directory.
    pub(crate) fn new(io: Arc<dyn Io>, limit: usize) -> Self {
        IoReader { io, limit, packs: Mutex::default() }
    }

    /// Calls `f` for the packs until it answers: those known first, then all that there are.
    fn first<T>(&self, mut f: impl FnMut(&Pack) -> Result<Option<T>>) -> Result<Option<T>> {
        let mut packs: Vec<Arc<Pack>> = self.packs.lock().values().cloned().collect();
        for round in 0..2 {
            if round > 0 {
                packs = self.refresh()?;
            }
            for pack in &packs {
                if let Some(found) = f(pack)? {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    /// Forgets packs that are gone, opens new ones, and answers all.
    fn refresh(&self) -> Result<Vec<Arc<Pack>>> {
        let mut packs = self.packs.lock();
        for _ in 0..SEARCHES {
            let names: BTreeSet<String> = files::if_exists(self.io.list(PACKS))?
                .unwrap_or_default()
                .into_iter()
                .map(|entry| entry.name)
                .collect();
            let has = |stem: &str, ext: &str| names.contains(&format!("{stem}.{ext}"));
            packs.retain(|stem, _| has(stem, "idx"));
            let mut complete = true;
            for stem in names.iter().filter_map(|n| n.strip_suffix(".idx")) {
                if stem.starts_with("pack-") && has(stem, "pack") && !packs.contains_key(stem) {
                    match files::if_exists(Pack::open(&*self.io, stem))? {
                        Some(pack) => drop(packs.insert(stem.to_owned(), Arc::new(pack))),
                        // It went after it was listed: what it held is in another one.
                        None => complete = false,
                    }
                }
            }
            if complete {
                break;
            }
        }
        Ok(packs.values().cloned().collect())
    }
}

impl ObjectReader for IoReader {
    fn read(&self, id: &Oid) -> Result<Option<(Kind, Vec<u8>)>> {
        self.first(|pack| pack.find(id, self.limit))
    }

    fn longer(&self, id: &Oid, most: u64) -> Result<Option<u64>> {
        Ok(self.first(|pack| pack.large(id, most))?.map(|blob| blob.len()))
    }

    fn large(&self, id: &Oid) -> Result<Option<Blob>> {
        self.first(|pack| pack.large(id, WHOLE))
    }

    fn contains(&self, id: &Oid) -> Result<bool> {
        Ok(self.first(|pack| Ok(pack.index.find(id).map(|_| ())))?.is_some())
    }

    fn starting(&self, prefix: &HashPrefix) -> Result<BTreeSet<Oid>> {
        let mut found = BTreeSet::new();
        let none: Option<()> = self.first(|pack| {
            let matching = |id: &&Oid| prefix.matches(&oid::to_hash(id));
            found.extend(pack.index.places.iter().map(|p| &p.id).filter(matching));
            Ok(None)
        })?;
        debug_assert!(none.is_none());
        Ok(found)
    }
}
