//! Benchmarks of the engines: each workload prints one JSON object a line.
//!
//! `cargo run --release -p irmin-benches -- [KEYS]` runs all of them on a memory store in the
//! native format with that many keys (100,000 unless given). Keys are spread over two levels of
//! directories, values are 100 pseudo-random bytes; keys and values are made before the clock
//! starts. Times are wall time, in microseconds per operation: run it on an idle machine.

// A benchmark that cannot go on says so and ends.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)]

mod workload;

use std::sync::Arc;

use irmin_core::backend::{Counted, MemoryBackend};
use irmin_core::history::LcaLimits;
use irmin_core::{CommitOptions, Context, Format, FormatSpec, Merged, Repo, Result};

use workload::{Keys, measure};

fn main() -> Result<()> {
    let keys = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let keys = Keys::new(keys);
    let format = Format::new(FormatSpec::native());
    let counted = Arc::new(Counted::new(Arc::new(MemoryBackend::new(format))));
    let repo = Repo::new(counted.clone(), Context::new("bench", || 0))?;
    let main = repo.main()?;
    let buffered = || CommitOptions::new("bench").relaxed();

    measure("bulk-load", &keys, u32::try_from(keys.len()).unwrap_or(u32::MAX), &counted, || {
        main.transaction(buffered(), |tree| {
            (0..keys.len()).try_for_each(|i| tree.set(keys.path(i), keys.value(i, 0)))
        })?;
        Ok(())
    })?;
    measure("commit-1", &keys, 1000, &counted, || {
        for round in 0..1000 {
            let i = keys.pick(round);
            main.set(keys.path(i), keys.value(i, round), buffered())?;
        }
        Ok(())
    })?;
    let tree = main.tree()?;
    measure("get", &keys, 100_000, &counted, || {
        for round in 0..100_000 {
            tree.get(keys.path(keys.pick(round)))?.expect("every key is set");
        }
        Ok(())
    })?;

    let base = main.head()?.expect("the store was loaded");
    let edited = |name: &str, seed: usize| {
        let branch = main.fork(name)?;
        branch.transaction(buffered(), |tree| {
            (0..100).try_for_each(|round| {
                let i = keys.pick(seed + round) / 2 * 2 + seed % 2;
                tree.set(keys.path(i), keys.value(i, seed))
            })
        })?;
        Ok::<_, irmin_core::Error>(branch)
    };
    let (ours, theirs) = (edited("ours", 10_000)?, edited("theirs", 20_001)?);
    let changed = ours.tree()?;
    measure("diff-100", &keys, 1, &counted, || {
        base.tree().diff(&changed).map(|changes| assert!(!changes.is_empty(), "100 keys differ"))
    })?;
    let their_head = theirs.head()?.expect("the branch was written");
    measure("merge-100x100", &keys, 1, &counted, || {
        match ours.merge_commit(&their_head, LcaLimits::default(), buffered())? {
            Merged::Created(_) => Ok(()),
            other => panic!("the sides change different keys: {other:?}"),
        }
    })
}
