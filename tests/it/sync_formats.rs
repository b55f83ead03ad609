//! Repositories of different formats that take from each other, both ways: a commit that comes back
//! is the commit that it was, and what is known is not read again.

use std::sync::Arc;

use irmin_core::backend::{
    Backend, Counted, Durability, Expected, MemoryBackend, Note, RefEdit, StrictMemory, Target,
    View,
};
use irmin_core::containers::Counter;
use irmin_core::{
    Branch, Code, Commit, CommitData, CommitId, Contents, Entry, EntryKind, Fetched, Format,
    FormatSpec, Info, LogOptions, Metadata, Path, Pull, Push, RefName, Repo, ValueEncoding, Zone,
};
use irmin_tests::git_support::{fsck, git, has_git};
use proptest::prelude::*;

use crate::model::{cases, context};

const TABLE: &str = "refs/irmin/translated";

fn strict(spec: FormatSpec) -> Arc<dyn Backend> {
    Arc::new(StrictMemory::new(Format::new(spec)).demanding_pins())
}

fn repo(backend: Arc<dyn Backend>) -> Repo {
    Repo::new(backend, context()).unwrap()
}

fn counted(spec: FormatSpec) -> (Arc<Counted>, Repo) {
    let counted = Arc::new(Counted::new(Arc::new(MemoryBackend::new(Format::new(spec)))));
    (counted.clone(), repo(counted))
}

fn others() -> [FormatSpec; 3] {
    [FormatSpec::native(), FormatSpec::irmin_mem(), FormatSpec::irmin_pack()]
}

/// A history of which other formats keep little: zones, committers, headers, an order of parents.
fn foreign(main: &Branch) -> Commit {
    let bulk = main.repo().bulk().unwrap();
    let commit = |n: i64, parents: Vec<irmin_core::Key>| {
        let key = bulk.value(n.to_string().as_bytes()).unwrap();
        let value = Entry { kind: EntryKind::Value(Metadata::Normal), key };
        let mut root = bulk.directory(None).unwrap();
        bulk.set(&mut root, &Path::parse("a/b").unwrap(), Some(value)).unwrap();
        let mut info = Info::new("Ann <ann@example.org>", 1_000 + n, format!("{n}\n"));
        info.committer.author = "Bob <bob@example.org>".into();
        info.author.zone = "+0545".parse::<Zone>().unwrap();
        info.headers.push((b"gpgsig".to_vec().into(), b"of nobody".to_vec().into()));
        bulk.commit(&CommitData { tree: bulk.seal(root).unwrap(), parents, info }).unwrap()
    };
    let root = commit(0, vec![]);
    let mut sides: Vec<_> = (1..4).map(|n| commit(n, vec![root])).collect();
    // Whatever order others keep, this one is the other one.
    sides.sort_by_key(|key| std::cmp::Reverse(key.hash));
    let head = commit(4, sides);
    let new = Some(Target::Object(head));
    let name = "refs/heads/main".parse().unwrap();
    let edit = RefEdit { name, expected: Expected::Absent, new };
    bulk.publish(vec![edit], Durability::Durable, Note::default()).unwrap();
    main.head().unwrap().unwrap()
}

fn ids<C: Contents>(branch: &Branch<C>) -> Vec<CommitId> {
    let head = branch.head().unwrap();
    let log = branch.repo().log(head.as_slice(), &LogOptions::default()).unwrap();
    log.iter().map(Commit::id).collect()
}

fn assert_whole<C: Contents>(repo: &Repo<C>) {
    let report = repo.check(&mut |_| ()).unwrap();
    assert!(report.is_sound(), "{:?}", report.problems);
}

#[test]
fn commits_come_back_as_what_they_were() {
    for spec in others() {
        let (git, other) = (repo(strict(FormatSpec::git())), repo(strict(spec)));
        let (git, other) = (git.main().unwrap(), other.main().unwrap());
        let first = foreign(&git);
        let before = ids(&git);
        other.pull(&git, Pull::Merge, "pull").unwrap().resolved().unwrap();
        assert_eq!(ids(&other).len(), before.len());
        // Nothing to take back, and nothing to push.
        git.pull(&other, Pull::Merge, "pull").unwrap().resolved().unwrap();
        assert_eq!(git.head().unwrap().unwrap().id(), first.id());
        assert!(other.push(&git, Push::FastForward, "push").unwrap().is_none());
        // What is new has the old commits as its history.
        other.set("a/c", "new", "there").unwrap().unwrap();
        other.push(&git, Push::FastForward, "push").unwrap().unwrap();
        let after = ids(&git);
        assert!(before.iter().all(|id| after.contains(id)) && after.len() == before.len() + 1);
        assert_eq!(git.get("a/c").unwrap().unwrap(), "new");
        // And the other way round: what was pushed is known here by what it is there.
        git.set("a/d", "newer", "here").unwrap().unwrap();
        let known = ids(&other);
        git.push(&other, Push::FastForward, "push").unwrap().unwrap();
        assert_eq!(ids(&other)[1..], known[..]);
        assert_whole(git.repo());
        assert_whole(other.repo());
    }
}

