//! Records as text: a line on a terminal, and the page of results.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;

use crate::machine::Machine;
use crate::record::Record;

/// What stands above the lines of [`line`].
pub const HEADINGS: &str = "workload       case                             store           keys \
                            shape       ops    cpu us/op       p50 us       p99 us  read/op \
                            written/op  bytes/op syncs/op  load";

/// A record in one line.
#[must_use]
pub fn line(record: &Record) -> String {
    let per_op = |n: u64| n as f64 / record.ops as f64;
    let files = record.files.unwrap_or_default();
    format!(
        "{:<14} {:<32} {:<10} {:>9} {:<6} {:>8} {:>12} {:>12} {:>12} {:>8.2} {:>10.2} {:>9.0} \
         {:>8.2} {:>5.2}",
        record.workload,
        record.case,
        record.store,
        record.keys,
        record.shape.name(),
        record.ops,
        figure(record.cpu_us_per_op),
        figure(record.p50_us),
        figure(record.p99_us),
        per_op(record.objects.objects_read),
        per_op(record.objects.objects_written),
        per_op(files.write_bytes),
        per_op(files.syncs),
        record.load1.unwrap_or_default(),
    )
}

/// A number with about three digits that mean something.
#[must_use]
pub fn figure(n: f64) -> String {
    match n {
        100.0.. => format!("{n:.0}"),
        10.0.. => format!("{n:.1}"),
        1.0.. => format!("{n:.2}"),
        _ => format!("{n:.3}"),
    }
}

/// One line of a file of results.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Machine { machine: Machine },
    Record(Box<Record>),
}

/// The page for some lines of JSON.
///
/// # Errors
/// A line that is none of ours.
pub fn page(lines: &str) -> Result<String, String> {
    let mut machines = Vec::new();
    let mut records: BTreeMap<String, Vec<Record>> = BTreeMap::new();
    for (number, text) in lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match serde_json::from_str(text) {
            Ok(Line::Machine { machine }) if machines.contains(&machine) => {}
            Ok(Line::Machine { machine }) => machines.push(machine),
            Ok(Line::Record(record)) => {
                records.entry(record.workload.clone()).or_default().push(*record);
            }
            Err(e) => return Err(format!("line {}: {e}", number + 1)),
        }
    }
    let mut page = String::from("# Benchmarks\n");
    for machine in &machines {
        page += &about(machine);
    }
    for (workload, records) in &records {
        let _ = write!(page, "\n## {workload}\n\n");
        page += &table(records);
    }
    Ok(page)
}

fn about(machine: &Machine) -> String {
    let gib = machine.memory as f64 / f64::from(1 << 30);
    format!(
        "\n{} ({}), {} cores, {gib:.0} GiB, {}, {}, {}.\n",
        machine.cpu, machine.features, machine.cores, machine.kernel, machine.rustc, machine.git
    )
}

fn table(records: &[Record]) -> String {
    let mut text = String::from(
        "| case | store | keys | CPU us/op | p50 us | p99 us | bytes written/op | syncs/op |\n\
         |---|---|---:|---:|---:|---:|---:|---:|\n",
    );
    for r in records {
        let files = r.files.map_or((String::new(), String::new()), |files| {
            let per_op = |n: u64| figure(n as f64 / r.ops as f64);
            (per_op(files.write_bytes), per_op(files.syncs))
        });
        let _ = writeln!(
            text,
            "| {} | {} | {} {} | {} | {} | {} | {} | {} |",
            r.case,
            r.store,
            r.keys,
            r.shape,
            figure(r.cpu_us_per_op),
            figure(r.p50_us),
            figure(r.p99_us),
            files.0,
            files.1
        );
    }
    text
}
