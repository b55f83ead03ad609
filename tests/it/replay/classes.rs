//! The deliberate differences from OCaml Irmin 3.11, and how often the vectors meet each.
//!
//! A difference counts here only if both sides are what their models say of the same inputs: ours
//! by the model of merging key by key, the original's by the model of its own algorithms. What is
//! in no class fails.

use std::collections::BTreeMap;

/// A way in which ours differs from the original on purpose.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Class {
    Unchanged,
    EmptyDirectory,
    ParentOrder,
    DeletedDirectory,
    KindChange,
    EqualAdditions,
    Clash,
    SeveralBases,
    ConflictWords,
    MinimalLcas,
    MaxDepth,
    LcaCount,
    MergeLimits,
    ListOrder,
    LastModified,
    Names,
}

pub(super) struct Row {
    pub(super) class: Class,
    /// What differs, and why.
    pub(super) why: &'static str,
    /// Cases by corpus; none where a corpus is not named.
    pub(super) cases: &'static [(&'static str, usize)],
}

pub(super) const CLASSES: &[Row] = &[
    Row {
        class: Class::Unchanged,
        why: "The original makes a commit whose tree is that of the head (or empty, without a \
              head); ours makes none, since nothing changed.",
        cases: &[
            ("git_ops", 27),
            ("ops_mem", 293),
            ("ops_pack", 145),
            ("scenarios_git", 1),
            ("scenarios_mem", 1),
            ("scenarios_pack", 1),
        ],
    },
    Row {
        class: Class::EmptyDirectory,
        why: "The original keeps a directory that was emptied (on git stores, and in results of \
              its merge of trees); ours prunes it, as git does.",
        cases: &[("git_ops", 22), ("merge_tree", 2), ("scenarios_git", 2), ("scenarios_pack", 1)],
    },
    Row {
        class: Class::ParentOrder,
        why: "The original sorts the parents of a commit; ours keeps their order in the Git \
              layout, where the first parent has a meaning.",
        cases: &[("git_ops", 13)],
    },
    Row {
        class: Class::DeletedDirectory,
        why: "A directory that one side removed and the other changed is a conflict for the \
              original's merge of trees; ours merges it key by key, an absent one being empty.",
        cases: &[
            ("git_ops", 13),
            ("merge_tree", 121),
            ("ops_mem", 92),
            ("ops_pack", 42),
            ("scenarios_git", 2),
            ("scenarios_mem", 1),
            ("scenarios_pack", 1),
        ],
    },
    Row {
        class: Class::KindChange,
        why: "Where a name is a value on one side and a directory on another, the original's merge \
              of trees conflicts as a whole; ours merges the value and the keys below it, each on \
              its own, and names the keys that conflict.",
        cases: &[
            ("git_ops", 3),
            ("merge_tree", 207),
            ("ops_mem", 50),
            ("ops_pack", 26),
            ("scenarios_git", 4),
            ("scenarios_mem", 3),
            ("scenarios_pack", 2),
        ],
    },
    Row {
        class: Class::EqualAdditions,
        why: "The same value added on both sides conflicts in the original's merge of trees on \
              git stores, because of the modes; ours merges it on every store.",
        cases: &[("scenarios_git", 2)],
    },
    Row {
        class: Class::Clash,
        why: "The original silently drops a value where the other side has a directory of its \
              name, or writes through it; ours conflicts.",
        cases: &[
            ("git_ops", 18),
            ("histories", 282),
            ("ops_mem", 175),
            ("ops_pack", 87),
            ("scenarios_git", 1),
            ("scenarios_mem", 2),
            ("scenarios_pack", 2),
        ],
    },
    Row {
        class: Class::SeveralBases,
        why: "Of several common ancestors the original makes one by merging whole commits, or \
              none if that conflicts, and some are ancestors of others; ours has a base for every \
              key from the lowest ones.",
        cases: &[("histories", 63), ("ops_mem", 1), ("ops_pack", 4)],
    },
    Row {
        class: Class::ConflictWords,
        why: "Any conflict of a merge of commits is \"Recursive merging of common ancestors: \
              default\" in the original; ours names every key with its own reason.",
        cases: &[
            ("git_ops", 4),
            ("histories", 446),
            ("ops_mem", 291),
            ("ops_pack", 172),
            ("scenarios_git", 14),
            ("scenarios_mem", 14),
            ("scenarios_pack", 12),
        ],
    },
    Row {
        class: Class::MinimalLcas,
        why: "The original's common ancestors may be ancestors of each other; ours are those of \
              `git merge-base --all`.",
        cases: &[("histories", 100), ("scenarios_mem", 8)],
    },
    Row {
        class: Class::MaxDepth,
        why: "With `max_depth`, the original's answer depends on where its search was when it \
              stopped; ours answers if the commits up to that distance prove the answer, and is an \
              error otherwise.",
        cases: &[
            ("histories", 639),
            ("scenarios_git", 5),
            ("scenarios_mem", 8),
            ("scenarios_pack", 7),
        ],
    },
    Row {
        class: Class::LcaCount,
        why: "The original stops at the first `n` candidates that it meets; ours counts the lowest \
              common ancestors.",
        cases: &[
            ("histories", 183),
            ("scenarios_git", 3),
            ("scenarios_mem", 7),
            ("scenarios_pack", 4),
        ],
    },
    Row {
        class: Class::MergeLimits,
        why: "When a limit ends the search, the original merges as if unrelated; ours is an error.",
        cases: &[("histories", 219)],
    },
    Row {
        class: Class::ListOrder,
        why: "The original lists in the order of its hash tries; ours sorts.",
        cases: &[("ops_pack", 157), ("scenarios_pack", 1)],
    },
    Row {
        class: Class::LastModified,
        why: "The original's search ends at the first root commit that it meets, may repeat a \
              commit, and is an exception without a head; ours searches all of history.",
        cases: &[("git_ops", 1), ("ops_mem", 14), ("ops_pack", 12)],
    },
    Row {
        class: Class::Names,
        why: "The original takes any step and its own set of branch names; ours takes the steps \
              that `git fsck --strict` accepts and git's branch names.",
        cases: &[("scenarios_git", 3), ("scenarios_mem", 3), ("scenarios_pack", 3)],
    },
];

