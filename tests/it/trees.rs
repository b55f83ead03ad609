//! Laws of trees, on every format: what holds of any tree, in memory, stored, or half of each.

use std::sync::Arc;

use irmin_core::backend::{Backend, MemoryBackend, StrictMemory};
use irmin_core::contents::Policies;
use irmin_core::object::{LayoutSpec, irmin};
use irmin_core::{Code, Format, FormatSpec, KindedHash, Metadata, Repo, Tree, TreeId, TreeKind};
use irmin_tests::model::Model;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::model::script::{self, Edit};
use crate::model::{
    apply, cases, compare, compare_diff, context, has_modes, model_of, specs, tree_of,
};

fn repo(spec: FormatSpec) -> Repo {
    let backend: Arc<dyn Backend> = Arc::new(StrictMemory::new(Format::new(spec)).demanding_pins());
    Repo::new(backend, context()).unwrap()
}

fn plain(mut model: Model, spec: &FormatSpec) -> Model {
    if !has_modes(spec) {
        model.0.values_mut().for_each(|leaf| leaf.1 = Metadata::Normal);
    }
    model
}

/// The tree as a commit has it, read by a handle that has cached nothing.
fn stored(repo: &Repo, tree: &Tree) -> Tree {
    let commit = repo.commit_tree(tree, &[], "store").unwrap();
    let fresh = Repo::new(repo.backend().clone(), context()).unwrap();
    fresh.commit(commit.id()).unwrap().unwrap().tree()
}

fn node(repo: &Repo, tree: &Tree) -> TreeId {
    match repo.hash_of(tree).unwrap() {
        KindedHash::Node(id) => id,
        KindedHash::Value(..) => panic!("a value"),
    }
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    vec(script::edit(), 1..8)
}

