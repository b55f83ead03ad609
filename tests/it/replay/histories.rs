//! Merges of commits in random histories: common ancestors, fast-forwards, limits.

use irmin_core::history::LcaLimits;
use irmin_core::{
    Code, CommitId, CommitOptions, Error, FastForward, FormatSpec, Hash, HashFunction, Merged,
};
use irmin_tests::replay::node::{self, Elt};
use irmin_tests::replay::{Dag as _, original, per_key};
use irmin_tests::vectors;
use serde_json::Value;

use super::classes::{Class, Tally};
use super::world::{World, expected_reasons, reasons, tree_of};

/// What the original's merges of commits say of any conflict in this corpus.
const CONFLICT: &str = "Recursive merging of common ancestors: default";

pub(super) fn commit_id(text: &Value) -> CommitId {
    CommitId(text.as_str().unwrap().parse::<Hash>().unwrap())
}

#[test]
fn random_histories() {
    let mut tally = Tally::new("histories");
    for dag in &vectors::json_lines("histories.jsonl")[1..] {
        let mut replay = Replay::build(dag);
        for pair in dag["pairs"].as_array().unwrap() {
            let at = format!("history {}, {} and {}", dag["id"], pair["x"], pair["y"]);
            if let Err(what) = replay.pair(pair, &mut tally) {
                tally.fail(format!("{at}: {what}"));
            }
        }
    }
    tally.check();
}

pub(super) struct Replay {
    world: World,
    commits: Vec<CommitId>,
}

/// What the vectors say of limits.
fn limits(query: &Value) -> (LcaLimits, original::Limits) {
    let get = |name: &str| query[name].as_u64().map(|n| usize::try_from(n).unwrap());
    let (max_depth, n) = (get("max_depth"), get("n"));
    (LcaLimits { max_depth, n }, original::Limits { max_depth, n })
}

impl Replay {
    pub(super) fn over(world: World, commits: Vec<CommitId>) -> Self {
        Replay { world, commits }
    }

    fn build(dag: &Value) -> Self {
        let hash = match dag["hash"].as_str().unwrap() {
            "sha1" => HashFunction::Sha1,
            "blake2b" => HashFunction::Blake2b(64),
            other => panic!("hash {other}"),
        };
        let world = World::new(FormatSpec { hash, ..FormatSpec::irmin_mem() });
        let mut commits: Vec<CommitId> = Vec::new();
        for (i, commit) in dag["commits"].as_array().unwrap().iter().enumerate() {
            let at = |index: &Value| commits[usize::try_from(index.as_u64().unwrap()).unwrap()];
            let parents: Vec<CommitId> =
                commit["parents"].as_array().unwrap().iter().map(at).collect();
            let options = CommitOptions::new(format!("h{} c{i}", dag["id"]))
                .author("ann <ann@example.org>")
                .date(1000 + i64::try_from(i).unwrap());
            let tree = tree_of(&Elt::Dir(node::of_json(&commit["map"])));
            let made = world.repo.commit_tree(&tree, &parents, options).unwrap();
            assert_eq!(made.tree_id().to_string(), commit["tree"], "{} {i}", dag["id"]);
            assert_eq!(made.id().to_string(), commit["hash"], "{} {i}", dag["id"]);
            let stored = commit["stored_parents"].as_array();
            let stored: Vec<CommitId> = stored.map_or(parents, |p| p.iter().map(at).collect());
            assert_eq!(made.parent_ids(), stored, "{} {i}", dag["id"]);
            commits.push(made.id());
        }
        Replay { world, commits }
    }

    fn id(&self, index: &Value) -> CommitId {
        self.commits[usize::try_from(index.as_u64().unwrap()).unwrap()]
    }

    fn pair(&mut self, pair: &Value, tally: &mut Tally) -> Result<(), String> {
        let (x, y) = (self.id(&pair["x"]), self.id(&pair["y"]));
        self.world.info = CommitOptions::new(format!("merge c{} into c{}", pair["y"], pair["x"]))
            .author("merger <m@example.org>")
            .date(5000);
        let query = |r: &Value| serde_json::json!({ "r": r });
        let of = |name: &str| pair[name].as_array().cloned().unwrap_or_default();

        for query in [vec![query(&pair["lcas"])], of("lcas_limited")].concat() {
            self.lcas(x, y, &query, tally).map_err(|e| format!("lcas {query}: {e}"))?;
        }
        for query in [vec![query(&pair["ff"])], of("ff_limited")].concat() {
            self.fast_forward(x, y, &query, tally).map_err(|e| format!("ff {query}: {e}"))?;
        }
        for query in [vec![query(&pair["merge"])], of("merge_limited")].concat() {
            self.merge(x, y, &query, tally).map_err(|e| format!("merge {query}: {e}"))?;
        }
        Ok(())
    }

