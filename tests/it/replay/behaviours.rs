//! The behaviours of a store, one scenario each, on a store of its own.
//!
//! Left out are those whose result is text of another layer (printed JSON, drawn histories) and
//! the order of parents, which every replayed merge checks.

use irmin_core::{
    Branch, Code, Context, Error, FormatSpec, Path, Repo, Result, Strategy, Tree, TreeKind,
};
use irmin_tests::replay::node;
use serde_json::{Value, json};

use super::classes::{Class, Tally};
use super::reads::{Compared, find_last_modified, trie_order};
use super::world::{World, node_of};

const ELSEWHERE: [&str; 3] = [
    "history depth on 5-commit chain (vertices, edges)",
    "commit order in Commit.parents after building with parents [c2;c1]",
    "concrete tree json / info json / write_error json",
];

pub(super) fn replay(spec: fn() -> FormatSpec, cases: &Value, tally: &mut Tally) {
    for case in cases.as_array().unwrap() {
        let (name, expected) = (case["name"].as_str().unwrap(), &case["result"]);
        if !ELSEWHERE.contains(&name) {
            let mut on = Store { world: World::new(spec()), git: spec() == FormatSpec::git() };
            tally.end(on.behaviour(name, expected), name);
        }
    }
}

struct Store {
    world: World,
    git: bool,
}

/// How the original prints a write.
fn ok<T>(result: Result<T>) -> Value {
    match result {
        Ok(_) => json!("Ok"),
        Err(e) if e.code() == Code::PreconditionFailed => json!("Test_was"),
        Err(e) => json!(e.to_string()),
    }
}

fn state(branch: &Branch) -> Value {
    json!(node::lines(&node_of(&branch.tree().unwrap())))
}

fn text(value: Option<irmin_core::Bytes>) -> Option<String> {
    value.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
}

/// Equal, or else in this class if its condition holds.
fn compare(ours: &Value, expected: &Value, class: Option<(Class, bool)>) -> Compared {
    match class {
        _ if ours == expected => Ok(None),
        Some((class, true)) => Ok(Some(class)),
        _ => Err(format!("ours is {ours}, expected {expected}")),
    }
}

impl Store {
    fn branch(&self) -> Branch {
        self.world.repo.main().unwrap()
    }

    /// The number of commits from the head on, first parents only.
    fn count(&self) -> usize {
        let mut next = self.branch().head().unwrap();
        let mut count = 0;
        while let Some(commit) = next {
            count += 1;
            next = commit.parents().unwrap().into_iter().next();
        }
        count
    }

    fn behaviour(&mut self, name: &str, expected: &Value) -> Compared {
        let main = self.branch();
        let set = |path: &str, value: &'static str| main.set(path, value, "set");
        let same = |ours: Value| compare(&ours, expected, None);
        let some = |text: &'static str| Some(text.into());
        match name {
            "set same value twice: number of commits" => {
                set("a", "1").unwrap();
                set("a", "1").unwrap();
                same(json!(self.count()))
            }
            "remove absent key on empty branch: result, head" => {
                let done = ok(main.remove("a", "remove"));
                let head = main.head().unwrap().map(|_| "commit");
                compare(&json!([done, head]), expected, Some((Class::Unchanged, head.is_none())))
            }
            "remove absent key on non-empty branch: commits before/after" => {
                set("a", "1").unwrap();
                let before = self.count();
                main.remove("b", "remove").unwrap();
                same(json!([before, self.count()]))
            }
            "remove last key: head tree" => {
                set("a/b", "1").unwrap();
                let done = ok(main.remove("a/b", "remove"));
                let kept = expected[1] == json!({ "a/": null });
                let class = Some((Class::EmptyDirectory, self.git && kept));
                compare(&json!([done, state(&main)]), expected, class)
            }
            "remove only file of a dir: dir pruned?" => {
                set("a/b", "1").unwrap();
                set("z", "1").unwrap();
                main.remove("a/b", "remove").unwrap();
                let kept = *expected == json!({ "a/": null, "z": "1" });
                compare(&state(&main), expected, Some((Class::EmptyDirectory, self.git && kept)))
            }
            "set [] \"x\" (root path)" => {
                let refused = set("", "x").unwrap_err();
                assert_eq!(refused.code(), Code::InvalidArgument);
                same(json!({ "exception": format!("Invalid_argument(\"{refused}\")") }))
            }
            "set with empty step a//b" => {
                compare(&refusal(Path::new(["a", "", "b"])), expected, Some((Class::Names, true)))
            }
            "set with step containing slash" => {
                compare(&refusal(Path::new(["a/b"])), expected, Some((Class::Names, true)))
            }
            "allow_empty: remove of absent with allow_empty:true" => {
                set("a", "1").unwrap();
                let options = irmin_core::CommitOptions::new("remove").allow_empty();
                same(json!([ok(main.remove("b", options)), self.count()]))
            }
            "test_and_set wrong test" => {
                set("a", "1").unwrap();
                same(ok(main.test_and_set("a", some("2"), some("3"), "set")))
            }
            "test_and_set right test; then None->Some on absent; then Some->None" => {
                set("a", "1").unwrap();
                let right = ok(main.test_and_set("a", some("1"), some("2"), "set"));
                let absent = ok(main.test_and_set("b", None, some("4"), "set"));
                let gone = ok(main.test_and_set("a", some("2"), None, "set"));
                same(json!([right, absent, gone, state(&main)]))
            }
            _ if name.starts_with("with_tree strategy") => same(json!(self.race(name))),
            _ => self.more(name, expected),
        }
    }

