//! Records as text: a line on a terminal, and the page of results.

use std::fmt::Write as _;

use serde::Deserialize;

use crate::compare::{self, Comparison};
use crate::machine::Machine;
use crate::notes::{Figure, Notes};
use crate::record::Record;
use crate::run::Run;
use crate::workloads;

/// What stands above the lines of [`line()`].
pub const HEADINGS: &str = "workload       case                             store           keys \
                            shape       ops    cpu us/op       p50 us       p99 us  read/op \
                            written/op  bytes/op   disk/op  x write   x disk syncs/op  load";

/// A record in one line.
#[must_use]
pub fn line(record: &Record) -> String {
    let per_op = |n: u64| record.each(n as f64);
    let [write, disk] = record.amplification().unwrap_or_default();
    let (objects, files) = (record.objects.unwrap_or_default(), record.files.unwrap_or_default());
    format!(
        "{:<14} {:<32} {:<10} {:>9} {:<6} {:>8} {:>12} {:>12} {:>12} {:>8.2} {:>10.2} {:>9.0} \
         {:>9.0} {write:>8.2} {disk:>8.2} {:>8.2} {:>5.2}",
        record.workload,
        record.case,
        record.store,
        record.keys,
        record.shape.name(),
        record.ops,
        figure(record.cpu_us_per_op),
        figure(record.p50_us),
        figure(record.p99_us),
        per_op(objects.objects_read),
        per_op(objects.objects_written),
        per_op(files.write_bytes),
        record.each(record.disk_growth().unwrap_or_default()),
        per_op(files.syncs),
        record.load1.unwrap_or_default(),
    )
}

/// A number with about three digits that mean something.
#[must_use]
pub fn figure(n: f64) -> String {
    match n {
        _ if n < 0.0 => format!("-{}", figure(-n)),
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
    Machine {
        machine: Box<Machine>,
        #[serde(default)]
        run: Option<Run>,
    },
    Record(Box<Record>),
    Comparison(Box<Comparison>),
}

/// Where and of what the figures are that follow in a file.
struct Source {
    machine: Machine,
    run: Option<Run>,
    /// What syncs took, before and after each measurement.
    syncs: Vec<f64>,
}

/// What the files say.
#[derive(Default)]
struct Results {
    sources: Vec<Source>,
    records: Vec<Record>,
    comparisons: Vec<Comparison>,
}

impl Results {
    fn parse(lines: &str) -> Result<Self, String> {
        let mut found = Results::default();
        for (number, text) in lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty())
        {
            match serde_json::from_str(text) {
                Ok(Line::Machine { machine, run }) => {
                    found.sources.push(Source { machine: *machine, run, syncs: Vec::new() });
                }
                Ok(Line::Record(record)) => {
                    if let Some(source) = found.sources.last_mut() {
                        source.syncs.extend(record.fsync_us);
                        source.syncs.extend(record.fsync_us_after);
                    }
                    found.records.push(*record);
                }
                Ok(Line::Comparison(compared)) => found.comparisons.push(*compared),
                Err(e) => return Err(format!("line {}: {e}", number + 1)),
            }
        }
        Ok(found)
    }

    /// The least and the most load that was seen.
    fn load(&self) -> Option<(f64, f64)> {
        let records = self.records.iter().filter_map(|record| record.load1);
        let loads = records.chain(self.comparisons.iter().filter_map(|c| c.load1));
        range(loads)
    }
}

/// The least and the most of some figures.
fn range(figures: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    figures.fold(None, |range, figure| {
        let (least, most) = range.unwrap_or((figure, figure));
        Some((figure.min(least), figure.max(most)))
    })
}

/// The page for some lines of JSON.
///
/// # Errors
/// A line that is none of ours.
pub fn page(lines: &str) -> Result<String, String> {
    let (found, notes) = (Results::parse(lines)?, Notes::built_in());
    let mut page = String::from(PREFACE);
    for (n, source) in found.sources.iter().enumerate() {
        let same = |other: &&Source| other.machine.is(&source.machine);
        if !found.sources.iter().take(n).any(|known| same(&known)) {
            page += &about(&found.sources.iter().filter(same).collect::<Vec<_>>());
        }
    }
    if let Some((least, most)) = found.load() {
        let _ = write!(page, "\nThe load of the machine was between {least:.1} and {most:.1}. ");
        // What measures is a load of one itself.
        page += if most > 1.0 + compare::LOAD { LOADED } else { QUIET };
    }
    page += &beside_irmin(&found.records, &notes);
    page += &beside_peers(&found.comparisons, &notes);
    for workload in workloads::ALL {
        let of = |record: &&Record| record.workload == workload.id;
        let records: Vec<&Record> = found.records.iter().filter(of).collect();
        if !records.is_empty() {
            let _ = write!(page, "\n## {}: {}\n\n", workload.id, workload.about);
            page += &table(&records, &notes);
            if workload.id == "W8" {
                page += &amplified(&records);
            }
            page += &bounds(&records, &notes);
        }
    }
    Ok(page)
}

