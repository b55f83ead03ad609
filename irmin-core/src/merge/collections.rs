//! Merges of collections that change by small steps: counts, sets and logs; and of values that
//! know when they were written.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::{Merge, Reason, take_changed};

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

impl<T: Ord + Clone + 'static> Merge<BTreeSet<T>> {
    /// Adds what either side added to the base and removes what either side removed; no base is an
    /// empty one. It never conflicts.
    ///
    /// ```
    /// use irmin_core::Merge;
    /// use std::collections::BTreeSet;
    /// let merge = Merge::<BTreeSet<u8>>::set();
    /// let (base, ours, theirs) = ([1, 2].into(), [1, 2, 3].into(), [2, 4].into());
    /// assert_eq!(merge.apply(Some(&base), &ours, &theirs), Ok([2, 3, 4].into()));
    /// ```
    #[must_use]
    pub fn set() -> Self {
        let mut merge = Merge::new("set", |base: Option<&BTreeSet<T>>, ours, theirs| {
            // In the base and on both sides, or new on one of them.
            let new = |x: &&T| base.is_none_or(|base| !base.contains(*x));
            let kept = ours.intersection(theirs);
            let one_sided = ours.symmetric_difference(theirs).filter(new);
            Ok(kept.chain(one_sided).cloned().collect())
        });
        merge.idempotent = super::Idempotence::YES;
        merge
    }
}

impl<K: Ord + Clone + 'static> Merge<BTreeMap<K, i64>> {
    /// Counts, key by key, what both sides counted: `ours + theirs - base`, where what is absent
    /// is zero and what comes to zero disappears. It never conflicts.
    ///
    /// Sums wrap around at the ends, as OCaml's `int64` does.
    ///
    /// ```
    /// use irmin_core::Merge;
    /// use std::collections::BTreeMap;
    /// let merge = Merge::<BTreeMap<&str, i64>>::multiset();
    /// let base = [("a", 2), ("b", 1)].into();
    /// let merged = merge.apply(Some(&base), &[("a", 3)].into(), &[("a", 1), ("b", 1)].into());
    /// assert_eq!(merged, Ok([("a", 2)].into()));
    /// ```
    #[must_use]
    pub fn multiset() -> Self {
        Merge::new("multiset", |base: Option<&BTreeMap<K, i64>>, ours, theirs| {
            let mut sums: BTreeMap<&K, i64> = BTreeMap::new();
            for (key, n) in [ours, theirs].into_iter().flatten() {
                let sum = sums.entry(key).or_default();
                *sum = sum.wrapping_add(*n);
            }
            for (key, n) in base.into_iter().flatten() {
                let sum = sums.entry(key).or_default();
                *sum = sum.wrapping_sub(*n);
            }
            let present = sums.into_iter().filter(|(_, n)| *n != 0);
            Ok(present.map(|(key, n)| (key.clone(), n)).collect())
        })
    }
}

impl<T: Ord + Clone + 'static> Merge<Vec<T>> {
    /// Keeps what both sides added to the base: its entries in their order, and before, between and
    /// behind them the new ones of both sides, the smaller one first where there is a choice.
    ///
    /// Each side's entries keep their order. Lists in ascending order, such as those of entries
    /// that begin with their time, stay in order, and then it does not matter who merged what
    /// before. Equal entries of both sides are two, as two steps of a counter are; no base is an
    /// empty one. A side that changed, moved or removed entries of the base conflicts with
    /// [`Reason::REWRITTEN`], unless the other side left everything as it was.
    ///
    /// ```
    /// use irmin_core::Merge;
    /// let merge = Merge::<Vec<(u64, &str)>>::log();
    /// let base = vec![(1, "start")];
    /// let ours = vec![(1, "start"), (3, "ann")];
    /// let theirs = vec![(1, "start"), (2, "bob"), (4, "bob again")];
    /// let merged = merge.apply(Some(&base), &ours, &theirs).unwrap();
    /// assert_eq!(merged, [(1, "start"), (2, "bob"), (3, "ann"), (4, "bob again")]);
    /// ```
    #[must_use]
    pub fn log() -> Self {
        Merge::new("log", |base: Option<&Vec<T>>, ours, theirs| {
            if let Ok(value) = take_changed(base, ours, theirs) {
                return Ok(value);
            }
            let (mut ours, mut theirs) = (ours.as_slice(), theirs.as_slice());
            let mut merged = Vec::with_capacity(ours.len().max(theirs.len()));
            for entry in base.into_iter().flatten() {
                interleave(before(entry, &mut ours)?, before(entry, &mut theirs)?, &mut merged);
                merged.push(entry.clone());
            }
            interleave(ours, theirs, &mut merged);
            Ok(merged)
        })
    }
}

/// Takes the entries before an entry of the base, and that one, from a side.
fn before<'a, T: PartialEq>(entry: &T, side: &mut &'a [T]) -> Result<&'a [T], Reason> {
    let at = side.iter().position(|e| e == entry);
    let (new, rest) = at.and_then(|at| side.split_at_checked(at)).ok_or(Reason::REWRITTEN)?;
    *side = rest.get(1..).unwrap_or_default();
    Ok(new)
}

/// Appends the entries of two lists, each in its order, the smaller one first where there is a
/// choice. Equal ones are taken together, so that it does not matter which list is which.
fn interleave<T: Ord + Clone>(a: &[T], b: &[T], out: &mut Vec<T>) {
    let (mut a, mut b) = (a.iter().cloned().peekable(), b.iter().cloned().peekable());
    loop {
        let order = match (a.peek(), b.peek()) {
            (None, None) => return,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.cmp(b),
        };
        out.extend(a.next_if(|_| order.is_le()));
        out.extend(b.next_if(|_| order.is_ge()));
    }
}

impl<T: Clone + PartialEq + 'static> Merge<T> {
    /// Of two changes takes the one that was written later, by a time that the values carry.
    ///
    /// The time can be anything with an order; a pair of time and author tells apart what two
    /// people wrote in one second. What only one side changed is taken whatever its time, because
    /// clocks go wrong. Different values of one time conflict with [`Reason::SAME_TIME`]: which
    /// of them is lost must not depend on who merges.
    ///
    /// ```
    /// use irmin_core::Merge;
    /// let merge = Merge::last_writer(|price: &(u64, &str)| price.0);
    /// assert_eq!(merge.apply(Some(&(1, "2.50")), &(5, "2.70"), &(4, "2.40")), Ok((5, "2.70")));
    /// ```
    #[must_use]
    pub fn last_writer<K: Ord>(time: impl Fn(&T) -> K + Send + Sync + 'static) -> Self {
        let later = move |base: Option<&T>, ours: &T, theirs: &T| {
            take_changed(base, ours, theirs).or_else(|_| match time(ours).cmp(&time(theirs)) {
                Ordering::Greater => Ok(ours.clone()),
                Ordering::Less => Ok(theirs.clone()),
                Ordering::Equal => Err(Reason::SAME_TIME),
            })
        };
        Merge::new("lww", later).declared_idempotent()
    }
}
