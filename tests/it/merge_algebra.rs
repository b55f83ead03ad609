//! The merge algebra: every combinator against its laws and against a simple model of itself.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::Path;

use irmin_core::{Merge, Reason};
use irmin_tests::git_support::command;
use irmin_tests::needs;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// What every merge promises; the base may be missing.
fn laws<T>(merge: &Merge<T>, base: Option<&T>, x: &T, y: &T) -> Result<(), TestCaseError>
where
    T: Clone + PartialEq + Debug + 'static,
{
    prop_assert_eq!(merge.apply(base, x, y), merge.apply(base, y, x), "symmetry");
    if let Some(base) = base {
        prop_assert_eq!(merge.apply(Some(base), x, base), Ok(x.clone()), "one side");
        prop_assert_eq!(merge.apply(Some(base), base, base), Ok(base.clone()), "no side");
    }
    if merge.is_idempotent() {
        prop_assert_eq!(merge.apply(base, x, x), Ok(x.clone()), "idempotence");
    }
    Ok(())
}

/// Parts of two kinds: those that merge as counters and those that merge as they are.
fn part() -> impl Strategy<Value = i64> {
    0..3_i64
}

fn sides<T: Debug, S: Strategy<Value = T>>(
    one: impl Fn() -> S,
) -> impl Strategy<Value = (Option<T>, T, T)> {
    (prop::option::of(one()), one(), one())
}

type Parts = (i64, i64, i64);

/// The merge of parts, spelled out: what one side left alone is the other's.
fn merge_parts(base: Option<&Parts>, x: &Parts, y: &Parts) -> Result<Parts, Reason> {
    if let Some(base) = base {
        if base == x {
            return Ok(*y);
        } else if base == y {
            return Ok(*x);
        }
    }
    let same = |base: Option<i64>, x: i64, y: i64| match base {
        _ if x == y => Ok(x),
        Some(base) if base == x => Ok(y),
        Some(base) if base == y => Ok(x),
        Some(_) => Err(Reason::DEFAULT),
        None => Err(Reason::NO_ANCESTOR),
    };
    let count = x.0 + y.0 - base.map_or(0, |b| b.0);
    Ok((count, same(base.map(|b| b.1), x.1, y.1)?, same(base.map(|b| b.2), x.2, y.2)?))
}

