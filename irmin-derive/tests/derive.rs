//! Derived types: their bytes, their merges, and what they refuse.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // test code

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use irmin_core::containers::{
    AddWinsSet, BlobLog, Counter, Event, LwwRegister, MergeMap, Queue, Text,
};
use irmin_core::{Bytes, Code, Contents, Reason};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;

fn text<C: Contents>(value: &C) -> String {
    String::from_utf8(value.encode().unwrap().to_vec()).unwrap()
}

fn read<C: Contents>(text: &str) -> Result<C, String> {
    C::decode(Bytes::copy_from_slice(text.as_bytes())).map_err(|e| {
        assert_eq!(e.code(), Code::InvalidValue);
        e.to_string()
    })
}

fn merge<C: Contents>(base: &C, ours: &C, theirs: &C) -> Result<C, String> {
    C::merge().apply(Some(base), ours, theirs).map_err(|reason| reason.to_string())
}

/// Both forms give the value back.
fn round<C: Contents>(value: &C) -> Result<(), TestCaseError> {
    let again = C::decode(value.encode().unwrap()).unwrap();
    prop_assert_eq!(&again, value);
    prop_assert_eq!(again.encode().unwrap(), value.encode().unwrap());
    let binary = value.encode_binary().unwrap();
    let again = C::decode_binary(binary.clone()).unwrap();
    prop_assert_eq!(&again, value);
    prop_assert_eq!(again.encode_binary().unwrap(), binary);
    Ok(())
}

/// One side, symmetry, idempotence.
fn laws<C: Contents>(base: &C, x: &C, y: &C) -> Result<(), TestCaseError> {
    let merge = C::merge();
    for base in [None, Some(base)] {
        prop_assert_eq!(merge.apply(base, x, y), merge.apply(base, y, x));
        if merge.is_idempotent() {
            prop_assert_eq!(merge.apply(base, x, x), Ok(x.clone()));
        }
    }
    prop_assert_eq!(merge.apply(Some(base), x, base), Ok(x.clone()));
    Ok(())
}

fn shortest(_: Option<&String>, ours: &String, theirs: &String) -> Result<String, Reason> {
    match ours.len().cmp(&theirs.len()) {
        std::cmp::Ordering::Less => Ok(ours.clone()),
        std::cmp::Ordering::Greater => Ok(theirs.clone()),
        std::cmp::Ordering::Equal if ours == theirs => Ok(ours.clone()),
        std::cmp::Ordering::Equal => Err("equally short".into()),
    }
}

#[derive(Contents, Clone, PartialEq, Debug, Default)]
#[irmin(type = "everything")]
struct Everything {
    #[irmin(merge = counter)]
    stock: i64,
    #[irmin(merge = counter)]
    small: u8,
    #[irmin(merge = set)]
    tags: BTreeSet<String>,
    #[irmin(merge = multiset)]
    votes: BTreeMap<String, i64>,
    #[irmin(merge = map(counter))]
    reads: BTreeMap<String, u32>,
    #[irmin(merge = option(text))]
    notes: Option<String>,
    #[irmin(merge = lww(priced_at))]
    price: f64,
    priced_at: u64,
    #[irmin(merge = log)]
    log: Vec<(u64, String)>,
    #[irmin(merge_with = shortest, rename = "type")]
    r#type: String,
    #[irmin(merge = nested)]
    size: Option<Size>,
    #[irmin(merge = idempotent)]
    list: Vec<f32>,
    plain: (bool, char),
}

#[derive(Contents, Clone, PartialEq, Debug, Default)]
struct Size {
    width: u8,
    height: u8,
}

fn sizes() -> impl Strategy<Value = Size> {
    (0..3_u8, 0..3_u8).prop_map(|(width, height)| Size { width, height })
}

prop_compose! {
    fn everything()(
        stock in -2..3_i64,
        small in 0..3_u8,
        tags in btree_set("[ab]", 0..3),
        votes in btree_map("[ab]", 1..3_i64, 0..3),
        reads in btree_map("[ab\"\n]", 0..3_u32, 0..3),
        notes in prop::option::of("([ab]\n){0,3}"),
        price in prop_oneof![Just(1.0), Just(2.5), -1e300..1e300_f64],
        priced_at in 0..4_u64,
        log in vec((0..3_u64, "[ab]"), 0..3),
        r#type in "[a-c]{0,3}",
        size in prop::option::of(sizes()),
        list in vec(any::<f32>().prop_filter("finite", |x| x.is_finite()), 0..3),
        plain in any::<(bool, char)>(),
    ) -> Everything {
        Everything {
            stock, small, tags, votes, reads, notes, price, priced_at, log, r#type, size, list,
            plain,
        }
    }
}

