//! `irmin log`: the history of the branch.

use clap::Args;
use irmin_core::history::LastModified;
use irmin_core::{Commit, Contents, LogOptions, Path, Repo};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::args::path_parser;
use crate::commands::{Session, Work};
use crate::exit::{Exit, Outcome};
use crate::output::{Output, style};
use crate::time;

/// List commits.
///
/// The newest come first, and none before a commit that follows it. With a path only the commits
/// that changed what is there are listed.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin log --root notes.git
  irmin log --root notes.git --oneline -n 10
  irmin log --root notes.git greetings/en")]
pub(crate) struct LogArgs {
    /// List only the commits that changed this key or directory
    #[arg(value_parser = path_parser())]
    path: Option<Path>,
    /// Number of entries to show; 0 shows all
    #[arg(short = 'n', long = "max-count", value_name = "NUM")]
    max_count: Option<usize>,
    /// Number of entries to skip
    #[arg(long, value_name = "NUM", default_value_t = 0, hide_default_value = true)]
    skip: usize,
    /// Print in reverse order: parents before their children
    #[arg(long)]
    reverse: bool,
    /// One line for a commit: its short hash and the first line of its message
    #[arg(long)]
    oneline: bool,
    /// Show plain text without pager
    #[arg(long)]
    plain: bool,
    /// Specify pager program to use
    #[arg(long, value_name = "PROGRAM")]
    pager: Option<String>,
}

impl Work for LogArgs {
    fn run<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        let head = session.head(repo)?;
        if !self.plain {
            session.out.page(self.pager.as_deref(), session.env);
        }
        let zone = time::local();
        for commit in self.commits(repo, head)? {
            if session.out.json {
                session.out.json(&commit_json(&commit))?;
            } else if self.oneline {
                oneline(&mut session.out, &commit)?;
            } else {
                entry(&mut session.out, &commit, &zone)?;
            }
        }
        Ok(Exit::Ok)
    }
}

impl LogArgs {
    /// What is listed, in its order.
    fn commits<C: Contents>(&self, repo: &Repo<C>, head: Commit<C>) -> Outcome<Vec<Commit<C>>> {
        let max = self.max_count.filter(|n| *n > 0);
        let mut log = match &self.path {
            // What is skipped and counted is what is listed first, whichever end that is.
            None if !self.reverse => {
                let options = LogOptions { skip: self.skip, max, ..LogOptions::default() };
                return Ok(repo.log(&[head], &options)?);
            }
            None => {
                let options = LogOptions { reverse: self.reverse, ..LogOptions::default() };
                repo.log(&[head], &options)?
            }
            Some(path) => {
                let mut log = repo.last_modified(&[head], path, LastModified::default())?;
                if !self.reverse {
                    log.reverse();
                }
                log
            }
        };
        log.drain(..self.skip.min(log.len()));
        log.truncate(max.unwrap_or(usize::MAX));
        Ok(log)
    }
}

/// Prints a commit as the original does.
pub(crate) fn entry<C: Contents>(
    out: &mut Output,
    commit: &Commit<C>,
    zone: &TimeZone,
) -> Outcome<()> {
    let info = commit.info();
    out.styled(style::HASH, format!("commit {}", commit.id()))?;
    let author = out.foreign(&info.author.author);
    out.line([b"Author: ", author.as_slice()].concat())?;
    out.line(format!("Date: {}", time::format(info.author.date, zone)))?;
    out.line("")?;
    let message = out.foreign(trim(&info.message));
    out.line(message)?;
    out.line("")?;
    Ok(())
}

fn oneline<C: Contents>(out: &mut Output, commit: &Commit<C>) -> Outcome<()> {
    let hash = out.paint(style::HASH, commit.id().hash().short(SHORT).as_bytes());
    let message = out.foreign(subject(&commit.info().message));
    out.line([hash.as_slice(), b" ", &message].concat())?;
    Ok(())
}

/// How many digits of a hash are printed where people read it.
pub(crate) const SHORT: usize = 10;

/// A message without the line ends that git puts behind it.
fn trim(message: &[u8]) -> &[u8] {
    let end = message.iter().rposition(|b| *b != b'\n').map_or(0, |last| last + 1);
    message.get(..end).unwrap_or_default()
}

/// The first line of a message.
pub(crate) fn subject(message: &[u8]) -> &[u8] {
    message.split(|b| *b == b'\n').next().unwrap_or_default()
}

/// A commit as JSON.
pub(crate) fn commit_json<C: Contents>(commit: &Commit<C>) -> Value {
    let info = commit.info();
    let parents: Vec<String> = commit.parent_ids().iter().map(ToString::to_string).collect();
    json!({
        "commit": commit.id().to_string(),
        "tree": commit.tree_id().to_string(),
        "parents": parents,
        "author": String::from_utf8_lossy(&info.author.author),
        "date": info.author.date,
        "message": String::from_utf8_lossy(&info.message),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        assert_eq!(trim(b"a\nb\n\n"), b"a\nb");
        assert_eq!(trim(b"\n"), b"");
        assert_eq!(trim(b""), b"");
        assert_eq!(subject(b"a\nb"), b"a");
        assert_eq!(subject(b""), b"");
    }
}
