//! Maps in memory: one that hashes nothing, and one of hashed nodes.

use std::collections::HashMap;
use std::rc::Rc;

use imbl::OrdMap;
use imbl::ordmap::DiffItem;
use irmin_core::Bytes;
use prolly::{Config, Diff, MemStore, Mutation, Prolly, Tree};

use crate::side::{Edit, Result, Side};

/// imbl's persistent map: what the structure alone costs, without hashes, history or names.
pub(crate) struct Imbl {
    names: Rc<Vec<String>>,
    branches: HashMap<String, OrdMap<String, Bytes>>,
}

impl Imbl {
    pub(crate) fn new(names: Rc<Vec<String>>) -> Self {
        Imbl { names, branches: HashMap::from([("main".to_owned(), OrdMap::new())]) }
    }
}

impl Side for Imbl {
    fn name(&self) -> &'static str {
        "imbl"
    }

    fn fill(&mut self, edits: &[Edit]) -> Result<()> {
        self.commit("main", edits)
    }

    fn fork(&mut self, branch: &str) -> Result<()> {
        self.branches.insert(branch.to_owned(), self.branches["main"].clone());
        Ok(())
    }

    fn commit(&mut self, branch: &str, edits: &[Edit]) -> Result<()> {
        let mut map = self.branches[branch].clone();
        for (index, value) in edits {
            map.insert(self.names[*index].clone(), value.clone());
        }
        self.branches.insert(branch.to_owned(), map);
        Ok(())
    }

    fn fold(&mut self) -> Result<Option<usize>> {
        Ok(Some(self.branches["main"].values().filter(|value| !value.is_empty()).count()))
    }

    fn get(&mut self, picks: &[usize]) -> Result<Option<usize>> {
        let map = &self.branches["main"];
        Ok(Some(picks.iter().filter(|i| map.get(&self.names[**i]).is_some()).count()))
    }

    fn diff(&mut self, branch: &str) -> Result<usize> {
        Ok(self.branches["main"].diff(&self.branches[branch]).count())
    }

    /// It has no merge of three: what `theirs` changed goes into `ours`.
    fn merge(&mut self, ours: &str, theirs: &str) -> Result<()> {
        let mut merged = self.branches[ours].clone();
        for change in self.branches["main"].diff(&self.branches[theirs]) {
            match change {
                DiffItem::Add(key, value) | DiffItem::Update { new: (key, value), .. } => {
                    merged.insert(key.clone(), value.clone());
                }
                DiffItem::Remove(key, _) => {
                    merged.remove(key);
                }
            }
        }
        self.branches.insert(ours.to_owned(), merged);
        Ok(())
    }
}

/// prolly-map on its store in memory: hashed nodes, without commits.
pub(crate) struct ProllyMap {
    names: Rc<Vec<String>>,
    prolly: Prolly<MemStore>,
    branches: HashMap<String, Tree>,
}

impl ProllyMap {
    pub(crate) fn new(names: Rc<Vec<String>>) -> Self {
        let prolly = Prolly::new(MemStore::new(), Config::default());
        ProllyMap { names, prolly, branches: HashMap::new() }
    }

    fn key(&self, index: usize) -> Vec<u8> {
        self.names[index].clone().into_bytes()
    }
}

impl Side for ProllyMap {
    fn name(&self) -> &'static str {
        "prolly-map"
    }

    fn fill(&mut self, edits: &[Edit]) -> Result<()> {
        let entries = edits.iter().map(|(i, value)| (self.key(*i), value.to_vec())).collect();
        let tree = self.prolly.build_from_sorted_entries(entries)?;
        self.branches.insert("main".to_owned(), tree);
        Ok(())
    }

    fn fork(&mut self, branch: &str) -> Result<()> {
        self.branches.insert(branch.to_owned(), self.branches["main"].clone());
        Ok(())
    }

    fn commit(&mut self, branch: &str, edits: &[Edit]) -> Result<()> {
        let tree = &self.branches[branch];
        let tree = match edits {
            [(index, value)] => self.prolly.put(tree, self.key(*index), value.to_vec())?,
            edits => {
                let edit =
                    |(i, value): &Edit| Mutation::Upsert { key: self.key(*i), val: value.to_vec() };
                self.prolly.batch(tree, edits.iter().map(edit).collect())?
            }
        };
        self.branches.insert(branch.to_owned(), tree);
        Ok(())
    }

    fn fold(&mut self) -> Result<Option<usize>> {
        let mut found = 0;
        for entry in self.prolly.range(&self.branches["main"], &[], None)? {
            found += usize::from(!entry?.1.is_empty());
        }
        Ok(Some(found))
    }

    fn get(&mut self, picks: &[usize]) -> Result<Option<usize>> {
        let mut found = 0;
        for index in picks {
            let name = self.names[*index].as_bytes();
            found += usize::from(self.prolly.get(&self.branches["main"], name)?.is_some());
        }
        Ok(Some(found))
    }

    fn diff(&mut self, branch: &str) -> Result<usize> {
        let changes = self.prolly.diff(&self.branches["main"], &self.branches[branch])?;
        Ok(changes.iter().filter(|change| matches!(change, Diff::Changed { .. })).count())
    }

    fn merge(&mut self, ours: &str, theirs: &str) -> Result<()> {
        let branch = |name: &str| &self.branches[name];
        let merged = self.prolly.merge(branch("main"), branch(ours), branch(theirs), None)?;
        self.branches.insert(ours.to_owned(), merged);
        Ok(())
    }
}
