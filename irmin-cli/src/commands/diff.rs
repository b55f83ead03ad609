//! `irmin diff` and `irmin show`: what changed.

use clap::Args;
use irmin_core::{Bytes, Change, Commit, Contents, Metadata, Path, Repo, Tree, TreeKind};
use serde_json::{Map, Value};

use crate::args::path_parser;
use crate::commands::list::{entry_json, entry_line};
use crate::commands::log::{commit_json, entry};
use crate::commands::{Session, Work, parent_tree};
use crate::exit::{Carried, Exit, Failure, Outcome, Stop};
use crate::names;
use crate::output::{Output, put_value, style, value_json};
use crate::patch::{Counts, Patch, Side, patch, stat_line, stat_summary};
use crate::time;

/// Show what changed between two commits.
///
/// With two revisions: from the first to the second. With one: from it to the head of the branch.
/// With none: what the last commit of the branch changed. The text is one that `git apply` and
/// `patch -p1` read.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin diff --root notes.git main draft
  irmin diff --root notes.git main~3 --stat
  irmin diff --root notes.git main draft greetings --name-only")]
pub(crate) struct DiffArgs {
    /// The revision to begin at
    from: Option<String>,
    /// The revision to end at; the head of the branch if absent
    to: Option<String>,
    /// Only what is at this key or below
    #[arg(value_parser = path_parser())]
    path: Option<Path>,
    #[command(flatten)]
    form: Form,
}

/// How changes are printed.
#[derive(Args, Debug)]
struct Form {
    /// How many lines changed, key by key
    #[arg(long, conflicts_with = "name_only")]
    stat: bool,
    /// Only the keys
    #[arg(long)]
    name_only: bool,
    /// Show plain text without pager
    #[arg(long)]
    plain: bool,
}

impl Work for DiffArgs {
    fn run<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        let (from, to) = match (&self.from, &self.to) {
            (Some(from), Some(to)) => {
                (names::resolve(repo, from)?.tree(), names::resolve(repo, to)?.tree())
            }
            (Some(from), None) => (names::resolve(repo, from)?.tree(), session.head(repo)?.tree()),
            (None, _) => {
                let head = session.head(repo)?;
                (parent_tree(&head)?, head.tree())
            }
        };
        if !self.form.plain {
            session.out.page(None, session.env);
        }
        let path = self.path.clone().unwrap_or_default();
        print_changes(&mut session.out, &from, &to, &path, &self.form)?;
        Ok(Exit::Ok)
    }
}

/// A value, or the mode of what is kept and not followed.
struct Leaf {
    bytes: Bytes,
    mode: Metadata,
}

impl Leaf {
    fn new<C: Contents>(tree: Option<&Tree<C>>) -> Result<Option<Self>, irmin_core::Error> {
        let Some(tree) = tree else { return Ok(None) };
        Ok(Some(match tree.root_kind() {
            TreeKind::Opaque(mode) => Leaf { bytes: Bytes::new(), mode: Metadata::Other(mode) },
            _ => Leaf {
                bytes: tree.value()?.map(|value| value.encode()).transpose()?.unwrap_or_default(),
                mode: tree.metadata().unwrap_or_default(),
            },
        }))
    }

    fn side(&self) -> Side<'_> {
        Side { bytes: &self.bytes, mode: self.mode }
    }
}

/// Calls `f` for every change at a path or below, with whole paths.
fn changes<C: Contents>(
    from: &Tree<C>,
    to: &Tree<C>,
    prefix: &Path,
    mut f: impl FnMut(&Path, Option<Leaf>, Option<Leaf>) -> Outcome<()>,
) -> Outcome<()> {
    let below = |tree: &Tree<C>| Ok::<_, Stop>(tree.get_tree(prefix)?.unwrap_or_default());
    let mut end = Carried::default();
    below(from)?.diff_with(&below(to)?, |Change { path, old, new }| {
        let (old, new) = (Leaf::new(old.as_ref())?, Leaf::new(new.as_ref())?);
        Ok(end.flow(f(&prefix.join(&path), old, new)))
    })?;
    end.outcome()
}

