//! Three versions of a directory against a model, whatever the layout: the names that differ and
//! the parts that are taken over are the merge of the two sides.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use irmin_core::{Dir, Edit, Entry, FormatSpec, Key, Object, Parts};
use proptest::prelude::*;

use crate::formats::Store;
use crate::formats_model::{Batch, Model, batches, edits, name, rebuild, specs, wide};

fn apply(model: &Model, spec: &FormatSpec, batches: &[Batch]) -> Model {
    let mut model = model.clone();
    for (name, entry) in batches.iter().flat_map(|batch| edits(spec, batch)) {
        match entry {
            Some(entry) => model.insert(name, entry),
            None => model.remove(&name),
        };
    }
    model
}

/// A base and two edits of it: of few names of many, so that most parts of a trie stay as they are
/// on one side or on both; or of many of few names, so that parts come and go.
fn sides() -> impl Strategy<Value = [Vec<Batch>; 3]> {
    let batch = |(start, len, step, value)| Batch { start, len, step, value };
    let few = || {
        let few = (0..400_u16, 1..4_u16, 1..60_u16, 0..7_u8).prop_map(batch);
        prop::collection::vec(few, 0..6)
    };
    let many = move |names: u16| {
        let one = (0..names + 4, 1..2_u16, 1..2_u16, 0..4_u8).prop_map(batch);
        prop::collection::vec(one, 0..usize::from(names))
    };
    let small = (2..70_u16).prop_flat_map(move |len| {
        let base = Batch { start: 0, len, step: 1, value: 3 };
        [Just(vec![base]).boxed(), many(len / 2).boxed(), many(len / 2).boxed()]
    });
    prop_oneof![[batches().boxed(), few().boxed(), few().boxed()], small]
}

struct Compared {
    /// The entries in the base, ours and theirs, by name.
    named: BTreeMap<Vec<u8>, [Option<Entry>; 3]>,
    parts: Parts,
}

fn compare(store: &Store, versions: [&Arc<Dir>; 3]) -> Compared {
    let layout = store.format.layout();
    let mut named = BTreeMap::new();
    let parts = layout
        .merge(store, versions, &mut |name, places| {
            let entries = places.map(|place| place.map(|found| found.entry().unwrap()));
            assert!(named.insert(name.to_vec(), entries).is_none(), "a name twice");
            ControlFlow::Continue(())
        })
        .unwrap();
    Compared { named, parts }
}

proptest! {
    #![proptest_config(crate::model::cases(800))]

    #[test]
    fn two_sides_of_a_directory_are_joined(
        sides in sides(),
        pick in any::<u8>(),
        spec in prop::sample::select(specs()),
    ) {
        let store = Store::new(spec);
        let base = apply(&Model::new(), &spec, &sides[0]);
        let (ours, theirs) = (apply(&base, &spec, &sides[1]), apply(&base, &spec, &sides[2]));
        let stored = [&base, &ours, &theirs].map(|m| Arc::new(store.dir(rebuild(&store, m)).unwrap()));
        let found = compare(&store, stored.each_ref());
        let layout = store.format.layout();

        // Every name that they changed is told, or only they changed it and it is in the parts.
        let mut in_parts = BTreeMap::new();
        layout.diff_parts(&store, &stored[1], &found.parts, &mut |name, sides| {
            let [a, b] = sides.map(|side| side.and_then(|found| found.entry()));
            assert!(in_parts.insert(name.to_vec(), (a, b)).is_none(), "a name twice");
            ControlFlow::Continue(())
        }).unwrap();
        let names: BTreeSet<&Vec<u8>> = base.keys().chain(theirs.keys()).collect();
        let mut merged = ours.clone();
        let mut changes: BTreeMap<Vec<u8>, Option<Entry>> = BTreeMap::new();
        for name in names {
            let [b, o, t] = [&base, &ours, &theirs].map(|model| model.get(name).copied());
            prop_assert_eq!(found.named.get(name).copied(), (b != t && !in_parts.contains_key(name)).then_some([b, o, t]));
            if let Some(known) = in_parts.get(name) {
                prop_assert!(b != t && o == b);
                prop_assert_eq!(*known, (o, t));
            }
            if b != t && o == b {
                match t {
                    Some(entry) => merged.insert(name.clone(), entry),
                    None => merged.remove(name),
                };
                if !in_parts.contains_key(name) {
                    changes.insert(name.clone(), t);
                }
            }
        }
        let taken = in_parts.values().map(|(a, b)| i64::from(b.is_some()) - i64::from(a.is_some()));
        prop_assert_eq!(found.parts.grow_by(), taken.sum::<i64>());
        prop_assert_eq!(found.parts.is_none(), in_parts.is_empty());

        // What both changed is as they have it, for some names.
        for (name, [_, o, t]) in &found.named {
            if pick & (1 << (name.len() % 8)) != 0 && o != t {
                match t {
                    Some(entry) => merged.insert(name.clone(), *entry),
                    None => merged.remove(name),
                };
                changes.insert(name.clone(), *t);
            }
        }
        let changes: Vec<Edit<'_>> =
            changes.iter().map(|(name, entry)| Edit { name, entry: *entry }).collect();
        let written = layout.write(&store, Some(&stored[1]), &found.parts, &changes, &mut |object| {
            Ok(store.put(object))
        });
        prop_assert_eq!(written.unwrap(), rebuild(&store, &merged));
    }
}

