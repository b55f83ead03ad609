//! What the command line asks for.

use std::path::PathBuf;

use irmin_benches::keys::Shape;
use irmin_benches::store::Kind;
use irmin_benches::workloads::{self, Part, Workload};

/// What to do.
pub(crate) enum Command {
    Run(Args),
    /// A page from files of records.
    Report(Vec<String>),
    Help,
}

/// What to run, and on what.
pub(crate) struct Args {
    /// Empty for all that do not take too long.
    workloads: Vec<&'static Workload>,
    pub(crate) stores: Vec<Kind>,
    pub(crate) keys: usize,
    pub(crate) shape: Shape,
    pub(crate) divisor: usize,
    pub(crate) json: bool,
    pub(crate) count: bool,
    /// MiB of heap to have beforehand.
    pub(crate) warm: Option<usize>,
    pub(crate) work: PathBuf,
    /// The one case that this process was started for.
    pub(crate) part: Option<Part>,
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
         memory too, objects and hashed bytes, which makes them slower: without it their records\n\
         have no such counts.\n--warm-heap leaves out what the machine takes for memory that a program never had, and with it\n\
         how much memory is in use.\n\
         W9 starts a process for each case: --case and --filled tell it which, and where the store is.\n\n\
         workloads:\n",
    );
    for workload in workloads::ALL {
        let more = match (workload.of_files, workload.on_request) {
            (true, _) => " (stores with files)",
            (_, true) => " (only where it is named, and all of them with --full)",
            _ => "",
        };
        text += &format!("  {:<14} {}{more}\n", workload.id, workload.about);
    }
    text
}

/// What the names in a list stand for.
fn list<T>(text: &str, named: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    text.split(',').map(named).collect()
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
            part: None,
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
                "--workload" => run.workloads = list(&text()?, Workload::named)?,
                "--store" => run.stores = list(&text()?, str::parse)?,
                "--keys" => run.keys = number(text()?)?,
                "--shape" => run.shape = text()?.parse()?,
                "--divisor" => run.divisor = number(text()?)?,
                "--full" => run.divisor = 1,
                "--dir" => run.work = PathBuf::from(text()?),
                "--json" => run.json = true,
                "--count" => run.count = true,
                "--warm-heap" => run.warm = Some(number(text()?)?),
                "--case" => run.part.get_or_insert_default().case = text()?,
                "--filled" => {
                    run.part.get_or_insert_default().filled = Some(PathBuf::from(text()?));
                }
                "--help" | "-h" => return Ok(Command::Help),
                _ => return Err(format!("{arg} is not known\n\n{}", help())),
            }
        }
        Ok(Command::Run(run))
    }

    /// Whether a workload was asked for by its name.
    pub(crate) fn names(&self, workload: &Workload) -> bool {
        self.workloads.iter().any(|named| named.id == workload.id)
    }

    /// Whether a workload is to run.
    pub(crate) fn runs(&self, workload: &Workload) -> bool {
        self.names(workload) || self.workloads.is_empty() && !workload.on_request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, String> {
        match Args::parse(line.split_whitespace().map(str::to_owned))? {
            Command::Run(args) => Ok(args),
            _ => panic!("{line} asks for something else"),
        }
    }

    /// The names of the workloads that run.
    fn runs(args: &Args) -> Vec<&'static str> {
        workloads::ALL.iter().filter(|w| args.runs(w)).map(|w| w.id).collect()
    }

    #[test]
    fn workloads_run_that_are_named_or_else_all_quick_ones() {
        assert_eq!(runs(&parse("--workload last-modified,W1").unwrap()), ["W1", "last-modified"]);
        assert_eq!(runs(&parse("--workload W11-long --full").unwrap()), ["W11-long"]);
        let all = parse("").unwrap();
        assert_eq!(runs(&all).len(), workloads::ALL.len() - 1);
        assert!(!runs(&all).contains(&"W11-long") && !all.names(&workloads::ALL[0]));
    }

    #[test]
    fn names_that_are_not_known_are_refused_beside_known_ones() {
        let why = |line| parse(line).err().unwrap();
        assert!(why("--workload W1,W99").starts_with("no workload is called W99: W1, W2n, "));
        assert!(why("--workload W1,").starts_with("no workload is called : W1, "));
        assert!(why("--store git,got").starts_with("no store is called got: mem-irmin, "));
        assert!(why("--shape round").starts_with("no shape is called round: 3level, "));
    }

    #[test]
    fn numbers_are_above_zero() {
        let args = parse("--keys 7 --divisor 3 --warm-heap 5 --json --count").unwrap();
        assert_eq!((args.keys, args.divisor, args.warm), (7, 3, Some(5)));
        assert!(args.json && args.count);
        assert_eq!(parse("--full").unwrap().divisor, 1);
        for line in ["--keys 0", "--keys x", "--keys", "--divisor -1", "--else"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
