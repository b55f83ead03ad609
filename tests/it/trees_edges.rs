//! Trees at their edges: hostile, deep, pruned, foreign and oversized ones.

use std::sync::Arc;

use irmin_core::backend::{Backend, Batch, Counted, MemoryBackend};
use irmin_core::tree::{Depth, FoldOptions, Order, Visit};
use irmin_core::{
    Bytes, Code, Context, Edit, Entry, EntryKind, Format, FormatSpec, Key, KindedHash, Limits,
    Metadata, Object, Path, Repo, Tree, TreeId, contents::Policies,
};

fn repo_on(backend: Arc<dyn Backend>) -> Repo {
    Repo::new(backend, Context::new("ann", || 1_000)).unwrap()
}

fn memory(preset: &str) -> Repo {
    let format = Format::new(preset.parse::<FormatSpec>().unwrap());
    repo_on(Arc::new(MemoryBackend::new(format)))
}

fn counted(preset: &str) -> (Repo, Arc<Counted>) {
    let format = Format::new(preset.parse::<FormatSpec>().unwrap());
    let counted = Arc::new(Counted::new(Arc::new(MemoryBackend::new(format))));
    (repo_on(counted.clone()), counted)
}

fn node_id(tree: &Tree) -> TreeId {
    match tree.hash().unwrap() {
        KindedHash::Node(id) => id,
        KindedHash::Value(..) => panic!("a value"),
    }
}

/// Puts one directory with these entries into a store, whatever a caller may name them.
fn put_dir(repo: &Repo, entries: &[(&[u8], Entry)]) -> Key {
    let edits: Vec<Edit<'_>> =
        entries.iter().map(|(name, entry)| Edit { name, entry: Some(*entry) }).collect();
    let mut objects: Vec<Object> = Vec::new();
    let source = NoParts;
    let key = repo
        .format()
        .layout()
        .write(&source, None, &irmin_core::Parts::NONE, &edits, &mut |object| {
            objects.push(object.clone());
            Ok(object.id.into())
        })
        .unwrap();
    repo.backend().publish(Batch { objects, ..Batch::default() }).unwrap();
    key
}

struct NoParts;
impl irmin_core::Source for NoParts {
    fn load(&self, keys: &[Key]) -> irmin_core::Result<Vec<Arc<irmin_core::Dir>>> {
        Err(irmin_core::Error::missing_objects(keys.to_vec()))
    }
}

fn put_value(repo: &Repo, text: &str) -> Entry {
    let value = repo.format().value(text.as_bytes());
    let key = Key::from(value.id);
    repo.backend().publish(Batch { objects: vec![value], ..Batch::default() }).unwrap();
    Entry { kind: EntryKind::Value(Metadata::Normal), key }
}

fn node(key: Key) -> Entry {
    Entry { kind: EntryKind::Node, key }
}

#[test]
fn a_pruned_tree_is_compared_and_committed_where_it_is_stored() {
    let repo = memory("git");
    let main = repo.main().unwrap();
    main.set("dir/a", "1", "one").unwrap();
    let stored = main.get_tree("dir").unwrap().unwrap();
    let pruned = Tree::pruned(node_id(&stored));
    assert!(pruned.same(&stored).unwrap() && stored.same(&pruned).unwrap());
    assert_eq!(pruned.get("a").unwrap_err().code(), Code::Pruned);

    main.set_tree("copy", &pruned, "put it elsewhere").unwrap();
    assert_eq!(main.get("copy/a").unwrap().unwrap(), "1");

    let other = memory("git").main().unwrap();
    let refused = other.set_tree("copy", &pruned, "it is not here").unwrap_err();
    assert_eq!(refused.code(), Code::MissingObjects);
}

