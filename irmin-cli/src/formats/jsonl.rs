//! One tree as JSON lines: a line for each key, as `irmin tree --json` prints it.
//!
//! What is exported begins with a line that names the commit and the hash of the tree, and ends
//! with one that counts the keys, so that what was cut is noticed. Both may be left out together.

use std::io::{BufRead, Read as _};

use irmin_core::{
    Bytes, Code, Commit, Contents, Error, KindedHash, Metadata, Path, Staged, Tree, TreeKind,
};
use serde_json::{Map, Value, json};

use super::{Sink, Tally};
use crate::commands::export::leaves;
use crate::exit::Outcome;
use crate::ops::{Fields, object};
use crate::output::{mode_name, put_value};
use crate::progress::Progress;

/// The version of the form that the first line names.
pub(crate) const VERSION: u64 = 1;

/// Writes a tree; the answer is how many keys there are, and what is no value.
pub(crate) fn export<C: Contents>(
    commit: &Commit<C>,
    tree: &Tree<C>,
    sink: &mut Sink,
    progress: &mut Progress,
) -> Outcome<(u64, Vec<String>)> {
    let hash = match tree.hash()? {
        KindedHash::Node(id) => id.to_string(),
        KindedHash::Value(id, _) => id.to_string(),
    };
    let head = json!({"irmin": VERSION, "commit": commit.id().to_string(), "tree": hash});
    sink.put(format!("{head}\n").as_bytes())?;
    let (mut keys, mut skipped) = (0_u64, Vec::new());
    leaves(tree, |path, leaf| {
        progress.step();
        let (TreeKind::Value(metadata), Some(value)) = (leaf.root_kind(), leaf.value()?) else {
            skipped.push(path.to_string());
            return Ok(());
        };
        keys += 1;
        sink.put(key_line(path, &value.encode()?, metadata).as_bytes())
    })?;
    sink.put(format!("{}\n", json!({"keys": keys})).as_bytes())?;
    Ok((keys, skipped))
}

/// The line of a key.
pub(crate) fn key_line(path: &Path, value: &[u8], mode: Metadata) -> String {
    let mut line = Map::new();
    line.insert("path".into(), path.to_string().into());
    put_value(&mut line, value);
    line.insert("mode".into(), mode_name(mode).into());
    format!("{}\n", Value::Object(line))
}

/// The longest line, for values of so many bytes.
pub(crate) const fn longest(limit: usize) -> usize {
    // A byte may take six to be escaped.
    limit.saturating_mul(6).saturating_add(1 << 20)
}

/// Sets what the lines say, below a prefix.
pub(crate) fn import<C: Contents>(
    input: &mut dyn BufRead,
    limit: usize,
    prefix: &Path,
    staged: &mut Staged<'_, C>,
    progress: &mut Progress,
) -> irmin_core::Result<Tally> {
    read(input, limit, &mut |path, bytes, mode| {
        staged.set(prefix.join(&path), &C::decode(Bytes::from(bytes))?, mode)?;
        progress.step();
        Ok(())
    })
}

/// Calls `set` for each key that the lines say.
///
/// # Errors
/// `invalid_value` for what is not of the form, naming the line, `payload_too_large`, `io`, and
/// those of `set`, with the line.
pub(crate) fn read(
    input: &mut dyn BufRead,
    limit: usize,
    set: &mut dyn FnMut(Path, Vec<u8>, Metadata) -> irmin_core::Result<()>,
) -> irmin_core::Result<Tally> {
    let most = longest(limit);
    let mut tally = Tally::default();
    let mut told = false;
    let mut number = 0_u64;
    let wrong = |number: u64, why: &str| {
        Error::new(Code::InvalidValue, format!("line {number} of the stream: {why}"))
    };
    while let Some(line) = next_line(input, most)? {
        number += 1;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if told {
            return Err(wrong(number, "there is more after the end"));
        }
        let object = object(&line, "{\"path\":…,\"value\":…}").map_err(|e| wrong(number, &e))?;
        if let Some(version) = object.get("irmin") {
            if number != 1 || version.as_u64() != Some(VERSION) {
                return Err(wrong(number, &format!("it is not of the version {VERSION}")));
            }
            let tree = object.get("tree").and_then(Value::as_str).unwrap_or_default();
            tally.tree = Some(tree.to_owned());
        } else if let Some(keys) = object.get("keys") {
            let keys = keys.as_u64().ok_or_else(|| wrong(number, "`keys` is not a number"))?;
            if keys != tally.keys {
                let why = format!("there are {} keys, and it tells {keys}", tally.keys);
                return Err(wrong(number, &why));
            }
            told = true;
        } else {
            let (path, bytes, mode) = key(Fields::new(object)).map_err(|e| wrong(number, &e))?;
            tally.keys += 1;
            tally.bytes += u64::try_from(bytes.len()).unwrap_or(0);
            set(path, bytes, mode)
                .map_err(|e| e.context(format_args!("line {number} of the stream")))?;
        }
    }
    if !told && tally.tree.is_some() {
        let why = format!("there are {} keys and no end that says so: it was cut", tally.keys);
        return Err(wrong(number, &why));
    }
    Ok(tally)
}

/// The key of a line, its value and its mode.
pub(crate) fn key(mut fields: Fields) -> Result<(Path, Vec<u8>, Metadata), String> {
    let path = fields.path("path")?;
    let value = fields.value()?.ok_or("`value` is null: leave the line out")?;
    let mode = fields.mode()?;
    match fields.left() {
        Some(extra) => Err(format!("unknown field `{extra}`")),
        None => Ok((path, value, mode)),
    }
}

/// The next line of a stream, bounded.
pub(crate) fn next_line(
    input: &mut dyn BufRead,
    most: usize,
) -> irmin_core::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let bound = u64::try_from(most).unwrap_or(u64::MAX);
    let read = input.take(bound).read_until(b'\n', &mut line);
    read.map_err(|e| Error::new(Code::Io, format!("the stream cannot be read: {e}")))?;
    if line.len() >= most {
        let why = format!("a line of the stream has {most} bytes or more");
        return Err(Error::new(Code::PayloadTooLarge, why));
    }
    Ok((!line.is_empty()).then_some(line))
}
