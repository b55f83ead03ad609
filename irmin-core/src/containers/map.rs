//! A table of containers.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::element::{Name, tuple};
use super::{At, Container, Element, Event, Holds, not};
use crate::contents::binary::Reader;
use crate::contents::json::JsonValue;
use crate::error::Result;
use crate::merge::Reason;
use crate::repo::{Commit, CommitOptions};

/// A table with a container for each key, which merge on their own; maps can hold maps.
///
/// **Promise**: a key has a *generation*, the number of times that it was removed with knowledge
/// of the removals before. It is absent if nobody has set it since the last one; otherwise it is
/// what the edits of that generation make of an empty container.
///
/// So **updates on two sides merge**, as the container does, also if both sides set the key for
/// the first time. **Removing wins over updating**: what is done elsewhere to a key that is
/// removed here goes with it. **Setting it anew wins over removing**: it begins empty, and a
/// removal elsewhere that knew only of the old generation does not reach it. A key that was
/// removed leaves its generation behind, one small number, which is what tells an old update
/// from a new one.
#[derive(Clone, PartialEq, Debug)]
pub struct MergeMap<K: Ord, V> {
    keys: BTreeMap<K, Generation<V>>,
}

/// What a key is.
#[derive(Clone, PartialEq, Debug)]
struct Generation<V> {
    /// How often it was removed.
    number: i64,
    value: Option<V>,
}

impl<K: Ord, V> Default for MergeMap<K, V> {
    fn default() -> Self {
        MergeMap { keys: BTreeMap::new() }
    }
}

impl<K: Element + Ord, V: Container> MergeMap<K, V> {
    /// Changes the container of a key: `f` is given what is there, if anything.
    ///
    /// # Errors
    /// What `f` returns.
    pub fn update(&mut self, key: K, f: impl FnOnce(Option<V>) -> Result<V>) -> Result<()> {
        let old = self.keys.get(&key);
        let number = old.map_or(0, |old| old.number);
        let value = f(old.and_then(|old| old.value.clone()))?;
        self.keys.insert(key, Generation { number, value: Some(value) });
        Ok(())
    }

    /// Removes a key, and says whether it was there.
    pub fn remove(&mut self, key: &K) -> bool {
        let there = self.keys.get_mut(key).filter(|old| old.value.is_some());
        there.is_some_and(|old| {
            *old = Generation { number: old.number.saturating_add(1), value: None };
            true
        })
    }

    /// The container of a key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.keys.get(key)?.value.as_ref()
    }

    /// The keys that are there, in order, with their containers.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.keys.iter().filter_map(|(key, at)| Some((key, at.value.as_ref()?)))
    }

    /// The number of keys that are there.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether none is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn list(&self) -> Vec<(K, Generation<V>)> {
        self.keys.iter().map(|(key, at)| (key.clone(), at.clone())).collect()
    }

    /// The map of these keys, which must be in ascending order.
    fn of(list: Vec<(K, Generation<V>)>) -> Option<Self> {
        let sorted = list.is_sorted_by(|a, b| a.0 < b.0);
        sorted.then(|| MergeMap { keys: list.into_iter().collect() })
    }
}

impl<V: Container> Generation<V> {
    /// Only what was removed may be absent.
    fn is_possible(&self) -> bool {
        self.number > 0 || (self.number == 0 && self.value.is_some())
    }

    fn join(base: Option<&Self>, ours: &Self, theirs: &Self) -> core::result::Result<Self, Reason> {
        if ours.number != theirs.number {
            let later = if ours.number > theirs.number { ours } else { theirs };
            return Ok(later.clone());
        }
        let base = base.filter(|base| base.number == ours.number);
        let base = base.and_then(|base| base.value.as_ref());
        let value = match (&ours.value, &theirs.value) {
            (Some(ours), Some(theirs)) => Some(V::join(base, ours, theirs)?),
            (one, other) => one.as_ref().or(other.as_ref()).cloned(),
        };
        Ok(Generation { number: ours.number, value })
    }
}

/// The number and the container, if there is one.
impl<V: Container> Element for Generation<V> {
    const NAME: &'static str = V::NAME;

    fn to_binary(&self, out: &mut Vec<u8>) {
        self.number.to_binary(out);
        self.value.to_binary(out);
    }

