//! What has to be done to a working tree, decided before anything is touched.

use std::collections::{BTreeMap, BTreeSet};

use gix_index::entry::Stat;
use irmin_core::Path;

use super::disk::{Disk, Found};
use super::trees::{Changes, Entry, SUBMODULE};
use crate::exit::Failure;

/// What the index is to have of paths.
pub(super) type Done = BTreeMap<Vec<u8>, Option<(Entry, Stat)>>;

/// What is done when nothing is in the way.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    /// Files to remove, also those that are then written anew.
    pub(super) remove: BTreeSet<Vec<u8>>,
    /// Files to write.
    pub(super) write: Vec<(Vec<u8>, Entry)>,
    /// What the index has of each path afterwards; what is written is added then.
    pub(super) index: Done,
}

/// What is in the way.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Obstacles {
    /// Changes in the index or in a file, which would be lost.
    pub(super) changed: Vec<Vec<u8>>,
    /// Files that the index does not have, which would be overwritten.
    pub(super) untracked: Vec<Vec<u8>>,
}

/// Decides what to do for the index and the files to go from one tree to another, which differ in
/// these changes; as git does, what does not differ between the two is left as it is, changed or
/// not. A file that is what it is to become already is left alone as well.
pub(super) fn plan(
    disk: &Disk,
    changes: &Changes,
    index: impl Fn(&[u8]) -> Option<Entry>,
) -> Result<(Plan, Obstacles), Failure> {
    let (mut plan, mut obstacles) = (Plan::default(), Obstacles::default());
    // What is found where something is to be made, judged once all removals are known.
    let mut there: Vec<(Vec<u8>, Found)> = Vec::new();
    for (path, (old, new)) in changes {
        check(path, old.as_ref(), new.as_ref())?;
        let now = index(path);
        if now == *new {
            continue;
        }
        if now != *old {
            obstacles.changed.push(path.clone());
            continue;
        }
        let found = disk.look(path)?;
        if let Some(new) = new {
            if let Some(stat) = disk.is(path, &found, new)? {
                plan.index.insert(path.clone(), Some((*new, stat)));
                continue;
            }
            plan.write.push((path.clone(), *new));
        } else {
            plan.index.insert(path.clone(), None);
        }
        match (old, &found) {
            (_, Found::Absent) => {}
            // Where it was, something else is now: there is nothing of it to remove.
            (Some(_), Found::Below(_)) if new.is_none() => {}
            (Some(old), Found::File { .. } | Found::Link)
                if disk.is(path, &found, old)?.is_some() =>
            {
                plan.remove.insert(path.clone());
            }
            (Some(_), Found::File { .. } | Found::Link | Found::Dir | Found::Other) => {
                obstacles.changed.push(path.clone());
            }
            (None, _) | (Some(_), Found::Below(_)) => there.push((path.clone(), found)),
        }
    }
    for (path, found) in there {
        let untracked: Vec<Vec<u8>> = match found {
            Found::Below(above) => Vec::from([above]),
            Found::Dir => disk.below(&path)?,
            _ => Vec::from([path]),
        };
        let untracked = untracked.into_iter().filter(|path| !plan.remove.contains(path));
        obstacles.untracked.extend(untracked);
    }
    obstacles.untracked.sort_unstable();
    obstacles.untracked.dedup();
    Ok((plan, obstacles))
}

/// Refuses what is not to be made a file.
fn check(path: &[u8], old: Option<&Entry>, new: Option<&Entry>) -> Result<(), Failure> {
    let shown = path.escape_ascii();
    if old.into_iter().chain(new).any(|entry| entry.mode == SUBMODULE) {
        return Err(super::unsupported(&format!("`{shown}` is a submodule")));
    }
    if Path::parse(path).is_err() {
        // Other programs may have written trees with such names.
        return Err(super::unsupported(&format!("`{shown}` is no safe name of a file")));
    }
    Ok(())
}
