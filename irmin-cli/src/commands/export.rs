//! `irmin export`: the store into a directory of files, or into a stream.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::path::{Path as FilePath, PathBuf};

use clap::Args;
use irmin_core::io::StdWrite;
use irmin_core::tree::{FoldOptions, Visit};
use irmin_core::{Commit, CommitId, Contents, Kind, Metadata, Path, Repo, Tree, TreeKind};
use serde_json::json;

use crate::args::path_parser;
use crate::commands::{Session, Work};
use crate::exit::{Carried, Exit, Failure, Outcome};
use crate::formats::mended::{Mends, mended};
use crate::formats::roots::Tally;
use crate::formats::{Form, Sink, fast_export, history, is_dash, jsonl, slice, tar};
use crate::names;
use crate::output::{Output, count};
use crate::progress::Progress;

/// Export the store as a directory of files, or in another form.
///
/// directory: executable files and symbolic links are what they were. Files that exist are not
/// overwritten without --force, and nothing is written outside of TO, whatever links there are.
///
/// git-fast: all branches, tags and notes with their history, or that of --rev, for
/// `git fast-import` and `irmin import`. What such a stream has no place for, like signatures of
/// commits, is left out and told; persons that are not as git writes them are mended, and told. It
/// tells the hashes, which `irmin import --verify` compares.
///
/// jsonl: a line of JSON for each key, between one that names the hash of the tree and one that
/// counts the keys.
///
/// jsonl-history: what git-fast has, as lines of JSON: the refs, each commit with the keys that it
/// changed, and the tags. `irmin help json` shows them.
///
/// tar: an archive, the same bytes for the same commit on every machine; `git get-tar-commit-id`
/// tells the commit.
///
/// slice: the history of all branches, or a part of it, with every object as it is stored: for
/// stores of the same kind and hash function. With --have it is what a receiver lacks.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin export --root demo.git out
  irmin export --root demo.git out2 --prefix greetings --rev main~1
  irmin export --root demo.git all.fe --format git-fast
  irmin export --root demo.git keys.jsonl --format jsonl --prefix greetings
  irmin export --root demo.git all.jsonl --format jsonl-history
  irmin export --root demo.git keys.tar --format tar --rev main~1
  irmin export --root demo.git all.slice --format slice
  irmin export --root demo.git new.slice --format slice --max main --have main~1")]
pub(crate) struct ExportArgs {
    /// The directory to write to, made if it does not exist; for other forms a file, - for standard
    /// output
    to: PathBuf,
    /// The form to write
    #[arg(long, value_enum, default_value_t)]
    format: Form,
    /// Export only what is at this path
    #[arg(long, value_parser = path_parser(), value_name = "PATH")]
    prefix: Option<Path>,
    /// Export this revision; the head of the branch if absent
    #[arg(long, value_name = "REV")]
    rev: Option<String>,
    /// Overwrite files that exist
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    bounds: slice::Bounds,
}

impl Work for ExportArgs {
    fn run<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        if let Some(option) = self.bounds.given().filter(|_| self.format != Form::Slice) {
            return Err(Failure::usage(format!("{option} is for --format slice")).into());
        }
        match self.format {
            Form::Directory => self.directory(session, repo),
            Form::GitFast | Form::JsonlHistory => self.histories(session, repo),
            Form::Jsonl | Form::Tar => self.one_tree(session, repo),
            Form::Slice => self.slice(session, repo),
        }
    }
}

