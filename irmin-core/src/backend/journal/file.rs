//! The files of a journal: reading them, adding to them, and beginning new ones.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::encoding::{Journal, Refs, Tail, encode};
use super::{Operation, Trouble};
use crate::error::{Code, Error, Result};
use crate::io::{Io, LockGuard, OpenMode};

/// A journal that has more bytes than this, and than twice what its refs take, begins anew.
const FULL: u64 = 1 << 20;
/// The longest file that is read.
const MOST: u64 = 1 << 28;
/// How often the lock is tried: some ten seconds with real files.
const ATTEMPTS: u32 = 200;

/// The names of the files.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The journal itself.
    pub(super) path: String,
}

/// A journal as it is on disk.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) journal: Journal,
    /// How long it is without what is wrong at its end; zero if there is no file.
    pub(super) len: u64,
    pub(super) trouble: Option<Trouble>,
}

impl Place {
    fn with(&self, ending: &str) -> String {
        format!("{}.{ending}", self.path)
    }

    fn dir(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(dir, _)| dir)
    }

    /// Takes the lock of the journal, so that one process at a time changes refs and writes it.
    ///
    /// # Errors
    /// `locked`, naming the file, `io`.
    pub(super) fn lock(&self, io: &dyn Io) -> Result<Box<dyn LockGuard>> {
        if !self.dir().is_empty() {
            io.create_dir(self.dir())?;
        }
        let path = self.with("lock");
        for attempt in 0..ATTEMPTS {
            if let Some(guard) = io.try_lock(&path)? {
                return Ok(guard);
            }
            io.back_off(attempt);
        }
        Err(Error::new(Code::Locked, format!("another program writes: `{path}` stays locked")))
    }

    /// Reads the journal.
    ///
    /// # Errors
    /// `io`. Damage is no error: it is told in the answer.
    pub(super) fn load(&self, io: &dyn Io) -> Result<Stored> {
        match read(io, &self.path)? {
            Some(bytes) => Ok(stored(&bytes)),
            // A crash between the two renames of `begin`.
            None => Ok(read(io, &self.with("old"))?.map_or_else(Stored::default, |b| stored(&b))),
        }
    }

    /// The operations of the journal before this one, oldest first.
    ///
    /// # Errors
    /// `io`.
    pub(super) fn older(&self, io: &dyn Io) -> Result<Vec<Operation>> {
        let bytes = read(io, &self.with("old"))?.unwrap_or_default();
        Ok(Journal::decode(&bytes).0.operations)
    }

    /// Whether a damaged journal was put aside.
    ///
    /// # Errors
    /// `io`.
    pub(super) fn put_aside(&self, io: &dyn Io) -> Result<Option<Trouble>> {
        Ok(io.metadata(&self.with("damaged"))?.map(|_| Trouble::Damaged))
    }

    /// Makes the file what was read of it: what a crash cut off goes, what is damaged is put aside
    /// and the journal begins anew. The lock is held.
    ///
    /// # Errors
    /// `io`.
    pub(super) fn repair(&self, io: &dyn Io, stored: &mut Stored, now: &Refs) -> Result<()> {
        let old = self.with("old");
        if io.metadata(&self.path)?.is_none() && io.metadata(&old)?.is_some() {
            io.rename(&old, &self.path)?;
            io.sync_dir(self.dir())?;
        }
        match stored.trouble {
            Some(Trouble::Torn) if stored.len > 0 => {
                let file = io.open(&self.path, OpenMode::ReadWrite)?;
                file.set_len(stored.len)?;
                file.sync()
            }
            Some(Trouble::Damaged) => {
                io.rename(&self.path, &self.with("damaged"))?;
                self.begin(io, stored, now)
            }
            _ if stored.len == 0 => self.begin(io, stored, now),
            _ => Ok(()),
        }
    }

    /// Begins a new file, with the refs of now; the one before is kept. The lock is held.
    ///
    /// # Errors
    /// `io`.
    pub(super) fn begin(&self, io: &dyn Io, stored: &mut Stored, now: &Refs) -> Result<()> {
        let first = stored.journal.next().max(1);
        let bytes = Journal::begin(first, now);
        let new = self.with("new");
        if io.metadata(&new)?.is_some() {
            io.remove(&new)?;
        }
        // The directory may be new.
        io.sync_dir(self.dir().rsplit_once('/').map_or("", |(above, _)| above))?;
        let file = io.open(&new, OpenMode::CreateNew)?;
        file.write_at(&bytes, 0)?;
        file.sync()?;
        if io.metadata(&self.path)?.is_some() {
            io.rename(&self.path, &self.with("old"))?;
            // In this order on the disk too, or the new file could take the place of the only one.
            io.sync_dir(self.dir())?;
        }
        io.rename(&new, &self.path)?;
        io.sync_dir(self.dir())?;
        stored.journal = Journal { first, began: now.clone(), operations: Vec::new() };
        stored.len = bytes.len() as u64;
        Ok(())
    }

    /// Adds operations, and makes them durable. The lock is held.
    ///
    /// # Errors
    /// `io`: then nothing more may be added until it was read again.
    pub(super) fn append(
        &self,
        io: &dyn Io,
        stored: &mut Stored,
        operations: Vec<Operation>,
    ) -> Result<()> {
        let mut bytes = Vec::new();
        for operation in &operations {
            bytes.extend(encode(stored.len + bytes.len() as u64, operation));
        }
        let file = io.open(&self.path, OpenMode::ReadWrite)?;
        file.write_at(&bytes, stored.len)?;
        file.sync()?;
        stored.len += bytes.len() as u64;
        stored.journal.operations.extend(operations);
        Ok(())
    }

    /// Whether the next file should begin.
    pub(super) fn is_full(&self, stored: &Stored) -> bool {
        let refs = Journal::begin(0, &stored.journal.began).len() as u64;
        stored.len > FULL.max(refs.saturating_mul(2))
    }
}

fn stored(bytes: &[u8]) -> Stored {
    let (journal, good, tail) = Journal::decode(bytes);
    let trouble = match tail {
        Tail::Clean => None,
        Tail::Torn => Some(Trouble::Torn),
        Tail::Damaged => Some(Trouble::Damaged),
    };
    Stored { journal, len: good as u64, trouble }
}

/// A whole file, if it is there.
fn read(io: &dyn Io, path: &str) -> Result<Option<Vec<u8>>> {
    let file = match io.open(path, OpenMode::Read) {
        Err(e) if e.code() == Code::NotFound => return Ok(None),
        file => file?,
    };
    let len = file.len()?;
    if len > MOST {
        let why =
            format!("the journal `{path}` has {len} bytes, more than the {MOST} that are read");
        return Err(Error::new(Code::PayloadTooLarge, why));
    }
    let mut bytes = vec![0; usize::try_from(len).unwrap_or_default()];
    let have = file.read_at(&mut bytes, 0)?;
    bytes.truncate(have);
    Ok(Some(bytes))
}
