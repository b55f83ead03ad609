//! The simulated disk: against real files, and against what it promises of crashes.

use std::collections::BTreeSet;

use irmin_core::io::{File, FileKind, Io, OpenMode, StdIo};
use irmin_core::{Code, Result};
use irmin_tests::sim_io::{Fault, Sampling, SimIo};
use proptest::prelude::*;

const SAMPLING: Sampling = Sampling { per_point: 64, seed: 7 };

fn write(io: &dyn Io, path: &str, bytes: &[u8]) -> Box<dyn File> {
    let file = io.open(path, OpenMode::ReadWrite).unwrap();
    file.write_at(bytes, 0).unwrap();
    file
}

/// A file that survives everything.
fn durable(io: &dyn Io, path: &str, bytes: &[u8]) {
    write(io, path, bytes).sync().unwrap();
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    io.sync_dir(parent).unwrap();
}

/// What a file holds in the images of the moment after the last operation.
fn outcomes(io: &SimIo, path: &str, per_point: u64) -> BTreeSet<Option<Vec<u8>>> {
    let images = io.crash_images_from(io.op_count(), Sampling { per_point, seed: 7 });
    images.map(|image| image.io.read_file(path).unwrap()).collect()
}

#[test]
fn a_synced_file_survives_only_with_its_name() {
    let io = SimIo::new();
    let file = write(&io, "a", b"text");
    file.sync().unwrap();
    assert_eq!(outcomes(&io, "a", 64), [None, Some(b"text".to_vec())].into());
    io.sync_dir("").unwrap();
    assert_eq!(outcomes(&io, "a", 64), [Some(b"text".to_vec())].into());
}

#[test]
fn a_name_without_a_sync_of_its_file_may_stand_for_an_empty_or_torn_one() {
    let io = SimIo::new();
    write(&io, "a", &[7; 1500]);
    io.sync_dir("").unwrap();
    let seen = outcomes(&io, "a", 400);
    assert!(seen.contains(&Some(Vec::new())) && seen.contains(&Some(vec![7; 1500])));
    let has = |what: &dyn Fn(&[u8]) -> bool| seen.iter().flatten().any(|bytes| what(bytes));
    assert!(has(&|b| b.len() == 1500 && b.iter().all(|x| *x == 0)), "length without data");
    assert!(has(&|b| b.len() == 1500 && b[..512] == [7; 512] && b[512..] != [7; 988]), "a sector");
    assert!(has(&|b| !b.len().is_multiple_of(512) && b.len() < 1500 && b[0] == 7), "a prefix");
    assert!(has(&|b| b.iter().any(|x| *x != 0 && *x != 7)), "garbage");
}

#[test]
fn what_is_inside_the_durable_length_never_becomes_garbage() {
    let io = SimIo::new();
    durable(&io, "a", &[1; 2048]);
    io.open("a", OpenMode::ReadWrite).unwrap().write_at(&[2; 4096], 0).unwrap();
    for bytes in outcomes(&io, "a", 400).into_iter().flatten() {
        assert!(bytes[..2048].iter().all(|x| *x == 1 || *x == 2));
    }
}

#[test]
fn a_rename_is_seen_whole_or_not_at_all() {
    let io = SimIo::new();
    durable(&io, "x", b"old");
    durable(&io, "x.tmp", b"new");
    io.rename("x.tmp", "x").unwrap();
    let mut seen = BTreeSet::new();
    for image in io.crash_images_from(io.op_count(), SAMPLING) {
        let read = |path| image.io.read_file(path).unwrap();
        seen.insert((read("x"), read("x.tmp")));
    }
    let (old, new) = (Some(b"old".to_vec()), Some(b"new".to_vec()));
    assert_eq!(seen, [(old, new.clone()), (new, None)].into());
}

