//! Renaming branches.

use alloc::format;
use alloc::vec;

use super::publish::note;
use super::{Branch, CommitOptions, Repo};
use crate::backend::{Batch, Expected, Published, RefEdit, Target, View};
use crate::contents::Contents;
use crate::error::{Code, Error, Result};
use crate::name::{BranchName, RefName};

impl<C: Contents> Repo<C> {
    /// Gives a branch another name, in one publish: the new name appears and the old one goes, and
    /// `HEAD` follows if it named the old one. Renaming a branch to its own name does nothing.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use irmin_core::{Context, Format, FormatSpec, Repo, backend::MemoryBackend};
    /// # let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
    /// # let repo = Repo::new(backend, Context::new("ann", || 1_000))?;
    /// repo.main()?.set("a", "1", "first")?;
    /// let trunk = repo.rename_branch("main", "trunk", "rename")?;
    /// assert_eq!(repo.main()?.name(), trunk.name());
    /// assert_eq!(repo.branches()?.len(), 1);
    /// # Ok::<(), irmin_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_name`, `not_found` if there is no such branch, `precondition_failed` if the new
    /// name is taken, `name_clash` if it cannot be beside another one (also beside the old one, as
    /// `a/b` beside `a`), `unsupported` for a branch that stands for another, `too_many_retries`,
    /// and those of writing.
    pub fn rename_branch(
        &self,
        old: &str,
        new: &str,
        options: impl Into<CommitOptions>,
    ) -> Result<Branch<C>> {
        let (old, new): (BranchName, BranchName) = (old.parse()?, new.parse()?);
        let options = options.into();
        let info = options.to_info(self.context());
        for _ in 0..=options.retries.unwrap_or(self.limits().retries) {
            // In the order of names, as every writer of several branches takes them.
            let (first, second) = (old.to_ref().min(new.to_ref()), old.to_ref().max(new.to_ref()));
            let queues = [self.queues.of(&first), self.queues.of(&second)];
            let turn = queues[0].wait(&first)?;
            let other = if old == new { None } else { Some(queues[1].wait(&second)?) };
            let edits = self.rename_edits(&old, &new)?;
            let batch = Batch {
                edits,
                durability: options.durability,
                note: note(&info),
                ..Batch::default()
            };
            let submitted = self.backend().submit(batch)?;
            drop((turn, other));
            if let Published::Done { .. } = submitted.wait()? {
                return Ok(Branch::named(self.clone(), &new));
            }
        }
        let why = format!("branch `{old}` keeps moving while it is renamed");
        Err(Error::new(Code::TooManyRetries, why))
    }

    /// What has to change for a branch to have another name.
    fn rename_edits(&self, old: &BranchName, new: &BranchName) -> Result<vec::Vec<RefEdit>> {
        let read = |name: &RefName| self.backend().read_ref(name, View::Tip);
        let (from, to) = (old.to_ref(), new.to_ref());
        let target = match read(&from)? {
            Some(Target::Object(key)) => Target::Object(key),
            Some(Target::Symbolic(other)) => {
                let why = format!("branch `{old}` stands for `{other}`: rename that one");
                return Err(Error::new(Code::Unsupported, why));
            }
            None => {
                let why = format!("branch `{old}` does not exist");
                return Err(Error::new(Code::NotFound, why));
            }
        };
        if from == to {
            return Ok(vec::Vec::new());
        }
        if read(&to)?.is_some() {
            let why = format!("branch `{new}` exists already");
            return Err(Error::new(Code::PreconditionFailed, why));
        }
        let expected = Expected::Is(target.clone());
        let mut edits = vec![
            RefEdit { name: to.clone(), expected: Expected::Absent, new: Some(target) },
            RefEdit { name: from.clone(), expected, new: None },
        ];
        let on_it = Target::Symbolic(from);
        if read(&RefName::head())?.as_ref() == Some(&on_it) {
            let (name, new) = (RefName::head(), Some(Target::Symbolic(to)));
            edits.push(RefEdit { name, expected: Expected::Is(on_it), new });
        }
        Ok(edits)
    }
}
