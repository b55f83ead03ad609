//! Every state that a loss of power can leave a repository in: recovered by the code that opens
//! it, then read back with nothing but this crate's small reader; a sample also with the real git.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use irmin_core::backend::{
    Backend, Durability, Expected, Note, Published, RefEdit, Target, View, Wait,
};
use irmin_core::io::{FileKind, Io, OpenMode};
use irmin_core::{Bytes, Code, Hash, Key, Kind, RefName};
use irmin_git::{GitBackend, InitOptions, Options};
use irmin_tests::git_support::{
    batch, branch, commit_batch, edit, fsck, git, has_git, is, snapshot,
};
use irmin_tests::sim_io::{CrashImage, Sampling, SimIo};

/// How many images are looked at, unless `IRMIN_CRASH_IMAGES` says otherwise.
const IMAGES: usize = 100_000;
/// How many of them are shown to the real git.
const SHOWN: usize = 40;
/// One image in so many is written to, and one in so many loses power again while it recovers.
const WRITTEN: usize = 16;
const AGAIN: usize = 64;
const SEED: u64 = 0x1_5bad;

/// Files of others that nothing may touch.
const FOREIGN: [&str; 3] =
    ["refs/heads/foreign.lock", "objects/pack/tmp_pack_of_git", "objects/pack/keep-me.txt"];

/// What was done, and when it was acknowledged.
#[derive(Default)]
struct History {
    /// When there was a repository, and when the files of others were durable.
    init: usize,
    foreign: usize,
    /// The values of each ref: from which moment on each may be there, and from which moment on
    /// none before it may.
    values: BTreeMap<RefName, Vec<Value>>,
}

struct Value {
    begun: usize,
    acknowledged: usize,
    value: Option<Hash>,
}

struct Workload {
    io: SimIo,
    store: GitBackend,
    history: History,
}

fn open(io: &SimIo) -> irmin_core::Result<GitBackend> {
    GitBackend::open_on(Arc::new(io.clone()), &Options::default())
}

fn init(io: &SimIo) -> irmin_core::Result<GitBackend> {
    GitBackend::init_on(Arc::new(io.clone()), &InitOptions::default(), &Options::default())
}

impl Workload {
    fn new() -> Self {
        let io = SimIo::new();
        let store = init(&io).unwrap();
        let mut history = History { init: io.op_count(), ..History::default() };
        for path in FOREIGN {
            let file = io.open(path, OpenMode::CreateNew).unwrap();
            file.write_at(b"not yours", 0).unwrap();
            file.sync().unwrap();
        }
        io.sync_dir("refs/heads").unwrap();
        io.sync_dir("objects/pack").unwrap();
        history.foreign = io.op_count();
        Workload { io, store, history }
    }

    fn note(&mut self, begun: usize, edits: &[RefEdit]) {
        let acknowledged = self.io.op_count();
        for edit in edits {
            let value = match &edit.new {
                Some(Target::Object(key)) => Some(key.hash),
                Some(Target::Symbolic(_)) => continue,
                None => None,
            };
            let values = self.history.values.entry(edit.name.clone()).or_default();
            values.push(Value { begun, acknowledged, value });
        }
    }

    fn publish(&mut self, batch: irmin_core::backend::Batch) {
        let (begun, edits) = (self.io.op_count(), batch.edits.clone());
        let end = self.store.publish(batch).unwrap();
        assert!(matches!(end, Published::Done { .. }), "{end:?}");
        self.note(begun, &edits);
    }

    /// Moves all refs to `packed-refs`, as git would, durably.
    fn pack_refs(&self) {
        let refs = self.store.refs("refs/").unwrap();
        let line = |(name, target): &(RefName, Target)| match target {
            Target::Object(key) => format!("{} {name}\n", key.hash),
            Target::Symbolic(_) => String::new(),
        };
        let text: String = refs.iter().map(line).collect();
        let file = self.io.open("packed-refs.new", OpenMode::CreateNew).unwrap();
        file.write_at(text.as_bytes(), 0).unwrap();
        file.sync().unwrap();
        self.io.rename("packed-refs.new", "packed-refs").unwrap();
        self.io.sync_dir("").unwrap();
        for (name, _) in refs {
            if self.io.metadata(name.as_str()).unwrap().is_some() {
                self.io.remove(name.as_str()).unwrap();
                let dir = name.as_str().rsplit_once('/').unwrap().0;
                self.io.sync_dir(dir).unwrap();
            }
        }
    }
}

