//! A log of one's own type, with its own bytes and its own merge function.
//!
//! The bytes are lines that a person can read, and the merge keeps what both sides added, in order
//! of time; lines that a side took back or rewrote are a conflict.
//! `cargo run -p irmin-core --example custom_merge`
#![allow(clippy::print_stdout, reason = "an example says what it does")]

use std::fmt::Write as _;
use std::sync::Arc;

use irmin_core::backend::MemoryBackend;
use irmin_core::{
    Bytes, Code, Contents, Context, Error, Format, FormatSpec, Merge, Merged, Reason, Repo, Result,
    ValueEncoding,
};

/// Lines with the second that each was written in, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
struct Log(Vec<(u64, String)>);

impl Log {
    fn add(mut self, time: u64, line: &str) -> Self {
        self.0.push((time, line.to_owned()));
        self
    }
}

impl Contents for Log {
    const TYPE: &'static str = "example.log";
    const VALUES: ValueEncoding = ValueEncoding::Tagged;

    fn encode(&self) -> Result<Bytes> {
        let mut text = String::new();
        for (time, line) in &self.0 {
            if line.contains('\n') {
                return Err(Error::new(Code::InvalidValue, "an entry of the log is one line"));
            }
            let _ = writeln!(text, "{time} {line}");
        }
        Ok(text.into())
    }

    fn decode(bytes: Bytes) -> Result<Self> {
        let wrong = |line: &str| Error::new(Code::InvalidValue, format!("not an entry: {line:?}"));
        let text = String::decode(bytes)?;
        let entry = |line: &str| {
            let (time, rest) = line.split_once(' ').ok_or_else(|| wrong(line))?;
            Ok((time.parse().map_err(|_| wrong(line))?, rest.to_owned()))
        };
        text.lines().map(entry).collect::<Result<_>>().map(Log)
    }

    fn merge() -> Merge<Self> {
        Merge::new("example.log", |base: Option<&Log>, ours: &Log, theirs: &Log| {
            let base = base.map(|log| log.0.as_slice()).unwrap_or_default();
            let new = |side: &Log| side.0.strip_prefix(base).map(<[_]>::to_vec);
            let (Some(mut added), Some(others)) = (new(ours), new(theirs)) else {
                return Err(Reason::from("lines that both sides had were rewritten"));
            };
            added.extend(others);
            // The same in whichever order the sides come, as every merge should be.
            added.sort();
            Ok(Log([base, &added].concat()))
        })
    }
}

fn main() -> Result<()> {
    let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
    let repo = Repo::new(backend, Context::new("Ann <ann@example.org>", || 1_700_000_000))?;
    let main = repo.typed::<Log>()?.main()?;
    let start = Log::default().add(1, "the doors are open");
    main.set("log", start.clone(), "open")?;
    let draft = main.fork("back-door")?;

    main.set("log", start.clone().add(2, "Ann came").add(5, "Ann left"), "the front door")?;
    draft.set("log", start.clone().add(3, "Bob came"), "the back door")?;
    main.merge(&draft, "both doors")?.resolved()?;
    let both = start.add(2, "Ann came").add(3, "Bob came").add(5, "Ann left");
    assert_eq!(main.get("log")?, Some(both.clone()));
    print!("{}", String::from_utf8_lossy(&both.encode()?));

    // Who rewrites what is common is told, with the reason, and nothing is written.
    draft.set("log", Log::default().add(1, "nobody was here"), "tidy up")?;
    let Merged::Conflicts(conflicts) = main.merge(&draft, "try")? else {
        return Err(Error::new(Code::MergeConflict, "a rewritten log was merged"));
    };
    for conflict in &conflicts {
        println!("conflict at `{}`: {}", conflict.path, conflict.reason);
    }
    assert_eq!(conflicts.len(), 1);
    assert_eq!(main.get("log")?, Some(both));
    Ok(())
}
