//! Values on the command line: as text, from standard input, or from a file.

use std::fs::File;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};

use crate::exit::Failure;

const STDIN: &str = "standard input";

/// Where a value comes from.
///
/// | argument | value |
/// |---|---|
/// | `-` | all of standard input |
/// | `@FILE` | the bytes of the file |
/// | `@@TEXT` | `@TEXT` |
/// | anything else | itself |
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ValueArg {
    /// These bytes.
    Literal(Vec<u8>),
    /// All of standard input.
    Stdin,
    /// The bytes of a file.
    File(PathBuf),
}

impl ValueArg {
    /// Reads the argument.
    pub(crate) fn parse(text: std::ffi::OsString) -> Self {
        let bytes = crate::args::bytes_of(text);
        match bytes.as_slice() {
            b"-" => ValueArg::Stdin,
            [b'@', b'@', ..] => ValueArg::Literal(bytes.get(1..).unwrap_or_default().to_vec()),
            [b'@', file @ ..] => ValueArg::File(path_of(file)),
            _ => ValueArg::Literal(bytes),
        }
    }

    /// Reads the value.
    ///
    /// # Errors
    /// If the file or standard input cannot be read, or holds more than `limit` bytes.
    pub(crate) fn read(&self, limit: usize) -> Result<Vec<u8>, Failure> {
        match self {
            ValueArg::Literal(literal) => {
                read_up_to(literal.as_slice(), Path::new("the value"), limit)
            }
            ValueArg::Stdin => read_up_to(std::io::stdin().lock(), Path::new(STDIN), limit),
            ValueArg::File(path) => {
                let file = File::open(path).map_err(|e| Failure::file(path, &e))?;
                read_up_to(file, path, limit)
            }
        }
    }

    /// Reads the value if it is small, and finds or makes the file of a large one.
    ///
    /// # Errors
    /// If the file or standard input cannot be read.
    pub(crate) fn open(&self, limit: usize) -> Result<Given, Failure> {
        match self {
            ValueArg::Literal(_) => self.read(limit).map(Given::Whole),
            ValueArg::Stdin => Given::spooled(std::io::stdin().lock(), Path::new(STDIN)),
            ValueArg::File(path) => Given::file(path, limit),
        }
    }
}

/// The largest value that is held in memory where it could be streamed, in bytes.
pub(crate) const WHOLE: u64 = 1 << 20;

/// A value that was given.
#[derive(Debug)]
pub(crate) enum Given {
    /// These bytes.
    Whole(Vec<u8>),
    /// What is in a file, of this length.
    Large(File, u64),
}

impl Given {
    /// The value of a file: its bytes if they are few, or no more than `limit` of them from what is
    /// no ordinary file.
    ///
    /// # Errors
    /// If it cannot be read, or holds too much.
    pub(crate) fn file(path: &Path, limit: usize) -> Result<Given, Failure> {
        let failed = |e| Failure::file(path, &e);
        let file = File::open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?;
        if found.is_file() && found.len() > WHOLE {
            return Ok(Given::Large(file, found.len()));
        }
        read_up_to(file, path, limit).map(Given::Whole)
    }

    /// The value of a reader whose end is not known: more than a little goes to a temporary file,
    /// because a value is hashed after its length.
    fn spooled(mut read: impl Read, name: &Path) -> Result<Given, Failure> {
        let failed = |e| Failure::file(name, &e);
        let mut head = Vec::new();
        (&mut read).take(WHOLE + 1).read_to_end(&mut head).map_err(failed)?;
        let len = head.len() as u64;
        if len <= WHOLE {
            return Ok(Given::Whole(head));
        }
        let spool = |e| Failure::file(&std::env::temp_dir(), &e);
        let mut file = tempfile::tempfile().map_err(spool)?;
        file.write_all(&head).map_err(spool)?;
        // Which of the two failed cannot be told: most often it is the disk.
        let rest = std::io::copy(&mut read, &mut file).map_err(spool)?;
        Ok(Given::Large(file, len + rest))
    }
}

fn read_up_to(read: impl Read, name: &Path, limit: usize) -> Result<Vec<u8>, Failure> {
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    read.take(bound).read_to_end(&mut bytes).map_err(|e| Failure::file(name, &e))?;
    if bytes.len() > limit {
        let error = irmin_core::Error::new(
            irmin_core::Code::PayloadTooLarge,
            format!("{}: a value has at most {limit} bytes", name.display()),
        );
        return Err(error.into());
    }
    Ok(bytes)
}

/// A parser of values for `clap`.
pub(crate) fn value_parser() -> impl clap::builder::TypedValueParser<Value = ValueArg> {
    use clap::builder::TypedValueParser as _;
    clap::builder::OsStringValueParser::new().map(ValueArg::parse)
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> PathBuf {
    std::path::Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes))
        .to_owned()
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek as _, SeekFrom};

    #[test]
    fn arguments() {
        let parse = |text: &str| ValueArg::parse(text.into());
        assert_eq!(parse("-"), ValueArg::Stdin);
        assert_eq!(parse("--"), ValueArg::Literal(b"--".to_vec()));
        assert_eq!(parse("@a/b"), ValueArg::File("a/b".into()));
        assert_eq!(parse("@@a"), ValueArg::Literal(b"@a".to_vec()));
        assert_eq!(parse(""), ValueArg::Literal(Vec::new()));
        assert_eq!(parse("a@b"), ValueArg::Literal(b"a@b".to_vec()));
    }

    #[test]
    fn what_is_large_is_a_file() {
        let name = Path::new("n");
        let large = vec![7; 1_500_000];
        for len in [0, 1 << 20, (1 << 20) + 1, 1_500_000] {
            let part = &large[..len];
            let whole = match Given::spooled(part, name).unwrap() {
                Given::Whole(bytes) => {
                    assert_eq!(bytes, part);
                    true
                }
                Given::Large(mut file, said) => {
                    let mut bytes = Vec::new();
                    file.seek(SeekFrom::Start(0)).unwrap();
                    file.read_to_end(&mut bytes).unwrap();
                    assert_eq!((bytes.as_slice(), said), (part, len as u64));
                    false
                }
            };
            assert_eq!(whole, len <= 1 << 20);
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), part).unwrap();
            let given = Given::file(file.path(), 1 << 20).unwrap();
            assert_eq!(matches!(given, Given::Whole(_)), whole);
        }
    }

    #[test]
    fn files_are_read_up_to_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("v");
        std::fs::write(&path, b"12345").unwrap();
        let value = ValueArg::File(path);
        assert_eq!(value.read(5).unwrap(), b"12345");
        assert_eq!(value.read(4).unwrap_err().code, "payload_too_large");
        assert!(matches!(value.open(5).unwrap(), Given::Whole(bytes) if bytes == b"12345"));
        let absent = ValueArg::File(dir.path().join("absent"));
        assert!(absent.read(5).unwrap_err().message.contains("absent"));
    }
}
