//! Commits: header lines, a blank line, the message.
//!
//! What `git fsck` accepts decodes, and encodes to the same bytes again: headers and their
//! continuation lines, encodings, signatures and messages pass through untouched. (Two oddities
//! that it lets pass and nothing writes do not decode: hashes in capitals, and a tab right before
//! a date.)
//!
//! Two things need a convention, because an [`Info`] is more regular than git's text:
//! - a line among the further headers that is not a name, a space and a value is kept whole, as
//!   the value of a header with an empty name;
//! - a commit without a message may end with a blank line (git's way) or without (OCaml Irmin's,
//!   which is what an empty message is written as): the blank line is a last header whose name
//!   and value are empty.

use alloc::format;
use alloc::vec::Vec;
use core::ops::Range;

use bytes::Bytes;

use super::{content, hash_line, with_header};
use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::id::Key;
use crate::info::{Info, NO_EMAIL, Signature, Zone, trim};
use crate::object::{CommitData, Object};

pub(super) fn encode(hash_len: usize, commit: &CommitData) -> Result<Bytes> {
    let mut out = Vec::with_capacity(256 + commit.info.message.len());
    for hash in core::iter::once(&commit.tree).chain(&commit.parents).map(|key| key.hash) {
        if hash.len() != hash_len {
            let why = format!("{hash} is no hash of this format, which has {hash_len} bytes");
            return Err(Error::new(Code::Unrepresentable, why));
        }
        let word = if out.is_empty() { "tree" } else { "parent" };
        out.extend_from_slice(format!("{word} {hash}\n").as_bytes());
    }
    signature(&mut out, "author", &commit.info.author)?;
    signature(&mut out, "committer", &commit.info.committer)?;
    let blank = headers(&mut out, &commit.info.headers)?;
    if blank || !commit.info.message.is_empty() {
        out.push(b'\n');
    }
    out.extend_from_slice(&commit.info.message);
    Ok(with_header("commit", out.len(), |all| all.extend_from_slice(&out)))
}

fn invalid(what: &str, text: &[u8], why: &str) -> Error {
    Error::new(Code::InvalidValue, format!("{what} `{}` {why}", text.escape_ascii()))
}

/// Whether text is a name, a space, an address in angle brackets, and at most blanks.
fn has_email(text: &[u8]) -> bool {
    let Some(open) = text.iter().position(|b| *b == b'<') else { return false };
    let (name, rest) = text.split_at(open);
    let Some(close) = rest.iter().position(|b| *b == b'>') else { return false };
    let (email, tail) = rest.split_at(close);
    let plain = |part: &[u8]| !part.iter().any(|b| matches!(b, b'<' | b'>' | b'\n' | 0));
    let tail = tail.get(1..).unwrap_or_default();
    name.last() == Some(&b' ')
        && plain(name)
        && plain(email.get(1..).unwrap_or_default())
        && matches!(tail.first(), None | Some(b' '))
        && tail.iter().all(|b| matches!(b, b' ' | b'\t'))
}

pub(super) fn signature(out: &mut Vec<u8>, what: &str, who: &Signature) -> Result<()> {
    let text: &[u8] = &who.author;
    out.extend_from_slice(format!("{what} ").as_bytes());
    if has_email(text) {
        out.extend_from_slice(text);
    } else if text.iter().any(|b| matches!(b, b'<' | b'>' | b'\n' | 0)) {
        let why = "is neither `name` nor `name <e-mail>`: no other <, >, newline or NUL";
        return Err(invalid(what, text, why));
    } else {
        out.extend_from_slice(trim(text));
        out.extend_from_slice(NO_EMAIL);
    }
    if who.date < 0 {
        let why = format!("the date {} is before 1970, which git has no way to write", who.date);
        return Err(Error::new(Code::InvalidValue, why));
    }
    if who.zone.as_bytes().len() != 5 {
        return Err(invalid("time zone", who.zone.as_bytes(), "is not a sign and four digits"));
    }
    out.extend_from_slice(format!(" {} {}\n", who.date, who.zone).as_bytes());
    Ok(())
}

/// Writes the further headers, and says whether the last of them is the blank line.
fn headers(out: &mut Vec<u8>, headers: &[(Bytes, Bytes)]) -> Result<bool> {
    for (at, (name, value)) in headers.iter().enumerate() {
        if name.is_empty() && value.is_empty() && at + 1 == headers.len() {
            return Ok(true);
        }
        if value.contains(&0) || name.iter().any(|b| matches!(b, b' ' | b'\n' | 0)) {
            return Err(invalid("header", name, "has a blank or NUL where git allows none"));
        }
        if name.is_empty() {
            // What reads back as it is: the line has no name, or has the place where no name is
            // looked for, right after the committer.
            let line = value.split(|b| *b == b'\n').next().unwrap_or_default();
            let nameless = match line.first() {
                None => false,
                Some(b' ') => at == 0,
                Some(_) => !line.contains(&b' '),
            };
            if !nameless {
                return Err(invalid("header", value, "without a name would be read as another"));
            }
        } else {
            out.extend_from_slice(name);
            out.push(b' ');
        }
        for byte in value {
            out.push(*byte);
            if *byte == b'\n' {
                out.push(b' ');
            }
        }
        out.push(b'\n');
    }
    Ok(false)
}

