//! Where writers of one branch wait for one another.

use alloc::sync::Arc;
use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering};

use hashbrown::HashMap;

use crate::error::{Code, Error, Result};
use crate::lock::{Mutex, MutexGuard};
use crate::name::RefName;

/// The queues of a repository, one for each branch that was written.
///
/// In one process writers of a branch take turns from reading its tip to submitting the next
/// one, so that they need no retries against each other; they wait for the disk after their turn,
/// so that those that submitted meanwhile share its sync.
#[derive(Default)]
pub(crate) struct Queues(Mutex<HashMap<RefName, Arc<Queue>>>);

/// How many queues are kept before those that no one stands in are looked for.
const MOST_IDLE: usize = 1024;

impl Queues {
    /// The queue of a branch.
    pub(crate) fn of(&self, name: &RefName) -> Arc<Queue> {
        let mut queues = self.0.lock();
        if let Some(queue) = queues.get(name) {
            return queue.clone();
        }
        // Names may come from outside, and there is no end of them. Whoever has a queue or can
        // get one needs this lock for it, so one that is held here alone is idle.
        if queues.len() >= MOST_IDLE {
            queues.retain(|_, queue| Arc::strong_count(queue) > 1);
        }
        queues.entry(name.clone()).or_default().clone()
    }
}

/// The writers of one branch, or of one detached head.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    turn: Mutex<()>,
    /// The thread whose turn it is, or zero.
    owner: AtomicUsize,
}

/// One writer's turn.
pub(crate) struct Turn<'a> {
    queue: &'a Queue,
    _turn: MutexGuard<'a, ()>,
}

impl Queue {
    /// Waits for this writer's turn.
    ///
    /// # Errors
    /// `invalid_argument` if it is this thread's turn already: a callback of a write that writes
    /// the same branch would wait for itself.
    pub(crate) fn wait(&self, name: impl fmt::Display) -> Result<Turn<'_>> {
        let me = thread_id();
        if me != 0 && self.owner.load(Ordering::Relaxed) == me {
            let why = alloc::format!(
                "a callback of a write to `{name}` writes to it: return the change instead"
            );
            return Err(Error::new(Code::InvalidArgument, why));
        }
        let turn = self.turn.lock();
        self.owner.store(me, Ordering::Relaxed);
        Ok(Turn { queue: self, _turn: turn })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.queue.owner.store(0, Ordering::Relaxed);
    }
}

/// A number that no other running thread has.
#[cfg(feature = "std")]
fn thread_id() -> usize {
    std::thread_local!(static HERE: u8 = const { 0 });
    HERE.with(|here| core::ptr::from_ref(here).addr())
}

/// Without std nothing tells threads apart.
#[cfg(not(feature = "std"))]
fn thread_id() -> usize {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_queues_are_forgotten_and_others_kept() {
        let queues = Queues::default();
        let name = |n: usize| alloc::format!("refs/heads/{n}").parse::<RefName>().unwrap();
        let (first, held) = (name(0), queues.of(&name(0)));
        let _turn = held.wait(&first).unwrap();
        for n in 1..3 * MOST_IDLE {
            queues.of(&name(n));
        }
        assert!(queues.0.lock().len() <= MOST_IDLE + 1);
        assert!(Arc::ptr_eq(&queues.of(&first), &held));
    }
}
