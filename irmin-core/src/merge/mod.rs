//! The merge algebra: how two changes of one value become one.
//!
//! A [`Merge`] is a named three-way function over values of one type. Small ones are combined to
//! larger ones: `Merge::counter().option()` merges a counter that may be absent, and
//! `Merge::counter().map::<String>()` a table of counters. Everything here is pure.
//!
//! | merge | of | what both sides did |
//! |---|---|---|
//! | [`default_`](Merge::default_), [`idempotent`](Merge::idempotent) | anything | the side that changed; `idempotent` takes equal changes too |
//! | [`counter`](Merge::counter), [`multiset`](Merge::multiset) | counts | both counts |
//! | [`set`](Merge::set) | sets | all additions and removals |
//! | [`option`](Merge::option), [`pair`](Merge::pair), [`triple`](Merge::triple), [`map`](Merge::map), [`alist`](Merge::alist) | what consists of parts | part by part |
//! | [`log`](Merge::log) | lists that grow | all new entries |
//! | [`text`](Merge::text) | text | all changes of different lines |
//! | [`last_writer`](Merge::last_writer) | what knows its time | the later one |
//! | [`or`](Merge::or), [`like`](Merge::like), [`with_conflict`](Merge::with_conflict) | as their parts | alternatives, conversions, other words |
//!
//! The combinators and the texts of their conflicts are those of OCaml Irmin's `Irmin.Merge`,
//! except for `log`, `text` and `last_writer`, which it has as container types or not at all. Two
//! levels of absence matter, and are kept apart:
//! - the *base* is `None` where there is no common ancestor to compare with;
//! - in a merge of options, a base of `Some(&None)` is an ancestor that is known to lack the value.
//!
//! # Laws
//! With `merge(base, ours, theirs)`, each of them promises, and tests check:
//! - *one side*: `merge(b, x, b) = merge(b, b, x) = x`: what only one side changed is taken;
//! - *symmetry*: `merge(b, x, y) = merge(b, y, x)`, conflicts included, as long as its parts do;
//! - *idempotence*, where [`Merge::is_idempotent`] says so: `merge(b, x, x) = x` for every base,
//!   none included.

mod collections;
mod combine;
mod idempotence;
pub mod text;

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

pub(crate) use combine::{merge_alists, merge_options};
#[doc(hidden)]
pub use idempotence::Asked;
use idempotence::Idempotence;

/// Why two changes do not merge, in a few words: `default`, `option: add/del`, or a type's own.
///
/// ```
/// use irmin_core::merge::{Merge, Reason};
/// let merge = Merge::<i64>::idempotent();
/// assert_eq!(merge.apply(Some(&1), &2, &3), Err(Reason::from("default")));
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason(Cow<'static, str>);

impl Reason {
    /// Both sides changed a value, and its type has no better idea than to say so.
    pub const DEFAULT: Reason = Reason(Cow::Borrowed("default"));
    /// Both sides have a value, and there is no common ancestor that tells which one is newer; or
    /// there are several, and these conflict.
    pub const NO_ANCESTOR: Reason =
        Reason(Cow::Borrowed("default: add/add and no common ancestor"));
    /// One side changed what the other removed.
    pub const ADD_DEL: Reason = Reason(Cow::Borrowed("option: add/del"));
    /// A value has no image under the bijection of [`Merge::like`].
    pub const BIJECT: Reason = Reason(Cow::Borrowed("biject"));
    /// One side of a [`Merge::log`] changed, moved or removed entries that were there before.
    pub const REWRITTEN: Reason = Reason(Cow::Borrowed("log: earlier entries were changed"));
    /// Two different values of a [`Merge::last_writer`] say that they were written at once.
    pub const SAME_TIME: Reason = Reason(Cow::Borrowed("lww: written at the same time"));

    pub(crate) const fn of(text: &'static str) -> Self {
        Reason(Cow::Borrowed(text))
    }

    /// A reason in the words of a type.
    #[must_use]
    pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Reason(text.into())
    }

    /// The words.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&'static str> for Reason {
    fn from(text: &'static str) -> Self {
        Reason::new(text)
    }
}
impl From<String> for Reason {
    fn from(text: String) -> Self {
        Reason::new(text)
    }
}
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}
impl core::error::Error for Reason {}

type Function<T> = dyn Fn(Option<&T>, &T, &T) -> Result<T, Reason> + Send + Sync;

