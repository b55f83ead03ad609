//! The hand-written scenarios: merges, histories and grids of limits, on three kinds of store.

use std::collections::BTreeMap;

use irmin_core::contents::Policies;
use irmin_core::history::LcaLimits;
use irmin_core::{CommitId, CommitOptions, FormatSpec, Tree};
use irmin_tests::replay::node::{self, Elt, Node};
use irmin_tests::replay::{Dag as _, original, per_key};
use irmin_tests::vectors;
use serde_json::{Value, json};

use super::classes::{Class, Tally};
use super::histories::{Replay, check_ours, classify_commits};
use super::merge_tree::{Sides, classify};
use super::world::{World, expected_reasons, node_of, reasons, tree_of};

/// The name of a store in the vectors, that of its corpus here, and its format.
type Kind = (&'static str, &'static str, fn() -> FormatSpec);

const STORES: [Kind; 3] = [
    ("mem_default", "scenarios_mem", FormatSpec::irmin_mem),
    ("pack_default", "scenarios_pack", FormatSpec::irmin_pack),
    ("git_fs", "scenarios_git", FormatSpec::git),
];

#[test]
fn hand_written_scenarios() {
    let all = vectors::json("irmin-3.11.json");
    for (store, corpus, spec) in STORES {
        let mut tally = Tally::new(corpus);
        let cases = |name: &str| all[store][name].as_array().unwrap().iter().enumerate();
        for (i, case) in cases("merges") {
            let compared = tree_merge(store, case).and_then(|class| {
                tally.count(class);
                commit_merge(spec(), case)
            });
            tally.end(compared, &format!("merge {i}, {}", case["name"]));
        }
        for (i, case) in cases("history_merges") {
            let compared = history_merge(spec(), case);
            tally.end(compared, &format!("history merge {i}, {}", case["name"]));
        }
        for (_, case) in cases("lcas") {
            if let Err(what) = grid(spec(), case, &mut tally) {
                tally.fail(format!("graph {}: {what}", case["dag"]));
            }
        }
        super::behaviours::replay(spec, &all[store]["behaviours"], &mut tally);
        tally.check();
    }
}

/// What one of the two merges of the original came to.
fn outcome<'a>(case: &'a Value, name: &str) -> &'a Value {
    let both = &case["result"];
    if both.is_null() { &case[name] } else { both }
}

/// A tree that the original makes by adding what is in a map: empty ones are not added.
fn given(map: &Value) -> Node {
    node::pruned(&node::of_json(map))
}

fn tree_merge(store: &str, case: &Value) -> Result<Option<Class>, String> {
    let modes = if store == "git_fs" { original::Modes::Git } else { original::Modes::None };
    let elt = |name: &str| Elt::Dir(given(&case[name]));
    let [base, ours, theirs] = ["base", "ours", "theirs"].map(elt);
    let original = original::tree_merge(modes, Some(&base), &ours, &theirs);
    let expected = outcome(case, "tree_merge");
    let model = match &original {
        Ok(Elt::Dir(merged)) => json!(node::lines(merged)),
        Ok(Elt::File(_)) => return Err("a value".into()),
        Err(conflict) => json!(conflict.reason),
    };
    let key = if original.is_ok() { "ok" } else { "conflict" };
    if expected[key] != model {
        return Err(format!("the model of the original says {model}"));
    }
    let flat = |elt: &Elt| node::flat(elt.dir().unwrap());
    let model = per_key::merge(Some(&flat(&base)), &flat(&ours), &flat(&theirs));
    let trees = [&base, &ours, &theirs].map(tree_of);
    let agrees = match Tree::merge(Some(&trees[0]), &trees[1], &trees[2], &Policies::new()) {
        Ok(Ok(tree)) => model.1.is_empty() && node_of(&tree) == node::of_flat(&model.0),
        Ok(Err(conflicts)) => reasons(&conflicts) == expected_reasons(&model.1),
        Err(e) => return Err(e.to_string()),
    };
    if !agrees {
        return Err(format!("ours is not {model:?}"));
    }
    let sides = Sides { base: Some(base), ours: Some(ours), theirs: Some(theirs) };
    classify(&sides, &original, &model)
}

fn commit_merge(spec: FormatSpec, case: &Value) -> Result<Option<Class>, String> {
    let mut world = World::new(spec);
    let mut commit = |name: &str, parents: &[CommitId]| {
        world.info = CommitOptions::new(name);
        world.add(&given(&case[name]), parents)
    };
    let base = commit("base", &[]);
    let (x, y) = (commit("ours", &[base]), commit("theirs", &[base]));
    merge(&mut world, x, y, outcome(case, "store_merge"))
}

