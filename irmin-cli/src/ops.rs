//! The operations of `apply`: JSON lines, one operation each.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use irmin_core::{Metadata, Path};
use serde_core::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::commands::export::today;

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// Sets a value.
    Set { path: Path, value: Vec<u8>, mode: Metadata },
    /// Removes a value or a directory.
    Remove { path: Path },
    /// Moves a value or a directory.
    Move { from: Path, to: Path },
    /// Requires a value, or the absence of one.
    Test { path: Path, value: Option<Vec<u8>> },
}

/// An operation and the line it stands on, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) number: usize,
    pub(crate) op: Op,
}

/// Reads operations, skipping empty lines.
///
/// # Errors
/// What is wrong with which line.
pub(crate) fn parse(text: &str) -> Result<Vec<Line>, String> {
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let number = index + 1;
        let op = parse_line(line).map_err(|why| format!("line {number}: {why}"))?;
        lines.push(Line { number, op });
    }
    Ok(lines)
}

fn parse_line(line: &str) -> Result<Op, String> {
    let mut fields = Fields(object(line.as_bytes(), "{\"op\":\"set\",…}")?);
    let name = fields.text("op")?;
    let op = match name.as_str() {
        "set" => Op::Set {
            path: fields.path("path")?,
            value: fields.value()?.ok_or("`value` is null: use the op `remove`")?,
            mode: fields.mode()?,
        },
        "remove" => Op::Remove { path: fields.path("path")? },
        "move" => Op::Move { from: fields.path("from")?, to: fields.path("to")? },
        "test" => Op::Test { path: fields.path("path")?, value: fields.value()? },
        _ => return Err(format!("unknown op `{name}`: one of set, remove, move, test")),
    };
    match fields.left() {
        Some(extra) => Err(format!("unknown field `{extra}` for the op `{name}`")),
        None => Ok(op),
    }
}

/// Reads a JSON object.
///
/// # Errors
/// What is wrong with it, with an example of what it should be; also that a member is there twice,
/// of which programs take one or the other.
pub(crate) fn object(text: &[u8], example: &str) -> Result<Map<String, Value>, String> {
    let begins = text.trim_ascii_start().first();
    serde_json::from_slice(text).map(|Once(members)| members).map_err(|e| match begins {
        Some(b'{') if e.is_data() => e.to_string(),
        _ if e.is_data() => format!("not a JSON object such as {example}"),
        _ => format!("not JSON: {e}"),
    })
}

/// An object whose members are there once.
struct Once(Map<String, Value>);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Once;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Once, A::Error> {
                let mut members = Map::new();
                while let Some(name) = from.next_key::<String>()? {
                    if members.contains_key(&name) {
                        return Err(A::Error::custom(format_args!("`{name}` is there twice")));
                    }
                    members.insert(name, from.next_value()?);
                }
                Ok(Once(members))
            }
        }
        from.deserialize_map(Members)
    }
}

/// The fields of an operation that are not read yet.
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// The fields of an object.
    pub(crate) fn new(object: Map<String, Value>) -> Self {
        Fields(object)
    }

    /// One that was not read, if there is any: a misspelt one is not one that was left out.
    pub(crate) fn left(&self) -> Option<&str> {
        self.0.keys().next().map(String::as_str)
    }

    /// A string.
    pub(crate) fn text(&mut self, name: &str) -> Result<String, String> {
        match self.0.shift_remove(name) {
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(format!("`{name}` is not a string")),
            None => Err(format!("`{name}` is missing")),
        }
    }

    /// Whether there is a member of this name that was not read.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A member, whatever it is.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.shift_remove(name)
    }

    /// A whole number.
    pub(crate) fn number(&mut self, name: &str) -> Result<i64, String> {
        let number = self.0.shift_remove(name).as_ref().and_then(Value::as_i64);
        number.ok_or_else(|| format!("`{name}` is not a whole number"))
    }

    /// Bytes: a string, or `{"base64":…}` for what is not UTF-8.
    pub(crate) fn bytes(&mut self, name: &str) -> Result<Vec<u8>, String> {
        match self.0.shift_remove(name) {
            Some(Value::String(text)) => Ok(text.into_bytes()),
            Some(Value::Object(object)) => {
                let mut inside = Fields(object);
                let text = inside.text("base64").map_err(|why| format!("`{name}`: {why}"))?;
                if let Some(extra) = inside.left() {
                    return Err(format!("`{name}`: unknown field `{extra}`"));
                }
                BASE64.decode(text).map_err(|e| format!("`{name}`: {e}"))
            }
            Some(_) => Err(format!("`{name}` is neither a string nor in Base64")),
            None => Err(format!("`{name}` is missing")),
        }
    }

    /// A path.
    pub(crate) fn path(&mut self, name: &str) -> Result<Path, String> {
        let text = self.text(name)?;
        Path::parse_quoted(&text).map_err(|e| format!("`{name}`: {e}"))
    }

    /// A value, as text or in Base64.
    pub(crate) fn value(&mut self) -> Result<Option<Vec<u8>>, String> {
        match (self.0.shift_remove("value"), self.0.shift_remove("base64")) {
            (Some(Value::String(text)), None) => Ok(Some(text.into_bytes())),
            (Some(Value::Null), None) => Ok(None),
            (Some(_), None) => Err("`value` is neither a string nor null".into()),
            (None, Some(Value::String(text))) => match BASE64.decode(text) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(e) => Err(format!("`base64`: {e}")),
            },
            (None, Some(_)) => Err("`base64` is not a string".into()),
            (Some(_), Some(_)) => Err("both `value` and `base64` are there".into()),
            (None, None) => Err("`value` (or `base64`) is missing".into()),
        }
    }

    /// A mode; the normal one if absent.
    pub(crate) fn mode(&mut self) -> Result<Metadata, String> {
        match self.0.shift_remove("mode") {
            None | Some(Value::Null) => Ok(Metadata::Normal),
            Some(Value::String(name)) => parse_mode(&name),
            Some(_) => Err("`mode` is not a string".into()),
        }
    }
}

