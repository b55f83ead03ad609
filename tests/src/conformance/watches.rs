//! Watches: every change once, in order, outside of all locks.

use std::sync::{Arc, Mutex, Weak};

use irmin_core::backend::{Backend, Expected, RefChange, Target, View, WatchGuard};
use irmin_core::{Key, RefName};

use super::Case;
use super::make::{Store, edit, name};

pub(super) const CASES: &[(&str, Case)] = &[
    ("watches: changes in order", order),
    ("watches: nothing for what changes nothing", nothing),
    ("watches: nothing after the guard", guard),
    ("watches: a panic stays inside", panics),
    ("watches: a callback may use the store", reentrant),
    ("watches: durable when told", durable),
];

const MAIN: &str = "refs/heads/main";

type Seen = Arc<Mutex<Vec<RefChange>>>;

fn record(store: &Store) -> (WatchGuard, Seen) {
    let seen = Seen::default();
    let into = seen.clone();
    let guard = store.backend.watch(Arc::new(move |change| {
        into.lock().unwrap().push(change.clone());
    }));
    (guard.unwrap(), seen)
}

fn change(at: &str, old: Option<Key>, new: Option<Key>) -> RefChange {
    RefChange { name: name(at), old: old.map(Target::Object), new: new.map(Target::Object) }
}

fn order(store: &Store) {
    store.set("refs/tags/before", "before");
    let (_guard, seen) = record(store);
    let a = store.set(MAIN, "a");
    let b = store.set(MAIN, "b");
    let edits = vec![edit("refs/heads/x", Expected::Any, Some(a)), edit(MAIN, Expected::Any, None)];
    store.done(Vec::new(), edits);
    store.backend.refresh().unwrap();
    let mut seen = seen.lock().unwrap().clone();
    // The changes of one batch have no order among themselves.
    seen[2..].sort_by(|a, b| a.name.cmp(&b.name));
    let expected = [
        change(MAIN, None, Some(a)),
        change(MAIN, Some(a), Some(b)),
        change(MAIN, Some(b), None),
        change("refs/heads/x", None, Some(a)),
    ];
    assert_eq!(seen, expected);
}

fn nothing(store: &Store) {
    let a = store.set(MAIN, "a");
    let (_guard, seen) = record(store);
    store.done(vec![store.value("objects alone")], Vec::new());
    store.done(Vec::new(), vec![edit(MAIN, Expected::Any, Some(a))]);
    store.done(Vec::new(), vec![edit("refs/heads/none", Expected::Any, None)]);
    store.publish(Vec::new(), vec![edit(MAIN, Expected::Absent, None)]).unwrap();
    assert!(
        store.publish(Vec::new(), vec![edit("refs/heads/main/x", Expected::Any, Some(a))]).is_err()
    );
    store.backend.refresh().unwrap();
    assert!(seen.lock().unwrap().is_empty(), "{seen:?}");
}

fn guard(store: &Store) {
    let (first, first_seen) = record(store);
    let (_second, second_seen) = record(store);
    store.set(MAIN, "a");
    drop(first);
    store.set(MAIN, "b");
    assert_eq!(first_seen.lock().unwrap().len(), 1);
    assert_eq!(second_seen.lock().unwrap().len(), 2);
}

fn panics(store: &Store) {
    let _bad = store.backend.watch(Arc::new(|_| panic!("a watch panics on purpose"))).unwrap();
    let (_good, seen) = record(store);
    let a = store.set(MAIN, "a");
    let b = store.set(MAIN, "b");
    assert_eq!(
        *seen.lock().unwrap(),
        [change(MAIN, None, Some(a)), change(MAIN, Some(a), Some(b))]
    );
    assert_eq!(store.read(MAIN), Some(b));
}

fn reentrant(store: &Store) {
    let backend: Weak<dyn Backend> = Arc::downgrade(&store.backend);
    let seen = Arc::new(Mutex::new(Vec::<RefName>::new()));
    let into = seen.clone();
    let _guard = store.backend.watch(Arc::new(move |change: &RefChange| {
        let backend = backend.upgrade().unwrap();
        backend.refs("").unwrap();
        into.lock().unwrap().push(change.name.clone());
        if let (true, Some(Target::Object(key))) = (change.name.as_str() == MAIN, &change.new) {
            let copy = edit("refs/heads/copy", Expected::Any, Some(*key));
            backend.publish(Store::batch(Vec::new(), vec![copy])).unwrap();
        }
    }));
    let a = store.set(MAIN, "a");
    assert_eq!(store.read("refs/heads/copy"), Some(a));
    assert_eq!(*seen.lock().unwrap(), [name(MAIN), name("refs/heads/copy")]);
}

fn durable(store: &Store) {
    let backend: Weak<dyn Backend> = Arc::downgrade(&store.backend);
    let checked = Arc::new(Mutex::new(0));
    let count = checked.clone();
    let _guard = store.backend.watch(Arc::new(move |change: &RefChange| {
        let now = backend.upgrade().unwrap().read_ref(&change.name, View::Durable).unwrap();
        *count.lock().unwrap() += u32::from(now == change.new);
    }));
    store.set(MAIN, "a");
    store.set(MAIN, "b");
    assert_eq!(*checked.lock().unwrap(), 2);
}
