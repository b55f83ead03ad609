//! What the workloads cost in objects, bytes and syncs: counts that depend on no clock, held to
//! bounds. Where one is exceeded for a good reason, the commit that raises it says which.

#![allow(clippy::unwrap_used, clippy::panic)]

use irmin_benches::keys::Shape;
use irmin_benches::meter::Meter;
use irmin_benches::record::Record;
use irmin_benches::store::Kind;
use irmin_benches::workloads::{self, Setup};

/// The most of one operation of a case: objects read, objects written, bytes given to write, syncs.
struct Bound {
    workload: &'static str,
    case: &'static str,
    kind: Kind,
    read: f64,
    written: f64,
    bytes: f64,
    syncs: f64,
}

const fn bound(
    kind: Kind,
    (workload, case): (&'static str, &'static str),
    [read, written, bytes, syncs]: [f64; 4],
) -> Bound {
    Bound { workload, case, kind, read, written, bytes, syncs }
}

const BULK: (&str, &str) = ("W1", "bulk-load sorted");
const HUNDRED: (&str, &str) = ("W3", "commit-100 buffered");
const MERGE: (&str, &str) = ("W7", "merge 100 x 100");

/// With 1,000 keys in 256 directories on two levels. A commit of one key is the head and the
/// objects of a path, which is a commit, three directories and the value.
const BOUNDS: &[Bound] = &[
    bound(Kind::MemNative, BULK, [0.0, 1.3, 0.0, 0.0]),
    bound(Kind::MemNative, ("W2n", "commit-1 buffered"), [4.0, 5.0, 0.0, 0.0]),
    bound(Kind::MemNative, HUNDRED, [105.0, 200.0, 0.0, 0.0]),
    bound(Kind::MemNative, MERGE, [90.0, 45.0, 0.0, 0.0]),
    // Nine syncs make a new repository's first commit durable: some of them are of directories
    // that are new to the handle.
    bound(Kind::Git, BULK, [0.0, 1.3, 200.0, 0.009]),
    // Merging packs into larger ones adds bytes to the packs of commits, and no sync.
    bound(Kind::Git, ("W2d", "commit-1 durable"), [4.0, 5.0, 4000.0, 5.0]),
    bound(Kind::Git, ("W3", "commit-100 durable"), [105.0, 200.0, 90_000.0, 5.0]),
    // In repositories whose owner wants no syncs; of one key so many that packs are merged often.
    bound(Kind::Git, ("W2n", "commit-1 buffered"), [4.0, 5.0, 10_000.0, 0.0]),
    bound(Kind::Git, HUNDRED, [105.0, 200.0, 90_000.0, 0.0]),
    bound(Kind::Git, MERGE, [90.0, 45.0, 14_000.0, 0.0]),
];

fn records(kind: Kind, workload: &str) -> Vec<Record> {
    let work = tempfile::tempdir().unwrap();
    let meter =
        Meter { work: work.path().to_owned(), count: true, warm: false, probes: 1, program: None };
    let mut records = Vec::new();
    let workload = workloads::ALL.iter().find(|w| w.id == workload).unwrap();
    let emit = &mut |record: Record| {
        records.push(record);
        Ok(())
    };
    let (shape, n, divisor) = (Shape::Levels, 1000, 100);
    workload.run(&mut Setup { meter: &meter, kind, shape, n, divisor, part: None, emit }).unwrap();
    records
}

#[test]
fn workloads_stay_within_their_bounds() {
    for bound in BOUNDS {
        let records = records(bound.kind, bound.workload);
        let record = records.iter().find(|record| record.case == bound.case).unwrap();
        let (objects, files) = (record.objects.unwrap(), record.files.unwrap_or_default());
        let counted = [
            ("objects read", objects.objects_read, bound.read),
            ("objects written", objects.objects_written, bound.written),
            ("bytes", files.write_bytes, bound.bytes),
            ("syncs", files.syncs, bound.syncs),
        ];
        for (what, count, most) in counted {
            let each = count as f64 / record.ops as f64;
            assert!(
                each <= most,
                "{} {} on {}: {each} {what} for each operation, the bound is {most}",
                bound.workload,
                bound.case,
                bound.kind
            );
        }
    }
}
