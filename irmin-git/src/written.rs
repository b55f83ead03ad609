//! What the packs hold that this handle wrote last.
//!
//! A commit builds on the one before it, whose objects must be there still. A reader that has
//! opened the packs before they were written would have to open all of them again to see that, for
//! each commit; here one look for the index of the pack does.

use std::collections::{BTreeSet, VecDeque};

use irmin_core::Result;
use irmin_core::io::Io;
use irmin_core::lock::Mutex;

use crate::oid::Oid;

/// How many names of objects are kept: some 640 KiB.
const MOST: usize = 1 << 15;

/// The objects of the packs that were named last.
#[derive(Debug, Default)]
pub(crate) struct Written {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The path of the index and the sorted names of the objects, the newest pack first.
    packs: VecDeque<(String, Vec<Oid>)>,
    objects: usize,
}

impl State {
    fn remove(&mut self, at: usize) {
        let gone = self.packs.remove(at).map_or(0, |(_, ids)| ids.len());
        self.objects = self.objects.saturating_sub(gone);
    }
}

impl Written {
    /// Takes note of a pack that has its name: its index, and its objects in order.
    pub(crate) fn add(&self, index: String, ids: Vec<Oid>) {
        let mut state = self.state.lock();
        state.objects += ids.len();
        state.packs.push_front((index, ids));
        while state.objects > MOST {
            let gone = state.packs.pop_back().map_or(0, |(_, ids)| ids.len());
            state.objects = state.objects.saturating_sub(gone);
        }
    }

    /// Forgets a pack that is gone: each look for an object would go through all that were.
    pub(crate) fn forget(&self, index: &str) {
        let mut state = self.state.lock();
        if let Some(at) = state.packs.iter().position(|(known, _)| known == index) {
            state.remove(at);
        }
    }

    /// Of these objects those that no pack that is still there is known to have.
    ///
    /// # Errors
    /// `io`.
    pub(crate) fn unknown<'a>(
        &self,
        io: &dyn Io,
        ids: impl IntoIterator<Item = &'a Oid>,
    ) -> Result<Vec<&'a Oid>> {
        let mut state = self.state.lock();
        let mut unknown = Vec::new();
        // The indices that were looked at are there.
        let mut looked: BTreeSet<String> = BTreeSet::new();
        'ids: for id in ids {
            let has = |(_, ids): &(String, Vec<Oid>)| ids.binary_search(id).is_ok();
            // Whoever removes a pack removes its index first.
            while let Some(at) = state.packs.iter().position(has) {
                let Some((index, _)) = state.packs.get(at) else { break };
                if looked.contains(index) {
                    continue 'ids;
                }
                if io.metadata(index)?.is_some() {
                    looked.insert(index.clone());
                    continue 'ids;
                }
                state.remove(at);
            }
            unknown.push(id);
        }
        Ok(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use irmin_core::io::{OpenMode, StdIo};

    fn id(n: usize) -> Oid {
        crate::oid::digest(&n.to_be_bytes())
    }

    fn holds(written: &Written, io: &StdIo, n: usize) -> bool {
        written.unknown(io, [&id(n)]).unwrap().is_empty()
    }

    #[test]
    fn what_is_in_a_pack_is_there_as_long_as_the_pack() {
        let dir = tempfile::tempdir().unwrap();
        let io = StdIo::open(dir.path()).unwrap();
        let written = Written::default();
        for name in ["a", "b"] {
            drop(io.open(name, OpenMode::CreateNew).unwrap());
        }
        written.add("a".into(), vec![id(1)]);
        written.add("b".into(), vec![id(1)]);
        assert!(holds(&written, &io, 1));
        assert!(!holds(&written, &io, 2));
        io.remove("b").unwrap();
        assert!(holds(&written, &io, 1), "the older pack has it too");
        io.remove("a").unwrap();
        assert!(!holds(&written, &io, 1));
        assert_eq!(written.state.lock().objects, 0);
    }

    #[test]
    fn what_is_forgotten_is_not_looked_for() {
        let dir = tempfile::tempdir().unwrap();
        let io = StdIo::open(dir.path()).unwrap();
        let written = Written::default();
        for (name, n) in [("a", 1), ("b", 2)] {
            drop(io.open(name, OpenMode::CreateNew).unwrap());
            written.add(name.into(), vec![id(n)]);
        }
        written.forget("a");
        written.forget("c");
        let (one, two) = (id(1), id(2));
        assert_eq!(written.unknown(&io, [&one, &two, &two]).unwrap(), [&one]);
        assert_eq!(written.state.lock().objects, 1);
    }

    #[test]
    fn old_packs_are_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let io = StdIo::open(dir.path()).unwrap();
        drop(io.open("a", OpenMode::CreateNew).unwrap());
        let written = Written::default();
        for n in 0..10 {
            let mut ids: Vec<Oid> = (n * 10_000..(n + 1) * 10_000).map(id).collect();
            ids.sort_unstable();
            written.add("a".into(), ids);
        }
        assert_eq!(written.state.lock().objects, 30_000);
        assert!(holds(&written, &io, 99_999));
        assert!(!holds(&written, &io, 0));
        written.add("a".into(), vec![id(0); MOST + 1]);
        assert_eq!(written.state.lock().objects, 0, "one that is too large is none of them");
    }
}
