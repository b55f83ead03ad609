//! The forms in which stores are exported and imported, besides directories of files.

pub(crate) mod fast_export;
pub(crate) mod fast_import;
pub(crate) mod history;
pub(crate) mod jsonl;
pub(crate) mod mended;
pub(crate) mod roots;
pub(crate) mod slice;
pub(crate) mod tar;
pub(crate) mod untar;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path as FilePath, PathBuf};

use clap::ValueEnum;
use irmin_core::tree::ValueReader;
use irmin_core::{Bytes, Code, Error};

use crate::exit::{Failure, Outcome, Stop};

/// The form of what is exported or imported.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum Form {
    /// A directory of files
    #[default]
    Directory,
    /// Whole histories, as git fast-export writes and git fast-import reads them
    GitFast,
    /// One tree: a line of JSON for each key
    Jsonl,
    /// Whole histories: a line of JSON for each commit, and for each key that it changed
    JsonlHistory,
    /// One tree: a tar archive
    Tar,
    /// A part of the history, for stores of the same format
    Slice,
}

/// What was read of one tree.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) keys: u64,
    pub(crate) bytes: u64,
    /// The hash of the tree, if the stream tells it.
    pub(crate) tree: Option<String>,
    /// What was left out, and why.
    pub(crate) skipped: Vec<(String, &'static str)>,
}

/// Whether a file name stands for standard input or output.
pub(crate) fn is_dash(file: &FilePath) -> bool {
    file.as_os_str() == "-"
}

/// A file, or standard output, that is written. A file that was not finished is removed: what was
/// cut looks like what is whole.
pub(crate) struct Sink {
    to: Box<dyn Write>,
    /// None for standard output, and when it is finished.
    file: Option<PathBuf>,
}

impl Sink {
    /// Opens a file that does not exist, or with `force` one that does.
    pub(crate) fn create(file: &FilePath, force: bool) -> Result<Self, Failure> {
        if is_dash(file) {
            return Ok(Sink { to: Box::new(BufWriter::new(io::stdout())), file: None });
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(!force).create(force).truncate(force);
        let opened = options.open(file).map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists => {
                Failure::file(file, &e).hint("--force overwrites files")
            }
            _ => Failure::file(file, &e),
        })?;
        Ok(Sink { to: Box::new(BufWriter::new(opened)), file: Some(file.to_owned()) })
    }

    /// Whether it is standard output, which nothing else may be printed on.
    pub(crate) fn is_stdout(&self) -> bool {
        self.file.is_none()
    }

    /// Writes bytes.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Outcome<()> {
        self.to.write_all(bytes).map_err(|e| self.failed(e))
    }

    /// Writes a value, piece by piece.
    pub(crate) fn value(&mut self, value: &mut ValueReader) -> Outcome<()> {
        self.stream(|to| value.copy_to(to))
    }

    /// Lets the library write.
    pub(crate) fn stream<T>(
        &mut self,
        write: impl FnOnce(&mut dyn irmin_core::io::Write) -> irmin_core::Result<T>,
    ) -> Outcome<T> {
        let mut to = Kept { to: &mut *self.to, error: None };
        let written = write(&mut to);
        match to.error {
            Some(error) => Err(self.failed(error)),
            None => Ok(written?),
        }
    }

    /// Hands over everything.
    pub(crate) fn finish(mut self) -> Outcome<()> {
        self.to.flush().map_err(|e| self.failed(e))?;
        self.file = None;
        Ok(())
    }

    /// Why writing failed.
    pub(crate) fn failed(&self, error: io::Error) -> Stop {
        match &self.file {
            Some(file) => Failure::file(file, &error).into(),
            None => error.into(),
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // Not a device or a pipe, which were there before, nor what a link leads to.
        if let Some(file) = self
            .file
            .take()
            .filter(|file| fs::symlink_metadata(file).is_ok_and(|found| found.is_file()))
        {
            let _ = fs::remove_file(file);
        }
    }
}

/// Keeps the error that the library's own cannot hold.
struct Kept<'a> {
    to: &'a mut dyn Write,
    error: Option<io::Error>,
}

impl irmin_core::io::Write for Kept<'_> {
    fn write(&mut self, bytes: &[u8]) -> irmin_core::Result<()> {
        self.to.write_all(bytes).map_err(|error| {
            let told = Error::new(Code::Io, error.to_string());
            self.error = Some(error);
            told
        })
    }
}

/// A file, or standard input, that is read.
pub(crate) fn open(file: &FilePath) -> Result<Box<dyn BufRead>, Failure> {
    if is_dash(file) {
        return Ok(Box::new(io::stdin().lock()));
    }
    let opened = File::open(file).map_err(|e| Failure::file(file, &e))?;
    Ok(Box::new(BufReader::new(opened)))
}

/// The bytes of a value; memory grows with those that come, not with those that are told of.
pub(crate) fn whole(
    from: &mut dyn irmin_core::io::Read,
    size: u64,
    limit: usize,
) -> irmin_core::Result<Bytes> {
    if usize::try_from(size).map_or(true, |size| size > limit) {
        let why = format!("a value of {size} bytes: at most {limit} are held in memory");
        return Err(Error::new(Code::PayloadTooLarge, why));
    }
    let (mut bytes, mut piece) = (Vec::new(), [0; 8192]);
    loop {
        match from.read(&mut piece)? {
            0 => return Ok(bytes.into()),
            n => bytes.extend_from_slice(piece.get(..n).unwrap_or_default()),
        }
    }
}
