//! Containers: random histories in random orders, against models that know only sets of edits.

mod kinds;
mod original;
mod world;

use std::sync::Arc;

use irmin_core::backend::MemoryBackend;
use irmin_core::containers::{Container as _, Queue};
use irmin_core::contents::Contents as _;
use irmin_core::{Branch, Context, Format, FormatSpec, Repo, ValueEncoding};
use proptest::prelude::*;

use crate::model::cases;
use kinds::*;
use world::{Kind, Script, script};

/// Both layouts, for values that are hashed so.
fn specs(values: ValueEncoding) -> [FormatSpec; 3] {
    [FormatSpec::native(), FormatSpec::irmin_mem(), FormatSpec::git()]
        .map(|spec| FormatSpec { values, ..spec })
}

/// Runs a history on a layout of each kind; the readable results must agree.
fn converges<K: Kind>(script: &Script) -> usize {
    let ends = specs(K::Values::VALUES).map(|spec| world::run::<K>(Format::new(spec), script));
    assert!(K::BY_MARKS || ends.iter().all(|end| *end == ends[0]), "{ends:?}");
    ends[0].1
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn counters_converge(script in script(24)) {
        converges::<Counters>(&script);
    }

    #[test]
    fn registers_converge(script in script(24)) {
        converges::<Registers>(&script);
    }

    #[test]
    fn blob_logs_converge(script in script(24)) {
        converges::<BlobLogs>(&script);
    }

    #[test]
    fn linked_logs_converge(script in script(16)) {
        converges::<LinkedLogs>(&script);
    }

    #[test]
    fn sets_converge(script in script(32)) {
        converges::<Sets>(&script);
    }

    #[test]
    fn maps_converge(script in script(32)) {
        converges::<Maps>(&script);
    }

    #[test]
    fn queues_converge(script in script(32)) {
        converges::<Queues>(&script);
    }

    #[test]
    fn texts_converge(script in script(24)) {
        converges::<Texts>(&script);
    }

    #[test]
    fn values_of_several_converge(script in script(32)) {
        converges::<Records>(&script);
        converges::<Notes>(&script);
    }

    /// A store of bytes in which paths have policies, as any git repository can be.
    #[test]
    fn policies_converge(script in script(24)) {
        world::run::<SetsAsBytes>(Format::new(FormatSpec::git()), &script);
        world::run::<SetsAsBytes>(Format::new(FormatSpec::native()), &script);
    }
}

/// Histories that cross as often as they can, so that bases are merged from several ancestors,
/// which have several in turn.
#[test]
fn histories_that_criss_cross() {
    let script = world::crossing(2);
    let crossed = [
        converges::<Counters>(&script),
        converges::<Registers>(&script),
        converges::<BlobLogs>(&script),
        converges::<LinkedLogs>(&script),
        converges::<Sets>(&script),
        converges::<Maps>(&script),
        converges::<Queues>(&script),
        converges::<Texts>(&script),
        converges::<Records>(&script),
        converges::<Notes>(&script),
    ];
    assert!(crossed.iter().all(|crossed| *crossed > 10), "{crossed:?}");
}

/// Two edits that say the same of themselves are one, as long as they do the same.
#[test]
fn an_edit_is_its_commit() {
    let backend = MemoryBackend::new(Format::new(FormatSpec::git()));
    let repo = Repo::new(Arc::new(backend), Context::new("ann", || 1_000)).unwrap();
    let repo = repo.typed::<Queue<i64>>().unwrap();
    let [ours, theirs] = ["ours", "theirs"].map(|name| repo.branch(name).unwrap());
    let push = |branch: &Branch<Queue<i64>>, n: i64| {
        Queue::at(branch, "q").unwrap().push(n, "push").unwrap().unwrap().id()
    };
    assert_eq!(push(&ours, 1), push(&theirs, 1));
    assert_ne!(push(&ours, 2), push(&theirs, 3));
    ours.merge(&theirs, "merge").unwrap().resolved().unwrap();
    let mut all = <Queue<i64>>::at(&ours, "q").unwrap().read_all().unwrap();
    all.sort_unstable();
    assert_eq!(all, [1, 2, 3]);
}

#[test]
fn names_of_types_are_those_that_stores_record() {
    use irmin_core::containers::*;
    let names = [
        Counter::TYPE,
        <LwwRegister<i64>>::TYPE,
        <BlobLog<String>>::TYPE,
        <AddWinsSet<String>>::TYPE,
        <MergeMap<String, MergeMap<i64, Counter>>>::TYPE,
        <Queue<(String, i64)>>::TYPE,
        Text::TYPE,
    ];
    let expected = [
        "counter",
        "lww-register(int64)",
        "blob-log(string)",
        "add-wins-set(string)",
        "merge-map(string,merge-map(int64,counter))",
        "queue((string,int64))",
        "text",
    ];
    assert_eq!(names, expected);
}