/// The table is made of git's own objects.
#[test]
fn git_finds_no_fault_with_the_table() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.git");
    let here = irmin_git::open_or_init(&path).unwrap();
    let native = repo(strict(FormatSpec::native())).main().unwrap();
    for n in 0..20 {
        native.set("a/b", format!("{n}"), "set").unwrap();
        here.main().unwrap().pull(&native, Pull::Merge, "pull").unwrap().resolved().unwrap();
    }
    if has_git() {
        fsck(&path);
        let known = git(&path, &["ls-tree", "-r", "--name-only", TABLE]);
        assert_eq!(known.lines().count(), 40);
    }
}

/// A third repository knows what the second one knows of the first.
#[test]
fn commits_are_known_over_a_third_repository() {
    let git = repo(strict(FormatSpec::git())).main().unwrap();
    let native = repo(strict(FormatSpec::native())).main().unwrap();
    foreign(&git);
    native.pull(&git, Pull::Set, "pull").unwrap().resolved().unwrap();
    let clone = repo(strict(FormatSpec::git())).main().unwrap();
    clone.pull(&git, Pull::Set, "clone").unwrap().resolved().unwrap();
    native.set("a/c", "1", "set").unwrap();
    clone.pull(&native, Pull::Merge, "pull").unwrap().resolved().unwrap();
    assert_eq!(ids(&clone)[1..], ids(&git)[..]);
    // One that never saw them gets them with all that the second one could not hold.
    let late = repo(strict(FormatSpec::git())).main().unwrap();
    late.pull(&native, Pull::Set, "pull").unwrap().resolved().unwrap();
    assert_eq!(ids(&late), ids(&clone));
    let first = late.repo().commit(ids(&git)[0]).unwrap().unwrap();
    assert_eq!(first.info(), git.head().unwrap().unwrap().info());
    assert_whole(late.repo());
}

#[test]
fn what_is_known_is_not_read_again() {
    let cost = |commits: u32, to: FormatSpec, from: FormatSpec| {
        let ((read, there), (written, here)) = (counted(from), counted(to));
        let main = there.main().unwrap();
        for n in 0..commits {
            main.set(format!("d{}/{}/e", n % 5, n % 3), format!("{n}"), "set").unwrap();
        }
        let fetch = || {
            let origin: RefName = "refs/remotes/origin/main".parse().unwrap();
            let Fetched::Head(head) = here.fetch(&main, Some(&origin)).unwrap() else { panic!() };
            (read.reset(), written.reset(), head)
        };
        fetch();
        let (again, nothing, _) = fetch();
        assert_eq!((nothing.objects_written, nothing.publishes), (0, 0));
        main.set("d2/1/e", "new", "change").unwrap().unwrap();
        read.reset();
        let (reads, writes, head) = fetch();
        assert_eq!(head.tree().get("d2/1/e").unwrap().unwrap(), "new");
        // Five objects of the change; of the table two values, four directories below its root,
        // some of which may be one, the root, which may be in parts, and the commit.
        assert!((11..=17).contains(&writes.objects_written), "{writes:?}");
        assert!(again.objects_read < 4 && reads.objects_read < 16, "{again:?} {reads:?}");
        (again.objects_read, reads.objects_read)
    };
    for (to, from) in [
        (FormatSpec::git(), FormatSpec::native()),
        (FormatSpec::irmin_mem(), FormatSpec::git()),
        (FormatSpec::native(), FormatSpec::irmin_pack()),
    ] {
        assert_eq!(cost(15, to, from), cost(150, to, from));
    }
}

/// Tags of commits that came long ago are found, too.
#[test]
fn a_tag_of_a_known_commit_comes_along() {
    let (git, native) = (repo(strict(FormatSpec::git())), repo(strict(FormatSpec::native())));
    let main = git.main().unwrap();
    foreign(&main);
    let origin: RefName = "refs/remotes/origin/main".parse().unwrap();
    native.fetch(&main, Some(&origin)).unwrap();
    let old = main.head().unwrap().unwrap().parent_ids()[1];
    git.set_tag("v1", &git.commit(old).unwrap().unwrap(), "tag").unwrap();
    native.fetch(&main, Some(&origin)).unwrap();
    let tagged = native.tag("v1").unwrap().unwrap();
    assert_eq!(tagged.info().message, git.commit(old).unwrap().unwrap().info().message);
}

