//! What containers are made of: types with a binary and a JSON form.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt::Debug;

use crate::contents::binary::{Reader, put_length, put_string};
use crate::contents::json::JsonValue;
use crate::error::{Code, Error, Result};

/// A type that containers can hold: it has a name and two forms.
///
/// The binary form is that of OCaml Irmin's types, so that values of the original's containers
/// have its hashes; the JSON form is what people read in a git store. Implemented for `String`,
/// `i64`, `bool`, pairs, options, lists, and for the containers themselves, so that a map can hold
/// counters. The keys of sets and maps need a total order too.
///
/// # Contract
/// Both forms read back as the value, and one value has one binary form, of a byte or more.
/// Reading any bytes or JSON ends in bounded time, without a panic.
pub trait Element: Clone + PartialEq + Debug + Send + Sync + 'static {
    /// The name, which becomes part of those of containers: `register(string)`.
    const NAME: &'static str;

    /// Appends the binary form.
    fn to_binary(&self, out: &mut Vec<u8>);

    /// Reads the binary form.
    ///
    /// # Errors
    /// `invalid_value`: see [`Reader::bad`].
    fn from_binary(from: &mut Reader<'_>) -> Result<Self>;

    /// The JSON form.
    fn to_json(&self) -> JsonValue;

    /// Reads the JSON form.
    ///
    /// # Errors
    /// `invalid_value`: see [`not`].
    fn from_json(json: JsonValue) -> Result<Self>;
}

/// The error of a JSON value that is not what it should be.
#[must_use]
pub fn not(what: &str, json: &JsonValue) -> Error {
    let mut text = json.to_string();
    if text.len() > 60 {
        let end = (0..=57).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        text.truncate(end);
        text.push_str("...");
    }
    Error::new(Code::InvalidValue, format!("`{text}` is not {what}"))
}

/// The items of a JSON array.
pub(super) fn items(json: JsonValue, what: &str) -> Result<Vec<JsonValue>> {
    match json {
        JsonValue::Array(items) => Ok(items),
        other => Err(not(what, &other)),
    }
}

/// The items of a JSON array of a certain length.
pub(super) fn tuple<const N: usize>(json: JsonValue, what: &str) -> Result<[JsonValue; N]> {
    let items = items(json, what)?;
    items.try_into().map_err(|items| not(what, &JsonValue::Array(items)))
}

impl Element for String {
    const NAME: &'static str = "string";

    fn to_binary(&self, out: &mut Vec<u8>) {
        put_string(out, self);
    }

    fn from_binary(from: &mut Reader<'_>) -> Result<Self> {
        from.string()
    }

    fn to_json(&self) -> JsonValue {
        JsonValue::String(self.clone())
    }

    fn from_json(json: JsonValue) -> Result<Self> {
        match json {
            JsonValue::String(text) => Ok(text),
            other => Err(not("text", &other)),
        }
    }
}

/// A number in JSON where a double holds it, as most programs read JSON, and decimal text where
/// it does not.
impl Element for i64 {
    const NAME: &'static str = "int64";

    fn to_binary(&self, out: &mut Vec<u8>) {
        out.extend(self.to_be_bytes());
    }

    fn from_binary(from: &mut Reader<'_>) -> Result<Self> {
        Ok(i64::from_be_bytes(from.array()?))
    }

    fn to_json(&self) -> JsonValue {
        // Up to here every integer is a double, and prints with all its digits.
        let exact = self.unsigned_abs() <= 1 << 53;
        match self.to_string().parse() {
            Ok(number) if exact => number,
            _ => JsonValue::String(self.to_string()),
        }
    }

    fn from_json(json: JsonValue) -> Result<Self> {
        let text = match &json {
            JsonValue::Number(n) => n.to_string(),
            JsonValue::String(text) => text.clone(),
            _ => return Err(not("an integer", &json)),
        };
        text.parse().map_err(|_| not("an integer", &json))
    }
}

impl Element for bool {
    const NAME: &'static str = "bool";

    fn to_binary(&self, out: &mut Vec<u8>) {
        out.push(if *self { 0xff } else { 0 });
    }

    fn from_binary(from: &mut Reader<'_>) -> Result<Self> {
        from.bool()
    }

    fn to_json(&self) -> JsonValue {
        JsonValue::Bool(*self)
    }

    fn from_json(json: JsonValue) -> Result<Self> {
        match json {
            JsonValue::Bool(value) => Ok(value),
            other => Err(not("true or false", &other)),
        }
    }
}

/// A pair is its two parts; in JSON, an array of two.
impl<A: Element, B: Element> Element for (A, B) {
    const NAME: &'static str = const { &Name::of(&["(", A::NAME, ",", B::NAME, ")"]) }.as_str();

    fn to_binary(&self, out: &mut Vec<u8>) {
        self.0.to_binary(out);
        self.1.to_binary(out);
    }

    fn from_binary(from: &mut Reader<'_>) -> Result<Self> {
        Ok((A::from_binary(from)?, B::from_binary(from)?))
    }

