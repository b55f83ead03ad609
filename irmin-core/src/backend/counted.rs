//! A decorator that counts what is asked of a store.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::{
    Backend, Batch, Durability, Note, Published, RefEdit, Stage, Submitted, Target, ValueRead,
    View, Wait,
};
use crate::error::Result;
use crate::id::Key;
use crate::io::Read;
use crate::name::RefName;
use crate::object::{Format, Object};

/// A backend that counts the calls, objects and bytes that go to another one.
///
/// Costs are promised in objects and calls, so tests measure them with this, not with a clock.
///
/// ```
/// use std::sync::Arc;
/// use irmin_core::backend::{Backend, Counted, MemoryBackend, Wait};
/// use irmin_core::{Format, FormatSpec, HashFunction};
/// let store = Counted::new(Arc::new(MemoryBackend::new(Format::new(FormatSpec::git()))));
/// store.get_many(&[HashFunction::Sha1.digest(b"absent").into()], Wait::Block)?;
/// assert_eq!((store.counts().get_calls, store.counts().objects_read), (1, 0));
/// # Ok::<(), irmin_core::Error>(())
/// ```
pub struct Counted {
    inner: Arc<dyn Backend>,
    counters: Counters,
}

/// What a [`Counted`] store was asked for since it was made, or last reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls that read objects, of any number each; ranged reads and those of stages included.
    pub get_calls: u64,
    /// Keys that these calls asked for.
    pub keys_asked: u64,
    /// Objects that were found.
    pub objects_read: u64,
    /// Their canonical bytes, and the bytes of ranged reads.
    pub bytes_read: u64,
    /// Reads of single refs and listings of refs.
    pub ref_reads: u64,
    /// Batches and stages that were submitted, won or lost.
    pub publishes: u64,
    /// Objects that were handed over in batches and stages.
    pub objects_written: u64,
    /// Their canonical bytes.
    pub bytes_written: u64,
}

#[derive(Default)]
struct Counters {
    get_calls: AtomicUsize,
    keys_asked: AtomicUsize,
    objects_read: AtomicUsize,
    bytes_read: AtomicUsize,
    ref_reads: AtomicUsize,
    publishes: AtomicUsize,
    objects_written: AtomicUsize,
    bytes_written: AtomicUsize,
}

fn add(counter: &AtomicUsize, n: usize) {
    counter.fetch_add(n, Ordering::Relaxed);
}

impl Counters {
    fn got(&self, asked: usize, answer: &[Option<Object>]) {
        add(&self.get_calls, 1);
        add(&self.keys_asked, asked);
        add(&self.objects_read, answer.iter().flatten().count());
        add(&self.bytes_read, answer.iter().flatten().map(|object| object.bytes.len()).sum());
    }

    fn wrote(&self, objects: &[Object]) {
        add(&self.objects_written, objects.len());
        add(&self.bytes_written, objects.iter().map(|object| object.bytes.len()).sum());
    }
}

impl Counted {
    /// Counts what goes to a store from now on.
    #[must_use]
    pub fn new(inner: Arc<dyn Backend>) -> Self {
        Counted { inner, counters: Counters::default() }
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.each(|counter| counter.load(Ordering::Relaxed) as u64)
    }

    /// The counts so far; counting begins anew.
    pub fn reset(&self) -> Counts {
        self.each(|counter| counter.swap(0, Ordering::Relaxed) as u64)
    }

    fn each(&self, read: impl Fn(&AtomicUsize) -> u64) -> Counts {
        let c = &self.counters;
        Counts {
            get_calls: read(&c.get_calls),
            keys_asked: read(&c.keys_asked),
            objects_read: read(&c.objects_read),
            bytes_read: read(&c.bytes_read),
            ref_reads: read(&c.ref_reads),
            publishes: read(&c.publishes),
            objects_written: read(&c.objects_written),
            bytes_written: read(&c.bytes_written),
        }
    }
}

impl Backend for Counted {
    fn get_many(&self, keys: &[Key], wait: Wait) -> Result<Vec<Option<Object>>> {
        let objects = self.inner.get_many(keys, wait)?;
        self.counters.got(keys.len(), &objects);
        Ok(objects)
    }

    fn read_range(&self, key: &Key, range: Range<u64>) -> Result<Bytes> {
        let bytes = self.inner.read_range(key, range)?;
        self.counters.got(1, &[]);
        add(&self.counters.objects_read, 1);
        add(&self.counters.bytes_read, bytes.len());
        Ok(bytes)
    }

    fn open_values(&self, keys: &[Key], wait: Wait) -> Result<Vec<Option<Box<dyn ValueRead>>>> {
        let values = self.inner.open_values(keys, wait)?;
        self.counters.got(keys.len(), &[]);
        add(&self.counters.objects_read, values.iter().flatten().count());
        Ok(values)
    }

    fn refs(&self, prefix: &str) -> Result<Vec<(RefName, Target)>> {
        add(&self.counters.ref_reads, 1);
        self.inner.refs(prefix)
    }

    fn ref_names(&self, prefix: &str) -> Result<Vec<RefName>> {
        add(&self.counters.ref_reads, 1);
        self.inner.ref_names(prefix)
    }

    fn read_ref(&self, name: &RefName, view: View) -> Result<Option<Target>> {
        add(&self.counters.ref_reads, 1);
        self.inner.read_ref(name, view)
    }

    fn submit(&self, batch: Batch) -> Result<Submitted<'_>> {
        add(&self.counters.publishes, 1);
        self.counters.wrote(&batch.objects);
        self.inner.submit(batch)
    }

    fn stage(&self) -> Result<Box<dyn Stage + '_>> {
        Ok(Box::new(CountedStage { inner: self.inner.stage()?, counters: &self.counters }))
    }

    crate::pass_on! { Backend for inner:
        format pin find_many find_prefix watch refresh recorded capabilities
    }
}

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Counted({:?}, {:?})", self.inner, self.counts())
    }
}

struct CountedStage<'a> {
    inner: Box<dyn Stage + 'a>,
    counters: &'a Counters,
}

impl Stage for CountedStage<'_> {
    fn put(&mut self, objects: Vec<Object>) -> Result<Vec<Key>> {
        self.counters.wrote(&objects);
        self.inner.put(objects)
    }

    fn put_value(&mut self, format: &Format, len: u64, read: &mut dyn Read) -> Result<Key> {
        let key = self.inner.put_value(format, len, read)?;
        add(&self.counters.objects_written, 1);
        add(&self.counters.bytes_written, usize::try_from(len).unwrap_or(usize::MAX));
        Ok(key)
    }

    fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Object>>> {
        let objects = self.inner.get_many(keys)?;
        self.counters.got(keys.len(), &objects);
        Ok(objects)
    }

    fn publish(
        self: Box<Self>,
        edits: Vec<RefEdit>,
        durability: Durability,
        note: Note,
    ) -> Result<Published> {
        add(&self.counters.publishes, 1);
        self.inner.publish(edits, durability, note)
    }
}
