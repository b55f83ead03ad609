//! Sequences of operations on one store.
//!
//! Each operation begins where the original was: after a difference our branch is moved to the
//! original's commit, which the model of the original makes.

use std::collections::{BTreeMap, HashMap};

use irmin_core::history::LcaLimits;
use irmin_core::{
    Branch, Code, Commit, CommitId, CommitOptions, FastForward, FormatSpec, Merged, Result,
    Strategy, Tree, TreeId,
};
use irmin_tests::replay::node::{self, Elt, Flat, Node};
use irmin_tests::replay::{Dag as _, original, per_key};
use irmin_tests::vectors;
use serde_json::Value;

use super::classes::{Class, Tally};
use super::histories::{check_ours, classify_commits, commit_id};
use super::merge_tree::{Sides, classify};
use super::world::{World, expected_reasons, node_of, reasons, tree_of};

#[test]
fn memory_store() {
    run("ops_mem", FormatSpec::irmin_mem());
}

#[test]
fn pack_store() {
    run("ops_pack", FormatSpec::irmin_pack());
}

#[test]
fn git_store() {
    run("git_ops", FormatSpec::git());
}

fn run(corpus: &'static str, spec: FormatSpec) {
    let mut tally = Tally::new(corpus);
    for sequence in vectors::json_lines(&format!("{corpus}.jsonl")) {
        let id = &sequence["id"];
        let mut replay =
            Replay { world: World::new(spec), git: corpus == "git_ops", heads: HashMap::new() };
        for (i, op) in sequence["ops"].as_array().unwrap().iter().enumerate() {
            match replay.step(i, op, &mut tally) {
                Ok(()) => {}
                Err(what) => {
                    tally.fail(format!("sequence {id}, op {i} {}: {what}", shown(op)));
                    break;
                }
            }
            if i + 1 == sequence["ops"].as_array().unwrap().len()
                && let Err(what) = super::reads::check_final(&mut replay.world, &sequence)
            {
                tally.fail(format!("sequence {id}, at the end: {what}"));
            }
        }
    }
    tally.check();
}

fn shown(op: &Value) -> String {
    let mut text = op.to_string();
    text.truncate(text.char_indices().nth(400).map_or(text.len(), |(at, _)| at));
    text
}

pub(super) fn text<'a>(op: &'a Value, name: &str) -> &'a str {
    op[name].as_str().unwrap_or_else(|| panic!("no {name} in {op}"))
}

fn number(op: &Value, name: &str) -> usize {
    usize::try_from(op[name].as_u64().unwrap()).unwrap()
}

/// The tree of a `set_tree` or `merge_tree`.
fn given_tree(op: &Value) -> Node {
    if op["gen"].is_null() {
        // To add an empty tree is to remove what is there.
        return node::pruned(&node::of_json(&op["tree"]));
    }
    let generated = &op["gen"];
    let entry = |i: usize| {
        let name = format!("{}{i:05}", text(generated, "pre"));
        (name, Elt::File(format!("{}{i}", text(generated, "v"))))
    };
    (0..number(generated, "n")).map(entry).collect()
}

/// The edits of a `batch`, in order: a value, or nothing to remove what is there.
fn edits(op: &Value) -> impl Iterator<Item = (&str, Option<&str>)> {
    op["edits"].as_array().unwrap().iter().map(|edit| (edit[0].as_str().unwrap(), edit[1].as_str()))
}

fn edit(mut tree: Tree, op: &Value) -> Result<Tree> {
    for (path, value) in edits(op) {
        match value {
            Some(value) => tree.set(path, value.to_owned())?,
            None => tree.remove(path)?,
        }
    }
    Ok(tree)
}

/// The names that a `remove_range` removes.
fn range(op: &Value) -> impl Iterator<Item = String> + '_ {
    (number(op, "from")..number(op, "to")).map(|i| format!("{}{i:05}", text(op, "pre")))
}

/// How an operation of ours ended.
#[derive(Debug)]
enum Ours {
    Done,
    Merged(Box<Merged>),
    FastForward(FastForward),
    Refused(Code),
}

struct Replay {
    world: World,
    git: bool,
    /// The new heads of the original by operation.
    heads: HashMap<usize, CommitId>,
}

