//! `irmin import`: a directory of files, or a stream, into the store.

use std::io;
use std::path::{Path as FilePath, PathBuf};

use clap::Args;
use irmin_core::backend::Note;
use irmin_core::io::StdRead;
use irmin_core::{
    Branch, Bytes, Code, Commit, CommitOptions, Contents, ContentsId, Error, KindedHash, Metadata,
    Path, Repo, Staged, Tree, TreeId,
};
use irmin_git::fast::Reader;
use serde_json::{Value, json};

use crate::args::{Message, path_parser};
use crate::commands::log::SHORT;
use crate::commands::{Session, Work};
use crate::exit::{Exit, Failure, Outcome};
use crate::formats::{self, Form, Tally as Told, fast_import, history, jsonl, slice, untar};
use crate::output::{Output, count};
use crate::progress::Progress;
use crate::scan::{Found, Scan, Skip};
use crate::settings::StoreKind;
use crate::store::{Access, location};
use crate::value::{Given, ValueArg};

/// Import a directory of files, as one commit, or histories.
///
/// directory: what is in FROM replaces what is at PREFIX (the root if absent); --merge adds to it.
/// Executable files and symbolic links stay what they are. `.git`, the store itself, sockets and
/// devices are skipped, and so are directories that a CACHEDIR.TAG marks as caches, such as cargo's
/// `target`.
///
/// git-fast: a stream of `git fast-export` or `irmin export`: commits with all that they say, on
/// the branches and tags that it names, all at once or not at all.
///
/// jsonl: lines as `irmin export` and `irmin tree --json` write them, as one commit.
///
/// jsonl-history: histories as `irmin export` writes them, otherwise as git-fast.
///
/// tar: an archive, as one commit; compressed ones come through a pipe. Modes and links stay what
/// they are, hard links become copies; names that lead out of the archive stop it.
///
/// slice: what `irmin export --format slice` wrote, all of it or nothing; every hash is checked. No
/// branch moves: the heads are printed, and `irmin merge`, `irmin branch create` and `irmin tag`
/// take them.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin import --root demo.git .
  irmin import --root demo.git photos archive/2026 --merge
  irmin import --root copy.git history.fe --format git-fast
  irmin tree --root notes.git --json | irmin import --root copy.git - --format jsonl
  tar -c photos | irmin import --root copy.git - --format tar
  irmin export --root notes.git - --format slice | irmin import --root copy.git - --format slice")]
pub(crate) struct ImportArgs {
    /// The directory to import; for other forms a file, - for standard input
    from: PathBuf,
    /// Where in the store to put it; the root if absent
    #[arg(value_parser = path_parser())]
    prefix: Option<Path>,
    /// The form to read
    #[arg(long, value_enum, default_value_t)]
    format: Form,
    /// Keep what is at the prefix already
    #[arg(long)]
    merge: bool,
    /// Put branches and tags where a stream says, also where that loses commits
    #[arg(long)]
    force: bool,
    /// Write nothing unless all hashes are those that a stream tells
    #[arg(long)]
    verify: bool,
    /// Import directories that are marked as caches too
    #[arg(long)]
    caches: bool,
    #[command(flatten)]
    message: Message,
}

/// What was found on the way.
#[derive(Default)]
struct Tally {
    files: u64,
    links: u64,
    bytes: u64,
    skipped: Vec<(PathBuf, Skip)>,
}

impl Work for ImportArgs {
    const ACCESS: Access = Access::Create;

    fn run<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        match self.format {
            Form::Directory => self.directory(session, repo),
            Form::GitFast | Form::JsonlHistory => self.histories(session, repo),
            Form::Jsonl | Form::Tar => self.one_tree(session, repo),
            Form::Slice => self.slice(session, repo),
        }
    }
}