#[test]
fn a_stored_empty_directory_removes_what_is_there() {
    for preset in FormatSpec::PRESETS {
        let (repo, other) = (memory(preset), memory(preset));
        let mut empties = Vec::new();
        for repo in [&repo, &other] {
            let draft = repo.branch("draft").unwrap();
            draft.set("x", "1", "one").unwrap();
            let empty = draft.remove("x", "none").unwrap().unwrap().tree();
            assert!(empty.is_empty().unwrap());
            empties.push(empty);
        }
        for empty in &empties {
            let main = repo.main().unwrap();
            main.set("keep", "1", "one").unwrap();
            main.set("a/b", "1", "two").unwrap();
            main.set_tree("a/b", empty, "remove").unwrap();
            assert_eq!(main.kind("a").unwrap(), None, "{preset}");
            let mut made: Tree = Tree::empty();
            made.set_tree("a/b", empty.clone()).unwrap();
            assert!(made.is_empty().unwrap(), "{preset}");
        }
    }
}

#[test]
fn a_very_deep_tree_in_memory_is_refused_and_dropped_without_recursion() {
    let mut tree: Tree = Tree::empty();
    tree.set("x", "1").unwrap();
    for _ in 0..200_000 {
        let mut outer = Tree::empty();
        outer.set_tree("d", tree).unwrap();
        tree = outer;
    }
    let refused = memory("git").main().unwrap().set_tree("", &tree, "deep").unwrap_err();
    assert_eq!(refused.code(), Code::PayloadTooLarge);
    drop(tree);
}

#[test]
fn a_directory_over_the_limit_is_refused_in_every_order() {
    let repo = memory("native");
    let main = repo.main().unwrap();
    let fill =
        |tree: &mut Tree, n: usize| (0..n).try_for_each(|i| tree.set(format!("d/{i:03}"), "x"));
    let small = repo.with_limits(Limits { entries: 50, ..Limits::default() });
    let branch = small.main().unwrap();
    branch.transaction("at the limit", |tree| fill(tree, 50)).unwrap();
    let refused = branch.transaction("over it", |tree| fill(tree, 51)).unwrap_err();
    assert_eq!(refused.code(), Code::PayloadTooLarge);
    assert!(refused.to_string().contains("51"), "{refused}");

    main.transaction("by another program", |tree| fill(tree, 51)).unwrap();
    for order in [Order::Natural, Order::Sorted] {
        let options = FoldOptions { order, ..FoldOptions::default() };
        let walk = |repo: &Repo| {
            let mut leaves = 0;
            repo.main().unwrap().tree().unwrap().fold(options, |visit| {
                leaves += usize::from(matches!(visit, Visit::Leaf(..)));
                Ok(std::ops::ControlFlow::Continue(()))
            })?;
            Ok::<_, irmin_core::Error>(leaves)
        };
        assert_eq!(walk(&repo).unwrap(), 51);
        assert_eq!(walk(&small).unwrap_err().code(), Code::PayloadTooLarge, "{order:?}");
    }
}

/// Ten directories of ten names each for the next one: ten objects, ten milliard paths.
fn bomb(repo: &Repo, leaf: &str) -> Tree {
    let mut entry = put_value(repo, leaf);
    let names: Vec<String> = (0..10).map(|n| format!("{n}")).collect();
    for _ in 0..10 {
        let entries: Vec<(&[u8], Entry)> =
            names.iter().map(|name| (name.as_bytes(), entry)).collect();
        entry = node(put_dir(repo, &entries));
    }
    repo.tree(TreeId(entry.key.hash)).unwrap().unwrap()
}

#[test]
fn trees_that_unfold_to_milliards_of_paths_are_cut_off() {
    let limits = Limits { visits: 10_000, ..Limits::default() };
    let repo = memory("git").with_limits(limits.clone());
    let (a, b) = (bomb(&repo, "a"), bomb(&repo, "b"));
    let policies = Policies::new();
    let base = Tree::empty();
    let other = memory("native").with_limits(limits);
    for (what, refused) in [
        ("stats", a.stats(true).unwrap_err()),
        ("concrete", a.to_concrete().unwrap_err()),
        ("diff", a.diff(&b).unwrap_err()),
        ("merge", Tree::merge(Some(&base), &a, &b, &policies).unwrap_err()),
        ("import", other.main().unwrap().set_tree("", &a, "import").unwrap_err()),
    ] {
        assert_eq!(refused.code(), Code::LimitReached, "{what}: {refused}");
        assert!(refused.to_string().contains("10000"), "{what}: {refused}");
    }
    // What does not unfold it is as cheap as ever.
    assert_eq!(a.get("0/0/0/0/0/0/0/0/0/0").unwrap().unwrap(), "a");
    assert!(a.same(&a.clone()).unwrap() && !a.same(&b).unwrap());
}

