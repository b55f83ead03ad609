//! Making a repository: the least that git takes for one.

use irmin_core::io::{Io, LockGuard};
use irmin_core::{BranchName, Code, Error, Result};

use crate::config::Config;
use crate::files;

/// What a new repository is like.
///
/// ```
/// let options = irmin_git::InitOptions::default();
/// assert_eq!(options.branch.as_str(), "main");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitOptions {
    /// The branch that `HEAD` names.
    pub branch: BranchName,
    /// The type of its contents, recorded in `irmin/config.toml`; none means bytes, and no file.
    pub contents: Option<String>,
}

impl Default for InitOptions {
    fn default() -> Self {
        InitOptions { branch: BranchName::main(), contents: None }
    }
}

/// The names that an unfinished repository of ours may have; anything else is someone's.
const OURS: [&str; 5] = ["objects", "refs", "irmin", NEW_HEAD, NEW_CONFIG];
const NEW_HEAD: &str = "tmp_irmin_head";
const NEW_CONFIG: &str = "tmp_irmin_config";
/// The longest `config` that is compared, in bytes.
const MAX_CONFIG: u64 = 1 << 10;

/// The `config` of a new repository.
const CONFIG: &str = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n";
/// How often the lock is tried: some ten seconds with real files.
const ATTEMPTS: u32 = 200;

/// Refuses a directory that has anything but an unfinished repository of ours.
fn refuse_others(io: &dyn Io) -> Result<()> {
    for entry in io.list("")? {
        let ours = match entry.name.as_str() {
            "config" => files::read(io, "config", MAX_CONFIG).is_ok_and(|c| c == CONFIG.as_bytes()),
            name => OURS.contains(&name),
        };
        if !ours {
            let why = format!("the directory is not empty: it has `{}`", entry.name);
            return Err(Error::new(Code::NameClash, why));
        }
    }
    Ok(())
}

fn lock(io: &dyn Io) -> Result<Box<dyn LockGuard>> {
    for attempt in 0..ATTEMPTS {
        if let Some(guard) = io.try_lock(crate::LOCK)? {
            return Ok(guard);
        }
        io.back_off(attempt);
    }
    let why = format!("another program makes this repository: `{}` stays locked", crate::LOCK);
    Err(Error::new(Code::Locked, why))
}

/// Whether the files below a directory are a git repository, as git decides it.
///
/// # Errors
/// `io`.
pub(crate) fn is_repository(io: &dyn Io) -> Result<bool> {
    for name in ["HEAD", "objects", "refs"] {
        if io.metadata(name)?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Makes a bare repository, durably. `HEAD` comes last: until then it is none, and making it again
/// finishes what a crash cut off.
///
/// # Errors
/// `name_clash` if there is a repository or anything else already, `io`.
pub(crate) fn init(io: &dyn Io, options: &InitOptions) -> Result<()> {
    refuse_others(io)?;
    // Several programs may begin at once; the one that comes second finds a repository.
    io.create_dir("irmin")?;
    let _guard = lock(io)?;
    refuse_others(io)?;
    for dir in ["objects", "objects/info", "objects/pack", "refs", "refs/heads", "refs/tags"] {
        io.create_dir(dir)?;
    }
    for dir in ["objects", "refs"] {
        files::sync_dir(io, dir)?;
    }
    replace(io, NEW_CONFIG, "config", CONFIG)?;
    if options.contents.is_some() {
        Config { contents: options.contents.clone(), ..Config::default() }.store(io)?;
    }
    files::sync_dir(io, "")?;
    replace(io, NEW_HEAD, "HEAD", &format!("ref: {}\n", options.branch.to_ref()))?;
    files::sync_dir(io, "")
}

/// Writes a file whole.
fn replace(io: &dyn Io, temp: &str, path: &str, text: &str) -> Result<()> {
    files::remove(io, temp)?;
    files::create(io, temp, text.as_bytes())?;
    io.rename(temp, path)
}
