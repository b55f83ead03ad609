//! Persons as git writes them, where a history has others: an export goes on, and tells.
//!
//! `git fast-export` writes such lines as they are, and `git fast-import` refuses most of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use irmin_core::backend::{Backend, Batch, Stage, Submitted, Wait};
use irmin_core::object::LayoutSpec;
use irmin_core::{
    Bytes, Code, CommitData, Contents, Error, Format, FormatSpec, Hash, HashFunction, Info, Key,
    Kind, Object, Repo, Result, Signature, Zone,
};

/// What was mended, and what of it, by the hashes of commits and tags.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mends(Arc<Mutex<BTreeMap<Hash, (Kind, String)>>>);

impl Mends {
    /// Notes that a line of an object went out as another one.
    pub(crate) fn note(&self, kind: Kind, id: Hash, was: &[u8], is: &[u8]) {
        let (was, is) = (String::from_utf8_lossy(was), String::from_utf8_lossy(is));
        let what = match &*was {
            "" => format!("it lacks a line: exported with `{is}`"),
            _ => format!("`{was}` is not as git writes it: exported as `{is}`"),
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, told) = all.entry(id).or_insert((kind, String::new()));
        // What is read again is told once.
        if !told.contains(&what) {
            told.push_str(if told.is_empty() { "" } else { ", " });
            told.push_str(&what);
        }
    }

    /// Someone as git could write them: what stores that are not git's have need not be that.
    pub(crate) fn person(&self, kind: Kind, id: Hash, word: &str, who: &Signature) -> Signature {
        let info = Info { author: who.clone(), committer: who.clone(), ..Info::new("", 0, "") };
        let tree = Key::from(HashFunction::Sha1.digest(b""));
        let data = CommitData { tree, parents: Vec::new(), info };
        if Format::new(FormatSpec::git()).commit(&data).is_ok() {
            return who.clone();
        }
        let said = [&*who.author, format!(" {} {}", who.date, who.zone).as_bytes()].concat();
        let is = person(&said);
        let [was, told] = [&said, &is].map(|who| [word.as_bytes(), b" ", who].concat());
        self.note(kind, id, &was, &told);
        read(&is).unwrap_or_else(|| Signature::new("", 0))
    }

    /// All of them: kind, hash and what to tell.
    pub(crate) fn all(&self) -> Vec<(Kind, Hash, String)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|(id, (kind, told))| (*kind, *id, told.clone())).collect()
    }
}

/// The same repository, to be read: commits and tags of git are there with persons that can be
/// understood. They keep their ids, which are the hashes of what is stored.
pub(crate) fn mended<C: Contents>(repo: &Repo<C>, mends: &Mends) -> Result<Repo<C>> {
    if repo.format().spec().layout != LayoutSpec::Git {
        return Ok(repo.clone());
    }
    let inner = repo.backend().clone();
    let mended =
        Repo::new(Arc::new(Mended { inner, mends: mends.clone() }), repo.context().clone());
    mended?.with_limits(repo.limits().clone()).typed::<C>()
}

#[derive(Debug)]
struct Mended {
    inner: Arc<dyn Backend>,
    mends: Mends,
}

impl Mended {
    /// An object, mended if that makes it one that can be understood.
    fn mend(&self, object: Object) -> Object {
        let layout = self.inner.format().layout();
        let damaged = |object: &Object| match object.kind {
            Kind::Commit => layout.decode_commit(object).is_err(),
            Kind::Tag => layout.decode_tag(object).is_err(),
            _ => false,
        };
        if !damaged(&object) {
            return object;
        }
        let (bytes, mended) = lines(object.kind, &object.bytes);
        let again = Object { bytes: bytes.into(), ..object.clone() };
        if mended.is_empty() || damaged(&again) {
            return object;
        }
        for (was, is) in mended {
            self.mends.note(object.kind, object.id, &was, &is);
        }
        again
    }
}

fn refused<T>() -> Result<T> {
    Err(Error::new(Code::ReadOnly, "what is exported is only read"))
}

impl Backend for Mended {
    fn get_many(&self, keys: &[Key], wait: Wait) -> Result<Vec<Option<Object>>> {
        let found = self.inner.get_many(keys, wait)?;
        Ok(found.into_iter().map(|found| found.map(|object| self.mend(object))).collect())
    }

    fn submit(&self, _: Batch) -> Result<Submitted<'_>> {
        refused()
    }

    fn stage(&self) -> Result<Box<dyn Stage + '_>> {
        refused()
    }

    irmin_core::pass_on! { Backend for inner:
        format pin resident_dir resident_commit read_range open_values find_many
        find_prefix refs ref_names read_ref watch refresh recorded capabilities
    }
}

/// A line as it was, and as it is.
type Mend = (Vec<u8>, Vec<u8>);

