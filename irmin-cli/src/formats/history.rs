//! Histories as JSON lines, for programs that read JSON and not git's streams.
//!
//! The first line names the refs. Then come the commits, parents first, each followed by a line for
//! every key that it has otherwise than its first parent; then the annotated tags; and a last line
//! that counts the commits, so that what was cut is noticed. All lines are told by their first
//! member. What was read is handed on as the commands of a stream of git, which says the same.

use std::collections::{HashMap, VecDeque};
use std::io::BufRead;

use irmin_core::io::Read;
use irmin_core::object::LayoutSpec;
use irmin_core::{
    Bytes, Change as Changed, Code, Commit, CommitId, Contents, Error, KindedHash, LogOptions,
    Metadata, Path, RefName, Repo, Signature, Tree, TreeKind, Zone,
};
use irmin_git::fast::{Change, Command, Content, Data, Header, Name, Tag};
use serde_json::{Map, Value, json};

use super::Sink;
use super::fast_import::Source;
use super::jsonl::{VERSION, key, longest, next_line};
use super::roots::{Annotated, Roots, Tally};
use crate::commands::export::today;
use crate::exit::{Failure, Outcome};
use crate::ops::{Fields, object};
use crate::output::{Output, bytes_json, mode_name, put_value};
use crate::progress::Progress;

/// What the first line says it begins.
const FORM: &str = "history";

/// Writes all branches, tags and notes, or one commit as a branch.
pub(crate) fn export<C: Contents>(
    out: &Output,
    repo: &Repo<C>,
    one: Option<(RefName, Commit<C>)>,
    sink: &mut Sink,
) -> Outcome<Tally> {
    let Roots { refs, tags, heads, skipped } = Roots::of(repo, one)?;
    let git = repo.format().spec().layout == LayoutSpec::Git;
    let mut tally = Tally { skipped, ..Tally::default() };
    let mut progress = Progress::new(out, "exporting", "commits");
    let put = |sink: &mut Sink, line: &Value| sink.put(format!("{line}\n").as_bytes());
    let mut named = Map::new();
    for target in &refs {
        named.insert(target.name.to_string(), target.commit.to_string().into());
    }
    for tag in &tags {
        named.insert(tag.name.to_ref().to_string(), tag.id.to_string().into());
    }
    tally.refs.extend(named.keys().cloned());
    put(sink, &json!({"irmin": VERSION, "form": FORM, "refs": named}))?;
    // Trees are opened when they are compared: what is kept of a commit is small.
    let mut commits: HashMap<CommitId, Commit<C>> = HashMap::new();
    for commit in repo.log(&heads, &LogOptions { reverse: true, ..LogOptions::default() })? {
        let before = commit.parent_ids().first().and_then(|first| commits.get(first));
        let before = before.map_or_else(Tree::empty, Commit::tree);
        let (line, mut exact) = commit_line(&commit, git);
        put(sink, &line)?;
        // What is removed goes first: a value may give way to a directory of its name.
        let mut changes = before.diff(&commit.tree())?;
        changes.sort_by_key(|change| change.new.is_some());
        for Changed { path, new, .. } in changes {
            let kind = new.as_ref().map(Tree::root_kind);
            exact &= !matches!(kind, Some(TreeKind::Value(Metadata::Other(_))));
            tally.values += u64::from(matches!(kind, Some(TreeKind::Value(_))));
            put(sink, &change_line(&path, new.as_ref())?)?;
        }
        if !exact {
            tally.changed.push(commit.id());
        }
        tally.commits += 1;
        progress.step();
        commits.insert(commit.id(), commit);
    }
    for tag in &tags {
        put(sink, &tag_line(tag))?;
        tally.tags += 1;
    }
    put(sink, &json!({"commits": tally.commits}))?;
    progress.finish();
    Ok(tally)
}

/// A commit; and whether that is all of it.
fn commit_line<C: Contents>(commit: &Commit<C>, git: bool) -> (Value, bool) {
    let info = commit.info();
    let parents: Vec<String> = commit.parent_ids().iter().map(ToString::to_string).collect();
    let mut line = Map::new();
    line.insert("commit".into(), commit.id().to_string().into());
    line.insert("parents".into(), parents.into());
    put_person(&mut line, &AUTHOR, &info.author);
    put_person(&mut line, &COMMITTER, &info.committer);
    line.insert("message".into(), bytes_json(&info.message));
    // The blank line behind the headers is there also without a message; see `Info::headers`.
    let mut exact = !info.message.is_empty() || !git;
    for (name, value) in &info.headers {
        match &**name {
            b"encoding" if !line.contains_key("encoding") => {
                line.insert("encoding".into(), bytes_json(value));
            }
            b"" if value.is_empty() => exact = true,
            _ => return (Value::Object(line), false),
        }
    }
    (Value::Object(line), exact)
}

