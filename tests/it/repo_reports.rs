//! What a repository says of itself: checks that find every damage, logs, and pictures.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use irmin_core::backend::MemoryBackend;
use irmin_core::{
    Commit, CommitId, Damage, DotOptions, Format, FormatSpec, Hash, Key, Kind, LogOptions, Merged,
    Object, Referrer, Repo,
};
use irmin_tests::hooked::Hooked;

use crate::model::{context, specs};

/// What is done to an object that passes.
type Tamper = Box<dyn Fn(&Key, &mut Option<Object>) + Send + Sync>;

type Seen = Arc<Mutex<Vec<Hash>>>;

/// Notes what is read.
fn note(backend: &Hooked) -> Seen {
    let seen = Seen::default();
    let notes = seen.clone();
    backend.on_object(move |key, _| notes.lock().unwrap().push(key.hash));
    seen
}

/// Two commits on a branch, another branch, a tag, and a directory wide enough for a trie.
fn store(spec: FormatSpec) -> (Arc<Hooked>, Repo) {
    let backend = Hooked::new(Arc::new(MemoryBackend::new(Format::new(spec))));
    let repo = Repo::new(backend.clone(), context()).unwrap();
    let main = repo.main().unwrap();
    main.transaction("wide", |tree| {
        (0..400).try_for_each(|n| tree.set(format!("wide/{n}"), format!("value {}", n % 50)))
    })
    .unwrap();
    let head = main.set("a/b", "1", "second").unwrap().unwrap();
    main.fork("other").unwrap().set("a/c", "2", "third").unwrap();
    repo.set_tag("v1", &head, "tag").unwrap();
    (backend, repo)
}

#[test]
fn a_sound_store_is_sound_and_each_object_is_read_once() {
    for spec in specs() {
        let (backend, repo) = store(spec);
        let seen = note(&backend);
        let mut steps = Vec::new();
        let report = repo.check(&mut |progress| steps.push(progress)).unwrap();
        assert!(report.is_sound(), "{:?}", report.problems);
        assert_eq!((report.commits, report.values, report.tags), (3, 52, 0));
        let seen = seen.lock().unwrap().clone();
        let once: BTreeSet<Hash> = seen.iter().copied().collect();
        // The object of the tag is read once more, to see what it is.
        assert!(seen.len() <= once.len() + 1, "{} reads of {}", seen.len(), once.len());
        let all = report.commits + report.directories + report.values;
        assert_eq!(all, once.len() as u64);
        assert_eq!(report.objects(), all);
        let last = steps.last().unwrap();
        assert_eq!((last.objects, last.bytes, last.waiting), (all, report.bytes, 0));
        assert!(steps.is_sorted_by_key(|step| step.objects));
    }
}

#[test]
fn every_object_that_is_damaged_or_missing_is_found() {
    for spec in specs() {
        let (backend, repo) = store(spec);
        let seen = note(&backend);
        repo.check(&mut |_| ()).unwrap();
        let objects: BTreeSet<Hash> = seen.lock().unwrap().iter().copied().collect();
        for hash in objects {
            let damages: [(Tamper, &str); 3] = [
                (
                    Box::new(move |key, object| {
                        if let Some(object) = object.as_mut().filter(|_| key.hash == hash) {
                            let mut bytes = object.bytes.to_vec();
                            *bytes.last_mut().unwrap() ^= 1;
                            object.bytes = bytes.into();
                        }
                    }),
                    "hash to",
                ),
                (
                    Box::new(move |key, object| {
                        if key.hash == hash {
                            *object = None;
                        }
                    }),
                    "missing",
                ),
                (
                    Box::new(move |key, object| {
                        if let Some(object) = object.as_mut().filter(|_| key.hash == hash) {
                            object.kind = match object.kind {
                                Kind::Commit => Kind::Node,
                                _ => Kind::Commit,
                            };
                        }
                    }),
                    "should be",
                ),
            ];
            for (damage, what) in damages {
                backend.on_object(damage);
                let report = repo.check(&mut |_| ()).unwrap();
                let problems = &report.problems;
                // A ref that may stand for anything is at fault for itself.
                assert!((1..=2).contains(&problems.len()), "{what}: {problems:?}");
                assert!(problems.iter().all(|problem| problem.hash == Some(hash)));
                assert!(problems.iter().any(|problem| problem.to_string().contains(what)));
            }
        }
    }
}

#[test]
fn a_problem_says_who_refers_to_it() {
    let (backend, repo) = store(FormatSpec::native());
    let head = repo.branch("other").unwrap().head().unwrap().unwrap();
    let (id, root) = (head.id().hash(), head.tree_id().hash());
    backend.on_object(move |key, object| {
        if key.hash == root {
            *object = None;
        }
    });
    let report = repo.check(&mut |_| ()).unwrap();
    assert_eq!(report.problems[0].from, Referrer::Object(id));
    let text = format!("missing directory {root} (referred to by {id})");
    assert_eq!(report.problems[0].to_string(), text);
    backend.on_object(move |key, object| {
        if key.hash == id {
            *object = None;
        }
    });
    let report = repo.check(&mut |_| ()).unwrap();
    let name = "refs/heads/other".parse().unwrap();
    assert_eq!(report.problems[0].from, Referrer::Ref(name));
    assert_eq!(
        (&report.problems[0].damage, report.problems[0].expected),
        (&Damage::Missing, Some(Kind::Commit))
    );
    let text = format!("missing commit {id} (referred to by ref `refs/heads/other`)");
    assert_eq!(report.problems[0].to_string(), text);
}

fn ids(commits: &[Commit]) -> Vec<CommitId> {
    commits.iter().map(Commit::id).collect()
}

