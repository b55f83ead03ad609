//! The text form: JSON as OCaml Irmin prints it, minified.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use serde_core::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_core::ser::{Serialize, Serializer};

use super::{Json, JsonValue, Members, Number};
use crate::error::{Code, Error, Result};

/// Reads one JSON value and nothing after it.
///
/// The parser bounds the depth ([`super::MAX_DEPTH`]) and allocates no more than it reads.
pub(super) fn parse(text: &[u8]) -> Result<JsonValue> {
    serde_json::from_slice(text).map_err(|e| {
        Error::new(Code::InvalidValue, format!("the value is not JSON: {e}")).with_source(e)
    })
}

impl<'de> Deserialize<'de> for JsonValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> core::result::Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> core::result::Result<Self, D::Error> {
        Json::try_from(JsonValue::deserialize(deserializer)?).map_err(serde_core::de::Error::custom)
    }
}

impl Serialize for JsonValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> core::result::Result<S::Ok, S::Error> {
        match self {
            JsonValue::Null => serializer.serialize_unit(),
            JsonValue::Bool(value) => serializer.serialize_bool(*value),
            JsonValue::String(text) => serializer.serialize_str(text),
            // A number of this type is the same with and without a fraction.
            JsonValue::Number(n) => match n.get().to_string().parse::<i64>() {
                Ok(whole) if whole != 0 || n.get().is_sign_positive() => {
                    serializer.serialize_i64(whole)
                }
                _ => serializer.serialize_f64(n.get()),
            },
            JsonValue::Object(members) => {
                serializer.collect_map(members.iter().map(|(name, value)| (name, value)))
            }
            JsonValue::Array(items) => serializer.collect_seq(items),
        }
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> core::result::Result<S::Ok, S::Error> {
        serializer.collect_map(self.members().iter().map(|(name, value)| (name, value)))
    }
}

/// What `serde_json` calls the only member of a number that it hands over as an object.
const NUMBER: &str = "$serde_json::private::Number";

