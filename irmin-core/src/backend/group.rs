//! Group commit: writers that come together share one flush.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::error::{Code, Error, Result};
use crate::lock::{Mutex, OnceLock};

/// Lets many writers share the syncs of one log.
///
/// Work joins a line in [`submit`](GroupCommit::submit), under a short lock. Whoever first waits
/// for its ticket becomes the leader: it takes all that is in line and flushes it with one call.
/// Those who come while it flushes stand in line, and one of them leads next. There is no timer
/// and no thread: a lone writer waits for nothing, and the more writers there are the more of
/// them a flush serves.
///
/// # Order
/// - Flushes run one after another, and their items are in the order of submission: when a ticket
///   is done, everything submitted before it is, too.
/// - A ticket that is dropped leaves its item in line: the next leader flushes it.
/// - When a flush fails, so does everything in line then and everything submitted later
///   (`poisoned`): what the device holds is unknown, and nothing is acknowledged on top of it.
///
/// Do not hold a lock that the flush takes while waiting for a ticket.
///
/// ```
/// use irmin_core::backend::GroupCommit;
/// let log = irmin_core::lock::Mutex::new(Vec::new());
/// let group = GroupCommit::new(|items: Vec<u32>| {
///     log.lock().push(items);
///     Ok(())
/// });
/// let (first, second) = (group.submit(1)?, group.submit(2)?);
/// second.wait()?;
/// first.wait()?;
/// assert_eq!(*log.lock(), [vec![1, 2]]);
/// # Ok::<(), irmin_core::Error>(())
/// ```
pub struct GroupCommit<T, F> {
    line: Mutex<Line<T>>,
    /// The lock of the leader, around what flushes.
    flush: Mutex<F>,
}

/// A cell that is filled once: nothing for done, or the error of the flush.
type Outcome = Arc<OnceLock<Result<()>>>;

struct Line<T> {
    pending: VecDeque<(T, Outcome)>,
    /// The error of the flush that failed.
    poison: Option<Error>,
}

impl<T, F: FnMut(Vec<T>) -> Result<()>> GroupCommit<T, F> {
    /// A line whose items are flushed by a function, a group at a time.
    pub fn new(flush: F) -> Self {
        let line = Line { pending: VecDeque::new(), poison: None };
        GroupCommit { line: Mutex::new(line), flush: Mutex::new(flush) }
    }

    /// Puts work in line. The order of these calls is the order of everything.
    ///
    /// # Errors
    /// `poisoned` after a flush failed.
    pub fn submit(&self, item: T) -> Result<Ticket<'_, T, F>> {
        let mut line = self.line.lock();
        Self::refuse_poisoned(&line)?;
        Ok(self.join(&mut line, item))
    }

    /// Makes work and puts it in line in one step, so that what `make` reads and changes (tips,
    /// offsets) has the order of the line; if it makes none, nothing joins.
    ///
    /// # Errors
    /// `poisoned` after a flush failed, without a call of `make`, and what `make` says.
    pub fn submit_with(
        &self,
        make: impl FnOnce() -> Result<Option<T>>,
    ) -> Result<Option<Ticket<'_, T, F>>> {
        let mut line = self.line.lock();
        Self::refuse_poisoned(&line)?;
        Ok(make()?.map(|item| self.join(&mut line, item)))
    }

    fn refuse_poisoned(line: &Line<T>) -> Result<()> {
        line.poison.as_ref().map_or(Ok(()), |cause| Err(poisoned(cause)))
    }

    fn join(&self, line: &mut Line<T>, item: T) -> Ticket<'_, T, F> {
        let outcome = Outcome::default();
        line.pending.push_back((item, outcome.clone()));
        Ticket { group: self, outcome }
    }

    /// Flushes what is in line.
    ///
    /// # Errors
    /// Those of the flush, and `poisoned` after one failed.
    pub fn flush(&self) -> Result<()> {
        self.lead(&mut self.flush.lock())
    }

    /// Whether a flush failed.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.line.lock().poison.is_some()
    }

    /// How many items wait for a flush.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.line.lock().pending.len()
    }

    /// Flushes all that is in line, with the lock of the leader.
    fn lead(&self, flush: &mut F) -> Result<()> {
        let (items, outcomes): (Vec<T>, Vec<Outcome>) = {
            let mut line = self.line.lock();
            Self::refuse_poisoned(&line)?;
            line.pending.drain(..).unzip()
        };
        if items.is_empty() {
            return Ok(());
        }
        // Should the flush panic, the guard fails the group: its fate on the device is unknown.
        let mut guard = Flushing { group: self, outcomes, result: None };
        let result = flush(items);
        guard.result = Some(result.clone());
        result
    }
}

