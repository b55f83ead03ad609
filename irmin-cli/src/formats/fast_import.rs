//! Streams of histories into a store: those of `git fast-export`, and whatever reads like them.

use std::collections::{BTreeMap, HashMap};
use std::io::BufRead;

use irmin_core::backend::{Durability, Expected, Note, Published, RefEdit, Target, View};
use irmin_core::io::Read;
use irmin_core::object::LayoutSpec;
use irmin_core::{
    Bulk, Bytes, Code, CommitData, Contents, Directory, Entry, EntryKind, Error, Hash, Info, Key,
    Kind, Metadata, RefName, Repo, TagData, TagName,
};
use irmin_git::fast::{Change, Command, Content, Data, Header, Name, Reader, Tag};

use super::whole;
use crate::exit::{Failure, Outcome, Stop};
use crate::output::Output;
use crate::progress::Progress;

/// What is done beside reading.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Whether refs may lose what they have.
    pub(crate) force: bool,
    /// Whether every hash must be the one that the stream tells.
    pub(crate) verify: bool,
}

/// What was read.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) commits: u64,
    pub(crate) values: u64,
    pub(crate) tags: u64,
    /// The refs that were made, moved or removed, and where they are now.
    pub(crate) refs: Vec<(RefName, Option<Hash>)>,
    /// How many hashes were compared and are the same.
    pub(crate) same: u64,
    /// The first that is another one: what the stream tells, and what it is.
    different: Option<(String, Hash)>,
    /// Commits of which the stream does not tell the hash.
    untold: u64,
}

/// A commit whose changes are being read.
struct Open {
    header: Header,
    branch: RefName,
    parents: Vec<Key>,
    root: Directory,
}

/// Where a stream has put a ref.
#[derive(Clone, Copy)]
enum Put {
    /// Nowhere so far: its next commit has no parent.
    Nowhere,
    /// On an object.
    At(Key),
    /// Away: it shall not be.
    Away,
}

impl Put {
    fn key(self) -> Option<Key> {
        match self {
            Put::At(key) => Some(key),
            Put::Nowhere | Put::Away => None,
        }
    }
}

struct Import<'a> {
    bulk: Bulk<'a>,
    /// What a revision names in the store as it was before.
    before: &'a dyn Fn(&str) -> irmin_core::Result<Key>,
    /// Whether the bytes of a value are one of the type of the store; none if all are.
    check: Option<fn(Bytes) -> irmin_core::Result<()>>,
    /// The largest value that is held in memory.
    limit: usize,
    /// Whether commits are git's.
    git: bool,
    marks: HashMap<u64, (Key, Kind)>,
    refs: BTreeMap<RefName, Put>,
    /// The directories of the commits of the stream.
    trees: HashMap<Hash, Key>,
    open: Option<Open>,
    tally: Tally,
}

/// What commands are read from, and the bytes of large values among them.
pub(crate) trait Source: Read {
    /// The next command; nothing at the end.
    fn next(&mut self) -> irmin_core::Result<Option<Command>>;

    /// The line on which it began, from 1.
    fn line_number(&self) -> u64;
}

impl<R: BufRead> Source for Reader<R> {
    fn next(&mut self) -> irmin_core::Result<Option<Command>> {
        Reader::next(self)
    }

    fn line_number(&self) -> u64 {
        Reader::line_number(self)
    }
}

/// Reads a stream, and makes all of it visible at its end.
pub(crate) fn import<C: Contents>(
    out: &Output,
    repo: &Repo<C>,
    reader: &mut dyn Source,
    options: Options,
    note: Note,
) -> Outcome<Tally> {
    let before = |name: &str| Ok(Key::from(repo.resolve(name)?.id().hash()));
    let mut import = Import {
        bulk: repo.bulk()?,
        before: &before,
        check: (!C::PLAIN).then_some(|bytes| C::decode(bytes).map(drop)),
        limit: repo.limits().value,
        git: repo.format().spec().layout == LayoutSpec::Git,
        marks: HashMap::new(),
        refs: BTreeMap::new(),
        trees: HashMap::new(),
        open: None,
        tally: Tally::default(),
    };
    let mut progress = Progress::new(out, "importing", "objects");
    loop {
        // What is wrong with a commit is known when the next command comes.
        let before = reader.line_number();
        let Some(command) = reader.next()? else { break };
        if !matches!(command, Command::Change(_)) {
            progress.step();
            import.close().map_err(|stop| on_line(before, stop))?;
        }
        let here = reader.line_number();
        import.command(command, reader).map_err(|stop| on_line(here, stop))?;
    }
    import.close()?;
    progress.finish();
    if options.verify {
        import.verify()?;
    }
    let edits = import.edits(repo, options.force)?;
    let Import { bulk, mut tally, .. } = import;
    for edit in &edits {
        let now = match &edit.new {
            Some(Target::Object(key)) => Some(key.hash),
            Some(Target::Symbolic(_)) | None => None,
        };
        tally.refs.push((edit.name.clone(), now));
    }
    match bulk.publish(edits, Durability::Durable, note)? {
        Published::Done { .. } => Ok(tally),
        Published::Lost { name, .. } => {
            let why = format!("`{name}` moved meanwhile; nothing was written");
            Err(Failure::precondition(why).into())
        }
    }
}

