//! L7: containers: values that any two branches can merge, and whose merges agree.
//!
//! A [`Container`] is a type of values with a merge that never conflicts, and with this promise:
//! **its state at a commit depends on nothing but the set of edits in the history of that commit.**
//! So it does not matter who merged with whom, in which order, how often, or by how many ways;
//! replicas that know of the same edits hold the same bytes.
//!
//! | type | holds | when branches meet |
//! |---|---|---|
//! | [`Counter`] | a number | all increments and decrements count, once |
//! | [`LwwRegister`] | one value | the last write wins, by time and then by value |
//! | [`BlobLog`] | a log, in one value | every entry, newest first |
//! | [`LinkedLog`] | a log, an entry a key | every entry, newest first; reads what is asked for |
//! | [`AddWinsSet`] | a set | an element that is added on one side and removed on the other stays |
//! | [`MergeMap`] | a container for each key | keys merge on their own; removing wins over updating |
//! | [`Text`] | lines | every insertion and every removal of a line, in one order |
//! | [`Queue`] | values, first in first out | nothing is lost; what was popped on a side is gone |
//!
//! ```
//! use std::sync::Arc;
//! use irmin_core::backend::MemoryBackend;
//! use irmin_core::containers::{Container, Counter};
//! use irmin_core::{Context, Format, FormatSpec, Repo};
//!
//! let backend = MemoryBackend::new(Format::new(FormatSpec::git()));
//! let repo = Repo::new(Arc::new(backend), Context::new("ann", || 1_000))?.typed::<Counter>()?;
//! let main = repo.main()?;
//! Counter::at(&main, "visits")?.inc(5, "five visits")?;
//! let phone = main.fork("phone")?;
//! Counter::at(&phone, "visits")?.inc(2, "two on the phone")?;
//! Counter::at(&main, "visits")?.dec(4, "four were robots")?;
//! main.merge(&phone, "sync")?.resolved()?;
//! assert_eq!(Counter::at(&main, "visits")?.read()?, 3);
//! # Ok::<(), irmin_core::Error>(())
//! ```
//!
//! # Several in one value
//! Containers are fields of derived types like any other: `derive(Contents)` merges each by itself,
//! so that a value has the promise if all of its fields are containers. Its edits get their event
//! from [`At::edit`], of the [`At`] of its path.
//!
//! # Why it holds
//! A three-way merge is given what both sides have and what their common history has. A counter
//! adds what they have and subtracts what was counted twice; a set of things that are made once
//! ([marks](Mark)) and removed for good keeps what is on both sides or new on one. Where several
//! common ancestors exist, as after merges that crossed, the store merges these first by the same
//! rules, so that the base is exactly what the common history has. The proof is an induction over
//! the histories; the test is random histories in random orders, against a model that knows
//! nothing but the sets of edits.
//!
//! # What it rests on
//! - Containers are changed through their handles ([`At`]), which see to it that time does not go
//!   back and that marks are given once. Setting the value of a path to an older one, or removing
//!   the path, is an edit of the tree, which merges as any other: a path that is removed here and
//!   changed there conflicts.
//! - An edit is its commit. Two edits with the same parents, author, date, message and change are
//!   one commit, and so one edit: replicas need authors of their own, or messages.
//! - The search for common ancestors is complete: [limits](crate::LcaLimits) that cut it off are
//!   errors, never other results.

mod at;
mod blob_log;
mod counter;
mod element;
mod event;
mod fields;
mod linked_log;
mod map;
mod queue;
mod register;
mod set;
mod text;

use alloc::format;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::contents::Contents;
use crate::contents::binary::Reader;
use crate::contents::json::JsonValue;
use crate::error::{Code, Error, Result};
use crate::merge::{Merge, Reason};
use crate::object::ValueEncoding;
use crate::path::IntoPath;
use crate::repo::Branch;

pub use at::{At, Holds};
pub use blob_log::BlobLog;
pub use counter::Counter;
pub use element::{Element, not};
pub use event::{Event, Mark};
pub use linked_log::{LinkedLog, LogCursor};
pub use map::MergeMap;
pub use queue::Queue;
pub use register::LwwRegister;
pub use set::AddWinsSet;
pub use text::Text;

/// A type of values that any two branches can merge: see the [module](self).
///
/// As [`Contents`], its text form is its JSON on one line, or one line for each item if that is an
/// array, so that git shows which items changed. Text that is read may be laid out in any way.
pub trait Container: Element {
    /// What the changes of both sides come to; `base` is what the common history has, `None` if
    /// that is nothing.
    ///
    /// # Errors
    /// The reason for which they do not merge. A container of this module has one only where its
    /// bytes were edited past its handle, so that two values are at one place of a text or a queue.
    fn join(base: Option<&Self>, ours: &Self, theirs: &Self) -> core::result::Result<Self, Reason>;

    /// The container at a path of a branch, whether there is one yet or not.
    ///
    /// # Errors
    /// `invalid_path`.
    fn at<C: Holds<Self>>(branch: &Branch<C>, path: impl IntoPath) -> Result<At<Self, C>> {
        At::new(branch, path)
    }

    /// The merge of the container where values are bytes, for the
    /// [policies](crate::contents::Policies) of a store that holds other things too.
    ///
    /// ```
    /// use irmin_core::containers::{Container, Counter};
    /// use irmin_core::contents::Policies;
    /// let policies = Policies::new().with("stats/**".parse()?, Counter::policy());
    /// # Ok::<(), irmin_core::Error>(())
    /// ```
    #[must_use]
    fn policy() -> Merge<Bytes> {
        let read = |bytes: &Bytes| Self::decode(bytes.clone()).ok();
        <Self as Contents>::merge().like(read, |value| value.encode().ok()).named(Self::NAME)
    }
}

/// Checks that no two things that were joined have one place, which marks see to unless somebody
/// edited what they mark: the result could be written, and not be read again.
fn at_places_of_their_own<P: PartialEq>(
    places: impl Iterator<Item = P> + Clone,
) -> core::result::Result<(), Reason> {
    let fine = places.clone().zip(places.skip(1)).all(|(a, b)| a != b);
    if fine { Ok(()) } else { Err(Reason::of("two values at one place")) }
}

impl<T: Container> Contents for T {
    const TYPE: &'static str = T::NAME;
    const VALUES: ValueEncoding = ValueEncoding::Raw;

    fn encode(&self) -> Result<Bytes> {
        let text = match self.to_json() {
            JsonValue::Array(items) if !items.is_empty() => {
                let items: Vec<_> = items.iter().map(|item| format!("{item}")).collect();
                format!("[\n{}\n]\n", items.join(",\n"))
            }
            other => format!("{other}\n"),
        };
        Ok(Bytes::from(text))
    }

    fn decode(bytes: Bytes) -> Result<Self> {
        let text = core::str::from_utf8(&bytes)
            .map_err(|_| Error::new(Code::InvalidValue, "the value is not text"))?;
        T::from_json(text.parse()?).map_err(|e| e.context(T::NAME))
    }

    fn encode_binary(&self) -> Result<Bytes> {
        let mut out = Vec::new();
        self.to_binary(&mut out);
        Ok(Bytes::from(out))
    }

    fn decode_binary(bytes: Bytes) -> Result<Self> {
        Reader::read(&bytes, T::NAME, T::from_binary)
    }

    fn merge() -> Merge<Self> {
        Merge::new(T::NAME, T::join)
    }
}
