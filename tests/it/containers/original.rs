//! The tests of OCaml Irmin's containers, by its names, and the bytes of its types.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use irmin_core::backend::{Counted, MemoryBackend};
use irmin_core::containers::{
    AddWinsSet, BlobLog, Container, Counter, Event, LinkedLog, LwwRegister, MergeMap, Queue, Text,
};
use irmin_core::contents::Contents;
use irmin_core::{Branch, Bytes, Code, Context, Format, HashFunction, Repo};

/// A store with a clock that goes on by a second with each reading.
fn repo<C: Contents>() -> Repo<C> {
    let time = AtomicI64::new(1_000);
    let context = Context::new("ann", move || time.fetch_add(1, Ordering::Relaxed));
    let format = Format::new(super::specs(C::VALUES)[1]);
    Repo::new(Arc::new(MemoryBackend::new(format)), context).unwrap().typed().unwrap()
}

/// Two branches that are merged in both orders, into two others.
fn both_orders<C: Contents>(repo: &Repo<C>) -> [Branch<C>; 2] {
    let branch = |name: &str| repo.branch(name).unwrap();
    let merge = |from: &str, into: &str| {
        branch(from).merge_into(&branch(into), "merge").unwrap().resolved().unwrap();
    };
    for (from, into) in [("b1", "b3"), ("b2", "b3"), ("b2", "b4"), ("b1", "b4")] {
        merge(from, into);
    }
    [branch("b3"), branch("b4")]
}

#[test]
fn counter() {
    let main = repo::<Counter>().main().unwrap();
    let counter = Counter::at(&main, "tmp/counter").unwrap();
    assert_eq!(counter.read().unwrap(), 0);
    counter.inc(1, "increment").unwrap();
    counter.inc(2, "increment").unwrap();
    assert_eq!(counter.read().unwrap(), 3);
    counter.dec(4, "decrement").unwrap();
    assert_eq!(counter.read().unwrap(), -1);
    assert_eq!(counter.inc(0, "nothing").unwrap(), None);
}

#[test]
fn counter_clone_and_merge() {
    let main = repo().main().unwrap();
    let at = |branch: &Branch<Counter>| Counter::at(branch, "tmp/counter").unwrap();
    at(&main).inc(5, "").unwrap();
    let clone = main.clone_to("cl", "clone").unwrap();
    at(&clone).inc(2, "").unwrap();
    at(&main).dec(4, "").unwrap();
    assert_eq!((at(&main).read().unwrap(), at(&clone).read().unwrap()), (1, 7));
    main.merge(&clone, "merge").unwrap().resolved().unwrap();
    assert_eq!(at(&main).read().unwrap(), 3);
}

#[test]
fn counter_branch_and_merge() {
    let repo = repo();
    let at = |branch: &Branch<Counter>| Counter::at(branch, "tmp/counter").unwrap();
    at(&repo.branch("b1").unwrap()).inc(5, "").unwrap();
    at(&repo.branch("b2").unwrap()).dec(2, "").unwrap();
    for branch in both_orders(&repo) {
        assert_eq!(at(&branch).read().unwrap(), 3);
    }
}

#[test]
fn register() {
    let repo = repo();
    let at = |branch: &Branch<LwwRegister<i64>>| LwwRegister::at(branch, "tmp/lww").unwrap();
    let main = repo.main().unwrap();
    assert_eq!(at(&main).read().unwrap(), None);
    at(&main).write(1, "").unwrap();
    at(&main).write(3, "").unwrap();
    assert_eq!(at(&main).read().unwrap(), Some(3));
    let clone = main.clone_to("cl", "clone").unwrap();
    at(&main).write(5, "").unwrap();
    at(&clone).write(10, "").unwrap();
    main.merge(&clone, "merge").unwrap().resolved().unwrap();
    assert_eq!(at(&main).read().unwrap(), Some(10));

    at(&repo.branch("b1").unwrap()).write(6, "").unwrap();
    at(&repo.branch("b2").unwrap()).write(3, "").unwrap();
    for branch in both_orders(&repo) {
        assert_eq!(at(&branch).read().unwrap(), Some(3));
    }
}