proptest! {
    #![proptest_config(crate::model::cases(300))]

    /// Damaged objects give errors or wrong answers (their hashes tell), but always an end.
    #[test]
    fn damaged_tries_are_merged_without_harm(
        at in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        sides in sides(),
        spec in prop::sample::select(specs()),
    ) {
        let store = Store::new(spec);
        let base = apply(&Model::new(), &spec, &sides[0]);
        let (ours, theirs) = (apply(&base, &spec, &sides[1]), apply(&base, &spec, &sides[2]));
        let keys = [&base, &ours, &theirs].map(|model| rebuild(&store, model));
        store.damage(at, |bytes| {
            for (at, byte) in damage {
                let len = bytes.len();
                bytes[at.index(len)] = byte;
            }
        });
        let dirs: Vec<Arc<Dir>> = keys.iter().flat_map(|key| store.dir(*key)).map(Arc::new).collect();
        let Ok(versions): Result<[Arc<Dir>; 3], _> = dirs.try_into() else { return Ok(()) };
        let layout = store.format.layout();
        let merged = layout.merge(&store, versions.each_ref(), &mut |_, _| ControlFlow::Continue(()));
        let Ok(parts) = merged else { return Ok(()) };
        let _ = layout.diff_parts(&store, &versions[1], &parts, &mut |_, _| ControlFlow::Continue(()));
        for dir in &versions {
            // Parts of another directory than the one that is written, too.
            let mut put = |object: Object| Ok(Key::from(object.id));
            let edit = Edit { name: &name(9), entry: None };
            let _ = layout.write(&store, Some(dir), &parts, &[edit], &mut put);
        }
    }
}

/// What one side changed costs its path, on three sides, and not the width.
#[test]
fn merges_cost_what_both_sides_changed() {
    let store = Store::new(FormatSpec::native());
    let base = wide(&store, 30_000);
    let value = |text: &[u8]| {
        let key = Key::from(store.format.hash().digest(text));
        Some(Entry { kind: irmin_core::EntryKind::Node, key })
    };
    let side = |names: &[&str], text: &[u8]| {
        let entry = value(text);
        let edits: Vec<Edit<'_>> =
            names.iter().map(|name| Edit { name: name.as_bytes(), entry }).collect();
        store.write(Some(base), &edits).unwrap()
    };
    let (ours, theirs) = (side(&["entry-000001"], b"ours"), side(&["entry-000002"], b"theirs"));
    let dirs = [base, ours, theirs].map(|key| Arc::new(store.dir(key).unwrap()));
    let (loads, puts) = (&store.loads, &store.puts);
    loads.store(0, Ordering::Relaxed);
    let found = compare(&store, dirs.each_ref());
    // They differ in the first slot already, or in that of the second level: nothing is read but
    // what is above that.
    assert!(found.named.is_empty() && !found.parts.is_none());
    assert!(loads.load(Ordering::Relaxed) <= 3, "{loads:?}");
    puts.store(0, Ordering::Relaxed);
    let layout = store.format.layout();
    let mut put = |object: Object| Ok(store.put(object));
    let merged = layout.write(&store, Some(&dirs[1]), &found.parts, &[], &mut put).unwrap();
    assert!(puts.load(Ordering::Relaxed) <= 2, "{puts:?}");
    let both = [("entry-000001", "ours"), ("entry-000002", "theirs")];
    let edits =
        both.map(|(name, text)| Edit { name: name.as_bytes(), entry: value(text.as_bytes()) });
    assert_eq!(merged, store.write(Some(base), &edits).unwrap());
}
