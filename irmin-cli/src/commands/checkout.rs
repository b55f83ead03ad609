//! `irmin checkout`: the branch that the store is on, and the working tree with it.

use std::collections::BTreeSet;

use clap::Args;
use irmin_core::backend::{Batch, Expected, Note, Published, RefEdit, Target, View, resolve_ref};
use irmin_core::{BranchName, Code, Commit, CommitId, Contents, Error, Hash, Key, RefName, Repo};
use serde_json::json;

use crate::commands::{Session, Work};
use crate::exit::{Exit, Failure, Outcome};
use crate::names;
use crate::output::count;
use crate::settings::StoreKind;
use crate::store::location;
use crate::worktree::{Index, Touched, WorkTree, empty_tree};

/// How many commits back the one is looked for that the working tree shows.
const BACK: usize = 1000;

/// Change the branch that the store is on, and bring the working tree along.
///
/// With a branch, commands work on it from then on. With another revision the working tree shows
/// that commit, on no branch. Without either the working tree is brought to what its branch has
/// become: commands such as `set` change the branch and leave files alone.
///
/// Files with changes of their own are never overwritten: nothing is done then, and the code is 4.
/// A bare repository has no working tree; its HEAD names the branch.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin checkout --root notes.git draft
  irmin checkout --root notes.git")]
pub(crate) struct CheckoutArgs {
    /// The branch, or any other revision; what the store is on if absent
    revision: Option<String>,
}

/// Where `HEAD` is, or is to be.
struct Place<C> {
    target: Target,
    commit: Option<Commit<C>>,
}

impl<C: Contents> Place<C> {
    fn tree(&self) -> Option<Hash> {
        let tree = self.commit.as_ref().map(|commit| commit.tree_id().hash());
        tree.or_else(empty_tree)
    }

    /// As git writes it into its journal.
    fn name(&self) -> String {
        match &self.target {
            Target::Symbolic(name) => {
                name.branch().map_or_else(|| name.to_string(), |branch| branch.to_string())
            }
            Target::Object(key) => key.hash.to_string(),
        }
    }
}

impl Work for CheckoutArgs {
    const BRINGS_FILES: bool = true;

    fn run<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        let here = head(repo)?;
        let there = match &self.revision {
            Some(revision) => named(repo, revision)?,
            None => Place { target: here.target.clone(), commit: here.commit.clone() },
        };
        let tree = match session.settings.store {
            StoreKind::Git => WorkTree::find(&location(&session.settings)?)?,
            StoreKind::Fs | StoreKind::GitMem | StoreKind::Mem => None,
        };
        let mut touched = None;
        if let Some(tree) = &tree {
            if let Target::Symbolic(name) = &there.target
                && let Some(other) =
                    tree.is_taken(name.as_str()).filter(|_| self.revision.is_some())
            {
                let message = format!("{} is on branch `{}`", other.display(), there.name());
                let hint = "check another branch out there first";
                return Err(Failure::precondition(message).hint(hint).into());
            }
            let mut index = tree.index()?;
            let shown = self.revision.is_none().then_some(tree);
            let base = base(session, repo, &here, shown, &index)?;
            touched = Some(tree.bring(&**repo.backend(), &mut index, base, there.tree())?);
            move_head(session, repo, &here, &there)?;
        } else if let Target::Object(_) = there.target {
            let message = "the store has no working tree: HEAD names a branch, not a commit";
            return Err(Failure::usage(message).into());
        } else {
            move_head(session, repo, &here, &there)?;
        }
        tell(session, &there, touched)
    }
}

/// What `HEAD` is.
fn head<C: Contents>(repo: &Repo<C>) -> Outcome<Place<C>> {
    let backend = repo.backend();
    let target = backend.read_ref(&RefName::head(), View::Durable)?;
    // A store without it is on its main branch.
    let main = || Target::Symbolic(BranchName::main().to_ref());
    let target = target.unwrap_or_else(main);
    let commit = match &target {
        Target::Object(key) => Some(*key),
        Target::Symbolic(name) => resolve_ref(&**backend, name, View::Durable)?.1,
    };
    let commit = match commit {
        Some(key) => repo.commit(CommitId::from(key.hash))?,
        None => None,
    };
    Ok(Place { target, commit })
}

/// What a revision names: a branch before anything else of that name.
fn named<C: Contents>(repo: &Repo<C>, revision: &str) -> Outcome<Place<C>> {
    if let Ok(name) = revision.parse::<BranchName>()
        && let Some(commit) = repo.branch(name.as_str())?.head()?
    {
        return Ok(Place { target: Target::Symbolic(name.to_ref()), commit: Some(commit) });
    }
    let commit = names::resolve(repo, revision).map_err(|failure| match failure.hint {
        None if revision.parse::<BranchName>().is_ok() => {
            failure.hint(format!("`irmin branch create {revision}` makes a branch"))
        }
        _ => failure,
    })?;
    let target = Target::Object(Key::from(commit.id().hash()));
    Ok(Place { target, commit: Some(commit) })
}