fn print_changes<C: Contents>(
    out: &mut Output,
    from: &Tree<C>,
    to: &Tree<C>,
    path: &Path,
    form: &Form,
) -> Outcome<()> {
    let mut stats: Vec<(String, Option<Counts>)> = Vec::new();
    changes(from, to, path, |path, old, new| {
        if out.json {
            out.json(&change_json(path, old.as_ref(), new.as_ref(), form.name_only))?;
        } else if form.name_only {
            out.line(path.to_string())?;
        } else {
            let patch = patch(path, old.as_ref().map(Leaf::side), new.as_ref().map(Leaf::side));
            if form.stat {
                stats.push((path.to_string(), patch.counts));
            } else {
                print_patch(out, &patch)?;
            }
        }
        Ok(())
    })?;
    if form.stat && !stats.is_empty() {
        print_stats(out, &stats)?;
    }
    Ok(())
}

fn print_patch(out: &mut Output, patch: &Patch) -> Outcome<()> {
    for line in patch.text.split_inclusive(|b| *b == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let text = out.foreign(line);
        match line.first() {
            Some(b'@') => out.styled(style::HUNK, text)?,
            Some(b'+') if !line.starts_with(b"+++ ") => out.styled(style::ADDED, text)?,
            Some(b'-') if !line.starts_with(b"--- ") => out.styled(style::REMOVED, text)?,
            Some(b' ' | b'\\') => out.line(text)?,
            _ => out.styled(style::STRONG, text)?,
        }
    }
    Ok(())
}

fn print_stats(out: &mut Output, stats: &[(String, Option<Counts>)]) -> Outcome<()> {
    let pad = stats.iter().map(|(path, _)| path.chars().count()).max().unwrap_or(0);
    let mut total = Counts::default();
    for (path, counts) in stats {
        let counts_or_none = counts.unwrap_or_default();
        total.added += counts_or_none.added;
        total.removed += counts_or_none.removed;
        out.line(stat_line(path, pad, *counts, 40))?;
    }
    out.line(stat_summary(stats.len(), total))?;
    Ok(())
}

fn change_json(path: &Path, old: Option<&Leaf>, new: Option<&Leaf>, name_only: bool) -> Value {
    let kind = match (old, new) {
        (None, _) => "added",
        (_, None) => "removed",
        _ => "updated",
    };
    let mut object = Map::new();
    object.insert("path".into(), path.to_string().into());
    object.insert("change".into(), kind.into());
    if !name_only {
        let value = |leaf: Option<&Leaf>| leaf.map(|leaf| value_json(&leaf.bytes, leaf.mode));
        object.insert("old".into(), value(old).into());
        object.insert("new".into(), value(new).into());
    }
    Value::Object(object)
}

/// A change as JSON, with its values.
pub(crate) fn tree_change_json<C: Contents>(
    path: &Path,
    change: &Change<C>,
) -> Result<Value, irmin_core::Error> {
    let (old, new) = (Leaf::new(change.old.as_ref())?, Leaf::new(change.new.as_ref())?);
    Ok(change_json(path, old.as_ref(), new.as_ref(), false))
}

/// Show a commit, or what is at a path in it.
///
/// `REV` is a revision: a branch, a tag, a hash or its first digits, with `^`, `^n` and `~n`.
/// `REV:PATH` prints the value at the path, byte for byte, or lists the directory.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin show --root notes.git
  irmin show --root notes.git main~1
  irmin show --root notes.git main~1:greetings/en")]
pub(crate) struct ShowArgs {
    /// The commit, or a path in it; the head of the branch if absent
    #[arg(value_name = "REV[:PATH]")]
    what: Option<std::ffi::OsString>,
    #[command(flatten)]
    form: Form,
}

impl Work for ShowArgs {
    fn run<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        let (revision, path) = split(self.what.clone().unwrap_or_default())?;
        let commit = match revision.as_str() {
            "" => session.head(repo)?,
            revision => names::resolve(repo, revision)?,
        };
        match path {
            Some(path) => show_path(&mut session.out, &commit, &path),
            None => {
                if !self.form.plain {
                    session.out.page(None, session.env);
                }
                self.show_commit(&mut session.out, &commit)
            }
        }
    }
}

