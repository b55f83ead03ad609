//! Opening the store that the settings name.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use irmin_core::backend::{
    Backend, FsBackend, FsInit, FsOptions, JournalOptions, Journaled, MemoryBackend, Recorded,
};
use irmin_core::io::{Io, StdIo};
use irmin_core::{
    BranchName, Bytes, Code, Contents as _, Context, Error, Format, FormatSpec, Repo,
    contents::json,
};
use irmin_git::{GitBackend, InitOptions, Options};

use crate::exit::Failure;
use crate::settings::{ContentsType, Place, Settings, StoreKind};
use crate::time;

/// What a command does to the store, as far as its existence is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// It works on what is there: a store that does not exist is an error.
    Existing,
    /// It puts things in: a store that does not exist is made.
    Create,
}

/// A store that is open.
pub(crate) struct Opened {
    pub(crate) repo: Repo<Bytes>,
    /// What its values are.
    pub(crate) contents: ContentsType,
    /// The merge policies that it records, as `path: name`.
    pub(crate) policies: Vec<String>,
    /// The journal of its refs, for stores that are still there after the command.
    pub(crate) journal: Option<Arc<Journaled>>,
    /// Whether files show what its `HEAD` is.
    pub(crate) has_tree: bool,
    /// What is written and, as the repository's owner wants it, not synced.
    pub(crate) not_synced: Vec<&'static str>,
}

/// The journal of a store, below the common git directory or the root of a store of files.
const JOURNAL: &str = "irmin/operations";

/// Opens the store for a command.
///
/// # Errors
/// If none is named, if it does not exist or holds values of another type, and those of opening
/// it.
pub(crate) fn open(settings: &Settings, access: Access, command: &str) -> Result<Opened, Failure> {
    let (mut journal, mut has_tree, mut not_synced) = (None, false, Vec::new());
    let context = context(settings);
    let mut keep = |store: Arc<dyn Backend>, files: Arc<dyn Io>, head| {
        let mut options = JournalOptions::new(JOURNAL, command);
        options.head = head;
        let clock = context.clone();
        let journaled = Journaled::new(store, files, move || clock.now(), options);
        journal.insert(Arc::new(journaled)).clone()
    };
    let backend: Arc<dyn Backend> = match settings.store {
        StoreKind::Git => {
            let git = open_git(settings, access)?;
            has_tree = !git.is_bare();
            not_synced = git.not_synced();
            let (files, head) = (git.files(), !git.is_linked());
            keep(Arc::new(git), files, head)
        }
        StoreKind::Fs => {
            let (store, files) = open_fs(settings, access)?;
            keep(Arc::new(store), files, true)
        }
        StoreKind::GitMem => {
            let format = Format::new(FormatSpec::git());
            Arc::new(MemoryBackend::with_head(format, &head(settings)?))
        }
        StoreKind::Mem => Arc::new(MemoryBackend::new(Format::new(spec(settings)))),
    };
    let recorded = backend.recorded();
    let contents = match &recorded.contents {
        Some(recorded) => agree(recorded, settings.contents)?,
        None => settings.contents.unwrap_or(ContentsType::String),
    };
    let policies = recorded.policies.iter().map(|(path, name)| format!("{path}: {name}")).collect();
    let repo = Repo::new(backend, context)?;
    Ok(Opened { repo, contents, policies, journal, has_tree, not_synced })
}

/// The original's format, with the hash function and the type of values that were asked for.
fn spec(settings: &Settings) -> FormatSpec {
    let spec = FormatSpec::irmin_mem();
    let values = match settings.contents.unwrap_or(ContentsType::String) {
        ContentsType::String => Bytes::VALUES,
        ContentsType::Json => json::Json::VALUES,
        ContentsType::JsonValue => json::JsonValue::VALUES,
    };
    FormatSpec { hash: settings.hash.unwrap_or(spec.hash), values, ..spec }
}

/// The type that the store records, unless another one was asked for.
fn agree(recorded: &str, asked: Option<ContentsType>) -> Result<ContentsType, Failure> {
    let recorded = ContentsType::parse(recorded).map_err(|failure| {
        failure.hint("another program made this store, for values of its own")
    })?;
    match asked.filter(|asked| *asked != recorded) {
        Some(asked) => {
            let message = format!("the store holds values of the type {recorded}, not {asked}");
            Err(Failure::usage(message))
        }
        None => Ok(recorded),
    }
}

