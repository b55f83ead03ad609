//! What the page says about figures that the figures do not say: targets, and what bounds them.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::compare::Comparison;
use crate::keys::Shape;
use crate::record::Record;

/// The contents of `benches/figures.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notes {
    /// By workload and case; of those that fit a record the first one is about it.
    pub figures: Vec<Figure>,
    /// Figures of OCaml Irmin 3.11, on a quiet machine.
    pub irmin: Vec<Irmin>,
    /// What is aimed at beside others.
    pub peers: Vec<Peer>,
}

/// A note about a figure of ours.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// The workload.
    pub workload: String,
    /// What the case begins with.
    pub case: String,
    /// The stores, or none for all.
    pub stores: Vec<String>,
    /// The most processor time that an operation should take.
    pub target_us: Option<f64>,
    /// The same where there are so many keys: a tree of more of them is deeper.
    #[serde(default)]
    pub target_at: BTreeMap<usize, f64>,
    /// What bounds it.
    pub bound: String,
}

/// A figure of OCaml Irmin.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Irmin {
    /// The workload.
    pub workload: String,
    /// The case of ours.
    pub case: String,
    /// The store of ours.
    pub store: String,
    /// The keys that it was measured with.
    #[serde(default = "hundred_thousand")]
    pub keys: usize,
    /// How they are spread.
    #[serde(default = "ocaml")]
    pub shape: Shape,
    /// How many operations of ours it can stand beside, or any number.
    pub ops: Option<usize>,
    /// Its store.
    pub program: String,
    /// Its processor time for each operation.
    pub us: f64,
    /// How many times of ours that should be, if that is said.
    pub times: Option<f64>,
}

fn hundred_thousand() -> usize {
    100_000
}

fn ocaml() -> Shape {
    Shape::Ocaml
}

/// How many times of ours a peer should take.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// The workload.
    pub workload: String,
    /// The case.
    pub case: String,
    /// The store of ours.
    pub store: String,
    /// What it is compared with.
    pub peer: String,
    /// How many times.
    pub times: f64,
}

impl Figure {
    /// The most processor time that an operation should take with so many keys.
    #[must_use]
    pub fn target(&self, keys: usize) -> Option<f64> {
        self.target_at.get(&keys).copied().or(self.target_us)
    }
}

impl Notes {
    /// The notes that this program was built with.
    ///
    /// # Panics
    /// If the file is not as it should be, which a test would notice.
    #[must_use]
    pub fn built_in() -> Self {
        serde_json::from_str(include_str!("../figures.json")).expect("benches/figures.json is ours")
    }

    /// The note about a record.
    #[must_use]
    pub fn figure(&self, record: &Record) -> Option<&Figure> {
        self.figures.iter().find(|note| {
            note.workload == record.workload
                && record.case.starts_with(&note.case)
                && (note.stores.is_empty() || note.stores.contains(&record.store))
        })
    }

    /// The figure of OCaml Irmin that a record can stand beside.
    #[must_use]
    pub fn irmin(&self, record: &Record) -> Option<&Irmin> {
        self.irmin.iter().find(|note| {
            (&note.workload, &note.case, &note.store)
                == (&record.workload, &record.case, &record.store)
                && (note.keys, note.shape) == (record.keys, record.shape)
                && note.ops.is_none_or(|ops| ops == record.ops)
        })
    }

    /// How many times of ours a peer should take.
    #[must_use]
    pub fn aim(&self, compared: &Comparison) -> Option<f64> {
        let same = |note: &&Peer| {
            (&note.workload, &note.case, &note.store, &note.peer)
                == (&compared.workload, &compared.case, &compared.store, &compared.peer)
        };
        self.peers.iter().find(same).map(|note| note.times)
    }
}
