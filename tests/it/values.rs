//! Values: their encodings and merges, against the original's outputs and against laws.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fmt::Debug;

use irmin_core::contents::Contents;
use irmin_core::contents::json::{Json, JsonValue, MAX_DEPTH, Number};
use irmin_core::{Bytes, Code, Merge, Reason};
use irmin_tests::vectors;
use proptest::prelude::*;
use serde_json::Value;

type Outcome<T> = Result<Option<T>, Reason>;

/// A merge of the vectors: three sides that may be absent, as the original's merges of contents
/// take them, and what came out.
struct Case<T> {
    base: Option<T>,
    ours: Option<T>,
    theirs: Option<T>,
    expected: Result<Option<String>, String>,
}

fn cases<T>(kind: &str, read: impl Fn(&str) -> T) -> Vec<Case<T>> {
    let all = vectors::json("irmin-3.11.json");
    let side = |case: &Value, name: &str| case[name].as_str().map(&read);
    let cases = all["value_merges"][kind].as_array().unwrap();
    let case = |case: &Value| Case {
        base: side(case, "base"),
        ours: side(case, "ours"),
        theirs: side(case, "theirs"),
        expected: match case["result"].get("ok") {
            Some(value) => Ok(value.as_str().map(String::from)),
            None => Err(case["result"]["conflict"].as_str().unwrap().into()),
        },
    };
    cases.iter().map(case).collect()
}

/// Replays cases and returns those that differ: the original's reason and ours.
fn replay<T: Clone + PartialEq + Debug + 'static>(
    kind: &str,
    merge: &Merge<Option<T>>,
    read: impl Fn(&str) -> T,
    print: impl Fn(&T) -> String,
) -> Vec<(String, String)> {
    let cases = cases(kind, read);
    assert!(!cases.is_empty(), "{kind}");
    let mut different = Vec::new();
    for Case { base, ours, theirs, expected } in cases {
        let actual = merge.apply(Some(&base), &ours, &theirs);
        let actual = actual.map(|value| value.as_ref().map(&print)).map_err(|e| e.to_string());
        match (actual, expected) {
            (Err(actual), Err(expected)) if actual != expected => {
                different.push((expected, actual));
            }
            (actual, expected) => {
                assert_eq!(actual, expected, "{kind}: {base:?} {ours:?} {theirs:?}");
            }
        }
    }
    different
}

