//! Tags that point into what was fetched: they come along, as they do in git.

use alloc::vec::Vec;

use hashbrown::HashSet;

use super::translations::Translations;
use crate::backend::{Batch, Durability, Expected, Note, Published, RefEdit, Target};
use crate::contents::Contents;
use crate::error::{Code, Result};
use crate::hash::Hash;
use crate::id::Key;
use crate::name::{RefName, TAGS};
use crate::object::{Child, Kind, Object};
use crate::repo::Repo;
use crate::tree::Store;

/// How many tags may stand one behind another.
const MAX_PEEL: usize = 16;

/// A tag that is not here.
struct Tag {
    name: RefName,
    /// The objects of the tag, the outermost first; none for one without.
    annotations: Vec<Object>,
    /// What is behind them.
    target: Key,
}

/// Takes over the tags of another store whose commits are here and whose names are free here.
///
/// In a store of another format commits are what the tables of translations say.
pub(super) fn follow<C: Contents>(
    repo: &Repo<C>,
    from: &Store,
    (durability, note): (Durability, &Note),
) -> Result<()> {
    let here = repo.backend().refs(TAGS)?;
    let here: HashSet<RefName> = here.into_iter().map(|(name, _)| name).collect();
    let mut tags = Vec::new();
    for (name, target) in from.backend().refs(TAGS)? {
        if let (false, Target::Object(target)) = (here.contains(&name), target) {
            tags.push(Tag { name, annotations: Vec::new(), target });
        }
    }
    let tags = of_commits(from, tags)?;
    if tags.is_empty() {
        return Ok(());
    }
    let hashes: Vec<Hash> = tags.iter().map(|tag| tag.target.hash).collect();
    let same = repo.format() == from.format();
    let commits = if same {
        repo.backend().find_many(&hashes)?
    } else {
        let to = repo.pinned()?;
        let found = Translations::open(from, &to)?.find(&hashes)?;
        found.into_iter().map(|found| found.map(|found| found.commit)).collect()
    };
    let mut batches = Vec::new();
    for (tag, commit) in tags.into_iter().zip(commits) {
        let Some(commit) = commit else { continue };
        // An annotation names its commit by hash: in another format it would be another one.
        let annotations = if same { tag.annotations } else { Vec::new() };
        let id = annotations.first().map_or(commit, |outer| Key::from(outer.id));
        let edit =
            RefEdit { name: tag.name, expected: Expected::Absent, new: Some(Target::Object(id)) };
        let (objects, edits) = (annotations.into_iter().rev().collect(), Vec::from([edit]));
        batches.push(Batch { objects, edits, durability, note: note.clone() });
    }
    let publish = |batch: Batch| match repo.backend().publish(batch) {
        Ok(Published::Done { .. }) => Ok(true),
        Ok(Published::Lost { .. }) => Ok(false),
        Err(e) if e.code() == Code::NameClash => Ok(false),
        Err(e) => Err(e),
    };
    let objects = batches.iter().flat_map(|batch| batch.objects.clone()).collect();
    let edits: Vec<RefEdit> = batches.iter().flat_map(|batch| batch.edits.clone()).collect();
    if edits.is_empty() || publish(Batch { objects, edits, durability, note: note.clone() })? {
        return Ok(());
    }
    // The name of one is taken by now, or another name is in its way: the others come all the same.
    batches.into_iter().try_for_each(|batch| publish(batch).map(drop))
}

/// Those tags that are of commits.
fn of_commits(from: &Store, mut open: Vec<Tag>) -> Result<Vec<Tag>> {
    let mut found = Vec::new();
    for _ in 0..=MAX_PEEL {
        if open.is_empty() {
            break;
        }
        let keys: Vec<Key> = open.iter().map(|tag| tag.target).collect();
        let objects = from.backend().get_many(&keys, from.wait())?;
        for (mut tag, object) in core::mem::take(&mut open).into_iter().zip(objects) {
            match object {
                Some(object) if object.kind == Kind::Commit => found.push(tag),
                Some(object) if object.kind == Kind::Tag => {
                    from.format().verify(&object)?;
                    let Some((_, child)) = from.layout().children(&object)?.pop() else { continue };
                    tag.target = child.key;
                    // Where things are there means nothing here.
                    let children = Vec::from([Child::from(Key::from(child.key.hash))]);
                    tag.annotations.push(Object { children, base: None, ..object });
                    open.push(tag);
                }
                _ => {}
            }
        }
    }
    Ok(found)
}
