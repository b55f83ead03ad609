//! The workloads. Each one makes its own store, so that none depends on what ran before it.

mod change;
mod history;
mod read;
mod wide;
mod write;

use irmin_core::{CommitOptions, Result};

use crate::keys::{Keys, Shape};
use crate::meter::{Case, Meter};
use crate::record::Record;
use crate::store::{Kind, Store, Syncs};

/// A workload: its name, what it is, and what runs it.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// The name on command lines and in records.
    pub id: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    run: fn(&mut Setup<'_>) -> Result<()>,
}

/// All workloads, in the order in which they run.
pub const ALL: &[Workload] = &[
    Workload { id: "W1", about: "one commit of all keys, into an empty store", run: write::bulk },
    Workload { id: "W2n", about: "commits of one key, not synced", run: write::one_relaxed },
    Workload { id: "W2d", about: "commits of one key, durable", run: write::one_durable },
    Workload { id: "W3", about: "commits of 100 keys", run: write::hundred },
    Workload { id: "W4", about: "reads of random keys", run: read::get },
    Workload { id: "W5", about: "lists, pages and folds", run: read::list },
    Workload { id: "W6", about: "differences of two commits", run: change::diff },
    Workload { id: "W7", about: "merges", run: change::merge },
    Workload {
        id: "W8",
        about: "bytes written and kept for each commit",
        run: write::amplification,
    },
    Workload { id: "W9", about: "memory in use, by the room for caches", run: read::memory },
    Workload { id: "W10", about: "one wide directory", run: wide::flat },
    Workload { id: "W11", about: "long histories", run: history::walks },
    Workload { id: "last-modified", about: "the last change of each file", run: history::modified },
];

impl Workload {
    /// Runs it on one store.
    ///
    /// # Errors
    /// Those of the store.
    pub fn run(&self, setup: &mut Setup<'_>) -> Result<()> {
        (self.run)(setup)
    }
}

/// What a workload runs on, and where its records go.
pub struct Setup<'a> {
    /// What measures.
    pub meter: &'a Meter,
    /// The sort of store.
    pub kind: Kind,
    /// How keys are spread.
    pub shape: Shape,
    /// How many keys the store has.
    pub n: usize,
    /// Divides how often things are done: 1 for what the definitions say.
    pub divisor: usize,
    /// Takes the records.
    pub emit: &'a mut dyn FnMut(Record),
}

impl std::fmt::Debug for Setup<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Setup({}, {} keys {})", self.kind, self.n, self.shape)
    }
}

impl Setup<'_> {
    /// How often something is done that the definition says is done `times`.
    fn times(&self, times: usize) -> usize {
        (times / self.divisor).max(1)
    }

    fn keys(&self) -> Keys {
        Keys::new(self.shape, self.n)
    }

    fn empty(&self, syncs: Syncs) -> Result<Store> {
        Store::new(self.kind, self.meter.work(), self.meter.count, syncs)
    }

    /// A store with all keys.
    fn filled(&self, keys: &Keys, syncs: Syncs) -> Result<Store> {
        let store = self.empty(syncs)?;
        store.fill(keys, &keys.sorted())?;
        Ok(store)
    }

    /// Measures calls and passes the record on.
    fn measure(
        &mut self,
        case: Case<'_>,
        store: &Store,
        keys: &Keys,
        run: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<()> {
        let record = self.meter.run(case, store, keys, run)?;
        (self.emit)(record);
        Ok(())
    }
}

/// How a commit that need not be durable is made. A git store does without its syncs only where it
/// was made so.
fn relaxed() -> CommitOptions {
    CommitOptions::new("bench").relaxed()
}

/// How a commit that must be durable is made.
fn durable() -> CommitOptions {
    CommitOptions::new("bench")
}