/// What a key became.
fn change_line<C: Contents>(path: &Path, new: Option<&Tree<C>>) -> Outcome<Value> {
    let mut line = Map::new();
    line.insert("path".into(), path.to_string().into());
    let Some(new) = new else {
        line.insert("removed".into(), true.into());
        return Ok(Value::Object(line));
    };
    match (new.root_kind(), new.value()?) {
        (TreeKind::Value(metadata), Some(value)) => {
            put_value(&mut line, &value.encode()?);
            line.insert("mode".into(), mode_name(today(metadata)).into());
        }
        (TreeKind::Opaque(SUBMODULE), _) => {
            let (KindedHash::Node(irmin_core::TreeId(id))
            | KindedHash::Value(irmin_core::ContentsId(id), _)) = new.hash()?;
            line.insert("submodule".into(), id.to_string().into());
        }
        _ => {
            let why = format!("`{path}` has a mode that a stream has no place for");
            return Err(Failure::from(Error::new(Code::Unrepresentable, why)).into());
        }
    }
    Ok(Value::Object(line))
}

fn tag_line(tag: &Annotated) -> Value {
    let mut line = Map::new();
    line.insert("tag".into(), tag.name.to_string().into());
    line.insert("id".into(), tag.id.to_string().into());
    line.insert("commit".into(), tag.commit.to_string().into());
    if let Some(tagger) = &tag.said.tagger {
        put_person(&mut line, &TAGGER, tagger);
    }
    line.insert("message".into(), bytes_json(&tag.said.message));
    Value::Object(line)
}

/// The mode of a submodule.
const SUBMODULE: u32 = 0o160_000;

/// The members that say who, when, and in which zone.
type Person = [&'static str; 3];
const AUTHOR: Person = ["author", "date", "zone"];
const COMMITTER: Person = ["committer", "committer_date", "committer_zone"];
const TAGGER: Person = ["tagger", "date", "zone"];

fn put_person(line: &mut Map<String, Value>, [name, date, zone]: &Person, who: &Signature) {
    line.insert((*name).into(), bytes_json(&who.author));
    line.insert((*date).into(), who.date.into());
    line.insert((*zone).into(), bytes_json(who.zone.as_bytes()));
}

fn person(fields: &mut Fields, [name, date, zone]: &Person) -> Result<Signature, String> {
    let author = Bytes::from(fields.bytes(name)?);
    let date = fields.number(date)?;
    let zone = Zone::stored(fields.bytes(zone)?.into()).map_err(|e| e.to_string())?;
    Ok(Signature { author, date, zone })
}

/// Reads such lines as the commands that they stand for.
pub(crate) struct Lines<'a> {
    input: &'a mut dyn BufRead,
    /// The longest line.
    most: usize,
    number: u64,
    /// Where the refs are to be put, from the first line on.
    refs: Option<Vec<(String, String)>>,
    /// The marks of commits and tags that were told, by their hashes.
    marks: HashMap<String, u64>,
    commits: u64,
    /// Whether changes may come.
    in_commit: bool,
    ready: VecDeque<Command>,
    ended: bool,
}

impl<'a> Lines<'a> {
    /// A reader of values of so many bytes at most.
    pub(crate) fn new(input: &'a mut dyn BufRead, limit: usize) -> Self {
        Lines {
            input,
            most: longest(limit),
            number: 0,
            refs: None,
            marks: HashMap::new(),
            commits: 0,
            in_commit: false,
            ready: VecDeque::new(),
            ended: false,
        }
    }

