//! Trees of git as lists of files: what differs between two, and the one that an index stands for.

use std::collections::{BTreeMap, BTreeSet};

use gix::ObjectId;
use irmin_core::{HashFunction, limits};

use crate::exit::Failure;

/// A file as a tree or an index has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The mode of git: 0o100644, 0o100755, 0o120000 for a link, 0o160000 for a submodule.
    pub(super) mode: u32,
    pub(super) id: ObjectId,
}

/// The mode of a directory.
const DIR: u32 = 0o040_000;
/// The mode of a submodule.
pub(super) const SUBMODULE: u32 = 0o160_000;
/// The mode of a link.
pub(super) const LINK: u32 = 0o120_000;
/// The mode of an executable.
pub(super) const EXEC: u32 = 0o100_755;

/// What is at each path before and after.
pub(super) type Changes = BTreeMap<Vec<u8>, (Option<Entry>, Option<Entry>)>;

/// The entries of one directory.
type Names = BTreeMap<Vec<u8>, Entry>;

/// What differs between two trees; an absent one is empty. Equal directories are not read.
pub(super) fn diff(
    git: &gix::Repository,
    old: Option<ObjectId>,
    new: Option<ObjectId>,
) -> Result<Changes, Failure> {
    let mut changes = Changes::new();
    let mut todo = vec![(Vec::new(), old, new)];
    while let Some((prefix, old, new)) = todo.pop() {
        if old == new {
            continue;
        }
        let (old, new) = (read(git, old)?, read(git, new)?);
        let names: BTreeSet<&Vec<u8>> = old.keys().chain(new.keys()).collect();
        for name in names {
            let (a, b) = (old.get(name).copied(), new.get(name).copied());
            if a == b {
                continue;
            }
            let path = if prefix.is_empty() { name.clone() } else { join(&prefix, name) };
            if path.len() > limits::READ_PATH {
                return Err(Failure::usage("a path of the tree is too long to be a file"));
            }
            let leaf = |entry: Option<Entry>| entry.filter(|entry| entry.mode != DIR);
            let dir = |entry: Option<Entry>| entry.filter(|e| e.mode == DIR).map(|e| e.id);
            if leaf(a) != leaf(b) {
                changes.insert(path.clone(), (leaf(a), leaf(b)));
            }
            if dir(a) != dir(b) {
                todo.push((path, dir(a), dir(b)));
            }
        }
    }
    Ok(changes)
}

fn join(prefix: &[u8], name: &[u8]) -> Vec<u8> {
    [prefix, b"/", name].concat()
}

fn read(git: &gix::Repository, id: Option<ObjectId>) -> Result<Names, Failure> {
    let Some(id) = id else { return Ok(Names::new()) };
    let object = git.find_object(id).map_err(|e| super::git_failure("a directory", &e))?;
    let mut names = Names::new();
    for entry in gix::objs::TreeRefIter::from_bytes(&object.data, id.kind()) {
        let entry = entry.map_err(|e| super::git_failure("a directory", &e))?;
        let mode = match u32::from(entry.mode.value()) {
            // Old programs wrote other permissions; only one bit of them counts.
            mode if mode & 0o170_000 == 0o100_000 && mode & 0o100 != 0 => EXEC,
            mode if mode & 0o170_000 == 0o100_000 => 0o100_644,
            mode => mode,
        };
        names.insert(entry.filename.to_vec(), Entry { mode, id: entry.oid.to_owned() });
    }
    Ok(names)
}

/// The id of the tree that these files make, which come in the order of an index.
///
/// That order is the one of git's trees: a directory sorts as if its name ended with `/`.
pub(super) fn tree_id<'a>(files: impl Iterator<Item = (&'a [u8], Entry)>) -> Option<ObjectId> {
    // The directories that are open, with the bytes of their trees so far; the root is first.
    let mut open: Vec<(&[u8], Vec<u8>)> = vec![(b"", Vec::new())];
    for (path, entry) in files {
        let mut steps: Vec<&[u8]> = path.split(|b| *b == b'/').collect();
        let name = steps.pop()?;
        let same = open.iter().skip(1).zip(&steps).take_while(|((a, _), b)| a == *b).count();
        while open.len() > same + 1 {
            close(&mut open)?;
        }
        open.extend(steps.iter().skip(same).map(|step| (*step, Vec::new())));
        put(&mut open.last_mut()?.1, name, entry);
    }
    while open.len() > 1 {
        close(&mut open)?;
    }
    hash("tree", &open.first()?.1)
}

fn close(open: &mut Vec<(&[u8], Vec<u8>)>) -> Option<()> {
    let (name, tree) = open.pop()?;
    let id = hash("tree", &tree)?;
    put(&mut open.last_mut()?.1, name, Entry { mode: DIR, id });
    Some(())
}

fn put(tree: &mut Vec<u8>, name: &[u8], entry: Entry) {
    tree.extend_from_slice(format!("{:o} ", entry.mode).as_bytes());
    tree.extend_from_slice(name);
    tree.push(0);
    tree.extend_from_slice(entry.id.as_slice());
}

/// The id of an object of git with this content.
pub(super) fn hash(kind: &str, content: &[u8]) -> Option<ObjectId> {
    let mut hasher = HashFunction::Sha1.hasher();
    hasher.update(format!("{kind} {}\0", content.len()).as_bytes());
    hasher.update(content);
    ObjectId::try_from(hasher.finish().as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_are_gits() {
        let empty = tree_id(std::iter::empty()).unwrap();
        assert_eq!(empty.to_string(), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
        let id = hash("blob", b"hello\n").unwrap();
        assert_eq!(id.to_string(), "ce013625030ba8dba906f756967f9e9ca394464a");
        // What `git write-tree` says of an index with these files, in its order.
        let files = ["a-b", "a/b/c", "a/b/d", "a/e", "a0", "z/x/y"];
        let entry = Entry { mode: 0o100_644, id };
        let tree = tree_id(files.iter().map(|name| (name.as_bytes(), entry))).unwrap();
        assert_eq!(tree.to_string(), "2a7057a0a6060fe12328e8157f9642cd21600136");
    }
}