/// A number that came as an object, which any part of a program can bring about: it turns on the
/// feature `arbitrary_precision`, for itself, and has it turned on for all.
fn number_of(members: &[(String, JsonValue)]) -> Option<f64> {
    let [(name, JsonValue::String(digits))] = members else { return None };
    let keeps_digits = || {
        let number = serde_json::from_str::<serde_json::Number>("1.10");
        number.is_ok_and(|number| number.to_string() == "1.10")
    };
    if name == NUMBER && keeps_digits() { digits.parse().ok() } else { None }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = JsonValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> core::result::Result<JsonValue, E> {
        Ok(JsonValue::Null)
    }

    fn visit_bool<E>(self, value: bool) -> core::result::Result<JsonValue, E> {
        Ok(JsonValue::Bool(value))
    }

    // Integers become the nearest double, as the original reads them.
    #[allow(clippy::cast_precision_loss)]
    fn visit_i64<E>(self, value: i64) -> core::result::Result<JsonValue, E> {
        Ok(JsonValue::Number(Number(value as f64)))
    }

    // As above.
    #[allow(clippy::cast_precision_loss)]
    fn visit_u64<E>(self, value: u64) -> core::result::Result<JsonValue, E> {
        Ok(JsonValue::Number(Number(value as f64)))
    }

    fn visit_f64<E: serde_core::de::Error>(self, value: f64) -> core::result::Result<JsonValue, E> {
        Number::new(value).map(JsonValue::Number).map_err(E::custom)
    }

    fn visit_str<E>(self, value: &str) -> core::result::Result<JsonValue, E> {
        Ok(JsonValue::String(String::from(value)))
    }

    fn visit_string<E>(self, value: String) -> core::result::Result<JsonValue, E> {
        Ok(JsonValue::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(
        self,
        mut access: A,
    ) -> core::result::Result<JsonValue, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(JsonValue::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(
        self,
        mut access: A,
    ) -> core::result::Result<JsonValue, A::Error> {
        let mut members = Members::new();
        while let Some(member) = access.next_entry::<String, JsonValue>()? {
            members.push(member);
        }
        match number_of(&members) {
            Some(number) => self.visit_f64(number),
            None => Ok(JsonValue::Object(members)),
        }
    }
}

/// Writes the minified text.
pub(super) fn write(value: &JsonValue, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match value {
        JsonValue::Null => f.write_str("null"),
        JsonValue::Bool(value) => write!(f, "{value}"),
        JsonValue::String(text) => write_string(text, f),
        JsonValue::Number(n) => write!(f, "{n}"),
        JsonValue::Object(members) => write_members(members, f),
        JsonValue::Array(items) => {
            f.write_char('[')?;
            for (i, item) in items.iter().enumerate() {
                f.write_str(if i == 0 { "" } else { "," })?;
                write(item, f)?;
            }
            f.write_char(']')
        }
    }
}

pub(super) fn write_members(
    members: &[(String, JsonValue)],
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    f.write_char('{')?;
    for (i, (name, value)) in members.iter().enumerate() {
        f.write_str(if i == 0 { "" } else { "," })?;
        write_string(name, f)?;
        f.write_char(':')?;
        write(value, f)?;
    }
    f.write_char('}')
}

/// Escapes what JSON demands and nothing else; of the short escapes the original uses `\n` alone.
pub(in super::super) fn write_string(text: &str, f: &mut impl fmt::Write) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\0'..='\x1f' => write!(f, "\\u{:04X}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

/// A number as C's `%.16g` prints it, which is what the original writes.
///
/// Where sixteen digits are those of another double, it is `%.17g`: the original then writes that
/// other number, and we do not lose data.
pub(super) fn number(value: f64) -> String {
    let short = general(value, 16);
    if short.parse() == Ok(value) { short } else { general(value, 17) }
}

/// C's `%.{digits}g`.
fn general(value: f64, digits: i32) -> String {
    let precision = usize::try_from(digits - 1).unwrap_or_default();
    let scientific = format!("{value:.precision$e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..digits).contains(&exponent) {
        let decimals = usize::try_from(digits - 1 - exponent).unwrap_or_default();
        return String::from(without_zeros(&format!("{value:.decimals$}")));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", without_zeros(mantissa), exponent.unsigned_abs())
}

/// A decimal without the zeros at its end, and without its point if nothing follows it.
fn without_zeros(decimal: &str) -> &str {
    if decimal.contains('.') {
        decimal.trim_end_matches('0').trim_end_matches('.')
    } else {
        decimal
    }
}

#[cfg(test)]
mod tests {
    use super::super::MAX_DEPTH;
    use super::*;

    #[test]
    fn numbers_are_printed_as_c_prints_them() {
        for (text, printed) in [
            ("1.0", "1"),
            ("-0", "-0"),
            ("0.1", "0.1"),
            ("100", "100"),
            ("1e15", "1000000000000000"),
            ("1e16", "1e+16"),
            ("1.5e300", "1.5e+300"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("-12.75", "-12.75"),
            ("1e100", "1e+100"),
            ("5e-324", "4.940656458412465e-324"),
            ("9007199254740993", "9007199254740992"),
            ("0.30000000000000004", "0.30000000000000004"),
            ("18446744073709551616", "1.8446744073709552e+19"),
        ] {
            let value: JsonValue = text.parse().unwrap();
            assert_eq!(value.to_string(), printed, "{text}");
        }
    }

    #[test]
    fn strings_are_escaped_as_little_as_possible() {
        let value = JsonValue::String("a\"\\/\n\t\u{1f}\u{7f}é\u{1f600}".into());
        let text = value.to_string();
        assert_eq!(text, "\"a\\\"\\\\/\\n\\u0009\\u001F\u{7f}é\u{1f600}\"");
        assert_eq!(text.parse::<JsonValue>().unwrap(), value);
    }

    #[test]
    fn objects_keep_their_order_and_their_duplicates() {
        let text = r#"{"b":1,"a":{"z":0,"y":[]},"b":2}"#;
        assert_eq!(text.parse::<JsonValue>().unwrap().to_string(), text);
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for bad in [
            "",
            "nul",
            "[1,]",
            "{\"a\":}",
            "1 2",
            "\"\u{1}\"",
            "1e999",
            "01",
            "0x1",
            "\"\\ud800\"",
            "NaN",
            "{1:2}",
            "'a'",
            "// c\n1",
        ] {
            let refused = bad.parse::<JsonValue>().unwrap_err();
            assert_eq!(refused.code(), Code::InvalidValue, "{bad}");
        }
        assert!(parse(b"\"\xff\"").is_err());
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(nested(MAX_DEPTH).parse::<JsonValue>().is_ok());
        assert!(nested(MAX_DEPTH + 1).parse::<JsonValue>().is_err());
        assert!("[".repeat(1_000_000).parse::<JsonValue>().is_err());
    }

    /// Nested objects are compared in the time that it takes to read them.
    #[test]
    fn deep_objects_are_compared_once() {
        let nested = |first: &str, last: &str, leaf: u8| -> JsonValue {
            let depth = MAX_DEPTH - 1;
            let (open, close) = (format!("{{{first}\"a\":"), format!("{last}}}"));
            format!("{}{leaf}{}", open.repeat(depth), close.repeat(depth)).parse().unwrap()
        };
        let (before, after) = (nested("\"b\":0,", "", 1), nested("", ",\"b\":0", 1));
        assert_eq!(before, after);
        assert_ne!(before, nested("", ",\"b\":0", 2));
        assert_ne!(nested("", "", 1), nested("", "", 2));
    }
}
