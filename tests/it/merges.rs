//! Merges against the real git, and histories that criss-cross.

use std::path::Path as File;
use std::sync::Arc;

use irmin_core::backend::{Counted, MemoryBackend};
use irmin_core::contents::Policies;
use irmin_core::{
    Branch, Bytes, CommitId, Contents, Format, FormatSpec, KindedHash, LcaLimits, Merge, Merged,
    Metadata, Repo, Tree, ValueEncoding,
};
use irmin_tests::git_support::{command, git};
use irmin_tests::model::{Leaf, Model, Steps};
use irmin_tests::needs;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::model::script::{self, Edit};
use crate::model::{cases, context, model_of, specs, tree_of};

/// Three trees: a base and two edits of it.
type Triple = [Model; 3];

/// Values and modes whose merge is the same with and without a merge of lines and renames: each
/// is one line, and no two paths have the same one, because `-Xno-renames` does not keep this git
/// from looking for renames. A link is another type of file to git, and only metadata here.
fn lines(mut model: Model) -> Model {
    for (steps, (value, metadata)) in &mut model.0 {
        if *metadata == Metadata::Link {
            *metadata = Metadata::Normal;
        }
        value.extend_from_slice(format!(" at {}\n", joined(steps)).as_bytes());
    }
    model
}

/// Edits of any kind, or of values that both sides find in the same few places.
fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let step = || prop::sample::select(vec![b"a".to_vec(), b"b".to_vec()]);
    let place = move || (step(), step()).prop_map(|(dir, name)| vec![dir, name]);
    let leaf = (0..4_u8, any::<bool>()).prop_map(|(n, exec)| {
        (vec![b'v', b'0' + n], if exec { Metadata::Exec } else { Metadata::Normal })
    });
    let set = (place(), leaf).prop_map(|(path, leaf)| Edit::Set(path, leaf));
    let flat = prop_oneof![3 => set, 1 => place().prop_map(Edit::Remove)];
    prop_oneof![vec(script::edit(), 1..5), vec(flat, 1..5)]
}

fn triple() -> impl Strategy<Value = Triple> {
    let base = edits().prop_map(|edits| {
        let (mut tree, mut model) = (Tree::empty(), Model::default());
        edits.iter().for_each(|edit| crate::model::apply(&mut tree, &mut model, edit, true));
        model
    });
    (base, edits(), edits()).prop_map(|(base, ours, theirs)| {
        let edited = |edits: &[Edit]| {
            let (mut tree, mut model) = (tree_of(&base), base.clone());
            edits.iter().for_each(|edit| crate::model::apply(&mut tree, &mut model, edit, true));
            lines(model)
        };
        [lines(base.clone()), edited(&ours), edited(&theirs)]
    })
}

/// What `git merge-tree` makes of two commits: the tree, and the paths that conflict.
fn merge_tree(dir: &File, ours: CommitId, theirs: CommitId) -> (String, Vec<String>) {
    let output = command(dir)
        .args(["merge-tree", "--write-tree", "--name-only", "--no-messages", "-z"])
        .args(["-Xno-renames", &ours.to_string(), &theirs.to_string()])
        .output()
        .unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut parts = text.split('\0').filter(|part| !part.is_empty()).map(str::to_owned);
    let tree = parts.next().unwrap();
    let mut conflicts: Vec<String> = parts.collect();
    assert_eq!(conflicts.is_empty(), output.status.success());
    conflicts.sort();
    conflicts.dedup();
    (tree, conflicts)
}

fn joined(steps: &[Vec<u8>]) -> String {
    String::from_utf8(steps.join(&b'/')).unwrap()
}

fn shown(model: &Model) -> Vec<String> {
    let leaf = |(steps, (value, metadata)): (&Steps, &Leaf)| {
        format!("{} = {} {metadata:?}", joined(steps), String::from_utf8_lossy(value).trim())
    };
    model.0.iter().map(leaf).collect()
}