/// The author and the clock of the commits.
fn context(settings: &Settings) -> Context {
    let author = settings.author.clone().unwrap_or_else(|| "irmin".into());
    match settings.date {
        Some(date) => Context::new(author, move || date),
        None => Context::new(author, time::now),
    }
}

/// The directory of the store.
///
/// # Errors
/// If nothing names one: it is never guessed.
pub(crate) fn location(settings: &Settings) -> Result<PathBuf, Failure> {
    let git = settings.options.get("dot-git").map(PathBuf::from);
    git.or_else(|| settings.root.clone()).ok_or_else(|| {
        Failure::usage("no store is named: use the --root flag to set the root directory").hint(
            "for example --root notes.git, IRMIN_ROOT=notes.git or `root: notes.git` in \
                 irmin.yml; `irmin help irmin.yml`",
        )
    })
}

fn open_git(settings: &Settings, access: Access) -> Result<GitBackend, Failure> {
    let root = location(settings)?;
    let options = Options::default();
    match GitBackend::open(&root, &options) {
        Err(e) if e.code() == Code::NotFound => {
            if is_fs(&root) {
                let message = format!("{}: a store of files, not of git", root.display());
                return Err(Failure::usage(message).hint("say `--store fs`"));
            }
            if access == Access::Existing {
                return Err(not_there(e.into(), settings, &root));
            }
            let new = InitOptions { branch: head(settings)?, contents: recorded(settings) };
            GitBackend::init(&root, &new, &options).map_err(Failure::from)
        }
        opened => opened.map_err(Failure::from),
    }
}

/// Whether there is a store of files, over which no repository must be made.
fn is_fs(root: &Path) -> bool {
    StdIo::open(root).is_ok_and(|io| FsBackend::open(Arc::new(io), &FsOptions::default()).is_ok())
}

/// The store of files, and its files.
fn open_fs(settings: &Settings, access: Access) -> Result<(FsBackend, Arc<dyn Io>), Failure> {
    let root = location(settings)?;
    let options = FsOptions { unrecorded: spec(settings), ..FsOptions::default() };
    let open = || -> irmin_core::Result<(FsBackend, Arc<dyn Io>)> {
        let files: Arc<dyn Io> = Arc::new(StdIo::open(&root)?);
        Ok((FsBackend::open(files.clone(), &options)?, files))
    };
    // The store does not know where it is.
    let named = |e: Error| {
        let failure = Failure::from(e);
        Failure { message: format!("{}: {}", root.display(), failure.message), ..failure }
    };
    let (store, files) = match open() {
        Err(e) if e.code() == Code::NotFound => {
            if access == Access::Existing {
                let message = format!("{}: there is no store of files", root.display());
                return Err(not_there(Failure::absent(message), settings, &root));
            }
            let recorded = Recorded { contents: recorded(settings), ..Recorded::default() };
            let new = FsInit { spec: spec(settings), branch: head(settings)?, recorded };
            let files: Arc<dyn Io> = Arc::new(StdIo::create(&root)?);
            (FsBackend::open_or_init(files.clone(), &new, &options).map_err(named)?, files)
        }
        opened => opened.map_err(named)?,
    };
    let hash = store.format().hash();
    match settings.hash.filter(|asked| *asked != hash) {
        Some(asked) => Err(Failure::usage(format!("the store hashes with {hash}, not {asked}"))),
        None => Ok((store, files)),
    }
}

/// The failure of a command that makes no store.
fn not_there(failure: Failure, settings: &Settings, root: &Path) -> Failure {
    let kind = match settings.store {
        StoreKind::Git => String::new(),
        other => format!(" --store {other}"),
    };
    let hint = format!("`irmin init{kind} --root {}` makes a store there", root.display());
    failure.hint(hint)
}

/// What a new store records of its values: strings are bytes, which is what one without a record
/// holds.
fn recorded(settings: &Settings) -> Option<String> {
    settings.contents.filter(|kind| *kind != ContentsType::String).map(|kind| kind.to_string())
}

/// The main branch of a new store.
fn head(settings: &Settings) -> Result<BranchName, Failure> {
    match settings.options.get("head") {
        // The original's option is a full name; a short one is what people write.
        Some(name) => Ok(name.strip_prefix("refs/heads/").unwrap_or(name).parse()?),
        // A store whose first branch is another one shows that to whoever clones it.
        None => match &settings.place {
            Place::Branch(name) => Ok(name.strip_prefix("refs/heads/").unwrap_or(name).parse()?),
            Place::Commit(_) | Place::Main => Ok(BranchName::main()),
        },
    }
}