/// The bytes of a commit or tag with its persons mended, where they have to be.
fn lines(kind: Kind, bytes: &[u8]) -> (Vec<u8>, Vec<Mend>) {
    let (name, before, words): (_, &[&str], &[&str]) = match kind {
        Kind::Tag => ("tag", &["object", "type", "tag"], &["tagger"]),
        _ => ("commit", &["tree", "parent"], &["author", "committer"]),
    };
    let start = bytes.iter().position(|b| *b == 0).map_or(0, |at| at + 1);
    let mut rest = bytes.get(start..).unwrap_or_default();
    let mut text = Vec::new();
    while let Some(line) = before.iter().find_map(|word| line_of(&mut rest, word)) {
        text.extend_from_slice(&[line, b"\n"].concat());
    }
    let found: Vec<_> = words.iter().map(|word| (*word, line_of(&mut rest, word))).collect();
    let mut mended = Vec::new();
    for (word, line) in &found {
        // An author that is missing is the committer; a tag may be without a tagger.
        let other = || found.iter().find_map(|(word, line)| Some((*word, (*line)?)));
        let (of, said) = match line {
            Some(line) => (*word, *line),
            None if kind == Kind::Tag => continue,
            None => other().unwrap_or((word, b"")),
        };
        let said = said.get(of.len() + 1..).unwrap_or_default();
        let who = if read(said).is_some() { said.to_vec() } else { person(said) };
        let is = [word.as_bytes(), b" ", &who].concat();
        if *line != Some(&*is) {
            mended.push((line.unwrap_or_default().to_vec(), is.clone()));
        }
        text.extend_from_slice(&[&*is, b"\n"].concat());
    }
    text.extend_from_slice(rest);
    ([format!("{name} {}\0", text.len()).as_bytes(), &text].concat(), mended)
}

/// The next line, if it begins with this word.
fn line_of<'a>(rest: &mut &'a [u8], word: &str) -> Option<&'a [u8]> {
    let end = rest.iter().position(|b| *b == b'\n')?;
    let line = rest.get(..end)?;
    let more = line.strip_prefix(word.as_bytes())?;
    if !matches!(more.first(), None | Some(b' ')) {
        return None;
    }
    *rest = rest.get(end + 1..)?;
    Some(line)
}

/// `name <e-mail> seconds zone`, if it is as git writes it.
fn read(said: &[u8]) -> Option<Signature> {
    let id = HashFunction::Sha1.digest(b"");
    let tree = format!("tree {id}\nauthor ");
    let text = [tree.as_bytes(), said, b"\ncommitter ", said, b"\n"].concat();
    let bytes = [format!("commit {}\0", text.len()).as_bytes(), &text].concat();
    let object = Object::new(Kind::Commit, id, bytes.into());
    let data = Format::new(FormatSpec::git()).layout().decode_commit(&object).ok()?;
    Some(data.info.author)
}

/// What can be understood of a person, as git writes one.
fn person(said: &[u8]) -> Vec<u8> {
    let (said, zone) = last_word(said, zone);
    let (said, date) = last_word(said, date);
    // The address is in the last brackets, which need not be closed.
    let (name, rest) = match said.iter().rposition(|b| *b == b'<') {
        Some(at) => said.split_at(at),
        None => (said, &[][..]),
    };
    let email = rest.get(1..).unwrap_or_default().split(|b| *b == b'>').next();
    let [name, email] = [name, email.unwrap_or_default()].map(|part| {
        let plain = part.iter().filter(|b| !matches!(b, b'<' | b'>' | 0));
        let plain = plain.map(|b| if *b == b'\n' { b' ' } else { *b });
        plain.collect::<Vec<u8>>().trim_ascii().to_vec()
    });
    let (date, zone) = (date.unwrap_or_default(), zone.unwrap_or_else(|| "+0000".into()));
    [&name, &b" <"[..], &email, format!("> {date} {zone}").as_bytes()].concat()
}

/// The last word, if it can be understood, and what is before it.
fn last_word<T>(said: &[u8], parse: impl Fn(&str) -> Option<T>) -> (&[u8], Option<T>) {
    let said = said.trim_ascii_end();
    let at = said.iter().rposition(|b| matches!(b, b' ' | b'>')).map_or(0, |at| at + 1);
    let word = said.get(at..).and_then(|word| std::str::from_utf8(word).ok());
    match word.and_then(parse) {
        Some(found) => (said.get(..at).unwrap_or_default(), Some(found)),
        None => (said, None),
    }
}

/// A sign and four digits; fewer are filled up, and more are no zone.
fn zone(word: &str) -> Option<String> {
    let stored = Zone::stored(Bytes::copy_from_slice(word.as_bytes())).ok()?;
    let (sign, digits) = word.split_at_checked(1)?;
    let number = digits.parse::<u64>().ok().filter(|_| stored.as_bytes().len() <= 5);
    Some(number.map_or_else(|| "+0000".into(), |number| format!("{sign}{number:04}")))
}

/// Seconds since 1970; what cannot be, is then.
fn date(word: &str) -> Option<i64> {
    let digits = word.strip_prefix('-').unwrap_or(word);
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| word.parse().unwrap_or_default()).map(|date: i64| date.max(0))
}
