//! Branches under concurrency: nothing is lost, nothing is half done, and what waits is shared.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use irmin_core::backend::{Backend, MemoryBackend, StrictMemory, View};
use irmin_core::{
    BranchUpdate, Code, CommitId, CommitOptions, ErrorKind, Format, FormatSpec, Limits, Repo,
    Result, Strategy, Tree,
};
use irmin_tests::hooked::Hooked;

use crate::model::context;

fn format() -> Format {
    Format::new(FormatSpec::native())
}

/// A handle with queues of its own, as another process has.
fn repo(backend: &Arc<impl Backend + 'static>) -> Repo {
    Repo::new(backend.clone(), context()).unwrap()
}

fn increment(tree: &mut Tree) -> Result<()> {
    let old = tree
        .get("counter")?
        .map_or(0, |value| String::from_utf8(value.to_vec()).unwrap().parse::<u64>().unwrap());
    tree.set("counter", (old + 1).to_string())
}

fn counter(repo: &Repo) -> String {
    let value = repo.main().unwrap().get("counter").unwrap().unwrap();
    String::from_utf8(value.to_vec()).unwrap()
}

fn count_from_many_threads(repo: &Repo) {
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let main = repo.main().unwrap();
                for _ in 0..25 {
                    assert!(main.transaction("count", increment).unwrap().is_some());
                }
            });
        }
    });
    assert_eq!(counter(repo), "200");
    let log = repo.main().unwrap().log(&irmin_core::LogOptions::default()).unwrap();
    assert_eq!(log.len(), 200);
}

#[test]
fn increments_of_many_threads_are_all_there() {
    count_from_many_threads(&repo(&Arc::new(MemoryBackend::new(format()))));
    let strict = Arc::new(StrictMemory::new(format()).demanding_pins());
    count_from_many_threads(&repo(&strict));
    assert!(strict.syncs() <= 200);
    assert_eq!(strict.pins(), 0, "all pins are released");
}

#[test]
fn two_writers_of_a_branch_share_a_sync() {
    let strict = Arc::new(StrictMemory::new(format()).demanding_pins());
    let hooked = Hooked::new(strict.clone());
    let repo = repo(&hooked);
    repo.main().unwrap().set("first", "1", "first").unwrap();
    let syncs = strict.syncs();
    // Neither syncs before both have submitted: the second one builds on the tip of the first.
    let both = Arc::new(Barrier::new(2));
    hooked.on_wait(move || {
        both.wait();
    });
    let commits: Vec<_> = thread::scope(|scope| {
        let write = |path: &'static str| {
            let repo = &repo;
            scope.spawn(move || repo.main().unwrap().set(path, "x", "write").unwrap().unwrap())
        };
        let writers = [write("a"), write("b")];
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    assert_eq!(strict.syncs(), syncs + 1);
    let (a, b) = (&commits[0], &commits[1]);
    assert!(a.parent_ids() == [b.id()] || b.parent_ids() == [a.id()]);
    assert_eq!(repo.main().unwrap().list("").unwrap().len(), 3);
}

#[test]
fn a_failed_sync_is_no_acknowledgement() {
    let strict = Arc::new(StrictMemory::new(format()));
    let repo = repo(&strict);
    let main = repo.main().unwrap();
    let head = main.set("a", "1", "first").unwrap();
    strict.fail_next_sync();
    let failed = main.set("a", "2", "second").unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Unavailable);
    assert_eq!(main.head().unwrap(), head);
    assert_eq!(main.set("a", "3", "third").unwrap_err().code(), Code::Poisoned);
    assert_eq!(main.get("a").unwrap().unwrap(), "1");
}

/// Another process writes before each of the next `n` submissions of `hooked`.
fn interfere(hooked: &Hooked, inner: &Arc<MemoryBackend>, n: usize) -> Arc<AtomicUsize> {
    let other = repo(inner);
    let times = Arc::new(AtomicUsize::new(0));
    let count = times.clone();
    hooked.on_submit(move || {
        let now = count.fetch_add(1, Ordering::Relaxed);
        if now < n {
            other.main().unwrap().set("other", format!("{now}"), "interfere").unwrap();
        }
    });
    times
}

