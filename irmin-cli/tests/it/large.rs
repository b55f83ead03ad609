//! Large values: every command that carries one holds no more than a piece of it.

use std::fs::File;
use std::io::{BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::Place;

const MIB: u64 = 1 << 20;

/// A file of as many mebibytes, no two of them alike, half of each compressible.
fn make(path: &Path, mebibytes: u64) {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let half: Vec<u8> = (0..MIB / 16)
        .flat_map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_be_bytes()
        })
        .collect();
    let mut block = [half, vec![b'x'; (MIB / 2) as usize]].concat();
    let mut file = File::create(path).unwrap();
    for n in 0..mebibytes {
        for at in (0..block.len()).step_by(4096) {
            block[at..at + 8].copy_from_slice(&n.to_be_bytes());
        }
        file.write_all(&block).unwrap();
    }
}

/// Whether two files hold the same, compared piece by piece.
fn same(a: &Path, b: &Path) -> bool {
    let open = |path: &Path| BufReader::with_capacity(1 << 20, File::open(path).unwrap());
    let (mut a, mut b) = (open(a), open(b));
    let (mut left, mut right) = (vec![0; 1 << 20], Vec::new());
    loop {
        let n = a.read(&mut left).unwrap();
        right.resize(n, 0);
        if b.read_exact(&mut right).is_err() || left[..n] != right[..] {
            return false;
        }
        if n == 0 {
            return b.read(&mut [0]).unwrap() == 0;
        }
    }
}

/// The most memory that a process has had resident so far, in bytes.
fn peak(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? << 10)
}

/// Runs a command, which must succeed, and answers its peak of resident memory.
fn run(command: &mut Command) -> u64 {
    let mut child = command.spawn().unwrap();
    let mut most = 0;
    loop {
        // What it was at last: a peak never shrinks.
        most = peak(&child).unwrap_or(most).max(most);
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{command:?}");
            return most;
        }
        #[allow(clippy::disallowed_methods)] // Nothing tells of another program's memory.
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Carries a value of some size through every command that can.
fn carry(place: &Place, mebibytes: u64) -> Vec<(&'static str, u64)> {
    std::fs::create_dir(place.path("in")).unwrap();
    let original = place.path("in/large");
    make(&original, mebibytes);
    let mut peaks = Vec::new();
    let mut step = |name, command: &mut Command| peaks.push((name, run(command.arg("--quiet"))));
    step("import", place.irmin().args(["import", "in"]));
    step("get -o", place.irmin().args(["get", "large", "-o", "out"]));
    assert!(same(&original, &place.path("out")));
    std::fs::remove_file(place.path("out")).unwrap();
    step("export", place.irmin().args(["export", "dir"]));
    assert!(same(&original, &place.path("dir/large")));
    std::fs::remove_dir_all(place.path("dir")).unwrap();
    let stdin = File::open(&original).unwrap();
    step("set -", place.irmin().args(["set", "again", "-"]).stdin(stdin));
    step("set @FILE", place.irmin().args(["set", "third", "@in/large"]));
    let out = File::create(place.path("out")).unwrap();
    step("get", place.irmin().args(["get", "again"]).stdout(out));
    assert!(same(&original, &place.path("out")));
    let form = ["--format", "git-fast"];
    step("export git-fast", place.irmin().args(["export", "all.fe"]).args(form));
    let read = ["import", "all.fe", "--verify", "--root", "copy.git"];
    step("import git-fast", place.irmin().args(read).args(form));
    std::fs::remove_file(place.path("all.fe")).unwrap();
    let form = ["--format", "slice"];
    step("export slice", place.irmin().args(["export", "all.slice"]).args(form));
    let read = ["import", "all.slice", "--root", "other.git"];
    step("import slice", place.irmin().args(read).args(form).stdout(Stdio::null()));
    std::fs::remove_file(place.path("all.slice")).unwrap();
    step("check", place.irmin().arg("check").stdout(Stdio::null()));
    peaks
}

#[test]
fn a_large_value_is_carried_in_pieces() {
    if !cfg!(target_os = "linux") {
        return;
    }
    // Two gibibytes take minutes without optimisation.
    let huge = std::env::var_os("IRMIN_TEST_HUGE").is_some();
    let mebibytes = if huge { 2048 } else { 96 };
    let place = Place::new();
    let peaks = carry(&place, mebibytes);
    if huge {
        for (name, peak) in &peaks {
            println!("{mebibytes} MiB, {name}: at most {} KiB resident", peak >> 10);
        }
    }
    for (name, peak) in peaks {
        assert!((MIB..64 * MIB).contains(&peak), "{name}: {peak} bytes resident");
    }
    for store in ["store.git", "copy.git"] {
        place.git(&["-C", store, "fsck", "--strict", "--full"]).ok();
    }
}

/// A type of values that has more to it than bytes is read whole, and checked.
#[test]
fn large_values_of_a_type_are_checked() {
    let place = Place::new();
    let stream = |value: &str| {
        format!(
            "commit refs/heads/main\ncommitter a <b@c> 1 +0000\ndata 0\n\nM 644 inline k\ndata {}\n\
             {value}\n",
            value.len()
        )
    };
    let long = "x".repeat(2 << 20);
    let import = ["import", "-", "--format", "git-fast", "--contents", "json"];
    place.feed(&import, stream(&long)).fails(2);
    place.feed(&import, stream(&format!("{{\"a\":\"{long}\"}}"))).ok();
    assert!(place.run(["get", "k", "--contents", "json"]).ok().contains(&long));
}

#[test]
fn conditions_hold_for_large_values_too() {
    let place = Place::new();
    make(&place.path("v"), 3);
    let set = |more: &[&str]| place.run([&["set", "k", "@v"], more].concat());
    set(&["--if-absent"]).ok();
    assert!(set(&["--if-absent"]).fails(4).contains("is there already"));
    assert!(set(&["--if-value", "other"]).fails(4).contains("has another value"));
    let head = place.run(["log", "--json"]).ok();
    set(&[]).ok();
    assert_eq!(place.run(["log", "--json"]).ok(), head, "nothing changed, nothing is committed");
    place.run(["set", "k", "small"]).ok();
    set(&["--if-value", "small", "--mode", "exec"]).ok();
    place.run(["get", "k", "-o", "out"]).ok();
    assert!(same(&place.path("v"), &place.path("out")));
    // On a commit that must be the head, it is written from memory.
    set(&["--if-head", "main"]).ok();
    assert!(place.run(["get", "absent", "-o", "out"]).fails(1).is_empty());
}
