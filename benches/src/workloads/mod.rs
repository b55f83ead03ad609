//! The workloads. Each one makes its own store, so that none depends on what ran before it.

mod change;
mod history;
mod memory;
mod read;
mod wide;
mod write;

use std::path::PathBuf;

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
    /// Whether it is about files, so that stores in memory have no such thing.
    pub of_files: bool,
    /// Whether it runs only where it is named: it takes too long to be among the others.
    pub on_request: bool,
    run: Run,
}

type Run = fn(&mut Setup<'_>) -> Result<()>;

/// All workloads, in the order in which they run.
pub const ALL: &[Workload] = &[
    Workload::new("W1", "one commit of all keys, into an empty store", write::bulk),
    Workload::new("W2n", "commits of one key, not synced", write::one_relaxed),
    Workload::new("W2d", "commits of one key, durable", write::one_durable).of_files(),
    Workload::new("W3", "commits of 100 keys", write::hundred),
    Workload::new("W4", "reads of random keys", read::get),
    Workload::new("W5", "lists, pages and folds", read::list),
    Workload::new("W6", "differences of two commits", change::diff),
    Workload::new("W7", "merges", change::merge),
    Workload::new("W8", "bytes written and kept for each commit", write::amplification).of_files(),
    Workload::new("W9", "memory in use, by the room for caches", memory::budgets),
    Workload::new("W10", "one wide directory", wide::flat),
    Workload::new("W11", "long histories", history::walks),
    Workload::new("W11-long", "histories of 1,000,000 commits", history::long_walks).on_request(),
    Workload::new("last-modified", "the last change of each file", history::modified),
];

impl Workload {
    const fn new(id: &'static str, about: &'static str, run: Run) -> Self {
        Workload { id, about, of_files: false, on_request: false, run }
    }

    const fn of_files(self) -> Self {
        Workload { of_files: true, ..self }
    }

    const fn on_request(self) -> Self {
        Workload { on_request: true, ..self }
    }

    /// The one of a name.
    ///
    /// # Errors
    /// There is none; the names that there are.
    pub fn named(name: &str) -> std::result::Result<&'static Self, String> {
        ALL.iter().find(|workload| workload.id == name).ok_or_else(|| {
            let known: Vec<_> = ALL.iter().map(|workload| workload.id).collect();
            format!("no workload is called {name}: {}", known.join(", "))
        })
    }

    /// Whether a sort of store has what it measures.
    #[must_use]
    pub fn is_on(&self, kind: Kind) -> bool {
        kind.has_files() || !self.of_files
    }

    /// Runs it on one store; on one that has no such thing nothing happens.
    ///
    /// # Errors
    /// Those of the store.
    pub fn run(&self, setup: &mut Setup<'_>) -> Result<()> {
        if self.is_on(setup.kind) { (self.run)(setup) } else { Ok(()) }
    }
}

/// A case that has a process of its own.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// Its name.
    pub case: String,
    /// The store that the first process filled, if it has files.
    pub filled: Option<PathBuf>,
}

/// Takes a record; an error ends the workload.
pub type Emit<'a> = dyn FnMut(Record) -> Result<()> + 'a;

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
    /// The one case to run, in a process that was started for it.
    pub part: Option<&'a Part>,
    /// Takes the records.
    pub emit: &'a mut Emit<'a>,
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
        (self.emit)(record)
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
