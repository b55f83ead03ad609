//! The hash of a directory says what is in it, not how it came to be.
//!
//! `IRMIN_INODE_OPS=1000000 cargo test --release -p irmin-tests --test it inodes` is the long run.

use std::collections::BTreeMap;
use std::sync::Arc;

use irmin_core::backend::MemoryBackend;
use irmin_core::{Format, FormatSpec, Key, Repo, Tree};

use crate::model::context;

/// Operations between two comparisons.
const BATCH: usize = 50;

#[test]
fn a_directory_forgets_its_history() {
    let ops = std::env::var("IRMIN_INODE_OPS").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000);
    for (spec, names) in [
        // Around the bounds at which a directory changes its form: 32 and 256 entries.
        (FormatSpec::native(), 64),
        (FormatSpec::native(), 2_000),
        (FormatSpec::irmin_pack(), 512),
        (FormatSpec::irmin_pack(), 3_000),
    ] {
        walk(spec, names, ops / 4);
    }
}

/// Sets and removes random names of so many, in batches, and compares each directory on the way
/// with one that is built at once.
fn walk(spec: FormatSpec, names: u64, ops: usize) {
    let repo = |spec| {
        let backend = MemoryBackend::new(Format::new(spec));
        Repo::new(Arc::new(backend), context()).unwrap()
    };
    let edited = repo(spec);
    let mut model = BTreeMap::new();
    let mut root: Option<Key> = None;
    let mut random = Random(names);
    for batch in 0..ops.div_ceil(BATCH) {
        let mut tree: Tree = match root {
            Some(root) => edited.tree(root.hash.into()).unwrap().unwrap(),
            None => Tree::empty(),
        };
        // The share of removals goes up and down, so that the directory grows and shrinks.
        let removals = if batch / 40 % 2 == 0 { 1 } else { 3 };
        for _ in 0..BATCH {
            let name = format!("k{}", random.next() % names);
            if random.next() % 4 < removals {
                tree.remove(&name).unwrap();
                model.remove(&name);
            } else {
                let value = (random.next() % 3).to_string();
                tree.set(&name, value.clone()).unwrap();
                model.insert(name, value);
            }
        }
        let id = edited.commit_tree(&tree, &[], "batch").unwrap().tree_id();
        root = Some(Key::from(id.hash()));

        let mut fresh: Tree = Tree::empty();
        for (name, value) in &model {
            fresh.set(name, value.clone()).unwrap();
        }
        let built = repo(spec).commit_tree(&fresh, &[], "at once").unwrap().tree_id();
        assert_eq!(id, built, "{spec:?}, {names} names, batch {batch}, {} entries", model.len());
    }
}

/// Splitmix: the same walk every time, for a seed that the failure names.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let n = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        n ^ (n >> 31)
    }
}
