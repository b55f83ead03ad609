//! JSON objects as hierarchies of keys: round trips, and what has no such form.

use std::collections::BTreeMap;
use std::sync::Arc;

use irmin_core::backend::MemoryBackend;
use irmin_core::contents::Contents;
use irmin_core::contents::json::{JsonValue, MAX_DEPTH};
use irmin_core::{
    Branch, Code, Format, FormatSpec, Metadata, Path, Repo, Result, Tree, TreeKind, json_tree,
};
use proptest::prelude::*;

use crate::model::{cases, context};
use crate::values::json_values;

fn branches() -> Vec<Branch<JsonValue>> {
    let branch = |spec: FormatSpec| {
        let format = Format::new(FormatSpec { values: JsonValue::VALUES, ..spec });
        let repo = Repo::new(Arc::new(MemoryBackend::new(format)), context()).unwrap();
        repo.typed::<JsonValue>().unwrap().main().unwrap()
    };
    [FormatSpec::git(), FormatSpec::irmin_mem(), FormatSpec::native()].map(branch).into()
}

fn json(text: &str) -> JsonValue {
    text.parse().unwrap()
}

/// The values of the tree that an object should be, or nothing if two members have one name.
fn leaves(value: &JsonValue, at: &str, out: &mut BTreeMap<String, JsonValue>) -> Option<()> {
    match value {
        JsonValue::Object(members) if !members.is_empty() => {
            for (i, (name, value)) in members.iter().enumerate() {
                if members[..i].iter().any(|member| member.0 == *name) {
                    return None;
                }
                leaves(value, &format!("{at}/{name}"), out)?;
            }
        }
        leaf => drop(out.insert(at.to_owned(), leaf.clone())),
    }
    Some(())
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn what_is_put_in_comes_back(value in json_values(), other in json_values()) {
        let mut expected = BTreeMap::new();
        let fine = leaves(&value, "dir/it", &mut expected).is_some();
        for main in branches() {
            main.set("dir/before", JsonValue::Null, "another key").unwrap();
            let _ = json_tree::set(&main, "dir/it", &other, "what gives way");
            let before = main.tree().unwrap().hash().unwrap();
            let set = json_tree::set(&main, "dir/it", &value, "put in");
            if !fine {
                prop_assert_eq!(set.unwrap_err().code(), Code::InvalidValue);
                prop_assert_eq!(main.tree().unwrap().hash().unwrap(), before);
                continue;
            }
            set.unwrap();
            let back = json_tree::get(&main, "dir/it").unwrap();
            prop_assert_eq!(back.as_ref(), Some(&value));
            let mut all = main.tree().unwrap().to_concrete().unwrap();
            all.remove(&Path::parse("dir/before").unwrap());
            let found: BTreeMap<_, _> =
                all.into_iter().map(|(path, (leaf, _))| (path.as_bytes().to_vec(), leaf)).collect();
            let expected: BTreeMap<_, _> =
                expected.iter().map(|(path, leaf)| (path.clone().into_bytes(), leaf.clone())).collect();
            prop_assert_eq!(found, expected);
        }
        if fine {
            let concrete = json_tree::to_concrete(&value).unwrap();
            prop_assert_eq!(json_tree::of_concrete(concrete).unwrap(), value);
        }
    }
}

