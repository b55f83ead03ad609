//! Large values in pieces, in plain files: the suite of all stores, and how much memory they take.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use irmin_core::backend::{Backend, Chunked, Chunking, FsBackend, FsInit, FsOptions};
use irmin_core::io::{StdIo, fill};
use irmin_core::{Bytes, Context, FormatSpec, Metadata, Repo, Staged};
use irmin_tests::conformance::Subject;

fn address(store: &Arc<dyn Backend>) -> usize {
    Arc::as_ptr(store).cast::<()>().addr()
}

#[test]
fn pieces_in_files_conform() {
    let dir = tempfile::tempdir().unwrap();
    let paths: Mutex<HashMap<usize, PathBuf>> = Mutex::default();
    let count = Mutex::new(0);
    let spec = FormatSpec::native();
    let keep = |path: PathBuf| {
        let store: Arc<dyn Backend> = Arc::new(pieces(&path, spec, Chunking::default()));
        paths.lock().unwrap().insert(address(&store), path);
        store
    };
    let make = || {
        let mut count = count.lock().unwrap();
        *count += 1;
        keep(dir.path().join(format!("{count}")))
    };
    let reopen = |store: Arc<dyn Backend>| {
        let path = paths.lock().unwrap()[&address(&store)].clone();
        drop(store);
        keep(path)
    };
    Subject::new("pieces in files", make).reopening(reopen).run();
}

/// A store of files that keeps large values in pieces.
fn pieces(path: &Path, spec: FormatSpec, chunking: Chunking) -> Chunked {
    let io = Arc::new(StdIo::create(path).unwrap());
    let new = FsInit { spec, ..FsInit::default() };
    let store = FsBackend::open_or_init(io, &new, &FsOptions::default()).unwrap();
    Chunked::new(Arc::new(store), chunking).unwrap()
}

/// Set for the process that carries a large value: the directory of its store.
const CHILD: &str = "IRMIN_TEST_FS_PIECES";
const MIB: u64 = 1 << 20;

/// Bytes that come from nowhere, no two pieces of them alike.
struct Noise {
    at: u64,
    len: u64,
}

impl Noise {
    fn new(len: u64) -> Self {
        Noise { at: 0, len }
    }
}

impl irmin_core::io::Read for Noise {
    fn read(&mut self, buffer: &mut [u8]) -> irmin_core::Result<usize> {
        let mut n = 0;
        while n < buffer.len() && self.at < self.len {
            // The finalizer of splitmix64, of the number of the word.
            let mut word = (self.at / 8).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            let word = (word ^ (word >> 31)).to_be_bytes();
            let word = &word[(self.at % 8) as usize..];
            let left = usize::try_from(self.len - self.at).unwrap_or(usize::MAX);
            let len = word.len().min(buffer.len() - n).min(left);
            buffer[n..n + len].copy_from_slice(&word[..len]);
            n += len;
            self.at += len as u64;
        }
        Ok(n)
    }
}

/// Writes a value and reads it back, both as streams.
fn carry(path: &Path, len: u64) {
    let store = pieces(path, FormatSpec::native(), Chunking::default());
    let repo: Repo = Repo::new(Arc::new(store), Context::new("ann", || 1_000)).unwrap();
    let main = repo.main().unwrap();
    let put = |staged: &mut Staged<'_, Bytes>| {
        staged.set_stream("large", len, &mut Noise::new(len), Metadata::Normal)
    };
    main.staged("large", put).unwrap();
    let mut value = main.open("large").unwrap().unwrap();
    assert_eq!(value.len(), len);
    let (mut read, mut expected) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut noise = Noise::new(len);
    loop {
        let n = fill(&mut value, &mut read).unwrap();
        assert_eq!(fill(&mut noise, &mut expected).unwrap(), n);
        assert!(read[..n] == expected[..n]);
        if n == 0 {
            return;
        }
    }
}

/// In a process of its own, whose peak of memory is that of this alone.
#[test]
#[allow(clippy::print_stdout)] // The figure is what the long run is for.
fn a_large_value_in_pieces_is_never_held() {
    let huge = std::env::var_os("IRMIN_TEST_HUGE").is_some();
    let len = MIB * if huge { 2048 } else { 64 };
    if let Some(path) = std::env::var_os(CHILD) {
        carry(Path::new(&path), len);
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        println!("\npeak {}", peak.split_whitespace().next().unwrap());
        return;
    }
    if !cfg!(target_os = "linux") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "fs_pieces::a_large_value_in_pieces_is_never_held", "--nocapture"])
        .env(CHILD, dir.path().join("store"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{said}{}", String::from_utf8_lossy(&child.stderr));
    let peak = said.lines().find_map(|line| line.strip_prefix("peak ")).unwrap();
    let peak: u64 = peak.parse::<u64>().unwrap() << 10;
    println!("{} MiB: at most {} KiB resident", len / MIB, peak >> 10);
    // Much less than the value, whichever size it is of.
    let most = if huge { 64 } else { 48 };
    assert!((MIB..most * MIB).contains(&peak), "{peak} bytes resident");
}
