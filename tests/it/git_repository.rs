//! Repositories that we make and write, as the real git sees them, and the reverse.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use irmin_core::backend::{Backend, Expected, Published, RefEdit, Target, View, Wait};
use irmin_core::{Code, Hash, Key, Kind};
use irmin_git::{GitBackend, InitOptions, Options};
use irmin_tests::git_support::{
    batch, blob, branch, command, commit, commit_batch, edit, fsck, git, has_git, is, snapshot,
    tree,
};
use tempfile::TempDir;

pub(crate) fn fresh() -> (TempDir, PathBuf, GitBackend) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.git");
    let store = GitBackend::init(&path, &InitOptions::default(), &Options::default()).unwrap();
    (dir, path, store)
}

pub(crate) fn open(path: &Path) -> GitBackend {
    GitBackend::open(path, &Options::default()).unwrap()
}

pub(crate) fn done(published: irmin_core::Result<Published>) {
    match published.unwrap() {
        Published::Done { .. } => {}
        lost => panic!("{lost:?}"),
    }
}

fn head(store: &GitBackend, name: &str) -> Option<Hash> {
    match store.read_ref(&branch(name), View::Durable).unwrap() {
        Some(Target::Object(key)) => Some(key.hash),
        None => None,
        other => panic!("{other:?}"),
    }
}

fn loose_source() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("work");
    git(dir.path(), &["init", "-q", "-b", "main", "work"]);
    for n in 0..30 {
        std::fs::write(path.join(format!("f{n}")), format!("line {n}\n").repeat(50)).unwrap();
        git(&path, &["add", "."]);
        git(&path, &["commit", "-q", "-m", &format!("commit {n}")]);
    }
    (dir, path)
}

#[test]
fn a_new_repository_is_one_for_git() {
    if !has_git() {
        return;
    }
    let (dir, path, store) = fresh();
    assert_eq!(git(&path, &["symbolic-ref", "HEAD"]), "refs/heads/main");
    assert_eq!(git(&path, &["rev-parse", "--is-bare-repository"]), "true");
    fsck(&path);
    assert_eq!(store.refs("").unwrap(), []);
    let (first, id) = commit_batch("main", "hello", None);
    done(store.publish(first));
    fsck(&path);
    assert_eq!(git(&path, &["rev-parse", "refs/heads/main"]), id.to_string());
    assert_eq!(
        git(&path, &["log", "--format=%s %an %ad", "--date=raw"]),
        "write hello ann 1000 +0000"
    );
    assert_eq!(git(&path, &["cat-file", "-p", "main:file"]), "hello");
    git(dir.path(), &["clone", "-q", "store.git", "copy"]);
    assert_eq!(std::fs::read(dir.path().join("copy/file")).unwrap(), b"hello");
    let again = GitBackend::init(&path, &InitOptions::default(), &Options::default());
    assert_eq!(again.unwrap_err().code(), Code::NameClash);
}

#[test]
fn nothing_but_the_repository_is_left_behind() {
    let (_dir, path, store) = fresh();
    let (first, id) = commit_batch("main", "1", None);
    done(store.publish(first));
    done(store.publish(commit_batch("main", "2", Some(id)).0));
    let mut names: Vec<String> = Vec::new();
    let mut dirs = vec![path.clone()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                dirs.push(entry.path());
            }
            names.push(entry.path().strip_prefix(&path).unwrap().display().to_string());
        }
    }
    names.retain(|n| !n.starts_with("objects/pack/pack-"));
    names.sort_unstable();
    let expected = [
        "HEAD",
        "config",
        "irmin",
        "irmin/lock",
        "objects",
        "objects/info",
        "objects/pack",
        "refs",
        "refs/heads",
        "refs/heads/main",
        "refs/tags",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_directory_with_other_things_is_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("diary"), "dear").unwrap();
    let made = GitBackend::open_or_init(dir.path(), &InitOptions::default(), &Options::default());
    let e = made.unwrap_err();
    assert_eq!(e.code(), Code::NameClash);
    assert!(e.to_string().contains("diary"), "{e}");
    let absent = GitBackend::open(dir.path().join("absent"), &Options::default());
    assert_eq!(absent.unwrap_err().code(), Code::NotFound);
}

