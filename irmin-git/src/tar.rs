//! The archives of `git archive`, and of every other tar.
//!
//! [`Reader`] takes an archive apart, entry by entry, as its bytes come, and holds no more than
//! one header. It reads ustar, the extended headers of POSIX (path, linkpath, size, comment), and
//! GNU's long names and large sizes; what it cannot read as its writer meant it, such as sparse
//! files, it refuses. Names are made paths of a store, so none leads out of it.
//!
//! Source: POSIX.1-2017, pax, "pax Interchange Format"; GNU tar's manual, "Basic Tar Format".

use std::io::{BufRead, Read as _};

use irmin_core::{Bytes, Code, Error, Path, Result, limits};

const BLOCK: usize = 512;

/// The longest extended header: paths are far shorter, other attributes are passed over.
const EXTENDED: u64 = 1 << 20;

/// What gzip, bzip2, xz and zstd begin with.
const COMPRESSED: [&[u8]; 4] = [b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"];

/// How many comments are kept.
const COMMENTS: usize = 8;

/// What an entry is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// A file, whose bytes are read from the [`Reader`].
    File {
        /// Whether its owner may run it.
        exec: bool,
    },
    /// A symbolic link, and where to: anything, as in git.
    Link(Bytes),
    /// Another name of a file that came before (a hard link).
    Copy(Path),
    /// A directory: stores keep those that something is in.
    Directory,
    /// Something below a directory `.git`.
    Git,
    /// A device or a pipe.
    Special,
}

/// One entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The name as it is written, for people.
    pub name: String,
    /// The path; the root for what is [`What::Git`].
    pub path: Path,
    /// What it is.
    pub what: What,
    /// How many bytes it has.
    pub size: u64,
}

/// What extended headers say of the next entry.
#[derive(Default)]
struct More {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

/// Takes an archive apart.
///
/// The bytes of a file are read through [`irmin_core::io::Read`]; what is not read is passed over.
///
/// ```
/// let mut reader = irmin_git::tar::Reader::new(&[0; 1024][..]);
/// assert_eq!(reader.next()?, None);
/// # Ok::<(), irmin_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    number: u64,
    /// How many bytes of the entry are still to come, and how many fill its last block.
    left: u64,
    filling: u64,
    comments: Vec<Bytes>,
    ended: bool,
}

impl<R: BufRead> Reader<R> {
    /// A reader at the beginning of an archive.
    pub fn new(input: R) -> Self {
        Reader { input, number: 0, left: 0, filling: 0, comments: Vec::new(), ended: false }
    }

    /// The comments on the whole archive so far: that of `git archive` is a commit.
    pub fn comments(&self) -> &[Bytes] {
        &self.comments
    }

    /// The next entry; nothing at the end.
    ///
    /// # Errors
    /// `invalid_value` for what is no archive or was cut, naming the entry, `invalid_path` for a
    /// name that no path of a store can be (absolute, with `..`, or one that git refuses),
    /// `unsupported` for entries that are not known, `payload_too_large` for headers without
    /// measure, and `io`.
    #[allow(clippy::should_implement_trait)] // An iterator would go on after an error.
    pub fn next(&mut self) -> Result<Option<Entry>> {
        let mut more = More::default();
        let mut announced = false;
        while !self.ended {
            self.pass_over()?;
            self.number += 1;
            let Some(header) = self.block()? else {
                return Err(self.wrong("the archive ends without its end: it was cut"));
            };
            if header.iter().all(|byte| *byte == 0) {
                self.ended = true;
                if announced {
                    return Err(self.wrong("an extended header has no entry after it"));
                }
                // The end is two such blocks; one and nothing more is an end to other programs too.
                let second = self.block()?;
                if second.is_some_and(|block| block.iter().any(|byte| *byte != 0)) {
                    return Err(self.wrong("there is more after the end"));
                }
                break;
            }
            self.check(&header)?;
            let kind = header.get(156).copied().unwrap_or_default();
            let size = self.number(field(&header, 124, 12))?;
            if matches!(kind, b'x' | b'g' | b'L' | b'K') {
                self.begin(size);
                announced |= kind != b'g';
                self.extend(kind, size, &mut more)?;
                continue;
            }
            return self.entry(&header, kind, size, more).map(Some);
        }
        Ok(None)
    }