#[test]
fn writes_are_replayed_until_the_retries_are_used_up() {
    let inner = Arc::new(MemoryBackend::new(format()));
    let hooked = Hooked::new(inner.clone());
    let repo = repo(&hooked);
    let main = repo.main().unwrap();
    let retries = repo.limits().retries;
    let times = interfere(&hooked, &inner, retries);
    let mut runs = 0;
    main.transaction("count", |tree| {
        runs += 1;
        increment(tree)
    })
    .unwrap();
    assert_eq!((runs, times.load(Ordering::Relaxed)), (retries + 1, retries + 1));
    assert_eq!(main.get("other").unwrap().unwrap(), (retries - 1).to_string());
    assert_eq!(counter(&repo), "1");

    let times = interfere(&hooked, &inner, usize::MAX);
    let lost = main.transaction("count", increment).unwrap_err();
    assert_eq!((lost.code(), lost.kind()), (Code::TooManyRetries, ErrorKind::Contended));
    assert_eq!(times.load(Ordering::Relaxed), retries + 1);
    assert_eq!(counter(&repo), "1");

    let times = interfere(&hooked, &inner, usize::MAX);
    let options = CommitOptions::new("count").retries(0);
    assert!(main.transaction(options, increment).is_err());
    assert_eq!(times.load(Ordering::Relaxed), 1);
}

#[test]
fn strategies_differ_in_what_they_do_about_others() {
    for (strategy, runs, conflicting, result) in [
        (Strategy::Set, 1, false, "mine"),
        (Strategy::TestAndSet, 2, false, "mine+other"),
        (Strategy::Merge, 1, false, "mine+other"),
        (Strategy::Set, 1, true, "mine"),
        (Strategy::TestAndSet, 2, true, "mine"),
        (Strategy::Merge, 2, true, "mine"),
    ] {
        let inner = Arc::new(MemoryBackend::new(format()));
        let hooked = Hooked::new(inner.clone());
        let main = repo(&hooked).main().unwrap();
        main.set("dir/base", "0", "base").unwrap();
        let other = repo(&inner).main().unwrap();
        let times = AtomicUsize::new(0);
        hooked.on_submit(move || {
            if times.fetch_add(1, Ordering::Relaxed) == 0 {
                let name = if conflicting { "dir/mine" } else { "dir/other" };
                other.set(name, "theirs", "interfere").unwrap();
            }
        });
        let mut ran = 0;
        main.with_tree("dir", strategy, "with", |tree| {
            ran += 1;
            let mut tree = tree.unwrap();
            tree.set("mine", "mine")?;
            Ok(Some(tree))
        })
        .unwrap();
        assert_eq!(ran, runs, "{strategy:?}, conflicting: {conflicting}");
        assert_eq!(main.get("dir/mine").unwrap().unwrap(), "mine");
        let other = main.exists("dir/other").unwrap();
        assert_eq!(other, result == "mine+other", "{strategy:?}, conflicting: {conflicting}");
    }
}

#[test]
fn a_callback_that_writes_its_own_branch_is_told_so() {
    let repo = repo(&Arc::new(MemoryBackend::new(format())));
    let main = repo.main().unwrap();
    let inner = main.clone();
    let refused = main.transaction("outer", |_| {
        inner.set("a", "1", "inner")?;
        Ok(())
    });
    assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
    // Another branch is free, and so is this one afterwards.
    let other = repo.branch("other").unwrap();
    main.transaction("outer", |tree| {
        other.set("a", "1", "inner")?;
        tree.set("a", "1")
    })
    .unwrap();
    assert!(main.set("a", "2", "after").unwrap().is_some());
}

#[test]
fn a_callback_that_panics_leaves_the_branch_free() {
    let repo = repo(&Arc::new(MemoryBackend::new(format())));
    let main = repo.main().unwrap();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = main.transaction("panic", |_| panic!("the callback's own"));
    }));
    assert!(caught.is_err());
    assert!(main.set("a", "1", "after").unwrap().is_some());
}