#[test]
fn repositories_of_git_are_read_however_they_are_stored() {
    if !has_git() {
        return;
    }
    let (dir, work) = loose_source();
    let tip: Hash = git(&work, &["rev-parse", "HEAD"]).parse().unwrap();
    let all: Vec<Key> = git(&work, &["rev-list", "--objects", "--all", "--no-object-names"])
        .lines()
        .map(|l| Key::from(l.parse::<Hash>().unwrap()))
        .collect();
    let check = |path: &Path| {
        let store = open(path);
        assert_eq!(head(&store, "main"), Some(tip), "{}", path.display());
        let found = store.get_many(&all, Wait::Block).unwrap();
        assert!(found.iter().zip(&all).all(|(o, key)| o.as_ref().unwrap().id == key.hash));
        assert!(
            store
                .find_many(&all.iter().map(|k| k.hash).collect::<Vec<_>>())
                .unwrap()
                .iter()
                .all(Option::is_some)
        );
        let short = store.find_prefix(&tip.short(10).parse().unwrap()).unwrap();
        assert_eq!(short, [Key::from(tip)]);
        store
    };
    check(&work);
    let loose = check(&work.join(".git"));
    git(&work, &["worktree", "add", "-q", "../linked", "-b", "side"]);
    let linked = check(&dir.path().join("linked"));
    let at = linked.read_ref(&irmin_core::RefName::head(), View::Durable).unwrap();
    assert_eq!(at, Some(Target::Symbolic(branch("side"))));
    // Packs with deltas, and packed refs.
    git(&work, &["gc", "-q"]);
    assert!(!work.join(".git/refs/heads/main").exists());
    check(&work);
    let found = loose.get_many(&all, Wait::Block).unwrap();
    assert!(found.iter().all(Option::is_some), "a handle from before the gc finds everything");
    // Alternates, and a clone without a working tree.
    git(dir.path(), &["clone", "-q", "--bare", "--shared", "work", "shared.git"]);
    let shared = check(&dir.path().join("shared.git"));
    let (next, id) = commit_batch("main", "on top", Some(tip));
    done(shared.publish(next));
    fsck(&dir.path().join("shared.git"));
    assert_eq!(git(&dir.path().join("shared.git"), &["rev-parse", "main~1"]), tip.to_string());
    assert_ne!(id, tip);
}

#[test]
fn writing_leaves_what_is_not_ours_alone() {
    if !has_git() {
        return;
    }
    let (_dir, work) = loose_source();
    let read = |name: &str| std::fs::read(work.join(".git").join(name)).unwrap();
    let (config, index) = (read("config"), read("index"));
    let store = open(&work);
    let tip = head(&store, "main").unwrap();
    done(store.publish(commit_batch("main", "x", Some(tip)).0));
    done(store.publish(commit_batch("topic/a", "y", None).0));
    assert_eq!((config, index), (read("config"), read("index")));
    fsck(&work);
    // The journal of a repository with a working tree is kept, that of HEAD too.
    assert_eq!(git(&work, &["log", "-g", "-1", "--format=%gs", "main"]), "test");
    assert_eq!(git(&work, &["log", "-g", "-1", "--format=%gs", "HEAD"]), "test");
    assert_eq!(git(&work, &["rev-parse", "main@{1}"]), tip.to_string());
    assert_eq!(
        git(&work, &["log", "-g", "--format=%gs %gn %ge", "topic/a"]),
        "test ann ann@example.org"
    );
}

#[test]
fn a_bare_repository_journals_only_when_asked() {
    if !has_git() {
        return;
    }
    let (_dir, path, store) = fresh();
    let (first, id) = commit_batch("main", "1", None);
    done(store.publish(first));
    assert!(!path.join("logs").exists());
    git(&path, &["config", "core.logAllRefUpdates", "true"]);
    let store = open(&path);
    let (second, second_id) = commit_batch("main", "2", Some(id));
    done(store.publish(second));
    assert_eq!(
        git(&path, &["reflog", "show", "--format=%H %gs", "main"]),
        format!("{second_id} test")
    );
    done(store.publish(batch(vec![], vec![edit("main", is(second_id), None)])));
    assert!(!path.join("logs/refs/heads/main").exists());
    // A name that was a directory of others gets its journal too.
    done(store.publish(commit_batch("deep/er/x", "3", None).0));
    let at = commit_batch("deep/er/x", "3", None).1;
    assert_eq!(git(&path, &["reflog", "show", "--format=%gs", "deep/er/x"]), "test");
    done(store.publish(batch(vec![], vec![edit("deep/er/x", is(at), None)])));
    done(store.publish(commit_batch("deep", "4", None).0));
    assert_eq!(git(&path, &["reflog", "show", "--format=%gs", "deep"]), "test");
    assert_eq!(store.refs("refs/../").unwrap(), []);
}

