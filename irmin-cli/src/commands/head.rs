//! `irmin snapshot` and `irmin revert`: the head of the branch.

use clap::Args;
use irmin_core::{Code, Contents, Repo};
use serde_json::json;

use crate::commands::{Session, Work};
use crate::exit::{Exit, Failure, Outcome};
use crate::names;

/// Return a snapshot for the current state of the database.
///
/// It prints the hash of the head: what `revert` and --commit take.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin snapshot --root notes.git
  irmin snapshot --root notes.git -b draft")]
pub(crate) struct SnapshotArgs {}

impl Work for SnapshotArgs {
    fn run<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        let id = session.head(repo)?.id().to_string();
        if session.out.json {
            session.out.json(&json!({"commit": id}))?;
        } else {
            session.out.line(id)?;
        }
        Ok(Exit::Ok)
    }
}

/// Revert the contents of the store to a previous state.
///
/// The branch is moved to the commit (what git calls a hard reset): commits after it are no longer
/// on the branch. SNAPSHOT is a hash or any other revision, such as `main~1`.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin revert --root notes.git main~1
  irmin revert --root notes.git -b draft main")]
pub(crate) struct RevertArgs {
    /// The snapshot to revert to
    snapshot: String,
}

impl Work for RevertArgs {
    fn run<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        let commit = names::resolve(repo, &self.snapshot).map_err(|mut failure| {
            if failure.code == Code::NotFound.as_str() {
                failure.message = format!("invalid commit: {}", failure.message);
            }
            failure
        })?;
        let branch = session.branch(repo)?;
        if branch.name().is_none() {
            let message = "there is no branch to move: --commit names a commit, not a branch";
            return Err(Failure::usage(message).into());
        }
        branch.set_head(Some(&commit), format!("revert: moving to {}", self.snapshot))?;
        session.wrote(&branch, Some(&commit))
    }
}
