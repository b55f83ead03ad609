//! Merges of trees that are stored, in memory, of other handles, or all of that: they are one.

use std::sync::Arc;

use irmin_core::backend::{Backend, StrictMemory};
use irmin_core::contents::Policies;
use irmin_core::object::{LayoutSpec, irmin};
use irmin_core::{Bytes, Format, FormatSpec, Merge, Metadata, Repo, Tree};
use irmin_tests::model::{History, Model, ModelCommit};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::merges_hostile::{keep, key_of};
use crate::model::script::Edit as Step;
use crate::model::{apply, cases, compare, context, tree_of};

fn trie(fanout: u32, bound: u32) -> FormatSpec {
    let params = irmin::Params { fanout, stable_bound: Some(bound), modes: true };
    FormatSpec { layout: LayoutSpec::Irmin(params), ..FormatSpec::native() }
}

fn tries() -> impl Strategy<Value = FormatSpec> {
    prop::sample::select(vec![trie(2, 0), trie(4, 4), trie(2, 5), FormatSpec::native()])
}

/// Few names of wide directories, values and directories of one name.
fn script(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let name = |n: u8| format!("k{n}").into_bytes();
    let path = (0..8_u8, 0..40_u8, 0..30_u8).prop_map(move |(place, n, m)| match place {
        0..3 => vec![name(n)],
        3 | 4 => vec![b"d".to_vec(), name(n)],
        5 => vec![b"d".to_vec(), name(n % 3), name(m)],
        6 => vec![name(n % 3), name(m)],
        _ => vec![name(n % 3), name(m % 3), name(m)],
    });
    let leaf = (0..5_u8).prop_map(|n| (vec![b'0' + n], Metadata::Normal));
    let edit = prop_oneof![
        2 => (path.clone(), leaf).prop_map(|(path, leaf)| Step::Set(path, leaf)),
        1 => path.prop_map(Step::Remove),
    ];
    vec(edit, 0..most)
}

fn strict(spec: FormatSpec) -> Repo {
    let backend: Arc<dyn Backend> = Arc::new(StrictMemory::new(Format::new(spec)).demanding_pins());
    Repo::new(backend, context()).unwrap()
}

fn edited(model: &Model, edits: &[Step]) -> Model {
    let (mut tree, mut model) = (tree_of(model), model.clone());
    edits.iter().for_each(|edit| apply(&mut tree, &mut model, edit, true));
    model
}

fn number(bytes: &Bytes) -> Option<i64> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

fn counting() -> Policies<Bytes> {
    let counters = || Merge::counter().like(number, |n| Some(Bytes::from(n.to_string())));
    Policies::new()
        .with("d/**".parse().unwrap(), counters())
        .with("k1".parse().unwrap(), counters())
        .with("k2".parse().unwrap(), counters())
        .with("k3".parse().unwrap(), counters())
}

type Outcome = Result<Tree, Vec<(String, String)>>;

fn merged(base: Option<&Tree>, ours: &Tree, theirs: &Tree, policies: &Policies<Bytes>) -> Outcome {
    Tree::merge(base, ours, theirs, policies).unwrap().map_err(|conflicts| {
        conflicts.iter().map(|c| (c.path.to_string(), c.reason.to_string())).collect()
    })
}