/// The mode of a value by its name, or by git's number for it.
pub(crate) fn parse_mode(name: &str) -> Result<Metadata, String> {
    match name {
        "normal" | "100644" => Ok(Metadata::Normal),
        "exec" | "100755" => Ok(Metadata::Exec),
        "link" | "120000" => Ok(Metadata::Link),
        // What old programs wrote is told as it is, and written as git does today.
        _ if name.len() == 6 && name.starts_with("100") => match u32::from_str_radix(name, 8) {
            Ok(mode) => Ok(today(Metadata::Other(mode))),
            Err(_) => Err(format!("unknown mode `{name}`: not a number in octal digits")),
        },
        _ => Err(format!("unknown mode `{name}`: one of normal, exec, link")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    #[test]
    fn all_operations() {
        let text = r#"
            {"op":"set","path":"a/b","value":"text"}
            {"op":"set","path":"x","base64":"/w==","mode":"exec"}

            {"op":"remove","path":"/c/"}
            {"op":"move","from":"d","to":"e"}
            {"op":"test","path":"f","value":null}
            {"op":"test","path":"\"caf\\351\"","base64":""}
        "#;
        let lines = parse(text).unwrap();
        let numbers: Vec<_> = lines.iter().map(|line| line.number).collect();
        assert_eq!(numbers, [2, 3, 5, 6, 7, 8]);
        let ops: Vec<_> = lines.into_iter().map(|line| line.op).collect();
        let set =
            |p: &str, value: &[u8], mode| Op::Set { path: path(p), value: value.to_vec(), mode };
        let cafe = Path::new([b"caf\xe9".as_slice()]).unwrap();
        assert_eq!(
            ops,
            [
                set("a/b", b"text", Metadata::Normal),
                set("x", b"\xff", Metadata::Exec),
                Op::Remove { path: path("c") },
                Op::Move { from: path("d"), to: path("e") },
                Op::Test { path: path("f"), value: None },
                Op::Test { path: cafe, value: Some(Vec::new()) },
            ]
        );
    }

    #[test]
    fn modes_of_old() {
        for (name, mode) in [
            ("100644", Metadata::Normal),
            ("100664", Metadata::Normal),
            ("100600", Metadata::Normal),
            ("100755", Metadata::Exec),
            ("100775", Metadata::Exec),
        ] {
            assert_eq!(parse_mode(name), Ok(mode));
        }
        for name in ["100999", "1006", "040000", "100+64", ""] {
            assert!(parse_mode(name).is_err(), "{name}");
        }
    }

    #[test]
    fn lines_that_are_refused() {
        for (line, why) in [
            ("x", "line 1: not JSON"),
            ("[]", "line 1: not a JSON object"),
            ("{}", "`op` is missing"),
            (r#"{"op":1}"#, "`op` is not a string"),
            (r#"{"op":"put","path":"a"}"#, "unknown op `put`"),
            (r#"{"op":"set","path":"a"}"#, "`value` (or `base64`) is missing"),
            (r#"{"op":"set","path":"a","value":null}"#, "use the op `remove`"),
            (r#"{"op":"set","path":"a","value":1}"#, "neither a string nor null"),
            (r#"{"op":"set","path":"a","value":"","base64":""}"#, "both"),
            (r#"{"op":"set","path":"a","base64":"?"}"#, "`base64`"),
            (r#"{"op":"set","path":"a","value":"","mode":"rwx"}"#, "unknown mode `rwx`"),
            (r#"{"op":"set","path":"a","value":"","extra":1}"#, "unknown field `extra`"),
            (r#"{"op":"remove","path":"a","value":"x"}"#, "unknown field `value`"),
            (r#"{"op":"set","path":"\"a","value":""}"#, "`path`"),
            (r#"{"op":"move","from":"a"}"#, "`to` is missing"),
            ("\n\n{", "line 3: not JSON"),
            (r#"{"op":"remove","path":"a","path":"b"}"#, "line 1: `path` is there twice"),
        ] {
            let message = parse(line).unwrap_err();
            assert!(message.contains(why), "{line}: {message}");
        }
        let deep = "[".repeat(100_000);
        assert!(parse(&deep).is_err());
    }
}
