//! Our stores.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use irmin_benches::keys::Keys;
use irmin_benches::store::{self, Kind, Store};
use irmin_core::history::LcaLimits;
use irmin_core::tree::{FoldOptions, Visit};
use irmin_core::{CommitOptions, Merged};

use crate::side::{Edit, Result, Side, Syncs};

/// A store, and the keys as paths.
pub(crate) struct Irmin {
    store: Store,
    keys: Rc<Keys>,
    syncs: Syncs,
}

impl Irmin {
    pub(crate) fn new(kind: Kind, keys: Rc<Keys>, dir: &Path, syncs: Syncs) -> Result<Self> {
        let of_files = match syncs {
            Syncs::On => store::Syncs::On,
            Syncs::Off => store::Syncs::Off,
        };
        let store = Store::new(kind, dir, false, of_files)?;
        Ok(Irmin { store, keys, syncs })
    }

    fn options(&self) -> CommitOptions {
        let options = CommitOptions::new("bench");
        if self.syncs == Syncs::On { options } else { options.relaxed() }
    }
}

impl Side for Irmin {
    fn name(&self) -> &'static str {
        self.store.kind.name()
    }

    fn fill(&mut self, edits: &[Edit]) -> Result<()> {
        self.commit("main", edits)
    }

    fn fork(&mut self, branch: &str) -> Result<()> {
        self.store.main()?.fork(branch)?;
        Ok(())
    }

    fn commit(&mut self, branch: &str, edits: &[Edit]) -> Result<()> {
        self.store.repo.branch(branch)?.transaction(self.options(), |tree| {
            edits.iter().try_for_each(|(i, value)| tree.set(self.keys.path(*i), value.clone()))
        })?;
        Ok(())
    }

    fn files(&self) -> Option<PathBuf> {
        self.store.dir()
    }

    fn list(&mut self) -> Result<Option<usize>> {
        Ok(Some(self.store.main()?.list("")?.len()))
    }

    fn fold(&mut self) -> Result<Option<usize>> {
        let mut found = 0;
        self.store.main()?.tree()?.fold(FoldOptions::default(), |visit| {
            if let Visit::Leaf(_, leaf) = visit {
                found += usize::from(leaf.value()?.is_some_and(|value| !value.is_empty()));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(Some(found))
    }

    fn last_modified(&mut self, branch: &str, picks: &[usize]) -> Result<Option<usize>> {
        let paths = self.keys.paths_of(picks);
        let branch = self.store.repo.branch(branch)?;
        let found = branch.last_modified_many(&paths, Some(1), None)?;
        let commits: HashSet<_> =
            found.iter().map(|last| last.first().map(irmin_core::Commit::id)).collect();
        Ok(Some(commits.len()))
    }

    fn get(&mut self, picks: &[usize]) -> Result<Option<usize>> {
        let tree = self.store.main()?.tree()?;
        let mut found = 0;
        for index in picks {
            found += usize::from(tree.get(self.keys.path(*index))?.is_some());
        }
        Ok(Some(found))
    }

    fn diff(&mut self, branch: &str) -> Result<usize> {
        let theirs = self.store.repo.branch(branch)?.tree()?;
        Ok(self.store.main()?.tree()?.diff(&theirs)?.len())
    }

    fn merge(&mut self, ours: &str, theirs: &str) -> Result<()> {
        let theirs = self.store.repo.branch(theirs)?.head()?.ok_or("a branch without commits")?;
        let ours = self.store.repo.branch(ours)?;
        match ours.merge_commit(&theirs, LcaLimits::default(), self.options())? {
            Merged::Created(_) => Ok(()),
            other => Err(format!("the sides change different keys: {other:?}").into()),
        }
    }

    fn walk(&mut self, branch: &str) -> Result<Option<usize>> {
        let head = self.store.repo.branch(branch)?.head()?.ok_or("a branch without commits")?;
        Ok(Some(self.store.repo.history(&[head], None)?.commits.len()))
    }

    fn bases(&mut self, ours: &str, theirs: &str) -> Result<Option<usize>> {
        let theirs = self.store.repo.branch(theirs)?.head()?.ok_or("a branch without commits")?;
        let ours = self.store.repo.branch(ours)?;
        Ok(Some(ours.lcas(&theirs, LcaLimits::default())?.len()))
    }
}