#[test]
fn members_merge_on_their_own() {
    for main in branches() {
        json_tree::set(&main, "ann", &json(r#"{"a":1,"b":{"c":2,"d":[3]},"e":{}}"#), "").unwrap();
        let draft = main.fork("draft").unwrap();
        draft.set("ann/b/c", json("7"), "").unwrap();
        draft.set("ann/e/f", json("8"), "an empty object has a member now").unwrap();
        main.remove("ann/a", "").unwrap();
        main.set("ann/b/d", json("[]"), "").unwrap();
        main.merge(&draft, "").unwrap().resolved().unwrap();
        let merged = json_tree::get(&main, "ann").unwrap().unwrap();
        assert_eq!(merged, json(r#"{"b":{"c":7,"d":[]},"e":{"f":8}}"#));
    }
}

#[test]
fn the_root_is_an_object() {
    for main in branches() {
        assert_eq!(json_tree::get(&main, "").unwrap(), Some(json("{}")));
        assert_eq!(json_tree::get(&main, "absent").unwrap(), None);
        json_tree::set(&main, "", &json(r#"{"a":{"b":1}}"#), "").unwrap();
        assert_eq!(main.kind("a").unwrap(), Some(TreeKind::Node));
        assert_eq!(json_tree::get(&main, "").unwrap(), Some(json(r#"{"a":{"b":1}}"#)));
        let refused = json_tree::set(&main, "", &json("1"), "").unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        let refused = json_tree::set(&main, "doc", &json(r#"{"":1}"#), "").unwrap_err();
        assert!(refused.to_string().starts_with("`doc`: "), "{refused}");
        json_tree::set(&main, "", &json("{}"), "nothing is left").unwrap();
        assert!(main.tree().unwrap().is_empty().unwrap());
    }
}

#[test]
fn what_is_no_hierarchy_of_keys_is_refused() {
    let refused = |text: &str| {
        let error = json_tree::to_tree(&json(text)).unwrap_err();
        (error.code(), error.to_string())
    };
    for name in ["", ".", "..", "a/b", ".git", "nul\\u0000"] {
        let (code, text) = refused(&format!(r#"{{"outer":{{"{name}":1}}}}"#));
        assert_eq!(code, Code::InvalidPath, "{name}");
        assert!(text.contains("a member of `outer`"), "{text}");
    }
    let twice = (Code::InvalidValue, "the object `a` has two members `b`".to_owned());
    assert_eq!(refused(r#"{"a":{"b":1,"c":2,"b":{}}}"#), twice);
    assert_eq!(refused(r#"{"a":{"b":{"c":1},"b":{"c":1}}}"#), twice);

    // Deeper than a path can be: built by a program, since nothing reads it.
    let mut deep = JsonValue::Null;
    for _ in 0..300 {
        deep = JsonValue::Object(vec![("a".into(), deep)]);
    }
    assert_eq!(json_tree::to_tree(&deep).unwrap_err().code(), Code::PayloadTooLarge);
}

#[test]
fn what_is_no_json_is_refused() -> Result<()> {
    let mut tree: Tree<JsonValue> = Tree::empty();
    tree.set(Path::new([b"caf\xe9"])?, json("1"))?;
    let refused = json_tree::get_tree(&tree, "").unwrap_err();
    assert_eq!(refused.code(), Code::InvalidValue);

    let nested = |levels: usize| -> Result<Option<JsonValue>> {
        let mut tree: Tree<JsonValue> = Tree::empty();
        tree.set("a/".repeat(levels), json("1"))?;
        json_tree::get_tree(&tree, "")
    };
    let deepest = nested(MAX_DEPTH)?.unwrap();
    assert_eq!(deepest.to_string().parse::<JsonValue>()?, deepest);
    assert_eq!(nested(MAX_DEPTH + 1).unwrap_err().code(), Code::InvalidValue);
    // What is nested in a value counts, too.
    let inside = |levels: usize, inner: &str| {
        let mut tree: Tree<JsonValue> = Tree::empty();
        tree.set("a/".repeat(levels), json(inner))?;
        json_tree::get_tree(&tree, "")
    };
    let deepest = inside(MAX_DEPTH - 2, "[[1]]")?.unwrap();
    assert_eq!(deepest.to_string().parse::<JsonValue>()?, deepest);
    let refused = inside(MAX_DEPTH - 2, "[[[1]]]").unwrap_err();
    assert_eq!(refused.code(), Code::InvalidValue);
    assert!(refused.to_string().starts_with("`a/a/"), "{refused}");

    let value = (json("1"), Metadata::Normal);
    let both = [(Path::root(), value.clone()), (Path::parse("a")?, value)];
    let refused = json_tree::of_concrete(both.into_iter().collect()).unwrap_err();
    assert_eq!(refused.code(), Code::InvalidPath);
    Ok(())
}