/// Merges a commit into another one and compares with the vector's map.
fn merge(
    world: &mut World,
    x: CommitId,
    y: CommitId,
    expected: &Value,
) -> Result<Option<Class>, String> {
    world.info = CommitOptions::new("merge");
    let all = original::merge_commits(world, y, x, original::Limits::default());
    let agrees = |world: &mut World, one: &Result<CommitId, original::Reason>| match one {
        Ok(id) => expected["ok"] == json!(node::lines(&world.node(*id))),
        Err(reason) => {
            expected["conflict"] == format!("Recursive merging of common ancestors: {reason}")
        }
    };
    let Some(original) = all.iter().find(|one| agrees(world, one)) else {
        return Err(format!("the model of the original says {all:?}"));
    };
    let head = world.commit(x);
    let branch = world.repo.detached(&head);
    let theirs = world.commit(y);
    let merged = branch.merge_commit(&theirs, LcaLimits::default(), world.info.clone()).unwrap();
    let head = branch.head().unwrap().unwrap();
    let model = per_key::merge_commits(world, x, y);
    check_ours(&model, &merged, &head)?;
    if let Ok(id) = original
        && !matches!(model, per_key::Outcome::Conflicts(_))
        && world.node(*id) == world.node(head.id())
    {
        let mut parents = world.commit(*id).parent_ids();
        let mut ours = head.parent_ids();
        parents.sort_unstable();
        ours.sort_unstable();
        return if parents == ours { Ok(None) } else { Err("the parents differ".into()) };
    }
    classify_commits(world, (x, y), original.ok(), &model, head.id())
}

/// Writes a graph of commits; the messages are their names.
fn build(spec: FormatSpec, commits: &Value) -> (World, Vec<CommitId>, BTreeMap<String, usize>) {
    let mut world = World::new(spec);
    let (mut ids, mut names) = (Vec::new(), BTreeMap::new());
    for (i, commit) in commits.as_array().unwrap().iter().enumerate() {
        let name = commit["commit"].as_str().unwrap();
        let parent = |name: &Value| ids[names[name.as_str().unwrap()]];
        let parents: Vec<CommitId> =
            commit["parents"].as_array().unwrap().iter().map(parent).collect();
        let map =
            if commit["map"].is_null() { json!({ "k": name }) } else { commit["map"].clone() };
        world.info = CommitOptions::new(name);
        ids.push(world.add(&given(&map), &parents));
        names.insert(name.to_owned(), i);
    }
    (world, ids, names)
}

fn history_merge(spec: FormatSpec, case: &Value) -> Result<Option<Class>, String> {
    let (mut world, ids, names) = build(spec, &case["dag"]);
    let id = |name: &Value| ids[names[name.as_str().unwrap()]];
    let (x, y) = (id(&case["into"]), id(&case["merged"]));
    let mut expected: Vec<CommitId> = case["lcas"].as_array().unwrap().iter().map(id).collect();
    expected.sort_unstable();
    let (a, b) = (world.commit(x), world.commit(y));
    let lcas = world.repo.lcas(&a, &b, LcaLimits::default()).unwrap();
    if !lcas.iter().map(irmin_core::Commit::id).eq(expected) {
        return Err(format!("the common ancestors are {lcas:?}"));
    }
    merge(&mut world, x, y, &case["result"])
}

/// Compares the search for common ancestors under many limits.
fn grid(spec: FormatSpec, case: &Value, tally: &mut Tally) -> Result<(), String> {
    let (world, ids, names) = build(spec, &case["commits"]);
    let mut replay = Replay::over(world, ids.clone());
    for pair in case["pairs"].as_array().unwrap() {
        let id = |name: &str| ids[names[pair[name].as_str().unwrap()]];
        let (x, y) = (id("from"), id("to"));
        let at = format!("{} to {}", pair["from"], pair["to"]);
        // As the random histories write them.
        let result = |lcas: &Value| match lcas.as_array() {
            Some(all) => all.iter().map(|name| json!(names[name.as_str().unwrap()])).collect(),
            None => lcas["error"].clone(),
        };
        for query in pair["queries"].as_array().unwrap() {
            let mut query = query.clone();
            query["r"] = result(&query["lcas"]);
            replay.lcas(x, y, &query, tally).map_err(|e| format!("{at}, {query}: {e}"))?;
        }
        for query in pair["fast_forward_from_to"].as_array().into_iter().flatten() {
            let mut query = query.clone();
            query["r"] = query["result"].clone();
            replay.fast_forward(x, y, &query, tally).map_err(|e| format!("{at}, {query}: {e}"))?;
        }
    }
    Ok(())
}
