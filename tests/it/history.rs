//! Histories: common ancestors and walks against a model, git and the original.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, reason = "a test that cannot run says so")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use irmin_core::history::{
    CommitSource, FastForward, LastModified, LcaLimits, WalkOptions, fast_forward, history,
    is_ancestor, last_modified, lcas, walk,
};
use irmin_core::{Code, CommitData, Error, Hash, HashFunction, Info, Key, Result};
use irmin_tests::vectors;
use proptest::prelude::*;
use serde_json::Value;

/// One commit of a random graph: its date, what it holds, and its parents among earlier ones.
#[derive(Clone, Debug)]
struct Plan {
    date: i64,
    value: u8,
    parents: Vec<usize>,
}

/// A graph with the key of each commit, and the model: the set of ancestors of each.
struct Dag {
    keys: Vec<Key>,
    commits: HashMap<Hash, Arc<CommitData>>,
    above: Vec<BTreeSet<usize>>,
}

impl Dag {
    fn new(plans: &[Plan], key: impl Fn(usize) -> Key) -> Self {
        let keys: Vec<Key> = (0..plans.len()).map(key).collect();
        let mut commits = HashMap::new();
        let mut above: Vec<BTreeSet<usize>> = Vec::new();
        for (i, plan) in plans.iter().enumerate() {
            let mut ancestors = BTreeSet::from([i]);
            plan.parents.iter().for_each(|p| ancestors.extend(&above[*p]));
            above.push(ancestors);
            let tree = Key::from(HashFunction::Sha1.digest(&[plan.value]));
            let parents = plan.parents.iter().map(|p| keys[*p]).collect();
            let info = Info::new("ann", plan.date, "");
            commits.insert(keys[i].hash, Arc::new(CommitData { tree, parents, info }));
        }
        Dag { keys, commits, above }
    }

    fn random(plans: &[Plan]) -> Self {
        Dag::new(plans, |i| Key::from(HashFunction::Sha1.digest(format!("{i}").as_bytes())))
    }

    fn index(&self, key: Key) -> usize {
        self.keys.iter().position(|k| *k == key).unwrap()
    }

    fn indices(&self, keys: impl IntoIterator<Item = Key>) -> Vec<usize> {
        keys.into_iter().map(|key| self.index(key)).collect()
    }

    /// Those that are not ancestors of others.
    fn minimal(&self, of: &BTreeSet<usize>) -> BTreeSet<usize> {
        let below = |c: &usize| of.iter().any(|d| d != c && self.above[*d].contains(c));
        of.iter().filter(|c| !below(c)).copied().collect()
    }

    fn bases(&self, x: usize, y: usize) -> BTreeSet<usize> {
        self.minimal(&self.above[x].intersection(&self.above[y]).copied().collect())
    }

    fn lcas(&self, x: usize, y: usize, limits: LcaLimits) -> Result<BTreeSet<usize>> {
        let found = lcas(self, self.keys[x], self.keys[y], limits)?;
        assert!(found.is_sorted(), "in ascending order of hashes");
        let set: BTreeSet<usize> = found.iter().map(|key| self.index(*key)).collect();
        assert_eq!(set.len(), found.len(), "repeated");
        Ok(set)
    }
}

impl CommitSource for Dag {
    fn load(&self, keys: &[Key]) -> Result<Vec<Arc<CommitData>>> {
        let distinct: BTreeSet<&Key> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len(), "a commit is asked for twice");
        let load = |key: &Key| self.commits.get(&key.hash).cloned();
        let missing = || keys.iter().filter(|k| load(k).is_none()).copied().collect();
        keys.iter()
            .map(load)
            .collect::<Option<_>>()
            .ok_or_else(|| Error::missing_objects(missing()))
    }
}

