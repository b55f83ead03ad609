//! A log that is one value.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::element::Name;
use super::{At, Container, Element, Event, Holds};
use crate::contents::binary::Reader;
use crate::contents::json::JsonValue;
use crate::error::Result;
use crate::merge::{Merge, Reason};
use crate::repo::{Commit, CommitOptions};

/// A log in one value, newest entry first: OCaml Irmin's `Blob_log`.
///
/// **Promise**: it has every entry of the history, each once, ordered by time, and where times are
/// equal by value. An entry is later than all that it follows in its history. Equal entries that
/// were appended on two sides at one time are two.
///
/// A merge counts how often each entry is on either side and in the base, which is exact in any
/// history. The original instead takes what is newer than the newest entry of the base: where
/// clocks differ, or where a branch brings in older entries of a third one, it loses those. In
/// histories without either the results are equal.
///
/// Every append writes the whole log: for more than a few hundred entries there is
/// [`LinkedLog`](super::LinkedLog).
///
/// ```
/// # use std::sync::Arc;
/// # use irmin_core::{Context, Format, FormatSpec, Repo, backend::MemoryBackend};
/// # let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
/// # let repo = Repo::new(backend, Context::new("ann", || 1_000))?;
/// use irmin_core::containers::{BlobLog, Container};
///
/// let main = repo.typed::<BlobLog<String>>()?.main()?;
/// let log = BlobLog::at(&main, "log")?;
/// log.append("one".to_owned(), "say it")?;
/// let side = main.fork("side")?;
/// log.append("two".to_owned(), "say it")?;
/// BlobLog::at(&side, "log")?.append("three".to_owned(), "say it")?;
/// main.merge(&side, "merge")?.resolved()?;
/// assert_eq!(log.read_all()?.len(), 3);
/// # Ok::<(), irmin_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlobLog<T> {
    /// Values and times, newest first.
    entries: Vec<(T, i64)>,
}

impl<T> Default for BlobLog<T> {
    fn default() -> Self {
        BlobLog { entries: Vec::new() }
    }
}

impl<T: Element + Ord> BlobLog<T> {
    /// Appends an entry.
    pub fn append(&mut self, value: T, event: &Event) {
        // Logs of the original may be out of order.
        let newest = self.entries.iter().map(|entry| entry.1).max();
        self.entries.insert(0, (value, event.after(newest)));
    }

    /// The entries with their times, in nanoseconds since 1970, newest first.
    #[must_use]
    pub fn entries(&self) -> &[(T, i64)] {
        &self.entries
    }
}

/// The list of pairs of value and time, as in the original.
impl<T: Element + Ord> Element for BlobLog<T> {
    const NAME: &'static str = const { &Name::of(&["blob-log(", T::NAME, ")"]) }.as_str();

    fn to_binary(&self, out: &mut Vec<u8>) {
        self.entries.to_binary(out);
    }

    fn from_binary(from: &mut Reader<'_>) -> Result<Self> {
        Vec::from_binary(from).map(|entries| BlobLog { entries })
    }

    fn to_json(&self) -> JsonValue {
        self.entries.to_json()
    }

    fn from_json(json: JsonValue) -> Result<Self> {
        Vec::from_json(json).map(|entries| BlobLog { entries })
    }
}

impl<T: Element + Ord> Container for BlobLog<T> {
    fn join(base: Option<&Self>, ours: &Self, theirs: &Self) -> core::result::Result<Self, Reason> {
        let count = |log: &Self| {
            let mut counts: BTreeMap<(i64, T), i64> = BTreeMap::new();
            for (value, time) in &log.entries {
                *counts.entry((*time, value.clone())).or_default() += 1;
            }
            counts
        };
        let base = base.map(count);
        let counts = Merge::multiset().apply(base.as_ref(), &count(ours), &count(theirs))?;
        let newest_first = counts.into_iter().rev();
        let entries = newest_first
            .flat_map(|((time, value), count)| (0..count).map(move |_| (value.clone(), time)));
        Ok(BlobLog { entries: entries.collect() })
    }
}

impl<T: Element + Ord, C: Holds<BlobLog<T>>> At<BlobLog<T>, C> {
    /// Appends an entry.
    ///
    /// # Errors
    /// As [`At::edit`].
    pub fn append(
        &self,
        value: impl Into<T>,
        options: impl Into<CommitOptions>,
    ) -> Result<Option<Commit<C>>> {
        self.put(value, options, |old, value, event| {
            let mut log: BlobLog<T> = old.unwrap_or_default();
            log.append(value, event);
            log
        })
    }

    /// All entries, newest first.
    ///
    /// # Errors
    /// As [`At::get`].
    pub fn read_all(&self) -> Result<Vec<T>> {
        let log = self.get()?.unwrap_or_default();
        Ok(log.entries.into_iter().map(|(value, _)| value).collect())
    }
}
