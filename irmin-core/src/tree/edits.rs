//! The edits of a directory, by name.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::hash::BuildHasher;
use core::ops::Range;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::raw::Slot;
use crate::lock::OnceLock;
use crate::path::Step;
use crate::sort;

/// What names of a directory become: their new slot, or none where they are removed.
///
/// Bulk loads put most of what they write here, name by name, and read it once, in order. So it is
/// a list: names that come in ascending order, and a few that come in any, are kept sorted. Where
/// many come in no order they are found with a table, and sorted when someone asks for the order.
#[derive(Clone, Default)]
pub(crate) struct Edits {
    list: Vec<(Step, Option<Slot>)>,
    /// There is one if the list is not sorted.
    index: Option<Box<Index>>,
}

/// How a list that is not sorted is found one's way in.
#[derive(Clone, Default)]
struct Index {
    places: HashTable<usize>,
    /// Seeded, against names that were made to collide.
    hasher: DefaultHashBuilder,
    /// The places in ascending order of names, until there is another name.
    order: OnceLock<Box<[usize]>>,
}

/// So many names are kept sorted, whatever the order in which they come.
const FEW: usize = 16;

/// Where a name that is not there belongs.
#[derive(Clone, Copy)]
pub(crate) enum Gap {
    /// Before that place of a sorted list.
    Before(usize),
    /// At the end of a list with a table, under this hash.
    End(u64),
}

impl Index {
    fn add(&mut self, list: &[(Step, Option<Slot>)], hash: u64, place: usize) {
        let Index { places, hasher, order } = self;
        order.take();
        let again = |place: &usize| list.get(*place).map_or(0, |(step, _)| hasher.hash_one(step));
        places.insert_unique(hash, place, again);
    }

    fn of(list: &[(Step, Option<Slot>)]) -> Self {
        let mut index = Index::default();
        for (place, (step, _)) in list.iter().enumerate() {
            index.add(list, index.hasher.hash_one(step), place);
        }
        index
    }

    fn order(&self, list: &[(Step, Option<Slot>)]) -> &[usize] {
        self.order.get_or_init(|| {
            let step = |place: usize| list.get(place).map(|(step, _)| step);
            sort::order(list.len(), &|a, b| step(a).cmp(&step(b))).into()
        })
    }
}

impl Edits {
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// What a name becomes; nothing if it stays what it is.
    pub(crate) fn get(&self, name: &[u8]) -> Option<&Option<Slot>> {
        let place = match &self.index {
            None => self.list.binary_search_by(|(step, _)| step.as_bytes().cmp(name)).ok()?,
            Some(_) => self.find(&Step::foreign(name)).ok()?,
        };
        self.list.get(place).map(|(_, slot)| slot)
    }

    /// The place of a name.
    pub(crate) fn find(&self, step: &Step) -> Result<usize, Gap> {
        let Some(index) = &self.index else {
            // Keys that come in order have the directory of the one before, or the next name.
            let end = self.list.len();
            match self.list.last().map_or(Ordering::Less, |(last, _)| last.cmp(step)) {
                Ordering::Less => return Err(Gap::Before(end)),
                Ordering::Equal => return Ok(end.saturating_sub(1)),
                Ordering::Greater => {}
            }
            return self.list.binary_search_by(|(name, _)| name.cmp(step)).map_err(Gap::Before);
        };
        let hash = index.hasher.hash_one(step);
        let same = |place: &usize| self.list.get(*place).is_some_and(|(name, _)| name == step);
        index.places.find(hash, same).copied().ok_or(Gap::End(hash))
    }

    /// Adds a name that is not there, and says its place.
    pub(crate) fn insert(&mut self, gap: Gap, step: Step, slot: Option<Slot>) -> usize {
        let end = self.list.len();
        let hash = match gap {
            Gap::End(hash) => Some(hash),
            Gap::Before(at) if at == end => None,
            Gap::Before(at) if end < FEW => {
                self.list.insert(at, (step, slot));
                return at;
            }
            Gap::Before(_) => {
                let index = self.index.insert(Box::new(Index::of(&self.list)));
                Some(index.hasher.hash_one(&step))
            }
        };
        self.list.push((step, slot));
        if let (Some(index), Some(hash)) = (&mut self.index, hash) {
            index.add(&self.list, hash, end);
        }
        end
    }

    /// What the name at a place becomes.
    pub(crate) fn at_mut(&mut self, place: usize) -> Option<&mut Option<Slot>> {
        self.list.get_mut(place).map(|(_, slot)| slot)
    }

    /// All that names become, in no order.
    pub(crate) fn slots_mut(&mut self) -> impl Iterator<Item = &mut Option<Slot>> {
        self.list.iter_mut().map(|(_, slot)| slot)
    }

