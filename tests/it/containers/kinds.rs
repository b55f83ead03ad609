//! The kinds of containers: their edits, and what sets of edits come to.

use std::collections::{BTreeMap, BTreeSet};

use irmin_core::containers::{
    AddWinsSet, At, BlobLog, Container, Counter, Event, LinkedLog, LwwRegister, MergeMap, Queue,
    Text,
};
use irmin_core::contents::Policies;
use irmin_core::{Branch, Bytes, Commit, CommitOptions, Contents, Result};

use super::world::{Edit, Kind, Made};

type Edits<'a> = BTreeMap<usize, &'a Made>;
type Done = Result<Option<i64>>;

/// That an edit was made, if it made a commit.
fn done<C>(commit: Option<Commit<C>>) -> Option<i64> {
    commit.map(|_| 0)
}

const PATH: &str = "dir/it";

/// The time that containers give to each edit, when all later than what they follow.
fn times(edits: &Edits<'_>) -> BTreeMap<usize, i64> {
    let mut times: BTreeMap<usize, i64> = BTreeMap::new();
    for (n, made) in edits {
        let last = made.past.iter().filter_map(|before| Some(times.get(before)? + 1)).max();
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

    fn edit(branch: &Branch<Counter>, edit: &Edit, _: usize, options: CommitOptions) -> Done {
        let counter = Counter::at(branch, PATH)?;
        match Self::by(edit) {
            by if edit.what.is_multiple_of(2) => counter.inc(by, options),
            by => counter.dec(by.wrapping_neg(), options),
        }
        .map(done)
    }

    fn read(branch: &Branch<Counter>) -> Result<String> {
        Ok(Counter::at(branch, PATH)?.read()?.to_string())
    }

    fn model(edits: &Edits<'_>) -> String {
        let sum = edits.values().fold(0_i64, |sum, made| sum.wrapping_add(Self::by(&made.edit)));
        sum.to_string()
    }
}

pub(super) struct Registers;

impl Kind for Registers {
    type Values = LwwRegister<String>;

    fn edit(branch: &Branch<Self::Values>, edit: &Edit, _: usize, options: CommitOptions) -> Done {
        LwwRegister::at(branch, PATH)?.write(name(edit.what), options).map(done)
    }

    fn read(branch: &Branch<Self::Values>) -> Result<String> {
        let value = <LwwRegister<String>>::at(branch, PATH)?.get()?;
        Ok(value.map(|value| format!("{}@{}", value.value(), value.time())).unwrap_or_default())
    }

    /// The latest write.
    fn model(edits: &Edits<'_>) -> String {
        let times = times(edits);
        let best = edits.iter().map(|(n, made)| (times[n], name(made.edit.what))).max();
        best.map(|(time, value)| format!("{value}@{time}")).unwrap_or_default()
    }
}

pub(super) struct BlobLogs;

impl Kind for BlobLogs {
    type Values = BlobLog<String>;

    fn edit(branch: &Branch<Self::Values>, edit: &Edit, _: usize, options: CommitOptions) -> Done {
        BlobLog::at(branch, PATH)?.append(name(edit.what), options).map(done)
    }

    fn read(branch: &Branch<Self::Values>) -> Result<String> {
        Ok(<BlobLog<String>>::at(branch, PATH)?.read_all()?.join(" "))
    }

    fn model(edits: &Edits<'_>) -> String {
        let times = times(edits);
        let mut log: Vec<_> = edits.iter().map(|(n, m)| (times[n], name(m.edit.what))).collect();
        log.sort();
        let log: Vec<String> = log.into_iter().rev().map(|(_, value)| value).collect();
        log.join(" ")
    }
}

pub(super) struct LinkedLogs;

impl Kind for LinkedLogs {
    type Values = String;
    const BY_MARKS: bool = true;

    fn edit(branch: &Branch<String>, _: &Edit, n: usize, options: CommitOptions) -> Done {
        LinkedLog::at(branch, PATH)?.append(format!("{n}"), options).map(done)
    }

    fn read(branch: &Branch<String>) -> Result<String> {
        Ok(LinkedLog::at(branch, PATH)?.read_all()?.join(" "))
    }

    fn model(edits: &Edits<'_>) -> String {
        let times = times(edits);
        let mut log: Vec<(i64, usize)> = times.iter().map(|(n, time)| (*time, *n)).collect();
        log.sort_unstable();
        let log: Vec<String> = log.iter().rev().map(|(_, n)| n.to_string()).collect();
        log.join(" ")
    }

    fn oldest_first(mut words: Vec<&str>) -> Vec<&str> {
        words.reverse();
        words
    }
}

/// The elements of a set, of which each edit names one: of these an addition is there that no
/// removal there knew of.
fn in_set(edits: &[&Made], element: impl Fn(&Edit) -> String) -> String {
    let is_in = |name: &&str| {
        let of = edits.iter().filter(|made| element(&made.edit) == *name);
        let (removed, added): (Vec<&Made>, Vec<&Made>) =
            of.copied().partition(|made| Sets::removes(&made.edit));
        let seen = |added: &Made| removed.iter().any(|made| made.past.contains(&added.number));
        added.into_iter().any(|added| !seen(added))
    };
    ["a", "b", "c"].into_iter().filter(is_in).collect::<Vec<_>>().join(" ")
}

pub(super) struct Sets;

impl Sets {
    fn removes(edit: &Edit) -> bool {
        edit.verb % 5 < 2
    }
}

impl Kind for Sets {
    type Values = AddWinsSet<String>;

    fn edit(branch: &Branch<Self::Values>, edit: &Edit, _: usize, options: CommitOptions) -> Done {
        let set = AddWinsSet::at(branch, PATH)?;
        match Self::removes(edit) {
            true => set.remove(name(edit.what), options),
            false => set.add(name(edit.what), options),
        }
        .map(done)
    }

    fn read(branch: &Branch<Self::Values>) -> Result<String> {
        Ok(<AddWinsSet<String>>::at(branch, PATH)?.elements()?.join(" "))
    }

    fn model(edits: &Edits<'_>) -> String {
        let edits: Vec<&Made> = edits.values().copied().collect();
        in_set(&edits, |edit| name(edit.what))
    }
}

/// Sets in a store of bytes, where a policy names them.
pub(super) struct SetsAsBytes;

impl Kind for SetsAsBytes {
    type Values = Bytes;

    fn policies() -> Policies<Bytes> {
        Policies::new().with("dir/*".parse().unwrap(), <AddWinsSet<String>>::policy())
    }

    fn edit(branch: &Branch<Bytes>, edit: &Edit, _: usize, options: CommitOptions) -> Done {
        let set = <AddWinsSet<String>>::at(branch, PATH)?;
        match Sets::removes(edit) {
            true => set.remove(name(edit.what), options),
            false => set.add(name(edit.what), options),
        }
        .map(done)
    }

    fn read(branch: &Branch<Bytes>) -> Result<String> {
        Ok(<AddWinsSet<String>>::at(branch, PATH)?.elements()?.join(" "))
    }

    fn model(edits: &Edits<'_>) -> String {
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

    fn edit(branch: &Branch<Self::Values>, edit: &Edit, _: usize, options: CommitOptions) -> Done {
        let map = MergeMap::at(branch, PATH)?;
        if Self::removes(edit) {
            return map.remove(name(edit.what), options).map(done);
        }
        map.update(name(edit.what), options, [edit.verb], |inner: Option<Inner>, _| {
            let mut inner = inner.unwrap_or_default();
            inner.update(i64::from(edit.verb % 2), |counter| {
                Ok(Counter(counter.unwrap_or_default().0 + i64::from(edit.verb)))
            })?;
            Ok(inner)
        })
        .map(done)
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

    fn model(edits: &Edits<'_>) -> String {
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
        keys.join(" ")
    }
}

/// Queues of the numbers of edits: a pop is an edit too, and takes what is first.
pub(super) struct Queues;

impl Kind for Queues {
    type Values = Queue<i64>;
    const BY_MARKS: bool = true;

    fn edit(branch: &Branch<Queue<i64>>, edit: &Edit, n: usize, options: CommitOptions) -> Done {
        let queue = <Queue<i64>>::at(branch, PATH)?;
        if edit.verb % 5 >= 2 {
            return queue.push(n as i64, options).map(|commit| commit.map(|_| -1));
        }
        let first = queue.peek()?;
        let popped = queue.pop(options)?;
        assert_eq!(popped, first);
        Ok(popped)
    }

    fn read(branch: &Branch<Self::Values>) -> Result<String> {
        let values = <Queue<i64>>::at(branch, PATH)?.read_all()?;
        Ok(values.iter().map(i64::to_string).collect::<Vec<_>>().join(" "))
    }

    /// What was pushed, and popped by none.
    fn model(edits: &Edits<'_>) -> String {
        let popped: BTreeSet<i64> = edits.values().map(|made| made.came).collect();
        let pushed = edits.iter().filter(|(_, made)| made.came == -1).map(|(n, _)| *n as i64);
        let left = pushed.filter(|n| !popped.contains(n));
        left.map(|n| n.to_string()).collect::<Vec<_>>().join(" ")
    }

    fn oldest_first(words: Vec<&str>) -> Vec<&str> {
        words
    }
}

/// Texts of which each line is one word, of the edit that put it in.
pub(super) struct Texts;

impl Texts {
    /// What an edit makes of some lines: it takes one out, puts one in, both, or puts in a block.
    fn change(edit: &Edit, n: usize, lines: &mut Vec<String>) -> Option<String> {
        let at = usize::from(edit.what) % (lines.len() + 1);
        let out = (edit.verb % 4 < 2 && at < lines.len()).then(|| lines.remove(at));
        lines.splice(at..at, Self::block(edit, n));
        out
    }

    fn block(edit: &Edit, n: usize) -> Vec<String> {
        let size = [0, 1, 1, 3][usize::from(edit.verb % 4)];
        (0..size).map(|i| format!("{n}.{i}")).collect()
    }
}

impl Kind for Texts {
    type Values = Text;
    const BY_MARKS: bool = true;

    fn edit(branch: &Branch<Text>, edit: &Edit, n: usize, options: CommitOptions) -> Done {
        let text = Text::at(branch, PATH)?;
        let mut lines: Vec<String> = text.read()?.lines().map(str::to_owned).collect();
        let out = Self::change(edit, n, &mut lines);
        let new: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let made = text.write(&new, options)?;
        assert_eq!(text.read()?, new);
        // A line as a number, of which the model knows the same.
        let out = out.map_or(-1, |line| line.replace('.', "").parse().unwrap());
        Ok(made.map(|_| out))
    }

    fn read(branch: &Branch<Text>) -> Result<String> {
        Text::at(branch, PATH)?.read()
    }

    /// What was put in, and taken out by none.
    fn model(edits: &Edits<'_>) -> String {
        let out: BTreeSet<i64> = edits.values().map(|made| made.came).collect();
        let lines = edits.iter().flat_map(|(n, made)| Self::block(&made.edit, *n));
        let left = lines.filter(|line| !out.contains(&line.replace('.', "").parse().unwrap()));
        left.collect::<Vec<_>>().join("\n")
    }
}

/// Several containers that are fields of one value, one of them a map of others.
pub(super) struct Records;

type Shelves = MergeMap<String, AddWinsSet<String>>;

#[derive(Contents, Clone, PartialEq, Debug, Default)]
pub(super) struct Record {
    count: Counter,
    tags: AddWinsSet<String>,
    title: Option<LwwRegister<String>>,
    log: BlobLog<String>,
    shelves: Shelves,
    #[irmin(merge = counter)]
    edits: u32,
}

impl Records {
    /// Which field an edit changes.
    fn field(edit: &Edit) -> u8 {
        [0, 1, 2, 3, 4, 4][usize::from(edit.verb % 6)]
    }

    fn of<'a>(edits: &Edits<'a>, field: u8) -> Edits<'a> {
        let of = edits.iter().filter(|(_, made)| Self::field(&made.edit) == field);
        of.map(|(n, made)| (*n, *made)).collect()
    }

    /// What an edit does with the shelf that it names.
    fn element(edit: &Edit) -> String {
        name(edit.verb / 16)
    }

    /// Changes a shelf, or takes it away, and says whether there was one.
    fn shelve(shelves: &mut Shelves, edit: &Edit, event: &mut Event) -> Result<bool> {
        if Maps::removes(edit) {
            return Ok(shelves.remove(&name(edit.what)));
        }
        shelves.update(name(edit.what), |shelf| {
            let mut shelf = shelf.unwrap_or_default();
            if Sets::removes(edit) {
                shelf.remove(&Self::element(edit));
            } else {
                shelf.add(Self::element(edit), event);
            }
            Ok(shelf)
        })?;
        Ok(true)
    }
}

impl Kind for Records {
    type Values = Record;

    fn edit(branch: &Branch<Record>, edit: &Edit, _: usize, options: CommitOptions) -> Done {
        let change = |old: Option<Record>, event: &mut Event| {
            let mut new = old.unwrap_or_default();
            new.edits += 1;
            match Self::field(edit) {
                0 => new.count.0 += i64::from(edit.what),
                1 if !Sets::removes(edit) => new.tags.add(name(edit.what), event),
                1 if !new.tags.remove(&name(edit.what)) => return Ok(None),
                1 => {}
                2 => {
                    let old = new.title.as_ref();
                    new.title = Some(LwwRegister::write(old, name(edit.what), event));
                }
                3 => new.log.append(name(edit.what), event),
                _ if !Self::shelve(&mut new.shelves, edit, event)? => return Ok(None),
                _ => {}
            }
            Ok(Some(new))
        };
        At::<Record>::new(branch, PATH)?.edit(options, [edit.verb, edit.what], change).map(done)
    }

    fn read(branch: &Branch<Record>) -> Result<String> {
        let Record { count, tags, title, log, shelves, edits } =
            At::<Record>::new(branch, PATH)?.get()?.unwrap_or_default();
        let list =
            |set: &AddWinsSet<String>| set.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        let title = title.map(|title| format!("{}@{}", title.value(), title.time()));
        let log: Vec<&str> = log.entries().iter().map(|(value, _)| value.as_str()).collect();
        let shelves: String =
            shelves.iter().map(|(key, shelf)| format!("{key}: {};", list(shelf))).collect();
        let (count, tags, title) = (count.0, list(&tags), title.unwrap_or_default());
        Ok(format!("{count} [{tags}] {title} [{}] {shelves} {edits}", log.join(" ")))
    }

    fn model(edits: &Edits<'_>) -> String {
        let count: i64 = Self::of(edits, 0).values().map(|m| i64::from(m.edit.what)).sum();
        let tags = Sets::model(&Self::of(edits, 1));
        let title = Registers::model(&Self::of(edits, 2));
        let log = BlobLogs::model(&Self::of(edits, 3));
        let shelved = Self::of(edits, 4);
        let mut shelves = String::new();
        for key in ["a", "b", "c"] {
            let last = Maps::last(&shelved, key).1;
            if !last.is_empty() {
                let elements = in_set(&last, Self::element);
                shelves += &format!("{key}: {elements};");
            }
        }
        format!("{count} [{tags}] {title} [{log}] {shelves} {}", edits.len())
    }
}

/// Containers whose marks decide the order, as fields of one value, to which one edit gives marks
/// in turn.
pub(super) struct Notes;

#[derive(Contents, Clone, PartialEq, Debug, Default)]
pub(super) struct Note {
    text: Text,
    queue: Queue<i64>,
}

impl Notes {
    /// The half of the edits that change the text, as edits of a text, or the others.
    fn of(edits: &Edits<'_>, text: bool) -> Vec<Made> {
        let of = edits.values().filter(|made| Self::is_text(&made.edit) == text);
        let made = |made: &&Made| Made {
            edit: Self::half(&made.edit),
            came: made.came,
            past: made.past.clone(),
            number: made.number,
        };
        of.map(made).collect()
    }

    fn is_text(edit: &Edit) -> bool {
        edit.verb.is_multiple_of(2)
    }

    fn half(edit: &Edit) -> Edit {
        Edit { verb: edit.verb / 2, ..*edit }
    }
}

impl Kind for Notes {
    type Values = Note;
    const BY_MARKS: bool = true;

    fn edit(branch: &Branch<Note>, edit: &Edit, n: usize, options: CommitOptions) -> Done {
        let half = Self::half(edit);
        let mut came = -1;
        let change = |old: Option<Note>, event: &mut Event| {
            let mut note = old.clone().unwrap_or_default();
            if Self::is_text(edit) {
                let mut lines: Vec<String> = note.text.lines().map(str::to_owned).collect();
                let out = Texts::change(&half, n, &mut lines);
                came = out.map_or(-1, |line| line.replace('.', "").parse().unwrap());
                note.text.write(&lines.join("\n"), event);
            } else if half.verb % 5 >= 2 {
                note.queue.push(n as i64, event);
            } else {
                came = note.queue.pop().unwrap_or(-1);
            }
            Ok((note != old.unwrap_or_default()).then_some(note))
        };
        let made = At::<Note>::new(branch, PATH)?.edit(options, [edit.verb, edit.what], change)?;
        Ok(made.map(|_| came))
    }

    fn read(branch: &Branch<Note>) -> Result<String> {
        let note = At::<Note>::new(branch, PATH)?.get()?.unwrap_or_default();
        let queue: Vec<String> = note.queue.iter().map(i64::to_string).collect();
        Ok(note.text.read() + &queue.join(" "))
    }

    fn model(edits: &Edits<'_>) -> String {
        let [text, queue] = [true, false].map(|text| Self::of(edits, text));
        fn by_number(half: &[Made]) -> Edits<'_> {
            half.iter().map(|made| (made.number, made)).collect()
        }
        Texts::model(&by_number(&text)) + "\n" + &Queues::model(&by_number(&queue))
    }

    fn oldest_first(words: Vec<&str>) -> Vec<&str> {
        words.into_iter().filter(|word| !word.contains('.')).collect()
    }
}
