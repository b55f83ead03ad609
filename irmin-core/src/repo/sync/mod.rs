//! Two repositories in one process: fetch, pull and push between any backends.
//!
//! What is to travel is found from the hashes: a commit or a directory that is here is whole, as a
//! backend takes nothing without its children, so that all below it is skipped unread. Between
//! stores of one format objects are [copied](copy) as they are; otherwise histories are
//! [translated](translate), commit by commit, and a [table](translations) keeps what became what.

mod copy;
mod tags;
mod translate;
mod translations;

use alloc::vec::Vec;

use bytes::Bytes;
use hashbrown::{HashMap, HashSet};

use super::publish::note;
use super::{Branch, Bulk, Commit, CommitOptions, Merged, Repo};
use crate::backend::{Batch, Expected, Published, RefEdit, Target, View};
use crate::contents::Contents;
use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::history::{self, FastForward, LcaLimits};
use crate::id::Key;
use crate::name::RefName;
use crate::tree::Store;

/// What a [fetch](Repo::fetch) found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched<C = Bytes> {
    /// The branch has no commit.
    Empty,
    /// Its head, which is here now with all that it reaches.
    Head(Commit<C>),
}

/// What a [pull](Branch::pull) does with what it fetched.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Pull {
    /// The head becomes theirs, whatever it was.
    Set,
    /// Their head is merged into ours.
    #[default]
    Merge,
}

/// What a [push](Branch::push) may do to the other branch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Push {
    /// Move it forward: its head must be among the ancestors of ours.
    #[default]
    FastForward,
    /// Move it whatever it was, as OCaml Irmin does: commits of others may be left without a branch.
    Force,
}

/// A commit of another store, on its way.
struct Brought<'r> {
    /// A write that is ready to be published; none where nothing is missing here.
    bulk: Option<Bulk<'r>>,
    /// What the commit is here.
    head: Key,
    /// How the table of translations changes, between stores of different formats.
    edits: Vec<RefEdit>,
}

/// How many objects are asked for at once.
const BATCH: usize = 256;

impl<C: Contents> Repo<C> {
    /// Brings the head of a branch of another repository here, with all that it reaches and that is
    /// not here yet. No branch moves; a `tracking` ref, such as `refs/remotes/origin/main`, becomes
    /// that head in the same write.
    ///
    /// With a `tracking` ref tags come along, as they do in git: those of commits that are here by
    /// then, under names that no tag here has. They are read and written after the head, and lose
    /// what they say of themselves between formats.
    ///
    /// It goes through one stage, children before parents: nothing of it is visible before all of
    /// it is here, and nothing is left if it fails. Of the objects on their way it holds a few
    /// hundred for each level of directories, large values travel in pieces; of each that came, it
    /// remembers a few bytes.
    ///
    /// Repositories of one format have the same commits, with the same ids. Otherwise commits and
    /// trees are made anew: the same ones each time. Translations have no signatures and no empty
    /// directories; in a store of the Irmin layout they have neither committers nor time zones, and
    /// sorted parents. They take memory for the largest change of one commit.
    ///
    /// What became what is kept in a table, under the ref `refs/irmin/translated` of the repository
    /// that translated, with the bytes of commits of which something was left out. So only what is
    /// new is read; and a commit that comes back is the commit that it was, also in a third
    /// repository, to which changes may go both ways. There are two exceptions, which come back as
    /// new commits, whose changes a merge takes for changes of their own. One are commits that
    /// differ only in what is left out: in the Irmin layout they are one. The other is what comes to
    /// a repository that never had it, if its trees are not the same there and back: they have empty
    /// directories, or JSON that another program formatted. Without the ref all history is
    /// translated again.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use irmin_core::{Context, Fetched, Format, FormatSpec, Repo, backend::MemoryBackend};
    /// # let new = || {
    /// #     let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::native())));
    /// #     Repo::new(backend, Context::new("ann", || 0))
    /// # };
    /// let (here, there) = (new()?, new()?);
    /// assert_eq!(here.fetch(&there.main()?, None)?, Fetched::Empty);
    /// let made = there.main()?.set("a/b", "1", "there")?.unwrap();
    /// let origin = "refs/remotes/origin/main".parse()?;
    /// let Fetched::Head(head) = here.fetch(&there.main()?, Some(&origin))? else { panic!() };
    /// assert_eq!(head.id(), made.id());
    /// assert_eq!(head.tree().get("a/b")?.unwrap(), "1");
    /// # Ok::<(), irmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `missing_objects` or `corrupt_object` for what is not whole there; `unrepresentable` and
    /// `payload_too_large` for what the format or the limits here do not hold; `name_clash` for the
    /// tracking ref; and those of reading there and of writing here.
    pub fn fetch(&self, from: &Branch<C>, tracking: Option<&RefName>) -> Result<Fetched<C>> {
        let Some(theirs) = from.head()? else { return Ok(Fetched::Empty) };
        let options = CommitOptions::new(alloc::format!("fetch: {}", from.label()));
        let key = self.bring(&theirs, &options, &mut |brought| {
            let Some(name) = tracking else { return Ok(()) };
            let new = Some(Target::Object(brought.head));
            if self.backend().read_ref(name, View::Tip)? != new {
                brought.edits.push(RefEdit { name: name.clone(), expected: Expected::Any, new });
            }
            Ok(())
        })?;
        if tracking.is_some() {
            let how = (options.durability, &note(&options.to_info(self.context())));
            tags::follow(self, theirs.store(), how)?;
        }
        Commit::load(&self.pinned()?, key).map(Fetched::Head)
    }

