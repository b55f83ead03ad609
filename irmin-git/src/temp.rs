//! Names of files that are not part of the repository yet.
//!
//! All are in `objects/pack` and begin with `tmp_`, so that `git gc` sweeps what is never claimed.

/// Where packs are.
pub(crate) const PACKS: &str = "objects/pack";
/// What the names begin with.
pub(crate) const PREFIX: &str = "tmp_irmin_";
/// What the names of stages begin with: they live longer than one publish.
pub(crate) const STAGE: &str = "tmp_irmin_stage_";

/// Makes names, each once. Two users of one repository do not meet: whoever makes names holds the
/// lock of the store, and removes leftovers before the first.
#[derive(Debug, Default)]
pub(crate) struct TempNames {
    next: u64,
}

impl TempNames {
    /// A fresh name for something of this sort.
    pub(crate) fn next(&mut self, sort: &str) -> String {
        self.next += 1;
        format!("{PACKS}/{PREFIX}{sort}_{}", self.next)
    }
}
