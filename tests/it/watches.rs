//! Watches: every move of a branch, in order, to those who are still listening.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use irmin_core::backend::{Backend, MemoryBackend};
use irmin_core::{
    Branch, BranchName, Commit, CommitId, Format, FormatSpec, HeadChange, Repo, TreeKind,
};
use irmin_tests::hooked::Hooked;

use crate::model::context;

type Move = (Option<CommitId>, Option<CommitId>);
type Moves = Arc<Mutex<Vec<Move>>>;

fn backend() -> Arc<MemoryBackend> {
    Arc::new(MemoryBackend::new(Format::new(FormatSpec::native())))
}

fn main_of(backend: &Arc<impl Backend + 'static>) -> Branch {
    Repo::new(backend.clone(), context()).unwrap().main().unwrap()
}

fn ids(change: &HeadChange<Commit>) -> Move {
    match change {
        HeadChange::Added(new) => (None, Some(new.id())),
        HeadChange::Updated(old, new) => (Some(old.id()), Some(new.id())),
        HeadChange::Removed(old) => (Some(old.id()), None),
    }
}

fn record(branch: &Branch, from: Option<Option<CommitId>>) -> (Moves, irmin_core::Watch) {
    let moves = Moves::default();
    let sink = moves.clone();
    let watch = branch.watch(from, move |change| sink.lock().unwrap().push(ids(&change))).unwrap();
    (moves, watch)
}

fn set(branch: &Branch, value: &str) -> CommitId {
    branch.set("a", value.to_owned(), "set").unwrap().unwrap().id()
}

#[test]
fn moves_come_in_order_and_from_where_one_asks() {
    let main = main_of(&backend());
    let (from_nothing, _first) = record(&main, None);
    let one = set(&main, "1");
    let two = set(&main, "2");
    let (since_now, _second) = record(&main, None);
    let (since_one, _third) = record(&main, Some(Some(one)));
    let (since_two, _fourth) = record(&main, Some(Some(two)));
    let (since_none, _fifth) = record(&main, Some(None));
    assert_eq!(main.set("a", "2", "no change").unwrap(), None);
    let three = set(&main, "3");
    main.delete("delete").unwrap();
    let end = [(Some(two), Some(three)), (Some(three), None)];
    let seen = |moves: &Moves| moves.lock().unwrap().clone();
    assert_eq!(seen(&since_now), end);
    assert_eq!(seen(&since_two), end);
    assert_eq!(seen(&since_one), [&[(Some(one), Some(two))][..], &end].concat());
    assert_eq!(seen(&since_none), [&[(None, Some(two))][..], &end].concat());
    let all = [&[(None, Some(one)), (Some(one), Some(two))][..], &end].concat();
    assert_eq!(seen(&from_nothing), all);
}