fn json<T: Contents>(text: &str) -> T {
    T::decode(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

fn text<T: Contents>(value: &T) -> String {
    String::from_utf8(value.encode().unwrap().to_vec()).unwrap()
}

#[test]
fn the_merges_of_the_original() {
    let mut kinds = Vec::new();
    let mut none = |kind: &str, different: Vec<(String, String)>| {
        assert_eq!(different, [], "{kind}");
        kinds.push(kind.to_string());
    };
    let kind = "Irmin.Contents.Json";
    none(kind, replay(kind, &Json::merge().option(), json, text));
    let kind = "Irmin.Contents.Json_value";
    none(kind, replay(kind, &JsonValue::merge().option(), json, text));
    let kind = "Merge.counter (int64)";
    let number = |text: &str| text.parse::<i64>().unwrap();
    none(kind, replay(kind, &Merge::counter().option(), number, i64::to_string));
    let kind = "Contents.String";
    none(kind, replay(kind, &Merge::<Option<String>>::idempotent(), str::to_owned, String::clone));

    let all = vectors::json("irmin-3.11.json");
    let mut expected: Vec<_> = all["value_merges"].as_object().unwrap().keys().collect();
    expected.sort();
    kinds.sort();
    assert_eq!(kinds.iter().collect::<Vec<_>>(), expected, "a type without a replay");
}

/// The original merges strings as one value that may be absent, so that all its conflicts read
/// `default`. Here the contents merge values, and `option` around them says which side is gone.
#[test]
fn reasons_of_string_conflicts_are_finer_here() {
    let different =
        replay("Contents.String", &String::merge().option(), str::to_owned, String::clone);
    let pair = |ours: &Reason| ("default".to_string(), ours.to_string());
    assert_eq!(different, [pair(&Reason::NO_ANCESTOR), pair(&Reason::ADD_DEL)]);
}

#[test]
fn the_table_of_default_and_idempotent() {
    let (default, idempotent) = (Merge::<u8>::default_(), Merge::<u8>::idempotent());
    assert!(!default.is_idempotent() && idempotent.is_idempotent());
    let none = Err(Reason::NO_ANCESTOR);
    let clash = Err(Reason::DEFAULT);
    for (base, ours, theirs, by_default, by_idempotent) in [
        (None, 1, 1, none.clone(), Ok(1)),
        (None, 1, 2, none.clone(), none),
        (Some(0), 0, 0, Ok(0), Ok(0)),
        (Some(0), 0, 1, Ok(1), Ok(1)),
        (Some(0), 1, 0, Ok(1), Ok(1)),
        (Some(0), 1, 1, clash.clone(), Ok(1)),
        (Some(0), 1, 2, clash.clone(), clash),
    ] {
        assert_eq!(default.apply(base.as_ref(), &ours, &theirs), by_default);
        assert_eq!(idempotent.apply(base.as_ref(), &ours, &theirs), by_idempotent);
    }
}

#[test]
fn the_table_of_option() {
    let merge = Merge::<u8>::default_().option();
    assert_eq!((merge.name(), merge.is_idempotent()), ("option(default)", false));
    for (base, ours, theirs, expected) in [
        (None, None, None, Ok(None)),
        (None, Some(1), None, Ok(Some(1))),
        (None, Some(1), Some(1), Err(Reason::NO_ANCESTOR)),
        (Some(None), None, Some(1), Ok(Some(1))),
        (Some(None), Some(1), Some(2), Err(Reason::NO_ANCESTOR)),
        (Some(Some(0)), None, None, Ok(None)),
        (Some(Some(0)), None, Some(0), Ok(None)),
        (Some(Some(0)), None, Some(1), Err(Reason::ADD_DEL)),
        (Some(Some(0)), Some(1), Some(2), Err(Reason::DEFAULT)),
        (Some(Some(0)), Some(0), Some(2), Ok(Some(2))),
    ] {
        assert_eq!(merge.apply(base.as_ref(), &ours, &theirs), expected, "{base:?}");
        assert_eq!(merge.apply(base.as_ref(), &theirs, &ours), expected, "{base:?}");
    }
}

#[test]
fn maps_go_key_by_key() {
    let merge = Merge::<u8>::default_().map::<&str>();
    let (one, two) = (BTreeMap::from([("a", 1)]), BTreeMap::from([("b", 2)]));
    let both = BTreeMap::from([("a", 1), ("b", 2)]);
    assert_eq!(merge.apply(None, &one, &two), Ok(both.clone()));
    assert_eq!(merge.apply(Some(&both), &one, &two), Ok(BTreeMap::new()));
    assert_eq!(merge.apply(None, &one, &one), Err(Reason::NO_ANCESTOR));
    // Of several conflicts the one of the last key is told.
    let ours = BTreeMap::from([("a", 5)]);
    let theirs = BTreeMap::from([("a", 6), ("b", 7)]);
    assert_eq!(merge.apply(Some(&both), &ours, &theirs), Err(Reason::ADD_DEL));
}

#[test]
fn bijections_and_rewritten_conflicts() {
    let merge = Merge::counter().like(|s: &String| s.parse().ok(), |n| Some(n.to_string()));
    let apply = |base: &str, ours: &str, theirs: &str| {
        merge.apply(Some(&base.into()), &ours.into(), &theirs.into())
    };
    assert_eq!(apply("5", "7", "6"), Ok("8".into()));
    assert_eq!(apply("x", "x", "y"), Ok("y".into()), "decided without a conversion");
    assert_eq!(apply("5", "x", "6"), Err(Reason::BIJECT));
    assert_eq!(apply("x", "5", "6"), Err(Reason::BIJECT));
    let loud = Merge::<u8>::default_().with_conflict(|reason| format!("{reason}!"));
    assert_eq!(loud.apply(Some(&0), &1, &2), Err(Reason::from("default!")));
}

/// The original compares an object as a list of members: in another order it has changed, so that
/// the members are merged, and come out sorted. A value of any kind has not changed by that.
#[test]
fn the_order_of_the_members_of_an_object_is_a_change() {
    fn merge<T: Contents>(ours: &str) -> String {
        let theirs = json(r#"{"a":1,"b":3}"#);
        let merged = T::merge().apply(Some(&json(r#"{"a":1,"b":2}"#)), &json(ours), &theirs);
        text::<T>(&merged.unwrap())
    }
    let (other_order, sorted) = (r#"{"b":2,"a":1}"#, r#"{"b":3,"a":1}"#);
    assert_eq!(merge::<Json>(other_order), sorted);
    assert_eq!(merge::<JsonValue>(other_order), r#"{"a":1,"b":3}"#);
    let base: Json = json(r#"{"a":1,"b":{"c":1,"d":2}}"#);
    let inside: Json = json(r#"{"a":1,"b":{"d":2,"c":1}}"#);
    let theirs: Json = json(r#"{"a":1,"b":{"c":1,"d":3}}"#);
    let merged = Json::merge().apply(Some(&base), &inside, &theirs).unwrap();
    assert_eq!(text(&merged), text(&theirs));
}

/// What could not be read again is refused before it is written, in both forms.
#[test]
fn what_is_nested_too_deep_to_be_read_is_not_written() {
    let nested = |levels| {
        (0..levels).fold(JsonValue::Null, |inner, level| match level % 2 {
            0 => JsonValue::Array(vec![JsonValue::Bool(true), inner]),
            _ => JsonValue::Object(vec![("a".into(), inner)]),
        })
    };
    let object = |levels| Json::new(vec![("a".into(), nested(levels))]);
    fn check<C: Contents>(deepest: &C, deeper: &C) {
        assert_eq!(C::decode(deepest.encode().unwrap()).unwrap(), *deepest);
        assert_eq!(C::decode_binary(deepest.encode_binary().unwrap()).unwrap(), *deepest);
        for refused in [deeper.encode(), deeper.encode_binary()] {
            let refused = refused.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidValue);
            assert_eq!(refused.to_string(), "the JSON value has more than 127 levels");
        }
    }
    check(&nested(MAX_DEPTH), &nested(MAX_DEPTH + 1));
    check(&object(MAX_DEPTH - 1), &object(MAX_DEPTH));
}

#[test]
fn json_kinds_do_not_mix_and_null_is_no_base() {
    let merge = |base: &str, ours: &str, theirs: &str| {
        let merged = JsonValue::merge().apply(Some(&json(base)), &json(ours), &json(theirs));
        merged.as_ref().map(text).map_err(ToString::to_string)
    };
    assert_eq!(merge("0", "1", "\"x\""), Err("Conflicting JSON datatypes".into()));
    assert_eq!(merge("\"x\"", "1", "2"), Err("Conflicting JSON datatypes".into()));
    assert_eq!(merge("null", "1", "2"), Err(Reason::NO_ANCESTOR.to_string()));
    assert_eq!(merge("null", r#"{"a":1}"#, r#"{"b":1}"#), Ok(r#"{"b":1,"a":1}"#.into()));
    assert_eq!(merge("[]", "[1]", "[1]"), Ok("[1]".into()));
    assert_eq!(merge("{}", r#"{"k":1,"k":2}"#, "{}"), Ok(r#"{"k":1,"k":2}"#.into()));
    let nested =
        merge(r#"{"o":{"x":1,"y":1}}"#, r#"{"o":{"y":2,"x":1}}"#, r#"{"o":{"x":3,"y":1}}"#);
    assert_eq!(nested, Ok(r#"{"o":{"y":2,"x":3}}"#.into()));
}

fn numbers() -> impl Strategy<Value = Number> {
    let finite = any::<f64>().prop_filter_map("finite", |x| Number::new(x).ok());
    prop_oneof![(-3..3_i32).prop_map(Number::from), finite]
}

pub(crate) fn json_values() -> impl Strategy<Value = JsonValue> {
    let leaf = prop_oneof![
        Just(JsonValue::Null),
        any::<bool>().prop_map(JsonValue::Bool),
        numbers().prop_map(JsonValue::Number),
        ".{0,8}".prop_map(JsonValue::String),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(JsonValue::Array),
            prop::collection::vec(("[abc\n]{1,2}", inner), 0..5).prop_map(JsonValue::Object),
        ]
    })
}

/// The laws of every merge of contents.
fn laws<C: Contents>(base: &C, x: &C, y: &C) -> Result<(), TestCaseError> {
    let merge = C::merge();
    prop_assert_eq!(merge.apply(Some(base), x, base), Ok(x.clone()));
    prop_assert_eq!(merge.apply(Some(base), base, y), Ok(y.clone()));
    prop_assert_eq!(merge.apply(Some(base), base, base), Ok(base.clone()));
    if merge.is_idempotent() {
        prop_assert_eq!(merge.apply(None, x, x), Ok(x.clone()));
        prop_assert_eq!(merge.apply(Some(base), x, x), Ok(x.clone()));
    }
    for base in [None, Some(base)] {
        prop_assert_eq!(merge.apply(base, x, y), merge.apply(base, y, x));
    }
    let merge = merge.option();
    let (base, x) = (Some(base.clone()), Some(x.clone()));
    prop_assert_eq!(merge.apply(Some(&base), &None, &base), Ok(None) as Outcome<C>);
    prop_assert_eq!(merge.apply(Some(&None), &None, &x), Ok(x.clone()));
    prop_assert_eq!(merge.apply(None, &x, &None), Ok(x));
    Ok(())
}

/// Both forms give the value back, order and all.
fn forms<C: Contents>(value: &C) -> Result<(), TestCaseError> {
    let read = C::decode(value.encode().unwrap()).unwrap();
    prop_assert_eq!(&read, value);
    prop_assert_eq!(read.encode().unwrap(), value.encode().unwrap());
    let read = C::decode_binary(value.encode_binary().unwrap()).unwrap();
    prop_assert_eq!(read.encode_binary().unwrap(), value.encode_binary().unwrap());
    prop_assert_eq!(&read, value);
    Ok(())
}

/// Whatever decodes is canonical from then on, and nothing panics.
fn hostile<C: Contents>(bytes: &Bytes) -> Result<(), TestCaseError> {
    if let Ok(value) = C::decode(bytes.clone()) {
        forms(&value)?;
    }
    if let Ok(value) = C::decode_binary(bytes.clone()) {
        prop_assert_eq!(&value.encode_binary().unwrap(), bytes, "one value, one encoding");
        forms(&value)?;
    }
    Ok(())
}

proptest! {
    #[test]
    fn laws_of_text(base in "[ab]{0,2}", x in "[ab]{0,2}", y in "[ab]{0,2}") {
        laws(&base, &x, &y)?;
        forms(&x)?;
    }

    #[test]
    fn laws_of_json_values(base in json_values(), x in json_values(), y in json_values()) {
        laws(&base, &x, &y)?;
        forms(&x)?;
    }

    #[test]
    fn laws_of_json(
        base in json_values().prop_filter_map("object", |v| Json::try_from(v).ok()),
        x in json_values().prop_filter_map("object", |v| Json::try_from(v).ok()),
        y in json_values().prop_filter_map("object", |v| Json::try_from(v).ok()),
    ) {
        laws(&base, &x, &y)?;
        forms(&x)?;
    }

    #[test]
    fn counters_count_everything(base: i64, x in prop::collection::vec(any::<i32>(), 2)) {
        let sides: Vec<i64> = x.iter().map(|x| base.wrapping_add(i64::from(*x))).collect();
        let sum = Merge::counter().apply(Some(&base), &sides[0], &sides[1]);
        let steps = i64::from(x[0]) + i64::from(x[1]);
        prop_assert_eq!(sum, Ok(base.wrapping_add(steps)));
    }

    #[test]
    fn text_from_outside(text in r#"[\[\]{},:"a0-9.eEtrufalsn\\ -]{0,24}"#) {
        hostile::<JsonValue>(&Bytes::from(text))?;
    }

    #[test]
    fn bytes_from_outside(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            prop::collection::vec(0_u8..7, 0..40),
        ],
    ) {
        let bytes = Bytes::from(bytes);
        hostile::<JsonValue>(&bytes)?;
        hostile::<Json>(&bytes)?;
        hostile::<String>(&bytes)?;
    }

    #[test]
    fn damaged_json(value in json_values(), at: prop::sample::Index, to: u8) {
        for encoded in [value.encode().unwrap(), value.encode_binary().unwrap()] {
            let mut bytes = encoded.to_vec();
            let at = at.index(bytes.len());
            bytes[at] = to;
            hostile::<JsonValue>(&Bytes::from(bytes))?;
        }
    }
}
