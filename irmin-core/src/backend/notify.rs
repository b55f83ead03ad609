//! Who is told when a ref changes.

use alloc::collections::VecDeque;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::fmt;

use super::{OnRefChange, RefChange};
use crate::lock::Mutex;
use crate::panics::contain;

/// The watches of one store handle.
///
/// A backend calls [`queue`](Notifier::queue) while it still holds the lock that orders its
/// changes, and [`deliver`](Notifier::deliver) after it released all locks: so the watches hear
/// of changes in their order, whichever thread delivers them, and may call the store themselves.
#[derive(Clone, Default)]
pub struct Notifier {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    next_id: u64,
    /// In ascending order of ids.
    watches: Vec<(u64, OnRefChange)>,
    /// The changes to deliver, each for the watches below an id: those that were there then.
    queue: VecDeque<(RefChange, u64)>,
    delivering: bool,
}

impl Notifier {
    /// Adds a watch that ends when the guard is dropped.
    pub fn add(&self, notify: OnRefChange) -> WatchGuard {
        let mut state = self.state.lock();
        let id = state.next_id;
        state.next_id += 1;
        state.watches.push((id, notify));
        WatchGuard { state: Arc::downgrade(&self.state), id }
    }

    /// Puts changes in line, without telling anyone yet.
    pub fn queue(&self, changes: Vec<RefChange>) {
        let mut state = self.state.lock();
        if !state.watches.is_empty() {
            let bound = state.next_id;
            state.queue.extend(changes.into_iter().map(|change| (change, bound)));
        }
    }

    /// Tells the watches of all changes in line, unless someone is doing so already, who then
    /// tells of these too. A callback that panics harms no one else.
    pub fn deliver(&self) {
        let mut first = true;
        while let Some((change, bound)) = self.next_change(&mut first) {
            let watches = self.state.lock().watches.clone();
            for (id, notify) in watches.into_iter().filter(|(id, _)| *id < bound) {
                let state = self.state.lock();
                let there = state.watches.binary_search_by_key(&id, |(id, _)| *id).is_ok();
                drop(state);
                if there {
                    let _ = contain(|| notify(&change));
                }
            }
        }
    }

    /// Whether no one watches.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.state.lock().watches.is_empty()
    }

    /// The next change that this caller must deliver.
    fn next_change(&self, first: &mut bool) -> Option<(RefChange, u64)> {
        let mut state = self.state.lock();
        if core::mem::take(first) && state.delivering {
            return None;
        }
        let next = state.queue.pop_front();
        state.delivering = next.is_some();
        next
    }
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Notifier({} watches)", self.state.lock().watches.len())
    }
}

/// A watch; it ends when this is dropped.
///
/// No call begins after the drop; one that another thread is making may still be running.
#[must_use = "the watch ends when its guard is dropped"]
pub struct WatchGuard {
    state: Weak<Mutex<State>>,
    id: u64,
}

impl Drop for WatchGuard {
    fn drop(&mut self) {
        if let Some(state) = self.state.upgrade() {
            // The callback is dropped after the lock: dropping it may drop other guards.
            let removed = {
                let mut state = state.lock();
                let at = state.watches.binary_search_by_key(&self.id, |(id, _)| *id);
                at.ok().map(|at| state.watches.remove(at))
            };
            drop(removed);
        }
    }
}

impl fmt::Debug for WatchGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WatchGuard({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(name: &str) -> RefChange {
        RefChange { name: name.parse().unwrap(), old: None, new: None }
    }

    /// A callback that notes names, and what it noted.
    fn recorder() -> (OnRefChange, Arc<Mutex<Vec<alloc::string::String>>>) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let into = seen.clone();
        (Arc::new(move |change| into.lock().push(change.name.as_str().into())), seen)
    }

    fn notify(notifier: &Notifier, changes: &[RefChange]) {
        notifier.queue(changes.to_vec());
        notifier.deliver();
    }

    #[test]
    fn a_callback_that_causes_changes_sees_them_in_order() {
        let notifier = Notifier::default();
        let (record, seen) = recorder();
        let inner = notifier.clone();
        let _first = notifier.add(Arc::new(move |change: &RefChange| {
            if change.name.as_str() == "refs/a" {
                notify(&inner, &[self::change("refs/c")]);
            }
        }));
        let _second = notifier.add(record);
        notify(&notifier, &[change("refs/a"), change("refs/b")]);
        assert_eq!(*seen.lock(), ["refs/a", "refs/b", "refs/c"]);
    }

    #[test]
    fn a_watch_hears_of_no_change_from_before_it_and_of_none_after_its_guard() {
        let notifier = Notifier::default();
        let (early, early_seen) = recorder();
        let guard = notifier.add(early);
        notifier.queue(alloc::vec![change("refs/a")]);
        let (late, late_seen) = recorder();
        let late = notifier.add(late);
        notifier.deliver();
        drop(guard);
        notify(&notifier, &[change("refs/b")]);
        assert_eq!(*early_seen.lock(), ["refs/a"]);
        assert_eq!(*late_seen.lock(), ["refs/b"]);
        drop(late);
        assert!(notifier.is_idle());
    }

    #[cfg(feature = "std")]
    #[test]
    fn a_panicking_callback_harms_no_other() {
        let notifier = Notifier::default();
        let _bad = notifier.add(Arc::new(|_| panic!("on purpose")));
        let (record, seen) = recorder();
        let _good = notifier.add(record);
        notify(&notifier, &[change("refs/a")]);
        notify(&notifier, &[change("refs/b")]);
        assert_eq!(*seen.lock(), ["refs/a", "refs/b"]);
    }
}