/// Commits, several refs at once, new directories of refs, removals of packed ones, a lost race, a
/// stage, several publishes in one flush, and enough packs that they are merged.
fn workload() -> Workload {
    let mut w = Workload::new();
    let (first, a) = commit_batch("main", "1", None);
    w.publish(first);
    let (mut second, b) = commit_batch("main", "2", Some(a));
    second.edits.push(edit("topic/deep", Expected::Absent, Some(a)));
    second.edits.push(RefEdit { name: "refs/tags/v1".parse().unwrap(), ..second.edits[0].clone() });
    second.edits[2].expected = Expected::Absent;
    w.publish(second);
    let lost = w.store.publish(commit_batch("main", "late", Some(a)).0).unwrap();
    assert!(matches!(lost, Published::Lost { .. }));
    w.pack_refs();
    w.publish(commit_batch("main", "3", Some(b)).0);
    w.publish(batch(vec![], vec![edit("topic/deep", is(a), None)]));
    w.publish(batch(vec![], vec![edit("topic", Expected::Absent, Some(b))]));
    let c = head(&w.store, "main");
    w.publish(batch(vec![], vec![edit("main", is(c), Some(a)), edit("topic", is(b), None)]));
    // A chain in one flush, and a branch beside it.
    let begun = w.io.op_count();
    let (x, x_id) = commit_batch("main", "x", Some(a));
    let (y, _) = commit_batch("main", "y", Some(x_id));
    let (z, _) = commit_batch("side/z", "z", None);
    let edits: Vec<RefEdit> = [&x, &y, &z].iter().flat_map(|b| b.edits.clone()).collect();
    let line: Vec<_> = [x, y, z].into_iter().map(|b| w.store.submit(b).unwrap()).collect();
    line.into_iter().for_each(|s| assert!(matches!(s.wait().unwrap(), Published::Done { .. })));
    w.note(begun, &edits);
    // A stage.
    let begun = w.io.op_count();
    let objects = snapshot("staged", &[]);
    let edits = vec![edit("staged", Expected::Absent, Some(objects[2].id))];
    let mut stage = w.store.stage().unwrap();
    stage.put(objects[..1].to_vec()).unwrap();
    stage.put(objects[1..].to_vec()).unwrap();
    let end = stage.publish(edits.clone(), Durability::Durable, Note::default()).unwrap();
    assert!(matches!(end, Published::Done { .. }));
    w.note(begun, &edits);
    // Another handle goes on, until packs have been merged twice.
    w.store = open(&w.io).unwrap();
    for n in 0..9 {
        let tip = head(&w.store, "main");
        w.publish(commit_batch("main", &format!("more {n}"), Some(tip)).0);
    }
    let packs = w.io.list("objects/pack").unwrap();
    let packs = packs.iter().filter(|e| e.name.ends_with(".pack")).count();
    assert!(packs < 9, "{packs} packs: they were merged");
    w
}

fn head(store: &GitBackend, name: &str) -> Hash {
    match store.read_ref(&branch(name), View::Durable).unwrap() {
        Some(Target::Object(key)) => key.hash,
        other => panic!("{other:?}"),
    }
}

/// What an object refers to, read from its bytes.
fn children(kind: Kind, bytes: &Bytes) -> Vec<Hash> {
    let body = bytes.iter().position(|b| *b == 0).map(|at| &bytes[at + 1..]).unwrap();
    match kind {
        Kind::Commit => std::str::from_utf8(body)
            .unwrap()
            .lines()
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.strip_prefix("tree ").or(line.strip_prefix("parent ")))
            .map(|hex| hex.parse().unwrap())
            .collect(),
        Kind::Node => {
            let mut found = Vec::new();
            let mut rest = body;
            while let Some(at) = rest.iter().position(|b| *b == 0) {
                found.push(Hash::new(&rest[at + 1..at + 21]).unwrap());
                rest = &rest[at + 21..];
            }
            found
        }
        _ => Vec::new(),
    }
}

