//! Git repositories pass the suite that all stores pass: on real files, and on a simulated disk
//! whose power is cut between two handles.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use irmin_core::backend::Backend;
use irmin_git::{GitBackend, InitOptions, Options};
use irmin_tests::conformance::Subject;
use irmin_tests::git_support::{fsck, has_git};
use irmin_tests::sim_io::{Sampling, SimIo};

/// What tells one store from another.
fn address(store: &Arc<dyn Backend>) -> usize {
    Arc::as_ptr(store).cast::<()>().addr()
}

#[test]
fn a_repository_conforms() {
    let dir = tempfile::tempdir().unwrap();
    let paths: Mutex<HashMap<usize, PathBuf>> = Mutex::default();
    let count = Mutex::new(0);
    let keep = |path: PathBuf| {
        let store = GitBackend::open_or_init(&path, &InitOptions::default(), &Options::default());
        let store: Arc<dyn Backend> = Arc::new(store.unwrap());
        paths.lock().unwrap().insert(address(&store), path);
        store
    };
    let make = || {
        let mut count = count.lock().unwrap();
        *count += 1;
        keep(dir.path().join(format!("{count}.git")))
    };
    let reopen = |store: Arc<dyn Backend>| {
        let path = paths.lock().unwrap()[&address(&store)].clone();
        drop(store);
        if has_git() {
            fsck(&path);
        }
        keep(path)
    };
    Subject::new("git", make).reopening(reopen).run();
}

#[test]
fn a_repository_on_a_simulated_disk_conforms() {
    let disks: Mutex<HashMap<usize, SimIo>> = Mutex::default();
    let keep = |io: SimIo, store: GitBackend| {
        let store: Arc<dyn Backend> = Arc::new(store);
        disks.lock().unwrap().insert(address(&store), io);
        store
    };
    let make = || {
        let io = SimIo::new();
        let new = InitOptions::default();
        let store = GitBackend::init_on(Arc::new(io.clone()), &new, &Options::default()).unwrap();
        keep(io, store)
    };
    let reopen = |store: Arc<dyn Backend>| {
        let io = disks.lock().unwrap()[&address(&store)].clone();
        drop(store);
        // The least that a loss of power leaves: what was acknowledged.
        let io = io.crash_image(io.op_count(), 0, Sampling { per_point: 1, seed: 0 });
        let store = GitBackend::open_on(Arc::new(io.clone()), &Options::default()).unwrap();
        keep(io, store)
    };
    Subject::new("git, simulated", make).reopening(reopen).run();
}
