//! `irmin merge`: joining branches.

use clap::Args;
use irmin_core::history::LcaLimits;
use irmin_core::{
    Branch, BranchName, Code, Commit, Conflict, Contents, Error, Merged, Preview, Repo, Tree,
};
use serde_json::{Value, json};

use crate::args::Message;
use crate::commands::diff::tree_change_json;
use crate::commands::watch::sign;
use crate::commands::{Session, Work};
use crate::exit::{Exit, Failure, Outcome};
use crate::names;

/// Merge branches.
///
/// BRANCH is merged into the current branch; it may be any revision. What was done is told on
/// standard error if that is a terminal, or with -v. If keys conflict, every one is listed there
/// with its reason, nothing is written, and the code is 3.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin merge --root notes.git draft -m 'bring draft in'
  irmin merge --root notes.git draft --dry-run
  irmin merge --root notes.git -b draft main")]
pub(crate) struct MergeArgs {
    /// Branch to merge from
    #[arg(value_name = "BRANCH")]
    from: String,
    #[command(flatten)]
    message: Message,
    /// Show what would happen, with every conflict, and write nothing
    #[arg(long)]
    dry_run: bool,
}

impl Work for MergeArgs {
    fn run<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        if !session.policies.is_empty() {
            // Merging without them would make other values than those who wrote the store expect.
            let policies = session.policies.join(", ");
            let why = format!("the store asks for merge policies ({policies}); irmin has none");
            return Err(Error::new(Code::Unsupported, why).into());
        }
        let branch = session.branch(repo)?;
        let theirs = self.theirs(repo)?;
        let limits = LcaLimits::default();
        if self.dry_run {
            let head = branch.tree()?;
            return match branch.preview_merge(&theirs, limits)? {
                Preview::Conflicts(conflicts) => report(session, &conflicts),
                Preview::UpToDate => preview(session, "up to date", &head, &head),
                Preview::FastForward => preview(session, "fast-forward", &head, &theirs.tree()),
                Preview::Merge(tree) => preview(session, "merge", &head, &tree),
            };
        }
        let options = self.message.options("merge");
        let merged = branch.merge_commit(&theirs, limits, options)?;
        self.done(session, &branch, merged)
    }
}

impl MergeArgs {
    /// The commit to merge: a branch before anything else of that name.
    fn theirs<C: Contents>(&self, repo: &Repo<C>) -> Outcome<Commit<C>> {
        if let Ok(name) = self.from.parse::<BranchName>()
            && let Some(head) = repo.branch(name.as_str())?.head()?
        {
            return Ok(head);
        }
        repo.resolve(&self.from).map_err(|e| match e.code() {
            Code::NotFound => {
                let message = format!("{} is not a valid branch ID", self.from);
                names::among(repo, &self.from, Failure::absent(message)).into()
            }
            _ => e.into(),
        })
    }

    fn done<C: Contents>(
        &self,
        session: &mut Session<'_>,
        branch: &Branch<C>,
        merged: Merged<C>,
    ) -> Outcome {
        let (word, commit) = match merged {
            Merged::Conflicts(conflicts) => return report(session, &conflicts),
            Merged::UpToDate => ("up to date", None),
            Merged::FastForward(commit) => ("fast-forward", Some(commit)),
            Merged::Created(commit) => ("merge", Some(commit)),
        };
        if !session.out.json {
            session.out.done(&match &commit {
                None => "already up to date".into(),
                Some(commit) if word == "merge" => format!("merged: {}", commit.id()),
                Some(commit) => format!("{word}: {}", commit.id()),
            });
            if let (Some(commit), None) = (&commit, branch.name()) {
                session.out.note(&format!("commit {} is on no branch", commit.id()));
            }
            return Ok(Exit::Ok);
        }
        let name = branch.name().map(|name| name.to_string());
        let id = commit.map(|commit| commit.id().to_string());
        session.out.json(&json!({"branch": name, "result": word, "commit": id}))?;
        Ok(Exit::Ok)
    }
}

/// Prints what a merge would do.
fn preview<C: Contents>(
    session: &mut Session<'_>,
    word: &str,
    head: &Tree<C>,
    merged: &Tree<C>,
) -> Outcome {
    let changes = head.diff(merged)?;
    if session.out.json {
        let rows: Result<Vec<Value>, irmin_core::Error> =
            changes.iter().map(|change| tree_change_json(&change.path, change)).collect();
        session.out.json(&json!({"result": word, "changes": rows?}))?;
        return Ok(Exit::Ok);
    }
    session.out.line(word)?;
    for change in &changes {
        session.out.line(format!("{} /{}", sign(change), change.path))?;
    }
    Ok(Exit::Ok)
}

/// Tells every conflict.
fn report<C: Contents>(session: &mut Session<'_>, conflicts: &[Conflict<C>]) -> Outcome {
    if session.out.json {
        let rows: Result<Vec<Value>, irmin_core::Error> =
            conflicts.iter().map(conflict_json).collect();
        session.out.json(&json!({"result": "conflict", "conflicts": rows?}))?;
    } else {
        for conflict in conflicts {
            session.out.warn(&format!("CONFLICT: {}: {}", conflict.path, conflict.reason));
        }
        session.out.note("nothing was written");
    }
    Ok(Exit::Conflict)
}

fn conflict_json<C: Contents>(conflict: &Conflict<C>) -> Result<Value, irmin_core::Error> {
    let side = |tree: &Option<Tree<C>>| -> Result<Value, irmin_core::Error> {
        let Some(tree) = tree else { return Ok(Value::Null) };
        Ok(match tree.value()? {
            Some(value) => {
                let mode = tree.metadata().unwrap_or_default();
                crate::output::value_json(&value.encode()?, mode)
            }
            None => json!({"kind": "dir"}),
        })
    };
    Ok(json!({
        "path": conflict.path.to_string(),
        "reason": conflict.reason.to_string(),
        "base": side(&conflict.base)?,
        "ours": side(&conflict.ours)?,
        "theirs": side(&conflict.theirs)?,
    }))
}
