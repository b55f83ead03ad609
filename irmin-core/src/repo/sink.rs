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

/// So many objects are those of most writes: one value and what is above it.
const USUAL: usize = 12;

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
    staged: Option<Staged<'a>>,
}

/// A write that goes to the store as it is made.
struct Staged<'a> {
    stage: Box<dyn Stage + 'a>,
    /// The next objects to go there, which knows those that it has.
    portion: Vec<Object>,
    /// What they take, in bytes.
    size: usize,
    located: Locators,
}

impl<'a> Staged<'a> {
    fn new(stage: Box<dyn Stage + 'a>) -> Self {
        Staged { stage, portion: Vec::new(), size: 0, located: Locators::new() }
    }

    /// Hands a portion to the stage.
    fn spill(&mut self) -> Result<()> {
        let room = Vec::with_capacity(self.portion.len());
        let keys = self.stage.put(core::mem::replace(&mut self.portion, room))?;
        self.size = 0;
        self.located.extend(located(&keys));
        Ok(())
    }
}

impl<'a> Sink<'a> {
    /// A sink for a write of a store, with objects of at most so many bytes in memory.
    pub(super) fn new(backend: &'a Arc<dyn Backend>, most: usize) -> Self {
        Sink { backend, batch: Numbered::with_capacity(USUAL), size: 0, most, staged: None }
    }

    /// The same, which goes on with a stage.
    pub(super) fn staged(self, stage: Box<dyn Stage + 'a>) -> Self {
        Sink { staged: Some(Staged::new(stage)), ..self }
    }

    /// Takes an object, and says by what key others refer to it.
    ///
    /// # Errors
    /// As [`Stage::put`].
    pub(super) fn put(&mut self, object: Object) -> Result<Key> {
        let key = Key::from(object.id);
        let size = size_of::<Object>() + object.bytes.len() + size_of_val(&*object.children);
        if let Some(staged) = &mut self.staged {
            staged.portion.push(object);
            staged.size += size;
            if staged.size > self.most.min(PORTION) {
                staged.spill()?;
            }
            return Ok(key);
        }
        if self.batch.add(object).1 {
            self.size += size;
        }
        if self.size > self.most {
            let staged = self.staged.insert(Staged::new(self.backend.stage()?));
            for piece in core::mem::take(&mut self.batch).into_pieces() {
                staged.portion = piece;
                staged.spill()?;
            }
        }
        Ok(key)
    }

    /// Takes the last object.
    pub(super) fn put_last(&mut self, object: Object) {
        match &mut self.staged {
            Some(staged) => staged.portion.push(object),
            None => {
                self.batch.add(object);
            }
        }
    }

    /// Whether there is a stage, which finds that objects are absent before the end does.
    pub(super) fn is_staged(&self) -> bool {
        self.staged.is_some()
    }

    /// Submits what it took with edits of refs.
    ///
    /// # Errors
    /// As [`Backend::submit`] and [`Stage::publish`].
    pub(super) fn submit(
        self,
        edits: Vec<RefEdit>,
        durability: Durability,
        note: Note,
    ) -> Result<Sent<'a>> {
        let Sink { backend, batch, staged, .. } = self;
        let Some(mut staged) = staged else {
            let batch = Batch { objects: batch.into_things(), edits, durability, note };
            return Ok(Sent { submitted: backend.submit(batch)?, located: Locators::new() });
        };
        if !staged.portion.is_empty() {
            staged.spill()?;
        }
        let Staged { stage, located, .. } = staged;
        Ok(Sent { submitted: Submitted::Ended(stage.publish(edits, durability, note)?), located })
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