impl ExportArgs {
    /// Writes histories as a stream.
    fn histories<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        if self.prefix.is_some() {
            let message = "--prefix is for one tree: this form has whole commits";
            return Err(Failure::usage(message).into());
        }
        let mends = Mends::default();
        let repo = &mended(repo, &mends)?;
        let one = match &self.rev {
            None => None,
            Some(revision) => {
                // A branch keeps its name; anything else gets that of the branch to work on.
                let branch = match revision.parse::<irmin_core::BranchName>() {
                    Ok(name) if repo.branches()?.contains(&name) => Some(name),
                    _ => session.place(repo)?.name(),
                };
                let name = branch.unwrap_or_else(irmin_core::BranchName::main);
                Some((name.to_ref(), names::resolve(repo, revision)?))
            }
        };
        let mut sink = Sink::create(&self.to, self.force)?;
        let mut told = match self.format {
            Form::JsonlHistory => history::export(&session.out, repo, one, &mut sink)?,
            _ => fast_export::export(&session.out, repo, one, &mut sink, &mends)?,
        };
        let silent = sink.is_stdout();
        sink.finish()?;
        tell(&session.out, &mut told, &mends);
        if silent {
            return Ok(Exit::Ok);
        }
        if session.out.json {
            let changed: Vec<String> = told.changed.iter().map(ToString::to_string).collect();
            session.out.json(&json!({
                "commits": told.commits,
                "values": told.values,
                "tags": told.tags,
                "refs": told.refs,
                "skipped": told.skipped,
                "changed": changed,
            }))?;
            return Ok(Exit::Ok);
        }
        let (commits, values) = (count(told.commits, "commit"), count(told.values, "value"));
        session.out.done(&format!("exported {commits} and {values} to {}", self.to.display()));
        Ok(Exit::Ok)
    }

    /// Writes a part of the history.
    fn slice<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        if self.prefix.is_some() || self.rev.is_some() {
            let message =
                "slice writes whole commits, from --max on: there is no --prefix or --rev";
            return Err(Failure::usage(message).into());
        }
        let part = self.bounds.of(repo)?;
        let mut sink = Sink::create(&self.to, self.force)?;
        let told = slice::export(&session.out, part, &mut sink)?;
        let silent = sink.is_stdout();
        sink.finish()?;
        if session.out.json && !silent {
            let heads: Vec<String> = told.heads.iter().map(ToString::to_string).collect();
            session.out.json(&json!({
                "heads": heads,
                "commits": told.commits,
                "directories": told.directories,
                "values": told.values,
            }))?;
        } else if !silent {
            let (commits, values) = (count(told.commits, "commit"), count(told.values, "value"));
            session.out.done(&format!("exported {commits} and {values} to {}", self.to.display()));
        }
        Ok(Exit::Ok)
    }

    /// Writes one tree as a stream.
    fn one_tree<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        let (commit, tree) = self.tree(session, repo)?;
        let mut sink = Sink::create(&self.to, self.force)?;
        let mut progress = Progress::new(&session.out, "exporting", "keys");
        let (keys, skipped) = match self.format {
            Form::Tar => tar::export(&commit, &tree, &mut sink, &mut progress)?,
            _ => jsonl::export(&commit, &tree, &mut sink, &mut progress)?,
        };
        progress.finish();
        let silent = sink.is_stdout();
        sink.finish()?;
        for path in &skipped {
            session.out.note(&format!("skipped {path}: it is not a value"));
        }
        if session.out.json && !silent {
            let commit = commit.id().to_string();
            session.out.json(&json!({"commit": commit, "keys": keys, "skipped": skipped}))?;
        } else if !silent {
            let keys = count(keys, "key");
            session.out.done(&format!("exported {keys} to {}", self.to.display()));
        }
        Ok(Exit::Ok)
    }

    /// The commit that is exported, and its directory.
    fn tree<C: Contents>(
        &self,
        session: &Session<'_>,
        repo: &Repo<C>,
    ) -> Outcome<(Commit<C>, Tree<C>)> {
        let commit = match &self.rev {
            Some(revision) => names::resolve(repo, revision)?,
            None => session.head(repo)?,
        };
        let prefix = self.prefix.clone().unwrap_or_default();
        match commit.tree().get_tree(&prefix)? {
            Some(tree) if tree.metadata().is_none() => Ok((commit, tree)),
            Some(_) => {
                let message = format!("`{prefix}` is a value: `irmin get -o FILE` writes it");
                Err(Failure::usage(message).into())
            }
            None => {
                let message = format!("there is nothing at `{prefix}` in {}", commit.id());
                Err(Failure::absent(message).into())
            }
        }
    }

    /// Writes one tree as files.
    fn directory<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        if is_dash(&self.to) {
            let failure = Failure::usage("a directory cannot go to standard output");
            return Err(failure.hint("--format tar writes one stream; ./- is a directory").into());
        }
        let (commit, tree) = self.tree(session, repo)?;
        let prefix = self.prefix.clone().unwrap_or_default();
        let mut target = Target::new(&self.to, self.force)?;
        // All names are looked at before the first file is written.
        leaves(&tree, |path, _| target.check(path))?;
        let mut links = Vec::new();
        let mut files = 0_u64;
        let mut skipped: Vec<String> = Vec::new();
        let mut progress = Progress::new(&session.out, "exporting", "files");
        leaves(&tree, |path, leaf| {
            progress.step();
            match leaf.root_kind() {
                // Links come last, so that no file can be written through one of them.
                TreeKind::Value(Metadata::Link) => {
                    let value = leaf.value()?.map(|value| value.encode()).transpose()?;
                    links.extend(value.map(|value| (path.clone(), value)));
                }
                TreeKind::Value(metadata) => {
                    files += 1;
                    target.file(path, leaf, today(metadata) == Metadata::Exec)?;
                }
                _ => skipped.push(prefix.join(path).to_string()),
            }
            Ok(())
        })?;
        for (path, value) in &links {
            target.link(path, value)?;
        }
        progress.finish();
        if session.out.json {
            session.out.json(&json!({
                "commit": commit.id().to_string(),
                "files": files,
                "links": links.len(),
                "skipped": skipped,
            }))?;
            return Ok(Exit::Ok);
        }
        for path in &skipped {
            session.out.note(&format!("skipped {path}: it is not a value"));
        }
        let (files, links) = (count(files, "file"), count(links.len() as u64, "link"));
        session.out.done(&format!("exported {files} and {links} to {}", self.to.display()));
        Ok(Exit::Ok)
    }
}

