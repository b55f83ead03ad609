//! All workloads run, on every store, and say what they should.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;

use irmin_benches::keys::Shape;
use irmin_benches::meter::Meter;
use irmin_benches::notes::Notes;
use irmin_benches::record::Record;
use irmin_benches::report;
use irmin_benches::store::Kind;
use irmin_benches::workloads::{self, Setup, Workload};

fn run(kind: Kind, shape: Shape) -> Vec<Record> {
    let work = tempfile::tempdir().unwrap();
    let meter =
        Meter { work: work.path().to_owned(), count: true, warm: false, probes: 1, program: None };
    let mut records = Vec::new();
    for workload in workloads::ALL {
        let emit = &mut |record: Record| {
            records.push(record);
            Ok(())
        };
        let divisor = if workload.on_request { 100_000 } else { 1000 };
        let mut setup = Setup { meter: &meter, kind, shape, n: 300, divisor, part: None, emit };
        workload.run(&mut setup).unwrap_or_else(|e| panic!("{} on {kind}: {e}", workload.id));
    }
    records
}

#[test]
fn every_workload_runs_on_every_store() {
    let notes = Notes::built_in();
    for kind in Kind::ALL {
        let records = run(kind, if kind == Kind::Git { Shape::Ocaml } else { Shape::Levels });
        let ran = |id: &str| records.iter().any(|record| record.workload == id);
        for workload in workloads::ALL {
            assert_eq!(ran(workload.id), workload.is_on(kind), "{} on {kind}", workload.id);
        }
        for record in &records {
            assert!(record.ops > 0 && record.wall_s > 0.0, "{record:?}");
            assert_eq!(record.files.is_some(), kind.has_files(), "{record:?}");
            assert!(
                notes.figure(record).is_some(),
                "what bounds it is not in figures.json: {record:?}"
            );
        }
        // A commit that changes nothing is none, and costs nothing.
        let commits = |record: &&Record| {
            ["commit", "insert", "remove"].iter().any(|verb| record.case.contains(verb))
        };
        for record in records.iter().filter(commits) {
            let written = record.objects.unwrap().objects_written;
            assert!(written >= 2 * record.ops as u64, "{record:?}");
        }
        let bulk = &records[0];
        // Every value, and at least a directory and a commit.
        assert!(bulk.objects.unwrap().objects_written > 301, "{bulk:?}");
        let text: String =
            records.iter().map(|r| serde_json::to_string(r).unwrap() + "\n").collect();
        let back: Vec<Record> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(back, records);
        assert!(report::page(&text).unwrap().contains("bulk-load"));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn memory_is_measured_by_a_process_for_each_case() {
    let work = tempfile::tempdir().unwrap();
    let program = Some(env!("CARGO_BIN_EXE_irmin-benches").into());
    let meter =
        Meter { work: work.path().to_owned(), count: true, warm: false, probes: 1, program };
    let memory = Workload::named("W9").unwrap();
    for kind in [Kind::MemNative, Kind::Git] {
        let mut records = Vec::new();
        let emit = &mut |record: Record| {
            records.push(record);
            Ok(())
        };
        let (shape, n, divisor) = (Shape::Flat, 100, 1000);
        memory
            .run(&mut Setup { meter: &meter, kind, shape, n, divisor, part: None, emit })
            .unwrap();
        let told = |r: &Record| (r.workload.clone(), r.store.clone(), r.keys, r.shape);
        let expected = ("W9".to_owned(), kind.name().to_owned(), n, shape);
        assert!(records.iter().all(|record| told(record) == expected));
        let cases: BTreeSet<String> = records.iter().map(|record| record.case.clone()).collect();
        assert_eq!((cases.len(), records.len()), (12, 12), "{cases:?}");
        for record in &records {
            // Not what this process uses, which has all tests.
            let (before, peak) = (record.rss_before.unwrap(), record.peak_rss.unwrap());
            assert!(0 < before && before <= peak, "{record:?}");
            let written = record.objects.unwrap().objects_written;
            assert_eq!(written > 0, record.payload_bytes.is_some(), "{record:?}");
        }
    }
    // Of the repository that was filled nothing is left.
    assert_eq!(work.path().read_dir().unwrap().count(), 0);
}

#[test]
fn two_runs_do_the_same() {
    let counts = |records: Vec<Record>| {
        let name = |r: Record| (r.case, r.objects);
        records.into_iter().map(name).collect::<Vec<_>>()
    };
    let run = || counts(run(Kind::MemNative, Shape::Levels));
    assert_eq!(run(), run());
}
