//! Tags: names of commits that do not move by themselves.

use alloc::vec::Vec;

use super::publish::note;
use super::{Commit, CommitOptions, Repo};
use crate::backend::{Batch, Expected, Published, RefEdit, Target, View, resolve_ref};
use crate::contents::Contents;
use crate::error::{Code, Error, Result};
use crate::id::Key;
use crate::name::{RefName, TAGS, TagName};
use crate::object::Kind;

/// How many tags may stand one behind another.
const MAX_PEEL: usize = 16;

impl<C: Contents> Repo<C> {
    /// The tags, in order of names.
    ///
    /// # Errors
    /// Those of reading refs.
    pub fn tags(&self) -> Result<Vec<TagName>> {
        let refs = self.backend().refs(TAGS)?;
        Ok(refs.into_iter().filter_map(|(name, _)| name.tag()).collect())
    }

    /// The commit of a tag; an annotated tag is looked through.
    ///
    /// # Errors
    /// `invalid_name`, `invalid_revision` for a tag of something else, and those of reading.
    pub fn tag(&self, name: &str) -> Result<Option<Commit<C>>> {
        let name: TagName = name.parse()?;
        self.commit_of_ref(&name.to_ref())
    }

    /// Tags a commit.
    ///
    /// # Errors
    /// `invalid_name`, `precondition_failed` if there is a tag of that name, and those of writing.
    pub fn set_tag(
        &self,
        name: &str,
        commit: &Commit<C>,
        options: impl Into<CommitOptions>,
    ) -> Result<()> {
        let name: TagName = name.parse()?;
        let key = self.main()?.own(Some(commit))?;
        let new = key.map(Target::Object);
        self.edit_tag(RefEdit { name: name.to_ref(), expected: Expected::Absent, new }, options)
    }

    /// Removes a tag.
    ///
    /// # Errors
    /// `invalid_name`, `not_found` if there is no such tag, and those of writing.
    pub fn remove_tag(&self, name: &str, options: impl Into<CommitOptions>) -> Result<()> {
        let tag: TagName = name.parse()?;
        let Some(old) = self.backend().read_ref(&tag.to_ref(), View::Tip)? else {
            return Err(Error::new(Code::NotFound, alloc::format!("tag `{name}` does not exist")));
        };
        let expected = Expected::Is(old);
        self.edit_tag(RefEdit { name: tag.to_ref(), expected, new: None }, options)
    }

    fn edit_tag(&self, edit: RefEdit, options: impl Into<CommitOptions>) -> Result<()> {
        let options = options.into();
        let note = note(&options.to_info(self.context()));
        let edits = alloc::vec![edit];
        let batch = Batch { edits, durability: options.durability, note, ..Batch::default() };
        match self.backend().publish(batch)? {
            Published::Done { .. } => Ok(()),
            Published::Lost { name, .. } => {
                let why = alloc::format!("`{name}` is not as expected: it exists, or it moved");
                Err(Error::new(Code::PreconditionFailed, why))
            }
        }
    }

    /// The commit that a ref names, through symbolic refs and annotated tags.
    pub(crate) fn commit_of_ref(&self, name: &RefName) -> Result<Option<Commit<C>>> {
        let store = self.pinned()?;
        let (_, key) = resolve_ref(&**self.backend(), name, View::Durable)?;
        let Some(mut key) = key else { return Ok(None) };
        for _ in 0..MAX_PEEL {
            let object = store.objects(&[key])?.pop();
            let object = object.ok_or_else(|| Error::missing_objects(alloc::vec![key]))?;
            match object.kind {
                Kind::Tag => {
                    let target = store.layout().children(&object)?.pop();
                    key = target.map_or(Key::from(object.id), |(_, child)| child.key);
                }
                Kind::Commit => return Commit::decode(&store, key, &object).map(Some),
                // Git tags anything: a public key, say.
                kind => {
                    let why = alloc::format!("`{name}` names a {kind}, not a commit");
                    return Err(Error::new(Code::InvalidRevision, why));
                }
            }
        }
        let why = alloc::format!("`{name}` is a tag of a tag of more than {MAX_PEEL} tags");
        Err(Error::new(Code::CorruptStore, why))
    }
}
