//! The keys, the values and the choices that the workloads share.

use std::fmt;
use std::str::FromStr;

use irmin_core::{Bytes, HashFunction, Path};
use serde::{Deserialize, Serialize};

/// How keys are spread over directories.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// `xx/yy/key-000123`: 16, 32 or 64 directories on each of two levels.
    #[serde(rename = "3level")]
    Levels,
    /// `key-000000123`: all in one directory.
    Flat,
    /// `aa/bb/<12 digits>` of the SHA-1 of the decimal index: the keys that the figures of OCaml
    /// Irmin were measured with. 100,000 of them are in some 51,000 directories.
    Ocaml,
}

impl Shape {
    /// The name on command lines and in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Shape::Levels => "3level",
            Shape::Flat => "flat",
            Shape::Ocaml => "ocaml",
        }
    }

    /// The key of an index, in a set of so many.
    #[must_use]
    pub fn key(self, index: usize, of: usize) -> String {
        match self {
            Shape::Levels => {
                let fan_out: u64 = match of {
                    0..=10_000 => 16,
                    10_001..=100_000 => 32,
                    _ => 64,
                };
                let h = fmix64(index as u64);
                let (a, b) = (h % fan_out, h / fan_out % fan_out);
                format!("{a:02x}/{b:02x}/key-{index:06}")
            }
            Shape::Flat => format!("key-{index:09}"),
            Shape::Ocaml => {
                let hex = HashFunction::Sha1.digest(index.to_string().as_bytes()).to_string();
                format!("{}/{}/{}", &hex[..2], &hex[2..4], &hex[4..16])
            }
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let all = [Shape::Levels, Shape::Flat, Shape::Ocaml];
        all.into_iter()
            .find(|shape| shape.name() == name)
            .ok_or_else(|| format!("no shape is called {name}: 3level, flat, ocaml"))
    }
}

/// The keys of a benchmark, made once.
#[derive(Debug)]
pub struct Keys {
    /// How they are spread.
    pub shape: Shape,
    paths: Vec<Path>,
}

impl Keys {
    /// So many keys of a shape.
    ///
    /// # Panics
    /// If a key is not a path, which would be a mistake in [`Shape::key`].
    #[must_use]
    pub fn new(shape: Shape, n: usize) -> Self {
        let path = |i| Path::parse(shape.key(i, n)).expect("keys are paths");
        Keys { shape, paths: (0..n).map(path).collect() }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// One of them; indices beyond the last begin anew.
    #[must_use]
    pub fn path(&self, index: usize) -> &Path {
        &self.paths[index % self.paths.len()]
    }

    /// The indices in the order of their keys, which is how bulk loads come.
    #[must_use]
    pub fn sorted(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_unstable_by(|a, b| self.path(*a).cmp(self.path(*b)));
        order
    }

    /// The indices in an order without any.
    #[must_use]
    pub fn shuffled(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_unstable_by_key(|index| fmix64(*index as u64 ^ 42));
        order
    }

    /// The keys of some indices with their first values, in that order.
    ///
    /// Each lies beside the one before, as what is read from a file or a connection does: from all
    /// over the memory they would cost more to fetch than the store needs to take them.
    #[must_use]
    pub fn pairs(&self, order: &[usize]) -> Vec<(Path, Bytes)> {
        let values: Vec<u8> = order.iter().flat_map(|index| value(*index, 0)).collect();
        let values = Bytes::from(values);
        let pair = |(n, path): (usize, Path)| (path, values.slice(n * VALUE..(n + 1) * VALUE));
        self.paths_of(order).into_iter().enumerate().map(pair).collect()
    }

    /// The keys of some indices, each beside the one before.
    #[must_use]
    pub fn paths_of(&self, order: &[usize]) -> Vec<Path> {
        order.iter().map(|index| self.path(*index).clone()).collect()
    }

    /// Distinct indices, chosen evenly, of those that are `class` modulo `classes`: so that two
    /// sides of a merge change different keys.
    #[must_use]
    pub fn distinct(&self, count: usize, seed: u64, class: usize, classes: usize) -> Vec<usize> {
        let mut draw = Draw::new(seed);
        let mut seen = std::collections::BTreeSet::new();
        let mut chosen = Vec::new();
        let room = self.len().saturating_sub(class).div_ceil(classes);
        while chosen.len() < count.min(room) {
            let index = draw.below(self.len()) / classes * classes + class;
            if index < self.len() && seen.insert(index) {
                chosen.push(index);
            }
        }
        chosen
    }
}

/// A sequence of choices, the same for the same seed: splitmix64.
#[derive(Clone, Debug)]
pub struct Draw {
    state: u64,
}

impl Draw {
    /// The choices of a workload; all workloads begin with the seed 42.
    #[must_use]
    pub fn new(stream: u64) -> Self {
        Draw { state: splitmix(42 ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15)) }
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        splitmix(self.state)
    }

