//! Objects: what is put is what is got, and nothing dangles.

use irmin_core::backend::{Expected, MAX_CANDIDATES, Wait};
use irmin_core::{Bytes, Code, Key, Kind, Locator, Object};

use super::Case;
use super::make::{Store, edit};

pub(super) const CASES: &[(&str, Case)] = &[
    ("objects: put and get", put_and_get),
    ("objects: answers are parallel to keys", parallel),
    ("objects: a wide directory in parts", wide),
    ("objects: putting again changes nothing", again),
    ("objects: a locator never gives another object", locators),
    ("objects: absent children are refused whole", absent_children),
    ("objects: an absent target of a ref is refused", absent_target),
    ("objects: kept children are vouched for by the base", kept),
    ("objects: parts of values", ranges),
    ("objects: lookup by hash", find),
    ("objects: lookup by the first digits", prefixes),
    ("objects: reading without waiting", resident),
];

/// That a store reads an object as it was written.
fn same(store: &Store, written: &Object, read: &Object) {
    assert_eq!((read.kind, read.id), (written.kind, written.id));
    assert_eq!(read.bytes, written.bytes);
    let expected = store.format().layout().children(written).unwrap();
    let expected: Vec<Key> = expected.into_iter().map(|(_, child)| child.key).collect();
    let children: Vec<Key> = read.children.iter().map(|child| child.key).collect();
    assert!(children.is_empty() || children == expected, "children are complete or left out");
}

fn put_and_get(store: &Store) {
    let first = store.commit("first", &[]);
    let keys = store.done(first.objects.clone(), Vec::new());
    assert_eq!(keys.len(), first.objects.len());
    let second = store.commit("second", &[first.commit]);
    let merge = store.commit("merge", &[second.commit, first.commit]);
    let both = [second.objects.clone(), merge.objects.clone()].concat();
    let more = store.done(both, Vec::new());
    let objects = [first.objects, second.objects, merge.objects].concat();
    for (object, key) in objects.iter().zip(keys.into_iter().chain(more)) {
        assert_eq!(key.hash, object.id, "keys are in the order of the batch");
        same(store, object, &store.get(key).unwrap());
        same(store, object, &store.get(object.id.into()).unwrap());
    }
    let commit = store.format().layout().decode_commit(&store.get(merge.commit).unwrap());
    assert_eq!(commit.unwrap().parents.len(), 2);
    assert!(store.publish(Vec::new(), Vec::new()).is_ok(), "an empty batch is no error");
}

fn parallel(store: &Store) {
    let (a, b) = (store.value("a"), store.value("b"));
    store.done(vec![a.clone(), b.clone()], Vec::new());
    let keys = [b.id, store.absent(), a.id, b.id].map(Key::from);
    let found = store.backend.get_many(&keys, Wait::Block).unwrap();
    let ids: Vec<_> = found.iter().map(|o| o.as_ref().map(|o| o.id)).collect();
    assert_eq!(ids, [Some(b.id), None, Some(a.id), Some(b.id)]);
    assert!(store.backend.get_many(&[], Wait::Block).unwrap().is_empty());
}

fn wide(store: &Store) {
    let value = store.value("the same everywhere");
    let names: Vec<String> = (0..700).map(|n| format!("{n:04}")).collect();
    let entries: Vec<_> = names.iter().map(|n| (n.as_str(), Key::from(value.id))).collect();
    let (key, dirs) = store.dir(None, &entries);
    let written = dirs.clone();
    store.done([vec![value], dirs].concat(), Vec::new());
    for object in &written {
        same(store, object, &store.get(object.id.into()).unwrap());
    }
    let root = irmin_core::Source::load(store, &[key]).unwrap().remove(0);
    assert_eq!(root.len(), 700);
    assert!(store.format().layout().find(store, &root, b"0699").unwrap().is_some());
}

fn again(store: &Store) {
    let value = store.value("once");
    let first = store.done(vec![value.clone()], Vec::new());
    let twice = store.done(vec![value.clone(), store.value("more"), value.clone()], Vec::new());
    assert_eq!([first[0].hash, first[0].hash], [twice[0].hash, twice[2].hash]);
    same(store, &value, &store.get(twice[2]).unwrap());
    same(store, &value, &store.get(first[0]).unwrap());
}

fn locators(store: &Store) {
    let (a, b) = (store.value("a"), store.value("b"));
    let keys = store.done(vec![a.clone(), b.clone()], Vec::new());
    let lies = [keys[1].at, Locator(0), Locator(1), Locator(u64::MAX - 1), Locator(1 << 40)];
    for at in lies {
        for (hash, there) in [(a.id, true), (store.absent(), false)] {
            let key = Key { hash, at };
            // A strict store may say that the caller is wrong; none may give other bytes.
            match store.backend.get_many(&[key], Wait::Block) {
                Ok(found) => assert_eq!(found[0].as_ref().map(|o| o.id), there.then_some(hash)),
                Err(e) => assert_eq!(e.code(), Code::InvalidArgument, "{e}"),
            }
            match store.backend.read_range(&key, 0..100) {
                Ok(bytes) => assert!(there && bytes == Bytes::from_static(b"a")),
                Err(e) if there => assert_eq!(e.code(), Code::InvalidArgument, "{e}"),
                Err(e) => {
                    let codes = [Code::MissingObjects, Code::InvalidArgument];
                    assert!(codes.contains(&e.code()), "{e}");
                }
            }
        }
    }
}