#[test]
fn refs_are_compared_and_set() {
    let (_dir, _path, store) = fresh();
    let (first, a) = commit_batch("main", "1", None);
    done(store.publish(first.clone()));
    let lost = store.publish(first).unwrap();
    let name = branch("main");
    let actual = Some(Target::Object(a.into()));
    assert_eq!(lost, Published::Lost { name: name.clone(), actual });
    let (second, b) = commit_batch("main", "2", Some(a));
    // One of two edits is wrong: neither is made.
    let mut both = second.clone();
    both.edits.push(edit("other", is(a), Some(b)));
    let lost = store.publish(both).unwrap();
    assert_eq!(lost, Published::Lost { name: branch("other"), actual: None });
    assert_eq!(head(&store, "main"), Some(a));
    done(store.publish(second));
    done(store.publish(batch(vec![], vec![edit("main", Expected::Any, None)])));
    assert_eq!(head(&store, "main"), None);
    let unborn = store.publish(batch(vec![], vec![edit("main", is(b), None)])).unwrap();
    assert_eq!(unborn, Published::Lost { name, actual: None });
}

#[test]
fn values_that_are_missing_are_named() {
    let (_dir, path, store) = fresh();
    let absent = blob(b"nowhere");
    let dir = tree(&[("file", absent.id)]);
    let top = commit(dir.id, &[], "dangling");
    let id = top.id;
    let e = store.publish(batch(vec![dir, top], vec![edit("main", Expected::Absent, Some(id))]));
    let e = e.unwrap_err();
    assert_eq!(e.code(), Code::MissingObjects);
    assert_eq!(e.missing(), [Key::from(absent.id)]);
    let e = store.publish(batch(vec![], vec![edit("main", Expected::Absent, Some(absent.id))]));
    assert_eq!(e.unwrap_err().code(), Code::MissingObjects);
    assert_eq!(std::fs::read_dir(path.join("objects/pack")).unwrap().count(), 0);
    // A lie about its name is noticed before it is written.
    let mut liar = blob(b"truth");
    liar.id = absent.id;
    assert_eq!(store.publish(batch(vec![liar], vec![])).unwrap_err().code(), Code::CorruptObject);
}

#[test]
fn names_clash_as_in_git() {
    if !has_git() {
        return;
    }
    let (_dir, path, store) = fresh();
    let (first, id) = commit_batch("a/b", "1", None);
    done(store.publish(first));
    let at =
        |name: &str| store.publish(batch(vec![], vec![edit(name, Expected::Absent, Some(id))]));
    for packed in [false, true] {
        if packed {
            git(&path, &["pack-refs", "--all"]);
        }
        for clashing in ["a", "a/b/c", "a/b/c/d"] {
            assert_eq!(
                at(clashing).unwrap_err().code(),
                Code::NameClash,
                "{clashing} packed: {packed}"
            );
            let refused = command(&path)
                .args(["update-ref", &format!("refs/heads/{clashing}"), &id.to_string()])
                .output()
                .unwrap();
            assert!(!refused.status.success());
        }
    }
    let both = vec![edit("x", Expected::Absent, Some(id)), edit("x/y", Expected::Absent, Some(id))];
    assert_eq!(store.publish(batch(vec![], both)).unwrap_err().code(), Code::NameClash);
    // A name that goes in the same batch is still in the way.
    let swap = vec![edit("a/b", is(id), None), edit("a", Expected::Absent, Some(id))];
    assert_eq!(store.publish(batch(vec![], swap)).unwrap_err().code(), Code::NameClash);
    done(store.publish(batch(vec![], vec![edit("a/b", is(id), None)])));
    assert_eq!(git(&path, &["for-each-ref"]), "");
    // Directories that others left empty give way.
    std::fs::create_dir_all(path.join("refs/heads/a/b/c")).unwrap();
    done(at("a"));
    assert_eq!(git(&path, &["rev-parse", "a"]), id.to_string());
}

