//! Bounds of walks: few objects can unfold to any number of paths.

use alloc::format;
use alloc::sync::Arc;

use super::store::Store;
use crate::error::{Code, Error, Result};
use crate::limits;
use crate::path::Path;

/// What one walk has met so far.
///
/// It counts entries, not objects: ten directories of ten names each, every name standing for the
/// next one, are ten objects and ten milliard paths.
#[derive(Default)]
pub(crate) struct Visits(usize);

impl Visits {
    /// Counts entries that were met in a store.
    pub(crate) fn add(&mut self, store: Option<&Arc<Store>>, entries: usize) -> Result<()> {
        self.0 = self.0.saturating_add(entries);
        match store.map(|store| store.limits().visits) {
            Some(limit) if self.0 > limit => {
                let what = format!(
                    "more than {limit} entries in one walk of a tree: \
                     walk a part of it, or raise the limit"
                );
                Err(Error::new(Code::LimitReached, what))
            }
            _ => Ok(()),
        }
    }
}

/// Refuses to follow stored names without end: a walk holds the path of every directory above.
pub(crate) fn check_path(path: &Path, depth: usize) -> Result<()> {
    let over = |what| Err(Error::new(Code::PayloadTooLarge, what));
    if path.as_bytes().len() > limits::READ_PATH {
        let shown = path.as_bytes().get(..40).unwrap_or_default().escape_ascii();
        return over(format!("path `{shown}…` has more than {} bytes", limits::READ_PATH));
    }
    if depth > limits::READ_DEPTH {
        let shown = path.as_bytes().get(..40).unwrap_or_default().escape_ascii();
        return over(format!("`{shown}…` is deeper than {} directories", limits::READ_DEPTH));
    }
    Ok(())
}