impl ImportArgs {
    /// Reads a stream of histories.
    fn histories<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        if self.prefix.is_some() || self.merge || self.message.message.is_some() {
            let message = "histories bring commits of their own: there is no PREFIX, --merge or -m";
            return Err(Failure::usage(message).into());
        }
        let mut input = formats::open(&self.from)?;
        let options = fast_import::Options { force: self.force, verify: self.verify };
        let note = Note {
            author: repo.context().author().to_owned(),
            date: repo.context().now(),
            message: format!("import {}", self.from.display()),
        };
        let limit = repo.limits().value;
        let told = match self.format {
            Form::JsonlHistory => {
                let mut lines = history::Lines::new(&mut *input, limit);
                fast_import::import(&session.out, repo, &mut lines, options, note)?
            }
            _ => {
                let mut reader = Reader::new(&mut *input, limit);
                fast_import::import(&session.out, repo, &mut reader, options, note)?
            }
        };
        if session.out.json {
            let refs: Vec<Value> = told
                .refs
                .iter()
                .map(|(name, now)| {
                    json!({"ref": name.to_string(), "id": now.map(|id| id.to_string())})
                })
                .collect();
            session.out.json(&json!({
                "commits": told.commits,
                "values": told.values,
                "tags": told.tags,
                "refs": refs,
                "verified": self.verify.then_some(told.same),
            }))?;
            return Ok(Exit::Ok);
        }
        for (name, now) in &told.refs {
            session.out.detail(&match now {
                Some(id) => format!("{name} is at {id}"),
                None => format!("{name} is removed"),
            });
        }
        let (commits, values) = (count(told.commits, "commit"), count(told.values, "value"));
        let verified = if self.verify {
            format!("; {} are as in the stream", count(told.same, "id"))
        } else {
            String::new()
        };
        session.out.note(&format!("imported {commits} and {values}{verified}"));
        Ok(Exit::Ok)
    }

    /// Reads a part of a history.
    fn slice<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        let placed = self.prefix.is_some() || self.merge || self.force;
        if placed || self.message.message.is_some() {
            let message = "a slice moves no branch: there is no PREFIX, --merge, --force or -m";
            return Err(Failure::usage(message).into());
        }
        let mut input = formats::open(&self.from)?;
        let told = slice::import(&session.out, repo, &mut *input)?;
        if session.out.json {
            let heads: Vec<String> = told.heads.iter().map(ToString::to_string).collect();
            session.out.json(&json!({
                "heads": heads,
                "commits": told.commits,
                "directories": told.nodes,
                "values": told.contents,
                "present": told.present,
            }))?;
            return Ok(Exit::Ok);
        }
        for head in &told.heads {
            session.out.line(head.to_string())?;
        }
        let (commits, values) = (count(told.commits, "commit"), count(told.contents, "value"));
        session.out.note(&format!("imported {commits} and {values}; no branch moved"));
        if let [head, ..] = told.heads.as_slice() {
            let head = head.hash().short(SHORT);
            session.out.note(&format!("`irmin merge {head}` or `irmin branch create NAME {head}`"));
        }
        Ok(Exit::Ok)
    }

    /// Reads one tree from a stream.
    fn one_tree<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        let branch = written(session, repo)?;
        let prefix = self.prefix.clone().unwrap_or_default();
        let mut input = formats::open(&self.from)?;
        let mut told = Told::default();
        let mut hash = String::new();
        let mut progress = Progress::new(&session.out, "importing", "keys");
        // A stream cannot be read again, should others be faster.
        let options = self.message.options(format!("import {}", self.from.display())).retries(0);
        let commit = branch.staged(options, |staged| {
            if !self.merge {
                staged.remove(&prefix)?;
            }
            let (input, limit) = (&mut *input, repo.limits().value);
            told = match self.format {
                Form::Tar => untar::import(input, limit, &prefix, staged, &mut progress)?,
                _ => jsonl::import(input, limit, &prefix, staged, &mut progress)?,
            };
            let tree = match staged.tree().get_tree(&prefix)? {
                Some(tree) => tree.hash()?,
                None => repo.hash_of(&Tree::empty())?,
            };
            let (KindedHash::Node(TreeId(id)) | KindedHash::Value(ContentsId(id), _)) = tree;
            hash = id.to_string();
            match self.verify {
                true => same(&hash, told.tree.as_deref()),
                false => Ok(()),
            }
        })?;
        progress.finish();
        if session.out.json {
            let mut object = json!({
                "branch": branch.name().map(|name| name.to_string()),
                "commit": commit.map(|commit| commit.id().to_string()),
                "keys": told.keys,
                "bytes": told.bytes,
                "tree": hash,
            });
            if let (Form::Tar, Some(object)) = (self.format, object.as_object_mut()) {
                let skipped = told.skipped.iter().map(|(file, why)| skipped(file, why));
                object.insert("skipped".into(), skipped.collect());
            }
            session.out.json(&object)?;
            return Ok(Exit::Ok);
        }
        for (name, why) in &told.skipped {
            session.out.note(&format!("skipped {name}: {why}"));
        }
        let checked = if self.verify { ", as in the stream" } else { "" };
        let keys = count(told.keys, "key");
        session.out.note(&format!("imported {keys}: the tree is {hash}{checked}"));
        Ok(Exit::Ok)
    }

    /// Reads a directory of files.
    fn directory<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        if self.verify {
            let message = "--verify is for streams: a directory tells no hash to compare with";
            return Err(Failure::usage(message).into());
        }
        if formats::is_dash(&self.from) || self.from.is_file() {
            let failure = Failure::file(&self.from, &io::ErrorKind::NotADirectory.into());
            let hint = "--format says what else it is, such as git-fast, jsonl or tar";
            return Err(failure.hint(hint).into());
        }
        let branch = written(session, repo)?;
        let options = self.message.options(format!("import {}", self.from.display()));
        let store = match session.settings.store {
            StoreKind::Git | StoreKind::Fs => Some(location(&session.settings)?),
            StoreKind::GitMem | StoreKind::Mem => None,
        };
        let (commit, tally) = self.import(&session.out, &branch, options, store.as_deref())?;
        report(session, &branch, commit.as_ref(), &tally)
    }

    fn import<C: Contents>(
        &self,
        out: &Output,
        branch: &Branch<C>,
        options: CommitOptions,
        store: Option<&FilePath>,
    ) -> Outcome<(Option<Commit<C>>, Tally)> {
        let mut tally = Tally::default();
        let mut failure: Option<Failure> = None;
        let limit = branch.repo().limits().value;
        let done = branch.staged(options, |staged| {
            tally = Tally::default();
            self.fill(out, staged, store, limit, &mut tally).map_err(|stop| match stop {
                Refused::Store(error) => error,
                Refused::Files(files) => {
                    let error = Error::new(Code::Io, files.message.clone());
                    failure = Some(files);
                    error
                }
            })
        });
        match (done, failure) {
            (Ok(commit), _) => Ok((commit, tally)),
            (Err(_), Some(failure)) => Err(failure.into()),
            (Err(error), None) => Err(error.into()),
        }
    }

    /// Sets everything that is in the directory.
    fn fill<C: Contents>(
        &self,
        out: &Output,
        staged: &mut Staged<'_, C>,
        store: Option<&FilePath>,
        limit: usize,
        tally: &mut Tally,
    ) -> Result<(), Refused> {
        let prefix = self.prefix.clone().unwrap_or_default();
        let scan = Scan::new(&self.from, &prefix, store, self.caches)?;
        if !self.merge {
            staged.remove(&prefix)?;
        }
        let mut progress = Progress::new(out, "importing", "files");
        for found in scan {
            let (path, bytes, metadata) = match found? {
                Found::File { path, file, exec } => {
                    tally.files += 1;
                    let mode = if exec { Metadata::Exec } else { Metadata::Normal };
                    match given::<C>(&file, limit)? {
                        Given::Whole(bytes) => (path, bytes, mode),
                        Given::Large(opened, len) => {
                            tally.bytes += len;
                            staged
                                .set_stream(&path, len, &mut StdRead(opened), mode)
                                .map_err(|e| e.context(file.display()))?;
                            progress.step();
                            continue;
                        }
                    }
                }
                Found::Link { path, target } => {
                    tally.links += 1;
                    (path, target, Metadata::Link)
                }
                Found::Skipped { file, why } => {
                    tally.skipped.push((file, why));
                    continue;
                }
            };
            tally.bytes += u64::try_from(bytes.len()).unwrap_or(0);
            let value = C::decode(Bytes::from(bytes))
                .map_err(|e| e.context(format_args!("value at `{path}`")))?;
            staged.set(&path, &value, metadata)?;
            progress.step();
        }
        progress.finish();
        Ok(())
    }
}

