//! A store and its model, side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use irmin_core::backend::Backend;
use irmin_core::history::LcaLimits;
use irmin_core::{
    Branch, Code, Commit, CommitId, Context, FastForward, FormatSpec, KindedHash, Merged, Metadata,
    Path, Repo, Tree, TreeKind, object::LayoutSpec,
};
use irmin_tests::model::{History, Leaf, Model, ModelCommit, ModelKind, Steps};

use super::script::{BRANCHES, BranchNo, Edit, Op};

/// A repository, what it should be, and what happened.
pub(super) struct World {
    pub(super) repo: Repo,
    history: History,
    heads: BTreeMap<BranchNo, CommitId>,
    /// All heads that a branch had.
    past: BTreeMap<BranchNo, Vec<CommitId>>,
    /// What happened, in terms that do not depend on the format.
    pub(super) log: Vec<String>,
    /// Merges of histories with three or more bases, whose order follows from the hashes.
    pub(super) wide_merges: usize,
}

pub(crate) fn context() -> Context {
    let time = AtomicI64::new(1_000);
    Context::new("ann", move || time.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn path(steps: &[Vec<u8>]) -> Path {
    Path::new(steps).unwrap()
}

/// Whether a format has a place for modes.
pub(crate) fn has_modes(spec: &FormatSpec) -> bool {
    match spec.layout {
        LayoutSpec::Git => true,
        LayoutSpec::Irmin(params) => params.modes,
    }
}

/// The tree of a model, made in memory; one value for a model of one.
pub(crate) fn tree_of(model: &Model) -> Tree {
    if let Some((value, metadata)) = model.0.get(&Vec::new()) {
        return Tree::of_contents_with(value.clone(), *metadata).unwrap();
    }
    let mut tree = Tree::empty();
    for (steps, (value, metadata)) in &model.0 {
        tree.set_with(path(steps), value.clone(), *metadata).unwrap();
    }
    tree
}

/// The model of a tree.
pub(crate) fn model_of(tree: &Tree) -> Model {
    let leaves = tree.to_concrete().unwrap().into_iter().map(|(path, (value, metadata))| {
        (path.steps().map(<[u8]>::to_vec).collect(), (value.to_vec(), metadata))
    });
    Model(leaves.collect())
}

fn kind_of(kind: TreeKind) -> ModelKind {
    match kind {
        TreeKind::Value(metadata) => ModelKind::Value(metadata),
        TreeKind::Node => ModelKind::Node,
        TreeKind::Opaque(mode) => panic!("an opaque entry of mode {mode:o}"),
    }
}

/// Compares everything that can be read of a tree.
pub(crate) fn compare(tree: &Tree, model: &Model) {
    assert_eq!(model_of(tree), *model);
    for dir in model.directories() {
        let at = path(&dir);
        let expected = model.list(&dir);
        let entry =
            |(step, kind): (irmin_core::Step, TreeKind)| (step.as_bytes().to_vec(), kind_of(kind));
        let listed: Vec<_> = tree.list(&at).unwrap().into_iter().map(entry).collect();
        assert!(listed.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(listed, expected.clone().into_iter().collect::<Vec<_>>(), "list of `{at}`");
        assert_eq!(tree.length(&at).unwrap(), expected.len() as u64, "length of `{at}`");
        assert_eq!(tree.kind(&at).unwrap(), Some(TreeKind::Node));
        assert_eq!(tree.get(&at).unwrap(), None);
        for size in [1, 7] {
            let mut paged = Vec::new();
            let mut cursor = None;
            loop {
                let page = tree.page(&at, cursor.as_ref(), size).unwrap();
                assert!(page.entries.len() <= size);
                paged.extend(page.entries.into_iter().map(entry));
                cursor = page.next;
                if cursor.is_none() || paged.len() > expected.len() {
                    break;
                }
            }
            let unique: BTreeMap<_, _> = paged.iter().cloned().collect();
            assert_eq!((paged.len(), &unique), (expected.len(), &expected), "pages of `{at}`");
        }
    }
    for steps in model.0.keys().take(20).chain(&[vec![b"c".to_vec()], vec![b"a".to_vec(); 2]]) {
        let leaf = model.0.get(steps);
        let found = tree.get_all(path(steps)).unwrap().map(|(v, m)| (v.to_vec(), m));
        assert_eq!(found.as_ref(), leaf);
        assert_eq!(tree.kind(path(steps)).unwrap().map(kind_of), model.kind(steps));
        let below = [steps.as_slice(), &[b"x".to_vec()]].concat();
        assert_eq!(tree.kind(path(&below)).unwrap().map(kind_of), model.kind(&below));
    }
    let stats = tree.stats(true).unwrap();
    assert_eq!(stats.leaves, model.0.len() as u64);
    assert_eq!(stats.nodes, model.directories().len() as u64);
}

/// Compares the differences of two trees with those of their models.
pub(crate) fn compare_diff(a: &Tree, b: &Tree, models: (&Model, &Model)) {
    let leaf = |tree: Option<Tree>| {
        tree.map(|tree| (tree.value().unwrap().unwrap().to_vec(), tree.metadata().unwrap()))
    };
    let changes: Vec<(Steps, Option<Leaf>, Option<Leaf>)> = a
        .diff(b)
        .unwrap()
        .into_iter()
        .map(|change| {
            let steps = change.path.steps().map(<[u8]>::to_vec).collect();
            (steps, leaf(change.old), leaf(change.new))
        })
        .collect();
    let mut sorted = changes.clone();
    sorted.sort();
    assert_eq!(sorted, models.0.diff(models.1));
    assert_eq!(a.same(b).unwrap(), changes.is_empty());
}

/// Makes an edit on both.
pub(crate) fn apply(tree: &mut Tree, model: &mut Model, edit: &Edit, modes: bool) {
    let mode = |m: Metadata| if modes { m } else { Metadata::Normal };
    match edit {
        Edit::Set(steps, (value, metadata)) => {
            tree.set_with(path(steps), value.clone(), mode(*metadata)).unwrap();
            model.set(steps, (value.clone(), mode(*metadata)));
        }
        Edit::Remove(steps) => {
            tree.remove(path(steps)).unwrap();
            model.remove(steps);
        }
        Edit::Copy(from, to) => {
            let Some(copy) = tree.get_tree(path(from)).unwrap() else {
                assert_eq!(model.kind(from), None);
                return;
            };
            tree.set_tree(path(to), copy).unwrap();
            let copy = model.subtree(from);
            model.set_tree(to, &copy);
        }
        Edit::Graft(to, graft) => {
            let mut graft = graft.clone();
            graft.0.values_mut().for_each(|leaf| leaf.1 = mode(leaf.1));
            tree.set_tree(path(to), tree_of(&graft)).unwrap();
            model.set_tree(to, &graft);
        }
    }
}

impl World {
    pub(crate) fn new(backend: Arc<dyn Backend>) -> Self {
        World {
            repo: Repo::new(backend, context()).unwrap(),
            history: History::default(),
            heads: BTreeMap::new(),
            past: BTreeMap::new(),
            log: Vec::new(),
            wide_merges: 0,
        }
    }

    pub(crate) fn branch(&self, b: BranchNo) -> Branch {
        self.repo.branch(BRANCHES[b]).unwrap()
    }

    fn modes(&self) -> bool {
        has_modes(self.repo.format().spec())
    }

    fn model(&self, b: BranchNo) -> Model {
        let head = self.heads.get(&b).map(|id| self.history.0[id].tree.clone());
        head.unwrap_or_default()
    }

    /// The models of all branches.
    pub(crate) fn models(&self) -> Vec<Model> {
        (0..BRANCHES.len()).map(|b| self.model(b)).collect()
    }

    /// Takes note of a commit that the store made.
    fn record(&mut self, commit: &Commit, tree: Model, parents: Vec<CommitId>) {
        let got: BTreeSet<CommitId> = commit.parent_ids().into_iter().collect();
        assert_eq!(got, parents.iter().copied().collect(), "the parents of {commit:?}");
        self.history.0.insert(commit.id(), ModelCommit { tree, parents });
    }

    fn move_to(&mut self, b: BranchNo, id: CommitId) {
        self.heads.insert(b, id);
        self.past.entry(b).or_default().push(id);
    }

    /// A write that should make this tree: a commit if and only if something changed.
    fn wrote(&mut self, b: BranchNo, commit: Option<Commit>, tree: Model) {
        let old = self.model(b);
        match commit {
            None => assert_eq!(tree, old, "no commit, and yet a change"),
            Some(commit) => {
                assert_ne!(tree, old, "a commit without a change");
                let parents = self.heads.get(&b).copied().into_iter().collect();
                self.record(&commit, tree, parents);
                self.move_to(b, commit.id());
            }
        }
    }

    /// Checks a branch against its model, also as a fresh handle and as a tree made anew see it.
    fn check(&self, b: BranchNo) {
        let branch = self.branch(b);
        let model = self.model(b);
        let head = branch.head().unwrap();
        assert_eq!(head.as_ref().map(Commit::id), self.heads.get(&b).copied());
        let tree = branch.tree().unwrap();
        compare(&tree, &model);
        let fresh = Repo::new(self.repo.backend().clone(), context()).unwrap();
        compare(&fresh.branch(BRANCHES[b]).unwrap().tree().unwrap(), &model);
        if let Some(head) = head {
            let anew = self.repo.hash_of(&tree_of(&model)).unwrap();
            assert_eq!(anew, KindedHash::Node(head.tree_id()), "the hash depends on history");
        }
    }

    /// Runs one operation and compares.
    pub(crate) fn run(&mut self, op: &Op) {
        self.log.push(format!("{op:?}"));
        let touched = match op {
            Op::Transaction(b, edits) => self.transaction(*b, edits),
            Op::CopyFrom(b, other, from, to) => self.copy_from(*b, *other, from, to),
            Op::TestAndSet(b, at, test, set) => self.test_and_set(*b, at, test, set),
            Op::WithTree(b, at, how, edit) => {
                let branch = self.branch(*b);
                let mut sub = self.model(*b).subtree(at);
                let modes = self.modes();
                let commit = branch.with_tree(path(at), *how, "with", |tree| {
                    let mut tree = tree.unwrap_or_default();
                    assert_eq!(model_of(&tree), sub);
                    apply(&mut tree, &mut sub, edit, modes);
                    Ok(Some(tree))
                });
                let mut model = self.model(*b);
                model.set_tree(at, &sub);
                self.wrote(*b, commit.unwrap(), model);
                vec![*b]
            }
            Op::MergeTree(b, at, base, theirs) => self.merge_tree(*b, at, base, theirs),
            Op::Fork(b, other) => self.fork(*b, *other),
            Op::Merge(b, other) => self.merge_heads(*b, self.heads.get(other).copied()),
            Op::CrissCross(b, other) => {
                let (ours, theirs) = (self.heads.get(b).copied(), self.heads.get(other).copied());
                self.merge_heads(*b, theirs);
                self.merge_heads(*other, ours);
                vec![*b, *other]
            }
            Op::Detached(b, edits) => self.detached(*b, edits),
            Op::FastForward(b, other) => self.fast_forward(*b, *other),
            Op::Revert(b, at) => self.revert(*b, at),
            Op::Delete(b) => {
                self.branch(*b).delete("delete").unwrap();
                self.heads.remove(b);
                vec![*b]
            }
        };
        for b in touched {
            self.check(b);
            self.log.push(format!("{b}: {:?}", self.model(b)));
        }
    }

    fn transaction(&mut self, b: BranchNo, edits: &[Edit]) -> Vec<BranchNo> {
        let before = self.model(b);
        let mut model = before.clone();
        let modes = self.modes();
        let whole = edits.len() < 20;
        let mut hash = None;
        let commit = self.branch(b).transaction("edit", |tree| {
            let old = tree.clone();
            model = before.clone();
            for edit in edits {
                let kept = tree.clone();
                apply(tree, &mut model, edit, modes);
                if whole {
                    compare(tree, &model);
                    compare_diff(&kept, tree, (&model_of(&kept), &model));
                }
            }
            compare_diff(&old, tree, (&before, &model));
            compare(&old, &before);
            hash = Some(tree.hash()?);
            Ok(())
        });
        let commit = commit.unwrap();
        if let Some(commit) = &commit {
            assert_eq!(hash, Some(KindedHash::Node(commit.tree_id())), "the hash before writing");
        }
        self.wrote(b, commit, model);
        vec![b]
    }

    fn copy_from(
        &mut self,
        b: BranchNo,
        other: BranchNo,
        from: &Steps,
        to: &Steps,
    ) -> Vec<BranchNo> {
        let Some(tree) = self.branch(other).get_tree(path(from)).unwrap() else {
            assert_eq!(self.model(other).kind(from), None);
            return Vec::new();
        };
        let mut model = self.model(b);
        model.set_tree(to, &self.model(other).subtree(from));
        let commit = self.branch(b).set_tree(path(to), &tree, "copy").unwrap();
        self.wrote(b, commit, model);
        vec![b]
    }

    fn test_and_set(
        &mut self,
        b: BranchNo,
        at: &Steps,
        test: &Option<Vec<u8>>,
        set: &Option<Vec<u8>>,
    ) -> Vec<BranchNo> {
        let mut model = self.model(b);
        let here = model.subtree(at);
        let expected = match test {
            None => here.0.is_empty(),
            Some(value) => here.0.get(&Vec::new()) == Some(&(value.clone(), Metadata::Normal)),
        };
        let bytes = |value: &Option<Vec<u8>>| value.clone().map(irmin_core::Bytes::from);
        // Where nothing is to be done, nothing is tested.
        let done_already = match set {
            None => here.0.is_empty(),
            Some(value) => here.0.get(&Vec::new()) == Some(&(value.clone(), Metadata::Normal)),
        };
        let expected = expected || (done_already && self.heads.contains_key(&b));
        let done = self.branch(b).test_and_set(path(at), bytes(test), bytes(set), "cas");
        match done {
            Err(e) => {
                assert_eq!((e.code(), expected), (Code::PreconditionFailed, false), "{e}");
            }
            Ok(commit) => {
                assert!(expected);
                match set {
                    Some(value) => model.set(at, (value.clone(), Metadata::Normal)),
                    None => model.remove(at),
                }
                self.wrote(b, commit, model);
            }
        }
        vec![b]
    }

    fn merge_tree(
        &mut self,
        b: BranchNo,
        at: &Steps,
        base: &Model,
        theirs: &Model,
    ) -> Vec<BranchNo> {
        let modes = self.modes();
        let plain = |model: &Model| {
            let mut model = model.clone();
            model.0.values_mut().filter(|_| !modes).for_each(|leaf| leaf.1 = Metadata::Normal);
            model
        };
        let ours = self.model(b);
        let with = |tree: &Model| {
            let mut whole = ours.clone();
            whole.set_tree(at, tree);
            whole
        };
        let (base, theirs) = (plain(base), plain(theirs));
        let (merged, conflicts) = Model::merge(Some(&with(&base)), &ours, &with(&theirs));
        let (base, theirs) = (tree_of(&base), tree_of(&theirs));
        let done = self.branch(b).merge_tree(path(at), Some(&base), Some(&theirs), "merge");
        match done.unwrap() {
            Merged::Conflicts(found) => assert_eq!(steps_of(&found), conflicts),
            other => {
                assert!(conflicts.is_empty(), "{other:?} instead of conflicts {conflicts:?}");
                self.wrote(b, other.resolved().unwrap(), merged);
            }
        }
        vec![b]
    }

    fn fork(&mut self, b: BranchNo, other: BranchNo) -> Vec<BranchNo> {
        let forked = self.branch(b).fork(BRANCHES[other]);
        match (self.heads.get(&b).copied(), self.heads.get(&other).copied()) {
            (None, _) => assert_eq!(forked.unwrap_err().code(), Code::NotFound),
            (Some(ours), Some(theirs)) if ours != theirs => {
                assert_eq!(forked.unwrap_err().code(), Code::PreconditionFailed);
            }
            (Some(ours), _) => {
                assert_eq!(forked.unwrap().head().unwrap().unwrap().id(), ours);
                self.move_to(other, ours);
            }
        }
        vec![b, other]
    }

    fn merge_heads(&mut self, b: BranchNo, theirs: Option<CommitId>) -> Vec<BranchNo> {
        let Some(theirs) = theirs else { return vec![b] };
        let commit = self.repo.commit(theirs).unwrap().unwrap();
        let branch = self.branch(b);
        let merged = branch.merge_commit(&commit, LcaLimits::default(), "merge").unwrap();
        let Some(ours) = self.heads.get(&b).copied() else {
            assert!(matches!(merged, Merged::FastForward(_)));
            self.move_to(b, theirs);
            return vec![b];
        };
        let bases = self.history.bases(&[ours], theirs);
        if bases == [theirs] {
            assert!(matches!(merged, Merged::UpToDate), "{merged:?}");
            return vec![b];
        }
        if bases == [ours] {
            assert!(matches!(merged, Merged::FastForward(_)), "{merged:?}");
            self.move_to(b, theirs);
            return vec![b];
        }
        self.wide_merges += usize::from(bases.len() > 2);
        let base = self.history.base_tree(&bases);
        let their_tree = &self.history.0[&theirs].tree;
        let (tree, conflicts) = Model::merge(base.as_ref(), &self.model(b), their_tree);
        match merged {
            Merged::Conflicts(found) => assert_eq!(steps_of(&found), conflicts),
            Merged::Created(commit) => {
                assert!(conflicts.is_empty(), "a commit instead of conflicts {conflicts:?}");
                self.record(&commit, tree, vec![ours, theirs]);
                self.move_to(b, commit.id());
            }
            other => panic!("{other:?}: a commit with two parents was to be made"),
        }
        vec![b]
    }

    fn detached(&mut self, b: BranchNo, edits: &[Edit]) -> Vec<BranchNo> {
        let Some(head) = self.branch(b).head().unwrap() else { return vec![b] };
        let detached = self.repo.detached(&head);
        let mut model = self.model(b);
        let modes = self.modes();
        let mut at = head.id();
        for edit in edits {
            let mut new = model.clone();
            let commit = detached.transaction("detached", |tree| {
                new = model.clone();
                apply(tree, &mut new, edit, modes);
                Ok(())
            });
            assert_eq!(self.branch(b).head().unwrap().unwrap().id(), head.id());
            let commit = commit.unwrap();
            assert_eq!(commit.is_some(), new != model);
            if let Some(commit) = commit {
                self.record(&commit, new.clone(), vec![at]);
                at = commit.id();
            }
            model = new;
        }
        assert_eq!(detached.head().unwrap().unwrap().id(), at);
        self.merge_heads(b, Some(at))
    }

    fn fast_forward(&mut self, b: BranchNo, other: BranchNo) -> Vec<BranchNo> {
        let Some(theirs) = self.branch(other).head().unwrap() else { return vec![b] };
        let branch = self.branch(b);
        let how = branch.fast_forward(&theirs, LcaLimits::default(), "ff").unwrap();
        let ours = self.heads.get(&b).copied();
        let expected = match ours {
            Some(ours) if ours == theirs.id() => FastForward::NoChange,
            Some(ours) if !self.history.ancestors(&[theirs.id()]).contains(&ours) => {
                FastForward::Rejected
            }
            _ => FastForward::Forward,
        };
        assert_eq!(how, expected);
        if how == FastForward::Forward {
            self.move_to(b, theirs.id());
        }
        vec![b]
    }

    fn revert(&mut self, b: BranchNo, at: &proptest::sample::Index) -> Vec<BranchNo> {
        let Some(past) = self.past.get(&b) else { return vec![b] };
        let id = *at.get(past);
        let commit = self.repo.commit(id).unwrap().unwrap();
        self.branch(b).set_head(Some(&commit), "revert").unwrap();
        self.move_to(b, id);
        vec![b]
    }
}

fn steps_of(conflicts: &[irmin_core::Conflict]) -> Vec<Steps> {
    let steps = |c: &irmin_core::Conflict| c.path.steps().map(<[u8]>::to_vec).collect();
    conflicts.iter().map(steps).collect()
}