pub(super) fn decode(hash_len: usize, object: &Object) -> Result<CommitData> {
    let range = content("commit", object)?;
    let mut reader = Reader::new(object, range.start, hash_len);
    reader.commit().map_err(|why| Error::corrupt("commit", &object.id, why))
}

/// Reads the lines of a commit in their order.
pub(super) struct Reader<'a> {
    object: &'a Object,
    at: usize,
    hash_len: usize,
    /// How many hashes it has read.
    hashes: usize,
}

type Why = &'static str;

impl<'a> Reader<'a> {
    /// A reader of an object from a place in its bytes.
    pub(super) fn new(object: &'a Object, at: usize, hash_len: usize) -> Self {
        Reader { object, at, hash_len, hashes: 0 }
    }

    /// What was not read yet.
    pub(super) fn rest(&self) -> &[u8] {
        self.object.bytes.get(self.at..).unwrap_or_default()
    }

    fn hash(&mut self, word: &[u8]) -> Option<Key> {
        let (hash, rest): (Hash, _) = hash_line(self.rest(), word, self.hash_len)?;
        self.at = self.object.bytes.len() - rest.len();
        let key = Key::from(hash);
        // In the order of the children; a search for each would be quadratic in the parents.
        let hint = self.object.children.get(self.hashes).filter(|child| child.key == key);
        self.hashes += 1;
        Some(hint.map_or(key, |child| child.key))
    }

    /// The next line, as a range of the object's bytes, without its end.
    pub(super) fn line(&mut self) -> Option<Range<usize>> {
        let len = self.rest().iter().position(|b| *b == b'\n')?;
        let line = self.at..self.at + len;
        self.at = line.end + 1;
        Some(line)
    }

    fn commit(&mut self) -> Result<CommitData, Why> {
        let tree = self.hash(b"tree ").ok_or("it does not begin with its tree")?;
        let mut parents = Vec::new();
        while self.rest().starts_with(b"parent ") {
            parents.push(self.hash(b"parent ").ok_or("the hash of a parent is not one")?);
        }
        let author = self.signature(b"author ").ok_or("its author is not as git writes one")?;
        let committer =
            self.signature(b"committer ").ok_or("its committer is not as git writes one")?;
        let (headers, message) = self.headers()?;
        let info = Info { author, committer, message, headers };
        Ok(CommitData { tree, parents, info })
    }

    /// Someone at some time, behind a word.
    pub(super) fn signature(&mut self, word: &[u8]) -> Option<Signature> {
        if !self.rest().starts_with(word) {
            return None;
        }
        let mut line = self.line()?;
        line.start += word.len();
        let text = self.object.bytes.get(line.clone())?;
        let space = |text: &[u8]| text.iter().rposition(|b| *b == b' ');
        let zone_at = space(text)?;
        let date_at = space(text.get(..zone_at)?)?;
        let zone = self.object.bytes.slice(line.start + zone_at + 1..line.end);
        let zone = Zone::stored(zone).ok().filter(|zone| zone.as_bytes().len() == 5)?;
        let digits = text.get(date_at + 1..zone_at)?;
        let plain = digits.iter().all(u8::is_ascii_digit);
        if !plain || (digits.first() == Some(&b'0') && digits.len() > 1) {
            return None;
        }
        let date = core::str::from_utf8(digits).ok()?.parse().ok()?;
        let who = text.get(..date_at)?;
        if !has_email(who) {
            return None;
        }
        let author = self.object.bytes.slice(line.start..line.start + who.len());
        Some(Signature::of_git(author, date, zone))
    }

    fn headers(&mut self) -> Result<(Vec<(Bytes, Bytes)>, Bytes), Why> {
        let mut headers: Vec<(Bytes, Bytes)> = Vec::new();
        // The value of the last header where it goes on over lines, which a slice cannot hold.
        let mut long: Option<Vec<u8>> = None;
        let end = self.object.bytes.len();
        while self.at < end {
            let line = self.line().ok_or("its last header does not end")?;
            let text = self.object.bytes.get(line.clone()).unwrap_or_default();
            if text.contains(&0) {
                return Err("a header has a NUL");
            }
            if let ([b' ', more @ ..], Some((_, value))) = (text, headers.last()) {
                let long = long.get_or_insert_with(|| value.to_vec());
                long.push(b'\n');
                long.extend_from_slice(more);
                continue;
            }
            finish(&mut headers, &mut long);
            if text.is_empty() {
                if self.at == end {
                    headers.push((Bytes::new(), Bytes::new()));
                }
                break;
            }
            let space = text.iter().position(|b| *b == b' ').filter(|at| *at > 0);
            headers.push(match space {
                Some(at) => (
                    self.object.bytes.slice(line.start..line.start + at),
                    self.object.bytes.slice(line.start + at + 1..line.end),
                ),
                None => (Bytes::new(), self.object.bytes.slice(line)),
            });
        }
        finish(&mut headers, &mut long);
        Ok((headers, self.object.bytes.slice(self.at.min(end)..)))
    }
}

