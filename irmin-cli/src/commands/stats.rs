//! `irmin stats`: how much there is.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs;
use std::io;
use std::path::{Path as FilePath, PathBuf};

use clap::Args;
use irmin_core::tree::{FoldOptions, Visit};
use irmin_core::{Commit, Contents, Path, Repo, TreeKind};
use serde_json::{Map, Value, json};

use crate::args::path_parser;
use crate::commands::{Session, Work};
use crate::exit::{Exit, Failure, Outcome};
use crate::names;
use crate::progress::Progress;
use crate::settings::StoreKind;
use crate::store::location;
use crate::worktree::common_dir;

/// Count what is in the store, and how large it is.
///
/// Of one revision: keys, directories, bytes, and the largest of them. Values of git stores are not
/// read for it where their sizes are known. Where git's core.fsync keeps parts of the repository
/// from being synced, these are named: such a store does not survive the loss of power. --history
/// counts every object that a branch or a tag leads to, each once, which reads all of the store.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin stats --root notes.git
  irmin stats --root notes.git greetings --rev main~1
  irmin stats --root notes.git --history --json")]
pub(crate) struct StatsArgs {
    /// Count only what is at this path
    #[arg(value_parser = path_parser())]
    path: Option<Path>,
    /// Count in this revision; the head of the branch if absent
    #[arg(long, value_name = "REV")]
    rev: Option<String>,
    /// Count all objects of all branches and tags too
    #[arg(long)]
    history: bool,
    /// How many of the largest values and directories to show
    #[arg(long, value_name = "NUM", default_value_t = 5)]
    top: usize,
}

/// What one walk over a tree counts.
#[derive(Default)]
struct Counted {
    keys: u64,
    other: u64,
    directories: u64,
    depth: u64,
    bytes: u64,
    values: Top,
    widest: Top,
}

/// The largest of some things.
#[derive(Default)]
struct Top {
    most: usize,
    heap: BinaryHeap<(Reverse<u64>, Path)>,
}

impl Top {
    fn meet(&mut self, size: u64, path: &Path) {
        let smallest = self.heap.peek().map_or(0, |(Reverse(size), _)| *size);
        if self.heap.len() < self.most || (size > smallest && self.most > 0) {
            self.heap.push((Reverse(size), path.clone()));
            if self.heap.len() > self.most {
                self.heap.pop();
            }
        }
    }

    /// The largest first, and those of one size in order of names.
    fn sorted(self) -> Vec<(u64, Path)> {
        self.heap.into_sorted_vec().into_iter().map(|(Reverse(size), path)| (size, path)).collect()
    }
}

impl Work for StatsArgs {
    fn run<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        let commit = match &self.rev {
            Some(revision) => names::resolve(repo, revision)?,
            None => session.head(repo)?,
        };
        let counted = self.count(session, &commit)?;
        let mut row = Map::new();
        row.insert("commit".into(), commit.id().to_string().into());
        row.insert("branches".into(), repo.branches()?.len().into());
        row.insert("tags".into(), repo.tags()?.len().into());
        row.insert("stored_bytes".into(), stored(session)?.into());
        row.insert("not_synced".into(), session.not_synced.clone().into());
        counted.put(&mut row);
        if self.history {
            let mut bar = Progress::new(&session.out, "counting", "objects");
            let report = repo.check(&mut |progress| bar.reach(progress.objects))?;
            bar.finish();
            if !report.is_sound() {
                let error = irmin_core::Error::new(
                    irmin_core::Code::CorruptStore,
                    "the store is damaged, and cannot be counted",
                );
                return Err(Failure::from(error).into());
            }
            row.insert(
                "history".into(),
                json!({
                    "commits": report.commits,
                    "directories": report.directories,
                    "values": report.values,
                    "tags": report.tags,
                    "bytes": report.bytes,
                }),
            );
        }
        if session.out.json {
            session.out.json(&Value::Object(row))?;
        } else {
            print(session, "", &row)?;
        }
        Ok(Exit::Ok)
    }
}

