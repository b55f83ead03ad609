//! Objects of any format, and short words for what the tests do to a store.

use std::sync::Arc;

use irmin_core::backend::{Backend, Batch, Expected, Note, Published, RefEdit, Target, View, Wait};
use irmin_core::{
    CommitData, Dir, Edit, Entry, EntryKind, Error, Format, Hash, Info, Key, Metadata, Object,
    Parts, RefName, Result, Source,
};

/// A store under test.
#[derive(Debug)]
pub struct Store {
    pub(super) backend: Arc<dyn Backend>,
}

/// A commit and all that it needs, children first.
#[derive(Clone, Debug)]
pub(super) struct History {
    pub(super) commit: Key,
    pub(super) objects: Vec<Object>,
}

pub(super) fn name(text: &str) -> RefName {
    text.parse().unwrap()
}

pub(super) fn edit(at: &str, expected: Expected, new: Option<Key>) -> RefEdit {
    RefEdit { name: name(at), expected, new: new.map(Target::Object) }
}

pub(super) fn note() -> Note {
    Note { author: "ann <ann@example.org>".into(), date: 1_000, message: "a test".into() }
}

impl Store {
    /// A store under test.
    #[must_use]
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        Store { backend }
    }

    pub(super) fn format(&self) -> &Format {
        self.backend.format()
    }

    pub(super) fn value(&self, text: &str) -> Object {
        self.format().value(text.as_bytes())
    }

    /// The hash of an object that no test writes.
    pub(super) fn absent(&self) -> Hash {
        self.value("what no test writes").id
    }

    /// A directory with values, from scratch or from a stored one.
    pub(super) fn dir(&self, base: Option<Key>, values: &[(&str, Key)]) -> (Key, Vec<Object>) {
        let entry = |key| Entry { kind: EntryKind::Value(Metadata::Normal), key };
        let mut values = values.to_vec();
        values.sort_unstable();
        let edits: Vec<Edit<'_>> = values
            .iter()
            .map(|(name, key)| Edit { name: name.as_bytes(), entry: Some(entry(*key)) })
            .collect();
        let base = base.map(|key| self.load(&[key]).unwrap().remove(0));
        let mut objects = Vec::new();
        let mut put = |object: Object| {
            let key = Key::from(object.id);
            objects.push(object);
            Ok(key)
        };
        let layout = self.format().layout();
        let key = layout.write(self, base.as_deref(), &Parts::NONE, &edits, &mut put).unwrap();
        (key, objects)
    }

    pub(super) fn commit_of(&self, tree: Key, parents: &[Key], message: &str) -> Object {
        let info = Info::new("ann <ann@example.org>", 1_000, message);
        self.format().commit(&CommitData { tree, parents: parents.to_vec(), info }).unwrap()
    }

    /// A commit of one value, with this message.
    pub(super) fn commit(&self, message: &str, parents: &[Key]) -> History {
        let value = self.value(message);
        let (tree, dirs) = self.dir(None, &[("value", value.id.into())]);
        let commit = self.commit_of(tree, parents, message);
        let key = Key::from(commit.id);
        let objects = [value].into_iter().chain(dirs).chain([commit]).collect();
        History { commit: key, objects }
    }

    pub(super) fn batch(objects: Vec<Object>, edits: Vec<RefEdit>) -> Batch {
        Batch { objects, edits, note: note(), ..Batch::default() }
    }

    pub(super) fn publish(&self, objects: Vec<Object>, edits: Vec<RefEdit>) -> Result<Published> {
        self.backend.publish(Store::batch(objects, edits))
    }

    /// Publishes what must succeed, and answers the keys.
    pub(super) fn done(&self, objects: Vec<Object>, edits: Vec<RefEdit>) -> Vec<Key> {
        match self.publish(objects, edits).unwrap() {
            Published::Done { keys } => keys,
            lost @ Published::Lost { .. } => panic!("{lost:?}"),
        }
    }

    /// Publishes a commit and makes a ref stand for it.
    pub(super) fn set(&self, at: &str, message: &str) -> Key {
        let history = self.commit(message, &[]);
        self.done(history.objects, vec![edit(at, Expected::Any, Some(history.commit))]);
        history.commit
    }

    pub(super) fn get(&self, key: Key) -> Option<Object> {
        self.backend.get_many(&[key], Wait::Block).unwrap().remove(0)
    }

    pub(super) fn has(&self, hash: Hash) -> bool {
        self.get(hash.into()).is_some()
    }

    /// What a ref stands for durably.
    pub(super) fn read(&self, at: &str) -> Option<Key> {
        match self.backend.read_ref(&name(at), View::Durable).unwrap() {
            Some(Target::Object(key)) => Some(key),
            Some(Target::Symbolic(other)) => panic!("{at} stands for {other}"),
            None => None,
        }
    }

    pub(super) fn names(&self, prefix: &str) -> Vec<String> {
        let refs = self.backend.refs(prefix).unwrap();
        refs.iter().map(|(name, _)| name.as_str().to_owned()).collect()
    }
}

impl Source for Store {
    fn load(&self, keys: &[Key]) -> Result<Vec<Arc<Dir>>> {
        let objects = self.backend.get_many(keys, Wait::Block)?;
        let decode = |(key, object): (&Key, Option<Object>)| {
            let object = object.ok_or_else(|| Error::missing_objects(vec![*key]))?;
            self.format().layout().decode(*key, &object).map(Arc::new)
        };
        keys.iter().zip(objects).map(decode).collect()
    }
}
