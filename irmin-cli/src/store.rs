//! Opening the store that the settings name.

use std::path::PathBuf;
use std::sync::Arc;

use irmin_core::backend::{Backend, JournalOptions, Journaled, MemoryBackend};
use irmin_core::{
    BranchName, Bytes, Code, Contents as _, Context, Format, FormatSpec, Repo, contents::json,
};
use irmin_git::{GitBackend, InitOptions, Options};

use crate::exit::Failure;
use crate::settings::{ContentsType, Settings, StoreKind};
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
}

/// The journal of a store in a git repository, below its common git directory.
const JOURNAL: &str = "irmin/operations";

/// Opens the store for a command.
///
/// # Errors
/// If none is named, if it does not exist or holds values of another type, and those of opening
/// it.
pub(crate) fn open(settings: &Settings, access: Access, command: &str) -> Result<Opened, Failure> {
    let (mut journal, mut has_tree) = (None, false);
    let context = context(settings);
    let mut policies = Vec::new();
    let mut contents = settings.contents.unwrap_or(ContentsType::String);
    let backend: Arc<dyn Backend> = match settings.store {
        StoreKind::Git => {
            let git = open_git(settings, access)?;
            let config = git.config();
            if let Some(recorded) = &config.contents {
                contents = agree(recorded, settings.contents)?;
            }
            policies.extend(config.policies.iter().map(|(path, name)| format!("{path}: {name}")));
            let mut options = JournalOptions::new(JOURNAL, command);
            options.head = !git.is_linked();
            has_tree = !git.is_bare();
            let (files, clock) = (git.files(), context.clone());
            let journaled = Journaled::new(Arc::new(git), files, move || clock.now(), options);
            journal.insert(Arc::new(journaled)).clone()
        }
        StoreKind::GitMem => {
            let format = Format::new(FormatSpec::git());
            Arc::new(MemoryBackend::with_head(format, &head(settings)?))
        }
        StoreKind::Mem => {
            let spec = FormatSpec::irmin_mem();
            let hash = settings.hash.unwrap_or(spec.hash);
            let values = match contents {
                ContentsType::String => Bytes::VALUES,
                ContentsType::Json => json::Json::VALUES,
                ContentsType::JsonValue => json::JsonValue::VALUES,
            };
            Arc::new(MemoryBackend::new(Format::new(FormatSpec { hash, values, ..spec })))
        }
    };
    Ok(Opened { repo: Repo::new(backend, context)?, contents, policies, journal, has_tree })
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
        Err(e) if e.code() == Code::NotFound => match access {
            Access::Create => {
                // Strings are bytes, which is what a repository without a record holds.
                let recorded = settings.contents.filter(|kind| *kind != ContentsType::String);
                let contents = recorded.map(|kind| kind.to_string());
                let new = InitOptions { branch: head(settings)?, contents };
                GitBackend::init(&root, &new, &options).map_err(Failure::from)
            }
            Access::Existing => Err(Failure::from(e)
                .hint(format!("`irmin init --root {}` makes a store there", root.display()))),
        },
        opened => opened.map_err(Failure::from),
    }
}

/// The main branch of a new store.
fn head(settings: &Settings) -> Result<BranchName, Failure> {
    match settings.options.get("head") {
        // The original's option is a full name; a short one is what people write.
        Some(name) => Ok(name.strip_prefix("refs/heads/").unwrap_or(name).parse()?),
        None => Ok(BranchName::main()),
    }
}
