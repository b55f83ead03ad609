//! What the packs hold that this handle wrote last.
//!
//! A commit builds on the one before it, whose objects must be there still. A reader that has
//! opened the packs before they were written would have to open all of them again to see that, for
//! each commit; here one look for the index of the pack does.

use std::collections::VecDeque;

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

    /// Whether a pack of these that is still there has an object; `false` says nothing.
    ///
    /// # Errors
    /// `io`.
    pub(crate) fn holds(&self, io: &dyn Io, id: &Oid) -> Result<bool> {
        let mut state = self.state.lock();
        let has = |(_, ids): &(String, Vec<Oid>)| ids.binary_search(id).is_ok();
        // Whoever removes a pack removes its index first.
        while let Some(at) = state.packs.iter().position(has) {
            let index = state.packs.get(at).map(|(index, _)| index.as_str());
            if index.map(|path| io.metadata(path)).transpose()?.flatten().is_some() {
                return Ok(true);
            }
            let gone = state.packs.remove(at).map_or(0, |(_, ids)| ids.len());
            state.objects = state.objects.saturating_sub(gone);
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use irmin_core::io::{OpenMode, StdIo};

    fn id(n: usize) -> Oid {
        crate::oid::digest(&n.to_be_bytes())
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
        assert!(written.holds(&io, &id(1)).unwrap());
        assert!(!written.holds(&io, &id(2)).unwrap());
        io.remove("b").unwrap();
        assert!(written.holds(&io, &id(1)).unwrap(), "the older pack has it too");
        io.remove("a").unwrap();
        assert!(!written.holds(&io, &id(1)).unwrap());
        assert_eq!(written.state.lock().objects, 0);
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
        assert!(written.holds(&io, &id(99_999)).unwrap());
        assert!(!written.holds(&io, &id(0)).unwrap());
        written.add("a".into(), vec![id(0); MOST + 1]);
        assert_eq!(written.state.lock().objects, 0, "one that is too large is none of them");
    }
}
