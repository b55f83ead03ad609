//! The working tree of a git repository: bringing it and the index along, or refusing to.
//!
//! It is git's merge of two trees: what differs between the tree that the index was made from and
//! the new one is changed, provided that index and file have no changes of their own there; all
//! else is left alone. Where git would do more than copy bytes (filters, sparse checkouts,
//! submodules), nothing is done.

mod attributes;
mod disk;
mod plan;
mod trees;

use std::fmt::Display;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix_index::entry::{Flags, Mode, Stage};
use irmin_core::backend::{Backend, ValueRead, Wait};
use irmin_core::{Code, Error, Hash, Key};

use crate::commands::export::absent;
use crate::exit::Failure;
use disk::Disk;
use plan::{Done, Plan};
use trees::{Changes, Entry};

/// The longest file of attributes that is looked at.
const ATTRIBUTES: u64 = 1 << 20;
/// How many paths are listed when something is in the way.
const LISTED: usize = 10;

/// What a repository has when something was begun in it and not finished.
const BEGUN: [(&str, &str); 6] = [
    ("MERGE_HEAD", "a merge"),
    ("rebase-merge", "a rebase"),
    ("rebase-apply", "a rebase"),
    ("CHERRY_PICK_HEAD", "a cherry-pick"),
    ("REVERT_HEAD", "a revert"),
    ("BISECT_LOG", "a bisection"),
];

/// A repository with a working tree.
pub(crate) struct WorkTree {
    git: gix::Repository,
    disk: Disk,
}

/// The index, locked: dropping it gives the lock back.
pub(crate) struct Index {
    file: gix_index::File,
    lock: PathBuf,
    /// Whether the lock is still to be given back.
    held: bool,
}

/// How many files were touched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Touched {
    pub(crate) written: usize,
    pub(crate) removed: usize,
}