    /// Brings a commit of another store here and says what it is here. What is on its way can be
    /// looked at, refused, and told to move refs, before it is published.
    fn bring(
        &self,
        theirs: &Commit<C>,
        options: &CommitOptions,
        look: &mut dyn FnMut(&mut Brought<'_>) -> Result<()>,
    ) -> Result<Key> {
        let (from, there) = (theirs.store(), theirs.key());
        let retries = options.retries.unwrap_or(self.limits().retries);
        for _ in 0..=retries {
            let mut brought = if self.format() == from.format() {
                let bulk = copy::copy(self, from, there)?;
                Brought { bulk, head: Key::from(there.hash), edits: Vec::new() }
            } else {
                translate::translate(self, from, there)?
            };
            look(&mut brought)?;
            let head = brought.head;
            // Only the table of translations can be lost: to one who translates at the same time.
            if let Published::Done { .. } = self.settle(brought, options)? {
                return Ok(head);
            }
        }
        let why = alloc::format!(
            "commit {}: others recorded translations {} times meanwhile",
            there.hash,
            retries.saturating_add(1)
        );
        Err(Error::new(Code::TooManyRetries, why))
    }

    /// Publishes what was brought, if there is anything.
    fn settle(&self, brought: Brought<'_>, options: &CommitOptions) -> Result<Published> {
        let Brought { bulk, edits, .. } = brought;
        let (durability, note) = (options.durability, note(&options.to_info(self.context())));
        match bulk {
            Some(bulk) => bulk.publish(edits, durability, note),
            None if edits.is_empty() => Ok(Published::Done { keys: Vec::new() }),
            None => {
                let batch = Batch { objects: Vec::new(), edits, durability, note };
                self.backend().publish(batch)
            }
        }
    }
}

impl<C: Contents> Branch<C> {
    /// Fetches a branch of another repository and merges it into this one, or makes this one what
    /// that is.
    ///
    /// Conflicts are data, as those of [`Branch::merge`]: what was fetched is here all the same. A
    /// branch without a commit changes nothing. [`Pull::Set`] answers
    /// [`FastForward`](Merged::FastForward) wherever it moves the head.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use irmin_core::{Context, Format, FormatSpec, Pull, Push, Repo, backend::MemoryBackend};
    /// # let new = || {
    /// #     let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
    /// #     Repo::new(backend, Context::new("ann", || 0))
    /// # };
    /// let (here, there) = (new()?.main()?, new()?.main()?);
    /// there.set("theirs", "1", "there")?;
    /// here.pull(&there, Pull::Set, "begin with what is there")?.resolved()?;
    /// here.set("ours", "2", "here")?;
    /// there.set("theirs", "3", "there again")?;
    /// assert!(here.push(&there, Push::FastForward, "push").is_err());
    /// here.pull(&there, Pull::Merge, "merge what is there")?.resolved()?;
    /// here.push(&there, Push::FastForward, "push")?;
    /// assert_eq!(there.get("ours")?.unwrap(), "2");
    /// # Ok::<(), irmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Repo::fetch`] and [`Branch::merge_commit`].
    pub fn pull(
        &self,
        from: &Branch<C>,
        how: Pull,
        options: impl Into<CommitOptions>,
    ) -> Result<Merged<C>> {
        let Fetched::Head(theirs) = self.repo().fetch(from, None)? else {
            return Ok(Merged::UpToDate);
        };
        match how {
            Pull::Merge => self.merge_commit(&theirs, LcaLimits::default(), options),
            Pull::Set if self.head()?.as_ref() == Some(&theirs) => Ok(Merged::UpToDate),
            Pull::Set => {
                self.set_head(Some(&theirs), options)?;
                Ok(Merged::FastForward(theirs))
            }
        }
    }

