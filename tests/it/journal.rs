//! The journal of refs: it says what is so, whatever happens between a change and its line.

use std::collections::BTreeMap;
use std::sync::Arc;

use irmin_core::backend::{
    Backend, Batch, Expected, JournalOptions, Journaled, MemoryBackend, Operation, Origin, RefEdit,
    Target, Trouble, View,
};
use irmin_core::io::{Io, OpenMode};
use irmin_core::{Code, Context, Format, FormatSpec, RefName, Repo};
use irmin_git::{GitBackend, InitOptions, Options};
use irmin_tests::conformance::Subject;
use irmin_tests::sim_io::{Sampling, SimIo};

type Refs = BTreeMap<RefName, Target>;

fn memory() -> Arc<MemoryBackend> {
    Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())))
}

fn journal(store: Arc<dyn Backend>, io: &SimIo) -> Arc<Journaled> {
    let options = JournalOptions::new("journal/operations", "test");
    Arc::new(Journaled::new(store, Arc::new(io.clone()), || 7, options))
}

fn repo(store: Arc<dyn Backend>) -> Repo {
    Repo::new(store, Context::new("ann", || 5)).unwrap()
}

fn refs(store: &dyn Backend) -> Refs {
    let mut refs: Refs = store.refs("refs/").unwrap().into_iter().collect();
    let head = RefName::head();
    refs.extend(store.read_ref(&head, View::Durable).unwrap().map(|target| (head, target)));
    refs
}

/// The operations, oldest first, after a look that they go on from one another and lead to what
/// the refs are.
fn consistent(journaled: &Journaled) -> Vec<Operation> {
    let mut operations = journaled.operations().unwrap().operations;
    operations.reverse();
    let mut known: BTreeMap<RefName, Option<Target>> = BTreeMap::new();
    for pair in operations.windows(2) {
        assert_eq!(pair[0].number + 1, pair[1].number);
    }
    for change in operations.iter().flat_map(|operation| &operation.changes) {
        assert_ne!(change.old, change.new);
        if let Some(before) = known.insert(change.name.clone(), change.new.clone()) {
            assert_eq!(before, change.old, "{operations:#?}");
        }
    }
    let actual = refs(journaled);
    for (name, target) in known {
        assert_eq!(actual.get(&name), target.as_ref(), "{name}: {operations:#?}");
    }
    operations
}

#[test]
fn a_journaled_store_conforms() {
    let make = || journal(memory(), &SimIo::new()) as Arc<dyn Backend>;
    Subject::new("journaled", make).run();
}

#[test]
fn what_others_did_is_told() {
    let (store, io) = (memory(), SimIo::new());
    let ours = journal(store.clone(), &io);
    let (here, outside) = (repo(ours.clone()), repo(store.clone()));
    // Before there is a journal there is nothing to compare with.
    outside.main().unwrap().set("a", "0", "unseen").unwrap();
    assert!(ours.operations().unwrap().operations.is_empty());
    here.main().unwrap().set("a", "1", "first\nline").unwrap();
    outside.branch("theirs").unwrap().set("a", "2", "by others").unwrap();
    here.main().unwrap().set("a", "3", "third").unwrap();
    outside.main().unwrap().set("a", "4", "more by others").unwrap();

    let told = consistent(&ours);
    let what: Vec<_> =
        told.iter().map(|o| (o.number, o.origin, o.date, &*o.author, &*o.message)).collect();
    assert_eq!(
        what,
        [
            (1, Origin::Here, 5, "ann", "first"),
            (2, Origin::Outside, 7, "", ""),
            (3, Origin::Here, 5, "ann", "third"),
            (4, Origin::Outside, 7, "", ""),
        ]
    );
    assert_eq!(told[1].changes[0].name.as_str(), "refs/heads/theirs");
    assert_eq!((told[0].command.as_str(), told[1].command.as_str()), ("test", ""));

    // Taking back what happened before others went on from it is refused.
    let refused = ours.undo(Some(3), "ann").unwrap_err();
    assert_eq!(refused.code(), Code::PreconditionFailed);
    assert!(refused.to_string().contains("refs/heads/main"), "{refused}");
    assert_eq!(ours.undo(Some(9), "ann").unwrap_err().code(), Code::NotFound);
    // Their latest change can be taken back, and put back.
    let before = refs(&*store);
    assert_eq!(ours.undo(None, "ann").unwrap().origin, Origin::Undo(4));
    assert_eq!(here.main().unwrap().get("a").unwrap().unwrap(), "3");
    assert_eq!(ours.undo(None, "ann").unwrap().origin, Origin::Undo(5));
    assert_eq!(refs(&*store), before);
    ours.undo(Some(2), "ann").unwrap();
    assert_eq!(here.branches().unwrap().len(), 1);
    consistent(&ours);
}

