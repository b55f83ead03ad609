//! Slices as streams of bytes: the table of the format is in the module above.

use alloc::vec::Vec;
use core::fmt;

use super::SliceObject;
use crate::backend::{ValueRead, copy_value};
use crate::error::{Code, Error, Result};
use crate::hash::{Hash, HashFunction, Hasher};
use crate::id::CommitId;
use crate::io::{Read, Write, fill};
use crate::limits::Limits;
use crate::object::{Format, FormatSpec, Kind, LayoutSpec, ValueEncoding, irmin};

/// What a stream begins with; the last byte is the version.
const MAGIC: &[u8; 8] = b"irminsl1";
/// The kind that no object has.
const END: u8 = 0;
/// How much is read at once: a length that lies costs no more memory than this.
const PIECE: usize = 64 << 10;

/// Writes a slice as a stream.
///
/// ```
/// use irmin_core::slice::{Reader, Writer};
/// use irmin_core::{FormatSpec, Limits};
/// let mut file = Vec::new();
/// Writer::new(&mut file, &FormatSpec::git(), &[])?.finish()?;
/// let from = &mut &file[..];
/// let mut reader = Reader::new(from, &Limits::default())?;
/// assert_eq!(reader.format(), &FormatSpec::git());
/// assert!(reader.next().is_none());
/// # Ok::<(), irmin_core::Error>(())
/// ```
pub struct Writer<'a> {
    to: &'a mut dyn Write,
    hasher: Hasher,
    count: u64,
}

impl<'a> Writer<'a> {
    /// Begins a stream of objects of a format, from these heads.
    ///
    /// # Errors
    /// Those of writing.
    pub fn new(to: &'a mut dyn Write, format: &FormatSpec, heads: &[CommitId]) -> Result<Self> {
        let mut writer = Writer { to, hasher: HashFunction::Blake3.hasher(), count: 0 };
        let mut begin = MAGIC.to_vec();
        let record = encode_format(format);
        put_short(&mut begin, &record);
        begin.extend((heads.len() as u64).to_le_bytes());
        heads.iter().for_each(|head| begin.extend(head.hash().as_bytes()));
        writer.write(&begin)?;
        Ok(writer)
    }

    /// Writes an object: what it refers to comes before it.
    ///
    /// # Errors
    /// `invalid_argument` for a kind that is in no slice, and those of writing.
    pub fn put(&mut self, object: &SliceObject) -> Result<()> {
        self.head(object.kind, &object.id, object.bytes.len() as u64)?;
        self.write(&object.bytes)?;
        self.count += 1;
        Ok(())
    }

    /// Writes a value as it is read.
    ///
    /// # Errors
    /// `corrupt_object` if it does not have its hash, and those of reading and writing.
    pub(super) fn put_value(
        &mut self,
        format: &Format,
        id: &Hash,
        value: &mut dyn ValueRead,
    ) -> Result<()> {
        let header = format.layout().value_header(value.len());
        self.head(Kind::Value, id, (header.len() as u64).saturating_add(value.len()))?;
        self.write(&header)?;
        let actual = copy_value(format, value, self)?;
        if actual != *id {
            return Err(Error::corrupt("value", id, format_args!("its bytes hash to {actual}")));
        }
        self.count += 1;
        Ok(())
    }

    fn head(&mut self, kind: Kind, id: &Hash, len: u64) -> Result<()> {
        let kind = match kind {
            Kind::Value => 1,
            Kind::Node => 2,
            Kind::Inode => 3,
            Kind::Commit => 4,
            kind => {
                let why = alloc::format!("a {kind} cannot be in a slice");
                return Err(Error::new(Code::InvalidArgument, why));
            }
        };
        let mut head = Vec::from([kind]);
        head.extend(id.as_bytes());
        head.extend(len.to_le_bytes());
        self.write(&head)
    }

    /// Ends the stream, and says how many objects are in it.
    ///
    /// # Errors
    /// Those of writing.
    pub fn finish(mut self) -> Result<u64> {
        let mut end = Vec::from([END]);
        end.extend(self.count.to_le_bytes());
        self.write(&end)?;
        let Writer { to, hasher, count } = self;
        to.write(hasher.finish().as_bytes())?;
        Ok(count)
    }
}

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        self.to.write(bytes)
    }
}

impl fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Writer({} objects)", self.count)
    }
}

