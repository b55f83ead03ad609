//! The kinds of containers: their edits, and what sets of edits come to.

use std::collections::{BTreeMap, BTreeSet};

use irmin_core::containers::{
    AddWinsSet, BlobLog, Container, Counter, LinkedLog, LwwRegister, MergeMap, Queue, Text,
};
use irmin_core::contents::Policies;
use irmin_core::{Branch, Bytes, Commit, CommitOptions, Result};

use super::world::{Edit, Kind, Made};

type Edits<'a> = BTreeMap<usize, &'a Made>;
type Done<C> = Result<Option<Commit<C>>>;

const PATH: &str = "dir/it";

/// The time that containers give to each edit, when all later than what they follow.
fn times(edits: &Edits<'_>) -> BTreeMap<usize, i64> {
    let mut times: BTreeMap<usize, i64> = BTreeMap::new();
    for (n, made) in edits {
        let last = made.past.iter().map(|before| times[before] + 1).max();
        times.insert(*n, last.unwrap_or(0).max(made.edit.date * 1_000_000_000));
    }
    times
}

fn name(n: u8) -> String {
    ["a", "b", "c"][usize::from(n % 3)].to_owned()
}

pub(super) struct Counters;

impl Counters {
    fn by(edit: &Edit) -> i64 {
        [1, -1, 7, i64::MAX, i64::MIN, -3][usize::from(edit.verb % 6)]
    }
}

impl Kind for Counters {
    type Values = Counter;

    fn edit(
        branch: &Branch<Counter>,
        edit: &Edit,
        _: usize,
        options: CommitOptions,
    ) -> Done<Counter> {
        let counter = Counter::at(branch, PATH)?;
        match Self::by(edit) {
            by if edit.what.is_multiple_of(2) => counter.inc(by, options),
            by => counter.dec(by.wrapping_neg(), options),
        }
    }

    fn read(branch: &Branch<Counter>) -> Result<String> {
        Ok(Counter::at(branch, PATH)?.read()?.to_string())
    }

    fn model(edits: &Edits<'_>) -> Option<String> {
        let sum = edits.values().fold(0_i64, |sum, made| sum.wrapping_add(Self::by(&made.edit)));
        Some(sum.to_string())
    }
}

pub(super) struct Registers;

impl Kind for Registers {
    type Values = LwwRegister<String>;

    fn edit(
        branch: &Branch<Self::Values>,
        edit: &Edit,
        _: usize,
        options: CommitOptions,
    ) -> Done<Self::Values> {
        LwwRegister::at(branch, PATH)?.write(name(edit.what), options)
    }

    fn read(branch: &Branch<Self::Values>) -> Result<String> {
        let value = <LwwRegister<String>>::at(branch, PATH)?.get()?;
        Ok(value.map(|value| format!("{}@{}", value.value(), value.time())).unwrap_or_default())
    }

    /// The latest write, where a write is later than the *winner* among those that it follows.
    fn model(edits: &Edits<'_>) -> Option<String> {
        let mut times: BTreeMap<usize, i64> = BTreeMap::new();
        for (n, made) in edits {
            let last = made.past.iter().map(|before| times[before] + 1).max();
            times.insert(*n, last.unwrap_or(0).max(made.edit.date * 1_000_000_000));
        }
        let best = edits.iter().map(|(n, made)| (times[n], name(made.edit.what))).max()?;
        Some(format!("{}@{}", best.1, best.0))
    }
}

pub(super) struct BlobLogs;

impl Kind for BlobLogs {
    type Values = BlobLog<String>;

    fn edit(
        branch: &Branch<Self::Values>,
        edit: &Edit,
        _: usize,
        options: CommitOptions,
    ) -> Done<Self::Values> {
        BlobLog::at(branch, PATH)?.append(name(edit.what), options)
    }

    fn read(branch: &Branch<Self::Values>) -> Result<String> {
        Ok(<BlobLog<String>>::at(branch, PATH)?.read_all()?.join(" "))
    }

    fn model(edits: &Edits<'_>) -> Option<String> {
        let times = times(edits);
        let mut log: Vec<_> = edits.iter().map(|(n, m)| (times[n], name(m.edit.what))).collect();
        log.sort();
        let log: Vec<String> = log.into_iter().rev().map(|(_, value)| value).collect();
        Some(log.join(" "))
    }
}

