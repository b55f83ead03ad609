//! Opening and making stores.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::objects::Coding;
use super::record::{self, Record};
use super::{FsBackend, Moving, State, files, names, owner, refs};
use crate::backend::{Notifier, Recorded, Target};
use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::io::{FileKind, Io};
use crate::limits::Limits;
use crate::lock::{Mutex, OnceLock};
use crate::name::{BranchName, RefName};
use crate::object::{Format, FormatSpec, Kind};

/// How a store of files is used.
///
/// ```
/// use irmin_core::backend::FsOptions;
/// // A program that would rather fail than wait for the locks of others.
/// let hasty = FsOptions { attempts: 1, ..FsOptions::default() };
/// assert!(hasty.attempts < FsOptions::default().attempts);
/// ```
#[derive(Clone, Debug)]
pub struct FsOptions {
    /// The format of a directory that records none, which the original's do not. Before the first
    /// write some of its objects are looked at, and the write is refused if they are of another.
    pub unrecorded: FormatSpec,
    /// Bounds; [`Limits::object`] is the largest object that is read into memory.
    pub limits: Limits,
    /// How often a lock that others hold is tried, with a pause of up to 50 ms after each, before
    /// a write fails as `locked`.
    pub attempts: u32,
}

impl Default for FsOptions {
    /// The original's format, and some ten seconds for a lock.
    fn default() -> Self {
        let unrecorded = FormatSpec::irmin_mem();
        FsOptions { unrecorded, limits: Limits::default(), attempts: 200 }
    }
}

/// What a new store of files is like.
///
/// ```
/// use irmin_core::FormatSpec;
/// use irmin_core::backend::FsInit;
/// assert_eq!(FsInit::default().spec, FormatSpec::irmin_mem());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FsInit {
    /// Its format. The original's programs read stores of the preset `irmin-mem`, if they are
    /// compiled with its hash function and its type of values.
    pub spec: FormatSpec,
    /// The branch that `HEAD` names.
    pub branch: BranchName,
    /// What it records of its values and how they merge.
    pub recorded: Recorded,
}

impl Default for FsInit {
    fn default() -> Self {
        FsInit {
            spec: FormatSpec::irmin_mem(),
            branch: BranchName::main(),
            recorded: Recorded::default(),
        }
    }
}

impl FsBackend {
    /// Opens the store of some files.
    ///
    /// # Errors
    /// `not_found` if there is none, `unsupported` if it is another kind of store, `corrupt_store`,
    /// `io`.
    pub fn open(io: Arc<dyn Io>, options: &FsOptions) -> Result<Self> {
        if !is_store(&*io)? {
            let why = "there is no store of files: it has no directory `objects`";
            return Err(Error::new(Code::NotFound, why));
        }
        let found = files::read(&*io, record::FILE, record::MAX, 0)?;
        let is_recorded = found.is_some();
        let record = match found {
            None => Record { spec: options.unrecorded, recorded: Recorded::default() },
            Some(bytes) => Record::decode(&String::from_utf8(bytes).map_err(|_| {
                Error::new(Code::CorruptStore, format!("`{}` is not text", record::FILE))
            })?)?,
        };
        // Also refuses what cannot be recorded.
        record.encode()?;
        let limit = options.limits.object as u64;
        Ok(FsBackend {
            dirs: files::Dirs::new(io.clone()),
            io,
            format: Format::new(record.spec),
            coding: Coding::new(&record.spec, limit),
            recorded: record.recorded,
            is_recorded,
            attempts: options.attempts,
            owner: OnceLock::default(),
            beginning: Mutex::new(()),
            poison: Mutex::default(),
            state: Mutex::new(State::default()),
            moving: Mutex::new(Moving::default()),
            notifier: Notifier::default(),
            checked: Mutex::new(VecDeque::new()),
        })
    }

    /// Makes a store in an empty directory, and opens it. Of several programs that do so at once one
    /// succeeds.
    ///
    /// # Errors
    /// `name_clash` if there is anything else, `unsupported` for a format of git's, `locked` if
    /// another program is at it for too long, `io`.
    pub fn init(io: Arc<dyn Io>, new: &FsInit, options: &FsOptions) -> Result<Self> {
        make(&*io, new, options.attempts)?;
        FsBackend::open(io, &FsOptions { unrecorded: new.spec, ..options.clone() })
    }

    /// Opens a store, or makes one; several programs may do so at once.
    ///
    /// # Errors
    /// Those of [`open`](FsBackend::open) and [`init`](FsBackend::init).
    pub fn open_or_init(io: Arc<dyn Io>, new: &FsInit, options: &FsOptions) -> Result<Self> {
        match FsBackend::open(io.clone(), options) {
            Err(e) if e.code() == Code::NotFound => {}
            opened => return opened,
        }
        FsBackend::init(io.clone(), new, options).or_else(|e| {
            // Another program may have made it meanwhile.
            let made = (e.code() == Code::NameClash).then(|| FsBackend::open(io, options));
            made.and_then(Result::ok).ok_or(e)
        })
    }
}