/// The comparisons of each corpus that were equal.
pub(super) const EQUAL: &[(&str, usize)] = &[
    ("git_ops", 737),
    ("histories", 22148),
    ("merge_tree", 1670),
    ("ops_mem", 14317),
    ("ops_pack", 12506),
    ("scenarios_git", 327),
    ("scenarios_mem", 317),
    ("scenarios_pack", 347),
];

/// The classes met in one corpus.
pub(super) struct Tally {
    corpus: &'static str,
    met: BTreeMap<Class, usize>,
    equal: usize,
    failures: Vec<String>,
}

impl Tally {
    pub(super) fn new(corpus: &'static str) -> Self {
        Tally { corpus, met: BTreeMap::new(), equal: 0, failures: Vec::new() }
    }

    /// Counts a comparison: equal, or different in a class.
    pub(super) fn count(&mut self, class: Option<Class>) {
        match class {
            Some(class) => *self.met.entry(class).or_default() += 1,
            None => self.equal += 1,
        }
    }

    /// A difference of no class.
    pub(super) fn fail(&mut self, what: String) {
        self.failures.push(what);
    }

    /// Counts what a comparison came to.
    pub(super) fn end(&mut self, compared: Result<Option<Class>, String>, case: &str) {
        match compared {
            Ok(class) => self.count(class),
            Err(what) => self.fail(format!("{case}: {what}")),
        }
    }

    /// Checks the numbers of the table.
    pub(super) fn check(self) {
        let Tally { corpus, met, equal, failures } = self;
        let some: String = failures.iter().take(12).map(|f| format!("\n  {f}")).collect();
        assert!(failures.is_empty(), "{corpus}: {} failures:{some}\n{met:?}", failures.len());
        let of = |cases: &[(&str, usize)]| {
            cases.iter().find(|(name, _)| *name == corpus).map(|(_, n)| *n)
        };
        let expected: BTreeMap<Class, usize> =
            CLASSES.iter().filter_map(|row| Some((row.class, of(row.cases)?))).collect();
        assert_eq!((met, equal), (expected, of(EQUAL).unwrap_or(0)), "{corpus}");
    }
}

#[test]
fn every_class_is_explained_and_met() {
    let classes: Vec<Class> = CLASSES.iter().map(|row| row.class).collect();
    assert!(classes.is_sorted_by(|a, b| a < b), "each class once, in order");
    for row in CLASSES {
        assert!(!row.why.is_empty() && !row.cases.is_empty(), "{:?}", row.class);
    }
}