proptest! {
    #![proptest_config(cases(24))]

    /// Stored trees merge as trees in memory do: values, conflicts, reasons; whatever the policy.
    #[test]
    fn stored_trees_merge_as_those_in_memory(
        base in script(200),
        ours in prop_oneof![script(6), script(80)],
        theirs in prop_oneof![script(6), script(80)],
        spec in tries(),
    ) {
        let repo = strict(spec);
        let base = edited(&Model::default(), &base);
        let (ours, theirs) = (edited(&base, &ours), edited(&base, &theirs));
        let eager = [&base, &ours, &theirs].map(tree_of);
        let lazy = eager.each_ref().map(|tree| keep(&repo, tree));
        for policies in [Policies::new(), counting()] {
            let expected = merged(Some(&eager[0]), &eager[1], &eager[2], &policies);
            let found = merged(Some(&lazy[0]), &lazy[1], &lazy[2], &policies);
            match (expected, found) {
                (Ok(expected), Ok(found)) => {
                    prop_assert_eq!(key_of(&repo, &keep(&repo, &found)), key_of(&repo, &expected));
                    prop_assert!(found.same(&expected).unwrap());
                }
                (Err(a), Err(b)) => prop_assert_eq!(a, b),
                (a, b) => panic!("{:?} {:?}", a.is_ok(), b.is_ok()),
            }
        }
    }

    /// Sides that are of several handles, partly in memory, or both; merged into other stores.
    #[test]
    fn sides_of_any_kind_merge_alike(
        base in script(160),
        ours in prop_oneof![script(6), script(80)],
        theirs in prop_oneof![script(6), script(80)],
        more in vec(script(5), 3),
        how in vec(0..4_u8, 3),
        spec in tries(),
        other in tries(),
    ) {
        let repo = strict(spec);
        let handle: Repo = Repo::new(repo.backend().clone(), context()).unwrap();
        let mut models = [edited(&Model::default(), &base), Model::default(), Model::default()];
        models[1] = edited(&models[0], &ours);
        models[2] = edited(&models[0], &theirs);
        let mut sides = Vec::new();
        for ((model, how), more) in models.iter_mut().zip(&how).zip(&more) {
            let mut tree = keep(if *how == 1 { &handle } else { &repo }, &tree_of(model));
            if *how >= 2 {
                more.iter().for_each(|edit| apply(&mut tree, model, edit, true));
            }
            if *how == 3 {
                // Committed with its edits still in memory.
                keep(&repo, &tree);
            }
            sides.push(tree);
        }
        let eager = models.each_ref().map(tree_of);
        for policies in [Policies::new(), counting()] {
            let expected = merged(Some(&eager[0]), &eager[1], &eager[2], &policies);
            let fresh = || merged(Some(&sides[0]), &sides[1], &sides[2], &policies);
            match (expected, fresh()) {
                (Ok(expected), Ok(found)) => {
                    prop_assert_eq!(key_of(&repo, &keep(&repo, &found)), key_of(&repo, &expected));
                    // Once written it is written again, and read.
                    prop_assert_eq!(key_of(&repo, &keep(&repo, &found)), key_of(&repo, &expected));
                    prop_assert!(found.same(&expected).unwrap());
                    let into = strict(other);
                    prop_assert_eq!(key_of(&into, &keep(&into, &fresh().unwrap())), key_of(&into, &expected));
                    let again: Repo = Repo::new(repo.backend().clone(), context()).unwrap();
                    prop_assert_eq!(key_of(&again, &keep(&again, &fresh().unwrap())), key_of(&again, &expected));
                    prop_assert_eq!(key_of(&repo, &fresh().unwrap()), key_of(&repo, &expected));
                    let mut pages: Vec<String> = Vec::new();
                    let (tree, mut cursor) = (fresh().unwrap(), None);
                    loop {
                        let page = tree.page("", cursor.as_ref(), 3).unwrap();
                        pages.extend(page.entries.iter().map(|(step, _)| step.to_string()));
                        cursor = page.next;
                        if cursor.is_none() { break; }
                    }
                    pages.sort();
                    let mut names: Vec<String> = expected.list("").unwrap().iter().map(|(s, _)| s.to_string()).collect();
                    prop_assert_eq!(pages.len(), names.len());
                    names.sort();
                    prop_assert_eq!(pages, names);
                }
                (Err(a), Err(b)) => prop_assert_eq!(a, b),
                (a, b) => panic!("{:?} {:?}", a.is_ok(), b.is_ok()),
            }
        }
    }

    /// Two commits that both follow some commits: these together are the base.
    #[test]
    fn several_common_ancestors_are_one_base(
        base in script(150),
        firsts in vec(script(5), 2..5),
        last in [script(5), script(5)],
        spec in tries(),
    ) {
        let repo = strict(spec);
        let mut history = History::default();
        let mut commit = |model: &Model, parents: &[irmin_core::CommitId], text: String| {
            let commit = repo.commit_tree(&tree_of(model), parents, text).unwrap();
            let known = ModelCommit { tree: model.clone(), parents: parents.to_vec() };
            history.0.insert(commit.id(), known);
            commit
        };
        let root = edited(&Model::default(), &base);
        let first = commit(&root, &[], "root".to_owned());
        let sides: Vec<Model> = firsts.iter().map(|edits| edited(&root, edits)).collect();
        let ids: Vec<_> = sides.iter().enumerate()
            .map(|(n, model)| commit(model, &[first.id()], format!("side {n}")).id()).collect();
        let joined = sides[1..].iter().fold(sides[0].clone(), |joined, side| {
            Model::merge(Some(&root), &joined, side).0
        });
        let ends = [0, 1].map(|n| commit(&edited(&joined, &last[n]), &ids, format!("end {n}")));
        let ids = ends.each_ref().map(irmin_core::Commit::id);
        let names = ["a", "b"].map(|name| repo.branch(name).unwrap());
        names.iter().zip(&ends).for_each(|(b, end)| b.set_head(Some(end), "start").unwrap());
        let bases = history.bases(&[ids[0]], ids[1]);
        let below = history.base_tree(&bases);
        let (tree, conflicts) =
            Model::merge(below.as_ref(), &history.0[&ids[0]].tree, &history.0[&ids[1]].tree);
        let _ = names[0].merge(&names[1], "merge").unwrap();
        let head = names[0].head().unwrap().unwrap();
        let done = head.id() != ids[0];
        if done {
            prop_assert!(conflicts.is_empty());
            compare(&head.tree(), &tree);
            prop_assert_eq!(head.tree_id().hash(), key_of(&repo, &tree_of(&tree)).hash);
        } else if ids[0] != ids[1] {
            prop_assert!(!conflicts.is_empty() || bases.len() > 1);
        }
    }
}
