//! The workloads of `irmin-benches` on other programs and libraries, in turn with our stores.
//!
//! Each round makes everything anew and runs each case on ours and on its peers, one after the
//! other, so that what the machine does meanwhile meets all of them. What is compared is the
//! processor time, user and system, of this process and of those that it starts; of W8 what files
//! grow by, and of W9 the memory of a process for each.
//!
//! The git store stands beside libgit2, gix and the git command; the native format in memory
//! beside imbl, which hashes nothing and has no history, and prolly-map, which has no commits.
//! prollytree is left out: it needs arrow and parquet to build.

// It prints, and ends where it cannot go on.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod cases;
mod command;
mod gitoxide;
mod irmin;
mod libgit2;
mod maps;
mod memory;
mod run;
mod side;

use std::path::PathBuf;
use std::process::ExitCode;

use irmin_benches::compare::Comparison;
use irmin_benches::keys::Shape;
use irmin_benches::machine::Machine;
use irmin_benches::report;
use irmin_benches::run::Run;

use side::Result;

const HELP: &str = "usage: irmin-benches-compare [--keys 10000] [--rounds 5] \
                    [--shape 3level|flat|ocaml] [--workload W2n,W7] [--store git,mem-native] \
                    [--peer libgit2,gix] [--dir DIR] [--json]\n\n\
                    --workload, --store and --peer leave the others out; all keys are loaded in \
                    any case.\n--dir is where all that have files make them: the file system \
                    decides what files cost.";

/// What the command line asks for.
pub(crate) struct Args {
    pub(crate) keys: usize,
    pub(crate) rounds: usize,
    pub(crate) shape: Shape,
    /// Where stores with files are made, ours and others.
    pub(crate) dir: PathBuf,
    workloads: Option<Vec<String>>,
    stores: Option<Vec<String>>,
    peers: Option<Vec<String>>,
    json: bool,
    /// The process is to tell the memory of one side.
    memory_of: Option<String>,
}

impl Args {
    /// Whether a workload is asked for.
    pub(crate) fn has_workload(&self, id: &str) -> bool {
        is_among(self.workloads.as_deref(), id)
    }

    /// Whether one of our stores is asked for.
    pub(crate) fn has_store(&self, name: &str) -> bool {
        is_among(self.stores.as_deref(), name)
    }

    /// Whether another program or library is asked for.
    pub(crate) fn has_peer(&self, name: &str) -> bool {
        is_among(self.peers.as_deref(), name)
    }
}

/// Without a list everything is asked for.
fn is_among(asked: Option<&[String]>, name: &str) -> bool {
    asked.is_none_or(|names| names.iter().any(|asked| asked == name))
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
    let mut args = Args {
        keys: 10_000,
        rounds: 5,
        shape: Shape::Levels,
        dir: std::env::temp_dir(),
        workloads: None,
        stores: None,
        peers: None,
        json: false,
        memory_of: None,
    };
    while let Some(arg) = given.next() {
        let mut text = || given.next().ok_or_else(|| format!("{arg} needs a value"));
        let list = |text: String| text.split(',').map(str::to_owned).collect();
        match arg.as_str() {
            "--workload" => args.workloads = Some(list(text()?)),
            "--store" => args.stores = Some(list(text()?)),
            "--peer" => args.peers = Some(list(text()?)),
            "--dir" => args.dir = text()?.into(),
            "--keys" => args.keys = text()?.parse()?,
            "--rounds" => args.rounds = text()?.parse()?,
            "--shape" => args.shape = text()?.parse()?,
            "--json" => args.json = true,
            memory::OF => args.memory_of = Some(text()?),
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
    if let Some(name) = &args.memory_of {
        return memory::tell(name, args);
    }
    if args.json {
        println!(
            "{}",
            serde_json::json!({ "machine": Machine::this(), "run": Run::this(&args.dir) })
        );
    }
    let compared = run::rounds(args)?;
    if compared.is_empty() {
        return Err("nothing is called so: --help shows some names".into());
    }
    for comparison in compared {
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
