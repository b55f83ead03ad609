//! `irmin-benches`: runs workloads on our stores, one JSON object for each measurement.

// What it is for is to print and, where it cannot go on, to say so.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::expect_used)]

mod args;

use std::io::{self, Write as _};
use std::process::ExitCode;

use irmin_benches::heap;
use irmin_benches::machine::Machine;
use irmin_benches::meter::{Meter, PROBES};
use irmin_benches::record::Record;
use irmin_benches::report;
use irmin_benches::run::Run;
use irmin_benches::workloads::{self, Setup};
use irmin_core::{Code, Error};

use args::{Args, Command};

/// Why the program ends early.
enum End {
    /// Nobody reads what it prints any more, as after `head`.
    Unread,
    Failed(String),
}

impl From<io::Error> for End {
    fn from(e: io::Error) -> Self {
        match e.kind() {
            io::ErrorKind::BrokenPipe => End::Unread,
            _ => End::Failed(format!("standard output: {e}")),
        }
    }
}

impl From<String> for End {
    fn from(why: String) -> Self {
        End::Failed(why)
    }
}

fn main() -> ExitCode {
    let ended = match Args::parse(std::env::args().skip(1)) {
        Ok(Command::Run(args)) => run(&args),
        Ok(Command::Report(files)) => report(&files),
        Ok(Command::Help) => print(&args::help()).map_err(End::from),
        Err(why) => Err(End::Failed(why)),
    };
    match ended {
        Ok(()) | Err(End::Unread) => ExitCode::SUCCESS,
        Err(End::Failed(why)) => {
            eprintln!("irmin-benches: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Prints a line.
fn print(line: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

fn run(args: &Args) -> Result<(), End> {
    let warm = args.warm.is_some();
    if warm {
        heap::keep().map_err(|e| format!("the program cannot be started again: {e}"))?;
    }
    let program = std::env::current_exe().ok();
    let meter = Meter { work: args.work.clone(), count: args.count, warm, probes: PROBES, program };
    if args.part.is_some() {
        // Who started this process has told of the machine.
    } else if args.json {
        let told = serde_json::json!({ "machine": Machine::this(), "run": Run::this(&args.work) });
        print(&told.to_string())?;
    } else {
        print(report::HEADINGS)?;
    }
    // Only now: before that the machine said what new memory costs.
    args.warm.into_iter().for_each(heap::warm);
    let mut printer = Printer { json: args.json, records: 0, failed: None };
    let ended = measure(args, &meter, &mut printer);
    match (printer.failed, ended) {
        (Some(e), _) => Err(e.into()),
        (None, Err(e)) => Err(End::Failed(e.to_string())),
        (None, Ok(())) if printer.records == 0 => {
            Err(End::Failed("nothing was measured".to_owned()))
        }
        (None, Ok(())) => Ok(()),
    }
}

/// Runs what was asked for.
fn measure(args: &Args, meter: &Meter, printer: &mut Printer) -> irmin_core::Result<()> {
    for workload in workloads::ALL.iter().filter(|w| args.runs(w)) {
        for kind in &args.stores {
            if !workload.is_on(*kind) {
                if args.names(workload) {
                    let id = workload.id;
                    eprintln!("irmin-benches: {id} is about files, and {kind} has none");
                }
                continue;
            }
            let (shape, n, divisor) = (args.shape, args.keys, args.divisor);
            let emit = &mut |record| printer.record(&record);
            let part = args.part.as_ref();
            let mut setup = Setup { meter, kind: *kind, shape, n, divisor, part, emit };
            let ended = workload.run(&mut setup);
            ended.map_err(|e| e.context(format_args!("{} on {kind}", workload.id)))?;
        }
    }
    Ok(())
}

/// What prints records.
struct Printer {
    json: bool,
    /// How many there were.
    records: usize,
    /// Why no more can be printed.
    failed: Option<io::Error>,
}

impl Printer {
    fn record(&mut self, record: &Record) -> irmin_core::Result<()> {
        self.records += 1;
        let text = if self.json {
            serde_json::to_string(record).expect("records are JSON")
        } else {
            report::line(record)
        };
        print(&text).map_err(|e| {
            self.failed = Some(e);
            Error::new(Code::Io, "a record cannot be printed")
        })
    }
}

fn report(files: &[String]) -> Result<(), End> {
    let mut text = String::new();
    for file in files {
        text += &std::fs::read_to_string(file).map_err(|e| format!("{file}: {e}"))?;
    }
    Ok(print(&report::page(&text)?)?)
}