proptest! {
    #[test]
    fn pairs_and_triples(
        (base, x, y) in sides(|| (part(), part(), part())),
        counts: bool,
    ) {
        let same = Merge::<i64>::idempotent;
        let first = if counts { Merge::counter() } else { same() };
        let triple = first.clone().triple(same(), same());
        prop_assert_eq!(triple.is_idempotent(), !counts);
        laws(&triple, base.as_ref(), &x, &y)?;
        if counts {
            let expected = merge_parts(base.as_ref(), &x, &y);
            prop_assert_eq!(triple.apply(base.as_ref(), &x, &y), expected);
        }
        // A triple is a pair of a pair.
        let pairs = first.pair(same()).pair(same());
        let nest = |t: &(i64, i64, i64)| ((t.0, t.1), t.2);
        let merged = pairs.apply(base.as_ref().map(nest).as_ref(), &nest(&x), &nest(&y));
        prop_assert_eq!(merged, triple.apply(base.as_ref(), &x, &y).map(|t| nest(&t)));
    }

    /// Element by element, a set is a table of flags that merge as they are.
    #[test]
    fn sets((base, x, y) in sides(|| btree_set(0..6_u8, 0..5))) {
        let merge = Merge::<BTreeSet<u8>>::set();
        prop_assert!(merge.is_idempotent());
        laws(&merge, base.as_ref(), &x, &y)?;
        let empty = BTreeSet::new();
        let base_or_empty = base.as_ref().unwrap_or(&empty);
        let flag = Merge::<bool>::idempotent();
        let expected = (0..6).filter(|e| {
            let [b, x, y] = [base_or_empty, &x, &y].map(|set| set.contains(e));
            flag.apply(Some(&b), &x, &y).unwrap()
        });
        prop_assert_eq!(merge.apply(base.as_ref(), &x, &y), Ok(expected.collect()));
    }

    /// Key by key, a multiset is a counter, and what is absent is zero.
    #[test]
    fn multisets((base, x, y) in sides(|| btree_map(0..4_u8, -2..3_i64, 0..4))) {
        // Zeros are never there: they are what is absent.
        let clean = |map: BTreeMap<u8, i64>| -> BTreeMap<u8, i64> {
            map.into_iter().filter(|(_, n)| *n != 0).collect()
        };
        let (base, x, y) = (base.map(clean), clean(x), clean(y));
        let merge = Merge::<BTreeMap<u8, i64>>::multiset();
        laws(&merge, base.as_ref(), &x, &y)?;
        let get = |map: &BTreeMap<u8, i64>, key| map.get(&key).copied().unwrap_or(0);
        let empty = BTreeMap::new();
        let model = (0..4).map(|key| {
            let base = base.as_ref().unwrap_or(&empty);
            (key, Merge::counter().apply(Some(&get(base, key)), &get(&x, key), &get(&y, key)).unwrap())
        });
        prop_assert_eq!(merge.apply(base.as_ref(), &x, &y), Ok(clean(model.collect())));
    }

    /// Without duplicates, an association list is a map read backwards.
    #[test]
    fn association_lists((base, x, y) in sides(|| btree_map(0..4_u8, part(), 0..4)), counts: bool) {
        let values = if counts { Merge::counter() } else { Merge::idempotent() };
        let (map, alist) = (values.clone().map(), values.alist());
        laws(&map, base.as_ref(), &x, &y)?;
        let list = |map: &BTreeMap<u8, i64>| map.iter().rev().map(|(k, v)| (*k, *v)).collect();
        let backwards = |map: &BTreeMap<u8, i64>| map.iter().map(|(k, v)| (*k, *v)).collect();
        let lists: [Option<Vec<(u8, i64)>>; 3] = [base.as_ref(), Some(&x), Some(&y)].map(|m| m.map(list));
        let [base_list, Some(x_list), Some(y_list)] = lists else { unreachable!() };
        laws(&alist, base_list.as_ref(), &x_list, &y_list)?;
        let merged = alist.apply(base_list.as_ref(), &x_list, &y_list);
        prop_assert_eq!(&merged, &map.apply(base.as_ref(), &x, &y).map(|m| list(&m)));
        // The order of the lists means nothing.
        prop_assert_eq!(merged, alist.apply(base_list.as_ref(), &backwards(&x), &backwards(&y)));
    }

    /// The first alternative that does not conflict decides; if all do, the last reason is told.
    #[test]
    fn alternatives((base, x, y) in sides(part)) {
        let refuse = |why: &'static str| Merge::new(why, move |_, _: &i64, _: &i64| Err(Reason::from(why)));
        let (a, b) = (Merge::<i64>::default_(), Merge::counter());
        let base = base.as_ref();
        let expected = a.apply(base, &x, &y).or_else(|_| b.apply(base, &x, &y));
        prop_assert_eq!(refuse("x").or(a.clone()).or(b.clone()).apply(base, &x, &y), expected);
        prop_assert_eq!(refuse("x").or(refuse("y")).apply(base, &x, &y), Err("y".into()));
        laws(&a.or(b), base, &x, &y)?;
    }

    /// A log keeps all entries, in an order that keeps that of each side.
    #[test]
    fn logs(base in prop::option::of(vec(0..9_u8, 0..4)), x in vec(0..9_u8, 0..6), y in vec(0..9_u8, 0..6)) {
        let merge = Merge::<Vec<u8>>::log();
        let old = base.clone().unwrap_or_default();
        let [long_x, long_y] = [&x, &y].map(|new| [old.as_slice(), new].concat());
        laws(&merge, base.as_ref(), &long_x, &long_y)?;
        let merged = merge.apply(base.as_ref(), &long_x, &long_y).unwrap();
        let (begin, new) = merged.split_at(old.len());
        prop_assert_eq!(begin, old.as_slice());
        let sorted = |list: &[u8]| { let mut s = list.to_vec(); s.sort_unstable(); s };
        prop_assert_eq!(sorted(new), sorted(&[x.as_slice(), &y].concat()));
        for side in [&x, &y] {
            let mut left = new.iter();
            prop_assert!(side.iter().all(|e| left.any(|n| n == e)), "{side:?} in {new:?}");
        }
        // What lacks entries of the base conflicts, unless the other side changed nothing.
        let edits = merge.apply(base.as_ref(), &x, &y);
        let extends = |side: &Vec<u8>| {
            let mut left = side.iter();
            old.iter().all(|e| left.any(|n| n == e))
        };
        let clash = !(extends(&x) && extends(&y)) && x != old && y != old;
        prop_assert_eq!(edits == Err(Reason::REWRITTEN), clash, "{:?}", edits);
        laws(&merge, base.as_ref(), &x, &y)?;
    }

    /// Entries in the order of time are all there, once, whoever merged what before: also where a
    /// side has taken in older ones of a third.
    #[test]
    fn logs_in_order(lists in vec(vec(0..9_u8, 0..4), 4)) {
        let merge = Merge::<Vec<u8>>::log();
        let joined = |which: &[usize]| {
            let mut all: Vec<u8> = which.iter().flat_map(|n| lists[*n].clone()).collect();
            all.sort_unstable();
            all
        };
        for (base, ours, theirs, all) in [
            ([0].as_slice(), [0, 1].as_slice(), [0, 2].as_slice(), [0, 1, 2].as_slice()),
            (&[0, 2], &[0, 1, 2], &[0, 2, 3], &[0, 1, 2, 3]),
            (&[2], &[1, 2], &[2, 3], &[1, 2, 3]),
        ] {
            let merged = merge.apply(Some(&joined(base)), &joined(ours), &joined(theirs));
            prop_assert_eq!(merged, Ok(joined(all)));
        }
    }

    #[test]
    fn last_writers((base, x, y) in sides(|| (part(), part()))) {
        let merge = Merge::last_writer(|v: &(i64, i64)| v.0);
        laws(&merge, base.as_ref(), &x, &y)?;
        if base != Some(x) && base != Some(y) {
            let expected = match x.0.cmp(&y.0) {
                _ if x == y => Ok(x),
                std::cmp::Ordering::Less => Ok(y),
                std::cmp::Ordering::Greater => Ok(x),
                std::cmp::Ordering::Equal => Err(Reason::SAME_TIME),
            };
            prop_assert_eq!(merge.apply(base.as_ref(), &x, &y), expected);
        }
    }

    #[test]
    fn laws_of_text((base, x, y) in sides(|| "([ab]\n){0,5}[ab]?")) {
        laws(&Merge::text(), base.as_ref(), &x, &y)?;
    }
}

