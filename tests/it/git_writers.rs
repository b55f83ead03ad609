//! Writers of one repository: what they share, what they race for, what they leave behind.

use std::path::Path;
use std::sync::{Arc, Mutex};

use irmin_core::backend::{
    Backend, Durability, Expected, Note, Published, RefChange, Target, View, Wait,
};
use irmin_core::io::{CountedIo, StdIo};
use irmin_core::{Code, Hash, Key, Object};
use irmin_git::{GitBackend, InitOptions, Options};
use irmin_tests::git_support::{
    batch, blob, branch, command, commit, commit_batch, edit, fsck, git, has_git, is, snapshot,
    tree,
};
use irmin_tests::sim_io::{Fault, SimIo};

use crate::git_repository::{done, fresh, open};

fn counted(path: &Path) -> (Arc<CountedIo>, GitBackend) {
    let io = Arc::new(CountedIo::new(Arc::new(StdIo::create(path).unwrap())));
    let store = GitBackend::init_on(io.clone(), &InitOptions::default(), &Options::default());
    (io, store.unwrap())
}

fn packs(path: &Path) -> usize {
    let names = std::fs::read_dir(path.join("objects/pack")).unwrap();
    names.filter(|e| e.as_ref().unwrap().path().extension().is_some_and(|e| e == "pack")).count()
}

fn leftovers(path: &Path) -> Vec<String> {
    let names = std::fs::read_dir(path.join("objects/pack")).unwrap();
    let names = names.map(|e| e.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("tmp_")).collect()
}

#[test]
fn a_commit_to_an_existing_branch_is_five_syncs() {
    let dir = tempfile::tempdir().unwrap();
    let (io, store) = counted(dir.path());
    let (first, mut tip) = commit_batch("main", "0", None);
    done(store.publish(first));
    for n in 1..6 {
        let (next, id) = commit_batch("main", &n.to_string(), Some(tip));
        io.reset();
        done(store.publish(next));
        tip = id;
        let counts = io.counts();
        assert_eq!((counts.syncs, counts.dir_syncs), (3, 2), "commit {n}");
        assert_eq!((counts.links, counts.renames), (1, 3), "commit {n}");
    }
    // What merges small packs is the pack of a commit.
    io.reset();
    for n in 6..46 {
        let (next, id) = commit_batch("main", &n.to_string(), Some(tip));
        done(store.publish(next));
        tip = id;
        assert!(packs(dir.path()) <= 8, "commit {n}");
    }
    assert_eq!((io.counts().syncs, io.counts().dir_syncs), (3 * 40, 2 * 40));
    io.reset();
    done(store.publish(batch(vec![], vec![])));
    done(store.publish(batch(vec![], vec![edit("main", is(tip), Some(tip))])));
    assert_eq!(io.counts().syncs + io.counts().dir_syncs, 0, "what changes nothing costs nothing");
}

#[test]
fn writers_that_wait_together_share_the_syncs() {
    let dir = tempfile::tempdir().unwrap();
    let (io, store) = counted(dir.path());
    let (first, mut tip) = commit_batch("main", "0", None);
    done(store.publish(first));
    io.reset();
    // A chain on one branch: each builds on a tip that is not durable.
    let mut chain = Vec::new();
    let durable = tip;
    for n in 0..20 {
        let (next, id) = commit_batch("main", &format!("c{n}"), Some(tip));
        chain.push(store.submit(next).unwrap());
        tip = id;
        let at = |view| store.read_ref(&branch("main"), view).unwrap();
        assert_eq!(at(View::Tip), Some(Target::Object(tip.into())));
        assert_eq!(at(View::Durable), Some(Target::Object(durable.into())));
        assert!(store.get_many(&[tip.into()], Wait::Resident).unwrap()[0].is_some());
    }
    chain.into_iter().for_each(|submitted| done(submitted.wait()));
    assert_eq!(io.counts().syncs + io.counts().dir_syncs, 5, "twenty commits, one flush");
    assert_eq!(
        store.read_ref(&branch("main"), View::Durable).unwrap(),
        Some(Target::Object(tip.into()))
    );
    // Eight branches: a prepared file each, everything else once.
    io.reset();
    let batches = (0..8).map(|n| commit_batch(&format!("b{n}"), "x", None).0);
    let submitted: Vec<_> = batches.map(|b| store.submit(b).unwrap()).collect();
    submitted.into_iter().rev().for_each(|s| done(s.wait()));
    assert_eq!(io.counts().syncs + io.counts().dir_syncs, 4 + 8);
    if has_git() {
        fsck(dir.path());
        assert_eq!(git(dir.path(), &["rev-list", "--count", "main"]), "21");
    }
}