/// How many objects are looked at before a store that records no format is written to, and the
/// largest of them, in bytes.
const LOOKS: usize = 16;
const LOOKED_AT: u64 = 1 << 20;

impl FsBackend {
    /// Refuses a store that records no format and whose objects are not of the one that it is
    /// taken for: two formats in one store are a mess that nobody sorts out.
    ///
    /// # Errors
    /// `invalid_argument`, `io`.
    pub(super) fn agree(&self) -> Result<()> {
        let (mut good, mut values, mut other, mut bad) = (0_usize, 0_usize, None, 0_usize);
        let looked_at = if self.is_recorded { Vec::new() } else { self.some_objects()? };
        for (id, mut file) in looked_at {
            match self.coding.kind(&id, &mut file) {
                Some(Kind::Value) => values += 1,
                Some(_) => good += 1,
                None => {
                    bad += 1;
                    other = other.or_else(|| self.coding.other(&id, &mut file));
                }
            }
        }
        let why = match other.filter(|_| values == 0) {
            Some(why) => format!("an object tells that {why}"),
            None if bad > 0 && good + values == 0 => {
                let why = "none has its hash: they have another hash function, or are damaged";
                format!("of the {bad} objects that were looked at {why}")
            }
            None => return Ok(()),
        };
        let why = format!("the store records no format, and is not of the one asked for: {why}");
        Err(Error::new(Code::InvalidArgument, why))
    }

    /// A few objects of the original's, as their files are read, with a byte of room.
    fn some_objects(&self) -> Result<Vec<(Hash, Vec<u8>)>> {
        let mut found = Vec::new();
        for shard in self.io.list(names::OBJECTS)? {
            let dir = format!("{}/{}", names::OBJECTS, shard.name);
            for entry in files::if_exists(self.io.list(&dir))?.unwrap_or_default() {
                let id = format!("{}{}", shard.name, entry.name).parse::<Hash>();
                let (Ok(id), FileKind::File) = (id, entry.kind) else { continue };
                match files::read(&*self.io, &format!("{dir}/{}", entry.name), LOOKED_AT, 1) {
                    Ok(file) => found.extend(file.map(|file| (id, file))),
                    Err(e) if e.code() == Code::PayloadTooLarge => {}
                    Err(e) => return Err(e),
                }
                if found.len() >= LOOKS {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }
}

/// Whether there is a store: the original makes `objects` with the first object.
fn is_store(io: &dyn Io) -> Result<bool> {
    if io.metadata(names::OBJECTS)?.is_none_or(|found| found.kind != FileKind::Dir) {
        return Ok(false);
    }
    // The original's directories of objects have two digits: one that is called `pack` is of a
    // repository, also of one that has lost its `HEAD`.
    let others = [
        ("HEAD", "a git repository"),
        ("objects/pack", "a git repository without HEAD"),
        ("store.control", "a pack store"),
    ];
    for (file, what) in others {
        if io.metadata(file)?.is_some() {
            let why = format!("it is {what}, not a store of files");
            return Err(Error::new(Code::Unsupported, why));
        }
    }
    Ok(true)
}

/// Makes the files of an empty store; `objects` comes last, and with it the store.
fn make(io: &dyn Io, new: &FsInit, attempts: u32) -> Result<()> {
    let record = Record { spec: new.spec, recorded: new.recorded.clone() };
    let text = record.encode()?;
    let plain = Record { spec: FormatSpec::irmin_mem(), recorded: Recorded::default() };
    // Nothing is made where there is something, and nothing is when it is our turn.
    refuse_others(io)?;
    files::create_dirs(io, names::OURS)?;
    let _gate = owner::gate(io, attempts)?;
    refuse_others(io)?;
    let head = Target::Symbolic(new.branch.to_ref());
    let (path, bytes) = refs::encode(&RefName::head(), &head);
    // A store that is like the original's looks like one.
    put(io, record::FILE, (record != plain).then_some(text.as_bytes()))?;
    put(io, &path, (new.branch != BranchName::main()).then_some(bytes.as_slice()))?;
    io.create_dir(names::REFS)?;
    files::sync_dir(io, "")?;
    io.create_dir(names::OBJECTS)?;
    files::sync_dir(io, "")
}

/// Refuses a directory with anything in it but what an unfinished store may have left.
fn refuse_others(io: &dyn Io) -> Result<()> {
    let ours = |name: &str| [names::OURS, names::REFS].contains(&name);
    match io.list("")?.iter().find(|entry| !ours(&entry.name)) {
        None => Ok(()),
        Some(entry) => {
            let why = format!("the directory is not empty: it has `{}`", entry.name);
            Err(Error::new(Code::NameClash, why))
        }
    }
}

/// Writes a file of a store that is not there yet, or removes it: an unfinished one may be left.
fn put(io: &dyn Io, path: &str, bytes: Option<&[u8]>) -> Result<()> {
    let left = files::remove(io, path)?;
    if let Some(bytes) = bytes {
        files::create(io, path, bytes)?;
    }
    if left || bytes.is_some() { files::sync_dir(io, names::OURS) } else { Ok(()) }
}
