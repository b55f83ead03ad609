//! A queue that branches push to and pop from.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::element::Name;
use super::{At, Container, Element, Event, Holds, Mark, at_places_of_their_own, not};
use crate::contents::binary::Reader;
use crate::contents::json::JsonValue;
use crate::error::Result;
use crate::merge::{Merge, Reason};
use crate::repo::{Commit, CommitOptions};

/// A queue, first in first out.
///
/// **Promise**: it holds what was pushed in the history and not popped in it, in the order of the
/// times of pushing, then of marks; a push is later than all that it follows in its history.
///
/// So nothing is lost, and what was popped never comes back once the branches have met. Popping is
/// *exactly once* among those who pop from one branch, since each pop is a commit on it; and it is
/// *at least once* between branches: two that pop before they meet may both be given the same
/// value, which no store can prevent without asking the other first. Consumers on several branches
/// therefore need work that may be done twice, or a branch that all of them pop from.
///
/// ```
/// # use std::sync::Arc;
/// # use irmin_core::{Context, Format, FormatSpec, Repo, backend::MemoryBackend};
/// # let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
/// # let repo = Repo::new(backend, Context::new("ann", || 1_000))?;
/// use irmin_core::containers::{Container, Queue};
///
/// let main = repo.typed::<Queue<String>>()?.main()?;
/// let jobs = Queue::at(&main, "jobs")?;
/// jobs.push("paint".to_owned(), "first")?;
/// jobs.push("clean".to_owned(), "then")?;
/// assert_eq!(jobs.pop("begin")?.as_deref(), Some("paint"));
/// assert_eq!(jobs.read_all()?, ["clean"]);
/// # Ok::<(), irmin_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Queue<T> {
    waiting: BTreeSet<((i64, Mark), T)>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Queue { waiting: BTreeSet::new() }
    }
}

impl<T: Element + Ord> Queue<T> {
    /// Pushes a value to the end.
    pub fn push(&mut self, value: T, event: &mut Event) {
        let last = self.waiting.last().map(|((time, _), _)| *time);
        self.waiting.insert(((event.after(last), event.mark()), value));
    }

    /// Takes the first value away.
    pub fn pop(&mut self) -> Option<T> {
        self.waiting.pop_first().map(|(_, value)| value)
    }

    /// The first value.
    #[must_use]
    pub fn peek(&self) -> Option<&T> {
        self.iter().next()
    }

    /// The values, first in first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.waiting.iter().map(|(_, value)| value)
    }

    /// How many values wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn list(&self) -> Vec<((i64, Mark), T)> {
        self.waiting.iter().cloned().collect()
    }

    /// The queue of these values, whose places must be in ascending order.
    fn of(list: Vec<((i64, Mark), T)>) -> Option<Self> {
        let sorted = list.is_sorted_by(|a, b| a.0 < b.0);
        sorted.then(|| Queue { waiting: list.into_iter().collect() })
    }
}

/// A list of times, marks and values, in ascending order.
impl<T: Element + Ord> Element for Queue<T> {
    const NAME: &'static str = const { &Name::of(&["queue(", T::NAME, ")"]) }.as_str();

    fn to_binary(&self, out: &mut Vec<u8>) {
        self.list().to_binary(out);
    }

    fn from_binary(from: &mut Reader<'_>) -> Result<Self> {
        let list = Vec::from_binary(from)?;
        Self::of(list).ok_or_else(|| from.bad("values out of order end"))
    }

    fn to_json(&self) -> JsonValue {
        self.list().to_json()
    }

    fn from_json(json: JsonValue) -> Result<Self> {
        let list = Vec::from_json(json.clone())?;
        Self::of(list).ok_or_else(|| not("in ascending order", &json))
    }
}

impl<T: Element + Ord> Container for Queue<T> {
    fn join(base: Option<&Self>, ours: &Self, theirs: &Self) -> core::result::Result<Self, Reason> {
        let base = base.map(|base| &base.waiting);
        let waiting = Merge::<BTreeSet<_>>::set().apply(base, &ours.waiting, &theirs.waiting)?;
        at_places_of_their_own(waiting.iter().map(|(place, _)| place))?;
        Ok(Queue { waiting })
    }
}

impl<T: Element + Ord, C: Holds<Queue<T>>> At<Queue<T>, C> {
    /// Pushes a value to the end.
    ///
    /// # Errors
    /// As [`At::edit`].
    pub fn push(
        &self,
        value: impl Into<T>,
        options: impl Into<CommitOptions>,
    ) -> Result<Option<Commit<C>>> {
        self.put(value, options, |old, value, event| {
            let mut queue: Queue<T> = old.unwrap_or_default();
            queue.push(value, event);
            queue
        })
    }

    /// Takes the first value away, if there is one; it is given out only when that is committed.
    ///
    /// # Errors
    /// As [`At::edit`].
    pub fn pop(&self, options: impl Into<CommitOptions>) -> Result<Option<T>> {
        let mut popped = None;
        self.edit(options, "pop", |old, _| {
            let mut queue = old.unwrap_or_default();
            popped = queue.pop();
            Ok(popped.is_some().then_some(queue))
        })?;
        Ok(popped)
    }

    /// The first value, if there is one.
    ///
    /// # Errors
    /// As [`At::get`].
    pub fn peek(&self) -> Result<Option<T>> {
        Ok(self.get()?.unwrap_or_default().pop())
    }

    /// The values that wait, first in first.
    ///
    /// # Errors
    /// As [`At::get`].
    pub fn read_all(&self) -> Result<Vec<T>> {
        Ok(self.get()?.unwrap_or_default().iter().cloned().collect())
    }
}
