//! The key-value device, against a map.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use irmin_core::backend::{Backend, MemoryBackend};
use irmin_core::kv::{Kind, Kv};
use irmin_core::{Bytes, Code, Context, Format, FormatSpec, Info, Path, Repo};
use irmin_tests::hooked::Hooked;
use proptest::prelude::*;

/// What the verbs of `mirage-kv` do to a map of whole keys: the model.
#[derive(Clone, Default, Debug)]
struct Model {
    values: BTreeMap<String, Vec<u8>>,
    /// When each value, or anything that was once below a key, was last changed.
    changed: BTreeMap<String, i64>,
}

/// Why an operation is refused.
type Refusal = Code;

impl Model {
    fn below<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a String> + use<'a> {
        let prefix = if key.is_empty() { String::new() } else { format!("{key}/") };
        self.values.keys().filter(move |k| k.starts_with(&prefix))
    }

    fn kind(&self, key: &str) -> Option<Kind> {
        if self.values.contains_key(key) {
            Some(Kind::Value)
        } else if key.is_empty() || self.below(key).next().is_some() {
            Some(Kind::Dictionary)
        } else {
            None
        }
    }

    fn set(&mut self, key: &str, value: Vec<u8>) -> Result<(), Refusal> {
        if self.kind(key) == Some(Kind::Dictionary) {
            return Err(Code::ValueExpected);
        }
        let above = key.match_indices('/').map(|(at, _)| &key[..at]);
        if above.into_iter().any(|dir| self.values.contains_key(dir)) {
            return Err(Code::DirectoryExpected);
        }
        self.values.insert(key.to_owned(), value);
        Ok(())
    }

    fn set_partial(&mut self, key: &str, offset: usize, bytes: &[u8]) -> Result<(), Refusal> {
        let mut value = self.values.get(key).cloned().unwrap_or_default();
        let start = offset.min(value.len());
        let end = (offset + bytes.len()).min(value.len());
        value.splice(start..end, bytes.iter().copied());
        self.set(key, value)
    }

    fn remove(&mut self, key: &str) {
        let gone: Vec<String> = self.below(key).cloned().collect();
        gone.iter().for_each(|k| drop(self.values.remove(k)));
        self.values.remove(key);
    }

    fn rename(&mut self, source: &str, dest: &str) -> Result<(), Refusal> {
        let kind = self.kind(source).ok_or(Code::NotFound)?;
        let mut dest = dest.to_owned();
        if dest == source {
            return Ok(());
        }
        let inside = source.is_empty() || dest.starts_with(&format!("{source}/"));
        if kind == Kind::Dictionary && inside {
            return Err(Code::InvalidArgument);
        }
        if self.kind(&dest) == Some(Kind::Dictionary) {
            let name = source.rsplit('/').next().unwrap();
            dest = format!("{dest}/{name}").trim_start_matches('/').to_owned();
        }
        match self.kind(&dest) {
            Some(Kind::Dictionary) if dest != source => return Err(Code::ValueExpected),
            Some(Kind::Value) if kind == Kind::Dictionary => return Err(Code::ValueExpected),
            _ => {}
        }
        if dest == source {
            return Ok(());
        }
        let mut next = self.clone();
        let moved: Vec<String> = match kind {
            Kind::Value => vec![source.to_owned()],
            Kind::Dictionary => self.below(source).cloned().collect(),
        };
        for key in moved {
            let value = next.values.remove(&key).unwrap();
            self.values.contains_key(&dest).then(|| next.values.remove(&dest));
            let above = dest.match_indices('/').map(|(at, _)| &dest[..at]);
            if above.into_iter().any(|dir| next.values.contains_key(dir)) {
                return Err(Code::DirectoryExpected);
            }
            next.values.insert(format!("{dest}{}", &key[source.len()..]), value);
        }
        *self = next;
        Ok(())
    }

    /// Notes which keys and dictionaries differ from what they were.
    fn note_changes(&mut self, before: &BTreeMap<String, Vec<u8>>, now: i64) {
        let all: Vec<String> = before.keys().chain(self.values.keys()).cloned().collect();
        for key in all.into_iter().filter(|k| before.get(k) != self.values.get(k)) {
            let above = key.match_indices('/').map(|(at, _)| key[..at].to_owned());
            for dir in above.chain([String::new(), key.clone()]).collect::<Vec<_>>() {
                self.changed.insert(dir, now);
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Op {
    Set(String, Vec<u8>),
    SetPartial(String, usize, Vec<u8>),
    Remove(String),
    Rename(String, String),
}

/// Keys of three names, and seldom the root.
fn key() -> impl Strategy<Value = String> {
    let size = prop_oneof![1 => Just(0), 12 => 1..4_usize];
    let steps = size.prop_flat_map(|n| proptest::collection::vec(prop_oneof!["a", "b", "c"], n));
    steps.prop_map(|steps| steps.join("/"))
}

fn op() -> impl Strategy<Value = Op> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..5);
    prop_oneof![
        3 => (key(), bytes()).prop_map(|(k, v)| Op::Set(k, v)),
        2 => (key(), 0_usize..8, bytes()).prop_map(|(k, at, v)| Op::SetPartial(k, at, v)),
        1 => key().prop_map(Op::Remove),
        2 => (key(), key()).prop_map(|(from, to)| Op::Rename(from, to)),
    ]
}

fn device(spec: FormatSpec) -> (Kv, Arc<AtomicI64>) {
    let clock = Arc::new(AtomicI64::new(0));
    let now = clock.clone();
    let context = Context::new("ann", move || now.load(Ordering::Relaxed));
    let repo = Repo::new(Arc::new(MemoryBackend::new(Format::new(spec))), context).unwrap();
    (Kv::new(repo.main().unwrap()), clock)
}

fn apply(model: &mut Model, kv: &Kv, op: &Op) -> (Result<(), Code>, Result<(), Code>) {
    let code = |r: irmin_core::Result<()>| r.map_err(|e| e.code());
    match op {
        Op::Set(k, v) => (model.set(k, v.clone()), code(kv.set(k, v.clone()))),
        Op::SetPartial(k, at, v) => {
            (model.set_partial(k, *at, v), code(kv.set_partial(k, *at as u64, v)))
        }
        Op::Remove(k) => {
            model.remove(k);
            (Ok(()), code(kv.remove(k)))
        }
        Op::Rename(from, to) => (model.rename(from, to), code(kv.rename(from, to))),
    }
}

fn check(model: &Model, kv: &Kv, key: &str) {
    let kind = model.kind(key);
    assert_eq!(kv.exists(key).unwrap(), kind, "{key}");
    let value = model.values.get(key);
    match kind {
        Some(Kind::Dictionary) => {
            assert_eq!(kv.get(key).unwrap_err().code(), Code::ValueExpected);
            assert_eq!(kv.size(key).unwrap_err().code(), Code::ValueExpected);
            let depth = if key.is_empty() { 0 } else { key.split('/').count() };
            let names = model.below(key).map(|k| {
                let steps: Vec<&str> = k.split('/').collect();
                let name = steps[..=depth].join("/");
                let kind = model.kind(&name).unwrap();
                (Path::parse(name).unwrap(), kind)
            });
            let names: BTreeMap<_, _> = names.map(|(p, k)| (p.to_string(), (p, k))).collect();
            let listed = kv.list(key).unwrap().unwrap();
            assert_eq!(listed, names.into_values().collect::<Vec<_>>(), "{key}");
        }
        _ => {
            assert_eq!(kv.get(key).unwrap().as_deref(), value.map(Vec::as_slice), "{key}");
            assert_eq!(kv.size(key).unwrap(), value.map(|v| v.len() as u64));
            for (offset, length) in [(0, 2), (1, 1), (3, 9), (9, 1)] {
                let part =
                    value.map(|v| v.iter().skip(offset).take(length).copied().collect::<Vec<_>>());
                let read = kv.get_partial(key, offset as u64, length).unwrap();
                assert_eq!(read.map(|b| b.to_vec()), part, "{key}");
            }
            match kind {
                None => assert_eq!(kv.list(key).unwrap(), None),
                _ => assert_eq!(kv.list(key).unwrap_err().code(), Code::DirectoryExpected),
            }
        }
    }
    let changed = model.changed.get(key).copied().filter(|_| kind.is_some());
    assert_eq!(kv.last_modified(key).unwrap(), changed, "{key}");
    assert_eq!(kv.digest(key).unwrap().is_some(), kind.is_some());
}

proptest! {
    #[test]
    fn the_device_is_a_map_of_keys(
        ops in proptest::collection::vec(op(), 1..24),
        git in any::<bool>(),
    ) {
        let spec = if git { FormatSpec::git() } else { FormatSpec::native() };
        let (kv, clock) = device(spec);
        let mut model = Model::default();
        for (now, op) in (1..).zip(&ops) {
            clock.store(now, Ordering::Relaxed);
            let before = model.values.clone();
            let (expected, actual) = apply(&mut model, &kv, op);
            prop_assert_eq!(expected, actual, "{:?}", op);
            model.note_changes(&before, now);
        }
        let keys = model.values.keys().cloned().chain(["".into(), "a".into(), "a/b".into()]);
        for key in keys.collect::<Vec<_>>() {
            check(&model, &kv, &key);
        }
    }

    /// The same operations as one batch and one by one give the same dictionary; a batch is one
    /// commit, and one that fails is none.
    #[test]
    fn a_batch_is_one_commit(ops in proptest::collection::vec(op(), 1..12)) {
        let (single, _) = device(FormatSpec::native());
        let mut model = Model::default();
        let accepted: Vec<&Op> = ops
            .iter()
            .filter(|op| apply(&mut model, &single, op).1.is_ok())
            .collect();
        let (batched, _) = device(FormatSpec::native());
        let commit = batched
            .batch("all of it", |batch| {
                accepted.iter().try_for_each(|op| match op {
                    Op::Set(k, v) => batch.set(k, v.clone()),
                    Op::SetPartial(k, at, v) => batch.set_partial(k, *at as u64, v),
                    Op::Remove(k) => batch.remove(k),
                    Op::Rename(from, to) => batch.rename(from, to),
                })?;
                let here = batch.digest("")?;
                assert_eq!(here, single.digest("")?.or(here));
                Ok(())
            })
            .unwrap();
        if !model.values.is_empty() {
            prop_assert_eq!(batched.digest("").unwrap(), single.digest("").unwrap());
            prop_assert!(commit.unwrap().parent_ids().is_empty());
        }
        let head = batched.branch().head().unwrap();
        let refused = batched.batch("nothing", |batch| {
            batch.set("x/y/z", "1")?;
            batch.rename("not-there", "q")
        });
        prop_assert_eq!(refused.unwrap_err().code(), Code::NotFound);
        prop_assert_eq!(batched.branch().head().unwrap(), head);
    }
}

#[test]
fn digests_are_the_hashes_of_the_format() {
    let (kv, _) = device(FormatSpec::git());
    kv.set("hello", Bytes::from_static(b"hello\n")).unwrap();
    let digest = kv.digest("hello").unwrap().unwrap();
    assert_eq!(digest.to_string(), "ce013625030ba8dba906f756967f9e9ca394464a");
    assert_eq!(kv.digest("").unwrap().unwrap().to_string().len(), 40);
}

/// A batch runs again on what others wrote meanwhile, and nothing of its first run stays.
#[test]
fn a_batch_is_replayed() {
    let inner = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
    let hooked = Hooked::new(inner.clone());
    let device = |backend: Arc<dyn Backend>| {
        Kv::new(Repo::new(backend, Context::new("ann", || 1)).unwrap().main().unwrap())
    };
    let (kv, other) = (device(hooked.clone()), device(inner));
    other.set("count", "1").unwrap();
    let first = AtomicBool::new(true);
    hooked.on_submit(move || {
        if first.swap(false, Ordering::Relaxed) {
            other.set("count", "22").unwrap();
        }
    });
    let mut runs = 0;
    let commit = kv
        .batch("count", |batch| {
            runs += 1;
            batch.set_partial("count", 9, "3")?;
            batch.set(format!("runs/{runs}"), "")
        })
        .unwrap();
    assert_eq!(runs, 2);
    assert_eq!(kv.get("count").unwrap().unwrap(), "223");
    assert_eq!(kv.list("runs").unwrap().unwrap().len(), 1);
    assert_eq!(commit.unwrap().parent_ids().len(), 1);
}

/// A value may move below its own key, where a dictionary takes its place; a dictionary may not,
/// and the root is one that has all keys below it.
#[test]
fn what_moves_below_itself() {
    let (kv, _) = device(FormatSpec::git());
    kv.set("a", "value").unwrap();
    kv.rename("a", "a/b/c").unwrap();
    assert_eq!(kv.get("a/b/c").unwrap().unwrap(), "value");
    let refused = |from: &str, to: &str| kv.rename(from, to).unwrap_err();
    assert_eq!(refused("a/b", "a/b/c/d").code(), Code::InvalidArgument);
    assert_eq!(refused("", "x").to_string(), "`` cannot be moved into itself, to `x`");
    assert_eq!(refused("", "a").code(), Code::InvalidArgument);
    for key in ["", "a", "a/b/c"] {
        kv.rename(key, key).unwrap();
    }
    assert_eq!(refused("x", "x").code(), Code::NotFound);
    assert_eq!(kv.list("").unwrap().unwrap().len(), 1);
}

/// A dictionary that moves into another one does not replace the value that has its name there.
#[test]
fn what_is_not_named_is_not_replaced() {
    let (kv, _) = device(FormatSpec::git());
    for key in ["work/a", "old/work", "old/b/c", "b"] {
        kv.set(key, key).unwrap();
    }
    let refused = |from: &str, to: &str| kv.rename(from, to).unwrap_err().code();
    assert_eq!(refused("work", "old"), Code::ValueExpected);
    assert_eq!(refused("work", "old/work"), Code::ValueExpected);
    assert_eq!(refused("b", "old"), Code::ValueExpected);
    assert_eq!(kv.get("old/work").unwrap().unwrap(), "old/work");
    kv.rename("work/a", "old").unwrap();
    assert_eq!(kv.get("old/a").unwrap().unwrap(), "work/a");
}

/// A part of a value costs that part, and no more is given than there is.
#[test]
fn parts_of_large_values() {
    let (kv, _) = device(FormatSpec::native());
    let value: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    kv.set("large", value.clone()).unwrap();
    for (offset, length) in [(0, usize::MAX), (65_536, 65_536), (1, 200_000), (299_999, 9), (9, 0)]
    {
        let end = value.len().min(offset + length.min(value.len()));
        let part = kv.get_partial("large", offset as u64, length).unwrap().unwrap();
        assert!(part == value[offset..end], "{offset} {length}");
    }
    for offset in [300_000, u64::MAX] {
        assert!(kv.get_partial("large", offset, usize::MAX).unwrap().unwrap().is_empty());
    }
    assert_eq!(kv.size("large").unwrap(), Some(300_000));
}

/// A dictionary changed when the last of its entries did, also where commits were made again from
/// older ones, which keep their author's date.
#[test]
fn the_last_change_is_that_of_the_commit() {
    let (kv, _) = device(FormatSpec::git());
    for (key, author, committer) in [("d/a", 100, 100), ("d/b", 50, 200)] {
        let mut info = Info::new("ann", author, key);
        info.committer.date = committer;
        kv.branch().set(key, key, info).unwrap();
    }
    let times = ["d/a", "d/b", "d"].map(|key| kv.last_modified(key).unwrap());
    assert_eq!(times, [Some(100), Some(200), Some(200)]);
}

/// A machine whose clock was set back changes what it changes, whatever dates were before.
#[test]
fn the_last_change_is_the_last_one_also_when_clocks_go_back() {
    let (kv, _) = device(FormatSpec::git());
    for (date, value) in [(5_000, "1"), (100, "2")] {
        kv.branch().set("k", value, Info::new("ann", date, "set")).unwrap();
    }
    kv.branch().set("other", "1", Info::new("ann", 9_000, "set")).unwrap();
    assert_eq!(kv.last_modified("k").unwrap(), Some(100));
}
