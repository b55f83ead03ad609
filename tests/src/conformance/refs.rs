//! Refs: exact compare-and-set, all or nothing, and names that git could keep.

use irmin_core::backend::{Expected, Published, RefEdit, Target, View, resolve_ref};
use irmin_core::{Code, Key, RefName};

use super::Case;
use super::make::{Store, edit, name};

pub(super) const CASES: &[(&str, Case)] = &[
    ("refs: compare and set", compare_and_set),
    ("refs: several at once, all or nothing", all_or_nothing),
    ("refs: a batch that loses leaves no objects that matter", lost_batches),
    ("refs: a new store is on a branch that does not exist yet", unborn_head),
    ("refs: symbolic refs are followed by name, not by edits", symbolic),
    ("refs: a chain of symbolic refs ends", cycles),
    ("refs: names that clash", clashes),
    ("refs: names that do not clash", no_clash),
    ("refs: an emptied directory of names can become a name", reuse_of_directories),
    ("refs: listings", listings),
    ("refs: one edit a name", twice),
];

const MAIN: &str = "refs/heads/main";

fn is(key: Key) -> Expected {
    Expected::Is(Target::Object(key))
}

fn compare_and_set(store: &Store) {
    let (a, b) = (store.set("refs/tags/a", "a"), store.set("refs/tags/b", "b"));
    let cas =
        |expected, new| match store.publish(Vec::new(), vec![edit(MAIN, expected, new)]).unwrap() {
            Published::Done { .. } => Ok(()),
            Published::Lost { name, actual } => {
                assert_eq!(name.as_str(), MAIN);
                Err(actual.map(|target| match target {
                    Target::Object(key) => key,
                    Target::Symbolic(_) => panic!("nobody made it symbolic"),
                }))
            }
        };
    assert_eq!(cas(is(a), Some(b)), Err(None));
    assert_eq!(cas(Expected::Absent, Some(a)), Ok(()));
    assert_eq!(store.read(MAIN), Some(a));
    assert_eq!(cas(Expected::Absent, Some(b)), Err(Some(a)));
    assert_eq!(cas(is(b), Some(b)), Err(Some(a)));
    assert_eq!(cas(is(b), None), Err(Some(a)));
    assert_eq!(store.read(MAIN), Some(a));
    assert_eq!(cas(is(a), Some(b)), Ok(()));
    assert_eq!(cas(Expected::Any, Some(b)), Ok(()), "a change to the same is no loss");
    assert_eq!(store.read(MAIN), Some(b));
    assert_eq!(cas(is(a), None), Err(Some(b)));
    assert_eq!(cas(is(b), None), Ok(()));
    assert_eq!(store.read(MAIN), None);
    assert_eq!(cas(Expected::Absent, None), Ok(()), "a test alone");
    assert_eq!(cas(Expected::Any, None), Ok(()), "removing what is not there");
    assert_eq!(cas(is(a), None), Err(None));
    assert_eq!(cas(Expected::Any, Some(a)), Ok(()));
    assert_eq!(store.read(MAIN), Some(a));
}

fn all_or_nothing(store: &Store) {
    let (a, b) = (store.set("refs/heads/a", "a"), store.set("refs/heads/b", "b"));
    let swap = |expected| {
        let edits = vec![
            edit("refs/heads/c", Expected::Absent, Some(a)),
            edit("refs/heads/a", is(a), Some(b)),
            edit("refs/heads/b", expected, None),
        ];
        store.publish(Vec::new(), edits).unwrap()
    };
    let refs = || ["a", "b", "c"].map(|n| store.read(&format!("refs/heads/{n}")));
    let lost = swap(is(a));
    let actual = Some(Target::Object(b));
    assert_eq!(lost, Published::Lost { name: name("refs/heads/b"), actual });
    assert_eq!(refs(), [Some(a), Some(b), None]);
    assert!(matches!(swap(is(b)), Published::Done { .. }));
    assert_eq!(refs(), [Some(b), None, Some(a)]);
    // An error undoes as a loss does.
    let edits = vec![
        edit("refs/heads/a", is(b), Some(a)),
        edit("refs/heads/d", Expected::Any, Some(store.absent().into())),
    ];
    assert!(store.publish(Vec::new(), edits).is_err());
    assert_eq!(refs(), [Some(b), None, Some(a)]);
}

fn lost_batches(store: &Store) {
    let a = store.set(MAIN, "a");
    let next = store.commit("next", &[a]);
    let edits = vec![edit(MAIN, Expected::Absent, Some(next.commit))];
    let lost = store.publish(next.objects.clone(), edits).unwrap();
    assert!(matches!(lost, Published::Lost { .. }));
    assert_eq!(store.read(MAIN), Some(a));
    // The same objects in the batch that is tried again.
    store.done(next.objects, vec![edit(MAIN, is(a), Some(next.commit))]);
    assert_eq!(store.read(MAIN), Some(next.commit));
    assert!(store.has(next.commit.hash));
}

fn unborn_head(store: &Store) {
    let head = store.backend.read_ref(&RefName::head(), View::Durable).unwrap();
    let Some(Target::Symbolic(branch)) = head else { panic!("HEAD is {head:?}") };
    assert!(branch.branch().is_some(), "{branch}");
    let (resolved, key) = resolve_ref(&*store.backend, &RefName::head(), View::Tip).unwrap();
    assert_eq!((resolved, key), (branch.clone(), None));
    let a = store.set(branch.as_str(), "a");
    let resolved = resolve_ref(&*store.backend, &RefName::head(), View::Tip).unwrap();
    assert_eq!(resolved, (branch, Some(a)));
}