/// How many mended persons are told one by one.
const MENDS: usize = 10;

/// Tells what of a history went out otherwise than it is, or not at all.
fn tell(out: &Output, told: &mut Tally, mends: &Mends) {
    for name in &told.skipped {
        out.note(&format!("skipped {name}: it is not a tag of a commit"));
    }
    if let Some(first) = told.changed.first() {
        let many = count(told.changed.len() as u64, "commit");
        out.warn(&format!(
            "{many} (first {first}) with headers or modes that a stream has no place for: they \
             will have other hashes"
        ));
    }
    let mends = mends.all();
    for (kind, id, what) in mends.iter().take(MENDS) {
        out.warn(&format!("{kind} {id}: {what}"));
    }
    if let Some(more) = mends.len().checked_sub(MENDS).filter(|more| *more > 0) {
        out.warn(&format!("and {more} more, which all will have other hashes"));
    }
    for (_, id, _) in mends.iter().filter(|(kind, ..)| *kind == Kind::Commit) {
        let id = CommitId::from(*id);
        if !told.changed.contains(&id) {
            told.changed.push(id);
        }
    }
}

/// Calls `f` for every leaf of a tree, in order.
pub(crate) fn leaves<C: Contents>(
    tree: &Tree<C>,
    mut f: impl FnMut(&Path, &Tree<C>) -> Outcome<()>,
) -> Outcome<()> {
    let mut end = Carried::default();
    tree.fold(FoldOptions::default(), |visit| match visit {
        Visit::Leaf(path, leaf) => Ok(end.flow(f(path, &leaf))),
        _ => Ok(ControlFlow::Continue(())),
    })?;
    end.outcome()
}

/// The mode that git gives a file today: old programs wrote other permissions, of which only one bit
/// counts.
pub(crate) fn today(metadata: Metadata) -> Metadata {
    match metadata {
        Metadata::Other(mode) if mode & 0o100 != 0 => Metadata::Exec,
        Metadata::Other(_) => Metadata::Normal,
        known => known,
    }
}

/// The directory that is written, and nothing outside of it.
struct Target {
    root: PathBuf,
    force: bool,
    /// Directories that are known to be real ones.
    dirs: HashSet<PathBuf>,
}

