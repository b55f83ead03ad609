//! `irmin apply`: many operations, one commit or none.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use irmin_core::{Code, CommitOptions, Contents, Error, Repo, Tree};

use crate::args::Message;
use crate::commands::set::{decode, on_head};
use crate::commands::{Session, Work};
use crate::exit::{Failure, Outcome};
use crate::ops::{Line, Op, parse};
use crate::store::Access;
use crate::value::ValueArg;

/// Apply many operations as one commit
///
/// FILE (or standard input, for `-`) holds one JSON object on each line:
///
///   {"op":"set","path":"a/b","value":"text"}      or "base64"; optional "mode"
///   {"op":"remove","path":"a/b"}
///   {"op":"move","from":"a/b","to":"c"}
///   {"op":"test","path":"a/b","value":"text"}     null: nothing may be there
///
/// They are done in order. If a test fails, or a line is wrong, nothing is written.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
#[command(after_long_help = "\
Examples:
  irmin apply --root notes.git changes.jsonl
  echo '{\"op\":\"set\",\"path\":\"a\",\"value\":\"1\"}' | irmin apply --root notes.git -")]
pub(crate) struct ApplyArgs {
    /// The operations: a file, or `-` for standard input
    file: OsString,
    #[command(flatten)]
    message: Message,
    /// Only if the head of the branch is this commit; otherwise end with code 4
    #[arg(long, value_name = "HASH")]
    if_head: Option<String>,
    /// Make a commit even if nothing changes
    #[arg(long)]
    allow_empty: bool,
}

/// An operation whose values are decoded.
enum Step<C> {
    Set { value: C },
    Test { value: Option<C> },
    Other,
}

impl Work for ApplyArgs {
    const ACCESS: Access = Access::Create;

    fn run<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        let source = match self.file.to_str() {
            Some("-") => ValueArg::Stdin,
            _ => ValueArg::File(PathBuf::from(&self.file)),
        };
        let bytes = source.read(repo.limits().object)?;
        let text = String::from_utf8(bytes).map_err(|e| {
            let line = e.as_bytes().iter().take(e.utf8_error().valid_up_to());
            let number = line.filter(|b| **b == b'\n').count() + 1;
            Failure::usage(format!("line {number}: not UTF-8 text"))
        })?;
        let lines = parse(&text).map_err(Failure::usage)?;
        let steps = lines.iter().map(step).collect::<Result<Vec<Step<C>>, Error>>()?;
        let mut options = self.message.options("apply");
        if self.allow_empty {
            options = options.allow_empty();
        }
        let branch = session.branch(repo)?;
        let write = |branch: &irmin_core::Branch<C>, options: &CommitOptions| {
            branch.transaction(options.clone(), |tree| {
                lines.iter().zip(&steps).try_for_each(|(line, step)| {
                    perform(tree, line, step)
                        .map_err(|e| e.context(format_args!("line {}", line.number)))
                })
            })
        };
        let commit = match &self.if_head {
            None => write(&branch, &options)?,
            Some(revision) => on_head(&branch, revision, &options, write)?,
        };
        session.wrote(&branch, commit.as_ref())
    }
}

fn step<C: Contents>(line: &Line) -> Result<Step<C>, Error> {
    let decode = |bytes: &Vec<u8>| {
        decode::<C>(bytes.clone()).map_err(|e| e.context(format_args!("line {}", line.number)))
    };
    Ok(match &line.op {
        Op::Set { value, .. } => Step::Set { value: decode(value)? },
        Op::Test { value, .. } => Step::Test { value: value.as_ref().map(decode).transpose()? },
        Op::Remove { .. } | Op::Move { .. } => Step::Other,
    })
}

fn perform<C: Contents>(tree: &mut Tree<C>, line: &Line, step: &Step<C>) -> Result<(), Error> {
    match (&line.op, step) {
        (Op::Set { path, mode, .. }, Step::Set { value }) => {
            tree.set_with(path, value.clone(), *mode)
        }
        (Op::Remove { path }, _) => tree.remove(path),
        (Op::Move { from, to }, _) => {
            let Some(moved) = tree.get_tree(from)? else {
                let why = format!("there is nothing at `{from}` to move");
                return Err(Error::new(Code::NotFound, why));
            };
            if to.strip_prefix(from).is_some_and(|below| !below.is_root()) {
                let why = format!("`{from}` cannot be moved into itself, to `{to}`");
                return Err(Error::new(Code::InvalidArgument, why));
            }
            tree.remove(from)?;
            tree.set_tree(to, moved)
        }
        (Op::Test { path, .. }, Step::Test { value }) => {
            let holds = match value {
                Some(value) => tree.get(path)?.as_ref() == Some(value),
                None => !tree.exists(path)?,
            };
            if holds {
                return Ok(());
            }
            let why = format!("the test of `{path}` failed; nothing was written");
            Err(Error::new(Code::PreconditionFailed, why))
        }
        // The steps were made from these lines.
        (Op::Set { .. } | Op::Test { .. }, _) => Ok(()),
    }
}
