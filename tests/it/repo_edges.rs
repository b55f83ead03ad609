//! Branches, watches and revisions at their edges: races, failures and hostile refs.

use std::sync::{Arc, Mutex};

use irmin_core::backend::{
    Backend, Batch, Expected, MemoryBackend, RefEdit, StrictMemory, Target, Wait,
};
use irmin_core::{
    BranchUpdate, Bytes, Code, CommitId, Context, Format, FormatSpec, HeadChange, Key, Kind,
    Object, RefName, Repo, Tree,
};

fn repo_on(backend: Arc<dyn Backend>) -> Repo {
    Repo::new(backend, Context::new("ann", || 1_000)).unwrap()
}

fn git() -> Format {
    Format::new(FormatSpec::git())
}

fn memory() -> Repo {
    repo_on(Arc::new(MemoryBackend::new(git())))
}

#[test]
fn a_write_that_is_done_is_not_an_error_because_it_cannot_be_read_back() {
    let backend = Arc::new(StrictMemory::new(git()));
    let repo = repo_on(backend.clone()).resident();
    let main = repo.main().unwrap();
    let evicting = backend.clone();
    let _watch = backend.watch(Arc::new(move |_| evicting.evict())).unwrap();
    let commit = main.set("a", "1", "one").unwrap().unwrap();
    assert_eq!(commit.info().message, "one");
    assert_eq!(main.head().unwrap_err().code(), Code::MissingObjects);
    let read = repo_on(backend.clone()).commit(commit.id()).unwrap().unwrap();
    assert_eq!((read.tree_id(), read.info()), (commit.tree_id(), commit.info()));
}

#[test]
fn threads_share_a_detached_head_and_lose_nothing() {
    let repo = memory();
    let main = repo.main().unwrap();
    let first = main.set("n", "0", "first").unwrap().unwrap();
    let head = repo.detached(&first);
    let (threads, each) = (4, 25);
    std::thread::scope(|scope| {
        for t in 0..threads {
            let head = head.clone();
            scope.spawn(move || {
                for i in 0..each {
                    head.set(format!("{t}/{i}"), "x", "add").unwrap().unwrap();
                }
            });
        }
    });
    assert_eq!(head.tree().unwrap().stats(true).unwrap().leaves, threads * each + 1);
    assert_eq!(main.head().unwrap().unwrap(), first);
}

#[test]
fn a_callback_that_writes_its_own_head_is_refused() {
    let repo = memory();
    let main = repo.main().unwrap();
    let first = main.set("n", "0", "first").unwrap().unwrap();
    for branch in [main, repo.detached(&first)] {
        let again = branch.clone();
        let refused =
            branch.transaction("outer", |_| again.set("x", "1", "inner").map(drop)).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        branch.set("y", "1", "and it goes on").unwrap().unwrap();
    }
}

#[test]
fn an_update_names_every_branch_once() {
    let repo = memory();
    let commit = repo.main().unwrap().set("a", "1", "one").unwrap().unwrap();
    let update =
        BranchUpdate { branch: "x".parse().unwrap(), expected: None, new: Some(commit.id()) };
    let refused = repo.update(&[update.clone(), update.clone()], "twice").unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.to_string().contains("`x`") && !refused.to_string().contains("callback"));
    assert!(repo.update(&[update], "once").unwrap());
}

#[test]
fn a_panic_in_the_first_event_of_a_watch_harms_no_one() {
    let repo = memory();
    let main = repo.main().unwrap();
    let commit = main.set("a", "1", "one").unwrap().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let into = seen.clone();
    let _watch = main
        .watch(Some(None), move |change| {
            let id = change.current().map(irmin_core::Commit::id);
            let mut seen = into.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            seen.push(id);
            assert!(seen.len() != 1, "on purpose");
        })
        .unwrap();
    let next = main.set("a", "2", "two").unwrap().unwrap();
    let seen = seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    assert_eq!(*seen, [Some(commit.id()), Some(next.id())]);
}

