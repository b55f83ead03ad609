//! Formats: what a store is made of, as values that it records.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use bytes::Bytes;

use super::{Child, CommitData, Decoded, Kind, Layout, Object, Parts, TagData, git, irmin};
use crate::error::{Code, Error, Result};
use crate::hash::{Hash, HashFunction, Hasher};
use crate::id::Key;

/// How the bytes of a value become the pre-image of its hash, in the Irmin layout.
///
/// The Git layout makes every value a blob, whatever its type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ValueEncoding {
    /// `B`, then the bytes: Irmin's `String` contents.
    Tagged,
    /// The bytes alone: contents types of the caller's, Irmin's JSON among them.
    Raw,
}

/// How directories and commits are laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LayoutSpec {
    /// Git's blobs, trees and commits.
    Git,
    /// Irmin's nodes, inodes and commits.
    Irmin(irmin::Params),
}

/// A format as plain data: what a store records, and what two stores compare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FormatSpec {
    /// The hash function.
    pub hash: HashFunction,
    /// The layout.
    pub layout: LayoutSpec,
    /// The pre-image of values.
    pub values: ValueEncoding,
}

impl FormatSpec {
    /// A git repository: SHA-1, values as blobs.
    #[must_use]
    pub const fn git() -> Self {
        FormatSpec { hash: HashFunction::Sha1, layout: LayoutSpec::Git, values: ValueEncoding::Raw }
    }

    /// What OCaml Irmin's in-memory and file stores hash like: nodes of any width are one object.
    #[must_use]
    pub const fn irmin_mem() -> Self {
        FormatSpec {
            hash: HashFunction::Blake2b(64),
            layout: LayoutSpec::Irmin(irmin::Params::MEM),
            values: ValueEncoding::Tagged,
        }
    }

    /// What OCaml's irmin-pack hashes like: wide nodes are 32-way tries of inodes.
    #[must_use]
    pub const fn irmin_pack() -> Self {
        FormatSpec {
            hash: HashFunction::Blake2b(64),
            layout: LayoutSpec::Irmin(irmin::Params::PACK),
            values: ValueEncoding::Tagged,
        }
    }

    /// What new stores of our own use: 32-way tries, BLAKE3, modes of files.
    #[must_use]
    pub const fn native() -> Self {
        FormatSpec {
            hash: HashFunction::Blake3,
            layout: LayoutSpec::Irmin(irmin::Params::NATIVE),
            values: ValueEncoding::Tagged,
        }
    }

    /// The names that [`FromStr`] reads.
    pub const PRESETS: &'static [&'static str] = &["git", "irmin-mem", "irmin-pack", "native"];
}

impl FromStr for FormatSpec {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "git" => Ok(FormatSpec::git()),
            "irmin-mem" => Ok(FormatSpec::irmin_mem()),
            "irmin-pack" => Ok(FormatSpec::irmin_pack()),
            "native" => Ok(FormatSpec::native()),
            _ => Err(Error::new(
                Code::InvalidArgument,
                format!("`{name}` is not a format: one of {}", FormatSpec::PRESETS.join(", ")),
            )),
        }
    }
}

impl fmt::Display for FormatSpec {
    /// For messages: `git (sha1)`, `irmin-mem (blake2b, tagged values)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let params = match self.layout {
            LayoutSpec::Git => return write!(f, "git ({})", self.hash),
            LayoutSpec::Irmin(params) => params,
        };
        match params {
            irmin::Params::MEM => f.write_str("irmin-mem")?,
            irmin::Params::PACK => f.write_str("irmin-pack")?,
            irmin::Params::NATIVE => f.write_str("native")?,
            other => write!(f, "{other:?}")?,
        }
        let values = match self.values {
            ValueEncoding::Tagged => "tagged",
            ValueEncoding::Raw => "raw",
        };
        write!(f, " ({}, {values} values)", self.hash)
    }
}

/// A format that is ready to use.
///
/// ```
/// use irmin_core::{Format, FormatSpec};
/// let format = Format::new(FormatSpec::git());
/// let value = format.value(b"hello\n");
/// assert_eq!(value.id.to_string(), "ce013625030ba8dba906f756967f9e9ca394464a");
/// ```
#[derive(Clone)]
pub struct Format {
    spec: FormatSpec,
    layout: Arc<dyn Layout>,
}

