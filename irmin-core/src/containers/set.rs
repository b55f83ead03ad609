//! A set in which adding wins.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::element::Name;
use super::{At, Container, Element, Event, Holds, Mark, not};
use crate::contents::binary::Reader;
use crate::contents::json::JsonValue;
use crate::error::Result;
use crate::merge::{Merge, Reason};
use crate::repo::{Commit, CommitOptions};

/// A set; an element that is added on one side and removed on the other stays: the
/// *observed-remove* set.
///
/// **Promise**: an element is in the set if the history has an addition of it that no removal in
/// the history knew of.
///
/// Each addition gives the element a new [mark](Mark), also if it is there already, in place of
/// those that it had; a removal removes the marks that it sees. So an element has one mark for each
/// addition that others did not know of, and what was removed leaves no trace.
///
/// ```
/// use irmin_core::containers::{AddWinsSet, Container, Event};
/// let mut base = AddWinsSet::default();
/// base.add("milk".to_string(), &mut Event::new("shopping", 1));
/// let (mut ours, mut theirs) = (base.clone(), base.clone());
/// ours.remove(&"milk".to_string());
/// theirs.add("milk".to_string(), &mut Event::new("more", 2));
/// let merged = AddWinsSet::join(Some(&base), &ours, &theirs).unwrap();
/// assert!(merged.contains(&"milk".to_string()));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AddWinsSet<T: Ord> {
    marks: BTreeSet<(T, Mark)>,
}

impl<T: Ord> Default for AddWinsSet<T> {
    fn default() -> Self {
        AddWinsSet { marks: BTreeSet::new() }
    }
}

impl<T: Element + Ord> AddWinsSet<T> {
    /// Adds an element; the addition counts also if the element is there.
    pub fn add(&mut self, element: T, event: &mut Event) {
        self.remove(&element);
        self.marks.insert((element, event.mark()));
    }

    /// Removes an element, and says whether it was there.
    pub fn remove(&mut self, element: &T) -> bool {
        let seen: Vec<_> = self.marks_of(element).cloned().collect();
        for key in &seen {
            self.marks.remove(key);
        }
        !seen.is_empty()
    }

    /// Whether an element is in the set.
    #[must_use]
    pub fn contains(&self, element: &T) -> bool {
        self.marks_of(element).next().is_some()
    }

    /// The elements, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        let mut last = None;
        // The marks of one element stand together.
        self.marks.iter().map(|(element, _)| element).filter(move |element| {
            let is_new = last != Some(*element);
            last = Some(*element);
            is_new
        })
    }

    /// The number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    fn marks_of(&self, element: &T) -> impl Iterator<Item = &(T, Mark)> {
        let first = (element.clone(), Mark::new([0; 16]));
        let last = (element.clone(), Mark::new([255; 16]));
        self.marks.range(first..=last)
    }

    /// The set of these pairs, which must be in ascending order.
    fn of(pairs: Vec<(T, Mark)>) -> Option<Self> {
        let sorted = pairs.is_sorted_by(|a, b| a < b);
        sorted.then(|| AddWinsSet { marks: pairs.into_iter().collect() })
    }
}

/// A list of elements with their marks, in ascending order of both.
impl<T: Element + Ord> Element for AddWinsSet<T> {
    const NAME: &'static str = const { &Name::of(&["add-wins-set(", T::NAME, ")"]) }.as_str();

    fn to_binary(&self, out: &mut Vec<u8>) {
        self.marks.iter().cloned().collect::<Vec<_>>().to_binary(out);
    }

    fn from_binary(from: &mut Reader<'_>) -> Result<Self> {
        let pairs = Vec::from_binary(from)?;
        Self::of(pairs).ok_or_else(|| from.bad("elements out of order end"))
    }

    fn to_json(&self) -> JsonValue {
        self.marks.iter().cloned().collect::<Vec<_>>().to_json()
    }

    fn from_json(json: JsonValue) -> Result<Self> {
        let pairs = Vec::from_json(json.clone())?;
        Self::of(pairs).ok_or_else(|| not("in ascending order", &json))
    }
}

impl<T: Element + Ord> Container for AddWinsSet<T> {
    fn join(base: Option<&Self>, ours: &Self, theirs: &Self) -> core::result::Result<Self, Reason> {
        let base = base.map(|base| &base.marks);
        let marks = Merge::<BTreeSet<_>>::set().apply(base, &ours.marks, &theirs.marks)?;
        Ok(AddWinsSet { marks })
    }
}

impl<T: Element + Ord, C: Holds<AddWinsSet<T>>> At<AddWinsSet<T>, C> {
    /// Adds an element; it is a commit also if the element is there, since only then does it win
    /// over removals elsewhere.
    ///
    /// # Errors
    /// As [`At::edit`].
    pub fn add(
        &self,
        element: impl Into<T>,
        options: impl Into<CommitOptions>,
    ) -> Result<Option<Commit<C>>> {
        self.put(element, options, |old, element, event| {
            let mut set: AddWinsSet<T> = old.unwrap_or_default();
            set.add(element, event);
            set
        })
    }

    /// Removes an element, if it is there.
    ///
    /// # Errors
    /// As [`At::edit`].
    pub fn remove(
        &self,
        element: impl Into<T>,
        options: impl Into<CommitOptions>,
    ) -> Result<Option<Commit<C>>> {
        let element = element.into();
        let mut what = Vec::from(*b"remove");
        element.to_binary(&mut what);
        self.edit(options, what, |old, _| {
            let mut set = old.unwrap_or_default();
            Ok(set.remove(&element).then_some(set))
        })
    }

    /// Whether an element is in the set.
    ///
    /// # Errors
    /// As [`At::get`].
    pub fn contains(&self, element: impl Into<T>) -> Result<bool> {
        let element = element.into();
        Ok(self.get()?.is_some_and(|set| set.contains(&element)))
    }

    /// The elements, in their order.
    ///
    /// # Errors
    /// As [`At::get`].
    pub fn elements(&self) -> Result<Vec<T>> {
        Ok(self.get()?.unwrap_or_default().iter().cloned().collect())
    }
}