fn finish(headers: &mut [(Bytes, Bytes)], long: &mut Option<Vec<u8>>) {
    if let (Some((_, value)), Some(long)) = (headers.last_mut(), long.take()) {
        *value = Bytes::from(long);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::HashFunction;
    use crate::object::Kind;

    fn commit(author: &'static str, message: &'static str) -> CommitData {
        let tree = Key::from(HashFunction::Sha1.digest(b"tree 0\0"));
        CommitData { tree, parents: Vec::new(), info: Info::new(author, 5, message) }
    }

    fn round_trip(commit: &CommitData) -> (Bytes, CommitData) {
        let bytes = encode(20, commit).unwrap();
        let id = HashFunction::Sha1.digest(&bytes);
        let object = Object::new(Kind::Commit, id, bytes.clone());
        (bytes, decode(20, &object).unwrap())
    }

    #[test]
    fn authors_without_an_address_get_the_originals() {
        for (given, written, read) in [
            ("irmin", "irmin <irmin@openmirage.org>", "irmin"),
            ("", " <irmin@openmirage.org>", ""),
            ("  two words\t", "two words <irmin@openmirage.org>", "two words"),
            ("irmin <irmin@openmirage.org>", "irmin <irmin@openmirage.org>", "irmin"),
            ("alice <a@x>", "alice <a@x>", "alice <a@x>"),
            (" <a@x>", " <a@x>", " <a@x>"),
        ] {
            let (bytes, commit) = round_trip(&commit(given, "m"));
            let line = format!("\nauthor {written} 5 +0000\ncommitter {written} 5 +0000\n\nm");
            assert!(bytes.ends_with(line.as_bytes()), "{}", bytes.escape_ascii());
            assert_eq!(commit.info.author.author, read);
        }
    }

    #[test]
    fn what_would_break_the_syntax_is_refused() {
        for author in ["a<b", "a>b", "a\nb", "a\0b", "<a@x>", "a <b> c", "a <b <c>", "a<b>"] {
            let error = encode(20, &commit(author, "m")).unwrap_err();
            assert_eq!(error.code(), Code::InvalidValue, "{author}");
        }
        let mut early = commit("a", "m");
        early.info.committer.date = -1;
        assert_eq!(encode(20, &early).unwrap_err().code(), Code::InvalidValue);
        let mut odd = commit("a", "m");
        odd.info.author.zone = Zone::stored(Bytes::from_static(b"+1")).unwrap();
        assert_eq!(encode(20, &odd).unwrap_err().code(), Code::InvalidValue);
        for (name, value) in [("a b", "c"), ("a\nb", "c"), ("a", "\0"), ("", "a b"), ("", "")] {
            let mut bad = commit("a", "m");
            let header = (Bytes::from(name), Bytes::from(value));
            bad.info.headers = Vec::from([header.clone(), header]);
            assert_eq!(encode(20, &bad).unwrap_err().code(), Code::InvalidValue, "{name}");
        }
    }

    #[test]
    fn locators_of_children_come_through() {
        let key = |n: u8| {
            let hash = HashFunction::Sha1.digest(&[n]);
            Key { hash, at: crate::id::Locator(u64::from(n)) }
        };
        let mut commit = commit("a", "m");
        commit.parents = Vec::from([key(1), key(2), key(2)]);
        let bytes = encode(20, &commit).unwrap();
        let id = HashFunction::Sha1.digest(&bytes);
        let children = core::iter::once(&commit.tree).chain(&commit.parents);
        let children = children.map(|key| crate::object::Child::from(*key)).collect();
        let object = Object { children, ..Object::new(Kind::Commit, id, bytes) };
        let parents = decode(20, &object).unwrap().parents;
        assert_eq!(parents.iter().map(|key| key.at.0).collect::<Vec<_>>(), [1, 2, 2]);
    }

    #[test]
    fn headers_and_both_ends_without_a_message_survive() {
        let header = |name: &'static str, value: &'static str| (name.into(), value.into());
        for (headers, end) in [
            (Vec::new(), "+0000\n"),
            (Vec::from([header("", "")]), "+0000\n\n"),
            (Vec::from([header("gpgsig", "a\n\n b"), header("x", "")]), "gpgsig a\n \n  b\nx \n"),
            (Vec::from([header("", " x\ny"), header("", "flag")]), "\n x\n y\nflag\n"),
        ] {
            let mut commit = commit("a <b>", "");
            commit.info.headers = headers;
            let (bytes, again) = round_trip(&commit);
            assert!(bytes.ends_with(end.as_bytes()), "{}", bytes.escape_ascii());
            assert_eq!(again, commit);
        }
    }
}
