//! Tags: names of commits that do not move by themselves.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use bytes::Bytes;

use super::publish::note;
use super::{Commit, CommitOptions, Repo};
use crate::backend::{Batch, Expected, Published, RefEdit, Target, View, resolve_ref};
use crate::contents::Contents;
use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::id::Key;
use crate::name::{RefName, TAGS, TagName};
use crate::object::{Kind, Object, TagData};
use crate::tree::Store;

/// How many tags may stand one behind another.
const MAX_PEEL: usize = 16;

/// How a tag is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TagForm {
    /// As a name, and nothing else.
    #[default]
    Light,
    /// With an object of its own that says who, when and why: in the Git layout only.
    Annotated,
}

/// A tag, and what it is a tag of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tag {
    /// Its name.
    pub name: TagName,
    /// What the name stands for: the object of an annotated tag, or the target itself.
    pub id: Hash,
    /// What is tagged, behind all annotations.
    pub target: Hash,
    /// What that is: a commit, unless git tagged something else.
    pub kind: Kind,
    /// What an annotated tag says.
    pub annotation: Option<TagData>,
}

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
        self.write_tag(name, commit, TagForm::Light, None, options).map(|_| ())
    }

    /// Tags a commit in either form, in place of a tag that is still at `expected`, and says what
    /// the tag names now: the commit, or the tag object, whose message is that of the options.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use irmin_core::{Context, Format, FormatSpec, Repo, TagForm, backend::MemoryBackend};
    /// # let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
    /// # let repo = Repo::new(backend, Context::new("ann <ann@example.org>", || 1_000))?;
    /// let head = repo.main()?.set("a", "1", "first")?.unwrap();
    /// let old = repo.write_tag("v1", &head, TagForm::Annotated, None, "the first\n")?;
    /// assert_eq!(repo.tag("v1")?.unwrap(), head);
    /// let tag = repo.read_tag("v1")?.unwrap();
    /// assert_eq!(tag.annotation.unwrap().message, "the first\n");
    /// repo.write_tag("v1", &head, TagForm::Light, Some(old), "without a message")?;
    /// # Ok::<(), irmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_name`, `precondition_failed` if the tag is not as expected, `unrepresentable` for
    /// an annotated tag in a format without such, `invalid_value` for a name or date that it
    /// cannot hold, `payload_too_large` for a message over the limit, and those of writing.
    pub fn write_tag(
        &self,
        name: &str,
        commit: &Commit<C>,
        form: TagForm,
        expected: Option<Hash>,
        options: impl Into<CommitOptions>,
    ) -> Result<Hash> {
        let tag: TagName = name.parse()?;
        let options = options.into();
        let info = options.to_info(self.context());
        let key = self.main()?.own(Some(commit))?.unwrap_or(commit.key());
        let mut objects = Vec::new();
        let mut new = key;
        if form == TagForm::Annotated {
            let most = self.limits().message;
            if info.message.len() > most {
                let bytes = info.message.len();
                let why = format!("{bytes} bytes in the message of a tag are over {most}");
                return Err(Error::new(Code::PayloadTooLarge, why));
            }
            let object = self.format().tag(&TagData {
                target: key,
                kind: Kind::Commit,
                name: Bytes::copy_from_slice(tag.as_str().as_bytes()),
                tagger: Some(info.author.clone()),
                message: info.message.clone(),
            })?;
            new = Key::from(object.id);
            objects.push(object);
        }
        let edit = RefEdit {
            name: tag.to_ref(),
            expected: expected
                .map_or(Expected::Absent, |hash| Expected::Is(Target::Object(hash.into()))),
            new: Some(Target::Object(new)),
        };
        let (durability, note) = (options.durability, note(&info));
        self.edit_tag(Batch { objects, edits: vec![edit], durability, note })?;
        Ok(new.hash)
    }

    /// What there is to know of a tag, whatever it is a tag of.
    ///
    /// # Errors
    /// `invalid_name`, and those of reading.
    pub fn read_tag(&self, name: &str) -> Result<Option<Tag>> {
        let name: TagName = name.parse()?;
        let store = self.pinned()?;
        let (_, key) = resolve_ref(&**self.backend(), &name.to_ref(), View::Durable)?;
        let Some(key) = key else { return Ok(None) };
        let (target, object) = self.peel(&store, &name.to_ref(), key)?;
        let annotation = match store.objects(&[key])?.pop().filter(|o| o.kind == Kind::Tag) {
            Some(outer) => Some(store.layout().decode_tag(&outer)?),
            None => None,
        };
        Ok(Some(Tag { name, id: key.hash, target: target.hash, kind: object.kind, annotation }))
    }

    /// Removes a tag.
    ///
    /// # Errors
    /// `invalid_name`, `not_found` if there is no such tag, and those of writing.
    pub fn remove_tag(&self, name: &str, options: impl Into<CommitOptions>) -> Result<()> {
        let tag: TagName = name.parse()?;
        let Some(old) = self.backend().read_ref(&tag.to_ref(), View::Tip)? else {
            return Err(Error::new(Code::NotFound, format!("tag `{name}` does not exist")));
        };
        let edit = RefEdit { name: tag.to_ref(), expected: Expected::Is(old), new: None };
        let options = options.into();
        let (durability, note) = (options.durability, note(&options.to_info(self.context())));
        self.edit_tag(Batch { edits: vec![edit], durability, note, ..Batch::default() })
    }

    fn edit_tag(&self, batch: Batch) -> Result<()> {
        match self.backend().publish(batch)? {
            Published::Done { .. } => Ok(()),
            Published::Lost { name, .. } => {
                let why = format!("`{name}` is not as expected: it exists, or it moved");
                Err(Error::new(Code::PreconditionFailed, why))
            }
        }
    }

    /// The commit that a ref names, through symbolic refs and annotated tags.
    pub(crate) fn commit_of_ref(&self, name: &RefName) -> Result<Option<Commit<C>>> {
        let store = self.pinned()?;
        let (_, key) = resolve_ref(&**self.backend(), name, View::Durable)?;
        let Some(key) = key else { return Ok(None) };
        match self.peel(&store, name, key)? {
            (key, object) if object.kind == Kind::Commit => {
                Commit::decode(&store, key, &object).map(Some)
            }
            // Git tags anything: a public key, say.
            (_, object) => {
                let why = format!("`{name}` names a {}, not a commit", object.kind);
                Err(Error::new(Code::InvalidRevision, why))
            }
        }
    }

    /// What is behind the annotated tags that a ref names.
    fn peel(&self, store: &Store, name: &RefName, mut key: Key) -> Result<(Key, Object)> {
        for _ in 0..MAX_PEEL {
            let object = store.objects(&[key])?.pop();
            let object = object.ok_or_else(|| Error::missing_objects(vec![key]))?;
            if object.kind != Kind::Tag {
                return Ok((key, object));
            }
            let target = store.layout().children(&object)?.pop();
            key = target.map_or(Key::from(object.id), |(_, child)| child.key);
        }
        let why = format!("`{name}` is a tag of a tag of more than {MAX_PEEL} tags");
        Err(Error::new(Code::CorruptStore, why))
    }
}