#[test]
fn threads_share_syncs_too() {
    let dir = tempfile::tempdir().unwrap();
    let (io, store) = counted(dir.path());
    const THREADS: usize = 8;
    const COMMITS: usize = 25;
    for t in 0..THREADS {
        done(store.publish(commit_batch(&format!("t{t}"), "0", None).0));
    }
    io.reset();
    std::thread::scope(|scope| {
        for t in 0..THREADS {
            let store = &store;
            scope.spawn(move || {
                let name = format!("t{t}");
                let mut tip = commit_batch(&name, "0", None).1;
                for n in 1..=COMMITS {
                    let (next, id) = commit_batch(&name, &n.to_string(), Some(tip));
                    done(store.publish(next));
                    tip = id;
                }
            });
        }
    });
    let syncs = io.counts().syncs + io.counts().dir_syncs;
    assert!(syncs < (5 * THREADS * COMMITS) as u64, "{syncs} syncs");
    for t in 0..THREADS {
        let at = store.read_ref(&branch(&format!("t{t}")), View::Durable).unwrap();
        assert!(matches!(at, Some(Target::Object(_))));
    }
    assert_eq!(leftovers(dir.path()), Vec::<String>::new());
}

/// Commits on top of whatever the branch is until it succeeds; answers how often it lost.
fn add_one(store: &GitBackend, text: &str) -> usize {
    for lost in 0..10_000 {
        let tip = match store.read_ref(&branch("main"), View::Tip).unwrap() {
            Some(Target::Object(key)) => Some(key.hash),
            _ => None,
        };
        match store.publish(commit_batch("main", text, tip).0).unwrap() {
            Published::Done { .. } => return lost,
            Published::Lost { .. } => {}
        }
    }
    panic!("never won");
}

#[test]
fn no_increment_is_lost_between_handles_and_git_processes() {
    if !has_git() {
        return;
    }
    let (_dir, path, store) = fresh();
    add_one(&store, "first");
    let other = open(&path);
    let empty = git(&path, &["rev-parse", "main^{tree}"]);
    let wins = Mutex::new(1);
    std::thread::scope(|scope| {
        for (t, store) in [&store, &store, &other].into_iter().enumerate() {
            let wins = &wins;
            scope.spawn(move || {
                for n in 0..15 {
                    add_one(store, &format!("{t} {n}"));
                    *wins.lock().unwrap() += 1;
                }
            });
        }
        let (path, empty, wins) = (&path, &empty, &wins);
        scope.spawn(move || {
            for n in 0..25 {
                let old = git(path, &["rev-parse", "main"]);
                let new = git(path, &["commit-tree", empty, "-p", &old, "-m", &format!("git {n}")]);
                let moved =
                    command(path).args(["update-ref", "refs/heads/main", &new, &old]).output();
                if moved.unwrap().status.success() {
                    *wins.lock().unwrap() += 1;
                }
            }
        });
    });
    assert_eq!(git(&path, &["rev-list", "--count", "main"]), wins.lock().unwrap().to_string());
    fsck(&path);
    assert_eq!(leftovers(&path), Vec::<String>::new());
    assert!(!path.join("refs/heads/main.lock").exists());
}