/// The error of all work that comes after a flush that failed.
fn poisoned(cause: &Error) -> Error {
    let why = "an earlier write could not be made durable; open the store again";
    Error::new(Code::Poisoned, why).with_source(cause.clone())
}

/// A group whose flush runs.
struct Flushing<'a, T, F> {
    group: &'a GroupCommit<T, F>,
    outcomes: Vec<Outcome>,
    result: Option<Result<()>>,
}

impl<T, F> Drop for Flushing<'_, T, F> {
    fn drop(&mut self) {
        let unknown = || Err(Error::new(Code::Poisoned, "a flush did not come back"));
        let result = self.result.take().unwrap_or_else(unknown);
        if let Err(cause) = &result {
            let late: Vec<(T, Outcome)> = {
                let mut line = self.group.line.lock();
                line.poison = Some(cause.clone());
                line.pending.drain(..).collect()
            };
            for (_, outcome) in late {
                let _ = outcome.set(Err(poisoned(cause)));
            }
        }
        for outcome in &self.outcomes {
            let _ = outcome.set(result.clone());
        }
    }
}

impl<T, F> fmt::Debug for GroupCommit<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line.lock();
        write!(
            f,
            "GroupCommit({} pending, poisoned: {})",
            line.pending.len(),
            line.poison.is_some()
        )
    }
}

/// A place in line.
#[must_use = "an item is durable only when its ticket was waited for"]
pub struct Ticket<'a, T, F> {
    group: &'a GroupCommit<T, F>,
    outcome: Outcome,
}

impl<T, F: FnMut(Vec<T>) -> Result<()>> Ticket<'_, T, F> {
    /// Waits until the item is flushed, by whomever.
    ///
    /// # Errors
    /// That of the flush, or `poisoned` if an earlier one failed.
    pub fn wait(self) -> Result<()> {
        if let Some(outcome) = self.outcome.get() {
            return outcome.clone();
        }
        let mut flush = self.group.flush.lock();
        if self.outcome.get().is_none() {
            // The leader's error is also in the outcome, unless the item was not its own.
            let _ = self.group.lead(&mut flush);
        }
        drop(flush);
        let lost = || Err(Error::new(Code::Poisoned, "a flush did not come back"));
        self.outcome.get().cloned().unwrap_or_else(lost)
    }

    /// Whether the item is flushed, or failed, already.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.outcome.get().is_some()
    }
}