/// What the tests of both logs of the original do, with an `append` and a `read` of either.
fn log<C: Contents>(append: impl Fn(&Branch<C>, &str), read: impl Fn(&Branch<C>) -> Vec<String>) {
    let repo = repo();
    let branch = |name: &str| repo.branch(name).unwrap();
    let main = branch("main");
    assert!(read(&main).is_empty());
    append(&main, "main.1");
    append(&main, "main.2");
    assert_eq!(read(&main), ["main.2", "main.1"]);
    let clone = main.clone_to("cl", "clone").unwrap();
    append(&clone, "clone.1");
    append(&main, "main.3");
    main.merge(&clone, "merge").unwrap().resolved().unwrap();
    assert_eq!(read(&main), ["main.3", "clone.1", "main.2", "main.1"]);

    let entries = ["b1.1", "b2.1", "b1.2", "b1.3", "b2.2", "b1.4"];
    for entry in entries {
        append(&branch(&entry[..2]), entry);
    }
    for branch in both_orders(&repo) {
        assert!(read(&branch).iter().rev().eq(&entries));
    }
}

#[test]
fn blob_log() {
    let at = |branch: &Branch<BlobLog<String>>| BlobLog::at(branch, "tmp/blob").unwrap();
    log(|b, entry| drop(at(b).append(entry, "").unwrap()), |b| at(b).read_all().unwrap());
}

#[test]
fn linked_log() {
    let at = |branch: &Branch<String>| LinkedLog::at(branch, "tmp/link").unwrap();
    log(|b, entry| drop(at(b).append(entry, "").unwrap()), |b| at(b).read_all().unwrap());

    let main = repo::<String>().main().unwrap();
    at(&main).append("main.1", "").unwrap();
    at(&main).append("main.2", "").unwrap();
    let mut cursor = at(&main).cursor().unwrap();
    assert_eq!(cursor.clone().read(10).unwrap(), ["main.2", "main.1"]);
    assert_eq!(cursor.read(1).unwrap(), ["main.2"]);
    // A cursor reads the log as it was.
    at(&main).append("main.3", "").unwrap();
    assert_eq!(cursor.read(1).unwrap(), ["main.1"]);
    assert!(cursor.read(1).unwrap().is_empty());
}

/// What a branch brings in may be older than what the other has: the original loses it.
#[test]
fn a_blob_log_keeps_what_is_older_than_its_base() {
    let entry = |value: &str, time| (value.to_owned(), time);
    let log = |entries: &[(String, i64)]| {
        let mut bytes = Vec::new();
        irmin_core::containers::Element::to_binary(&entries.to_vec(), &mut bytes);
        <BlobLog<String>>::decode_binary(Bytes::from(bytes)).unwrap()
    };
    let base = log(&[entry("base", 10)]);
    let ours = log(&[entry("base", 10), entry("from elsewhere", 5)]);
    let theirs = log(&[entry("new", 12), entry("base", 10)]);
    let merged = BlobLog::join(Some(&base), &ours, &theirs).unwrap();
    let expected = [entry("new", 12), entry("base", 10), entry("from elsewhere", 5)];
    assert_eq!(merged.entries(), expected);
}

/// Generations of a key of a map: what was removed does not come back, nor does what was done to
/// it elsewhere; what is set anew begins empty on both sides, and adds up.
#[test]
fn a_key_of_a_map_begins_anew() {
    let repo = repo::<MergeMap<String, Counter>>();
    let branch = |name: &str| repo.branch(name).unwrap();
    let at = |name: &str| <MergeMap<String, Counter>>::at(&branch(name), "map").unwrap();
    let add = |name: &str, by: i64| {
        let add = |old: Option<Counter>, _: &mut Event| Ok(Counter(old.unwrap_or_default().0 + by));
        at(name).update("k", name, by.to_be_bytes(), add).unwrap();
    };
    let read = |name: &str| at(name).find("k").unwrap().map(|counter| counter.0);
    let merge = |from: &str, into: &str| {
        branch(from).merge_into(&branch(into), "merge").unwrap().resolved().unwrap();
    };
    add("a", 100);
    for other in ["b", "c", "d"] {
        branch("a").clone_to(other, "clone").unwrap();
    }
    at("a").remove("k", "a removes it").unwrap();
    add("a", 1);
    at("b").remove("k", "b removes it").unwrap();
    add("b", 2);
    add("c", 4);
    at("d").remove("k", "d removes it").unwrap();
    assert_eq!([read("a"), read("b"), read("c"), read("d")], [Some(1), Some(2), Some(104), None]);
    merge("b", "a");
    assert_eq!(read("a"), Some(3), "both set it anew");
    merge("c", "d");
    assert_eq!(read("d"), None, "removing wins over updating");
    merge("a", "d");
    assert_eq!(read("d"), Some(3), "setting anew wins over removing");
    assert_eq!(at("d").remove("other", "absent").unwrap(), None);
    assert_eq!(at("d").keys().unwrap(), ["k"]);
}

