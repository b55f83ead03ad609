//! Directories against a model, whatever the layout: a sorted map of names.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use irmin_core::object::{LayoutSpec, irmin};
use irmin_core::{
    Code, Dir, Edit, Entry, EntryKind, FormatSpec, Found, HashFunction, Key, Metadata, Object,
    Parts, Position, Source,
};
use proptest::prelude::*;

use crate::formats::Store;

pub(crate) type Model = BTreeMap<Vec<u8>, Entry>;
type Change = (Vec<u8>, Option<Entry>, Option<Entry>);

/// Formats that differ in what matters to directories: flat, tries of several shapes, roots that
/// are leaves, hashes so short that tries run out of bits.
pub(crate) fn specs() -> Vec<FormatSpec> {
    let trie = |hash, fanout, bound, modes| FormatSpec {
        hash,
        layout: LayoutSpec::Irmin(irmin::Params { fanout, stable_bound: Some(bound), modes }),
        ..FormatSpec::native()
    };
    vec![
        FormatSpec::git(),
        FormatSpec { hash: HashFunction::Sha256, ..FormatSpec::git() },
        FormatSpec::irmin_mem(),
        FormatSpec::irmin_pack(),
        FormatSpec::native(),
        trie(HashFunction::Sha1, 2, 3, false),
        trie(HashFunction::Blake2b(7), 4, 40, true),
        trie(HashFunction::Blake3, 32, 5, false),
        trie(HashFunction::Blake3, 8, 0, false),
    ]
}

fn kinds(spec: &FormatSpec) -> Vec<EntryKind> {
    let plain = [EntryKind::Value(Metadata::Normal), EntryKind::Node];
    let modes = [EntryKind::Value(Metadata::Exec), EntryKind::Value(Metadata::Link)];
    let odd = [EntryKind::Opaque(0o160_000), EntryKind::Value(Metadata::Other(0o100_664))];
    match spec.layout {
        LayoutSpec::Git => [plain, modes, odd].concat(),
        LayoutSpec::Irmin(params) if params.modes => [plain, modes].concat(),
        LayoutSpec::Irmin(_) => plain.to_vec(),
    }
}

/// Names that sort differently as files and as directories, and enough to fill tries.
pub(crate) fn name(n: u16) -> Vec<u8> {
    let odd: [&[u8]; 8] = [b"a", b"a-", b"a.b", b"a0", b"ab", "é".as_bytes(), b"\xFF", b"k"];
    odd.get(usize::from(n)).map_or_else(|| format!("k{n}").into_bytes(), |name| name.to_vec())
}

/// One batch of edits: names from a range, each set to a small number or removed.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) start: u16,
    pub(crate) len: u16,
    pub(crate) step: u16,
    pub(crate) value: u8,
}

pub(crate) fn batches() -> impl Strategy<Value = Vec<Batch>> {
    let batch = (0..400_u16, prop_oneof![3 => 1..4_u16, 1 => 0..300_u16], 1..4_u16, 0..7_u8);
    let batch = batch.prop_map(|(start, len, step, value)| Batch { start, len, step, value });
    prop::collection::vec(batch, 1..7)
}

/// The edits of a batch, ascending; value 0 or 1 removes.
pub(crate) fn edits(spec: &FormatSpec, batch: &Batch) -> BTreeMap<Vec<u8>, Option<Entry>> {
    let kinds = kinds(spec);
    (0..batch.len)
        .map(|i| {
            let n = batch.start + i * batch.step;
            let entry = (batch.value > 1).then(|| Entry {
                kind: kinds[usize::from(n + u16::from(batch.value)) % kinds.len()],
                key: Key::from(spec.hash.digest(&[batch.value])),
            });
            (name(n), entry)
        })
        .collect()
}

fn write(store: &Store, base: Option<Key>, edits: &BTreeMap<Vec<u8>, Option<Entry>>) -> Key {
    let edits: Vec<Edit<'_>> =
        edits.iter().map(|(name, entry)| Edit { name, entry: *entry }).collect();
    store.write(base, &edits).unwrap()
}