/// Branches are made, moved, renamed and removed, tags come and go, by us and by others; each
/// operation is taken back at some time, or refused because a ref moved since.
#[test]
fn random_histories() {
    for seed in 0..60_u64 {
        let (store, io) = (memory(), SimIo::new());
        let mut ours = journal(store.clone(), &io);
        let mut states: BTreeMap<u64, Refs> = BTreeMap::new();
        let mut chance = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = |below: u64| {
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            chance % below
        };
        repo(ours.clone()).main().unwrap().set("a", "0", "begin").unwrap();
        for step in 0..40 {
            let by_us = next(4) > 0;
            let handle: Arc<dyn Backend> = if by_us { ours.clone() } else { store.clone() };
            let repo = repo(handle);
            let name = |n: u64| ["main", "b", "c", "d/e"][usize::try_from(n).unwrap()];
            let (one, two) = (name(next(4)), name(next(4)));
            let head = repo.branch(one).unwrap().head().unwrap();
            match (next(6), head) {
                (0..=2, _) => {
                    let branch = repo.branch(one).unwrap();
                    drop(branch.set("a", format!("{step}"), "set").unwrap());
                }
                (3, Some(_)) => repo.branch(one).unwrap().delete("gone").unwrap(),
                // A taken name is refused.
                (4, Some(_)) => drop(repo.rename_branch(one, two, "rename")),
                (5, Some(head)) if repo.set_tag(two, &head, "tag").is_err() => {
                    repo.remove_tag(two, "untag").unwrap();
                }
                _ => {}
            }
            if next(5) == 0 {
                ours = journal(store.clone(), &io);
            }
            let operations = consistent(&ours);
            let last = operations.last().unwrap().number;
            states.insert(last, refs(&*store));
            if next(3) == 0 {
                let undone = &operations[usize::try_from(next(last)).unwrap()];
                let now = refs(&*store);
                let moved = undone.changes.iter().any(|c| now.get(&c.name) != c.new.as_ref());
                match ours.undo(Some(undone.number), "bob") {
                    Err(e) if e.code() == Code::NameClash => {}
                    Err(e) => {
                        assert_eq!(e.code(), Code::PreconditionFailed, "{e}");
                        assert!(moved, "seed {seed}, step {step}: {e}");
                        assert_eq!(refs(&*store), now);
                    }
                    Ok(done) => {
                        assert!(!moved);
                        assert_eq!(
                            (done.origin, done.number),
                            (Origin::Undo(undone.number), last + 1)
                        );
                        if let (true, Some(before)) =
                            (undone.number == last, states.get(&(last - 1)))
                        {
                            assert_eq!(&refs(&*store), before, "seed {seed}, step {step}");
                        }
                        states.insert(done.number, refs(&*store));
                    }
                }
                consistent(&ours);
            }
        }
    }
}

