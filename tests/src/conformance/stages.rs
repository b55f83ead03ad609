//! Stages: invisible until published, gone if dropped.

use irmin_core::backend::{Durability, Expected, Published, Stage, Target};
use irmin_core::{Code, Key, Object};

use super::Case;
use super::make::{Store, edit, name, note};

pub(super) const CASES: &[(&str, Case)] = &[
    ("stages: invisible until published", invisible),
    ("stages: gone when dropped", dropped),
    ("stages: a loss leaves nothing visible to refs", lost),
    ("stages: children across puts", children),
    ("stages: what comes again", again),
    ("stages: several side by side", side_by_side),
    ("stages: an empty one moves refs", empty),
];

const MAIN: &str = "refs/heads/main";

fn publish(stage: Box<dyn Stage + '_>, key: Key, expected: Expected) -> Published {
    let edits = vec![edit(MAIN, expected, Some(key))];
    stage.publish(edits, Durability::Durable, note()).unwrap()
}

fn invisible(store: &Store) {
    let history = store.commit("staged", &[]);
    let mut stage = store.backend.stage().unwrap();
    let mut keys = Vec::new();
    for object in &history.objects {
        keys.extend(stage.put(vec![object.clone()]).unwrap());
    }
    assert!(keys.iter().zip(&history.objects).all(|(key, object)| key.hash == object.id));
    assert!(history.objects.iter().all(|object| !store.has(object.id)), "it is invisible");
    let asked: Vec<Key> = keys.iter().rev().copied().chain([store.absent().into()]).collect();
    let read = stage.get_many(&asked).unwrap();
    assert!(read.last().unwrap().is_none());
    for (object, read) in history.objects.iter().rev().zip(&read) {
        let read = read.as_ref().unwrap();
        assert_eq!((&read.bytes, read.kind), (&object.bytes, object.kind));
    }
    let published = publish(stage, history.commit, Expected::Absent);
    assert_eq!(published, Published::Done { keys: Vec::new() });
    assert_eq!(store.read(MAIN), Some(history.commit));
    for (key, object) in keys.into_iter().zip(&history.objects) {
        assert_eq!(store.get(key).unwrap().bytes, object.bytes, "keys of a stage stay good");
        assert!(store.has(object.id));
    }
}

/// Writes hand over what they make, as often as they make it.
fn again(store: &Store) {
    let history = store.commit("again", &[]);
    store.done(vec![store.value("there")], Vec::new());
    let mut stage = store.backend.stage().unwrap();
    for _ in 0..2 {
        let mut objects = history.objects.clone();
        objects.insert(0, store.value("there"));
        objects.extend(history.objects.clone());
        let keys = stage.put(objects.clone()).unwrap();
        assert!(keys.iter().map(|key| key.hash).eq(objects.iter().map(|object| object.id)));
    }
    publish(stage, history.commit, Expected::Absent);
    assert_eq!(store.read(MAIN), Some(history.commit));
    assert!(history.objects.iter().all(|object| store.has(object.id)));
}

fn dropped(store: &Store) {
    let history = store.commit("dropped", &[]);
    let mut stage = store.backend.stage().unwrap();
    stage.put(history.objects.clone()).unwrap();
    drop(stage);
    assert!(history.objects.iter().all(|object| !store.has(object.id)));
    let edits = vec![edit(MAIN, Expected::Any, Some(history.commit))];
    assert_eq!(store.publish(Vec::new(), edits).unwrap_err().code(), Code::MissingObjects);
    // The same objects can be written afterwards.
    store.done(history.objects, Vec::new());
    assert!(store.has(history.commit.hash));
}

fn lost(store: &Store) {
    let a = store.set(MAIN, "a");
    let history = store.commit("late", &[a]);
    let mut stage = store.backend.stage().unwrap();
    stage.put(history.objects.clone()).unwrap();
    let published = publish(stage, history.commit, Expected::Absent);
    let actual = Some(Target::Object(a));
    assert_eq!(published, Published::Lost { name: name(MAIN), actual });
    assert_eq!(store.read(MAIN), Some(a));
    let mut stage = store.backend.stage().unwrap();
    stage.put(history.objects).unwrap();
    publish(stage, history.commit, Expected::Is(Target::Object(a)));
    assert_eq!(store.read(MAIN), Some(history.commit));
}

fn children(store: &Store) {
    let first = store.commit("first", &[]);
    store.done(first.objects, Vec::new());
    let mut stage = store.backend.stage().unwrap();
    let second = store.commit("second", &[first.commit]);
    let (last, rest) = second.objects.split_last().unwrap();
    stage.put(rest.to_vec()).unwrap();
    let dangling = store.commit("dangling", &[store.absent().into()]);
    let (bad, fine) = dangling.objects.split_last().unwrap();
    stage.put(fine.to_vec()).unwrap();
    assert_eq!(stage.put(vec![bad.clone()]).unwrap_err().code(), Code::MissingObjects);
    stage.put(vec![last.clone()]).unwrap();
    publish(stage, second.commit, Expected::Any);
    assert!(store.has(second.commit.hash) && !store.has(bad.id));
}

fn side_by_side(store: &Store) {
    let shared = store.value("shared");
    let mut one = store.backend.stage().unwrap();
    let mut two = store.backend.stage().unwrap();
    let (a, b) = (store.value("a"), store.value("b"));
    one.put(vec![shared.clone(), a.clone()]).unwrap();
    two.put(vec![shared.clone(), b.clone()]).unwrap();
    let there = |stage: &dyn Stage, object: &Object| {
        stage.get_many(&[object.id.into()]).unwrap()[0].is_some()
    };
    assert!(there(&*one, &a) && !there(&*one, &b) && there(&*two, &b) && there(&*two, &shared));
    drop(one);
    two.publish(Vec::new(), Durability::Durable, note()).unwrap();
    assert!(store.has(b.id) && store.has(shared.id) && !store.has(a.id));
}

fn empty(store: &Store) {
    let a = store.set("refs/tags/a", "a");
    publish(store.backend.stage().unwrap(), a, Expected::Absent);
    assert_eq!(store.read(MAIN), Some(a));
}