pub(crate) fn rebuild(store: &Store, model: &Model) -> Key {
    let all = model.iter().map(|(name, entry)| (name.clone(), Some(*entry))).collect();
    write(store, None, &all)
}

type Scanned = Vec<(Position, Vec<u8>, Entry)>;

fn scan(store: &Store, dir: &Dir, after: Option<&Position>, most: usize) -> Scanned {
    let mut seen = Vec::new();
    let mut f = |position: &Position, name: &[u8], entry: Entry| {
        seen.push((position.clone(), name.to_vec(), entry));
        if seen.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    store.format.layout().scan(store, dir, after, &mut f).unwrap();
    seen
}

fn diff(store: &Store, a: Option<&Dir>, b: Option<&Dir>) -> Vec<Change> {
    let mut seen = Vec::new();
    let mut f = |name: &[u8], sides: [Option<Found<'_>>; 2]| {
        let [a, b] = sides.map(|side| side.and_then(|found| found.entry()));
        seen.push((name.to_vec(), a, b));
        ControlFlow::Continue(())
    };
    store.format.layout().diff(store, a, b, &mut f).unwrap();
    seen.sort_by(|a, b| a.0.cmp(&b.0));
    seen
}

fn model_diff(a: &Model, b: &Model) -> Vec<Change> {
    let mut names: Vec<&Vec<u8>> = a.keys().chain(b.keys()).collect();
    names.sort();
    names.dedup();
    let pair = |name: &Vec<u8>| (name.clone(), a.get(name).copied(), b.get(name).copied());
    names.into_iter().map(pair).filter(|(_, a, b)| a != b).collect()
}

/// Everything that can be asked of a directory, against the model.
fn check(store: &Store, dir: &Dir, model: &Model) {
    let layout = store.format.layout();
    assert_eq!(dir.len(), model.len() as u64);
    for n in 0..420 {
        let name = name(n);
        assert_eq!(layout.find(store, dir, &name).unwrap(), model.get(&name).copied());
    }
    let all = scan(store, dir, None, usize::MAX);
    let mut sorted: Vec<_> = all.iter().map(|(_, name, entry)| (name.clone(), *entry)).collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(sorted.into_iter().eq(model.clone()));
    // Pages put together are the whole, and what comes after any name is an end of it.
    let mut pages: Scanned = Vec::new();
    loop {
        let page = scan(store, dir, pages.last().map(|(position, ..)| position), 13);
        if page.is_empty() {
            break;
        }
        pages.extend(page);
    }
    assert_eq!(pages, all);
    for n in (0..420).step_by(11) {
        let position = Position(name(n).into());
        let rest = scan(store, dir, Some(&position), usize::MAX);
        assert_eq!(rest, all[all.len() - rest.len()..]);
        let at = all.iter().position(|(_, seen, _)| *seen == name(n));
        assert!(at.is_none_or(|at| rest.len() == all.len() - at - 1));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn directories_are_sorted_maps(batches in batches(), spec in prop::sample::select(specs())) {
        let store = Store::new(spec);
        let mut model = Model::new();
        let mut key = rebuild(&store, &model);
        for batch in batches {
            let before = (store.dir(key).unwrap(), model.clone());
            let edits = edits(&spec, &batch);
            key = write(&store, Some(key), &edits);
            for (name, entry) in &edits {
                match entry {
                    Some(entry) => model.insert(name.clone(), *entry),
                    None => model.remove(name),
                };
            }
            // Equal directories are equal objects, whatever came before.
            prop_assert_eq!(key, rebuild(&store, &model));
            let dir = store.dir(key).unwrap();
            check(&store, &dir, &model);
            let changes = model_diff(&before.1, &model);
            prop_assert_eq!(diff(&store, Some(&before.0), Some(&dir)), changes);
            let changes = model_diff(&model, &before.1);
            prop_assert_eq!(diff(&store, Some(&dir), Some(&before.0)), changes);
            prop_assert_eq!(diff(&store, Some(&dir), None), model_diff(&model, &Model::new()));
            // The same edits again change nothing and make nothing.
            let puts = store.puts.load(Ordering::Relaxed);
            prop_assert_eq!(write(&store, Some(key), &edits), key);
            prop_assert_eq!(store.puts.load(Ordering::Relaxed), puts);
        }
    }

    /// Damaged objects give errors or wrong answers (their hashes tell), but always an end.
    #[test]
    fn damaged_tries_do_no_harm(
        at in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        batches in batches(),
        spec in prop::sample::select(specs()),
    ) {
        let store = Store::new(spec);
        let batch = Batch { start: 0, len: 300, step: 1, value: 3 };
        let root = write(&store, None, &edits(&spec, &batch));
        let other = write(&store, Some(root), &edits(&spec, &Batch { len: 9, ..batch }));
        store.damage(at, |bytes| {
            for (at, byte) in damage {
                let len = bytes.len();
                bytes[at.index(len)] = byte;
            }
        });
        let layout = store.format.layout();
        let (Ok(dir), Ok(other)) = (store.dir(root), store.dir(other)) else { return Ok(()) };
        let _ = layout.scan(&store, &dir, None, &mut |_, _, _| ControlFlow::Continue(()));
        let _ = layout.diff(&store, Some(&dir), Some(&other), &mut |_, _| ControlFlow::Continue(()));
        for n in 0..300 {
            let _ = layout.find(&store, &dir, &name(n));
        }
        for batch in batches {
            let edits = edits(&spec, &batch);
            let edits: Vec<_> = edits.iter().map(|(name, e)| Edit { name, entry: *e }).collect();
            let mut put = |object: Object| Ok(Key::from(object.id));
            let mut write = |edits: &[_]| {
                layout.write(&store, Some(&dir), &Parts::NONE, edits, &mut put)
            };
            let _ = write(&edits);
            // One edit takes another way than several: a removal of nothing beside it is several.
            let nothing = Edit { name: b"nothing", entry: None };
            for edit in edits.into_iter().take(5) {
                let mut both = [nothing, edit];
                both.sort_by_key(|edit| edit.name);
                if let (Ok(one), Ok(two)) = (write(&[edit]), write(&both)) {
                    prop_assert_eq!(one, two);
                }
            }
        }
    }
}

/// A directory of many entries in the native format.
pub(crate) fn wide(store: &Store, n: usize) -> Key {
    let kind = EntryKind::Value(Metadata::Normal);
    let key = Key::from(store.format.hash().digest(b"v"));
    let entry = Some(Entry { kind, key });
    let all = (0..n).map(|i| (format!("entry-{i:06}").into_bytes(), entry)).collect();
    write(store, None, &all)
}

#[test]
fn costs_follow_the_change() {
    let store = Store::new(FormatSpec::native());
    let root = wide(&store, 30_000);
    let dir = store.dir(root).unwrap();
    let layout = store.format.layout();
    let loads = || store.loads.swap(0, Ordering::Relaxed);
    let puts = || store.puts.swap(0, Ordering::Relaxed);
    // 32 * 32 * 32 slots are enough: a root, at most four parts below.
    let depth = 4;
    loads();
    assert!(layout.find(&store, &dir, b"entry-012345").unwrap().is_some());
    assert!((1..=depth).contains(&loads()));
    puts();
    let entry = Entry {
        kind: EntryKind::Value(Metadata::Exec),
        key: Key::from(store.format.hash().digest(b"w")),
    };
    let edit = Edit { name: b"entry-012345", entry: Some(entry) };
    let changed = store.write(Some(root), &[edit]).unwrap();
    assert!(loads() <= depth && (2..=depth + 1).contains(&puts()));
    let removed = store.write(Some(root), &[Edit { entry: None, ..edit }]).unwrap();
    assert!(loads() <= depth && puts() <= depth + 1);
    assert_eq!(store.write(Some(changed), &[Edit { entry: None, ..edit }]).unwrap(), removed);
    loads();
    let changed = store.dir(changed).unwrap();
    let changes = diff(&store, Some(&dir), Some(&changed));
    assert_eq!(changes.len(), 1);
    assert!(loads() <= 2 * depth);
    // A page in the middle costs about a page.
    let names = scan(&store, &dir, None, usize::MAX);
    assert_eq!(names.len(), 30_000);
    store.batches.store(0, Ordering::Relaxed);
    loads();
    assert_eq!(scan(&store, &dir, Some(&names[15_000].0), 50), names[15_001..15_051]);
    assert!(loads() <= 32, "a page of 50 entries");
    // All of it is read in large batches.
    store.batches.store(0, Ordering::Relaxed);
    let empty = diff(&store, Some(&dir), None);
    assert_eq!(empty.len(), 30_000);
    let (batches, loads) = (store.batches.load(Ordering::Relaxed), loads());
    assert!(batches * 20 < loads, "{batches} batches for {loads} objects");
}

/// Hashes of one byte: three steps with the same are too many for a trie of two slots.
#[test]
fn tries_that_run_out_of_bits_are_an_error() {
    let params = irmin::Params { fanout: 2, stable_bound: Some(2), modes: false };
    let layout = LayoutSpec::Irmin(params);
    let store =
        Store::new(FormatSpec { hash: HashFunction::Blake2b(1), layout, ..FormatSpec::native() });
    let entry =
        Some(Entry { kind: EntryKind::Node, key: Key::from(store.format.hash().digest(b"")) });
    let names: Vec<String> = (0..2000).map(|i| format!("{i:04}")).collect();
    let same: Vec<Edit<'_>> = names
        .iter()
        .filter(|name| store.format.hash().digest(name.as_bytes()).as_bytes() == [7])
        .map(|name| Edit { name: name.as_bytes(), entry })
        .collect();
    assert!(store.write(None, &same[..2]).is_ok());
    let error = store.write(None, &same[..3]).unwrap_err();
    assert_eq!(error.code(), Code::PayloadTooLarge);
    let two = store.write(None, &same[..2]).unwrap();
    assert_eq!(store.write(Some(two), &same[2..3]).unwrap_err().code(), Code::PayloadTooLarge);
}

#[test]
fn formats_refuse_what_they_cannot_hold() {
    let key = |store: &Store| Key::from(store.format.hash().digest(b""));
    let code = |spec: FormatSpec, kind| {
        let store = Store::new(spec);
        let entry = Some(Entry { kind, key: key(&store) });
        store.write(None, &[Edit { name: b"a", entry }]).map_err(|e| e.code())
    };
    let exec = EntryKind::Value(Metadata::Exec);
    assert_eq!(code(FormatSpec::irmin_mem(), exec), Err(Code::Unrepresentable));
    assert_eq!(code(FormatSpec::irmin_pack(), exec), Err(Code::Unrepresentable));
    assert!(code(FormatSpec::native(), exec).is_ok());
    for kind in [EntryKind::Opaque(0o160_000), EntryKind::Value(Metadata::Other(0o100_664))] {
        assert_eq!(code(FormatSpec::native(), kind), Err(Code::Unrepresentable));
        assert!(code(FormatSpec::git(), kind).is_ok());
    }
    for kind in [EntryKind::Opaque(0o100_644), EntryKind::Value(Metadata::Other(0o40_000))] {
        assert_eq!(code(FormatSpec::git(), kind), Err(Code::Unrepresentable));
    }
    let store = Store::new(FormatSpec::git());
    for name in [&b""[..], b"a/b", b"a\0"] {
        let entry = Some(Entry { kind: exec, key: key(&store) });
        let error = store.write(None, &[Edit { name, entry }]).unwrap_err();
        assert_eq!(error.code(), Code::InvalidPath);
    }
    for spec in specs() {
        let store = Store::new(spec);
        let long = Key::from(HashFunction::Blake2b(63).digest(b""));
        let entry = Some(Entry { kind: EntryKind::Node, key: long });
        let error = store.write(None, &[Edit { name: b"a", entry }]).unwrap_err();
        assert_eq!(error.code(), Code::Unrepresentable);
        let entry = Some(Entry { kind: EntryKind::Node, key: key(&store) });
        let edits = [Edit { name: b"b", entry }, Edit { name: b"a", entry }];
        assert_eq!(store.write(None, &edits).unwrap_err().code(), Code::InvalidArgument);
    }
}

/// What an engine hands back with an object finds its way into the keys of the entries.
#[test]
fn locators_of_children_come_through() {
    for spec in specs() {
        let store = Store::new(spec);
        let root =
            write(&store, None, &edits(&spec, &Batch { start: 8, len: 100, step: 1, value: 4 }));
        let mut object = store.object(root).unwrap();
        for (at, child) in object.children.iter_mut().enumerate() {
            child.key.at = irmin_core::Locator(at as u64);
        }
        let dir = store.format.layout().decode(root, &object).unwrap();
        let wanted = std::sync::Mutex::new(Vec::new());
        let spy = Spy { store: &store, wanted: &wanted };
        let mut seen = 0;
        let mut f = |_: &Position, _: &[u8], entry: Entry| {
            seen += usize::from(entry.key.at != irmin_core::Locator::NONE);
            ControlFlow::Continue(())
        };
        store.format.layout().scan(&spy, &dir, None, &mut f).unwrap();
        let located = |key: &&Key| key.at != irmin_core::Locator::NONE;
        let parts = wanted.lock().unwrap().iter().filter(located).count();
        assert_eq!(seen + parts, object.children.len(), "{spec:?}");
    }
}

/// A source that remembers the keys it was asked for.
struct Spy<'a> {
    store: &'a Store,
    wanted: &'a std::sync::Mutex<Vec<Key>>,
}

impl Source for Spy<'_> {
    fn load(&self, keys: &[Key]) -> irmin_core::Result<Vec<std::sync::Arc<Dir>>> {
        self.wanted.lock().unwrap().extend_from_slice(keys);
        self.store.load(keys)
    }
}

