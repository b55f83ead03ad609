//! As [`decoders`](crate::decoders), for values of types that programs make.

use std::collections::{BTreeMap, BTreeSet};

use irmin_core::contents::AsJson;
use irmin_core::contents::json::JsonValue;
use irmin_core::{Bytes, Code, Contents};

/// A derived type with something of everything.
#[derive(Contents, Clone, PartialEq, Debug)]
#[irmin(type = "sample")]
enum Sample {
    Nothing,
    One(Box<Sample>),
    Two(f64, f32),
    Many {
        number: u64,
        #[irmin(default)]
        texts: Vec<String>,
        set: Option<BTreeSet<i64>>,
        map: Option<BTreeMap<i8, Sample>>,
    },
}

/// What serde itself knows.
type Plain = (i128, Option<char>, BTreeMap<String, (f32, Option<JsonValue>)>);

/// Values as JSON: derived types, and those of serde.
#[must_use]
pub fn typed_value(data: &[u8]) -> bool {
    let derived = value::<Sample>(data);
    assert_ne!(derived, Some(false), "what is read can be written");
    // A JSON value may have a key twice, which is read and not written.
    let plain = value::<AsJson<Plain>>(data);
    derived == Some(true) || plain == Some(true)
}

/// Whether what was read can be written, if it was read.
fn value<C: Contents>(data: &[u8]) -> Option<bool> {
    let value = C::decode(Bytes::copy_from_slice(data)).ok()?;
    if let Err(e) = value.encode() {
        assert_eq!(e.code(), Code::InvalidValue);
        return Some(false);
    }
    for (encode, decode) in [
        (C::encode as fn(&C) -> _, C::decode as fn(Bytes) -> _),
        (C::encode_binary, C::decode_binary),
    ] {
        let bytes = encode(&value).expect("what is read can be written");
        let again: C = decode(bytes.clone()).expect("what is written can be read");
        assert_eq!(again, value);
        assert_eq!(encode(&again).ok(), Some(bytes), "one value, one encoding");
    }
    Some(true)
}
