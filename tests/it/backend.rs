//! The backends of the core: the suite that all stores pass, and what is special of each.

use std::sync::Arc;

use irmin_core::backend::{
    Backend, Batch, Counted, Expected, MemoryBackend, RefEdit, StrictMemory, Target, View, Wait,
};
use irmin_core::{
    Bytes, Child, Code, Error, Format, FormatSpec, Key, Kind, Locator, Object, Parts,
};
use irmin_tests::conformance::Subject;

fn each_format(run: impl Fn(&str, FormatSpec)) {
    for preset in FormatSpec::PRESETS {
        run(preset, preset.parse().unwrap());
    }
}

#[test]
fn memory_conforms() {
    each_format(|preset, spec| {
        let make = || Arc::new(MemoryBackend::new(Format::new(spec))) as Arc<dyn Backend>;
        Subject::new(format!("memory, {preset}"), make).run();
    });
}

#[test]
fn strict_memory_conforms() {
    each_format(|preset, spec| {
        let make = || Arc::new(StrictMemory::new(Format::new(spec))) as Arc<dyn Backend>;
        Subject::new(format!("strict memory, {preset}"), make).run();
    });
}

#[test]
fn a_counted_store_conforms() {
    let make = || {
        let inner = MemoryBackend::new(Format::new(FormatSpec::native()));
        Arc::new(Counted::new(Arc::new(inner))) as Arc<dyn Backend>
    };
    Subject::new("counted", make).run();
}

fn strict() -> StrictMemory {
    StrictMemory::new(Format::new(FormatSpec::native()))
}

fn put(store: &dyn Backend, objects: Vec<Object>) -> Result<Vec<Key>, Error> {
    match store.publish(Batch { objects, ..Batch::default() })? {
        irmin_core::backend::Published::Done { keys } => Ok(keys),
        lost => panic!("{lost:?}"),
    }
}

fn set(store: &dyn Backend, at: &str, key: Option<Key>) -> Batch {
    let _ = store;
    let name = at.parse().unwrap();
    let edit = RefEdit { name, expected: Expected::Any, new: key.map(Target::Object) };
    Batch { edits: vec![edit], ..Batch::default() }
}

/// A directory with one value, and the value.
fn pair(format: &Format, text: &str) -> [Object; 2] {
    let value = format.value(text.as_bytes());
    let entry = irmin_core::Entry {
        kind: irmin_core::EntryKind::Value(irmin_core::Metadata::Normal),
        key: value.id.into(),
    };
    struct Nothing;
    impl irmin_core::Source for Nothing {
        fn load(&self, keys: &[Key]) -> irmin_core::Result<Vec<Arc<irmin_core::Dir>>> {
            Err(Error::missing_objects(keys.to_vec()))
        }
    }
    let mut dir = None;
    let edits = [irmin_core::Edit { name: b"name", entry: Some(entry) }];
    let mut put = |object: Object| {
        let key = Key::from(object.id);
        dir = Some(object);
        Ok(key)
    };
    format.layout().write(&Nothing, None, &Parts::NONE, &edits, &mut put).unwrap();
    [value, dir.unwrap()]
}

