//! Zlib streams of objects, read from front to back with bounded memory.

use std::sync::Arc;

use flate2::{Decompress, FlushDecompress, Status};
use irmin_core::backend::ValueRead;
use irmin_core::io::File;
use irmin_core::{Error, Hash, Result};

/// How much compressed input is read at once for a small object, and for a large one.
const INPUT: [usize; 2] = [4 << 10, 64 << 10];
/// What is a large object here, in bytes.
const LARGE: u64 = 1 << 18;

/// One zlib stream in a file, and how far it has been read.
pub(crate) struct Inflate {
    zlib: Decompress,
    /// Where the stream begins in the file, and the next byte of it to be read from there.
    start: u64,
    next: u64,
    input: Vec<u8>,
    /// What of the input is still to be used.
    from: usize,
    filled: usize,
    ended: bool,
    /// The number of bytes that came out so far.
    pub(crate) at: u64,
}

impl Inflate {
    /// The stream that begins at an offset, of about this many bytes when inflated.
    pub(crate) fn new(start: u64, size: u64) -> Self {
        let [small, large] = INPUT;
        let input = vec![0; if size < LARGE { small } else { large }];
        let zlib = Decompress::new(true);
        Inflate { zlib, start, next: start, input, from: 0, filled: 0, ended: false, at: 0 }
    }

    /// Goes back to the beginning.
    fn rewind(&mut self) {
        self.zlib.reset(true);
        (self.next, self.from, self.filled) = (self.start, 0, 0);
        (self.ended, self.at) = (false, 0);
    }

    /// Inflates into the buffer until it is full or the stream ends; says how many bytes came.
    ///
    /// # Errors
    /// What is wrong with the stream; `io`.
    pub(crate) fn read(&mut self, file: &dyn File, id: &Hash, out: &mut [u8]) -> Result<usize> {
        let corrupt = |why: &str| Error::corrupt("object", id, why);
        let mut done = 0;
        while let Some(rest) = out.get_mut(done..).filter(|rest| !rest.is_empty() && !self.ended) {
            let input = self.input.get(self.from..self.filled).unwrap_or_default();
            let before = (self.zlib.total_in(), self.zlib.total_out());
            let status = self
                .zlib
                .decompress(input, rest, FlushDecompress::None)
                .map_err(|_| corrupt("its zlib stream is damaged"))?;
            let made = self.zlib.total_out() - before.1;
            let taken = self.zlib.total_in() - before.0;
            self.from = self.from.saturating_add(usize::try_from(taken).unwrap_or(usize::MAX));
            done = done.saturating_add(usize::try_from(made).unwrap_or(usize::MAX));
            self.at += made;
            self.ended = status == Status::StreamEnd;
            if self.ended || made > 0 {
                continue;
            }
            if self.from >= self.filled {
                self.filled = file.read_at(&mut self.input, self.next)?;
                (self.from, self.next) = (0, self.next + self.filled as u64);
                if self.filled == 0 {
                    return Err(corrupt("its zlib stream does not end"));
                }
            } else if taken == 0 {
                return Err(corrupt("its zlib stream is damaged"));
            }
        }
        Ok(done)
    }

    /// Whether the stream ends here, as its length says it must.
    ///
    /// # Errors
    /// `corrupt_object` if it does not; `io`.
    pub(crate) fn end(&mut self, file: &dyn File, id: &Hash) -> Result<()> {
        match self.read(file, id, &mut [0])? {
            0 => Ok(()),
            _ => Err(Error::corrupt("object", id, "it is longer than its header says")),
        }
    }
}

/// The body of a large blob that is not a delta, open for reading.
pub(crate) struct Blob {
    file: Arc<dyn File>,
    id: Hash,
    inflate: Inflate,
    /// What comes out of the stream before the body.
    skip: u64,
    len: u64,
}

impl Blob {
    /// A blob whose zlib stream begins at an offset: `skip` bytes, then `len` of the body.
    pub(crate) fn new(file: Arc<dyn File>, id: Hash, start: u64, skip: u64, len: u64) -> Self {
        Blob { file, id, inflate: Inflate::new(start, len), skip, len }
    }
}

impl ValueRead for Blob {
    fn len(&self) -> u64 {
        self.len
    }

    /// Reading backwards begins anew: a zlib stream has no other place to begin at.
    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let left = self.len.saturating_sub(offset);
        let want = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if want == 0 {
            return Ok(0);
        }
        let from = self.skip + offset;
        if from < self.inflate.at {
            self.inflate.rewind();
        }
        let short = || Error::corrupt("object", &self.id, "it is shorter than its header says");
        let mut passed =
            vec![0; usize::try_from((from - self.inflate.at).min(1 << 16)).unwrap_or(0)];
        while self.inflate.at < from {
            let n = usize::try_from(from - self.inflate.at).unwrap_or(usize::MAX);
            let part = passed.get_mut(..n.min(1 << 16)).unwrap_or_default();
            if self.inflate.read(&*self.file, &self.id, part)? < part.len() {
                return Err(short());
            }
        }
        let out = buffer.get_mut(..want).unwrap_or_default();
        if self.inflate.read(&*self.file, &self.id, out)? < want {
            return Err(short());
        }
        if offset + want as u64 == self.len {
            self.inflate.end(&*self.file, &self.id)?;
        }
        Ok(want)
    }
}

impl std::fmt::Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Blob({}, {} bytes)", self.id, self.len)
    }
}
