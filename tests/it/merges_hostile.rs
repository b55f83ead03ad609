//! Merges of directories that other programs made, or damaged: they end, read no more than they must,
//! and lose nothing.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use irmin_core::backend::{Batch, Counted, MemoryBackend, Wait};
use irmin_core::contents::Policies;
use irmin_core::{
    Bytes, Code, Dir, Edit, Entry, EntryKind, Format, FormatSpec, Hash, Key, Kind, KindedHash,
    Limits, Metadata, Object, Parts, Repo, Source, Tree, TreeId,
};

use crate::formats::Store;
use crate::formats_model::wide;
use crate::model::context;

fn native() -> Repo {
    Repo::new(Arc::new(MemoryBackend::new(Format::new(FormatSpec::native()))), context()).unwrap()
}

struct NoParts;
impl Source for NoParts {
    fn load(&self, keys: &[Key]) -> irmin_core::Result<Vec<Arc<Dir>>> {
        Err(irmin_core::Error::missing_objects(keys.to_vec()))
    }
}

fn put_object(repo: &Repo, kind: Kind, bytes: Vec<u8>) -> Key {
    let id = repo.format().hash().digest(&bytes);
    let object = Object::new(kind, id, Bytes::from(bytes));
    repo.backend().publish(Batch { objects: vec![object], ..Batch::default() }).unwrap();
    id.into()
}

fn varint(out: &mut Vec<u8>, mut n: u64) {
    while n > 127 {
        out.push((n & 127) as u8 | 128);
        n >>= 7;
    }
    out.push(n as u8);
}

fn inner_bytes(depth: u8, len: u64, slots: &[(u8, Key)]) -> Vec<u8> {
    let mut bytes = vec![1, depth];
    varint(&mut bytes, len);
    varint(&mut bytes, slots.len() as u64);
    for (index, key) in slots {
        bytes.push(*index);
        bytes.extend_from_slice(key.hash.as_bytes());
    }
    bytes
}

fn put_inner(repo: &Repo, depth: u8, len: u64, slots: &[(u8, Key)]) -> Key {
    put_object(repo, Kind::Inode, inner_bytes(depth, len, slots))
}

fn inner_of(repo: &Repo, key: Key) -> (u8, u64, Vec<(u8, Key)>) {
    let found = repo.backend().get_many(&[key], Wait::Block).unwrap();
    let bytes = found[0].as_ref().unwrap().bytes.clone();
    assert_eq!(bytes[0], 1, "an inner node");
    let (depth, mut at) = (bytes[1], 2);
    let mut number = || {
        let (mut n, mut shift) = (0_u64, 0);
        loop {
            let byte = bytes[at];
            at += 1;
            n |= u64::from(byte & 127) << shift;
            shift += 7;
            if byte < 128 {
                return n;
            }
        }
    };
    let (len, _count) = (number(), number());
    let slots = bytes[at..].chunks(1 + key.hash.len());
    (depth, len, slots.map(|s| (s[0], Hash::new(&s[1..]).unwrap().into())).collect())
}

/// A leaf of a trie with one value.
fn put_leaf(repo: &Repo, name: &str, text: &str) -> Key {
    let value = repo.format().value(text.as_bytes());
    let mut bytes = vec![0, 1, name.len() as u8];
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(1);
    bytes.extend_from_slice(value.id.as_bytes());
    repo.backend().publish(Batch { objects: vec![value], ..Batch::default() }).unwrap();
    put_object(repo, Kind::Inode, bytes)
}

/// An inner node of a depth that refers to one part again and again, `levels` levels of it, counted
/// as it says; 32^levels leaves.
fn bomb(repo: &Repo, depth: u8, levels: u8, leaf: Key) -> (Key, u64) {
    let (mut part, mut len) = (leaf, 1_u64);
    for depth in (depth..depth + levels).rev() {
        let slots: Vec<(u8, Key)> = (0..32).map(|index| (index, part)).collect();
        len = (len * 32).max(33);
        part = put_inner(repo, depth, len, &slots);
    }
    (part, len)
}

fn tree(repo: &Repo, key: Key) -> Tree {
    repo.tree(TreeId(key.hash)).unwrap().unwrap()
}

pub(crate) fn key_of(repo: &Repo, tree: &Tree) -> Key {
    match repo.hash_of(tree).unwrap() {
        KindedHash::Node(id) => Key::from(id.hash()),
        KindedHash::Value(..) => panic!("a value"),
    }
}