const PREFACE: &str = "\
# Benchmarks

Written by `irmin-benches report FILE...` from the JSON lines of `irmin-benches --json` and of
`benches/compare`; targets and what bounds a figure are in `benches/figures.json`. A value has 100
bytes, the seed is 42. Microseconds of processor time, user and system, for each operation are what
to judge by; medians and 99th percentiles are wall time. The peak is that of the memory in use, and
new is what was not in use when the case began: the keys and values of the benchmark were, and what
the process had before.
";

const LOADED: &str = "\
Other programs ran: processor time\nis too high by what they took of the caches, and wall time says \
little.\n";

const QUIET: &str =
    "Little else ran on it; what its host did shows in how far\nthe rounds lie apart.\n";

/// A machine, and all that is from it.
fn about(sources: &[&Source]) -> String {
    let Some(machine) = sources.first().map(|source| &source.machine) else {
        return String::new();
    };
    let costs = sources.iter().map(|source| source.machine.new_mebibyte_us);
    let (least, most) = range(costs).unwrap_or_default();
    let gib = machine.memory as f64 / f64::from(1 << 30);
    format!(
        "\n{} ({}), {} cores, {gib:.0} GiB, {}, {}, {}.\nA MiB of memory costs {least:.0} to {most:.0} us of processor \
         time when a program gets it for the first time;\na warm heap had all of it before. \
         Huge pages: {}.\n{}",
        machine.cpu,
        machine.features,
        machine.cores,
        machine.kernel,
        machine.rustc,
        machine.git,
        machine.huge_pages,
        runs(sources)
    )
}

/// The runs on a machine, those of one commit, day and file system together.
fn runs(sources: &[&Source]) -> String {
    let mut text = String::new();
    for (n, source) in sources.iter().enumerate() {
        let Some(run) = &source.run else { continue };
        let same = |other: &&&Source| other.run.as_ref() == Some(run);
        if sources.iter().take(n).any(|known| same(&known)) {
            continue;
        }
        let files = run.files.as_deref().unwrap_or("a file system that is not known");
        let _ = write!(text, "\n- Commit {} on {}, files on {files}", run.commit, run.date);
        let syncs = sources.iter().filter(same).flat_map(|source| source.syncs.iter().copied());
        if let Some((least, most)) = range(syncs) {
            let (least, most) = (figure(least), figure(most));
            let _ = write!(text, "; 1 KiB written over and synced took {least} to {most} us");
        }
        text += ".";
    }
    if text.is_empty() { text } else { text + "\n" }
}

/// Whether a figure is what it should be.
fn met(is: bool) -> &'static str {
    if is { "yes" } else { "**no**" }
}

fn beside_irmin(records: &[Record], notes: &Notes) -> String {
    let mut rows = String::new();
    for record in records {
        if let Some(theirs) = notes.irmin(record) {
            let times = theirs.us / record.cpu_us_per_op;
            let _ = writeln!(
                rows,
                "| {} | {} | {} {} | {} | {} | {} | {} | {}x | {} | {} |",
                record.workload,
                record.case,
                record.keys,
                record.shape,
                record.store,
                figure(record.cpu_us_per_op),
                theirs.program,
                figure(theirs.us),
                figure(times),
                theirs.times.map_or(String::new(), |aim| format!("{aim}x")),
                theirs.times.map_or("", |aim| met(times >= aim)),
            );
        }
    }
    if rows.is_empty() { rows } else { format!("{IRMIN}{rows}") }
}

const IRMIN: &str = "
## Beside OCaml Irmin

The same numbers of keys, spread alike. Irmin 3.11 was measured at another time, on a machine with
two cores and SHA instructions where nothing else ran, and nothing was synced. irmin-pack writes
files, and our native format is in memory here: of that factor a part is what files cost. Lists are
by entry and histories by commit.

| workload | case | keys | store | us | Irmin | us | factor | aim | met |
|---|---|---|---|---:|---|---:|---:|---:|---|
";

