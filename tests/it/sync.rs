//! Repositories that fetch from, pull from and push to each other: what travels, and what comes of
//! it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use irmin_core::backend::{
    Backend, Chunked, Chunking, Counted, FsBackend, FsInit, FsOptions, MemoryBackend, StrictMemory,
    Target, View,
};
use irmin_core::io::CountedIo;
use irmin_core::{
    Branch, Code, Commit, CommitData, CommitId, Decoded, Fetched, Format, FormatSpec, HashFunction,
    Info, Kind, LogOptions, Merged, Metadata, Pull, Push, RefName, Repo, TagForm,
};
use irmin_git::{GitBackend, InitOptions, Options};
use irmin_tests::hooked::Hooked;
use irmin_tests::sim_io::SimIo;
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
    /// A git repository on a simulated disk.
    SimulatedGit,
    /// On a simulated disk.
    Files(fn() -> FormatSpec),
    /// In memory, with all values in pieces that are cut by content.
    Pieces(fn() -> FormatSpec),
    /// On a simulated disk, in pieces as irmin-chunk cuts them.
    FilesInPieces(fn() -> FormatSpec),
}

fn files(spec: FormatSpec) -> Arc<dyn Backend> {
    let (io, new) = (Arc::new(SimIo::new()), FsInit { spec, ..FsInit::default() });
    Arc::new(FsBackend::init(io, &new, &FsOptions::default()).unwrap())
}

