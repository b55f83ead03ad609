//! Stores of files: the suite that all stores pass, and directories that the original made.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use irmin_core::backend::{
    Backend, Batch, Durability, Expected, FsBackend, FsInit, FsOptions, MemoryBackend, Note,
    RefEdit, Target, View, Wait,
};
use irmin_core::io::{CountedIo, Io, OpenMode, StdIo};
use irmin_core::{
    Bytes, Code, Context, Error, Format, FormatSpec, Hash, HashFunction, Key, Limits, RefName,
    Repo, Tree, ValueEncoding,
};
use irmin_tests::conformance::Subject;
use irmin_tests::sim_io::{Sampling, SimIo};

use crate::git_neighbours::Meddled;

fn address(store: &Arc<dyn Backend>) -> usize {
    Arc::as_ptr(store).cast::<()>().addr()
}

fn specs() -> Vec<FormatSpec> {
    let sha1 = FormatSpec { hash: HashFunction::Sha1, ..FormatSpec::irmin_mem() };
    let raw = FormatSpec { values: ValueEncoding::Raw, ..FormatSpec::irmin_mem() };
    vec![FormatSpec::irmin_mem(), sha1, raw, FormatSpec::irmin_pack(), FormatSpec::native()]
}

#[test]
fn files_conform() {
    let dir = tempfile::tempdir().unwrap();
    let paths: Mutex<HashMap<usize, PathBuf>> = Mutex::default();
    let count = Mutex::new(0);
    for spec in specs() {
        let keep = |path: PathBuf| {
            let io = Arc::new(StdIo::create(&path).unwrap());
            let new = FsInit { spec, ..FsInit::default() };
            let store = FsBackend::open_or_init(io, &new, &FsOptions::default()).unwrap();
            let store: Arc<dyn Backend> = Arc::new(store);
            paths.lock().unwrap().insert(address(&store), path);
            store
        };
        let make = || {
            let mut count = count.lock().unwrap();
            *count += 1;
            keep(dir.path().join(format!("{count}")))
        };
        let reopen = |store: Arc<dyn Backend>| {
            let path = paths.lock().unwrap()[&address(&store)].clone();
            drop(store);
            keep(path)
        };
        Subject::new(format!("files, {spec:?}"), make).reopening(reopen).run();
    }
}

#[test]
fn files_on_a_simulated_disk_conform() {
    let disks: Mutex<HashMap<usize, SimIo>> = Mutex::default();
    let keep = |io: SimIo| {
        let (new, options) = (FsInit::default(), FsOptions::default());
        let store = FsBackend::open_or_init(Arc::new(io.clone()), &new, &options).unwrap();
        let store: Arc<dyn Backend> = Arc::new(store);
        disks.lock().unwrap().insert(address(&store), io);
        store
    };
    let reopen = |store: Arc<dyn Backend>| {
        let io = disks.lock().unwrap()[&address(&store)].clone();
        drop(store);
        // The least that a loss of power leaves: what was acknowledged.
        keep(io.crash_image(io.op_count(), 0, Sampling { per_point: 1, seed: 0 }))
    };
    Subject::new("files, simulated", || keep(SimIo::new())).reopening(reopen).run();
}

/// A directory that the original made, path by path.
fn golden(which: &str) -> BTreeMap<String, Vec<u8>> {
    let all = irmin_tests::vectors::json("irmin-3.11-fs.json");
    let hex = |text: &str| {
        let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        (0..text.len()).step_by(2).map(byte).collect()
    };
    let files = all[which].as_object().unwrap();
    files.iter().map(|(path, text)| (path.clone(), hex(text.as_str().unwrap()))).collect()
}