pub(crate) fn keep(repo: &Repo, tree: &Tree) -> Tree {
    repo.commit_tree(tree, &[], "keep").unwrap().tree()
}

fn filled(n: u32) -> Tree {
    let mut tree: Tree = Tree::empty();
    (0..n).try_for_each(|n| tree.set(format!("k{n}"), "x")).unwrap();
    tree
}

/// Inner roots whose slots are: 0 this, 1 that, and a filler.
fn root(repo: &Repo, slots: &[(u8, Key)], len: u64) -> Tree {
    tree(repo, put_inner(repo, 0, len, slots))
}

/// What a merge took whole is read by name without an end.
#[test]
fn parts_that_refer_to_one_part_again_and_again_are_cut_off() {
    let repo = native().with_limits(Limits { entries: 500, ..Limits::default() });
    let (a, b) = (put_leaf(&repo, "a", "1"), put_leaf(&repo, "a", "2"));
    // Four levels: a million leaves (all ten are as few objects, and no end).
    let (bomb, bomb_len) = bomb(&repo, 1, 4, put_leaf(&repo, "z", "z"));
    let base = root(&repo, &[(0, a), (1, a)], 100);
    let ours = root(&repo, &[(0, a), (1, b)], 100);
    let theirs = root(&repo, &[(0, bomb), (1, a)], 99 + bomb_len);
    let merged = Tree::merge(Some(&base), &ours, &theirs, &Policies::new());
    match merged {
        Err(e) => assert_eq!(e.code(), Code::PayloadTooLarge, "{e}"),
        Ok(merged) => {
            let read = merged.unwrap().get("q");
            assert_eq!(read.unwrap_err().code(), Code::PayloadTooLarge);
        }
    }
}