#[test]
fn a_strict_store_refuses_objects_that_lie() {
    let store = strict();
    let [value, dir] = pair(store.format(), "text");
    let code = |objects: Vec<Object>| put(&store, objects).unwrap_err().code();
    let wrong_hash = Object { bytes: Bytes::from_static(b"Bother"), ..value.clone() };
    assert_eq!(code(vec![wrong_hash]), Code::CorruptObject);
    let no_children = Object { children: Vec::new(), ..dir.clone() };
    assert_eq!(code(vec![value.clone(), no_children]), Code::InvalidArgument);
    let other = store.format().value(b"other");
    let wrong = vec![Child::from(Key::from(other.id))];
    let wrong = Object { children: wrong, ..dir.clone() };
    assert_eq!(code(vec![value.clone(), other, wrong]), Code::InvalidArgument);
    let base = Some(value.id.into());
    let vouched = Object { children: Vec::new(), base, ..dir.clone() };
    assert_eq!(code(vec![value.clone(), vouched]), Code::InvalidArgument, "not in the base");
    assert_eq!(code(vec![dir.clone(), value.clone()]), Code::MissingObjects, "parent first");
    let not_a_value = Object { kind: Kind::Commit, ..value.clone() };
    assert!(put(&store, vec![not_a_value]).is_err());
    let [_, other] = pair(&Format::new(FormatSpec::irmin_pack()), "text");
    let decoded = Object { decoded: other.decoded, ..dir.clone() };
    assert_eq!(code(vec![value.clone(), decoded]), Code::InvalidArgument, "decoded of another");
    put(&store, vec![value, dir]).unwrap();
}