fn unpack(dir: &Path, files: &BTreeMap<String, Vec<u8>>) {
    for (path, bytes) in files {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

fn open(dir: &Path) -> Arc<FsBackend> {
    let io = Arc::new(StdIo::open(dir).unwrap());
    Arc::new(FsBackend::open(io, &FsOptions { attempts: 8, ..FsOptions::default() }).unwrap())
}

fn repo(store: Arc<FsBackend>) -> Repo {
    Repo::new(store, Context::new("ann <ann@example.org>", || 1_000)).unwrap()
}

#[test]
fn a_directory_of_the_original_is_read_and_each_object_written_back_byte_for_byte() {
    let files = golden("string");
    let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    unpack(theirs.path(), &files);
    let store = open(theirs.path());
    let names: Vec<String> =
        store.refs("").unwrap().iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names, ["refs/heads/draft/x-1.y", "refs/heads/main"]);
    let main = repo(store.clone()).main().unwrap();
    assert_eq!(main.get("a/b").unwrap().unwrap(), "one");
    assert_eq!(main.get("a/big").unwrap().unwrap(), "x".repeat(5000));
    assert_eq!(main.get("d/e/f").unwrap().unwrap(), Bytes::from_static(b"\0\xffbinary"));
    assert_eq!(main.get("wide/k299").unwrap().unwrap(), "5");
    // All objects of it, with the branches, in a store of ours: the same files.
    let io = Arc::new(StdIo::open(ours.path()).unwrap());
    let copy = FsBackend::init(io, &FsInit::default(), &FsOptions::default()).unwrap();
    let hashes = files.keys().filter_map(|path| path.strip_prefix("objects/"));
    let keys: Vec<Key> =
        hashes.map(|path| Key::from(path.replace('/', "").parse::<Hash>().unwrap())).collect();
    let objects = store.get_many(&keys, Wait::Block).unwrap();
    let objects = objects.into_iter().map(Option::unwrap).collect();
    let edits = store.refs("").unwrap().into_iter().map(|(name, target)| RefEdit {
        name,
        expected: Expected::Absent,
        new: Some(target),
    });
    copy.publish(Batch { objects, edits: edits.collect(), ..Batch::default() }).unwrap();
    for (path, bytes) in &files {
        assert_eq!(&std::fs::read(ours.path().join(path)).unwrap(), bytes, "{path}");
    }
}

#[test]
fn values_of_another_type_of_the_original_are_read() {
    let dir = tempfile::tempdir().unwrap();
    unpack(dir.path(), &golden("json"));
    let raw = FormatSpec { values: ValueEncoding::Raw, ..FormatSpec::irmin_mem() };
    let io = Arc::new(StdIo::open(dir.path()).unwrap());
    let options = FsOptions { unrecorded: raw, ..FsOptions::default() };
    let repo = repo(Arc::new(FsBackend::open(io, &options).unwrap()));
    let main = repo.typed::<irmin_core::contents::json::Json>().unwrap().main().unwrap();
    let text = format!("{:?}", main.get("x").unwrap().unwrap());
    assert!(text.contains('a') && text.contains('o'), "{text}");
    assert!(main.get("y").unwrap().is_some());
}

/// A directory of the original does not say of what format it is: its objects do.
#[test]
fn a_directory_is_not_taken_for_one_of_another_format() {
    let (mem, raw) = (FormatSpec::irmin_mem(), ValueEncoding::Raw);
    let hashed = |hash| FormatSpec { hash, ..mem };
    for (which, wrong, says) in [
        ("string", hashed(HashFunction::Sha512), "hashes with blake2b, not sha512"),
        ("string", hashed(HashFunction::Sha1), "hashes with blake2b, not sha1"),
        ("string", FormatSpec { values: raw, ..mem }, "of a store of strings, not of JSON"),
        ("json", mem, "of a store of JSON or the like, not of strings"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        unpack(dir.path(), &golden(which));
        let options = FsOptions { unrecorded: wrong, attempts: 1, ..FsOptions::default() };
        let io = Arc::new(StdIo::open(dir.path()).unwrap());
        let store = Arc::new(FsBackend::open(io, &options).unwrap());
        let value = store.format().value(b"new");
        let batch = Batch { objects: vec![value], ..Batch::default() };
        let error = store.publish(batch).unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "{error}");
        assert!(error.to_string().contains(says), "{error}");
        assert!(!dir.path().join("irmin").exists() && !dir.path().join("tmp").exists());
        // Who only reads is told, too.
        let main = repo(store).main();
        let error = main.and_then(|main| main.get(if which == "json" { "x" } else { "a/b" }));
        let error = error.unwrap_err();
        let length = error.to_string().contains("another hash function");
        assert!(error.to_string().contains(says) || length, "{error}");
    }
    // One that is damaged is not one of another format.
    let dir = tempfile::tempdir().unwrap();
    let files = golden("string");
    unpack(dir.path(), &files);
    let first = files.keys().find(|path| path.starts_with("objects/")).unwrap();
    std::fs::write(dir.path().join(first), b"damaged").unwrap();
    repo(open(dir.path())).branch("other").unwrap().set("a", "1", "why").unwrap();
}

/// A store with a branch, and the lock of that branch, held by a program of the original.
fn locked() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    unpack(dir.path(), &golden("string"));
    let lock = dir.path().join("lock/refs/main");
    std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
    std::fs::write(&lock, b"").unwrap();
    (dir, lock)
}

