//! A number that is counted up and down.

use alloc::vec::Vec;

use super::{At, Container, Element, Holds};
use crate::contents::binary::Reader;
use crate::contents::json::JsonValue;
use crate::error::Result;
use crate::merge::{Merge, Reason};
use crate::repo::{Commit, CommitOptions};

/// A number that is counted up and down: OCaml Irmin's `Counter`.
///
/// **Promise**: it is the sum of all increments and decrements in the history, each counted once.
/// Sums wrap around at the ends of 64 bits, as those of OCaml do: only so do they not depend on
/// the order.
///
/// ```
/// # use std::sync::Arc;
/// # use irmin_core::{Context, Format, FormatSpec, Repo, backend::MemoryBackend};
/// # let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
/// # let repo = Repo::new(backend, Context::new("ann", || 1_000))?;
/// use irmin_core::containers::{Container, Counter};
///
/// let repo = repo.typed::<Counter>()?;
/// let main = repo.main()?;
/// let visits = Counter::at(&main, "visits")?;
/// visits.inc(2, "two came")?;
/// let side = main.fork("side")?;
/// visits.inc(1, "one more")?;
/// Counter::at(&side, "visits")?.dec(1, "one was a robot")?;
/// main.merge(&side, "merge")?.resolved()?;
/// assert_eq!(visits.read()?, 2);
/// # Ok::<(), irmin_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counter(pub i64);

impl Element for Counter {
    const NAME: &'static str = "counter";

    fn to_binary(&self, out: &mut Vec<u8>) {
        self.0.to_binary(out);
    }

    fn from_binary(from: &mut Reader<'_>) -> Result<Self> {
        i64::from_binary(from).map(Counter)
    }

    fn to_json(&self) -> JsonValue {
        self.0.to_json()
    }

    fn from_json(json: JsonValue) -> Result<Self> {
        i64::from_json(json).map(Counter)
    }
}

impl Container for Counter {
    fn join(base: Option<&Self>, ours: &Self, theirs: &Self) -> core::result::Result<Self, Reason> {
        Merge::counter().apply(base.map(|base| &base.0), &ours.0, &theirs.0).map(Counter)
    }
}

impl<C: Holds<Counter>> At<Counter, C> {
    /// Adds to the counter, which begins at zero.
    ///
    /// # Errors
    /// As [`At::edit`].
    pub fn inc(&self, by: i64, options: impl Into<CommitOptions>) -> Result<Option<Commit<C>>> {
        self.edit(options, by.to_be_bytes(), |old, _| {
            let old = old.unwrap_or_default();
            Ok((by != 0).then_some(Counter(old.0.wrapping_add(by))))
        })
    }

    /// Subtracts from the counter, which begins at zero.
    ///
    /// # Errors
    /// As [`At::edit`].
    pub fn dec(&self, by: i64, options: impl Into<CommitOptions>) -> Result<Option<Commit<C>>> {
        self.inc(by.wrapping_neg(), options)
    }

    /// What it counted: zero if it never did.
    ///
    /// # Errors
    /// As [`At::get`].
    pub fn read(&self) -> Result<i64> {
        Ok(self.get()?.unwrap_or_default().0)
    }
}
