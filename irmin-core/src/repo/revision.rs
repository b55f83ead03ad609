//! Revisions: the ways in which people name commits.
//!
//! A revision is a branch, a tag, a full ref name, `HEAD`, or a hash in full or abbreviated to
//! four or more digits, followed by any number of `^` (the first parent), `^n` (the n-th parent,
//! `^0` is the commit itself) and `~n` (n first parents up).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::str::FromStr;

use super::{Commit, Repo};
use crate::backend::MAX_CANDIDATES;
use crate::contents::Contents;
use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::id::{CommitId, HashPrefix};
use crate::name::{BranchName, RefName, TagName};
use crate::object::Kind;

/// A revision, taken apart.
///
/// ```
/// use irmin_core::Revision;
/// let revision: Revision = "main~2^2".parse()?;
/// assert_eq!(revision.to_string(), "main~2^2");
/// assert!("main^x".parse::<Revision>().is_err());
/// # Ok::<(), irmin_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revision {
    base: String,
    steps: Vec<Step>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// The n-th parent, counted from one; the commit itself for zero.
    Parent(usize),
    /// That many first parents up.
    Up(usize),
}

impl FromStr for Revision {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = |why: &str| {
            let shown = text.escape_debug();
            Error::new(Code::InvalidRevision, format!("`{shown}` is not a revision: {why}"))
        };
        let end = text.find(['^', '~']).unwrap_or(text.len());
        let (base, mut rest) = text.split_at(end);
        if base.is_empty() {
            return Err(invalid("it names no commit to begin at"));
        }
        let mut steps = Vec::new();
        while let Some(kind) = rest.chars().next() {
            rest = rest.get(1..).unwrap_or_default();
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (number, tail) = rest.split_at(digits);
            let n = match number {
                "" => 1,
                number => number.parse().map_err(|_| invalid("a number is too large"))?,
            };
            steps.push(match kind {
                '^' => Step::Parent(n),
                '~' => Step::Up(n),
                _ => return Err(invalid("after the name there may be ^, ^n and ~n")),
            });
            rest = tail;
        }
        Ok(Revision { base: base.into(), steps })
    }
}

impl core::fmt::Display for Revision {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.base)?;
        self.steps.iter().try_for_each(|step| match step {
            Step::Parent(1) => f.write_str("^"),
            Step::Parent(n) => write!(f, "^{n}"),
            Step::Up(n) => write!(f, "~{n}"),
        })
    }
}

impl<C: Contents> Repo<C> {
    /// The commit that a revision names.
    ///
    /// # Errors
    /// `invalid_revision` for a text that is none, `ambiguous_revision` listing the candidates,
    /// `not_found` if nothing answers to it, and those of reading.
    pub fn resolve(&self, revision: &str) -> Result<Commit<C>> {
        let parsed: Revision = revision.parse()?;
        let mut commit = self.resolve_base(&parsed.base)?;
        for step in &parsed.steps {
            commit = match *step {
                Step::Parent(0) => commit,
                Step::Parent(n) => nth_parent(&commit, n)
                    .ok_or_else(|| no_parent(revision, &commit, n))
                    .and_then(|id| self.existing(id))?,
                Step::Up(n) => {
                    let mut up = commit;
                    for _ in 0..n {
                        let id = nth_parent(&up, 1).ok_or_else(|| no_parent(revision, &up, 1))?;
                        up = self.existing(id)?;
                    }
                    up
                }
            };
        }
        Ok(commit)
    }

    fn existing(&self, id: CommitId) -> Result<Commit<C>> {
        let missing = || Error::missing_objects(alloc::vec![id.hash().into()]);
        self.commit(id)?.ok_or_else(missing)
    }

    fn resolve_base(&self, name: &str) -> Result<Commit<C>> {
        let mut found: Vec<(String, Commit<C>)> = Vec::new();
        let mut refs: Vec<RefName> = Vec::new();
        refs.extend(name.parse::<RefName>().ok());
        refs.extend(name.parse::<BranchName>().ok().map(|branch| branch.to_ref()));
        refs.extend(name.parse::<TagName>().ok().map(|tag| tag.to_ref()));
        for name in refs {
            if let Some(commit) = self.commit_of_ref(&name)? {
                found.push((format!("{name}"), commit));
            }
        }
        if found.is_empty() {
            found = self.resolve_hash(name)?;
        }
        let first = found.first().map(|(_, commit)| commit.clone());
        match first {
            Some(commit) if found.iter().all(|(_, other)| *other == commit) => Ok(commit),
            None => {
                let why = format!("`{}` is no branch, tag or commit here", name.escape_debug());
                Err(Error::new(Code::NotFound, why))
            }
            Some(_) => {
                let mut why = format!("`{name}` is ambiguous: it could be");
                for (i, (what, _)) in found.iter().enumerate() {
                    why += if i == 0 { " " } else { ", " };
                    why += what;
                }
                Err(Error::new(Code::AmbiguousRevision, why))
            }
        }
    }

    fn resolve_hash(&self, digits: &str) -> Result<Vec<(String, Commit<C>)>> {
        if digits.len() == 2 * self.format().hash().len() {
            let Ok(hash) = digits.parse::<Hash>() else { return Ok(Vec::new()) };
            let commit = self.commit(CommitId(hash))?;
            return Ok(commit.into_iter().map(|commit| (format!("{hash}"), commit)).collect());
        }
        let Ok(prefix) = digits.parse::<HashPrefix>() else { return Ok(Vec::new()) };
        let keys = self.backend().find_prefix(&prefix)?;
        if keys.len() >= MAX_CANDIDATES {
            let why = format!("`{digits}` is ambiguous: {MAX_CANDIDATES} or more objects begin so");
            return Err(Error::new(Code::AmbiguousRevision, why));
        }
        let objects = self.store().objects(&keys)?;
        let commits = objects.iter().filter(|object| object.kind == Kind::Commit);
        commits
            .map(|object| Ok((format!("{}", object.id), self.existing(CommitId(object.id))?)))
            .collect()
    }
}

fn nth_parent<C>(commit: &Commit<C>, n: usize) -> Option<CommitId> {
    commit.parent_ids().get(n.checked_sub(1)?).copied()
}

fn no_parent<C>(revision: &str, commit: &Commit<C>, n: usize) -> Error {
    let has = commit.parent_ids().len();
    let why = format!("`{revision}`: commit {} has {has} parents, none is number {n}", commit.id());
    Error::new(Code::NotFound, why)
}
