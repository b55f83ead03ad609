//! That the conformance suite notices: stores with one fault each, and the tests that must fail.

use std::fmt::Debug;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use irmin_core::backend::{
    Backend, Batch, Durability, Expected, MemoryBackend, Note, OnRefChange, Published, RefEdit,
    Stage, Submitted, Target, View, Wait, WatchGuard,
};
use irmin_core::{Bytes, Format, FormatSpec, Hash, Key, Object, RefName, Result};
use irmin_tests::conformance::Subject;

/// What is wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    IgnoresExpectations,
    ForgetsTheLastEdit,
    SaysDoneWhenLost,
    AnswersInAnyOrder,
    CutsValuesShort,
    TrustsChildren,
    ShowsStagedObjects,
    KeepsDroppedStages,
    ListsHead,
    ListsInReverse,
    TellsTwice,
    TellsTooLate,
    FindsAbsentObjects,
}

#[derive(Debug)]
struct Flawed {
    inner: MemoryBackend,
    flaw: Flaw,
}

impl Flawed {
    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }
}

impl Backend for Flawed {
    fn get_many(&self, keys: &[Key], wait: Wait) -> Result<Vec<Option<Object>>> {
        let mut objects = self.inner.get_many(keys, wait)?;
        if self.is(Flaw::AnswersInAnyOrder) {
            objects.sort_by_key(|object| object.as_ref().map(|object| object.id));
        }
        Ok(objects)
    }

    fn read_range(&self, key: &Key, range: Range<u64>) -> Result<Bytes> {
        let end = range.end - u64::from(self.is(Flaw::CutsValuesShort));
        self.inner.read_range(key, range.start..end)
    }

    fn find_many(&self, hashes: &[Hash]) -> Result<Vec<Option<Key>>> {
        if self.is(Flaw::FindsAbsentObjects) {
            return Ok(hashes.iter().map(|hash| Some(Key::from(*hash))).collect());
        }
        self.inner.find_many(hashes)
    }

    fn refs(&self, prefix: &str) -> Result<Vec<(RefName, Target)>> {
        let mut refs = self.inner.refs(prefix)?;
        if self.is(Flaw::ListsHead) && prefix.is_empty() {
            let head = self.inner.read_ref(&RefName::head(), View::Durable)?;
            refs.extend(head.map(|target| (RefName::head(), target)));
        }
        if self.is(Flaw::ListsInReverse) {
            refs.reverse();
        }
        Ok(refs)
    }

    fn submit(&self, mut batch: Batch) -> Result<Submitted<'_>> {
        if self.is(Flaw::IgnoresExpectations) {
            batch.edits.iter_mut().for_each(|edit| edit.expected = Expected::Any);
        }
        if self.is(Flaw::ForgetsTheLastEdit) && batch.edits.len() > 1 {
            batch.edits.pop();
        }
        if self.is(Flaw::TrustsChildren) {
            batch.objects.iter_mut().for_each(|object| object.children.clear());
        }
        let ids = batch.objects.iter().map(|object| Key::from(object.id)).collect();
        let submitted = self.inner.submit(batch)?;
        if !self.is(Flaw::SaysDoneWhenLost) {
            return Ok(submitted);
        }
        Ok(Submitted::Ended(match submitted.wait()? {
            Published::Lost { .. } => Published::Done { keys: ids },
            done @ Published::Done { .. } => done,
        }))
    }

    fn stage(&self) -> Result<Box<dyn Stage + '_>> {
        Ok(Box::new(FlawedStage { inner: Some(self.inner.stage()?), store: self }))
    }

    fn watch(&self, notify: OnRefChange) -> Result<WatchGuard> {
        let (twice, late) = (self.is(Flaw::TellsTwice), self.is(Flaw::TellsTooLate));
        let last = std::sync::Mutex::new(None);
        self.inner.watch(Arc::new(move |change| {
            if late {
                let before = last.lock().unwrap().replace(change.clone());
                return before.iter().for_each(|change| notify(change));
            }
            notify(change);
            if twice {
                notify(change);
            }
        }))
    }
    irmin_core::pass_on! { Backend for inner: format pin find_prefix read_ref refresh capabilities }
}

struct FlawedStage<'a> {
    inner: Option<Box<dyn Stage + 'a>>,
    store: &'a Flawed,
}

impl Stage for FlawedStage<'_> {
    fn put(&mut self, objects: Vec<Object>) -> Result<Vec<Key>> {
        if self.store.is(Flaw::ShowsStagedObjects) {
            let batch = Batch { objects: objects.clone(), ..Batch::default() };
            self.store.inner.publish(batch)?;
        }
        self.inner.as_mut().unwrap().put(objects)
    }

    fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Object>>> {
        self.inner.as_ref().unwrap().get_many(keys)
    }

    fn publish(
        mut self: Box<Self>,
        edits: Vec<RefEdit>,
        durability: Durability,
        note: Note,
    ) -> Result<Published> {
        self.inner.take().unwrap().publish(edits, durability, note)
    }
}

impl Drop for FlawedStage<'_> {
    fn drop(&mut self) {
        if let Some(stage) = self.inner.take().filter(|_| self.store.is(Flaw::KeepsDroppedStages)) {
            stage.publish(Vec::new(), Durability::Durable, Note::default()).unwrap();
        }
    }
}

/// Whether the tests with this in their names pass on a store with that flaw.
fn passes(flaw: Flaw, part: &str) -> bool {
    let make = || {
        let inner = MemoryBackend::new(Format::new(FormatSpec::native()));
        Arc::new(Flawed { inner, flaw }) as Arc<dyn Backend>
    };
    catch_unwind(AssertUnwindSafe(|| Subject::new("flawed", make).run_only(part))).is_ok()
}

#[test]
fn each_flaw_is_noticed_by_the_tests_of_its_concern() {
    for (flaw, part) in [
        (Flaw::IgnoresExpectations, "refs: compare and set"),
        (Flaw::IgnoresExpectations, "races: exactly one winner"),
        (Flaw::IgnoresExpectations, "races: no increment is lost"),
        (Flaw::IgnoresExpectations, "tips: expectations"),
        (Flaw::ForgetsTheLastEdit, "refs: several at once"),
        (Flaw::SaysDoneWhenLost, "refs: a batch that loses"),
        (Flaw::AnswersInAnyOrder, "objects: answers are parallel"),
        (Flaw::CutsValuesShort, "objects: parts of values"),
        (Flaw::TrustsChildren, "objects: absent children"),
        (Flaw::ShowsStagedObjects, "stages: invisible"),
        (Flaw::KeepsDroppedStages, "stages: gone when dropped"),
        (Flaw::ListsHead, "refs: listings"),
        (Flaw::ListsInReverse, "refs: listings"),
        (Flaw::TellsTwice, "watches: changes in order"),
        (Flaw::TellsTooLate, "watches: durable when told"),
        (Flaw::FindsAbsentObjects, "objects: lookup by hash"),
    ] {
        assert!(passes(Flaw::None, part), "`{part}` fails without a flaw");
        // A race that nobody loses shows nothing: it is run until one is lost.
        let noticed = (0..50).any(|_| !passes(flaw, part));
        assert!(noticed, "`{part}` does not notice {flaw:?}");
    }
}
