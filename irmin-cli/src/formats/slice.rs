//! Parts of histories with all their objects, for stores of the same format: `docs/SLICES.md` has
//! the bytes.

use std::io::BufRead;

use clap::{ArgAction, Args};
use irmin_core::io::{Read, StdRead};
use irmin_core::slice::{Export, Imported, SliceOptions, Writer};
use irmin_core::{Code, CommitId, Contents, Error, Hash, Kind, Repo};

use super::Sink;
use crate::exit::{Exit, Failure, Outcome};
use crate::names;
use crate::output::Output;
use crate::progress::Progress;

/// Where a slice stops.
#[derive(Args, Debug)]
#[command(next_help_heading = "Options of slices")]
pub(crate) struct Bounds {
    /// Begin at this revision, not at the heads of all branches; may be repeated
    #[arg(long, value_name = "REV")]
    max: Vec<String>,
    /// Leave out the ancestors of this revision, not its own tree; may be repeated
    #[arg(long, value_name = "REV")]
    min: Vec<String>,
    /// Leave out this revision and all that it reaches: the receiver has it; may be repeated
    #[arg(long, value_name = "REV")]
    have: Vec<String>,
    /// Go at most so many steps from the nearest head
    #[arg(long, value_name = "N")]
    depth: Option<usize>,
    /// Whether directories and values are in it, or commits only
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set)]
    full: bool,
}

impl Bounds {
    /// The option that other forms have no use for.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let given = [
            (!self.max.is_empty(), "--max"),
            (!self.min.is_empty(), "--min"),
            (!self.have.is_empty(), "--have"),
            (self.depth.is_some(), "--depth"),
            (!self.full, "--full"),
        ];
        given.into_iter().find(|(given, _)| *given).map(|(_, name)| name)
    }

    /// The slice that they bound.
    pub(crate) fn of<C: Contents>(&self, repo: &Repo<C>) -> Result<Export, Failure> {
        let there = |revision: &String| names::resolve(repo, revision).map(|commit| commit.id());
        let max = self.max.iter().map(there).collect::<Result<Vec<_>, _>>()?;
        let options = SliceOptions {
            max: (!max.is_empty()).then_some(max),
            min: self.min.iter().map(there).collect::<Result<_, _>>()?,
            have: self.have.iter().map(|name| elsewhere(repo, name)).collect::<Result<_, _>>()?,
            depth: self.depth,
            full: self.full,
        };
        Ok(repo.export_objects(&options)?)
    }
}

/// A commit of the receiver, which need not be here if its whole hash is written.
fn elsewhere<C: Contents>(repo: &Repo<C>, revision: &str) -> Result<CommitId, Failure> {
    let hash = revision.parse::<Hash>().ok();
    match hash.filter(|hash| hash.len() == repo.format().hash().len()) {
        Some(hash) => Ok(CommitId(hash)),
        None => names::resolve(repo, revision).map(|commit| commit.id()),
    }
}

/// What was written.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) heads: Vec<CommitId>,
    pub(crate) commits: u64,
    pub(crate) directories: u64,
    pub(crate) values: u64,
}

/// Writes a slice.
pub(crate) fn export(out: &Output, mut export: Export, sink: &mut Sink) -> Outcome<Tally> {
    let mut tally = Tally { heads: export.heads().to_vec(), ..Tally::default() };
    let mut progress = Progress::new(out, "exporting", "objects");
    sink.stream(|to| {
        let mut writer = Writer::new(to, export.format(), export.heads())?;
        while let Some(kind) = export.write_next(&mut writer)? {
            progress.step();
            *match kind {
                Kind::Commit => &mut tally.commits,
                Kind::Node | Kind::Inode => &mut tally.directories,
                _ => &mut tally.values,
            } += 1;
        }
        writer.finish()
    })?;
    progress.finish();
    Ok(tally)
}

/// Takes in a slice; no branch moves.
pub(crate) fn import<C: Contents>(
    out: &Output,
    repo: &Repo<C>,
    input: &mut dyn BufRead,
) -> Outcome<Imported> {
    let progress = Progress::new(out, "importing", "bytes");
    let mut counted = Counted { from: StdRead(input), bytes: 0, progress };
    let imported = repo.import_from(&mut counted).map_err(refused)?;
    counted.progress.finish();
    Ok(imported)
}

/// Bytes that are counted as they are read.
struct Counted<R> {
    from: R,
    bytes: u64,
    progress: Progress,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> irmin_core::Result<usize> {
        let n = self.from.read(buffer)?;
        self.bytes = self.bytes.saturating_add(u64::try_from(n).unwrap_or(0));
        self.progress.reach(self.bytes);
        Ok(n)
    }
}

/// It is the stream that is damaged, or has too little for this store: not the store.
fn refused(error: Error) -> Failure {
    let exit = match error.code() {
        Code::CorruptObject => Exit::Usage,
        Code::MissingObjects => Exit::Precondition,
        _ => return error.into(),
    };
    Failure { exit, hint: None, ..Failure::from(error) }
}
