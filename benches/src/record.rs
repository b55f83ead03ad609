//! What one measurement says.

use irmin_core::backend::Counts;
use irmin_core::io::IoCounts;
use serde::{Deserialize, Serialize};

use crate::keys::Shape;

/// One measurement: one line of JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The workload (`W1`).
    pub workload: String,
    /// What was done (`bulk-load sorted`).
    pub case: String,
    /// The store, or the program it is compared with.
    pub store: String,
    /// How many keys the store has.
    pub keys: usize,
    /// How they are spread.
    pub shape: Shape,
    /// Whether the heap had its memory before the clock started: see [`heap`](crate::heap).
    #[serde(default)]
    pub warm_heap: bool,
    /// How many operations were measured.
    pub ops: usize,
    /// How long they took, in seconds.
    pub wall_s: f64,
    /// The processor time they took, user and system, of all threads, in seconds.
    pub cpu_s: f64,
    /// Microseconds of processor time for each operation: the figure to compare.
    pub cpu_us_per_op: f64,
    /// Operations in a second of wall time.
    pub ops_per_s: f64,
    /// The median of a call, in microseconds of wall time; a bulk load is one call.
    pub p50_us: f64,
    /// What 99 of 100 calls stay below.
    pub p99_us: f64,
    /// The longest one.
    pub max_us: f64,
    /// The bytes of the keys and values that all operations wrote, where that is told.
    #[serde(default)]
    pub payload_bytes: Option<u64>,
    /// What was asked of the store, if that was counted.
    #[serde(flatten)]
    pub objects: Option<Objects>,
    /// What was done to files, if the store has any.
    #[serde(flatten)]
    pub files: Option<Files>,
    /// The bytes that the process sent to storage meanwhile as the kernel counts them, which is
    /// when pages of the cache become dirty, if the store has files.
    #[serde(default)]
    pub kernel_write_bytes: Option<u64>,
    /// The bytes on disk before, in blocks.
    pub disk_before: Option<u64>,
    /// The bytes on disk after.
    pub disk_after: Option<u64>,
    /// The memory in use before, in bytes, keys and values of the benchmark included.
    pub rss_before: Option<u64>,
    /// The most memory in use meanwhile.
    pub peak_rss: Option<u64>,
    /// The median of a 1 KiB overwrite and its sync just before, if the store has files.
    pub fsync_us: Option<f64>,
    /// The same just after.
    pub fsync_us_after: Option<f64>,
    /// The load of the machine in the minute before.
    pub load1: Option<f64>,
}

impl Record {
    /// How many bytes of memory were in use at the peak that were not before.
    #[must_use]
    pub fn grown(&self) -> Option<u64> {
        Some(self.peak_rss?.saturating_sub(self.rss_before?))
    }

    /// How many bytes the files grew by; less than none if they shrank.
    #[must_use]
    pub fn disk_growth(&self) -> Option<f64> {
        Some(self.disk_after? as f64 - self.disk_before? as f64)
    }

    /// A part of an amount, for each operation.
    #[must_use]
    pub fn each(&self, amount: f64) -> f64 {
        amount / self.ops as f64
    }

    /// What was given to write, and what files grew by, for each byte of keys and values.
    #[must_use]
    pub fn amplification(&self) -> Option<[f64; 2]> {
        let payload = self.payload_bytes.filter(|bytes| *bytes > 0)? as f64;
        Some([self.files?.write_bytes as f64, self.disk_growth()?].map(|bytes| bytes / payload))
    }
}

/// What was asked of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objects {
    /// Objects that were read from the engine, above its own caches.
    pub objects_read: u64,
    /// Their canonical bytes.
    pub object_bytes_read: u64,
    /// Objects that were written.
    pub objects_written: u64,
    /// Their canonical bytes: what had to be hashed.
    pub bytes_hashed: u64,
}

/// What was done to files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// Bytes given to write.
    pub write_bytes: u64,
    /// How many writes.
    pub writes: u64,
    /// Syncs, of files and of directories.
    pub syncs: u64,
    /// Opens, renames, links and removals.
    pub file_ops: u64,
}

/// The counters of a store at a moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// Of the store, if it counts.
    pub objects: Option<Counts>,
    /// Of its files.
    pub files: Option<IoCounts>,
}

impl Counters {
    /// What was counted since.
    #[must_use]
    pub fn since(&self, before: &Counters) -> (Option<Objects>, Option<Files>) {
        let then = before.objects.unwrap_or_default();
        let objects = self.objects.map(|now| Objects {
            objects_read: now.objects_read - then.objects_read,
            object_bytes_read: now.bytes_read - then.bytes_read,
            objects_written: now.objects_written - then.objects_written,
            bytes_hashed: now.bytes_written - then.bytes_written,
        });
        let then = before.files.unwrap_or_default();
        let files = self.files.map(|now| Files {
            write_bytes: now.bytes_written - then.bytes_written,
            writes: now.writes - then.writes,
            syncs: now.syncs + now.dir_syncs - then.syncs - then.dir_syncs,
            file_ops: file_ops(&now) - file_ops(&then),
        });
        (objects, files)
    }
}

fn file_ops(counts: &IoCounts) -> u64 {
    counts.opens + counts.renames + counts.links + counts.removes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Keys;
    use crate::meter::{Case, Times, record};

    #[test]
    fn amplification_is_by_bytes_of_keys_and_values() {
        let keys = Keys::new(Shape::Flat, 5);
        let case = Case::new("W8", "commit-1", 4).with_payload(400);
        let (before, mut after) = (Counters::default(), Counters::default());
        after.files = Some(IoCounts { bytes_written: 1000, ..IoCounts::default() });
        let mut record = record(case, "git", &keys, Times::default(), &before, &after);
        assert_eq!((record.disk_growth(), record.amplification()), (None, None));
        (record.disk_before, record.disk_after) = (Some(8192), Some(4096));
        assert_eq!(record.disk_growth(), Some(-4096.0));
        assert_eq!(record.each(-4096.0), -1024.0);
        assert_eq!(record.amplification(), Some([2.5, -10.24]));
        assert_eq!(record.grown(), None);
        (record.rss_before, record.peak_rss) = (Some(3 << 20), Some(10 << 20));
        assert_eq!(record.grown(), Some(7 << 20));
        record.payload_bytes = Some(0);
        assert_eq!(record.amplification(), None);
    }

    #[test]
    fn records_of_earlier_versions_can_be_read() {
        let keys = Keys::new(Shape::Flat, 5);
        let (none, case) = (Counters::default(), Case::new("W1", "load", 1));
        let times = Times { wall: 1.0, ..Times::default() };
        let record = record(case, "mem-git", &keys, times, &none, &none);
        let mut json = serde_json::to_value(&record).unwrap();
        let fields = json.as_object_mut().unwrap();
        assert!(fields.remove("payload_bytes").is_some());
        assert!(fields.remove("kernel_write_bytes").is_some());
        assert_eq!(serde_json::from_value::<Record>(json).unwrap(), record);
    }
}
