//! Runs operations and measures them.

use std::path::{Path, PathBuf};
use std::time::Instant;

use irmin_core::Result;

use crate::keys::Keys;
use crate::machine;
use crate::record::{Counters, Record};
use crate::store::Store;

/// What the measurements of one run share.
#[derive(Debug)]
pub struct Meter {
    /// Where stores are made.
    pub work: PathBuf,
    /// Whether to count what is asked of stores in memory, which makes them slower: see
    /// [`Store::new`].
    pub count: bool,
    /// Whether the heap had its memory before: then what is in use says nothing.
    pub warm: bool,
    /// How many syncs tell what one takes, before and after each measurement on files: [`PROBES`].
    pub probes: usize,
    /// The program to start for what is measured in a process of its own, `irmin-benches`. In this
    /// process if absent, where the memory in use says little.
    pub program: Option<PathBuf>,
}

/// How many syncs tell what one takes.
pub const PROBES: usize = 200;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The workload.
    pub workload: &'a str,
    /// What is done.
    pub case: &'a str,
    /// How many calls are measured.
    pub calls: usize,
    /// How many operations a call stands for: a bulk load of many keys is one call.
    pub units: usize,
    /// How many calls are timed together: more than one where one takes about as long as looking
    /// at the clock.
    pub together: usize,
    /// The bytes of keys and values that all calls write, if that is told.
    pub payload: Option<u64>,
}

impl<'a> Case<'a> {
    /// Calls that are one operation each and are timed one by one.
    #[must_use]
    pub fn new(workload: &'a str, case: &'a str, calls: usize) -> Self {
        Case { workload, case, calls, units: 1, together: 1, payload: None }
    }

    /// One call that stands for many operations.
    #[must_use]
    pub fn bulk(workload: &'a str, case: &'a str, units: usize) -> Self {
        Case { workload, case, calls: 1, units, together: 1, payload: None }
    }

    /// Calls that take less than looking at the clock.
    #[must_use]
    pub fn short(workload: &'a str, case: &'a str, calls: usize) -> Self {
        Case { workload, case, calls, units: 1, together: 64, payload: None }
    }

    /// The same, of calls that write so many bytes of keys and values.
    #[must_use]
    pub fn with_payload(self, bytes: u64) -> Self {
        Case { payload: Some(bytes), ..self }
    }
}

/// What a clock says about some operations.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// Wall time in seconds.
    pub wall: f64,
    /// Processor time in seconds.
    pub cpu: f64,
    /// The median, the 99th of 100, and the most of one call, in microseconds of wall time.
    pub spread: [f64; 3],
}

/// All that is measured happens below this function, once: tools that count instructions begin
/// and end with it (`--toggle-collect`).
///
/// # Errors
/// Those of the operations.
#[inline(never)]
pub fn measured(run: &mut dyn FnMut() -> Result<()>) -> Result<()> {
    run()
}

/// Makes calls, a number of them together, and times them.
///
/// # Errors
/// Those of the calls.
pub fn time(
    calls: usize,
    together: usize,
    run: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<Times> {
    let mut each = Vec::with_capacity(calls.div_ceil(together));
    let (cpu, start) = (machine::cpu(), Instant::now());
    measured(&mut || {
        let mut next = 0;
        while next < calls {
            let end = (next + together).min(calls);
            let from = Instant::now();
            for call in next..end {
                run(call)?;
            }
            each.push(from.elapsed().as_secs_f64() * 1e6 / (end - next) as f64);
            next = end;
        }
        Ok(())
    })?;
    let (wall, cpu) = (start.elapsed().as_secs_f64(), machine::cpu() - cpu);
    each.sort_unstable_by(f64::total_cmp);
    let at = |part: f64| each.get(((each.len() as f64 * part) as usize).min(each.len() - 1));
    let spread = [0.5, 0.99, 1.0].map(|part| at(part).copied().unwrap_or_default());
    Ok(Times { wall, cpu, spread })
}

impl Meter {
    /// Measures operations on a store.
    ///
    /// # Errors
    /// Those of the operations.
    pub fn run(
        &self,
        case: Case<'_>,
        store: &Store,
        keys: &Keys,
        run: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<Record> {
        let probe = || {
            store.kind.has_files().then(|| machine::sync_probe(&self.work, self.probes)).flatten()
        };
        let disk = || store.dir().map(|dir| machine::disk(&dir));
        let written = || store.kind.has_files().then(machine::written).flatten();
        let (load1, fsync_us, disk_before) = (machine::load1(), probe(), disk());
        machine::forget_peak();
        let rss_before = machine::memory();
        let (before, written_before) = (store.counters(), written());
        let times = time(case.calls, case.together, run)?;
        let peak_rss = machine::peak_memory();
        let (counted, written_after) = (store.counters(), written());
        let mut record = record(case, store.kind.name(), keys, times, &before, &counted);
        record.warm_heap = self.warm;
        record.rss_before = rss_before.filter(|_| !self.warm);
        record.peak_rss = peak_rss.filter(|_| !self.warm);
        record.kernel_write_bytes =
            written_after.zip(written_before).map(|(after, before)| after.saturating_sub(before));
        record.disk_before = disk_before;
        record.disk_after = disk();
        record.fsync_us = fsync_us;
        record.fsync_us_after = probe();
        record.load1 = load1;
        Ok(record)
    }

    /// The directory in which stores are made.
    #[must_use]
    pub fn work(&self) -> &Path {
        &self.work
    }
}

/// A record of operations that were timed and counted.
#[must_use]
pub fn record(
    case: Case<'_>,
    store: &str,
    keys: &Keys,
    times: Times,
    before: &Counters,
    after: &Counters,
) -> Record {
    let (objects, files) = after.since(before);
    let ops = case.calls * case.units;
    Record {
        workload: case.workload.to_owned(),
        case: case.case.to_owned(),
        store: store.to_owned(),
        keys: keys.len(),
        shape: keys.shape,
        warm_heap: false,
        ops,
        wall_s: times.wall,
        cpu_s: times.cpu,
        cpu_us_per_op: times.cpu * 1e6 / ops as f64,
        ops_per_s: ops as f64 / times.wall,
        p50_us: times.spread[0],
        p99_us: times.spread[1],
        max_us: times.spread[2],
        payload_bytes: case.payload,
        objects,
        files,
        kernel_write_bytes: None,
        disk_before: None,
        disk_after: None,
        rss_before: None,
        peak_rss: None,
        fsync_us: None,
        fsync_us_after: None,
        load1: None,
    }
}
