//! Histories as a stream for `git fast-import`.

use std::collections::HashMap;
use std::io::Write as _;

use irmin_core::object::LayoutSpec;
use irmin_core::{
    Change, Code, Commit, CommitData, CommitId, Contents, Error, Format, FormatSpec, Hash, Info,
    Key, Kind, KindedHash, LogOptions, Metadata, Path, RefName, Repo, Signature, Tree, TreeKind,
};

use super::Sink;
use super::mended::Mends;
use super::roots::{Annotated, Roots, Tally};
use crate::commands::export::today;
use crate::exit::{Failure, Outcome};
use crate::output::Output;
use crate::progress::Progress;

/// A stream in the making.
struct Stream<'a, C> {
    sink: &'a mut Sink,
    commits: HashMap<CommitId, (u64, Commit<C>)>,
    values: HashMap<Hash, u64>,
    mark: u64,
    /// Whether commits are git's.
    git: bool,
    mends: &'a Mends,
    tally: Tally,
    progress: Progress,
}

/// Writes all branches, tags and notes, or one commit as a branch.
pub(crate) fn export<C: Contents>(
    out: &Output,
    repo: &Repo<C>,
    one: Option<(RefName, Commit<C>)>,
    sink: &mut Sink,
    mends: &Mends,
) -> Outcome<Tally> {
    let Roots { refs, tags, heads, skipped } = Roots::of(repo, one)?;
    let log = repo.log(&heads, &LogOptions { reverse: true, ..LogOptions::default() })?;
    let mut stream = Stream {
        sink,
        commits: HashMap::new(),
        values: HashMap::new(),
        mark: 0,
        git: repo.format().spec().layout == LayoutSpec::Git,
        mends,
        tally: Tally { skipped, ..Tally::default() },
        progress: Progress::new(out, "exporting", "commits"),
    };
    stream.put("feature done\n")?;
    let infos = log.iter().map(Commit::info);
    let taggers = tags.iter().filter_map(|tag| tag.said.tagger.as_ref());
    if infos.flat_map(|info| [&info.author, &info.committer]).chain(taggers).any(is_nowhere) {
        stream.put("feature date-format=raw-permissive\n")?;
    }
    // All commits are made on one ref that the stream is about, and then every ref is put where it
    // belongs. Where there are only annotated tags it is one of those: it is told last.
    let first = refs.first().map(|target| target.name.to_string());
    let first = first.or_else(|| tags.first().map(|tag| tag.name.to_ref().to_string()));
    let on = first.unwrap_or_default();
    for commit in log {
        stream.commit(&on, commit)?;
    }
    for target in &refs {
        stream.reset(target.name.as_str(), target.commit)?;
    }
    for Annotated { name, id, commit, said } in &tags {
        stream.tag(name.as_str(), *id, *commit, said)?;
    }
    stream.put("done\n")?;
    stream.progress.finish();
    Ok(stream.tally)
}