impl StatsArgs {
    fn count<C: Contents>(&self, session: &Session<'_>, commit: &Commit<C>) -> Outcome<Counted> {
        let path = self.path.clone().unwrap_or_default();
        let Some(tree) = commit.tree().get_tree(&path)? else {
            let message = format!("there is nothing at `{path}` in {}", commit.id());
            return Err(Failure::absent(message).into());
        };
        let top = || Top { most: self.top, ..Top::default() };
        let mut counted = Counted { values: top(), widest: top(), ..Counted::default() };
        let mut bar = Progress::new(&session.out, "counting", "keys");
        let depth = |below: &Path| u64::try_from(below.depth()).unwrap_or(u64::MAX);
        tree.fold(FoldOptions::default(), |visit| {
            match visit {
                Visit::Enter(below, dir) => {
                    counted.directories += 1;
                    counted.widest.meet(dir.length(Path::root())?, &path.join(below));
                }
                Visit::Leaf(below, leaf) => {
                    bar.step();
                    counted.depth = counted.depth.max(depth(below));
                    if let (TreeKind::Value(_), Some(value)) =
                        (leaf.root_kind(), leaf.open(Path::root())?)
                    {
                        counted.keys += 1;
                        counted.bytes = counted.bytes.saturating_add(value.len());
                        counted.values.meet(value.len(), &path.join(below));
                    } else {
                        counted.other += 1;
                    }
                }
                _ => {}
            }
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        bar.finish();
        Ok(counted)
    }
}

impl Counted {
    fn put(self, row: &mut Map<String, Value>) {
        let top = |top: Top, what: &str| -> Value {
            let of = |(size, path): (u64, Path)| json!({"path": path.to_string(), what: size});
            top.sorted().into_iter().map(of).collect::<Vec<_>>().into()
        };
        row.insert("keys".into(), self.keys.into());
        row.insert("other".into(), self.other.into());
        row.insert("directories".into(), self.directories.into());
        row.insert("depth".into(), self.depth.into());
        row.insert("bytes".into(), self.bytes.into());
        row.insert("largest".into(), top(self.values, "bytes"));
        row.insert("widest".into(), top(self.widest, "entries"));
    }
}

/// Prints numbers and names as `name: number`, and lists of what has a size below their name.
fn print(session: &mut Session<'_>, indent: &str, row: &Map<String, Value>) -> Outcome<()> {
    for (name, value) in row {
        let name = name.replace('_', " ");
        match value {
            Value::Null => {}
            // Nothing is said of a store that survives the loss of power, as stores do.
            Value::Array(items) if name == "not synced" => {
                let items: Vec<_> = items.iter().filter_map(Value::as_str).collect();
                if !items.is_empty() {
                    session.out.line(format!("{indent}{name}: {}", items.join(", ")))?;
                }
            }
            Value::Object(inner) => {
                session.out.line(format!("{indent}{name}:"))?;
                print(session, "  ", inner)?;
            }
            Value::Array(items) => {
                session.out.line(format!("{indent}{name}:"))?;
                for item in items.iter().filter_map(Value::as_object) {
                    let size = item.values().find_map(Value::as_u64).unwrap_or_default();
                    let path = item.get("path").and_then(Value::as_str).unwrap_or_default();
                    session.out.line(format!("  {size:>12} /{path}"))?;
                }
            }
            Value::String(text) => session.out.line(format!("{indent}{name}: {text}"))?,
            other => session.out.line(format!("{indent}{name}: {other}"))?,
        }
    }
    Ok(())
}

/// The bytes of all files of the store; none for a store in memory.
fn stored(session: &Session<'_>) -> Outcome<Option<u64>> {
    let root = match session.settings.store {
        StoreKind::Mem | StoreKind::GitMem => return Ok(None),
        StoreKind::Fs => location(&session.settings)?,
        // The files of a working copy are not the store.
        StoreKind::Git => common_dir(&location(&session.settings)?)?,
    };
    let mut todo: Vec<PathBuf> = vec![root];
    let mut bytes = 0_u64;
    while let Some(dir) = todo.pop() {
        let failed = |e: io::Error| Failure::file(&dir, &e);
        let entries = match fs::read_dir(&dir) {
            // Others write to the store meanwhile.
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            bytes = bytes.saturating_add(size(&path, &mut todo)?);
        }
    }
    Ok(Some(bytes))
}

/// The size of a file; a directory is put in line.
fn size(path: &FilePath, todo: &mut Vec<PathBuf>) -> Outcome<u64> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => {
            todo.push(path.to_owned());
            Ok(0)
        }
        Ok(found) => Ok(found.len()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(e) => Err(Failure::file(path, &e).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_are_kept() {
        let mut top = Top { most: 2, ..Top::default() };
        for (size, name) in [(1, "a"), (5, "b"), (3, "c"), (5, "d"), (2, "e")] {
            top.meet(size, &Path::parse(name).unwrap());
        }
        let kept: Vec<_> = top.sorted().into_iter().map(|(n, p)| (n, p.to_string())).collect();
        assert_eq!(kept, [(5, "b".into()), (5, "d".into())]);
        let mut none = Top::default();
        none.meet(1, &Path::parse("a").unwrap());
        assert!(none.sorted().is_empty());
    }
}