    fn from_binary(from: &mut Reader<'_>) -> Result<Self> {
        let at =
            Generation { number: i64::from_binary(from)?, value: <Option<V>>::from_binary(from)? };
        if at.is_possible() { Ok(at) } else { Err(from.bad("a key that never was ends")) }
    }

    fn to_json(&self) -> JsonValue {
        JsonValue::Array([self.number.to_json(), self.value.to_json()].into())
    }

    fn from_json(json: JsonValue) -> Result<Self> {
        let [number, value] = tuple(json.clone(), "a generation and its value")?;
        let at =
            Generation { number: i64::from_json(number)?, value: <Option<V>>::from_json(value)? };
        if at.is_possible() { Ok(at) } else { Err(not("a key that ever was", &json)) }
    }
}

/// A list of keys with their generations, in ascending order of keys.
impl<K: Element + Ord, V: Container> Element for MergeMap<K, V> {
    const NAME: &'static str =
        const { &Name::of(&["merge-map(", K::NAME, ",", V::NAME, ")"]) }.as_str();

    fn to_binary(&self, out: &mut Vec<u8>) {
        self.list().to_binary(out);
    }

    fn from_binary(from: &mut Reader<'_>) -> Result<Self> {
        let list = Vec::from_binary(from)?;
        Self::of(list).ok_or_else(|| from.bad("keys out of order end"))
    }

    fn to_json(&self) -> JsonValue {
        self.list().to_json()
    }

    fn from_json(json: JsonValue) -> Result<Self> {
        let list = Vec::from_json(json.clone())?;
        Self::of(list).ok_or_else(|| not("in ascending order", &json))
    }
}

impl<K: Element + Ord, V: Container> Container for MergeMap<K, V> {
    fn join(base: Option<&Self>, ours: &Self, theirs: &Self) -> core::result::Result<Self, Reason> {
        let mut keys = ours.keys.clone();
        for (key, theirs) in &theirs.keys {
            let joined = match ours.keys.get(key) {
                None => theirs.clone(),
                Some(ours) => {
                    let base = base.and_then(|base| base.keys.get(key));
                    Generation::join(base, ours, theirs)?
                }
            };
            keys.insert(key.clone(), joined);
        }
        Ok(MergeMap { keys })
    }
}

impl<K: Element + Ord, V: Container, C: Holds<MergeMap<K, V>>> At<MergeMap<K, V>, C> {
    /// Changes the container of a key: `f` is given what is there, if anything. As in
    /// [`At::edit`], `what` says what the change is.
    ///
    /// # Errors
    /// What `f` returns, and as [`At::edit`].
    pub fn update(
        &self,
        key: impl Into<K>,
        options: impl Into<CommitOptions>,
        what: impl AsRef<[u8]>,
        mut f: impl FnMut(Option<V>, &mut Event) -> Result<V>,
    ) -> Result<Option<Commit<C>>> {
        let key = key.into();
        let mut all = Vec::new();
        key.to_binary(&mut all);
        all.extend_from_slice(what.as_ref());
        self.edit(options, all, |old, event| {
            let mut map = old.unwrap_or_default();
            map.update(key.clone(), |value| f(value, event))?;
            Ok(Some(map))
        })
    }

    /// Removes a key, if it is there.
    ///
    /// # Errors
    /// As [`At::edit`].
    pub fn remove(
        &self,
        key: impl Into<K>,
        options: impl Into<CommitOptions>,
    ) -> Result<Option<Commit<C>>> {
        let key = key.into();
        let mut what = Vec::from(*b"remove");
        key.to_binary(&mut what);
        self.edit(options, what, |old, _| {
            let mut map = old.unwrap_or_default();
            Ok(map.remove(&key).then_some(map))
        })
    }

    /// The container of a key, if it is there.
    ///
    /// # Errors
    /// As [`At::get`].
    pub fn find(&self, key: impl Into<K>) -> Result<Option<V>> {
        let key = key.into();
        Ok(self.get()?.and_then(|map| map.get(&key).cloned()))
    }

    /// The keys that are there, in their order.
    ///
    /// # Errors
    /// As [`At::get`].
    pub fn keys(&self) -> Result<Vec<K>> {
        Ok(self.get()?.unwrap_or_default().iter().map(|(key, _)| key.clone()).collect())
    }
}
