//! The keys, the values, and the clock that the workloads share.

use std::time::Instant;

use irmin_core::backend::Counted;
use irmin_core::{Bytes, Path, Result};

/// The keys of a benchmark, made once.
pub(crate) struct Keys {
    paths: Vec<Path>,
    values: Vec<Bytes>,
}

impl Keys {
    pub(crate) fn new(n: usize) -> Self {
        let fan_out: u64 = match n {
            0..=10_000 => 16,
            10_001..=100_000 => 32,
            _ => 64,
        };
        let path = |i: usize| {
            let h = mix(i as u64);
            let (a, b) = (h % fan_out, h / fan_out % fan_out);
            Path::parse(format!("{a:02x}/{b:02x}/key-{i:06}")).expect("keys are valid paths")
        };
        Keys { paths: (0..n).map(path).collect(), values: (0..1024).map(random).collect() }
    }

    pub(crate) fn len(&self) -> usize {
        self.paths.len()
    }

    pub(crate) fn path(&self, i: usize) -> &Path {
        let last = self.paths.len() - 1;
        self.paths.get(i.min(last)).expect("the index is in range")
    }

    /// The key that a round of a workload works on.
    pub(crate) fn pick(&self, round: usize) -> usize {
        usize::try_from(mix(round as u64 + 42)).unwrap_or(0) % self.paths.len()
    }

    /// 100 bytes that differ by key and version.
    pub(crate) fn value(&self, i: usize, version: usize) -> Bytes {
        let mut bytes = self.values.get(i % 1024).expect("there are 1024 values").to_vec();
        bytes.splice(..16, [i.to_le_bytes(), version.to_le_bytes()].concat());
        Bytes::from(bytes)
    }
}

fn random(seed: usize) -> Bytes {
    let words = (0..13).map(|i| mix(seed as u64 * 13 + i));
    words.flat_map(u64::to_le_bytes).take(100).collect()
}

/// The finaliser of splitmix64.
fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// Runs a workload once and prints what it took.
pub(crate) fn measure(
    name: &str,
    keys: &Keys,
    ops: u32,
    counted: &Counted,
    run: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let before = counted.counts();
    let start = Instant::now();
    run()?;
    let micros = start.elapsed().as_secs_f64() * 1e6 / f64::from(ops);
    let after = counted.counts();
    println!(
        "{{\"workload\":\"{name}\",\"keys\":{},\"ops\":{ops},\"us_per_op\":{micros:.2},\"objects_read\":{},\"objects_written\":{}}}",
        keys.len(),
        after.objects_read - before.objects_read,
        after.objects_written - before.objects_written,
    );
    Ok(())
}