/// A named three-way merge of values of type `T`.
///
/// It is a cheap handle on a pure function: the same arguments give the same result, at any time
/// and in any program that knows the name, because merges happen wherever branches meet. The name
/// is what a store records.
///
/// ```
/// use irmin_core::merge::{Merge, Reason};
/// let max = Merge::new("max", |_base: Option<&u32>, ours, theirs| Ok(*ours.max(theirs)))
///     .declared_idempotent();
/// assert_eq!(max.apply(Some(&1), &5, &3), Ok(5));
/// assert_eq!(max.option().name(), "option(max)");
/// ```
pub struct Merge<T> {
    name: Cow<'static, str>,
    idempotent: Idempotence,
    function: Arc<Function<T>>,
}

impl<T> Clone for Merge<T> {
    fn clone(&self) -> Self {
        Merge {
            name: self.name.clone(),
            idempotent: self.idempotent.clone(),
            function: Arc::clone(&self.function),
        }
    }
}

impl<T> fmt::Debug for Merge<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Merge({})", self.name)
    }
}

impl<T: 'static> Merge<T> {
    /// A merge of the caller's: `function(base, ours, theirs)`.
    ///
    /// The base is `None` where there is no common ancestor. The function must be pure.
    #[must_use]
    pub fn new(
        name: impl Into<Cow<'static, str>>,
        function: impl Fn(Option<&T>, &T, &T) -> Result<T, Reason> + Send + Sync + 'static,
    ) -> Self {
        Merge { name: name.into(), idempotent: Idempotence::NO, function: Arc::new(function) }
    }

    /// The same function under another name.
    #[must_use]
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self
    }

    /// The name that stores record.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether equal sides merge to their common value, whatever the base.
    ///
    /// Where it is so, whatever is equal on both sides needs no look inside. A counter is the
    /// example of the opposite: two increments are two, also when they come out equal.
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        self.idempotent.ask(&mut Asked::default())
    }

    /// Merges two values that come from `base`.
    ///
    /// # Errors
    /// The reason for which they conflict.
    pub fn apply(&self, base: Option<&T>, ours: &T, theirs: &T) -> Result<T, Reason> {
        (self.function)(base, ours, theirs)
    }

    /// A merge of a type whose parts say whether they are idempotent, each when it is asked: types
    /// may be parts of themselves.
    pub(crate) fn of_parts(
        name: &'static str,
        parts: fn(&mut Asked) -> bool,
        function: impl Fn(Option<&T>, &T, &T) -> Result<T, Reason> + Send + Sync + 'static,
    ) -> Self {
        Merge { idempotent: Idempotence::Parts(parts), ..Merge::new(name, function) }
    }

    /// As [`Merge::is_idempotent`], as a part of another question.
    pub(crate) fn asked(&self, asked: &mut Asked) -> bool {
        self.idempotent.ask(asked)
    }

    /// The same merge with the reasons of its conflicts rewritten.
    #[must_use]
    pub fn with_conflict(
        self,
        rewrite: impl Fn(&str) -> String + Send + Sync + 'static,
    ) -> Merge<T> {
        let Merge { name, idempotent, function } = self;
        let function = Arc::new(move |base: Option<&T>, ours: &T, theirs: &T| {
            function(base, ours, theirs).map_err(|reason| Reason::new(rewrite(reason.as_str())))
        });
        Merge { name, idempotent, function }
    }
}

impl<T: Clone + PartialEq + 'static> Merge<T> {
    /// Takes the side that changed; what changed on both sides conflicts, even when the changes
    /// are equal, and so does what has no common ancestor.
    #[must_use]
    pub fn default_() -> Self {
        Merge::new("default", take_changed)
    }

    /// As [`Merge::default_`], but equal sides merge to their common value: the right one for
    /// values that are what they are, such as text or files.
    #[must_use]
    pub fn idempotent() -> Self {
        Merge::default_().named("idempotent").declared_idempotent()
    }

    /// Makes equal sides merge to their common value, whatever the function says of them.
    #[must_use]
    pub fn declared_idempotent(self) -> Self {
        let Merge { name, function, .. } = self;
        let function =
            Arc::new(
                move |base: Option<&T>, ours: &T, theirs: &T| {
                    if ours == theirs { Ok(ours.clone()) } else { function(base, ours, theirs) }
                },
            );
        Merge { name, idempotent: Idempotence::YES, function }
    }
}

/// The side that changed, if only one did.
pub(crate) fn take_changed<T: Clone + PartialEq>(
    base: Option<&T>,
    ours: &T,
    theirs: &T,
) -> Result<T, Reason> {
    match base {
        None => Err(Reason::NO_ANCESTOR),
        Some(base) if base == ours => Ok(theirs.clone()),
        Some(base) if base == theirs => Ok(ours.clone()),
        Some(_) => Err(Reason::DEFAULT),
    }
}