impl Replay {
    fn step(&mut self, i: usize, op: &Value, tally: &mut Tally) -> Result<(), String> {
        if let Some(read) = super::reads::read(&mut self.world, op) {
            tally.count(read?);
            return Ok(());
        }
        self.world.info = CommitOptions::new(format!("op {i}"))
            .author("ann <ann@example.org>")
            .date(1000 + i64::try_from(i).unwrap());
        let branch = self.world.repo.branch(text(op, "b")).unwrap();
        let before = head(&branch);
        // Before ours runs: a branch may be merged with itself.
        let theirs = self.merged_commit(op);
        let ours = match self.apply(op, &branch) {
            Ok(ours) => ours,
            Err(e) => Ours::Refused(e.code()),
        };
        let after = head(&branch);
        let vector = match op.get("h") {
            None => before,
            Some(Value::Null) => None,
            Some(id) => Some(commit_id(id)),
        };
        if let (Some(id), true) = (vector, op.get("h").is_some()) {
            self.heads.insert(i, id);
        }
        let context = Context { op, before, theirs, vector, after };
        let class = match text(op, "op") {
            "merge_branch" | "merge_commit" => self.compare_commits(&context, &ours)?,
            "merge_value" | "merge_tree" => self.compare_trees(&context, &ours)?,
            _ => self.compare(&context, &ours)?,
        };
        tally.count(class);
        if after != vector {
            let commit = vector.map(|id| self.world.commit(id));
            branch.set_head(commit.as_ref(), "").unwrap();
        }
        let tree = vector.map(|id| self.world.commit(id).tree_id().to_string());
        match op["t"].as_str() {
            Some(expected) if tree.as_deref() != Some(expected) => Err("the root differs".into()),
            _ => Ok(()),
        }
    }

    /// The commit that an operation merges.
    fn merged_commit(&self, op: &Value) -> Option<CommitId> {
        match text(op, "op") {
            "merge_branch" => head(&self.world.repo.branch(text(op, "from")).unwrap()),
            "merge_commit" => Some(self.heads[&number(op, "at")]),
            _ => None,
        }
    }

    fn options(&self, op: &Value) -> CommitOptions {
        let mut options = self.world.info.clone();
        if op["allow_empty"] == true {
            options = options.allow_empty();
        }
        match op["parents_at"].as_array() {
            None => options,
            Some(at) => {
                let id = |i: &Value| self.heads[&usize::try_from(i.as_u64().unwrap()).unwrap()];
                options.parents(at.iter().map(id).collect::<Vec<_>>())
            }
        }
    }

    /// Runs an operation on ours.
    fn apply(&mut self, op: &Value, branch: &Branch) -> Result<Ours> {
        let options = self.options(op);
        let path = op["p"].as_str().unwrap_or_default();
        let value = |name: &str| op[name].as_str().map(|text| text.to_owned().into());
        let tree = |name: &str| {
            let given = |map: &Value| tree_of(&Elt::Dir(node::of_json(map)));
            (!op[name].is_null()).then(|| given(&op[name]))
        };
        match text(op, "op") {
            "set" => drop(branch.set(path, text(op, "v").to_owned(), options)?),
            "remove" => drop(branch.remove(path, options)?),
            "set_tree" => {
                drop(branch.set_tree(path, &tree_of(&Elt::Dir(given_tree(op))), options)?);
            }
            "batch" => {
                let edit = |tree: Option<Tree>| edit(tree.unwrap_or_default(), op).map(Some);
                drop(branch.with_tree(path, Strategy::Set, options, edit)?);
            }
            "remove_range" => drop(branch.transaction(options, |root| {
                let mut tree = root.get_tree(path)?.unwrap_or_default();
                for name in range(op) {
                    tree.remove(name.as_str())?;
                }
                root.set_tree(path, tree)
            })?),
            "test_and_set" => {
                drop(branch.test_and_set(path, value("test"), value("set"), options)?);
            }
            "merge_value" => {
                let merged = branch.merge_value(path, value("old"), value("v"), options)?;
                return Ok(Ours::Merged(Box::new(merged)));
            }
            "merge_tree" => {
                let (old, new) = (tree("old"), tree("tree"));
                let merged = branch.merge_tree(path, old.as_ref(), new.as_ref(), options)?;
                return Ok(Ours::Merged(Box::new(merged)));
            }
            "merge_branch" => {
                let from = self.world.repo.branch(text(op, "from"))?;
                return Ok(Ours::Merged(Box::new(branch.merge(&from, options)?)));
            }
            "merge_commit" => {
                let theirs = self.at(op);
                let merged = branch.merge_commit(&theirs, LcaLimits::default(), options)?;
                return Ok(Ours::Merged(Box::new(merged)));
            }
            "clone" => {
                let from = self.world.repo.branch(text(op, "from"))?;
                drop(from.clone_to(text(op, "b"), options)?);
            }
            "head_set" => branch.set_head(Some(&self.at(op)), options)?,
            "fast_forward" => {
                let to = self.at(op);
                let done = branch.fast_forward(&to, LcaLimits::default(), options)?;
                return Ok(Ours::FastForward(done));
            }
            "branch_remove" => branch.delete(options)?,
            other => panic!("operation {other}"),
        }
        Ok(Ours::Done)
    }

