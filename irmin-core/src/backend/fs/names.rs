//! Where things are: the original's names, and beside them ours.

use alloc::format;
use alloc::string::{String, ToString};

use crate::hash::Hash;
use crate::name::{HEADS, RefName};

/// The branches, as the original names them.
pub(super) const REFS: &str = "refs";
/// The values, directories and commits, as the original names them.
pub(super) const OBJECTS: &str = "objects";
/// What is not finished.
pub(super) const TEMPS: &str = "tmp";
/// The locks of refs.
pub(super) const LOCKS: &str = "lock";
/// All that the original does not know: it never looks in here.
pub(super) const OURS: &str = "irmin";
/// The refs that are no branches, in full.
pub(super) const OUR_REFS: &str = "irmin/refs";
/// The objects that the original has no place for.
pub(super) const OUR_OBJECTS: &str = "irmin/objects";
/// The files that tell which handles are alive.
pub(super) const OWNERS: &str = "irmin/owners";
/// The lock under which objects get their names.
pub(super) const NAMING: &str = "irmin/naming";
/// The lock under which stores are made, handles come and leftovers go.
pub(super) const GATE: &str = "irmin/lock";

/// The file of an object that the original reads too.
pub(super) fn object(hash: &Hash) -> String {
    sharded(OBJECTS, hash)
}

/// The file of an object that only we read.
pub(super) fn our_object(hash: &Hash) -> String {
    sharded(OUR_OBJECTS, hash)
}

fn sharded(dir: &str, hash: &Hash) -> String {
    let digits = hash.to_string();
    let (shard, rest) = digits.split_at_checked(2).unwrap_or((&digits, ""));
    format!("{dir}/{shard}/{rest}")
}

/// The file of a branch that stands for a commit: the original's.
pub(super) fn branch(name: &RefName) -> Option<String> {
    name.as_str().strip_prefix(HEADS).map(|short| format!("{REFS}/{short}"))
}

/// The file of any other ref, and of a branch that stands for another ref.
pub(super) fn our_ref(name: &RefName) -> String {
    format!("{OURS}/{name}")
}

/// The lock of a ref: for a branch, the original's.
pub(super) fn lock(name: &RefName) -> String {
    format!("{LOCKS}/{}", branch(name).unwrap_or_else(|| our_ref(name)))
}
