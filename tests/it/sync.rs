//! Repositories that fetch from, pull from and push to each other: what travels, and what comes of
//! it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use irmin_core::backend::{Backend, Counted, MemoryBackend, StrictMemory, Target, View};
use irmin_core::{
    Branch, Code, Commit, Fetched, Format, FormatSpec, HashFunction, LogOptions, Merged, Metadata,
    Pull, Push, RefName, Repo,
};
use irmin_git::{GitBackend, InitOptions, Options};
use irmin_tests::hooked::Hooked;
use proptest::prelude::*;

use crate::model::context;

fn memory(spec: FormatSpec) -> Arc<dyn Backend> {
    Arc::new(MemoryBackend::new(Format::new(spec)))
}

fn repo(backend: Arc<dyn Backend>) -> Repo {
    Repo::new(backend, context()).unwrap()
}

/// A store of some kind, and what keeps its files.
#[derive(Clone, Copy, Debug)]
enum Place {
    Memory(fn() -> FormatSpec),
    Strict(fn() -> FormatSpec),
    Git,
}

impl Place {
    fn open(self) -> (Option<tempfile::TempDir>, Repo) {
        match self {
            Place::Memory(spec) => (None, repo(memory(spec()))),
            Place::Strict(spec) => {
                let strict = StrictMemory::new(Format::new(spec())).demanding_pins();
                (None, repo(Arc::new(strict)))
            }
            Place::Git => {
                let dir = tempfile::tempdir().unwrap();
                let path = dir.path().join("store.git");
                let init = InitOptions::default();
                let store = GitBackend::init(path, &init, &Options::default()).unwrap();
                (Some(dir), repo(Arc::new(store)))
            }
        }
    }
}

/// Where from, and where to.
const PAIRS: &[(Place, Place)] = &[
    (Place::Strict(FormatSpec::native), Place::Strict(FormatSpec::native)),
    (Place::Strict(FormatSpec::git), Place::Git),
    (Place::Git, Place::Strict(FormatSpec::git)),
    (Place::Strict(FormatSpec::native), Place::Git),
    (Place::Git, Place::Strict(FormatSpec::native)),
    (Place::Memory(FormatSpec::irmin_pack), Place::Memory(FormatSpec::native)),
    (Place::Memory(FormatSpec::git), Place::Memory(FormatSpec::irmin_mem)),
];

fn origin() -> RefName {
    "refs/remotes/origin/main".parse().unwrap()
}

/// Fetches, and checks that what came is whole and what was there.
fn fetch(here: &Repo, there: &Branch) -> Commit {
    let theirs = there.head().unwrap().unwrap();
    let Fetched::Head(head) = here.fetch(there, Some(&origin())).unwrap() else {
        panic!("there is a head")
    };
    if here.format() == there.repo().format() {
        assert_eq!(head.id(), theirs.id());
    }
    let tracked = here.backend().read_ref(&origin(), View::Durable).unwrap();
    assert!(matches!(tracked, Some(Target::Object(key)) if key.hash == head.id().hash()));
    let report = here.check(&mut |_| ()).unwrap();
    assert!(report.is_sound(), "{:?}", report.problems);
    let all = LogOptions::default();
    let logs = (
        here.log(std::slice::from_ref(&head), &all).unwrap(),
        there.repo().log(&[theirs], &all).unwrap(),
    );
    assert_eq!(logs.0.len(), logs.1.len());
    if here.format() == there.repo().format() {
        for (a, b) in logs.0.iter().zip(&logs.1) {
            assert_eq!(a.id(), b.id());
        }
    }
    let text = |log: &[Commit]| {
        let mut text: Vec<_> = log
            .iter()
            .map(|c| (c.info().clone(), format!("{:?}", c.tree().to_concrete().unwrap())))
            .map(|(info, tree)| (info.author.date, info.author.author, info.message, tree))
            .collect();
        text.sort();
        text
    };
    assert_eq!(text(&logs.0), text(&logs.1));
    head
}