    fn entry(&mut self, header: &[u8], kind: u8, size: u64, more: More) -> Result<Entry> {
        let name = more.path.unwrap_or_else(|| name(header));
        let shown = name.escape_ascii().to_string();
        let wrong = |e: Error| e.context(format_args!("entry {} of the archive", self.number));
        let belongs_to_git = name.split(|b| *b == b'/').any(|step| step == b".git");
        let path =
            if belongs_to_git { Path::root().clone() } else { path(&name).map_err(wrong)? };
        let target = || more.link.unwrap_or_else(|| text(field(header, 157, 100)).to_vec());
        let exec = self.number(field(header, 100, 8))? & 0o100 != 0;
        let slash = name.ends_with(b"/");
        let what = match kind {
            _ if belongs_to_git => What::Git,
            // Before ustar a directory was a file whose name ends so.
            b'0' | 0 if slash => What::Directory,
            b'0' | 0 | b'7' => What::File { exec },
            b'1' => What::Copy(self::path(&target()).map_err(wrong)?),
            b'2' => What::Link(self.target(&path, target())?),
            b'3' | b'4' | b'6' => What::Special,
            b'5' => What::Directory,
            b'S' => return Err(self.unsupported(&shown, "a sparse file")),
            b'M' | b'V' => return Err(self.unsupported(&shown, "a volume of several")),
            _ => {
                let what = format!("of the kind `{}`", kind.escape_ascii());
                return Err(self.unsupported(&shown, &what));
            }
        };
        if path.is_root() && matches!(what, What::File { .. } | What::Link(_) | What::Copy(_)) {
            return Err(self.wrong("a value needs a name"));
        }
        // Nothing follows links, devices and directories, whatever the header says.
        let size = if matches!(kind, b'1'..=b'6') { 0 } else { more.size.unwrap_or(size) };
        self.begin(size);
        Ok(Entry { name: shown, path, what, size })
    }

    /// The target of a link, if git has such links.
    fn target(&self, path: &Path, target: Vec<u8>) -> Result<Bytes> {
        let name = path.steps().last().unwrap_or_default().to_ascii_lowercase();
        if matches!(&name[..], b".gitmodules" | b"gitmod~1") {
            return Err(self.wrong("git refuses a symbolic link of this name"));
        }
        if target.is_empty() || target.len() > limits::PATH || target.contains(&0) {
            return Err(self.wrong("the target of a link has 1 to 4096 bytes, and no NUL"));
        }
        Ok(Bytes::from(target))
    }

    /// Reads an extended header.
    fn extend(&mut self, kind: u8, size: u64, more: &mut More) -> Result<()> {
        if size > EXTENDED {
            let why = format!("entry {} of the archive: a header of {size} bytes", self.number);
            return Err(Error::new(Code::PayloadTooLarge, why));
        }
        let mut bytes = Vec::new();
        let mut piece = [0; 4096];
        loop {
            match irmin_core::io::Read::read(self, &mut piece)? {
                0 => break,
                n => bytes.extend_from_slice(piece.get(..n).unwrap_or_default()),
            }
        }
        match kind {
            // GNU ends names with a NUL; one inside is refused with the path.
            b'L' => more.path = Some(bytes.strip_suffix(b"\0").unwrap_or(&bytes).to_vec()),
            b'K' => more.link = Some(bytes.strip_suffix(b"\0").unwrap_or(&bytes).to_vec()),
            _ => self.records(&bytes, kind == b'g', more)?,
        }
        Ok(())
    }