impl WorkTree {
    /// The working tree of the repository at a place; none if it is bare.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn find(location: &Path) -> Result<Option<WorkTree>, Failure> {
        let git = gix::open(location).map_err(|e| git_failure("the repository", &e))?;
        let Some(root) = git.workdir().map(Path::to_owned) else { return Ok(None) };
        let modes = git.config_snapshot().boolean("core.fileMode").unwrap_or(true);
        Ok(Some(WorkTree { git, disk: Disk { root, modes } }))
    }

    /// Another working tree of the repository that is on a branch.
    pub(crate) fn is_taken(&self, branch: &str) -> Option<PathBuf> {
        let bare = self.git.config_snapshot().boolean("core.bare").unwrap_or(false);
        let main = self.git.common_dir();
        taken(&self.git, branch).filter(|dir| !bare || *dir != main).map(|dir| tree_of(&dir))
    }

    /// How many of the files in which two trees differ the index has as the first tree has them;
    /// nothing if it has one as the second tree does. It may have changes of its own.
    pub(crate) fn shows(
        &self,
        index: &Index,
        old: Option<Hash>,
        new: Option<Hash>,
    ) -> Option<usize> {
        // What was collected since shows nothing.
        let changes = trees::diff(&self.git, id(old).ok()?, id(new).ok()?).ok()?;
        let mut as_before = 0;
        for (path, (old, new)) in &changes {
            match index.entry(path) {
                now if now == *old => as_before += 1,
                now if now == *new => return None,
                _ => {}
            }
        }
        Some(as_before)
    }

    /// Locks the index and reads it.
    ///
    /// # Errors
    /// `locked` if git is at it, and `unsupported` for what this program cannot keep right.
    pub(crate) fn index(&self) -> Result<Index, Failure> {
        self.refuse()?;
        let path = self.git.index_path();
        let lock = path.with_extension("lock");
        let made = fs::OpenOptions::new().write(true).create_new(true).open(&lock);
        if let Err(e) = made {
            if e.kind() != io::ErrorKind::AlreadyExists {
                return Err(Failure::file(&lock, &e));
            }
            let what = format!("another program works on the index: {} exists", lock.display());
            return Err(Failure::from(Error::new(Code::Locked, what))
                .hint("try again when it has finished; if none does, one left it: remove it"));
        }
        let read = gix_index::File::at_or_default(
            &path,
            self.git.object_hash(),
            false,
            gix_index::decode::Options::default(),
        );
        // From here on the lock is given back whatever happens.
        let file = match read {
            Ok(file) => file,
            Err(e) => {
                let _ = fs::remove_file(&lock);
                return Err(git_failure("the index", &e));
            }
        };
        let index = Index { file, lock, held: true };
        for entry in index.file.entries() {
            let what = if entry.stage() != Stage::Unconflicted {
                "the index has conflicts that are not resolved"
            } else if entry.flags.contains(Flags::SKIP_WORKTREE) || entry.mode.is_sparse() {
                "the checkout is sparse"
            } else {
                continue;
            };
            return Err(unsupported(what));
        }
        Ok(index)
    }

    /// Refuses a repository whose working tree is more than its files.
    fn refuse(&self) -> Result<(), Failure> {
        let begun = BEGUN.iter().find(|(name, _)| self.git.git_dir().join(name).exists());
        if let Some((_, what)) = begun {
            return Err(Failure::precondition(format!("{what} is not finished"))
                .hint("finish or abort it with git"));
        }
        let config = self.git.config_snapshot();
        let is = |key: &str| config.boolean(key).unwrap_or(false);
        let text = |key: &str| config.string(key).map(|text| text.to_string().to_lowercase());
        let what = if is("core.sparseCheckout") {
            "core.sparseCheckout is set"
        } else if is("core.autocrlf") || text("core.autocrlf").as_deref() == Some("input") {
            "core.autocrlf is set"
        } else if text("core.eol").as_deref() == Some("crlf") {
            "core.eol is crlf"
        } else if config.boolean("core.symlinks") == Some(false) {
            "core.symlinks is off"
        } else {
            return Ok(());
        };
        Err(unsupported(what))
    }

    /// Brings index and files from one tree to another. Nothing is touched if anything is in the
    /// way.
    ///
    /// # Errors
    /// `precondition_failed` naming what is in the way, `unsupported`, and those of writing files.
    pub(crate) fn bring(
        &self,
        store: &dyn Backend,
        index: &mut Index,
        from: Option<Hash>,
        to: Option<Hash>,
    ) -> Result<Touched, Failure> {
        let changes = trees::diff(&self.git, id(from)?, id(to)?)?;
        self.refuse_filters(index, &changes)?;
        let (mut plan, obstacles) = plan::plan(&self.disk, &changes, |path| index.entry(path))?;
        in_the_way(
            "have changes that would be lost",
            "commit them with git, or put them aside with `git stash`",
            &obstacles.changed,
        )?;
        in_the_way(
            "are in the way, and git does not have them",
            "move them",
            &obstacles.untracked,
        )?;
        // What a clone without values lacks is missed before anything is gone.
        let hashes = plan.write.iter().map(|(_, entry)| Hash::new(entry.id.as_slice()));
        let hashes: Vec<Hash> = hashes.collect::<Result<_, _>>()?;
        let found = store.find_many(&hashes)?;
        let missing = hashes.iter().zip(found).filter(|(_, found)| found.is_none());
        let missing: Vec<Key> = missing.map(|(hash, _)| Key::from(*hash)).collect();
        if !missing.is_empty() {
            return Err(Error::missing_objects(missing).into());
        }
        let touched = Touched { written: plan.write.len(), removed: self.removed(&plan) };
        for path in &plan.remove {
            self.disk.remove(path)?;
        }
        for (path, entry) in plan.write {
            let stat = self.disk.write(&path, &entry, &mut *value(store, entry.id)?)?;
            plan.index.insert(path, Some((entry, stat)));
        }
        if !plan.index.is_empty() {
            index.write(&plan.index)?;
        }
        Ok(touched)
    }

    /// How many files are gone afterwards.
    fn removed(&self, plan: &Plan) -> usize {
        let written: std::collections::BTreeSet<_> = plan.write.iter().map(|(p, _)| p).collect();
        plan.remove.iter().filter(|path| !written.contains(path)).count()
    }

    /// Refuses a tree with attributes that only git applies as they are meant.
    fn refuse_filters(&self, index: &Index, changes: &Changes) -> Result<(), Failure> {
        let is = |path: &[u8]| path == b".gitattributes" || path.ends_with(b"/.gitattributes");
        let mut texts: Vec<Vec<u8>> = Vec::new();
        let old = index.files().filter(|(path, _)| is(path)).map(|(_, entry)| entry.id);
        let new = changes.iter().filter(|(path, _)| is(path)).filter_map(|(_, (_, new))| *new);
        for id in old.chain(new.map(|entry| entry.id)) {
            texts.push(
                self.git.find_object(id).map_err(|e| git_failure("a value", &e))?.data.clone(),
            );
        }
        let config = self.git.config_snapshot();
        // Those of the user are in a place of their own unless the settings name another.
        let own = config.trusted_path("core.attributesFile").ok().flatten();
        let usual = || gix::path::env::xdg_config("attributes", &mut |name| std::env::var_os(name));
        let own = own.or_else(usual);
        let files =
            index.files().filter(|(path, _)| is(path)).map(|(path, _)| self.disk.file(path));
        let mut files: Vec<PathBuf> = files.collect::<Result<_, _>>()?;
        files.push(self.disk.root.join(".gitattributes"));
        files.push(self.git.common_dir().join("info/attributes"));
        files.extend(own);
        for file in files {
            let small = fs::metadata(&file).is_ok_and(|found| found.len() <= ATTRIBUTES);
            match fs::read(&file) {
                Ok(text) if small => texts.push(text),
                Err(e) if absent(&e) => {}
                Ok(_) => return Err(unsupported(&format!("{} is too long", file.display()))),
                Err(e) => return Err(Failure::file(&file, &e)),
            }
        }
        match texts.iter().find_map(|text| attributes::first_filter(text)) {
            Some(word) => Err(unsupported(&format!("files have the attribute `{word}`"))),
            None => Ok(()),
        }
    }
}

