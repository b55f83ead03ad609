//! `irmin branches` and `irmin branch`.

use clap::{Args, Subcommand};
use irmin_core::{Branch, BranchName, Code, Contents, Repo};
use serde_json::{Value, json};

use crate::commands::{Session, Work, no_commit};
use crate::exit::{Exit, Failure, Outcome};
use crate::names;
use crate::settings::StoreKind;
use crate::store::location;
use crate::worktree::taken_at;

/// List branches.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin branches --root notes.git
  irmin branches --root notes.git --json")]
pub(crate) struct BranchesArgs {}

impl Work for BranchesArgs {
    fn run<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        let names = repo.branches()?;
        if session.out.json {
            let main = repo.main()?.name();
            let mut rows: Vec<Value> = Vec::new();
            for name in names {
                let head = repo.branch(name.as_str())?.head()?;
                let head = head.map(|commit| commit.id().to_string());
                let is_main = main.as_ref() == Some(&name);
                rows.push(json!({"name": name.to_string(), "commit": head, "main": is_main}));
            }
            session.out.json(&rows.into())?;
            return Ok(Exit::Ok);
        }
        for name in names {
            session.out.line(name.to_string())?;
        }
        Ok(Exit::Ok)
    }
}

/// Create, rename, delete or list branches.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin branch create --root notes.git draft
  irmin branch rename --root notes.git draft proposal
  irmin branch list --root notes.git
  irmin branch delete --root notes.git proposal")]
pub(crate) struct BranchArgs {
    /// What to do; branches are listed if it is left out
    #[command(subcommand)]
    command: Option<BranchCommand>,
}

#[derive(Subcommand, Debug)]
enum BranchCommand {
    /// Create a branch at the head of the current one, or at a revision
    #[command(after_long_help = "\
Examples:
  irmin branch create --root notes.git draft
  irmin branch create --root notes.git old main~1")]
    Create {
        /// The name of the new branch
        name: String,
        /// Where it begins; the head of the current branch if absent
        revision: Option<String>,
    },
    /// Delete a branch; its commits stay as long as something else leads to them
    #[command(after_long_help = "\
Examples:
  irmin branch delete --root notes.git draft")]
    Delete {
        /// The branch
        name: String,
    },
    /// Rename a branch; the store stays on it if it was on it
    #[command(after_long_help = "\
Examples:
  irmin branch rename --root notes.git main trunk")]
    Rename {
        /// The branch
        old: String,
        /// Its new name
        new: String,
    },
    /// List branches, as `irmin branches` does
    #[command(after_long_help = "\
Examples:
  irmin branch list --root notes.git")]
    List,
}

impl Work for BranchArgs {
    fn run<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        match &self.command {
            None | Some(BranchCommand::List) => BranchesArgs {}.run(session, repo),
            Some(BranchCommand::Create { name, revision }) => {
                let start = match revision {
                    Some(revision) => names::resolve(repo, revision)?,
                    None => session.head(repo)?,
                };
                let branch = repo.branch(name)?;
                let note = format!("branch: created from {}", start.id());
                if !branch.test_and_set_head(None, Some(&start), note)? {
                    return Err(exists(&branch)?.into());
                }
                session.wrote(&branch, Some(&start))
            }
            Some(BranchCommand::Rename { old, new }) => rename(session, repo, old, new),
            Some(BranchCommand::Delete { name }) => {
                let branch = repo.branch(name)?;
                let Some(head) = branch.head()? else {
                    return Err(no_commit(&branch)?.into());
                };
                if repo.main()?.name() == branch.name() {
                    let message = format!("branch `{name}` is the one the store is on");
                    return Err(Failure::usage(message).into());
                }
                refuse_shown(session, name)?;
                branch.delete("branch: deleted")?;
                session.out.note(&format!("branch `{name}` was at {}", head.id()));
                session.wrote(&branch, None)
            }
        }
    }
}

/// Refuses to take a branch from under a working tree beside the one that is open.
fn refuse_shown(session: &Session<'_>, name: &str) -> Outcome<()> {
    if session.settings.store != StoreKind::Git {
        return Ok(());
    }
    let name: BranchName = name.parse()?;
    let other = taken_at(&location(&session.settings)?, name.to_ref().as_str())?;
    other.map_or(Ok(()), |other| {
        let message = format!("{} is on branch `{name}`", other.display());
        Err(Failure::precondition(message).hint("check another branch out there first").into())
    })
}

fn rename<C: Contents>(session: &mut Session<'_>, repo: &Repo<C>, old: &str, new: &str) -> Outcome {
    refuse_shown(session, old)?;
    // In the words of git, whose reflog this is for.
    let note = format!("Branch: renamed refs/heads/{old} to refs/heads/{new}");
    let renamed = repo.rename_branch(old, new, note).map_err(|e| match e.code() {
        Code::NotFound => names::among(repo, old, e.into()),
        Code::NameClash => Failure::from(e)
            .hint("as in git, `a` and `a/b` cannot both be branches: use a third name between"),
        _ => e.into(),
    })?;
    let head = renamed.head()?;
    session.wrote(&renamed, head.as_ref())
}

fn exists<C: Contents>(branch: &Branch<C>) -> Outcome<Failure> {
    Ok(match (branch.name(), branch.head()?) {
        (Some(name), Some(head)) => {
            Failure::precondition(format!("branch `{name}` exists already, at {}", head.id()))
        }
        _ => no_commit(branch)?,
    })
}