#[test]
fn long_paths_of_other_programs_are_cut_off() {
    let repo = memory("git");
    let name = "n".repeat(4_000);
    let mut entry = put_value(&repo, "x");
    for _ in 0..200 {
        entry = node(put_dir(&repo, &[(name.as_bytes(), entry)]));
    }
    let tree = repo.tree(TreeId(entry.key.hash)).unwrap().unwrap();
    assert_eq!(tree.stats(true).unwrap_err().code(), Code::PayloadTooLarge);
    assert_eq!(tree.diff(&Tree::empty()).unwrap_err().code(), Code::PayloadTooLarge);
}

#[test]
fn a_name_that_is_no_step_is_not_merged_into_another_place() {
    let repo = memory("native");
    let (one, two) = (put_value(&repo, "1"), put_value(&repo, "2"));
    let tree = |entry| {
        let key = put_dir(&repo, &[(b"a/b", entry), (b"c", one)]);
        repo.tree(TreeId(key.hash)).unwrap().unwrap()
    };
    let (base, theirs) = (tree(one), tree(two));
    let policies = Policies::new();
    let mut ours = base.clone();
    ours.set("c", "3").unwrap();
    // It survives where it is left alone, and is refused where it would have to be written.
    let kept = Tree::merge(Some(&base), &ours, &base, &policies).unwrap().unwrap();
    assert_eq!(kept.list("").unwrap().len(), 2);
    let refused = Tree::merge(Some(&base), &ours, &theirs, &policies).unwrap_err();
    assert_eq!(refused.code(), Code::Unrepresentable);
    assert!(refused.to_string().contains("a/b"), "{refused}");
}

#[test]
fn values_that_do_not_decode_are_named_by_path_and_hash() {
    let bytes = memory("git");
    let bad = Bytes::from_static(b"\xff");
    let main = bytes.main().unwrap();
    main.set("dir/text", "ok", "fine").unwrap();
    main.set("dir/bad", bad.clone(), "not text").unwrap();
    let texts = bytes.typed::<String>().unwrap();
    let hash = bytes.format().value(&bad).id.to_string();
    let tree = texts.main().unwrap().tree().unwrap();
    let mut ours = tree.clone();
    let mut theirs = tree.clone();
    ours.set("dir/bad", "a").unwrap();
    theirs.set("dir/bad", "b").unwrap();
    let policies = Policies::new();
    for refused in [
        tree.get("dir/bad").unwrap_err(),
        tree.get_all("dir/bad").unwrap_err(),
        tree.to_concrete().unwrap_err(),
        Tree::merge(Some(&tree), &ours, &theirs, &policies).unwrap_err(),
    ] {
        assert_eq!(refused.code(), Code::InvalidValue);
        let text = refused.to_string();
        assert!(text.contains("`dir/bad`") && text.contains(&hash), "{text}");
    }
    let id = irmin_core::ContentsId(bytes.format().value(&bad).id);
    assert!(texts.contents(id).unwrap_err().to_string().contains(&hash));
}

#[test]
fn a_panicking_merge_is_a_conflict() {
    let repo = memory("git");
    let bad = irmin_core::Merge::new("bad", |_, _: &Bytes, _: &Bytes| panic!("on purpose"));
    let repo = repo.with_policies(Policies::new().with("**".parse().unwrap(), bad));
    let main = repo.main().unwrap();
    main.set("a", "0", "base").unwrap();
    let draft = main.fork("draft").unwrap();
    main.set("a", "1", "ours").unwrap();
    draft.set("a", "2", "theirs").unwrap();
    let error = main.merge(&draft, "merge").unwrap().resolved().unwrap_err();
    assert_eq!(error.code(), Code::MergeConflict);
    assert!(error.to_string().contains("panicked"), "{error}");
}

