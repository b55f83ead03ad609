//! What the command line asks for.

use std::path::PathBuf;

use irmin_benches::keys::Shape;
use irmin_benches::store::Kind;
use irmin_benches::workloads::{self, Workload};

/// What to do.
pub(crate) enum Command {
    Run(Args),
    /// A page from files of records.
    Report(Vec<String>),
    Help,
}

/// What to run, and on what.
pub(crate) struct Args {
    /// Empty for all.
    workloads: Vec<String>,
    pub(crate) stores: Vec<Kind>,
    pub(crate) keys: usize,
    pub(crate) shape: Shape,
    pub(crate) divisor: usize,
    pub(crate) json: bool,
    pub(crate) count: bool,
    /// MiB of heap to have beforehand.
    pub(crate) warm: Option<usize>,
    pub(crate) work: PathBuf,
}

/// How the program is used.
pub(crate) fn help() -> String {
    let mut text = String::from(
        "usage: irmin-benches [--workload W1,W7] [--store mem-irmin,mem-native,mem-git,git]\n\
         \x20                    [--keys 10000] [--shape 3level|flat|ocaml] [--full | --divisor 20]\n\
         \x20                    [--dir DIR] [--json] [--count] [--warm-heap MIB]\n\
         \x20      irmin-benches report FILE...     a page from files of JSON records\n\n\
         --full does everything as often as the definitions say, and --divisor a part of that.\n\
         --dir is where stores with files are made. --count counts what is asked of stores in\n\
         memory too, which makes them slower.\n--warm-heap leaves out what the machine takes for memory that a program never had, and with it\n\
         how much memory is in use.\n\nworkloads:\n",
    );
    for workload in workloads::ALL {
        text += &format!("  {:<14} {}\n", workload.id, workload.about);
    }
    text
}

fn list<T: std::str::FromStr<Err = String>>(text: &str) -> Result<Vec<T>, String> {
    text.split(',').map(str::parse).collect()
}

impl Args {
    pub(crate) fn parse(args: impl Iterator<Item = String>) -> Result<Command, String> {
        let mut run = Args {
            workloads: Vec::new(),
            stores: Kind::ALL.to_vec(),
            keys: 10_000,
            shape: Shape::Levels,
            divisor: 20,
            json: false,
            count: false,
            warm: None,
            work: std::env::temp_dir(),
        };
        let mut args = args.peekable();
        if args.next_if_eq("report").is_some() {
            return Ok(Command::Report(args.collect()));
        }
        while let Some(arg) = args.next() {
            let mut text = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            let number = |text: String| {
                let n = text.parse().ok().filter(|n| *n > 0);
                n.ok_or_else(|| format!("{text} is not a number above zero"))
            };
            match arg.as_str() {
                "--workload" => run.workloads = text()?.split(',').map(str::to_owned).collect(),
                "--store" => run.stores = list(&text()?)?,
                "--keys" => run.keys = number(text()?)?,
                "--shape" => run.shape = text()?.parse()?,
                "--divisor" => run.divisor = number(text()?)?,
                "--full" => run.divisor = 1,
                "--dir" => run.work = PathBuf::from(text()?),
                "--json" => run.json = true,
                "--count" => run.count = true,
                "--warm-heap" => run.warm = Some(number(text()?)?),
                "--help" | "-h" => return Ok(Command::Help),
                _ => return Err(format!("{arg} is not known\n\n{}", help())),
            }
        }
        let known = |name: &String| workloads::ALL.iter().any(|w| w.id == *name);
        match run.workloads.iter().find(|name| !known(name)) {
            Some(name) => Err(format!("no workload is called {name}\n\n{}", help())),
            None => Ok(Command::Run(run)),
        }
    }

    /// Whether a workload is to run.
    pub(crate) fn runs(&self, workload: &Workload) -> bool {
        match self.workloads.as_slice() {
            [] => !workload.on_request,
            named => named.iter().any(|name| name == workload.id),
        }
    }
}
