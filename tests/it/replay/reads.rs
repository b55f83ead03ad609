//! Reads, and the state at the end of a sequence.

use std::cell::RefCell;
use std::sync::Arc;

use irmin_core::backend::Wait;
use irmin_core::history::{CommitSource, LastModified, last_modified};
use irmin_core::{
    Commit, CommitData, CommitId, HashFunction, Key, Path, Repo, Result, Tree, TreeId, TreeKind,
};
use irmin_tests::replay::{Dag as _, node, original, per_key};
use serde_json::{Value, json};

use super::classes::Class;
use super::ops::text;
use super::world::World;

pub(super) type Compared = Result<Option<Class>, String>;

/// Compares an operation if it is a read.
pub(super) fn read(world: &mut World, op: &Value) -> Option<Compared> {
    let branch = world.repo.branch(text(op, "b")).unwrap();
    let result = &op["r"];
    let agrees =
        |ours: Value| if ours == *result { Ok(None) } else { Err(format!("ours is {ours}")) };
    Some(match text(op, "op") {
        "find" => {
            let value = branch.get(text(op, "p")).unwrap();
            agrees(json!({ "value": value.map(|v| String::from_utf8(v.to_vec()).unwrap()) }))
        }
        "kind" => {
            let kind = branch.kind(text(op, "p")).unwrap().map(|kind| match kind {
                TreeKind::Value(_) => "contents",
                TreeKind::Node => "node",
                TreeKind::Opaque(_) => "opaque",
            });
            agrees(json!({ "kind": kind }))
        }
        "list" => list(&branch.tree().unwrap(), text(op, "p"), result),
        "last_modified" => find_last_modified(world, op),
        _ => return None,
    })
}

/// A list of names as the vectors write it.
fn summary(names: &[String]) -> Value {
    if names.len() <= 70 {
        return json!({ "n": names.len(), "names": names });
    }
    json!({
        "n": names.len(),
        "first": names[..5],
        "sha1_of_names_joined_by_newline": sha1(&names.join("\n")),
    })
}

fn sha1(text: &str) -> String {
    HashFunction::Sha1.digest(text.as_bytes()).to_string()
}

fn list(tree: &Tree, path: &str, result: &Value) -> Compared {
    let name = |step: &irmin_core::Step| step.to_str().unwrap().to_owned();
    let listed: Vec<String> = tree.list(path).unwrap().iter().map(|(step, _)| name(step)).collect();
    if summary(&listed) == *result {
        return Ok(None);
    }
    if summary(&trie_order(listed.clone(), 0)) == *result {
        return Ok(Some(Class::ListOrder));
    }
    Err(format!("ours is {}", summary(&listed)))
}

/// The order of a pack store's 32-way tries: by five bits of the hash of the name at each level,
/// and by name where 32 or fewer are left.
pub(super) fn trie_order(mut names: Vec<String>, depth: usize) -> Vec<String> {
    if names.len() <= 32 {
        names.sort_unstable();
        return names;
    }
    let slot = |name: &String| {
        let hash = HashFunction::Blake2b(64).digest(name.as_bytes());
        let bit = |i: usize| hash.as_bytes()[i / 8] >> (7 - i % 8) & 1;
        (depth * 5..depth * 5 + 5).fold(0, |slot, i| slot << 1 | bit(i))
    };
    let mut slots = vec![Vec::new(); 32];
    for name in names {
        slots[usize::from(slot(&name))].push(name);
    }
    slots.into_iter().flat_map(|names| trie_order(names, depth + 1)).collect()
}

/// Commits of a store, as walks read them.
struct Commits<'a>(&'a Repo);

impl CommitSource for Commits<'_> {
    fn load(&self, keys: &[Key]) -> Result<Vec<Arc<CommitData>>> {
        let data = |key: &Key| {
            let commit: Commit = self.0.commit(CommitId(key.hash))?.unwrap();
            let parents = commit.parent_ids().iter().map(|id| Key::from(id.hash())).collect();
            let (tree, info) = (Key::from(commit.tree_id().hash()), commit.info().clone());
            Ok(Arc::new(CommitData { tree, parents, info }))
        };
        keys.iter().map(data).collect()
    }
}