#[test]
fn modes_that_git_tolerates_are_kept_and_never_written_new() {
    let repo = memory("git");
    let odd = Metadata::Other(0o100_664);
    let mut entry = put_value(&repo, "1");
    entry.kind = EntryKind::Value(odd);
    let key = put_dir(&repo, &[(b"old", entry)]);
    let mut tree = repo.tree(TreeId(key.hash)).unwrap().unwrap();
    tree.set_with("old", "2", odd).unwrap();
    assert_eq!(tree.get_all("old").unwrap().unwrap(), (Bytes::from("2"), odd));
    let refused = tree.set_with("new", "1", odd).unwrap_err();
    assert_eq!(refused.code(), Code::Unrepresentable);
    let main = repo.main().unwrap();
    let staged = main.staged("staged", |stage| stage.set("new", &Bytes::from("1"), odd));
    assert_eq!(staged.unwrap_err().code(), Code::Unrepresentable);
}

#[test]
fn an_edited_tree_of_another_store_is_copied_at_the_cost_of_its_changes() {
    let (from, reads) = counted("git");
    let into = memory("git");
    let main = from.main().unwrap();
    main.transaction("much", |tree| {
        (0..300).try_for_each(|n| tree.set(format!("{}/{}/{n}", n % 10, n % 30), "x"))
    })
    .unwrap();
    let copy = into.main().unwrap();
    copy.set_tree("", &main.tree().unwrap(), "all").unwrap();
    let mut tree = from.main().unwrap().tree().unwrap();
    tree.set("0/0/new", "y").unwrap();
    let fresh = repo_on(reads.clone());
    let mut edited = fresh.main().unwrap().tree().unwrap();
    edited.set("0/0/new", "y").unwrap();
    reads.reset();
    copy.set_tree("", &edited, "one more").unwrap();
    let counts = reads.reset();
    assert!(counts.objects_read <= 6, "{counts:?}");
    assert_eq!(copy.get("0/0/new").unwrap().unwrap(), "y");
    assert_eq!(copy.get("9/9/9").unwrap().unwrap(), "x");
    assert_eq!(into.hash_of(&edited).unwrap(), edited.hash().unwrap());
}

#[test]
fn a_shallow_walk_reads_no_deeper_than_it_goes() {
    let (repo, reads) = counted("git");
    repo.main()
        .unwrap()
        .transaction("much", |tree| (0..100).try_for_each(|n| tree.set(format!("{n}/x"), "x")))
        .unwrap();
    let tree = repo_on(reads.clone()).main().unwrap().tree().unwrap();
    reads.reset();
    let options = FoldOptions { depth: Some(Depth::Le(1)), ..FoldOptions::default() };
    let mut seen = 0;
    tree.fold(options, |_| {
        seen += 1;
        Ok(std::ops::ControlFlow::Continue(()))
    })
    .unwrap();
    assert_eq!(seen, 2 + 2 * 100);
    assert!(reads.reset().objects_read <= 1);
}

#[test]
fn a_unique_walk_meets_a_shared_directory_once() {
    let mut shared: Tree = Tree::empty();
    shared.set("x", "1").unwrap();
    let mut tree: Tree = Tree::empty();
    for at in ["a", "b", "c/d"] {
        tree.set_tree(at, shared.clone()).unwrap();
    }
    let mut leaves = Vec::new();
    let options = FoldOptions { unique: true, ..FoldOptions::default() };
    tree.fold(options, |visit| {
        if let Visit::Leaf(path, _) = visit {
            leaves.push(path.to_string());
        }
        Ok(std::ops::ControlFlow::Continue(()))
    })
    .unwrap();
    assert_eq!(leaves, ["a/x"]);
}

