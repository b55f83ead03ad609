//! Which commits brought the lines of a value.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use super::history::entries_at;
use super::{Commit, Repo};
use crate::contents::Contents;
use crate::error::{Code, Error, Result};
use crate::history::{self, Same};
use crate::id::Key;
use crate::object::{Entry, EntryKind};
use crate::path::IntoPath;

/// Where a line of a value is from.
#[derive(Clone, Debug)]
pub struct Blamed<C = Bytes> {
    /// The commit that brought it.
    pub commit: Commit<C>,
    /// Which line it was there, counted from 0.
    pub line: usize,
}

/// What finds the lines that an older version of a value, in the text form of its type, has in
/// common with a newer one.
pub type CompareLines<'a> = dyn FnMut(&[u8], &[u8]) -> Vec<Same> + 'a;

impl<C: Contents> Repo<C> {
    /// The commits that brought each of the `lines` lines of a value: [`history::blame`] on what
    /// is at a path. With one line, and a comparison that finds nothing, it is the commit that set
    /// the whole value.
    ///
    /// All commits behind the head are read, of their trees those that it takes, and of values the
    /// versions alone.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use irmin_core::{Context, Format, FormatSpec, Repo, backend::MemoryBackend};
    /// # let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
    /// # let repo = Repo::new(backend, Context::new("ann", || 0))?;
    /// let main = repo.main()?;
    /// main.set("a", "1", "first")?;
    /// let second = main.set("a", "2", "second")?.unwrap();
    /// let third = main.set("b", "1", "elsewhere")?.unwrap();
    /// let blamed = repo.blame(&third, "a", 1, &mut |_, _| Vec::new())?;
    /// assert_eq!(blamed[0].commit, second);
    /// # Ok::<(), irmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `not_found` if there is no value, and those of the path and of reading.
    pub fn blame(
        &self,
        head: &Commit<C>,
        path: impl IntoPath,
        lines: usize,
        compare: &mut CompareLines<'_>,
    ) -> Result<Vec<Blamed<C>>> {
        let path = path.into_path()?;
        let store = self.pinned()?;
        // Whether a version is executable is no matter of its lines.
        let value = |entry: Option<Entry>| match entry {
            Some(Entry { kind: EntryKind::Value(_), key }) => Some(key),
            _ => None,
        };
        let mut lookup = |roots: &[Key]| {
            Ok(entries_at(&store, roots, &path)?.into_iter().map(value).collect::<Vec<_>>())
        };
        if lookup(&[head.data().tree])?.pop().flatten().is_none() {
            let why = format!("there is no value at `{path}` in {}", head.id());
            return Err(Error::new(Code::NotFound, why));
        }
        let mut versions = |old: &Key, new: &Key| match store.values(&[*old, *new])?.as_slice() {
            [old, new] => Ok(compare(old, new)),
            _ => Err(Error::missing_objects(vec![*old, *new])),
        };
        let found = history::blame(&*store, head.key(), lines, &mut lookup, &mut versions)?;
        let commit = |origin: history::Origin| Blamed {
            commit: Commit::new(Arc::clone(&store), origin.commit, origin.data),
            line: origin.line,
        };
        Ok(found.into_iter().map(commit).collect())
    }
}