#[test]
fn a_strict_store_refuses_locators_of_others() {
    let (one, two) = (strict(), strict());
    let [value, dir] = pair(one.format(), "text");
    let theirs = put(&two, vec![value.clone()]).unwrap()[0];
    let ours = put(&one, vec![value.clone()]).unwrap()[0];
    assert_ne!(ours.at, theirs.at);
    let get = |key| one.get_many(&[key], Wait::Block);
    assert!(get(ours).unwrap()[0].is_some());
    assert_eq!(get(theirs).unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(get(Key { hash: dir.id, at: ours.at }).unwrap_err().code(), Code::InvalidArgument);
    let child = |at| vec![Child::from(Key { hash: value.id, at })];
    let named = |at| Object { children: child(at), ..dir.clone() };
    assert_eq!(put(&one, vec![named(theirs.at)]).unwrap_err().code(), Code::InvalidArgument);
    let key = put(&one, vec![named(ours.at)]).unwrap()[0];
    let read = get(key).unwrap().remove(0).unwrap();
    assert_eq!(read.children[0].key.at, ours.at, "children are read with their locators");
    assert_ne!(read.children[0].key.at, Locator::NONE);
}

#[test]
fn a_strict_store_moves_tips_first_and_shares_syncs() {
    let store = strict();
    let key = put(&store, vec![store.format().value(b"x")]).unwrap()[0];
    let syncs = store.syncs();
    let read = |view| store.read_ref(&"refs/heads/a".parse().unwrap(), view).unwrap();
    let one = store.submit(set(&store, "refs/heads/a", Some(key))).unwrap();
    let two = store.submit(set(&store, "refs/heads/b", Some(key))).unwrap();
    assert_eq!((read(View::Tip), read(View::Durable)), (Some(Target::Object(key)), None));
    assert!(store.refs("refs/").unwrap().is_empty());
    two.wait().unwrap();
    assert_eq!(read(View::Durable), Some(Target::Object(key)));
    one.wait().unwrap();
    assert_eq!(store.syncs() - syncs, 1);
    // Unwaited, it is lost with the power, or made durable by a later sync.
    drop(store.submit(set(&store, "refs/heads/c", Some(key))).unwrap());
    assert_eq!(store.reopen().refs("refs/").unwrap().len(), 2);
    store.sync_now().unwrap();
    assert_eq!(store.reopen().refs("refs/").unwrap().len(), 3);
}

#[test]
fn a_failed_sync_poisons_a_strict_store_until_it_is_opened_again() {
    let store = strict();
    let key = put(&store, vec![store.format().value(b"x")]).unwrap()[0];
    let one = store.submit(set(&store, "refs/heads/a", Some(key))).unwrap();
    store.fail_next_sync();
    let two = store.submit(set(&store, "refs/heads/b", Some(key))).unwrap();
    assert_eq!(one.wait().unwrap_err().code(), Code::Io);
    assert_eq!(two.wait().unwrap_err().code(), Code::Io);
    let later = store.publish(set(&store, "refs/heads/c", Some(key)));
    assert_eq!(later.unwrap_err().code(), Code::Poisoned);
    assert!(store.refs("refs/").unwrap().is_empty());
    let store = store.reopen();
    store.publish(set(&store, "refs/heads/c", Some(key))).unwrap();
    assert_eq!(store.refs("refs/").unwrap().len(), 1);
}

#[test]
fn collection_spares_what_refs_and_pins_reach() {
    let store = strict();
    let ([a, a_dir], [b, b_dir]) = (pair(store.format(), "a"), pair(store.format(), "b"));
    put(&store, vec![a.clone(), a_dir.clone(), b.clone(), b_dir.clone()]).unwrap();
    let there =
        |object: &Object| store.get_many(&[object.id.into()], Wait::Block).unwrap()[0].is_some();
    store.publish(set(&store, "refs/heads/a", Some(a_dir.id.into()))).unwrap();
    let pin = store.pin().unwrap();
    store.publish(set(&store, "refs/heads/a", None)).unwrap();
    assert_eq!(store.collect().unwrap(), 2, "b and its directory");
    assert!(there(&a) && there(&a_dir) && !there(&b));
    assert_eq!(store.pins(), 1);
    drop(pin);
    assert_eq!(store.collect().unwrap(), 2);
    assert!(!there(&a) && !there(&a_dir));
    let error = put(&store, vec![a_dir.clone()]).unwrap_err();
    assert_eq!(error.code(), Code::Collected);
    put(&store, vec![a, a_dir]).unwrap();
}

#[test]
fn a_stage_over_collected_objects_is_refused() {
    let store = strict();
    let [value, dir] = pair(store.format(), "a");
    put(&store, vec![value]).unwrap();
    let mut stage = store.stage().unwrap();
    stage.put(vec![dir]).unwrap();
    assert_eq!(store.collect().unwrap(), 1);
    let end = stage.publish(Vec::new(), Default::default(), Default::default());
    assert_eq!(end.unwrap_err().code(), Code::Collected);
}

#[test]
fn strict_stores_ask_for_pins_and_know_what_is_resident() {
    let store = strict().demanding_pins();
    let key = put(&store, vec![store.format().value(b"x")]).unwrap()[0];
    let get = |wait| store.get_many(&[key], wait);
    assert_eq!(get(Wait::Block).unwrap_err().code(), Code::InvalidArgument);
    let _pin = store.pin().unwrap();
    assert!(get(Wait::Resident).unwrap()[0].is_some());
    store.evict();
    let error = get(Wait::Resident).unwrap_err();
    assert_eq!((error.code(), error.missing()), (Code::MissingObjects, &[key][..]));
    assert!(get(Wait::Block).unwrap()[0].is_some());
    assert!(get(Wait::Resident).unwrap()[0].is_some());
}

#[test]
fn counts_are_exact() {
    let store = Counted::new(Arc::new(MemoryBackend::new(Format::new(FormatSpec::git()))));
    let (a, b) = (store.format().value(b"aa"), store.format().value(b"bbbb"));
    let bytes = (a.bytes.len() + b.bytes.len()) as u64;
    let keys = put(&store, vec![a.clone(), b]).unwrap();
    store.get_many(&[keys[0], keys[1], store.format().value(b"c").id.into()], Wait::Block).unwrap();
    store.read_range(&keys[0], 1..2).unwrap();
    store.refs("").unwrap();
    store.stage().unwrap().put(vec![a.clone()]).unwrap();
    let counts = store.reset();
    assert_eq!((counts.get_calls, counts.keys_asked, counts.objects_read), (2, 4, 3));
    assert_eq!((counts.bytes_read, counts.ref_reads, counts.publishes), (bytes + 1, 1, 1));
    assert_eq!(counts.objects_written, 3);
    assert_eq!(counts.bytes_written, bytes + a.bytes.len() as u64);
    assert_eq!(store.counts(), Default::default());
}
