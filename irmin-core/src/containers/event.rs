//! Edits that can be told apart: when they were made, and names that no other edit gives.

use alloc::format;
use alloc::vec::Vec;
use core::fmt;

use super::element::{Element, not};
use crate::contents::binary::Reader;
use crate::contents::json::JsonValue;
use crate::error::Result;
use crate::hash::{Hash, HashFunction};

/// The name of one thing that an edit made: an element of a set, a line of a text.
///
/// It is what tells "added again" from "still there" when branches merge. Marks are 128 bits of
/// a hash, so that no two edits give the same one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark([u8; 16]);

impl Mark {
    /// The mark of these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Mark(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads what [`Display`](fmt::Display) prints: 32 lower-case hexadecimal digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digit = |c: u8| match c {
            b'0'..=b'9' => Some(c - b'0'),
            b'a'..=b'f' => Some(c - b'a' + 10),
            _ => None,
        };
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let bytes = pairs.iter().map(|[a, b]| Some(digit(*a)? << 4 | digit(*b)?));
        let bytes: Vec<u8> = bytes.collect::<Option<_>>()?;
        if rest.is_empty() { bytes.try_into().ok().map(Mark) } else { None }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Sixteen bytes; in JSON, their hexadecimal digits.
impl Element for Mark {
    const NAME: &'static str = "mark";

    fn to_binary(&self, out: &mut Vec<u8>) {
        out.extend(self.0);
    }

    fn from_binary(from: &mut Reader<'_>) -> Result<Self> {
        from.array().map(Mark)
    }

    fn to_json(&self) -> JsonValue {
        JsonValue::String(format!("{self}"))
    }

    fn from_json(json: JsonValue) -> Result<Self> {
        let mark = match &json {
            JsonValue::String(text) => Mark::parse(text),
            _ => None,
        };
        mark.ok_or_else(|| not("a mark of 32 hexadecimal digits", &json))
    }
}

/// One edit of a container: when it was made, and the marks of what it makes.
///
/// [`At`](super::At) makes one for each commit, from all that tells the commit from others: its
/// parents, author, date and message. So two edits give the same marks only if they are the same
/// commit. Programs that keep containers elsewhere make their own, from whatever is unique to
/// an edit.
///
/// ```
/// use irmin_core::containers::Event;
/// let mut event = Event::new("replica 7, edit 12", 1_000);
/// assert_ne!(event.mark(), event.mark());
/// // Time never goes back behind what an edit has seen, whatever the clock says.
/// assert_eq!(event.after(None), 1_000);
/// assert_eq!(event.after(Some(5_000)), 5_001);
/// ```
#[derive(Clone, Debug)]
pub struct Event {
    identity: Hash,
    time: i64,
    made: u64,
}

impl Event {
    /// An edit with this identity, which no other edit may have, made at this time, in nanoseconds
    /// since 1970.
    #[must_use]
    pub fn new(identity: impl AsRef<[u8]>, time: i64) -> Self {
        let identity = HashFunction::Blake3.digest(identity.as_ref());
        Event { identity, time: time.max(0), made: 0 }
    }

    /// A mark that neither this nor another edit has given before.
    pub fn mark(&mut self) -> Mark {
        let mut hasher = HashFunction::Blake3.hasher();
        hasher.update(self.identity.as_bytes());
        hasher.update(&self.made.to_be_bytes());
        self.made += 1;
        let hash = hasher.finish();
        Mark(hash.as_bytes().first_chunk().copied().unwrap_or_default())
    }

    /// The time of the edit, in nanoseconds since 1970: later than `last`, the time of what it
    /// follows, also when the clock is behind or stands still.
    ///
    /// So what was done later in one history is later, and the greatest time of two histories is
    /// that of an edit which no other one followed. (The end of time, in the year 2262, is not
    /// passed: from then on, the order of values decides.)
    #[must_use]
    pub fn after(&self, last: Option<i64>) -> i64 {
        last.map_or(self.time, |last| self.time.max(last.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_as_they_are_printed() {
        let mark = Event::new("x", 0).mark();
        assert_eq!(Mark::parse(&format!("{mark}")), Some(mark));
        for bad in ["", "0", &format!("{mark}0"), &format!("{mark}00"), &"G".repeat(32)] {
            assert_eq!(Mark::parse(bad), None, "{bad}");
        }
        assert_eq!(Mark::new(*mark.as_bytes()), mark);
    }
}
