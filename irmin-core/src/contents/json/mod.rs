//! JSON values, with OCaml Irmin's two contents types: [`JsonValue`] and [`Json`], an object.
//!
//! They are what they are there, so that stores of both programs have equal hashes and merges:
//! - an object is a list of members that keeps its order, duplicates included; equality ignores
//!   the order;
//! - a number is a double: `1.0` and `1` are one value, and what a double cannot hold is rounded;
//! - git stores keep the minified text ([`Contents::encode`]), stores of the Irmin layout hash the
//!   binary form of the type ([`Contents::encode_binary`]);
//! - merges go member by member; merged objects come out in descending order of their keys.
//!
//! Text and bytes are read to a depth of [`MAX_DEPTH`] arrays and objects, and a value of more is not
//! written, since it could not be read back.

mod binary;
mod merge;
mod text;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;
use core::str::FromStr;

use bytes::Bytes;

use super::Contents;
use crate::error::{Code, Error, Result};
use crate::merge::Merge;
use crate::object::ValueEncoding;

pub(super) use text::write_string;

/// How deep arrays and objects may be nested.
pub const MAX_DEPTH: usize = 127;

/// A JSON number: a finite double.
///
/// ```
/// use irmin_core::contents::json::Number;
/// assert_eq!(Number::new(1.0)?.to_string(), "1");
/// assert!(Number::new(f64::NAN).is_err());
/// # Ok::<(), irmin_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Number(f64);

impl Number {
    /// A number.
    ///
    /// # Errors
    /// `invalid_value` for infinities and NaN, which JSON has no text for.
    pub fn new(value: f64) -> Result<Self> {
        if value.is_finite() {
            return Ok(Number(value));
        }
        Err(Error::new(Code::InvalidValue, format!("{value} is not a JSON number")))
    }

    /// The double.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl From<i32> for Number {
    fn from(value: i32) -> Self {
        Number(f64::from(value))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::number(self.0))
    }
}

/// The members of an object, in their order.
pub type Members = Vec<(String, JsonValue)>;

/// Any JSON value: OCaml Irmin's `Contents.Json_value`.
///
/// ```
/// use irmin_core::contents::json::JsonValue;
/// let value: JsonValue = r#"{"b": [1.0, null], "a": "é"}"#.parse()?;
/// assert_eq!(value.to_string(), r#"{"b":[1,null],"a":"é"}"#);
/// assert_eq!(value, r#"{"a":"\u00e9","b":[1,null]}"#.parse()?);
/// # Ok::<(), irmin_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub enum JsonValue {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Text.
    String(String),
    /// A number.
    Number(Number),
    /// An object.
    Object(Members),
    /// An array.
    Array(Vec<JsonValue>),
}

impl PartialEq for JsonValue {
    /// Equal as JSON: the order of members means nothing.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (JsonValue::Null, JsonValue::Null) => true,
            (JsonValue::Bool(a), JsonValue::Bool(b)) => a == b,
            (JsonValue::String(a), JsonValue::String(b)) => a == b,
            (JsonValue::Number(a), JsonValue::Number(b)) => a == b,
            (JsonValue::Array(a), JsonValue::Array(b)) => a == b,
            (JsonValue::Object(a), JsonValue::Object(b)) => same_members(a, b),
            _ => false,
        }
    }
}

fn same_members(a: &[(String, JsonValue)], b: &[(String, JsonValue)]) -> bool {
    // Each value is compared once: twice at each level would be for ever at a hundred levels.
    if a.len() != b.len() || a.iter().zip(b).all(|(a, b)| a.0 == b.0) {
        return a == b;
    }
    // Stable, so that duplicates are compared in their order.
    let sorted = |members| {
        let mut sorted: Vec<&(String, JsonValue)> = <[_]>::iter(members).collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        sorted
    };
    sorted(a) == sorted(b)
}

/// Refuses members that are deeper than they can be read, where `left` levels are left.
fn check_depth(members: &[(String, JsonValue)], left: usize) -> Result<()> {
    let left = left.checked_sub(1).ok_or_else(too_deep)?;
    members.iter().try_for_each(|member| member.1.check_depth(left))
}

fn too_deep() -> Error {
    let why = format!("the JSON value has more than {MAX_DEPTH} levels");
    Error::new(Code::InvalidValue, why)
}

impl JsonValue {
    /// Refuses a value of more than so many levels.
    ///
    /// # Errors
    /// `invalid_value`.
    pub(crate) fn check_depth(&self, left: usize) -> Result<()> {
        match self {
            JsonValue::Object(members) => check_depth(members, left),
            JsonValue::Array(items) => {
                let left = left.checked_sub(1).ok_or_else(too_deep)?;
                items.iter().try_for_each(|item| item.check_depth(left))
            }
            _ => Ok(()),
        }
    }