#[track_caller]
fn forms<T: Container + Debug>(value: &T, text: &str, binary: &[u8]) {
    assert_eq!(std::str::from_utf8(&value.encode().unwrap()).unwrap(), text);
    assert_eq!(T::decode(Bytes::copy_from_slice(text.as_bytes())).unwrap(), *value);
    let minified: String = text.lines().collect();
    assert_eq!(T::decode(Bytes::from(minified)).unwrap(), *value);
    assert_eq!(value.encode_binary().unwrap(), binary);
    assert_eq!(T::decode_binary(Bytes::copy_from_slice(binary)).unwrap(), *value);
}

/// The types of the original are an int64, a pair, and a list of pairs, which are hashed without
/// a prefix: the bytes of `repr`.
#[test]
fn bytes_of_the_original() {
    forms(&Counter(258), "258\n", &[0, 0, 0, 0, 0, 0, 1, 2]);
    let register = LwwRegister::new(String::from("hé"), 1);
    forms(&register, "[\n\"hé\",\n1\n]\n", b"\x03h\xc3\xa9\0\0\0\0\0\0\0\x01");
    let mut log = BlobLog::default();
    forms(&log, "[]\n", &[0]);
    log.append(7_i64, &Event::new("x", 1_700_000_000_000_000_000));
    log.append(8, &Event::new("y", 0));
    let text = "[\n[8,\"1700000000000000001\"],\n[7,\"1700000000000000000\"]\n]\n";
    let time = |last: u8| [0x17, 0x97, 0x9c, 0xfe, 0x36, 0x2a, 0, last];
    let entry = |n: u8, last: u8| [&[0, 0, 0, 0, 0, 0, 0, n], &time(last)[..]].concat();
    forms(&log, text, &[vec![2], entry(8, 1), entry(7, 0)].concat());

    let repo = repo::<Counter>();
    let counter = Counter::at(&repo.main().unwrap(), "a").unwrap();
    let commit = counter.inc(258, "").unwrap().unwrap();
    let irmin_core::KindedHash::Value(id, _) =
        commit.tree().get_tree("a").unwrap().unwrap().hash().unwrap()
    else {
        panic!("a directory")
    };
    let expected = HashFunction::Blake2b(64).digest(&258_i64.to_be_bytes());
    assert_eq!(id.hash(), expected);
}

/// The forms of the other types: what is written today is read tomorrow.
#[test]
fn bytes_of_ours() {
    let mut marks = Event::new("an edit", 5);
    let marks = [marks.mark(), marks.mark(), marks.mark()];
    assert_eq!(marks[0].to_string(), "bb13c3c61f8de1a1285382fca6642d48");
    let [x, y, z] = marks.map(|mark| mark.as_bytes().to_vec());
    let mut event = Event::new("an edit", 5);

    let mut set = AddWinsSet::default();
    set.add(String::from("x"), &mut event);
    let text = format!("[\n[\"x\",\"{}\"]\n]\n", marks[0]);
    forms(&set, &text, &[b"\x01\x01x", &x[..]].concat());

    let mut queue = Queue::default();
    queue.push(true, &mut event);
    let text = format!("[\n[[5,\"{}\"],true]\n]\n", marks[1]);
    forms(&queue, &text, &[b"\x01\0\0\0\0\0\0\0\x05", &y[..], b"\xff"].concat());

    let mut map: MergeMap<String, Counter> = MergeMap::default();
    map.update("k".into(), |_| Ok(Counter(2))).unwrap();
    map.update("l".into(), |_| Ok(Counter(2))).unwrap();
    map.remove(&"l".into());
    let binary = b"\x02\
        \x01k\0\0\0\0\0\0\0\0\xff\0\0\0\0\0\0\0\x02\
        \x01l\0\0\0\0\0\0\0\x01\0";
    forms(&map, "[\n[\"k\",[0,[2]]],\n[\"l\",[1,[]]]\n]\n", binary);

    let mut lines = Text::default();
    lines.write("a\nb\n", &mut event);
    let (first, second) = (format!("80000000{}", marks[2]), format!("00010000{}", marks[2]));
    let text = format!("[\n[\"{first}\",\"a\"],\n[\"{first}-{second}\",\"b\"]\n]\n");
    let (first, second) = ([b"\x80\0\0\0", &z[..]].concat(), [b"\0\x01\0\0", &z[..]].concat());
    let binary = [b"\x02\x01", &first[..], b"\x01a\x02", &first, &second, b"\x01b"].concat();
    forms(&lines, &text, &binary);
}

