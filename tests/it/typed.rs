//! Typed values: any type of serde as JSON, and a shop whose items merge field by field.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::Arc;

use irmin_core::backend::{Backend, FsBackend, FsInit, FsOptions, MemoryBackend, Recorded};
use irmin_core::contents::as_json::{to_line, to_text};
use irmin_core::contents::json::{Json, JsonValue};
use irmin_core::contents::{AsJson, Policies};
use irmin_core::io::StdIo;
use irmin_core::{Bytes, Code, Contents, Context, Format, FormatSpec, Merge, Merged, Reason, Repo};
use irmin_git::{GitBackend, InitOptions, Options};
use irmin_tests::git_support::fsck;
use irmin_tests::needs;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
enum Shape {
    Point,
    Circle(f64),
    Square(u8, u8),
    #[serde(rename = "poly")]
    Polygon {
        sides: u128,
        name: Option<String>,
    },
}

fn line(value: &(impl Serialize + ?Sized)) -> Result<String, String> {
    let line = to_line(value).map_err(|e| {
        assert_eq!(e.code(), Code::InvalidValue);
        e.to_string()
    })?;
    Ok(String::from_utf8(line.to_vec()).unwrap())
}

fn wrapped<T: Clone>(value: &T) -> AsJson<T> {
    AsJson(value.clone())
}

/// Both forms give the value back, and any JSON of it reads as it.
fn round<T>(value: &T) -> Result<(), TestCaseError>
where
    AsJson<T>: Contents,
    T: Clone + PartialEq + Debug + Serialize + for<'de> Deserialize<'de>,
{
    let value = wrapped(value);
    let text = value.encode().unwrap();
    let read = AsJson::<T>::decode(text.clone()).unwrap();
    prop_assert_eq!(&read, &value);
    prop_assert_eq!(read.encode().unwrap(), text.clone());
    let read = AsJson::<T>::decode_binary(value.encode_binary().unwrap()).unwrap();
    prop_assert_eq!(&read, &value);
    // Another program's reader and writer agree.
    prop_assert_eq!(&serde_json::from_slice::<T>(&text).unwrap(), &value.0);
    let foreign = Bytes::from(serde_json::to_vec(&value.0).unwrap());
    prop_assert_eq!(&AsJson::<T>::decode(foreign).unwrap(), &value);
    Ok(())
}

