//! Objects as files.
//!
//! The original keeps the binary form of each value, directory and commit in
//! `objects/<two digits>/<the other digits>`: the pre-image of the hash without its first byte,
//! which says the kind. So the kind of a file is found by hashing it, which checks it, too.
//!
//! What the original has no files for (parts of tries, pieces of large values) is in
//! `irmin/objects`, with a letter for the kind before the canonical bytes; the list of the pieces
//! of a value, whose hash says nothing of its bytes, has its children between the two.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::files;
use super::names;
use crate::error::{Code, Error, Result};
use crate::hash::{Hash, HashFunction, Hasher};
use crate::id::Key;
use crate::io::{File, FileKind, Io, OpenMode};
use crate::object::{Child, FormatSpec, Kind, Object, ValueEncoding};

/// How much of a value is read at once when it is hashed, in bytes.
const PIECE: usize = 1 << 16;

/// How the objects of a format become files.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coding {
    pub(super) hash: HashFunction,
    values: ValueEncoding,
    /// The largest file that is read into memory, in bytes.
    pub(super) limit: u64,
}

/// The kinds of the original's files, with the byte that their pre-image has before them: values
/// first, which may be large.
const PLAIN: [Kind; 3] = [Kind::Value, Kind::Node, Kind::Commit];

/// The letters of the kinds in files of ours.
const LETTERS: [(u8, Kind); 7] = [
    (b'V', Kind::Value),
    (b'N', Kind::Node),
    (b'I', Kind::Inode),
    (b'C', Kind::Commit),
    (b'T', Kind::Tag),
    (b'K', Kind::Chunk),
    (b'X', Kind::ChunkIndex),
];

impl Coding {
    pub(super) fn new(spec: &FormatSpec, limit: u64) -> Self {
        Coding { hash: spec.hash, values: spec.values, limit }
    }

    /// The same for objects of at most so many bytes.
    pub(super) fn within(self, most: u64) -> Self {
        // A file may have a letter or a tag before the bytes.
        Coding { limit: self.limit.min(most.saturating_add(1)), ..self }
    }

    /// The byte before a file of the original in the pre-image of its hash.
    fn tag(self, kind: Kind) -> Option<u8> {
        match kind {
            Kind::Value if self.values == ValueEncoding::Raw => None,
            Kind::Value => Some(b'B'),
            Kind::Node => Some(b'N'),
            _ => Some(b'C'),
        }
    }

    /// The path of an object's file, and its bytes.
    pub(super) fn encode(self, object: &Object) -> (String, Bytes) {
        if PLAIN.contains(&object.kind) {
            let bytes = match (self.tag(object.kind), object.bytes.first()) {
                (None, _) => Some(object.bytes.clone()),
                (Some(tag), Some(first)) if tag == *first => Some(object.bytes.slice(1..)),
                _ => None,
            };
            if let Some(bytes) = bytes {
                return (names::object(&object.id), bytes);
            }
        }
        let letter = LETTERS.iter().find(|(_, kind)| *kind == object.kind);
        let mut bytes = Vec::from([letter.map_or(0, |(letter, _)| *letter)]);
        if object.kind == Kind::ChunkIndex {
            let count = u32::try_from(object.children.len()).unwrap_or(u32::MAX);
            bytes.extend_from_slice(&count.to_be_bytes());
            for child in &object.children {
                bytes.extend_from_slice(child.key.hash.as_bytes());
            }
        }
        bytes.extend_from_slice(&object.bytes);
        (names::our_object(&object.id), bytes.into())
    }

    /// The object of a file of the original, which is read with a byte of room before it.
    pub(super) fn decode(self, id: Hash, mut file: Vec<u8>) -> Result<Object> {
        let Some(kind) = self.kind(&id, &mut file) else {
            let other = self.other(&id, &mut file);
            let why = other.unwrap_or_else(|| "the bytes of its file have another hash".into());
            return Err(Error::corrupt("object", &id, why));
        };
        let from = usize::from(self.tag(kind).is_none());
        let bytes = Bytes::from(file).slice(from..);
        Ok(Object::new(kind, id, bytes))
    }

    /// The kind of the object of a file, which is made its pre-image where that has a tag.
    pub(super) fn kind(self, id: &Hash, file: &mut [u8]) -> Option<Kind> {
        PLAIN.into_iter().find(|kind| {
            let tag = self.tag(*kind);
            if let (Some(tag), Some(first)) = (tag, file.first_mut()) {
                *first = tag;
            }
            let from = usize::from(tag.is_none());
            self.hash.digest(file.get(from..).unwrap_or_default()) == *id
        })
    }

    /// How a store differs from this one in which a file that is none here is an object, in words.
    pub(super) fn other(self, id: &Hash, file: &mut [u8]) -> Option<String> {
        let names = HashFunction::NAMES.iter();
        let names = names.flat_map(|name| [String::from(*name), format!("{name}/{}", id.len())]);
        let known = names.filter_map(|name| name.parse::<HashFunction>().ok());
        for hash in known.filter(|hash| hash.len() == id.len()) {
            for values in [ValueEncoding::Tagged, ValueEncoding::Raw] {
                let found = Coding { hash, values, ..self }.kind(id, file);
                match found {
                    Some(_) if hash != self.hash => {
                        let ours = self.hash;
                        return Some(format!(
                            "it is of a store that hashes with {hash}, not {ours}"
                        ));
                    }
                    Some(_) => {
                        let name = |values| match values {
                            ValueEncoding::Tagged => "strings",
                            ValueEncoding::Raw => "JSON or the like",
                        };
                        let (there, here) = (name(values), name(self.values));
                        return Some(format!("it is of a store of {there}, not of {here}"));
                    }
                    None => {}
                }
            }
        }
        None
    }