proptest! {
    #![proptest_config(cases(32))]

    /// Lazy is eager: a stored tree and one in memory read, edit, hash and differ alike.
    #[test]
    fn stored_and_in_memory_are_one(model in script::tree(), edits in edits()) {
        for spec in specs() {
            let repo = repo(spec);
            let model = plain(model.clone(), &spec);
            let mut eager = tree_of(&model);
            let mut lazy = stored(&repo, &eager);
            let before = lazy.clone();
            let mut edited = model.clone();
            for edit in &edits {
                apply(&mut lazy, &mut edited, edit, has_modes(&spec));
                apply(&mut eager, &mut edited.clone(), edit, has_modes(&spec));
                compare(&lazy, &edited);
                compare(&eager, &edited);
            }
            prop_assert_eq!(node(&repo, &lazy), node(&repo, &eager));
            compare_diff(&before, &lazy, (&model, &edited));
            compare_diff(&before, &eager, (&model, &edited));
            compare_diff(&lazy, &eager, (&edited, &edited));
            let again = stored(&repo, &lazy);
            prop_assert_eq!(node(&repo, &again), node(&repo, &eager));
            compare(&again, &edited);
            compare(&before, &model);
            // The edits may be undone, by the diff.
            let mut undone = again.clone();
            for change in again.diff(&before).unwrap() {
                if change.new.is_none() {
                    undone.remove(&change.path).unwrap();
                }
            }
            for change in again.diff(&before).unwrap() {
                if let Some(new) = change.new {
                    undone.set_tree(&change.path, new).unwrap();
                }
            }
            prop_assert_eq!(node(&repo, &undone), node(&repo, &before));
        }
    }

    /// Get after set, idempotence, frames, removal of what is new, plain data and back.
    #[test]
    fn laws(model in script::tree(), at in script::path(), to in script::path()) {
        for spec in specs() {
            let repo = repo(spec);
            let model = plain(model.clone(), &spec);
            let tree = stored(&repo, &tree_of(&model));
            let name = super::model::path(&at);
            let mut set = tree.clone();
            set.set(&name, "new").unwrap();
            prop_assert_eq!(set.get(&name).unwrap().unwrap(), "new");
            let mut twice = set.clone();
            twice.set(&name, "new").unwrap();
            prop_assert_eq!(node(&repo, &twice), node(&repo, &set));
            let mut removed = set.clone();
            removed.remove(&name).unwrap();
            prop_assert_eq!(removed.kind(&name).unwrap(), None);
            let free = (1..=at.len()).all(|n| {
                model.kind(&at[..n]).is_none() || model.kind(&at[..n - 1]).is_none()
                    || (n < at.len() && !model.0.contains_key(&at[..n]))
            }) && model.kind(&at).is_none();
            if free {
                prop_assert_eq!(node(&repo, &removed), node(&repo, &tree));
            }
            // Two sets that are not one inside the other commute.
            if !at.starts_with(&to) && !to.starts_with(&at) {
                let other = super::model::path(&to);
                let (mut ab, mut ba) = (set.clone(), tree.clone());
                ab.set(&other, "x").unwrap();
                ba.set(&other, "x").unwrap();
                ba.set(&name, "new").unwrap();
                prop_assert_eq!(node(&repo, &ab), node(&repo, &ba));
            }
            let concrete = Tree::of_concrete(tree.to_concrete().unwrap()).unwrap();
            prop_assert!(concrete.same(&tree).unwrap());
            prop_assert_eq!(node(&repo, &concrete), node(&repo, &tree));
        }
    }

    /// Merges: the unchanged side, equal sides, and which side is ours do not matter.
    #[test]
    fn laws_of_merge(base in script::tree(), a in edits(), b in edits(), mixed in 0..8_u8) {
        for spec in specs() {
            let repo = repo(spec);
            let base = plain(base.clone(), &spec);
            let edited = |edits: &[Edit]| {
                let mut model = base.clone();
                let mut tree = stored(&repo, &tree_of(&base));
                edits.iter().for_each(|e| apply(&mut tree, &mut model, e, has_modes(&spec)));
                (tree, model)
            };
            let store = |n: u8, tree: Tree| {
                if mixed & (1 << n) == 0 { tree } else { stored(&repo, &tree) }
            };
            let ((ta, ma), (tb, mb)) = (edited(&a), edited(&b));
            let (tb, ta) = (store(0, tb), store(1, ta));
            let tbase = store(2, tree_of(&base));
            let merge = |ours: &Tree, theirs: &Tree| {
                Tree::merge(Some(&tbase), ours, theirs, &Policies::default()).unwrap()
            };
            prop_assert_eq!(model_of(&merge(&ta, &tbase).unwrap()), ma.clone());
            prop_assert_eq!(model_of(&merge(&tbase, &tb).unwrap()), mb.clone());
            prop_assert_eq!(model_of(&merge(&ta, &ta).unwrap()), ma.clone());
            let (expected, conflicts) = Model::merge(Some(&base), &ma, &mb);
            for (ours, theirs) in [(&ta, &tb), (&tb, &ta)] {
                match merge(ours, theirs) {
                    Ok(merged) => {
                        prop_assert!(conflicts.is_empty());
                        compare(&merged, &expected);
                        prop_assert_eq!(node(&repo, &merged), node(&repo, &tree_of(&expected)));
                        compare(&stored(&repo, &merged), &expected);
                    }
                    Err(found) => prop_assert_eq!(found.len(), conflicts.len()),
                }
            }
        }
    }

    /// A tree of one repository is put into another one, of any format, and edited there.
    #[test]
    fn grafts(
        model in script::tree(), into in script::tree(), at in script::path(),
        edits in edits(), pair in (0..4_usize, 0..4_usize), edited_first in any::<bool>(),
    ) {
        let (from, to) = (specs()[pair.0], specs()[pair.1]);
        let (a, b) = (repo(from), repo(to));
        let model = plain(plain(model, &from), &to);
        let into = plain(into, &to);
        let mut graft = stored(&a, &tree_of(&model));
        let mut grafted = model.clone();
        if edited_first {
            let edit = Edit::Set(vec![b"c".to_vec()], (b"v".to_vec(), Metadata::Normal));
            apply(&mut graft, &mut grafted, &edit, false);
        }
        let mut tree = stored(&b, &tree_of(&into));
        let mut expected = into.clone();
        tree.set_tree(super::model::path(&at), graft).unwrap();
        expected.set_tree(&at, &grafted);
        compare(&tree, &expected);
        compare_diff(&tree_of(&into), &tree, (&into, &expected));
        compare_diff(&stored(&b, &tree_of(&into)), &tree, (&into, &expected));
        prop_assert_eq!(node(&b, &tree), node(&b, &tree_of(&expected)));
        for edit in &edits {
            apply(&mut tree, &mut expected, edit, has_modes(&to));
            compare(&tree, &expected);
        }
        prop_assert_eq!(node(&b, &tree), node(&b, &tree_of(&expected)));
        compare(&stored(&b, &tree), &expected);
        // And back to where it came from, if that has a place for it.
        if has_modes(&from) || !has_modes(&to) {
            prop_assert_eq!(node(&a, &tree), node(&a, &tree_of(&expected)));
            compare(&stored(&a, &tree), &expected);
        }
        prop_assert!(b.check(&mut |_| ()).unwrap().is_sound());
    }
}