impl Format {
    /// The format that a specification describes.
    #[must_use]
    pub fn new(spec: FormatSpec) -> Self {
        let layout: Arc<dyn Layout> = match spec.layout {
            LayoutSpec::Git => Arc::new(git::GitLayout::new(spec.hash)),
            LayoutSpec::Irmin(params) => {
                Arc::new(irmin::IrminLayout::new(spec.hash, params, spec.values))
            }
        };
        Format { spec, layout }
    }

    /// The specification.
    #[must_use]
    pub fn spec(&self) -> &FormatSpec {
        &self.spec
    }

    /// The hash function.
    #[must_use]
    pub fn hash(&self) -> HashFunction {
        self.spec.hash
    }

    /// The layout.
    #[must_use]
    pub fn layout(&self) -> &dyn Layout {
        &*self.layout
    }

    /// The object of a value with these encoded bytes.
    #[must_use]
    pub fn value(&self, value: &[u8]) -> Object {
        self.object(Kind::Value, self.layout.encode_value(value), Vec::new())
    }

    /// A hasher for the id of a value with this many encoded bytes: they are still to be fed to it.
    #[must_use]
    pub fn hasher(&self, len: u64) -> Hasher {
        let mut hasher = self.hash().hasher();
        hasher.update(&self.layout.value_header(len));
        hasher
    }

    /// The object of a commit.
    ///
    /// # Errors
    /// `unrepresentable` or `invalid_value` for an info that the layout cannot hold.
    pub fn commit(&self, commit: &CommitData) -> Result<Object> {
        Ok(self.commit_as_read(commit)?.0)
    }

    /// The object of a commit, and what it will be read as: it is read once before it is written,
    /// since what is written must not fail any more.
    ///
    /// # Errors
    /// As [`Format::commit`].
    pub(crate) fn commit_as_read(&self, commit: &CommitData) -> Result<(Object, Arc<CommitData>)> {
        let mut object = self.object(Kind::Commit, self.layout.encode_commit(commit)?, Vec::new());
        let mut read = self.layout.decode_commit(&object)?;
        for key in read.parents.iter_mut().chain([&mut read.tree]) {
            let known = commit.references().find(|known| *known == key);
            key.at = known.map_or(key.at, |known| known.at);
        }
        object.children = read.references().map(|key| Child::from(*key)).collect();
        let read = Arc::new(read);
        object.decoded = Some(Decoded::Commit(read.clone()));
        Ok((object, read))
    }

    /// The object of an annotated tag.
    ///
    /// # Errors
    /// `unrepresentable` in a layout without such tags; `invalid_name` or `invalid_value` for what
    /// git would misread.
    pub fn tag(&self, tag: &TagData) -> Result<Object> {
        let bytes = self.layout.encode_tag(tag)?;
        Ok(self.object(Kind::Tag, bytes, Vec::from([Child::from(tag.target)])))
    }

    /// Checks that an object has the id it claims.
    ///
    /// # Errors
    /// `corrupt_object`.
    pub fn verify(&self, object: &Object) -> Result<()> {
        let actual: Hash = self.hash().digest(&object.bytes);
        if actual == object.id || object.kind == Kind::ChunkIndex {
            return Ok(());
        }
        let what: String = format!("{}", object.kind);
        Err(Error::corrupt(&what, &object.id, format_args!("its bytes hash to {actual}")))
    }

    fn object(&self, kind: Kind, bytes: Bytes, children: Vec<Child>) -> Object {
        Object { children, ..Object::new(kind, self.hash().digest(&bytes), bytes) }
    }

    /// The key of the empty directory, and its object.
    ///
    /// # Errors
    /// None in practice: an empty directory needs no source.
    pub fn empty_dir(&self) -> Result<(Key, Option<Object>)> {
        let mut object = None;
        let key = self.layout.write(&NoSource, None, &Parts::NONE, &[], &mut |new| {
            let key = Key::from(new.id);
            object = Some(new);
            Ok(key)
        })?;
        Ok((key, object))
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}
impl Eq for Format {}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.spec, f)
    }
}

/// A source without objects.
struct NoSource;

impl super::Source for NoSource {
    fn load(&self, keys: &[Key]) -> Result<Vec<Arc<super::Dir>>> {
        if keys.is_empty() { Ok(Vec::new()) } else { Err(Error::missing_objects(keys.to_vec())) }
    }
}
