//! A store of ours that the models can read and write.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;

use irmin_core::backend::{Batch, MemoryBackend};
use irmin_core::tree::{FoldOptions, Visit};
use irmin_core::{
    Bytes, Commit, CommitId, CommitOptions, Conflict, Context, Format, FormatSpec, Kind, Object,
    Repo, Tree, TreeId,
};
use irmin_tests::replay::Dag;
use irmin_tests::replay::node::{self, Elt, Node};
use irmin_tests::replay::per_key;

/// A tree of ours as plain data, empty directories included.
pub(super) fn node_of(tree: &Tree) -> Node {
    let mut node = Node::new();
    tree.fold(FoldOptions::default(), |visit| {
        match visit {
            Visit::Leaf(path, leaf) => {
                let text = String::from_utf8(leaf.value()?.unwrap().to_vec()).unwrap();
                node::set(&mut node, &path.to_string(), Elt::File(text));
            }
            Visit::Enter(path, dir) if !path.is_root() && dir.is_empty()? => {
                node::set(&mut node, &path.to_string(), Elt::Dir(Node::new()));
            }
            _ => {}
        }
        Ok(ControlFlow::Continue(()))
    })
    .unwrap();
    node
}

/// A tree of ours made from plain data, in memory: empty directories are left out.
pub(super) fn tree_of(elt: &Elt) -> Tree {
    match elt {
        Elt::File(text) => Tree::of_contents(text.clone()).unwrap(),
        Elt::Dir(node) => {
            let mut tree = Tree::empty();
            for (path, text) in node::flat(node) {
                tree.set(path.as_str(), text).unwrap();
            }
            tree
        }
    }
}

/// Our conflicts as the model writes them.
pub(super) fn reasons(conflicts: &[Conflict]) -> BTreeMap<String, String> {
    conflicts.iter().map(|c| (c.path.to_string(), c.reason.to_string())).collect()
}

/// The model's conflicts, to be compared with [`reasons`].
pub(super) fn expected_reasons(conflicts: &per_key::Conflicts) -> BTreeMap<String, String> {
    conflicts.iter().map(|(path, reason)| (path.clone(), (*reason).to_owned())).collect()
}

pub(super) struct World {
    pub(super) repo: Repo,
    /// What the commits say that the original's model adds.
    pub(super) info: CommitOptions,
    nodes: HashMap<TreeId, Rc<Node>>,
    commits: HashMap<CommitId, Commit>,
}

impl World {
    pub(super) fn new(spec: FormatSpec) -> Self {
        let backend = MemoryBackend::new(Format::new(spec));
        let context = Context::new("nobody", || 0);
        World::over(&Repo::new(Arc::new(backend), context).unwrap())
    }

    /// The same store, with nothing read yet.
    pub(super) fn over(repo: &Repo) -> Self {
        World {
            repo: repo.clone(),
            info: CommitOptions::default(),
            nodes: HashMap::new(),
            commits: HashMap::new(),
        }
    }

    pub(super) fn commit(&mut self, id: CommitId) -> Commit {
        let repo = &self.repo;
        let load = || repo.commit(id).unwrap().unwrap_or_else(|| panic!("no commit {id}"));
        self.commits.entry(id).or_insert_with(load).clone()
    }

    pub(super) fn node_of_tree(&mut self, id: TreeId) -> Rc<Node> {
        let repo = &self.repo;
        let read = || Rc::new(node_of(&repo.tree(id).unwrap().unwrap()));
        self.nodes.entry(id).or_insert_with(read).clone()
    }

    /// Writes a tree as it is. Ours does not make empty directories, so that a git tree that has
    /// some is written object by object.
    pub(super) fn write(&self, node: &Node) -> Tree {
        let plain = node::pruned(node);
        if plain == *node {
            return tree_of(&Elt::Dir(plain));
        }
        let mut objects = Vec::new();
        let root = self.git_tree(node, &mut objects);
        self.repo.backend().publish(Batch { objects, ..Batch::default() }).unwrap();
        self.repo.tree(TreeId(root)).unwrap().unwrap()
    }

    fn git_tree(&self, node: &Node, objects: &mut Vec<Object>) -> irmin_core::Hash {
        let format = self.repo.format();
        let mut entries = Vec::new();
        for (name, elt) in node {
            let (sort_key, mode, id) = match elt {
                Elt::File(text) => {
                    let value = format.value(text.as_bytes());
                    let id = value.id;
                    objects.push(value);
                    (name.clone(), "100644", id)
                }
                Elt::Dir(dir) => (format!("{name}/"), "40000", self.git_tree(dir, objects)),
            };
            let entry = [format!("{mode} {name}\0").as_bytes(), id.as_bytes()].concat();
            entries.push((sort_key, entry));
        }
        entries.sort_unstable();
        let body: Vec<u8> = entries.into_iter().flat_map(|(_, entry)| entry).collect();
        let bytes = Bytes::from([format!("tree {}\0", body.len()).as_bytes(), &body].concat());
        let id = format.hash().digest(&bytes);
        objects.push(Object::new(Kind::Node, id, bytes));
        id
    }
}

impl Dag for World {
    fn parents(&mut self, commit: CommitId) -> Vec<CommitId> {
        self.commit(commit).parent_ids()
    }

    fn node(&mut self, commit: CommitId) -> Rc<Node> {
        let tree = self.commit(commit).tree_id();
        self.node_of_tree(tree)
    }

    fn add(&mut self, node: &Node, parents: &[CommitId]) -> CommitId {
        let tree = self.write(node);
        self.repo.commit_tree(&tree, parents, self.info.clone()).unwrap().id()
    }
}