pub(super) struct LinkedLogs;

impl Kind for LinkedLogs {
    type Values = String;
    const BY_MARKS: bool = true;

    fn edit(branch: &Branch<String>, _: &Edit, n: usize, options: CommitOptions) -> Done<String> {
        LinkedLog::at(branch, PATH)?.append(format!("{n}"), options)
    }

    fn read(branch: &Branch<String>) -> Result<String> {
        Ok(LinkedLog::at(branch, PATH)?.read_all()?.join(" "))
    }

    /// Times, newest first; of entries at one time the order is that of marks, which models lack.
    fn model(edits: &Edits<'_>) -> Option<String> {
        let times = times(edits);
        let distinct: BTreeSet<i64> = times.values().copied().collect();
        let mut log: Vec<(i64, usize)> = times.iter().map(|(n, time)| (*time, *n)).collect();
        log.sort();
        let log: Vec<String> = log.iter().rev().map(|(_, n)| n.to_string()).collect();
        (distinct.len() == edits.len()).then(|| log.join(" "))
    }
}

/// Whether a set has an element: an addition is there that no removal there knew of.
fn in_set(edits: &Edits<'_>, element: &str) -> bool {
    let of = |made: &&&Made| name(made.edit.what) == element;
    let (removed, added): (Vec<&&Made>, Vec<&&Made>) =
        edits.values().filter(of).partition(|made| Sets::removes(&made.edit));
    added.iter().any(|added| !removed.iter().any(|removed| removed.past.contains(&added.number)))
}

pub(super) struct Sets;

impl Sets {
    fn removes(edit: &Edit) -> bool {
        edit.verb % 5 < 2
    }
}

impl Kind for Sets {
    type Values = AddWinsSet<String>;

    fn edit(
        branch: &Branch<Self::Values>,
        edit: &Edit,
        _: usize,
        options: CommitOptions,
    ) -> Done<Self::Values> {
        let set = AddWinsSet::at(branch, PATH)?;
        match Self::removes(edit) {
            true => set.remove(name(edit.what), options),
            false => set.add(name(edit.what), options),
        }
    }

    fn read(branch: &Branch<Self::Values>) -> Result<String> {
        Ok(<AddWinsSet<String>>::at(branch, PATH)?.elements()?.join(" "))
    }

    fn model(edits: &Edits<'_>) -> Option<String> {
        let elements: Vec<&str> =
            ["a", "b", "c"].into_iter().filter(|element| in_set(edits, element)).collect();
        Some(elements.join(" "))
    }
}

/// Sets in a store of bytes, where a policy names them.
pub(super) struct SetsAsBytes;

impl Kind for SetsAsBytes {
    type Values = Bytes;

    fn policies() -> Policies<Bytes> {
        Policies::new().with("dir/*".parse().unwrap(), <AddWinsSet<String>>::policy())
    }

    fn edit(branch: &Branch<Bytes>, edit: &Edit, _: usize, options: CommitOptions) -> Done<Bytes> {
        let set = <AddWinsSet<String>>::at(branch, PATH)?;
        match Sets::removes(edit) {
            true => set.remove(name(edit.what), options),
            false => set.add(name(edit.what), options),
        }
    }

    fn read(branch: &Branch<Bytes>) -> Result<String> {
        Ok(<AddWinsSet<String>>::at(branch, PATH)?.elements()?.join(" "))
    }

    fn model(edits: &Edits<'_>) -> Option<String> {
        Sets::model(edits)
    }
}

/// Maps of maps of counters.
pub(super) struct Maps;

type Inner = MergeMap<i64, Counter>;

impl Maps {
    fn removes(edit: &Edit) -> bool {
        edit.verb.is_multiple_of(4)
    }

    /// The removals of a key that had it, which are what counts its generations: the number of the
    /// last generation in these edits, and the updates of it.
    fn last<'a>(edits: &Edits<'a>, key: &str) -> (i64, Vec<&'a Made>) {
        let mut generations: BTreeMap<usize, i64> = BTreeMap::new();
        let mut last = (0, Vec::new());
        for (n, made) in edits.iter().filter(|(_, made)| name(made.edit.what) == key) {
            let past = made.past.iter().filter_map(|before| generations.get(before));
            let seen = past.copied().max().unwrap_or(0);
            let generation = seen + i64::from(Self::removes(&made.edit));
            generations.insert(*n, generation);
            if generation > last.0 {
                last = (generation, Vec::new());
            }
            if generation == last.0 && !Self::removes(&made.edit) {
                last.1.push(*made);
            }
        }
        last
    }
}