#[test]
fn an_update_of_several_branches_is_all_or_nothing() {
    let strict = Arc::new(StrictMemory::new(format()).demanding_pins());
    let repo = repo(&strict);
    let main = repo.main().unwrap();
    let one = main.set("a", "1", "one").unwrap().unwrap().id();
    let two = main.set("a", "2", "two").unwrap().unwrap().id();
    let update =
        |name: &str, expected, new| BranchUpdate { branch: name.parse().unwrap(), expected, new };
    let heads = || -> Vec<(String, CommitId)> {
        let names = repo.branches().unwrap();
        names
            .iter()
            .map(|name| {
                let head = repo.branch(name.as_str()).unwrap().head().unwrap().unwrap();
                (name.as_str().to_owned(), head.id())
            })
            .collect()
    };
    let all = [
        update("z", Some(None), Some(one)),
        update("main", Some(Some(two)), Some(one)),
        update("b", None, Some(two)),
    ];
    assert!(repo.update(&all, "move").unwrap());
    let named = |name: &str, id| (name.to_owned(), id);
    let moved = vec![named("b", two), named("main", one), named("z", one)];
    assert_eq!(heads(), moved);
    // One is not as expected: none moves.
    let lost = [update("b", Some(Some(two)), None), update("main", Some(Some(two)), Some(two))];
    assert!(!repo.update(&lost, "move").unwrap());
    assert_eq!(heads(), moved);
    // A commit that does not exist.
    let nowhere = CommitId(repo.format().hash().digest(b"nowhere"));
    let absent = [update("b", None, None), update("main", None, Some(nowhere))];
    assert_eq!(repo.update(&absent, "move").unwrap_err().code(), Code::NotFound);
    // Names that cannot both be there.
    let clash = [update("b", None, None), update("z/below", None, Some(two))];
    assert_eq!(repo.update(&clash, "move").unwrap_err().code(), Code::NameClash);
    // One branch twice.
    let twice = [update("b", None, Some(one)), update("b", None, Some(two))];
    let refused = repo.update(&twice, "move").unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.to_string().contains("twice"), "{refused}");
    assert_eq!(heads(), moved);
    let removal = [update("b", Some(Some(two)), None), update("z", None, None)];
    assert!(repo.update(&removal, "move").unwrap());
    assert_eq!(heads(), [named("main", one)]);
}

#[test]
fn what_is_held_stays_readable_when_the_refs_move_on() {
    let strict = Arc::new(StrictMemory::new(format()).demanding_pins());
    let repo = repo(&strict);
    let main = repo.main().unwrap();
    main.transaction("wide", |tree| {
        (0..100).try_for_each(|n| tree.set(format!("dir/{n}"), format!("{n}")))
    })
    .unwrap();
    let held = main.tree().unwrap();
    let sub = main.get_tree("dir").unwrap().unwrap();
    main.delete("gone").unwrap();
    main.set("new", "1", "another beginning").unwrap();
    strict.collect().unwrap();
    let fresh = Repo::new(strict.clone(), context()).unwrap();
    assert_eq!(held.get("dir/42").unwrap().unwrap(), "42");
    drop(held);
    strict.collect().unwrap();
    assert_eq!(sub.list("").unwrap().len(), 100);
    // What is held may be written again, and lives on by what it was written to.
    let commit = fresh.branch("copy").unwrap().set_tree("there", &sub, "copy").unwrap();
    drop(sub);
    strict.collect().unwrap();
    let copy = fresh.branch("copy").unwrap();
    assert_eq!(copy.get("there/7").unwrap().unwrap(), "7");
    assert_eq!(copy.head().unwrap(), commit);
    assert!(repo.check(&mut |_| ()).unwrap().is_sound());
    drop(commit);
    copy.delete("gone").unwrap();
    drop((copy, fresh));
    assert!(strict.collect().unwrap() > 100);
    assert_eq!(strict.pins(), 0);
}

#[test]
fn an_unreadable_ref_is_an_error_and_not_an_empty_branch() {
    let backend = Arc::new(MemoryBackend::new(format()));
    let repo = repo(&backend);
    repo.main().unwrap().set("a", "1", "one").unwrap();
    let hooked = Hooked::new(backend.clone());
    hooked.on_object(|_, object| *object = None);
    let broken = self::repo(&hooked).main().unwrap();
    assert_eq!(broken.get("a").unwrap_err().kind(), ErrorKind::Missing);
    assert_eq!(broken.set("a", "2", "two").unwrap_err().kind(), ErrorKind::Missing);
    let name = "refs/heads/main".parse().unwrap();
    assert!(backend.read_ref(&name, View::Durable).unwrap().is_some());
}

