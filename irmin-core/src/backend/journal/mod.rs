//! A decorator that keeps a journal of what happened to the refs, and takes operations back.

mod encoding;
mod file;

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::{
    Backend, Batch, Durability, Expected, Note, Published, RefChange, RefEdit, Stage, Submitted,
    Target, View,
};
use crate::error::{Code, Error, Result};
use crate::io::{Io, LockGuard};
use crate::lock::Mutex;
use crate::name::{HEADS, RefName, TAGS};
use encoding::{Journal, Refs, apply, cut};
use file::{Place, Stored};

/// Where an operation came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From a program that keeps the journal.
    Here,
    /// From another one, such as git; or from one of ours that ended before it could say so.
    Outside,
    /// From [`Journaled::undo`]: it took this operation back.
    Undo(u64),
}

/// One operation: what changed the refs, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its number: one more than that of the operation before.
    pub number: u64,
    /// Where it came from.
    pub origin: Origin,
    /// When, in seconds since 1970; when it was noticed, if it came from outside.
    pub date: i64,
    /// Who, as `name <e-mail>` or `name`; empty if it came from outside.
    pub author: String,
    /// The command that did it; empty if it came from outside.
    pub command: String,
    /// Why: the first line of the message.
    pub message: String,
    /// What changed, in order of names.
    pub changes: Vec<RefChange>,
}

/// What was wrong with the files of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A crash cut its end off: the operation that was being written is told as one from outside.
    Torn,
    /// It was damaged: what follows is not known. The file is put aside when it is next written.
    Damaged,
}

/// The operations of a journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    /// The newest first.
    pub operations: Vec<Operation>,
    /// What was wrong with the files.
    pub trouble: Option<Trouble>,
}

/// Where a journal is, and who writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JournalOptions {
    /// The path of its file; others are beside it, with `.old`, `.new`, `.lock`, `.damaged` added.
    pub path: String,
    /// The command that its operations come from.
    pub command: String,
    /// Whether `HEAD` is part of it: not where several working trees have one each.
    pub head: bool,
}

impl JournalOptions {
    /// A journal in a file.
    #[must_use]
    pub fn new(path: impl Into<String>, command: impl Into<String>) -> Self {
        JournalOptions { path: path.into(), command: command.into(), head: true }
    }
}

/// A backend that keeps a journal of the changes of its branches, its tags and `HEAD`: what each
/// was, who changed it, when and by which command; and that takes such changes back.
///
/// The journal says only what is so. While a change is made its lock is held; the refs are
/// compared with what the journal knows before, and the change is written after it is done. So
/// what other programs did appears as an operation from [`Outside`](Origin::Outside) once it is
/// noticed, and a crash between a change and its line costs the name of the command, not the
/// change. A line is synced; a change that is made all the same succeeds when its line cannot be
/// written. Of two files, each of about a megabyte, the older one goes when both are full.
///
/// It is for programs that make a change and end: its writers wait for those of other processes, and
/// each operation costs a listing of branches and tags, the reading of the file, and one sync more.
///
/// ```
/// use std::sync::Arc;
/// use irmin_core::backend::{Backend, JournalOptions, Journaled, MemoryBackend};
/// # use irmin_core::io::{Io, StdIo};
/// use irmin_core::{Context, Format, FormatSpec, Repo};
/// # let dir = std::env::temp_dir().join(format!("irmin-journal-{}", std::process::id()));
/// # let io = Arc::new(StdIo::create(&dir)?);
///
/// let store = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
/// let options = JournalOptions::new("operations", "example");
/// let journaled = Arc::new(Journaled::new(store, io, || 1_000, options));
/// let repo = Repo::new(journaled.clone(), Context::new("ann", || 1_000))?;
/// let main = repo.main()?;
/// main.set("a", "1", "first")?;
/// main.set("a", "2", "second")?;
/// journaled.undo(None, "ann")?;
/// assert_eq!(main.get("a")?.unwrap(), "1");
/// let operations = journaled.operations()?.operations;
/// let messages: Vec<_> = operations.iter().map(|o| o.message.as_str()).collect();
/// assert_eq!(messages, ["undo operation 2", "second", "first"]);
/// # std::fs::remove_dir_all(&dir).unwrap();
/// # Ok::<(), irmin_core::Error>(())
/// ```
pub struct Journaled {
    inner: Arc<dyn Backend>,
    io: Arc<dyn Io>,
    now: Box<dyn Fn() -> i64 + Send + Sync>,
    place: Place,
    command: String,
    head: bool,
    state: Mutex<State>,
}

