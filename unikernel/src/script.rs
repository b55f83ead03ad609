//! The commands, one a line: the verbs of the key-value device, branches, and what checks them.
//!
//! ```text
//! store PRESET                    a new store with that format
//! clock SECONDS                   the time of the commits to come
//! branch NAME                     goes to a branch, which begins where this one is
//! merge NAME                      merges a branch into this one
//! head                            the commit of this branch
//! exists get list size digest last-modified KEY
//! get-partial KEY OFFSET LENGTH
//! set KEY VALUE                   the value is the rest of the line
//! set-partial KEY OFFSET BYTES
//! rename KEY KEY
//! remove KEY
//! fill KEY COUNT                  k00000 = v0, k00001 = v1, … in one commit
//! batch … commit MESSAGE          the writes between them are one commit
//! check TEXT                      what the last command said must be this
//! memory                          what the program takes
//! leave                           ends the machine
//! ```

use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicI64, Ordering};

use irmin_core::backend::MemoryBackend;
use irmin_core::kv::{Batch, Kind, Kv};
use irmin_core::{Code, Context, Error, Format, FormatSpec, Merged, Repo, Result};

use crate::boot::STACK_SIZE;
use crate::machine::Status;
use crate::{memory, serial};

/// Runs what comes over the serial line, until it says to leave or a check fails.
pub fn run() -> Status {
    let mut session = match Session::new("git") {
        Ok(session) => session,
        Err(e) => {
            serial::print(format_args!("FAILED  {e}\n"));
            return Status::Failed;
        }
    };
    let mut said = String::new();
    let mut understood = true;
    loop {
        let Some(line) = serial::read_line() else {
            serial::print(format_args!("FAILED  a line is too long\n"));
            return Status::Failed;
        };
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        serial::print(format_args!("> {line}\n"));
        if line == "leave" {
            if understood {
                return Status::Ok;
            }
            serial::print(format_args!("FAILED  there were commands that do not exist\n"));
            return Status::Failed;
        }
        if let Some(expected) = line.strip_prefix("check ") {
            if expected != said {
                serial::print(format_args!("FAILED  it said: {said}\n"));
                return Status::Failed;
            }
            continue;
        }
        said = match session.command(line) {
            Ok(said) => said,
            Err(e) if e.code() == Code::Unsupported => {
                // Whoever types goes on; a check that is misspelt is not one that holds.
                understood = false;
                format!("error {e}")
            }
            Err(e) => format!("error {}: {e}", e.code().as_str()),
        };
        if !said.is_empty() {
            serial::print(format_args!("{said}\n"));
        }
        if memory::used().stack == STACK_SIZE {
            serial::print(format_args!("FAILED  the stack ran over\n"));
            return Status::Failed;
        }
    }
}

/// A store, and where in it the commands work.
struct Session {
    repo: Repo,
    kv: Kv,
    clock: Arc<AtomicI64>,
    /// The writes since `batch`.
    pending: Option<Vec<String>>,
}

impl Session {
    fn new(preset: &str) -> Result<Self> {
        let spec: FormatSpec = preset.parse()?;
        let clock = Arc::new(AtomicI64::new(0));
        let now = clock.clone();
        let context = Context::new("Ann <ann@example.org>", move || now.load(Ordering::Relaxed));
        let repo = Repo::new(Arc::new(MemoryBackend::new(Format::new(spec))), context)?;
        Ok(Session { kv: Kv::new(repo.main()?), repo, clock, pending: None })
    }

