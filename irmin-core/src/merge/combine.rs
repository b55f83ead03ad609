//! Merges of what consists of parts, and merges that are made from others.

use alloc::borrow::Cow;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::{Merge, Reason, take_changed};

impl<T: Clone + PartialEq + 'static> Merge<T> {
    /// The merge of a value that may be absent.
    ///
    /// What only one side changed, removed or added is taken; a change against a removal
    /// conflicts with `option: add/del`; two changes are merged by this merge.
    #[must_use]
    pub fn option(self) -> Merge<Option<T>> {
        let (name, idempotent) = (format!("option({})", self.name), self.idempotent.clone());
        let function = move |base: Option<&Option<T>>, ours: &Option<T>, theirs: &Option<T>| {
            let inner = |base: Option<&T>, ours: &T, theirs: &T| self.apply(base, ours, theirs);
            merge_options(inner, base, ours, theirs)
        };
        Merge { name: name.into(), idempotent, function: Arc::new(function) }
    }

    /// The merge of pairs, part by part: the first part by this merge, the second by another.
    ///
    /// What [`Merge::default_`] can decide is decided without looking at the parts. If both
    /// conflict, the first one is told.
    ///
    /// ```
    /// use irmin_core::Merge;
    /// let merge = Merge::counter().pair(Merge::<&str>::idempotent());
    /// let merged = merge.apply(Some(&(5, "a")), &(7, "b"), &(6, "a"));
    /// assert_eq!(merged, Ok((8, "b")));
    /// ```
    #[must_use]
    pub fn pair<U: Clone + PartialEq + 'static>(self, second: Merge<U>) -> Merge<(T, U)> {
        let name = format!("pair({},{})", self.name, second.name);
        let idempotent = self.idempotent.and(&second.idempotent);
        let function = move |base: Option<&(T, U)>, ours: &(T, U), theirs: &(T, U)| {
            if let Ok(value) = take_changed(base, ours, theirs) {
                return Ok(value);
            }
            let first = self.apply(base.map(|b| &b.0), &ours.0, &theirs.0)?;
            Ok((first, second.apply(base.map(|b| &b.1), &ours.1, &theirs.1)?))
        };
        Merge { name: name.into(), idempotent, function: Arc::new(function) }
    }

    /// The merge of triples, part by part, as [`Merge::pair`].
    #[must_use]
    pub fn triple<U, V>(self, second: Merge<U>, third: Merge<V>) -> Merge<(T, U, V)>
    where
        U: Clone + PartialEq + 'static,
        V: Clone + PartialEq + 'static,
    {
        let name = format!("triple({},{},{})", self.name, second.name, third.name);
        let idempotent = self.idempotent.and(&second.idempotent).and(&third.idempotent);
        let function = move |base: Option<&(T, U, V)>, ours: &(T, U, V), theirs: &(T, U, V)| {
            if let Ok(value) = take_changed(base, ours, theirs) {
                return Ok(value);
            }
            let first = self.apply(base.map(|b| &b.0), &ours.0, &theirs.0)?;
            let middle = second.apply(base.map(|b| &b.1), &ours.1, &theirs.1)?;
            Ok((first, middle, third.apply(base.map(|b| &b.2), &ours.2, &theirs.2)?))
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
        let (name, idempotent) = (format!("map({})", self.name), self.idempotent.clone());
        let values = self.option();
        Merge { idempotent, ..Merge::map_by(name, move |_| values.clone()) }
    }

    /// The merge of association lists, key by key, each as [`Merge::option`].
    ///
    /// It sees lists as OCaml Irmin does: their order means nothing, the result is in descending
    /// order of keys, and entries of one key are paired in the order of their values. Because of
    /// the order it is not declared idempotent. [`Merge::map`] is the better type for most.
    ///
    /// ```
    /// use irmin_core::Merge;
    /// let merge = Merge::counter().alist::<&str>();
    /// let base = vec![("reads", 5)];
    /// let merged = merge.apply(Some(&base), &vec![("reads", 7)], &vec![("a", 1), ("reads", 6)]);
    /// assert_eq!(merged.unwrap(), [("reads", 8), ("a", 1)]);
    /// ```
    #[must_use]
    pub fn alist<K: Ord + Clone + 'static>(self) -> Merge<Vec<(K, T)>>
    where
        T: Ord,
    {
        let name = format!("alist({})", self.name);
        let values = self.option();
        Merge::alist_by(name, move |_| values.clone())
    }

    /// Alternatives in sequence: the result of the other merge where this one conflicts.
    ///
    /// If both conflict, the reason is the other's. Of more than two the first decides that does
    /// not conflict: `a.or(b).or(c)`.
    ///
    /// ```
    /// use irmin_core::Merge;
    /// let ours = Merge::new("ours", |_, ours: &u8, _: &u8| Ok(*ours));
    /// let merge = Merge::<u8>::default_().or(ours);
    /// assert_eq!(merge.apply(Some(&0), &0, &2), Ok(2));
    /// assert_eq!(merge.apply(Some(&0), &1, &2), Ok(1));
    /// assert_eq!(merge.name(), "seq(default,ours)");
    /// ```
    #[must_use]
    pub fn or(self, other: Merge<T>) -> Merge<T> {
        let name = format!("seq({},{})", self.name, other.name);
        let idempotent = self.idempotent.clone();
        let function = move |base: Option<&T>, ours: &T, theirs: &T| {
            self.apply(base, ours, theirs).or_else(|_| other.apply(base, ours, theirs))
        };
        Merge { name: name.into(), idempotent, function: Arc::new(function) }
    }

    /// The merge of a type whose values correspond one to one to those of this one.
    ///
    /// What [`Merge::default_`] can decide is decided without a conversion, and so is what is equal
    /// if this merge is idempotent. A value that has no counterpart (`None`) conflicts with
    /// `biject`.
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
        let (name, idempotent) = (format!("like({})", self.name), self.idempotent.clone());
        let function = move |base: Option<&U>, ours: &U, theirs: &U| {
            if let Ok(value) = take_changed(base, ours, theirs) {
                return Ok(value);
            }
            // Not every value has a counterpart that leads back to it.
            if ours == theirs && self.is_idempotent() {
                return Ok(ours.clone());
            }
            let to = |value: &U| to(value).ok_or(Reason::BIJECT);
            let (ours, theirs) = (to(ours)?, to(theirs)?);
            let base = base.map(to).transpose()?;
            from(self.apply(base.as_ref(), &ours, &theirs)?).ok_or(Reason::BIJECT)
        };
        Merge { name: name.into(), idempotent, function: Arc::new(function) }
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

impl<K: Ord + Clone + 'static, T: Clone + PartialEq + 'static> Merge<BTreeMap<K, T>> {
    /// The merge of maps whose values merge as their key says, present or not.
    ///
    /// Without a base map the values have no base (`None`); in a base map that lacks the key they
    /// have a base that is known to be absent (`Some(&None)`).
    ///
    /// ```
    /// use irmin_core::Merge;
    /// use std::collections::BTreeMap;
    /// let merge = Merge::map_by("totals", |key: &String| match key.as_str() {
    ///     "total" => Merge::counter().option(),
    ///     _ => Merge::idempotent(),
    /// });
    /// let side = |total, name| BTreeMap::from([("total".into(), total), ("id".into(), name)]);
    /// let merged = merge.apply(Some(&side(1, 7)), &side(3, 7), &side(2, 8));
    /// assert_eq!(merged, Ok(side(4, 8)));
    /// ```
    #[must_use]
    pub fn map_by(
        name: impl Into<Cow<'static, str>>,
        values: impl Fn(&K) -> Merge<Option<T>> + Send + Sync + 'static,
    ) -> Self {
        Merge::new(name, move |base: Option<&BTreeMap<K, T>>, ours, theirs| {
            merge_maps(&values, base, ours, theirs)
        })
    }
}

impl<K: Ord + Clone + 'static, T: Ord + Clone + 'static> Merge<Vec<(K, T)>> {
    /// The merge of association lists whose values merge as their key says, present or not.
    ///
    /// Without a base list every value has a base that is known to be absent (`Some(&None)`): no
    /// list is an empty one, as it is in OCaml Irmin. See [`Merge::alist`] for the order.
    #[must_use]
    pub fn alist_by(
        name: impl Into<Cow<'static, str>>,
        values: impl Fn(&K) -> Merge<Option<T>> + Send + Sync + 'static,
    ) -> Self {
        Merge::new(name, move |base: Option<&Vec<(K, T)>>, ours, theirs| {
            let value = |key: &K, base: &Option<T>, ours: &Option<T>, theirs: &Option<T>| {
                values(key).apply(Some(base), ours, theirs)
            };
            merge_alists(value, T::cmp, base.map(Vec::as_slice), ours, theirs)
        })
    }
}

fn merge_maps<K: Ord + Clone, T: Clone + PartialEq + 'static>(
    values: impl Fn(&K) -> Merge<Option<T>>,
    base: Option<&BTreeMap<K, T>>,
    ours: &BTreeMap<K, T>,
    theirs: &BTreeMap<K, T>,
) -> Result<BTreeMap<K, T>, Reason> {
    let keys: BTreeSet<&K> = ours.keys().chain(theirs.keys()).collect();
    let mut merged = BTreeMap::new();
    let mut conflict = None;
    for key in keys {
        let base = base.map(|map| map.get(key).cloned());
        let (ours, theirs) = (ours.get(key).cloned(), theirs.get(key).cloned());
        match values(key).apply(base.as_ref(), &ours, &theirs) {
            Ok(Some(value)) => drop(merged.insert(key.clone(), value)),
            Ok(None) => {}
            Err(reason) => conflict = Some(reason),
        }
    }
    conflict.map_or(Ok(merged), Err)
}

