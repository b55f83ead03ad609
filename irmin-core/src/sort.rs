//! L0: Sorting where it need not be fast, which is compiled once.
//!
//! The sort of the standard library is some three kilobytes of code for each type and order. That
//! is well spent where directories are read and written; lists that are short, or made once in an
//! operation, share this one.

use alloc::vec::Vec;
use core::cmp::Ordering;

/// Sorts a list; what is equal stays in its order.
pub(crate) fn by<T>(list: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    if list.is_sorted_by(|a, b| compare(a, b).is_le()) {
        return;
    }
    let at = |a: usize, b: usize| match (list.get(a), list.get(b)) {
        (Some(a), Some(b)) => compare(a, b),
        _ => Ordering::Equal,
    };
    let mut places = places(list.len(), &at);
    // Each exchange takes one element to its place.
    for at in 0..places.len() {
        while let Some(&to) = places.get(at).filter(|to| **to != at) {
            list.swap(at, to);
            places.swap(at, to);
        }
    }
}

/// The order of so many elements: the place of the least, and so on. Equal ones stay in theirs.
pub(crate) fn order(len: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    order.sort_unstable_by(|a, b| compare(*a, *b).then(a.cmp(b)));
    order
}

/// Where each of so many elements goes.
fn places(len: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let order = order(len, compare);
    let mut places = order.clone();
    for (place, from) in order.into_iter().enumerate() {
        if let Some(to) = places.get_mut(from) {
            *to = place;
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sorts_as_the_standard_library_and_is_stable() {
        for len in 0..200_u32 {
            for keys in [1, 3, 50, 1000] {
                let mut list: Vec<(u32, u32)> =
                    (0..len).map(|n| (n.wrapping_mul(2_654_435_761) % keys, n)).collect();
                let mut expected = list.clone();
                expected.sort_by_key(|(key, _)| *key);
                by(&mut list, |a, b| a.0.cmp(&b.0));
                assert_eq!(list, expected);
            }
        }
    }
}