/// What was left out, as JSON.
fn skipped(file: &str, why: &str) -> Value {
    json!({"file": file, "why": why})
}

/// Requires that a tree is the one that a stream tells.
fn same(hash: &str, told: Option<&str>) -> irmin_core::Result<()> {
    let why = match told {
        Some(told) if told == hash => return Ok(()),
        Some(told) => format!("the tree is {hash}, and the stream tells {told}"),
        None => "the stream does not tell the hash of its tree".into(),
    };
    Err(Error::new(Code::PreconditionFailed, format!("{why}; nothing was written")))
}

/// The branch that is written to.
fn written<C: Contents>(session: &Session<'_>, repo: &Repo<C>) -> Outcome<Branch<C>> {
    let branch = session.branch(repo)?;
    if branch.name().is_none() {
        let message = "import writes to a branch: --commit names a commit, not a branch";
        return Err(Failure::usage(message).into());
    }
    Ok(branch)
}

/// What stopped an import: the store, or the files.
enum Refused {
    Store(Error),
    Files(Failure),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Refused::Store(error)
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Refused::Files(failure)
    }
}

/// The value of a file; whole where its bytes have to be understood.
fn given<C: Contents>(path: &FilePath, limit: usize) -> Result<Given, Failure> {
    match C::PLAIN {
        true => Given::file(path, limit),
        false => ValueArg::File(path.to_owned()).read(limit).map(Given::Whole),
    }
}