fn symbolic(store: &Store) {
    let a = store.set("refs/heads/a", "a");
    let other = Target::Symbolic(name("refs/heads/other"));
    let head = |expected, new| {
        let edit = RefEdit { name: RefName::head(), expected, new };
        store.publish(Vec::new(), vec![edit]).unwrap()
    };
    assert!(matches!(head(Expected::Any, Some(other.clone())), Published::Done { .. }));
    let read = || store.backend.read_ref(&RefName::head(), View::Durable).unwrap();
    assert_eq!(read(), Some(other.clone()), "it may stand for what does not exist");
    assert_eq!(store.read("refs/heads/other"), None);
    // The expectation is of the ref itself.
    let lost = head(is(a), Some(Target::Object(a)));
    assert_eq!(lost, Published::Lost { name: RefName::head(), actual: Some(other.clone()) });
    let to_a = Target::Symbolic(name("refs/heads/a"));
    let set = head(Expected::Is(other), Some(to_a.clone()));
    assert!(matches!(set, Published::Done { .. }));
    let detached = head(Expected::Is(to_a.clone()), Some(Target::Object(a)));
    assert!(matches!(detached, Published::Done { .. }));
    assert_eq!(read(), Some(Target::Object(a)));
    assert!(matches!(head(is(a), Some(to_a)), Published::Done { .. }));
    assert_eq!(store.read("refs/heads/a"), Some(a), "the ref behind it never moved");
}

fn cycles(store: &Store) {
    let link = |from: &str, to: &str| RefEdit {
        name: name(from),
        expected: Expected::Any,
        new: Some(Target::Symbolic(name(to))),
    };
    let edits = vec![link("refs/heads/x", "refs/heads/y"), link("refs/heads/y", "refs/heads/x")];
    store.done(Vec::new(), edits);
    let error = resolve_ref(&*store.backend, &name("refs/heads/x"), View::Tip).unwrap_err();
    assert_eq!(error.code(), Code::CorruptStore);
}

fn clashes(store: &Store) {
    let a = store.set("refs/heads/a/b", "a");
    let refused = |edits: Vec<RefEdit>| {
        let error = store.publish(vec![store.value("unseen")], edits).unwrap_err();
        assert_eq!(error.code(), Code::NameClash, "{error}");
        assert_eq!(store.names("refs/"), ["refs/heads/a/b"]);
    };
    let set = |at: &str| edit(at, Expected::Any, Some(a));
    refused(vec![set("refs/heads/a")]);
    refused(vec![set("refs/heads/a/b/c")]);
    refused(vec![set("refs/heads/a/b/c/d")]);
    refused(vec![edit("refs/heads/a", Expected::Absent, Some(a))]);
    refused(vec![set("refs/heads/fine"), set("refs/heads/a")]);
    refused(vec![set("refs/heads/n"), set("refs/heads/n/m")]);
    refused(vec![set("refs/heads/n/m"), set("refs/heads/n")]);
    refused(vec![edit("refs/heads/a/b", is(a), None), set("refs/heads/a")]);
    refused(vec![edit("refs/heads/a/b", is(a), None), set("refs/heads/a/b/c")]);
}

fn no_clash(store: &Store) {
    let names =
        ["refs/heads/a", "refs/heads/a-b", "refs/heads/a.b", "refs/heads/ab", "refs/tags/a/b"];
    for at in names {
        store.set(at, at);
    }
    let a = store.read("refs/heads/a").unwrap();
    store.done(Vec::new(), vec![edit("refs/heads/\u{e9}/x", Expected::Absent, Some(a))]);
    assert_eq!(store.names("refs/heads/").len(), 5);
}

fn reuse_of_directories(store: &Store) {
    let a = store.set("refs/heads/a/b/c", "a");
    store.done(Vec::new(), vec![edit("refs/heads/a/b/c", is(a), None)]);
    store.done(Vec::new(), vec![edit("refs/heads/a", Expected::Absent, Some(a))]);
    assert_eq!(store.names("refs/"), ["refs/heads/a"]);
    store.done(Vec::new(), vec![edit("refs/heads/a", is(a), None)]);
    store.done(Vec::new(), vec![edit("refs/heads/a/b", Expected::Absent, Some(a))]);
    assert_eq!(store.names("refs/"), ["refs/heads/a/b"]);
}

fn listings(store: &Store) {
    assert!(store.names("").is_empty(), "HEAD is in no listing");
    let names = [
        "refs/heads/a-b",
        "refs/heads/a/b",
        "refs/heads/ab",
        "refs/heads/b",
        "refs/remotes/origin/main",
        "refs/tags/v1",
    ];
    for at in names.iter().rev() {
        store.set(at, at);
    }
    assert_eq!(store.names(""), names);
    assert_eq!(store.names("refs/"), names);
    assert_eq!(store.names("refs/heads/"), names[..4]);
    assert_eq!(store.names("refs/heads/a"), names[..3]);
    assert_eq!(store.names("refs/heads/a/"), names[1..2]);
    assert_eq!(store.names("refs/t"), names[5..]);
    assert!(store.names("refs/heads/x").is_empty());
    assert!(store.names("HEAD").is_empty());
    for (name, target) in store.backend.refs("refs/").unwrap() {
        assert_eq!(store.backend.read_ref(&name, View::Durable).unwrap(), Some(target));
    }
}

fn twice(store: &Store) {
    let a = store.set("refs/tags/a", "a");
    let edits = vec![edit(MAIN, Expected::Any, Some(a)), edit(MAIN, Expected::Any, None)];
    let error = store.publish(Vec::new(), edits).unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert_eq!(store.read(MAIN), None);
}
