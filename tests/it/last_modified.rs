//! Who changed which of many paths last: against the search for one path, and what it costs.

use std::sync::Arc;

use irmin_core::backend::{Backend, Counted, MemoryBackend};
use irmin_core::history::LastModified;
use irmin_core::{Commit, CommitOptions, Format, FormatSpec, Path, Repo};
use proptest::prelude::*;

use crate::model::{cases, context, specs};

/// What happens to one of two branches.
#[derive(Clone, Debug)]
enum Op {
    Set(usize, u8),
    Remove(usize),
    Merge,
}

/// Directories and values at one another's places, and a directory wide enough to be a trie.
fn pool() -> Vec<Path> {
    let deep = ["a", "a/b", "a/b/c", "a/b/c/d", "d/e", "d/f", "g", ""];
    let wide = (0..40).map(|n| format!("wide/{n}"));
    let all = deep.into_iter().map(String::from).chain(wide);
    all.map(|path| Path::parse(path).unwrap()).collect()
}

fn ops() -> impl Strategy<Value = Vec<(bool, i64, Op)>> {
    let path = || prop_oneof![0..7_usize, 0..48_usize];
    let op = prop_oneof![
        6 => (path(), 0..3_u8).prop_map(|(path, value)| Op::Set(path, value)),
        2 => path().prop_map(Op::Remove),
        1 => Just(Op::Merge),
    ];
    // The clock is wrong more often than right.
    prop::collection::vec((any::<bool>(), 0..5_i64, op), 1..40)
}

fn history(spec: FormatSpec, ops: &[(bool, i64, Op)]) -> (Repo, Commit) {
    let repo = Repo::new(Arc::new(MemoryBackend::new(Format::new(spec))), context()).unwrap();
    let main = repo.main().unwrap();
    let pool = pool();
    let fill = |tree: &mut irmin_core::Tree| {
        (8..48).step_by(2).try_for_each(|n| tree.set(&pool[n], "filled"))
    };
    main.transaction(CommitOptions::new("fill").date(2), fill).unwrap();
    let branches = [main.fork("other").unwrap(), main];
    for (side, date, op) in ops {
        let (branch, other) = (&branches[usize::from(*side)], &branches[usize::from(!*side)]);
        let options = CommitOptions::new("op").date(*date);
        match op {
            // The root is no place for a value.
            Op::Set(path, _) if pool[*path].is_root() => continue,
            Op::Set(path, value) => drop(branch.set(&pool[*path], vec![*value], options).unwrap()),
            Op::Remove(path) => drop(branch.remove(&pool[*path], options).unwrap()),
            Op::Merge => drop(branch.merge(other, options).unwrap()),
        }
    }
    let head = branches[1].head().unwrap().unwrap();
    (repo, head)
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn many_paths_are_answered_as_each_is(
        ops in ops(),
        n in prop_oneof![Just(None), (0..4_usize).prop_map(Some)],
        depth in prop_oneof![2 => Just(None), 1 => (0..8_usize).prop_map(Some)],
        few in 1..48_usize,
    ) {
        let bounds = LastModified { n, depth };
        for spec in specs() {
            let (repo, head) = history(spec, &ops);
            let heads = [head];
            let mut paths = pool();
            paths.extend(["a", "none/at/all"].map(|path| Path::parse(path).unwrap()));
            for paths in [&paths[..], &paths[..few]] {
                let found = repo.last_modified_many(&heads, paths, bounds).unwrap();
                prop_assert_eq!(found.len(), paths.len());
                for (path, found) in paths.iter().zip(found) {
                    let alone = repo.last_modified(&heads, path, bounds).unwrap();
                    prop_assert_eq!(found, alone, "{} in {:?}", path, spec);
                }
            }
        }
    }
}

/// A file of each of 20 directories in turn: `edits` commits of one change.
fn files(repo: &Repo, files: usize, edits: usize) -> Vec<Path> {
    let path = |n: usize| Path::parse(format!("dir-{}/file-{n}", n % 20)).unwrap();
    let paths: Vec<Path> = (0..files).map(path).collect();
    let main = repo.main().unwrap();
    main.transaction("fill", |tree| paths.iter().try_for_each(|path| tree.set(path, "old")))
        .unwrap();
    for n in 0..edits {
        main.set(&paths[n % files], n.to_string(), "edit").unwrap();
    }
    paths
}

#[test]
fn one_walk_costs_what_the_commits_changed() {
    for spec in specs() {
        let counted = Arc::new(Counted::new(Arc::new(MemoryBackend::new(Format::new(spec)))));
        let edits = 300;
        let write = Repo::new(counted.clone(), context()).unwrap();
        let all = files(&write, 400, edits);
        let backend: Arc<dyn Backend> = counted.clone();
        let count = |paths: &[Path]| {
            let fresh = Repo::new(backend.clone(), context()).unwrap();
            counted.reset();
            let found = fresh.main().unwrap().last_modified_many(paths, Some(1), None).unwrap();
            assert!(found.iter().all(|commits| commits.len() == 1));
            counted.counts()
        };
        // Each commit is an object, and so are the root and the directory that it wrote.
        let counts = count(&all);
        let written = 3 * edits as u64 + 2 + 20;
        assert!(counts.objects_read <= written + 10, "{spec:?}: {counts:?}");
        // The history once, and its trees level by level for many commits at a time.
        assert!(counts.get_calls <= edits as u64 + 50, "{spec:?}: {counts:?}");

        // What changed last is found without a look at the trees of all commits.
        let last = count(&all[edits - 3..edits]);
        assert!(last.objects_read <= edits as u64 + 40, "{spec:?}: {last:?}");
    }
}

#[test]
fn nothing_is_asked_or_there_is_no_history() {
    let format = Format::new(FormatSpec::native());
    let repo: Repo = Repo::new(Arc::new(MemoryBackend::new(format)), context()).unwrap();
    let paths = [Path::root(), Path::parse("a").unwrap()];
    let main = repo.main().unwrap();
    assert_eq!(main.last_modified_many(&paths, None, None).unwrap(), [vec![], vec![]]);
    main.set("a", "1", "set").unwrap();
    assert!(main.last_modified_many(&[], None, None).unwrap().is_empty());
    assert_eq!(main.last_modified_many(&paths, Some(0), None).unwrap(), [vec![], vec![]]);
}
