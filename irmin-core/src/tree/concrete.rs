//! Trees as plain data.

use alloc::collections::BTreeMap;
use core::ops::ControlFlow;

use bytes::Bytes;

use super::{FoldOptions, Tree, Visit};
use crate::contents::Contents;
use crate::error::{Code, Error, Result};
use crate::object::Metadata;
use crate::path::Path;

/// A tree as plain data: every value by its path.
///
/// Directories are where paths say so, and so cannot be empty. Opaque entries are left out.
///
/// ```
/// use irmin_core::Tree;
/// let mut tree: Tree = Tree::empty();
/// tree.set("a/b", "1")?;
/// let concrete = tree.to_concrete()?;
/// assert_eq!(concrete.keys().map(|p| p.to_string()).collect::<Vec<_>>(), ["a/b"]);
/// assert!(Tree::of_concrete(concrete)?.same(&tree)?);
/// # Ok::<(), irmin_core::Error>(())
/// ```
pub type Concrete<C = Bytes> = BTreeMap<Path, (C, Metadata)>;

impl<C: Contents> Tree<C> {
    /// All values of the tree, in memory.
    ///
    /// # Errors
    /// `invalid_value` for values of another type, and those of reading.
    pub fn to_concrete(&self) -> Result<Concrete<C>> {
        let mut concrete = BTreeMap::new();
        self.fold(FoldOptions::default(), |visit| {
            if let Visit::Leaf(path, leaf) = visit {
                let value = leaf.value().map_err(|e| e.context(format_args!("`{path}`")))?;
                if let Some(value) = value {
                    concrete.insert(path.clone(), (value, leaf.metadata().unwrap_or_default()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(concrete)
    }

    /// The tree with these values.
    ///
    /// # Errors
    /// `invalid_path` if one path is inside another one, `invalid_argument` if one is the root, and
    /// as [`Tree::set_with`].
    pub fn of_concrete(concrete: Concrete<C>) -> Result<Self> {
        let mut tree = Tree::empty();
        let mut last: Option<Path> = None;
        for (path, (value, metadata)) in concrete {
            // In order of paths a value comes right before what would be inside it.
            if let Some(outer) = last.filter(|last| path.strip_prefix(last).is_some()) {
                let why = alloc::format!("`{path}` is inside the value `{outer}`");
                return Err(Error::new(Code::InvalidPath, why));
            }
            tree.set_with(&path, value, metadata)?;
            last = Some(path);
        }
        Ok(tree)
    }
}