#[test]
fn packed_refs_are_rewritten_only_for_removals() {
    if !has_git() {
        return;
    }
    let (_dir, path, store) = fresh();
    let (first, id) = commit_batch("main", "1", None);
    done(store.publish(first));
    for name in ["gone", "kept"] {
        done(store.publish(batch(vec![], vec![edit(name, Expected::Absent, Some(id))])));
    }
    git(&path, &["tag", "-a", "-m", "release", "v1", "main"]);
    git(&path, &["pack-refs", "--all"]);
    let (second, next) = commit_batch("main", "2", Some(id));
    let before = std::fs::read(path.join("packed-refs")).unwrap();
    done(store.publish(second));
    assert_eq!(std::fs::read(path.join("packed-refs")).unwrap(), before);
    done(
        store
            .publish(batch(vec![], vec![edit("gone", is(id), None), edit("main", is(next), None)])),
    );
    assert_eq!(head(&store, "main"), None, "the packed value does not come back");
    let listed = git(&path, &["for-each-ref", "--format=%(refname) %(*objectname)"]);
    assert_eq!(listed, format!("refs/heads/kept \nrefs/tags/v1 {id}"));
    let refs: Vec<String> =
        store.refs("refs/").unwrap().iter().map(|(n, _)| n.to_string()).collect();
    assert_eq!(refs, ["refs/heads/kept", "refs/tags/v1"]);
    let tag = store.read_ref(&"refs/tags/v1".parse().unwrap(), View::Durable).unwrap();
    let Some(Target::Object(key)) = tag else { panic!("{tag:?}") };
    assert_eq!(store.get_many(&[key], Wait::Block).unwrap()[0].as_ref().unwrap().kind, Kind::Tag);
    fsck(&path);
}

#[test]
fn head_moves_to_another_branch() {
    if !has_git() {
        return;
    }
    let (_dir, path, store) = fresh();
    let head = irmin_core::RefName::head();
    let edit = RefEdit {
        name: head.clone(),
        expected: Expected::Is(Target::Symbolic(branch("main"))),
        new: Some(Target::Symbolic(branch("other"))),
    };
    done(store.publish(batch(vec![], vec![edit])));
    assert_eq!(git(&path, &["symbolic-ref", "HEAD"]), "refs/heads/other");
    // Without it git would not know the repository any more.
    let edit = RefEdit { name: head.clone(), expected: Expected::Any, new: None };
    let refused = store.publish(batch(vec![], vec![edit])).unwrap_err();
    assert_eq!(refused.code(), irmin_core::Code::InvalidArgument);
    assert_eq!(git(&path, &["symbolic-ref", "HEAD"]), "refs/heads/other");
    let now = store.read_ref(&head, View::Durable).unwrap();
    assert_eq!(now, Some(Target::Symbolic(branch("other"))));
}

#[test]
fn unknown_extensions_are_refused() {
    if !has_git() {
        return;
    }
    let (_dir, path, _store) = fresh();
    git(&path, &["config", "core.repositoryformatversion", "1"]);
    git(&path, &["config", "extensions.reftables9", "x"]);
    let e = GitBackend::open(&path, &Options::default()).unwrap_err();
    assert_eq!(e.code(), Code::Unsupported);
    assert!(e.to_string().contains("reftables9"), "{e}");
    let dir = tempfile::tempdir().unwrap();
    git(dir.path(), &["init", "-q", "--bare", "--object-format=sha256", "s.git"]);
    let e = GitBackend::open(dir.path().join("s.git"), &Options::default()).unwrap_err();
    assert!(e.code() == Code::Unsupported && e.to_string().contains("sha256"), "{e}");
}