    /// The edits in ascending order of names.
    pub(crate) fn iter(&self) -> Iter<'_> {
        let order = self.index.as_ref().map(|index| index.order(&self.list));
        Iter { list: &self.list, order, rest: 0..self.list.len() }
    }

    /// The edits of the names after one, in ascending order.
    pub(crate) fn after(&self, step: &Step) -> Iter<'_> {
        let mut iter = self.iter();
        // Bisection: names before `start` are not after the step, those from `end` on are.
        let Range { mut start, end: mut bound } = iter.rest.clone();
        while start < bound {
            let middle = start.midpoint(bound);
            match iter.at(middle) {
                Some((name, _)) if name <= step => start = middle + 1,
                _ => bound = middle,
            }
        }
        iter.rest.start = start;
        iter
    }
}

/// Edits in ascending order of names.
pub(crate) struct Iter<'a> {
    list: &'a [(Step, Option<Slot>)],
    order: Option<&'a [usize]>,
    rest: Range<usize>,
}

impl<'a> Iter<'a> {
    fn at(&self, n: usize) -> Option<(&'a Step, &'a Option<Slot>)> {
        let place = match self.order {
            Some(order) => *order.get(n)?,
            None => n,
        };
        self.list.get(place).map(|(step, slot)| (step, slot))
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a Step, &'a Option<Slot>);

    fn next(&mut self) -> Option<Self::Item> {
        let n = self.rest.next()?;
        self.at(n)
    }
}

impl<'a> IntoIterator for &'a Edits {
    type Item = (&'a Step, &'a Option<Slot>);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::HashFunction;
    use crate::id::Key;
    use crate::tree::raw::Link;
    use alloc::collections::BTreeMap;
    use alloc::format;

    /// A slot that tells what it was made from.
    fn slot(n: u64) -> Option<Slot> {
        let hash = HashFunction::Sha1.digest(&n.to_le_bytes());
        (!n.is_multiple_of(7)).then(|| Slot::Node(Link::Stored(Key::from(hash))))
    }

    fn hash_of(slot: &Option<Slot>) -> Option<crate::Hash> {
        match slot {
            Some(Slot::Node(Link::Stored(key))) => Some(key.hash),
            _ => None,
        }
    }

    /// Names as numbers say, put into both; names that are long and that are not, and zeros in them.
    fn compare(numbers: impl Iterator<Item = u64>) {
        let (mut edits, mut model) = (Edits::default(), BTreeMap::new());
        for (n, number) in numbers.enumerate() {
            let name = match number % 3 {
                0 => format!("{number:08}"),
                1 => format!("{number:08}-{}", "x".repeat((number % 40) as usize)),
                _ => format!("{number:08}{}", "\0".repeat((number % 4) as usize)),
            };
            let (step, new) = (Step::foreign(name.as_bytes()), slot(n as u64));
            model.insert(step.clone(), hash_of(&new));
            let at = match edits.find(&step) {
                Ok(at) => at,
                Err(gap) => edits.insert(gap, step.clone(), None),
            };
            *edits.at_mut(at).unwrap() = new;
            assert_eq!(edits.len(), model.len());
            if n.is_power_of_two() {
                let all: BTreeMap<_, _> = (&edits).into_iter().map(|(s, _)| (s, ())).collect();
                assert_eq!(all.len(), model.len());
            }
        }
        let pairs = |iter: Iter<'_>| iter.map(|(s, t)| (s.clone(), hash_of(t))).collect::<Vec<_>>();
        assert!(pairs(edits.iter()).into_iter().eq(model.clone()));
        for (step, hash) in &model {
            assert_eq!(edits.get(step.as_bytes()).map(hash_of), Some(*hash));
            let range = model.range::<Step, _>(step..);
            let after: Vec<_> = range.skip(1).map(|(s, h)| (s.clone(), *h)).collect();
            assert_eq!(pairs(edits.after(step)), after);
        }
        assert!(edits.get(b"absent").is_none() && edits.get(b"").is_none());
        assert_eq!(pairs(edits.after(&Step::foreign(b""))).len(), model.len());
        assert_eq!(edits.after(&Step::foreign(b"z")).count(), 0);
        assert_eq!(edits.slots_mut().count(), model.len());
    }

    #[test]
    fn they_are_a_sorted_map_in_whatever_order_they_come() {
        compare(0..300);
        compare((0..300).rev());
        compare(0..1);
        compare((0..10).rev());
        // Twice each, in no order.
        compare((0..600).map(|n| n * 7919 % 300));
        // Ascending until there are many.
        compare((0..200).chain((0..300).rev()));
    }
}