/// Parts in several forms are gathered by name without an end.
#[test]
fn names_of_parts_in_several_forms_are_cut_off() {
    let store = Store::new(FormatSpec::native());
    let format = store.format.clone();
    let put = |bytes: Vec<u8>| {
        let id = format.hash().digest(&bytes);
        store.put_as_is(Object::new(Kind::Inode, id, bytes.into()))
    };
    let entry = |text: &str| {
        let kind = EntryKind::Value(Metadata::Normal);
        Some(Entry { kind, key: store.value(text.as_bytes()) })
    };
    let flat = |text| store.write(None, &[Edit { name: b"a", entry: entry(text) }]).unwrap();
    let (base, ours) = (flat("1"), flat("2"));
    let mut leaf = vec![0, 1, 1, b'z', 1];
    leaf.extend_from_slice(store.value(b"z").hash.as_bytes());
    let mut part = put(leaf);
    for depth in (0..3).rev() {
        let slots: Vec<(u8, Key)> = (0..32).map(|index| (index, part)).collect();
        part = put(inner_bytes(depth, 100, &slots));
    }
    let dirs = [base, ours, part].map(|key| Arc::new(store.dir(key).unwrap()));
    store.loads.store(0, Ordering::Relaxed);
    let mut called = 0;
    let merged = store.format.layout().merge(&store, dirs.each_ref(), &mut |_, _| {
        called += 1;
        if called > 100 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let loads = store.loads.load(Ordering::Relaxed);
    assert!(merged.is_ok_and(|parts| parts.is_none()), "it is cut off");
    assert!(loads < 5_000, "{loads} loads for {called} calls");
}

/// Names that both changed alike are not counted.
#[test]
fn equal_changes_of_one_part_again_and_again_are_cut_off() {
    let repo = native().with_limits(Limits { entries: 500, visits: 500, ..Limits::default() });
    let (a, b, c) =
        (put_leaf(&repo, "a", "1"), put_leaf(&repo, "a", "2"), put_leaf(&repo, "a", "3"));
    let (old, len) = bomb(&repo, 1, 3, put_leaf(&repo, "z", "old"));
    let (new, _) = bomb(&repo, 1, 3, put_leaf(&repo, "z", "new"));
    let base = root(&repo, &[(0, old), (1, a)], len + 1);
    let ours = root(&repo, &[(0, new), (1, b)], len + 1);
    let theirs = root(&repo, &[(0, new), (1, c)], len + 1);
    let merged = Tree::merge(Some(&base), &ours, &theirs, &Policies::new());
    let code = merged.map(|merged| merged.is_ok()).map_err(|e| e.code());
    assert_eq!(code, Err(Code::CorruptObject));
}

/// A merge within the limits is read within the limits.
#[test]
fn a_merged_directory_within_the_limit_is_read() {
    let repo = native().with_limits(Limits { entries: 1000, ..Limits::default() });
    let base = keep(&repo, &filled(900));
    let mut ours = base.clone();
    ours.set("k0", "ours").unwrap();
    let mut theirs = base.clone();
    for n in 100..900 {
        theirs.remove(format!("k{n}")).unwrap();
        theirs.set(format!("new{n}"), "theirs").unwrap();
    }
    let (ours, theirs) = (keep(&repo, &ours), keep(&repo, &theirs));
    let merged = Tree::merge(Some(&base), &ours, &theirs, &Policies::new()).unwrap().unwrap();
    assert_eq!(merged.length("").unwrap(), 900);
    assert_eq!(merged.get("k0").unwrap().unwrap(), "ours");
}

/// A subtree that came into a tree of its own store by way of another tree.
#[test]
fn subtrees_that_went_through_another_tree_are_merged() {
    let repo = native();
    let mut base: Tree = Tree::empty();
    base.set_tree("d/y", filled(500)).unwrap();
    let base = keep(&repo, &base);
    let changed = |name: &str| {
        let mut tree = base.clone();
        tree.set(format!("d/y/{name}"), "changed").unwrap();
        keep(&repo, &tree)
    };
    let (ours, theirs) = (changed("k1"), changed("k2"));
    // `d` is put together anew, in memory, of what is stored.
    let mut dir: Tree = Tree::empty();
    dir.set_tree("y", ours.get_tree("d/y").unwrap().unwrap()).unwrap();
    let mut mixed = base.clone();
    mixed.set_tree("d", dir).unwrap();
    let merged = Tree::merge(Some(&base), &mixed, &theirs, &Policies::new()).unwrap().unwrap();
    assert_eq!(merged.get("d/y/k1").unwrap().unwrap(), "changed");
    assert_eq!(merged.get("d/y/k2").unwrap().unwrap(), "changed");
}

/// Directories that both changed are read when it is their turn.
#[test]
fn directories_that_both_changed_are_not_read_all_at_once() {
    let memory = MemoryBackend::new(Format::new(FormatSpec::git()));
    let counted = Arc::new(Counted::new(Arc::new(memory)));
    let repo: Repo = Repo::new(counted.clone(), context()).unwrap();
    let limits = Limits { visits: 100, ..Limits::default() };
    let side = |text: &'static str| {
        let mut below: Tree = Tree::empty();
        below.set("x", text).unwrap();
        below.set("y", text).unwrap();
        let key = key_of(&repo, &keep(&repo, &below));
        let names: Vec<String> = (0..10_000).map(|n| format!("{n:06}")).collect();
        let entry = Some(Entry { kind: EntryKind::Node, key });
        let edits: Vec<Edit<'_>> =
            names.iter().map(|name| Edit { name: name.as_bytes(), entry }).collect();
        let mut objects: Vec<Object> = Vec::new();
        let put = &mut |object: Object| {
            objects.push(object.clone());
            Ok(object.id.into())
        };
        let layout = repo.format().layout();
        let key = layout.write(&NoParts, None, &Parts::NONE, &edits, put).unwrap();
        repo.backend().publish(Batch { objects, ..Batch::default() }).unwrap();
        key
    };
    let keys = ["base", "ours", "theirs"].map(side);
    let fresh: Repo = Repo::new(counted.clone(), context()).unwrap().with_limits(limits);
    let [base, ours, theirs] = keys.map(|key| tree(&fresh, key));
    counted.reset();
    let refused = Tree::merge(Some(&base), &ours, &theirs, &Policies::new());
    let counts = counted.reset();
    assert_eq!(refused.map(|_| ()).unwrap_err().code(), Code::LimitReached);
    assert!(counts.objects_read < 1_000, "{counts:?}");
}

/// A directory that grew from one object to many is read in batches.
#[test]
fn parts_in_several_forms_are_read_in_batches() {
    let store = Store::new(FormatSpec::native());
    let base = wide(&store, 20);
    let theirs = wide(&store, 10_000);
    let key = Key::from(store.format.hash().digest(b"ours"));
    let entry = Some(Entry { kind: EntryKind::Node, key });
    let ours = store.write(Some(base), &[Edit { name: b"ours", entry }]).unwrap();
    let dirs = [base, ours, theirs].map(|key| Arc::new(store.dir(key).unwrap()));
    store.loads.store(0, Ordering::Relaxed);
    store.batches.store(0, Ordering::Relaxed);
    let mut names = 0;
    let layout = store.format.layout();
    layout
        .merge(&store, dirs.each_ref(), &mut |_, _| {
            names += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
    let count = |n: &std::sync::atomic::AtomicUsize| n.swap(0, Ordering::Relaxed);
    let (loads, batches) = (count(&store.loads), count(&store.batches));
    layout
        .diff(&store, Some(&dirs[0]), Some(&dirs[2]), &mut |_, _| ControlFlow::Continue(()))
        .unwrap();
    let diff = (count(&store.loads), count(&store.batches));
    println!("{names} names: {loads} loads in {batches} batches; two diffs {diff:?}");
    assert!(loads < 2_000 && batches < 200, "{loads} loads in {batches} batches");
}

/// Theirs lies of the length of a part, so that ours seems to be empty with it.
#[test]
fn a_lie_about_a_length_loses_nothing_of_ours() {
    let repo = native();
    let base = keep(&repo, &filled(2500));
    let base_key = key_of(&repo, &base);
    let (_, base_len, slots) = inner_of(&repo, base_key);
    // A slot with many entries.
    let (at, (slot, part)) = slots
        .iter()
        .copied()
        .enumerate()
        .max_by_key(|(_, (_, key))| inner_of(&repo, *key).1)
        .unwrap();
    let (_, len, below) = inner_of(&repo, part);
    assert!(len >= 75, "{len}");
    let names = |key: Key| -> Vec<String> {
        let bytes = repo.backend().get_many(&[key], Wait::Block).unwrap()[0].clone().unwrap().bytes;
        assert_eq!(bytes[0], 0, "a leaf");
        let mut at = 2;
        let mut names = Vec::new();
        for _ in 0..bytes[1] {
            let len = usize::from(bytes[at]);
            names.push(String::from_utf8(bytes[at + 1..at + 1 + len].to_vec()).unwrap());
            at += 1 + len + 1 + key.hash.len();
        }
        names
    };
    // Theirs changes a name in the first part below, and says that it has fewer entries.
    let (first, first_part) = below[0];
    let mut changed = base.clone();
    changed.set(names(first_part)[0].clone(), "theirs").unwrap();
    let changed = keep(&repo, &changed);
    let (_, _, honest_slots) = inner_of(&repo, key_of(&repo, &changed));
    let (_, _, honest_below) = inner_of(&repo, honest_slots[at].1);
    assert_eq!(honest_below[0].0, first);
    // Ours removes names of the others until 40 are left, and changes one of those.
    let mut ours = base.clone();
    let others: Vec<String> = below[1..].iter().flat_map(|(_, key)| names(*key)).collect();
    for name in others.iter().take(len as usize - 40) {
        ours.remove(name).unwrap();
    }
    let kept = others.last().unwrap();
    ours.set(kept, "ours").unwrap();
    let ours = keep(&repo, &ours);
    let lie = len - 40;
    let part = put_inner(&repo, 1, lie, &honest_below);
    let mut lying = honest_slots.clone();
    lying[at] = (slot, part);
    let theirs = tree(&repo, put_inner(&repo, 0, base_len - 40, &lying));
    let merged = match Tree::merge(Some(&base), &ours, &theirs, &Policies::new()) {
        Err(e) => return assert_eq!(e.code(), Code::CorruptObject),
        Ok(merged) => merged.unwrap(),
    };
    let committed = match repo.commit_tree(&merged, &[], "merged") {
        Err(e) => return assert_eq!(e.code(), Code::CorruptObject),
        Ok(commit) => commit.tree(),
    };
    let had = ours.list("").unwrap().len();
    let has = committed.list("").unwrap().len();
    assert_eq!(committed.get(kept).unwrap().as_deref(), Some(&b"ours"[..]), "{had} became {has}");
}

/// Parts that differ in nothing but what they say of their lengths.
#[test]
fn lengths_alone_do_not_make_walks_without_end() {
    let store = Store::new(FormatSpec::native());
    let format = store.format.clone();
    let put = |bytes: Vec<u8>| {
        let id = format.hash().digest(&bytes);
        store.put_as_is(Object::new(Kind::Inode, id, bytes.into()))
    };
    let mut leaf = vec![0, 1, 1, b'z', 1];
    leaf.extend_from_slice(store.value(b"z").hash.as_bytes());
    let leaf = put(leaf);
    let side = |len: u64| {
        let mut len = len;
        let mut part = leaf;
        for depth in (0..4).rev() {
            let slots: Vec<(u8, Key)> = (0..32).map(|index| (index, part)).collect();
            part = put(inner_bytes(depth, len, &slots));
            len = 200 * 32_u64.pow(u32::from(4 - depth));
        }
        Arc::new(store.dir(part).unwrap())
    };
    let dirs = [100, 101, 102].map(side);
    let layout = store.format.layout();
    store.loads.store(0, Ordering::Relaxed);
    let merged = layout.merge(&store, dirs.each_ref(), &mut |_, _| ControlFlow::Continue(()));
    let merge = store.loads.swap(0, Ordering::Relaxed);
    let mut f = |_: &[u8], _: [Option<irmin_core::Found<'_>>; 2]| ControlFlow::Continue(());
    let diff = layout.diff(&store, Some(&dirs[0]), Some(&dirs[1]), &mut f);
    let diffed = store.loads.swap(0, Ordering::Relaxed);
    assert_eq!(merged.unwrap_err().code(), Code::CorruptObject);
    assert_eq!(diff.unwrap_err().code(), Code::CorruptObject);
    assert!(merge < 5_000 && diffed < 5_000);
}

/// What theirs did not change at all.
#[test]
fn nothing_is_read_where_theirs_is_the_base() {
    let memory = MemoryBackend::new(Format::new(FormatSpec::native()));
    let counted = Arc::new(Counted::new(Arc::new(memory)));
    let repo: Repo = Repo::new(counted.clone(), context()).unwrap();
    let base = keep(&repo, &filled(100));
    let mut ours = base.clone();
    ours.set("k1", "ours").unwrap();
    let ours = keep(&repo, &ours);
    let fresh: Repo = Repo::new(counted.clone(), context()).unwrap();
    let [base, ours, theirs] = [&base, &ours, &base].map(|side| tree(&fresh, key_of(&repo, side)));
    counted.reset();
    Tree::merge(Some(&base), &ours, &theirs, &Policies::new()).unwrap().unwrap();
    assert_eq!(counted.reset().objects_read, 0);
}

/// A part says how deep it is, and a root is not looked up in that way: what was edited as one would
/// lose entries.
#[test]
fn parts_of_directories_are_no_directories_to_edit() {
    let repo = native();
    let whole = keep(&repo, &filled(4000));
    let (_, _, parts) = inner_of(&repo, key_of(&repo, &whole));
    let (depth, ..) = inner_of(&repo, parts[3].1);
    assert_eq!(depth, 1);
    let (_, _, leaves) = inner_of(&repo, parts[3].1);
    for part in [parts[3].1, leaves[0].1] {
        let bulk = repo.bulk().unwrap();
        let key = bulk.value(b"1").unwrap();
        let entry = Entry { kind: EntryKind::Value(Metadata::Normal), key };
        for names in [&["new"][..], &["new", "k7", "other"]] {
            let mut root = bulk.directory(Some(part)).unwrap();
            for name in names {
                bulk.set(&mut root, &name.parse().unwrap(), Some(entry)).unwrap();
            }
            assert_eq!(bulk.seal(root).unwrap_err().code(), Code::CorruptObject);
        }
        let mut root = bulk.directory(Some(part)).unwrap();
        let error = bulk.entry(&mut root, &"k7".parse().unwrap()).unwrap_err();
        assert_eq!(error.code(), Code::CorruptObject);
        let dir = repo.backend().resident_dir(&part).unwrap();
        let edit = Edit { name: b"k7", entry: Some(entry) };
        let mut put = |object: Object| Ok(Key::from(object.id));
        let layout = repo.format().layout();
        let error = layout.write(&NoParts, Some(&dir), &Parts::NONE, &[edit], &mut put);
        assert_eq!(error.unwrap_err().code(), Code::CorruptObject);
    }
}