#[test]
fn the_canonical_text() {
    let many: HashMap<&str, i32> = (0..3).map(|i| (["c b", "c", "ca"][i], 1)).collect();
    assert_eq!(line(&many), Ok(r#"{"c":1,"c b":1,"ca":1}"#.into()), "hash maps are sorted");
    let numbers = BTreeMap::from([(10, 'x'), (9, '"')]);
    assert_eq!(line(&numbers), Ok(r#"{"10":"x","9":"\""}"#.into()), "as text");
    let polygon = |sides| Shape::Polygon { sides, name: Some("é\n".into()) };
    for (value, expected) in [
        (Shape::Point, r#""Point""#),
        (Shape::Circle(1.0), r#"{"Circle":1.0}"#),
        (Shape::Square(1, 2), r#"{"Square":[1,2]}"#),
        (
            polygon(u128::MAX),
            r#"{"poly":{"sides":340282366920938463463374607431768211455,"name":"é\n"}}"#,
        ),
    ] {
        assert_eq!(line(&value), Ok(expected.into()));
        round(&value).unwrap();
    }
    let nested = (BTreeMap::from([("a", vec![(1, 2)]), ("b", vec![])]), Some(()).and(None::<u8>));
    let text = "[\n  {\n    \"a\": [\n      [\n        1,\n        2\n      ]\n    ],\n    \"b\": []\n  },\n  null\n]\n";
    assert_eq!(to_text(&nested).unwrap(), text);
    let json: JsonValue =
        r#"{"b":[1,-0,0.5,1e300,"x"],"a":null,"n":9007199254740992}"#.parse().unwrap();
    let expected = r#"{"a":null,"b":[1,-0.0,0.5,1e300,"x"],"n":9007199254740992}"#;
    assert_eq!(line(&json), Ok(expected.into()));
    assert_eq!(AsJson::<Json>::decode(expected.into()).unwrap().encode_binary().unwrap(), expected);
    assert_eq!(line(&serde_bytes()), Ok("[0,255]".into()));
}

fn serde_bytes() -> impl Serialize {
    struct Raw;
    impl Serialize for Raw {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(&[0, 255])
        }
    }
    Raw
}

/// What two people add to one map under one name, git may put there twice: neither is dropped.
#[test]
fn two_members_of_one_name_are_refused() {
    type Prices = AsJson<BTreeMap<String, Vec<HashMap<u8, i64>>>>;
    let read = |text: &'static str| Prices::decode(Bytes::from_static(text.as_bytes()));
    for (text, place) in [
        ("{\"tea\": [],\n \"tea\": []}", "two members have the name `tea` at line 2 column 6"),
        (r#"{"tea": [], "t\u0065a": []}"#, "two members have the name `tea` at line 1 column 22"),
        (r#"{"tea": [{"1": 2}, {"2": 1, "2": 1}]}"#, "two members have the name `2` at"),
    ] {
        let refused = read(text).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidValue);
        assert!(refused.to_string().contains(place), "{refused}");
    }
    assert!(read(r#"{"tea": [{"1": 2}, {"1": 2}], "1": [{"1": -2}]}"#).is_ok());
    assert_eq!(AsJson::<u128>::decode(format!("{}", u128::MAX).into()).unwrap().0, u128::MAX);
    let large = AsJson(BTreeMap::from([("n", u128::MAX)]));
    let text = to_text(&large.0).unwrap();
    assert_eq!(AsJson::<BTreeMap<String, u128>>::decode(text).unwrap().0["n"], u128::MAX);
}

#[test]
fn what_json_cannot_hold_is_refused_by_its_place() {
    let refused = |why: &str| Err(format!("the value has no JSON: {why}"));
    assert_eq!(line(&f64::NAN), refused("NaN is not a number there"));
    let deep = BTreeMap::from([("a", vec![(1, f32::INFINITY)])]);
    assert_eq!(line(&deep), refused("inf is not a number there at `a.0.1`"));
    assert_eq!(line(&Shape::Circle(f64::NAN)), refused("NaN is not a number there at `Circle`"));
    assert_eq!(line(&vec![Some(None::<u8>)]), refused("what is there would read as `None` at `0`"));
    let why = "a key is neither text nor a whole number";
    assert_eq!(line(&BTreeMap::from([((1, 2), 3)])), refused(why));
    assert_eq!(line(&BTreeMap::from([(None::<u8>, 3)])), refused(why));
    let twice: Vec<(String, u8)> = vec![("k".into(), 1), ("k".into(), 2)];
    struct Twice(Vec<(String, u8)>);
    impl Serialize for Twice {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map(self.0.iter().map(|(k, v)| (k, v)))
        }
    }
    assert_eq!(line(&Twice(twice)), refused("two entries have the key \"k\""));
    let nested = |n: usize| (0..n).fold(JsonValue::Null, |inner, _| JsonValue::Array(vec![inner]));
    assert!(line(&nested(127)).is_ok());
    assert_eq!(
        line(&nested(128)).unwrap_err().split(" at ").next(),
        refused("it has more than 127 levels").as_ref().err().map(String::as_str)
    );
    round(&nested(127)).unwrap();
    assert!(AsJson::<JsonValue>::decode(Bytes::from("[".repeat(1_000_000))).is_err());
    let refused = AsJson::<Vec<u8>>::decode("[1,\n 300]".into()).unwrap_err().to_string();
    let why = "invalid value: integer `300`, expected u8 at line 2 column 4";
    assert_eq!(refused, format!("the value does not fit its type: {why}"));
}

type Many = (
    BTreeMap<String, (f64, f32)>,
    Vec<Option<char>>,
    BTreeMap<i64, BTreeSet<u64>>,
    (i128, Option<bool>, String),
);

fn finite() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("finite", |x| x.is_finite())
}

prop_compose! {
    fn many()(
        floats in prop::collection::btree_map(".{0,4}", (finite(), any::<f32>().prop_filter("finite", |x| x.is_finite())), 0..4),
        chars in prop::collection::vec(any::<Option<char>>(), 0..4),
        sets in prop::collection::btree_map(any::<i64>(), prop::collection::btree_set(any::<u64>(), 0..3), 0..3),
        others in (any::<i128>(), any::<Option<bool>>(), ".{0,8}"),
    ) -> Many {
        (floats, chars, sets, others)
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(value in many()) {
        round(&value)?;
    }

    /// With clocks that go forward, a log is what OCaml Irmin's example of a custom merge makes of
    /// it: all entries, by time.
    #[test]
    fn logs_are_sorted_by_time(times in prop::collection::vec(any::<bool>(), 0..12), old in 0..4_usize) {
        let (mut base, mut ours, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
        for (time, mine) in times.iter().enumerate() {
            let entry = (time, if *mine { "ann" } else { "bob" });
            if time < old {
                base.push(entry);
            }
            if time < old || *mine {
                ours.push(entry);
            }
            if time < old || !*mine {
                theirs.push(entry);
            }
        }
        let mut all: Vec<_> = ours.iter().chain(theirs.iter().skip(base.len())).copied().collect();
        all.sort_unstable();
        prop_assert_eq!(Merge::log().apply(Some(&base), &ours, &theirs), Ok(all));
    }
}

/// A price, an amount and some labels; the limit is for people to agree on.
#[derive(Contents, Clone, PartialEq, Debug)]
#[irmin(type = "item")]
struct Item {
    #[irmin(merge = counter)]
    stock: i64,
    tags: BTreeSet<String>,
    #[irmin(merge = lww(priced_at))]
    price: f64,
    priced_at: u64,
    #[irmin(merge_with = agree)]
    limit: u8,
}

fn agree(_: Option<&u8>, ours: &u8, theirs: &u8) -> Result<u8, Reason> {
    if ours == theirs { Ok(*ours) } else { Err("ask the manager".into()) }
}

fn item(stock: i64, tags: &[&str], limit: u8) -> Item {
    let tags = tags.iter().map(ToString::to_string).collect();
    Item { stock, tags, price: 2.5, priced_at: 1, limit }
}

fn shop<T: Contents>(dir: &std::path::Path) -> Repo<T> {
    irmin_git::open_or_init(dir.join("shop.git")).unwrap().typed::<T>().unwrap()
}

#[test]
fn a_shop_in_a_git_repository() {
    let dir = tempfile::tempdir().unwrap();
    let main = shop::<Item>(dir.path()).main().unwrap();
    main.set("items/tea", item(10, &[], 0), "open").unwrap();
    let store = main.fork("store").unwrap();
    main.set("items/tea", item(13, &["green"], 0), "add three").unwrap();
    store.set("items/tea", item(9, &["organic"], 0), "sell one").unwrap();
    main.merge(&store, "join").unwrap().resolved().unwrap();
    let both = item(12, &["green", "organic"], 0);
    assert_eq!(main.get("items/tea").unwrap(), Some(both.clone()));

    // Both sides come back, and the branch stays where it is.
    store.merge(&main, "join").unwrap().resolved().unwrap();
    main.set("items/tea", Item { limit: 16, ..both.clone() }, "a limit").unwrap();
    store.set("items/tea", Item { limit: 18, ..both.clone() }, "another").unwrap();
    let head = main.head().unwrap().map(|commit| commit.id());
    let Merged::Conflicts(conflicts) = main.merge(&store, "join").unwrap() else {
        panic!("two limits are a conflict");
    };
    let [conflict] = conflicts.as_slice() else { panic!("one key") };
    assert_eq!(conflict.path.to_string(), "items/tea");
    assert_eq!(conflict.reason.as_str(), "limit: ask the manager");
    let side = |tree: &Option<irmin_core::Tree<Item>>| tree.as_ref().unwrap().value().unwrap();
    assert_eq!(side(&conflict.base), Some(both.clone()));
    assert_eq!(side(&conflict.ours).map(|item| item.limit), Some(16));
    assert_eq!(side(&conflict.theirs).map(|item| item.limit), Some(18));
    assert_eq!(main.head().unwrap().map(|commit| commit.id()), head);

    // A value that has no text is refused before anything is written, by its path.
    let refused = main.set("items/tea", Item { price: f64::NAN, ..both }, "no price").unwrap_err();
    assert_eq!(refused.code(), Code::InvalidValue);
    let why = "`items/tea`: the value has no JSON: NaN is not a number there at `price`";
    assert_eq!(refused.to_string(), why);
    assert_eq!(main.head().unwrap().map(|commit| commit.id()), head);
    if needs("git") {
        fsck(&dir.path().join("shop.git"));
    }
}

/// The easy way, on the same kind of store: equal changes are one, and a policy can say more.
#[test]
fn values_of_serde_and_a_policy() {
    type Counts = AsJson<BTreeMap<String, i64>>;
    let dir = tempfile::tempdir().unwrap();
    let counts = |n: i64| AsJson(BTreeMap::from([("reads".to_string(), n)]));
    let repo = shop::<Counts>(dir.path());
    let main = repo.main().unwrap();
    main.set("counts/a", counts(1).0, "begin").unwrap();
    let other = main.fork("other").unwrap();
    main.set("counts/a", counts(3), "two more").unwrap();
    other.set("counts/a", counts(2), "one more").unwrap();
    let refused = main.merge(&other, "join").unwrap().resolved().unwrap_err();
    assert_eq!(refused.to_string(), "conflict: `counts/a` (default)");
    let counting = Counts::merge_by(Merge::counter().map());
    let policies = Policies::new().with("counts/**".parse().unwrap(), counting);
    let main = repo.with_policies(policies).main().unwrap();
    main.merge(&other, "join").unwrap().resolved().unwrap();
    assert_eq!(main.get("counts/a").unwrap(), Some(counts(4)));
}

#[derive(Contents, Clone, PartialEq, Debug)]
#[irmin(type = "grown")]
struct Before {
    #[irmin(merge = counter)]
    count: i64,
}

/// The same type in a later version of the program.
#[derive(Contents, Clone, PartialEq, Debug)]
#[irmin(type = "grown")]
struct After {
    #[irmin(merge = counter)]
    count: i64,
    #[irmin(default)]
    label: String,
    limit: Option<u8>,
}

/// A program that lacks a field takes values with it whole or not at all, and the later one reads
/// those that lack it.
#[test]
fn versions_of_a_type_lose_nothing() {
    let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
    let bytes = Repo::new(backend, Context::new("ann", || 1)).unwrap();
    let before = bytes.typed::<Before>().unwrap().main().unwrap();
    let after = bytes.typed::<After>().unwrap().main().unwrap();
    before.set("a", Before { count: 1 }, "the old version").unwrap();
    let mut value = after.get("a").unwrap().unwrap();
    assert_eq!(value, After { count: 1, label: String::new(), limit: None });

    // What only one side changed is not looked at.
    let draft = after.fork("draft").unwrap();
    value.label = "new".into();
    draft.set("a", value.clone(), "a label").unwrap();
    before.set("b", Before { count: 5 }, "another key").unwrap();
    let old_draft = bytes.typed::<Before>().unwrap().branch("draft").unwrap();
    before.merge(&old_draft, "merge").unwrap().resolved().unwrap();
    assert_eq!(after.get("a").unwrap(), Some(value.clone()));
    let refused = before.get("a").unwrap_err();
    let unknown = "unknown field `label`, expected `count`";
    assert!(refused.to_string().contains(unknown), "{refused}");
    assert_eq!(refused.code(), Code::InvalidValue);

    // What both changed cannot be merged by a program that would drop a part of it.
    let counted = |count| After { count, ..value.clone() };
    draft.set("a", counted(3), "two more").unwrap();
    after.set("a", counted(2), "one more").unwrap();
    let head = after.head().unwrap().map(|commit| commit.id());
    let refused = before.merge(&old_draft, "merge").unwrap_err();
    assert!(refused.to_string().contains(unknown), "{refused}");
    assert!(refused.to_string().contains("`a`"), "{refused}");
    assert_eq!(after.head().unwrap().map(|commit| commit.id()), head);
    after.merge(&draft, "merge").unwrap().resolved().unwrap();
    assert_eq!(after.get("a").unwrap(), Some(counted(4)));
}

#[derive(Contents, Clone, PartialEq, Debug)]
struct Latest<T> {
    what: T,
}

fn typed<T: Contents>(store: Arc<dyn Backend>) -> Repo<T> {
    Repo::new(store, Context::new("ann", || 1)).unwrap().typed().unwrap()
}

/// The parameters of a type are in its recorded name: who has others does not merge its values.
#[test]
fn a_store_tells_the_parameters_of_its_type() {
    let dir = tempfile::tempdir().unwrap();
    let contents = Some(Latest::<u8>::TYPE.to_owned());
    let new = InitOptions { contents: contents.clone(), ..InitOptions::default() };
    let git = dir.path().join("git");
    drop(GitBackend::init(&git, &new, &Options::default()).unwrap());
    let recorded = Recorded { contents, policies: Vec::new() };
    let spec = FormatSpec { values: Latest::<u8>::VALUES, ..FormatSpec::native() };
    let new = FsInit { spec, recorded, ..FsInit::default() };
    let files = Arc::new(StdIo::create(dir.path().join("files")).unwrap());
    drop(FsBackend::init(files.clone(), &new, &FsOptions::default()).unwrap());
    let open_git = || Arc::new(GitBackend::open(&git, &Options::default()).unwrap()) as _;
    let open_files =
        || Arc::new(FsBackend::open(files.clone(), &FsOptions::default()).unwrap()) as _;
    let opens: [&dyn Fn() -> Arc<dyn Backend>; 2] = [&open_git, &open_files];
    for open in opens {
        let ours = typed::<Latest<u8>>(open());
        let main = ours.main().unwrap();
        main.set("a", Latest { what: 1 }, "base").unwrap();
        let draft = main.fork("draft").unwrap();
        draft.set("b", Latest { what: 2 }, "theirs").unwrap();
        main.set("c", Latest { what: 3 }, "ours").unwrap();
        // Each value could be read as one of these.
        let other = typed::<Latest<i64>>(open());
        let draft = other.branch("draft").unwrap();
        assert_eq!(draft.get("b").unwrap(), Some(Latest { what: 2 }));
        let refused = other.main().unwrap().merge(&draft, "merge").unwrap_err();
        assert_eq!(refused.code(), Code::Unsupported);
        let told = refused.to_string();
        assert!(told.contains("`latest<u8>`") && told.contains("`latest<i64>`"), "{told}");
        main.merge(&ours.branch("draft").unwrap(), "merge").unwrap().resolved().unwrap();
    }
}