fn beside_peers(comparisons: &[Comparison], notes: &Notes) -> String {
    let mut rows = String::new();
    for c in comparisons {
        let aim = notes.aim(c);
        let _ = writeln!(
            rows,
            "| {} | {} | {} {} | {} | {} {} | {} | {} | {}x | {:.0} % | {} | {} |",
            c.workload,
            c.case,
            c.keys,
            c.shape,
            c.files.as_ref().map_or(c.store.clone(), |files| format!("{} on {files}", c.store)),
            figure(compare::median(c.ours.clone())),
            c.unit.name(),
            c.peer,
            figure(compare::median(c.theirs.clone())),
            figure(c.median()),
            c.spread() * 100.0,
            aim.map_or(String::new(), |aim| match c.doubt() {
                Some(_) => format!("{aim}x"),
                None => format!("{aim}x: {}", met(c.median() >= aim)),
            }),
            c.doubt().map_or(String::new(), |why| format!("none: {why}")),
        );
    }
    if rows.is_empty() { rows } else { format!("{PEERS}{rows}") }
}

const PEERS: &str = "
## Beside others

Rounds in turn; the ratio is how many times of ours the other takes, above 1 it takes more. Figures
are processor time for an operation, but for W8, what files grew by for each byte of values, and W9,
the most memory in use in a process of its own. Nothing is synced but in cases called durable:
libgit2 and gix do not by default, the git store and the git command have repositories with
core.fsync=none. Where all is durable gix is left out, which syncs nothing of what is compared.
libgit2 and gix write loose objects, as they do by default; the git command's time is mostly that of
starting processes, and it cannot read single keys, nor does anything tell how much memory its
processes take. imbl hashes nothing, and neither it nor prolly-map has commits or files. prollytree
is left out: it needs arrow and parquet to build.

| workload | case | keys | store | ours | other | theirs | ratio | spread | aim | verdict |
|---|---|---|---|---:|---|---:|---:|---:|---|---|
";

fn table(records: &[&Record], notes: &Notes) -> String {
    let mut text = String::from(
        "| case | store | keys | ops | CPU us/op | target | p50 us | p99 us | objects written/op | \
         bytes written/op | syncs/op | peak MiB | of it new |\n\
         |---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for r in records {
        let per_op = |n: u64| figure(n as f64 / r.ops as f64);
        let files = r.files.map(|files| (per_op(files.write_bytes), per_op(files.syncs)));
        let (bytes, syncs) = files.unwrap_or_default();
        let _ = writeln!(
            text,
            "| {} | {} | {} {}{} | {} | {} | {} | {} | {} | {} | {bytes} | {syncs} | {} | {} |",
            r.case,
            r.store,
            r.keys,
            r.shape,
            if r.warm_heap { ", warm heap" } else { "" },
            r.ops,
            figure(r.cpu_us_per_op),
            notes.figure(r).and_then(|note| note.target(r.keys)).map_or(String::new(), figure),
            figure(r.p50_us),
            figure(r.p99_us),
            r.objects.map_or(String::new(), |objects| per_op(objects.objects_written)),
            r.peak_rss.map_or(String::new(), |peak| (peak >> 20).to_string()),
            r.grown().map_or(String::new(), |grown| (grown >> 20).to_string()),
        );
    }
    text
}

/// What is written and kept for each commit, and for each byte of its keys and values.
fn amplified(records: &[&Record]) -> String {
    let mut text = String::from(AMPLIFIED);
    for r in records {
        let Some([write, disk]) = r.amplification() else { continue };
        let each = |bytes: Option<f64>| bytes.map_or(String::new(), |n| figure(r.each(n)));
        let _ = writeln!(
            text,
            "| {} | {} | {} {} | {} | {} | {} | {} | {} | {}x | {}x |",
            r.case,
            r.store,
            r.keys,
            r.shape,
            r.ops,
            each(r.payload_bytes.map(|n| n as f64)),
            each(r.files.map(|files| files.write_bytes as f64)),
            each(r.kernel_write_bytes.map(|n| n as f64)),
            each(r.disk_growth()),
            figure(write),
            figure(disk),
        );
    }
    text
}

const AMPLIFIED: &str = "
Bytes for each commit: of its keys and values, given to write, handed to storage as the kernel counts
it, and of the blocks that the files grew by. The factors are by the bytes of the keys and values.

| case | store | keys | commits | payload | written | kernel | growth | written by payload | growth by payload |
|---|---|---|---:|---:|---:|---:|---:|---:|---:|
";