    /// The code that limits end a search of ours with, if they do.
    fn passed(&mut self, x: CommitId, y: CommitId, limits: LcaLimits) -> Option<Code> {
        if limits.n == Some(0) {
            return Some(Code::InvalidArgument);
        }
        let many = per_key::lcas(&mut self.world, &[x], y).len();
        let passed = self.too_deep(x, y, limits) || limits.n.is_some_and(|n| many > n);
        passed.then_some(Code::LimitReached)
    }

    pub(super) fn lcas(
        &mut self,
        x: CommitId,
        y: CommitId,
        query: &Value,
        tally: &mut Tally,
    ) -> Result<(), String> {
        let (limits, their_limits) = limits(query);
        let original = original::lcas(&mut self.world, x, y, their_limits);
        let vector = match query["r"].as_str() {
            Some("Max_depth_reached") => Err(original::Limit::MaxDepth),
            Some("Too_many_lcas") => Err(original::Limit::TooMany),
            Some(other) => panic!("{other}"),
            None => Ok(query["r"].as_array().unwrap().iter().map(|i| self.id(i)).collect()),
        };
        if original != vector {
            return Err(format!("the model of the original says {original:?}"));
        }
        let (a, b) = (self.world.commit(x), self.world.commit(y));
        let ours = self.world.repo.lcas(&a, &b, limits);
        let ours = ours.map(|found| found.iter().map(irmin_core::Commit::id).collect::<Vec<_>>());
        let ours = ours.map_err(|e| e.code());
        let minimal = per_key::lcas(&mut self.world, &[x], y);
        let expected = self.passed(x, y, limits).map_or(Ok(minimal), Err);
        if ours != expected {
            return Err(format!("ours are {ours:?}, expected {expected:?}"));
        }
        let unlimited = original::lcas(&mut self.world, x, y, original::Limits::default());
        match (&original, &ours) {
            (Err(_), Err(_)) => tally.count(None),
            (Ok(theirs), Ok(ours)) if ours.iter().eq(theirs) => tally.count(None),
            (Ok(theirs), Ok(ours)) if original == unlimited => {
                // What the original has besides are ancestors of others.
                if !ours.iter().all(|commit| theirs.contains(commit)) {
                    return Err("the original lacks some".into());
                }
                tally.count(Some(Class::MinimalLcas));
            }
            (_, Err(Code::LimitReached)) if self.too_deep(x, y, limits) => {
                tally.count(Some(Class::MaxDepth));
            }
            (Err(original::Limit::MaxDepth), Ok(_)) => tally.count(Some(Class::MaxDepth)),
            _ if limits.n.is_some() => tally.count(Some(Class::LcaCount)),
            _ => return Err(format!("ours are {ours:?}")),
        }
        Ok(())
    }

    /// Whether commits further away than `max_depth` have to be explored.
    fn too_deep(&mut self, x: CommitId, y: CommitId, limits: LcaLimits) -> bool {
        limits.max_depth.is_some_and(|max| per_key::layers(&mut self.world, x, y) > max + 1)
    }

    pub(super) fn fast_forward(
        &mut self,
        x: CommitId,
        y: CommitId,
        query: &Value,
        tally: &mut Tally,
    ) -> Result<(), String> {
        let (limits, _) = limits(query);
        let (head, new) = (self.world.commit(x), self.world.commit(y));
        let branch = self.world.repo.detached(&head);
        let ours = branch.fast_forward(&new, limits, "").map_err(|e| e.code());
        let deep = per_key::layers_to_forward(&mut self.world, x, y);
        let too_deep = limits.max_depth.is_some_and(|max| deep > max + 1);
        let expected = if limits.n == Some(0) {
            Err(Code::InvalidArgument)
        } else if x == y {
            Ok(FastForward::NoChange)
        } else if too_deep {
            Err(Code::LimitReached)
        } else if per_key::lcas(&mut self.world, &[x], y) == [x] {
            Ok(FastForward::Forward)
        } else {
            Ok(FastForward::Rejected)
        };
        if ours != expected {
            return Err(format!("ours is {ours:?}, expected {expected:?}"));
        }
        let head = branch.head().unwrap().unwrap().id();
        if head != if ours == Ok(FastForward::Forward) { y } else { x } {
            return Err(format!("the head is {head}"));
        }
        let word = match ours {
            Ok(FastForward::Forward) => "Ok",
            Ok(FastForward::NoChange) => "No_change",
            Ok(FastForward::Rejected) => "Rejected",
            Err(_) => "an error",
        };
        let theirs = query["r"].as_str().unwrap();
        let limit = ["Max_depth_reached", "Too_many_lcas"].contains(&theirs);
        if word == theirs || (limit && ours.is_err()) {
            tally.count(None);
        } else if too_deep || theirs == "Max_depth_reached" {
            tally.count(Some(Class::MaxDepth));
        } else if limits.n.is_some() {
            tally.count(Some(Class::LcaCount));
        } else {
            return Err(format!("ours is {word}"));
        }
        Ok(())
    }

