//! Persistence: what was acknowledged is there when the store is opened again.

use std::sync::Arc;

use irmin_core::RefName;
use irmin_core::backend::{Backend, Durability, Expected, RefEdit, Target, View};

use super::Reopen;
use super::make::{Store, edit, name, note};

type Case = fn(Arc<dyn Backend>, &Reopen<'_>);

pub(super) const CASES: &[(&str, Case)] = &[
    ("persistence: objects and refs", objects_and_refs),
    ("persistence: a dropped stage leaves nothing", dropped_stage),
    ("persistence: locators", locators),
];

fn objects_and_refs(backend: Arc<dyn Backend>, reopen: &Reopen<'_>) {
    let store = Store::new(backend);
    let a = store.set("refs/heads/a", "a");
    let b = store.set("refs/heads/b", "b");
    store.done(Vec::new(), vec![edit("refs/heads/b", Expected::Any, None)]);
    let to_a = Some(Target::Symbolic(name("refs/heads/a")));
    let head = RefEdit { name: RefName::head(), expected: Expected::Any, new: to_a.clone() };
    store.done(Vec::new(), vec![head]);
    let spec = *store.format().spec();
    let store = Store::new(reopen(store.backend));
    assert_eq!(*store.format().spec(), spec);
    assert_eq!(store.names(""), ["refs/heads/a"]);
    assert_eq!(store.read("refs/heads/a"), Some(a));
    assert_eq!(store.backend.read_ref(&RefName::head(), View::Tip).unwrap(), to_a);
    let mut todo = vec![a];
    while let Some(key) = todo.pop() {
        let object = store.get(key).unwrap();
        store.format().verify(&object).unwrap();
        let children = store.format().layout().children(&object).unwrap();
        todo.extend(children.into_iter().map(|(_, child)| child.key));
    }
    // It can be written again, on top of what was there, and opened again.
    let next = store.commit("next", &[a]);
    let expected = Expected::Is(Target::Object(a));
    store.done(next.objects, vec![edit("refs/heads/a", expected, Some(next.commit))]);
    store.set("refs/heads/b", "b");
    let store = Store::new(reopen(store.backend));
    assert_eq!(store.read("refs/heads/a"), Some(next.commit));
    assert_eq!(store.read("refs/heads/b"), Some(b));
}

fn dropped_stage(backend: Arc<dyn Backend>, reopen: &Reopen<'_>) {
    let store = Store::new(backend);
    let (gone, kept) = (store.commit("gone", &[]), store.commit("kept", &[]));
    let mut stage = store.backend.stage().unwrap();
    stage.put(gone.objects.clone()).unwrap();
    drop(stage);
    let mut stage = store.backend.stage().unwrap();
    stage.put(kept.objects).unwrap();
    let edits = vec![edit("refs/heads/main", Expected::Any, Some(kept.commit))];
    stage.publish(edits, Durability::Durable, note()).unwrap();
    let store = Store::new(reopen(store.backend));
    assert_eq!(store.read("refs/heads/main"), Some(kept.commit));
    assert!(store.has(kept.commit.hash));
    assert!(gone.objects.iter().all(|object| !store.has(object.id)));
}

fn locators(backend: Arc<dyn Backend>, reopen: &Reopen<'_>) {
    let store = Store::new(backend);
    let history = store.commit("located", &[]);
    let edits = vec![edit("refs/heads/main", Expected::Any, Some(history.commit))];
    let keys = store.done(history.objects.clone(), edits);
    let store = Store::new(reopen(store.backend));
    for (key, object) in keys.into_iter().zip(history.objects) {
        assert_eq!(store.get(key).unwrap().bytes, object.bytes, "a locator is of the store");
    }
}