#[test]
fn what_is_not_resident_is_missing_by_key() {
    let strict = Arc::new(StrictMemory::new(format()));
    repo(&strict).main().unwrap().set("a/b/c", "1", "one").unwrap();
    strict.evict();
    // A fresh handle, with nothing in its cache.
    let resident = repo(&strict).resident();
    let blocking = repo(&strict);
    let mut rounds = 0;
    let value = loop {
        match resident.main().unwrap().get("a/b/c") {
            Ok(value) => break value,
            Err(e) => {
                assert_eq!(e.code(), Code::MissingObjects);
                assert!(!e.missing().is_empty());
                // Fetched, the keys are resident, and the read gets further.
                let found = strict.get_many(e.missing(), irmin_core::backend::Wait::Block);
                assert!(found.unwrap().iter().all(Option::is_some));
                rounds += 1;
                assert!(rounds < 10);
            }
        }
    };
    assert_eq!(value.unwrap(), "1");
    assert_eq!(rounds, 5, "the commit, three directories, and the value");
    assert_eq!(blocking.main().unwrap().get("a/b/c").unwrap().unwrap(), "1");
}

/// Handles that hold so little in memory that every write, or most, goes to a stage.
fn frugal(repo: &Repo) -> [Repo; 2] {
    [0, 2_000].map(|batch| repo.with_limits(Limits { batch, ..Limits::default() }))
}

#[test]
fn a_write_that_is_too_large_for_memory_is_the_same_commit() {
    let fill = |tree: &mut Tree| {
        // Equal values and equal directories, too.
        (0..300).try_for_each(|n| tree.set(format!("d{}/e{}/{}", n % 5, n % 3, n / 5), "equal"))?;
        (0..100).try_for_each(|n| tree.set(format!("wide/{n}"), format!("{n}")))
    };
    let run = |repo: &Repo| {
        let main = repo.main().unwrap();
        let one = main.transaction("fill", fill).unwrap().unwrap();
        assert_eq!(main.transaction("fill again", fill).unwrap(), None);
        let two = main.remove("wide", "remove").unwrap().unwrap();
        let detached = repo.detached(&two);
        let three = detached.transaction("fill", fill).unwrap().unwrap();
        assert_eq!(detached.transaction("fill again", fill).unwrap(), None);
        assert!(repo.check(&mut |_| ()).unwrap().is_sound());
        for path in ["d4/e2/2", "wide/99", "d0/e0/57"] {
            assert!(three.tree().get(path).unwrap().is_some(), "{path}");
        }
        [one.id(), two.id(), three.id()]
    };
    let whole = run(&repo(&Arc::new(MemoryBackend::new(format()))));
    for strict in [true, false] {
        for n in 0..2 {
            let backend: Arc<dyn Backend> = if strict {
                Arc::new(StrictMemory::new(format()).demanding_pins())
            } else {
                Arc::new(MemoryBackend::new(format()))
            };
            let [a, b] = frugal(&Repo::new(backend, context()).unwrap());
            assert_eq!(run([&a, &b][n]), whole);
        }
    }
}

#[test]
fn what_was_collected_is_written_again_also_where_writes_are_staged() {
    let strict = Arc::new(StrictMemory::new(format()));
    let whole = repo(&strict);
    for repo in frugal(&whole).into_iter().chain([whole]) {
        let mut tree = Tree::empty();
        (0..50).for_each(|n| tree.set(format!("a/{n}"), format!("{n}")).unwrap());
        let branch = repo.branch("b").unwrap();
        for round in 0..2 {
            branch.set_tree("", &tree, "set").unwrap().unwrap();
            branch.delete("delete").unwrap();
            assert!(strict.collect().unwrap() > 50);
            // The tree remembers where its parts were.
            tree.set("b", format!("{round}")).unwrap();
            let loose = repo.commit_tree(&tree, &[], "loose").unwrap();
            assert_eq!(loose.tree().get("a/7").unwrap().unwrap(), "7");
            drop(loose);
            strict.collect().unwrap();
        }
    }
}

#[test]
fn a_staged_write_that_loses_the_race_is_replayed() {
    let backend = Arc::new(MemoryBackend::new(format()));
    let other = repo(&backend).main().unwrap();
    let [frugal, _] = frugal(&repo(&backend));
    let mut runs = 0;
    let main = frugal.main().unwrap();
    main.transaction("count", |tree| {
        runs += 1;
        if runs < 3 {
            other.set("other", format!("{runs}"), "interfere")?;
        }
        increment(tree)
    })
    .unwrap();
    assert_eq!((runs, counter(&frugal)), (3, "1".to_owned()));
    assert_eq!(main.get("other").unwrap().unwrap(), "2");
}