/// Whether a key is a value on one side and a directory on the other, which git reports under
/// names that it makes up.
fn clashes(models: &Triple) -> bool {
    let keys: Vec<_> = models.iter().flat_map(|model| model.0.keys()).collect();
    keys.iter().any(|a| keys.iter().any(|b| a.len() < b.len() && b.starts_with(a)))
}

#[test]
fn merges_are_those_of_git() {
    if !needs("git") {
        return;
    }
    let (_guard, dir, store) = crate::git_repository::fresh();
    let repo = Repo::new(Arc::new(store), context()).unwrap();
    let seed = *b"merges that git has an opinion of";
    let seed: [u8; 32] = seed[..32].try_into().unwrap();
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let (mut clean, mut conflicting, mut clashing) = (0, 0, 0);
    for case in 0..cases(60).cases {
        let models = triple().new_tree(&mut runner).unwrap().current();
        let base = repo.commit_tree(&tree_of(&models[0]), &[], "base").unwrap();
        let commit =
            |model: &Model| repo.commit_tree(&tree_of(model), &[base.id()], "side").unwrap();
        let (ours, theirs) = (commit(&models[1]), commit(&models[2]));
        let merged =
            Tree::merge(Some(&base.tree()), &ours.tree(), &theirs.tree(), &Policies::default())
                .unwrap();
        if ours.tree_id() == base.tree_id() && theirs.tree_id() == base.tree_id() {
            continue;
        }
        let (git_tree, git_conflicts) = merge_tree(&dir, ours.id(), theirs.id());
        let at = format!("case {case}: {:?}", models.each_ref().map(shown));
        match merged {
            Ok(tree) => {
                assert!(git_conflicts.is_empty(), "git: {git_conflicts:?}; {at}");
                let KindedHash::Node(id) = tree.hash().unwrap() else { panic!("a value") };
                assert_eq!(id.to_string(), git_tree, "{at}");
                clean += 1;
            }
            Err(found) => {
                let found: Vec<String> = found.iter().map(|c| c.path.to_string()).collect();
                let (_, expected) = Model::merge(Some(&models[0]), &models[1], &models[2]);
                let expected: Vec<String> = expected.iter().map(|steps| joined(steps)).collect();
                assert_eq!(found, expected, "{at}");
                assert!(!git_conflicts.is_empty(), "{found:?}; {at}");
                if clashes(&models) {
                    clashing += 1;
                } else {
                    assert_eq!(found, git_conflicts, "{at}");
                    conflicting += 1;
                }
            }
        }
    }
    println!("{clean} clean, {conflicting} with conflicts, {clashing} with clashes");
    assert!(clean > 5 && conflicting > 5 && clashing > 5);
    assert_eq!(git(&dir, &["fsck", "--strict", "--no-dangling"]), "");
}

fn repo(spec: FormatSpec) -> Repo {
    Repo::new(Arc::new(MemoryBackend::new(Format::new(spec))), context()).unwrap()
}

/// Two branches that are merged into each other again and again, each time from where the other
/// one was: every merge but the first has two bases, and theirs have two in turn.
#[test]
fn ladders_of_criss_cross_merges_end_in_the_same_tree() {
    for spec in specs() {
        let repo = repo(spec);
        let a = repo.main().unwrap();
        a.set("base", "0", "base").unwrap();
        let b = a.fork("b").unwrap();
        for n in 0..12 {
            a.set(format!("a/{n}"), format!("{n}"), "a").unwrap();
            b.set(format!("b/{n}"), format!("{n}"), "b").unwrap();
            // Both sides edit one value, one after the other.
            let side = if n % 2 == 0 { &a } else { &b };
            side.set("shared", format!("{n}"), "shared").unwrap();
            let (ha, hb) = (a.head().unwrap().unwrap(), b.head().unwrap().unwrap());
            for (branch, head) in [(&a, &hb), (&b, &ha)] {
                let merged = branch.merge_commit(head, Default::default(), "cross").unwrap();
                assert!(matches!(merged, Merged::Created(_)), "{n}: {merged:?}");
            }
            let (ha, hb) = (a.head().unwrap().unwrap(), b.head().unwrap().unwrap());
            assert_ne!(ha, hb);
            assert_eq!(ha.tree_id(), hb.tree_id());
            assert_eq!(a.get("shared").unwrap().unwrap(), format!("{n}"));
            if n > 0 {
                let bases = repo.lcas(&ha, &hb, Default::default()).unwrap();
                assert_eq!(bases.len(), 2);
            }
        }
        assert_eq!(model_of(&a.tree().unwrap()).0.len(), 26);
    }
}

