//! The primitives of the original's binary form of values, written and read.
//!
//! A list is its length and its elements, a pair or record its parts, text its length and its
//! bytes, an integer or a double its eight bytes (big-endian), a boolean 00 or FF, an option 00 or
//! FF and a value. Lengths are LEB128 numbers. Reading is strict: one value has one encoding.
//!
//! Source: the `repr` library, `type_binary.ml` and `binary.ml`.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::error::{Code, Error, Result};

/// Appends a length, or another small number.
pub fn put_length(out: &mut Vec<u8>, mut n: usize) {
    loop {
        let [low, ..] = n.to_le_bytes();
        n >>= 7;
        if n == 0 {
            return out.push(low & 0x7f);
        }
        out.push(low | 0x80);
    }
}

/// Appends text with its length.
pub fn put_string(out: &mut Vec<u8>, text: &str) {
    put_length(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// Reads the binary form of a value from the front; every read is checked.
///
/// ```
/// use irmin_core::contents::binary::{Reader, put_string};
/// let mut bytes = Vec::new();
/// put_string(&mut bytes, "hello");
/// let text = Reader::read(&bytes, "a text", |reader| reader.string())?;
/// assert_eq!(text, "hello");
/// # Ok::<(), irmin_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Reader<'a> {
    what: &'static str,
    whole: usize,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads a value that is all of the bytes; errors say that they are not `what`.
    ///
    /// # Errors
    /// `invalid_value` if bytes are left, and what `f` returns.
    pub fn read<T>(
        bytes: &'a [u8],
        what: &'static str,
        f: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let mut reader = Reader { what, whole: bytes.len(), rest: bytes };
        let value = f(&mut reader)?;
        if reader.rest.is_empty() { Ok(value) } else { Err(reader.bad("bytes follow the value")) }
    }

    /// The error that says where the bytes are wrong, and how.
    #[must_use]
    pub fn bad(&self, why: &str) -> Error {
        let at = self.whole.saturating_sub(self.rest.len());
        let what = self.what;
        Error::new(Code::InvalidValue, format!("the value is not {what}: {why} at byte {at}"))
    }

    /// The next `n` bytes.
    ///
    /// # Errors
    /// `invalid_value` if there are fewer.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or_else(|| self.bad("it ends"))?;
        self.rest = rest;
        Ok(head)
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// `invalid_value` if there are fewer.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk().ok_or_else(|| self.bad("it ends"))?;
        self.rest = rest;
        Ok(*head)
    }

    /// A number as [`put_length`] writes it, in its shortest encoding. Nothing is allocated by it:
    /// what it announces has to come.
    ///
    /// # Errors
    /// `invalid_value`.
    pub fn length(&mut self) -> Result<usize> {
        let mut n = 0_usize;
        for shift in (0..usize::BITS).step_by(7) {
            let [byte] = self.array()?;
            let low = usize::from(byte & 0x7f);
            if low.leading_zeros() < shift || (byte == 0 && shift > 0) {
                return Err(self.bad("a length is too large, or longer than it need be"));
            }
            n |= low << shift;
            if byte & 0x80 == 0 {
                return Ok(n);
            }
        }
        Err(self.bad("a length is too large"))
    }

    /// The length of a list, each element of which takes a byte or more.
    ///
    /// # Errors
    /// `invalid_value`, also for more elements than bytes are left.
    pub fn count(&mut self) -> Result<usize> {
        let n = self.length()?;
        if n <= self.rest.len() { Ok(n) } else { Err(self.bad("a list is longer than the value")) }
    }

    /// Text as [`put_string`] writes it.
    ///
    /// # Errors
    /// `invalid_value`.
    pub fn string(&mut self) -> Result<String> {
        let length = self.length()?;
        let text = core::str::from_utf8(self.take(length)?);
        text.map(String::from).map_err(|_| self.bad("text that is not UTF-8 ends"))
    }

    /// A boolean, or whether an option has a value: 00 or FF.
    ///
    /// # Errors
    /// `invalid_value`.
    pub fn bool(&mut self) -> Result<bool> {
        match self.array()? {
            [0] => Ok(false),
            [0xff] => Ok(true),
            _ => Err(self.bad("a boolean that is neither 00 nor FF ends")),
        }
    }
}