#[derive(Clone, Debug)]
enum Op {
    Set(u8, &'static str, u8),
    Remove(u8, &'static str),
    Merge(u8, u8),
    Wide(u8, u8),
    Fetch(u8),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let key = prop::sample::select(vec!["a", "a/b", "a/b/c", "a/d", "b", "b/c/d", "c/x", "c/y"]);
    let op = prop_oneof![
        8 => (0..3_u8, key.clone(), 0..6_u8).prop_map(|(b, k, v)| Op::Set(b, k, v)),
        2 => (0..3_u8, key).prop_map(|(b, k)| Op::Remove(b, k)),
        3 => (0..3_u8, 0..3_u8).prop_map(|(a, b)| Op::Merge(a, b)),
        1 => (0..3_u8, 0..5_u8).prop_map(|(b, n)| Op::Wide(b, n)),
        3 => (0..3_u8).prop_map(Op::Fetch),
    ];
    prop::collection::vec(op, 1..24)
}

fn run(there: &Repo, here: &Repo, script: &[Op]) {
    let branch = |n: &u8| there.branch(["main", "left", "right"][usize::from(*n)]).unwrap();
    for op in script {
        match op {
            Op::Set(b, key, value) => {
                let text = format!("value {value}");
                drop(branch(b).set(*key, text, "set").unwrap());
            }
            Op::Remove(b, key) => drop(branch(b).remove(*key, "remove").unwrap()),
            Op::Wide(b, n) => {
                let fill = |tree: &mut irmin_core::Tree| {
                    (0..50).try_for_each(|i| tree.set(format!("wide/{n}-{i}"), format!("{i}")))
                };
                drop(branch(b).transaction("fill", fill).unwrap());
            }
            Op::Merge(a, b) => {
                if branch(b).head().unwrap().is_some() {
                    drop(branch(a).merge(&branch(b), "merge").unwrap());
                }
            }
            Op::Fetch(b) => {
                if branch(b).head().unwrap().is_some() {
                    fetch(here, &branch(b));
                } else {
                    assert_eq!(here.fetch(&branch(b), None).unwrap(), Fetched::Empty);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_history_arrives_whole(script in ops()) {
        for (from, to) in PAIRS {
            let ((_from, there), (_to, here)) = (from.open(), to.open());
            run(&there, &here, &script);
            run(&there, &here, &[Op::Fetch(0), Op::Fetch(1), Op::Fetch(2)]);
        }
    }
}

/// Two stores that count.
fn counted(from: FormatSpec, to: FormatSpec) -> ((Arc<Counted>, Repo), (Arc<Counted>, Repo)) {
    let one = |spec| {
        let counted = Arc::new(Counted::new(memory(spec)));
        (counted.clone(), repo(counted))
    };
    (one(from), one(to))
}

fn fill(branch: &Branch) {
    for n in 0..20 {
        let fill = |tree: &mut irmin_core::Tree| {
            (0..50).try_for_each(|i| tree.set(format!("d{n}/e/{i}"), format!("{n} {i}")))
        };
        branch.transaction("fill", fill).unwrap().unwrap();
    }
}

#[test]
fn only_what_is_missing_travels() {
    for spec in [FormatSpec::native(), FormatSpec::git()] {
        let ((from, there), (to, here)) = counted(spec, spec);
        let main = there.main().unwrap();
        fill(&main);
        fetch(&here, &main);
        let whole = here.check(&mut |_| ()).unwrap().objects();
        // Nothing was written twice.
        assert_eq!(to.reset().objects_written, whole);

        main.set("d7/e/9", "new", "change").unwrap().unwrap();
        from.reset();
        let Fetched::Head(_) = here.fetch(&main, Some(&origin())).unwrap() else { panic!() };
        let (read, written) = (from.counts(), to.reset());
        // A commit, three directories (one of them is a trie in the native layout) and a value.
        let new = here.check(&mut |_| ()).unwrap().objects() - whole;
        assert!((5..=6).contains(&new), "{new}");
        assert_eq!((written.objects_written, written.publishes), (new, 1));
        // The commit is read as the head, for its parents, and to be copied.
        assert_eq!(read.objects_read, new + 2, "{read:?}");
        assert!(read.get_calls <= new + 2, "{read:?}");
        to.reset();

        // Nothing is missing: nothing is read beyond the head, and nothing is written.
        from.reset();
        let Fetched::Head(_) = here.fetch(&main, Some(&origin())).unwrap() else { panic!() };
        assert_eq!((from.counts().objects_read, to.counts().objects_written), (1, 0));
        assert_eq!(to.counts().publishes, 0);
    }
}

#[test]
fn a_translation_is_written_once() {
    let ((_, there), (to, here)) = counted(FormatSpec::native(), FormatSpec::git());
    let main = there.main().unwrap();
    fill(&main);
    let first = fetch(&here, &main);
    assert_eq!(to.reset().objects_written, here.check(&mut |_| ()).unwrap().objects());
    to.reset();
    assert_eq!(fetch(&here, &main), first);
    assert_eq!((to.counts().objects_written, to.counts().publishes), (0, 0));
    main.set("d7/e/9", "new", "change").unwrap().unwrap();
    let second = fetch(&here, &main);
    assert_eq!(to.reset().objects_written, 5);
    assert_eq!(second.parent_ids(), [first.id()]);
    assert_eq!(second.tree().get("d7/e/9").unwrap().unwrap(), "new");
}

#[test]
fn what_is_interrupted_leaves_nothing() {
    for (from, to) in
        [(FormatSpec::native(), FormatSpec::native()), (FormatSpec::git(), FormatSpec::native())]
    {
        let hooked = Hooked::new(memory(from));
        let there = repo(hooked.clone()).main().unwrap();
        for n in 0..6 {
            there.set(format!("d{n}/e"), format!("{n}"), "set").unwrap().unwrap();
        }
        let head = there.head().unwrap().unwrap();
        let mut failures = 0;
        for most in 1.. {
            let (counted, here) = {
                let counted = Arc::new(Counted::new(memory(to)));
                (counted.clone(), repo(counted))
            };
            let reads = AtomicUsize::new(0);
            hooked.on_object(move |_, object| {
                if reads.fetch_add(1, Ordering::Relaxed) >= most {
                    *object = None;
                }
            });
            // A repository of its own remembers nothing of what was read before.
            let fresh = repo(hooked.clone()).main().unwrap();
            let fetched = here.fetch(&fresh, Some(&origin()));
            hooked.clear();
            let Err(error) = fetched else { break };
            failures += 1;
            assert_eq!(error.code(), Code::MissingObjects, "{error}");
            assert_eq!(counted.counts().publishes, 0);
            assert_eq!(here.backend().refs("refs/").unwrap(), []);
            assert_eq!(here.commit(head.id()).unwrap(), None);
            // What was lost on the way is found when it is tried again.
            fetch(&here, &fresh);
        }
        assert!(failures > 10, "{failures}");
    }
}

#[test]
fn what_is_not_what_its_hash_says_is_refused() {
    for to in [FormatSpec::native(), FormatSpec::git()] {
        let hooked = Hooked::new(memory(FormatSpec::native()));
        let there = repo(hooked.clone()).main().unwrap();
        there.set("a/b", "the value", "set").unwrap().unwrap();
        hooked.on_object(|_, object| {
            if let Some(object) = object.as_mut().filter(|object| object.bytes.ends_with(b"value"))
            {
                object.bytes = b"Bthe Value".as_slice().into();
            }
        });
        let here = repo(memory(to));
        let error = here.fetch(&there, Some(&origin())).unwrap_err();
        assert_eq!(error.code(), Code::CorruptObject, "{error}");
        assert_eq!(here.backend().refs("refs/").unwrap(), []);
    }
}

#[test]
fn large_values_travel_as_streams() {
    let noise = |n: u32| HashFunction::Blake2b(64).digest(&n.to_be_bytes());
    let value: Vec<u8> = (0..50_000).flat_map(|n| noise(n).as_bytes().to_vec()).collect();
    for (from, to) in PAIRS {
        let ((_from, there), (_to, here)) = (from.open(), to.open());
        let main = there.main().unwrap();
        main.set("large", value.clone(), "set").unwrap().unwrap();
        main.set("small", "1", "set").unwrap().unwrap();
        let Fetched::Head(head) = here.fetch(&main, Some(&origin())).unwrap() else { panic!() };
        assert_eq!(head.tree().get("large").unwrap().unwrap(), value);
        assert!(here.check(&mut |_| ()).unwrap().is_sound());
        let limits = irmin_core::Limits { streamed: 1_000, value: 1_000, ..here.limits().clone() };
        let (_to, small) = to.open();
        let error = small.with_limits(limits).fetch(&main, None).unwrap_err();
        assert_eq!(error.code(), Code::PayloadTooLarge);
    }
}

#[test]
fn directories_and_values_give_way_to_each_other() {
    for (from, to) in PAIRS {
        let ((_from, there), (_to, here)) = (from.open(), to.open());
        let main = there.main().unwrap();
        main.set("a/b/c", "1", "directory").unwrap();
        main.set("a", "2", "value").unwrap();
        main.set("a/b", "3", "directory").unwrap();
        main.remove("a", "nothing").unwrap();
        fetch(&here, &main);
    }
}

#[test]
fn modes_travel_and_what_has_no_place_is_refused() {
    let there = repo(memory(FormatSpec::git())).main().unwrap();
    there.set_with("run", "#!", Metadata::Exec, "a program").unwrap();
    let head = fetch(&repo(memory(FormatSpec::native())), &there);
    assert_eq!(head.tree().get_all("run").unwrap().unwrap().1, Metadata::Exec);
    let here = repo(memory(FormatSpec::irmin_mem()));
    let error = here.fetch(&there, None).unwrap_err();
    assert_eq!(error.code(), Code::Unrepresentable);
    assert!(error.to_string().contains("commit "), "{error}");
}

#[test]
fn pulls_that_cross_converge() {
    for (from, to) in PAIRS {
        let ((_a, a), (_b, b)) = (from.open(), to.open());
        if a.format() != b.format() {
            continue;
        }
        let (a, b) = (a.main().unwrap(), b.main().unwrap());
        a.set("base", "0", "base").unwrap();
        assert!(matches!(b.pull(&a, Pull::Merge, "pull").unwrap(), Merged::FastForward(_)));
        a.set("a", "1", "ours").unwrap();
        b.set("b", "2", "theirs").unwrap();
        // Each has the other's head before either merges.
        let Fetched::Head(of_a) = b.repo().fetch(&a, None).unwrap() else { panic!() };
        let Fetched::Head(of_b) = a.repo().fetch(&b, None).unwrap() else { panic!() };
        a.merge_commit(&of_b, Default::default(), "cross").unwrap().resolved().unwrap();
        b.merge_commit(&of_a, Default::default(), "over").unwrap().resolved().unwrap();
        assert_ne!(a.head().unwrap().unwrap().id(), b.head().unwrap().unwrap().id());
        a.set("a2", "3", "more").unwrap();
        assert!(matches!(a.pull(&b, Pull::Merge, "pull").unwrap(), Merged::Created(_)));
        assert!(matches!(b.pull(&a, Pull::Merge, "pull").unwrap(), Merged::FastForward(_)));
        assert!(matches!(a.pull(&b, Pull::Merge, "pull").unwrap(), Merged::UpToDate));
        let (one, other) = (a.head().unwrap().unwrap(), b.head().unwrap().unwrap());
        assert_eq!(one.id(), other.id());
        let keys: Vec<String> =
            a.list("").unwrap().into_iter().map(|(step, _)| format!("{step}")).collect();
        assert_eq!(keys, ["a", "a2", "b", "base"]);
        for side in [&a, &b] {
            assert!(side.repo().check(&mut |_| ()).unwrap().is_sound());
        }
    }
}

#[test]
fn conflicts_of_a_pull_are_data() {
    let (a, b) = (repo(memory(FormatSpec::native())), repo(memory(FormatSpec::native())));
    let (a, b) = (a.main().unwrap(), b.main().unwrap());
    assert!(matches!(a.pull(&b, Pull::Set, "nothing").unwrap(), Merged::UpToDate));
    b.set("k", "0", "base").unwrap();
    a.pull(&b, Pull::Merge, "pull").unwrap().resolved().unwrap();
    a.set("k", "1", "ours").unwrap();
    b.set("k", "2", "theirs").unwrap();
    let before = a.head().unwrap();
    let Merged::Conflicts(conflicts) = a.pull(&b, Pull::Merge, "pull").unwrap() else { panic!() };
    assert_eq!(conflicts[0].path.to_string(), "k");
    assert_eq!(a.head().unwrap(), before);
    a.pull(&b, Pull::Set, "theirs").unwrap().resolved().unwrap();
    assert_eq!(a.get("k").unwrap().unwrap(), "2");
    assert!(matches!(a.pull(&b, Pull::Set, "again").unwrap(), Merged::UpToDate));
}

#[test]
fn a_push_moves_forward_unless_it_is_forced() {
    for (from, to) in PAIRS {
        let ((_a, a), (_b, b)) = (from.open(), to.open());
        let same = a.format() == b.format();
        let (a, b) = (a.main().unwrap(), b.main().unwrap());
        let nothing = a.push(&b, Push::FastForward, "push").unwrap_err();
        assert_eq!(nothing.code(), Code::NotFound);
        a.set("x", "1", "first").unwrap();
        let pushed = a.push(&b, Push::FastForward, "push").unwrap().unwrap();
        assert_eq!(b.head().unwrap().unwrap(), pushed);
        assert!(a.push(&b, Push::FastForward, "push").unwrap().is_none());
        assert!(a.push(&b, Push::Force, "push").unwrap().is_none());
        a.set("x", "2", "second").unwrap();
        assert!(a.push(&b, Push::FastForward, "push").unwrap().is_some());

        let theirs = b.set("y", "1", "theirs").unwrap().unwrap();
        let ours = a.set("x", "3", "third").unwrap().unwrap();
        let refused = a.push(&b, Push::FastForward, "push").unwrap_err();
        assert_eq!(refused.code(), Code::PreconditionFailed, "{refused}");
        assert_eq!(b.head().unwrap().unwrap(), theirs);
        if same {
            assert_eq!(b.repo().commit(ours.id()).unwrap(), None);
        }
        let forced = a.push(&b, Push::Force, "push").unwrap().unwrap();
        assert_eq!(b.head().unwrap().unwrap(), forced);
        assert_eq!(b.get("x").unwrap().unwrap(), "3");
        assert!(b.repo().check(&mut |_| ()).unwrap().is_sound());
    }
}