#[derive(Contents, Clone, PartialEq, Debug)]
struct Item {
    name: String,
    #[irmin(merge = counter)]
    stock: i64,
}

/// Common ancestors that conflict at a key are no base there: nobody knows what the sides have in
/// common, which is not the same as nothing. Over nothing the stock would count twice.
#[test]
fn ancestors_that_conflict_are_no_base() {
    for spec in specs() {
        let spec = FormatSpec { values: ValueEncoding::Raw, ..spec };
        let backend = Arc::new(MemoryBackend::new(Format::new(spec)));
        let repo = Repo::new(backend, context()).unwrap().typed::<Item>().unwrap();
        let item = |name: &str, stock| Item { name: name.into(), stock };
        let commit = |items: &[(&str, Item)], parents: &[CommitId], message: &str| {
            let mut tree = Tree::empty();
            tree.set("other", item("other", 0)).unwrap();
            items.iter().for_each(|(path, item)| tree.set(*path, item.clone()).unwrap());
            repo.commit_tree(&tree, parents, message).unwrap()
        };
        let root = commit(&[("d/tea", item("tea", 10))], &[], "root").id();
        let bases =
            ["green", "black"].map(|name| commit(&[("d/tea", item(name, 10))], &[root], name).id());
        // Two people merge both, and agree on a name; then each counts.
        let merge = |ours: &[(&str, Item)], theirs: &[(&str, Item)]| {
            let ours = repo.detached(&commit(ours, &bases, "ours"));
            let theirs = commit(theirs, &bases, "theirs");
            match ours.merge_commit(&theirs, LcaLimits::default(), "merge").unwrap() {
                Merged::Created(commit) => {
                    let tree = commit.tree();
                    Ok(["d/tea", "d/tea/x", "d"].map(|path| tree.get(path).unwrap()))
                }
                Merged::Conflicts(found) => {
                    Err(found.iter().map(|c| format!("{}: {}", c.path, c.reason)).collect())
                }
                other => panic!("{other:?}"),
            }
        };
        let tea = |stock| [("d/tea", item("white", stock))];
        let refused =
            |path: &str| Err(vec![format!("{path}: default: add/add and no common ancestor")]);
        assert_eq!(merge(&tea(12), &tea(11)), refused("d/tea"));
        // Either both have one less, or both agreed on that.
        assert_eq!(merge(&tea(9), &tea(9)), refused("d/tea"));
        let below = |stock| [("d/tea/x", item("white", stock))];
        assert_eq!(merge(&below(1), &below(2)), refused("d/tea/x"));
        // What only one side has stays, since nobody removed anything that is known.
        assert_eq!(merge(&tea(12), &[]), Ok([Some(item("white", 12)), None, None]));
        assert_eq!(merge(&[], &below(1)), Ok([None, Some(item("white", 1)), None]));
        assert_eq!(merge(&[], &[]), Ok([None, None, None]));
    }
}

/// A value and a directory of one name are a conflict on either side, and nothing is lost.
#[test]
fn a_file_against_a_directory_is_a_conflict() {
    for spec in specs() {
        let repo = repo(spec);
        let main = repo.main().unwrap();
        main.set("keep", "0", "base").unwrap();
        let other = main.fork("other").unwrap();
        main.set("x", "file", "file").unwrap();
        other.set("x/y", "dir", "dir").unwrap();
        for (ours, theirs) in [(&main, &other), (&other, &main)] {
            let head = ours.head().unwrap();
            let Merged::Conflicts(found) = ours.merge(theirs, "merge").unwrap() else {
                panic!("a conflict was expected")
            };
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].path.to_string(), "x");
            assert!(found[0].base.is_none());
            assert_eq!(found[0].reason.as_str(), "add/add values");
            assert_eq!(ours.head().unwrap(), head);
        }
        // Deleted here and changed there merges key by key.
        main.set("d/a", "1", "a").unwrap();
        main.set("d/b", "1", "b").unwrap();
        let side = main.fork("side").unwrap();
        main.remove("d/a", "remove").unwrap();
        side.set("d/b", "2", "change").unwrap();
        main.merge(&side, "merge").unwrap().resolved().unwrap();
        assert_eq!(main.get("d/b").unwrap().unwrap(), "2");
        assert_eq!(main.get("d/a").unwrap(), None);
    }
}