    /// The next number below a bound, which is not zero.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next_u64() % bound as u64) as usize
    }

    /// So many numbers below a bound, which is not zero.
    pub fn picks(&mut self, count: usize, bound: usize) -> Vec<usize> {
        (0..count).map(|_| self.below(bound)).collect()
    }
}

/// The value of a key in a version: 100 pseudo-random bytes.
#[must_use]
pub fn value(index: usize, version: usize) -> Bytes {
    let seed = splitmix(index as u64) ^ fmix64(version as u64);
    let words = (0..13).map(|i| splitmix(seed.wrapping_add(i)));
    words.flat_map(u64::to_le_bytes).take(VALUE).collect()
}

/// How many bytes keys and their values have together: what commits of them are about.
#[must_use]
pub fn payload<'a>(pairs: impl IntoIterator<Item = &'a (Path, Bytes)>) -> u64 {
    pairs.into_iter().map(|(path, value)| (path.to_string().len() + value.len()) as u64).sum()
}

/// The length of a value, in bytes.
pub const VALUE: usize = 100;

/// One step of splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators).
fn splitmix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// The finaliser of `MurmurHash3` for 64 bits (Appleby).
fn fmix64(n: u64) -> u64 {
    let n = (n ^ (n >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let n = (n ^ (n >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    n ^ (n >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn keys_are_distinct_and_spread_as_said() {
        for shape in [Shape::Levels, Shape::Flat, Shape::Ocaml] {
            let keys = Keys::new(shape, 10_000);
            let all: BTreeSet<String> = (0..10_000).map(|i| keys.path(i).to_string()).collect();
            assert_eq!(all.len(), 10_000, "{shape}");
            assert!(keys.sorted().windows(2).all(|w| keys.path(w[0]) < keys.path(w[1])));
            let mut shuffled = keys.shuffled();
            shuffled.sort_unstable();
            assert_eq!(shuffled, (0..10_000).collect::<Vec<_>>());
            assert_eq!(shape.name().parse(), Ok(shape));
        }
        let dirs = |shape: Shape, n| {
            let dir = |i| shape.key(i, n).rsplit_once('/').map(|(dir, _)| dir.to_owned());
            (0..n).map(dir).collect::<BTreeSet<_>>().len()
        };
        assert_eq!(dirs(Shape::Levels, 10_000), 256);
        assert_eq!(dirs(Shape::Flat, 10_000), 1);
        // From `printf 0 | sha1sum`.
        assert_eq!(Shape::Ocaml.key(0, 1), "b6/58/9fc6ab0dc82c");
    }

    #[test]
    fn sides_choose_different_keys() {
        let keys = Keys::new(Shape::Flat, 1000);
        let (a, b) = (keys.distinct(100, 1, 0, 2), keys.distinct(100, 2, 1, 2));
        assert_eq!((a.len(), b.len()), (100, 100));
        assert!(a.iter().all(|i| !b.contains(i)));
        assert_eq!(a, keys.distinct(100, 1, 0, 2));
        assert_eq!(keys.distinct(5000, 1, 1, 2).len(), 500);
    }

    #[test]
    fn pairs_are_the_keys_and_values_in_an_order() {
        let keys = Keys::new(Shape::Levels, 50);
        let pairs = keys.pairs(&keys.shuffled());
        for (index, (path, bytes)) in keys.shuffled().into_iter().zip(&pairs) {
            assert_eq!((path, bytes), (keys.path(index), &value(index, 0)));
        }
        assert_eq!(pairs.len(), 50);
        assert_eq!(payload(&pairs), 50 * ("00/00/key-000000".len() + VALUE) as u64);
    }

    #[test]
    fn values_differ_by_key_and_version() {
        let values: BTreeSet<Bytes> =
            (0..100).flat_map(|i| (0..10).map(move |v| value(i, v))).collect();
        assert_eq!(values.len(), 1000);
        assert!(values.iter().all(|v| v.len() == VALUE));
    }
}
