//! The serializer: canonical JSON.
//!
//! The writer of `serde_json` itself cannot be used: it writes NaN as `null`, keeps the order of hash maps,
//! and lets `Some(None)` become `None`.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Display, Write as _};

use serde_core::ser::{self, Serialize};

use super::super::json::{MAX_DEPTH, write_string};
use super::number;
use crate::error::{Code, Error, Result};

/// Where lines break.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Nowhere, and there are no spaces.
    Compact,
    /// After each member and element, with two spaces for each level.
    Lines,
}

/// Writes one value.
pub(super) fn write(value: &(impl Serialize + ?Sized), style: Style) -> Result<String> {
    value.serialize(Writer { style, depth: 0 }).map_err(|e| {
        let place = if e.place.is_empty() { String::new() } else { format!(" at `{}`", e.place) };
        Error::new(Code::InvalidValue, format!("the value has no JSON: {}{place}", e.why))
    })
}

/// Why a value has no JSON, and where in it.
#[derive(Debug)]
pub(super) struct Refused {
    why: String,
    place: String,
}

impl Refused {
    fn new(why: impl Into<String>) -> Self {
        Refused { why: why.into(), place: String::new() }
    }

    fn inside(mut self, outer: impl Display) -> Self {
        let dot = if self.place.is_empty() { "" } else { "." };
        self.place = format!("{outer}{dot}{}", self.place);
        self
    }
}

impl Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}
impl core::error::Error for Refused {}
impl ser::Error for Refused {
    fn custom<T: Display>(why: T) -> Self {
        Refused::new(why.to_string())
    }
}

type Written = core::result::Result<String, Refused>;
type Done = core::result::Result<(), Refused>;

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    // Writing to a string does not fail.
    let _ = write_string(text, &mut out);
    out
}

/// Writes values that are inside `depth` others.
#[derive(Clone, Copy)]
struct Writer {
    style: Style,
    depth: usize,
}

impl Writer {
    fn enter(self) -> core::result::Result<Writer, Refused> {
        if self.depth >= MAX_DEPTH {
            return Err(Refused::new(format!("it has more than {MAX_DEPTH} levels")));
        }
        Ok(Writer { depth: self.depth + 1, ..self })
    }

    fn list(self, variant: Option<&'static str>) -> core::result::Result<List, Refused> {
        let outer = if variant.is_some() { self.enter()? } else { self };
        let inner = outer.enter()?;
        Ok(List { writer: self, outer, inner, variant, items: Vec::new() })
    }

    /// Items between brackets; the writer is that of the brackets.
    fn brackets(self, [open, close]: [char; 2], items: &[String]) -> String {
        let mut out = String::new();
        out.push(open);
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            self.line(&mut out, self.depth + 1);
            out.push_str(item);
        }
        if !items.is_empty() {
            self.line(&mut out, self.depth);
        }
        out.push(close);
        out
    }

    fn line(self, out: &mut String, depth: usize) {
        if self.style == Style::Lines {
            out.push('\n');
            (0..depth).for_each(|_| out.push_str("  "));
        }
    }

    /// A member, by its quoted name.
    fn member(self, name: &str, value: &str) -> String {
        let space = if self.style == Style::Lines { " " } else { "" };
        format!("{name}:{space}{value}")
    }

    fn variant(self, name: &str, value: &str) -> String {
        self.brackets(['{', '}'], &[self.member(&quoted(name), value)])
    }
}

/// An array or object that is being written, inside a variant or not.
struct List {
    /// Of the variant, or of the list.
    writer: Writer,
    /// Of the list.
    outer: Writer,
    /// Of its items.
    inner: Writer,
    variant: Option<&'static str>,
    items: Vec<String>,
}

impl List {
    fn push(&mut self, value: &(impl Serialize + ?Sized)) -> Done {
        let index = self.items.len();
        self.items.push(value.serialize(self.inner).map_err(|e| e.inside(index))?);
        Ok(())
    }

    fn push_member(&mut self, name: &str, value: &(impl Serialize + ?Sized)) -> Done {
        let value = value.serialize(self.inner).map_err(|e| e.inside(name))?;
        self.items.push(self.inner.member(&quoted(name), &value));
        Ok(())
    }

    fn finish(self, brackets: [char; 2]) -> Written {
        let list = self.outer.brackets(brackets, &self.items);
        Ok(match self.variant {
            Some(name) => self.writer.variant(name, &list),
            None => list,
        })
    }
}

/// An object that is being written, whose members are sorted in the end.
struct Map {
    list: List,
    /// The key that waits for its value, quoted.
    key: String,
    entries: Vec<(String, String)>,
}

impl Map {
    /// The text in a quoted key, which orders them.
    fn text(key: &str) -> &str {
        key.trim_start_matches('"').strip_suffix('"').unwrap_or(key)
    }
}

