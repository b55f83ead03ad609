//! `Tree.merge` of trees in memory.

use irmin_core::Tree;
use irmin_core::contents::Policies;
use irmin_tests::replay::node::{self, Elt};
use irmin_tests::replay::{original, per_key};
use irmin_tests::vectors;
use serde_json::Value;

use super::classes::{Class, Tally};
use super::world::{expected_reasons, node_of, reasons, tree_of};

/// The reason of the last conflict in order of paths, step by step.
pub(super) fn last_reason(conflicts: &per_key::Conflicts) -> Option<&'static str> {
    let by_steps = |path: &&String| path.split('/').map(str::to_owned).collect::<Vec<_>>();
    conflicts.keys().max_by_key(by_steps).map(|path| conflicts[path])
}

/// What is merged.
pub(super) struct Sides {
    pub(super) base: Option<Elt>,
    pub(super) ours: Option<Elt>,
    pub(super) theirs: Option<Elt>,
}

/// The class in which a merge of trees by the original differs from one key by key.
pub(super) fn classify(
    sides: &Sides,
    original: &Result<Elt, original::Conflict>,
    ours: &(node::Flat, per_key::Conflicts),
) -> Result<Option<Class>, String> {
    let at = |elt: &Option<Elt>, path: &str| match elt {
        Some(Elt::Dir(node)) => node::get(node, path),
        other => other.clone().filter(|_| path.is_empty()),
    };
    match (original, last_reason(&ours.1)) {
        (Ok(Elt::Dir(merged)), None) => {
            if node::flat(merged) != ours.0 {
                return Err("the results differ".into());
            }
            let same = node::pruned(merged) == *merged;
            Ok((!same).then_some(Class::EmptyDirectory))
        }
        (Err(conflict), Some(reason)) if conflict.reason == reason => Ok(None),
        (Err(conflict), _) => {
            let path = &conflict.path;
            let base = at(&sides.base, path);
            let (a, b) = (at(&sides.ours, path), at(&sides.theirs, path));
            let sides = [&base, &a, &b].map(Option::as_ref);
            let some = |dir: bool| sides.iter().flatten().any(|elt| elt.dir().is_some() == dir);
            match (some(false), some(true)) {
                (true, true) => return Ok(Some(Class::KindChange)),
                (false, true) if a.is_none() != b.is_none() && base.is_some() => {
                    return Ok(Some(Class::DeletedDirectory));
                }
                (true, false) if base.is_none() && a == b => {
                    return Ok(Some(Class::EqualAdditions));
                }
                _ => {}
            }
            Err(format!("the original has {conflict:?}"))
        }
        (Ok(_), conflict) => Err(format!("the original has none of {conflict:?}")),
    }
}

#[test]
fn merges_of_trees() {
    let mut tally = Tally::new("merge_tree");
    for case in vectors::json_lines("merge_tree.jsonl") {
        if let Err(what) = replay(&case, &mut tally) {
            tally.fail(format!("case {}: {what}", case["id"]));
        }
    }
    tally.check();
}

fn replay(case: &Value, tally: &mut Tally) -> Result<(), String> {
    let side = |name: &str| Elt::Dir(node::of_json(&case[name]));
    let base = (!case["base"].is_null()).then(|| side("base"));
    let (ours, theirs) = (&side("ours"), &side("theirs"));
    let original = original::tree_merge(original::Modes::None, base.as_ref(), ours, theirs);
    match &original {
        Ok(merged) => assert_eq!(*merged, side("result"), "model of the original: {case}"),
        Err(conflict) => assert_eq!(conflict.reason, case["conflict"], "model: {case}"),
    }

    let flat = |elt: &Elt| node::flat(elt.dir().unwrap());
    let model = per_key::merge(base.as_ref().map(flat).as_ref(), &flat(ours), &flat(theirs));
    let base_tree = base.as_ref().map(tree_of);
    let (our_tree, their_tree) = (tree_of(ours), tree_of(theirs));
    let merged = Tree::merge(base_tree.as_ref(), &our_tree, &their_tree, &Policies::new());
    match merged.unwrap() {
        Ok(tree) => {
            if !model.1.is_empty() || node_of(&tree) != node::of_flat(&model.0) {
                return Err(format!("merged to {:?}, expected {model:?}", node_of(&tree)));
            }
        }
        Err(conflicts) => {
            if reasons(&conflicts) != expected_reasons(&model.1) {
                return Err(format!("{:?}, expected {model:?}", reasons(&conflicts)));
            }
        }
    }
    let sides = Sides { base, ours: Some(ours.clone()), theirs: Some(theirs.clone()) };
    tally.count(classify(&sides, &original, &model)?);
    Ok(())
}
