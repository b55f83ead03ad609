//! `irmin last-modified`: who changed which key last.

use clap::Args;
use irmin_core::history::LastModified;
use irmin_core::{Commit, Contents, Path, Repo};
use serde_json::json;

use crate::args::path_parser;
use crate::commands::export::leaves;
use crate::commands::log::{SHORT, subject};
use crate::commands::{Session, Work};
use crate::exit::{Exit, Outcome};
use crate::output::style;
use crate::time;

/// Show when keys were last modified.
///
/// Each line is a date, a commit and a key. A directory stands for the keys in it, and no path for
/// all keys. The commit is the newest one that changed the key: one where it differs from what all
/// parents have, so that a merge that took one side is passed over. All paths take one walk
/// through the history.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin last-modified --root notes.git
  irmin last-modified --root notes.git greetings --newest
  irmin last-modified --root notes.git greetings more --whole --json")]
pub(crate) struct LastModifiedArgs {
    /// Keys and directories; all keys if absent
    #[arg(value_parser = path_parser(), value_name = "PATH")]
    paths: Vec<Path>,
    /// One line for each PATH, also for a directory
    #[arg(long)]
    whole: bool,
    /// The newest first, in place of the order of names
    #[arg(long)]
    newest: bool,
}

impl Work for LastModifiedArgs {
    fn run<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        let head = session.head(repo)?;
        let paths = self.keys(&head)?;
        let bounds = LastModified { n: Some(1), ..LastModified::default() };
        let last = repo.last_modified_many(&[head], &paths, bounds)?;
        let mut exit = Exit::Ok;
        let mut lines: Vec<(Path, Commit<C>)> = Vec::with_capacity(paths.len());
        for (path, mut commits) in paths.into_iter().zip(last) {
            match commits.pop() {
                Some(commit) => lines.push((path, commit)),
                None => {
                    session.out.note(&format!("there never was anything at `/{path}`"));
                    exit = Exit::Failure;
                }
            }
        }
        if self.newest {
            // Stable: those of one date stay in the order of their names.
            lines.sort_by_key(|(_, commit)| std::cmp::Reverse(commit.info().committer.date));
        }
        let (zone, out) = (time::local(), &mut session.out);
        for (path, commit) in lines {
            let info = commit.info();
            if out.json {
                out.json(&json!({
                    "path": path.to_string(),
                    "commit": commit.id().to_string(),
                    "author": String::from_utf8_lossy(&info.author.author),
                    "date": info.author.date,
                    "message": String::from_utf8_lossy(subject(&info.message)),
                }))?;
                continue;
            }
            let date = time::sortable(info.author.date, &zone);
            let hash = out.paint(style::HASH, commit.id().hash().short(SHORT).as_bytes());
            let path = format!(" {path}");
            out.line([date.as_bytes(), b" ", &hash, path.as_bytes()].concat())?;
        }
        Ok(exit)
    }
}

impl LastModifiedArgs {
    /// What the arguments name, in order of names, each once.
    fn keys<C: Contents>(&self, head: &Commit<C>) -> Outcome<Vec<Path>> {
        let tree = head.tree();
        let root = [Path::root().clone()];
        let asked = if self.paths.is_empty() { &root[..] } else { &self.paths };
        let mut keys = Vec::new();
        for path in asked {
            match tree.get_tree(path)?.filter(|_| !self.whole) {
                Some(found) => leaves(&found, |below, _| {
                    keys.push(path.join(below));
                    Ok(())
                })?,
                None => keys.push(path.clone()),
            }
        }
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }
}