impl ser::SerializeMap for Map {
    type Ok = String;
    type Error = Refused;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        let key = key.serialize(Writer { style: Style::Compact, depth: 0 })?;
        let whole = key.trim_start_matches('-').bytes().all(|b| b.is_ascii_digit());
        self.key = match key.as_str() {
            text if text.starts_with('"') => key,
            text if whole || matches!(text, "true" | "false") => format!("\"{text}\""),
            _ => return Err(Refused::new("a key is neither text nor a whole number")),
        };
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        let value = value.serialize(self.list.inner).map_err(|e| e.inside(Map::text(&self.key)))?;
        self.entries.push((core::mem::take(&mut self.key), value));
        Ok(())
    }

    fn end(mut self) -> Written {
        self.entries.sort_by(|a, b| Map::text(&a.0).cmp(Map::text(&b.0)));
        let twice = self.entries.iter().zip(self.entries.iter().skip(1)).find(|(a, b)| a.0 == b.0);
        if let Some(((key, _), _)) = twice {
            return Err(Refused::new(format!("two entries have the key {key}")));
        }
        let style = self.list.inner;
        self.list.items = self.entries.iter().map(|(k, v)| style.member(k, v)).collect();
        self.list.finish(['{', '}'])
    }
}

macro_rules! displayed {
    ($($method:ident: $type:ty,)*) => {
        $(fn $method(self, value: $type) -> Written {
            Ok(value.to_string())
        })*
    };
}

impl ser::Serializer for Writer {
    type Ok = String;
    type Error = Refused;
    type SerializeSeq = List;
    type SerializeTuple = List;
    type SerializeTupleStruct = List;
    type SerializeTupleVariant = List;
    type SerializeMap = Map;
    type SerializeStruct = List;
    type SerializeStructVariant = List;

    displayed! {
        serialize_bool: bool,
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_i128: i128,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_u128: u128,
    }

    fn serialize_f32(self, value: f32) -> Written {
        number::text(value).ok_or_else(|| Refused::new(format!("{value} is not a number there")))
    }

    fn serialize_f64(self, value: f64) -> Written {
        number::text(value).ok_or_else(|| Refused::new(format!("{value} is not a number there")))
    }

    fn serialize_char(self, value: char) -> Written {
        Ok(quoted(value.encode_utf8(&mut [0; 4])))
    }

    fn serialize_str(self, value: &str) -> Written {
        Ok(quoted(value))
    }

    fn serialize_bytes(self, value: &[u8]) -> Written {
        let mut list = self.list(None)?;
        value.iter().try_for_each(|byte| list.push(byte))?;
        list.finish(['[', ']'])
    }

    fn serialize_none(self) -> Written {
        Ok("null".into())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        let text = value.serialize(self)?;
        if text == "null" {
            return Err(Refused::new("what is there would read as `None`"));
        }
        Ok(text)
    }

    fn serialize_unit(self) -> Written {
        self.serialize_none()
    }

    fn serialize_unit_struct(self, _: &'static str) -> Written {
        self.serialize_none()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Written {
        Ok(quoted(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Written {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        let text = value.serialize(self.enter()?).map_err(|e| e.inside(variant))?;
        Ok(self.variant(variant, &text))
    }

    fn serialize_seq(self, _: Option<usize>) -> core::result::Result<List, Refused> {
        self.list(None)
    }

    fn serialize_tuple(self, _: usize) -> core::result::Result<List, Refused> {
        self.list(None)
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> core::result::Result<List, Refused> {
        self.list(None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> core::result::Result<List, Refused> {
        self.list(Some(variant))
    }

    fn serialize_map(self, _: Option<usize>) -> core::result::Result<Map, Refused> {
        Ok(Map { list: self.list(None)?, key: String::new(), entries: Vec::new() })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> core::result::Result<List, Refused> {
        self.list(None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> core::result::Result<List, Refused> {
        self.list(Some(variant))
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Written {
        let mut text = String::new();
        write!(text, "{value}").map_err(|_| Refused::new("its text cannot be made"))?;
        Ok(quoted(&text))
    }
}

macro_rules! elements {
    ($($trait:ident::$method:ident,)*) => {
        $(impl ser::$trait for List {
            type Ok = String;
            type Error = Refused;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                self.push(value)
            }

            fn end(self) -> Written {
                self.finish(['[', ']'])
            }
        })*
    };
}

elements! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
}

macro_rules! members {
    ($($trait:ident,)*) => {
        $(impl ser::$trait for List {
            type Ok = String;
            type Error = Refused;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Done {
                self.push_member(name, value)
            }

            fn end(self) -> Written {
                self.finish(['{', '}'])
            }
        })*
    };
}

members! {
    SerializeStruct,
    SerializeStructVariant,
}