#[test]
fn what_builds_on_a_lost_batch_is_lost_with_it() {
    if !has_git() {
        return;
    }
    let (_dir, path, store) = fresh();
    let (first, a) = commit_batch("main", "1", None);
    done(store.publish(first));
    done(store.publish(batch(vec![], vec![edit("elsewhere", Expected::Absent, Some(a))])));
    let before = packs(&path);
    let (second, b) = commit_batch("main", "2", Some(a));
    let second = store.submit(second).unwrap();
    // Another branch with a commit on top of one that is not written yet.
    let (third, c) = commit_batch("side", "3", Some(b));
    let mut third = third;
    third.edits[0].expected = Expected::Absent;
    let third = store.submit(third).unwrap();
    let (fourth, d) = commit_batch("side", "4", Some(c));
    let fourth = store.submit(fourth).unwrap();
    assert_eq!(store.read_ref(&branch("side"), View::Tip).unwrap(), Some(Target::Object(d.into())));
    git(&path, &["update-ref", "-d", "refs/heads/main"]);
    let lost = Published::Lost { name: branch("main"), actual: None };
    assert_eq!(fourth.wait().unwrap(), lost);
    assert_eq!(third.wait().unwrap(), lost);
    assert_eq!(second.wait().unwrap(), lost);
    assert_eq!(store.read_ref(&branch("side"), View::Tip).unwrap(), None);
    // Who builds on it still is told so, and not that its objects are missing.
    assert_eq!(store.publish(commit_batch("main", "5", Some(b)).0).unwrap(), lost);
    assert_eq!(packs(&path), before, "nothing is left of them");
    assert!(store.get_many(&[c.into()], Wait::Block).unwrap()[0].is_none());
    done(store.publish(commit_batch("main", "again", None).0));
    fsck(&path);
}

#[test]
fn locks_of_others_are_respected_and_named() {
    let (_dir, path, store) = fresh();
    let (first, a) = commit_batch("main", "1", None);
    done(store.publish(first));
    let lock = path.join("refs/heads/main.lock");
    std::fs::write(&lock, "").unwrap();
    let (second, b) = commit_batch("main", "2", Some(a));
    // One that has nothing to do with the lock is not held up by it.
    let other = commit_batch("other", "3", None).0;
    let waiting = [store.submit(second.clone()).unwrap(), store.submit(other).unwrap()];
    let [second_end, other_end] = waiting.map(irmin_core::backend::Submitted::wait);
    let e = second_end.unwrap_err();
    assert_eq!(e.code(), Code::Locked);
    assert!(e.to_string().contains("refs/heads/main.lock"), "{e}");
    done(other_end);
    assert!(lock.exists());
    assert_eq!(store.read_ref(&branch("main"), View::Tip).unwrap(), Some(Target::Object(a.into())));
    std::fs::remove_file(&lock).unwrap();
    done(store.publish(second));
    assert_eq!(
        store.read_ref(&branch("main"), View::Durable).unwrap(),
        Some(Target::Object(b.into()))
    );
    assert_eq!(leftovers(&path), Vec::<String>::new());
}

#[test]
fn locks_that_a_crash_left_are_taken_away() {
    let (_dir, path, store) = fresh();
    let (first, a) = commit_batch("main", "1", None);
    done(store.publish(first));
    let crash = |name: &str| {
        let temp = path.join(format!("objects/pack/tmp_irmin_ref_{name}"));
        std::fs::write(&temp, format!("{a}\n")).unwrap();
        std::fs::create_dir_all(path.join("refs/heads/deep/er")).unwrap();
        for lock in ["refs/heads/main.lock", "refs/heads/deep/er/x.lock", "packed-refs.lock"] {
            std::fs::hard_link(&temp, path.join(lock)).unwrap();
        }
        std::fs::write(path.join("objects/pack/tmp_irmin_pack_9"), "PACK").unwrap();
        std::fs::write(path.join("refs/heads/foreign.lock"), "").unwrap();
        std::fs::write(path.join("objects/pack/tmp_pack_git"), "").unwrap();
    };
    let clean = || {
        assert_eq!(leftovers(&path), ["tmp_pack_git"]);
        for gone in ["refs/heads/main.lock", "refs/heads/deep/er/x.lock", "packed-refs.lock"] {
            assert!(!path.join(gone).exists(), "{gone}");
        }
        assert!(path.join("refs/heads/foreign.lock").exists());
    };
    crash("1");
    let lone = path.join(format!("objects/pack/pack-{}.idx", "0".repeat(40)));
    std::fs::write(&lone, "half").unwrap();
    let reopened = open(&path);
    clean();
    assert!(!lone.exists());
    // A handle that was open all the time finds them when it writes.
    crash("2");
    done(store.publish(commit_batch("main", "2", Some(a)).0));
    clean();
    // As long as someone has the store, its files are not leftovers.
    let mut stage = reopened.stage().unwrap();
    stage.put(vec![blob(b"staged")]).unwrap();
    crash("3");
    let third = open(&path);
    assert!(leftovers(&path).iter().any(|name| name.starts_with("tmp_irmin_stage_")));
    done(third.publish(commit_batch("third", "3", None).0));
    done(stage.publish(vec![], Durability::Durable, Note::default()));
    clean();
}