/// Where a map's value has no base, and where its base is known to be absent, are two things: the
/// original's association lists know the second only.
#[test]
fn no_base_and_an_absent_base() {
    let by = |_: &u8| Merge::<Option<u8>>::default_();
    let (map, list) = (Merge::map_by("m", by), Merge::alist_by("l", by));
    let (one, none) = (BTreeMap::from([(1, 1)]), BTreeMap::new());
    assert_eq!(map.apply(None, &one, &none), Err(Reason::NO_ANCESTOR));
    assert_eq!(map.apply(Some(&none), &one, &none), Ok(one));
    let (one, none) = (vec![(1, 1)], vec![]);
    assert_eq!(list.apply(None, &one, &none), Ok(one.clone()));
    assert_eq!(list.apply(Some(&none), &one, &none), Ok(one));
}

#[test]
fn duplicates_of_a_key_are_paired_by_their_values() {
    let merge = Merge::counter().alist::<&str>();
    let merged = merge.apply(None, &vec![("a", 5), ("a", 1)], &vec![("a", 2)]);
    assert_eq!(merged.unwrap(), [("a", 5), ("a", 3)]);
    // The first entry of a key is its base.
    let base = vec![("a", 1), ("a", 9)];
    let merged = merge.apply(Some(&base), &vec![("a", 2)], &vec![("a", 3)]);
    assert_eq!(merged.unwrap(), [("a", 4)]);
}