    fn merge(
        &mut self,
        x: CommitId,
        y: CommitId,
        query: &Value,
        tally: &mut Tally,
    ) -> Result<(), String> {
        let (limits, their_limits) = limits(query);
        let vector = self.check_original(x, y, &query["r"], their_limits)?;

        let (head, theirs) = (self.world.commit(x), self.world.commit(y));
        let branch = self.world.repo.detached(&head);
        let merged = branch.merge_commit(&theirs, limits, self.world.info.clone());
        if x != y
            && let Some(code) = self.passed(x, y, limits)
        {
            if merged.as_ref().map_err(Error::code).err() != Some(code) {
                return Err(format!("ours is {merged:?}, expected {code:?}"));
            }
            tally.count(Some(Class::MergeLimits));
            return Ok(());
        }
        let model = per_key::merge_commits(&mut self.world, x, y);
        let head = branch.head().unwrap().unwrap();
        check_ours(&model, &merged.unwrap(), &head)?;
        let cut_off = {
            let found = original::lcas(&mut self.world, x, y, their_limits);
            found != original::lcas(&mut self.world, x, y, original::Limits::default())
        };
        match classify_commits(&mut self.world, (x, y), vector, &model, head.id()) {
            // The original went on without the base that it did not look for any longer.
            Err(_) if cut_off => tally.count(Some(Class::MergeLimits)),
            Ok(Some(class)) => tally.count(Some(class)),
            Ok(None) => tally.count(None),
            Err(what) => return Err(what),
        }
        Ok(())
    }

    /// The new head of the original, or none for a conflict, if its model agrees.
    fn check_original(
        &mut self,
        x: CommitId,
        y: CommitId,
        result: &Value,
        limits: original::Limits,
    ) -> Result<Option<CommitId>, String> {
        let model = original::merge_commits(&mut self.world, y, x, limits);
        let vector = if !result["head"].is_null() {
            Some(self.id(&result["head"]))
        } else if result["conflict"].is_null() {
            Some(commit_id(&result["hash"]))
        } else {
            assert_eq!(result["conflict"], CONFLICT);
            None
        };
        if !model.iter().any(|one| one.ok() == vector) {
            return Err(format!("the model of the original says {model:?}"));
        }
        Ok(vector)
    }
}

/// Checks that a merge of ours is what its model says.
pub(super) fn check_ours(
    model: &per_key::Outcome,
    merged: &Merged,
    head: &irmin_core::Commit,
) -> Result<(), String> {
    let agrees = match (model, merged) {
        (per_key::Outcome::Head(id), Merged::UpToDate | Merged::FastForward(_)) => *id == head.id(),
        (per_key::Outcome::Created(flat), Merged::Created(commit)) => {
            commit == head && node::flat(&super::world::node_of(&commit.tree())) == *flat
        }
        (per_key::Outcome::Conflicts(expected), Merged::Conflicts(conflicts)) => {
            expected_reasons(expected) == reasons(conflicts)
        }
        _ => false,
    };
    if agrees { Ok(()) } else { Err(format!("ours is {merged:?}, expected {model:?}")) }
}

/// The class in which a merge of commits by the original, with this head or in conflict, differs
/// from ours.
pub(super) fn classify_commits(
    world: &mut World,
    (x, y): (CommitId, CommitId),
    original: Option<CommitId>,
    ours: &per_key::Outcome,
    our_head: CommitId,
) -> Result<Option<Class>, String> {
    let conflicts = match (original, ours) {
        (None, per_key::Outcome::Conflicts(_)) => return Ok(Some(Class::ConflictWords)),
        (Some(id), per_key::Outcome::Head(_) | per_key::Outcome::Created(_)) if id == our_head => {
            return Ok(None);
        }
        (Some(_), per_key::Outcome::Conflicts(conflicts)) => Some(conflicts),
        _ => None,
    };
    let theirs = original::lcas(world, x, y, original::Limits::default()).unwrap();
    if theirs.len() > 1 {
        return Ok(Some(Class::SeveralBases));
    }
    // One base or none: only a value against a directory of its name differs.
    let (ours, theirs) = (world.node(x), world.node(y));
    let base = theirs_base(world, x, y);
    let clash = |path: &String| {
        let at = |node| node::get(node, path);
        let sides = [at(&ours), at(&theirs), base.as_deref().and_then(at)];
        let is = |dir: bool| sides.iter().flatten().any(|elt| elt.dir().is_some() == dir);
        is(true) && is(false)
    };
    if conflicts.is_some_and(|conflicts| conflicts.keys().all(clash)) {
        return Ok(Some(Class::Clash));
    }
    Err(format!("ours has the head {our_head} and {conflicts:?}"))
}

fn theirs_base(world: &mut World, x: CommitId, y: CommitId) -> Option<std::rc::Rc<node::Node>> {
    let base = original::lcas(world, x, y, original::Limits::default()).unwrap();
    base.first().map(|base| world.node(*base))
}