/// The tree that the index was made from: that of `HEAD`, or of one that it was at before, if
/// other commands have moved it since.
///
/// An index with changes of its own is none of these trees. Where nothing is asked for but what
/// `HEAD` has become, it was made from the one of which it has the most files that are others
/// now; of several the oldest, which has the most that could be in the way.
fn base<C: Contents>(
    session: &Session<'_>,
    repo: &Repo<C>,
    here: &Place<C>,
    files: Option<&WorkTree>,
    index: &Index,
) -> Outcome<Option<Hash>> {
    let shown = index.tree();
    if shown == here.tree() {
        return Ok(shown);
    }
    let mut before: Vec<Option<CommitId>> = Vec::new();
    if let (Some(journal), Target::Symbolic(branch)) = (&session.journal, &here.target) {
        let operations = journal.operations()?.operations;
        let changes = operations.iter().flat_map(|operation| &operation.changes);
        for change in changes.filter(|change| change.name == *branch) {
            match &change.old {
                Some(Target::Object(key)) => before.push(Some(CommitId::from(key.hash))),
                Some(Target::Symbolic(_)) => {}
                None => before.push(None),
            }
        }
    }
    before.truncate(BACK);
    let mut seen = BTreeSet::new();
    let mut nearest = (0, here.tree());
    for id in before.into_iter().filter(|id| seen.insert(*id)) {
        let tree = match id {
            // What was collected since shows nothing.
            Some(id) => repo.commit(id).ok().flatten().map(|commit| commit.tree_id().hash()),
            None => empty_tree(),
        };
        if tree == shown {
            return Ok(shown);
        }
        let as_before = files.and_then(|files| files.shows(index, tree, here.tree()));
        if let Some(files) = as_before.filter(|files| *files > 0 && *files >= nearest.0) {
            nearest = (files, tree);
        }
    }
    let mut next = here.commit.clone();
    for _ in 0..BACK {
        let Some(id) = next.and_then(|commit| commit.parent_ids().first().copied()) else { break };
        next = repo.commit(id)?;
        if next.as_ref().map(|commit| commit.tree_id().hash()) == shown {
            return Ok(shown);
        }
    }
    session.out.note("the index has changes that are not committed: they stay");
    Ok(nearest.1)
}

fn move_head<C: Contents>(
    session: &Session<'_>,
    repo: &Repo<C>,
    here: &Place<C>,
    there: &Place<C>,
) -> Outcome<()> {
    if here.target == there.target {
        return Ok(());
    }
    let context = repo.context();
    let message = format!("checkout: moving from {} to {}", here.name(), there.name());
    let edit = RefEdit {
        name: RefName::head(),
        expected: Expected::Is(here.target.clone()),
        new: Some(there.target.clone()),
    };
    let note = Note { author: context.author().to_owned(), date: context.now(), message };
    let batch = Batch { edits: vec![edit], note, ..Batch::default() };
    match repo.backend().publish(batch)? {
        Published::Done { .. } => Ok(()),
        Published::Lost { .. } => {
            session.out.note("the files are those of the other commit: `irmin checkout` again");
            let why = "another program changed HEAD meanwhile";
            Err(Error::new(Code::PreconditionFailed, why).into())
        }
    }
}

fn tell<C: Contents>(
    session: &mut Session<'_>,
    there: &Place<C>,
    touched: Option<Touched>,
) -> Outcome {
    let id = there.commit.as_ref().map(|commit| commit.id().to_string());
    let branch = match &there.target {
        Target::Symbolic(_) => Some(there.name()),
        Target::Object(_) => None,
    };
    if session.out.json {
        let files = touched.map(|t| json!({"written": t.written, "removed": t.removed}));
        session.out.json(&json!({"branch": branch, "commit": id, "files": files}))?;
        return Ok(Exit::Ok);
    }
    match (&branch, &id) {
        (None, Some(id)) => session.out.note(&format!(
            "the working tree shows {id}, on no branch; commands work on branch `main` unless \
             --branch says otherwise"
        )),
        (Some(branch), _) => session.out.done(&format!("on branch `{branch}`")),
        (None, None) => {}
    }
    match touched {
        Some(Touched { written, removed }) => session.out.done(&format!(
            "{} written, {removed} removed",
            count(u64::try_from(written).unwrap_or(u64::MAX), "file")
        )),
        None => session.out.done("there is no working tree to bring along"),
    }
    Ok(Exit::Ok)
}
