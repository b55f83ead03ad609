//! `irmin-benches`: runs workloads on our stores, one JSON object for each measurement.

// What it is for is to print and, where it cannot go on, to say so.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::expect_used)]

mod args;

use std::process::ExitCode;

use irmin_benches::heap;
use irmin_benches::machine::Machine;
use irmin_benches::meter::Meter;
use irmin_benches::record::Record;
use irmin_benches::report;
use irmin_benches::workloads::{self, Setup};
use irmin_core::{Code, Error};

use args::{Args, Command};

fn main() -> ExitCode {
    let ended = match Args::parse(std::env::args().skip(1)) {
        Ok(Command::Run(args)) => run(&args).map_err(|e| e.to_string()),
        Ok(Command::Report(files)) => report(&files),
        Ok(Command::Help) => {
            println!("{}", args::help());
            Ok(())
        }
        Err(why) => Err(why),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("irmin-benches: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> irmin_core::Result<()> {
    let warm = args.warm.is_some();
    if warm {
        let why = "the program cannot be started again";
        heap::keep().map_err(|e| Error::new(Code::Io, why).with_source(e))?;
    }
    let meter = Meter { work: args.work.clone(), count: args.count, warm };
    if args.json {
        println!("{}", serde_json::json!({ "machine": Machine::this() }));
    } else {
        println!("{}", report::HEADINGS);
    }
    // Only now: before that the machine said what new memory costs.
    args.warm.into_iter().for_each(heap::warm);
    let mut emit = |record: Record| {
        if args.json {
            println!("{}", serde_json::to_string(&record).expect("records are JSON"));
        } else {
            println!("{}", report::line(&record));
        }
    };
    for workload in workloads::ALL.iter().filter(|w| args.runs(w)) {
        for kind in &args.stores {
            let (meter, kind, emit) = (&meter, *kind, &mut emit);
            let (shape, n, divisor) = (args.shape, args.keys, args.divisor);
            let mut setup = Setup { meter, kind, shape, n, divisor, emit };
            let ended = workload.run(&mut setup);
            ended.map_err(|e| e.context(format_args!("{} on {kind}", workload.id)))?;
        }
    }
    Ok(())
}

fn report(files: &[String]) -> Result<(), String> {
    let mut text = String::new();
    for file in files {
        text += &std::fs::read_to_string(file).map_err(|e| format!("{file}: {e}"))?;
    }
    println!("{}", report::page(&text)?);
    Ok(())
}
