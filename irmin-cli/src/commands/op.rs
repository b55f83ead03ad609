//! `irmin op log` and `irmin undo`: what happened to the branches, and taking it back.

use std::sync::Arc;

use clap::{Args, Subcommand};
use irmin_core::backend::{Journaled, Operation, Origin, RefChange, Target, Trouble};
use irmin_core::{Code, Contents, Error, RefName, Repo};
use serde_json::{Value, json};

use crate::commands::log::SHORT;
use crate::commands::{Session, Work};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::style;
use crate::time;

/// Show what was done to branches and tags.
///
/// Every command that moves, makes or removes one is an operation. What other programs, such as
/// git, did to them is one too, as soon as it is noticed.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin op log --root notes.git
  irmin op log --root notes.git -n 3 --json")]
pub(crate) struct OpArgs {
    /// What to do; the operations are listed if it is left out
    #[command(subcommand)]
    command: Option<OpCommand>,
}

#[derive(Subcommand, Debug)]
enum OpCommand {
    /// List the operations, the latest first
    #[command(after_long_help = "\
Examples:
  irmin op log --root notes.git
  irmin op log --root notes.git -n 3 --json")]
    Log(LogArgs),
}

#[derive(Args, Debug, Default)]
struct LogArgs {
    /// Number of operations to show; 0 shows all
    #[arg(short = 'n', long = "max-count", value_name = "NUM")]
    max_count: Option<usize>,
    /// Show plain text without pager
    #[arg(long)]
    plain: bool,
}

/// Take an operation back.
///
/// Every branch and tag that it changed becomes what it was before; if one of them changed since,
/// nothing is done and the code is 4. The latest operation is meant unless a number of
/// `irmin op log` says which. That is an operation too: the next `irmin undo` takes it back, and
/// so does the first one again.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin undo --root notes.git
  irmin undo --root notes.git 5")]
pub(crate) struct UndoArgs {
    /// The number of the operation; the latest one if absent
    operation: Option<u64>,
}

impl Work for OpArgs {
    fn run<C: Contents>(&self, session: &mut Session<'_>, _repo: &Repo<C>) -> Outcome {
        let default = LogArgs::default();
        let args = match &self.command {
            Some(OpCommand::Log(args)) => args,
            None => &default,
        };
        let told = journal(session)?.operations()?;
        if !args.plain {
            session.out.page(None, session.env);
        }
        let most = args.max_count.filter(|n| *n > 0).unwrap_or(usize::MAX);
        for operation in told.operations.iter().take(most) {
            if session.out.json {
                session.out.json(&operation_json(operation))?;
            } else {
                print(session, operation)?;
            }
        }
        match told.trouble {
            None => {}
            Some(Trouble::Torn) => session.out.note(
                "a crash cut the last line of the journal off; what it did is told as from outside",
            ),
            Some(Trouble::Damaged) => session.out.warn(
                "the journal was damaged: some operations are not known any more; the damaged \
                 file is kept beside it",
            ),
        }
        Ok(Exit::Ok)
    }
}

impl Work for UndoArgs {
    fn run<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        let journaled = journal(session)?;
        let author = repo.context().author();
        let done = journaled.undo(self.operation, author).map_err(|e| match e.code() {
            Code::NotFound => Failure::from(e).hint("`irmin op log` lists the operations"),
            Code::PreconditionFailed => Failure::from(e).hint(
                "nothing was done: undo the later operations first, or use `irmin revert`; \
                 `irmin op log` lists the operations",
            ),
            _ => e.into(),
        })?;
        if session.out.json {
            session.out.json(&operation_json(&done))?;
            return Ok(Exit::Ok);
        }
        session.out.note(&format!("{}; `irmin undo` does it again", done.message));
        for change in &done.changes {
            session.out.note(&format!("  {}", change_text(change)));
        }
        Ok(Exit::Ok)
    }
}

/// The journal of the store.
fn journal(session: &Session<'_>) -> Outcome<Arc<Journaled>> {
    session.journal.clone().ok_or_else(|| {
        let why = "this store keeps no journal: it ends with the command";
        Error::new(Code::Unsupported, why).into()
    })
}

