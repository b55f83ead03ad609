//! Large blobs, deflated straight into a pack as they come.

use flate2::{Compress, Compression, FlushCompress, Status};
use irmin_core::io::{Exactly, File};
use irmin_core::{Code, Error, Kind, Result};

use super::type_number;
use super::write::header;
use crate::oid::{self, Oid};

/// How much of a blob, and of its compressed form, is in memory at once.
const PIECE: usize = 256 << 10;
/// What is large enough to be compressed is mostly compressed already: the fastest level costs a
/// third of the usual one and finds most of what there is to find.
const LEVEL: u32 = 1;

/// An entry that was written to a file.
pub(crate) struct Written {
    pub(crate) id: Oid,
    pub(crate) crc: u32,
    /// Where it ends.
    pub(crate) end: u64,
}

/// The end of a file that grows.
struct Tail<'a> {
    file: &'a dyn File,
    at: u64,
    crc: crc32fast::Hasher,
    buffer: Vec<u8>,
}

impl Tail<'_> {
    fn flush(&mut self) -> Result<()> {
        self.crc.update(&self.buffer);
        self.file.write_at(&self.buffer, self.at)?;
        self.at += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

/// Writes the entry of a blob at an offset.
///
/// # Errors
/// `invalid_argument` if there are not `len` bytes, `io`, and those of reading.
pub(crate) fn write(file: &dyn File, at: u64, len: u64, mut body: Exactly<'_>) -> Result<Written> {
    let number = type_number(Kind::Value).unwrap_or_default();
    let buffer = Vec::with_capacity(PIECE);
    let mut out = Tail { file, at, crc: crc32fast::Hasher::new(), buffer };
    header(number, len, &mut out.buffer);
    let mut hasher = oid::hasher_of(format!("blob {len}\0").as_bytes());
    let mut zlib = Compress::new(Compression::new(LEVEL), true);
    let mut piece = vec![0; PIECE];
    loop {
        let n = body.fill(&mut piece)?;
        let mut input = piece.get(..n).unwrap_or_default();
        hasher.update(input);
        let flush = if input.is_empty() { FlushCompress::Finish } else { FlushCompress::None };
        loop {
            if out.buffer.len() == out.buffer.capacity() {
                out.flush()?;
            }
            let before = zlib.total_in();
            let status = zlib.compress_vec(input, &mut out.buffer, flush).map_err(|e| {
                Error::new(Code::Io, "an object cannot be compressed").with_source(e)
            })?;
            let taken = usize::try_from(zlib.total_in() - before).unwrap_or(usize::MAX);
            input = input.get(taken..).unwrap_or_default();
            if status == Status::StreamEnd {
                out.flush()?;
                let (id, crc) = (oid::finish(hasher), out.crc.finalize());
                return Ok(Written { id, crc, end: out.at });
            }
            if input.is_empty() && n > 0 {
                break;
            }
        }
    }
}
