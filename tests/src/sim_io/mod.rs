//! A simulated disk: every state that a loss of power can leave, and every way to fail.
//!
//! [`SimIo`] keeps for each file and directory what programs see and what is durable, apart:
//! bytes, length and names each become durable on their own, by the sync of the file for the
//! first two and of its directory for the third. No journal is assumed: what is not synced may
//! be lost, kept or torn in any combination, and in any order. Two things are atomic: the change
//! of one name, and a rename within one directory. A rename between directories is two changes,
//! so that the new name must be synced before the old one.
//!
//! Real file systems promise more; a store that survives here survives there.

mod content;
mod crash;
mod disk;
mod real;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use irmin_core::io::{DirEntry, File, FileKind, Io, LockGuard, Metadata, OpenMode, check_path};
use irmin_core::{Bytes, Code, Error, Result};

use disk::{Disk, Ino, Node, Op, ROOT};

pub use crash::{CrashImage, CrashImages, Sampling};

/// The largest simulated file, in bytes: a bug, not a file, is larger.
const MAX_LEN: usize = 1 << 32;

/// A simulated disk; clones of it are handles of the same one.
///
/// ```
/// use irmin_core::io::{Io, OpenMode};
/// use irmin_tests::sim_io::{Sampling, SimIo};
/// let io = SimIo::new();
/// let file = io.open("a", OpenMode::CreateNew)?;
/// file.write_at(b"kept", 0)?;
/// file.sync()?;
/// io.sync_dir("")?;
/// let acknowledged = io.op_count();
/// file.write_at(b"lost", 0)?;
/// for image in io.crash_images(Sampling { per_point: 10, seed: 1 }) {
///     if image.at == acknowledged {
///         assert_eq!(image.io.read_file("a")?.unwrap(), b"kept", "{image}");
///     }
/// }
/// # Ok::<(), irmin_core::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct SimIo {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    /// The disk before the operations of the log.
    base: Disk,
    log: Vec<Op>,
    disk: Disk,
    locked: BTreeSet<Ino>,
    faults: BTreeMap<Fault, u64>,
}

/// What fails, when its turn comes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Fault {
    /// One sync of a file or directory fails, and what it should have made durable is dropped:
    /// programs still read it, but it never reaches the disk unless it is written again.
    SyncDropping,
    /// One sync of a file or directory fails, although all of it became durable.
    SyncKeeping,
    /// One read fails.
    Read,
    /// From its turn on there is no space: every write fails, after its first half, and so does
    /// everything that makes a name, until [`SimIo::repair`].
    DiskFull,
}

impl SimIo {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        SimIo::default()
    }

    fn of_disk(disk: Disk) -> Self {
        let inner = Inner { base: disk.clone(), disk, ..Inner::default() };
        SimIo { inner: Arc::new(Mutex::new(inner)) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many operations changed or synced the disk: the moment to compare
    /// [`CrashImage::at`] with.
    #[must_use]
    pub fn op_count(&self) -> usize {
        self.inner().log.len()
    }

    /// The operations so far, one a line, for people.
    #[must_use]
    pub fn snapshot_ops(&self) -> Vec<String> {
        self.inner().log.iter().map(ToString::to_string).collect()
    }

    /// Forgets the operations so far, so that images begin here; what was pending stays so.
    pub fn forget_ops(&self) {
        let mut inner = self.inner();
        inner.base = inner.disk.clone();
        inner.log.clear();
    }

    /// A disk of its own in the same state, what is not durable included, without locks and
    /// planned faults: what the next program finds when this one is killed.
    #[must_use]
    pub fn fork(&self) -> SimIo {
        self.fork_at(usize::MAX)
    }

    /// What the next program finds when this one was killed after so many operations: see
    /// [`fork`](SimIo::fork).
    #[must_use]
    pub fn fork_at(&self, ops: usize) -> SimIo {
        let inner = self.inner();
        let (base, log) = (inner.base.clone(), inner.log.iter().take(ops).cloned().collect());
        drop(inner);
        let mut forked = Inner { base: base.clone(), disk: base, ..Inner::default() };
        let log: Vec<Op> = log;
        log.into_iter().for_each(|op| forked.run(op));
        SimIo { inner: Arc::new(Mutex::new(forked)) }
    }

    /// What a loss of power can leave behind, from before the first operation to after the last.
    #[must_use]
    pub fn crash_images(&self, sampling: Sampling) -> CrashImages {
        self.crash_images_from(0, sampling)
    }

    /// What a loss of power can leave behind, from after so many operations on.
    #[must_use]
    pub fn crash_images_from(&self, at: usize, sampling: Sampling) -> CrashImages {
        let inner = self.inner();
        let end = inner.log.len();
        CrashImages::new(inner.base.clone(), inner.log.clone(), at..=end, sampling)
    }

    /// One image again: `per_point` must be what it was.
    #[must_use]
    pub fn crash_image(&self, at: usize, case: u64, sampling: Sampling) -> SimIo {
        let inner = self.inner();
        let mut disk = inner.base.clone();
        inner.log.iter().take(at).for_each(|op| disk.apply(op));
        SimIo::of_disk(crash::image(&disk, at, case, sampling))
    }

    /// Plans a fault: `after` operations of its kind succeed, the next one fails.
    pub fn plan(&self, fault: Fault, after: u64) {
        self.inner().faults.insert(fault, after);
    }

    /// Cancels all faults: the disk works, and has space, from now on.
    pub fn repair(&self) {
        self.inner().faults.clear();
    }

    /// The whole of a file as programs see it, `None` if there is no such file. Planned faults
    /// do not concern it.
    ///
    /// # Errors
    /// `invalid_path`.
    pub fn read_file(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let inner = self.inner();
        let found = inner.lookup(path)?;
        Ok(found.and_then(|ino| inner.disk.content(ino)).map(content::Content::bytes))
    }
}

impl fmt::Debug for SimIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimIo({} operations)", self.op_count())
    }
}