#[test]
fn a_watch_does_not_take_a_head_it_cannot_read_for_none() {
    let backend = Arc::new(StrictMemory::new(git()));
    let repo = repo_on(backend.clone());
    let main = repo.main().unwrap();
    let first = main.set("a/b", "1", "one").unwrap().unwrap();
    // Before the other watches are told, everything but the first commit leaves the cache.
    let hiding = Arc::new(Mutex::new(true));
    let (hide, store, first_key) = (hiding.clone(), backend.clone(), Key::from(first.id().hash()));
    let _evict = backend
        .watch(Arc::new(move |_| {
            if *hide.lock().unwrap() {
                store.evict();
                store.get_many(&[first_key], Wait::Block).unwrap();
            }
        }))
        .unwrap();
    let watched = repo.resident().main().unwrap();
    let heads = Arc::new(Mutex::new(Vec::new()));
    let keys = Arc::new(Mutex::new(0));
    let (into, count) = (heads.clone(), keys.clone());
    let _heads = watched.watch(None, move |change| into.lock().unwrap().push(change)).unwrap();
    let _keys = watched.watch_key("a", None, move |_| *count.lock().unwrap() += 1).unwrap();

    main.set("other", "2", "hidden").unwrap();
    assert!(heads.lock().unwrap().is_empty(), "{heads:?}");
    *hiding.lock().unwrap() = false;
    let third = main.set("other", "3", "three").unwrap().unwrap();
    let heads = heads.lock().unwrap();
    assert_eq!(*heads, [HeadChange::Updated(first, third)]);
    assert_eq!(*keys.lock().unwrap(), 0);
}

#[test]
fn a_watch_from_a_commit_that_is_not_there_says_so() {
    let repo = memory();
    let main = repo.main().unwrap();
    main.set("a", "1", "one").unwrap();
    let absent = CommitId(repo.format().value(b"?").id);
    let refused = main.watch(Some(Some(absent)), |_| {}).unwrap_err();
    assert_eq!(refused.code(), Code::MissingObjects);
}

fn put_ref(repo: &Repo, name: &str, object: Object) {
    let edit = RefEdit {
        name: name.parse::<RefName>().unwrap(),
        expected: Expected::Any,
        new: Some(Target::Object(Key::from(object.id))),
    };
    let batch = Batch { objects: vec![object], edits: vec![edit], ..Batch::default() };
    repo.backend().publish(batch).unwrap();
}

#[test]
fn a_tag_of_something_else_is_no_damage() {
    let repo = memory();
    put_ref(&repo, "refs/tags/key", repo.format().value(b"a public key"));
    for refused in [repo.tag("key").unwrap_err(), repo.resolve("key").unwrap_err()] {
        assert_eq!(refused.code(), Code::InvalidRevision, "{refused}");
        assert!(refused.to_string().contains("refs/tags/key"), "{refused}");
    }
}

#[test]
fn short_hashes_with_too_many_candidates_are_ambiguous() {
    let repo = memory();
    let commit = repo.main().unwrap().set("a", "1", "one").unwrap().unwrap();
    let hex = commit.id().to_string();
    // Objects of the same first digits that come before the commit: the store checks no hashes.
    let objects = (0..40_u8).map(|n| {
        let mut digits = format!("{}{n:02x}", &hex[..4]);
        digits.push_str(&"0".repeat(40 - digits.len()));
        let bytes = Bytes::from_static(b"blob 0\0");
        let id = digits.parse().unwrap();
        Object::new(Kind::Value, id, bytes)
    });
    let batch = Batch { objects: objects.collect(), ..Batch::default() };
    repo.backend().publish(batch).unwrap();
    let refused = repo.resolve(&hex[..4]).unwrap_err();
    assert_eq!(refused.code(), Code::AmbiguousRevision, "{refused}");
    assert_eq!(repo.resolve(&hex[..20]).unwrap(), commit);
}

#[test]
fn a_tree_that_was_written_before_is_written_again_after_a_collection() {
    let backend = Arc::new(StrictMemory::new(git()));
    let repo = repo_on(backend.clone());
    let draft = repo.branch("draft").unwrap();
    let mut tree: Tree = Tree::empty();
    tree.set("a/b", "1").unwrap();
    tree.set("a/c", "2").unwrap();
    draft.set_tree("", &tree, "first").unwrap();
    draft.delete("gone").unwrap();
    assert!(backend.collect().unwrap() > 0);
    let main = repo.main().unwrap();
    main.set_tree("kept", &tree, "again").unwrap();
    assert_eq!(main.get("kept/a/b").unwrap().unwrap(), "1");
    main.staged("staged", |stage| stage.set("x", &Bytes::from("1"), Default::default())).unwrap();
}

#[test]
fn tags_note_who_made_them_as_commits_do() {
    let repo = memory();
    let commit = repo.main().unwrap().set("a", "1", "one").unwrap().unwrap();
    repo.set_tag("v1", &commit, "release").unwrap();
    assert_eq!(repo.tag("v1").unwrap().unwrap(), commit);
    let refused = repo.set_tag("v1", &commit, "again").unwrap_err();
    assert_eq!(refused.code(), Code::PreconditionFailed);
    assert!(refused.to_string().contains("refs/tags/v1"), "{refused}");
}
