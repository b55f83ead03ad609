//! `irmin/config`: what a store says of itself.
//!
//! A directory of the original has none. It is lines of text, a word and a value each, in this
//! order: `format` (a preset), `hash`, `values` (`tagged` or `raw`), and where they are recorded
//! `contents` and any number of `policy` (its name, a space, and the pattern of its paths).

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::backend::Recorded;
use crate::error::{Code, Error, Result};
use crate::object::irmin::Params;
use crate::object::{FormatSpec, LayoutSpec, ValueEncoding};

/// The file.
pub(super) const FILE: &str = "irmin/config";
/// The longest one that is read, in bytes.
pub(super) const MAX: u64 = 1 << 20;

/// What is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) spec: FormatSpec,
    pub(super) recorded: Recorded,
}

/// The name of a layout, if a store of files can have it.
fn layout_name(layout: &LayoutSpec) -> Result<&'static str> {
    match layout {
        LayoutSpec::Irmin(Params::MEM) => Ok("irmin-mem"),
        LayoutSpec::Irmin(Params::PACK) => Ok("irmin-pack"),
        LayoutSpec::Irmin(Params::NATIVE) => Ok("native"),
        _ => {
            let why = "a store of files has one of the formats irmin-mem, irmin-pack and native";
            Err(Error::new(Code::Unsupported, why))
        }
    }
}

impl Record {
    /// What to write.
    ///
    /// # Errors
    /// `unsupported` for a format that a store of files cannot have, `invalid_argument` for a name
    /// of more than a line.
    pub(super) fn encode(&self) -> Result<String> {
        let values = match self.spec.values {
            ValueEncoding::Tagged => "tagged",
            ValueEncoding::Raw => "raw",
        };
        let (layout, hash) = (layout_name(&self.spec.layout)?, self.spec.hash);
        if hash.len() < 2 {
            let why = "a store of files needs hashes of two bytes or more: one names a directory";
            return Err(Error::new(Code::Unsupported, why));
        }
        let mut text = format!("format {layout}\nhash {hash}\nvalues {values}\n");
        if let Some(contents) = &self.recorded.contents {
            text.push_str(&format!("contents {contents}\n"));
        }
        for (pattern, name) in &self.recorded.policies {
            text.push_str(&format!("policy {name} {pattern}\n"));
        }
        if Record::decode(&text)? == *self {
            return Ok(text);
        }
        Err(Error::new(Code::InvalidArgument, "a type or policy has a name that is no word"))
    }

    /// What was written.
    ///
    /// # Errors
    /// `corrupt_store` with the line that is not understood.
    pub(super) fn decode(text: &str) -> Result<Record> {
        let bad = |line: &str, why: &str| {
            let line: String = line.chars().take(80).collect();
            let why = format!("{FILE}: `{}` {why}", line.escape_debug());
            Error::new(Code::CorruptStore, why)
        };
        let body = text.strip_suffix('\n').ok_or_else(|| bad(text, "does not end its line"))?;
        let mut lines = body.split('\n');
        let mut required = |word: &str| {
            let line = lines.next().unwrap_or_default();
            let value = line.split_once(' ').filter(|(first, _)| *first == word);
            value
                .map(|(_, value)| (line, value))
                .ok_or_else(|| bad(line, &format!("is where `{word}` should be")))
        };
        let (line, layout) = required("format")?;
        let mut spec = match layout.parse::<FormatSpec>() {
            Ok(spec) if layout_name(&spec.layout).is_ok() => spec,
            _ => return Err(bad(line, "is no format of a store of files")),
        };
        let (line, hash) = required("hash")?;
        spec.hash = hash.parse().map_err(|_| bad(line, "is no hash function"))?;
        if spec.hash.to_string() != hash || spec.hash.len() < 2 {
            return Err(bad(line, "is no hash function of a store of files"));
        }
        let (line, values) = required("values")?;
        spec.values = match values {
            "tagged" => ValueEncoding::Tagged,
            "raw" => ValueEncoding::Raw,
            _ => return Err(bad(line, "is neither `tagged` nor `raw`")),
        };
        let mut recorded = Recorded { contents: None, policies: Vec::new() };
        for line in lines {
            let first = recorded.contents.is_none() && recorded.policies.is_empty();
            match line.split_once(' ') {
                Some(("contents", name)) if first && !name.is_empty() => {
                    recorded.contents = Some(name.into());
                }
                Some(("policy", rest)) => {
                    let (name, pattern) =
                        rest.split_once(' ').ok_or_else(|| bad(line, "has no pattern"))?;
                    recorded.policies.push((pattern.into(), name.into()));
                }
                // A program that does not know what a store asks for must not write it.
                _ => return Err(bad(line, "is not known to this program")),
            }
        }
        Ok(Record { spec, recorded })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::HashFunction;

    #[test]
    fn records_are_read_as_they_are_written() {
        for preset in ["irmin-mem", "irmin-pack", "native"] {
            let mut spec: FormatSpec = preset.parse().unwrap();
            spec.hash = HashFunction::Blake2s(20);
            let policies = Vec::from([("a b/**".into(), "counter".into())]);
            let recorded = Recorded { contents: Some("json".into()), policies };
            for recorded in [Recorded::default(), recorded] {
                let record = Record { spec, recorded };
                let text = record.encode().unwrap();
                assert_eq!(Record::decode(&text).unwrap(), record, "{text}");
                for end in 0..text.len() {
                    let cut = &text[..end];
                    if let Ok(record) = Record::decode(cut) {
                        assert_eq!(record.encode().unwrap(), cut);
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let good = "format irmin-mem\nhash blake2b\nvalues tagged\n";
        assert_eq!(Record::decode(good).unwrap().spec, FormatSpec::irmin_mem());
        for (from, to) in [
            ("irmin-mem", "git"),
            ("irmin-mem", "other"),
            ("blake2b", "blake2b/64"),
            ("blake2b", "blake2b/1"),
            ("blake2b", "md5"),
            ("tagged", "Raw"),
            ("values tagged\n", ""),
            ("values tagged\n", "values tagged"),
            ("tagged\n", "tagged\ncompress zstd\n"),
            ("tagged\n", "tagged\ncontents \n"),
            ("tagged\n", "tagged\npolicy counter\n"),
            ("tagged\n", "tagged\npolicy p a\ncontents json\n"),
        ] {
            let error = Record::decode(&good.replace(from, to)).unwrap_err();
            assert_eq!(error.code(), Code::CorruptStore, "{from} {to}");
        }
        let spec = FormatSpec::git();
        let record = Record { spec, recorded: Recorded::default() };
        assert_eq!(record.encode().unwrap_err().code(), Code::Unsupported);
        let spec = FormatSpec { hash: HashFunction::Blake2b(1), ..FormatSpec::irmin_mem() };
        let record = Record { spec, recorded: Recorded::default() };
        assert_eq!(record.encode().unwrap_err().code(), Code::Unsupported);
        let recorded = Recorded { contents: Some("a\nb".into()), policies: Vec::new() };
        let record = Record { spec: FormatSpec::irmin_mem(), recorded };
        assert!(record.encode().is_err());
    }
}
