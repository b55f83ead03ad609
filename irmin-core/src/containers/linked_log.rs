//! A log of which each entry is a key.

use alloc::format;
use alloc::vec::Vec;
use core::fmt;

use super::at::edit_at;
use super::{Event, Mark};
use crate::contents::Contents;
use crate::error::{Code, Error, Result};
use crate::path::{IntoPath, Path, Step};
use crate::repo::{Branch, Commit, CommitOptions, Snapshot};
use crate::tree::{Tree, TreeKind};

/// A log below a path of a branch, read newest first and from where a cursor stands: what
/// `Linked_log` is in OCaml Irmin.
///
/// **Promise**: it has every entry of the history, each once, ordered by time and then by mark; an
/// entry is later than all that it follows in its history. Appending writes, and a cursor reads,
/// a few small directories for each entry, however long the log is.
///
/// The original links each entry to the one before it by a hash, and keeps the entries in a store
/// beside the main one, where neither garbage collection nor synchronisation nor a copy of the
/// tree follows them. Here each entry is a value of the tree, under a key that is its time and its
/// mark: sixteen hexadecimal digits, two a directory, the last with the mark. So an entry is there
/// wherever the tree is, the links are the directories, and since no key is ever made twice the
/// merge of logs is the merge of directories, which asks no merge function.
///
/// The values are those of the branch, so a store can have logs beside anything else.
///
/// ```
/// use std::sync::Arc;
/// use irmin_core::backend::MemoryBackend;
/// use irmin_core::containers::LinkedLog;
/// use irmin_core::{Context, Format, FormatSpec, Repo};
///
/// let backend = MemoryBackend::new(Format::new(FormatSpec::git()));
/// let repo = Repo::new(Arc::new(backend), Context::new("ann", || 1_000))?;
/// let log = LinkedLog::at(&repo.main()?, "log")?;
/// for entry in ["one", "two", "three"] {
///     log.append(entry, "say something")?;
/// }
/// let mut cursor = log.cursor()?;
/// assert_eq!(cursor.read(2)?, ["three", "two"]);
/// assert_eq!(cursor.read(2)?, ["one"]);
/// assert!(cursor.read(2)?.is_empty());
/// # Ok::<(), irmin_core::Error>(())
/// ```
pub struct LinkedLog<C> {
    branch: Branch<C>,
    path: Path,
}

impl<C> Clone for LinkedLog<C> {
    fn clone(&self) -> Self {
        LinkedLog { branch: self.branch.clone(), path: self.path.clone() }
    }
}

impl<C> fmt::Debug for LinkedLog<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinkedLog({:?}, {})", self.branch, self.path)
    }
}

/// How many directories lead to an entry: one for each byte of its time but the last.
const DEPTH: usize = 7;

impl<C: Contents> LinkedLog<C> {
    /// The log below a path of a branch, whether there is one yet or not.
    ///
    /// # Errors
    /// `invalid_path`.
    pub fn at(branch: &Branch<C>, path: impl IntoPath) -> Result<Self> {
        Ok(LinkedLog { branch: branch.clone(), path: path.into_path()?.into_owned() })
    }

    /// Appends an entry, as one commit.
    ///
    /// # Errors
    /// `invalid_value` if there is something else at the path, and as [`Branch::set`].
    pub fn append(
        &self,
        value: impl Into<C>,
        options: impl Into<CommitOptions>,
    ) -> Result<Option<Commit<C>>> {
        let value = value.into();
        let what = value.encode()?;
        let append = |snapshot: &Snapshot<C>, mut event: Event| {
            let mut tree = snapshot.tree.clone();
            let newest = LogCursor::new(&self.path, &tree)?.next()?.map(|(time, _)| time);
            let path = self.path.join(&key(event.after(newest), event.mark())?);
            tree.set(&path, value.clone())?;
            Ok(Some(tree))
        };
        edit_at(&self.branch, &self.path, options.into(), &what, append)
    }

    /// A cursor on the log as it is now, before the newest entry.
    ///
    /// # Errors
    /// `invalid_value` if there is something else at the path, and those of reading.
    pub fn cursor(&self) -> Result<LogCursor<C>> {
        LogCursor::new(&self.path, &self.branch.tree()?)
    }

    /// All entries, newest first.
    ///
    /// # Errors
    /// As [`LogCursor::read`].
    pub fn read_all(&self) -> Result<Vec<C>> {
        self.cursor()?.read(usize::MAX)
    }
}