#[test]
fn all_subsets_of_few_changes_appear() {
    let io = SimIo::new();
    for name in ["a", "b", "c"] {
        durable(&io, name, b"0");
    }
    for name in ["a", "b", "c"] {
        write(&io, name, b"1");
    }
    io.remove("b").unwrap();
    let mut seen = BTreeSet::new();
    for image in io.crash_images_from(io.op_count(), Sampling { per_point: 32, seed: 0 }) {
        seen.insert(["a", "b", "c"].map(|name| image.io.read_file(name).unwrap()));
    }
    // The removal hides whether the write to `b` was kept: 2 x 3 x 2.
    assert_eq!(seen.len(), 12);
}

#[test]
fn unsynced_names_of_one_directory_are_independent_and_unordered() {
    let io = SimIo::new();
    io.create_dir("d").unwrap();
    io.sync_dir("").unwrap();
    write(&io, "d/1", b"").sync().unwrap();
    write(&io, "d/2", b"").sync().unwrap();
    let images = io.crash_images_from(io.op_count(), SAMPLING);
    let seen: BTreeSet<usize> = images
        .map(|image| {
            let names = image.io.list("d").unwrap();
            names.iter().map(|entry| entry.name.parse::<usize>().unwrap()).sum()
        })
        .collect();
    assert_eq!(seen, [0, 1, 2, 3].into());
}

#[test]
fn an_image_can_be_made_again_and_is_durable_itself() {
    let io = SimIo::new();
    durable(&io, "a", &[1; 700]);
    write(&io, "a", &[2; 3000]);
    write(&io, "b", &[3; 3000]);
    for image in io.crash_images(SAMPLING) {
        let again = io.crash_image(image.at, image.case, SAMPLING);
        for path in ["a", "b"] {
            assert_eq!(image.io.read_file(path).unwrap(), again.read_file(path).unwrap());
            let now = image.io.read_file(path).unwrap();
            assert_eq!(outcomes(&image.io, path, 9), [now].into(), "{image}");
        }
    }
}

#[test]
fn a_failed_sync_keeps_or_drops_and_never_comes_back() {
    for (fault, after) in [(Fault::SyncDropping, b"old"), (Fault::SyncKeeping, b"new")] {
        let io = SimIo::new();
        durable(&io, "a", b"old");
        let file = write(&io, "a", b"new");
        io.plan(fault, 0);
        assert_eq!(file.sync().unwrap_err().code(), Code::Io);
        file.sync().unwrap();
        assert_eq!(io.read_file("a").unwrap().unwrap(), b"new", "the page cache has it");
        assert_eq!(outcomes(&io, "a", 64), [Some(after.to_vec())].into(), "{fault:?}");
    }
}

/// Prints how fast images are made: `cargo test -p irmin-tests -- --ignored images_a_second`.
#[test]
#[ignore = "a measurement, not a test"]
#[allow(clippy::disallowed_methods)] // Measures real time on purpose.
fn images_a_second() {
    let io = SimIo::new();
    for n in 0..40 {
        durable(&io, &format!("f{n}"), &[1; 900]);
        write(&io, &format!("f{n}"), &[2; 900]);
    }
    let begin = std::time::Instant::now();
    let images = io.crash_images(Sampling { per_point: 200, seed: 1 });
    let n = images.filter(|image| image.io.read_file("f0").unwrap() != Some(Vec::new())).count();
    println!("{:.0} images a second", n as f64 / begin.elapsed().as_secs_f64());
}

#[test]
fn planned_faults_come_in_their_turn() {
    let io = SimIo::new();
    let file = write(&io, "a", b"12345678");
    io.plan(Fault::Read, 1);
    let mut buffer = [0; 8];
    assert_eq!(file.read_at(&mut buffer, 0).unwrap(), 8);
    assert_eq!(file.read_at(&mut buffer, 0).unwrap_err().code(), Code::Io);
    assert_eq!(file.read_at(&mut buffer, 0).unwrap(), 8);

    io.plan(Fault::DiskFull, 1);
    file.write_at(b"x", 0).unwrap();
    let error = file.write_at(b"abcd", 8).unwrap_err();
    assert!(error.to_string().contains("disk is full"), "{error}");
    assert_eq!(io.read_file("a").unwrap().unwrap(), b"x2345678ab");
    assert_eq!(io.open("b", OpenMode::CreateNew).unwrap_err().code(), Code::Io);
    io.remove("a").unwrap();
    io.repair();
    file.write_at(b"abcd", 8).unwrap();
}

