//! What a strict store refuses: every breach of the callers' half of the contract.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::State;
use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::id::{Key, Locator};
use crate::object::{Child, Decoded, Format, Kind, Object};

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

/// Checks one object against the store and what was staged before it: what it refers to.
pub(super) fn check_object(
    format: &Format,
    state: &State,
    staged: &Staged,
    object: &Object,
) -> Result<Vec<(Kind, Child)>> {
    format.verify(object)?;
    let expected = format.layout().children(object)?;
    if let Some(base) = &object.base {
        check_key(state, base)?;
    }
    let vouched = vouched(format, state, staged, object)?;
    let mut named = object.children.iter().peekable();
    for (kind, child) in &expected {
        let hash = child.key.hash;
        let named = named.next_if(|named| named.key == child.key);
        if named.is_none() && !vouched.contains(&hash) {
            let why =
                format!("{hash}, a child of {}, is named by neither it nor its base", object.id);
            return Err(breach(why));
        }
        check_child(state, staged, object, *kind, named.map_or(&child.key, |named| &named.key))?;
    }
    if let Some(child) = named.next() {
        let why = format!("{} is named by {}, and no child of it there", child.key.hash, object.id);
        return Err(breach(why));
    }
    check_decoded(format, state, staged, object)?;
    Ok(expected)
}

/// What comes along decoded is what the bytes say, and where it says that things are they are.
fn check_decoded(format: &Format, state: &State, staged: &Staged, object: &Object) -> Result<()> {
    let bare = Object::new(object.kind, object.id, object.bytes.clone());
    let locate = |key: &Key| check_locator(state, staged, key);
    let same = match &object.decoded {
        None => return Ok(()),
        Some(Decoded::Dir(dir)) => {
            dir.child_keys().try_for_each(|key| locate(&key))?;
            dir.is_same(&format.layout().decode(object.id.into(), &bare)?)
        }
        Some(Decoded::Commit(commit)) => {
            commit.references().try_for_each(locate)?;
            **commit == format.layout().decode_commit(&bare)?
        }
    };
    if same {
        return Ok(());
    }
    Err(breach(format!("{} comes along decoded as something else", object.id)))
}

/// Checks the locator of something that is there.
fn check_locator(state: &State, staged: &Staged, key: &Key) -> Result<()> {
    match staged.get(&key.hash) {
        None => check_key(state, key),
        Some(found) if key.at == Locator::NONE || key.at == found.at => Ok(()),
        Some(_) => {
            Err(breach(format!("{} is in the batch and named by another locator", key.hash)))
        }
    }
}

fn check_child(
    state: &State,
    staged: &Staged,
    parent: &Object,
    expected: Kind,
    key: &Key,
) -> Result<()> {
    let hash = key.hash;
    let Some(found) = staged.get(&hash).or_else(|| state.objects.get(&hash)) else {
        return Err(state.absent(hash));
    };
    check_locator(state, staged, key)?;
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

/// What the base of an object refers to: the base must be there.
fn vouched(
    format: &Format,
    state: &State,
    staged: &Staged,
    object: &Object,
) -> Result<BTreeSet<Hash>> {
    let Some(base) = &object.base else { return Ok(BTreeSet::new()) };
    let found = staged.get(&base.hash).or_else(|| state.objects.get(&base.hash));
    let Some(found) = found else { return Err(state.absent(base.hash)) };
    let children = format.layout().children(&found.object)?;
    Ok(children.into_iter().map(|(_, child)| child.key.hash).collect())
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
