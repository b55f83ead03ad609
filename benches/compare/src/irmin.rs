//! Our stores.

use std::path::Path;
use std::rc::Rc;

use irmin_benches::keys::Keys;
use irmin_benches::store::{Kind, Store, Syncs};
use irmin_core::history::LcaLimits;
use irmin_core::{CommitOptions, Merged};

use crate::side::{Edit, Result, Side};

/// A store, and the keys as paths.
pub(crate) struct Irmin {
    store: Store,
    keys: Rc<Keys>,
}

impl Irmin {
    pub(crate) fn new(kind: Kind, keys: Rc<Keys>, dir: &Path) -> Result<Self> {
        let store = Store::new(kind, dir, false, Syncs::Off)?;
        Ok(Irmin { store, keys })
    }
}

fn relaxed() -> CommitOptions {
    CommitOptions::new("bench").relaxed()
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
        self.store.repo.branch(branch)?.transaction(relaxed(), |tree| {
            edits.iter().try_for_each(|(i, value)| tree.set(self.keys.path(*i), value.clone()))
        })?;
        Ok(())
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
        match ours.merge_commit(&theirs, LcaLimits::default(), relaxed())? {
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