impl Target {
    fn new(root: &FilePath, force: bool) -> Result<Self, Failure> {
        fs::create_dir_all(root).map_err(|e| Failure::file(root, &e))?;
        Ok(Target { root: root.to_owned(), force, dirs: HashSet::new() })
    }

    /// Refuses a name that is dangerous in a file system, and one that is taken.
    fn check(&self, path: &Path) -> Outcome<()> {
        // Someone else may have written this store: `..` and `.git/hooks` must not get out.
        path.check_git_safe()?;
        let file = self.locate(path)?;
        match fs::symlink_metadata(&file) {
            Ok(found) if found.is_dir() => Err(in_the_way(&file, "it is a directory").into()),
            Ok(_) if !self.force => Err(in_the_way(&file, "it exists already")
                .hint("--force overwrites files; an empty directory is safer")
                .into()),
            Ok(_) => Ok(()),
            Err(e) if absent(&e) => Ok(()),
            Err(e) => Err(Failure::file(&file, &e).into()),
        }
    }

    /// Where a path goes.
    fn locate(&self, path: &Path) -> Result<PathBuf, Failure> {
        let mut file = self.root.clone();
        for step in path.steps() {
            file.push(name_of(step)?);
        }
        Ok(file)
    }

    /// Makes the directories above a path, none of them a link.
    fn enter(&mut self, path: &Path) -> Result<PathBuf, Failure> {
        let mut dir = self.root.clone();
        let steps: Vec<&[u8]> = path.steps().collect();
        let (last, above) = match steps.split_last() {
            Some((last, above)) => (*last, above),
            None => return Err(Failure::usage("the root is a value: it has no name")),
        };
        for step in above {
            dir.push(name_of(step)?);
            if self.dirs.contains(&dir) {
                continue;
            }
            match fs::symlink_metadata(&dir) {
                Ok(found) if found.is_dir() => {}
                Ok(_) => return Err(in_the_way(&dir, "it is not a directory")),
                Err(e) if absent(&e) => {
                    fs::create_dir(&dir).map_err(|e| Failure::file(&dir, &e))?;
                }
                Err(e) => return Err(Failure::file(&dir, &e)),
            }
            self.dirs.insert(dir.clone());
        }
        let file = dir.join(name_of(last)?);
        if self.force {
            match fs::remove_file(&file) {
                Err(e) if !absent(&e) => return Err(Failure::file(&file, &e)),
                _ => {}
            }
        }
        Ok(file)
    }

    /// Writes a value as it is read, whatever its size.
    fn file<C: Contents>(&mut self, path: &Path, value: &Tree<C>, exec: bool) -> Outcome<()> {
        let file = self.enter(path)?;
        let mut options = OpenOptions::new();
        // Making it new follows no link, not even one that was put there meanwhile.
        options.write(true).create_new(true);
        set_mode(&mut options, exec);
        let mut opened = options.open(&file).map_err(|e| Failure::file(&file, &e))?;
        if C::PLAIN {
            if let Some(mut value) = value.open(Path::root())? {
                let copied = value.copy_to(&mut StdWrite(&mut opened));
                copied.map_err(|e| e.context(file.display()))?;
            }
        } else if let Some(value) = value.value()? {
            let written = opened.write_all(&value.encode()?);
            written.map_err(|e| Failure::file(&file, &e))?;
        }
        Ok(())
    }

    fn link(&mut self, path: &Path, target: &[u8]) -> Result<(), Failure> {
        let file = self.enter(path)?;
        make_link(target, &file).map_err(|e| Failure::file(&file, &e))
    }
}

pub(crate) fn absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn in_the_way(file: &FilePath, why: &str) -> Failure {
    let error = irmin_core::Error::new(
        irmin_core::Code::Io,
        format!("{} is in the way: {why}", file.display()),
    );
    error.into()
}

#[cfg(unix)]
pub(crate) fn name_of(step: &[u8]) -> Result<PathBuf, Failure> {
    use std::os::unix::ffi::OsStrExt as _;
    Ok(PathBuf::from(std::ffi::OsStr::from_bytes(step)))
}

