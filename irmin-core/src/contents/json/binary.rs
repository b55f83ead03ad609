//! The binary form: what OCaml's generic serialiser makes of the types, and hashes.
//!
//! A value is the index of its kind and its parts, as the primitives of `contents::binary` have them.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::super::binary::{Reader, put_length, put_string};
use super::{JsonValue, MAX_DEPTH, Members, Number};
use crate::error::Result;

pub(super) fn encode(value: &JsonValue) -> Bytes {
    let mut out = Vec::new();
    put_value(&mut out, value);
    Bytes::from(out)
}

pub(super) fn encode_members(members: &[(String, JsonValue)]) -> Bytes {
    let mut out = Vec::new();
    put_members(&mut out, members);
    Bytes::from(out)
}

fn put_value(out: &mut Vec<u8>, value: &JsonValue) {
    out.push(value.tag());
    match value {
        JsonValue::Null => {}
        JsonValue::Bool(value) => out.push(if *value { 0xff } else { 0 }),
        JsonValue::String(text) => put_string(out, text),
        JsonValue::Number(n) => out.extend(n.get().to_be_bytes()),
        JsonValue::Object(members) => put_members(out, members),
        JsonValue::Array(items) => {
            put_length(out, items.len());
            items.iter().for_each(|item| put_value(out, item));
        }
    }
}

fn put_members(out: &mut Vec<u8>, members: &[(String, JsonValue)]) {
    put_length(out, members.len());
    for (name, value) in members {
        put_string(out, name);
        put_value(out, value);
    }
}

pub(super) fn decode(bytes: &[u8]) -> Result<JsonValue> {
    Reader::read(bytes, "binary JSON", |reader| value(reader, MAX_DEPTH))
}

pub(super) fn decode_members(bytes: &[u8]) -> Result<Members> {
    Reader::read(bytes, "binary JSON", |reader| members(reader, MAX_DEPTH))
}

/// A value that is inside `MAX_DEPTH - depth` others.
fn value(from: &mut Reader<'_>, depth: usize) -> Result<JsonValue> {
    let [tag] = from.array()?;
    Ok(match tag {
        0 => JsonValue::Null,
        1 => JsonValue::Bool(from.bool()?),
        2 => JsonValue::String(from.string()?),
        3 => JsonValue::Number(Number::new(f64::from_be_bytes(from.array()?))?),
        4 => JsonValue::Object(members(from, depth)?),
        5 => {
            let inner = enter(from, depth)?;
            let mut items = Vec::new();
            for _ in 0..from.count()? {
                items.push(value(from, inner)?);
            }
            JsonValue::Array(items)
        }
        _ => return Err(from.bad("an unknown kind of value ends")),
    })
}

fn members(from: &mut Reader<'_>, depth: usize) -> Result<Members> {
    let inner = enter(from, depth)?;
    let mut members = Vec::new();
    for _ in 0..from.count()? {
        members.push((from.string()?, value(from, inner)?));
    }
    Ok(members)
}

fn enter(from: &Reader<'_>, depth: usize) -> Result<usize> {
    depth.checked_sub(1).ok_or_else(|| from.bad("arrays and objects are nested too deep"))
}

#[cfg(test)]
mod tests {
    use super::super::{Contents, Json};
    use super::*;
    use crate::error::Code;

    #[test]
    fn the_encoding_of_every_kind() {
        let text = r#"{"a":null,"b":[true,false],"é":"x","n":1,"o":{}}"#;
        let object: Json = text.parse().unwrap();
        let expected = b"\x05\
            \x01a\x00\
            \x01b\x05\x02\x01\xff\x01\x00\
            \x02\xc3\xa9\x02\x01x\
            \x01n\x03\x3f\xf0\0\0\0\0\0\0\
            \x01o\x04\x00";
        assert_eq!(object.encode_binary().unwrap(), expected.as_slice());
        assert_eq!(Json::decode_binary(object.encode_binary().unwrap()).unwrap(), object);
        let value = JsonValue::from(object);
        assert_eq!(value.encode_binary().unwrap(), [b"\x04", expected.as_slice()].concat());
        assert_eq!(JsonValue::decode_binary(value.encode_binary().unwrap()).unwrap(), value);
    }

    #[test]
    fn long_strings_have_long_lengths() {
        let value = JsonValue::String("x".repeat(300));
        assert!(value.encode_binary().unwrap().starts_with(b"\x02\xac\x02x"));
        assert_eq!(JsonValue::decode_binary(value.encode_binary().unwrap()).unwrap(), value);
    }

    #[test]
    fn only_canonical_bytes_are_read() {
        let nested = |n: usize| [b"\x05\x01".repeat(n), b"\x00".to_vec()].concat();
        assert!(decode(&nested(MAX_DEPTH)).is_ok());
        for bad in [
            b"".to_vec(),
            b"\x06".to_vec(),
            b"\x00\x00".to_vec(),
            b"\x01\x01".to_vec(),
            b"\x02\x02a".to_vec(),
            b"\x02\x81\x00a".to_vec(),
            b"\x02\x01\xff".to_vec(),
            b"\x03\x7f\xf0\0\0\0\0\0\0".to_vec(),
            b"\x05\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01".to_vec(),
            b"\x05\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01".to_vec(),
            nested(MAX_DEPTH + 1),
            nested(1_000_000),
        ] {
            assert_eq!(decode(&bad).unwrap_err().code(), Code::InvalidValue);
        }
    }
}