#[test]
fn the_text_is_readable_and_pinned() {
    let value = Everything {
        stock: 9_007_199_254_740_993,
        tags: ["b".into(), "a".into()].into(),
        votes: [("yes".into(), 2)].into(),
        price: 2.0,
        priced_at: 7,
        log: vec![(1, "é\t\"".into())],
        size: Some(Size { width: 1, height: 2 }),
        list: vec![0.1],
        plain: (true, 'x'),
        ..Everything::default()
    };
    let expected = r#"{
  "stock": 9007199254740993,
  "small": 0,
  "tags": [
    "a",
    "b"
  ],
  "votes": {
    "yes": 2
  },
  "reads": {},
  "notes": null,
  "price": 2.0,
  "priced_at": 7,
  "log": [
    [
      1,
      "é\u0009\""
    ]
  ],
  "type": "",
  "size": {
    "width": 1,
    "height": 2
  },
  "list": [
    0.1
  ],
  "plain": [
    true,
    "x"
  ]
}
"#;
    assert_eq!(text(&value), expected);
    assert_eq!(read::<Everything>(expected), Ok(value.clone()));
    let line = value.encode_binary().unwrap();
    assert!(line.starts_with(br#"{"stock":9007199254740993,"small":0,"tags":["a","b"],"votes""#));
    assert_eq!((Everything::TYPE, Size::TYPE), ("everything", "size"));
}

#[test]
fn each_field_merges_in_its_way() {
    let base = Everything {
        stock: 10,
        small: 5,
        tags: ["a".into(), "b".into()].into(),
        notes: Some("one\ntwo\nthree\n".into()),
        price: 1.0,
        priced_at: 10,
        log: vec![(1, "start".into())],
        r#type: "long".into(),
        size: Some(Size { width: 1, height: 1 }),
        ..Everything::default()
    };
    let ours = Everything {
        stock: 13,
        small: 7,
        tags: ["a".into(), "b".into(), "c".into()].into(),
        votes: [("yes".into(), 2)].into(),
        notes: Some("ONE\ntwo\nthree\n".into()),
        price: 3.0,
        priced_at: 30,
        log: vec![(1, "start".into()), (3, "ann".into())],
        r#type: "abc".into(),
        size: Some(Size { width: 2, height: 1 }),
        ..base.clone()
    };
    let theirs = Everything {
        stock: 9,
        small: 4,
        tags: ["a".into()].into(),
        votes: [("yes".into(), 1), ("no".into(), 1)].into(),
        reads: [("home".into(), 1)].into(),
        notes: Some("one\ntwo\nTHREE\n".into()),
        price: 2.0,
        priced_at: 20,
        log: vec![(1, "start".into()), (2, "bob".into())],
        r#type: "ab".into(),
        size: Some(Size { width: 1, height: 2 }),
        list: vec![1.5],
        ..base.clone()
    };
    let expected = Everything {
        stock: 12,
        small: 6,
        tags: ["a".into(), "c".into()].into(),
        votes: [("yes".into(), 3), ("no".into(), 1)].into(),
        reads: [("home".into(), 1)].into(),
        notes: Some("ONE\ntwo\nTHREE\n".into()),
        price: 3.0,
        priced_at: 30,
        log: vec![(1, "start".into()), (2, "bob".into()), (3, "ann".into())],
        r#type: "ab".into(),
        size: Some(Size { width: 2, height: 2 }),
        list: vec![1.5],
        plain: base.plain,
    };
    assert_eq!(merge(&base, &ours, &theirs), Ok(expected));
}

#[test]
fn all_conflicts_are_told_by_their_names() {
    let value = |r#type: &str, width, price| Everything {
        r#type: r#type.into(),
        size: Some(Size { width, height: 0 }),
        price,
        ..Everything::default()
    };
    let refused = merge(&value("", 0, 0.0), &value("a", 1, 1.0), &value("b", 2, 2.0));
    let expected =
        "price: lww: written at the same time; type: equally short; size: width: default";
    assert_eq!(refused, Err(expected.into()));
    // A counter that cannot hold the sum.
    let small = |small| Everything { small, ..Everything::default() };
    let refused = merge(&small(100), &small(200), &small(190));
    assert_eq!(refused, Err("small: counter: out of range".into()));
}

