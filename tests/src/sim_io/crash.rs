//! The states that a loss of power can leave behind.

use std::fmt;

use super::SimIo;
use super::content::Content;
use super::disk::{DataChange, Disk, Names, Node, Op, change_data, change_names};

/// What a device writes whole.
const SECTOR: usize = 512;

/// How many crash images to look at, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// The images of each moment. If all ways to keep or lose whole changes are at most half as
    /// many, all of them are among the images; torn changes are always sampled.
    pub per_point: u64,
    /// The seed of the sample.
    pub seed: u64,
}

/// The disk as a loss of power left it.
#[derive(Debug)]
pub struct CrashImage {
    /// How many operations had been done.
    pub at: usize,
    /// Which image of this moment it is: [`SimIo::crash_image`] makes it again.
    pub case: u64,
    /// The seed of the sample.
    pub seed: u64,
    /// The disk, all durable, no lock held, no fault planned.
    pub io: SimIo,
}

impl fmt::Display for CrashImage {
    /// The line that replays it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "crash_image({}, {}, {})", self.at, self.case, self.seed)
    }
}

/// All sampled images of a workload, in the order of its operations.
#[derive(Debug)]
pub struct CrashImages {
    disk: Disk,
    ops: Vec<Op>,
    at: usize,
    end: usize,
    case: u64,
    sampling: Sampling,
}

impl CrashImages {
    /// The images of the moments after `from` to `to` operations on a disk.
    pub(super) fn new(
        mut disk: Disk,
        ops: Vec<Op>,
        range: std::ops::RangeInclusive<usize>,
        sampling: Sampling,
    ) -> Self {
        let (at, end) = range.into_inner();
        ops.iter().take(at).for_each(|op| disk.apply(op));
        CrashImages { disk, ops, at, end, case: 0, sampling }
    }

    /// How many images this moment has: one if everything is durable.
    fn cases(&self) -> u64 {
        if self.disk.dirty().next().is_none() { 1 } else { self.sampling.per_point.max(2) }
    }
}

impl Iterator for CrashImages {
    type Item = CrashImage;

    fn next(&mut self) -> Option<CrashImage> {
        if self.case >= self.cases() {
            self.case = 0;
            let op = self.ops.get(self.at)?;
            self.at += 1;
            self.disk.apply(op);
        }
        if self.at > self.end {
            return None;
        }
        let (at, case, seed) = (self.at, self.case, self.sampling.seed);
        self.case += 1;
        let io = SimIo::of_disk(image(&self.disk, at, case, self.sampling));
        Some(CrashImage { at, case, seed, io })
    }
}

/// One image: the cases of a moment are all subsets of the changes, if there are few, or none and
/// all of them; then samples.
pub(super) fn image(disk: &Disk, at: usize, case: u64, sampling: Sampling) -> Disk {
    let changes = disk.dirty().map(|(_, node)| node.pending()).sum::<usize>();
    let subsets = u32::try_from(changes).ok().and_then(|n| 1u64.checked_shl(n));
    let all = subsets.filter(|n| n.saturating_mul(2) <= sampling.per_point);
    let mut random = Random::new(sampling.seed, at as u64, case);
    let mut plan = match (all, case) {
        (Some(all), case) if case < all => Plan::Subset(case),
        (_, 0) => Plan::Subset(0),
        (_, 1) => Plan::Subset(u64::MAX),
        _ => Plan::sample(&mut random, changes),
    };
    let mut after = disk.clone();
    for (ino, node) in disk.dirty() {
        let node = match node {
            Node::File { durable, pending, .. } => {
                let mut content = durable.clone();
                for change in pending {
                    match plan.next(&mut random) {
                        Fate::Kept => change_data(&mut content, change),
                        Fate::Lost => {}
                        Fate::Torn => tear(&mut content, change, &mut random),
                    }
                }
                Node::file(content)
            }
            Node::Dir { durable, pending, .. } => {
                let mut names: Names = durable.clone();
                for change in pending {
                    match plan.next(&mut random) {
                        Fate::Kept => change_names(&mut names, change),
                        Fate::Lost => {}
                        // A change of names cannot tear: it is there or not.
                        Fate::Torn if random.chance(2) => change_names(&mut names, change),
                        Fate::Torn => {}
                    }
                }
                Node::dir(names)
            }
        };
        after.settle(ino, node);
    }
    after
}

/// What becomes of a change.
enum Fate {
    Kept,
    Lost,
    Torn,
}

/// What becomes of all changes of an image, in their order.
enum Plan {
    /// Each is kept if its bit is set; those after the last bit are as the last one.
    Subset(u64),
    /// Each is kept or lost by chance.
    Whole,
    /// Each is kept, lost or torn by chance.
    Tears,
    /// The one after so many others is kept or torn and the others lost, or the reverse.
    OneIs { left: usize, kept: bool },
}

impl Plan {
    fn sample(random: &mut Random, changes: usize) -> Plan {
        match random.below(6) {
            0 => Plan::Whole,
            1 => Plan::OneIs { left: random.below(changes), kept: true },
            2 => Plan::OneIs { left: random.below(changes), kept: false },
            _ => Plan::Tears,
        }
    }

    fn next(&mut self, random: &mut Random) -> Fate {
        let kept = match self {
            Plan::Subset(bits) => {
                let kept = *bits & 1 == 1;
                if *bits != u64::MAX {
                    *bits >>= 1;
                }
                kept
            }
            Plan::Whole => random.chance(2),
            Plan::Tears => match random.below(3) {
                0 => return Fate::Torn,
                other => other == 1,
            },
            Plan::OneIs { left, kept } => {
                let this = *left == 0;
                *left = left.wrapping_sub(1);
                if this && random.chance(2) {
                    return Fate::Torn;
                }
                this == *kept
            }
        };
        if kept { Fate::Kept } else { Fate::Lost }
    }
}

/// Makes a part of a change.
fn tear(content: &mut Content, change: &DataChange, random: &mut Random) {
    let DataChange::Write { bytes, offset } = change else {
        if random.chance(2) {
            change_data(content, change);
        }
        return;
    };
    let (old_len, end) = (content.len(), offset + bytes.len());
    match random.below(4) {
        // Bytes up to some point, the length up to there.
        0 => content.write(&bytes[..random.below(bytes.len() + 1)], *offset),
        // The data where the old length allows, the length not.
        1 => {
            let inside = old_len.saturating_sub(*offset).min(bytes.len());
            content.write(&bytes[..inside], *offset);
        }
        // The length, and any of the sectors; what is new and not written is zeros or garbage.
        kind => {
            if end > old_len {
                content.set_len(end);
                if kind == 2 {
                    content.write(&random.bytes(end - old_len), old_len);
                }
            }
            let keep_any = random.chance(3);
            let mut at = *offset;
            while at < end {
                let next = end.min((at / SECTOR + 1) * SECTOR);
                if !keep_any && random.chance(2) {
                    content.write(&bytes[at - offset..next - offset], at);
                }
                at = next;
            }
        }
    }
}

/// The generator `SplitMix64`: small, and the same on every machine.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64, at: u64, case: u64) -> Self {
        let mut random = Random(seed);
        random.0 = random.next() ^ at;
        random.0 = random.next() ^ case;
        random
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    #[allow(clippy::cast_possible_truncation)] // Less than a `usize`.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % (bound.max(1) as u64)) as usize
    }

    /// True once in so many times.
    fn chance(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        let words = (0..len.div_ceil(8)).flat_map(|_| self.next().to_le_bytes());
        words.take(len).collect()
    }
}
