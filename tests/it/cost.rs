//! What operations cost, counted in objects and calls: bounds that hold at any width.
//!
//! A directory of n entries in a trie of fan-out 32 has about log32(n) levels, and at most one or
//! two more where hashes cluster. All bounds are formulas of that depth and of the changes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use irmin_core::backend::{Counted, Counts, MemoryBackend};
use irmin_core::{Branch, Format, FormatSpec, Repo, Tree};

use crate::model::context;

/// The levels of a trie of so many entries, with room for hashes that cluster.
fn depth(entries: u64) -> u64 {
    let mut levels = 1;
    let mut room = 32_u64;
    while room < entries {
        room *= 32;
        levels += 1;
    }
    levels + 2
}

/// The widths to try, in the formats whose cost does not follow the width.
fn each(mut f: impl FnMut(FormatSpec, u64)) {
    let huge = std::env::var_os("IRMIN_TEST_HUGE").map(|_| 1_000_000);
    for spec in [FormatSpec::native(), FormatSpec::irmin_pack()] {
        for entries in [100, 1_000, 10_000, 100_000].into_iter().chain(huge) {
            // Under the stable bound a directory is one object.
            f(spec, entries);
        }
    }
}

/// A branch with one wide directory.
struct Bench {
    counted: Arc<Counted>,
    branch: String,
    entries: u64,
    depth: u64,
}

type Filled = Arc<OnceLock<Arc<MemoryBackend>>>;

/// A store whose `main` has a directory of so many entries: filled once for all tests, each of
/// which counts for itself and writes to a branch of its own.
fn filled(spec: FormatSpec, entries: u64) -> Arc<MemoryBackend> {
    static FILLED: Mutex<Option<HashMap<(String, u64), Filled>>> = Mutex::new(None);
    let place = {
        let mut filled = FILLED.lock().unwrap();
        let places = filled.get_or_insert_default();
        places.entry((format!("{spec:?}"), entries)).or_default().clone()
    };
    let fill = || {
        let memory = Arc::new(MemoryBackend::new(Format::new(spec)));
        let main = Repo::new(memory.clone(), context()).unwrap().main().unwrap();
        main.transaction("fill", |tree| (0..entries).try_for_each(|n| tree.set(name(n), "value")))
            .unwrap();
        memory
    };
    place.get_or_init(fill).clone()
}

fn name(n: u64) -> String {
    format!("dir/key-{n:07}")
}

impl Bench {
    fn new(spec: FormatSpec, entries: u64) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let branch = format!("bench-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let counted = Arc::new(Counted::new(filled(spec, entries)));
        let repo = Repo::new(counted.clone(), context()).unwrap();
        repo.main().unwrap().fork(&branch).unwrap();
        Bench { counted, branch, entries, depth: depth(entries) }
    }

    /// Runs something on a handle with an empty cache, and counts.
    fn count<T>(&self, f: impl FnOnce(&Branch) -> T) -> (T, Counts) {
        let repo = Repo::new(self.counted.clone(), context()).unwrap();
        let branch = repo.branch(&self.branch).unwrap();
        self.counted.reset();
        let result = f(&branch);
        (result, self.counted.counts())
    }

    fn report(&self, what: &str, counts: &Counts) {
        if self.entries >= 1_000_000 {
            println!(
                "{} entries, {what}: {} objects in {} calls read ({} bytes), {} written ({} bytes)",
                self.entries,
                counts.objects_read,
                counts.get_calls,
                counts.bytes_read,
                counts.objects_written,
                counts.bytes_written
            );
        }
    }

    /// Names spread over the directory.
    fn spread(&self, n: u64) -> impl Iterator<Item = String> + use<> {
        let step = self.entries / n;
        (0..n).map(move |i| name(i * step))
    }
}

#[test]
fn a_read_touches_one_path_of_the_trie() {
    each(|spec, entries| {
        let bench = Bench::new(spec, entries);
        let (value, counts) = bench.count(|main| main.get(name(entries / 2)).unwrap());
        bench.report("get", &counts);
        assert_eq!(value.unwrap(), "value");
        // The commit, the root directory, the levels of the trie, and the value.
        assert!(counts.objects_read <= 3 + bench.depth, "{entries}: {counts:?}");
        assert!(counts.get_calls <= 3 + bench.depth, "{entries}: {counts:?}");
        let (kind, counts) = bench.count(|main| main.kind("dir/absent").unwrap());
        assert_eq!(kind, None);
        assert!(counts.objects_read <= 2 + bench.depth, "{entries}: {counts:?}");
        let (length, counts) = bench.count(|main| main.tree().unwrap().length("dir").unwrap());
        assert_eq!(length, entries);
        assert!(counts.objects_read <= 3, "{entries}: {counts:?}");
    });
}