fn report<C: Contents>(
    session: &mut Session<'_>,
    branch: &Branch<C>,
    commit: Option<&Commit<C>>,
    tally: &Tally,
) -> Outcome {
    let name = branch.name().map(|name| name.to_string()).unwrap_or_default();
    if session.out.json {
        let skipped: Vec<Value> = tally
            .skipped
            .iter()
            .map(|(file, why)| skipped(&file.to_string_lossy(), why.why()))
            .collect();
        session.out.json(&json!({
            "branch": name,
            "commit": commit.map(|commit| commit.id().to_string()),
            "files": tally.files,
            "links": tally.links,
            "bytes": tally.bytes,
            "skipped": skipped,
        }))?;
        return Ok(Exit::Ok);
    }
    for (file, why) in &tally.skipped {
        let line = format!("skipped {}: {}", file.display(), why.why());
        match why {
            // What is always skipped is no news.
            Skip::Git | Skip::Store => session.out.detail(&line),
            Skip::Cache | Skip::Special => session.out.note(&line),
        }
    }
    let links = match tally.links {
        0 => String::new(),
        n => format!(" and {}", count(n, "link")),
    };
    let files = count(tally.files, "file");
    let into = match commit {
        Some(commit) => format!("into {name} at {}", commit.id().hash().short(SHORT)),
        None => format!("into {name}: nothing changed"),
    };
    session.out.note(&format!("imported {files}{links} {into}"));
    if let Some(next) = next_command(session) {
        session.out.note(&format!("try `{next}`"));
    }
    Ok(Exit::Ok)
}

/// A command that shows what was imported, as it can be typed.
fn next_command(session: &Session<'_>) -> Option<String> {
    let program = std::env::args().next()?;
    let root = session.settings.root.as_ref()?.to_str()?;
    let plain =
        |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-+:@".contains(&b));
    let quoted = if plain(root) { root.to_owned() } else { format!("'{root}'") };
    (plain(&program) && !root.contains('\'')).then(|| format!("{program} list --root {quoted}"))
}