#[test]
fn removal_prunes_exactly_what_is_empty_without_it() {
    for (others, gone) in [("k", "a"), ("a/k", "a/b"), ("a/b/k", "a/b/c"), ("a/b/c/k", "a/b/c/d")] {
        let mut tree: Tree = Tree::empty();
        tree.set("a/b/c/d", "1").unwrap();
        tree.set(others, "2").unwrap();
        tree.remove("a/b/c/d").unwrap();
        assert_eq!(tree.kind(gone).unwrap(), None, "{others}");
        assert_eq!(tree.to_concrete().unwrap().len(), 1);
        let (dir, _) = Path::parse(gone).unwrap().split_last().map(|(d, s)| (d, s.len())).unwrap();
        assert!(tree.exists(dir).unwrap());
        tree.remove(others).unwrap();
        assert!(tree.is_empty().unwrap());
    }
}

/// Puts a part of a trie as a hostile program might: whatever it says of its length.
fn put_inner(repo: &Repo, depth: u8, len: u8, slots: &[(u8, Key)]) -> Key {
    assert!(len < 128 && slots.len() < 128);
    let mut bytes = vec![1, depth, len, slots.len() as u8];
    for (index, key) in slots {
        bytes.push(*index);
        bytes.extend_from_slice(key.hash.as_bytes());
    }
    let id = repo.format().hash().digest(&bytes);
    let (kind, bytes) = (irmin_core::Kind::Inode, Bytes::from(bytes));
    let object = Object::new(kind, id, bytes);
    repo.backend().publish(Batch { objects: vec![object], ..Batch::default() }).unwrap();
    id.into()
}

/// The slots of a real directory of 40 entries.
fn slots_of_forty(repo: &Repo) -> Vec<(u8, Key)> {
    let mut tree: Tree = Tree::empty();
    (0..40).try_for_each(|n| tree.set(format!("{n}"), "x")).unwrap();
    let commit = repo.main().unwrap().set_tree("", &tree, "forty").unwrap().unwrap();
    let key = Key::from(commit.tree_id().hash());
    let found = repo.backend().get_many(&[key], irmin_core::backend::Wait::Block).unwrap();
    let bytes = found[0].as_ref().unwrap().bytes.clone();
    let slots = bytes[4..].chunks(1 + key.hash.len());
    slots.map(|slot| (slot[0], irmin_core::Hash::new(&slot[1..]).unwrap().into())).collect()
}

#[test]
fn a_directory_that_lies_of_its_length_is_an_error_and_no_overflow() {
    let repo = memory("native");
    let key = put_inner(&repo, 0, 33, &slots_of_forty(&repo));
    let mut tree = repo.tree(TreeId(key.hash)).unwrap().unwrap();
    assert_eq!(tree.length("").unwrap(), 33);
    let refused = (0..40).try_for_each(|n| tree.remove(format!("{n}"))).unwrap_err();
    assert_eq!(refused.code(), Code::CorruptObject);
}

#[test]
fn a_directory_that_refers_to_one_part_again_and_again_is_cut_off() {
    let repo = memory("native");
    let (_, mut part) = slots_of_forty(&repo)[0];
    for depth in (0..10).rev() {
        let slots: Vec<(u8, Key)> = (0..32).map(|index| (index, part)).collect();
        part = put_inner(&repo, depth, 100, &slots);
    }
    let small = repo.with_limits(Limits { entries: 500, list: 500, ..Limits::default() });
    let tree = small.tree(TreeId(part.hash)).unwrap().unwrap();
    for (what, refused) in [
        ("list", tree.list("").unwrap_err()),
        ("fold", tree.stats(true).unwrap_err()),
        ("diff", tree.diff(&Tree::empty()).unwrap_err()),
        ("diff", Tree::empty().diff(&tree).unwrap_err()),
        ("copy", memory("git").main().unwrap().set_tree("", &tree, "copy").unwrap_err()),
    ] {
        assert_eq!(refused.code(), Code::PayloadTooLarge, "{what}: {refused}");
    }
    assert_eq!(tree.page("", None, 7).unwrap().entries.len(), 7);
}
