//! Reading a directory piece by piece, at a cost of the piece.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};
use core::ops::ControlFlow;
use core::str::FromStr;

use bytes::Bytes;

use super::raw::{Place, Slot};
use crate::error::{Code, Error, Result};
use crate::object::Position;
use crate::path::Step;

/// A place in a directory: where the next page begins.
///
/// It is opaque, and stable while the directory does not change: keep reading the tree of one
/// commit. Its text form goes into URLs and files.
///
/// ```
/// use irmin_core::{Tree, tree::Cursor};
/// let mut tree: Tree = Tree::empty();
/// for i in 0..5 {
///     tree.set(&format!("key-{i}"), "x")?;
/// }
/// let first = tree.page("", None, 3)?;
/// let text = first.next.expect("there is more").to_string();
/// let cursor: Cursor = text.parse()?;
/// assert_eq!(tree.page("", Some(&cursor), 3)?.entries.len(), 2);
/// # Ok::<(), irmin_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor(Spot);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Spot {
    /// After this position of the stored directory.
    Stored(Bytes),
    /// After this name among those that were added in memory.
    Added(Step),
}

/// Entries in natural order, and where the next ones begin.
type Entries = (Vec<(Step, Slot)>, Option<Cursor>);

impl Place<'_> {
    /// At most `limit` entries in natural order, from after a cursor, and where the next page
    /// begins if there may be more: what is stored first, then what was added in memory.
    pub(crate) fn page(&self, after: Option<&Cursor>, limit: usize) -> Result<Entries> {
        let mut entries = Vec::new();
        if !matches!(after, Some(Cursor(Spot::Added(_)))) {
            let last = self.page_stored(after, limit, &mut entries)?;
            if entries.len() >= limit {
                return Ok((entries, last.map(|p| Cursor(Spot::Stored(p.0)))));
            }
        }
        let base = self.base()?;
        let mut last = None;
        let added = self.edits()?.map(|edits| match after {
            Some(Cursor(Spot::Added(from))) => edits.after(from),
            _ => edits.iter(),
        });
        for (step, slot) in added.into_iter().flatten() {
            let Some(slot) = slot else { continue };
            let stored = match (&base, self.store) {
                (Some(base), Some(store)) => {
                    store.layout().find(&**store, base, step.as_bytes())?.is_some()
                }
                _ => false,
            };
            if stored {
                continue;
            }
            if entries.len() >= limit {
                return Ok((entries, last));
            }
            last = Some(Cursor(Spot::Added(step.clone())));
            entries.push((step.clone(), slot.clone()));
        }
        Ok((entries, None))
    }

    fn page_stored(
        &self,
        after: Option<&Cursor>,
        limit: usize,
        entries: &mut Vec<(Step, Slot)>,
    ) -> Result<Option<Position>> {
        let (Some(base), Some(store)) = (self.base()?, self.store) else { return Ok(None) };
        let after = match after {
            Some(Cursor(Spot::Stored(position))) => Some(Position(position.clone())),
            _ => None,
        };
        let mut last = None;
        if limit == 0 {
            return Ok(after);
        }
        let edits = self.edits()?;
        store.layout().scan(&**store, &base, after.as_ref(), &mut |position, name, entry| {
            let slot = match edits.and_then(|edits| edits.get(name)) {
                Some(slot) => slot.clone(),
                None => Some(Slot::from(entry)),
            };
            if let Some(slot) = slot {
                entries.push((Step::foreign(name), slot));
            }
            last = Some(position.clone());
            if entries.len() >= limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(last)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tag, bytes): (_, &[u8]) = match &self.0 {
            Spot::Stored(position) => ('s', position),
            Spot::Added(step) => ('a', step.as_bytes()),
        };
        f.write_char(tag)?;
        bytes.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || Error::new(Code::InvalidArgument, format!("`{text}` is not a cursor"));
        let mut chars = text.chars();
        let tag = chars.next().ok_or_else(bad)?;
        let digits: String = chars.collect();
        let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if !digits.bytes().all(hex) || !digits.len().is_multiple_of(2) {
            return Err(bad());
        }
        let mut bytes = Vec::with_capacity(digits.len() / 2);
        for pair in digits.as_bytes().chunks(2) {
            let pair = core::str::from_utf8(pair).map_err(|_| bad())?;
            bytes.push(u8::from_str_radix(pair, 16).map_err(|_| bad())?);
        }
        match tag {
            's' => Ok(Cursor(Spot::Stored(Bytes::from(bytes)))),
            'a' => Ok(Cursor(Spot::Added(Step::foreign(&bytes)))),
            _ => Err(bad()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_has_one_text_form() {
        for text in ["s", "s00ff", "a6b"] {
            assert_eq!(text.parse::<Cursor>().unwrap().to_string(), text);
        }
        for bad in ["", "x00", "s0", "s+f", "s0G", "sFF", "s é"] {
            assert_eq!(bad.parse::<Cursor>().unwrap_err().code(), Code::InvalidArgument, "{bad}");
        }
    }
}