/// What the writers of this handle share while one of them is at it.
#[derive(Default)]
struct State {
    /// How many there are.
    active: usize,
    /// The lock of the journal, unless it cannot be written.
    guard: Option<Box<dyn LockGuard>>,
    stored: Stored,
    /// The refs as the journal knows them.
    refs: Refs,
}

/// One writer. The last one gives the lock back.
struct Entered<'a>(&'a Journaled);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.active = state.active.saturating_sub(1);
        if state.active == 0 {
            state.guard = None;
        }
    }
}

impl Journaled {
    /// Keeps a journal of what happens to the refs of a store, in a file of `io`; the clock says
    /// when something was noticed.
    #[must_use]
    pub fn new(
        inner: Arc<dyn Backend>,
        io: Arc<dyn Io>,
        clock: impl Fn() -> i64 + Send + Sync + 'static,
        options: JournalOptions,
    ) -> Self {
        Journaled {
            inner,
            io,
            now: Box::new(clock),
            place: Place { path: options.path },
            command: cut(&options.command),
            head: options.head,
            state: Mutex::default(),
        }
    }

    /// All operations that are known. What other programs did since the last one is among them,
    /// and is written down if there is a journal already.
    ///
    /// # Errors
    /// `io`, `corrupt_store` for refs that cannot be read.
    pub fn operations(&self) -> Result<Operations> {
        let mut stored = self.place.load(&*self.io)?;
        let trouble = stored.trouble.or(self.place.put_aside(&*self.io)?);
        if stored.len > 0 {
            // Where it cannot be locked or written, reading works all the same.
            if let Ok(_entered) = self.enter()
                && let state = self.state.lock()
                && state.guard.is_some()
            {
                stored.journal = state.stored.journal.clone();
            } else {
                let actual = self.actual(&stored.journal.refs())?;
                let outside = self.outside(&stored.journal, &actual);
                stored.journal.operations.extend(outside);
            }
        }
        let mut operations = self.place.older(&*self.io)?;
        // A crash can leave the older file as the only one.
        operations.retain(|operation| operation.number < stored.journal.first);
        operations.append(&mut stored.journal.operations);
        operations.reverse();
        Ok(Operations { operations, trouble })
    }

    /// Takes an operation back, the latest one if none is named: every ref that it changed becomes
    /// what it was before, unless one of them moved since. That is an operation too: to undo it is
    /// to do the first one again.
    ///
    /// # Errors
    /// `not_found` for an operation that the journal does not have, `precondition_failed` naming a
    /// ref that moved since or is another working tree's, `missing_objects` if what it was at is
    /// gone, and those of writing.
    pub fn undo(&self, number: Option<u64>, author: &str) -> Result<Operation> {
        let entered = self.enter()?;
        let operations = self.operations()?.operations;
        let mut found = operations.into_iter();
        let asked = |o: &Operation| number.map_or(!is_first_look(o), |number| o.number == number);
        let Some(undone) = found.find(asked) else {
            let why = match number {
                Some(number) => format!("operation {number} is not in the journal"),
                None => String::from("the journal has no operation to undo"),
            };
            return Err(Error::new(Code::NotFound, why));
        };
        let number = undone.number;
        if let Some(other) = undone.changes.iter().find(|change| !self.covers(&change.name)) {
            let name = &other.name;
            let why = format!("operation {number} changed `{name}` of another working tree");
            return Err(Error::new(Code::PreconditionFailed, why));
        }
        let edit = |change: RefChange| RefEdit {
            name: change.name,
            expected: change.new.map_or(Expected::Absent, Expected::Is),
            new: change.old,
        };
        let edits: Vec<RefEdit> = undone.changes.into_iter().map(edit).collect();
        let message = format!("undo operation {number}");
        let note = Note { author: author.into(), date: (self.now)(), message };
        let batch = Batch { edits: edits.clone(), note: note.clone(), ..Batch::default() };
        match self.inner.publish(batch).map_err(|e| match e.code() {
            Code::MissingObjects | Code::Collected => {
                e.context(format_args!("what operation {number} replaced is gone"))
            }
            _ => e,
        })? {
            Published::Done { .. } => {}
            Published::Lost { name, actual } => {
                let at = match actual {
                    Some(Target::Object(key)) => format!("it is at {} now", key.hash),
                    Some(Target::Symbolic(other)) => format!("it stands for `{other}` now"),
                    None => String::from("it does not exist any more"),
                };
                let why = format!("`{name}` changed since operation {number}: {at}");
                return Err(Error::new(Code::PreconditionFailed, why));
            }
        }
        let done = self.finish(&entered, &edits, &note, Origin::Undo(number));
        done.ok_or_else(|| {
            Error::new(Code::Io, "it was undone, but the journal could not be written")
        })
    }