#[test]
fn what_is_not_canonical_is_refused() {
    fn refused<T: Container>(text: &str) {
        let error = T::decode(Bytes::copy_from_slice(text.as_bytes())).unwrap_err();
        assert_eq!(error.code(), Code::InvalidValue, "{text}");
        assert!(error.to_string().contains(T::NAME), "{error}");
    }
    refused::<Counter>("1.5");
    refused::<Counter>("\"9223372036854775808\"");
    let (low, high) = ("0".repeat(32), "f".repeat(32));
    refused::<AddWinsSet<String>>(&format!(r#"[["a","{high}"],["a","{low}"]]"#));
    refused::<AddWinsSet<String>>(&format!(r#"[["a","{low}"],["a","{low}"]]"#));
    refused::<Queue<String>>(&format!(r#"[[[2,"{low}"],"a"],[[1,"{low}"],"b"]]"#));
    refused::<MergeMap<String, Counter>>(r#"[["a",[0,[]]]]"#);
    refused::<MergeMap<String, Counter>>(r#"[["a",[-1,[1]]]]"#);
    refused::<MergeMap<String, Counter>>(r#"[["b",[0,[1]]],["a",[0,[1]]]]"#);
    for place in ["", "00000000", &low, &format!("00000000{low}"), &format!("+0000001{low}")] {
        refused::<Text>(&format!(r#"[["{place}","line"]]"#));
    }
    refused::<Text>(&format!(r#"[["00000001{low}","two\nlines"]]"#));

    assert!(<BlobLog<bool>>::decode_binary(Bytes::from_static(&[0xff; 40])).is_err());
    assert!(<Queue<bool>>::decode_binary(Bytes::from_static(&[1, 0])).is_err());
}

#[test]
fn something_else_at_the_path_is_an_error_that_names_it() {
    let main = repo::<Counter>().main().unwrap();
    Counter::at(&main, "dir/it").unwrap().inc(1, "").unwrap();
    let log = LinkedLog::at(&main, "dir").unwrap();
    let refused = log.append(Counter(1), "").unwrap_err();
    assert_eq!(refused.code(), Code::InvalidValue);
    assert_eq!(refused.to_string(), "`dir`: there is `it`, which is not part of a log");
    assert!(LinkedLog::at(&main, "dir/it").unwrap().read_all().is_err());

    let bytes = main.repo().typed::<Bytes>();
    assert!(bytes.is_err(), "values are hashed otherwise");
}

/// A log whose entries are seconds apart, and one whose clock stands still.
#[test]
fn a_linked_log_costs_what_is_asked_for() {
    for (spec, tick) in super::specs(Bytes::VALUES).into_iter().flat_map(|s| [(s, 1), (s, 0)]) {
        let counted = Arc::new(Counted::new(Arc::new(MemoryBackend::new(Format::new(spec)))));
        let time = AtomicI64::new(1_700_000_000);
        let context = Context::new("ann", move || time.fetch_add(tick, Ordering::Relaxed));
        let repo = Repo::new(counted.clone(), context).unwrap();
        let fresh = || Repo::new(counted.clone(), repo.context().clone()).unwrap();
        let log = |repo: &Repo| LinkedLog::at(&repo.main().unwrap(), "log").unwrap();
        let mut last = Vec::new();
        for n in 0..600 {
            let (cold, before) = (fresh(), counted.counts());
            log(&cold).append(format!("entry {n}"), "append").unwrap();
            let after = counted.counts();
            let cost = [
                after.objects_read - before.objects_read,
                after.objects_written - before.objects_written,
                after.bytes_written - before.bytes_written,
            ];
            last = cost.to_vec();
            // Eight directories of at most 256 entries, those above, the entry and the commit. In
            // the layout of tries some are in parts, and the first split writes up to 32 at once.
            assert!(cost[0] <= 100 && cost[1] <= 50 && cost[2] <= 80_000, "{n}: {cost:?}");
        }
        let (cold, before) = (fresh(), counted.counts());
        let mut cursor = log(&cold).cursor().unwrap();
        assert_eq!(cursor.read(3).unwrap(), ["entry 599", "entry 598", "entry 597"]);
        let read = counted.counts().objects_read - before.objects_read;
        assert!(read <= 100, "{read} objects for 3 entries; appending: {last:?}");
        let all = cursor.read(usize::MAX).unwrap();
        assert!(all.iter().rev().enumerate().all(|(n, entry)| *entry == format!("entry {n}")));
        assert_eq!(all.len(), 597);
    }
}
