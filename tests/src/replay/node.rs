//! Trees as plain data, with the empty directories that the original keeps on git stores.

use std::collections::BTreeMap;

use serde_json::Value;

/// A directory.
pub type Node = BTreeMap<String, Elt>;

/// Every value by its path, and nothing else.
pub type Flat = BTreeMap<String, String>;

/// What a name stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Elt {
    /// A value.
    File(String),
    /// A directory.
    Dir(Node),
}

impl Elt {
    /// The directory, if it is one.
    #[must_use]
    pub fn dir(&self) -> Option<&Node> {
        match self {
            Elt::Dir(node) => Some(node),
            Elt::File(_) => None,
        }
    }

    /// The value, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&String> {
        match self {
            Elt::File(text) => Some(text),
            Elt::Dir(_) => None,
        }
    }
}

/// The steps of a path.
fn steps(path: &str) -> Vec<&str> {
    path.split('/').filter(|step| !step.is_empty()).collect()
}

/// What is at a path.
#[must_use]
pub fn get(node: &Node, path: &str) -> Option<Elt> {
    let mut here = Elt::Dir(node.clone());
    for step in steps(path) {
        here = here.dir()?.get(step)?.clone();
    }
    Some(here)
}

/// Puts something at a path; values on the way give way.
///
/// # Panics
/// If the root is to become a value.
pub fn set(node: &mut Node, path: &str, elt: Elt) {
    let steps = steps(path);
    let Some((last, dirs)) = steps.split_last() else {
        *node = elt.dir().expect("the root is a directory").clone();
        return;
    };
    let mut here = node;
    for step in dirs {
        let child = here.entry((*step).to_owned()).or_insert_with(|| Elt::Dir(Node::new()));
        if child.dir().is_none() {
            *child = Elt::Dir(Node::new());
        }
        let Elt::Dir(next) = child else { unreachable!("it was just made a directory") };
        here = next;
    }
    here.insert((*last).to_owned(), elt);
}

/// Removes what is at a path; the directories above stay, even if they are empty then.
pub fn remove(node: &mut Node, path: &str) {
    let steps = steps(path);
    let Some((last, dirs)) = steps.split_last() else {
        node.clear();
        return;
    };
    let mut here = node;
    for step in dirs {
        match here.get_mut(*step) {
            Some(Elt::Dir(next)) => here = next,
            _ => return,
        }
    }
    here.remove(*last);
}

/// The same without empty directories.
#[must_use]
pub fn pruned(node: &Node) -> Node {
    let keep = |(name, elt): (&String, &Elt)| match elt {
        Elt::File(text) => Some((name.clone(), Elt::File(text.clone()))),
        Elt::Dir(dir) => {
            let dir = pruned(dir);
            (!dir.is_empty()).then(|| (name.clone(), Elt::Dir(dir)))
        }
    };
    node.iter().filter_map(keep).collect()
}

/// Its values by path.
#[must_use]
pub fn flat(node: &Node) -> Flat {
    let with_dirs = lines(node);
    with_dirs.into_iter().filter_map(|(path, value)| Some((path, value?))).collect()
}

/// Its values by path, and its empty directories as `path/` without one, as the vectors write
/// them.
#[must_use]
pub fn lines(node: &Node) -> BTreeMap<String, Option<String>> {
    fn walk(prefix: &str, node: &Node, all: &mut BTreeMap<String, Option<String>>) {
        for (name, elt) in node {
            match elt {
                Elt::File(text) => drop(all.insert(format!("{prefix}{name}"), Some(text.clone()))),
                Elt::Dir(dir) => {
                    let path = format!("{prefix}{name}/");
                    if dir.is_empty() {
                        all.insert(path, None);
                    } else {
                        walk(&path, dir, all);
                    }
                }
            }
        }
    }
    let mut all = BTreeMap::new();
    walk("", node, &mut all);
    all
}

/// The tree of a flat map of the vectors.
///
/// # Panics
/// If it is none.
#[must_use]
pub fn of_json(map: &Value) -> Node {
    let mut node = Node::new();
    for (path, value) in map.as_object().expect("a flat map") {
        let elt = match value.as_str() {
            Some(text) => Elt::File(text.to_owned()),
            None => Elt::Dir(Node::new()),
        };
        set(&mut node, path, elt);
    }
    node
}

/// The tree of some values.
#[must_use]
pub fn of_flat(flat: &Flat) -> Node {
    let mut node = Node::new();
    for (path, text) in flat {
        set(&mut node, path, Elt::File(text.clone()));
    }
    node
}