/// Reads a slice from a stream: its objects one by one.
///
/// It is strict: a stream that ends too early, goes on after its end, or has another checksum is an
/// error, at the place where that shows. Whether objects have their hashes is for the import to
/// check. After an error, or the end, there is nothing more.
pub struct Reader<'a> {
    from: &'a mut dyn Read,
    hasher: Option<Hasher>,
    format: FormatSpec,
    heads: Vec<CommitId>,
    most: usize,
    count: u64,
}

impl<'a> Reader<'a> {
    /// Reads the beginning of a stream. `limits` bounds the objects and the number of heads.
    ///
    /// # Errors
    /// `unsupported` for another version, `corrupt_object` for what is no slice or is cut off,
    /// `payload_too_large` for more heads than [`Limits::list`], and those of reading.
    pub fn new(from: &'a mut dyn Read, limits: &Limits) -> Result<Self> {
        let mut reader = Reader {
            from,
            hasher: Some(HashFunction::Blake3.hasher()),
            format: FormatSpec::git(),
            heads: Vec::new(),
            most: limits.object,
            count: 0,
        };
        let magic: [u8; 8] = reader.array("what it is")?;
        let (name, version) = (magic.first_chunk::<7>(), magic.last());
        if name != MAGIC.first_chunk::<7>() {
            return Err(bad("it does not begin as one"));
        }
        if version != MAGIC.last() {
            let why = "the slice is in a later version of its format: update this program";
            return Err(Error::new(Code::Unsupported, why));
        }
        let [len] = reader.array("its format")?;
        let record = reader.bytes(usize::from(len), "its format")?;
        reader.format = decode_format(&record)?;
        let count = u64::from_le_bytes(reader.array("its heads")?);
        let count = usize::try_from(count).ok().filter(|count| *count <= limits.list);
        let count = count.ok_or_else(|| {
            let why = alloc::format!("the slice has more heads than the limit of {}", limits.list);
            Error::new(Code::PayloadTooLarge, why)
        })?;
        for _ in 0..count {
            let head = reader.hash("its heads")?;
            reader.heads.push(CommitId(head));
        }
        Ok(reader)
    }

    /// The format of the objects.
    #[must_use]
    pub fn format(&self) -> &FormatSpec {
        &self.format
    }

    /// The commits that the slice was made from.
    #[must_use]
    pub fn heads(&self) -> &[CommitId] {
        &self.heads
    }

    /// The next object; of a value with more bytes than `whole`, what comes before its bytes.
    ///
    /// # Errors
    /// Those of the stream.
    pub(super) fn part(&mut self, whole: usize) -> Result<Option<Part>> {
        let [kind] = self.array("its end")?;
        let kind = match kind {
            END => return self.end().map(|()| None),
            1 => Kind::Value,
            2 => Kind::Node,
            3 => Kind::Inode,
            4 => Kind::Commit,
            _ => return Err(bad("it has an object of no known kind")),
        };
        let id = self.hash("an object")?;
        let len = u64::from_le_bytes(self.array("an object")?);
        if kind == Kind::Value && len > whole as u64 {
            self.count += 1;
            return Ok(Some(Part::Large { id, len }));
        }
        let Some(len) = usize::try_from(len).ok().filter(|len| *len <= self.most) else {
            let why = alloc::format!(
                "{kind} {id} of the slice has {len} bytes: more than the limit of {}",
                self.most
            );
            return Err(Error::new(Code::PayloadTooLarge, why));
        };
        let bytes = self.bytes(len, "an object")?.into();
        self.count += 1;
        Ok(Some(Part::Object(SliceObject { kind, id, bytes })))
    }

    fn object(&mut self) -> Result<Option<SliceObject>> {
        // Nothing is larger than that, so that all objects come whole.
        match self.part(usize::MAX)? {
            Some(Part::Object(object)) => Ok(Some(object)),
            Some(Part::Large { id, len }) => {
                let why = alloc::format!("value {id} of the slice has {len} bytes");
                Err(Error::new(Code::PayloadTooLarge, why))
            }
            None => Ok(None),
        }
    }

    /// The bytes of the large value that was come to: all of them must be read.
    pub(super) fn body(&mut self, len: u64) -> Body<'_, 'a> {
        Body { reader: self, left: len }
    }

    fn end(&mut self) -> Result<()> {
        if u64::from_le_bytes(self.array("its end")?) != self.count {
            return Err(bad("it has another number of objects than it says"));
        }
        let Some(hasher) = self.hasher.take() else { return Err(bad("it has ended")) };
        let checksum: [u8; 32] = self.array("its checksum")?;
        if hasher.finish().as_bytes() != checksum {
            return Err(bad("it does not have its checksum"));
        }
        if self.from.read(&mut [0])? > 0 {
            return Err(bad("it has bytes after its end"));
        }
        Ok(())
    }

