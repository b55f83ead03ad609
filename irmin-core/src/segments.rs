//! Vectors that grow without moving what is in them.

use alloc::vec::Vec;

/// How many things are in the first piece.
const FIRST: usize = 16;

/// Things in the order in which they came.
///
/// A vector that is full moves all that it holds: whoever adds to a large store would wait for it at
/// times, and the store take three times the memory. Here each piece has twice the room of the one
/// before it, and what is in one stays where it is. So few pieces are found fast, and hold most
/// things close together.
pub(crate) struct Segments<T> {
    /// All are full but the last.
    segments: Vec<Vec<T>>,
}

impl<T> Default for Segments<T> {
    fn default() -> Self {
        Segments { segments: Vec::new() }
    }
}

/// The piece of a place, and the place in it.
fn piece(at: usize) -> (usize, usize) {
    // Counted from FIRST on, those of a piece have as many digits, and begin with one.
    let at = at.saturating_add(FIRST);
    let digits = at.checked_ilog2().unwrap_or_default();
    (digits.saturating_sub(FIRST.ilog2()) as usize, at ^ (1 << digits))
}

/// How many things are before a piece.
fn begin(piece: usize) -> usize {
    (FIRST << piece).saturating_sub(FIRST)
}

impl<T> Segments<T> {
    pub(crate) fn len(&self) -> usize {
        let Some((last, full)) = self.segments.split_last() else { return 0 };
        begin(full.len()).saturating_add(last.len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The thing at a place.
    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        let (piece, at) = piece(at);
        self.segments.get(piece)?.get(at)
    }

    pub(crate) fn push(&mut self, thing: T) {
        // Of the next piece, twice that of the last one.
        let room = FIRST << self.segments.len();
        match self.segments.last_mut() {
            Some(last) if last.len() < room / 2 => last.push(thing),
            _ => {
                let mut next = Vec::with_capacity(room);
                next.push(thing);
                self.segments.push(next);
            }
        }
    }

    /// Takes back all but the first so many.
    pub(crate) fn truncate(&mut self, len: usize) {
        let (piece, at) = piece(len);
        self.segments.truncate(piece.saturating_add(1));
        if let Some(last) = self.segments.get_mut(piece) {
            last.truncate(at);
            if at == 0 {
                self.segments.pop();
            }
        }
    }

    /// The things from a place on.
    pub(crate) fn since(&self, at: usize) -> impl Iterator<Item = &T> {
        (at..self.len()).filter_map(|at| self.get(at))
    }

    /// The pieces.
    pub(crate) fn into_pieces(self) -> impl Iterator<Item = Vec<T>> {
        self.segments.into_iter()
    }
}

impl<T> From<Segments<T>> for Vec<T> {
    fn from(things: Segments<T>) -> Self {
        let len = things.len();
        let mut pieces = things.into_pieces();
        let mut all = pieces.next().unwrap_or_default();
        all.reserve_exact(len.saturating_sub(all.len()));
        pieces.for_each(|mut piece| all.append(&mut piece));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_a_vector() {
        for len in (0..300).chain([7 * FIRST - 1, 7 * FIRST, 1000]) {
            let vec: Vec<usize> = (0..len).collect();
            let all = || {
                let mut all = Segments::default();
                vec.iter().for_each(|n| all.push(*n));
                all
            };
            let mut some = all();
            assert_eq!((some.len(), some.is_empty()), (len, len == 0));
            assert!((0..len + 40).all(|at| some.get(at) == vec.get(at)));
            for at in 0..len + 40 {
                assert!(some.since(at).eq(vec.get(at..).unwrap_or_default()), "{at} of {len}");
            }
            for left in (0..=len + 1).rev() {
                some.truncate(left);
                assert!(some.since(0).eq(&vec[..left.min(len)]), "{left} of {len}");
            }
            assert!(some.segments.is_empty());
            assert_eq!(Vec::from(all()), vec);
            let mut half = all();
            half.truncate(len / 2);
            vec[len / 2..].iter().for_each(|n| half.push(*n));
            assert_eq!(Vec::from(half), vec);
        }
        let last = usize::MAX;
        assert_eq!(Segments::<u8>::default().get(last), None);
        assert_eq!(Segments::<u8>::default().since(last).next(), None);
    }

    #[test]
    fn nothing_is_moved() {
        let mut all = Segments::default();
        let mut places = Vec::new();
        for n in 0..1000 {
            all.push(n);
            places.push(core::ptr::from_ref(all.get(n).unwrap()));
        }
        assert!(all.since(0).map(core::ptr::from_ref).eq(places));
    }
}