#[test]
fn a_fresh_lock_of_the_original_is_respected_and_waiting_ends() {
    let (dir, lock) = locked();
    let main = repo(open(dir.path())).main().unwrap();
    let before = main.head().unwrap().map(|commit| commit.id());
    let error = main.set("a/b", "two", "why").unwrap_err();
    assert_eq!(error.code(), Code::Locked, "{error}");
    assert!(error.to_string().contains("lock/refs/main"), "{error}");
    assert!(lock.exists());
    assert_eq!(main.head().unwrap().map(|commit| commit.id()), before);
    std::fs::remove_file(lock).unwrap();
    main.set("a/b", "two", "why").unwrap();
}

#[test]
fn a_lock_is_taken_over_after_ten_minutes_and_not_before() {
    for (seconds, taken) in [(540, false), (660, true)] {
        let (dir, lock) = locked();
        let now = std::fs::metadata(&lock).unwrap().modified().unwrap();
        let then = now - Duration::from_secs(seconds);
        std::fs::File::options().write(true).open(&lock).unwrap().set_modified(then).unwrap();
        let main = repo(open(dir.path())).main().unwrap();
        let ended: Result<(), Error> = main.set("a/b", "two", "why").map(|_| ());
        assert_eq!(ended.is_ok(), taken, "{seconds}: {ended:?}");
        assert_eq!(lock.exists(), !taken);
    }
}

#[test]
fn a_lock_of_ours_whose_owner_died_is_taken_over_at_once() {
    let (dir, lock) = locked();
    std::fs::write(&lock, b"irmin owner\n").unwrap();
    repo(open(dir.path())).main().unwrap().set("a/b", "two", "why").unwrap();
    assert!(!lock.exists());
}

/// A lock that a handle has just taken is not taken for one that it forgot, whatever else is locked
/// in between: `a-b` is sorted between `a` and `a/b`.
#[test]
fn a_batch_keeps_the_locks_that_it_took() {
    let store = FsBackend::init(Arc::new(SimIo::new()), &FsInit::default(), &FsOptions::default());
    let store = Arc::new(store.unwrap());
    let main = repo(store.clone()).main().unwrap();
    main.set("a", "1", "why").unwrap();
    main.fork("a").unwrap();
    let head = store.read_ref(&"refs/heads/a".parse().unwrap(), View::Tip).unwrap();
    let edit = |name: &str, new: &Option<Target>| RefEdit {
        name: format!("refs/heads/{name}").parse().unwrap(),
        expected: Expected::Any,
        new: new.clone(),
    };
    let edits = vec![edit("a", &None), edit("a-b", &head), edit("a/b", &None)];
    store.publish(Batch { edits, ..Batch::default() }).unwrap();
    let names = store.refs("").unwrap().into_iter().map(|(name, _)| name.to_string());
    assert_eq!(names.collect::<Vec<_>>(), ["refs/heads/a-b", "refs/heads/main"]);
}