impl Inner {
    fn lookup(&self, path: &str) -> Result<Option<Ino>> {
        check_path(path)?;
        let mut at = ROOT;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            match self.disk.names(at).and_then(|names| names.get(name)) {
                Some(ino) => at = *ino,
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    fn is_dir(&self, ino: Ino) -> bool {
        self.disk.names(ino).is_some()
    }

    /// The directory that a name is or shall be in, and what it stands for now.
    fn slot(&self, path: &str, doing: &str) -> Result<(Ino, Arc<str>, Option<Ino>)> {
        check_path(path)?;
        if path.is_empty() {
            return Err(error(Code::NameClash, doing, path, "it is the root"));
        }
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut dir = ROOT;
        for step in parent.split('/').filter(|step| !step.is_empty()) {
            let Some(names) = self.disk.names(dir) else { break };
            let next = names.get(step);
            dir = *next.ok_or_else(|| error(Code::NotFound, doing, path, "no such directory"))?;
        }
        let Some(names) = self.disk.names(dir) else {
            return Err(error(
                Code::NameClash,
                doing,
                path,
                "a file is where a directory should be",
            ));
        };
        Ok((dir, Arc::from(name), names.get(name).copied()))
    }

    /// A name that must be there and stand for a file.
    fn file(&self, path: &str, doing: &str) -> Result<Ino> {
        match self.lookup(path)? {
            Some(ino) if self.is_dir(ino) => {
                Err(error(Code::NameClash, doing, path, "it is a directory"))
            }
            Some(ino) => Ok(ino),
            None => Err(error(Code::NotFound, doing, path, "no such file")),
        }
    }

    fn run(&mut self, op: Op) {
        self.disk.apply(&op);
        self.log.push(op);
    }

    /// Whether the turn of a fault has come; if not, it is one closer.
    fn fails(&mut self, fault: Fault) -> bool {
        match self.faults.get_mut(&fault) {
            Some(0) if fault == Fault::DiskFull => true,
            Some(0) => self.faults.remove(&fault).is_some(),
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        }
    }

    fn need_space(&mut self, doing: &str, path: &str) -> Result<()> {
        let full = self.fails(Fault::DiskFull);
        if full { Err(error(Code::Io, doing, path, "the disk is full")) } else { Ok(()) }
    }

    fn create(&mut self, dir: Ino, name: Arc<str>, directory: bool) -> Ino {
        let ino = self.disk.next_ino();
        self.run(Op::Create { dir, name, ino, directory });
        ino
    }

    fn sync(&mut self, ino: Ino, path: &str) -> Result<()> {
        let (dropped, kept) = (self.fails(Fault::SyncDropping), self.fails(Fault::SyncKeeping));
        self.run(if dropped { Op::FailedSync { ino } } else { Op::Sync { ino } });
        if dropped || kept {
            return Err(error(Code::Io, "syncing", path, "the device failed, as planned"));
        }
        Ok(())
    }
}

fn error(code: Code, doing: &str, path: &str, why: &str) -> Error {
    Error::new(code, format!("{doing} `{path}`: {why}"))
}

impl Io for SimIo {
    fn open(&self, path: &str, mode: OpenMode) -> Result<Box<dyn File>> {
        let mut inner = self.inner();
        let found = inner.lookup(path)?;
        let refuse = |code, why| Err(error(code, "opening", path, why));
        let ino = match (found, mode) {
            (Some(ino), OpenMode::Read) if inner.is_dir(ino) => {
                return refuse(Code::NotFound, "it is a directory");
            }
            (Some(ino), _) if inner.is_dir(ino) => {
                return refuse(Code::NameClash, "it is a directory");
            }
            (Some(_), OpenMode::CreateNew) => {
                return refuse(Code::NameClash, "the name is taken");
            }
            (Some(ino), OpenMode::Read | OpenMode::ReadWrite) => ino,
            (None, OpenMode::Read) => return refuse(Code::NotFound, "no such file"),
            (None, OpenMode::ReadWrite | OpenMode::CreateNew) => {
                let (dir, name, _) = inner.slot(path, "creating")?;
                inner.need_space("creating", path)?;
                inner.create(dir, name, false)
            }
        };
        drop(inner);
        let writable = mode != OpenMode::Read;
        Ok(Box::new(SimFile { io: self.clone(), ino, path: path.into(), writable }))
    }

    fn metadata(&self, path: &str) -> Result<Option<Metadata>> {
        let inner = self.inner();
        let Some(ino) = inner.lookup(path)? else { return Ok(None) };
        let (kind, len, modified) = match inner.disk.node(ino) {
            Node::File { now, modified, .. } => (FileKind::File, now.len() as u64, *modified),
            Node::Dir { .. } => (FileKind::Dir, 0, 0),
        };
        Ok(Some(Metadata { kind, len, identity: (0, ino), modified: i128::from(modified) }))
    }

    fn list(&self, path: &str) -> Result<Vec<DirEntry>> {
        let inner = self.inner();
        let names = inner.lookup(path)?.and_then(|ino| inner.disk.names(ino));
        let names =
            names.ok_or_else(|| error(Code::NotFound, "listing", path, "no such directory"))?;
        let entry = |(name, ino): (&Arc<str>, &Ino)| {
            let kind = if inner.is_dir(*ino) { FileKind::Dir } else { FileKind::File };
            DirEntry { name: name.to_string(), kind }
        };
        Ok(names.iter().map(entry).collect())
    }

    fn create_dir(&self, path: &str) -> Result<()> {
        let mut inner = self.inner();
        if inner.lookup(path)?.is_some_and(|ino| inner.is_dir(ino)) {
            return Ok(());
        }
        let (dir, name, found) = inner.slot(path, "making directory")?;
        if found.is_some() {
            return Err(error(Code::NameClash, "making directory", path, "the name is taken"));
        }
        inner.need_space("making directory", path)?;
        inner.create(dir, name, true);
        Ok(())
    }

    fn link(&self, from: &str, to: &str) -> Result<()> {
        let mut inner = self.inner();
        let ino = inner.file(from, "linking")?;
        if inner.lookup(to)?.is_some() {
            return Err(error(Code::NameClash, "linking", to, "the name is taken"));
        }
        let (dir, name, _) = inner.slot(to, "linking")?;
        inner.need_space("linking", to)?;
        inner.run(Op::Link { dir, name, ino });
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let mut inner = self.inner();
        let ino = inner.file(from, "renaming")?;
        let (from_dir, from_name, _) = inner.slot(from, "renaming")?;
        let (to_dir, to_name, found) = inner.slot(to, "renaming to")?;
        match found {
            Some(found) if inner.is_dir(found) => {
                return Err(error(Code::NameClash, "renaming to", to, "it is a directory"));
            }
            Some(found) if found == ino => return Ok(()),
            _ => {}
        }
        inner.need_space("renaming to", to)?;
        inner.run(Op::Rename { from: (from_dir, from_name), to: (to_dir, to_name), ino });
        Ok(())
    }

    fn remove(&self, path: &str) -> Result<()> {
        let mut inner = self.inner();
        inner.file(path, "removing")?;
        let (dir, name, _) = inner.slot(path, "removing")?;
        inner.run(Op::Unlink { dir, name });
        Ok(())
    }

    fn remove_dir(&self, path: &str) -> Result<()> {
        let mut inner = self.inner();
        let doing = "removing directory";
        let ino = inner.lookup(path)?;
        let ino = ino.ok_or_else(|| error(Code::NotFound, doing, path, "no such directory"))?;
        let names = inner.disk.names(ino);
        let names = names.ok_or_else(|| error(Code::NameClash, doing, path, "it is a file"))?;
        if !names.is_empty() {
            return Err(error(Code::NameClash, doing, path, "the directory is not empty"));
        }
        let (dir, name, _) = inner.slot(path, doing)?;
        inner.run(Op::Unlink { dir, name });
        Ok(())
    }

    fn sync_dir(&self, path: &str) -> Result<()> {
        let mut inner = self.inner();
        let doing = "syncing directory";
        match inner.lookup(path)? {
            Some(ino) if inner.is_dir(ino) => inner.sync(ino, path),
            Some(_) => Err(error(Code::NameClash, doing, path, "it is a file")),
            None => Err(error(Code::NotFound, doing, path, "no such directory")),
        }
    }

    fn try_lock(&self, path: &str) -> Result<Option<Box<dyn LockGuard>>> {
        self.open(path, OpenMode::ReadWrite)?;
        let mut inner = self.inner();
        let ino = inner.file(path, "locking")?;
        if !inner.locked.insert(ino) {
            return Ok(None);
        }
        drop(inner);
        Ok(Some(Box::new(SimLock { io: self.clone(), ino })))
    }

    /// Lets other threads run: simulated time does not pass.
    fn back_off(&self, _: u32) {
        std::thread::yield_now();
    }
}

#[derive(Debug)]
struct SimFile {
    io: SimIo,
    ino: Ino,
    path: String,
    writable: bool,
}

impl SimFile {
    fn writing(&self) -> Result<MutexGuard<'_, Inner>> {
        if self.writable {
            return Ok(self.io.inner());
        }
        Err(error(Code::Io, "writing", &self.path, "it is open for reading only"))
    }

    /// A length or offset that a simulated file can have.
    fn bound(&self, len: u64) -> Result<usize> {
        let len = usize::try_from(len).ok().filter(|len| *len <= MAX_LEN);
        len.ok_or_else(|| error(Code::Io, "writing", &self.path, "the file would be too large"))
    }
}

impl File for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let mut inner = self.io.inner();
        if inner.fails(Fault::Read) {
            return Err(error(Code::Io, "reading", &self.path, "the device failed, as planned"));
        }
        let content = inner.disk.content(self.ino);
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        Ok(content.map_or(0, |content| content.read(buffer, offset)))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let mut inner = self.writing()?;
        self.bound(offset.saturating_add(bytes.len() as u64))?;
        let (ino, offset) = (self.ino, self.bound(offset)?);
        if bytes.is_empty() {
            return Ok(());
        }
        if let Err(full) = inner.need_space("writing", &self.path) {
            let bytes = Bytes::copy_from_slice(&bytes[..bytes.len() / 2]);
            inner.run(Op::Write { ino, bytes, offset });
            return Err(full);
        }
        inner.run(Op::Write { ino, bytes: Bytes::copy_from_slice(bytes), offset });
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        Ok(self.io.inner().disk.content(self.ino).map_or(0, |content| content.len() as u64))
    }

    fn set_len(&self, len: u64) -> Result<()> {
        let mut inner = self.writing()?;
        let (ino, len) = (self.ino, self.bound(len)?);
        if inner.disk.content(ino).is_some_and(|content| content.len() < len) {
            inner.need_space("extending", &self.path)?;
        }
        inner.run(Op::SetLen { ino, len });
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.io.inner().sync(self.ino, &self.path)
    }
}

#[derive(Debug)]
struct SimLock {
    io: SimIo,
    ino: Ino,
}

impl LockGuard for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.io.inner().locked.remove(&self.ino);
    }
}
