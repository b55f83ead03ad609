//! Bytes that come or go piece by piece.

use alloc::format;
use alloc::vec::Vec;

use crate::error::{Code, Error, Result};

/// Bytes that come piece by piece.
///
/// ```
/// use irmin_core::io::{Read, fill};
/// let mut from: &[u8] = b"some bytes";
/// let mut buffer = [0; 4];
/// assert_eq!(fill(&mut from, &mut buffer)?, 4);
/// assert_eq!(&buffer, b"some");
/// # Ok::<(), irmin_core::Error>(())
/// ```
pub trait Read {
    /// Reads into the beginning of the buffer, and says how many bytes; none only at the end, or
    /// if the buffer is empty.
    ///
    /// # Errors
    /// `io`, or what else the bytes come from has to say.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize>;
}

impl Read for &[u8] {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let len = self.len().min(buffer.len());
        let (now, later) = self.split_at_checked(len).unwrap_or((self, &[]));
        if let Some(to) = buffer.get_mut(..len) {
            to.copy_from_slice(now);
        }
        *self = later;
        Ok(len)
    }
}

/// Bytes that go piece by piece.
pub trait Write {
    /// Takes all of the bytes.
    ///
    /// # Errors
    /// `io`; some of the bytes may have been taken then.
    fn write(&mut self, bytes: &[u8]) -> Result<()>;
}

impl Write for Vec<u8> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

/// Reads until the buffer is full or there is no more, and says how many bytes there were.
///
/// # Errors
/// Those of reading.
pub fn fill(read: &mut dyn Read, buffer: &mut [u8]) -> Result<usize> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match read.read(rest)? {
            0 => break,
            n => done += n,
        }
    }
    Ok(done)
}

/// Bytes whose number is known before they come: another number is an error.
///
/// Formats that write the length of a value before the value rely on it.
pub struct Exactly<'a> {
    read: &'a mut dyn Read,
    len: u64,
    done: u64,
}

impl<'a> Exactly<'a> {
    /// Bytes of which there are `len`.
    pub fn new(read: &'a mut dyn Read, len: u64) -> Self {
        Exactly { read, len, done: 0 }
    }

    /// Fills the buffer as far as there are bytes, and says how far; less only at the end.
    ///
    /// # Errors
    /// `invalid_argument` if there are fewer or more bytes than was said, and those of reading.
    pub fn fill(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let left = usize::try_from(self.len - self.done).unwrap_or(usize::MAX);
        let want = buffer.len().min(left);
        let got = fill(self.read, buffer.get_mut(..want).unwrap_or_default())?;
        self.done += got as u64;
        if got < want {
            let why = format!("a value of {} bytes ended after {}", self.len, self.done);
            return Err(Error::new(Code::InvalidArgument, why));
        }
        if self.done == self.len && self.read.read(&mut [0])? > 0 {
            let why = format!("a value goes on after the {} bytes that it was to have", self.len);
            return Err(Error::new(Code::InvalidArgument, why));
        }
        Ok(got)
    }
}

impl core::fmt::Debug for Exactly<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Exactly({} of {} bytes)", self.done, self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three bytes at a time, as a pipe may give them.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
            let len = buffer.len().min(3);
            self.0.read(&mut buffer[..len])
        }
    }

    #[test]
    fn a_length_that_is_wrong_is_an_error() {
        let text = b"ten bytes!";
        let read = |len: u64| {
            let (mut drip, mut buffer) = (Drip(text), [0; 4]);
            let mut stream = Exactly::new(&mut drip, len);
            let mut all = Vec::new();
            loop {
                match stream.fill(&mut buffer)? {
                    0 => return Ok(all),
                    n => all.extend_from_slice(&buffer[..n]),
                }
            }
        };
        assert_eq!(read(10).unwrap(), text);
        for (len, says) in [(9, "goes on after the 9"), (11, "of 11 bytes ended after 10")] {
            let e: Error = read(len).unwrap_err();
            assert_eq!(e.code(), Code::InvalidArgument);
            assert!(e.to_string().contains(says), "{e}");
        }
        let (mut nothing, mut buffer) = (Drip(b""), [0; 4]);
        assert_eq!(Exactly::new(&mut nothing, 0).fill(&mut buffer).unwrap(), 0);
    }
}