#[test]
fn handles_that_write_together_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let io = Arc::new(StdIo::open(dir.path()).unwrap());
    FsBackend::init(io, &FsInit::default(), &FsOptions::default()).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let io = Arc::new(StdIo::open(dir.path()).unwrap());
            scope.spawn(move || {
                let store = FsBackend::open(io, &FsOptions::default()).unwrap();
                let repo = repo(Arc::new(store));
                for n in 0..10 {
                    let name = format!("b{writer}");
                    let branch = repo.branch(&name).unwrap();
                    branch.set(format!("{n}").as_str(), "x", "why").unwrap();
                    let main = repo.main().unwrap();
                    // Other processes may win more often than a write is tried again.
                    while let Err(e) = main.set(format!("{writer}/{n}").as_str(), "x", "why") {
                        assert_eq!(e.code(), Code::TooManyRetries, "{e}");
                    }
                }
            });
        }
    });
    let store = open(dir.path());
    let main = repo(store.clone()).main().unwrap();
    for writer in 0..4 {
        for n in 0..10 {
            assert!(main.get(format!("{writer}/{n}").as_str()).unwrap().is_some());
        }
    }
    assert_eq!(store.refs("").unwrap().len(), 5);
    assert_eq!(std::fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
}

/// What another handle has just named is built upon, not written again: it must stay.
#[test]
fn handles_that_fetch_the_same_together_have_all_of_it() {
    let memory = MemoryBackend::new(Format::new(FormatSpec::irmin_mem()));
    let there = Repo::new(Arc::new(memory), Context::new("ann", || 0)).unwrap().main().unwrap();
    for n in 0..20 {
        let fill = |tree: &mut Tree| {
            (0..10).try_for_each(|k| tree.set(format!("{n}/{k}/a"), format!("{n} {k}")))
        };
        there.transaction("fill", fill).unwrap().unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let io = Arc::new(StdIo::open(dir.path()).unwrap());
    FsBackend::init(io, &FsInit::default(), &FsOptions::default()).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (dir, there) = (dir.path(), &there);
            scope.spawn(move || {
                // Whoever waits here waits for disks, which may be slow and busy.
                let io = Arc::new(StdIo::open(dir).unwrap());
                let here = repo(Arc::new(FsBackend::open(io, &FsOptions::default()).unwrap()));
                let name = format!("refs/remotes/{writer}/main").parse().unwrap();
                here.fetch(there, Some(&name)).unwrap();
                assert!(here.check(&mut |_| ()).unwrap().is_sound());
            });
        }
    });
    assert_eq!(open(dir.path()).refs("refs/remotes/").unwrap().len(), 4);
    assert_eq!(std::fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
}

/// Who comes second finds the store of who came first, and not one half of each.
#[test]
fn stores_that_are_made_together_are_one() {
    let specs = [FormatSpec::native(), FormatSpec::irmin_pack()];
    let together = |dir: &Path, make: fn(Arc<StdIo>, &FsInit) -> Result<FsBackend, Error>| {
        std::thread::scope(|scope| {
            let one = |n: usize| {
                let io = Arc::new(StdIo::open(dir).unwrap());
                let new = FsInit { spec: specs[n % 2], ..FsInit::default() };
                scope.spawn(move || make(io, &new).map(|store| *store.format().spec()))
            };
            let all: Vec<_> = (0..4).map(one).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
        })
    };
    for _ in 0..40 {
        let dir = tempfile::tempdir().unwrap();
        let open_or_init =
            |io: Arc<StdIo>, new: &FsInit| FsBackend::open_or_init(io, new, &FsOptions::default());
        let specs = together(dir.path(), open_or_init);
        let there = *open(dir.path()).format().spec();
        assert!(specs.iter().all(|spec| *spec.as_ref().unwrap() == there), "{there:?}, {specs:?}");

        let dir = tempfile::tempdir().unwrap();
        let made = together(dir.path(), |io, new| FsBackend::init(io, new, &FsOptions::default()));
        let (first, others): (Vec<_>, Vec<_>) = made.into_iter().partition(Result::is_ok);
        let first: Vec<_> = first.into_iter().map(Result::unwrap).collect();
        assert_eq!(first, [*open(dir.path()).format().spec()]);
        assert!(others.iter().all(|e| e.as_ref().unwrap_err().code() == Code::NameClash));
    }
}

