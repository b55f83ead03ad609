//! Real files.

use std::fs::{self, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{DirEntry, File, FileKind, Io, LockGuard, Metadata, OpenMode, check_path};
use crate::error::{Code, Error, Result};

/// The longest time that [`Io::back_off`] waits at once.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// The files below a directory of the operating system.
///
/// Files and directories get the permissions that the process's umask leaves of 0666 and 0777,
/// as git's do. A file is synced by `fdatasync`, which makes its length durable too; where
/// directories cannot be opened (Windows), syncing them does nothing.
///
/// ```
/// use irmin_core::io::{Io, OpenMode, StdIo};
/// # let dir = std::env::temp_dir().join(format!("irmin-std-io-{}", std::process::id()));
/// let io = StdIo::create(&dir)?;
/// let file = io.open("notes", OpenMode::ReadWrite)?;
/// file.write_at(b"hello", 0)?;
/// file.sync()?;
/// io.sync_dir("")?;
/// assert_eq!(io.metadata("notes")?.unwrap().len, 5);
/// # std::fs::remove_dir_all(&dir).unwrap();
/// # Ok::<(), irmin_core::Error>(())
/// ```
#[derive(Debug)]
pub struct StdIo {
    root: PathBuf,
}

impl StdIo {
    /// The files below an existing directory.
    ///
    /// # Errors
    /// `not_found` if there is no such directory, `name_clash` if it is a file, `io`.
    pub fn open(root: impl AsRef<Path>) -> Result<Self> {
        let root = root.as_ref().to_path_buf();
        let found = fs::metadata(&root).map_err(|e| fail("opening", &shown(&root), e))?;
        if found.is_dir() {
            return Ok(StdIo { root });
        }
        let why = format!("`{}` is not a directory", shown(&root));
        Err(Error::new(Code::NameClash, why))
    }

    /// The files below a directory, which is made durably, with those above it, if need be.
    ///
    /// # Errors
    /// `name_clash` if a file is in the way, `io`.
    pub fn create(root: impl AsRef<Path>) -> Result<Self> {
        let root = root.as_ref();
        let absent: Vec<&Path> = root.ancestors().take_while(|dir| !dir.is_dir()).collect();
        fs::create_dir_all(root).map_err(|e| clash("making", &shown(root), e))?;
        for made in absent.iter().filter(|made| !made.as_os_str().is_empty()) {
            let parent = made.parent().filter(|parent| !parent.as_os_str().is_empty());
            let parent = parent.unwrap_or(Path::new("."));
            sync_directory(parent).map_err(|e| fail("syncing", &shown(parent), e))?;
        }
        StdIo::open(root)
    }

    /// The directory that all paths are relative to.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn at(&self, path: &str) -> Result<PathBuf> {
        check_path(path)?;
        Ok(if path.is_empty() { self.root.clone() } else { self.root.join(path) })
    }

    /// What became of an operation on a file. Why it failed is looked at only then: a look at the
    /// name before each operation would cost as much as the operation.
    fn ended<T>(
        &self,
        done: io::Result<T>,
        path: &str,
        doing: &str,
        why: impl FnOnce(io::Error) -> Error,
    ) -> Result<T> {
        done.or_else(|e| {
            // Systems differ in what they say of directories.
            self.refuse_dir(path, doing)?;
            Err(why(e))
        })
    }

    /// Refuses to give a directory to an operation on files.
    fn refuse_dir(&self, path: &str, doing: &str) -> Result<()> {
        match self.metadata(path)? {
            Some(found) if found.kind == FileKind::Dir => {
                let why = format!("{doing} `{path}`: it is a directory");
                Err(Error::new(Code::NameClash, why))
            }
            Some(_) => Ok(()),
            None => Err(Error::new(Code::NotFound, format!("{doing} `{path}`: no such file"))),
        }
    }

    fn open_file(&self, path: &str, mode: OpenMode) -> Result<fs::File> {
        let full = self.at(path)?;
        let refuse = |code, why: &str| Err(Error::new(code, format!("opening `{path}`: {why}")));
        let mut options = OpenOptions::new();
        options.read(true);
        if mode == OpenMode::CreateNew {
            // That no name is there, of whatever sort, the system makes sure of itself.
            options.write(true).create_new(true);
            return options.open(full).map_err(|e| clash("creating", path, e));
        }
        match (self.metadata(path)?.map(|found| found.kind), mode) {
            (Some(FileKind::Dir), OpenMode::Read) => {
                return refuse(Code::NotFound, "it is a directory");
            }
            (Some(FileKind::Dir), _) => return refuse(Code::NameClash, "it is a directory"),
            (Some(FileKind::Other), _) => {
                return refuse(Code::Io, "it is a symbolic link or a device, not a file");
            }
            _ => {}
        }
        if mode == OpenMode::Read {
            return options.open(full).map_err(|e| fail("opening", path, e));
        }
        options.write(true).create(true).truncate(false);
        options.open(full).map_err(|e| clash("creating", path, e))
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The error of an operation that reads: what is not there is not found.
fn fail(doing: &str, path: &str, source: io::Error) -> Error {
    let (code, why) = match source.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => (Code::NotFound, "no such file"),
        ErrorKind::AlreadyExists => (Code::NameClash, "the name is taken"),
        ErrorKind::IsADirectory => (Code::NameClash, "it is a directory"),
        ErrorKind::DirectoryNotEmpty => (Code::NameClash, "the directory is not empty"),
        ErrorKind::StorageFull => (Code::Io, "the disk is full"),
        ErrorKind::QuotaExceeded => (Code::Io, "the disk quota is used up"),
        ErrorKind::ReadOnlyFilesystem => (Code::Io, "the file system is read-only"),
        ErrorKind::PermissionDenied => (Code::Io, "permission denied"),
        _ => (Code::Io, ""),
    };
    let message = match why {
        "" => format!("{doing} `{path}`: {source}"),
        why => format!("{doing} `{path}`: {why}"),
    };
    Error::new(code, message).with_source(source)
}

/// The error of an operation that makes names: a file where a directory should be is in the way.
fn clash(doing: &str, path: &str, source: io::Error) -> Error {
    if source.kind() == ErrorKind::NotADirectory {
        let why = format!("{doing} `{path}`: a file is where a directory should be");
        return Error::new(Code::NameClash, why).with_source(source);
    }
    fail(doing, path, source)
}

fn kind_of(kind: fs::FileType) -> FileKind {
    if kind.is_file() {
        FileKind::File
    } else if kind.is_dir() {
        FileKind::Dir
    } else {
        FileKind::Other
    }
}

impl Io for StdIo {
    fn open(&self, path: &str, mode: OpenMode) -> Result<Box<dyn File>> {
        let file = self.open_file(path, mode)?;
        Ok(Box::new(StdFile { file: system::Positioned::new(file), path: path.into() }))
    }

    fn metadata(&self, path: &str) -> Result<Option<Metadata>> {
        match fs::symlink_metadata(self.at(path)?) {
            Ok(found) => Ok(Some(Metadata {
                kind: kind_of(found.file_type()),
                len: found.len(),
                identity: system::identity(&found, path),
                modified: system::modified(&found),
            })),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(e) => Err(fail("looking at", path, e)),
        }
    }

    fn list(&self, path: &str) -> Result<Vec<DirEntry>> {
        let failed = |e| fail("listing", path, e);
        let mut entries = Vec::new();
        for entry in fs::read_dir(self.at(path)?).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if let Ok(name) = entry.file_name().into_string() {
                let kind = kind_of(entry.file_type().map_err(failed)?);
                entries.push(DirEntry { name, kind });
            }
        }
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn create_dir(&self, path: &str) -> Result<()> {
        let full = self.at(path)?;
        match fs::create_dir(&full) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists && full.is_dir() => Ok(()),
            made => made.map_err(|e| clash("making directory", path, e)),
        }
    }

    fn link(&self, from: &str, to: &str) -> Result<()> {
        let linked = fs::hard_link(self.at(from)?, self.at(to)?);
        self.ended(linked, from, "linking", |e| match e.kind() {
            ErrorKind::Unsupported => {
                let why = format!("linking `{to}`: the file system has no hard links");
                Error::new(Code::Unsupported, why).with_source(e)
            }
            _ => clash("linking", to, e),
        })
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        // Before: a directory would be renamed.
        self.refuse_dir(from, "renaming")?;
        fs::rename(self.at(from)?, self.at(to)?)
            .map_err(|e| clash(&format!("renaming `{from}` to"), to, e))
    }

    fn remove(&self, path: &str) -> Result<()> {
        let removed = fs::remove_file(self.at(path)?);
        self.ended(removed, path, "removing", |e| fail("removing", path, e))
    }

    fn remove_dir(&self, path: &str) -> Result<()> {
        let file = self.metadata(path)?.is_some_and(|found| found.kind != FileKind::Dir);
        if file || path.is_empty() {
            let why = format!("removing `{path}`: it is a file, or the root");
            return Err(Error::new(Code::NameClash, why));
        }
        fs::remove_dir(self.at(path)?).map_err(|e| fail("removing directory", path, e))
    }

    fn sync_dir(&self, path: &str) -> Result<()> {
        sync_directory(&self.at(path)?).map_err(|e| fail("syncing directory", path, e))
    }

    fn try_lock(&self, path: &str) -> Result<Option<Box<dyn LockGuard>>> {
        let file = self.open_file(path, OpenMode::ReadWrite)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(StdLock { _file: file }))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(fail("locking", path, e)),
        }
    }

    #[allow(clippy::disallowed_methods)] // The one wait that the `Io` trait is there for.
    fn back_off(&self, attempt: u32) {
        let pause = Duration::from_millis(1).saturating_mul(1 << attempt.min(10));
        std::thread::sleep(pause.min(LONGEST_PAUSE));
    }
}