impl Kind for Maps {
    type Values = MergeMap<String, Inner>;

    fn edit(
        branch: &Branch<Self::Values>,
        edit: &Edit,
        _: usize,
        options: CommitOptions,
    ) -> Done<Self::Values> {
        let map = MergeMap::at(branch, PATH)?;
        if Self::removes(edit) {
            return map.remove(name(edit.what), options);
        }
        map.update(name(edit.what), options, [edit.verb], |inner: Option<Inner>, _| {
            let mut inner = inner.unwrap_or_default();
            inner.update(i64::from(edit.verb % 2), |counter| {
                Ok(Counter(counter.unwrap_or_default().0 + i64::from(edit.verb)))
            })?;
            Ok(inner)
        })
    }

    fn read(branch: &Branch<Self::Values>) -> Result<String> {
        let map = <MergeMap<String, Inner>>::at(branch, PATH)?.get()?.unwrap_or_default();
        let inner = |inner: &Inner| {
            inner.iter().map(|(key, counter)| format!("{key}={}", counter.0)).collect::<Vec<_>>()
        };
        let keys: Vec<String> =
            map.iter().map(|(key, at)| format!("{key}:{}", inner(at).join(","))).collect();
        Ok(keys.join(" "))
    }

    fn model(edits: &Edits<'_>) -> Option<String> {
        let mut keys = Vec::new();
        for key in ["a", "b", "c"] {
            let mut sums: BTreeMap<u8, i64> = BTreeMap::new();
            for made in Self::last(edits, key).1 {
                *sums.entry(made.edit.verb % 2).or_default() += i64::from(made.edit.verb);
            }
            let sums: Vec<String> = sums.iter().map(|(key, sum)| format!("{key}={sum}")).collect();
            if !sums.is_empty() {
                keys.push(format!("{key}:{}", sums.join(",")));
            }
        }
        Some(keys.join(" "))
    }
}

/// Queues of the numbers of edits: a pop is an edit too, and takes what is first.
pub(super) struct Queues;

impl Kind for Queues {
    type Values = Queue<i64>;
    const BY_MARKS: bool = true;

    fn edit(
        branch: &Branch<Self::Values>,
        edit: &Edit,
        n: usize,
        options: CommitOptions,
    ) -> Done<Self::Values> {
        let queue = <Queue<i64>>::at(branch, PATH)?;
        if edit.verb % 5 >= 2 {
            return queue.push(n as i64, options);
        }
        let first = queue.peek()?;
        let popped = queue.pop(options)?;
        assert_eq!(popped, first);
        Ok(if popped.is_some() { branch.head()? } else { None })
    }

    fn read(branch: &Branch<Self::Values>) -> Result<String> {
        let values = <Queue<i64>>::at(branch, PATH)?.read_all()?;
        Ok(values.iter().map(i64::to_string).collect::<Vec<_>>().join(" "))
    }

    /// What is where in a queue depends on marks; what is in it does not, where no pop had to
    /// choose between values of one time.
    fn model(_: &Edits<'_>) -> Option<String> {
        None
    }
}

pub(super) struct Texts;

impl Kind for Texts {
    type Values = Text;
    const BY_MARKS: bool = true;

    fn edit(branch: &Branch<Text>, edit: &Edit, _: usize, options: CommitOptions) -> Done<Text> {
        let text = Text::at(branch, PATH)?;
        let old = text.read()?;
        let mut lines: Vec<&str> = old.lines().collect();
        let at = usize::from(edit.what) % (lines.len() + 1);
        let new = name(edit.verb / 4);
        match edit.verb % 4 {
            0 if at < lines.len() => drop(lines.remove(at)),
            1 if at < lines.len() => lines[at] = &new,
            2 => drop(lines.splice(at..at, [&*new, "x", &*new])),
            _ => lines.insert(at, &new),
        }
        let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let made = text.write(&lines, options)?;
        assert_eq!(text.read()?, lines);
        Ok(made)
    }

    fn read(branch: &Branch<Text>) -> Result<String> {
        Text::at(branch, PATH)?.read()
    }

    fn model(_: &Edits<'_>) -> Option<String> {
        None
    }
}
