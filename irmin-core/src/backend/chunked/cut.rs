//! Where values are cut by what is in them.
//!
//! This is `FastCDC` as Wen Xia and others describe it ("The Design of Fast Content-Defined Chunking
//! for Data Deduplication Based Storage Systems", 2020), with the tables of the crate `fastcdc` and
//! its normalisation level 1, so that it cuts where that crate does; a test compares them. It is
//! written out here because the crate needs std, and because the places of the cuts are part of
//! what a store keeps: no update may move them.

use super::gear::GEAR;

/// Masks with as many bits as the logarithm of an average length, from 2^7 on: a cut is where the
/// rolling hash has none of the bits of a mask.
const MASKS: [u64; 17] = [
    0x0000_0000_1803_5100,
    0x0000_0018_0003_5300,
    0x0000_0190_0035_3000,
    0x0000_5900_0353_0000,
    0x0000_d900_0353_0000,
    0x0000_d901_0353_0000,
    0x0000_d903_0353_0000,
    0x0000_d903_1353_0000,
    0x0000_d90f_0353_0000,
    0x0000_d903_0353_7000,
    0x0000_d907_0353_7000,
    0x0000_d907_0753_7000,
    0x0000_d917_0753_7000,
    0x0000_d917_4753_7000,
    0x0000_d917_6753_7000,
    0x0000_d937_6753_7000,
    0x0000_d937_7753_7000,
];

/// The logarithms of the average lengths that there may be.
pub(super) const AVERAGES: core::ops::RangeInclusive<u32> = 8..=22;

/// A rule of cutting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cutter {
    min: usize,
    average: usize,
    pub(super) max: usize,
    /// Before and after the average length.
    masks: (u64, u64),
}

impl Cutter {
    /// Pieces of about 2^`log` bytes: a quarter of it at least, except the last, and four times as
    /// much at most.
    pub(super) fn new(log: u32) -> Self {
        let log = log.clamp(*AVERAGES.start(), *AVERAGES.end());
        let mask = |log: u32| {
            let at = usize::try_from(log.saturating_sub(7)).unwrap_or_default();
            MASKS.get(at).copied().unwrap_or_default()
        };
        let average = 1 << log;
        let masks = (mask(log + 1), mask(log - 1));
        Cutter { min: average / 4, average, max: average * 4, masks }
    }

    /// The average length.
    pub(super) fn average(&self) -> usize {
        self.average
    }

    /// The length of the first piece of some bytes, given up to `max` of them, or all there are.
    pub(super) fn cut(&self, bytes: &[u8]) -> usize {
        let window = bytes.get(..self.max).unwrap_or(bytes);
        if window.len() <= self.min {
            return window.len();
        }
        let (strict, loose) = self.masks;
        // The last byte of an odd window is not looked at, as the original takes two at a time.
        let even = |len: usize| len & !1;
        let (average, end) = (even(self.average.min(window.len())), even(window.len()));
        let mut hash = 0_u64;
        let parts = [(self.min..average, strict), (average..end, loose)];
        for (part, mask) in parts {
            let start = part.start;
            for (at, byte) in window.get(part).unwrap_or_default().iter().enumerate() {
                let gear = GEAR.get(usize::from(*byte)).copied().unwrap_or_default();
                hash = (hash << 1).wrapping_add(gear);
                if hash & mask == 0 {
                    return start + at;
                }
            }
        }
        window.len()
    }
}