#[test]
fn logs_have_bounds_and_two_directions() {
    let (_, repo) = store(FormatSpec::git());
    let main = repo.main().unwrap();
    for n in 0..5 {
        main.set("n", format!("{n}"), "more").unwrap();
    }
    let all = main.log(&LogOptions::default()).unwrap();
    assert_eq!(all.len(), 7);
    assert!(all.windows(2).all(|pair| pair[0].parent_ids() == [pair[1].id()]));
    let all = ids(&all);
    let log = |options: &LogOptions| ids(&main.log(options).unwrap());
    let some = LogOptions { skip: 2, max: Some(3), ..LogOptions::default() };
    assert_eq!(log(&some), all[2..5]);
    let reversed = LogOptions { reverse: true, ..some };
    assert_eq!(log(&reversed), [all[4], all[3], all[2]]);
    assert_eq!(log(&LogOptions { depth: Some(1), ..LogOptions::default() }), all[..2]);
    assert_eq!(log(&LogOptions { min: vec![all[3]], ..LogOptions::default() }), all[..4]);
    assert_eq!(log(&LogOptions { skip: 9, ..LogOptions::default() }), []);
    let none = repo.branch("none").unwrap();
    assert!(none.log(&LogOptions::default()).unwrap().is_empty());

    // What comes before a page is the same however long it is, over a merge too.
    let side = repo.branch("other").unwrap();
    side.set("s", "1", "side").unwrap();
    main.set("m", "1", "main").unwrap();
    assert!(matches!(main.merge(&side, "merge").unwrap(), Merged::Created(_)));
    main.set("n", "last", "last").unwrap();
    let all = ids(&main.log(&LogOptions::default()).unwrap());
    for (skip, max) in (0..12).flat_map(|skip| (0..12).map(move |max| (skip, max))) {
        let page = log(&LogOptions { skip, max: Some(max), ..LogOptions::default() });
        assert!(all.iter().skip(skip).take(max).eq(&page), "{skip} {max}");
    }

    let both = repo.history(&repo.heads().unwrap(), None).unwrap();
    assert_eq!((both.commits.len(), both.edges.len()), (12, 12));
}

#[test]
fn the_first_page_of_a_log_does_not_read_the_last() {
    let (backend, repo) = store(FormatSpec::git());
    let main = repo.main().unwrap();
    for n in 0..50 {
        main.set("n", format!("{n}"), "more").unwrap();
    }
    let fresh: Repo = Repo::new(backend.clone(), context()).unwrap();
    let heads = [fresh.main().unwrap().head().unwrap().unwrap()];
    let seen = note(&backend);
    let page = LogOptions { skip: 1, max: Some(3), ..LogOptions::default() };
    assert_eq!(fresh.log(&heads, &page).unwrap().len(), 3);
    let reads = seen.lock().unwrap().len();
    assert!((3..=4).contains(&reads), "{reads} reads");
}

#[test]
fn the_last_to_modify_a_path_in_any_layout() {
    for spec in specs() {
        let (_, repo) = store(spec);
        let main = repo.main().unwrap();
        let set =
            |path: &str, value: &'static str| main.set(path, value, "set").unwrap().unwrap().id();
        let (x, y) = (set("wide/7", "x"), set("wide/7", "y"));
        let b = set("a/b", "9");
        let gone = main.remove("wide/7", "remove").unwrap().unwrap().id();
        let changed = |path: &str, n| ids(&main.last_modified(path, n, None).unwrap());
        assert_eq!(changed("wide/7", Some(3)), [x, y, gone]);
        assert_eq!(changed("wide/7", None).len(), 4);
        assert_eq!(changed("a", Some(1)), [b]);
        assert_eq!(changed("", Some(1)), [gone]);
        assert_eq!(changed("none/at/all", None), []);
        assert_eq!(changed("a/b/below", None), []);
        let near = main.last_modified("wide/7", None, Some(1)).unwrap();
        assert_eq!(ids(&near), [gone]);
    }
}

#[test]
fn a_picture_has_every_box_once_and_escapes_what_it_shows() {
    for spec in specs() {
        let backend = Arc::new(MemoryBackend::new(Format::new(spec)));
        let repo = Repo::new(backend, context()).unwrap();
        let main = repo.main().unwrap();
        main.set("d/quote\"", "a \"b\" \\ \n0123456789", "one").unwrap();
        main.set("e", &b"\xff\x00"[..], "two").unwrap();
        main.fork("topic/x").unwrap();
        let mut full = String::new();
        repo.dot(&DotOptions::default(), &mut full).unwrap();
        let count = |text: &str| full.matches(text).count();
        assert_eq!(count("shape=box, style=bold"), 2, "{full}");
        assert_eq!(count("shape=box, style=dotted"), 3, "{full}");
        assert_eq!(count("shape=box];"), 2, "{full}");
        assert_eq!(count("shape=plaintext"), 2);
        assert_eq!(count("[style=dashed]"), 2);
        assert_eq!(count("[style=bold]"), 3);
        assert!(full.contains(r#"(a \"b\" \\ \\n0)"#), "{full}");
        assert!(full.contains(r#"label="quote\"""#), "{full}");
        assert!(full.contains("(<blob>)"));
        let mut short = String::new();
        repo.dot(&DotOptions { full: false, depth: Some(0) }, &mut short).unwrap();
        assert_eq!(short.matches("shape=").count(), 3, "{short}");
        assert!(!short.contains("n:"));
        if irmin_tests::needs("dot") {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("g.dot"), &full).unwrap();
            let file = dir.path().join("g.dot");
            let output = std::process::Command::new("dot").arg("-Tplain").arg(file).output();
            assert!(output.unwrap().status.success());
        }
    }
}