fn print(session: &mut Session<'_>, operation: &Operation) -> Outcome<()> {
    let out = &mut session.out;
    let number = out.paint(style::HASH, operation.number.to_string().as_bytes());
    let date = time::format(operation.date, &time::local());
    let what = match operation.origin {
        Origin::Outside => String::from("another program"),
        _ => format!("{}: {}", operation.author, done(operation)),
    };
    let what = out.foreign(what.as_bytes());
    out.line([number.as_slice(), b"  ", date.as_bytes(), b"  ", &what].concat())?;
    for change in &operation.changes {
        let text = out.foreign(change_text(change).as_bytes());
        out.line([b"    ".as_slice(), &text].concat())?;
    }
    Ok(())
}

/// The command and the message. Many messages begin with the word of the command, which is for
/// those who read them elsewhere, such as in a reflog.
fn done(operation: &Operation) -> String {
    let Operation { command, message, .. } = operation;
    let word = command.split(' ').next().unwrap_or_default();
    let (first, rest) = message.split_at_checked(word.len()).unwrap_or((message, ""));
    let said = first == word && !rest.starts_with(char::is_alphanumeric);
    let named = first.eq_ignore_ascii_case(word) && rest.starts_with(':');
    match said || named || message.is_empty() {
        true => format!("{command}{rest}"),
        false => format!("{command}: {message}"),
    }
}

/// The name of a ref as people write it.
fn short(name: &RefName) -> &str {
    let text = name.as_str();
    text.strip_prefix("refs/heads/").unwrap_or(text.strip_prefix("refs/").unwrap_or(text))
}

/// What happened to a ref, as people read it.
fn change_text(change: &RefChange) -> String {
    let target = |target: &Target| match target {
        Target::Object(key) => key.hash.short(SHORT),
        Target::Symbolic(name) => short(name).to_owned(),
    };
    let name = short(&change.name);
    match (&change.old, &change.new) {
        (None, Some(new)) => format!("{name}: made at {}", target(new)),
        (Some(old), None) => format!("{name}: removed, was at {}", target(old)),
        (Some(old), Some(new)) => format!("{name}: {} to {}", target(old), target(new)),
        (None, None) => name.to_owned(),
    }
}

/// An operation as JSON.
fn operation_json(operation: &Operation) -> Value {
    let target = |target: &Option<Target>| match target {
        None => Value::Null,
        Some(Target::Object(key)) => key.hash.to_string().into(),
        Some(Target::Symbolic(name)) => name.to_string().into(),
    };
    let change = |change: &RefChange| {
        json!({
            "ref": change.name.to_string(),
            "old": target(&change.old),
            "new": target(&change.new),
        })
    };
    let changes: Vec<Value> = operation.changes.iter().map(change).collect();
    let outside = operation.origin == Origin::Outside;
    let undoes = match operation.origin {
        Origin::Undo(number) => Some(number),
        _ => None,
    };
    json!({
        "operation": operation.number,
        "outside": outside,
        "undoes": undoes,
        "date": operation.date,
        "author": (!outside).then_some(&operation.author),
        "command": (!outside).then_some(&operation.command),
        "message": (!outside).then_some(&operation.message),
        "changes": changes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_once() {
        let told = |command: &str, message: &str| {
            let (command, message) = (command.to_owned(), message.to_owned());
            let (author, changes) = (String::new(), Vec::new());
            let origin = Origin::Here;
            done(&Operation { number: 1, origin, date: 0, author, command, message, changes })
        };
        assert_eq!(told("tag", "tag: 1234"), "tag: 1234");
        assert_eq!(
            told("branch create", "branch: created from 1"),
            "branch create: created from 1"
        );
        assert_eq!(
            told("branch rename", "Branch: renamed a to b"),
            "branch rename: renamed a to b"
        );
        assert_eq!(told("undo", "undo operation 3"), "undo operation 3");
        assert_eq!(told("set", "set"), "set");
        assert_eq!(told("set", "settle"), "set: settle");
        assert_eq!(told("set", "Set up"), "set: Set up");
        assert_eq!(told("set", "two"), "set: two");
        assert_eq!(told("set", ""), "set");
        assert_eq!(told("set", "s\u{e9}t"), "set: s\u{e9}t");
        assert_eq!(told("import", "import demo"), "import demo");
        assert_eq!(told("tag create", "tag: 1234"), "tag create: 1234");
    }
}