/// What bounds the figures of a table, each once.
fn bounds(records: &[&Record], notes: &Notes) -> String {
    let mut said: Vec<&Figure> = Vec::new();
    for note in records.iter().filter_map(|record| notes.figure(record)) {
        if !said.iter().any(|known| std::ptr::eq(*known, note)) {
            said.push(note);
        }
    }
    let line = |note: &&Figure| match note.case.as_str() {
        "" => format!("- {}\n", note.bound),
        case => format!("- {case}: {}\n", note.bound),
    };
    format!("\n{}", said.iter().map(line).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Keys, Shape};
    use crate::meter::{Case, Times, record};
    use crate::record::{Counters, Files};

    fn made(case: Case<'_>, store: &str, keys: &Keys, cpu: f64) -> Record {
        let times = Times { wall: 1.0, cpu, ..Times::default() };
        record(case, store, keys, times, &Counters::default(), &Counters::default())
    }

    fn json(record: &Record) -> String {
        serde_json::to_string(record).unwrap() + "\n"
    }

    /// The first line of a file of results.
    fn source(run: Option<&Run>) -> String {
        let machine = Machine { cpu: "Abacus 3".to_owned(), ..Machine::default() };
        match run {
            Some(run) => format!("{}\n", serde_json::json!({ "machine": machine, "run": run })),
            None => format!("{}\n", serde_json::json!({ "machine": machine })),
        }
    }

    fn run(commit: &str, files: Option<&str>) -> Run {
        let files = files.map(str::to_owned);
        Run { commit: commit.to_owned(), date: "2026-12-01".to_owned(), files }
    }

    #[test]
    fn numbers_have_three_digits_that_mean_something() {
        let numbers = [1234.5, 12.345, 1.2345, 0.012_345, 0.0, -12.345];
        assert_eq!(numbers.map(figure), ["1234", "12.3", "1.23", "0.012", "0.000", "-12.3"]);
    }

    #[test]
    fn the_page_says_what_was_run_where_and_what_syncs_took() {
        let keys = Keys::new(Shape::Flat, 5);
        let mut synced = made(Case::new("W2d", "commit-1 durable", 2), "git", &keys, 1.0);
        let mut text = source(Some(&run("abc", Some("ext4"))));
        for (before, after) in [(70.0, 60.0), (65.0, 80.0)] {
            (synced.fsync_us, synced.fsync_us_after) = (Some(before), Some(after));
            text += &json(&synced);
            // The second file is of the same run.
            text += &source(Some(&run("abc", Some("ext4"))));
        }
        text += &source(Some(&run("unknown", None)));
        // Of an earlier version, or of what compares.
        text += &source(None);
        let page = page(&text).unwrap();
        assert_eq!(page.matches("Abacus 3").count(), 1);
        let runs: Vec<&str> = page.lines().filter(|l| l.starts_with("- Commit")).collect();
        assert_eq!(
            runs,
            [
                "- Commit abc on 2026-12-01, files on ext4; 1 KiB written over and synced took 60.0 \
                 to 80.0 us.",
                "- Commit unknown on 2026-12-01, files on a file system that is not known.",
            ]
        );
    }

    #[test]
    fn irmin_stands_beside_the_same_workload_only() {
        let five_thousand = Keys::new(Shape::Ocaml, 5000);
        let mut ours =
            made(Case::new("W2n", "commit-1 buffered", 1000), "git", &five_thousand, 0.5);
        let row = "| W2n | commit-1 buffered | 5000 ocaml | git | 500 | irmin-git | 6045 | 12.1x \
                   | 8x | yes |";
        assert!(page(&json(&ours)).unwrap().contains(row));
        ours.keys = 10_000;
        assert!(!page(&json(&ours)).unwrap().contains("irmin-git"));
        let few = Keys::new(Shape::Levels, 100);
        let graph = |ops| made(Case::bulk("W11", "graph, after open", ops), "git", &few, 0.01);
        // Nothing says how many times it should be.
        let row =
            "| W11 | graph, after open | 100 3level | git | 5.00 | irmin-git | 650 | 130x |  |  |";
        assert!(page(&json(&graph(2000))).unwrap().contains(row));
        assert!(!page(&json(&graph(10_000))).unwrap().contains("irmin-git"));
    }

    #[test]
    fn bytes_are_divided_by_commits_and_by_payload() {
        let keys = Keys::new(Shape::Flat, 5);
        let case = Case::new("W8", "commit-1", 10).with_payload(1000);
        let mut record = made(case, "git", &keys, 1.0);
        assert!(!page(&json(&record)).unwrap().contains("| 100 |"));
        record.files = Some(Files { write_bytes: 4000, ..Files::default() });
        record.kernel_write_bytes = Some(8192);
        (record.disk_before, record.disk_after) = (Some(8192), Some(4096));
        let row = "| commit-1 | git | 5 flat | 10 | 100 | 400 | 819 | -410 | 4.00x | -4.10x |";
        let page = page(&json(&record)).unwrap();
        assert!(page.contains(row), "{page}");
    }

    #[test]
    fn a_line_that_is_none_of_ours_is_named() {
        let why = page("\n{\"machine\": 1}\n").unwrap_err();
        assert!(why.starts_with("line 2: "), "{why}");
    }
}
