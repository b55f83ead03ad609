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
    /// What was asked of the store, if that was counted.
    #[serde(flatten)]
    pub objects: Option<Objects>,
    /// What was done to files, if the store has any.
    #[serde(flatten)]
    pub files: Option<Files>,
    /// The bytes on disk before.
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
