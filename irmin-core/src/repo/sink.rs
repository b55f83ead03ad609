//! Where the objects of a write go: into a batch, and from there into a stage when they are many.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use hashbrown::HashMap;

use crate::backend::{Backend, Batch, Durability, Note, Published, RefEdit, Stage, Submitted};
use crate::error::Result;
use crate::hash::Hash;
use crate::id::{Key, Locator};
use crate::numbers::Numbered;
use crate::object::Object;

/// Where new objects are, in stores that give out locators.
pub(super) type Locators = HashMap<Hash, Key>;

/// The bytes of objects that go to a stage at once: few enough to be in the caches of the processor
/// still when they come there.
const PORTION: usize = 128 << 10;

/// Takes the objects of one write, children first.
///
/// A write that is small is one batch, whose place in the order is fixed before it is durable. One
/// that is large goes to the store as it is made, so that the memory it takes is bounded.
pub(super) struct Sink<'a> {
    backend: &'a Arc<dyn Backend>,
    /// What comes twice, as equal subtrees and values do, is kept once.
    batch: Numbered<Object>,
    /// What the batch takes, and the most that it may take, in bytes.
    size: usize,
    most: usize,
    stage: Option<Box<dyn Stage + 'a>>,
    located: Locators,
}

impl<'a> Sink<'a> {
    /// A sink for a write of a store, with objects of at most so many bytes in memory.
    pub(super) fn new(backend: &'a Arc<dyn Backend>, most: usize) -> Self {
        let (batch, located) = (Numbered::default(), Locators::new());
        Sink { backend, batch, size: 0, most, stage: None, located }
    }

    /// The same, which goes on with a stage.
    pub(super) fn staged(self, stage: Box<dyn Stage + 'a>) -> Self {
        Sink { stage: Some(stage), ..self }
    }

    /// Takes an object, and says by what key others refer to it.
    ///
    /// # Errors
    /// As [`Stage::put`].
    pub(super) fn put(&mut self, object: Object) -> Result<Key> {
        let key = Key::from(object.id);
        let size = size_of::<Object>() + object.bytes.len() + size_of_val(&*object.children);
        if self.batch.add(object).1 {
            self.size += size;
        }
        let most = if self.is_staged() { self.most.min(PORTION) } else { self.most };
        if self.size > most {
            self.spill()?;
        }
        Ok(key)
    }

    /// Takes the last object.
    pub(super) fn put_last(&mut self, object: Object) {
        self.batch.add(object);
    }

    /// Whether there is a stage, which finds that objects are absent before the end does.
    pub(super) fn is_staged(&self) -> bool {
        self.stage.is_some()
    }

    /// Hands the batch to the stage.
    fn spill(&mut self) -> Result<()> {
        let backend = self.backend;
        let stage = match &mut self.stage {
            Some(stage) => stage,
            none => none.insert(backend.stage()?),
        };
        let keys = stage.put(self.batch.take_things())?;
        self.size = 0;
        self.located.extend(located(&keys));
        Ok(())
    }

    /// Submits what it took with edits of refs.
    ///
    /// # Errors
    /// As [`Backend::submit`] and [`Stage::publish`].
    pub(super) fn submit(
        mut self,
        edits: Vec<RefEdit>,
        durability: Durability,
        note: Note,
    ) -> Result<Sent<'a>> {
        if self.stage.is_some() && !self.batch.is_empty() {
            self.spill()?;
        }
        let Sink { backend, batch, stage, located, .. } = self;
        let submitted = match stage {
            Some(stage) => Submitted::Ended(stage.publish(edits, durability, note)?),
            None => {
                backend.submit(Batch { objects: batch.into_things(), edits, durability, note })?
            }
        };
        Ok(Sent { submitted, located })
    }
}

/// A write that is submitted.
pub(super) struct Sent<'a> {
    submitted: Submitted<'a>,
    located: Locators,
}

impl Sent<'_> {
    /// Waits for the end, and says where the objects are.
    ///
    /// # Errors
    /// As [`Submitted::wait`].
    pub(super) fn wait(self) -> Result<(Published, Locators)> {
        let (published, mut at) = (self.submitted.wait()?, self.located);
        if let Published::Done { keys } = &published {
            at.extend(located(keys));
        }
        Ok((published, at))
    }
}

/// The keys that say where, by hash.
fn located(keys: &[Key]) -> impl Iterator<Item = (Hash, Key)> {
    keys.iter().filter(|key| key.at != Locator::NONE).map(|key| (key.hash, *key))
}