/// Every state that a loss of power can leave: what was acknowledged is told with its command,
/// what was cut off is told as it turned out, and nothing else is.
#[test]
fn a_loss_of_power_invents_nothing() {
    let io = SimIo::new();
    let options = Options::default();
    let git = GitBackend::init_on(Arc::new(io.clone()), &InitOptions::default(), &options).unwrap();
    let (begun, ours) = (io.op_count(), journal(Arc::new(git), &io));
    let repo = repo(ours.clone());
    let mut acknowledged = Vec::new();
    let mut done = |message: &str| acknowledged.push((io.op_count(), message.to_owned()));
    for message in ["one", "two"] {
        repo.main().unwrap().set("a", message, message).unwrap();
        done(message);
    }
    repo.branch("b").unwrap().set("x", "1", "a branch").unwrap();
    done("a branch");
    repo.rename_branch("main", "trunk", "rename").unwrap();
    done("rename");
    ours.undo(None, "ann").unwrap();
    done("undo operation 4");
    repo.branch("b").unwrap().delete("gone").unwrap();
    done("gone");

    let (mut images, mut outside, mut torn) = (0, 0, 0);
    for image in io.crash_images_from(begun, Sampling { per_point: 6, seed: 3 }) {
        images += 1;
        let store = GitBackend::open_on(Arc::new(image.io.clone()), &options).unwrap();
        let journaled = journal(Arc::new(store), &image.io);
        let trouble = journaled.operations().unwrap().trouble;
        assert_ne!(trouble, Some(Trouble::Damaged), "{image:?}");
        torn += usize::from(trouble.is_some());
        let told = consistent(&journaled);
        outside += told.iter().filter(|o| o.origin == Origin::Outside).count();
        let own = told.iter().filter(|o| o.origin != Origin::Outside);
        let own: Vec<&str> = own.map(|o| o.message.as_str()).collect();
        let sure = acknowledged.iter().filter(|(at, _)| *at <= image.at).count();
        let all: Vec<&str> = acknowledged.iter().map(|(_, message)| message.as_str()).collect();
        assert!(own.len() >= sure, "{own:?} without {:?}", &all[..sure]);
        assert_eq!(own, all[..own.len()]);
        // It goes on from there.
        let repo = Repo::new(journaled.clone(), Context::new("ann", || 5)).unwrap();
        repo.branch("b").unwrap().set("y", "2", "after").unwrap();
        assert_eq!(consistent(&journaled).last().unwrap().message, "after");
    }
    assert!(images > 300 && outside > 10 && torn > 0, "{images} {outside} {torn}");
}

/// A journal that is full begins anew, and keeps the one before; a crash between leaves one.
#[test]
fn a_full_journal_begins_anew() {
    let (store, io) = (memory(), SimIo::new());
    let ours = journal(store.clone(), &io);
    let main = repo(ours.clone()).main().unwrap();
    let long = "x".repeat(1 << 12);
    let old = || io.metadata("journal/operations.old").unwrap();
    let mut before = (0, 0);
    while old().is_none() {
        before = (io.op_count(), before.1 + 1);
        main.set("a", format!("{}", before.1), long.as_str()).unwrap();
        assert!(before.1 < 2000);
    }
    assert!(old().unwrap().len > 1 << 20 && old().unwrap().len < (1 << 20) + (1 << 13));
    assert!(io.metadata("journal/operations").unwrap().unwrap().len < 1 << 13);
    let all = consistent(&ours);
    assert_eq!(u64::try_from(all.len()).unwrap(), before.1);
    assert!(all.iter().all(|operation| operation.message.len() == 1 << 10));
    // One of the older file can be taken back too, if nothing happened to its refs since.
    assert_eq!(ours.undo(Some(1), "ann").unwrap_err().code(), Code::PreconditionFailed);

    for image in io.crash_images_from(before.0, Sampling { per_point: 4, seed: 5 }) {
        let journaled = journal(store.clone(), &image.io);
        let told = consistent(&journaled);
        assert!(told.len() as u64 >= before.1 - 1, "{image:?}");
        assert!(told[..told.len() - 1].iter().all(|o| o.origin == Origin::Here));
    }
}

