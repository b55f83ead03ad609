//! Toy engines on the simulated disk: it must find what is wrong with the careless ones.

use std::sync::Arc;

use irmin_core::Result;
use irmin_core::backend::GroupCommit;
use irmin_core::io::{CountedIo, Io, OpenMode};
use irmin_tests::sim_io::{CrashImage, Fault, Sampling, SimIo};

const SAMPLING: Sampling = Sampling { per_point: 40, seed: 11 };

/// What a way to replace a file leaves out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Careless {
    Nothing,
    FileSync,
    DirectorySync,
    Rename,
}

/// Replaces a file, and answers when that is acknowledged.
fn replace(io: &dyn Io, text: &str, careless: Careless) -> Result<()> {
    let path = if careless == Careless::Rename { "x" } else { "x.tmp" };
    let file = io.open(path, OpenMode::ReadWrite)?;
    file.write_at(text.as_bytes(), 0)?;
    file.set_len(text.len() as u64)?;
    if careless != Careless::FileSync {
        file.sync()?;
    }
    if careless != Careless::Rename {
        io.rename("x.tmp", "x")?;
    }
    if careless != Careless::DirectorySync {
        io.sync_dir("")?;
    }
    Ok(())
}

/// The text of a version: all differ in length and in bytes.
fn version(n: usize) -> String {
    format!("{n}").repeat(300 + 500 * (n % 3))
}

/// The images in which a file is neither the last acknowledged version nor a later whole one.
fn violations(careless: Careless) -> usize {
    let io = SimIo::new();
    let mut acknowledged = vec![0];
    for n in 1..6 {
        replace(&io, &version(n), careless).unwrap();
        acknowledged.push(io.op_count());
    }
    let wrong = |image: &CrashImage| {
        let last = acknowledged.iter().rposition(|at| *at <= image.at).unwrap();
        let found = image.io.read_file("x").unwrap();
        let good = |n: usize| match (&found, n) {
            (None, 0) => true,
            (Some(bytes), n) => n > 0 && *bytes == version(n).as_bytes(),
            (None, _) => false,
        };
        !(good(last) || good(last + 1))
    };
    io.crash_images(SAMPLING).filter(|image| wrong(image)).count()
}

#[test]
fn a_careful_replacement_survives_and_each_careless_one_is_caught() {
    assert_eq!(violations(Careless::Nothing), 0);
    for careless in [Careless::FileSync, Careless::DirectorySync, Careless::Rename] {
        assert!(violations(careless) > 0, "{careless:?}");
    }
}

/// A log of fixed records, appended by group commit.
fn log(io: &SimIo, syncs: bool) -> impl Fn(u8) -> Result<()> {
    let file = io.open("log", OpenMode::CreateNew).unwrap();
    io.sync_dir("").unwrap();
    let mut end = 0;
    let group = GroupCommit::new(move |records: Vec<u8>| {
        let bytes: Vec<u8> = records.iter().flat_map(|record| [*record; 100]).collect();
        file.write_at(&bytes, end)?;
        end += bytes.len() as u64;
        if syncs { file.sync() } else { Ok(()) }
    });
    move |record| group.submit(record)?.wait()
}

/// The records of a log up to the first that is not whole.
fn recover(io: &SimIo) -> Vec<u8> {
    let bytes = io.read_file("log").unwrap().unwrap_or_default();
    let whole = |record: &[u8]| record[0] != 0 && record.iter().all(|b| *b == record[0]);
    bytes.chunks_exact(100).take_while(|record| whole(record)).map(|record| record[0]).collect()
}

#[test]
fn an_acknowledged_record_is_recovered_from_every_image() {
    let lost = |syncs| {
        let io = SimIo::new();
        let append = log(&io, syncs);
        let ends: Vec<usize> = (1..=20u8)
            .map(|record| {
                append(record).unwrap();
                io.op_count()
            })
            .collect();
        let wrong = |image: &CrashImage| {
            let acknowledged = ends.iter().filter(|end| **end <= image.at).count();
            let records = recover(&image.io);
            let ordered = records.iter().zip(1..).all(|(record, n)| *record == n);
            records.len() < acknowledged || !ordered
        };
        io.crash_images(SAMPLING).filter(|image| wrong(image)).count()
    };
    assert_eq!(lost(true), 0);
    assert!(lost(false) > 0);
}

#[test]
fn a_sync_that_fails_at_any_point_is_never_acknowledged_over() {
    for at in 0..8 {
        for fault in [Fault::SyncDropping, Fault::SyncKeeping, Fault::DiskFull] {
            let io = SimIo::new();
            let append = log(&io, true);
            io.plan(fault, at);
            let acknowledged: Vec<u8> = (1..=8u8).filter(|n| append(*n).is_ok()).collect();
            assert_eq!(acknowledged, (1..=at as u8).collect::<Vec<_>>(), "{fault:?}");
            for image in io.crash_images_from(io.op_count(), SAMPLING) {
                let records = recover(&image.io);
                assert!(records.starts_with(&acknowledged), "{fault:?} {image}");
                assert!(records.len() <= acknowledged.len() + 1);
            }
        }
    }
}

#[test]
fn operations_are_counted() {
    let io = CountedIo::new(Arc::new(SimIo::new()));
    replace(&io, "four", Careless::Nothing).unwrap();
    let file = io.open("x", OpenMode::Read).unwrap();
    assert_eq!(file.read_at(&mut [0; 10], 0).unwrap(), 4);
    io.link("x", "y").unwrap();
    assert!(io.link("x", "y").is_err());
    io.remove("y").unwrap();
    let counts = io.reset();
    assert_eq!((counts.opens, counts.writes, counts.bytes_written), (2, 1, 4));
    assert_eq!((counts.reads, counts.bytes_read), (1, 4));
    assert_eq!((counts.syncs, counts.dir_syncs, counts.renames), (1, 1, 1));
    assert_eq!((counts.links, counts.removes), (1, 1));
    assert_eq!(io.counts(), Default::default());
}