#[test]
fn locks_exclude_and_end_with_the_guard_or_the_machine() {
    let dir = tempfile::tempdir().unwrap();
    let sim = SimIo::new();
    let std = StdIo::open(dir.path()).unwrap();
    for io in [&sim as &dyn Io, &std] {
        let guard = io.try_lock("lock").unwrap().unwrap();
        assert!(io.try_lock("lock").unwrap().is_none());
        assert!(io.try_lock("other").unwrap().is_some());
        drop(guard);
        assert!(io.try_lock("lock").unwrap().is_some());
    }
    let _held = sim.try_lock("lock").unwrap().unwrap();
    assert!(sim.fork().try_lock("lock").unwrap().is_some());
    assert!(sim.crash_images(SAMPLING).all(|i| i.io.try_lock("lock").unwrap().is_some()));
}

#[test]
fn a_fork_goes_its_own_way() {
    let io = SimIo::new();
    let file = write(&io, "a", b"1");
    let fork = io.fork();
    file.write_at(b"2", 0).unwrap();
    write(&fork, "a", b"3");
    assert_eq!(io.read_file("a").unwrap().unwrap(), b"2");
    assert_eq!(fork.read_file("a").unwrap().unwrap(), b"3");
}

#[test]
fn racing_creators_have_one_winner_on_real_files() {
    let dir = tempfile::tempdir().unwrap();
    let io = StdIo::create(dir.path().join("new/root")).unwrap();
    for round in 0..20 {
        let name = format!("n{round}");
        let winners = std::thread::scope(|scope| {
            let tries: Vec<_> =
                (0..4).map(|_| scope.spawn(|| io.open(&name, OpenMode::CreateNew))).collect();
            let ended = tries.into_iter().map(|t| t.join().unwrap());
            ended.filter(|end: &Result<_>| end.is_ok()).count()
        });
        assert_eq!(winners, 1);
    }
}

