//! What a strict store refuses: every breach of the callers' half of the contract.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::State;
use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::id::{Key, Locator};
use crate::object::{Child, Format, Kind, Object};

/// Objects that are not visible yet, those of a stage or of a batch.
pub(super) type Staged = BTreeMap<Hash, Stored>;

/// One object and where it is said to be.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) object: Object,
    pub(super) at: Locator,
}

/// A breach of the contract by the caller.
pub(super) fn breach(why: String) -> Error {
    Error::new(Code::InvalidArgument, why).context("breach of the backend's contract")
}

/// Whether a key is one that this store may have issued for that hash.
pub(super) fn check_key(state: &State, key: &Key) -> Result<()> {
    if key.at == Locator::NONE {
        return Ok(());
    }
    match state.issued.get(&key.at.0) {
        Some(hash) if *hash == key.hash => Ok(()),
        Some(hash) => Err(breach(format!("the locator of {hash} is used for {}", key.hash))),
        None => Err(breach(format!("the locator of {} is of another store", key.hash))),
    }
}

/// Checks one object against the store and what was staged before it.
pub(super) fn check_object(
    format: &Format,
    state: &State,
    staged: &Staged,
    object: &Object,
) -> Result<()> {
    format.verify(object)?;
    let expected = format.layout().children(object)?;
    let same = expected.len() == object.children.len()
        && expected.iter().zip(&object.children).all(|((_, a), b)| a.key == b.key);
    if !same {
        let (id, kind) = (object.id, object.kind);
        return Err(breach(format!("the children of {kind} {id} are not those in its bytes")));
    }
    if let Some(base) = &object.base {
        check_key(state, base)?;
    }
    for ((kind, _), child) in expected.iter().zip(&object.children) {
        check_child(format, state, staged, object, *kind, child)?;
    }
    Ok(())
}

fn check_child(
    format: &Format,
    state: &State,
    staged: &Staged,
    parent: &Object,
    expected: Kind,
    child: &Child,
) -> Result<()> {
    let hash = child.key.hash;
    let found = staged.get(&hash).or_else(|| state.objects.get(&hash));
    if child.kept && !base_has(format, state, staged, parent, &hash)? {
        let id = parent.id;
        return Err(breach(format!("{hash}, kept by {id}, is no child of the base of {id}")));
    }
    let Some(found) = found else {
        return Err(state.absent(hash));
    };
    if !staged.contains_key(&hash) {
        check_key(state, &child.key)?;
    } else if child.key.at != Locator::NONE && child.key.at != found.at {
        return Err(breach(format!("{hash} is in the batch and named by another locator")));
    }
    let fits = match expected {
        Kind::Node => matches!(found.object.kind, Kind::Node | Kind::Inode),
        Kind::Value => matches!(found.object.kind, Kind::Value | Kind::ChunkIndex),
        kind => found.object.kind == kind,
    };
    if fits {
        return Ok(());
    }
    let actual = found.object.kind;
    Err(breach(format!("{} refers to {actual} {hash} as a {expected}", parent.id)))
}

/// Whether the base of an object, which must be there, refers to this one.
fn base_has(
    format: &Format,
    state: &State,
    staged: &Staged,
    object: &Object,
    hash: &Hash,
) -> Result<bool> {
    let Some(base) = &object.base else { return Ok(false) };
    let found = staged.get(&base.hash).or_else(|| state.objects.get(&base.hash));
    let Some(found) = found else { return Err(state.absent(base.hash)) };
    Ok(format.layout().children(&found.object)?.iter().any(|(_, child)| child.key.hash == *hash))
}

/// The object with its children and their locators, as an engine with locators reads it.
pub(super) fn with_locators(
    format: &Format,
    state: &State,
    staged: Option<&Staged>,
    stored: &Stored,
) -> Result<Object> {
    let mut object = stored.object.clone();
    object.base = None;
    object.children = Vec::new();
    for (_, mut child) in format.layout().children(&object)? {
        let found = staged.and_then(|staged| staged.get(&child.key.hash));
        let found = found.or_else(|| state.objects.get(&child.key.hash));
        child.key.at = found.map_or(Locator::NONE, |found| found.at);
        object.children.push(child);
    }
    Ok(object)
}