#[test]
fn damage_is_an_error_and_never_other_bytes() {
    if !has_git() {
        return;
    }
    let (_dir, path, store) = fresh();
    let objects = snapshot(&"long text ".repeat(100), &[]);
    let keys: Vec<Key> = objects.iter().map(|o| Key::from(o.id)).collect();
    let top = objects[2].id;
    done(store.publish(batch(objects.clone(), vec![edit("main", Expected::Absent, Some(top))])));
    let pack = std::fs::read_dir(path.join("objects/pack"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.extension().is_some_and(|e| e == "pack"))
        .unwrap();
    let good = std::fs::read(&pack).unwrap();
    let index = pack.with_extension("idx");
    let good_index = std::fs::read(&index).unwrap();
    let look_at = |file: &Path, bytes: &[u8], what: &str| {
        std::fs::write(file, bytes).unwrap();
        let Ok(store) = GitBackend::open(&path, &Options::default()) else { return };
        for (key, object) in keys.iter().zip(&objects) {
            match store.get_many(&[*key], Wait::Block) {
                Ok(found) => match &found[0] {
                    Some(found) => assert_eq!(found.bytes, object.bytes, "{what}"),
                    // An index may have lost it.
                    None => assert!(file == index, "{what}: absent"),
                },
                Err(e) => assert!(
                    matches!(e.code(), Code::CorruptObject | Code::Io | Code::PayloadTooLarge),
                    "{what}: {e:?}"
                ),
            }
        }
    };
    for at in 0..good_index.len() {
        let mut bad = good_index.clone();
        bad[at] ^= 0x80;
        look_at(&index, &bad, &format!("flip at {at} of the index"));
    }
    for len in [good_index.len() - 1, good_index.len() - 21, 1100, 1032, 100, 4] {
        look_at(&index, &good_index[..len], &format!("index cut to {len}"));
    }
    std::fs::write(&index, &good_index).unwrap();
    for at in 12..good.len() - 20 {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        look_at(&pack, &bad, &format!("flip at {at}"));
    }
    for len in [good.len() - 1, good.len() - 21, 60, 40] {
        look_at(&pack, &good[..len], &format!("cut to {len}"));
    }
    let mut none = good.clone();
    none[good.len() / 2] ^= 1;
    std::fs::write(&pack, &none).unwrap();
    let failures =
        keys.iter().filter(|k| open(&path).get_many(&[**k], Wait::Block).is_err()).count();
    assert!(failures > 0, "a damaged pack cannot be read as if it were whole");
}

#[test]
fn damaged_loose_objects_and_refs_are_errors() {
    let (_dir, path, _store) = fresh();
    let key = Key::from(blob(b"loose").id);
    let hex = key.hash.to_string();
    let object = path.join("objects").join(&hex[..2]);
    std::fs::create_dir_all(&object).unwrap();
    for bytes in [&b"garbage"[..], b""] {
        std::fs::write(object.join(&hex[2..]), bytes).unwrap();
        let e = open(&path).get_many(&[key], Wait::Block).unwrap_err();
        assert_eq!(e.code(), Code::CorruptObject, "{e:?}");
    }
    for text in ["", "zz", "ref: ..\n"] {
        std::fs::write(path.join("refs/heads/main"), text).unwrap();
        let e = open(&path).read_ref(&branch("main"), View::Durable).unwrap_err();
        assert_eq!(e.code(), Code::CorruptStore);
        assert!(e.to_string().contains("refs/heads/main"), "{e}");
        assert_eq!(open(&path).refs("refs/").unwrap_err().code(), Code::CorruptStore);
    }
}

#[test]
fn objects_over_the_limit_are_refused_unread() {
    if !has_git() {
        return;
    }
    let (_dir, work) = loose_source();
    let key = Key::from(git(&work, &["rev-parse", "main:f7"]).parse::<Hash>().unwrap());
    let mut options = Options::default();
    for packed in [false, true] {
        if packed {
            git(&work, &["gc", "-q"]);
        }
        let len = "line 7\n".len() * 50;
        options.limits.object = len - 1;
        let store = GitBackend::open(&work, &options).unwrap();
        let e = store.get_many(&[key], Wait::Block).unwrap_err();
        assert_eq!(e.code(), Code::PayloadTooLarge, "packed: {packed}, {e:?}");
        options.limits.object = len;
        let store = GitBackend::open(&work, &options).unwrap();
        assert_eq!(store.read_range(&key, 0..6).unwrap(), "line 7");
    }
}

#[test]
fn resident_reads_never_touch_the_disk() {
    let (_dir, path, store) = fresh();
    let objects = snapshot("x", &[]);
    let keys: Vec<Key> = objects.iter().map(|o| Key::from(o.id)).collect();
    done(store.publish(batch(objects, vec![])));
    assert!(store.get_many(&keys, Wait::Resident).unwrap().iter().all(Option::is_some));
    let cold = open(&path);
    let e = cold.get_many(&keys, Wait::Resident).unwrap_err();
    assert_eq!(e.missing(), keys);
    assert_eq!(cold.read_range(&keys[0], 0..100).unwrap(), "x");
    assert_eq!(cold.read_range(&keys[0], 5..9).unwrap(), "");
    assert_eq!(cold.read_range(&keys[1], 0..1).unwrap_err().code(), Code::InvalidArgument);
    assert!(cold.get_many(&keys[..1], Wait::Resident).unwrap()[0].is_some());
    let absent = Key::from(blob(b"absent").id);
    assert_eq!(cold.get_many(&[absent], Wait::Block).unwrap().len(), 1);
    assert!(cold.get_many(&[absent], Wait::Block).unwrap()[0].is_none());
    assert_eq!(cold.read_range(&absent, 0..1).unwrap_err().code(), Code::MissingObjects);
}

#[test]
fn a_linked_working_tree_moves_its_own_head() {
    if !has_git() {
        return;
    }
    let (dir, work) = loose_source();
    git(&work, &["worktree", "add", "-q", "../linked", "-b", "side"]);
    let linked = dir.path().join("linked");
    let store = open(&linked);
    let head = irmin_core::RefName::head();
    let edit = RefEdit {
        name: head.clone(),
        expected: Expected::Is(Target::Symbolic(branch("side"))),
        new: Some(Target::Symbolic(branch("other"))),
    };
    done(store.publish(batch(vec![], vec![edit])));
    assert_eq!(git(&linked, &["symbolic-ref", "HEAD"]), "refs/heads/other");
    assert_eq!(git(&work, &["symbolic-ref", "HEAD"]), "refs/heads/main");
    done(store.publish(commit_batch("other", "from the side", None).0));
    assert_eq!(git(&work, &["cat-file", "-p", "other:file"]), "from the side");
    assert_eq!(git(&linked, &["log", "-g", "-1", "--format=%gs", "HEAD"]), "test");
    fsck(&work);
}

#[test]
fn the_store_records_what_it_is_in_a_file_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("typed.git");
    let new = InitOptions { contents: Some("json".into()), ..InitOptions::default() };
    let store = GitBackend::init(&path, &new, &Options::default()).unwrap();
    assert_eq!(store.config().contents.as_deref(), Some("json"));
    let mut config = store.config();
    config.remotes.insert("origin".into(), "https://example.org/notes.git".into());
    store.set_config(&config).unwrap();
    assert_eq!(open(&path).config(), config);
    config.format = "native".into();
    assert_eq!(store.set_config(&config).unwrap_err().code(), Code::Unsupported);
    std::fs::write(path.join("irmin/config.toml"), "colour = \"blue\"\n").unwrap();
    let e = GitBackend::open(&path, &Options::default()).unwrap_err();
    assert_eq!(e.code(), Code::CorruptStore);
    assert!(e.to_string().contains("colour"), "{e}");
}

