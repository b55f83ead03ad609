//! Values that are read piece by piece.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;

use super::raw::{Raw, Slot, Value};
use super::store::Store;
use crate::backend::{Held, ValueRead, copy_value};
use crate::error::{Error, Result};
use crate::id::Key;
use crate::io::{Read, Write};
use crate::object::Metadata;

/// A value that is open for reading, piece by piece: see [`Tree::open`](super::Tree::open).
///
/// It is in the text form of its type: the bytes that [`Contents::decode`](crate::Contents::decode)
/// reads. As a [`Read`] it is a stream from the beginning.
///
/// ```
/// use irmin_core::Tree;
/// let mut tree: Tree = Tree::empty();
/// tree.set("notes/today", "a long story")?;
/// let mut value = tree.open("notes/today")?.unwrap();
/// let mut part = [0; 4];
/// assert_eq!((value.len(), value.read_at(&mut part, 2)?), (12, 4));
/// assert_eq!(&part, b"long");
/// let mut all = Vec::new();
/// value.copy_to(&mut all)?;
/// assert_eq!(all, b"a long story");
/// # Ok::<(), irmin_core::Error>(())
/// ```
pub struct ValueReader {
    value: Box<dyn ValueRead>,
    metadata: Metadata,
    /// Where it is stored, unless it was in memory.
    stored: Option<(Arc<Store>, Key)>,
    /// Where the stream is.
    at: u64,
}

impl ValueReader {
    /// The value that a tree is; nothing if it is none.
    pub(crate) fn open(raw: &Raw) -> Result<Option<Self>> {
        let Slot::Value(metadata, value) = &raw.root else { return Ok(None) };
        let (store, key) = match value {
            Value::Pending(bytes) => {
                let value = Box::new(Held(bytes.clone()));
                return Ok(Some(ValueReader { value, metadata: *metadata, stored: None, at: 0 }));
            }
            Value::Foreign(store, key) => (Some(store), key),
            Value::Stored(key) => (raw.store.as_ref(), key),
        };
        let store = store.ok_or_else(|| Error::missing_objects(alloc::vec![*key]))?;
        let (value, metadata) = (store.open_value(key)?, *metadata);
        Ok(Some(ValueReader { value, metadata, stored: Some((store.clone(), *key)), at: 0 }))
    }

    /// The number of bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.value.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the value is to a file system.
    #[must_use]
    pub fn metadata(&self) -> Metadata {
        self.metadata
    }

    /// Reads into the buffer from an offset, and says how many bytes there were: fewer than asked
    /// only at the end.
    ///
    /// Reading on from the end of the last read is always cheap, elsewhere it depends on the store:
    /// a store of chunks reads those that it needs, a git repository all that is before.
    ///
    /// # Errors
    /// Those of reading.
    pub fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        self.value.read_at(buffer, offset)
    }

    /// Copies the whole value, and checks that it has its hash.
    ///
    /// # Errors
    /// `corrupt_object` at the end if it has not, those of reading and of `to`.
    pub fn copy_to(&mut self, to: &mut dyn Write) -> Result<()> {
        match &self.stored {
            // Otherwise it is in memory, and was checked when it was read.
            Some((store, key)) if store.keeps_text() => {
                let actual = copy_value(store.format(), &mut *self.value, to)?;
                if actual == key.hash {
                    return Ok(());
                }
                let why = format_args!("its bytes hash to {actual}");
                Err(Error::corrupt("value", &key.hash, why))
            }
            _ => {
                let mut all = alloc::vec![0; usize::try_from(self.len()).unwrap_or(usize::MAX)];
                self.value.read_at(&mut all, 0)?;
                to.write(&all)
            }
        }
    }
}

impl Read for ValueReader {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let n = self.value.read_at(buffer, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

impl fmt::Debug for ValueReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ValueReader({} bytes)", self.len())
    }
}
