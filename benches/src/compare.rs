//! One of our stores beside something else that does the same.

use serde::{Deserialize, Serialize};

use crate::keys::Shape;

/// What a figure of a comparison is. Less is better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Microseconds of processor time for each operation, of a program and of those it starts.
    #[default]
    Cpu,
    /// Bytes that the files grew by, for each byte of the values that were written.
    Growth,
    /// Mebibytes of memory at most, above what was in use before.
    Memory,
}

impl Unit {
    /// How it is called behind a figure.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Unit::Cpu => "us",
            Unit::Growth => "x payload",
            Unit::Memory => "MiB",
        }
    }
}

/// A case that a store of ours and a peer ran in turn, some rounds long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The workload (`W1`).
    pub workload: String,
    /// What was done.
    pub case: String,
    /// Our store.
    pub store: String,
    /// The file system of the stores that have files.
    #[serde(default)]
    pub files: Option<String>,
    /// What it is compared with.
    pub peer: String,
    /// How many keys there are.
    pub keys: usize,
    /// How they are spread.
    pub shape: Shape,
    /// What the figures are.
    #[serde(default)]
    pub unit: Unit,
    /// Ours, by round.
    #[serde(alias = "our_us")]
    pub ours: Vec<f64>,
    /// Those of the peer.
    #[serde(alias = "peer_us")]
    pub theirs: Vec<f64>,
    /// The load of the machine in the minute before the first round.
    pub load1: Option<f64>,
}

/// The most that the ratios of rounds may lie apart, as a part of their median.
pub const SPREAD: f64 = 0.25;

/// The fewest rounds that a verdict takes.
pub const ROUNDS: usize = 5;

/// The most that others may load the machine.
pub const LOAD: f64 = 0.5;

impl Comparison {
    /// How many times of ours the peer takes, by round: above 1 it takes more.
    #[must_use]
    pub fn ratios(&self) -> Vec<f64> {
        self.ours.iter().zip(&self.theirs).map(|(ours, peer)| peer / ours).collect()
    }

    /// The median of the ratios.
    #[must_use]
    pub fn median(&self) -> f64 {
        median(self.ratios())
    }

    /// How far the ratios lie apart, as a part of their median.
    #[must_use]
    pub fn spread(&self) -> f64 {
        let ratios = self.ratios();
        let (least, most) = ratios.iter().fold((f64::INFINITY, 0_f64), |(least, most), ratio| {
            (least.min(*ratio), most.max(*ratio))
        });
        if ratios.is_empty() { 0.0 } else { (most - least) / median(ratios) }
    }

    /// Why the ratio is not a verdict, if it is none.
    #[must_use]
    pub fn doubt(&self) -> Option<String> {
        let spread = self.spread();
        match self.load1 {
            Some(load) if load > LOAD => Some(format!("the load was {load:.1}")),
            _ if self.ours.len() < ROUNDS => {
                Some(format!("{} rounds, fewer than {ROUNDS}", self.ours.len()))
            }
            _ if spread > SPREAD => Some(format!("the rounds spread {:.0} %", spread * 100.0)),
            _ => None,
        }
    }
}

/// The number in the middle, or zero.
#[must_use]
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    let at = |i: usize| numbers.get(i).copied().unwrap_or_default();
    match numbers.len() {
        0 => 0.0,
        n if n % 2 == 1 => at(n / 2),
        n => f64::midpoint(at(n / 2 - 1), at(n / 2)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison(theirs: &[f64], load1: Option<f64>) -> Comparison {
        Comparison {
            workload: "W1".to_owned(),
            case: "load".to_owned(),
            store: "git".to_owned(),
            files: None,
            peer: "other".to_owned(),
            keys: 1,
            shape: Shape::Flat,
            unit: Unit::Cpu,
            ours: vec![2.0; theirs.len()],
            theirs: theirs.to_vec(),
            load1,
        }
    }

    #[test]
    fn a_verdict_needs_rounds_that_agree_and_a_quiet_machine() {
        let quiet = comparison(&[20.0, 22.0, 21.0, 21.0, 22.0], Some(0.2));
        assert_eq!(quiet.ratios(), [10.0, 11.0, 10.5, 10.5, 11.0]);
        assert_eq!((quiet.median(), quiet.doubt()), (10.5, None));
        let loaded = comparison(&[20.0, 22.0, 21.0], Some(3.0));
        assert_eq!(loaded.doubt().as_deref(), Some("the load was 3.0"));
        let few = comparison(&[20.0, 20.0, 20.0, 20.0], Some(0.2));
        assert_eq!(few.doubt().as_deref(), Some("4 rounds, fewer than 5"));
        let apart = comparison(&[20.0, 28.0, 20.0, 20.0, 20.0], None);
        assert_eq!((apart.median(), apart.spread()), (10.0, 0.4));
        assert_eq!(apart.doubt().as_deref(), Some("the rounds spread 40 %"));
        assert_eq!(comparison(&[], None).median(), 0.0);
    }
}