fn absent_children(store: &Store) {
    let whole = store.commit("whole", &[]);
    // Without each object but the last in turn, the batch dangles.
    for left_out in 0..whole.objects.len() - 1 {
        let mut objects = whole.objects.clone();
        let missing = objects.remove(left_out);
        let edits = vec![edit("refs/heads/main", Expected::Any, Some(whole.commit))];
        let error = store.publish(objects.clone(), edits).unwrap_err();
        assert_eq!(error.code(), Code::MissingObjects, "{error}");
        assert!(error.missing().contains(&missing.id.into()), "{error}");
        assert!(objects.iter().all(|object| !store.has(object.id)), "nothing of it is there");
        assert_eq!(store.read("refs/heads/main"), None);
    }
    store.done(whole.objects, Vec::new());
    let orphan = store.commit("orphan", &[store.absent().into()]);
    let error = store.publish(orphan.objects, Vec::new()).unwrap_err();
    assert_eq!(
        (error.code(), error.missing()),
        (Code::MissingObjects, &[store.absent().into()][..])
    );
}

fn absent_target(store: &Store) {
    let edits = |key| vec![edit("refs/heads/main", Expected::Any, Some(key))];
    let error = store.publish(vec![store.value("x")], edits(store.absent().into())).unwrap_err();
    assert_eq!(error.code(), Code::MissingObjects);
    assert!(!store.has(store.value("x").id));
    assert_eq!(store.read("refs/heads/main"), None);
}

fn kept(store: &Store) {
    let value = store.value("base");
    let names: Vec<String> = (0..300).map(|n| format!("n{n}")).collect();
    let entries: Vec<_> = names.iter().map(|n| (n.as_str(), Key::from(value.id))).collect();
    let (base, dirs) = store.dir(None, &entries);
    store.done([vec![value], dirs].concat(), Vec::new());
    let new = store.value("new");
    let (key, dirs) = store.dir(Some(base), &[("n7", new.id.into())]);
    let named: usize = dirs.iter().map(|dir| dir.children.len()).sum();
    assert!(named <= dirs.len(), "an edited directory names what its base does not have");
    store.done([vec![new.clone()], dirs].concat(), Vec::new());
    let root = irmin_core::Source::load(store, &[key]).unwrap().remove(0);
    let found = store.format().layout().find(store, &root, b"n7").unwrap().unwrap();
    assert_eq!(found.key.hash, new.id);
}

fn ranges(store: &Store) {
    let text: String = ('a'..='w').cycle().take(3000).collect();
    let history = store.commit(&text, &[]);
    let key = Key::from(store.value(&text).id);
    store.done(history.objects, Vec::new());
    for (start, end) in [(0, 3000), (0, 1), (1, 1), (17, 1900), (2999, 9999), (3000, 3001)] {
        let expected = &text.as_bytes()[start.min(3000)..end.min(3000)];
        let read = store.backend.read_range(&key, start as u64..end as u64).unwrap();
        assert_eq!(read, expected, "{start}..{end}");
    }
    assert!(store.backend.read_range(&key, u64::MAX - 1..u64::MAX).unwrap().is_empty());
    let absent = store.backend.read_range(&store.absent().into(), 0..1).unwrap_err();
    assert_eq!(absent.code(), Code::MissingObjects);
    let commit = store.backend.read_range(&history.commit, 0..1).unwrap_err();
    assert_eq!(commit.code(), Code::InvalidArgument);
}

fn find(store: &Store) {
    let history = store.commit("found", &[]);
    store.done(history.objects.clone(), Vec::new());
    let mut hashes: Vec<_> = history.objects.iter().map(|object| object.id).collect();
    hashes.insert(1, store.absent());
    match store.backend.find_many(&hashes) {
        Ok(found) => {
            assert_eq!(found.len(), hashes.len());
            for (hash, key) in hashes.iter().zip(found) {
                assert_eq!(key.map(|key| key.hash), (*hash != store.absent()).then_some(*hash));
                assert!(key.is_none_or(|key| store.get(key).is_some()));
            }
        }
        Err(e) => assert_eq!(e.code(), Code::Unsupported),
    }
}

fn prefixes(store: &Store) {
    let values: Vec<_> = (0..60).map(|n| store.value(&format!("value {n}"))).collect();
    store.done(values.clone(), Vec::new());
    for value in &values {
        for digits in [4, 5, 9, 2 * value.id.len()] {
            let prefix = value.id.short(digits).to_uppercase().parse().unwrap();
            let found = match store.backend.find_prefix(&prefix) {
                Ok(found) => found,
                Err(e) => return assert_eq!(e.code(), Code::Unsupported),
            };
            assert!(found.contains(&value.id.into()) && found.len() <= MAX_CANDIDATES);
            assert!(found.is_sorted() && found.iter().all(|key| prefix.matches(&key.hash)));
        }
    }
    let nothing = store.absent().short(40).parse().unwrap();
    assert!(store.backend.find_prefix(&nothing).unwrap().is_empty());
}

fn resident(store: &Store) {
    let history = store.commit("resident", &[]);
    store.done(history.objects.clone(), Vec::new());
    for object in &history.objects {
        let key = Key::from(object.id);
        // What has just been read with waiting, or not at all: never wrong, never "absent".
        for _ in 0..2 {
            match store.backend.get_many(&[key], Wait::Resident) {
                Ok(found) => same(store, object, found[0].as_ref().unwrap()),
                Err(e) => assert_eq!((e.code(), e.missing()), (Code::MissingObjects, &[key][..])),
            }
            assert!(store.get(key).is_some());
        }
    }
    assert!(history.objects.iter().any(|object| object.kind == Kind::Commit));
}