/// What has no counterpart, or not one that leads back, is equal to itself all the same.
#[test]
fn conversions_leave_what_is_equal() {
    let digits = |text: &&'static str| text.parse::<u8>().ok();
    let merge = Merge::<u8>::idempotent().like(digits, |n| (n < 5).then_some("small"));
    assert!(merge.is_idempotent());
    for text in ["x", "7", "07", "1"] {
        laws(&merge, Some(&"0"), &text, &"2").unwrap();
        laws(&merge, None, &text, &text).unwrap();
    }
    // Two equal steps of a counter are two.
    let counter = Merge::counter().like(|n: &u8| Some(i64::from(*n)), |n| n.try_into().ok());
    assert_eq!(counter.apply(Some(&1), &2, &2), Ok(3));
}

#[test]
fn names_say_what_they_are_made_of() {
    let merge = Merge::counter().pair(Merge::<BTreeSet<u8>>::set()).option();
    assert_eq!(merge.name(), "option(pair(counter,set))");
    let merge = Merge::<Vec<u8>>::log().triple(Merge::text(), Merge::counter().alist::<u8>());
    assert_eq!(merge.name(), "triple(log,text,alist(counter))");
    let merge = Merge::last_writer(|v: &u8| *v).or(Merge::default_()).map::<u8>();
    assert_eq!(merge.name(), "map(seq(lww,default))");
}

/// One edit of a text whose lines are all different: what it does, and where.
fn edited(base: &[String], edits: &[(usize, u8)], side: &str) -> String {
    let mut out = String::new();
    for (i, line) in base.iter().enumerate() {
        let new = |kind| format!("{side}{kind}{i}\n");
        match edits.iter().find(|(at, _)| at % base.len() == i).map(|(_, kind)| kind % 4) {
            None => out += line,
            Some(0) => {}
            Some(1) => out += &new("changed"),
            Some(2) => out = out + line + &new("after"),
            // The same on both sides.
            Some(_) => out += "equal\n",
        }
    }
    out
}

/// The real git, on the same three texts: what it merges, or nothing if it finds conflicts.
fn merge_file(dir: &Path, texts: [&str; 3]) -> Option<String> {
    let names = ["ours", "base", "theirs"];
    for (name, text) in names.iter().zip(texts) {
        std::fs::write(dir.join(name), text).unwrap();
    }
    let out = command(dir).args(["merge-file", "-p"]).args(names).output().unwrap();
    let status = out.status.code().unwrap();
    assert!(status < 128, "{}", String::from_utf8_lossy(&out.stderr));
    (status == 0).then(|| String::from_utf8(out.stdout).unwrap())
}

#[test]
fn text_merges_as_git_merges_it() {
    if !needs("git") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let edits = || vec((0..12_usize, any::<u8>()), 0..4);
    let mut runner = TestRunner::new(Config { cases: 96, ..Config::default() });
    let seen = [Cell::new(0), Cell::new(0)];
    let run = runner.run(&(1..12_usize, edits(), edits()), |(n, x, y)| {
        let base: Vec<String> = (0..n).map(|i| format!("line {i}\n")).collect();
        let (ours, theirs) = (edited(&base, &x, "ours "), edited(&base, &y, "theirs "));
        let base = base.concat();
        let merged = Merge::text().apply(Some(&base), &ours, &theirs);
        let git = merge_file(dir.path(), [&ours, &base, &theirs]);
        prop_assert_eq!(merged.as_ref().ok(), git.as_ref(), "{:?}", merged);
        seen[usize::from(git.is_some())].update(|n| n + 1);
        Ok(())
    });
    run.unwrap();
    assert!(seen.iter().all(|n| n.get() > 5), "both outcomes are common: {seen:?}");
}