#[test]
fn a_stage_is_invisible_until_it_is_published() {
    if !has_git() {
        return;
    }
    let (_dir, path, store) = fresh();
    let mut stage = store.stage().unwrap();
    let values: Vec<Object> =
        (0..300).map(|n| blob(format!("value {n}").repeat(n).as_bytes())).collect();
    for part in values.chunks(50) {
        stage.put(part.to_vec()).unwrap();
        stage.put(part.to_vec()).unwrap();
    }
    let names: Vec<String> = (0..300).map(|n| format!("v{n:03}")).collect();
    let entries: Vec<(&str, Hash)> =
        names.iter().map(String::as_str).zip(values.iter().map(|v| v.id)).collect();
    let dir = tree(&entries);
    let top = commit(dir.id, &[], "bulk");
    let missing = stage.put(vec![commit(blob(b"nowhere").id, &[], "dangling")]).unwrap_err();
    assert_eq!(missing.code(), Code::MissingObjects);
    stage.put(vec![dir, top.clone()]).unwrap();
    let keys: Vec<Key> = values.iter().map(|v| v.id.into()).collect();
    let read = stage.get_many(&keys).unwrap();
    assert!(read.iter().zip(&values).all(|(o, v)| o.as_ref().unwrap().bytes == v.bytes));
    assert!(stage.get_many(&[blob(b"other").id.into()]).unwrap()[0].is_none());
    assert!(store.get_many(&keys, Wait::Block).unwrap().iter().all(Option::is_none));
    assert_eq!(git(&path, &["count-objects"]), "0 objects, 0 kilobytes");
    let edits = vec![edit("main", Expected::Absent, Some(top.id))];
    done(stage.publish(edits.clone(), Durability::Durable, Note::default()));
    assert!(store.get_many(&keys, Wait::Block).unwrap().iter().all(Option::is_some));
    assert_eq!(git(&path, &["cat-file", "-p", "main:v002"]), "value 2value 2");
    fsck(&path);
    // One that loses, and one that is dropped, leave nothing.
    let before = packs(&path);
    let mut loser = store.stage().unwrap();
    let objects = snapshot("loser", &[]);
    loser.put(objects.clone()).unwrap();
    let lost = loser.publish(edits, Durability::Durable, Note::default()).unwrap();
    assert!(matches!(lost, Published::Lost { .. }));
    let mut dropped = store.stage().unwrap();
    dropped.put(objects).unwrap();
    drop(dropped);
    assert_eq!((packs(&path), leftovers(&path)), (before, Vec::new()));
}

#[test]
fn packs_stay_few() {
    if !has_git() {
        return;
    }
    let (_dir, path, store) = fresh();
    let reader = open(&path);
    let mut tip = None;
    let mut most = 0;
    let mut written = Vec::new();
    for n in 0..200 {
        let (next, id) = commit_batch("main", &format!("{n} {}", "x".repeat(n * 7 % 97)), tip);
        written.extend(next.objects.iter().map(|o| (Key::from(o.id), o.bytes.clone())));
        done(store.publish(next));
        tip = Some(id);
        most = most.max(packs(&path));
        if n % 40 == 0 {
            assert!(reader.get_many(&[id.into()], Wait::Block).unwrap()[0].is_some());
        }
    }
    assert!(most <= 10, "{most} packs");
    fsck(&path);
    let keys: Vec<Key> = written.iter().map(|(key, _)| *key).collect();
    for store in [&reader, &open(&path), &store] {
        let found = store.get_many(&keys, Wait::Block).unwrap();
        assert!(
            found.iter().zip(&written).all(|(o, (_, bytes))| o.as_ref().unwrap().bytes == *bytes)
        );
    }
    // Packs that someone claims, and packs with deltas, stay as they are.
    git(&path, &["gc", "-q"]);
    let names = || {
        let all = std::fs::read_dir(path.join("objects/pack")).unwrap();
        let all = all.map(|e| e.unwrap().file_name().into_string().unwrap());
        all.collect::<std::collections::BTreeSet<String>>()
    };
    let before = names();
    for n in 0..20 {
        let (next, id) = commit_batch("main", &format!("more {n}"), tip);
        done(store.publish(next));
        tip = Some(id);
    }
    assert!(names().is_superset(&before));
    fsck(&path);
    assert_eq!(git(&path, &["rev-list", "--count", "main"]), "220");
}

