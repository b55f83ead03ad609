//! Replicas that edit and merge at random, and what every history must come to.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use irmin_core::backend::MemoryBackend;
use irmin_core::contents::{Contents, Policies};
use irmin_core::{
    Branch, Commit, CommitId, CommitOptions, Context, Format, KindedHash, LcaLimits, Merged, Repo,
    Result,
};
use proptest::prelude::*;

/// What an edit does: each kind of container reads these numbers in its own way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edit {
    pub(super) verb: u8,
    pub(super) what: u8,
    /// What the clock says, in seconds: it stands still and goes back.
    pub(super) date: i64,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Edit(usize, Edit),
    Meet(Meet),
}

/// Two replicas meet: the first takes in what the second has, and in a crossing the second what
/// the first had before. Then both have two common ancestors, and neither is the other's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meet {
    to: usize,
    from: usize,
    cross: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Script {
    steps: Vec<Step>,
    /// The merges at the end, until everyone has everything, in several orders.
    gossip: [Vec<Meet>; 3],
}

const REPLICAS: usize = 4;

pub(super) fn script(steps: usize) -> impl Strategy<Value = Script> {
    let edit = (any::<u8>(), any::<u8>(), 0..4_i64);
    let edit = (0..REPLICAS, edit)
        .prop_map(|(at, (verb, what, date))| Step::Edit(at, Edit { verb, what, date }));
    let meet = || {
        (0..REPLICAS, 1..REPLICAS, any::<bool>()).prop_map(|(to, n, cross)| Meet {
            to,
            from: (to + n) % REPLICAS,
            cross,
        })
    };
    let steps = prop::collection::vec(prop_oneof![edit, meet().prop_map(Step::Meet)], 1..steps);
    let gossip = || prop::collection::vec(meet(), 8);
    let gossip = [gossip(), gossip(), gossip()];
    (steps, gossip).prop_map(|(steps, gossip)| Script { steps, gossip })
}

/// Two edits on each replica, then each meets two others and crosses: again and again.
pub(super) fn crossing(rounds: u8) -> Script {
    let cross = |to, from| Meet { to, from, cross: true };
    let around = [cross(0, 1), cross(2, 3), cross(1, 2), cross(3, 0), cross(0, 2), cross(1, 3)];
    let mut steps = Vec::new();
    for round in 0..rounds {
        for n in 0..2 * REPLICAS as u8 {
            let (verb, what) = (n.wrapping_mul(37).wrapping_add(round * 89), round + n / 3);
            steps.push(Step::Edit(usize::from(n) % REPLICAS, Edit { verb, what, date: 0 }));
        }
        steps.extend(around.map(Step::Meet));
    }
    let mut back = around;
    back.reverse();
    Script { steps, gossip: [around.into(), back.into(), around[3..].into()] }
}

/// The edits of a history, by number.
pub(super) type Set = BTreeSet<usize>;

/// An edit that was made: what it was, what came of it, and which edits its history had.
pub(super) struct Made {
    pub(super) edit: Edit,
    pub(super) came: i64,
    pub(super) past: Set,
    pub(super) number: usize,
}

/// A kind of container under test.
pub(super) trait Kind {
    type Values: Contents;

    /// Whether marks decide in which order readers see the words that make up the whole. They
    /// differ from store to store, since commits do; in one store the order is one for all.
    const BY_MARKS: bool = false;

    fn policies() -> Policies<Self::Values> {
        Policies::new()
    }

    /// Makes an edit; `n` is its number. Returns what came of it, in numbers that are the kind's
    /// own, and nothing if nothing was to be done.
    fn edit(
        branch: &Branch<Self::Values>,
        edit: &Edit,
        n: usize,
        options: CommitOptions,
    ) -> Result<Option<i64>>;

    /// What readers see.
    fn read(branch: &Branch<Self::Values>) -> Result<String>;

    /// What readers must see after these edits, of which the keys are the numbers; in any order
    /// if marks decide it.
    fn model(edits: &BTreeMap<usize, &Made>) -> String;

    /// Words that name edits, oldest first, if the kind keeps them in the order of histories.
    fn oldest_first(_words: Vec<&str>) -> Vec<&str> {
        Vec::new()
    }
}

/// All that is known of a run.
struct World<K: Kind> {
    repo: Repo<K::Values>,
    made: Vec<Made>,
    /// The edits in the history of each commit.
    known: HashMap<CommitId, Set>,
    /// How many merges had several common ancestors.
    crossed: usize,
    /// Words that were seen in this order.
    order: HashSet<(String, String)>,
    /// The tree, and what readers see, for each set of edits.
    states: HashMap<Set, (KindedHash, String)>,
}

