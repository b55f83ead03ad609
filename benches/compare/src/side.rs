//! What every program and library is asked to do.

use std::error::Error;
use std::path::PathBuf;

use irmin_benches::keys::{Keys, value};
use irmin_core::Bytes;

/// Whatever goes wrong ends the run.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A key by its index, and the value that it gets.
pub(crate) type Edit = (usize, Bytes);

/// Whether what is committed survives a loss of power.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Syncs {
    /// It does.
    On,
    /// It need not: libraries do not sync by default, and so the git command and ours are told not
    /// to either.
    Off,
}

/// Something with branches of keys and values.
pub(crate) trait Side {
    /// Its name in what is printed.
    fn name(&self) -> &'static str;

    /// The part of the calls that are made of something cheap: those of a program that starts
    /// processes would take minutes.
    fn fewer(&self) -> usize {
        1
    }

    /// Writes all keys, in their order, in one commit of `main`.
    fn fill(&mut self, edits: &[Edit]) -> Result<()>;

    /// Makes a branch at `main`.
    fn fork(&mut self, branch: &str) -> Result<()>;

    /// Sets keys in one commit on a branch.
    fn commit(&mut self, branch: &str, edits: &[Edit]) -> Result<()>;

    /// Makes commits on a branch, one after the other.
    fn history(&mut self, branch: &str, commits: &[Vec<Edit>]) -> Result<()> {
        commits.iter().try_for_each(|edits| self.commit(branch, edits))
    }

    /// Where its files are, if it has any.
    fn files(&self) -> Option<PathBuf> {
        None
    }

    /// How many of these keys `main` has; none if it cannot say without being another program.
    fn get(&mut self, picks: &[usize]) -> Result<Option<usize>>;

    /// How many keys differ between `main` and a branch.
    fn diff(&mut self, branch: &str) -> Result<usize>;

    /// Merges a branch into another one, both of which were forked from `main`.
    fn merge(&mut self, ours: &str, theirs: &str) -> Result<()>;

    /// How many names the root of `main` has; none if there are no directories.
    fn list(&mut self) -> Result<Option<usize>> {
        Ok(None)
    }

    /// How many keys `main` has, of which it reads all values; none if it cannot read them all.
    fn fold(&mut self) -> Result<Option<usize>> {
        Ok(None)
    }

    /// How many commits of a branch, since `main`, were the last to change any of these keys, each
    /// of which one changed; none if there are no commits.
    fn last_modified(&mut self, _branch: &str, _picks: &[usize]) -> Result<Option<usize>> {
        Ok(None)
    }

    /// How many commits a branch reaches; none if there are no commits.
    fn walk(&mut self, _branch: &str) -> Result<Option<usize>> {
        Ok(None)
    }

    /// How many best common ancestors two branches have; none if there are no commits.
    fn bases(&mut self, _ours: &str, _theirs: &str) -> Result<Option<usize>> {
        Ok(None)
    }
}

/// Edits of some keys.
pub(crate) fn edits(indices: &[usize], version: usize) -> Vec<Edit> {
    indices.iter().map(|index| (*index, value(*index, version))).collect()
}

/// The keys as text.
pub(crate) fn names(keys: &Keys) -> Vec<String> {
    (0..keys.len()).map(|index| keys.shape.key(index, keys.len())).collect()
}
