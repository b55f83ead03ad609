//! A decorator that counts what is done to files.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::{DirEntry, File, Io, LockGuard, Metadata, OpenMode};
use crate::error::Result;

/// An [`Io`] that counts the operations that go to another one.
///
/// How often an engine syncs decides how fast it commits, so tests hold it to a number.
#[derive(Debug)]
pub struct CountedIo {
    inner: Arc<dyn Io>,
    counters: Arc<Counters>,
}

/// What a [`CountedIo`] did since it was made, or last reset: operations that succeeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IoCounts {
    /// Files that were opened or created.
    pub opens: u64,
    /// Reads of bytes.
    pub reads: u64,
    /// Bytes that were read.
    pub bytes_read: u64,
    /// Writes of bytes.
    pub writes: u64,
    /// Bytes that were written.
    pub bytes_written: u64,
    /// Syncs of files.
    pub syncs: u64,
    /// Syncs of directories.
    pub dir_syncs: u64,
    /// Files that were renamed.
    pub renames: u64,
    /// Names that were linked.
    pub links: u64,
    /// Files and directories that were removed.
    pub removes: u64,
}

#[derive(Debug, Default)]
struct Counters {
    opens: AtomicUsize,
    reads: AtomicUsize,
    bytes_read: AtomicUsize,
    writes: AtomicUsize,
    bytes_written: AtomicUsize,
    syncs: AtomicUsize,
    dir_syncs: AtomicUsize,
    renames: AtomicUsize,
    links: AtomicUsize,
    removes: AtomicUsize,
}

fn add(counter: &AtomicUsize, n: usize) {
    counter.fetch_add(n, Ordering::Relaxed);
}

impl CountedIo {
    /// Counts what goes to another one from now on.
    #[must_use]
    pub fn new(inner: Arc<dyn Io>) -> Self {
        CountedIo { inner, counters: Arc::default() }
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> IoCounts {
        self.each(|counter| counter.load(Ordering::Relaxed) as u64)
    }

    /// The counts so far; counting begins anew.
    pub fn reset(&self) -> IoCounts {
        self.each(|counter| counter.swap(0, Ordering::Relaxed) as u64)
    }

    fn each(&self, read: impl Fn(&AtomicUsize) -> u64) -> IoCounts {
        let c = &self.counters;
        IoCounts {
            opens: read(&c.opens),
            reads: read(&c.reads),
            bytes_read: read(&c.bytes_read),
            writes: read(&c.writes),
            bytes_written: read(&c.bytes_written),
            syncs: read(&c.syncs),
            dir_syncs: read(&c.dir_syncs),
            renames: read(&c.renames),
            links: read(&c.links),
            removes: read(&c.removes),
        }
    }
}

impl Io for CountedIo {
    fn open(&self, path: &str, mode: OpenMode) -> Result<Box<dyn File>> {
        let inner = self.inner.open(path, mode)?;
        add(&self.counters.opens, 1);
        Ok(Box::new(CountedFile { inner, counters: self.counters.clone() }))
    }

    fn metadata(&self, path: &str) -> Result<Option<Metadata>> {
        self.inner.metadata(path)
    }

    fn list(&self, path: &str) -> Result<Vec<DirEntry>> {
        self.inner.list(path)
    }

    fn create_dir(&self, path: &str) -> Result<()> {
        self.inner.create_dir(path)
    }

    fn link(&self, from: &str, to: &str) -> Result<()> {
        self.inner.link(from, to)?;
        add(&self.counters.links, 1);
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.inner.rename(from, to)?;
        add(&self.counters.renames, 1);
        Ok(())
    }

    fn remove(&self, path: &str) -> Result<()> {
        self.inner.remove(path)?;
        add(&self.counters.removes, 1);
        Ok(())
    }

    fn remove_dir(&self, path: &str) -> Result<()> {
        self.inner.remove_dir(path)?;
        add(&self.counters.removes, 1);
        Ok(())
    }

    fn sync_dir(&self, path: &str) -> Result<()> {
        self.inner.sync_dir(path)?;
        add(&self.counters.dir_syncs, 1);
        Ok(())
    }

    fn try_lock(&self, path: &str) -> Result<Option<Box<dyn LockGuard>>> {
        self.inner.try_lock(path)
    }

    fn back_off(&self, attempt: u32) {
        self.inner.back_off(attempt);
    }
}

#[derive(Debug)]
struct CountedFile {
    inner: Box<dyn File>,
    counters: Arc<Counters>,
}

impl File for CountedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let n = self.inner.read_at(buffer, offset)?;
        add(&self.counters.reads, 1);
        add(&self.counters.bytes_read, n);
        Ok(n)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.inner.write_at(bytes, offset)?;
        add(&self.counters.writes, 1);
        add(&self.counters.bytes_written, bytes.len());
        Ok(())
    }

    fn len(&self) -> Result<u64> {
        self.inner.len()
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.inner.set_len(len)
    }

    fn sync(&self) -> Result<()> {
        self.inner.sync()?;
        add(&self.counters.syncs, 1);
        Ok(())
    }
}