#[test]
fn watches_hear_of_everyones_changes() {
    if !has_git() {
        return;
    }
    let (_dir, path, store) = fresh();
    let heard: Arc<Mutex<Vec<RefChange>>> = Arc::default();
    let ears = heard.clone();
    let guard =
        store.watch(Arc::new(move |change| ears.lock().unwrap().push(change.clone()))).unwrap();
    let take = || std::mem::take(&mut *heard.lock().unwrap());
    let (first, a) = commit_batch("main", "1", None);
    done(store.publish(first));
    let target = |hash: Hash| Some(Target::Object(hash.into()));
    let main = branch("main");
    assert_eq!(take(), [RefChange { name: main.clone(), old: None, new: target(a) }]);
    done(store.publish(batch(vec![], vec![edit("main", is(a), Some(a))])));
    assert_eq!(take(), []);
    git(&path, &["update-ref", "refs/heads/other", &a.to_string()]);
    assert_eq!(take(), []);
    store.refresh().unwrap();
    assert_eq!(take(), [RefChange { name: branch("other"), old: None, new: target(a) }]);
    git(&path, &["pack-refs", "--all"]);
    store.refresh().unwrap();
    assert_eq!(take(), [], "packing refs changes none");
    git(&path, &["update-ref", "-d", "refs/heads/main"]);
    store.refresh().unwrap();
    assert_eq!(take(), [RefChange { name: main, old: target(a), new: None }]);
    drop(guard);
    done(store.publish(commit_batch("third", "3", None).0));
    assert_eq!(take(), []);
}

#[test]
fn a_failed_sync_is_never_acknowledged() {
    // As many syncs as an ordinary publish has, and one more that is not reached.
    for (after, reached) in [(0, true), (1, true), (2, true), (3, true), (4, true), (5, false)] {
        for fault in [Fault::SyncDropping, Fault::SyncKeeping] {
            let io = SimIo::new();
            let options = Options::default();
            let store =
                GitBackend::init_on(Arc::new(io.clone()), &InitOptions::default(), &options)
                    .unwrap();
            let (first, a) = commit_batch("main", "1", None);
            done(store.publish(first));
            io.plan(fault, after);
            let (second, b) = commit_batch("main", "2", Some(a));
            let end = store.publish(second);
            if !reached {
                done(end);
                continue;
            }
            assert_eq!(end.unwrap_err().code(), Code::Poisoned, "{fault:?} {after}");
            io.repair();
            let (third, _) = commit_batch("other", "3", None);
            assert_eq!(store.publish(third.clone()).unwrap_err().code(), Code::Poisoned);
            assert_eq!(store.stage().err().unwrap().code(), Code::Poisoned);
            let durable = store.read_ref(&branch("main"), View::Durable).unwrap();
            assert_eq!(durable, Some(Target::Object(a.into())), "{fault:?} {after}");
            // A new handle starts from what there is: the old value, or the new one whole.
            let store = GitBackend::open_on(Arc::new(io.fork()), &options).unwrap();
            let Some(Target::Object(now)) = store.read_ref(&branch("main"), View::Durable).unwrap()
            else {
                panic!("the branch is gone")
            };
            assert!(now.hash == a || now.hash == b);
            assert!(store.get_many(&[now], Wait::Block).unwrap()[0].is_some());
            done(store.publish(third));
        }
    }
}