/// Merges association lists; no list as base is an empty one: each key is known to be absent.
///
/// The result is in descending order of keys, and of several conflicts that of the last key in
/// ascending order is reported: both as the original does. Duplicates of a key are paired in the
/// `order` of their values.
pub(crate) fn merge_alists<K: Ord + Clone, T: Clone>(
    merge: impl Fn(&K, &Option<T>, &Option<T>, &Option<T>) -> Result<Option<T>, Reason>,
    order: impl Fn(&T, &T) -> Ordering,
    base: Option<&[(K, T)]>,
    ours: &[(K, T)],
    theirs: &[(K, T)],
) -> Result<Vec<(K, T)>, Reason> {
    let sorted = |list| {
        let mut sorted: Vec<&(K, T)> = <[(K, T)]>::iter(list).collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| order(&a.1, &b.1)));
        sorted.into_iter().peekable()
    };
    // The first entry of a key is the one that counts in the base.
    let mut known = BTreeMap::new();
    for (key, value) in base.unwrap_or_default() {
        known.entry(key).or_insert(value);
    }
    let (mut ours, mut theirs) = (sorted(ours), sorted(theirs));
    let (mut merged, mut conflict) = (Vec::new(), None);
    loop {
        let side = match (ours.peek(), theirs.peek()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.0.cmp(&b.0),
        };
        let a = if side.is_le() { ours.next() } else { None };
        let b = if side.is_ge() { theirs.next() } else { None };
        let Some((key, _)) = a.or(b) else { break };
        let value = |side: Option<&(K, T)>| side.map(|entry| entry.1.clone());
        match merge(key, &known.get(key).map(|v| (*v).clone()), &value(a), &value(b)) {
            Ok(Some(value)) => merged.push((key.clone(), value)),
            Ok(None) => {}
            Err(reason) => conflict = Some(reason),
        }
    }
    merged.reverse();
    conflict.map_or(Ok(merged), Err)
}