/// A store with a branch `other` that stands for `main`, and what gives it a commit of its own.
fn symbolic(dir: &Path) -> (RefName, Target, impl Fn() + Send + Sync + use<>) {
    let io = Arc::new(StdIo::open(dir).unwrap());
    let store = FsBackend::init(io, &FsInit::default(), &FsOptions::default()).unwrap();
    let store = Arc::new(store);
    repo(store.clone()).main().unwrap().set("a", "1", "why").unwrap();
    let main: RefName = "refs/heads/main".parse().unwrap();
    let head = store.read_ref(&main, View::Tip).unwrap().unwrap();
    let name: RefName = "refs/heads/other".parse().unwrap();
    let put = {
        let name = name.clone();
        move |new| {
            let edit = RefEdit { name: name.clone(), expected: Expected::Any, new: Some(new) };
            store.publish(Batch { edits: vec![edit], ..Batch::default() }).unwrap();
        }
    };
    put(Target::Symbolic(main));
    (name, head.clone(), move || put(head.clone()))
}

/// A branch that stands for another one is in a file of ours, and one with a commit in the
/// original's: whoever reads it while it changes sees what it was or what it is.
#[test]
fn a_branch_that_changes_its_file_is_there_all_the_while() {
    let dir = tempfile::tempdir().unwrap();
    let (name, head, change) = symbolic(dir.path());
    let files = Meddled::files(dir.path(), move |doing, path| {
        if (doing, path) == ("open", "irmin/refs/heads/other") {
            change();
        }
        Ok(())
    });
    let reader = FsBackend::open(Arc::new(files), &FsOptions::default()).unwrap();
    assert_eq!(reader.read_ref(&name, View::Durable).unwrap(), Some(head));
}

/// So does whoever lists the branches, wherever the listing is.
#[test]
fn a_branch_that_changes_its_file_is_in_every_listing() {
    for at in ["refs", "irmin/refs", "irmin/refs/heads"] {
        for values in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let (name, head, change) = symbolic(dir.path());
            let files = Meddled::files(dir.path(), move |doing, path| {
                if (doing, path) == ("list", at) {
                    change();
                }
                Ok(())
            });
            let reader = FsBackend::open(Arc::new(files), &FsOptions::default()).unwrap();
            if values {
                let listed = reader.refs("refs/heads/").unwrap();
                assert!(listed.contains(&(name, head)), "{at}: {listed:?}");
            } else {
                let listed = reader.ref_names("refs/heads/").unwrap();
                assert!(listed.contains(&name), "{at}: {listed:?}");
            }
        }
    }
}