fn number(text: &Bytes) -> Option<i64> {
    String::from_utf8(text.to_vec()).ok()?.parse().ok()
}

proptest! {
    #![proptest_config(cases(24))]

    /// Counters count on both sides, also when both come out equal, and whatever was merged
    /// before: at the end, what was counted is what is there.
    #[test]
    fn counters_lose_nothing(steps in vec((0..3_usize, 0..3_usize, 0..5_u8), 1..25), n in 0..4_usize) {
        let counters = Merge::counter().like(number, |n| Some(Bytes::from(n.to_string())));
        let policies = Policies::new().with("counters/*".parse().unwrap(), counters);
        let repo = repo(specs()[n]).with_policies(policies);
        let main = repo.main().unwrap();
        let mut counted = 0;
        let mut count = |branch: &Branch| {
            counted += 1;
            branch.transaction("count", |tree| {
                let old = tree.get("counters/a")?.as_ref().and_then(number).unwrap_or(0);
                tree.set("counters/a", (old + 1).to_string())
            })
            .unwrap();
        };
        count(&main);
        let branches = [main.clone(), main.fork("b").unwrap(), main.fork("c").unwrap()];
        for (one, other, what) in steps {
            let (one, other) = (&branches[one], &branches[other]);
            match what {
                0..=2 => count(one),
                3 => drop(one.merge(other, "merge").unwrap().resolved().unwrap()),
                _ => {
                    let heads = [one.head().unwrap().unwrap(), other.head().unwrap().unwrap()];
                    for (branch, head) in [(one, &heads[1]), (other, &heads[0])] {
                        branch.merge_commit(head, Default::default(), "cross").unwrap()
                            .resolved().unwrap();
                    }
                }
            }
        }
        for other in &branches[1..] {
            main.merge(other, "gather").unwrap().resolved().unwrap();
        }
        let value = main.get("counters/a").unwrap();
        prop_assert_eq!(value.as_ref().and_then(number), Some(counted));
    }
}

/// Every commit of a level follows all of the level before: the common ancestors of two commits
/// are three, whose pairs have three in turn, and so on down to the root.
#[test]
fn many_common_ancestors_cost_no_more_than_their_history() {
    let levels: u64 = 14;
    let format = Format::new(FormatSpec::native());
    let counted = Arc::new(Counted::new(Arc::new(MemoryBackend::new(format))));
    let repo = Repo::new(counted.clone(), context()).unwrap();
    let mut tree: Tree = Tree::empty();
    tree.set("root", "0").unwrap();
    let mut level = vec![repo.commit_tree(&tree, &[], "root").unwrap().id()];
    for depth in 0..levels {
        let name = |side: usize| format!("{depth}/{side}");
        let next = (0..3).map(|side| {
            let mut tree = tree.clone();
            tree.set(name(side), "x").unwrap();
            repo.commit_tree(&tree, &level, "step").unwrap().id()
        });
        level = next.collect();
        (0..3).for_each(|side| tree.set(name(side), "x").unwrap());
    }
    let before = counted.counts().objects_read;
    let ours = repo.detached(&repo.commit(level[0]).unwrap().unwrap());
    let theirs = repo.commit(level[1]).unwrap().unwrap();
    let merged = ours.merge_commit(&theirs, LcaLimits::default(), "merge").unwrap();
    assert!(matches!(merged, Merged::Created(_)), "{merged:?}");
    let read = counted.counts().objects_read - before;
    assert!(read < 20 * levels, "{read} objects read");
}