    /// The commit that was the new head after the operation that this one names.
    fn at(&mut self, op: &Value) -> Commit {
        self.world.commit(self.heads[&number(op, "at")])
    }

    /// Compares operations that do not merge.
    fn compare(&mut self, context: &Context<'_>, ours: &Ours) -> Result<Option<Class>, String> {
        let Context { op, before, vector, after, .. } = *context;
        let result = &op["r"];
        let current = before.map(|id| self.world.commit(id).tree());
        let current = current.and_then(|tree| tree.get_tree(op["p"].as_str()?).unwrap());
        let agrees = match ours {
            Ours::Done => result == "ok",
            Ours::FastForward(done) => {
                result
                    == match done {
                        FastForward::Forward => "ok",
                        FastForward::NoChange => "No_change",
                        FastForward::Rejected => "Rejected",
                    }
            }
            Ours::Refused(Code::PreconditionFailed) => test_was(result, current.as_ref()),
            _ => false,
        };
        // A directory that the original emptied and kept is absent for ours.
        let empty = self.world.repo.format().empty_dir().unwrap().0.hash.to_string();
        if self.git && result["test_was_tree"] == empty && matches!(ours, Ours::Done) {
            return Ok(Some(Class::EmptyDirectory));
        }
        if !agrees {
            return Err(format!("ours is {ours:?}"));
        }
        if after == vector {
            return Ok(None);
        }
        self.classify_write(context)
    }

    /// The class of a write whose commits differ, once the original's is made by its model.
    fn classify_write(&mut self, context: &Context<'_>) -> Result<Option<Class>, String> {
        let Context { before, vector, after, .. } = *context;
        let original = self.make_original(context)?;
        let root = |world: &mut World, id: Option<CommitId>| match id {
            Some(id) => world.commit(id).tree_id(),
            None => TreeId(world.repo.format().empty_dir().unwrap().0.hash),
        };
        let unchanged = root(&mut self.world, vector) == root(&mut self.world, before);
        if after == before && unchanged && vector.is_some() {
            return Ok(Some(Class::Unchanged));
        }
        if self.git
            && let (Some(ours), Some(theirs)) = (after, vector)
            && self.only_parents_differ(ours, theirs)
        {
            return Ok(Some(Class::ParentOrder));
        }
        let ours = after.map_or_else(Node::new, |id| (*self.world.node(id)).clone());
        let emptied = node::pruned(&original) != original;
        if self.git && emptied && node::flat(&ours) == node::flat(&original) {
            return Ok(Some(Class::EmptyDirectory));
        }
        Err(format!("the heads are ours {after:?}, original {vector:?}"))
    }

    /// Whether the original's merge of two commits would be ours if no side had an empty
    /// directory.
    fn differs_by_empty(
        &mut self,
        original: CommitId,
        ours: CommitId,
        (x, y): (CommitId, CommitId),
    ) -> bool {
        let bases = original::lcas(&mut self.world, x, y, original::Limits::default()).unwrap();
        let base = bases.first().map(|id| node::pruned(&self.world.node(*id)));
        let sides = [x, y].map(|id| self.world.node(id));
        let empty = |node: &Node| node::pruned(node) != *node;
        if bases.len() > 1
            || !(empty(&sides[0]) || empty(&sides[1]) || empty(&self.world.node(original)))
        {
            return false;
        }
        let [a, b] = sides.map(|node| node::pruned(&node));
        let merged = original::node_merge(base.as_ref(), &a, &b);
        merged.is_ok_and(|merged| node::flat(&merged) == node::flat(&self.world.node(ours)))
    }

    /// Whether two commits differ in the order of their parents only.
    fn only_parents_differ(&mut self, ours: CommitId, theirs: CommitId) -> bool {
        let (a, b) = (self.world.commit(ours), self.world.commit(theirs));
        let (mut parents, sorted) = (a.parent_ids(), b.parent_ids());
        parents.sort_unstable();
        a.tree_id() == b.tree_id() && a.info() == b.info() && parents == sorted
    }