/// A lock looks fresh for as long as its holder lives, however much it has to write: the original
/// takes one for forgotten by its age.
#[test]
fn a_lock_does_not_age_while_a_large_write_goes_on() {
    let io = SimIo::new();
    let (new, options) = (FsInit::default(), FsOptions::default());
    let store = FsBackend::init(Arc::new(io.clone()), &new, &options).unwrap();
    let commit = repo(Arc::new(store)).main().unwrap().set("a", "1", "why").unwrap().unwrap();
    let store = FsBackend::open(Arc::new(io.clone()), &options).unwrap();
    let mut stage = store.stage().unwrap();
    stage.put((0..600).map(|n| store.format().value(format!("{n}").as_bytes())).collect()).unwrap();
    let edit = RefEdit {
        name: "refs/heads/other".parse().unwrap(),
        expected: Expected::Absent,
        new: Some(Target::Object(commit.id().hash().into())),
    };
    let first = io.op_count();
    stage.publish(vec![edit], Durability::Durable, Note::default()).unwrap();
    let mut ages = Vec::new();
    for at in (first..io.op_count()).step_by(20) {
        let then = io.fork_at(at);
        let Some(lock) = then.metadata("lock/refs/other").unwrap() else { continue };
        then.open("now", OpenMode::CreateNew).unwrap().write_at(b"now", 0).unwrap();
        ages.push(then.metadata("now").unwrap().unwrap().modified - lock.modified);
    }
    assert!(ages.len() > 40, "{}", ages.len());
    // In operations of the disk; there are thousands while the lock is held.
    assert!(ages.iter().all(|age| *age < 300), "{ages:?}");
}

/// A directory that leads out of the store is not followed by what removes.
#[cfg(unix)]
#[test]
fn refs_are_not_removed_through_links() {
    let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    unpack(dir.path(), &golden("string"));
    std::os::unix::fs::symlink(outside.path(), dir.path().join("refs/a")).unwrap();
    let store = open(dir.path());
    let head = std::fs::read(dir.path().join("refs/main")).unwrap();
    std::fs::write(outside.path().join("b"), head).unwrap();
    std::fs::create_dir(outside.path().join("c")).unwrap();
    let main = store.read_ref(&"refs/heads/main".parse().unwrap(), View::Tip).unwrap();
    for (name, new) in [("refs/heads/a/b", None), ("refs/heads/a/c", main)] {
        let edit = RefEdit { name: name.parse().unwrap(), expected: Expected::Any, new };
        let error = store.publish(Batch { edits: vec![edit], ..Batch::default() }).unwrap_err();
        assert!(error.to_string().contains("`refs/a`: it is a symbolic link"), "{error}");
    }
    assert!(outside.path().join("b").exists() && outside.path().join("c").exists());
}

/// What names of the original's files may stand for, and what may be where ours should be: it is an
/// error, or nothing, but no other value than was written, and no panic.
#[test]
fn a_hostile_directory_is_an_error_and_nothing_worse() {
    let files = golden("string");
    let dir = tempfile::tempdir().unwrap();
    unpack(dir.path(), &files);
    let disk = SimIo::from_dir(dir.path()).unwrap();
    let look = |disk: SimIo| -> Result<(), Error> {
        let limits = Limits { object: 1 << 20, ..Limits::default() };
        let options = FsOptions { attempts: 1, limits, ..FsOptions::default() };
        let repo = repo(Arc::new(FsBackend::open(Arc::new(disk), &options)?));
        let report = repo.check(&mut |_| ())?;
        let main = repo.main()?;
        let known = main.get("a/b")?;
        assert!(known.is_none_or(|value| value == "one"), "a wrong value was read");
        main.set("new", "2", "why")?;
        assert_eq!(main.get("new")?.unwrap(), "2");
        if report.is_sound() { Ok(()) } else { Err(Error::new(Code::CorruptStore, "damaged")) }
    };
    look(disk.fork()).unwrap();
    let mut ends = BTreeMap::new();
    let mut count = |what, ended: Result<(), Error>| {
        *ends.entry((what, ended.is_ok())).or_insert(0) += 1;
    };
    for path in files.keys().filter(|path| path.starts_with("refs/") || path.ends_with('0')) {
        for what in ["absent", "directory", "cut", "changed", "hole"] {
            let disk = disk.fork();
            let mut bytes = disk.read_file(path).unwrap().unwrap();
            disk.remove(path).unwrap();
            let write = |bytes: &[u8]| {
                disk.open(path, OpenMode::CreateNew).unwrap().write_at(bytes, 0).unwrap();
            };
            match what {
                "absent" => {}
                "directory" => disk.create_dir(path).unwrap(),
                "cut" => write(&bytes[..bytes.len() - 1]),
                "changed" => {
                    let middle = bytes.len() / 2;
                    bytes[middle] ^= 4;
                    write(&bytes);
                }
                // Longer than what is held in memory.
                _ => disk.open(path, OpenMode::CreateNew).unwrap().set_len(3 << 20).unwrap(),
            }
            count(what, look(disk));
        }
    }
    for path in ["tmp", "lock", "lock/refs", "irmin", "irmin/owners", "irmin/naming", "irmin/lock"]
    {
        let disk = disk.fork();
        for (at, _) in path.match_indices('/') {
            disk.create_dir(&path[..at]).unwrap();
        }
        if ["irmin/naming", "irmin/lock"].contains(&path) {
            disk.create_dir(path).unwrap();
        } else {
            disk.open(path, OpenMode::CreateNew).unwrap();
        }
        count("in the way", look(disk));
    }
    // A ref that is not there is none, whatever else has its name.
    assert!(ends.get(&("absent", true)) > Some(&0) && ends.get(&("directory", true)) > Some(&0));
    for what in ["cut", "changed", "hole", "in the way"] {
        assert_eq!(ends.get(&(what, true)), None, "{ends:?}");
        assert!(ends.get(&(what, false)) > Some(&5), "{ends:?}");
    }
}