/// A position need not be there: the scan goes on where its name would be.
#[test]
fn positions_of_absent_names_are_places() {
    for spec in specs() {
        let store = Store::new(spec);
        let root =
            write(&store, None, &edits(&spec, &Batch { start: 8, len: 45, step: 9, value: 4 }));
        let dir = store.dir(root).unwrap();
        let names = |scanned: Scanned| -> Vec<_> { scanned.into_iter().map(|s| s.1).collect() };
        let all = names(scan(&store, &dir, None, usize::MAX));
        let mut compared = 0;
        for n in 0..500 {
            let name = name(n);
            let rest = names(scan(&store, &dir, Some(&Position(name.clone().into())), usize::MAX));
            assert_eq!(rest, all[all.len() - rest.len()..], "{spec:?} after {n}");
            let kind = EntryKind::Node;
            let entry = Some(Entry { kind, key: Key::from(spec.hash.digest(b"")) });
            store.loads.store(0, Ordering::Relaxed);
            store.puts.store(0, Ordering::Relaxed);
            let more = store.write(Some(root), &[Edit { name: &name, entry }]).unwrap();
            // The path loaded below the root is made anew, and perhaps a leaf more; where more
            // than that is made, the new name splits a leaf and changes the order in it.
            let loads = store.loads.load(Ordering::Relaxed);
            let split = store.puts.load(Ordering::Relaxed) > loads + 2;
            let mut more = names(scan(&store, &store.dir(more).unwrap(), None, usize::MAX));
            let at = more.iter().position(|seen| *seen == name).unwrap();
            let tail = more[at + 1..].to_vec();
            if !all.contains(&name) {
                more.remove(at);
            }
            if !split {
                assert_eq!(more, all, "{spec:?} with {n}");
                assert_eq!(rest, tail, "{spec:?} after {n}");
                compared += 1;
            }
        }
        assert!(compared > 100, "{spec:?}: only {compared} positions");
    }
}