impl Import<'_> {
    fn command(&mut self, command: Command, stream: &mut dyn Read) -> Outcome<()> {
        match command {
            Command::Blob { mark, data } => {
                let key = self.value(data, stream)?;
                self.remember(mark, key, Kind::Value);
            }
            Command::Commit(header) => self.begin(*header)?,
            Command::Change(change) => self.change(change, stream)?,
            Command::Tag(tag) => self.tag(&tag)?,
            Command::Reset { name, from } => {
                let name = ref_name(&name)?;
                let from = from.map(|from| self.resolve(&from)).transpose()?;
                // Git's way to say that a ref shall not be.
                let away = |key: &Key| key.hash.as_bytes().iter().all(|byte| *byte == 0);
                let put = match from {
                    None => Put::Nowhere,
                    Some(key) if away(&key) => Put::Away,
                    Some(key) => Put::At(key),
                };
                self.refs.insert(name, put);
            }
        }
        Ok(())
    }

    fn remember(&mut self, mark: Option<u64>, key: Key, kind: Kind) {
        if let Some(mark) = mark {
            self.marks.insert(mark, (key, kind));
        }
    }

    fn value(&mut self, data: Data, stream: &mut dyn Read) -> Outcome<Key> {
        self.tally.values += 1;
        let data = match (data, self.check) {
            (Data::Large(len), None) => return Ok(self.bulk.stream(len, stream)?),
            (Data::Large(len), Some(_)) => whole(stream, len, self.limit)?,
            (Data::Whole(data), _) => Bytes::from(data),
        };
        if let Some(check) = self.check {
            check(data.clone())?;
        }
        Ok(self.bulk.value(&data)?)
    }

    fn begin(&mut self, header: Header) -> Outcome<()> {
        let branch = ref_name(&header.branch)?;
        let before = self.refs.get(&branch).and_then(|put| put.key());
        let first = match &header.from {
            Some(from) => Some(self.resolve(from)?),
            None => before,
        };
        let root = match first {
            Some(commit) => Some(self.tree_of(commit)?),
            None => None,
        };
        let mut parents: Vec<Key> = first.into_iter().collect();
        for merge in &header.merges {
            let key = self.resolve(merge)?;
            parents.push(key);
        }
        let root = self.bulk.directory(root)?;
        self.open = Some(Open { header, branch, parents, root });
        Ok(())
    }

    fn tree_of(&self, commit: Key) -> Outcome<Key> {
        match self.trees.get(&commit.hash) {
            Some(tree) => Ok(*tree),
            None => Ok(self.bulk.tree_of(commit)?),
        }
    }

    fn change(&mut self, change: Change, stream: &mut dyn Read) -> Outcome<()> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        let done = self.apply(&mut open.root, change, stream);
        self.open = Some(open);
        done
    }

    fn apply(
        &mut self,
        root: &mut Directory,
        change: Change,
        stream: &mut dyn Read,
    ) -> Outcome<()> {
        match change {
            Change::DeleteAll => *root = self.bulk.directory(None)?,
            Change::Delete(path) => self.bulk.set(root, &path, None)?,
            Change::Modify { mode, content, path } => {
                let kind = kind(mode);
                let (key, found) = match content {
                    Content::Inline(data) => (self.value(data, stream)?, Some(Kind::Value)),
                    Content::Object(name) if mode == 0o160_000 => (submodule(&name)?, None),
                    Content::Object(name) => (self.resolve(&name)?, self.kind_of(&name)?),
                };
                expect(key, found, kind, &path)?;
                self.bulk.set(root, &path, Some(Entry { kind, key }))?;
            }
            Change::Copy(from, to) | Change::Rename(from, to) if from == to => {
                let _ = to;
            }
            Change::Copy(from, to) => {
                let entry = self.entry(root, &from)?;
                self.bulk.set(root, &to, Some(entry))?;
            }
            Change::Rename(from, to) => {
                let entry = self.entry(root, &from)?;
                self.bulk.set(root, &from, None)?;
                self.bulk.set(root, &to, Some(entry))?;
            }
        }
        Ok(())
    }

    fn entry(&self, root: &mut Directory, path: &irmin_core::Path) -> Outcome<Entry> {
        self.bulk.entry(root, path)?.ok_or_else(|| {
            let why = format!("the stream copies `{path}`, which is not there");
            Error::new(Code::InvalidValue, why).into()
        })
    }

    /// What an object is, without reading those of the stream again.
    fn kind_of(&self, name: &Name) -> Outcome<Option<Kind>> {
        match name {
            Name::Mark(mark) => Ok(self.marks.get(mark).map(|(_, kind)| *kind)),
            Name::Other(_) => Ok(self.bulk.kind(self.resolve(name)?)?),
        }
    }

    /// Writes the commit whose changes have ended.
    fn close(&mut self) -> Outcome<()> {
        let Some(Open { header, branch, parents, root }) = self.open.take() else { return Ok(()) };
        let tree = self.bulk.seal(root)?;
        let mut headers: Vec<(Bytes, Bytes)> = Vec::new();
        headers.extend(header.encoding.map(|name| (Bytes::from_static(b"encoding"), name)));
        if header.message.is_empty() && self.git {
            // Git's way to write it: see `Info::headers`.
            headers.push((Bytes::new(), Bytes::new()));
        }
        let author = header.author.unwrap_or_else(|| header.committer.clone());
        let info = Info { author, committer: header.committer, message: header.message, headers };
        let key = self.bulk.commit(&CommitData { tree, parents, info })?;
        self.trees.insert(key.hash, tree);
        self.remember(header.mark, key, Kind::Commit);
        self.refs.insert(branch, Put::At(key));
        self.tally.commits += 1;
        self.compare(header.original, key.hash);
        Ok(())
    }

    fn tag(&mut self, tag: &Tag) -> Outcome<()> {
        let name: TagName = tag.name.parse()?;
        let target = self.resolve(&tag.from)?;
        let Some(kind) = self.kind_of(&tag.from)? else {
            return Err(Error::missing_objects(vec![target]).into());
        };
        let key = self.bulk.tag(&TagData {
            target,
            kind,
            name: Bytes::copy_from_slice(tag.name.as_bytes()),
            tagger: tag.tagger.clone(),
            message: tag.message.clone(),
        })?;
        self.remember(tag.mark, key, Kind::Tag);
        self.refs.insert(name.to_ref(), Put::At(key));
        self.tally.tags += 1;
        self.compare(tag.original.clone(), key.hash);
        Ok(())
    }

    fn compare(&mut self, original: Option<String>, hash: Hash) {
        match original {
            Some(told) if told == hash.to_string() => self.tally.same += 1,
            Some(told) => {
                self.tally.different.get_or_insert((told, hash));
            }
            None => self.tally.untold += 1,
        }
    }

    fn resolve(&self, name: &Name) -> Outcome<Key> {
        let unknown = |text: &str, why: &str| {
            let why = format!("the stream refers to `{text}`, which {why}");
            Error::new(Code::InvalidValue, why)
        };
        match name {
            Name::Mark(mark) => {
                let found = self.marks.get(mark).map(|(key, _)| *key);
                Ok(found.ok_or_else(|| unknown(&format!(":{mark}"), "it has not told of"))?)
            }
            Name::Other(text) => {
                if let Ok(name) = text.parse::<RefName>()
                    && let Some(put) = self.refs.get(&name)
                {
                    return Ok(put.key().ok_or_else(|| unknown(text, "it has put nowhere"))?);
                }
                if let Ok(hash) = text.parse::<Hash>() {
                    return Ok(Key::from(hash));
                }
                (self.before)(text).map_err(|e| match e.code() {
                    Code::NotFound => unknown(text, "neither it nor the store has").into(),
                    _ => e.into(),
                })
            }
        }
    }

    /// Requires that all hashes are those that the stream tells.
    fn verify(&self) -> Outcome<()> {
        if let Some((told, hash)) = &self.tally.different {
            let why = format!("{told} became {hash}: the hashes differ; nothing was written");
            return Err(Failure::precondition(why).into());
        }
        if self.tally.untold > 0 {
            let failure = Failure::usage("the stream does not tell the hashes to compare with");
            let hint = "`git fast-export --show-original-ids` and `irmin export` tell them";
            return Err(failure.hint(hint).into());
        }
        Ok(())
    }

    /// The changes of refs; without `force` none may lose commits.
    fn edits<C: Contents>(&self, repo: &Repo<C>, force: bool) -> Outcome<Vec<RefEdit>> {
        let mut edits = Vec::new();
        for (name, put) in &self.refs {
            let new = match *put {
                Put::Nowhere => continue,
                Put::At(key) => Some(Target::Object(key)),
                Put::Away => None,
            };
            let old = repo.backend().read_ref(name, View::Tip)?;
            if old == new {
                continue;
            }
            let forward = match (&old, *put) {
                (None, _) => true,
                // A tag stays where it is; branches, and what is like them, go on.
                (Some(Target::Object(old)), Put::At(new)) if name.tag().is_none() => {
                    self.bulk.is_ancestor(*old, new)?
                }
                _ => false,
            };
            if !forward && !force {
                let (why, hint) = match *put {
                    Put::At(new) => (
                        format!("is there, and not an ancestor of {}", new.hash),
                        "--force puts it where the stream says",
                    ),
                    Put::Nowhere | Put::Away => {
                        ("is there, and the stream removes it".into(), "--force removes it")
                    }
                };
                let why = format!("`{name}` {why}; nothing was written");
                return Err(Failure::precondition(why).hint(hint).into());
            }
            let expected = old.map_or(Expected::Absent, Expected::Is);
            edits.push(RefEdit { name: name.clone(), expected, new });
        }
        Ok(edits)
    }
}