    /// Whether a ref is part of the journal.
    fn covers(&self, name: &RefName) -> bool {
        let text = name.as_str();
        text.starts_with(HEADS) || text.starts_with(TAGS) || (self.head && *name == RefName::head())
    }

    /// The refs as they are; what is not for this handle to see is as the journal knows it.
    fn actual(&self, known: &Refs) -> Result<Refs> {
        let mut refs = self.listed(HEADS, known)?;
        refs.extend(self.listed(TAGS, known)?);
        let head = RefName::head();
        let target = match self.head {
            true => self.inner.read_ref(&head, View::Durable)?,
            false => known.get(&head).cloned(),
        };
        refs.extend(target.map(|target| (head, target)));
        Ok(refs)
    }

    /// The refs of a prefix. One that is damaged is as the journal knows it: it says nothing, and
    /// must not keep what happens to the others out of the journal.
    fn listed(&self, prefix: &str, known: &Refs) -> Result<Refs> {
        match self.inner.refs(prefix) {
            Err(e) if e.code() == Code::CorruptStore => {}
            listed => return Ok(listed?.into_iter().collect()),
        }
        let mut refs = Refs::new();
        for name in self.inner.ref_names(prefix)? {
            let target = match self.inner.read_ref(&name, View::Durable) {
                Err(e) if e.code() == Code::CorruptStore => known.get(&name).cloned(),
                read => read?,
            };
            refs.extend(target.map(|target| (name, target)));
        }
        Ok(refs)
    }

    /// What the journal does not know yet.
    fn outside(&self, journal: &Journal, actual: &Refs) -> Option<Operation> {
        let known = journal.refs();
        let names: BTreeSet<&RefName> = known.keys().chain(actual.keys()).collect();
        let change = |name: &RefName| RefChange {
            name: name.clone(),
            old: known.get(name).cloned(),
            new: actual.get(name).cloned(),
        };
        let changes = names.into_iter().map(change).filter(|change| change.old != change.new);
        self.others(journal.next(), changes.collect())
    }

    fn others(&self, number: u64, changes: Vec<RefChange>) -> Option<Operation> {
        let (author, command, message) = (String::new(), String::new(), String::new());
        let (origin, date) = (Origin::Outside, (self.now)());
        let operation = Operation { number, origin, date, author, command, message, changes };
        (!operation.changes.is_empty()).then_some(operation)
    }

