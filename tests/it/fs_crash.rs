//! Stores of files after a loss of power, and after the death of a program.

use std::sync::Arc;

use irmin_core::backend::{FsBackend, FsInit, FsOptions, MemoryBackend};
use irmin_core::io::Io;
use irmin_core::{Branch, Context, Fetched, Format, FormatSpec, Repo, Tree};
use irmin_tests::sim_io::{Sampling, SimIo};

fn options() -> FsOptions {
    FsOptions { attempts: 4, ..FsOptions::default() }
}

fn init(io: &SimIo) -> Repo {
    let store = FsBackend::init(Arc::new(io.clone()), &FsInit::default(), &options()).unwrap();
    repo(store)
}

fn open(io: &SimIo) -> Repo {
    repo(FsBackend::open(Arc::new(io.clone()), &options()).unwrap())
}

fn repo(store: FsBackend) -> Repo {
    Repo::new(Arc::new(store), Context::new("ann <ann@example.org>", || 1_000)).unwrap()
}

/// A branch elsewhere with a few commits, each of several directories.
fn elsewhere() -> Branch {
    let memory = MemoryBackend::new(Format::new(FormatSpec::irmin_mem()));
    let there = Repo::new(Arc::new(memory), Context::new("ann", || 0)).unwrap().main().unwrap();
    for n in 0..2 {
        let fill = |tree: &mut Tree| {
            (0..2).try_for_each(|k| tree.set(format!("{n}/{k}/a"), format!("{n} {k}")))
        };
        there.transaction("fill", fill).unwrap().unwrap();
    }
    there
}

/// Fetches a branch into a store, and checks that all of it is there.
fn fetch(here: &Repo, there: &Branch, remote: &str, what: &dyn std::fmt::Display) {
    let origin = format!("refs/remotes/{remote}/main").parse().unwrap();
    let fetched = here.fetch(there, Some(&origin)).unwrap_or_else(|e| panic!("{what}: {e:?}"));
    let Fetched::Head(head) = fetched else { panic!("{what}") };
    assert_eq!(Some(head.id()), there.head().unwrap().map(|head| head.id()), "{what}");
    let report = here.check(&mut |_| ()).unwrap();
    assert!(report.is_sound(), "{what}: {:?}", report.problems);
}

/// What is there is taken to be whole by whoever brings it again: so nothing may be left there
/// without all that it refers to.
#[test]
fn what_a_crash_left_is_whole_when_it_is_fetched_again() {
    let there = elsewhere();
    let io = SimIo::new();
    let here = init(&io);
    let first = io.op_count();
    fetch(&here, &there, "origin", &"the first");
    let mut looked = 0;
    for image in io.crash_images_from(first, Sampling { per_point: 8, seed: 3 }) {
        fetch(&open(&image.io), &there, "origin", &image);
        looked += 1;
    }
    assert!(looked > 800, "{looked}");
}

/// What another program left when it was killed is there, and need not be durable.
#[test]
fn what_a_dead_program_left_is_durable_when_it_is_built_upon() {
    let there = elsewhere();
    let io = SimIo::new();
    let here = init(&io);
    let first = io.op_count();
    fetch(&here, &there, "origin", &"the first");
    for killed in first..=io.op_count() {
        let left = io.fork_at(killed);
        fetch(&open(&left), &there, "again", &killed);
        let sampling = Sampling { per_point: 1, seed: 0 };
        let after = open(&left.crash_image(left.op_count(), 0, sampling));
        let report = after.check(&mut |_| ()).unwrap();
        assert!(report.is_sound(), "killed after {killed}: {:?}", report.problems);
        assert_eq!(after.backend().refs("refs/remotes/again/").unwrap().len(), 1, "{killed}");
    }
}

/// Every state that a loss of power can leave: each acknowledged commit is there, whole, and the
/// store can be written.
#[test]
fn no_crash_loses_what_was_acknowledged() {
    let io = SimIo::new();
    let names = ["main", "draft/one"];
    let branches = init(&io);
    let first = io.op_count();
    let mut acknowledged = [Vec::new(), Vec::new()];
    for n in 0..4 {
        for (name, acknowledged) in names.iter().zip(&mut acknowledged) {
            let branch = branches.branch(name).unwrap();
            branch.set(format!("dir/{n}").as_str(), format!("{name} {n}"), "why").unwrap();
            acknowledged.push(io.op_count());
        }
    }
    let mut looked = 0;
    for image in io.crash_images_from(first, Sampling { per_point: 24, seed: 7 }) {
        let store = open(&image.io);
        for (name, acknowledged) in names.iter().zip(&acknowledged) {
            let branch = store.branch(name).unwrap();
            let least = acknowledged.iter().filter(|at| **at <= image.at).count();
            let there = (0..4)
                .take_while(|n| {
                    let value = branch.get(format!("dir/{n}").as_str());
                    let value = value.unwrap_or_else(|e| panic!("{image}: {e:?}"));
                    value.is_some_and(|value| value == format!("{name} {n}"))
                })
                .count();
            assert!(there >= least && there <= least + 1, "{image}: {name}: {there} of {least}");
            branch.set("after", "the crash", "why").unwrap_or_else(|e| panic!("{image}: {e:?}"));
        }
        assert!(image.io.list("tmp").unwrap().is_empty(), "{image}");
        looked += 1;
    }
    assert!(looked > 2_000, "{looked}");
}
