//! The stores that are measured, with counters around what they do.

use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use irmin_core::backend::{Backend, Counted, MemoryBackend};
use irmin_core::io::{CountedIo, Io};
use irmin_core::{
    Branch, Bytes, Code, CommitOptions, Context, Error, Format, FormatSpec, Limits, Path, Repo,
    Result,
};
use irmin_git::{GitBackend, InitOptions, Options};
use tempfile::TempDir;

use crate::keys::{Keys, value};
use crate::record::Counters;

/// A sort of store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// In memory, with the hashes of OCaml's in-memory store.
    MemIrmin,
    /// In memory, in the native format.
    MemNative,
    /// In memory, with git's objects.
    MemGit,
    /// A git repository on disk.
    Git,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 4] = [Kind::MemIrmin, Kind::MemNative, Kind::MemGit, Kind::Git];

    /// The name on command lines and in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::MemIrmin => "mem-irmin",
            Kind::MemNative => "mem-native",
            Kind::MemGit => "mem-git",
            Kind::Git => "git",
        }
    }

    /// Whether it keeps anything in files.
    #[must_use]
    pub fn has_files(self) -> bool {
        self == Kind::Git
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        let names = || Kind::ALL.map(Kind::name).join(", ");
        Kind::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| format!("no store is called {name}: {}", names()))
    }
}

/// Whether a git repository syncs what is written to it. In memory nothing is ever synced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Syncs {
    /// It does, as repositories do.
    On,
    /// It does not, as its owner wants (`core.fsync=none`): for what stands beside programs that
    /// sync nothing, and for what is not about writing.
    Off,
}

/// A store that is open, and gone when dropped.
#[derive(Debug)]
pub struct Store {
    /// What it is.
    pub kind: Kind,
    /// The repository on it.
    pub repo: Repo,
    backend: Arc<dyn Backend>,
    counted: Option<Arc<Counted>>,
    io: Option<Arc<CountedIo>>,
    dir: Option<Arc<Dir>>,
    syncs: Syncs,
    /// How many versions of values were given out, by any handle.
    versions: Arc<AtomicUsize>,
}

/// Where files are: in a directory that is gone with the last handle, or in another process's.
#[derive(Debug)]
enum Dir {
    Ours(TempDir),
    Others(PathBuf),
}

impl Dir {
    fn path(&self) -> &std::path::Path {
        match self {
            Dir::Ours(dir) => dir.path(),
            Dir::Others(dir) => dir,
        }
    }
}

/// The bytes of objects and of decoded directories that are kept, each, unless said otherwise.
pub const CACHE: usize = 64 << 20;

impl Store {
    /// An empty store, its files, if any, in a new directory inside `work`.
    ///
    /// What is read from a store with files and written to it is always counted. That of one in
    /// memory is only if asked for: it hands out decoded directories, which a decorator that counts
    /// keeps from its readers.
    ///
    /// # Errors
    /// Those of making it; `unsupported` if git is configured on this machine to sync otherwise.
    pub fn new(kind: Kind, work: &std::path::Path, count: bool, syncs: Syncs) -> Result<Self> {
        let memory = |spec| {
            let memory = Arc::new(MemoryBackend::new(Format::new(spec)));
            if count {
                let counted = Arc::new(Counted::new(memory));
                return Store::over(kind, counted.clone(), Some(counted), CACHE);
            }
            Store::over(kind, memory, None, CACHE)
        };
        match kind {
            Kind::MemIrmin => memory(FormatSpec::irmin_mem()),
            Kind::MemNative => memory(FormatSpec::native()),
            Kind::MemGit => memory(FormatSpec::git()),
            Kind::Git => {
                let dir = tempfile::tempdir_in(work).map_err(|e| {
                    let why = format!("no directory can be made in {}", work.display());
                    Error::new(Code::Io, why).with_source(e)
                })?;
                GitBackend::init(dir.path(), &InitOptions::default(), &Options::default())?;
                if syncs == Syncs::Off {
                    turn_syncs_off(dir.path())?;
                }
                open_git(Arc::new(Dir::Ours(dir)), CACHE, syncs)
            }
        }
    }

    fn over(
        kind: Kind,
        backend: Arc<dyn Backend>,
        counted: Option<Arc<Counted>>,
        cache: usize,
    ) -> Result<Self> {
        let clock = AtomicI64::new(1_700_000_000);
        let tick = move || clock.fetch_add(1, Ordering::Relaxed);
        let repo = Repo::new(backend.clone(), Context::new("bench <bench@example.com>", tick))?;
        let repo = repo.with_limits(Limits { cache, ..Limits::default() });
        let versions = Arc::default();
        let syncs = Syncs::Off;
        Ok(Store { kind, repo, backend, counted, io: None, dir: None, syncs, versions })
    }