/// Edits of directories that are wider than a leaf of their trie.
fn wide_edits(most: usize) -> impl Strategy<Value = Vec<Edit>> {
    let name = |n: u8| format!("key-{n}").into_bytes();
    let path = (0..3_u8, 0..90_u8).prop_map(move |(place, n)| match place {
        0 => vec![name(n)],
        1 => vec![b"d".to_vec(), name(n)],
        _ => vec![b"d".to_vec(), name(n % 9), name(n)],
    });
    let leaf = (0..4_u8).prop_map(|n| (vec![b'v', b'0' + n], Metadata::Normal));
    let edit = prop_oneof![
        2 => (path.clone(), leaf).prop_map(|(path, leaf)| Edit::Set(path, leaf)),
        1 => path.prop_map(Edit::Remove),
    ];
    vec(edit, 0..most)
}

fn trie(fanout: u32, bound: u32) -> FormatSpec {
    let params = irmin::Params { fanout, stable_bound: Some(bound), modes: true };
    FormatSpec { layout: LayoutSpec::Irmin(params), ..FormatSpec::native() }
}

/// Formats whose directories are tries early, or never.
fn tries() -> impl Strategy<Value = FormatSpec> {
    let specs = vec![FormatSpec::native(), FormatSpec::git(), trie(4, 4), trie(2, 0), trie(8, 20)];
    prop::sample::select(specs)
}

/// Two sides that remove what the other one keeps leave nothing, and no directory of nothing.
#[test]
fn what_two_sides_empty_together_is_gone() {
    for spec in [trie(2, 0), trie(2, 2), trie(4, 3), FormatSpec::git()] {
        let repo = repo(spec);
        let path = |n: u32| format!("a/b/k{n}");
        let base = repo.main().unwrap();
        base.transaction("base", |t| {
            t.set("c", "kept")?;
            (0..8).try_for_each(|n| t.set(path(n), "v"))
        })
        .unwrap();
        let base = base.tree().unwrap();
        // One name may stay, or none.
        for (mask, stays) in (0..256_u32).flat_map(|mask| [(mask, None), (mask, Some(mask % 8))]) {
            let without = |mask: u32| {
                let mut tree = base.clone();
                for n in (0..8).filter(|n| mask & (1 << n) != 0 && Some(*n) != stays) {
                    tree.remove(path(n)).unwrap();
                }
                repo.commit_tree(&tree, &[], "side").unwrap().tree()
            };
            let (ours, theirs) = (without(mask), without(!mask));
            let merged = Tree::merge(Some(&base), &ours, &theirs, &Policies::default()).unwrap();
            let mut expected = Model::default();
            expected.set(&[b"c".to_vec()], (b"kept".to_vec(), Metadata::Normal));
            if let Some(n) = stays {
                let steps = path(n).split('/').map(|s| s.as_bytes().to_vec()).collect::<Vec<_>>();
                expected.set(&steps, (b"v".to_vec(), Metadata::Normal));
            }
            let merged = merged.unwrap();
            assert_eq!(
                node(&repo, &merged),
                node(&repo, &tree_of(&expected)),
                "{mask:b} {stays:?}"
            );
            compare(&merged, &expected);
        }
    }
}