#[test]
fn what_does_not_fit_is_refused_by_field_and_place() {
    for (bad, why) in [
        (r#"{"width":1}"#, "missing field `height` at line 1 column 11"),
        (
            r#"{"width":1,"height":2,"depth":3}"#,
            "unknown field `depth`, expected `width` or `height` at line 1 column 29",
        ),
        (r#"{"width":1,"width":1}"#, "duplicate field `width` at line 1 column 18"),
        (
            "{\"width\":1,\n \"height\":300}",
            "field `height`: invalid value: integer `300`, expected u8 at line 2 column 13",
        ),
        (
            r#"{"width":"x"}"#,
            "field `width`: invalid type: string \"x\", expected u8 at line 1 column 12",
        ),
        ("[1,2]", "invalid type: sequence, expected an object for `Size` at line 1 column 1"),
        ("{} x", "missing field `width` at line 1 column 2"),
    ] {
        let expected = format!("type `size`: the value does not fit its type: {why}");
        assert_eq!(read::<Size>(bad), Err(expected), "{bad}");
    }
    let deep = text(&Everything::default()).replace("\"size\": null", r#""size": {"width": []}"#);
    let refused = read::<Everything>(&deep).unwrap_err();
    assert!(refused.contains("field `size`: field `width`: invalid type: sequence"), "{refused}");
    let refused = Everything { price: f64::NAN, ..Everything::default() }.encode().unwrap_err();
    assert_eq!(refused.to_string(), "the value has no JSON: NaN is not a number there at `price`");
}

#[derive(Contents, Clone, PartialEq, Debug)]
#[irmin(type = "state")]
enum State {
    Open,
    #[irmin(rename = "sent")]
    Shipped {
        at: u64,
        #[irmin(merge = counter)]
        parcels: i64,
    },
    Returned(#[irmin(merge = counter)] i64),
    Split(#[irmin(merge = counter)] i64, String),
    Empty {},
    None(),
}

fn states() -> impl Strategy<Value = State> {
    prop_oneof![
        Just(State::Open),
        (0..3_u64, 0..3_i64).prop_map(|(at, parcels)| State::Shipped { at, parcels }),
        (0..3_i64).prop_map(State::Returned),
        (0..3_i64, "[ab]").prop_map(|(n, text)| State::Split(n, text)),
        Just(State::Empty {}),
        Just(State::None()),
    ]
}

#[test]
fn variants() {
    let shipped = |at, parcels| State::Shipped { at, parcels };
    for (value, line) in [
        (State::Open, r#""Open""#),
        (shipped(1, 2), r#"{"sent":{"at":1,"parcels":2}}"#),
        (State::Returned(3), r#"{"Returned":3}"#),
        (State::Split(1, "x".into()), r#"{"Split":[1,"x"]}"#),
        (State::Empty {}, r#"{"Empty":{}}"#),
        (State::None(), r#"{"None":[]}"#),
    ] {
        assert_eq!(value.encode_binary().unwrap(), line);
        assert_eq!(read::<State>(line), Ok(value));
    }
    assert_eq!(merge(&shipped(1, 5), &shipped(1, 7), &shipped(2, 6)), Ok(shipped(2, 8)));
    assert_eq!(merge(&shipped(1, 5), &shipped(2, 5), &shipped(3, 5)), Err("at: default".into()));
    assert_eq!(merge(&State::Open, &shipped(1, 0), &State::Open), Ok(shipped(1, 0)));
    assert_eq!(merge(&State::Open, &shipped(1, 0), &State::Returned(1)), Err("default".into()));
    // Where the base is another variant, the fields have no base.
    let none = "at: default: add/add and no common ancestor".to_string();
    assert_eq!(merge(&State::Open, &shipped(1, 1), &shipped(2, 1)), Err(none));
    assert_eq!(
        merge(&State::Open, &State::Returned(1), &State::Returned(2)),
        Ok(State::Returned(3))
    );
    assert_eq!(
        State::merge().apply(None, &State::Open, &State::Empty {}),
        Err(Reason::NO_ANCESTOR)
    );
    assert_eq!(State::merge().apply(None, &State::Open, &State::Open), Ok(State::Open));
    for (bad, why) in [
        (r#""Closed""#, "unknown variant `Closed`"),
        (r#"{"Returned":"x"}"#, "field `Returned`: invalid type: string"),
        (r#"{"Split":[1]}"#, "invalid length 1, expected an array of 2 for variant `Split`"),
        (r#"{"Split":[1,"x",2]}"#, "trailing characters"),
        (r#"{"sent":{"at":1}}"#, "missing field `parcels`"),
        (r#"{"Open":1,"x":2}"#, "invalid type"),
        // Where it is, too.
        ("\n  \"Closed\"", "at line 2 column 10"),
        ("{\n\"Closed\": 1}", "at line 2 column 8"),
        (r#"{"sent":{"at":1,"by":2}}"#, "at line 1 column "),
    ] {
        let refused = read::<State>(bad).unwrap_err();
        assert!(refused.contains(why), "{bad}: {refused}");
    }
}

#[derive(Contents, Clone, PartialEq, Debug)]
struct Metres(#[irmin(merge = counter)] i64);

#[derive(Contents, Clone, PartialEq, Debug)]
struct Point(i64, #[irmin(merge = lww(0))] String);

#[derive(Contents, Clone, PartialEq, Debug)]
struct Nothing;

#[test]
fn structs_without_names() {
    assert_eq!(text(&Metres(5)), "5\n");
    assert_eq!(merge(&Metres(5), &Metres(6), &Metres(7)), Ok(Metres(8)));
    let point = |time, name: &str| Point(time, name.into());
    assert_eq!(point(1, "x").encode_binary().unwrap(), r#"[1,"x"]"#);
    let (base, ours, theirs) = (point(1, "a"), point(3, "b"), point(2, "c"));
    assert_eq!(merge(&base, &ours, &theirs), Ok(ours));
    assert_eq!((text(&Nothing), read::<Nothing>("null")), ("null\n".into(), Ok(Nothing)));
    assert!(Nothing::merge().is_idempotent() && !Metres::merge().is_idempotent());
}

#[derive(Contents, Clone, PartialEq, Debug)]
#[irmin(type = "list")]
struct List<T> {
    head: T,
    rest: Option<Box<List<T>>>,
}

#[derive(Contents, Clone, PartialEq, Debug)]
struct Grid<T, const N: usize, const WRAPS: bool> {
    cells: Vec<T>,
}

#[derive(Contents, Clone, PartialEq, Debug)]
#[irmin(type = "latest", merge = lww(at))]
struct Latest<T> {
    at: u64,
    what: T,
}

/// Stores record the name, so that nobody merges values of one type as those of another.
#[test]
fn names_tell_the_parameters() {
    assert_eq!(List::<u8>::TYPE, "list<u8>");
    assert_eq!(List::<String>::TYPE, "list<string>");
    assert_eq!(List::<List<Metres>>::TYPE, "list<list<metres>>");
    assert_eq!(List::<Option<(u8, BTreeMap<u8, ()>)>>::TYPE, "list<option<pair<u8,map<()>>>>");
    assert_eq!(Grid::<i64, 3, true>::TYPE, "grid<i64,3,1>");
    assert_eq!(List::<u8>::merge().name(), "list<u8>");
    assert_eq!(Latest::<f32>::merge().name(), "latest<f32>");
    assert_eq!((Folder::TYPE, Folder::merge().name()), ("folder", "folder"));
}

/// Types that hold each other.
#[derive(Contents, Clone, PartialEq, Debug, Default)]
struct Folder {
    files: BTreeMap<String, File>,
}

#[derive(Contents, Clone, PartialEq, Debug, Default)]
struct File {
    size: u32,
    inside: Option<Folder>,
}

#[test]
fn types_may_have_parameters_and_hold_themselves() {
    fn list<T>(a: T, b: T) -> List<T> {
        List { head: a, rest: Some(Box::new(List { head: b, rest: None })) }
    }
    assert_eq!(merge(&list(1, 1), &list(2, 1), &list(1, 3)), Ok(list(2, 3)));
    let counted = |a, b| list(Metres(a), Metres(b));
    assert_eq!(merge(&counted(1, 1), &counted(2, 2), &counted(3, 3)), Ok(counted(4, 4)));
    let idempotent = [
        List::<u8>::merge().is_idempotent(),
        List::<Metres>::merge().is_idempotent(),
        Folder::merge().is_idempotent(),
    ];
    assert_eq!(idempotent, [true, false, true]);
    let folder = |name: &str, size| Folder {
        files: [(
            "d".into(),
            File {
                size: 0,
                inside: Some(Folder { files: [(name.into(), File { size, inside: None })].into() }),
            },
        )]
        .into(),
    };
    let merged = merge(&Folder::default(), &folder("a", 1), &folder("b", 2)).unwrap();
    assert_eq!(merged.files["d"].inside.as_ref().unwrap().files.len(), 2);
    let refused = merge(&folder("a", 1), &folder("a", 2), &folder("a", 3));
    assert_eq!(refused, Err("files: inside: files: size: default".into()));
    let open = r#"{"files":{"x":{"size":0,"inside":"#;
    let deep = format!("{}null{}", open.repeat(10_000), "}}}".repeat(10_000));
    assert!(read::<Folder>(&deep).unwrap_err().contains("recursion limit"));
}

/// Wholes that merge as one.
#[derive(Contents, Clone, PartialEq, Debug)]
#[irmin(merge = lww(updated))]
struct Profile {
    name: String,
    updated: u64,
}

#[derive(Contents, Clone, PartialEq, Debug)]
#[irmin(merge_with = either)]
enum Light {
    On,
    Off,
    Broken,
}

fn either(_: Option<&Light>, ours: &Light, theirs: &Light) -> Result<Light, Reason> {
    match (ours, theirs) {
        (Light::Broken, _) | (_, Light::Broken) => Ok(Light::Broken),
        (a, b) if a == b => Ok(a.clone()),
        _ => Err("on and off".into()),
    }
}

#[test]
fn whole_types_can_have_a_merge() {
    let profile = |name: &str, updated| Profile { name: name.into(), updated };
    let merged = merge(&profile("a", 1), &profile("b", 3), &profile("c", 2));
    assert_eq!(merged, Ok(profile("b", 3)));
    assert_eq!(Profile::merge().name(), "profile");
    assert_eq!(merge(&Light::On, &Light::Off, &Light::Broken), Ok(Light::Broken));
    assert_eq!(merge(&Light::Broken, &Light::Off, &Light::On), Err("on and off".into()));
}

/// With impls of serde that are there already, and a field that is new.
#[derive(Contents, serde::Serialize, serde::Deserialize, Clone, PartialEq, Debug)]
#[irmin(type = "config", serde)]
struct Config {
    #[serde(rename = "max-age")]
    max_age: u32,
    #[serde(flatten)]
    #[irmin(merge = idempotent)]
    others: std::collections::HashMap<String, String>,
    #[irmin(merge = counter)]
    reloads: i64,
}

impl irmin_core::contents::Mergeable for Opaque {
    const NAME: &'static str = "opaque";

    fn merge() -> irmin_core::Merge<Self> {
        irmin_core::Merge::idempotent()
    }
}

#[derive(serde::Serialize, serde::Deserialize, Clone, PartialEq, Debug, Default)]
struct Opaque {
    x: u8,
}

#[derive(Contents, Clone, PartialEq, Debug)]
struct Grown {
    old: Opaque,
    #[irmin(default)]
    new: u8,
    also: Option<u8>,
}

#[test]
fn types_of_serde_and_fields_that_are_new() {
    let grown = Grown { old: Opaque { x: 1 }, new: 0, also: None };
    assert_eq!(read::<Grown>(r#"{"old":{"x":1}}"#), Ok(grown));
    let config = |reloads| Config {
        max_age: 5,
        others: [("b".into(), "x".into()), ("a".into(), "y".into())].into(),
        reloads,
    };
    // Flattened members make a map of the whole, and maps are sorted.
    let line = r#"{"a":"y","b":"x","max-age":5,"reloads":1}"#;
    assert_eq!(config(1).encode_binary().unwrap(), line);
    assert_eq!(read::<Config>(line), Ok(config(1)));
    assert_eq!(merge(&config(1), &config(2), &config(3)), Ok(config(4)));
}

prop_compose! {
    fn lists()(values in vec(0..3_u8, 1..4)) -> List<u8> {
        let mut list = None;
        for head in values {
            list = Some(Box::new(List { head, rest: list }));
        }
        *list.unwrap()
    }
}

proptest! {
    #[test]
    fn structs_keep_the_laws(base in everything(), x in everything(), y in everything()) {
        laws(&base, &x, &y)?;
        round(&x)?;
    }

    #[test]
    fn enums_keep_the_laws(base in states(), x in states(), y in states()) {
        laws(&base, &x, &y)?;
        round(&x)?;
    }

    #[test]
    fn lists_keep_the_laws(base in lists(), x in lists(), y in lists()) {
        laws(&base, &x, &y)?;
        round(&x)?;
    }

    /// Whatever is read is canonical from then on, and nothing panics.
    #[test]
    fn damaged_text_is_read_or_refused(
        value in everything(),
        state in states(),
        at: prop::sample::Index,
        to in prop_oneof![any::<u8>(), Just(b'0'), Just(b'"'), Just(b'}')],
    ) {
        fn damaged<C: Contents>(value: &C, at: &prop::sample::Index, to: u8) -> Result<(), TestCaseError> {
            let mut bytes = value.encode().unwrap().to_vec();
            let at = at.index(bytes.len());
            bytes[at] = to;
            if let Ok(read) = C::decode(bytes.into()) {
                round(&read)?;
            }
            Ok(())
        }
        damaged(&value, &at, to)?;
        damaged(&state, &at, to)?;
    }
}

/// Parameters have names of their own, also those that generated code might choose.
#[derive(Contents, Clone, PartialEq, Debug)]
enum Named<S, D, A> {
    Object { value: S, map: D, name: A },
    Array(A, D, S),
    One(A),
}

#[derive(Contents, Clone, PartialEq, Debug)]
struct Pair<A, S = i64>(A, S);

#[test]
fn parameters_may_have_any_name() {
    let named: [Named<u8, bool, Pair<String>>; 3] = [
        Named::Object { value: 1, map: true, name: Pair("x".into(), 2) },
        Named::Array(Pair("y".into(), 3), false, 4),
        Named::One(Pair("z".into(), 5)),
    ];
    for value in named {
        assert_eq!(read(&text(&value)), Ok(value));
    }
}

#[derive(Contents, Clone, PartialEq, Debug)]
struct Counts {
    #[irmin(merge = counter)]
    small: i8,
    #[irmin(merge = counter)]
    size: usize,
    #[irmin(merge = counter)]
    huge: u128,
    #[irmin(merge = counter)]
    balance: i128,
}

/// Whole numbers of any size count exactly: what comes out fits, or is a conflict.
#[test]
fn counters_of_any_size() {
    let counts = |small, size, huge, balance| Counts { small, size, huge, balance };
    let base = counts(-100, 5, u128::MAX - 1, i128::MIN);
    let ours = counts(100, 2, u128::MAX, i128::MAX);
    let theirs = counts(-128, 3, u128::MAX - 3, i128::MIN);
    assert_eq!(merge(&base, &ours, &theirs), Ok(counts(72, 0, u128::MAX - 2, i128::MAX)));
    assert_eq!(merge(&base, &theirs, &ours), merge(&base, &ours, &theirs));
    let theirs = counts(-28, 0, u128::MAX, 0);
    let refused =
        ["small", "size", "huge", "balance"].map(|name| format!("{name}: counter: out of range"));
    assert_eq!(merge(&base, &ours, &theirs), Err(refused.join("; ")));
}

#[derive(Contents, Clone, PartialEq, Debug, Default)]
struct Contained {
    count: Counter,
    title: Option<LwwRegister<String>>,
    log: BlobLog<i64>,
    tags: AddWinsSet<String>,
    visits: MergeMap<String, Counter>,
    text: Text,
    queue: Queue<(String, bool)>,
}

/// Containers are fields, in their own JSON.
#[test]
fn containers_are_fields() {
    let mut event = Event::new("test", 5);
    let mut value = Contained { count: Counter(i64::MIN), ..Contained::default() };
    value.title = Some(LwwRegister::write(None, "x".into(), &event));
    value.log.append(-7, &event);
    value.tags.add("a".into(), &mut event);
    value.visits.update("home".into(), |_| Ok(Counter(3))).unwrap();
    value.text.write("one\ntwo", &mut event);
    value.queue.push(("q".into(), true), &mut event);
    let binary = value.encode_binary().unwrap();
    let begin = r#"{"count":"-9223372036854775808","title":["x",5],"log":[[-7,5]],"tags":[["a",""#;
    assert!(binary.starts_with(begin.as_bytes()), "{binary:?}");
    assert_eq!(read(&text(&value)), Ok(value.clone()));
    let refused = read::<Contained>(&text(&value).replace("-7", "7.5")).unwrap_err();
    assert!(refused.contains("field `log`: `7.5` is not an integer"), "{refused}");

    let (mut ours, mut theirs) = (value.clone(), value.clone());
    ours.tags.remove(&"a".into());
    ours.count.0 += 1;
    theirs.tags.add("a".into(), &mut event);
    theirs.count.0 += 2;
    theirs.queue.pop();
    let merged = merge(&value, &ours, &theirs).unwrap();
    assert!(merged.tags.contains(&"a".into()) && merged.queue.is_empty());
    assert_eq!(merged.count.0, i64::MIN + 3);
    assert!(!Contained::merge().is_idempotent());
}