#[test]
fn a_write_touches_one_path_of_the_trie() {
    each(|spec, entries| {
        let bench = Bench::new(spec, entries);
        for (path, what) in [(name(entries / 3), "set"), ("dir/new".into(), "insert")] {
            let (_, counts) = bench.count(|main| main.set(&path, "other", "set").unwrap().unwrap());
            bench.report(what, &counts);
            // The head and the commit that was made are read; a leaf that splits makes up to 32.
            assert!(counts.objects_read <= 4 + 2 * bench.depth, "{what} {entries}: {counts:?}");
            assert!(counts.objects_written <= 3 + bench.depth + 33, "{entries}: {counts:?}");
            assert_eq!(counts.publishes, 1);
        }
        let (_, counts) = bench.count(|main| main.remove(name(1), "remove").unwrap().unwrap());
        bench.report("remove", &counts);
        // A part that becomes small takes in the leaves that it is made of: up to 32 of them.
        assert!(counts.objects_read <= 4 + 2 * bench.depth + 32, "{entries}: {counts:?}");
        assert!(counts.objects_written <= 3 + bench.depth, "{entries}: {counts:?}");
    });
}

#[test]
fn differences_and_merges_cost_what_changed() {
    const CHANGES: u64 = 10;
    each(|spec, entries| {
        let bench = Bench::new(spec, entries);
        let edit = |value: &'static str, from: usize| {
            let names: Vec<String> = bench.spread(2 * CHANGES).skip(from).step_by(2).collect();
            move |tree: &mut Tree| names.iter().try_for_each(|name| tree.set(name, value))
        };
        let (before, after) = bench
            .count(|main| {
                let before = main.head().unwrap().unwrap();
                main.fork(&format!("{}-other", bench.branch))
                    .unwrap()
                    .transaction("theirs", edit("theirs", 0))
                    .unwrap();
                main.transaction("ours", edit("ours", 1)).unwrap();
                (before.id(), main.head().unwrap().unwrap().id())
            })
            .0;
        let (changes, counts) = bench.count(|main| {
            let tree = |id| main.repo().commit(id).unwrap().unwrap().tree();
            tree(before).diff(&tree(after)).unwrap().len() as u64
        });
        bench.report("diff of 10", &counts);
        assert_eq!(changes, CHANGES);
        // Two commits, two roots, and for each change one path on either side.
        assert!(counts.objects_read <= 4 + 2 * CHANGES * bench.depth, "{entries}: {counts:?}");
        // Level by level: calls follow the depth and not the changes.
        assert!(counts.get_calls <= 6 + 2 * bench.depth, "{entries}: {counts:?}");

        let (merged, counts) = bench.count(|main| {
            let other = main.repo().branch(&format!("{}-other", bench.branch)).unwrap();
            main.merge(&other, "merge").unwrap().resolved().unwrap()
        });
        bench.report("merge of 10 and 10", &counts);
        assert!(merged.is_some());
        // Commits and roots of three sides; each change is a path on three sides.
        let read = 12 + 3 * 2 * CHANGES * bench.depth;
        assert!(counts.objects_read <= read, "{entries}: {counts:?}");
        let written = 2 + CHANGES * (bench.depth + 1);
        assert!(counts.objects_written <= written, "{entries}: {counts:?}");
    });
}

#[test]
fn a_page_costs_its_size() {
    each(|spec, entries| {
        let bench = Bench::new(spec, entries);
        for limit in [10, 100] {
            let (page, counts) = bench.count(|main| {
                let tree = main.tree().unwrap();
                let first = tree.page("dir", None, limit).unwrap();
                tree.page("dir", first.next.as_ref(), limit).unwrap()
            });
            bench.report(&format!("two pages of {limit}"), &counts);
            assert!(page.entries.len() == limit.min(entries as usize - limit));
            // A leaf may hold a single entry, and a batch may read ahead twice of what is shown.
            let most = 2 * (2 + bench.depth) + 6 * limit as u64;
            assert!(counts.objects_read <= most, "{entries}, {limit}: {counts:?}");
        }
    });
}

#[test]
fn edits_in_memory_cost_what_they_read() {
    each(|spec, entries| {
        let bench = Bench::new(spec, entries);
        let edits = 1_000;
        let (tree, counts) = bench.count(|main| {
            let mut tree = main.tree().unwrap();
            for n in 0..edits {
                tree.set(format!("dir/new-{n}"), "x").unwrap();
            }
            tree
        });
        bench.report("1000 inserts in memory", &counts);
        assert_eq!(tree.length("dir").unwrap(), entries + edits);
        // One look-up each, most of it cached; nothing is written or hashed.
        assert!(counts.objects_read <= 3 + edits * bench.depth, "{entries}: {counts:?}");
        assert_eq!((counts.objects_written, counts.publishes), (0, 0));
        // In a new directory there is nothing to look up.
        let (_, counts) = bench.count(|main| {
            let mut tree = main.tree().unwrap();
            (0..edits).for_each(|n| tree.set(format!("fresh/{n}"), "x").unwrap());
        });
        assert!(counts.objects_read <= 3, "{entries}: {counts:?}");
    });
}

#[test]
fn a_write_without_a_change_writes_nothing() {
    each(|spec, entries| {
        let bench = Bench::new(spec, entries);
        let (commit, counts) = bench.count(|main| main.set(name(5), "value", "same").unwrap());
        assert_eq!(commit, None);
        assert_eq!((counts.objects_written, counts.publishes), (0, 0));
    });
}