impl<T, F> fmt::Debug for Ticket<'_, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket(done: {})", self.outcome.get().is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::boxed::Box;
    use alloc::vec;
    use std::sync::mpsc::{Receiver, channel};
    use std::thread;

    type Groups = Arc<Mutex<Vec<Vec<u32>>>>;
    type Flush = Box<dyn FnMut(Vec<u32>) -> Result<()> + Send>;

    /// A flush that notes its groups, says that it began, and ends as it is told.
    fn gated() -> (GroupCommit<u32, Flush>, Groups, Receiver<()>, std::sync::mpsc::Sender<bool>) {
        let groups = Groups::default();
        let (began, begun) = channel();
        let (end, ends) = channel::<bool>();
        let into = groups.clone();
        let flush: Flush = Box::new(move |items| {
            into.lock().push(items);
            began.send(()).unwrap();
            let failed = || Error::new(Code::Io, "syncing the log: the device failed");
            ends.recv().unwrap().then_some(()).ok_or_else(failed)
        });
        (GroupCommit::new(flush), groups, begun, end)
    }

    #[test]
    fn writers_that_come_during_a_flush_share_the_next() {
        let (group, groups, begun, end) = gated();
        thread::scope(|scope| {
            let first = group.submit(0).unwrap();
            let first = scope.spawn(move || first.wait());
            begun.recv().unwrap();
            let others: Vec<_> = (1..=50)
                .map(|n| {
                    let ticket = group.submit(n).unwrap();
                    scope.spawn(move || ticket.wait())
                })
                .collect();
            assert_eq!(group.pending(), 50);
            end.send(true).unwrap();
            end.send(true).unwrap();
            first.join().unwrap().unwrap();
            others.into_iter().for_each(|other| other.join().unwrap().unwrap());
        });
        assert_eq!(*groups.lock(), [vec![0], (1..=50).collect()]);
    }

    #[test]
    fn a_failed_flush_fails_its_group_and_all_that_follows() {
        let (group, groups, begun, end) = gated();
        thread::scope(|scope| {
            let (a, b) = (group.submit(1).unwrap(), group.submit(2).unwrap());
            let a = scope.spawn(move || a.wait());
            begun.recv().unwrap();
            let late = group.submit(3).unwrap();
            end.send(false).unwrap();
            assert_eq!(a.join().unwrap().unwrap_err().code(), Code::Io);
            assert_eq!(b.wait().unwrap_err().code(), Code::Io);
            assert_eq!(late.wait().unwrap_err().code(), Code::Poisoned);
        });
        let error = group.submit(4).unwrap_err();
        assert_eq!(error.code(), Code::Poisoned);
        assert!(core::error::Error::source(&error).unwrap().to_string().contains("device failed"));
        assert_eq!(group.flush().unwrap_err().code(), Code::Poisoned);
        assert!(group.is_poisoned());
        assert_eq!(*groups.lock(), [[1, 2]], "nothing was flushed after the failure");
    }

    #[test]
    fn a_dropped_ticket_is_flushed_with_the_next() {
        let groups = Mutex::new(Vec::new());
        let group = GroupCommit::new(|items: Vec<u32>| {
            groups.lock().push(items);
            Ok(())
        });
        drop(group.submit(1).unwrap());
        let second = group.submit(2).unwrap();
        assert!(!second.is_done());
        second.wait().unwrap();
        group.flush().unwrap();
        assert_eq!(*groups.lock(), [[1, 2]]);
    }

    #[test]
    fn work_that_cannot_be_made_does_not_join() {
        let group = GroupCommit::new(|_: Vec<u32>| Ok(()));
        let error = group.submit_with(|| Err(Error::new(Code::NameClash, "no")));
        assert_eq!(error.unwrap_err().code(), Code::NameClash);
        assert!(group.submit_with(|| Ok(None)).unwrap().is_none());
        assert_eq!(group.pending(), 0);
    }

    #[test]
    fn a_flush_that_panics_poisons() {
        let group = GroupCommit::new(|_: Vec<u32>| panic!("on purpose"));
        thread::scope(|scope| {
            let ticket = group.submit(1).unwrap();
            let other = group.submit(2).unwrap();
            assert!(scope.spawn(move || ticket.wait()).join().is_err());
            assert_eq!(other.wait().unwrap_err().code(), Code::Poisoned);
        });
        assert_eq!(group.submit(3).unwrap_err().code(), Code::Poisoned);
    }

    #[test]
    fn every_item_of_many_threads_is_flushed_once_and_in_order() {
        let log = Mutex::new(Vec::new());
        let next = Mutex::new(0u32);
        let group = GroupCommit::new(|items: Vec<u32>| {
            log.lock().extend(items);
            Ok(())
        });
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let ticket = group.submit_with(|| {
                            let mut next = next.lock();
                            *next += 1;
                            Ok(Some(*next))
                        });
                        ticket.unwrap().unwrap().wait().unwrap();
                    }
                });
            }
        });
        assert_eq!(*log.lock(), (1..=800).collect::<Vec<_>>());
    }
}