    /// The object of a file of ours.
    pub(super) fn decode_ours(self, id: Hash, file: Vec<u8>) -> Result<Object> {
        let bad = |why: &str| Error::corrupt("object", &id, why);
        let file = Bytes::from(file);
        let letter = file.first().copied();
        let known = LETTERS.iter().find(|(known, _)| Some(*known) == letter);
        let (_, kind) = *known.ok_or_else(|| bad("its file begins with no kind"))?;
        let mut children = Vec::new();
        let mut from = 1;
        if kind == Kind::ChunkIndex {
            let count = file.get(1..5).and_then(|count| count.try_into().ok());
            let count = u32::from_be_bytes(count.ok_or_else(|| bad("its file ends early"))?);
            let size = usize::try_from(count).ok().and_then(|n| n.checked_mul(self.hash.len()));
            let end = size.and_then(|size| size.checked_add(5)).ok_or_else(|| bad("too long"))?;
            let list = file.get(5..end).ok_or_else(|| bad("its file has fewer pieces"))?;
            for child in list.chunks(self.hash.len()) {
                children.push(Child::from(Key::from(Hash::new(child)?)));
            }
            from = end;
        }
        let bytes = file.slice(from..);
        if kind != Kind::ChunkIndex && self.hash.digest(&bytes) != id {
            return Err(bad("the bytes of its file have another hash"));
        }
        Ok(Object { children, ..Object::new(kind, id, bytes) })
    }

    /// Reads an object. Where it has both files, as a value that was kept whole and then in pieces
    /// has, one that is damaged does not hide the other.
    ///
    /// # Errors
    /// `corrupt_object`, `payload_too_large`, `io`.
    pub(super) fn read(self, io: &dyn Io, id: &Hash) -> Result<Option<Object>> {
        let damaged = match self.read_file(io, id, &names::object(id), false) {
            Ok(None) => None,
            Err(e) if e.code() == Code::CorruptObject => Some(e),
            ended => return ended,
        };
        match (self.read_file(io, id, &names::our_object(id), true)?, damaged) {
            (None, Some(damaged)) => Err(damaged),
            (found, _) => Ok(found),
        }
    }

    /// Reads an object from a file, coded as ours or as the original's.
    ///
    /// # Errors
    /// As [`read`](Coding::read).
    pub(super) fn read_file(
        self,
        io: &dyn Io,
        id: &Hash,
        path: &str,
        ours: bool,
    ) -> Result<Option<Object>> {
        let room = usize::from(!ours);
        let Some(bytes) = files::read(io, path, self.limit, room)? else { return Ok(None) };
        let object = if ours { self.decode_ours(*id, bytes) } else { self.decode(*id, bytes) };
        object.map(Some)
    }

    /// Whether there is a file for an object.
    ///
    /// # Errors
    /// `io`.
    pub(super) fn exists(self, io: &dyn Io, id: &Hash) -> Result<bool> {
        for path in [names::object(id), names::our_object(id)] {
            if io.metadata(&path)?.is_some_and(|found| found.kind == FileKind::File) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A hasher for the value whose bytes follow.
    pub(super) fn value_hasher(self) -> Hasher {
        let mut hasher = self.hash.hasher();
        if let Some(tag) = self.tag(Kind::Value) {
            hasher.update(&[tag]);
        }
        hasher
    }

    /// The file of a large value, if the object is in a file of its own and is none that is read
    /// whole; what is in it is hashed piece by piece unless `checked` knows it.
    ///
    /// # Errors
    /// `io`.
    pub(super) fn open_large(
        self,
        io: &dyn Io,
        id: &Hash,
        checked: &dyn Fn(&Stamp) -> bool,
    ) -> Result<Option<Large>> {
        let path = names::object(id);
        let Some(file) = files::if_exists(io.open(&path, OpenMode::Read))? else { return Ok(None) };
        let len = file.len()?;
        let Some(found) = io.metadata(&path)?.filter(|_| len > PIECE as u64) else {
            return Ok(None);
        };
        let stamp = Stamp { id: *id, identity: found.identity, len, modified: found.modified };
        if !checked(&stamp) {
            let mut hasher = self.value_hasher();
            let mut piece = alloc::vec![0; PIECE];
            let mut at = 0;
            while at < len {
                let n = file.read_at(&mut piece, at)?;
                if n == 0 {
                    return Ok(None);
                }
                hasher.update(piece.get(..n).unwrap_or_default());
                at = at.saturating_add(n as u64);
            }
            if hasher.finish() != *id {
                return Ok(None);
            }
        }
        Ok(Some(Large { file, stamp }))
    }
}

/// What tells whether a file is still the one that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    id: Hash,
    identity: (u64, u64),
    pub(super) len: u64,
    modified: i128,
}

/// The open file of a large value.
#[derive(Debug)]
pub(super) struct Large {
    pub(super) file: Box<dyn File>,
    pub(super) stamp: Stamp,
}