#[test]
fn a_key_is_told_of_when_what_is_there_changes() {
    let main = main_of(&backend());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    let _watch = main
        .watch_key("a/b", None, move |change| {
            let kind = |side: &Option<(Commit, irmin_core::Tree)>| {
                side.as_ref().map(|(_, tree)| tree.kind("").unwrap() == Some(TreeKind::Node))
            };
            sink.lock().unwrap().push((kind(&change.old), kind(&change.new)));
        })
        .unwrap();
    let write = |path: &str, value: &'static str| drop(main.set(path, value, "set").unwrap());
    write("a/c", "1");
    write("a/b", "1");
    write("a/c", "2");
    write("a/b", "2");
    write("a/b/c", "1");
    main.remove("a", "remove").unwrap();
    main.delete("delete").unwrap();
    let (none, value, node) = (None, Some(false), Some(true));
    let expected = [(none, value), (value, value), (value, node), (node, none)];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[test]
fn nothing_is_told_after_the_guard_is_dropped() {
    let main = main_of(&backend());
    let (moves, watch) = record(&main, None);
    let one = set(&main, "1");
    drop(watch);
    set(&main, "2");
    assert_eq!(*moves.lock().unwrap(), [(None, Some(one))]);
}

#[test]
fn a_callback_that_panics_harms_no_one() {
    let main = main_of(&backend());
    let (before, _first) = record(&main, None);
    let calls = Arc::new(Mutex::new(0));
    let count = calls.clone();
    let _panicking = main
        .watch(None, move |_| {
            *count.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += 1;
            panic!("the callback's own");
        })
        .unwrap();
    let (after, _second) = record(&main, None);
    for value in ["1", "2", "3"] {
        set(&main, value);
    }
    assert_eq!(before.lock().unwrap().len(), 3);
    assert_eq!(*before.lock().unwrap(), *after.lock().unwrap());
    assert_eq!(*calls.lock().unwrap(), 3, "it is still told");
}

#[test]
fn a_callback_may_write_the_branch_it_watches() {
    let main = main_of(&backend());
    let (moves, _recorder) = record(&main, None);
    let writer = main.clone();
    let depth = Arc::new(Mutex::new(0));
    let inside = Arc::new(AtomicBool::new(false));
    let _watch = main
        .watch(None, move |_| {
            assert!(!inside.swap(true, Ordering::SeqCst), "one call at a time");
            let n = {
                let mut depth = depth.lock().unwrap();
                *depth += 1;
                *depth
            };
            if n < 5 {
                set(&writer, &format!("callback {n}"));
            }
            inside.store(false, Ordering::SeqCst);
        })
        .unwrap();
    set(&main, "first");
    let moves = moves.lock().unwrap();
    assert_eq!(moves.len(), 5);
    assert!(moves.windows(2).all(|pair| pair[0].1 == pair[1].0));
    assert_eq!(main.get("a").unwrap().unwrap(), "callback 4");
}

#[test]
fn many_writers_make_one_chain_of_moves() {
    let backend = backend();
    let main = main_of(&backend);
    let (moves, _watch) = record(&main, Some(None));
    thread::scope(|scope| {
        for writer in 0..4 {
            let main = &main;
            scope.spawn(move || {
                for n in 0..20 {
                    main.set(format!("{writer}/{n}"), "x", "set").unwrap();
                }
            });
        }
        // Watches that begin in the middle connect to what follows.
        for _ in 0..10 {
            let (late, watch) = record(&main, Some(None));
            thread::yield_now();
            drop(watch);
            let late = late.lock().unwrap();
            assert!(late.windows(2).all(|pair| pair[0].1 == pair[1].0));
        }
    });
    let moves = moves.lock().unwrap();
    assert_eq!(moves.len(), 80);
    assert!(moves.windows(2).all(|pair| pair[0].1 == pair[1].0));
    assert_eq!(moves[79].1, main.head().unwrap().map(|head| head.id()));
}

/// A move of the branch while the watch is being set up, between the moment at which it reads
/// the head for the n-th time and the moment at which it has it.
#[test]
fn a_head_that_moves_while_a_watch_begins_is_told_of_in_order() {
    for reads in 0..4 {
        let inner = backend();
        let other = main_of(&inner);
        let one = set(&other, "1");
        let hooked = Hooked::new(inner);
        let main = main_of(&hooked);
        let made = Arc::new(Mutex::new(Vec::new()));
        let (count, commits) = (Arc::new(Mutex::new(0)), made.clone());
        hooked.on_ref_read(move |_| {
            let mut count = count.lock().unwrap();
            *count += 1;
            if *count == reads {
                drop(count);
                commits.lock().unwrap().extend([set(&other, "2"), set(&other, "3")]);
            }
        });
        let (moves, _watch) = record(&main, Some(Some(one)));
        hooked.clear();
        made.lock().unwrap().push(set(&main, "4"));
        let made = made.lock().unwrap();
        let moves = moves.lock().unwrap();
        let seen: Vec<CommitId> = moves.iter().filter_map(|(_, new)| *new).collect();
        // All of them, or those after the first ones: never an older one after a newer one.
        assert!(made.ends_with(&seen) && !seen.is_empty(), "{reads}: {seen:?} of {made:?}");
        assert_eq!(moves[0].0, Some(one));
        assert!(moves.windows(2).all(|pair| pair[0].1 == pair[1].0));
    }
}

#[test]
fn what_is_queued_behind_a_panic_is_delivered() {
    let main = main_of(&backend());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (writer, sink) = (main.clone(), seen.clone());
    let _watch = main
        .watch(None, move |change| {
            let message = change.current().unwrap().info().message.clone();
            sink.lock().unwrap().push(message.clone());
            if message == "first" {
                // This move queues up behind the callback that makes it, which then panics.
                writer.set("b", "2", "second").unwrap();
                panic!("the callback's own");
            }
        })
        .unwrap();
    main.set("a", "1", "first").unwrap();
    assert_eq!(*seen.lock().unwrap(), ["first", "second"]);
}

#[test]
fn all_branches_are_watched_from_given_heads() {
    let main = main_of(&backend());
    let repo = main.repo().clone();
    let one = set(&main, "1");
    let gone = main.fork("gone").unwrap();
    let still = main.fork("still").unwrap();
    let from: BTreeMap<BranchName, CommitId> = repo
        .branches()
        .unwrap()
        .into_iter()
        .map(|name| {
            let head = repo.branch(name.as_str()).unwrap().head().unwrap().unwrap();
            (name, head.id())
        })
        .collect();
    // Before the watch: one moves, one goes, one comes, one stays.
    let two = set(&main, "2");
    gone.delete("").unwrap();
    let new = main.fork("new").unwrap();

    let moves = Arc::new(Mutex::new(Vec::new()));
    let sink = moves.clone();
    let watch = repo
        .watch_all(Some(&from), move |branch, change| {
            sink.lock().unwrap().push((branch.to_string(), change));
        })
        .unwrap();
    let taken = || std::mem::take(&mut *moves.lock().unwrap());
    let told = |name: &str, change| (name.to_owned(), change);
    assert_eq!(
        taken(),
        [
            told("gone", HeadChange::Removed(one)),
            told("main", HeadChange::Updated(one, two)),
            told("new", HeadChange::Added(two)),
        ]
    );
    let three = set(&still, "3");
    new.delete("").unwrap();
    let again = main.fork("new").unwrap();
    let four = set(&again, "4");
    assert_eq!(
        taken(),
        [
            told("still", HeadChange::Updated(one, three)),
            told("new", HeadChange::Removed(two)),
            told("new", HeadChange::Added(two)),
            told("new", HeadChange::Updated(two, four)),
        ]
    );
    drop(watch);
    set(&main, "5");
    assert_eq!(taken(), []);

    // Without heads to begin from, only what happens from now on is told.
    let sink = moves.clone();
    let _watch = repo
        .watch_all(None, move |branch, change| {
            sink.lock().unwrap().push((branch.to_string(), change));
        })
        .unwrap();
    assert_eq!(taken(), []);
    let five = set(&still, "6");
    assert_eq!(taken(), [told("still", HeadChange::Updated(three, five))]);
}