    fn to_json(&self) -> JsonValue {
        JsonValue::Array([self.0.to_json(), self.1.to_json()].into())
    }

    fn from_json(json: JsonValue) -> Result<Self> {
        let [a, b] = tuple(json, "a pair")?;
        Ok((A::from_json(a)?, B::from_json(b)?))
    }
}

/// A value that may be absent; in JSON, an array of one or none.
impl<A: Element> Element for Option<A> {
    const NAME: &'static str = const { &Name::of(&["option(", A::NAME, ")"]) }.as_str();

    fn to_binary(&self, out: &mut Vec<u8>) {
        self.is_some().to_binary(out);
        self.iter().for_each(|value| value.to_binary(out));
    }

    fn from_binary(from: &mut Reader<'_>) -> Result<Self> {
        if from.bool()? { A::from_binary(from).map(Some) } else { Ok(None) }
    }

    fn to_json(&self) -> JsonValue {
        JsonValue::Array(self.iter().map(A::to_json).collect())
    }

    fn from_json(json: JsonValue) -> Result<Self> {
        let mut items = items(json, "an array of one or none")?;
        let value = items.pop().map(A::from_json).transpose()?;
        if items.is_empty() {
            Ok(value)
        } else {
            Err(not("the only item", &JsonValue::Array(items)))
        }
    }
}

/// A list is its length and its elements.
impl<A: Element> Element for Vec<A> {
    const NAME: &'static str = const { &Name::of(&["list(", A::NAME, ")"]) }.as_str();

    fn to_binary(&self, out: &mut Vec<u8>) {
        put_length(out, self.len());
        self.iter().for_each(|value| value.to_binary(out));
    }

    fn from_binary(from: &mut Reader<'_>) -> Result<Self> {
        let mut list = Vec::new();
        for _ in 0..from.count()? {
            list.push(A::from_binary(from)?);
        }
        Ok(list)
    }

    fn to_json(&self) -> JsonValue {
        JsonValue::Array(self.iter().map(A::to_json).collect())
    }

    fn from_json(json: JsonValue) -> Result<Self> {
        items(json, "a list")?.into_iter().map(A::from_json).collect()
    }
}

/// A name that is joined from others by the compiler.
pub(super) struct Name {
    bytes: [u8; 256],
    len: usize,
}

impl Name {
    #[allow(clippy::indexing_slicing, reason = "runs in the compiler: a bad index stops the build")]
    pub(super) const fn of(parts: &[&str]) -> Self {
        let mut name = Name { bytes: [0; 256], len: 0 };
        let mut i = 0;
        while i < parts.len() {
            let part = parts[i].as_bytes();
            let mut j = 0;
            while j < part.len() {
                name.bytes[name.len] = part[j];
                name.len += 1;
                j += 1;
            }
            i += 1;
        }
        name
    }

    pub(super) const fn as_str(&self) -> &str {
        match core::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(name) => name,
            // Texts joined are a text.
            Err(_) => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip<T: Element>(value: &T, json: &str, binary: &[u8]) {
        assert_eq!(value.to_json().to_string(), json);
        assert_eq!(T::from_json(json.parse().unwrap()).unwrap(), *value);
        let mut out = Vec::new();
        value.to_binary(&mut out);
        assert_eq!(out, binary);
        assert_eq!(Reader::read(binary, T::NAME, T::from_binary).unwrap(), *value);
        let short = binary.get(..binary.len() - 1).unwrap();
        assert!(Reader::read(short, T::NAME, T::from_binary).is_err());
    }

    #[test]
    fn every_type_has_two_forms() {
        round_trip(&String::from("hé"), r#""hé""#, b"\x03h\xc3\xa9");
        round_trip(&-2_i64, "-2", &[255, 255, 255, 255, 255, 255, 255, 254]);
        round_trip(&(1_i64 << 53), "9007199254740992", &[0, 32, 0, 0, 0, 0, 0, 0]);
        let large = r#""-9223372036854775808""#;
        round_trip(&i64::MIN, large, &[128, 0, 0, 0, 0, 0, 0, 0]);
        round_trip(&(true, false), "[true,false]", &[255, 0]);
        round_trip(&Some(true), "[true]", &[255, 255]);
        round_trip(&None::<bool>, "[]", &[0]);
        round_trip(&Vec::from([true, false]), "[true,false]", &[2, 255, 0]);
        assert_eq!(<Vec<(i64, Option<String>)>>::NAME, "list((int64,option(string)))");
    }

    #[test]
    fn what_is_something_else_is_refused() {
        let refused = |json: &str| i64::from_json(json.parse().unwrap()).unwrap_err().to_string();
        assert_eq!(refused("1.5"), "`1.5` is not an integer");
        assert_eq!(refused(r#""x""#), "`\"x\"` is not an integer");
        assert!(refused(&format!("{:?}", "é".repeat(100))).ends_with("...` is not an integer"));
        assert!(<(bool, bool)>::from_json("[true]".parse().unwrap()).is_err());
        assert!(<Option<bool>>::from_json("[true,false]".parse().unwrap()).is_err());
    }
}
