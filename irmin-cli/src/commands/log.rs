//! `irmin log`: the history of the branch.

use std::collections::HashSet;

use clap::Args;
use irmin_core::graph::{self, Block, Drawing, Row};
use irmin_core::history::LastModified;
use irmin_core::{Commit, CommitId, Contents, LogOptions, Path, Repo};
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
/// that changed what is there are listed. --graph draws lines from commits to those they follow,
/// and keeps the commits of one line together.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin log --root notes.git
  irmin log --root notes.git --oneline --graph
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
    /// Draw the graph of the commits beside them
    #[arg(long, conflicts_with = "reverse")]
    graph: bool,
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
        if self.graph {
            return self.drawn(session, repo, head, &zone);
        }
        let commits = self.commits(repo, head)?;
        if commits.is_empty() {
            self.tell_none(session, repo);
        }
        for commit in commits {
            if session.out.json {
                session.out.json(&commit_json(&commit))?;
            } else if self.oneline {
                let line = oneline(&session.out, &commit);
                session.out.line(line)?;
            } else {
                entry(&mut session.out, &commit, &zone)?;
            }
        }
        Ok(Exit::Ok)
    }
}

impl LogArgs {
    /// Tells people that nothing is listed: in git a branch may stand where the path does here.
    fn tell_none<C: Contents>(&self, session: &Session<'_>, repo: &Repo<C>) {
        let Some(path) = self.path.as_ref().filter(|_| self.skip == 0) else { return };
        let name = path.to_string();
        let hint = match repo.resolve(&name) {
            Ok(_) => {
                format!("\n  hint: `irmin log --commit {name}` lists the commits up to `{name}`")
            }
            Err(_) => String::new(),
        };
        session.out.note(&format!("no commit changed `{name}`{hint}"));
    }

    /// Prints the commits with their graph.
    fn drawn<C: Contents>(
        &self,
        session: &mut Session<'_>,
        repo: &Repo<C>,
        head: Commit<C>,
        zone: &TimeZone,
    ) -> Outcome {
        let mut drawing = Drawing::new();
        let listed = self.graph(repo, head)?;
        if listed.is_empty() {
            self.tell_none(session, repo);
        }
        let max = self.max_count.filter(|n| *n > 0).unwrap_or(usize::MAX);
        for (commit, parents) in listed.into_iter().skip(self.skip).take(max) {
            let block = drawing.commit(&commit.id(), &parents);
            let out = &mut session.out;
            if out.json {
                out.json(&drawn_json(&commit, &block))?;
                continue;
            }
            let text = if self.oneline {
                vec![oneline(out, &commit)]
            } else {
                entry_lines(out, &commit, zone)
            };
            beside(out, &block, &text)?;
        }
        Ok(Exit::Ok)
    }

    /// The commits that are drawn, in an order for drawing, each with its parents among them.
    fn graph<C: Contents>(
        &self,
        repo: &Repo<C>,
        head: Commit<C>,
    ) -> Outcome<Vec<(Commit<C>, Vec<CommitId>)>> {
        let all = repo.log(std::slice::from_ref(&head), &LogOptions::default())?;
        let drawn = match &self.path {
            None => all.iter().map(|commit| (commit.id(), commit.parent_ids())).collect(),
            Some(path) => {
                let changed = repo.last_modified(&[head], path, LastModified::default())?;
                let changed: HashSet<CommitId> = changed.iter().map(Commit::id).collect();
                let mark = |commit: &Commit<C>| {
                    (commit.id(), commit.parent_ids(), changed.contains(&commit.id()))
                };
                graph::condense(&all.iter().map(mark).collect::<Vec<_>>())
            }
        };
        let order = graph::keep_lines(&drawn);
        let mut commits: std::collections::HashMap<CommitId, Commit<C>> =
            all.into_iter().map(|commit| (commit.id(), commit)).collect();
        let take = |place: usize| {
            let (id, parents) = drawn.get(place)?;
            Some((commits.remove(id)?, parents.clone()))
        };
        Ok(order.into_iter().filter_map(take).collect())
    }

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
    for line in entry_lines(out, commit, zone) {
        out.line(line)?;
    }
    Ok(())
}

/// The lines of an entry; one of a message may hold several.
fn entry_lines<C: Contents>(out: &Output, commit: &Commit<C>, zone: &TimeZone) -> Vec<Vec<u8>> {
    let info = commit.info();
    let author = out.foreign(&info.author.author);
    vec![
        out.paint(style::HASH, format!("commit {}", commit.id()).as_bytes()),
        [b"Author: ", author.as_slice()].concat(),
        format!("Date: {}", time::format(info.author.date, zone)).into_bytes(),
        Vec::new(),
        out.foreign(trim(&info.message)),
        Vec::new(),
    ]
}

fn oneline<C: Contents>(out: &Output, commit: &Commit<C>) -> Vec<u8> {
    let hash = out.paint(style::HASH, commit.id().hash().short(SHORT).as_bytes());
    let message = out.foreign(subject(&commit.info().message));
    [hash.as_slice(), b" ", &message].concat()
}

/// Prints the rows of a graph with text beside them, from the row of the commit on.
fn beside(out: &mut Output, block: &Block<CommitId>, text: &[Vec<u8>]) -> Outcome<()> {
    let mut lines = text.iter().flat_map(|text| text.split(|b| *b == b'\n'));
    let (above, rows) = block.rows.split_at(block.commit_row.min(block.rows.len()));
    for row in above {
        let row = painted(out, row);
        out.line(row)?;
    }
    let mut rows = rows.iter();
    loop {
        let (row, line) = (rows.next(), lines.next());
        if row.is_none() && line.is_none() {
            return Ok(());
        }
        let row = row.unwrap_or(&block.rest);
        let mut all = painted(out, row);
        if let Some(line) = line.filter(|line| !line.is_empty()) {
            let blanks = block.width.saturating_sub(row.cells.len()).max(1);
            all.extend(std::iter::repeat_n(b' ', blanks));
            all.extend_from_slice(line);
        }
        out.line(all)?;
    }
}

/// A row in the colours of its lanes, where colours are on.
fn painted(out: &Output, row: &Row) -> Vec<u8> {
    let mut text = Vec::new();
    for cell in &row.cells {
        let mut glyph = [0; 4];
        let glyph = cell.glyph.encode_utf8(&mut glyph).as_bytes();
        match cell.color {
            Some(color) => text.extend(out.paint(style::lane(color), glyph)),
            None => text.extend_from_slice(glyph),
        }
    }
    text
}

/// A commit and its place in a graph as JSON.
fn drawn_json<C: Contents>(commit: &Commit<C>, block: &Block<CommitId>) -> Value {
    let mut object = commit_json(commit);
    let edges =
        block.placed.edges.iter().map(
            |edge| json!({"from": edge.from, "to": edge.to, "commit": edge.target.to_string()}),
        );
    let edges: Vec<Value> = edges.collect();
    if let Value::Object(object) = &mut object {
        object.insert("lane".into(), block.placed.lane.into());
        object.insert("edges".into(), edges.into());
    }
    object
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