    /// Takes in one line.
    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        if self.ended {
            return Err("there is more after the end".into());
        }
        let mut fields = Fields::new(object(line, "{\"commit\":…}")?);
        if self.refs.is_none() {
            self.refs = Some(first(&mut fields)?);
        } else if let Some(told) = fields.take("commits") {
            self.end(&told)?;
        } else if let Some(hash) = fields.take("tag") {
            self.tag(&hash, &mut fields)?;
        } else if let Some(hash) = fields.take("commit") {
            self.commit(&hash, &mut fields)?;
        } else {
            return self.change(fields);
        }
        match fields.left() {
            Some(extra) => Err(format!("unknown field `{extra}`")),
            None => Ok(()),
        }
    }

    fn commit(&mut self, hash: &Value, fields: &mut Fields) -> Result<(), String> {
        let original = name(hash)?;
        let mut parents = Vec::new();
        let told = fields.take("parents");
        for parent in told.as_ref().and_then(Value::as_array).ok_or("`parents` is no list")? {
            parents.push(self.mark(&name(parent)?)?);
        }
        let refs = self.refs.iter().flatten();
        let on = refs.map(|(name, _)| name.clone()).next().ok_or("there are no refs for it")?;
        if parents.is_empty() {
            // Without it the commit would follow the one before it.
            self.ready.push_back(Command::Reset { name: on.clone(), from: None });
        }
        let mut parents = parents.into_iter();
        let author = person(fields, &AUTHOR)?;
        let committer = person(fields, &COMMITTER)?;
        let encoding = match fields.has("encoding") {
            true => Some(fields.bytes("encoding")?.into()),
            false => None,
        };
        self.commits += 1;
        let header = Header {
            branch: on,
            mark: Some(self.told(&original)?),
            original: Some(original),
            author: Some(author),
            committer,
            encoding,
            message: fields.bytes("message")?.into(),
            from: parents.next(),
            merges: parents.collect(),
        };
        self.ready.push_back(Command::Commit(Box::new(header)));
        self.in_commit = true;
        Ok(())
    }

    fn change(&mut self, mut fields: Fields) -> Result<(), String> {
        if !self.in_commit {
            return Err("a key stands behind the commit that changed it".into());
        }
        let change = if fields.has("removed") {
            let path = fields.path("path")?;
            if fields.take("removed") != Some(Value::Bool(true)) {
                return Err("`removed` is true where it is there".into());
            }
            Change::Delete(path)
        } else if fields.has("submodule") {
            let content = Content::Object(Name::Other(fields.text("submodule")?));
            Change::Modify { mode: SUBMODULE, content, path: fields.path("path")? }
        } else {
            let (path, value, mode) = key(fields)?;
            let mode = match mode {
                Metadata::Exec => 0o100_755,
                Metadata::Link => 0o120_000,
                Metadata::Normal | Metadata::Other(_) => 0o100_644,
            };
            let content = Content::Inline(Data::Whole(value));
            self.ready.push_back(Command::Change(Change::Modify { mode, content, path }));
            return Ok(());
        };
        if let Some(extra) = fields.left() {
            return Err(format!("unknown field `{extra}`"));
        }
        self.ready.push_back(Command::Change(change));
        Ok(())
    }

    fn tag(&mut self, tag: &Value, fields: &mut Fields) -> Result<(), String> {
        self.in_commit = false;
        let original = fields.text("id")?;
        let from = self.mark(&fields.text("commit")?)?;
        let tagger = match fields.has("tagger") {
            true => Some(person(fields, &TAGGER)?),
            false => None,
        };
        let message = fields.bytes("message")?.into();
        let mark = Some(self.told(&original)?);
        let (name, original) = (name(tag)?, Some(original));
        self.ready.push_back(Command::Tag(Tag { name, mark, from, original, tagger, message }));
        Ok(())
    }

    /// Puts every ref where it belongs.
    fn end(&mut self, told: &Value) -> Result<(), String> {
        if told.as_u64() != Some(self.commits) {
            return Err(format!("there are {} commits, and it tells {told}", self.commits));
        }
        for (name, hash) in self.refs.iter().flatten() {
            let from = Some(self.mark(hash)?);
            self.ready.push_back(Command::Reset { name: name.clone(), from });
        }
        self.ended = true;
        Ok(())
    }

    /// A new mark for what has this hash.
    fn told(&mut self, hash: &str) -> Result<u64, String> {
        let mark = self.marks.len() as u64 + 1;
        match self.marks.insert(hash.to_owned(), mark) {
            None => Ok(mark),
            Some(_) => Err(format!("{hash} is there twice")),
        }
    }

    fn mark(&self, hash: &str) -> Result<Name, String> {
        let mark = self.marks.get(hash).copied().map(Name::Mark);
        mark.ok_or_else(|| format!("there was no line of {hash} before"))
    }

    fn wrong(&self, why: &str) -> Error {
        Error::new(Code::InvalidValue, format!("line {} of the stream: {why}", self.number))
    }
}

impl Source for Lines<'_> {
    fn next(&mut self) -> irmin_core::Result<Option<Command>> {
        loop {
            if let Some(command) = self.ready.pop_front() {
                return Ok(Some(command));
            }
            let Some(line) = next_line(self.input, self.most)? else {
                let why = "the stream ends without an end that says so: it was cut";
                return if self.ended { Ok(None) } else { Err(self.wrong(why)) };
            };
            self.number += 1;
            if !line.iter().all(u8::is_ascii_whitespace) {
                self.line(&line).map_err(|why| self.wrong(&why))?;
            }
        }
    }

    fn line_number(&self) -> u64 {
        self.number
    }
}

/// There are no bytes beside the lines.
impl Read for Lines<'_> {
    fn read(&mut self, _buffer: &mut [u8]) -> irmin_core::Result<usize> {
        Ok(0)
    }
}

/// The refs that the first line names.
fn first(fields: &mut Fields) -> Result<Vec<(String, String)>, String> {
    let version = fields.take("irmin").as_ref().and_then(Value::as_u64) == Some(VERSION);
    if !version || fields.take("form") != Some(FORM.into()) {
        return Err(format!("it is not a {FORM} of the version {VERSION}"));
    }
    let refs = fields.take("refs");
    let refs = refs.as_ref().and_then(Value::as_object).ok_or("`refs` is not an object")?;
    refs.iter().map(|(ref_name, hash)| Ok((ref_name.clone(), name(hash)?))).collect()
}

/// A name or a hash, which is a string.
fn name(value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("`{value}` is not a string"))
}