fn pieces(inner: Arc<dyn Backend>, chunking: Chunking) -> Repo {
    repo(Arc::new(Chunked::new(inner, chunking).unwrap()))
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
            Place::SimulatedGit => {
                let (init, options) = (InitOptions::default(), Options::default());
                let store = GitBackend::init_on(Arc::new(SimIo::new()), &init, &options).unwrap();
                (None, repo(Arc::new(store)))
            }
            Place::Files(spec) => (None, repo(files(spec()))),
            Place::Pieces(spec) => (None, pieces(memory(spec()), Chunking::Content { log: 8 })),
            Place::FilesInPieces(spec) => {
                (None, pieces(files(spec()), Chunking::BestFit { size: 160 }))
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
    (Place::Files(FormatSpec::native), Place::Pieces(FormatSpec::native)),
    (Place::Pieces(FormatSpec::irmin_mem), Place::FilesInPieces(FormatSpec::irmin_mem)),
    (Place::FilesInPieces(FormatSpec::irmin_pack), Place::Files(FormatSpec::irmin_pack)),
    (Place::Git, Place::FilesInPieces(FormatSpec::native)),
    (Place::Files(FormatSpec::irmin_mem), Place::Git),
];

/// One of each kind in each format that it can have.
const PLACES: &[Place] = &[
    Place::Strict(FormatSpec::git),
    Place::Strict(FormatSpec::irmin_mem),
    Place::Strict(FormatSpec::irmin_pack),
    Place::Strict(FormatSpec::native),
    Place::SimulatedGit,
    Place::Files(FormatSpec::irmin_mem),
    Place::Files(FormatSpec::irmin_pack),
    Place::Files(FormatSpec::native),
    Place::Pieces(FormatSpec::git),
    Place::Pieces(FormatSpec::irmin_mem),
    Place::Pieces(FormatSpec::irmin_pack),
    Place::Pieces(FormatSpec::native),
    Place::FilesInPieces(FormatSpec::irmin_mem),
    Place::FilesInPieces(FormatSpec::irmin_pack),
    Place::FilesInPieces(FormatSpec::native),
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
    tagged(here, there.repo(), &logs.1);
    head
}

/// Checks that the tags of some commits came along.
fn tagged(here: &Repo, there: &Repo, log: &[Commit]) {
    let log: Vec<CommitId> = log.iter().map(Commit::id).collect();
    for name in there.tags().unwrap() {
        let (ours, theirs) = (here.read_tag(name.as_str()), there.read_tag(name.as_str()));
        let (ours, theirs) = (ours.unwrap(), theirs.unwrap().unwrap());
        if log.contains(&CommitId(theirs.target)) {
            let ours = ours.unwrap_or_else(|| panic!("{name} did not come"));
            if here.format() == there.format() {
                assert_eq!(ours, theirs);
            } else {
                let (ours, theirs) = (here.tag(name.as_str()), there.tag(name.as_str()));
                let info = |commit: Result<Option<Commit>, irmin_core::Error>| {
                    let info = commit.unwrap().unwrap().info().clone();
                    (info.author, info.message)
                };
                assert_eq!(info(ours), info(theirs));
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Op {
    Set(u8, &'static str, u8),
    Remove(u8, &'static str),
    Merge(u8, u8),
    Wide(u8, u8),
    Tag(u8, u8, bool),
    Fetch(u8),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let key = prop::sample::select(vec!["a", "a/b", "a/b/c", "a/d", "b", "b/c/d", "c/x", "c/y"]);
    let op = prop_oneof![
        8 => (0..3_u8, key.clone(), 0..6_u8).prop_map(|(b, k, v)| Op::Set(b, k, v)),
        2 => (0..3_u8, key).prop_map(|(b, k)| Op::Remove(b, k)),
        3 => (0..3_u8, 0..3_u8).prop_map(|(a, b)| Op::Merge(a, b)),
        1 => (0..3_u8, 0..5_u8).prop_map(|(b, n)| Op::Wide(b, n)),
        1 => (0..3_u8, 0..4_u8, any::<bool>()).prop_map(|(b, n, a)| Op::Tag(b, n, a)),
        3 => (0..3_u8).prop_map(Op::Fetch),
    ];
    prop::collection::vec(op, 1..24)
}

fn run(there: &Repo, here: &Repo, script: &[Op]) {
    let branch = |n: &u8| there.branch(["main", "left", "right"][usize::from(*n)]).unwrap();
    for op in script {
        match op {
            Op::Set(b, key, value) => {
                // Some are long enough to be kept in pieces.
                let text = format!("value {value}").repeat(1 + usize::from(*value) * 60);
                drop(branch(b).set(*key, text, "set").unwrap());
            }
            Op::Remove(b, key) => drop(branch(b).remove(*key, "remove").unwrap()),
            Op::Wide(b, n) => {
                let fill = |tree: &mut irmin_core::Tree| {
                    (0..50).try_for_each(|i| tree.set(format!("wide/{n}-{i}"), format!("{i}")))
                };
                drop(branch(b).transaction("fill", fill).unwrap());
            }
            Op::Tag(b, n, annotated) => {
                let Some(head) = branch(b).head().unwrap() else { continue };
                let git = there.format().spec().layout == irmin_core::object::LayoutSpec::Git;
                let form = if *annotated && git { TagForm::Annotated } else { TagForm::Light };
                // A name that is taken stays where it is.
                drop(there.write_tag(&format!("v{n}"), &head, form, None, "tag\n"));
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
    fn any_history_arrives_whole(
        script in ops(),
        others in prop::collection::vec((0..PLACES.len(), 0..PLACES.len()), 4),
    ) {
        let others = others.into_iter().map(|(from, to)| (PLACES[from], PLACES[to]));
        for (from, to) in PAIRS.iter().copied().chain(others) {
            let ((_from, there), (_to, here)) = (from.open(), to.open());
            run(&there, &here, &script);
            run(&there, &here, &[Op::Fetch(0), Op::Fetch(1), Op::Fetch(2)]);
        }
    }
}

/// From each kind of store in each format to each: all there is, and then what is new.
#[test]
fn every_store_fetches_from_every_other() {
    for from in PLACES {
        let (_from, there) = from.open();
        let begin =
            [Op::Set(0, "a/b", 5), Op::Set(1, "c/x", 1), Op::Tag(0, 0, true), Op::Merge(0, 1)];
        run(&there, &there, &begin);
        let places: Vec<_> = PLACES.iter().map(|to| to.open()).collect();
        places.iter().for_each(|(_, here)| run(&there, here, &[Op::Fetch(0)]));
        run(&there, &there, &[Op::Set(0, "a/b/c", 2)]);
        places.iter().for_each(|(_, here)| run(&there, here, &[Op::Fetch(0)]));
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

/// What a fetch costs where all but one change is there follows from the change, and not from how
/// much history there is; counted in files, on both sides.
#[test]
fn a_change_costs_the_same_after_any_history() {
    let cost = |commits: u32| {
        let store = || {
            let io = Arc::new(CountedIo::new(Arc::new(SimIo::new())));
            let new = FsInit { spec: FormatSpec::native(), ..FsInit::default() };
            let store = FsBackend::init(io.clone(), &new, &FsOptions::default()).unwrap();
            (io, repo(Arc::new(store)))
        };
        let ((from, there), (to, here)) = (store(), store());
        let main = there.main().unwrap();
        for n in 0..commits {
            main.set(format!("d{}/{}/e", n % 5, n % 3), format!("{n}"), "set").unwrap();
        }
        fetch(&here, &main);
        main.set("d2/1/e", "new", "change").unwrap().unwrap();
        from.reset();
        to.reset();
        let Fetched::Head(_) = here.fetch(&main, Some(&origin())).unwrap() else { panic!() };
        let (read, written) = (from.reset(), to.reset());
        // A file for each of five objects, one for the ref, and the byte of the lock for naming.
        assert!(read.opens < 16 && written.renames == 6, "{read:?} {written:?}");
        (read.opens, read.reads, written.opens, written.renames, written.writes, written.syncs)
    };
    assert_eq!(cost(15), cost(75));
}

/// Whole directories are in memory while they travel: a few of them, whatever the history.
#[test]
fn wide_directories_of_many_commits_are_not_held_together() {
    let hooked = Hooked::new(memory(FormatSpec::git()));
    let there = repo(hooked.clone()).main().unwrap();
    let fill =
        |tree: &mut irmin_core::Tree| (0..2000).try_for_each(|n| tree.set(format!("{n}"), ""));
    there.transaction("fill", fill).unwrap();
    for n in 0..120 {
        there.set(format!("{n}"), format!("{n}"), "change").unwrap();
    }
    let to = Arc::new(Counted::new(memory(FormatSpec::git())));
    let (read, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    hooked.on_object({
        let (to, read, most) = (to.clone(), read.clone(), most.clone());
        move |_, object| {
            let len = object.as_ref().map_or(0, |object| object.bytes.len());
            let read = read.fetch_add(len, Ordering::Relaxed) + len;
            let written = to.counts().bytes_written as usize;
            most.fetch_max(read.saturating_sub(written), Ordering::Relaxed);
        }
    });
    // A repository of its own remembers nothing of what was read before.
    let fresh = repo(hooked.clone()).main().unwrap();
    let Fetched::Head(_) = repo(to).fetch(&fresh, None).unwrap() else { panic!() };
    hooked.clear();
    let (read, most) = (read.load(Ordering::Relaxed), most.load(Ordering::Relaxed));
    assert!(read > 7 << 20 && most < 3 << 20, "{most} of {read} bytes at once");
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
    // Five of the change, and eight of the table of what became what.
    assert_eq!(to.reset().objects_written, 13);
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
fn tags_come_along_as_in_git() {
    for (from, to) in PAIRS {
        let ((_from, there), (_to, here)) = (from.open(), to.open());
        let main = there.main().unwrap();
        let first = main.set("a", "1", "first").unwrap().unwrap();
        let second = main.set("a", "2", "second").unwrap().unwrap();
        let side = there.branch("side").unwrap().set("b", "3", "side").unwrap().unwrap();
        let names = [("v1", &first), ("v2", &second), ("dir/v", &second), ("side", &side)];
        for (name, commit) in names {
            there.set_tag(name, commit, "tag").unwrap();
        }
        let mine = here.branch("mine").unwrap().set("c", "4", "mine").unwrap().unwrap();
        // Tags that are here stay, and one that cannot be beside one of ours does not come.
        here.set_tag("v2", &mine, "mine").unwrap();
        here.set_tag("dir", &mine, "mine").unwrap();
        let names = |repo: &Repo| -> Vec<String> {
            repo.tags().unwrap().iter().map(ToString::to_string).collect()
        };
        here.fetch(&main, None).unwrap();
        assert_eq!(names(&here), ["dir", "v2"], "without a ref that tracks nothing else moves");
        here.fetch(&main, Some(&origin())).unwrap();
        assert_eq!(names(&here), ["dir", "v1", "v2"]);
        assert_eq!(here.tag("v2").unwrap(), Some(mine));
        assert_eq!(here.tag("v1").unwrap().unwrap().info().message, "first");
        // A tag that comes later is found when nothing else is new.
        there.set_tag("v3", &second, "tag").unwrap();
        here.fetch(&main, Some(&origin())).unwrap();
        assert_eq!(names(&here), ["dir", "v1", "v2", "v3"]);
        assert!(here.check(&mut |_| ()).unwrap().is_sound());
    }
}

#[test]
fn annotated_tags_keep_what_they_say() {
    let (there, here) = (repo(memory(FormatSpec::git())), repo(memory(FormatSpec::git())));
    let main = there.main().unwrap();
    let first = main.set("a", "1", "first").unwrap().unwrap();
    there.write_tag("v1", &first, TagForm::Annotated, None, "why\n").unwrap();
    fetch(&here, &main);
    let tag = here.read_tag("v1").unwrap();
    assert_eq!(tag, there.read_tag("v1").unwrap());
    assert_eq!(tag.unwrap().annotation.unwrap().message, "why\n");
    let other = repo(memory(FormatSpec::native()));
    fetch(&other, &main);
    assert_eq!(other.read_tag("v1").unwrap().unwrap().annotation, None);
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

/// What a store says that an object decodes to is not taken over with it: the bytes were verified.
#[test]
fn a_store_that_decodes_wrongly_is_not_believed() {
    let liar = Hooked::new(memory(FormatSpec::native()));
    let (from, to) = (repo(liar.clone()), repo(memory(FormatSpec::native())));
    from.main().unwrap().set("a", "1", "the truth").unwrap();
    liar.on_object(|_, object| {
        let Some(object) = object.as_mut().filter(|object| object.kind == Kind::Commit) else {
            return;
        };
        let layout = Format::new(FormatSpec::native());
        let truth = layout.layout().decode_commit(object).unwrap();
        let lie = CommitData { info: Info::new("liar", 666, "a lie"), ..truth };
        object.decoded = Some(Decoded::Commit(Arc::new(lie)));
    });
    to.fetch(&from.main().unwrap(), Some(&"refs/heads/main".parse().unwrap())).unwrap();
    let head = to.main().unwrap().head().unwrap().unwrap();
    assert_eq!(head.info().message, "the truth");
    assert_eq!(to.commit(head.id()).unwrap().unwrap().info(), head.info());
}
