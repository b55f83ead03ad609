//! Finding the repository behind a path.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use irmin_core::io::{FileKind, Io, StdIo};
use irmin_core::{Code, Error, Limits, Result};

use crate::backend::GitBackend;
use crate::files;
use crate::init::{InitOptions, init, is_repository};
use crate::outside::Outside;
use crate::reader::{GixReader, IoReader};
use crate::refs::Places;

/// The longest file that says where something else is, in bytes.
const MAX_POINTER: u64 = 1 << 16;

/// How a repository is used.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Bounds; [`Limits::object`] is the largest object that is read.
    pub limits: Limits,
    /// How many bytes of objects are kept at hand.
    pub cache: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { limits: Limits::default(), cache: 16 << 20 }
    }
}

/// Where the parts of a repository are.
struct Found {
    common: PathBuf,
    places: Places,
}

impl GitBackend {
    /// Opens the repository at a path: `<path>/.git` (a directory, or a file that says where it
    /// is, as in a linked working tree), or the path itself.
    ///
    /// # Errors
    /// `not_found` if there is none, `unsupported` for an extension that is not known, naming it,
    /// `corrupt_store`, `io`.
    pub fn open(path: impl AsRef<Path>, options: &Options) -> Result<Self> {
        GitBackend::open_through(path, options, |io| io)
    }

    /// Opens the repository at a path, and does all that it does to files, apart from reading
    /// objects, through a decorator of them: to count it
    /// ([`CountedIo`](irmin_core::io::CountedIo)), to limit it, to make it fail.
    ///
    /// # Errors
    /// As [`open`](GitBackend::open).
    pub fn open_through(
        path: impl AsRef<Path>,
        options: &Options,
        decorate: impl FnOnce(Arc<dyn Io>) -> Arc<dyn Io>,
    ) -> Result<Self> {
        let path = path.as_ref();
        let Some(found) = find(path)? else {
            let why = format!("there is no git repository at {}", path.display());
            return Err(Error::new(Code::NotFound, why));
        };
        let objects = found.common.join("objects");
        let io = decorate(Arc::new(StdIo::open(&found.common)?));
        let reader = GixReader::open(&objects, options.limits.object)?;
        let outside = Outside::read(&found.common.join(&found.places.private));
        let opened = GitBackend::assemble(io, found.places, Box::new(reader), options, outside);
        opened.map_err(|e| e.context(format_args!("the repository at {}", path.display())))
    }

    /// Makes a bare repository at a path.
    ///
    /// # Errors
    /// `name_clash` if there is one or the directory has anything else in it, `io`.
    pub fn init(path: impl AsRef<Path>, new: &InitOptions, options: &Options) -> Result<Self> {
        let path = path.as_ref();
        init(&StdIo::create(path)?, new).map_err(|e| e.context(path.display()))?;
        GitBackend::open(path, options)
    }

    /// Opens the repository at a path, or makes a bare one there.
    ///
    /// # Errors
    /// As [`open`](GitBackend::open) and [`init`](GitBackend::init).
    pub fn open_or_init(
        path: impl AsRef<Path>,
        new: &InitOptions,
        options: &Options,
    ) -> Result<Self> {
        let path = path.as_ref();
        match GitBackend::open(path, options) {
            Err(e) if e.code() == Code::NotFound => match GitBackend::init(path, new, options) {
                // Another program may have made it meanwhile.
                Err(e) if e.code() == Code::NameClash => {
                    GitBackend::open(path, options).map_err(|_| e)
                }
                made => made,
            },
            opened => opened,
        }
    }

    /// Opens the bare repository at the root of any [`Io`]. Objects are read from packs without
    /// deltas only, such as this crate writes them, and nothing is looked up outside of it: this is
    /// for simulations.
    ///
    /// # Errors
    /// As [`open`](GitBackend::open).
    pub fn open_on(io: Arc<dyn Io>, options: &Options) -> Result<Self> {
        if !is_repository(&*io)? {
            return Err(Error::new(Code::NotFound, "there is no git repository"));
        }
        let reader = IoReader::new(io.clone(), options.limits.object);
        let outside = Outside::default();
        GitBackend::assemble(io, Places::default(), Box::new(reader), options, outside)
    }

    /// Makes a bare repository at the root of any [`Io`].
    ///
    /// # Errors
    /// As [`init`](GitBackend::init).
    pub fn init_on(io: Arc<dyn Io>, new: &InitOptions, options: &Options) -> Result<Self> {
        init(&*io, new)?;
        GitBackend::open_on(io, options)
    }
}

/// The repository at a path, if there is one.
fn find(path: &Path) -> Result<Option<Found>> {
    let Some(root) = files::if_exists(StdIo::open(path))? else { return Ok(None) };
    match root.metadata(".git")?.map(|m| m.kind) {
        // A link leads where it leads; the system follows it.
        Some(FileKind::Dir | FileKind::Other) => at(&path.join(".git")),
        Some(FileKind::File) => {
            let text = pointer(&root, ".git")?;
            let target = text.strip_prefix("gitdir:").map(str::trim).ok_or_else(|| {
                let why =
                    format!("{} does not say where the repository is", path.join(".git").display());
                Error::new(Code::CorruptStore, why)
            })?;
            at(&path.join(target))
        }
        None => at(path),
    }
}

/// The repository whose git directory is a path, if it is one.
fn at(path: &Path) -> Result<Option<Found>> {
    let Some(io) = files::if_exists(StdIo::open(path))? else { return Ok(None) };
    if io.metadata("commondir")?.is_none() {
        let found = Found { common: path.to_owned(), places: Places::default() };
        return Ok(is_repository(&io)?.then_some(found));
    }
    let common = simplify(&path.join(pointer(&io, "commondir")?.trim()));
    if !is_repository(&StdIo::open(&common)?)? {
        return Ok(None);
    }
    let own = simplify(path);
    let private = own.strip_prefix(&common).ok().and_then(Path::to_str);
    match private.filter(|own| own.starts_with("worktrees/") && own.matches('/').count() == 1) {
        Some(own) => Ok(Some(Found { common, places: Places { private: format!("{own}/") } })),
        None => {
            let why = format!("{} is not a working tree of {}", path.display(), common.display());
            Err(Error::new(Code::Unsupported, why))
        }
    }
}

fn pointer(io: &StdIo, name: &str) -> Result<String> {
    let bytes = files::read(io, name, MAX_POINTER)?;
    String::from_utf8(bytes).map_err(|_| {
        Error::new(Code::CorruptStore, format!("`{name}` of the repository is not text"))
    })
}

/// A path without `.` and `..`, as it is written.
fn simplify(path: &Path) -> PathBuf {
    let mut simple = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if simple.file_name().is_some() => {
                simple.pop();
            }
            other => simple.push(other),
        }
    }
    simple
}