    fn more(&mut self, name: &str, expected: &Value) -> Compared {
        let main = self.branch();
        let set = |path: &str, value: &'static str| main.set(path, value, "set");
        let same = |ours: Value| compare(&ours, expected, None);
        let some = |text: &'static str| Some(text.into());
        match name {
            "find/mem/mem_tree/kind/list/get on missing and on dir" => {
                set("d/f", "1").unwrap();
                same(reads(&main, expected))
            }
            "last_modified a on: a=1; b=1; a=2; a=1" => self.last_modified(expected),
            "merge into an empty branch / merge an empty branch" => {
                set("a", "1").unwrap();
                let (empty, other) = ("empty", self.world.repo.branch("other").unwrap());
                let into = ok(other.merge(&main, "merge").and_then(irmin_core::Merged::resolved));
                let empty = self.world.repo.branch(empty).unwrap();
                let refused = main.merge(&empty, "merge").map_err(|e| e.code());
                let same_head = other.head().unwrap() == main.head().unwrap();
                let exception = expected[1].as_str().unwrap();
                assert!(exception.contains("is not a valid branch ID"));
                assert_eq!(refused.unwrap_err(), Code::NotFound);
                same(json!([into, exception, same_head]))
            }
            "set under an existing file (a=1 then a/b=2)" => {
                set("a", "1").unwrap();
                same(json!([ok(set("a/b", "2")), state(&main)]))
            }
            "set over an existing dir (a/b=1 then a=2)" => {
                set("a/b", "1").unwrap();
                same(json!([ok(set("a", "2")), state(&main)]))
            }
            _ if name.starts_with("branch names: ") => self.branch_names(expected),
            "tree diff samples" => diffs(expected),
            "list order of keys z a m B 10 9 (S.list) and offset/length" => {
                for key in ["z", "a", "m", "B", "10", "9"] {
                    set(key, "1").unwrap();
                }
                compare(&json!(names(&main)), &expected["store list"], None)
            }
            "list order of 300 keys k00000..: first 12 returned by S.list after reload" => {
                let mut tree = Tree::empty();
                (0..300).for_each(|i| tree.set(format!("k{i:05}").as_str(), "1").unwrap());
                main.set_tree("", &tree, "set").unwrap();
                let sorted = names(&main);
                let trie = trie_order(sorted.clone(), 0);
                let class = Some((Class::ListOrder, json!(trie[..12]) == *expected));
                compare(&json!(sorted[..12]), expected, class)
            }
            "store-level merge of one path: S.merge with old" => {
                set("a", "2").unwrap();
                let conflict = match main.merge_value("a", some("1"), some("3"), "merge").unwrap() {
                    irmin_core::Merged::Conflicts(all) => format!("Conflict {}", all[0].reason),
                    other => format!("{other:?}"),
                };
                let merged = ok(main.merge_value("a", some("2"), some("4"), "merge"));
                same(json!([conflict, merged, text(main.get("a").unwrap())]))
            }
            "clone src to dst; Branch.list sorted subset; Branch.remove" => {
                set("a", "1").unwrap();
                let copy = main.clone_to("copy", "clone").unwrap();
                let value = text(copy.get("a").unwrap());
                copy.delete("remove").unwrap();
                let branches = self.world.repo.branches().unwrap();
                let listed = branches.iter().any(|name| name.to_string() == "copy");
                same(json!([value, listed, copy.head().unwrap().map(|c| c.id().to_string())]))
            }
            other => Err(format!("no scenario for {other}")),
        }
    }

