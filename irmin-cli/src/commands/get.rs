//! `irmin get`: reading one value.

use std::fs::File;
use std::io;
use std::path::{Path as FilePath, PathBuf};

use clap::Args;
use irmin_core::io::{StdWrite, Write};
use irmin_core::{Branch, Code, Contents, Error, Path, Repo};
use serde_json::{Map, Value};

use crate::args::path_parser;
use crate::commands::{Session, Work};
use crate::exit::{Exit, Failure, Outcome};
use crate::formats::is_dash;
use crate::output::{Output, mode_name, put_value};

/// Read the value associated with a key.
///
/// The value is printed as it is, byte for byte; on a terminal a line end follows. If there is no
/// value it prints `<none>` and ends with code 1.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  irmin get --root notes.git greetings/en
  irmin get --root notes.git photo.jpg -o photo.jpg
  irmin get --root notes.git greetings/en --commit main~1")]
pub(crate) struct GetArgs {
    /// Key to look up
    #[arg(value_parser = path_parser())]
    path: Path,
    /// Write the value to a file; - is standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Work for GetArgs {
    fn run<C: Contents>(&self, session: &mut Session<'_>, repo: &Repo<C>) -> Outcome {
        let branch = session.reads(repo)?;
        if C::PLAIN && !session.out.json && self.stream(session, &branch)? {
            return Ok(Exit::Ok);
        }
        let found = branch.get_all(&self.path)?;
        let out = &mut session.out;
        let Some((value, metadata)) = found else {
            if out.json {
                let path = self.path.to_string();
                out.json(&serde_json::json!({"path": path, "value": null}))?;
            } else {
                out.line("<none>")?;
                if !branch.list(&self.path)?.is_empty() {
                    let note = "is a directory: `irmin list` shows what is in it";
                    out.note(&format!("`/{}` {note}", self.path));
                }
            }
            return Ok(Exit::Failure);
        };
        let bytes = value.encode()?;
        if let Some(file) = self.file() {
            write_file(file, &bytes)?;
        } else if out.json {
            let mut object = Map::new();
            object.insert("path".into(), self.path.to_string().into());
            put_value(&mut object, &bytes);
            object.insert("mode".into(), mode_name(metadata).into());
            out.json(&Value::Object(object))?;
        } else {
            out.bytes(&bytes)?;
            if out.terminal && !bytes.ends_with(b"\n") {
                out.bytes(b"\n")?;
            }
        }
        Ok(Exit::Ok)
    }
}

impl GetArgs {
    /// The file to write to; none for standard output.
    fn file(&self) -> Option<&FilePath> {
        self.output.as_deref().filter(|file| !is_dash(file))
    }

    /// Copies the value as it is read, whatever its size; `false` if there is none.
    fn stream<C: Contents>(&self, session: &mut Session<'_>, branch: &Branch<C>) -> Outcome<bool> {
        let Some(mut value) = branch.open(&self.path)? else { return Ok(false) };
        if let Some(file) = self.file() {
            let opened = File::create(file).map_err(|e| Failure::file(file, &e))?;
            let copied = value.copy_to(&mut StdWrite(opened));
            copied.map_err(|e| e.context(file.display()))?;
            return Ok(true);
        }
        let mut printer = Printer { out: &mut session.out, last: None, failed: None };
        match (value.copy_to(&mut printer), printer.failed, printer.last) {
            // What became of standard output decides how the command ends.
            (_, Some(e), _) => return Err(e.into()),
            (copied, None, last) => {
                copied?;
                if session.out.terminal && last != Some(b'\n') {
                    session.out.bytes(b"\n")?;
                }
            }
        }
        Ok(true)
    }
}

/// Standard output, as something to copy a value to.
struct Printer<'a> {
    out: &'a mut Output,
    last: Option<u8>,
    failed: Option<io::Error>,
}

impl Write for Printer<'_> {
    fn write(&mut self, bytes: &[u8]) -> irmin_core::Result<()> {
        self.last = bytes.last().copied().or(self.last);
        self.out.bytes(bytes).map_err(|e| {
            self.failed = Some(e);
            Error::new(Code::Io, "standard output cannot be written")
        })
    }
}

fn write_file(file: &FilePath, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(file, bytes).map_err(|e| Failure::file(file, &e))
}
