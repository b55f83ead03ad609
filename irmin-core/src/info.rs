//! Who changed what, when and why: the part of a commit that people read.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use bytes::Bytes;

use crate::error::{Code, Error, Result};

/// An offset from UTC as commits write it, such as `+0100`.
///
/// It is kept as text, because git tells `-0000` from `+0000` and old commits hold stranger ones;
/// new ones are four digits with a sign.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Zone(Bytes);

impl Zone {
    /// UTC: `+0000`.
    pub const UTC: Zone = Zone(Bytes::from_static(b"+0000"));

    /// The zone that a stored commit names.
    ///
    /// # Errors
    /// `invalid_value` unless it is a sign and one or more digits.
    pub fn stored(text: Bytes) -> Result<Self> {
        match text.split_first() {
            Some((b'+' | b'-', digits))
                if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) =>
            {
                Ok(Zone(text))
            }
            _ => Err(Error::new(
                Code::InvalidValue,
                format!("`{}` is not a time zone such as +0100", text.escape_ascii()),
            )),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The offset in minutes east of UTC.
    #[must_use]
    pub fn minutes(&self) -> i32 {
        let digits = self.0.get(1..).unwrap_or_default();
        let number = digits.iter().fold(0_i32, |n, d| {
            n.saturating_mul(10).saturating_add(i32::from(d.saturating_sub(b'0')))
        });
        let minutes = (number / 100).saturating_mul(60).saturating_add(number % 100);
        if self.0.first() == Some(&b'-') { -minutes } else { minutes }
    }
}

impl FromStr for Zone {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let zone = Zone::stored(Bytes::copy_from_slice(text.as_bytes()))?;
        if text.len() == 5 {
            return Ok(zone);
        }
        let why = format!("`{text}` is not a time zone: a sign and four digits");
        Err(Error::new(Code::InvalidValue, why))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.escape_ascii(), f)
    }
}

/// Someone at some time: `name` or `name <e-mail>`, seconds since 1970, and their time zone.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Signature {
    /// `name` or `name <e-mail>`; UTF-8 unless another program wrote it.
    pub author: Bytes,
    /// Seconds since 1970-01-01 00:00 UTC.
    pub date: i64,
    /// The zone they were in.
    pub zone: Zone,
}

impl Signature {
    /// Someone at some time, in UTC.
    #[must_use]
    pub fn new(author: impl Into<String>, date: i64) -> Self {
        Signature { author: Bytes::from(author.into()), date, zone: Zone::UTC }
    }

    /// Someone as git has them, always with an e-mail address: the one that stands for none there
    /// is left out.
    ///
    /// ```
    /// use irmin_core::{Signature, Zone};
    /// let ann = Signature::of_git("ann <irmin@openmirage.org>".into(), 7, Zone::UTC);
    /// assert_eq!(ann, Signature::new("ann", 7));
    /// ```
    #[must_use]
    pub fn of_git(author: Bytes, date: i64, zone: Zone) -> Self {
        let name = author.strip_suffix(NO_EMAIL).filter(|name| trim(name) == *name);
        let author = match name.map(<[u8]>::len) {
            Some(len) => author.slice(..len),
            None => author,
        };
        Signature { author, date, zone }
    }
}

/// What OCaml Irmin writes for an author without an e-mail address in git's commits.
pub(crate) const NO_EMAIL: &[u8] = b" <irmin@openmirage.org>";

/// What OCaml trims from names: blanks of ASCII.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0C)
}

/// A name as OCaml Irmin writes it.
pub(crate) fn trim(mut name: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = name
        && is_blank(*first)
    {
        name = rest;
    }
    while let [rest @ .., last] = name
        && is_blank(*last)
    {
        name = rest;
    }
    name
}

/// The part of a commit beside its tree and parents.
///
/// The Git layout keeps all of it. The Irmin layout has a place for the author, the date and the
/// message only, and refuses what it cannot hold.
///
/// ```
/// use irmin_core::Info;
/// let info = Info::new("ann <ann@example.org>", 1_000, "first words");
/// assert_eq!(info.author.date, 1_000);
/// assert_eq!(info.committer, info.author);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Info {
    /// Who made the change.
    pub author: Signature,
    /// Who made the commit: the author, unless another program says otherwise.
    pub committer: Signature,
    /// Why; UTF-8 unless another program wrote it.
    pub message: Bytes,
    /// Further headers of git commits in their order: name and value without continuation marks.
    ///
    /// An empty name stands for a line that is no name and value, kept whole as the value; if it
    /// is the last and its value is empty too, for the blank line before an empty message.
    pub headers: Vec<(Bytes, Bytes)>,
}

impl Info {
    /// What a caller says of a change, in UTC; the author is the committer too.
    #[must_use]
    pub fn new(author: impl Into<String>, date: i64, message: impl Into<String>) -> Self {
        let author = Signature::new(author, date);
        Info {
            committer: author.clone(),
            author,
            message: Bytes::from(message.into()),
            headers: Vec::new(),
        }
    }
}