/// Runs a script, and returns what everyone reads at the end, and how many merges had several
/// common ancestors.
pub(super) fn run<K: Kind>(format: Format, script: &Script) -> (String, usize) {
    let backend = Arc::new(MemoryBackend::new(format));
    let repo = Repo::new(backend, Context::new("nobody", || 0)).unwrap();
    let repo = repo.typed::<K::Values>().unwrap().with_policies(K::policies());
    let states = HashMap::new();
    let (made, known) = (Vec::new(), HashMap::new());
    let mut world: World<K> =
        World { repo, made, known, crossed: 0, order: HashSet::new(), states };
    let names: Vec<String> = (0..REPLICAS).map(|n| format!("r{n}")).collect();
    for (i, step) in script.steps.iter().enumerate() {
        match step {
            Step::Edit(at, edit) => world.edit(&names[*at], edit, i),
            Step::Meet(meet) => world.meet(&names, *meet, i),
        }
    }
    // From here on nobody edits: in whatever order they meet, all end up with the same.
    let mut ends = BTreeSet::new();
    for (order, gossip) in script.gossip.iter().enumerate() {
        let copy = |name: &String| {
            let copy = format!("{name}-{order}");
            let branch = world.repo.branch(name).unwrap();
            branch.clone_to(&copy, "copy").unwrap();
            copy
        };
        let copies: Vec<String> = names.iter().map(copy).collect();
        let all = (0..REPLICAS).flat_map(|to| (0..REPLICAS).map(move |from| (to, from)));
        let rest = all.filter(|(to, from)| to != from);
        let rest: Vec<_> = rest.map(|(to, from)| Meet { to, from, cross: false }).collect();
        for (i, meet) in gossip.iter().chain(&rest).chain(&rest).enumerate() {
            world.meet(&copies, *meet, 1_000 * (order + 1) + i);
        }
        ends.extend(copies.iter().map(|name| world.state(name).map(|state| state.1)));
    }
    assert_eq!(ends.len(), 1, "replicas differ: {ends:?}");
    (ends.pop_first().flatten().unwrap_or_default(), world.crossed)
}

impl<K: Kind> World<K> {
    fn edit(&mut self, name: &str, edit: &Edit, step: usize) {
        let branch = self.repo.branch(name).unwrap();
        let past = self.past(&branch);
        let number = self.made.len();
        // The author tells replicas apart, and the message edits.
        let options = CommitOptions::new(format!("{step}")).author(name).date(edit.date);
        let Some(came) = K::edit(&branch, edit, number, options).unwrap() else { return };
        let commit = branch.head().unwrap().unwrap();
        self.made.push(Made { edit: *edit, came, past: past.clone(), number });
        let mut edits = past;
        edits.insert(number);
        assert!(self.known.insert(commit.id(), edits).is_none(), "two edits are one commit");
        self.state(name);
    }

    fn meet(&mut self, names: &[String], meet: Meet, step: usize) {
        let [to, from] = [meet.to, meet.from].map(|n| self.repo.branch(&names[n]).unwrap());
        let [ours, theirs] = [to.head().unwrap(), from.head().unwrap()];
        self.merge(&to, theirs, step);
        if meet.cross {
            self.merge(&from, ours, step);
        }
    }

    fn merge(&mut self, into: &Branch<K::Values>, theirs: Option<Commit<K::Values>>, step: usize) {
        let Some(theirs) = theirs else { return };
        let name = into.name().unwrap().to_string();
        let edits = &self.past(into) | &self.known[&theirs.id()];
        let options = CommitOptions::new(format!("{step}")).author(&name).date(0);
        let limits = LcaLimits::default();
        self.crossed += usize::from(into.lcas(&theirs, limits).unwrap().len() > 1);
        match into.merge_commit(&theirs, limits, options).unwrap() {
            Merged::Created(commit) => drop(self.known.insert(commit.id(), edits)),
            Merged::UpToDate | Merged::FastForward(_) => {}
            Merged::Conflicts(conflicts) => panic!("{:?}", conflicts[0].reason),
        }
        self.state(&name);
    }

    fn past(&self, branch: &Branch<K::Values>) -> Set {
        let head = branch.head().unwrap();
        head.map(|head| self.known[&head.id()].clone()).unwrap_or_default()
    }

    /// The state of a branch, which must be that of every history with its edits.
    fn state(&mut self, name: &str) -> Option<(KindedHash, String)> {
        let branch = self.repo.branch(name).unwrap();
        let head = branch.head().unwrap()?;
        let edits = self.past(&branch);
        let state = (head.tree().hash().unwrap(), K::read(&branch).unwrap());
        let by_number = edits.iter().map(|n| (*n, &self.made[*n])).collect();
        let expected = K::model(&by_number);
        if K::BY_MARKS {
            let sorted =
                |text: &str| text.split_whitespace().map(String::from).collect::<BTreeSet<_>>();
            assert_eq!(sorted(&state.1), sorted(&expected), "not what is left of {edits:?}");
            self.check_order(&state.1);
            let words = K::oldest_first(state.1.split_whitespace().collect());
            for (i, word) in words.iter().enumerate() {
                let past = &self.made[word.parse::<usize>().unwrap()].past;
                let early = |later: &&str| past.contains(&later.parse().unwrap());
                assert!(
                    !words[i..].iter().any(early),
                    "{word} is before what it follows: {words:?}"
                );
            }
        } else {
            assert_eq!(state.1, expected, "not what the model says of {edits:?}");
        }
        let first = self.states.entry(edits.clone()).or_insert_with(|| state.clone());
        assert_eq!(*first, state, "two histories of the edits {edits:?} differ");
        Some(state)
    }

    /// No reader sees two words in one order and another one in the other.
    fn check_order(&mut self, text: &str) {
        let words: Vec<&str> = text.split_whitespace().collect();
        for (i, a) in words.iter().enumerate() {
            for b in &words[i + 1..] {
                let (a, b) = ((*a).to_owned(), (*b).to_owned());
                assert!(
                    !self.order.contains(&(b.clone(), a.clone())),
                    "{a} and {b} in both orders"
                );
                self.order.insert((a, b));
            }
        }
    }
}