    /// Writes the original's commit, if the model of the original agrees with the vector.
    fn make_original(&mut self, context: &Context<'_>) -> Result<Node, String> {
        let Context { op, before, vector, .. } = *context;
        let mut parents = self.options(op).parents.unwrap_or_else(|| Vec::from_iter(before));
        // The original sorts parents on every store.
        parents.sort_unstable();
        let edited = self.original_root(op, before).map_err(|e| format!("a conflict {e:?}"))?;
        for root in [edited.clone(), node::pruned(&edited)] {
            if self.git || root == node::pruned(&root) {
                let id = self.world.add(&root, &parents);
                if Some(id) == vector {
                    return Ok(root);
                }
            }
        }
        Err(format!("the model of the original makes no {vector:?}: {:?}", node::lines(&edited)))
    }

    /// What the original's root is after a write; emptied directories stay in it.
    fn original_root(
        &mut self,
        op: &Value,
        before: Option<CommitId>,
    ) -> Result<Node, original::Conflict> {
        let mut root = before.map_or_else(Node::new, |id| (*self.world.node(id)).clone());
        let path = op["p"].as_str().unwrap_or_default();
        let subtree = match node::get(&root, path) {
            Some(Elt::Dir(dir)) => dir,
            _ => Node::new(),
        };
        let file = |name: &str| op[name].as_str().map(|text| Elt::File(text.to_owned()));
        let new = match text(op, "op") {
            "set" => file("v"),
            "remove" => None,
            "set_tree" => Some(Elt::Dir(given_tree(op))),
            "test_and_set" => file("set"),
            "batch" => {
                let mut subtree = subtree;
                for (path, value) in edits(op) {
                    match value {
                        Some(value) => node::set(&mut subtree, path, Elt::File(value.to_owned())),
                        None => node::remove(&mut subtree, path),
                    }
                }
                Some(Elt::Dir(subtree))
            }
            "remove_range" => {
                let mut subtree = subtree;
                range(op).for_each(|name| node::remove(&mut subtree, &name));
                Some(Elt::Dir(subtree))
            }
            "merge_value" | "merge_tree" => {
                let (old, new) = merge_arguments(op);
                let current = before.and_then(|_| node::get(&root, path));
                let modes = if self.git { original::Modes::Git } else { original::Modes::None };
                original::optional_tree_merge(
                    modes,
                    Some(old.as_ref()),
                    current.as_ref(),
                    new.as_ref(),
                )?
            }
            other => panic!("operation {other}"),
        };
        put(&mut root, path, new);
        Ok(root)
    }

    fn compare_trees(
        &mut self,
        context: &Context<'_>,
        ours: &Ours,
    ) -> Result<Option<Class>, String> {
        let Context { op, before, vector, after, .. } = *context;
        let path = op["p"].as_str().unwrap_or_default();
        let root = before.map_or_else(Node::new, |id| (*self.world.node(id)).clone());
        let (old, new) = merge_arguments(op);
        let with = |elt: &Option<Elt>| {
            let mut root = root.clone();
            put(&mut root, path, elt.clone());
            root
        };
        let (base, theirs) = (with(&old), with(&new));
        let model =
            per_key::merge(Some(&node::flat(&base)), &node::flat(&root), &node::flat(&theirs));
        check_our_trees(ours, &model, &node::flat(&root))?;

        // The original compares what is there with the new tree before it merges.
        let same = before.is_some() && node::get(&root, path) == new;
        let original = if same { Ok(root.clone()) } else { self.original_root(op, before) };
        let vector_conflict = op["r"]["conflict"].as_str();
        if original.as_ref().err().map(|conflict| conflict.reason) != vector_conflict {
            return Err(format!("the model of the original has {original:?}"));
        }
        let original = original.map(Elt::Dir);
        if original.is_ok() && after == vector {
            return Ok(None);
        }
        if original.is_ok() && model.1.is_empty() {
            return self.classify_write(context);
        }
        if original.is_ok() {
            self.make_original(context)?;
        }
        let above = |(end, _): (usize, &str)| node::get(&root, &path[..end]);
        if path.match_indices('/').any(|at| matches!(above(at), Some(Elt::File(_)))) {
            return Ok(Some(Class::Clash));
        }
        let current = before.and_then(|_| node::get(&root, path));
        classify(&Sides { base: old, ours: current, theirs: new }, &original, &model)
    }