#[test]
fn a_full_disk_refuses_and_recovers() {
    for after in 0..40 {
        let io = SimIo::new();
        let options = Options::default();
        let store =
            GitBackend::init_on(Arc::new(io.clone()), &InitOptions::default(), &options).unwrap();
        let (first, a) = commit_batch("main", "1", None);
        done(store.publish(first));
        io.plan(Fault::DiskFull, after);
        let (second, b) = commit_batch("main", "2", Some(a));
        let end = store.publish(second.clone());
        io.repair();
        let at = || store.read_ref(&branch("main"), View::Durable).unwrap();
        if let Ok(published) = end {
            assert!(matches!(published, Published::Done { .. }));
            assert_eq!(at(), Some(Target::Object(b.into())), "{after}");
            continue;
        }
        assert_eq!(at(), Some(Target::Object(a.into())), "{after}");
        let end = store.publish(second);
        match end {
            Ok(published) => assert!(matches!(published, Published::Done { .. }), "{after}"),
            // Between the first ref and the last there is no way back.
            Err(e) => assert_eq!(e.code(), Code::Poisoned, "{after}"),
        }
    }
}

/// A store of gix that has followed many hundred changes of the packs can take an old state for the
/// newest, and then finds nothing new: this one is never asked to follow that many.
#[test]
fn a_handle_that_is_open_for_long_finds_everything() {
    // Where syncs cost nothing there is time for many commits.
    let memory = Path::new("/dev/shm");
    let (dir, commits) = match tempfile::tempdir_in(memory) {
        Ok(dir) => (dir, 1200),
        Err(_) => (tempfile::tempdir().unwrap(), 100),
    };
    let path = dir.path().join("store.git");
    let store = GitBackend::init(&path, &InitOptions::default(), &Options::default()).unwrap();
    let reader = open(&path);
    let mut tip = None;
    for n in 0..commits {
        let (next, id) = commit_batch("main", &n.to_string(), tip);
        done(store.publish(next));
        tip = Some(id);
        if n % 10 == 0 {
            assert!(reader.find_many(&[id]).unwrap()[0].is_some(), "after {n}");
            assert!(reader.find_many(&[blob(b"absent").id]).unwrap()[0].is_none());
            assert_eq!(reader.find_prefix(&id.short(12).parse().unwrap()).unwrap(), [id.into()]);
        }
    }
    assert!(packs(&path) < 12);
}

/// Says that it is over, also when a test fails.
struct Finish<'a>(&'a std::sync::atomic::AtomicBool);

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

#[test]
fn a_collection_by_git_disturbs_nobody() {
    if !has_git() {
        return;
    }
    let (_dir, path, store) = fresh();
    let (first, mut tip) = commit_batch("main", "0", None);
    done(store.publish(first));
    let finished = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (path, finished) = (&path, &finished);
        let collecting = scope.spawn(move || {
            let mut rounds = 0;
            while !finished.load(std::sync::atomic::Ordering::Relaxed) || rounds < 2 {
                // It may give up because a pack goes while it reads it; it must not break anything.
                for args in [&["gc", "-q"][..], &["pack-refs", "--all"]] {
                    drop(command(path).args(args).output().unwrap());
                }
                rounds += 1;
            }
        });
        let finish = Finish(finished);
        for n in 0..120 {
            let (mut next, id) = commit_batch("main", &format!("commit {n}"), Some(tip));
            if n % 3 == 0 {
                next.edits.push(edit(&format!("side/{n}"), Expected::Absent, Some(id)));
            } else if n % 3 == 1 {
                next.edits.push(edit(&format!("side/{}", n - 1), is(tip), None));
            }
            done(store.publish(next));
            tip = id;
        }
        drop(finish);
        collecting.join().unwrap();
    });
    fsck(&path);
    assert_eq!(git(&path, &["rev-list", "--count", "main"]), "121");
    assert_eq!(git(&path, &["for-each-ref", "--format=%(refname)"]), "refs/heads/main");
    assert_eq!(store.refs("refs/").unwrap().len(), 1);
    assert!(store.get_many(&[tip.into()], Wait::Block).unwrap()[0].is_some());
}