#[test]
fn paths_never_leave_the_root() {
    let dir = tempfile::tempdir().unwrap();
    let std = StdIo::open(dir.path()).unwrap();
    for io in [&std as &dyn Io, &SimIo::new()] {
        for path in ["/etc", "..", "a/../b", "a//b", "./a", "a/", "a\\b", "c:", "a\0"] {
            let code = io.open(path, OpenMode::ReadWrite).unwrap_err().code();
            assert_eq!(code, Code::InvalidPath, "{path}");
            assert_eq!(io.create_dir(path).unwrap_err().code(), Code::InvalidPath);
            assert_eq!(io.metadata(path).unwrap_err().code(), Code::InvalidPath);
        }
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/etc/hostname", dir.path().join("link")).unwrap();
        for mode in [OpenMode::Read, OpenMode::ReadWrite, OpenMode::CreateNew] {
            assert!(std.open("link", mode).is_err());
        }
        assert_eq!(std.metadata("link").unwrap().unwrap().kind, FileKind::Other);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Open(usize, OpenMode),
    Write { file: usize, len: usize, fill: u8, offset: u64 },
    Read { file: usize, len: usize, offset: u64 },
    SetLen { file: usize, len: u64 },
    Sync(usize),
    CreateDir(usize),
    Link(usize, usize),
    Rename(usize, usize),
    Remove(usize),
    RemoveDir(usize),
    SyncDir(usize),
    List(usize),
    Metadata(usize),
}

/// Few paths, so that operations meet: files, directories, and names below either.
const PATHS: [&str; 9] = ["a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "a/x", ""];

fn step() -> impl Strategy<Value = Step> {
    let path = || 0..PATHS.len();
    let mode = prop_oneof![
        Just(OpenMode::Read),
        Just(OpenMode::ReadWrite),
        Just(OpenMode::ReadWrite),
        Just(OpenMode::CreateNew)
    ];
    prop_oneof![
        6 => (path(), mode).prop_map(|(path, mode)| Step::Open(path, mode)),
        6 => (0..8usize, 0..6000usize, any::<u8>(), 0..9000u64)
            .prop_map(|(file, len, fill, offset)| Step::Write { file, len, fill, offset }),
        2 => (0..8usize, 0..9000usize, 0..9000u64)
            .prop_map(|(file, len, offset)| Step::Read { file, len, offset }),
        1 => (0..8usize, 0..9000u64).prop_map(|(file, len)| Step::SetLen { file, len }),
        1 => (0..8usize).prop_map(Step::Sync),
        3 => path().prop_map(Step::CreateDir),
        2 => (path(), path()).prop_map(|(from, to)| Step::Link(from, to)),
        2 => (path(), path()).prop_map(|(from, to)| Step::Rename(from, to)),
        2 => path().prop_map(Step::Remove),
        1 => path().prop_map(Step::RemoveDir),
        1 => path().prop_map(Step::SyncDir),
        2 => path().prop_map(Step::List),
        2 => path().prop_map(Step::Metadata),
    ]
}

/// Runs a step and says what a program sees of it: the same text on every disk.
fn run(io: &dyn Io, files: &mut Vec<Box<dyn File>>, step: &Step) -> String {
    fn show<T: std::fmt::Debug>(result: Result<T>) -> String {
        result.map_or_else(|e| e.code().as_str().into(), |value| format!("{value:?}"))
    }
    let file = |files: &[Box<dyn File>], n: usize| n % files.len().max(1);
    match *step {
        Step::Open(path, mode) => show(io.open(PATHS[path], mode).map(|file| files.push(file))),
        Step::CreateDir(path) => show(io.create_dir(PATHS[path])),
        Step::Link(from, to) => show(io.link(PATHS[from], PATHS[to])),
        Step::Rename(from, to) => show(io.rename(PATHS[from], PATHS[to])),
        Step::Remove(path) => show(io.remove(PATHS[path])),
        Step::RemoveDir(path) => show(io.remove_dir(PATHS[path])),
        // What a sync of a file as a directory does is left open.
        Step::SyncDir(path) => match io.metadata(PATHS[path]).unwrap() {
            Some(found) if found.kind == FileKind::File => String::new(),
            _ => show(io.sync_dir(PATHS[path])),
        },
        Step::List(path) => show(io.list(PATHS[path])),
        Step::Metadata(path) => show(io.metadata(PATHS[path]).map(|found| {
            found.map(|m| (m.kind, if m.kind == FileKind::File { m.len } else { 0 }))
        })),
        _ if files.is_empty() => String::new(),
        Step::Write { file: n, len, fill, offset } => {
            let n = file(files, n);
            let written = files[n].write_at(&vec![fill; len], offset);
            // On a file for reading, an empty write may or may not be an error.
            if len == 0 { String::new() } else { show(written) }
        }
        Step::Read { file: n, len, offset } => {
            let mut buffer = vec![0; len];
            show(files[file(files, n)].read_at(&mut buffer, offset).map(|n| (n, buffer)))
        }
        Step::SetLen { file: n, len } => {
            let n = file(files, n);
            show(files[n].set_len(len)) + &show(files[n].len())
        }
        Step::Sync(n) => show(files[file(files, n)].sync()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn without_a_crash_it_is_as_real_files(steps in prop::collection::vec(step(), 1..60)) {
        let dir = tempfile::tempdir().unwrap();
        let std = StdIo::open(dir.path()).unwrap();
        let sim = SimIo::new();
        let (mut std_files, mut sim_files) = (Vec::new(), Vec::new());
        for step in &steps {
            let real = run(&std, &mut std_files, step);
            prop_assert_eq!(run(&sim, &mut sim_files, step), real, "{:?}", step);
        }
        // The trees are equal, which also tests both ways to and from real directories.
        let imported = SimIo::from_dir(dir.path()).unwrap();
        let exported = tempfile::tempdir().unwrap();
        sim.materialise(exported.path()).unwrap();
        let exported = SimIo::from_dir(exported.path()).unwrap();
        for path in PATHS {
            let bytes = sim.read_file(path).unwrap();
            prop_assert_eq!(&bytes, &imported.read_file(path).unwrap());
            prop_assert_eq!(&bytes, &exported.read_file(path).unwrap());
            let list = sim.list(path).ok();
            prop_assert_eq!(&list, &imported.list(path).ok());
            prop_assert_eq!(&list, &exported.list(path).ok());
        }
        let same = |io: &dyn Io, a, b| {
            let identity = |path| io.metadata(path).unwrap().map(|found| found.identity);
            identity(a).is_some() && identity(a) == identity(b)
        };
        prop_assert_eq!(same(&std, "a", "b"), same(&sim, "a", "b"));
    }

    #[test]
    fn what_was_synced_survives_every_crash_until_it_is_touched(
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let io = SimIo::new();
        let mut files = Vec::new();
        steps.iter().for_each(|step| drop(run(&io, &mut files, step)));
        // Reaches every file and directory through its name.
        for path in PATHS {
            match io.metadata(path).unwrap().map(|found| found.kind) {
                Some(FileKind::Dir) => io.sync_dir(path).unwrap(),
                Some(_) => io.open(path, OpenMode::Read).unwrap().sync().unwrap(),
                None => {}
            }
        }
        let synced = io.op_count();
        let view = |io: &SimIo| {
            PATHS.map(|path| (io.read_file(path).unwrap(), io.list(path).ok()))
        };
        let expected = view(&io);
        let reachable = io.crash_images_from(synced, SAMPLING).all(|i| view(&i.io) == expected);
        prop_assert!(reachable);
        // Later operations on other names do not reach it.
        io.open("witness", OpenMode::ReadWrite).unwrap().write_at(b"x", 0).unwrap();
        let far = ["a", "b", "d/a"].map(|path| io.read_file(path).unwrap());
        for image in io.crash_images_from(synced, SAMPLING) {
            let seen = ["a", "b", "d/a"].map(|path| image.io.read_file(path).unwrap());
            prop_assert_eq!(&seen, &far, "{}", image);
        }
    }

    /// No image invents anything: a name stands for what it durably stood for or was made to
    /// stand for since, and a byte within the durable length is the durable one or a written one.
    #[test]
    fn images_are_made_of_what_was_there(steps in prop::collection::vec(step(), 1..40)) {
        let io = SimIo::new();
        durable(&io, "a", &[0xd0; 3000]);
        let mut files = Vec::new();
        let mut fills = BTreeSet::from([0xd0, 0]);
        for step in &steps {
            if let Step::Write { fill, .. } = step {
                fills.insert(*fill);
            }
            // A file that is cut and grows again has garbage beyond its durable length.
            if !matches!(step, Step::SetLen { .. }) {
                run(&io, &mut files, step);
            }
        }
        let original = io.fork().crash_image(0, 0, SAMPLING);
        prop_assert_eq!(original.list("").unwrap().len(), 0);
        for image in io.crash_images_from(io.op_count(), SAMPLING) {
            for entry in image.io.list("").unwrap() {
                prop_assert!(PATHS.contains(&entry.name.as_str()), "{:?} {}", entry, image);
            }
            let original = image.io.metadata("a").unwrap().map(|found| found.identity);
            let first = Some((0, 1));
            if let (true, Some(bytes)) = (original == first, image.io.read_file("a").unwrap()) {
                let known = bytes.iter().take(3000).all(|byte| fills.contains(byte));
                prop_assert!(bytes.len() >= 3000 && known, "{}", image);
            }
        }
    }
}