fn plans(size: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Plan>> {
    // Offsets to earlier commits: mostly close ones, so that graphs are deep as well as wide.
    let parents = prop_oneof![
        1 => Just(vec![]),
        6 => prop::collection::vec(1_usize..3, 1),
        6 => prop::collection::vec(1_usize..6, 2..4),
        1 => prop::collection::vec(1_usize..40, 1..4),
    ];
    prop::collection::vec((0_i64..6, 0_u8..4, parents), size).prop_map(|commits| {
        let plan = |(i, (date, value, back)): (usize, (i64, u8, Vec<usize>))| Plan {
            date,
            value,
            parents: back.iter().filter_map(|n| i.checked_sub(*n)).collect(),
        };
        commits.into_iter().enumerate().map(plan).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn common_ancestors_are_those_of_the_model(plans in plans(1..24)) {
        let dag = Dag::random(&plans);
        for x in 0..plans.len() {
            for y in 0..plans.len() {
                let expected = dag.bases(x, y);
                prop_assert_eq!(dag.lcas(x, y, LcaLimits::default()).unwrap(), expected);
                let ancestor = is_ancestor(&dag, dag.keys[x], dag.keys[y]).unwrap();
                prop_assert_eq!(ancestor, dag.above[y].contains(&x));
            }
        }
    }

    #[test]
    fn limits_never_make_an_answer_wrong(plans in plans(2..24), max_depth in 0_usize..8, n in 1_usize..4) {
        let dag = Dag::random(&plans);
        let y = plans.len() - 1;
        for x in 0..plans.len() {
            let expected = dag.bases(x, y);
            for (max_depth, n) in [(Some(max_depth), None), (None, Some(n)), (Some(max_depth), Some(n))] {
                match dag.lcas(x, y, LcaLimits { max_depth, n }) {
                    Ok(found) => {
                        prop_assert_eq!(&found, &expected);
                        prop_assert!(n.is_none_or(|n| found.len() <= n));
                    }
                    Err(e) => {
                        prop_assert_eq!(e.code(), Code::LimitReached);
                        prop_assert!(max_depth.is_some() || n.is_some_and(|n| expected.len() > n));
                    }
                }
            }
        }
        let enough = LcaLimits { max_depth: Some(plans.len()), n: Some(plans.len()) };
        prop_assert_eq!(dag.lcas(0, y, enough).unwrap(), dag.bases(0, y));
    }

    #[test]
    fn walks_are_complete_and_topological(plans in plans(1..40), heads in prop::collection::vec(any::<prop::sample::Index>(), 1..4)) {
        let dag = Dag::random(&plans);
        let heads: Vec<usize> = heads.iter().map(|i| i.index(plans.len())).collect();
        let keys: Vec<Key> = heads.iter().map(|i| dag.keys[*i]).collect();
        let order = dag.indices(walk(&dag, &keys, WalkOptions::default()).unwrap().map(|c| c.0));
        let expected: BTreeSet<usize> = heads.iter().flat_map(|h| dag.above[*h].clone()).collect();
        prop_assert_eq!(order.iter().copied().collect::<BTreeSet<_>>(), expected.clone());
        prop_assert_eq!(order.len(), expected.len());
        let place: BTreeMap<usize, usize> = order.iter().enumerate().map(|(i, c)| (*c, i)).collect();
        let parents = |c: &usize| plans[*c].parents.iter().copied().collect::<BTreeSet<_>>();
        for child in &order {
            prop_assert!(parents(child).iter().all(|parent| place[child] < place[parent]));
        }
        let graph = history(&dag, &keys, None).unwrap();
        let edges: usize = order.iter().map(|c| parents(c).len()).sum();
        prop_assert_eq!(graph.edges.len(), edges);
    }

    #[test]
    fn last_modified_is_that_of_the_model(plans in plans(1..40), n in 0_usize..50) {
        let dag = Dag::random(&plans);
        let head = plans.len() - 1;
        // The value 0 is an absent one.
        let absent = Key::from(HashFunction::Sha1.digest(&[0]));
        let mut lookup =
            |trees: &[Key]| Ok(trees.iter().map(|t| (*t != absent).then_some(t.hash)).collect());
        let bounds = LastModified { n: Some(n), depth: None };
        let found = last_modified(&dag, &[dag.keys[head]], bounds, &mut lookup).unwrap();
        let found = dag.indices(found.into_iter().map(|c| c.0));
        let changed = |c: &&usize| {
            let plan = &plans[**c];
            let differs = |p: &usize| plans[*p].value != plan.value;
            if plan.parents.is_empty() { plan.value != 0 } else { plan.parents.iter().all(differs) }
        };
        let expected: BTreeSet<usize> = dag.above[head].iter().filter(changed).copied().collect();
        prop_assert!(found.iter().all(|c| expected.contains(c)));
        prop_assert_eq!(found.len(), expected.len().min(n));
        prop_assert!(found.is_sorted_by_key(|c| plans[*c].date));
        let left_out = expected.iter().filter(|c| !found.contains(c)).map(|c| plans[*c].date).max();
        prop_assert!(found.first().is_none_or(|c| left_out.is_none_or(|d| d <= plans[*c].date)));
    }
}

fn git(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(dir).args(args);
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    command
}

/// Makes a repository of the graph and returns the ids of its commits.
fn import(dir: &Path, plans: &[Plan]) -> Vec<String> {
    assert!(git(dir, &["init", "-q", "--bare", "."]).status().unwrap().success());
    let mut stream = String::new();
    for (i, plan) in plans.iter().enumerate() {
        let ident = format!("ann <ann@example.org> {} +0000", plan.date);
        let _ = write!(stream, "commit refs/heads/c{i}\nmark :{}\n", i + 1);
        let _ = write!(stream, "committer {ident}\ndata <<.\n{i}\n.\n");
        for (nth, parent) in plan.parents.iter().enumerate() {
            let _ = writeln!(stream, "{} :{}", if nth == 0 { "from" } else { "merge" }, parent + 1);
        }
        stream.push('\n');
    }
    let mut command = git(dir, &["fast-import", "--quiet", "--export-marks=marks"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "fast-import of:\n{stream}");
    let marks = std::fs::read_to_string(dir.join("marks")).unwrap();
    let mut ids = vec![String::new(); plans.len()];
    for line in marks.lines() {
        let (mark, id) = line.trim_start_matches(':').split_once(' ').unwrap();
        ids[mark.parse::<usize>().unwrap() - 1] = id.into();
    }
    ids
}

#[test]
fn common_ancestors_are_those_of_git() {
    if Command::new("git").arg("--version").output().is_err() {
        println!("skipped: there is no git to compare with");
        return;
    }
    let config =
        ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(plans in plans(20..60))| {
        let dir = tempfile::tempdir().unwrap();
        let ids = import(dir.path(), &plans);
        let dag = Dag::new(&plans, |i| Key::from(ids[i].parse::<Hash>().unwrap()));
        let last = plans.len() - 1;
        for (x, y) in (0..24).map(|i| (last - i % 5, last - (i * 7 + 1) % plans.len())) {
            let output = git(dir.path(), &["merge-base", "--all", &ids[x], &ids[y]]).output().unwrap();
            let mut printed: Vec<&str> = std::str::from_utf8(&output.stdout).unwrap().lines().collect();
            printed.sort_unstable();
            let found = lcas(&dag, dag.keys[x], dag.keys[y], LcaLimits::default()).unwrap();
            let found: Vec<String> = found.iter().map(|key| key.hash.to_string()).collect();
            prop_assert_eq!(found, printed, "{} and {}", x, y);
        }
    });
}

/// The histories of the vectors, each with its pairs.
fn recorded() -> impl Iterator<Item = (Dag, Value)> {
    vectors::json_lines("histories.jsonl").into_iter().skip(1).map(|line| {
        let commits = line["commits"].as_array().unwrap();
        let indices = |value: &Value| value.as_array().unwrap().iter().map(index).collect();
        let plan = |(i, commit): (usize, &Value)| Plan {
            date: 1000 + i64::try_from(i).unwrap(),
            value: 0,
            // The order that the commit was stored with.
            parents: indices(commit.get("stored_parents").unwrap_or(&commit["parents"])),
        };
        let plans: Vec<Plan> = commits.iter().enumerate().map(plan).collect();
        let hash = |i: usize| commits[i]["hash"].as_str().unwrap().parse::<Hash>().unwrap();
        (Dag::new(&plans, |i| Key::from(hash(i))), line)
    })
}

fn index(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

/// What the original answered: commits, or the name of an error.
fn answer(value: &Value) -> Result<BTreeSet<usize>, &str> {
    match value.as_str() {
        Some(error) => Err(error),
        None => Ok(value.as_array().unwrap().iter().map(index).collect()),
    }
}

fn limits(value: &Value) -> LcaLimits {
    let limit = |name: &str| value.get(name).map(index);
    LcaLimits { max_depth: limit("max_depth"), n: limit("n") }
}

#[test]
fn common_ancestors_are_the_lowest_of_the_original() {
    let mut cases = 0;
    let mut not_lowest = 0;
    for (dag, line) in recorded() {
        for pair in line["pairs"].as_array().unwrap() {
            let (x, y) = (index(&pair["x"]), index(&pair["y"]));
            let theirs = answer(&pair["lcas"]).unwrap();
            let ours = dag.lcas(x, y, LcaLimits::default()).unwrap();
            assert_eq!(ours, dag.minimal(&theirs), "{} in line {}", pair, line["id"]);
            cases += 1;
            not_lowest += usize::from(ours != theirs);
        }
    }
    // Deliberate: 39 of the original's lists hold ancestors of others too.
    assert_eq!((cases, not_lowest), (3346, 39));
}

/// How the answers under limits compare with the original's; a case outside fails.
type Classes = BTreeMap<&'static str, usize>;

/// The class of an answer of `lcas`, if there is one that allows it.
fn class_of_lcas(
    dag: &Dag,
    lowest: &BTreeSet<usize>,
    limits: LcaLimits,
    ours: &Result<BTreeSet<usize>, Code>,
    theirs: &Result<BTreeSet<usize>, &str>,
) -> Option<&'static str> {
    let too_many = limits.n.is_some_and(|n| lowest.len() > n);
    Some(match (ours, theirs) {
        (Err(Code::InvalidArgument), Err("Too_many_lcas")) if limits.n == Some(0) => {
            "n = 0 is an invalid argument"
        }
        (Ok(ours), Ok(theirs)) if *ours == dag.minimal(theirs) => "the same",
        (Err(Code::LimitReached), Err("Too_many_lcas")) if too_many => "the same",
        (Err(Code::LimitReached), Err("Max_depth_reached")) if limits.max_depth.is_some() => {
            "the same"
        }
        // It counts some that are not lowest, and here the depth is reached.
        (Err(Code::LimitReached), Err(_)) if limits.max_depth.is_some() => "both refuse",
        // It stops as soon as it has n of them, and does not look whether they are the lowest.
        (Ok(_), Ok(theirs)) if limits.n == Some(theirs.len()) => "n stopped the original early",
        (Err(Code::LimitReached), Ok(theirs)) if too_many && limits.n == Some(theirs.len()) => {
            "n stopped the original early"
        }
        (Ok(_), Err("Too_many_lcas")) if !too_many => {
            "the original counted some that are not lowest"
        }
        // Here the steps that prove several candidates lowest, or that an open way leads nowhere,
        // count too; the original settles for what it has at the end of a layer.
        (Err(Code::LimitReached), Ok(_)) if limits.max_depth.is_some() => {
            "the original goes deeper for the same max_depth"
        }
        // It reads a layer to its end to see that it is done; here the marks tell before.
        (Ok(_), Err("Max_depth_reached")) if limits.max_depth.is_some() => {
            "the original needs more depth for the same answer"
        }
        _ => return None,
    })
}

#[test]
fn limits_of_lcas_against_the_original() {
    let mut classes = Classes::new();
    for (dag, line) in recorded() {
        for pair in line["pairs"].as_array().unwrap() {
            let (x, y) = (index(&pair["x"]), index(&pair["y"]));
            let lowest = dag.bases(x, y);
            for limited in pair["lcas_limited"].as_array().unwrap() {
                let limits = limits(limited);
                let ours = dag.lcas(x, y, limits).map_err(|e| e.code());
                assert!(ours.as_ref().is_ok_and(|found| *found == lowest) || ours.is_err());
                let class = class_of_lcas(&dag, &lowest, limits, &ours, &answer(&limited["r"]));
                let what = format!("{limited} gives {ours:?} in {pair} of line {}", line["id"]);
                *classes.entry(class.expect(&what)).or_default() += 1;
            }
        }
    }
    let expected = [
        ("the same", 8140),
        ("both refuse", 7),
        ("n = 0 is an invalid argument", 727),
        ("n stopped the original early", 81),
        ("the original counted some that are not lowest", 29),
        ("the original goes deeper for the same max_depth", 262),
        ("the original needs more depth for the same answer", 93),
    ];
    assert_eq!(classes, Classes::from(expected));
}

#[test]
fn fast_forwards_are_those_of_the_original() {
    let mut classes = Classes::new();
    for (dag, line) in recorded() {
        for pair in line["pairs"].as_array().unwrap() {
            let (x, y) = (index(&pair["x"]), index(&pair["y"]));
            let decide = |limits| {
                let decided = fast_forward(&dag, dag.keys[x], dag.keys[y], limits);
                decided.map_err(|e| e.code()).map(|decided| match decided {
                    FastForward::NoChange => "No_change",
                    FastForward::Forward => "Ok",
                    FastForward::Rejected => "Rejected",
                })
            };
            let free = decide(LcaLimits::default());
            assert_eq!(free, Ok(pair["ff"].as_str().unwrap()), "{pair} of line {}", line["id"]);
            for limited in pair["ff_limited"].as_array().unwrap() {
                let limits = limits(limited);
                let ours = decide(limits);
                assert!(ours == free || ours.is_err());
                let class = match (ours, limited["r"].as_str().unwrap()) {
                    (Ok(ours), theirs) if ours == theirs => "the same",
                    (Err(Code::InvalidArgument), _) if limits.n == Some(0) => {
                        "n = 0 is an invalid argument"
                    }
                    (Err(Code::LimitReached), "Max_depth_reached") => "the same",
                    // The original counts common ancestors here, this search only steps.
                    (Err(Code::LimitReached), "Too_many_lcas") if limits.max_depth.is_some() => {
                        "both refuse"
                    }
                    // It takes the first n for all there are, and misses `old` among them.
                    (Ok("Ok"), "Rejected") if limits.n.is_some() => "n stopped the original early",
                    // More than n common ancestors: then neither descends from the other.
                    (Ok("Rejected"), "Too_many_lcas") => "many LCAs are no fast-forward",
                    (Err(Code::LimitReached), _) if limits.max_depth.is_some() => {
                        "the original goes deeper for the same max_depth"
                    }
                    (Ok(_), "Max_depth_reached") => {
                        "the original needs more depth for the same answer"
                    }
                    other => panic!("{limited} gives {other:?} in {pair} of line {}", line["id"]),
                };
                *classes.entry(class).or_default() += 1;
            }
        }
    }
    let expected = [
        ("the same", 2761),
        ("both refuse", 2),
        ("n = 0 is an invalid argument", 261),
        ("n stopped the original early", 3),
        ("many LCAs are no fast-forward", 45),
        ("the original goes deeper for the same max_depth", 144),
        ("the original needs more depth for the same answer", 130),
    ];
    assert_eq!(classes, Classes::from(expected));
}

/// The hand-made graphs of the original, on three of its stores.
#[test]
fn common_ancestors_in_the_graphs_made_by_hand() {
    let all = vectors::json("irmin-3.11.json");
    let mut queries = 0;
    for store in ["mem_default", "pack_default", "git_fs"] {
        for graph in all[store]["lcas"].as_array().unwrap() {
            let commits = graph["commits"].as_array().unwrap();
            let named = |name: &Value| commits.iter().position(|c| c["commit"] == *name).unwrap();
            let names = |list: &Value| list.as_array().unwrap().iter().map(named).collect();
            let plan =
                |commit: &Value| Plan { date: 0, value: 0, parents: names(&commit["parents"]) };
            let dag = Dag::random(&commits.iter().map(plan).collect::<Vec<_>>());
            for pair in graph["pairs"].as_array().unwrap() {
                let (from, to) = (named(&pair["from"]), named(&pair["to"]));
                let asked = pair["queries"].as_array().unwrap().iter();
                for query in asked.filter(|q| q["n"].is_null() && q["max_depth"].is_null()) {
                    let theirs: Vec<usize> = names(&query["lcas"]);
                    let lowest = dag.minimal(&theirs.into_iter().collect());
                    let ours = dag.lcas(from, to, LcaLimits::default()).unwrap();
                    assert_eq!(ours, lowest, "{store}: {} {pair}", graph["dag"]);
                    queries += 1;
                }
            }
        }
    }
    assert!(queries >= 18, "{queries}");
}
