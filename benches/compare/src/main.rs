//! The workloads of `irmin-benches` on other programs and libraries, in turn with our stores.
//!
//! Each round makes everything anew and runs each case on ours and on its peers, one after the
//! other, so that what the machine does meanwhile meets all of them. What is compared is the
//! processor time, user and system, of this process and of those that it starts.
//!
//! The git store stands beside libgit2, gix and the git command; the native format in memory
//! beside imbl, which hashes nothing and has no history, and prolly-map, which has no commits.
//! prollytree is left out: it needs arrow and parquet to build.

// It prints, and ends where it cannot go on.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod command;
mod gitoxide;
mod irmin;
mod libgit2;
mod maps;
mod run;
mod side;

use std::process::ExitCode;

use irmin_benches::compare::Comparison;
use irmin_benches::keys::Shape;
use irmin_benches::machine::Machine;
use irmin_benches::report;

use side::Result;

const HELP: &str = "usage: irmin-benches-compare [--keys 10000] [--rounds 5] \
                    [--shape 3level|flat|ocaml] [--json]";

/// What the command line asks for.
pub(crate) struct Args {
    pub(crate) keys: usize,
    pub(crate) rounds: usize,
    pub(crate) shape: Shape,
    json: bool,
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)).and_then(|args| args.map_or(Ok(()), |args| run(&args))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("irmin-benches-compare: {why}");
            ExitCode::FAILURE
        }
    }
}

/// None if help was asked for, and given.
fn parse(mut given: impl Iterator<Item = String>) -> Result<Option<Args>> {
    let mut args = Args { keys: 10_000, rounds: 5, shape: Shape::Levels, json: false };
    while let Some(arg) = given.next() {
        let mut text = || given.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--keys" => args.keys = text()?.parse()?,
            "--rounds" => args.rounds = text()?.parse()?,
            "--shape" => args.shape = text()?.parse()?,
            "--json" => args.json = true,
            "--help" | "-h" => {
                println!("{HELP}");
                return Ok(None);
            }
            _ => return Err(format!("{arg} is not known\n{HELP}").into()),
        }
    }
    // The larger merge changes a thousand keys on either side.
    if args.keys < 4000 || args.rounds == 0 {
        return Err("it needs 4000 keys and one round at least".into());
    }
    Ok(Some(args))
}

fn run(args: &Args) -> Result<()> {
    if args.json {
        println!("{}", serde_json::json!({ "machine": Machine::this() }));
    }
    for comparison in run::rounds(args)? {
        if args.json {
            println!("{}", serde_json::to_string(&comparison)?);
        } else {
            println!("{}", line(&comparison));
        }
    }
    Ok(())
}

fn line(compared: &Comparison) -> String {
    let each: Vec<String> = compared.ratios().into_iter().map(report::figure).collect();
    format!(
        "{:<4} {:<18} {:<11} {:<12} {:>8}x  spread {:>3.0} %  {:<28} rounds {}",
        compared.workload,
        compared.case,
        compared.store,
        compared.peer,
        report::figure(compared.median()),
        compared.spread() * 100.0,
        compared.doubt().map_or(String::new(), |why| format!("no verdict: {why}")),
        each.join(" ")
    )
}
