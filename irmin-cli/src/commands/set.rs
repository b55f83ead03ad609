//! `irmin set` and `irmin remove`: writing one value.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};

use clap::Args;
use irmin_core::io::StdRead;
use irmin_core::{
    Branch, Bytes, Code, Commit, CommitOptions, Contents, Error, Metadata, Path, Repo, Tree,
};

use crate::args::{Message, path_parser};
use crate::commands::{Session, Work};
use crate::exit::{Exit, Failure, Outcome};
use crate::names;
use crate::ops::parse_mode;
use crate::store::Access;
use crate::value::{Given, ValueArg, value_parser};

/// Update the value associated with a key.
///
/// VALUE is text; `-` reads standard input and `@FILE` a file (`@@x` is the text `@x`). A value
/// that begins with `-` comes after `--`. Nothing is committed if nothing changes.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin set --root notes.git greetings/en hello -m 'first words'
  irmin set --root notes.git photo.jpg @photo.jpg
  echo 1 | irmin set --root notes.git counter - --if-absent")]
pub(crate) struct SetArgs {
    /// Key to modify
    #[arg(value_parser = path_parser())]
    path: Path,
    /// Value to add: text, `-` or `@FILE`
    #[arg(value_parser = value_parser(), allow_negative_numbers = true)]
    value: ValueArg,
    #[command(flatten)]
    message: Message,
    #[command(flatten)]
    conditions: Conditions,
    /// Make a commit even if nothing changes
    #[arg(long)]
    allow_empty: bool,
    /// What the value is to a file system: normal, exec or link
    #[arg(long, value_parser = parse_mode, default_value = "normal", hide_default_value = true)]
    mode: Metadata,
}

/// What must hold for a write to be made.
#[derive(Args, Debug)]
struct Conditions {
    /// Only if the value is this one now; otherwise end with code 4
    #[arg(long, value_name = "VALUE", value_parser = value_parser(), conflicts_with = "if_absent")]
    #[arg(allow_negative_numbers = true)]
    if_value: Option<ValueArg>,
    /// Only if there is nothing now; otherwise end with code 4
    #[arg(long)]
    if_absent: bool,
    /// Only if the head of the branch is this commit; otherwise end with code 4
    #[arg(long, value_name = "HASH")]
    if_head: Option<String>,
}

impl Work for SetArgs {
    const ACCESS: Access = Access::Create;

    fn run<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        let limit = repo.limits().value;
        let test = match &self.conditions.if_value {
            Some(test) => Some(decode::<C>(test.read(limit)?)?),
            None => None,
        };
        let mut options = self.message.options("set");
        if self.allow_empty {
            options = options.allow_empty();
        }
        let branch = session.branch(repo)?;
        // A stream is written to a branch alone; what is large elsewhere has to fit in memory.
        let streams = C::PLAIN && self.conditions.if_head.is_none() && branch.name().is_some();
        let value = match streams {
            true => self.value.open(limit)?,
            false => Given::Whole(self.value.read(limit)?),
        };
        let value = match value {
            Given::Whole(bytes) => decode::<C>(bytes)?,
            Given::Large(file, len) => {
                let commit = branch.staged(options, |staged| {
                    self.check(staged.tree(), test.as_ref())?;
                    let mut read = StdRead(rewound(&file)?);
                    staged.set_stream(&self.path, len, &mut read, self.mode)
                })?;
                return session.wrote(&branch, commit.as_ref());
            }
        };
        let write = |branch: &Branch<C>, options: &CommitOptions| {
            branch.transaction(options.clone(), |tree| {
                self.check(tree, test.as_ref())?;
                tree.set_with(&self.path, value.clone(), self.mode)
            })
        };
        let commit = match &self.conditions.if_head {
            None => write(&branch, &options)?,
            Some(revision) => on_head(&branch, revision, &options, write)?,
        };
        session.wrote(&branch, commit.as_ref())
    }
}

impl SetArgs {
    /// Refuses to write over what is not as expected.
    fn check<C: Contents>(&self, tree: &Tree<C>, test: Option<&C>) -> Result<(), Error> {
        if self.conditions.if_absent && tree.exists(&self.path)? {
            return Err(unexpected(&self.path, "is there already"));
        }
        if test.is_some() && tree.get(&self.path)?.as_ref() != test {
            let there = tree.exists(&self.path)?;
            let why = if there { "has another value" } else { "has no value" };
            return Err(unexpected(&self.path, why));
        }
        Ok(())
    }
}

/// A file from its beginning: a write that lost a race reads it again.
pub(crate) fn rewound(mut file: &File) -> Result<&File, Error> {
    let failed = |e| Error::new(Code::Io, "a file cannot be read again").with_source(e);
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    Ok(file)
}

/// The value of some bytes.
pub(crate) fn decode<C: Contents>(bytes: Vec<u8>) -> Result<C, Error> {
    C::decode(Bytes::from(bytes))
}

fn unexpected(path: &Path, why: &str) -> Error {
    Error::new(Code::PreconditionFailed, format!("`{path}` {why}; nothing was written"))
}

/// Writes on top of a commit, and moves the branch there only if that commit is still its head.
pub(crate) fn on_head<C: Contents>(
    branch: &Branch<C>,
    revision: &str,
    options: &CommitOptions,
    write: impl FnOnce(&Branch<C>, &CommitOptions) -> Result<Option<Commit<C>>, Error>,
) -> Result<Option<Commit<C>>, Failure> {
    let repo = branch.repo();
    let head = names::resolve(repo, revision)?;
    let moved =
        || Failure::precondition(format!("the head is not {}; nothing was written", head.id()));
    // Looked at first, so that a write which cannot succeed leaves no objects behind.
    if branch.head()?.as_ref() != Some(&head) {
        return Err(moved());
    }
    let Some(commit) = write(&repo.detached(&head), options)? else { return Ok(None) };
    if branch.test_and_set_head(Some(&head), Some(&commit), options.clone())? {
        Ok(Some(commit))
    } else {
        Err(moved())
    }
}

/// Delete a key.
///
/// The key may be a directory, which goes with everything in it. A key that is not there is no
/// failure.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin remove --root notes.git greetings/en
  irmin remove --root notes.git greetings -m 'no more words'")]
pub(crate) struct RemoveArgs {
    /// Key to remove
    #[arg(value_parser = path_parser())]
    path: Path,
    #[command(flatten)]
    message: Message,
}

impl Work for RemoveArgs {
    fn run<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        let branch = session.branch(repo)?;
        let options = self.message.options(format!("remove {}", self.path));
        let commit = branch.remove(&self.path, options)?;
        session.wrote(&branch, commit.as_ref())?;
        Ok(Exit::Ok)
    }
}