    /// The same store through a new handle, whose caches are empty: a git repository is opened
    /// again, a store in memory keeps its objects.
    ///
    /// # Errors
    /// Those of opening.
    pub fn reopen(&self, cache: usize) -> Result<Self> {
        let store = match &self.dir {
            Some(dir) => open_git(dir.clone(), cache, self.syncs)?,
            None => Store::over(self.kind, self.backend.clone(), self.counted.clone(), cache)?,
        };
        Ok(Store { versions: self.versions.clone(), ..store })
    }

    /// The same store, whose handle is closed before a new one with empty caches opens: so that
    /// memory has what the new one keeps and nothing of the old one.
    ///
    /// # Errors
    /// Those of opening.
    pub fn restart(self, cache: usize) -> Result<Self> {
        let Store { kind, repo, backend, counted, io, dir, syncs, versions } = self;
        drop((repo, io));
        let store = if let Some(dir) = dir {
            drop((backend, counted));
            open_git(dir, cache, syncs)?
        } else {
            Store::over(kind, backend, counted, cache)?
        };
        Ok(Store { versions, ..store })
    }

    /// The git repository that another process filled, and removes.
    ///
    /// # Errors
    /// Those of opening.
    pub fn of_others(dir: PathBuf, cache: usize, syncs: Syncs) -> Result<Self> {
        open_git(Arc::new(Dir::Others(dir)), cache, syncs)
    }

    /// A version of [values](value) that the store has not seen: a commit of what is there already
    /// would be none.
    #[must_use]
    pub fn version(&self) -> usize {
        // Version 0 is what it was filled with.
        self.versions.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The branch that is filled.
    ///
    /// # Errors
    /// Those of reading refs.
    pub fn main(&self) -> Result<Branch> {
        self.repo.main()
    }

    /// Writes all keys in one commit, in an order.
    ///
    /// # Errors
    /// Those of writing.
    pub fn fill(&self, keys: &Keys, order: &[usize]) -> Result<()> {
        self.main()?.transaction(CommitOptions::new("bulk"), |tree| {
            order.iter().try_for_each(|i| tree.set(keys.path(*i), value(*i, 0)))
        })?;
        Ok(())
    }

    /// Writes keys and values that were made before, in one durable commit.
    ///
    /// # Errors
    /// Those of writing.
    pub fn load(&self, pairs: &[(Path, Bytes)]) -> Result<()> {
        self.main()?.transaction(CommitOptions::new("bulk"), |tree| {
            pairs.iter().try_for_each(|(path, value)| tree.set(path, value.clone()))
        })?;
        Ok(())
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let files = self.io.as_ref().map(|io| io.counts());
        Counters { objects: self.counted.as_ref().map(|counted| counted.counts()), files }
    }

    /// Where its files are.
    #[must_use]
    pub fn dir(&self) -> Option<PathBuf> {
        self.dir.as_ref().map(|dir| dir.path().to_owned())
    }
}

/// Tells git, and so the store, to sync nothing.
fn turn_syncs_off(repository: &std::path::Path) -> Result<()> {
    let config = repository.join("config");
    let appended = File::options().append(true).open(&config);
    appended.and_then(|mut file| file.write_all(b"[core]\n\tfsync = none\n")).map_err(|e| {
        let why = format!("{} cannot be written", config.display());
        Error::new(Code::Io, why).with_source(e)
    })
}

/// Opens a repository, counting what is written to its files.
fn open_git(dir: Arc<Dir>, cache: usize, syncs: Syncs) -> Result<Store> {
    let mut files = None;
    let mut options = Options::default();
    options.cache = cache;
    let backend = GitBackend::open_through(dir.path(), &options, |io: Arc<dyn Io>| {
        let io = Arc::new(CountedIo::new(io));
        files = Some(io.clone());
        io
    })?;
    // Figures of one sort must not be taken for those of the other.
    let off = backend.not_synced();
    if off.len() != (if syncs == Syncs::Off { 3 } else { 0 }) {
        let why = format!(
            "core.fsync is set on this machine, outside of the stores: not synced is {off:?}"
        );
        return Err(Error::new(Code::Unsupported, why));
    }
    let counted = Arc::new(Counted::new(Arc::new(backend)));
    let store = Store::over(Kind::Git, counted.clone(), Some(counted), cache)?;
    Ok(Store { io: files, dir: Some(dir), syncs, ..store })
}
