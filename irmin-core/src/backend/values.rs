//! Values that are read piece by piece.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt::Debug;

use bytes::Bytes;

use super::{Backend, Stage, Wait};
use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::id::Key;
use crate::io::{Exactly, Read, Write};
use crate::object::{Format, Kind, Object};

/// How much of a value is in memory at once when it is copied.
const PIECE: usize = 256 << 10;

/// A value that is open for reading, as a stream or anywhere in it.
///
/// It stands on its own: the backend it is from may be gone. Reading on from where the last read
/// ended is cheap everywhere; elsewhere it may cost as much as reading all before it.
#[allow(clippy::len_without_is_empty, reason = "nobody asks that of a value")]
pub trait ValueRead: Send + Sync + Debug {
    /// The number of encoded bytes.
    fn len(&self) -> u64;

    /// Reads into the buffer from an offset, and says how many bytes there were: fewer than asked
    /// only at the end of the value, none beyond it.
    ///
    /// What is read piece by piece is checked by the pieces of the store, if it has any: whether
    /// the whole has its hash is for the reader of the whole to check.
    ///
    /// # Errors
    /// `corrupt_object`, `missing_objects`, `io`.
    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize>;
}

/// A value that is in memory.
#[derive(Debug)]
pub(crate) struct Held(pub(crate) Bytes);

impl ValueRead for Held {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        self.0.get(offset..).unwrap_or_default().read(buffer)
    }
}

/// What is wrong with a value in pieces where values are whole.
pub(crate) const IN_PIECES: &str =
    "is kept in pieces: open the store as one of large values (`Chunked`)";

/// The error of an object that is read as a value and is none.
pub(crate) fn no_value(object: &Object) -> Error {
    let (id, kind) = (object.id, object.kind);
    let why = match kind {
        Kind::ChunkIndex => alloc::format!("value {id} {IN_PIECES}"),
        _ => alloc::format!("object {id} is a {kind}, not a value"),
    };
    Error::new(Code::InvalidArgument, why)
}

/// A value, from its object.
pub(super) fn hold(format: &Format, object: &Object) -> Result<Box<dyn ValueRead>> {
    if object.kind != Kind::Value {
        return Err(no_value(object));
    }
    Ok(Box::new(Held(format.layout().decode_value(object)?)))
}

/// Opens values by reading them whole: for stores that do no better, and for values that are small.
///
/// # Errors
/// As [`Backend::open_values`].
pub fn open_whole<B: Backend + ?Sized>(
    backend: &B,
    keys: &[Key],
    wait: Wait,
) -> Result<Vec<Option<Box<dyn ValueRead>>>> {
    let objects = backend.get_many(keys, wait)?;
    let open = |object: Object| hold(backend.format(), &object);
    objects.into_iter().map(|object| object.map(open).transpose()).collect()
}

/// Copies a whole value, and says what hash it has.
///
/// # Errors
/// Those of reading and of `to`.
pub(crate) fn copy_value(
    format: &Format,
    value: &mut dyn ValueRead,
    to: &mut dyn Write,
) -> Result<Hash> {
    let mut hasher = format.hasher(value.len());
    let mut piece = alloc::vec![0; PIECE];
    let mut at = 0;
    loop {
        let n = value.read_at(&mut piece, at)?;
        let bytes = piece.get(..n).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(hasher.finish());
        }
        hasher.update(bytes);
        to.write(bytes)?;
        at += n as u64;
    }
}

/// The hash of a value, from its bytes.
///
/// # Errors
/// Those of reading.
pub(crate) fn value_hash(format: &Format, value: &mut dyn ValueRead) -> Result<Hash> {
    struct Nowhere;
    impl Write for Nowhere {
        fn write(&mut self, _: &[u8]) -> Result<()> {
            Ok(())
        }
    }
    copy_value(format, value, &mut Nowhere)
}

/// Puts a value that comes as a stream into a stage whole: for stages that do no better, and for
/// values that are small.
///
/// # Errors
/// As [`Stage::put_value`].
pub fn put_collected<S: Stage + ?Sized>(
    stage: &mut S,
    format: &Format,
    len: u64,
    read: &mut dyn Read,
) -> Result<Key> {
    let mut stream = Exactly::new(read, len);
    let mut value = Vec::new();
    let mut piece = alloc::vec![0; 1 << 16];
    loop {
        let n = stream.fill(&mut piece)?;
        if n == 0 {
            break;
        }
        value.extend_from_slice(piece.get(..n).unwrap_or_default());
    }
    let object = format.value(&value);
    let hash = object.id;
    let keys = stage.put(Vec::from([object]))?;
    Ok(keys.first().copied().unwrap_or(Key::from(hash)))
}
