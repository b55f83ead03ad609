//! The binary form: what OCaml's generic serialiser makes of the types, and hashes.
//!
//! A list is its length and its elements, a pair its two parts, a string its length and its bytes,
//! a double its eight bytes (big-endian), a boolean 00 or FF, and a variant the index of its case
//! and its payload. Lengths and indices are LEB128 numbers. The encoding is read strictly: one
//! value has one encoding.
//!
//! Source: the `repr` library, `type_binary.ml` and `binary.ml`.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::{JsonValue, MAX_DEPTH, Members, Number};
use crate::error::{Code, Error, Result};

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

fn put_string(out: &mut Vec<u8>, text: &str) {
    put_length(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

fn put_length(out: &mut Vec<u8>, mut n: usize) {
    loop {
        let [low, ..] = n.to_le_bytes();
        n >>= 7;
        if n == 0 {
            return out.push(low & 0x7f);
        }
        out.push(low | 0x80);
    }
}

pub(super) fn decode(bytes: &[u8]) -> Result<JsonValue> {
    Reader::read(bytes, |reader| reader.value(MAX_DEPTH))
}

pub(super) fn decode_members(bytes: &[u8]) -> Result<Members> {
    Reader::read(bytes, |reader| reader.members(MAX_DEPTH))
}

struct Reader<'a> {
    whole: usize,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn read<T>(bytes: &'a [u8], f: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let mut reader = Reader { whole: bytes.len(), rest: bytes };
        let value = f(&mut reader)?;
        if reader.rest.is_empty() { Ok(value) } else { Err(reader.bad("bytes follow the value")) }
    }

    fn bad(&self, why: &str) -> Error {
        let at = self.whole.saturating_sub(self.rest.len());
        Error::new(Code::InvalidValue, format!("the value is not binary JSON: {why} at byte {at}"))
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or_else(|| self.bad("it ends"))?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk().ok_or_else(|| self.bad("it ends"))?;
        self.rest = rest;
        Ok(*head)
    }

    /// A length, in its shortest encoding. Nothing is allocated by it: what it announces has to
    /// come.
    fn length(&mut self) -> Result<usize> {
        let mut n = 0_usize;
        for shift in (0..usize::BITS).step_by(7) {
            let [byte] = self.array()?;
            let low = usize::from(byte & 0x7f);
            if low.leading_zeros() < shift || (byte == 0 && shift > 0) {
                return Err(self.bad("a length is too large, or longer than it need be"));
            }
            n |= low << shift;
            if byte & 0x80 == 0 {
                return Ok(n);
            }
        }
        Err(self.bad("a length is too large"))
    }

    fn string(&mut self) -> Result<String> {
        let length = self.length()?;
        let text = core::str::from_utf8(self.take(length)?);
        text.map(String::from).map_err(|_| self.bad("text that is not UTF-8 ends"))
    }

    /// A value that is inside `MAX_DEPTH - depth` others.
    fn value(&mut self, depth: usize) -> Result<JsonValue> {
        let [tag] = self.array()?;
        Ok(match tag {
            0 => JsonValue::Null,
            1 => match self.array()? {
                [0] => JsonValue::Bool(false),
                [0xff] => JsonValue::Bool(true),
                _ => return Err(self.bad("a boolean that is neither 00 nor FF ends")),
            },
            2 => JsonValue::String(self.string()?),
            3 => JsonValue::Number(Number::new(f64::from_be_bytes(self.array()?))?),
            4 => JsonValue::Object(self.members(depth)?),
            5 => {
                let inner = self.enter(depth)?;
                let n = self.length()?;
                let mut items = Vec::new();
                for _ in 0..n {
                    items.push(self.value(inner)?);
                }
                JsonValue::Array(items)
            }
            _ => return Err(self.bad("an unknown kind of value ends")),
        })
    }

    fn members(&mut self, depth: usize) -> Result<Members> {
        let inner = self.enter(depth)?;
        let n = self.length()?;
        let mut members = Vec::new();
        for _ in 0..n {
            members.push((self.string()?, self.value(inner)?));
        }
        Ok(members)
    }

    fn enter(&self, depth: usize) -> Result<usize> {
        depth.checked_sub(1).ok_or_else(|| self.bad("arrays and objects are nested too deep"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Contents, Json};
    use super::*;

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