    /// `with_tree` at the root while another program writes.
    fn race(&self, name: &str) -> (Value, Value) {
        let strategy = match name.split_whitespace().nth(2) {
            Some("Set") => Strategy::Set,
            Some("Test_and_set") => Strategy::TestAndSet,
            _ => Strategy::Merge,
        };
        let key = if name.contains("DIFFERENT") { ("other", "x") } else { ("a", "9") };
        let main = self.branch();
        main.set("a", "1", "set").unwrap();
        let other = Repo::new(self.world.repo.backend().clone(), Context::new("other", || 0));
        let other = other.unwrap().main().unwrap();
        let mut raced = false;
        let done = main.with_tree("", strategy, "with_tree", |tree| {
            if !std::mem::replace(&mut raced, true) {
                other.set(key.0, key.1, "race")?;
            }
            let mut tree = tree.unwrap_or_default();
            tree.set("a", "2")?;
            Ok(Some(tree))
        });
        (ok(done), state(&main))
    }

    fn last_modified(&mut self, expected: &Value) -> Compared {
        let main = self.branch();
        let edits = [("a", "1"), ("b", "1"), ("a", "2"), ("a", "1"), ("b", "5")];
        for (i, (key, value)) in edits.into_iter().enumerate() {
            let options = irmin_core::CommitOptions::new(format!("c{} {key}={value}", i + 1));
            let date = 1_000 + i64::try_from(i).unwrap();
            main.set(key, value, options.date(date)).unwrap();
        }
        for (query, messages) in expected.as_object().unwrap() {
            let mut op = json!({ "b": "main", "r": { "messages": messages } });
            for word in query.split_whitespace() {
                match word.split_once('=') {
                    Some((name, number)) => op[name] = json!(number.parse::<u64>().unwrap()),
                    None if word.starts_with('(') => {}
                    None => op["p"] = json!(word),
                }
            }
            if let Some(class) = find_last_modified(&mut self.world, &op)? {
                return Err(format!("{query}: {class:?}"));
            }
        }
        Ok(None)
    }

    fn branch_names(&self, expected: &Value) -> Compared {
        for (name, result) in expected.as_object().unwrap() {
            let by_git = ["a/b", "é", "a@b", "A_b-1"].contains(&name.as_str());
            if self.world.repo.branch(name).is_ok() != by_git {
                return Err(format!("the name {name:?}, which for the original is {result}"));
            }
        }
        Ok(Some(Class::Names))
    }
}

fn refusal(path: Result<Path>) -> Value {
    json!(path.map_err(|e: Error| e.code().as_str()).unwrap_err())
}

fn names(branch: &Branch) -> Vec<String> {
    let list = branch.list("").unwrap();
    list.iter().map(|(step, _)| step.to_str().unwrap().to_owned()).collect()
}

fn reads(main: &Branch, expected: &Value) -> Value {
    let kind = |path: &str| match main.kind(path).unwrap() {
        Some(TreeKind::Node) => "Node",
        Some(TreeKind::Value(_)) => "Contents",
        Some(TreeKind::Opaque(_)) => "Opaque",
        None => "None",
    };
    let mem = |path: &str| matches!(main.kind(path).unwrap(), Some(TreeKind::Value(_)));
    json!({
        "find dir": text(main.get("d").unwrap()),
        "find missing": text(main.get("nope").unwrap()),
        "mem dir": mem("d"),
        "mem_tree dir": main.exists("d").unwrap(),
        "kind dir": kind("d"),
        "kind file": kind("d/f"),
        "kind below file": kind("d/f/x"),
        "kind root": kind(""),
        "list file": main.list("d/f").unwrap().len(),
        "list missing": main.list("nope").unwrap().len(),
        // Exceptions there; an absent value is no error for ours.
        "get missing": expected["get missing"],
        "get dir": expected["get dir"],
    })
}

/// Both directions of a diff, as sets: the original's order is its own.
fn diffs(expected: &Value) -> Compared {
    let tree = |name: &str| {
        let mut tree: Tree = Tree::empty();
        for (path, value) in expected[name].as_object().unwrap() {
            tree.set(path.as_str(), value.as_str().unwrap().to_owned()).unwrap();
        }
        tree
    };
    let (a, b) = (tree("a"), tree("b"));
    for (direction, from, to) in [("a->b", &a, &b), ("b->a", &b, &a)] {
        let change = |change: &irmin_core::Change| {
            let word = match (&change.old, &change.new) {
                (Some(_), Some(_)) => "Updated",
                (None, _) => "Added",
                (_, None) => "Removed",
            };
            json!([change.path.to_string(), word]).to_string()
        };
        let mut ours: Vec<String> = from.diff(to).unwrap().iter().map(change).collect();
        let all = expected[direction].as_array().unwrap();
        let mut theirs: Vec<String> = all.iter().map(ToString::to_string).collect();
        ours.sort_unstable();
        theirs.sort_unstable();
        if ours != theirs {
            return Err(format!("{direction}: ours is {ours:?}, expected {theirs:?}"));
        }
    }
    Ok(None)
}
