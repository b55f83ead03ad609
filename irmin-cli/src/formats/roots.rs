//! What histories are exported from: the refs, and the commits that they are put on.

use irmin_core::backend::Target as Backed;
use irmin_core::{Commit, CommitId, Contents, Hash, Kind, RefName, Repo, TagData, TagName};

use crate::exit::Outcome;

/// Where git keeps notes, which are histories of their own.
const NOTES: &str = "refs/notes/";

/// What was written.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) commits: u64,
    pub(crate) values: u64,
    pub(crate) tags: u64,
    pub(crate) refs: Vec<String>,
    /// Tags that a stream has no form for.
    pub(crate) skipped: Vec<String>,
    /// Commits with more than a stream has a place for: their hashes will be others.
    pub(crate) changed: Vec<CommitId>,
}

/// A ref and the commit that it is put on.
pub(crate) struct Target {
    pub(crate) name: RefName,
    pub(crate) commit: CommitId,
}

/// A tag with an object of its own.
pub(crate) struct Annotated {
    pub(crate) name: TagName,
    pub(crate) id: Hash,
    pub(crate) commit: CommitId,
    pub(crate) said: TagData,
}

/// What a stream of histories begins at.
pub(crate) struct Roots<C> {
    pub(crate) refs: Vec<Target>,
    pub(crate) tags: Vec<Annotated>,
    pub(crate) heads: Vec<Commit<C>>,
    /// Tags that a stream has no form for.
    pub(crate) skipped: Vec<String>,
}

impl<C: Contents> Roots<C> {
    /// All branches, tags and notes, or one commit as a branch.
    pub(crate) fn of(repo: &Repo<C>, one: Option<(RefName, Commit<C>)>) -> Outcome<Self> {
        let mut roots =
            Roots { refs: Vec::new(), tags: Vec::new(), heads: Vec::new(), skipped: Vec::new() };
        if let Some((name, commit)) = one {
            roots.put(name, commit);
            return Ok(roots);
        }
        for name in repo.branches()? {
            if let Some(head) = repo.branch(name.as_str())?.head()? {
                roots.put(name.to_ref(), head);
            }
        }
        for (name, target) in repo.backend().refs(NOTES)? {
            // One that stands for another ref says what that one says.
            let Backed::Object(key) = target else { continue };
            if let Some(commit) = repo.commit(CommitId::from(key.hash))? {
                roots.put(name, commit);
            }
        }
        for name in repo.tags()? {
            roots.tag(repo, name)?;
        }
        Ok(roots)
    }

    fn put(&mut self, name: RefName, commit: Commit<C>) {
        self.refs.push(Target { name, commit: commit.id() });
        self.heads.push(commit);
    }

    fn tag(&mut self, repo: &Repo<C>, name: TagName) -> Outcome<()> {
        let Some(tag) = repo.read_tag(name.as_str())? else { return Ok(()) };
        // A tag of a tag would need the one in between, which has no name here.
        let once = tag.annotation.as_ref().is_none_or(|said| said.target.hash == tag.target);
        if tag.kind != Kind::Commit || !once {
            self.skipped.push(name.to_ref().to_string());
            return Ok(());
        }
        let Some(commit) = repo.tag(name.as_str())? else { return Ok(()) };
        match tag.annotation {
            None => self.put(name.to_ref(), commit),
            Some(said) => {
                self.tags.push(Annotated { name, id: tag.id, commit: commit.id(), said });
                self.heads.push(commit);
            }
        }
        Ok(())
    }
}