/// Handles of two working trees share a journal, and one of them does not see its `HEAD`.
#[test]
fn a_head_of_another_working_tree() {
    let (store, io) = (memory(), SimIo::new());
    let ours = journal(store.clone(), &io);
    let linked = || {
        let mut options = JournalOptions::new("journal/operations", "linked");
        options.head = false;
        Arc::new(Journaled::new(store.clone(), Arc::new(io.clone()), || 7, options))
    };
    // The journal begins where `HEAD` is not seen; that it is there is no operation to take back.
    repo(linked()).main().unwrap().set("a", "1", "one").unwrap();
    assert_eq!(consistent(&ours).len(), 2);
    let undone = ours.undo(None, "ann").unwrap();
    assert_eq!((undone.origin, undone.changes.len()), (Origin::Undo(1), 1));
    ours.undo(None, "ann").unwrap();

    let switch = RefEdit {
        name: RefName::head(),
        expected: Expected::Any,
        new: Some(Target::Symbolic("refs/heads/draft".parse().unwrap())),
    };
    ours.publish(Batch { edits: vec![switch], ..Batch::default() }).unwrap();
    let before = consistent(&ours);
    assert_eq!(consistent(&linked()), before, "nothing is made up by looking");
    assert_eq!(linked().undo(None, "ann").unwrap_err().code(), Code::PreconditionFailed);
    repo(linked()).branch("main").unwrap().set("a", "2", "two").unwrap();
    assert_eq!(consistent(&ours).len(), before.len() + 1);
    linked().undo(None, "ann").unwrap();
    assert_eq!(consistent(&ours).len(), before.len() + 2);
    // Nor where a new file begins.
    let long = "x".repeat(1000);
    let main = repo(linked()).branch("main").unwrap();
    while io.read_file("journal/operations.old").unwrap().is_none() {
        for n in 0..100 {
            main.set("a", n.to_string(), &*long).unwrap();
        }
    }
    let last = consistent(&ours).last().unwrap().clone();
    assert_eq!(last.command, "linked");
}

#[test]
fn damage_is_told_and_put_aside() {
    let (store, io) = (memory(), SimIo::new());
    let ours = journal(store.clone(), &io);
    let main = repo(ours.clone()).main().unwrap();
    for message in ["one", "two", "three"] {
        main.set("a", message, message).unwrap();
    }
    let bytes = io.read_file("journal/operations").unwrap().unwrap();
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let disk = io.fork();
        let mut bytes = bytes.clone();
        change(&mut bytes);
        let file = disk.open("journal/operations", OpenMode::ReadWrite).unwrap();
        file.set_len(0).unwrap();
        file.write_at(&bytes, 0).unwrap();
        journal(store.clone(), &disk)
    };
    let messages = |journaled: &Journaled| -> Vec<String> {
        consistent(journaled).into_iter().map(|operation| operation.message).collect()
    };
    // The end is cut off, or was never written whole.
    for cut in [1, 20] {
        let torn = with(&|bytes| bytes.truncate(bytes.len() - cut));
        assert_eq!(torn.operations().unwrap().trouble, Some(Trouble::Torn));
        assert_eq!(messages(&torn), ["one", "two", ""]);
        assert_eq!(torn.operations().unwrap().trouble, None, "it was cut");
    }
    let zeros = with(&|bytes| bytes.extend([0; 100]));
    assert_eq!(messages(&zeros), ["one", "two", "three"]);
    // Damage before the end.
    let middle = bytes.windows(3).position(|w| w == b"two").unwrap();
    let damaged = with(&|bytes| bytes[middle] ^= 1);
    assert_eq!(damaged.operations().unwrap().trouble, Some(Trouble::Damaged));
    repo(damaged.clone()).main().unwrap().set("a", "4", "four").unwrap();
    assert_eq!(messages(&damaged), ["four"]);
    assert_eq!(damaged.operations().unwrap().trouble, Some(Trouble::Damaged), "it stays known");
    // A crash between the files, and then damage of the only one: a journal begins all the same.
    let disk = io.fork();
    disk.rename("journal/operations", "journal/operations.old").unwrap();
    disk.open("journal/operations.old", OpenMode::ReadWrite).unwrap().write_at(b"?", 0).unwrap();
    let damaged = journal(store, &disk);
    repo(damaged.clone()).main().unwrap().set("a", "5", "five").unwrap();
    assert_eq!(messages(&damaged), ["five"]);
}

/// A write is not refused because its line cannot be written.
#[test]
fn a_journal_that_cannot_be_written_stops_nobody() {
    let (store, io) = (memory(), SimIo::new());
    let file = io.open("journal", OpenMode::CreateNew).unwrap();
    drop(file);
    let ours = journal(store, &io);
    repo(ours.clone()).main().unwrap().set("a", "1", "one").unwrap();
    assert_eq!(repo(ours.clone()).main().unwrap().get("a").unwrap().unwrap(), "1");
    assert!(ours.operations().unwrap().operations.is_empty());
    assert_eq!(ours.undo(None, "ann").unwrap_err().code(), Code::NotFound);
}
