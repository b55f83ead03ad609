//! Values on the command line: as text, from standard input, or from a file.

use std::io::Read as _;
use std::path::PathBuf;

use crate::exit::Failure;

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
        let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        let mut bytes = Vec::new();
        let name = match self {
            ValueArg::Literal(literal) => {
                bytes.clone_from(literal);
                PathBuf::from("the value")
            }
            ValueArg::Stdin => {
                let name = PathBuf::from("standard input");
                let read = std::io::stdin().lock().take(bound).read_to_end(&mut bytes);
                read.map_err(|e| Failure::file(&name, &e))?;
                name
            }
            ValueArg::File(path) => {
                let file = std::fs::File::open(path).map_err(|e| Failure::file(path, &e))?;
                let read = file.take(bound).read_to_end(&mut bytes);
                read.map_err(|e| Failure::file(path, &e))?;
                path.clone()
            }
        };
        if bytes.len() > limit {
            let error = irmin_core::Error::new(
                irmin_core::Code::PayloadTooLarge,
                format!("{}: a value has at most {limit} bytes", name.display()),
            );
            return Err(error.into());
        }
        Ok(bytes)
    }
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
    fn files_are_read_up_to_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("v");
        std::fs::write(&path, b"12345").unwrap();
        let value = ValueArg::File(path);
        assert_eq!(value.read(5).unwrap(), b"12345");
        assert_eq!(value.read(4).unwrap_err().code, "payload_too_large");
        let absent = ValueArg::File(dir.path().join("absent"));
        assert!(absent.read(5).unwrap_err().message.contains("absent"));
    }
}