proptest! {
    #![proptest_config(cases(96))]

    /// What a merge makes of stored trees is a tree like any other: it is read, compared, edited
    /// and merged again before anything of it is written.
    #[test]
    fn merged_trees_are_trees(
        base in wide_edits(160),
        sides in prop_oneof![
            [wide_edits(5), wide_edits(5), wide_edits(5)],
            [wide_edits(30), wide_edits(30), wide_edits(12)],
        ],
        after in wide_edits(12),
        spec in tries(),
    ) {
        let repo = repo(spec);
        let edited = |tree: &Tree, model: &Model, edits: &[Edit]| {
            let (mut tree, mut model) = (tree.clone(), model.clone());
            edits.iter().for_each(|edit| apply(&mut tree, &mut model, edit, true));
            (tree, model)
        };
        // All read by one handle, as the trees of one history are.
        let kept = |tree: &Tree| repo.commit_tree(tree, &[], "keep").unwrap().tree();
        let (base, mbase) = edited(&Tree::empty(), &Model::default(), &base);
        let base = kept(&base);
        let [ours, theirs, third] = sides.map(|edits| {
            let (tree, model) = edited(&base, &mbase, &edits);
            (kept(&tree), model)
        });
        let merge = |ours: &Tree, theirs: &Tree| {
            Tree::merge(Some(&base), ours, theirs, &Policies::default()).unwrap()
        };
        let (expected, conflicts) = Model::merge(Some(&mbase), &ours.1, &theirs.1);
        let Ok(merged) = merge(&ours.0, &theirs.0) else {
            prop_assert!(!conflicts.is_empty());
            return Ok(());
        };
        prop_assert!(conflicts.is_empty());
        // Each of them is the first to look at it.
        let fresh = || merge(&ours.0, &theirs.0).unwrap();
        prop_assert_eq!(node(&repo, &fresh()), node(&repo, &tree_of(&expected)));
        compare(&stored(&repo, &fresh()), &expected);
        compare(&merged, &expected);
        compare_diff(&base, &fresh(), (&mbase, &expected));
        compare_diff(&fresh(), &ours.0, (&expected, &ours.1));
        let (tree, model) = edited(&fresh(), &expected, &after);
        compare(&tree, &model);
        prop_assert_eq!(node(&repo, &tree), node(&repo, &tree_of(&model)));
        let again = merge(&fresh(), &third.0);
        let (expected, conflicts) = Model::merge(Some(&mbase), &expected, &third.1);
        prop_assert_eq!(again.is_ok(), conflicts.is_empty());
        if let Ok(again) = again {
            compare(&again, &expected);
            prop_assert_eq!(node(&repo, &again), node(&repo, &tree_of(&expected)));
        }
    }
}

#[test]
fn a_tree_in_memory_may_be_committed_again_and_again() {
    for spec in specs() {
        let (a, b) = (repo(spec), repo(FormatSpec::native()));
        let mut tree = Tree::empty();
        tree.set("x/y", "1").unwrap();
        let first = a.commit_tree(&tree, &[], "first").unwrap();
        let again = a.commit_tree(&tree, &[], "again").unwrap();
        assert_eq!(first.tree_id(), again.tree_id());
        let elsewhere = b.commit_tree(&tree, &[], "elsewhere").unwrap();
        tree.set("x/z", "2").unwrap();
        let second = a.commit_tree(&tree, &[first.id()], "second").unwrap();
        let there = b.commit_tree(&tree, &[elsewhere.id()], "second").unwrap();
        for commit in [second, there] {
            assert_eq!(commit.tree().list("x").unwrap().len(), 2);
            assert_eq!(commit.tree().get("x/y").unwrap().unwrap(), "1");
        }
        assert_eq!(first.tree().list("x").unwrap().len(), 1);
    }
}

#[test]
fn a_stored_empty_directory_is_an_empty_directory() {
    for spec in specs() {
        let repo = repo(spec);
        let main = repo.main().unwrap();
        main.set("a", "1", "one").unwrap();
        let empty = main.remove("a", "remove").unwrap().unwrap().tree();
        assert!(empty.is_empty().unwrap());
        let two = main.set("dir/b", "2", "two").unwrap().unwrap();
        // Setting it removes what is there, as setting one made in memory does.
        let gone = main.set_tree("dir", &empty, "empty").unwrap().unwrap();
        assert!(main.list("").unwrap().is_empty());
        assert_eq!(gone.tree_id(), node(&repo, &Tree::empty()));
        assert_eq!(main.set_tree("new", &empty, "nothing").unwrap(), None);
        // Also one of another repository, and one that was made and then emptied there.
        let other = self::repo(spec);
        let mut tree = other.commit_tree(&two.tree(), &[], "copy").unwrap().tree();
        tree.remove("dir").unwrap();
        let stored = stored(&other, &tree);
        for empty in [tree, stored] {
            assert_eq!(main.set_tree("new", &empty, "nothing").unwrap(), None);
        }
    }
}