/// Says where in the stream something is wrong.
fn on_line(number: u64, stop: Stop) -> Stop {
    match stop {
        Stop::Failed(mut failure) => {
            failure.message = format!("line {number} of the stream: {}", failure.message);
            Stop::Failed(failure)
        }
        closed => closed,
    }
}

/// Requires that an entry stands for an object of its kind.
fn expect(key: Key, found: Option<Kind>, kind: EntryKind, path: &irmin_core::Path) -> Outcome<()> {
    let fits = match (kind, found) {
        (EntryKind::Opaque(_), _) => true,
        (EntryKind::Value(_), Some(Kind::Value | Kind::ChunkIndex)) => true,
        (EntryKind::Node, Some(Kind::Node | Kind::Inode)) => true,
        (EntryKind::Value(_) | EntryKind::Node, _) => false,
    };
    if fits {
        return Ok(());
    }
    let what = found.map_or("no object here".into(), |kind| format!("a {kind}"));
    let why = format!("`{path}` cannot be {}: that is {what}", key.hash);
    Err(Error::new(Code::InvalidValue, why).into())
}

fn ref_name(text: &str) -> Outcome<RefName> {
    let name: RefName = text.parse()?;
    if text.starts_with("refs/") {
        return Ok(name);
    }
    let why = format!("`{text}` is not under `refs/`: only branches and tags are imported");
    Err(Error::new(Code::Unsupported, why).into())
}

fn submodule(name: &Name) -> Outcome<Key> {
    let hash = match name {
        Name::Other(text) => text.parse::<Hash>().ok(),
        Name::Mark(_) => None,
    };
    let why = "a submodule is named by the hash of its commit";
    Ok(hash.map(Key::from).ok_or_else(|| Error::new(Code::InvalidValue, why))?)
}

fn kind(mode: u32) -> EntryKind {
    match mode {
        0o040_000 => EntryKind::Node,
        0o100_755 => EntryKind::Value(Metadata::Exec),
        0o120_000 => EntryKind::Value(Metadata::Link),
        0o160_000 => EntryKind::Opaque(mode),
        _ => EntryKind::Value(Metadata::Normal),
    }
}
