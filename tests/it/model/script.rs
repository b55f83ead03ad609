//! Random scripts: what programs do with a store, in small names so that it collides.

use irmin_core::{Metadata, Strategy as Handling};
use irmin_tests::model::{Leaf, Model, Steps};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// The branches that scripts use.
pub(super) const BRANCHES: [&str; 3] = ["main", "dev", "topic/x"];

/// The name of a branch.
pub(super) type BranchNo = usize;

/// One change of a tree.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Set(Steps, Leaf),
    Remove(Steps),
    /// Copies what is at the first path to the second.
    Copy(Steps, Steps),
    /// Puts a tree that was made in memory.
    Graft(Steps, Model),
}

/// One operation on a store.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Transaction(BranchNo, Vec<Edit>),
    /// The first path of the second branch becomes the second path of the first one.
    CopyFrom(BranchNo, BranchNo, Steps, Steps),
    TestAndSet(BranchNo, Steps, Option<Vec<u8>>, Option<Vec<u8>>),
    WithTree(BranchNo, Steps, Handling, Edit),
    MergeTree(BranchNo, Steps, Model, Model),
    Fork(BranchNo, BranchNo),
    Merge(BranchNo, BranchNo),
    /// Both branches are merged into each other, from where they were before.
    CrissCross(BranchNo, BranchNo),
    /// Edits on a detached head, merged back.
    Detached(BranchNo, Vec<Edit>),
    FastForward(BranchNo, BranchNo),
    /// Back to one of the commits that the branch had.
    Revert(BranchNo, Index),
    Delete(BranchNo),
}

fn step() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(vec![&b"a"[..], b"b", b"c", b"a.c", b"a0"]).prop_map(<[u8]>::to_vec)
}

pub(crate) fn path() -> impl Strategy<Value = Steps> {
    vec(step(), 1..4)
}

/// A path, or the root.
fn any_path() -> impl Strategy<Value = Steps> {
    prop_oneof![5 => path(), 1 => Just(Vec::new())]
}

fn leaf() -> impl Strategy<Value = Leaf> {
    let modes = prop_oneof![
        6 => Just(Metadata::Normal), 1 => Just(Metadata::Exec), 1 => Just(Metadata::Link),
    ];
    (0..4_u8, modes).prop_map(|(n, mode)| (vec![b'v', b'0' + n], mode))
}

/// A tree of a few values.
pub(crate) fn tree() -> impl Strategy<Value = Model> {
    vec((path(), leaf()), 0..6).prop_map(|entries| {
        let mut tree = Model::default();
        entries.into_iter().for_each(|(path, leaf)| tree.set(&path, leaf));
        tree
    })
}

fn value() -> impl Strategy<Value = Option<Vec<u8>>> {
    prop::option::weighted(0.8, leaf().prop_map(|leaf| leaf.0))
}

pub(crate) fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        6 => (path(), leaf()).prop_map(|(path, leaf)| Edit::Set(path, leaf)),
        3 => path().prop_map(Edit::Remove),
        2 => (any_path(), path()).prop_map(|(from, to)| Edit::Copy(from, to)),
        1 => (path(), tree()).prop_map(|(path, tree)| Edit::Graft(path, tree)),
    ]
}

fn handling() -> impl Strategy<Value = Handling> {
    prop::sample::select(vec![Handling::Set, Handling::TestAndSet, Handling::Merge])
}

fn op() -> impl Strategy<Value = Op> {
    let branch = || 0..BRANCHES.len();
    prop_oneof![
        8 => (branch(), vec(edit(), 1..5)).prop_map(|(b, edits)| Op::Transaction(b, edits)),
        2 => (branch(), branch(), path(), path()).prop_map(|(b, o, f, t)| Op::CopyFrom(b, o, f, t)),
        2 => (branch(), path(), value(), value())
            .prop_map(|(b, path, test, set)| Op::TestAndSet(b, path, test, set)),
        2 => (branch(), any_path(), handling(), edit())
            .prop_map(|(b, path, how, edit)| Op::WithTree(b, path, how, edit)),
        1 => (branch(), path(), tree(), tree())
            .prop_map(|(b, path, base, theirs)| Op::MergeTree(b, path, base, theirs)),
        2 => (branch(), branch()).prop_map(|(b, o)| Op::Fork(b, o)),
        5 => (branch(), branch()).prop_map(|(b, o)| Op::Merge(b, o)),
        3 => (branch(), branch()).prop_map(|(b, o)| Op::CrissCross(b, o)),
        2 => (branch(), vec(edit(), 1..4)).prop_map(|(b, edits)| Op::Detached(b, edits)),
        1 => (branch(), branch()).prop_map(|(b, o)| Op::FastForward(b, o)),
        1 => (branch(), any::<Index>()).prop_map(|(b, at)| Op::Revert(b, at)),
        1 => branch().prop_map(Op::Delete),
    ]
}

/// Mostly of branches with a common beginning.
pub(super) fn script(most: usize) -> impl Strategy<Value = Vec<Op>> {
    let first = vec(edit(), 1..8)
        .prop_map(|edits| vec![Op::Transaction(0, edits), Op::Fork(0, 1), Op::Fork(0, 2)]);
    (prop::option::weighted(0.85, first), vec(op(), 1..most))
        .prop_map(|(first, ops)| first.into_iter().flatten().chain(ops).collect())
}

/// Edits of one directory around a number of entries: adds and removes that cross it both ways.
pub(super) fn wide(around: usize) -> impl Strategy<Value = Vec<Op>> {
    let name = |n: usize| vec![b"dir".to_vec(), format!("key-{n}").into_bytes()];
    let first: Vec<Edit> = (0..around)
        .map(|n| Edit::Set(name(n), (vec![b'v', b'0' + (n % 4) as u8], Metadata::Normal)))
        .collect();
    let near = (0..around + 6).prop_map(move |n| name(if n < 8 { n } else { around - 4 + n % 10 }));
    let edit = prop_oneof![
        (near.clone(), leaf()).prop_map(|(path, leaf)| Edit::Set(path, leaf)),
        near.prop_map(Edit::Remove),
    ];
    let op = prop_oneof![
        4 => (0..2_usize, vec(edit.clone(), 1..6)).prop_map(|(b, edits)| Op::Transaction(b, edits)),
        2 => (0..2_usize, 0..2_usize).prop_map(|(b, o)| Op::Merge(b, o)),
        1 => (0..2_usize, 0..2_usize).prop_map(|(b, o)| Op::CrissCross(b, o)),
    ];
    vec(op, 1..7).prop_map(move |rest| {
        let mut ops = vec![Op::Transaction(0, first.clone()), Op::Fork(0, 1)];
        ops.extend(rest);
        ops
    })
}