    /// Makes a branch of another repository what this one is, bringing there what it lacks, and
    /// says what its new head is: nothing if it was there already.
    ///
    /// A push that is refused leaves nothing there.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use irmin_core::{Context, Format, FormatSpec, Push, Repo, backend::MemoryBackend};
    /// # let new = || {
    /// #     let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
    /// #     Repo::new(backend, Context::new("ann", || 0))
    /// # };
    /// let (here, there) = (new()?.main()?, new()?.main()?);
    /// here.set("ours", "1", "here")?;
    /// assert!(here.push(&there, Push::FastForward, "push")?.is_some());
    /// assert!(here.push(&there, Push::FastForward, "push")?.is_none(), "it was there already");
    /// there.set("theirs", "2", "there")?;
    /// here.push(&there, Push::Force, "what is there is of no use")?;
    /// assert_eq!(there.get("theirs")?, None);
    /// # Ok::<(), irmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `not_found` if this branch has no commit, `precondition_failed` if the other one has commits
    /// that are not in this one and the push is no [`Push::Force`]; as [`Repo::fetch`] the other
    /// way round, and as [`Branch::set_head`].
    pub fn push(
        &self,
        to: &Branch<C>,
        how: Push,
        options: impl Into<CommitOptions>,
    ) -> Result<Option<Commit<C>>> {
        let options = options.into();
        let Some(ours) = self.head()? else {
            let why = alloc::format!("{} has no commit to push", self.label());
            return Err(Error::new(Code::NotFound, why));
        };
        let key = to.repo().bring(&ours, &options, &mut |brought| {
            if how == Push::FastForward
                && let Some(old) = to.head()?.map(|head| head.key())
            {
                let forward = match &brought.bulk {
                    Some(bulk) => bulk.is_ancestor(old, brought.head)?,
                    None => history::is_ancestor(&**to.repo().store(), old, brought.head)?,
                };
                if !forward {
                    return Err(refused(to));
                }
            }
            Ok(())
        })?;
        let new = Commit::load(&to.repo().pinned()?, key)?;
        if how == Push::Force {
            let moved = to.head()?.as_ref() != Some(&new);
            to.set_head(Some(&new), options)?;
            return Ok(moved.then_some(new));
        }
        match to.fast_forward(&new, LcaLimits::default(), options)? {
            FastForward::Forward => Ok(Some(new)),
            FastForward::NoChange => Ok(None),
            FastForward::Rejected => Err(refused(to)),
        }
    }
}

fn refused<C: Contents>(to: &Branch<C>) -> Error {
    let why = alloc::format!(
        "{} of the other repository has commits that are not in ours: pull them first, or force \
         the push",
        to.label()
    );
    Error::new(Code::PreconditionFailed, why)
}

/// The commits below a head, parents before children, without those that are `known` and what only
/// they lead to. It is asked about a layer at a time, before any of it is read.
fn commits_below(
    from: &Store,
    head: Key,
    known: &mut dyn FnMut(&[Hash]) -> Result<Vec<bool>>,
) -> Result<Vec<Key>> {
    let mut parents: HashMap<Hash, Vec<Key>> = HashMap::new();
    let mut met = HashSet::new();
    met.insert(head.hash);
    let mut waiting = alloc::vec![head];
    while !waiting.is_empty() {
        let some = waiting.split_off(waiting.len().saturating_sub(BATCH));
        let hashes: Vec<Hash> = some.iter().map(|key| key.hash).collect();
        let known = known(&hashes)?;
        let pairs = some.into_iter().zip(known);
        let some: Vec<Key> = pairs.filter(|(_, known)| !known).map(|(key, _)| key).collect();
        if some.is_empty() {
            continue;
        }
        for (key, data) in some.iter().zip(from.load_commits(&some)?) {
            waiting.extend(data.parents.iter().filter(|parent| met.insert(parent.hash)));
            parents.insert(key.hash, data.parents.clone());
        }
    }
    drop(met);
    // A commit is left when its parents were: those that are in line are taken out of the table.
    let mut order = Vec::with_capacity(parents.len());
    let Some(first) = parents.remove(&head.hash) else { return Ok(order) };
    let mut stack = alloc::vec![(head, first)];
    while let Some((key, rest)) = stack.last_mut() {
        match rest.pop() {
            Some(parent) => {
                if let Some(above) = parents.remove(&parent.hash) {
                    stack.push((parent, above));
                }
            }
            None => {
                order.push(*key);
                stack.pop();
            }
        }
    }
    Ok(order)
}
