//! The short way to a repository: opened with the defaults, the system's clock, and the author
//! `irmin`.

use std::path::Path;
use std::sync::Arc;

use irmin_core::{Context, Repo, Result};

use crate::{GitBackend, InitOptions, Options};

/// Opens an existing git repository: a bare one, or a directory with a `.git`.
///
/// # Errors
/// `not_found` if there is none, `unsupported` for one with extensions that are not known, naming
/// them, and `io`.
pub fn open(path: impl AsRef<Path>) -> Result<Repo> {
    repo(GitBackend::open(path.as_ref(), &Options::default())?)
}

/// Makes a new bare git repository whose HEAD names the branch that will be written.
///
/// # Errors
/// `name_clash` if there is something already, and `io`.
pub fn init(path: impl AsRef<Path>, options: &InitOptions) -> Result<Repo> {
    repo(GitBackend::init(path.as_ref(), options, &Options::default())?)
}

/// Opens a git repository, or makes one if there is none.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// let repo = irmin_git::open_or_init(dir.path().join("notes.git"))?;
/// repo.main()?.set("greetings/en", "hello", "first words")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`open`] and [`init`].
pub fn open_or_init(path: impl AsRef<Path>) -> Result<Repo> {
    let path = path.as_ref();
    repo(GitBackend::open_or_init(path, &InitOptions::default(), &Options::default())?)
}

fn repo(backend: GitBackend) -> Result<Repo> {
    Repo::new(Arc::new(backend), Context::system())
}
