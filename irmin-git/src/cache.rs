//! The objects that were read or written last.

use std::collections::HashMap;

use irmin_core::lock::Mutex;
use irmin_core::{Hash, Object};

/// What the bookkeeping of one object costs beside its bytes.
const OVERHEAD: usize = 200;

/// A bounded map of objects: two generations, of which the older one is dropped whole.
#[derive(Debug)]
pub(crate) struct Cache {
    /// The bytes that one generation may take.
    bound: usize,
    state: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Hash, Object>,
    old: HashMap<Hash, Object>,
    young_size: usize,
}

impl Cache {
    /// A cache of about this many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Cache { bound: bytes / 2, state: Mutex::default() }
    }

    /// Keeps an object; one that would take more than a sixteenth of the room is not worth it.
    pub(crate) fn put(&self, object: &Object) {
        let size = object.bytes.len() + OVERHEAD;
        if size > self.bound / 8 {
            return;
        }
        let object = Object::new(object.kind, object.id, object.bytes.clone());
        let mut state = self.state.lock();
        if state.young_size + size > self.bound {
            state.old = core::mem::take(&mut state.young);
            state.young_size = 0;
        }
        if state.young.insert(object.id, object).is_none() {
            state.young_size += size;
        }
    }

    /// An object that is kept.
    pub(crate) fn get(&self, id: &Hash) -> Option<Object> {
        let found = {
            let state = self.state.lock();
            if let Some(object) = state.young.get(id) {
                return Some(object.clone());
            }
            state.old.get(id).cloned()
        };
        // It is used still: it survives the next change of generations.
        if let Some(object) = &found {
            self.put(object);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use irmin_core::{HashFunction, Kind};

    fn object(n: u32) -> Object {
        let bytes = vec![0; 800];
        let id = HashFunction::Sha1.digest(&n.to_be_bytes());
        Object::new(Kind::Value, id, bytes.into())
    }

    #[test]
    fn it_stays_bounded_and_keeps_what_is_used() {
        let cache = Cache::new(64_000);
        for n in 0..1000 {
            cache.put(&object(n));
            assert!(cache.get(&object(0).id).is_some(), "dropped after {n} others");
        }
        let state = cache.state.lock();
        assert!((state.young.len() + state.old.len()) * 1000 <= 64_000);
        drop(state);
        assert!(cache.get(&object(1).id).is_none());
    }
}