impl Index {
    /// Writes what was done into it.
    fn write(&mut self, done: &Done) -> Result<(), Failure> {
        let file = &mut self.file;
        let read = file.timestamp().unix_seconds();
        for entry in file.entries_mut() {
            // Such a file may have been changed after it was looked at, in the same tick of the
            // clock. Git knows from the time of the index, which will be a later one: without a size
            // it looks into the file.
            if i64::from(entry.stat.mtime.secs) >= read {
                entry.stat.size = 0;
            }
        }
        file.remove_entries(|_, path, _| done.contains_key::<[u8]>(path));
        for (path, entry) in done {
            let Some((Entry { mode, id }, stat)) = *entry else { continue };
            let (mode, path) = (Mode::from_bits_truncate(mode), path.as_slice().into());
            file.dangerously_push_entry(stat, id, Flags::empty(), mode, path);
        }
        file.sort_entries();
        // What git keeps there of whole directories does not hold any more.
        file.remove_tree();
        let mut bytes = Vec::new();
        file.write_to(&mut bytes, gix_index::write::Options::default())
            .map_err(|e| git_failure("the index", &e))?;
        let lock = &self.lock;
        let failed = |e: io::Error| Failure::file(lock, &e);
        let mut opened = fs::OpenOptions::new().write(true).open(lock).map_err(failed)?;
        opened.write_all(&bytes).and_then(|()| opened.sync_all()).map_err(failed)?;
        fs::rename(lock, lock.with_extension("")).map_err(failed)?;
        self.held = false;
        Ok(())
    }

    fn entry(&self, path: &[u8]) -> Option<Entry> {
        let entry = self.file.entry_by_path(path.into())?;
        Some(Entry { mode: entry.mode.bits(), id: entry.id })
    }

    fn files(&self) -> impl Iterator<Item = (&[u8], Entry)> {
        self.file.entries().iter().map(|entry| {
            let path: &[u8] = entry.path(&self.file);
            (path, Entry { mode: entry.mode.bits(), id: entry.id })
        })
    }

