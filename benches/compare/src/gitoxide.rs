//! gix: loose objects, and the cache for objects that its documentation advises, as large as ours.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use gix::ObjectId;
use gix::actor::SignatureRef;
use gix::objs::tree::EntryKind;
use irmin_benches::store::CACHE;
use tempfile::TempDir;

use crate::side::{Edit, Result, Side};

pub(crate) struct Gitoxide {
    repo: gix::Repository,
    names: Rc<Vec<String>>,
    // Removed with the repository.
    dir: TempDir,
}

impl Gitoxide {
    pub(crate) fn new(names: Rc<Vec<String>>, dir: &Path) -> Result<Self> {
        let dir = tempfile::tempdir_in(dir)?;
        gix::init_bare(dir.path())?;
        let mut repo = gix::open_opts(dir.path(), gix::open::Options::isolated())?;
        repo.object_cache_size(CACHE);
        Ok(Gitoxide { repo, names, dir })
    }

    fn head(&self, branch: &str) -> Result<ObjectId> {
        Ok(self.repo.find_reference(&format!("refs/heads/{branch}"))?.id().detach())
    }

    fn tree(&self, branch: &str) -> Result<gix::Tree<'_>> {
        Ok(self.repo.find_commit(self.head(branch)?)?.tree()?)
    }

    fn write(&self, branch: &str, tree: ObjectId, parents: &[ObjectId]) -> Result<()> {
        let (name, email) = ("bench".into(), "bench@example.com".into());
        let who = SignatureRef { name, email, time: "1700000000 +0000" };
        let name = format!("refs/heads/{branch}");
        self.repo.commit_as(who, who, name, "bench", tree, parents.iter().copied())?;
        Ok(())
    }

    fn update(&self, tree: ObjectId, edits: &[Edit]) -> Result<ObjectId> {
        let mut editor = self.repo.edit_tree(tree)?;
        for (index, value) in edits {
            let blob = self.repo.write_blob(value)?;
            editor.upsert(self.names[*index].as_str(), EntryKind::Blob, blob)?;
        }
        Ok(editor.write()?.detach())
    }
}

impl Side for Gitoxide {
    fn name(&self) -> &'static str {
        "gix"
    }

    fn fill(&mut self, edits: &[Edit]) -> Result<()> {
        let empty = self.repo.empty_tree().id().detach();
        self.write("main", self.update(empty, edits)?, &[])
    }

    fn fork(&mut self, branch: &str) -> Result<()> {
        let any = gix::refs::transaction::PreviousValue::Any;
        let name = format!("refs/heads/{branch}");
        self.repo.reference(name, self.head("main")?, any, "fork")?;
        Ok(())
    }

    fn commit(&mut self, branch: &str, edits: &[Edit]) -> Result<()> {
        let tree = self.update(self.tree(branch)?.id().detach(), edits)?;
        self.write(branch, tree, &[self.head(branch)?])
    }

    fn files(&self) -> Option<PathBuf> {
        Some(self.dir.path().to_owned())
    }

    fn list(&mut self) -> Result<Option<usize>> {
        let (tree, mut found) = (self.tree("main")?, 0);
        for entry in tree.iter() {
            found += usize::from(!entry?.filename().is_empty());
        }
        Ok(Some(found))
    }

    fn fold(&mut self) -> Result<Option<usize>> {
        let mut found = 0;
        for entry in self.tree("main")?.traverse().breadthfirst.files()? {
            if entry.mode.is_blob() {
                found += usize::from(!self.repo.find_object(entry.oid)?.data.is_empty());
            }
        }
        Ok(Some(found))
    }

    fn last_modified(&mut self, branch: &str, picks: &[usize]) -> Result<Option<usize>> {
        let mut wanted: HashSet<&[u8]> = picks.iter().map(|i| self.names[*i].as_bytes()).collect();
        let main = self.head("main")?;
        let mut commits = 0;
        for info in self.repo.rev_walk([self.head(branch)?]).with_hidden([main]).all()? {
            if wanted.is_empty() {
                break;
            }
            let commit = info?.object()?;
            let parent = commit.parent_ids().next().ok_or("a lost parent")?.object()?;
            let (old, new) = (parent.into_commit().tree()?, commit.tree()?);
            let options = gix::diff::Options::default();
            let changes = self.repo.diff_tree_to_tree(&old, &new, options)?;
            let last = changes.iter().filter(|change| wanted.remove(&**change.location())).count();
            commits += usize::from(last > 0);
        }
        if wanted.is_empty() { Ok(Some(commits)) } else { Err("a lost key".into()) }
    }

    fn get(&mut self, picks: &[usize]) -> Result<Option<usize>> {
        let tree = self.tree("main")?;
        let mut found = 0;
        for index in picks {
            let entry = tree.lookup_entry(self.names[*index].split('/'))?.ok_or("a lost key")?;
            found += usize::from(!entry.object()?.data.is_empty());
        }
        Ok(Some(found))
    }

    fn diff(&mut self, branch: &str) -> Result<usize> {
        let (ours, theirs) = (self.tree("main")?, self.tree(branch)?);
        // Nothing is renamed, and finding that out would be asking more of it than of the others.
        let options = gix::diff::Options::default();
        let changes = self.repo.diff_tree_to_tree(&ours, &theirs, options)?;
        Ok(changes.iter().filter(|change| !change.entry_mode().is_tree()).count())
    }

    fn merge(&mut self, ours: &str, theirs: &str) -> Result<()> {
        let (left, right) = (self.head(ours)?, self.head(theirs)?);
        let options = self.repo.tree_merge_options()?.with_rewrites(None);
        let merged = self.repo.merge_commits(left, right, Default::default(), options.into())?;
        let mut merged = merged.tree_merge;
        if !merged.conflicts.is_empty() {
            return Err("the sides change different keys".into());
        }
        self.write(ours, merged.tree.write()?.detach(), &[left, right])
    }

    fn walk(&mut self, branch: &str) -> Result<Option<usize>> {
        let mut commits = 0;
        for info in self.repo.rev_walk([self.head(branch)?]).all()? {
            info?;
            commits += 1;
        }
        Ok(Some(commits))
    }

    fn bases(&mut self, ours: &str, theirs: &str) -> Result<Option<usize>> {
        let (ours, theirs) = (self.head(ours)?, self.head(theirs)?);
        Ok(Some(self.repo.merge_bases_many(ours, &[theirs])?.len()))
    }
}