impl<C: Contents> Stream<'_, C> {
    fn put(&mut self, text: &str) -> Outcome<()> {
        self.sink.put(text.as_bytes())
    }

    fn next_mark(&mut self) -> u64 {
        self.mark += 1;
        self.mark
    }

    fn data(&mut self, bytes: &[u8]) -> Outcome<()> {
        self.put(&format!("data {}\n", bytes.len()))?;
        self.sink.put(bytes)?;
        self.put("\n")
    }

    fn commit(&mut self, on: &str, commit: Commit<C>) -> Outcome<()> {
        let parents = commit.parent_ids();
        let before = match parents.first().and_then(|first| self.commits.get(first)) {
            Some((_, parent)) => parent.tree(),
            None => Tree::empty(),
        };
        let (text, mut exact) = self.header(Kind::Commit, commit.id().hash(), commit.info())?;
        let mut removed = Vec::new();
        let mut set = Vec::new();
        for Change { path, new, .. } in before.diff(&commit.tree())? {
            match new {
                None => removed.push(path),
                Some(new) => {
                    exact &= !matches!(new.root_kind(), TreeKind::Value(Metadata::Other(_)));
                    set.push((self.content(&path, &new)?, path));
                }
            }
        }
        if !exact {
            self.tally.changed.push(commit.id());
        }
        if parents.is_empty() {
            // Without it the commit would follow the one before it on this ref.
            self.put(&format!("reset {on}\n"))?;
        }
        let mark = self.next_mark();
        self.put(&format!("commit {on}\nmark :{mark}\noriginal-oid {}\n", commit.id()))?;
        self.sink.put(&text)?;
        let message = commit.info().message.clone();
        self.data(&message)?;
        for (i, parent) in parents.iter().enumerate() {
            let Some((mark, _)) = self.commits.get(parent) else {
                return Err(Error::missing_objects(vec![parent.hash().into()]).into());
            };
            let word = if i == 0 { "from" } else { "merge" };
            let line = format!("{word} :{mark}\n");
            self.put(&line)?;
        }
        // What is removed goes first: a value may give way to a directory of its name.
        for path in removed {
            self.put(&format!("D {path}\n"))?;
        }
        for (content, path) in set {
            self.put(&format!("M {content} {path}\n"))?;
        }
        self.put("\n")?;
        self.tally.commits += 1;
        self.progress.step();
        self.commits.insert(commit.id(), (mark, commit));
        Ok(())
    }

    /// The mode and name of what a path becomes; a value that is new is written before.
    fn content(&mut self, path: &Path, new: &Tree<C>) -> Outcome<String> {
        let (mode, hash) = match (new.root_kind(), new.hash()?) {
            (TreeKind::Opaque(0o160_000), KindedHash::Node(id)) => {
                return Ok(format!("160000 {id}"));
            }
            (TreeKind::Value(metadata), KindedHash::Value(id, _)) => match today(metadata) {
                Metadata::Link => ("120000", id.hash()),
                Metadata::Exec => ("100755", id.hash()),
                _ => ("100644", id.hash()),
            },
            _ => {
                let why = format!("`{path}` has a mode that a stream has no place for");
                return Err(Failure::from(Error::new(Code::Unrepresentable, why)).into());
            }
        };
        if let Some(mark) = self.values.get(&hash) {
            return Ok(format!("{mode} :{mark}"));
        }
        let Some(mut value) = new.open(Path::root())? else {
            return Err(Error::missing_objects(vec![hash.into()]).into());
        };
        let mark = self.next_mark();
        self.put(&format!("blob\nmark :{mark}\noriginal-oid {hash}\ndata {}\n", value.len()))?;
        self.sink.value(&mut value)?;
        self.put("\n")?;
        self.values.insert(hash, mark);
        self.tally.values += 1;
        Ok(format!("{mode} :{mark}"))
    }

    /// [`header`], with persons that git could write.
    fn header(&self, kind: Kind, id: Hash, info: &Info) -> Result<(Vec<u8>, bool), Error> {
        if let Ok(done) = header(info, self.git) {
            return Ok(done);
        }
        let [author, committer] = match kind {
            Kind::Tag => [("tagger", &info.author); 2],
            _ => [("author", &info.author), ("committer", &info.committer)],
        };
        let person = |(word, who)| self.mends.person(kind, id, word, who);
        let info = Info { author: person(author), committer: person(committer), ..info.clone() };
        header(&info, self.git).map_err(|e| e.context(id))
    }

    fn mark_of(&self, commit: CommitId) -> Outcome<u64> {
        match self.commits.get(&commit) {
            Some((mark, _)) => Ok(*mark),
            None => Err(Error::missing_objects(vec![commit.hash().into()]).into()),
        }
    }

    fn reset(&mut self, name: &str, commit: CommitId) -> Outcome<()> {
        let mark = self.mark_of(commit)?;
        self.put(&format!("reset {name}\nfrom :{mark}\n\n"))?;
        self.tally.refs.push(name.to_owned());
        Ok(())
    }

    fn tag(
        &mut self,
        name: &str,
        id: Hash,
        commit: CommitId,
        said: &irmin_core::TagData,
    ) -> Outcome<()> {
        let mark = self.mark_of(commit)?;
        self.put(&format!("tag {name}\nfrom :{mark}\noriginal-oid {id}\n"))?;
        if let Some(tagger) = &said.tagger {
            let info =
                Info { author: tagger.clone(), committer: tagger.clone(), ..Info::new("a", 0, "") };
            let (text, _) = self.header(Kind::Tag, id, &info)?;
            let line = text.split_inclusive(|b| *b == b'\n').next().unwrap_or_default();
            let who = line.strip_prefix(b"author".as_slice()).unwrap_or_default();
            self.sink.put(&[b"tagger", who].concat())?;
        }
        self.data(&said.message)?;
        self.tally.tags += 1;
        self.tally.refs.push(format!("refs/tags/{name}"));
        Ok(())
    }
}

/// Whether someone has a zone that git writes, and reads only where a stream asks for it.
///
/// Source: `validate_raw_date` of git's `builtin/fast-import.c`.
fn is_nowhere(who: &Signature) -> bool {
    who.zone.as_bytes().get(1..).is_some_and(|digits| *digits > b"1400"[..])
}

/// The lines of a commit from its author to the encoding of its message, as git has them in the
/// object; and whether there is nothing else in it.
fn header(info: &Info, of_git: bool) -> Result<(Vec<u8>, bool), Error> {
    let tree = Key::from(irmin_core::HashFunction::Sha1.digest(b""));
    let bare = Info { headers: Vec::new(), message: "-".into(), ..info.clone() };
    let data = CommitData { tree, parents: Vec::new(), info: bare };
    let object = Format::new(FormatSpec::git()).commit(&data)?;
    let persons = object.bytes.split(|b| *b == b'\n').skip(1).take(2);
    let mut text: Vec<u8> = persons.flat_map(|line| [line, b"\n"].concat()).collect();
    // The blank line behind the headers is there also without a message; see `Info::headers`.
    let mut exact = !info.message.is_empty() || !of_git;
    for (name, value) in &info.headers {
        match &**name {
            b"encoding" if !value.contains(&b'\n') => {
                let _ = text.write_all(&[b"encoding ", &**value, b"\n"].concat());
            }
            b"" if value.is_empty() => exact = true,
            _ => return Ok((text, false)),
        }
    }
    Ok((text, exact))
}