    /// The tree that would be committed now, which has nothing of what is only to be added.
    pub(crate) fn tree(&self) -> Option<Hash> {
        let entries = self.file.entries().iter();
        let files = entries.filter(|entry| !entry.flags.contains(Flags::INTENT_TO_ADD));
        let files = files.map(|entry| {
            let path: &[u8] = entry.path(&self.file);
            (path, Entry { mode: entry.mode.bits(), id: entry.id })
        });
        Hash::new(trees::tree_id(files)?.as_slice()).ok()
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        if self.held {
            let _ = fs::remove_file(&self.lock);
        }
    }
}

/// The directory that all working trees of the repository at a place share.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn common_dir(location: &Path) -> Result<PathBuf, Failure> {
    let git = gix::open(location).map_err(|e| git_failure("the repository", &e))?;
    Ok(git.common_dir().to_owned())
}

/// The tree without files.
pub(crate) fn empty_tree() -> Option<Hash> {
    Hash::new(ObjectId::empty_tree(gix::hash::Kind::Sha1).as_slice()).ok()
}

/// Another working tree of the repository at a place that is on a branch, or the repository itself,
/// whether it is bare or not.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn taken_at(location: &Path, branch: &str) -> Result<Option<PathBuf>, Failure> {
    let git = gix::open(location).map_err(|e| git_failure("the repository", &e))?;
    Ok(taken(&git, branch).map(|dir| tree_of(&dir)))
}

/// The working tree of a git directory; the directory itself if it has none.
fn tree_of(dir: &Path) -> PathBuf {
    // A linked one is named by the file that stands for `.git` in it.
    let linked = fs::read_to_string(dir.join("gitdir")).ok();
    let file = linked.map_or_else(|| dir.to_owned(), |text| dir.join(text.trim_end()));
    let file = fs::canonicalize(&file).unwrap_or(file);
    let tree = file.parent().filter(|_| file.file_name().is_some_and(|name| name == ".git"));
    tree.map_or_else(|| file.clone(), Path::to_owned)
}

/// The git directory of it.
fn taken(git: &gix::Repository, branch: &str) -> Option<PathBuf> {
    let (own, common) = (git.git_dir().join("HEAD"), git.common_dir());
    let linked = fs::read_dir(common.join("worktrees")).into_iter().flatten().flatten();
    let dirs = linked.map(|entry| entry.path()).chain([common.to_owned()]);
    let mut others = dirs.filter(|dir| !same_file(&dir.join("HEAD"), &own));
    let on_it = format!("ref: {branch}");
    let head = |dir: &Path| fs::read_to_string(dir.join("HEAD"));
    others.find(|dir| head(dir).is_ok_and(|text| text.trim() == on_it))
}

/// A value, to be read piece by piece.
fn value(store: &dyn Backend, id: ObjectId) -> Result<Box<dyn ValueRead>, Failure> {
    let key = Key::from(Hash::new(id.as_slice())?);
    let found = store.open_values(&[key], Wait::Block)?.pop().flatten();
    Ok(found.ok_or_else(|| Error::missing_objects(vec![key]))?)
}

/// Refuses if there are paths in the way.
fn in_the_way(what: &str, remedy: &str, paths: &[Vec<u8>]) -> Result<(), Failure> {
    if paths.is_empty() {
        return Ok(());
    }
    let mut message = format!("nothing was done: these files {what}:");
    for path in paths.iter().take(LISTED) {
        message += &format!("\n  {}", String::from_utf8_lossy(path));
    }
    if paths.len() > LISTED {
        message += &format!("\n  and {} more", paths.len() - LISTED);
    }
    Err(Failure::precondition(message).hint(remedy))
}

/// What git alone can do.
fn unsupported(what: &str) -> Failure {
    let why = format!("nothing was done to the working tree: {what}");
    Failure::from(Error::new(Code::Unsupported, why)).hint("use `git checkout` there")
}

fn git_failure(what: &str, error: &dyn Display) -> Failure {
    Error::new(Code::CorruptStore, format!("{what} cannot be read: {error}")).into()
}

fn same_file(a: &Path, b: &Path) -> bool {
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

fn id(hash: Option<Hash>) -> Result<Option<ObjectId>, Failure> {
    let convert = |hash: Hash| ObjectId::try_from(hash.as_bytes());
    hash.map(convert).transpose().map_err(|e| git_failure("a tree", &e))
}
