//! Tips and durable values, and pins.

use irmin_core::backend::{Durability, Expected, Published, Target, View};

use super::Case;
use super::make::{Store, edit, name};

pub(super) const CASES: &[(&str, Case)] = &[
    ("tips: writers build on what is submitted", build),
    ("tips: a later acknowledgement implies the earlier ones", implied),
    ("tips: expectations are of the tip", expectations),
    ("tips: relaxed writes are in the same order", relaxed),
    ("pins: what is pinned stays readable", pins),
];

const MAIN: &str = "refs/heads/main";

fn tip(store: &Store) -> Option<Target> {
    store.backend.read_ref(&name(MAIN), View::Tip).unwrap()
}

fn build(store: &Store) {
    let first = store.commit("first", &[]);
    let edits = vec![edit(MAIN, Expected::Absent, Some(first.commit))];
    let one = store.backend.submit(Store::batch(first.objects, edits)).unwrap();
    assert_eq!(tip(store), Some(Target::Object(first.commit)), "the tip moves at once");
    // The next writer builds on it before it is durable: its objects are readable.
    let second = store.commit("second", &[first.commit]);
    assert!(store.has(first.commit.hash));
    let expected = Expected::Is(Target::Object(first.commit));
    let edits = vec![edit(MAIN, expected, Some(second.commit))];
    let two = store.backend.submit(Store::batch(second.objects, edits)).unwrap();
    assert!(matches!(one.wait().unwrap(), Published::Done { .. }));
    assert!(matches!(two.wait().unwrap(), Published::Done { .. }));
    assert_eq!(store.read(MAIN), Some(second.commit));
}

fn implied(store: &Store) {
    let (a, b) = (store.commit("a", &[]), store.commit("b", &[]));
    let edits = vec![edit("refs/heads/a", Expected::Any, Some(a.commit))];
    let one = store.backend.submit(Store::batch(a.objects, edits)).unwrap();
    let edits = vec![edit("refs/heads/b", Expected::Any, Some(b.commit))];
    let two = store.backend.submit(Store::batch(b.objects, edits)).unwrap();
    two.wait().unwrap();
    assert_eq!(store.read("refs/heads/a"), Some(a.commit));
    assert_eq!(store.read("refs/heads/b"), Some(b.commit));
    one.wait().unwrap();
}

fn expectations(store: &Store) {
    let (a, b) = (store.commit("a", &[]), store.commit("b", &[]));
    let submit = |history: &super::make::History| {
        let edits = vec![edit(MAIN, Expected::Absent, Some(history.commit))];
        store.backend.submit(Store::batch(history.objects.clone(), edits)).unwrap()
    };
    let (one, two) = (submit(&a), submit(&b));
    let actual = Some(Target::Object(a.commit));
    assert_eq!(two.wait().unwrap(), Published::Lost { name: name(MAIN), actual });
    assert!(matches!(one.wait().unwrap(), Published::Done { .. }));
    assert_eq!(store.read(MAIN), Some(a.commit));
}

fn relaxed(store: &Store) {
    let mut parent = Vec::new();
    for n in 0..6 {
        let history = store.commit(&format!("{n}"), &parent);
        let edits = vec![edit(MAIN, Expected::Any, Some(history.commit))];
        let mut batch = Store::batch(history.objects, edits);
        batch.durability = if n % 2 == 0 { Durability::Relaxed } else { Durability::Durable };
        assert!(matches!(store.backend.publish(batch).unwrap(), Published::Done { .. }));
        assert_eq!(tip(store), Some(Target::Object(history.commit)));
        assert_eq!(store.read(MAIN), Some(history.commit), "writers read their own writes");
        parent = vec![history.commit];
    }
}

fn pins(store: &Store) {
    let pin = store.backend.pin().unwrap();
    let second = store.backend.pin().unwrap();
    let a = store.set(MAIN, "a");
    drop(pin);
    let pinned = store.backend.pin().unwrap();
    drop(second);
    store.done(Vec::new(), vec![edit(MAIN, Expected::Any, None)]);
    store.backend.refresh().unwrap();
    assert!(store.has(a.hash));
    drop(pinned);
}