/// `last_modified`, against the vector and both models.
pub(super) fn find_last_modified(world: &mut World, op: &Value) -> Compared {
    let path = Path::parse(text(op, "p")).unwrap();
    let bound = |name: &str| op[name].as_u64().map(|n| usize::try_from(n).unwrap());
    // The original's default is one commit.
    let (n, depth) = (bound("n").unwrap_or(1), bound("depth"));
    let head = world.repo.branch(text(op, "b")).unwrap().head().unwrap();
    let Some(head) = head else {
        // Ours has nothing to walk from.
        let refused = op["r"]["exn"] == "Invalid_argument(\"Irmin.head: no head\")";
        return if refused { Ok(Some(Class::LastModified)) } else { Err("no head".into()) };
    };
    let repo = world.repo.clone();
    let mut look_up = |trees: &[Key]| {
        let get = |key: &Key| repo.tree(TreeId(key.hash))?.unwrap().get(&path);
        trees.iter().map(get).collect()
    };
    let bounds = LastModified { n: Some(n), depth };
    let found =
        last_modified(&Commits(&repo), &[Key::from(head.id().hash())], bounds, &mut look_up);
    let ours: Vec<CommitId> =
        found.unwrap().into_iter().map(|(key, _)| CommitId(key.hash)).collect();

    let reader = RefCell::new(World::over(&world.repo));
    let mut value = |id: CommitId| reader.borrow_mut().commit(id).tree().get(&path).unwrap();
    let mut date = |id: CommitId| reader.borrow_mut().commit(id).info().committer.date;
    let model = per_key::last_modified(world, head.id(), (n, depth), &mut value, &mut date);
    if ours != model {
        return Err(format!("ours is {ours:?}, expected {model:?}"));
    }
    let original = original::last_modified(world, head.id(), (n, depth), &mut value, &mut date);
    let mut messages = |found: &[CommitId]| -> Value {
        let message =
            |id: &CommitId| String::from_utf8(world.commit(*id).info().message.to_vec()).unwrap();
        json!({ "messages": found.iter().map(message).collect::<Vec<_>>() })
    };
    if messages(&original) != op["r"] {
        return Err(format!("the model of the original says {}", messages(&original)));
    }
    Ok((ours != original).then_some(Class::LastModified))
}

/// Compares all branches at the end.
pub(super) fn check_final(world: &mut World, sequence: &Value) -> Result<(), String> {
    let names = world.repo.branches().unwrap();
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    if json!(names) != sequence["branches"] {
        return Err(format!("the branches are {names:?}"));
    }
    for (name, expected) in sequence["final"].as_object().unwrap() {
        let head = world.repo.branch(name).unwrap().head().unwrap().unwrap();
        let lines = node::lines(&world.node(head.id()));
        let mut state = json!({
            "h": head.id().to_string(),
            "t": head.tree_id().to_string(),
            "n": lines.len(),
        });
        if lines.len() <= 40 {
            state["map"] = json!(lines);
        } else {
            let line = |(path, value): (&String, &Option<String>)| {
                format!("{path}={}\n", value.as_deref().unwrap_or_default())
            };
            state["sha1_of_lines"] = json!(sha1(&lines.iter().map(line).collect::<String>()));
        }
        if state != *expected {
            return Err(format!("{name} is {state}, expected {expected}"));
        }
        if let Some(git) = sequence["git"].get(name) {
            check_git(world, &head, git).map_err(|e| format!("{name}: {e}"))?;
        }
    }
    Ok(())
}

/// Compares a head with what stock git reads in the original's repository.
fn check_git(world: &World, head: &Commit, git: &Value) -> Result<(), String> {
    let key = Key::from(head.id().hash());
    let object = world.repo.backend().get_many(&[key], Wait::Block).unwrap().remove(0).unwrap();
    let content = object.bytes.iter().position(|byte| *byte == 0).unwrap() + 1;
    let raw = std::str::from_utf8(&object.bytes[content..]).unwrap();
    if raw != git["head_commit_raw"] {
        return Err(format!("the commit is {raw:?}"));
    }
    let files: Vec<String> = node::flat(&super::world::node_of(&head.tree()))
        .iter()
        .map(|(path, value)| {
            let id = world.repo.format().value(value.as_bytes()).id;
            format!("100644 blob {id}\t{path}")
        })
        .collect();
    // Git sorts by whole paths here, as the map does.
    if json!(files) != git["ls_tree_r"] {
        return Err(format!("the files are {files:?}"));
    }
    Ok(())
}