    /// Begins to write: what others did is in the journal then.
    fn enter(&self) -> Result<Entered<'_>> {
        let mut state = self.state.lock();
        if state.active == 0 {
            state.guard = None;
            match self.begin() {
                Ok((guard, stored)) => {
                    state.refs = stored.journal.refs();
                    state.stored = stored;
                    state.guard = Some(guard);
                }
                Err(e) if e.code() == Code::Locked => return Err(e),
                // A journal that cannot be written is no reason not to write.
                Err(_) => {}
            }
        }
        state.active += 1;
        Ok(Entered(self))
    }

    fn begin(&self) -> Result<(Box<dyn LockGuard>, Stored)> {
        let guard = self.place.lock(&*self.io)?;
        let mut stored = self.place.load(&*self.io)?;
        let actual = self.actual(&stored.journal.refs())?;
        self.place.repair(&*self.io, &mut stored, &actual)?;
        if let Some(outside) = self.outside(&stored.journal, &actual) {
            self.place.append(&*self.io, &mut stored, Vec::from([outside]))?;
        }
        if self.place.is_full(&stored) {
            self.place.begin(&*self.io, &mut stored, &actual)?;
        }
        Ok((guard, stored))
    }

    /// Writes an operation down after it was done.
    fn finish(
        &self,
        _entered: &Entered<'_>,
        edits: &[RefEdit],
        note: &Note,
        origin: Origin,
    ) -> Option<Operation> {
        let mut state = self.state.lock();
        state.guard.as_ref()?;
        let (mut before, mut changes) = (Vec::new(), Vec::new());
        let mut covered: Vec<&RefEdit> = edits.iter().filter(|e| self.covers(&e.name)).collect();
        covered.sort_by(|a, b| a.name.cmp(&b.name));
        for edit in covered {
            let (name, known) = (edit.name.clone(), state.refs.get(&edit.name).cloned());
            let old = match &edit.expected {
                Expected::Any => known.clone(),
                Expected::Absent => None,
                Expected::Is(target) => Some(target.clone()),
            };
            // Another program moved it after the look at all refs.
            if old != known {
                before.push(RefChange { name: name.clone(), old: known, new: old.clone() });
            }
            if old != edit.new {
                changes.push(RefChange { name, old, new: edit.new.clone() });
            }
        }
        let mut operations = Vec::new();
        operations.extend(self.others(state.stored.journal.next(), before));
        let own = Operation {
            number: state.stored.journal.next() + operations.len() as u64,
            origin,
            date: note.date,
            author: cut(&note.author),
            command: self.command.clone(),
            message: cut(note.message.lines().next().unwrap_or_default()),
            changes,
        };
        if own.changes.is_empty() && operations.is_empty() {
            return None;
        }
        let last = own.clone();
        operations.extend((!own.changes.is_empty()).then_some(own));
        for change in operations.iter().flat_map(|operation| &operation.changes) {
            apply(&mut state.refs, change);
        }
        if self.place.append(&*self.io, &mut state.stored, operations).is_err() {
            // The next who looks finds the change, as one from outside.
            state.guard = None;
            return None;
        }
        Some(last)
    }
}

/// Whether nothing happened but that a `HEAD` was seen for the first time: that of a journal which
/// began where another one is.
fn is_first_look(operation: &Operation) -> bool {
    let head = RefName::head();
    let seen = |change: &RefChange| change.name == head && change.old.is_none();
    operation.origin == Origin::Outside && operation.changes.iter().all(seen)
}

impl fmt::Debug for Journaled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Journaled({:?}, {})", self.inner, self.place.path)
    }
}

impl Backend for Journaled {
    fn submit(&self, batch: Batch) -> Result<Submitted<'_>> {
        if !batch.edits.iter().any(|edit| self.covers(&edit.name)) {
            return self.inner.submit(batch);
        }
        let entered = self.enter()?;
        let (edits, note) = (batch.edits.clone(), batch.note.clone());
        let ended = move |published: Published| {
            if let Published::Done { .. } = published {
                self.finish(&entered, &edits, &note, Origin::Here);
            }
            published
        };
        Ok(match self.inner.submit(batch)? {
            Submitted::Ended(published) => Submitted::Ended(ended(published)),
            Submitted::Accepted(wait) => Submitted::Accepted(Box::new(move || wait().map(ended))),
        })
    }

    fn stage(&self) -> Result<Box<dyn Stage + '_>> {
        Ok(Box::new(JournaledStage { inner: self.inner.stage()?, journal: self }))
    }

    crate::pass_on! { Backend for inner:
        format pin get_many get get_within resident_dir resident_commit read_range open_values find_many
        find_prefix refs ref_names read_ref watch refresh recorded capabilities
    }
}

struct JournaledStage<'a> {
    inner: Box<dyn Stage + 'a>,
    journal: &'a Journaled,
}

impl Stage for JournaledStage<'_> {
    fn publish(
        self: Box<Self>,
        edits: Vec<RefEdit>,
        durability: Durability,
        note: Note,
    ) -> Result<Published> {
        if !edits.iter().any(|edit| self.journal.covers(&edit.name)) {
            return self.inner.publish(edits, durability, note);
        }
        let entered = self.journal.enter()?;
        let published = self.inner.publish(edits.clone(), durability, note.clone())?;
        if let Published::Done { .. } = published {
            self.journal.finish(&entered, &edits, &note, Origin::Here);
        }
        Ok(published)
    }

    crate::pass_on! { Stage for inner: put put_value get_many }
}
