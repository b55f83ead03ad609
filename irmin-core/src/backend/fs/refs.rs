//! Refs as files.
//!
//! A branch is the file `refs/<branch>` with the bytes of the commit's hash, as the original has
//! it. What the original does not have (`HEAD`, tags, branches that stand for others) is in
//! `irmin/<full name>`, as text: 40 digits or so, or `ref: ` and a name. Where a branch has both,
//! the original's counts, since its programs may have made it at any time.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{files, names};
use crate::backend::{RefTable, Target};
use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::id::Key;
use crate::io::{FileKind, Io};
use crate::name::{BranchName, HEADS, RefName};

/// The longest file of a ref that is read, in bytes.
const MAX: u64 = 1 << 10;

/// The value of a branch, from a file of the original.
///
/// # Errors
/// `corrupt_store`.
pub(super) fn decode_branch(name: &RefName, hash_len: usize, bytes: &[u8]) -> Result<Target> {
    match Hash::new(bytes) {
        Ok(hash) if hash.len() == hash_len => Ok(Target::Object(hash.into())),
        _ => {
            let why = format!(
                "ref `{name}` has {} bytes, and a hash of this store {hash_len}: its file is \
                 damaged, or the store has another hash function",
                bytes.len()
            );
            Err(Error::new(Code::CorruptStore, why))
        }
    }
}

/// The value of a ref, from a file of ours.
///
/// # Errors
/// `corrupt_store`.
pub(super) fn decode_ours(name: &RefName, hash_len: usize, bytes: &[u8]) -> Result<Target> {
    let line = core::str::from_utf8(bytes).ok().and_then(|text| text.strip_suffix('\n'));
    let target = line.and_then(|line| match line.strip_prefix("ref: ") {
        Some(other) => other.parse().ok().map(Target::Symbolic),
        None => {
            let hash = line.parse::<Hash>().ok().filter(|hash| hash.len() == hash_len)?;
            (hash.to_string() == line).then(|| Target::Object(hash.into()))
        }
    });
    target.ok_or_else(|| {
        let why = format!("`{}` is neither a hash nor the name of a ref", names::our_ref(name));
        Error::new(Code::CorruptStore, why)
    })
}

/// Where a value of a ref is kept, and as what.
pub(super) fn encode(name: &RefName, target: &Target) -> (String, Vec<u8>) {
    match (target, names::branch(name)) {
        (Target::Object(Key { hash, .. }), Some(path)) => (path, hash.as_bytes().to_vec()),
        (Target::Object(key), None) => {
            (names::our_ref(name), format!("{}\n", key.hash).into_bytes())
        }
        (Target::Symbolic(other), _) => {
            (names::our_ref(name), format!("ref: {other}\n").into_bytes())
        }
    }
}

/// The value of a ref: `HEAD` stands for `main` where nothing else is said.
///
/// # Errors
/// `corrupt_store`, `io`.
pub(super) fn read(io: &dyn Io, hash_len: usize, name: &RefName) -> Result<Option<Target>> {
    let branch = names::branch(name);
    let originals = || -> Result<Option<Target>> {
        let Some(path) = &branch else { return Ok(None) };
        let bytes = files::read(io, path, MAX, 0)?;
        bytes.map(|bytes| decode_branch(name, hash_len, &bytes)).transpose()
    };
    if let Some(target) = originals()? {
        return Ok(Some(target));
    }
    if let Some(bytes) = files::read(io, &names::our_ref(name), MAX, 0)? {
        return decode_ours(name, hash_len, &bytes).map(Some);
    }
    // It may have gone from the one file to the other between the two looks.
    if let Some(target) = originals()? {
        return Ok(Some(target));
    }
    let head = *name == RefName::head();
    Ok(head.then(|| Target::Symbolic(BranchName::main().to_ref())))
}

/// The refs under `refs/` whose name begins so. Files whose names cannot be refs are not ours.
///
/// # Errors
/// `corrupt_store`, `io`.
pub(super) fn list(
    io: &dyn Io,
    hash_len: usize,
    prefix: &str,
) -> Result<BTreeMap<RefName, Target>> {
    let mut found = BTreeMap::new();
    each(io, prefix, &mut |name| {
        // It may be gone by now.
        if !found.contains_key(name)
            && let Some(target) = read(io, hash_len, name)?
        {
            found.insert(name.clone(), target);
        }
        Ok(())
    })?;
    Ok(found)
}

/// The names that [`list`] lists, whatever their files hold.
///
/// # Errors
/// `io`.
pub(super) fn list_names(io: &dyn Io, prefix: &str) -> Result<BTreeSet<RefName>> {
    let mut found = BTreeSet::new();
    each(io, prefix, &mut |name| {
        found.insert(name.clone());
        Ok(())
    })?;
    Ok(found)
}

/// Calls `f` for the names that files of refs have, at least once for each.
///
/// A branch may go from a file of ours to the original's between the two looks, so that neither
/// sees it: the third does. One that comes back by then has changed twice meanwhile.
fn each(io: &dyn Io, prefix: &str, f: &mut dyn FnMut(&RefName) -> Result<()>) -> Result<()> {
    walk(io, names::REFS, HEADS, prefix, f)?;
    walk(io, names::OUR_REFS, "refs/", prefix, f)?;
    walk(io, names::REFS, HEADS, prefix, f)
}

/// Calls `f` for the files below a directory, whose names begin with `base`.
fn walk(
    io: &dyn Io,
    dir: &str,
    base: &str,
    prefix: &str,
    f: &mut dyn FnMut(&RefName) -> Result<()>,
) -> Result<()> {
    let mut dirs = Vec::from([(String::from(dir), String::from(base))]);
    while let Some((dir, base)) = dirs.pop() {
        for entry in files::if_exists(io.list(&dir))?.unwrap_or_default() {
            let name = format!("{base}{}", entry.name);
            match entry.kind {
                FileKind::File if name.starts_with(prefix) => {
                    if let Ok(name) = name.parse::<RefName>() {
                        f(&name)?;
                    }
                }
                FileKind::Dir => {
                    let below = format!("{name}/");
                    // A name is that long at most, so that a walk ends whatever it finds.
                    let long = below.len() > crate::limits::REF_NAME;
                    if !long && (below.starts_with(prefix) || prefix.starts_with(&below)) {
                        dirs.push((format!("{dir}/{}", entry.name), below));
                    }
                }
                FileKind::File | FileKind::Other => {}
            }
        }
    }
    Ok(())
}

/// What edits of these refs can meet: their values, and those of the names above and below them.
///
/// # Errors
/// `corrupt_store`, `io`.
pub(super) fn around<'a>(
    io: &dyn Io,
    hash_len: usize,
    names: impl Iterator<Item = &'a RefName>,
) -> Result<RefTable> {
    let mut found = Vec::new();
    for name in names {
        let text = name.as_str();
        let above = text.match_indices('/').filter_map(|(at, _)| text.get(..at)?.parse().ok());
        for name in above.chain([name.clone()]) {
            found.extend(read(io, hash_len, &name)?.map(|target| (name, target)));
        }
        found.extend(list(io, hash_len, &format!("{text}/"))?);
    }
    Ok(RefTable::from_iter(found))
}