    fn compare_commits(
        &mut self,
        context: &Context<'_>,
        ours: &Ours,
    ) -> Result<Option<Class>, String> {
        let Context { op, before, theirs, vector, after } = *context;
        let Some(theirs) = theirs else {
            let refused = matches!(ours, Ours::Refused(Code::NotFound));
            let exception = op["r"]["exn"].as_str().unwrap_or_default();
            let agrees = refused && exception.contains("is not a valid branch ID");
            return if agrees { Ok(None) } else { Err(format!("ours is {ours:?}")) };
        };
        let Ours::Merged(merged) = ours else { return Err(format!("ours is {ours:?}")) };
        let conflict = !op["r"]["conflict"].is_null();
        let Some(before) = before else {
            let agrees = matches!(**merged, Merged::FastForward(_)) && after == vector && !conflict;
            return if agrees { Ok(None) } else { Err(format!("ours is {ours:?}")) };
        };
        let limits = original::Limits::default();
        let original = original::merge_commits(&mut self.world, theirs, before, limits);
        let result = if conflict { None } else { vector };
        if !original.iter().any(|one| one.ok() == result) {
            return Err(format!("the model of the original says {original:?}"));
        }
        let model = per_key::merge_commits(&mut self.world, before, theirs);
        let our_head = self.world.commit(after.unwrap());
        check_ours(&model, merged, &our_head)?;
        if let (Some(id), true) = (result, self.git)
            && id != our_head.id()
        {
            if self.only_parents_differ(our_head.id(), id) {
                return Ok(Some(Class::ParentOrder));
            }
            if self.differs_by_empty(id, our_head.id(), (before, theirs)) {
                return Ok(Some(Class::EmptyDirectory));
            }
        }
        classify_commits(&mut self.world, (before, theirs), result, &model, our_head.id())
    }
}

/// What an operation was, and what came of it.
#[derive(Clone, Copy)]
struct Context<'a> {
    op: &'a Value,
    before: Option<CommitId>,
    theirs: Option<CommitId>,
    vector: Option<CommitId>,
    after: Option<CommitId>,
}

fn head(branch: &Branch) -> Option<CommitId> {
    branch.head().unwrap().map(|head| head.id())
}

/// Makes a path what it should be; an empty directory removes it.
fn put(root: &mut Node, path: &str, elt: Option<Elt>) {
    match elt {
        Some(Elt::Dir(dir)) if dir.is_empty() => node::remove(root, path),
        Some(elt) => node::set(root, path, elt),
        None => node::remove(root, path),
    }
}

/// The `old` and the new one of a `merge_value` or `merge_tree`.
fn merge_arguments(op: &Value) -> (Option<Elt>, Option<Elt>) {
    let value = |name: &str| op[name].as_str().map(|text| Elt::File(text.to_owned()));
    let tree = |name: &str| {
        (!op[name].is_null()).then(|| Elt::Dir(node::pruned(&node::of_json(&op[name]))))
    };
    if text(op, "op") == "merge_value" {
        (value("old"), value("v"))
    } else {
        (tree("old"), tree("tree"))
    }
}

/// Whether a refused test found what the original found.
fn test_was(result: &Value, current: Option<&Tree>) -> bool {
    if let Some(expected) = result.get("test_was_tree") {
        let hash = current.map(|tree| tree.hash().unwrap());
        return matches!(hash, Some(irmin_core::KindedHash::Node(id)) if *expected == id.to_string());
    }
    let Some(expected) = result.get("test_was") else { return false };
    let value = current.and_then(|tree| tree.value().unwrap());
    value.as_deref() == expected.as_str().map(str::as_bytes)
}

/// Checks that a merge of trees of ours is what its model says.
fn check_our_trees(
    ours: &Ours,
    model: &(Flat, per_key::Conflicts),
    before: &Flat,
) -> Result<(), String> {
    let Ours::Merged(merged) = ours else { return Err(format!("ours is {ours:?}")) };
    let agrees = match &**merged {
        Merged::UpToDate => model.1.is_empty() && model.0 == *before,
        Merged::Created(commit) => {
            model.1.is_empty() && node::flat(&node_of(&commit.tree())) == model.0
        }
        Merged::Conflicts(conflicts) => {
            let found: BTreeMap<String, String> = reasons(conflicts);
            !model.1.is_empty() && found == expected_reasons(&model.1)
        }
        Merged::FastForward(_) => false,
    };
    if agrees { Ok(()) } else { Err(format!("ours is {ours:?}, expected {model:?}")) }
}