/// Reads everything that the refs reach; every object is checked against its name by the reader.
fn closure(store: &GitBackend, tips: &[Hash]) -> Result<usize, String> {
    let mut seen = std::collections::BTreeSet::new();
    let mut next: Vec<Hash> = tips.to_vec();
    while !next.is_empty() {
        next.retain(|hash| seen.insert(*hash));
        let keys: Vec<Key> = next.iter().map(|h| Key::from(*h)).collect();
        let found = store.get_many(&keys, Wait::Block).map_err(|e| format!("{e:?}"))?;
        let mut below = Vec::new();
        for (hash, object) in next.iter().zip(found) {
            let object = object.ok_or_else(|| format!("object {hash} is missing"))?;
            below.extend(children(object.kind, &object.bytes));
        }
        next = below;
    }
    Ok(seen.len())
}

fn files(io: &SimIo) -> Vec<String> {
    let mut found = Vec::new();
    let mut dirs = vec![String::new()];
    while let Some(dir) = dirs.pop() {
        for entry in io.list(&dir).unwrap() {
            let path = if dir.is_empty() { entry.name } else { format!("{dir}/{}", entry.name) };
            match entry.kind {
                FileKind::Dir => dirs.push(path),
                _ => found.push(path),
            }
        }
    }
    found
}

/// Whether one image is as it must be once it is opened.
fn check(history: &History, at: usize, io: &SimIo) -> Result<Option<GitBackend>, String> {
    let store = match open(io) {
        Ok(store) => store,
        Err(e) if e.code() == Code::NotFound && at < history.init => {
            let store = init(io).map_err(|e| format!("making it again: {e:?}"))?;
            if !store.refs("").map_err(|e| format!("{e:?}"))?.is_empty() {
                return Err("a new repository has refs".into());
            }
            return Ok(None);
        }
        Err(e) => return Err(format!("opening: {e:?}")),
    };
    let left = files(io);
    if at >= history.foreign
        && let Some(lost) = FOREIGN.iter().find(|path| !left.iter().any(|p| p == *path))
    {
        return Err(format!("{lost} is gone"));
    }
    let ours = |path: &&String| {
        path.contains("tmp_irmin") || path.ends_with(".lock") && !FOREIGN.contains(&path.as_str())
    };
    if let Some(path) = left.iter().filter(|p| !p.starts_with("irmin/")).find(ours)
        && at >= history.init
    {
        return Err(format!("{path} is left"));
    }
    // Such an index misleads gix: it says where objects are that are elsewhere too.
    let lone = |p: &&String| p.ends_with(".idx") && !left.contains(&p.replace(".idx", ".pack"));
    if let Some(path) = left.iter().find(lone) {
        return Err(format!("{path} has no pack"));
    }
    let refs = store.refs("refs/").map_err(|e| format!("listing: {e:?}"))?;
    let now: BTreeMap<&RefName, Hash> = refs
        .iter()
        .map(|(name, target)| match target {
            Target::Object(key) => (name, key.hash),
            Target::Symbolic(_) => panic!("no such ref was made"),
        })
        .collect();
    if let Some(strange) = now.keys().find(|name| !history.values.contains_key(**name)) {
        return Err(format!("{strange} was never made"));
    }
    for (name, values) in &history.values {
        let actual = now.get(name).copied();
        let last = values.iter().rposition(|v| v.acknowledged <= at);
        let possible = values.iter().skip(last.unwrap_or(0)).filter(|v| v.begun <= at);
        let absent_before = last.is_none() && actual.is_none();
        if !absent_before && !possible.map(|v| v.value).any(|value| value == actual) {
            return Err(format!("{name} is {actual:?}, an acknowledged value is lost"));
        }
    }
    closure(&store, &now.values().copied().collect::<Vec<_>>())?;
    Ok(Some(store))
}

/// Writes to a recovered repository.
fn write(store: &GitBackend) -> Result<(), String> {
    let (batch, id) = commit_batch("after", "the crash", None);
    match store.publish(batch) {
        Ok(Published::Done { .. }) if head(store, "after") == id => Ok(()),
        other => Err(format!("writing after it: {other:?}")),
    }
}