/// Writers that translate at the same time keep what the others recorded.
#[test]
fn translations_that_are_made_together_are_all_kept() {
    let there = repo(strict(FormatSpec::git()));
    let here = repo(Arc::new(MemoryBackend::new(Format::new(FormatSpec::native()))));
    let branches: Vec<Branch> = (0..4).map(|n| there.branch(&format!("b{n}")).unwrap()).collect();
    for (n, branch) in branches.iter().enumerate() {
        (0..10).for_each(|i| drop(branch.set(format!("{n}"), format!("{i}"), "set").unwrap()));
    }
    std::thread::scope(|scope| {
        for branch in &branches {
            scope.spawn(|| here.fetch(branch, None).unwrap());
        }
    });
    let table = here.backend().read_ref(&TABLE.parse().unwrap(), View::Durable).unwrap();
    for branch in &branches {
        here.fetch(branch, None).unwrap();
    }
    assert_eq!(here.backend().read_ref(&TABLE.parse().unwrap(), View::Durable).unwrap(), table);
}

/// Puts a value into the table of a repository, where a commit has its place.
fn forge(repo: &Repo, commit: CommitId, value: &str) {
    let digits = commit.hash().to_string();
    let path = Path::new([&digits[..2], &digits[2..4], &digits]).unwrap();
    let bulk = repo.bulk().unwrap();
    let key = bulk.value(value.as_bytes()).unwrap();
    let mut root = bulk.directory(None).unwrap();
    let entry = Entry { kind: EntryKind::Value(Metadata::Normal), key };
    bulk.set(&mut root, &path, Some(entry)).unwrap();
    let (tree, info) = (bulk.seal(root).unwrap(), Info::new("eve", 1, "forged"));
    let new =
        Some(Target::Object(bulk.commit(&CommitData { tree, parents: vec![], info }).unwrap()));
    let edit = RefEdit { name: TABLE.parse().unwrap(), expected: Expected::Any, new };
    bulk.publish(vec![edit], Durability::Durable, Note::default()).unwrap();
}

#[test]
fn a_table_that_lies_is_not_believed() {
    let there = repo(strict(FormatSpec::native())).main().unwrap();
    let here = repo(strict(FormatSpec::git())).main().unwrap();
    let theirs = there.set("a", "theirs", "theirs").unwrap().unwrap();
    let ours = here.set("a", "ours", "ours").unwrap().unwrap();
    let value = |fetched| match fetched {
        Ok(Fetched::Head(head)) => head.tree().get("a").unwrap().unwrap(),
        other => panic!("{other:?}"),
    };
    let absent = irmin_core::HashFunction::Sha1.digest(b"nothing");
    for lie in [ours.id().hash(), absent] {
        for teller in [there.repo(), here.repo()] {
            forge(teller, theirs.id(), &format!("{lie}\n"));
            assert_eq!(value(here.repo().fetch(&there, None)), "theirs");
        }
    }
    let value = here.repo().format().value(b"ours").id;
    for (lie, code) in [
        ("no hash\n".into(), Code::CorruptStore),
        ("xyz\n".into(), Code::CorruptStore),
        (format!("{value}\n"), Code::CorruptObject),
    ] {
        forge(there.repo(), theirs.id(), &lie);
        forge(here.repo(), theirs.id(), &lie);
        let refused = here.repo().fetch(&there, None).unwrap_err();
        assert_eq!(refused.code(), code, "{refused}");
        assert!(refused.to_string().contains(TABLE), "{refused}");
    }
}

proptest! {
    #![proptest_config(cases(24))]

    /// Each change is counted once, however often the repositories take from each other.
    #[test]
    fn counters_count_once(
        spec in prop::sample::select(others().to_vec()),
        script in prop::collection::vec((0..3_usize, any::<bool>()), 1..30),
    ) {
        // As counters are hashed.
        let spec = FormatSpec { values: ValueEncoding::Raw, ..spec };
        let all: Vec<Branch<Counter>> = [FormatSpec::git(), spec, FormatSpec::git()]
            .into_iter()
            .map(|spec| Repo::new(strict(spec), context()).unwrap().typed().unwrap().main().unwrap())
            .collect();
        let mut expected = 0;
        let pull = |n: usize| {
            let from = &all[(n + 1) % 3];
            // Each says who it is: merges that differ in the order of parents alone are one elsewhere.
            all[n].pull(from, Pull::Merge, format!("pull {n}")).unwrap().resolved().unwrap();
        };
        for (n, takes) in script {
            if takes {
                pull(n);
            } else {
                let Counter(count) = all[n].get("n").unwrap().unwrap_or_default();
                expected += 1;
                // Commits that say the same are one.
                all[n].set("n", Counter(count + 1), format!("{expected}")).unwrap();
            }
        }
        for round in 0..9 {
            pull(2 - round % 3);
        }
        for branch in &all {
            prop_assert_eq!(branch.get("n").unwrap().unwrap_or_default(), Counter(expected));
            assert_whole(branch.repo());
        }
    }
}
