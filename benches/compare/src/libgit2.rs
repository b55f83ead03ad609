//! libgit2, through git2: loose objects, as it writes them by default.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, ObjectType, Oid, Repository, Signature, Time, TreeWalkMode, TreeWalkResult};
use tempfile::TempDir;

use crate::side::{Edit, Result, Side, Syncs};

pub(crate) struct Libgit2 {
    repo: Repository,
    names: Rc<Vec<String>>,
    syncs: Syncs,
    // Removed with the repository.
    dir: TempDir,
}

impl Libgit2 {
    pub(crate) fn new(names: Rc<Vec<String>>, dir: &Path, syncs: Syncs) -> Result<Self> {
        let dir = tempfile::tempdir_in(dir)?;
        let repo = Repository::init_bare(dir.path())?;
        Ok(Libgit2 { repo, names, syncs, dir })
    }

    fn head(&self, branch: &str) -> Result<git2::Commit<'_>> {
        Ok(self.repo.find_reference(&format!("refs/heads/{branch}"))?.peel_to_commit()?)
    }

    fn write(&self, branch: &str, tree: Oid, parents: &[&git2::Commit<'_>]) -> Result<()> {
        let who = Signature::new("bench", "bench@example.com", &Time::new(1_700_000_000, 0))?;
        let (name, tree) = (format!("refs/heads/{branch}"), self.repo.find_tree(tree)?);
        self.repo.commit(Some(&name), &who, &who, "bench", &tree, parents)?;
        Ok(())
    }

    fn update(&self, tree: &git2::Tree<'_>, edits: &[Edit]) -> Result<Oid> {
        let mut update = TreeUpdateBuilder::new();
        for (index, value) in edits {
            update.upsert(&*self.names[*index], self.repo.blob(value)?, FileMode::Blob);
        }
        Ok(update.create_updated(&self.repo, tree)?)
    }
}

impl Side for Libgit2 {
    fn name(&self) -> &'static str {
        "libgit2"
    }

    fn fill(&mut self, edits: &[Edit]) -> Result<()> {
        let empty = self.repo.find_tree(self.repo.treebuilder(None)?.write()?)?;
        self.write("main", self.update(&empty, edits)?, &[])?;
        drop(empty);
        if self.syncs == Syncs::On {
            // Objects and refs, in spite of its name; only now, since a sync of each object would
            // take minutes before anything is measured. Who is open does not look again.
            self.repo.config()?.set_bool("core.fsyncObjectFiles", true)?;
            self.repo = Repository::open_bare(self.dir.path())?;
        }
        Ok(())
    }

    fn fork(&mut self, branch: &str) -> Result<()> {
        self.repo.branch(branch, &self.head("main")?, false)?;
        Ok(())
    }

    fn commit(&mut self, branch: &str, edits: &[Edit]) -> Result<()> {
        let parent = self.head(branch)?;
        self.write(branch, self.update(&parent.tree()?, edits)?, &[&parent])
    }

    fn files(&self) -> Option<PathBuf> {
        Some(self.dir.path().to_owned())
    }

    fn list(&mut self) -> Result<Option<usize>> {
        let tree = self.head("main")?.tree()?;
        Ok(Some(
            tree.iter().filter(|entry| entry.name().is_ok_and(|name| !name.is_empty())).count(),
        ))
    }

    fn fold(&mut self) -> Result<Option<usize>> {
        let (tree, mut found) = (self.head("main")?.tree()?, 0);
        tree.walk(TreeWalkMode::PreOrder, |_, entry| {
            if entry.kind() == Some(ObjectType::Blob) {
                let blob = self.repo.find_blob(entry.id());
                found += usize::from(blob.is_ok_and(|blob| !blob.content().is_empty()));
            }
            TreeWalkResult::Ok
        })?;
        Ok(Some(found))
    }

    fn last_modified(&mut self, branch: &str, picks: &[usize]) -> Result<Option<usize>> {
        let mut wanted: HashSet<&Path> = picks.iter().map(|i| Path::new(&self.names[*i])).collect();
        let mut walk = self.repo.revwalk()?;
        walk.push(self.head(branch)?.id())?;
        walk.hide(self.head("main")?.id())?;
        let mut commits = 0;
        for id in walk {
            if wanted.is_empty() {
                break;
            }
            let commit = self.repo.find_commit(id?)?;
            let (old, new) = (commit.parent(0)?.tree()?, commit.tree()?);
            let changes = self.repo.diff_tree_to_tree(Some(&old), Some(&new), None)?;
            let mut paths =
                changes.deltas().filter_map(|delta| delta.new_file().path().map(PathBuf::from));
            let last = paths.by_ref().filter(|path| wanted.remove(&**path)).count();
            commits += usize::from(last > 0);
        }
        if wanted.is_empty() { Ok(Some(commits)) } else { Err("a lost key".into()) }
    }

    fn get(&mut self, picks: &[usize]) -> Result<Option<usize>> {
        let tree = self.head("main")?.tree()?;
        let mut found = 0;
        for index in picks {
            let entry = tree.get_path(Path::new(&self.names[*index]))?;
            found += usize::from(!self.repo.find_blob(entry.id())?.content().is_empty());
        }
        Ok(Some(found))
    }

    fn diff(&mut self, branch: &str) -> Result<usize> {
        let (ours, theirs) = (self.head("main")?.tree()?, self.head(branch)?.tree()?);
        Ok(self.repo.diff_tree_to_tree(Some(&ours), Some(&theirs), None)?.deltas().len())
    }

    fn merge(&mut self, ours: &str, theirs: &str) -> Result<()> {
        let (left, right) = (self.head(ours)?, self.head(theirs)?);
        let mut index = self.repo.merge_commits(&left, &right, None)?;
        if index.has_conflicts() {
            return Err("the sides change different keys".into());
        }
        self.write(ours, index.write_tree_to(&self.repo)?, &[&left, &right])
    }

    fn walk(&mut self, branch: &str) -> Result<Option<usize>> {
        let mut walk = self.repo.revwalk()?;
        walk.push(self.head(branch)?.id())?;
        let mut commits = 0;
        for id in walk {
            id?;
            commits += 1;
        }
        Ok(Some(commits))
    }

    fn bases(&mut self, ours: &str, theirs: &str) -> Result<Option<usize>> {
        let (ours, theirs) = (self.head(ours)?.id(), self.head(theirs)?.id());
        Ok(Some(self.repo.merge_bases(ours, theirs)?.len()))
    }
}