/// Looks at one image, and at what a crash of its recovery leaves.
fn look(history: &History, image: &CrashImage, number: usize) -> Result<usize, String> {
    let store = check(history, image.at, &image.io)?;
    if number.is_multiple_of(WRITTEN)
        && let Some(store) = store
    {
        write(&store)?;
    }
    if !number.is_multiple_of(AGAIN) {
        return Ok(1);
    }
    let mut looked = 1;
    for again in image.io.crash_images(Sampling { per_point: 6, seed: SEED }) {
        // A ref that the write after the first crash may have made is not part of the history.
        if again.io.metadata("refs/heads/after").unwrap().is_none() {
            check(history, image.at, &again.io).map_err(|e| format!("again at {again}: {e}"))?;
            looked += 1;
        }
    }
    Ok(looked)
}

fn wanted() -> usize {
    std::env::var("IRMIN_CRASH_IMAGES").ok().and_then(|n| n.parse().ok()).unwrap_or(IMAGES)
}

#[test]
fn no_crash_loses_what_was_acknowledged() {
    let w = workload();
    // The second crashes add more than as many again.
    let per_point = (wanted() / w.io.op_count() / 2).max(4) as u64;
    let sampling = Sampling { per_point, seed: SEED };
    let looked = AtomicUsize::new(0);
    let failures: Mutex<Vec<String>> = Mutex::default();
    let (send, receive) = mpsc::sync_channel::<(usize, CrashImage)>(64);
    let receive = Mutex::new(receive);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let next = receive.lock().unwrap().recv();
                    let Ok((number, image)) = next else { return };
                    match look(&w.history, &image, number) {
                        Ok(n) => drop(looked.fetch_add(n, Ordering::Relaxed)),
                        Err(why) => failures.lock().unwrap().push(format!("{image}: {why}")),
                    }
                }
            });
        }
        for numbered in w.io.crash_images(sampling).enumerate() {
            if failures.lock().unwrap().len() > 5 {
                break;
            }
            send.send(numbered).unwrap();
        }
        drop(send);
    });
    let failures = failures.into_inner().unwrap();
    assert!(
        failures.is_empty(),
        "per_point {per_point}, {} ops:\n{}",
        w.io.op_count(),
        failures.join("\n")
    );
    let looked = looked.into_inner();
    assert!(
        looked >= wanted(),
        "only {looked} images with {per_point} at each of {}",
        w.io.op_count()
    );
    println!("{looked} crash images, {} operations", w.io.op_count());
}

#[test]
fn git_finds_nothing_wrong_with_a_sample_of_them() {
    if !has_git() {
        return;
    }
    let w = workload();
    let images: Vec<CrashImage> =
        w.io.crash_images_from(w.history.foreign, Sampling { per_point: 12, seed: SEED + 1 })
            .collect();
    let step = images.len() / SHOWN;
    for image in images.iter().step_by(step).take(SHOWN) {
        let dir = tempfile::tempdir().unwrap();
        // As the crash left it, git and gix read it too; git calls a foreign lock nothing special.
        let raw = dir.path().join("raw");
        image.io.materialise(&raw).unwrap();
        let store = GitBackend::open(&raw, &Options::default()).unwrap();
        let tips: Vec<Hash> = store
            .refs("refs/")
            .unwrap()
            .into_iter()
            .map(|(_, target)| match target {
                Target::Object(key) => key.hash,
                Target::Symbolic(_) => panic!("no such ref was made"),
            })
            .collect();
        let read = closure(&store, &tips).unwrap_or_else(|e| panic!("{image} through gix: {e}"));
        drop(store);
        let recovered = dir.path().join("recovered");
        check(&w.history, image.at, &image.io).unwrap_or_else(|e| panic!("{image}: {e}"));
        image.io.materialise(&recovered).unwrap();
        fsck(&recovered);
        let reached = git(&recovered, &["rev-list", "--objects", "--all", "--no-object-names"]);
        assert_eq!(reached.lines().count(), read, "{image}");
    }
}
