//! Cleaning up after a crash. Runs under the lock of the store.
//!
//! A crash leaves nothing that has to be finished, only things to remove: prepared files, locks
//! that were links to them, and an index whose pack did not make it, which would mislead readers.
//! Each step may be cut off by another crash and is then done again.

use std::collections::BTreeSet;

use irmin_core::Result;
use irmin_core::io::{DirEntry, FileKind, Io};

use crate::files;
use crate::temp::{PACKS, PREFIX, STAGE};

/// What is in the directory of packs, in order of name.
#[derive(Debug, Default)]
pub(crate) struct Listing(Vec<DirEntry>);

impl Listing {
    /// Looks; nothing where there is no such directory.
    ///
    /// # Errors
    /// `io`.
    pub(crate) fn read(io: &dyn Io) -> Result<Listing> {
        Ok(Listing(files::if_exists(io.list(PACKS))?.unwrap_or_default()))
    }

    /// All names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|entry| entry.name.as_str())
    }

    /// The names of files.
    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        let files = self.0.iter().filter(|entry| entry.kind == FileKind::File);
        files.map(|entry| entry.name.as_str())
    }

    /// Whether there is a file with this stem and extension.
    pub(crate) fn has(&self, stem: &str, extension: &str) -> bool {
        let name = format!("{stem}.{extension}");
        let at = self.0.binary_search_by(|entry| entry.name.as_str().cmp(&name));
        at.ok().and_then(|at| self.0.get(at)).is_some_and(|entry| entry.kind == FileKind::File)
    }
}

/// What a look at the directory of packs found to clean up.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Leftovers {
    /// Prepared files.
    temps: Vec<String>,
    /// Indices without a pack.
    lone: Vec<String>,
}

impl Leftovers {
    /// What of this is to be cleaned up.
    pub(crate) fn among(listed: &Listing) -> Leftovers {
        let lone = |name: &&str| {
            name.strip_suffix(".idx").is_some_and(|stem| {
                stem.strip_prefix("pack-").is_some_and(|id| id.len() == 40)
                    && !listed.has(stem, "pack")
            })
        };
        let path = |name: &str| format!("{PACKS}/{name}");
        Leftovers {
            temps: listed.files().filter(|n| n.starts_with(PREFIX)).map(path).collect(),
            lone: listed.files().filter(lone).map(path).collect(),
        }
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.temps.is_empty() && self.lone.is_empty()
    }

    /// Takes away the locks that are links to prepared files, and leaves these: as long as it is
    /// not certain that no lock comes back, they say whose it is.
    ///
    /// # Errors
    /// `io`.
    pub(crate) fn unlock(&self, io: &dyn Io) -> Result<()> {
        let mut ours = BTreeSet::new();
        for path in self.temps.iter().filter(|path| !is_stage(path)) {
            ours.extend(io.metadata(path)?.map(|m| m.identity));
        }
        if ours.is_empty() { Ok(()) } else { remove_locks(io, &ours) }
    }

    /// Cleans up.
    ///
    /// # Errors
    /// `io`.
    pub(crate) fn sweep(&self, io: &dyn Io) -> Result<()> {
        self.unlock(io)?;
        let mut dead = Vec::new();
        for path in &self.temps {
            if !is_stage(path) || !is_alive(io, path)? {
                dead.push(path);
            }
        }
        for path in dead {
            files::remove(io, path)?;
        }
        for path in &self.lone {
            // A listing that runs while git names a pack and then its index may miss the first.
            let pack = path.strip_suffix(".idx").map(|stem| format!("{stem}.pack"));
            if pack.is_none_or(|pack| io.metadata(&pack).is_ok_and(|found| found.is_none())) {
                files::remove(io, path)?;
            }
        }
        Ok(())
    }
}

/// Whether a file belongs to a stage.
fn is_stage(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with(STAGE))
}

/// Whether the stage that a file belongs to is in use: it lives as long as the lock of its pack.
fn is_alive(io: &dyn Io, path: &str) -> Result<bool> {
    let pack = path.strip_suffix(".idx").map(|stem| format!("{stem}.pack"));
    let pack = pack.as_deref().unwrap_or(path);
    // Looking for a lock would make the file.
    Ok(io.metadata(pack)?.is_some() && io.try_lock(pack)?.is_none())
}

/// Whether a name is one more of these files.
fn is_one_of(io: &dyn Io, path: &str, files: &BTreeSet<(u64, u64)>) -> Result<bool> {
    Ok(io.metadata(path)?.is_some_and(|m| files.contains(&m.identity)))
}

/// Removes the lock files that are links to these files, durably: the files go only afterwards.
///
/// They may be those of any working tree, not only of the one that is open.
fn remove_locks(io: &dyn Io, ours: &BTreeSet<(u64, u64)>) -> Result<()> {
    let mut dirs: Vec<String> = vec![String::new(), "refs".to_owned()];
    for tree in files::if_exists(io.list("worktrees"))?.unwrap_or_default() {
        if tree.kind == FileKind::Dir {
            let own = format!("worktrees/{}", tree.name);
            dirs.extend([format!("{own}/refs"), own]);
        }
    }
    let flat = dirs.clone();
    let mut changed = BTreeSet::new();
    while let Some(dir) = dirs.pop() {
        // Only `HEAD` and its like are directly in a git directory: nothing below is entered.
        let enter = dir == "refs"
            || dir.contains("refs/")
            || dir.ends_with("/refs")
            || !flat.contains(&dir);
        for entry in files::if_exists(io.list(&dir))?.unwrap_or_default() {
            let path =
                if dir.is_empty() { entry.name.clone() } else { format!("{dir}/{}", entry.name) };
            match entry.kind {
                FileKind::Dir if enter => dirs.push(path),
                FileKind::File if path.ends_with(".lock") && is_one_of(io, &path, ours)? => {
                    files::remove(io, &path)?;
                    changed.insert(dir.clone());
                }
                _ => {}
            }
        }
    }
    changed.iter().try_for_each(|dir| files::sync_ref_dir(io, dir))
}