#[test]
fn a_recorded_policy_that_the_program_lacks_stops_merges() {
    use irmin_core::{CommitOptions, Context, LcaLimits, Merge, Repo};
    let (_dir, _path, store) = fresh();
    let mut config = store.config();
    config.policies.insert("logs/**".into(), "concat".into());
    store.set_config(&config).unwrap();
    let repo = Repo::new(Arc::new(store), Context::new("ann", || 1)).unwrap();
    let main = repo.main().unwrap();
    main.set("logs/a", "1", "base").unwrap();
    let other = main.fork("other").unwrap();
    main.set("logs/a", "12", "ours").unwrap();
    other.set("logs/a", "13", "theirs").unwrap();
    let e = main.merge(&other, "merge").unwrap_err();
    assert_eq!(e.code(), Code::Unsupported);
    assert!(e.to_string().contains("`logs/**` by `concat`"), "{e}");

    let concat = Merge::new("concat", |_, a: &irmin_core::Bytes, b: &irmin_core::Bytes| {
        Ok([&a[..], &b[1..]].concat().into())
    });
    let policies = repo.policies().clone().with("logs/**".parse().unwrap(), concat);
    let able = repo.with_policies(policies).main().unwrap();
    let head = other.head().unwrap().unwrap();
    able.merge_commit(&head, LcaLimits::default(), CommitOptions::new("merge"))
        .unwrap()
        .resolved()
        .unwrap();
    assert_eq!(able.get("logs/a").unwrap().unwrap(), "123");
}