/// Where an entry is below its log. Names sort as times do, since all have sixteen digits.
fn key(time: i64, mark: Mark) -> Result<Path> {
    let [dirs @ .., last] = time.to_be_bytes();
    let dirs = dirs.iter().map(|byte| format!("{byte:02x}"));
    Path::new(dirs.chain([format!("{last:02x}-{mark}")]))
}

/// A place in a log, from where it is read on towards older entries.
///
/// It reads the log as it was when the cursor was made. A clone is a bookmark.
pub struct LogCursor<C> {
    log: Path,
    /// The directories from the log to the entry that was read last, each with the names in it
    /// that were not looked at: the newest is at the end.
    open: Vec<(Tree<C>, Vec<Step>)>,
    /// The bytes of time that the names on the way are, one for each open directory but the first.
    digits: Vec<u8>,
}

impl<C> Clone for LogCursor<C> {
    fn clone(&self) -> Self {
        let LogCursor { log, open, digits } = self;
        LogCursor { log: log.clone(), open: open.clone(), digits: digits.clone() }
    }
}

impl<C> fmt::Debug for LogCursor<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogCursor({})", self.log)
    }
}

impl<C: Contents> LogCursor<C> {
    fn new(log: &Path, root: &Tree<C>) -> Result<Self> {
        let mut cursor = LogCursor { log: log.clone(), open: Vec::new(), digits: Vec::new() };
        if let Some(tree) = root.get_tree(log)? {
            if tree.root_kind() != TreeKind::Node {
                return Err(cursor.foreign(log));
            }
            cursor.enter(tree)?;
        }
        Ok(cursor)
    }

    /// At most `n` entries, newest first; the cursor goes behind them. Fewer than `n` are the
    /// last ones.
    ///
    /// It reads what leads to these entries and nothing else.
    ///
    /// # Errors
    /// `invalid_value` for a key that is no entry of a log, or a value of another type, and those
    /// of reading; the cursor is then where it was.
    pub fn read(&mut self, n: usize) -> Result<Vec<C>> {
        let mut ahead = self.clone();
        let mut entries = Vec::new();
        while entries.len() < n {
            let Some((_, entry)) = ahead.next()? else { break };
            let value = entry.value().map_err(|e| e.context(format_args!("`{}`", self.log)))?;
            entries.push(value.ok_or_else(|| self.foreign(&self.log))?);
        }
        *self = ahead;
        Ok(entries)
    }

    /// The next entry with its time.
    fn next(&mut self) -> Result<Option<(i64, Tree<C>)>> {
        while let Some((dir, names)) = self.open.last_mut() {
            let Some(name) = names.pop() else {
                self.open.pop();
                self.digits.pop();
                continue;
            };
            let path = Path::foreign([name.as_bytes()])?;
            let Some(inside) = dir.get_tree(&path)? else { continue };
            let (digit, is_entry) = digit(&name).ok_or_else(|| self.foreign(&path))?;
            let is_dir = inside.root_kind() == TreeKind::Node;
            let deep = self.open.len() > DEPTH;
            if is_dir == is_entry || is_entry != deep {
                return Err(self.foreign(&path));
            }
            if is_entry {
                let bytes = self.digits.iter().chain([&digit]);
                let time = bytes.fold(0_i64, |time, byte| time << 8 | i64::from(*byte));
                return Ok(Some((time, inside)));
            }
            self.digits.push(digit);
            self.enter(inside)?;
        }
        Ok(None)
    }

    fn enter(&mut self, dir: Tree<C>) -> Result<()> {
        let names = dir.list(Path::root())?.into_iter().map(|(name, _)| name).collect();
        self.open.push((dir, names));
        Ok(())
    }

    fn foreign(&self, path: &Path) -> Error {
        let why = format!("`{}`: there is `{path}`, which is not part of a log", self.log);
        Error::new(Code::InvalidValue, why)
    }
}

/// The byte of the time that a name is, and whether it is that of an entry: `7f`, or `7f-` and
/// a mark.
fn digit(name: &Step) -> Option<(u8, bool)> {
    let name = name.to_str()?;
    let (digits, mark) = name.split_once('-').map_or((name, None), |(d, mark)| (d, Some(mark)));
    let byte = u8::from_str_radix(digits, 16).ok()?;
    let fine =
        format!("{byte:02x}") == digits && mark.is_none_or(|mark| Mark::parse(mark).is_some());
    fine.then_some((byte, mark.is_some()))
}
