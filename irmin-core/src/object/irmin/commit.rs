//! Commits: `C`, the root, the parents sorted by hash, the date, the author and the message.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::varint::{Reader, Why, put, put_boxed};
use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::id::Key;
use crate::info::{Info, Signature, Zone};
use crate::object::{CommitData, Object};
use crate::sort;

const TAG: u8 = b'C';

pub(super) fn encode(hash_len: usize, commit: &CommitData) -> Result<Bytes> {
    let CommitData { tree, parents, info } = commit;
    let refuse = |what: &str| {
        let why = format!("{what}, and commits of this format have no place for that");
        Err(Error::new(Code::Unrepresentable, why))
    };
    if info.committer != info.author {
        return refuse("the committer is not the author");
    }
    if info.author.zone != Zone::UTC {
        return refuse("the time zone is not +0000");
    }
    if !info.headers.is_empty() {
        return refuse("there are further headers");
    }
    let mut hashes: Vec<_> = parents.iter().map(|key| key.hash).collect();
    sort::by(&mut hashes, Hash::cmp);
    if core::iter::once(&tree.hash).chain(&hashes).any(|hash| hash.len() != hash_len) {
        let why = format!("a commit refers to a hash that has not {hash_len} bytes");
        return Err(Error::new(Code::Unrepresentable, why));
    }
    let mut out = Vec::with_capacity((hashes.len() + 1) * hash_len + info.message.len() + 64);
    out.push(TAG);
    out.extend_from_slice(tree.hash.as_bytes());
    put(&mut out, hashes.len() as u64);
    for hash in &hashes {
        out.extend_from_slice(hash.as_bytes());
    }
    out.extend_from_slice(&info.author.date.to_be_bytes());
    put_boxed(&mut out, &info.author.author);
    put_boxed(&mut out, &info.message);
    Ok(out.into())
}

pub(super) fn decode(hash_len: usize, object: &Object) -> Result<CommitData> {
    read(hash_len, object).map_err(|why| Error::corrupt("commit", &object.id, String::from(why)))
}

fn read(hash_len: usize, object: &Object) -> Result<CommitData, Why> {
    let mut reader = Reader::new(&object.bytes);
    if reader.byte()? != TAG {
        return Err("it does not begin with `C`");
    }
    let mut hints = object.children.iter();
    let mut key = |reader: &mut Reader<'_>| {
        let key = Key::from(reader.hash(hash_len)?);
        let hint = hints.next().filter(|child| child.key == key);
        Ok(hint.map_or(key, |child| child.key))
    };
    let tree = key(&mut reader)?;
    let count = reader.number()?;
    if count > (reader.left() / hash_len.max(1)) as u64 {
        return Err("it has fewer parents than it says");
    }
    let mut parents: Vec<Key> = Vec::with_capacity(usize::try_from(count).unwrap_or_default());
    for _ in 0..count {
        let parent = key(&mut reader)?;
        if parents.last().is_some_and(|last| *last > parent) {
            return Err("its parents are not sorted");
        }
        parents.push(parent);
    }
    let date = reader.take(8)?.iter().fold(0_i64, |n, byte| n << 8 | i64::from(*byte));
    let mut text = || {
        let len = reader.boxed()?.len();
        let end = reader.at();
        Ok(object.bytes.slice(end - len..end))
    };
    let (author, message) = (text()?, text()?);
    reader.end()?;
    let author = Signature { author, date, zone: Zone::UTC };
    let info = Info { committer: author.clone(), author, message, headers: Vec::new() };
    Ok(CommitData { tree, parents, info })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::HashFunction;
    use crate::object::Kind;

    const HASH: HashFunction = HashFunction::Blake2b(2);

    fn commit() -> CommitData {
        let key = |text: &[u8]| Key::from(HASH.digest(text));
        let parents = Vec::from([key(b"a"), key(b"b"), key(b"b"), key(b"c")]);
        CommitData { tree: key(b"t"), parents, info: Info::new("ann", -5, "why\n") }
    }

    fn object(bytes: Bytes) -> Object {
        let id = HASH.digest(&bytes);
        Object::new(Kind::Commit, id, bytes)
    }

    #[test]
    fn every_commit_has_one_encoding() {
        let mut commit = commit();
        let bytes = encode(2, &commit).unwrap();
        commit.parents.reverse();
        assert_eq!(encode(2, &commit).unwrap(), bytes);
        commit.parents.sort_unstable();
        assert_eq!(decode(2, &object(bytes.clone())).unwrap(), commit);
        for at in 0..bytes.len() {
            assert!(decode(2, &object(bytes.slice(..at))).is_err());
            for byte in 0..=u8::MAX {
                let mut bytes = bytes.to_vec();
                bytes[at] = byte;
                let bytes = Bytes::from(bytes);
                match decode(2, &object(bytes.clone())) {
                    Ok(commit) => assert_eq!(encode(2, &commit).unwrap(), bytes),
                    Err(error) => assert_eq!(error.code(), Code::CorruptObject),
                }
            }
        }
    }

    #[test]
    fn what_has_no_place_is_refused() {
        let refused = |change: fn(&mut CommitData)| {
            let mut commit = commit();
            change(&mut commit);
            assert_eq!(encode(2, &commit).unwrap_err().code(), Code::Unrepresentable);
        };
        refused(|commit| commit.info.committer.date = 1);
        refused(|commit| commit.info.headers.push((Bytes::new(), Bytes::new())));
        refused(|commit| commit.tree = Key::from(HashFunction::Sha1.digest(b"")));
        refused(|commit| {
            commit.info.author.zone = "+0100".parse().unwrap();
            commit.info.committer = commit.info.author.clone();
        });
    }
}