#[derive(Debug)]
struct StdFile {
    file: system::Positioned,
    path: String,
}

impl File for StdFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset.saturating_add(done as u64)) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(fail("reading", &self.path, e)),
            }
        }
        Ok(done)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.file.write_at(bytes, offset).map_err(|e| fail("writing", &self.path, e))
    }

    fn len(&self) -> Result<u64> {
        let found = self.file.get().metadata().map_err(|e| fail("looking at", &self.path, e))?;
        Ok(found.len())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.file.get().set_len(len).map_err(|e| fail("cutting", &self.path, e))
    }

    fn sync(&self) -> Result<()> {
        self.file.get().sync_data().map_err(|e| fail("syncing", &self.path, e))
    }
}

/// A reader of std as a [`Read`](super::Read).
#[derive(Debug)]
pub struct StdRead<R>(pub R);

impl<R: io::Read> super::Read for StdRead<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            match self.0.read(buffer) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                read => return read.map_err(|e| streaming("reading", e)),
            }
        }
    }
}

/// A writer of std as a [`Write`](super::Write).
#[derive(Debug)]
pub struct StdWrite<W>(pub W);

impl<W: io::Write> super::Write for StdWrite<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.write_all(bytes).map_err(|e| streaming("writing", e))
    }
}

fn streaming(doing: &str, e: io::Error) -> Error {
    Error::new(Code::Io, format!("{doing} a stream: {e}")).with_source(e)
}