#[test]
fn hostile_files_are_errors_or_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let files = golden("string");
    unpack(dir.path(), &files);
    let store = open(dir.path());
    let value = store.format().value(b"one");
    let path = dir.path().join(format!(
        "objects/{}/{}",
        &value.id.to_string()[..2],
        &value.id.to_string()[2..]
    ));
    std::fs::write(&path, b"two").unwrap();
    let error = store.get_many(&[value.id.into()], Wait::Block).unwrap_err();
    assert_eq!(error.code(), Code::CorruptObject);
    // What is damaged is written again by whoever has it.
    store.publish(Batch { objects: vec![value.clone()], ..Batch::default() }).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"one");
    std::fs::write(path.parent().unwrap().join("not-a-hash"), b"x").unwrap();
    let prefix = value.id.short(4).parse().unwrap();
    assert_eq!(store.find_prefix(&prefix).unwrap(), [value.id.into()]);
    std::fs::write(dir.path().join("refs/a..b"), b"x").unwrap();
    assert_eq!(store.refs("").unwrap().len(), 2);
    std::fs::write(dir.path().join("refs/short"), b"x").unwrap();
    let name = "refs/heads/short".parse().unwrap();
    assert_eq!(store.read_ref(&name, View::Durable).unwrap_err().code(), Code::CorruptStore);
    let other = Target::Symbolic("refs/heads/main".parse().unwrap());
    let head = store.read_ref(&"HEAD".parse().unwrap(), View::Tip).unwrap();
    assert_eq!(head, Some(other));
}

/// Many keys may have one value: where that is there already, it is looked at and synced once.
#[test]
fn what_is_there_is_synced_once_in_a_stage() {
    let dir = tempfile::tempdir().unwrap();
    let io = Arc::new(CountedIo::new(Arc::new(StdIo::open(dir.path()).unwrap())));
    let store = FsBackend::init(io.clone(), &FsInit::default(), &FsOptions::default()).unwrap();
    let repo = repo(Arc::new(store));
    let main = repo.main().unwrap();
    main.set("a", "1", "why").unwrap();
    let mut counts = Vec::new();
    for keys in [1, 100] {
        let mut stage = repo.backend().stage().unwrap();
        let value = repo.format().value(b"1");
        io.reset();
        stage.put(vec![value.clone(); keys]).unwrap();
        stage.put(vec![value; keys]).unwrap();
        stage.publish(Vec::new(), Durability::Durable, Note::default()).unwrap();
        let done = io.reset();
        counts.push((done.syncs, done.dir_syncs, done.reads));
    }
    assert_eq!(counts[0], counts[1]);
}