    /// Runs one command; what it says.
    fn command(&mut self, line: &str) -> Result<String> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        if let ("set" | "set-partial" | "rename" | "remove", Some(pending)) =
            (verb, &mut self.pending)
        {
            pending.push(line.to_string());
            return Ok(String::new());
        }
        match verb {
            "set" | "set-partial" | "rename" | "remove" => {
                self.kv.batch(line, |batch| write(batch, line))?;
                Ok(String::new())
            }
            "batch" => {
                self.pending = Some(Vec::new());
                Ok(String::new())
            }
            "commit" => {
                let lines = self.pending.take().unwrap_or_default();
                let all = |batch: &mut Batch<'_>| lines.iter().try_for_each(|l| write(batch, l));
                let commit = self.kv.batch(rest, all)?;
                Ok(commit.map_or_else(String::new, |commit| commit.id().to_string()))
            }
            "fill" => self.fill(rest),
            "store" => {
                *self = Session::new(rest)?;
                Ok(String::new())
            }
            "clock" => {
                self.clock.store(number(rest)?, Ordering::Relaxed);
                Ok(String::new())
            }
            "branch" => self.branch(rest),
            "merge" => self.merge(rest),
            "head" => {
                let head = self.kv.branch().head()?;
                Ok(head.map_or_else(|| "none".into(), |head| head.id().to_string()))
            }
            "memory" => Ok(report()),
            _ => self.read(verb, rest),
        }
    }

    fn read(&self, verb: &str, rest: &str) -> Result<String> {
        let kv = &self.kv;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let found = match verb {
            "exists" => kv.exists(rest)?.map(|kind| match kind {
                Kind::Value => "value".into(),
                Kind::Dictionary => "dictionary".into(),
            }),
            "get" => kv.get(rest)?.map(|value| text(&value)),
            "get-partial" => {
                let [key, offset, length] = words(rest)?;
                kv.get_partial(key, number(offset)?, number(length)?)?.map(|value| text(&value))
            }
            "list" => kv.list(rest)?.map(|entries| {
                let name = |(path, kind): &(irmin_core::Path, Kind)| match kind {
                    Kind::Value => path.to_string(),
                    Kind::Dictionary => format!("{path}/"),
                };
                entries.iter().map(name).collect::<Vec<_>>().join(" ")
            }),
            "size" => kv.size(rest)?.map(|size| size.to_string()),
            "digest" => kv.digest(rest)?.map(|hash| hash.to_string()),
            "last-modified" => kv.last_modified(rest)?.map(|date| date.to_string()),
            _ => return Err(unknown(verb)),
        };
        Ok(found.unwrap_or_else(|| "none".into()))
    }

    fn fill(&self, rest: &str) -> Result<String> {
        let [key, count] = words(rest)?;
        let count: u32 = number(count)?;
        let key = if key == "/" { "" } else { key };
        self.kv.batch(format!("fill {rest}"), |batch| {
            (0..count).try_for_each(|i| batch.set(format!("{key}/k{i:05}"), format!("v{i}")))
        })?;
        Ok(String::new())
    }

    fn branch(&mut self, name: &str) -> Result<String> {
        let branch = self.repo.branch(name)?;
        if branch.head()?.is_none() {
            self.kv.branch().fork(name)?;
        }
        self.kv = Kv::new(branch);
        Ok(String::new())
    }

    fn merge(&self, name: &str) -> Result<String> {
        let theirs = self.repo.branch(name)?;
        let merged = self.kv.branch().merge(&theirs, format!("merge {name}"))?;
        Ok(match merged {
            Merged::UpToDate => "up to date".into(),
            Merged::FastForward(commit) => format!("fast-forward {}", commit.id()),
            Merged::Created(commit) => format!("merged {}", commit.id()),
            Merged::Conflicts(conflicts) => {
                let say = |c: &irmin_core::Conflict| format!("conflict {}: {}", c.path, c.reason);
                conflicts.iter().map(say).collect::<Vec<_>>().join("\n")
            }
        })
    }
}

/// Does one write of a batch.
fn write(batch: &mut Batch<'_>, line: &str) -> Result<()> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (key, value) = rest.split_once(' ').unwrap_or((rest, ""));
    match verb {
        "set" => batch.set(key, value.to_string()),
        "set-partial" => {
            let (offset, bytes) = value.split_once(' ').unwrap_or((value, ""));
            batch.set_partial(key, number(offset)?, bytes)
        }
        "rename" => batch.rename(key, value),
        "remove" => batch.remove(rest),
        _ => Err(unknown(verb)),
    }
}

fn report() -> String {
    let used = memory::used();
    let kib = |bytes: usize| bytes.div_ceil(1024);
    format!(
        "code {} bytes, image {} KiB, heap {} of {} KiB at most, stack {} of {} KiB",
        used.code,
        kib(used.image),
        kib(used.heap),
        kib(used.heap_size),
        kib(used.stack),
        kib(STACK_SIZE),
    )
}

fn words<const N: usize>(rest: &str) -> Result<[&str; N]> {
    let words: Vec<&str> = rest.split_whitespace().collect();
    words
        .try_into()
        .map_err(|_| Error::new(Code::InvalidArgument, format!("`{rest}` should be {N} words")))
}

fn number<T: core::str::FromStr>(text: &str) -> Result<T> {
    let refused = || Error::new(Code::InvalidArgument, format!("`{text}` is no number here"));
    text.parse().map_err(|_| refused())
}

fn unknown(verb: &str) -> Error {
    Error::new(Code::Unsupported, format!("there is no command `{verb}`"))
}