/// A lock of the operating system, which ends with its file handle.
#[derive(Debug)]
struct StdLock {
    _file: fs::File,
}

impl LockGuard for StdLock {}

#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
mod system {
    use std::fs;
    use std::io;
    use std::os::unix::fs::{FileExt, MetadataExt};

    /// A file that is read and written at offsets.
    #[derive(Debug)]
    pub(super) struct Positioned(fs::File);

    impl Positioned {
        pub(super) fn new(file: fs::File) -> Self {
            Positioned(file)
        }

        pub(super) fn get(&self) -> &fs::File {
            &self.0
        }

        pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            self.0.read_at(buffer, offset)
        }

        pub(super) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
            self.0.write_all_at(bytes, offset)
        }
    }

    pub(super) fn identity(found: &fs::Metadata, _: &str) -> (u64, u64) {
        (found.dev(), found.ino())
    }

    pub(super) fn modified(found: &fs::Metadata) -> i128 {
        i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec())
    }
}

#[cfg(not(unix))]
mod system {
    use std::fs;
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
    use std::time::UNIX_EPOCH;

    use crate::lock::Mutex;

    /// A file that is read and written at offsets, one call at a time.
    #[derive(Debug)]
    pub(super) struct Positioned {
        file: fs::File,
        cursor: Mutex<()>,
    }

    impl Positioned {
        pub(super) fn new(file: fs::File) -> Self {
            Positioned { file, cursor: Mutex::new(()) }
        }

        pub(super) fn get(&self) -> &fs::File {
            &self.file
        }

        pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            let _cursor = self.cursor.lock();
            let mut file = &self.file;
            file.seek(SeekFrom::Start(offset))?;
            file.read(buffer)
        }

        pub(super) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
            let _cursor = self.cursor.lock();
            let mut file = &self.file;
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(bytes)
        }
    }

    /// Without numbers of files every name counts as a file of its own.
    pub(super) fn identity(_: &fs::Metadata, path: &str) -> (u64, u64) {
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        (0, hasher.finish())
    }

    pub(super) fn modified(found: &fs::Metadata) -> i128 {
        let since = found.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        since.and_then(|d| i128::try_from(d.as_nanos()).ok()).unwrap_or(0)
    }
}