#[test]
fn a_pruned_tree_is_a_hash_and_nothing_more() {
    for spec in specs() {
        let repo = repo(spec);
        let main = repo.main().unwrap();
        let commit = main.set("dir/a", "1", "one").unwrap().unwrap();
        let dir = commit.tree().get_tree("dir").unwrap().unwrap();
        let KindedHash::Node(id) = dir.hash().unwrap() else { panic!("a value") };
        let pruned = Tree::pruned(id);
        assert_eq!(repo.hash_of(&pruned).unwrap(), KindedHash::Node(id));
        assert_eq!(pruned.get("a").unwrap_err().code(), Code::Pruned);
        assert_eq!(pruned.list("").unwrap_err().code(), Code::Pruned);
        let mut tree = commit.tree();
        tree.set_tree("dir", pruned).unwrap();
        assert_eq!(tree.kind("dir").unwrap(), Some(TreeKind::Node));
        assert_eq!(tree.get("dir/a").unwrap_err().code(), Code::Pruned);
        assert_eq!(tree.set("dir/b", "2").unwrap_err().code(), Code::Pruned);
        assert_eq!(tree.hash().unwrap(), KindedHash::Node(commit.tree_id()));
        assert!(tree.diff(&commit.tree()).unwrap().is_empty());
        // Beside it all goes on.
        tree.set("other", "3").unwrap();
        let mut whole = commit.tree();
        whole.set("other", "3").unwrap();
        assert_eq!(tree.hash().unwrap(), whole.hash().unwrap());
        // It is there: what is committed refers to it.
        let made = repo.commit_tree(&tree, &[], "pruned").unwrap();
        assert_eq!(made.tree().get("dir/a").unwrap().unwrap(), "1");
        // What is not there cannot be referred to.
        let nowhere = TreeId(repo.format().hash().digest(b"nowhere"));
        tree.set_tree("dir", Tree::pruned(nowhere)).unwrap();
        assert!(repo.commit_tree(&tree, &[], "dangling").is_err());
    }
}

#[test]
fn sharing_between_stores_of_one_format_copies_what_is_not_there() {
    let spec = FormatSpec::native();
    let backends: Vec<Arc<MemoryBackend>> =
        (0..2).map(|_| Arc::new(MemoryBackend::new(Format::new(spec)))).collect();
    let repos: Vec<Repo> =
        backends.iter().map(|b| Repo::new(b.clone(), context()).unwrap()).collect();
    let main = repos[0].main().unwrap();
    main.transaction("wide", |tree| {
        (0..2_000).try_for_each(|n| tree.set(format!("dir/{n}"), format!("{n}")))
    })
    .unwrap();
    let tree = main.tree().unwrap();
    let there = repos[1].main().unwrap();
    there.set_tree("copy", &tree, "copy").unwrap();
    let objects = backends[1].object_count();
    assert!(objects > 2_000);
    assert!(there.tree().unwrap().get_tree("copy").unwrap().unwrap().same(&tree).unwrap());
    // The second time it is there already: a commit and a directory.
    there.set_tree("again", &tree, "again").unwrap();
    assert_eq!(backends[1].object_count(), objects + 2);
    // A change in the middle of what was copied: three directories, a value, a commit, and the
    // path in the trie.
    let mut changed = tree.clone();
    changed.set("dir/7", "changed").unwrap();
    there.set_tree("again", &changed, "changed").unwrap();
    assert!(backends[1].object_count() < objects + 2 + 12, "{}", backends[1].object_count());
}

#[test]
fn a_range_of_a_list_is_a_part_of_it() {
    let mut tree: Tree = Tree::empty();
    for i in 0..40 {
        tree.set(format!("d/{i:02}"), "x").unwrap();
    }
    let all = tree.list("d").unwrap();
    assert_eq!(tree.list_range("d", 10, 5).unwrap(), all[10..15]);
    assert_eq!(tree.list_range("d", 38, 5).unwrap(), all[38..]);
    assert_eq!(tree.list_range("d", 40, 5).unwrap(), []);
    assert_eq!(tree.list_range("d", 0, 0).unwrap(), []);
}