#[cfg(not(unix))]
pub(crate) fn name_of(step: &[u8]) -> Result<PathBuf, Failure> {
    let refused = || Failure::usage(format!("`{}` is no file name here", step.escape_ascii()));
    let name = std::str::from_utf8(step).map_err(|_| refused())?;
    if name.contains(['\\', ':', '<', '>', '"', '|', '?', '*']) {
        return Err(refused());
    }
    Ok(PathBuf::from(name))
}

#[cfg(unix)]
pub(crate) fn set_mode(options: &mut OpenOptions, exec: bool) {
    std::os::unix::fs::OpenOptionsExt::mode(options, if exec { 0o777 } else { 0o666 });
}

#[cfg(not(unix))]
pub(crate) fn set_mode(_: &mut OpenOptions, _: bool) {}

#[cfg(unix)]
pub(crate) fn make_link(target: &[u8], file: &FilePath) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt as _;
    std::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(target), file)
}

#[cfg(not(unix))]
pub(crate) fn make_link(target: &[u8], file: &FilePath) -> io::Result<()> {
    // Links need a privilege there; a file that holds the target is what git writes too.
    fs::write(file, target)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::exit::Stop;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    fn value(bytes: &'static [u8]) -> Tree {
        Tree::of_contents(bytes).unwrap()
    }

    fn refused<T>(outcome: Outcome<T>) -> String {
        match outcome {
            Err(Stop::Failed(failure)) => failure.message,
            _ => panic!("it should have failed"),
        }
    }

    #[test]
    fn files_and_modes() {
        let dir = tempfile::tempdir().unwrap();
        let mut target = Target::new(&dir.path().join("new/out"), false).unwrap();
        target.file(&path("a/b"), &value(b"1"), false).unwrap();
        target.file(&path("a/x"), &value(b"2"), true).unwrap();
        target.link(&path("a/l"), b"../../..").unwrap();
        let at = |name: &str| dir.path().join("new/out").join(name);
        assert_eq!(fs::read(at("a/b")).unwrap(), b"1");
        let mode = |name: &str| fs::metadata(at(name)).unwrap().permissions().mode() & 0o100;
        assert_eq!((mode("a/b"), mode("a/x")), (0, 0o100));
        assert_eq!(fs::read_link(at("a/l")).unwrap(), PathBuf::from("../../.."));
    }

    #[test]
    fn nothing_outside() {
        let dir = tempfile::tempdir().unwrap();
        let outside = dir.path().join("outside");
        fs::create_dir(&outside).unwrap();
        let root = dir.path().join("out");
        let mut target = Target::new(&root, true).unwrap();
        symlink(&outside, root.join("link")).unwrap();
        fs::write(outside.join("file"), b"mine").unwrap();
        symlink(outside.join("file"), root.join("file")).unwrap();
        let through = target.file(&path("link/x"), &value(b"1"), false);
        assert!(refused(through).contains("it is not a directory"));
        // A link where a file goes is replaced, not followed.
        target.file(&path("file"), &value(b"yours"), false).unwrap();
        assert_eq!(fs::read(outside.join("file")).unwrap(), b"mine");
        assert_eq!(fs::read(root.join("file")).unwrap(), b"yours");
        for name in ["..", ".git", "GIT~1"] {
            let hostile = Path::foreign([name, "x"]).unwrap();
            assert!(target.check(&hostile).is_err(), "{name}");
        }
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    }

    #[test]
    fn what_exists_stays() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), b"mine").unwrap();
        fs::create_dir(dir.path().join("d")).unwrap();
        let careful = Target::new(dir.path(), false).unwrap();
        assert!(refused(careful.check(&path("a"))).contains("it exists already"));
        assert!(careful.check(&path("b")).is_ok());
        assert!(careful.check(&path("a/b")).is_ok(), "found out when it is entered");
        let forced = Target::new(dir.path(), true).unwrap();
        assert!(forced.check(&path("a")).is_ok());
        assert!(refused(forced.check(&path("d"))).contains("it is a directory"));
    }
}
