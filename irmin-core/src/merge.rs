//! The merge algebra: how two changes of one value become one.
//!
//! A [`Merge`] is a named three-way function over values of one type. Small ones are combined to
//! larger ones: `Merge::counter().option()` merges a counter that may be absent, and
//! `Merge::counter().map::<String>()` a table of counters. Everything here is pure.
//!
//! The combinators and the texts of their conflicts are those of OCaml Irmin's `Irmin.Merge`. Two
//! levels of absence matter, and are kept apart:
//! - the *base* is `None` where there is no common ancestor to compare with;
//! - in a merge of options, a base of `Some(&None)` is an ancestor that is known to lack the value.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

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
    /// Both sides have a value, and there is no common ancestor that tells which one is newer.
    pub const NO_ANCESTOR: Reason =
        Reason(Cow::Borrowed("default: add/add and no common ancestor"));
    /// One side changed what the other removed.
    pub const ADD_DEL: Reason = Reason(Cow::Borrowed("option: add/del"));
    /// A value has no image under the bijection of [`Merge::like`].
    pub const BIJECT: Reason = Reason(Cow::Borrowed("biject"));

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
    idempotent: bool,
    function: Arc<Function<T>>,
}

impl<T> Clone for Merge<T> {
    fn clone(&self) -> Self {
        Merge {
            name: self.name.clone(),
            idempotent: self.idempotent,
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
        Merge { name: name.into(), idempotent: false, function: Arc::new(function) }
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
        self.idempotent
    }

    /// Merges two values that come from `base`.
    ///
    /// # Errors
    /// The reason for which they conflict.
    pub fn apply(&self, base: Option<&T>, ours: &T, theirs: &T) -> Result<T, Reason> {
        (self.function)(base, ours, theirs)
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
        Merge { name, idempotent: true, function }
    }

    /// The merge of a value that may be absent.
    ///
    /// What only one side changed, removed or added is taken; a change against a removal
    /// conflicts with `option: add/del`; two changes are merged by this merge.
    #[must_use]
    pub fn option(self) -> Merge<Option<T>> {
        let (name, idempotent) = (format!("option({})", self.name), self.idempotent);
        let function = move |base: Option<&Option<T>>, ours: &Option<T>, theirs: &Option<T>| {
            let inner = |base: Option<&T>, ours: &T, theirs: &T| self.apply(base, ours, theirs);
            merge_options(inner, base, ours, theirs)
        };
        Merge { name: name.into(), idempotent, function: Arc::new(function) }
    }

    /// The merge of maps, key by key, each as [`Merge::option`].
    ///
    /// Without a base map no key has a base: both sides may add different keys, and a key that
    /// both add is up to this merge. The keys are merged in ascending order and the conflict that
    /// is reported is that of the last one, as OCaml Irmin's is.
    ///
    /// ```
    /// use irmin_core::merge::Merge;
    /// use std::collections::BTreeMap;
    /// let merge = Merge::counter().map::<&str>();
    /// let base = BTreeMap::from([("reads", 5)]);
    /// let ours = BTreeMap::from([("reads", 7), ("writes", 1)]);
    /// let theirs = BTreeMap::from([("reads", 6), ("writes", 1)]);
    /// let merged = merge.apply(Some(&base), &ours, &theirs).unwrap();
    /// assert_eq!(merged, BTreeMap::from([("reads", 8), ("writes", 2)]));
    /// ```
    #[must_use]
    pub fn map<K: Ord + Clone + 'static>(self) -> Merge<BTreeMap<K, T>> {
        let (name, idempotent) = (format!("map({})", self.name), self.idempotent);
        let values = self.option();
        let function =
            move |base: Option<&BTreeMap<K, T>>, ours: &BTreeMap<K, T>, theirs: &BTreeMap<K, T>| {
                merge_maps(&values, base, ours, theirs)
            };
        Merge { name: name.into(), idempotent, function: Arc::new(function) }
    }

    /// The merge of a type whose values correspond one to one to those of this one.
    ///
    /// What [`Merge::default_`] can decide is decided without a conversion. A value that has no
    /// counterpart (`None`) conflicts with `biject`.
    ///
    /// ```
    /// use irmin_core::merge::Merge;
    /// let text = Merge::counter().like(|s: &String| s.parse().ok(), |n| Some(n.to_string()));
    /// let merged = text.apply(Some(&"5".into()), &"7".into(), &"6".into());
    /// assert_eq!(merged.unwrap(), "8");
    /// ```
    #[must_use]
    pub fn like<U: Clone + PartialEq + 'static>(
        self,
        to: impl Fn(&U) -> Option<T> + Send + Sync + 'static,
        from: impl Fn(T) -> Option<U> + Send + Sync + 'static,
    ) -> Merge<U> {
        let (name, idempotent) = (format!("like({})", self.name), self.idempotent);
        let function = move |base: Option<&U>, ours: &U, theirs: &U| {
            if let Ok(value) = take_changed(base, ours, theirs) {
                return Ok(value);
            }
            let to = |value: &U| to(value).ok_or(Reason::BIJECT);
            let (ours, theirs) = (to(ours)?, to(theirs)?);
            let base = base.map(to).transpose()?;
            from(self.apply(base.as_ref(), &ours, &theirs)?).ok_or(Reason::BIJECT)
        };
        Merge { name: name.into(), idempotent, function: Arc::new(function) }
    }
}

impl Merge<i64> {
    /// Counts what both sides counted: `ours + theirs - base`, where no base is zero.
    ///
    /// It wraps around at the ends, as OCaml's `int64` does, so that it never conflicts.
    #[must_use]
    pub fn counter() -> Self {
        Merge::new("counter", |base: Option<&i64>, ours, theirs| {
            Ok(ours.wrapping_add(*theirs).wrapping_sub(base.copied().unwrap_or(0)))
        })
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

/// The merge of options, over that of values.
pub(crate) fn merge_options<T: Clone + PartialEq>(
    inner: impl FnOnce(Option<&T>, &T, &T) -> Result<T, Reason>,
    base: Option<&Option<T>>,
    ours: &Option<T>,
    theirs: &Option<T>,
) -> Result<Option<T>, Reason> {
    if let Ok(value) = take_changed(base, ours, theirs) {
        return Ok(value);
    }
    let base = base.and_then(Option::as_ref);
    match (ours, theirs) {
        (None, None) => Ok(None),
        (Some(ours), Some(theirs)) => inner(base, ours, theirs).map(Some),
        (Some(kept), None) | (None, Some(kept)) => match base {
            None => Ok(Some(kept.clone())),
            // One side removed what the other left as it was, which was decided above.
            Some(_) => Err(Reason::ADD_DEL),
        },
    }
}

fn merge_maps<K: Ord + Clone, T: Clone + PartialEq + 'static>(
    values: &Merge<Option<T>>,
    base: Option<&BTreeMap<K, T>>,
    ours: &BTreeMap<K, T>,
    theirs: &BTreeMap<K, T>,
) -> Result<BTreeMap<K, T>, Reason> {
    let keys: BTreeSet<&K> = ours.keys().chain(theirs.keys()).collect();
    let mut merged = BTreeMap::new();
    let mut conflict = None;
    for key in keys {
        let base = base.map(|map| map.get(key).cloned());
        match values.apply(base.as_ref(), &ours.get(key).cloned(), &theirs.get(key).cloned()) {
            Ok(Some(value)) => drop(merged.insert(key.clone(), value)),
            Ok(None) => {}
            Err(reason) => conflict = Some(reason),
        }
    }
    conflict.map_or(Ok(merged), Err)
}