    /// The total order that OCaml's generic comparison gives the type: kinds in their order of
    /// declaration, then values. It tells duplicates of a key apart in merges.
    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (JsonValue::Bool(a), JsonValue::Bool(b)) => a.cmp(b),
            (JsonValue::String(a), JsonValue::String(b)) => a.cmp(b),
            (JsonValue::Number(a), JsonValue::Number(b)) => {
                a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal)
            }
            (JsonValue::Object(a), JsonValue::Object(b)) => {
                lexicographic(a, b, |a, b| a.0.cmp(&b.0).then_with(|| a.1.order(&b.1)))
            }
            (JsonValue::Array(a), JsonValue::Array(b)) => lexicographic(a, b, JsonValue::order),
            (a, b) => a.tag().cmp(&b.tag()),
        }
    }

    /// The index of the kind, in the binary form and in the order.
    fn tag(&self) -> u8 {
        match self {
            JsonValue::Null => 0,
            JsonValue::Bool(_) => 1,
            JsonValue::String(_) => 2,
            JsonValue::Number(_) => 3,
            JsonValue::Object(_) => 4,
            JsonValue::Array(_) => 5,
        }
    }
}

fn lexicographic<T>(a: &[T], b: &[T], order: impl Fn(&T, &T) -> Ordering) -> Ordering {
    let differ = a.iter().zip(b).map(|(a, b)| order(a, b)).find(|o| o.is_ne());
    differ.unwrap_or_else(|| a.len().cmp(&b.len()))
}

impl FromStr for JsonValue {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        text::parse(text.as_bytes())
    }
}

impl fmt::Display for JsonValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::write(self, f)
    }
}

impl Contents for JsonValue {
    const TYPE: &'static str = "json-value";
    const VALUES: ValueEncoding = ValueEncoding::Raw;

    fn encode(&self) -> Result<Bytes> {
        self.check_depth(MAX_DEPTH)?;
        Ok(Bytes::from(format!("{self}")))
    }

    fn decode(bytes: Bytes) -> Result<Self> {
        text::parse(&bytes)
    }

    fn encode_binary(&self) -> Result<Bytes> {
        self.check_depth(MAX_DEPTH)?;
        Ok(binary::encode(self))
    }

    fn decode_binary(bytes: Bytes) -> Result<Self> {
        binary::decode(&bytes)
    }

    /// Objects member by member, arrays as one value (equal changes are one), everything else
    /// where only one side changed.
    fn merge() -> Merge<Self> {
        Merge::new(Self::TYPE, merge::values)
    }
}

/// A JSON object: OCaml Irmin's `Contents.Json`.
///
/// ```
/// use irmin_core::contents::{Contents, json::Json};
/// let base: Json = r#"{"a":1}"#.parse()?;
/// let ours: Json = r#"{"a":1,"b":2}"#.parse()?;
/// let theirs: Json = r#"{"a":1,"c":3}"#.parse()?;
/// let merged = Json::merge().apply(Some(&base), &ours, &theirs).unwrap();
/// assert_eq!(merged.to_string(), r#"{"c":3,"b":2,"a":1}"#);
/// # Ok::<(), irmin_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Json(Members);

impl Json {
    /// An object with these members, in this order.
    #[must_use]
    pub fn new(members: Members) -> Self {
        Json(members)
    }

    /// The members, in their order.
    #[must_use]
    pub fn members(&self) -> &Members {
        &self.0
    }

    /// The members, to keep.
    #[must_use]
    pub fn into_members(self) -> Members {
        self.0
    }

    /// The first member with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&JsonValue> {
        self.0.iter().find(|member| member.0 == name).map(|member| &member.1)
    }
}

impl PartialEq for Json {
    /// Equal as JSON: the order of members means nothing.
    fn eq(&self, other: &Self) -> bool {
        same_members(&self.0, &other.0)
    }
}

impl From<Json> for JsonValue {
    fn from(object: Json) -> Self {
        JsonValue::Object(object.0)
    }
}

impl TryFrom<JsonValue> for Json {
    type Error = Error;
    fn try_from(value: JsonValue) -> Result<Self> {
        match value {
            JsonValue::Object(members) => Ok(Json(members)),
            _ => Err(Error::new(Code::InvalidValue, "the JSON value is not an object")),
        }
    }
}

impl FromStr for Json {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        text.parse::<JsonValue>()?.try_into()
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::write_members(&self.0, f)
    }
}

impl Contents for Json {
    const TYPE: &'static str = "json";
    const VALUES: ValueEncoding = ValueEncoding::Raw;

    fn encode(&self) -> Result<Bytes> {
        check_depth(&self.0, MAX_DEPTH)?;
        Ok(Bytes::from(format!("{self}")))
    }

    fn decode(bytes: Bytes) -> Result<Self> {
        text::parse(&bytes)?.try_into()
    }

    fn encode_binary(&self) -> Result<Bytes> {
        check_depth(&self.0, MAX_DEPTH)?;
        Ok(binary::encode_members(&self.0))
    }

    fn decode_binary(bytes: Bytes) -> Result<Self> {
        binary::decode_members(&bytes).map(Json)
    }

    /// Member by member, each as [`JsonValue`] merges.
    fn merge() -> Merge<Self> {
        Merge::new(Self::TYPE, merge::objects)
    }
}