    fn hash(&mut self, of: &str) -> Result<Hash> {
        let bytes = self.bytes(self.format.hash.len(), of)?;
        Hash::new(&bytes)
    }

    fn array<const N: usize>(&mut self, of: &str) -> Result<[u8; N]> {
        let mut array = [0; N];
        self.fill(&mut array, of)?;
        Ok(array)
    }

    /// Bytes of a length that somebody else says: memory grows with what comes.
    fn bytes(&mut self, len: usize, of: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while bytes.len() < len {
            let at = bytes.len();
            bytes.resize(len.min(at.saturating_add(PIECE)), 0);
            self.fill(bytes.get_mut(at..).unwrap_or_default(), of)?;
        }
        Ok(bytes)
    }

    fn fill(&mut self, buffer: &mut [u8], of: &str) -> Result<()> {
        if fill(self.from, buffer)? < buffer.len() {
            return Err(bad(alloc::format!("it ends in the middle: before or in {of}")));
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(buffer);
        }
        Ok(())
    }
}

/// What comes next in a stream.
pub(super) enum Part {
    /// An object.
    Object(SliceObject),
    /// A large value, whose pre-image has so many bytes, which come then.
    Large {
        /// Its hash.
        id: Hash,
        /// Their number.
        len: u64,
    },
}

/// The bytes of a large value.
pub(super) struct Body<'r, 'a> {
    reader: &'r mut Reader<'a>,
    left: u64,
}

impl Read for Body<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let len = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let buffer = buffer.get_mut(..len).unwrap_or_default();
        self.reader.fill(buffer, "a value")?;
        self.left = self.left.saturating_sub(len as u64);
        Ok(len)
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<SliceObject>;

    fn next(&mut self) -> Option<Self::Item> {
        self.hasher.as_ref()?;
        let object = self.object().transpose();
        if matches!(object, Some(Err(_))) {
            self.hasher = None;
        }
        object
    }
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({} heads, {} objects so far)", self.heads.len(), self.count)
    }
}

fn bad(why: impl fmt::Display) -> Error {
    let what = "the stream is no whole slice";
    Error::new(Code::CorruptObject, alloc::format!("{what}: {why}; get it anew"))
}

fn put_short(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(u8::try_from(bytes.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(bytes);
}

fn encode_format(spec: &FormatSpec) -> Vec<u8> {
    let mut out = Vec::new();
    put_short(&mut out, alloc::format!("{}", spec.hash).as_bytes());
    out.push(match spec.values {
        ValueEncoding::Tagged => 0,
        ValueEncoding::Raw => 1,
    });
    match spec.layout {
        LayoutSpec::Git => out.push(0),
        LayoutSpec::Irmin(params) => {
            out.push(1);
            out.extend(params.fanout.to_le_bytes());
            out.push(u8::from(params.modes));
            out.push(u8::from(params.stable_bound.is_some()));
            out.extend(params.stable_bound.iter().flat_map(|bound| bound.to_le_bytes()));
        }
    }
    out
}

fn decode_format(record: &[u8]) -> Result<FormatSpec> {
    let spec = parse_format(record).ok_or_else(|| bad("its format record cannot be read"))?;
    // One record for one format.
    if encode_format(&spec) == record { Ok(spec) } else { Err(bad("its format record is another")) }
}

fn parse_format(mut record: &[u8]) -> Option<FormatSpec> {
    let from = &mut record;
    let [len] = take(from)?;
    let (name, rest) = from.split_at_checked(usize::from(len))?;
    *from = rest;
    let hash = core::str::from_utf8(name).ok()?.parse().ok()?;
    let values = match take(from)? {
        [0] => ValueEncoding::Tagged,
        [1] => ValueEncoding::Raw,
        _ => return None,
    };
    let layout = match take(from)? {
        [0] => LayoutSpec::Git,
        [1] => {
            let fanout = u32::from_le_bytes(take(from)?);
            let [modes, bound] = take(from)?;
            let stable_bound = if bound == 0 { None } else { Some(take(from)?) };
            let stable_bound = stable_bound.map(u32::from_le_bytes);
            LayoutSpec::Irmin(irmin::Params { fanout, stable_bound, modes: modes != 0 })
        }
        _ => return None,
    };
    Some(FormatSpec { hash, layout, values })
}

fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(*taken)
}