    /// Reads records of the form `LENGTH NAME=VALUE`, with a line end.
    fn records(&mut self, mut bytes: &[u8], global: bool, more: &mut More) -> Result<()> {
        while !bytes.is_empty() {
            let wrong = || self.wrong("an extended header is no list of `LENGTH NAME=VALUE`");
            let blank = bytes.iter().position(|b| *b == b' ').ok_or_else(wrong)?;
            let len = bytes.get(..blank).and_then(decimal).ok_or_else(wrong)?;
            let len = usize::try_from(len).map_err(|_| wrong())?;
            let record = bytes.get(blank + 1..len).and_then(|record| record.strip_suffix(b"\n"));
            let record = record.ok_or_else(wrong)?;
            let equals = record.iter().position(|b| *b == b'=').ok_or_else(wrong)?;
            let (name, value) = record.split_at_checked(equals).ok_or_else(wrong)?;
            let value = value.get(1..).unwrap_or_default();
            bytes = bytes.get(len..).unwrap_or_default();
            match name {
                b"comment" if global && self.comments.len() < COMMENTS => {
                    self.comments.push(Bytes::copy_from_slice(value));
                }
                b"path" | b"linkpath" | b"size" if global => {
                    let why = "one name or size for all entries is not supported";
                    return Err(Error::new(Code::Unsupported, why));
                }
                b"path" => more.path = Some(value.to_vec()).filter(|value| !value.is_empty()),
                b"linkpath" => more.link = Some(value.to_vec()).filter(|value| !value.is_empty()),
                b"size" => more.size = Some(decimal(value).ok_or_else(wrong)?),
                name if name.starts_with(b"GNU.sparse") => {
                    let why = format!("entry {}: sparse files are not supported", self.number);
                    return Err(Error::new(Code::Unsupported, why));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Requires the sum that a header has of its bytes, its own eight being blanks.
    fn check(&self, header: &[u8]) -> Result<()> {
        let told = self.number(field(header, 148, 8)).ok();
        let counts = |(at, byte): (usize, &u8)| match at {
            148..156 => u64::from(b' '),
            _ => u64::from(*byte),
        };
        if Some(header.iter().enumerate().map(counts).sum::<u64>()) == told {
            return Ok(());
        }
        if self.number == 1 && COMPRESSED.iter().any(|magic| header.starts_with(magic)) {
            let why = "the archive is compressed: let another program decompress it first";
            return Err(Error::new(Code::Unsupported, why));
        }
        Err(self.wrong("its header has another checksum: this is no tar archive, or damaged"))
    }

    /// A number in octal digits, or as GNU writes those that do not fit: binary after one byte.
    fn number(&self, field: &[u8]) -> Result<u64> {
        if let Some((0x80, rest)) = field.split_first() {
            let value = rest.iter().try_fold(0_u64, |value, byte| {
                value.checked_mul(256).map(|value| value | u64::from(*byte))
            });
            return value.ok_or_else(|| self.wrong("a number is too large"));
        }
        let digits = text(field).trim_ascii();
        let value = digits.iter().try_fold(0_u64, |value, digit| match digit {
            b'0'..=b'7' => value.checked_mul(8).map(|value| value | u64::from(digit - b'0')),
            _ => None,
        });
        value.ok_or_else(|| self.wrong("a number of the header is not octal"))
    }

    fn begin(&mut self, size: u64) {
        self.left = size;
        self.filling = (512 - size % 512) % 512;
    }

    /// Goes to the next header.
    fn pass_over(&mut self) -> Result<()> {
        for skip in [std::mem::take(&mut self.left), std::mem::take(&mut self.filling)] {
            let passed = std::io::copy(&mut (&mut self.input).take(skip), &mut std::io::sink());
            if passed.map_err(|e| unread(&e))? < skip {
                return Err(self.wrong("the archive ends inside it: it was cut"));
            }
        }
        Ok(())
    }

    /// A block; nothing at the end of the input.
    fn block(&mut self) -> Result<Option<Vec<u8>>> {
        let mut block = Vec::with_capacity(BLOCK);
        let read = (&mut self.input).take(512).read_to_end(&mut block);
        match read.map_err(|e| unread(&e))? {
            0 => Ok(None),
            BLOCK => Ok(Some(block)),
            _ => Err(self.wrong("the archive ends inside a header: it was cut")),
        }
    }

    fn wrong(&self, why: &str) -> Error {
        Error::new(Code::InvalidValue, format!("entry {} of the archive: {why}", self.number))
    }

    fn unsupported(&self, name: &str, what: &str) -> Error {
        let number = self.number;
        let why = format!("entry {number} of the archive: `{name}` is {what}: not supported");
        Error::new(Code::Unsupported, why)
    }
}

/// The bytes of the entry that was read last.
impl<R: BufRead> irmin_core::io::Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(buffer) = buffer.get_mut(..most).filter(|buffer| !buffer.is_empty()) else {
            return Ok(0);
        };
        let read = self.input.read(buffer).map_err(|e| unread(&e))?;
        if read == 0 {
            return Err(self.wrong("the archive ends inside it: it was cut"));
        }
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }
}

fn unread(e: &std::io::Error) -> Error {
    Error::new(Code::Io, format!("the archive cannot be read: {e}"))
}

/// A field of a header.
fn field(header: &[u8], at: usize, len: usize) -> &[u8] {
    header.get(at..at + len).unwrap_or_default()
}

/// What is before the first NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// The name in a header: ustar has a second field for its beginning, GNU uses that otherwise.
fn name(header: &[u8]) -> Vec<u8> {
    let name = text(field(header, 0, 100));
    let prefix = text(field(header, 345, 155));
    if field(header, 257, 6) == b"ustar\0" && !prefix.is_empty() {
        return [prefix, b"/", name].concat();
    }
    name.to_vec()
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| plain)?.parse().ok()
}

/// The path that a name stands for: relative, and without `..`.
fn path(name: &[u8]) -> Result<Path> {
    if name.starts_with(b"/") {
        let why = format!("the name `{}` is absolute", name.escape_ascii());
        return Err(Error::new(Code::InvalidPath, why));
    }
    let steps = name.split(|byte| *byte == b'/');
    Path::new(steps.filter(|step| !step.is_empty() && *step != b"."))
}
