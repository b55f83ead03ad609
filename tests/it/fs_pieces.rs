//! Large values in pieces, in plain files: the suite of all stores, and how much memory they take.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use irmin_core::backend::{Backend, Chunked, Chunking, FsBackend, FsInit, FsOptions};
use irmin_core::io::{StdIo, StdRead, StdWrite, fill};
use irmin_core::slice::SliceOptions;
use irmin_core::{Branch, Bytes, Context, FormatSpec, Metadata, Pull, Repo, Staged};
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

fn repo(store: impl Backend + 'static) -> Repo {
    Repo::new(Arc::new(store), Context::new("ann", || 1_000)).unwrap()
}

/// A store of files that keeps values whole.
fn whole(path: &Path, spec: FormatSpec) -> FsBackend {
    let new = FsInit { spec, ..FsInit::default() };
    let io = Arc::new(StdIo::create(path).unwrap());
    FsBackend::open_or_init(io, &new, &FsOptions::default()).unwrap()
}

/// Writes a value and reads it back, both as streams; then takes it from store to store, in pieces
/// and whole, by fetching and as a slice.
fn carry(path: &Path, len: u64) {
    let (native, other) = (FormatSpec::native(), FormatSpec::irmin_mem());
    let first = repo(pieces(&path.join("first"), native, Chunking::default()));
    let main = first.main().unwrap();
    let put = |staged: &mut Staged<'_, Bytes>| {
        staged.set_stream("large", len, &mut Noise::new(len), Metadata::Normal)
    };
    main.staged("large", put).unwrap();
    compare(&main, len);
    step("written and read in pieces");

    let second = repo(whole(&path.join("second"), native)).main().unwrap();
    second.pull(&main, Pull::Set, "pull").unwrap().resolved().unwrap();
    step("fetched from pieces to a file");
    let slice = path.join("slice");
    let mut file = StdWrite(std::fs::File::create(&slice).unwrap());
    second.repo().export_to(&SliceOptions::default(), &mut file).unwrap();
    step("exported from a file");
    std::fs::remove_dir_all(path.join("first")).unwrap();
    let third = repo(pieces(&path.join("third"), native, Chunking::default()));
    let mut file = StdRead(std::fs::File::open(&slice).unwrap());
    let heads = third.import_from(&mut file).unwrap().heads;
    step("imported into pieces");
    std::fs::remove_file(&slice).unwrap();
    let third_main = third.main().unwrap();
    third_main.set_head(third.commit(heads[0]).unwrap().as_ref(), "import").unwrap();
    third.export_to(&SliceOptions::default(), &mut Nowhere).unwrap();
    step("exported from pieces");
    let fourth = repo(pieces(&path.join("fourth"), other, Chunking::default())).main().unwrap();
    fourth.pull(&second, Pull::Set, "pull").unwrap().resolved().unwrap();
    step("fetched from a file to pieces of another format");
    compare(&fourth, len);
    std::fs::remove_dir_all(path.join("fourth")).unwrap();

    // Many files: what a stage knows of each piece counts.
    let (len, chunking) = (len / 4, Chunking::BestFit { size: 4096 });
    let small = repo(pieces(&path.join("small"), native, chunking)).main().unwrap();
    let put = |staged: &mut Staged<'_, Bytes>| {
        staged.set_stream("large", len, &mut Noise::new(len), Metadata::Normal)
    };
    small.staged("large", put).unwrap();
    step("a quarter of it written in pieces of 4096 bytes");
    compare(&small, len);
}

/// A slice that nobody keeps.
struct Nowhere;

impl irmin_core::io::Write for Nowhere {
    fn write(&mut self, _: &[u8]) -> irmin_core::Result<()> {
        Ok(())
    }
}

/// Tells the peak of memory so far.
#[allow(clippy::print_stdout)]
fn step(what: &str) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    println!("\npeak {} {what}", peak.split_whitespace().next().unwrap());
}

/// Reads a value as a stream, and compares it with what was written.
fn compare(main: &Branch, len: u64) {
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
        return carry(Path::new(&path), len);
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
    let mut peaks = 0;
    for line in said.lines().filter_map(|line| line.strip_prefix("peak ")) {
        let (peak, what) = line.split_once(' ').unwrap();
        let peak: u64 = peak.parse::<u64>().unwrap() << 10;
        println!("{} MiB {what}: at most {} KiB resident", len / MIB, peak >> 10);
        // Much less than the value, whichever size it is of.
        let most = if huge { 64 } else { 48 };
        assert!((MIB..most * MIB).contains(&peak), "{peak} bytes resident when {what}");
        peaks += 1;
    }
    assert_eq!(peaks, 7);
}