impl ShowArgs {
    fn show_commit<C: Contents>(&self, out: &mut Output, commit: &Commit<C>) -> Outcome {
        let from = parent_tree(commit)?;
        if !out.json {
            entry(out, commit, &time::local())?;
            print_changes(out, &from, &commit.tree(), &Path::root(), &self.form)?;
            return Ok(Exit::Ok);
        }
        let mut rows = Vec::new();
        changes(&from, &commit.tree(), &Path::root(), |path, old, new| {
            rows.push(change_json(path, old.as_ref(), new.as_ref(), self.form.name_only));
            Ok(())
        })?;
        let mut object = commit_json(commit);
        if let Value::Object(fields) = &mut object {
            fields.insert("changes".into(), rows.into());
        }
        out.json(&object)?;
        Ok(Exit::Ok)
    }
}

/// `REV:PATH` taken apart: no revision holds a colon.
fn split(what: std::ffi::OsString) -> Result<(String, Option<Path>), Failure> {
    let bytes = crate::args::bytes_of(what);
    let text = |bytes: &[u8]| {
        String::from_utf8(bytes.to_vec())
            .map_err(|_| Failure::usage("a revision is text; this is not UTF-8"))
    };
    match bytes.iter().position(|b| *b == b':') {
        None => Ok((text(&bytes)?, None)),
        Some(colon) => {
            let (revision, path) = bytes.split_at(colon);
            let path = crate::args::path_of_bytes(path.get(1..).unwrap_or_default())?;
            Ok((text(revision)?, Some(path)))
        }
    }
}

fn show_path<C: Contents>(out: &mut Output, commit: &Commit<C>, path: &Path) -> Outcome {
    let Some(tree) = commit.tree().get_tree(path)? else {
        let message = format!("there is nothing at `{path}` in commit {}", commit.id());
        return Err(Failure::absent(message).into());
    };
    if let Some(value) = tree.value()? {
        let bytes = value.encode()?;
        if out.json {
            let mut object = Map::new();
            object.insert("path".into(), path.to_string().into());
            put_value(&mut object, &bytes);
            let mode = crate::output::mode_name(tree.metadata().unwrap_or_default());
            object.insert("mode".into(), mode.into());
            out.json(&Value::Object(object))?;
        } else {
            out.bytes(&bytes)?;
            if out.terminal && !bytes.ends_with(b"\n") {
                out.bytes(b"\n")?;
            }
        }
        return Ok(Exit::Ok);
    }
    let entries = tree.list(Path::root())?;
    if out.json {
        let rows: Vec<Value> =
            entries.iter().map(|(step, kind)| entry_json(&step.to_string(), *kind)).collect();
        out.json(&rows.into())?;
    } else {
        for (step, kind) in entries {
            out.line(entry_line(&step.to_string(), kind))?;
        }
    }
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_and_paths() {
        let split = |text: &str| {
            let (revision, path) = split(text.into()).unwrap();
            (revision, path.map(|path| path.to_string()))
        };
        assert_eq!(split("main"), ("main".into(), None));
        assert_eq!(split("main~1:a/b:c"), ("main~1".into(), Some("a/b:c".into())));
        assert_eq!(split(":a"), (String::new(), Some("a".into())));
        assert_eq!(split("main:"), ("main".into(), Some(String::new())));
        assert_eq!(split(""), (String::new(), None));
    }

    #[test]
    fn changes_in_json() {
        let leaf = Leaf { bytes: Bytes::from_static(b"1"), mode: Metadata::Normal };
        let path = Path::parse("a").unwrap();
        assert_eq!(
            change_json(&path, None, Some(&leaf), false).to_string(),
            r#"{"path":"a","change":"added","old":null,"new":{"value":"1","mode":"normal"}}"#
        );
        assert_eq!(
            change_json(&path, Some(&leaf), None, true).to_string(),
            r#"{"path":"a","change":"removed"}"#
        );
    }
}
