//! Annotated tags: `object`, `type`, `tag` and `tagger` lines, a blank line, the message.
//!
//! Tags without a tagger, which early versions of git wrote, decode, and are written where a history
//! that has one is copied; headers that git does not know either are passed over.

use alloc::vec::Vec;

use bytes::Bytes;

use super::commit::{Reader, signature};
use super::{content, hash_line, with_header};
use crate::error::{Code, Error, Result};
use crate::hash::Hash;
use crate::id::Key;
use crate::name::TagName;
use crate::object::{Kind, Object, TagData};

/// The words of git for what can be tagged.
const KINDS: [(Kind, &str); 4] =
    [(Kind::Commit, "commit"), (Kind::Node, "tree"), (Kind::Value, "blob"), (Kind::Tag, "tag")];

pub(super) fn encode(hash_len: usize, tag: &TagData) -> Result<Bytes> {
    let hash = tag.target.hash;
    if hash.len() != hash_len {
        let why = alloc::format!("{hash} is no hash of this format, which has {hash_len} bytes");
        return Err(Error::new(Code::Unrepresentable, why));
    }
    let word = KINDS.iter().find(|(kind, _)| *kind == tag.kind).map(|(_, word)| word);
    let word = word.ok_or_else(|| {
        let why = alloc::format!("git has no way to tag a {}", tag.kind);
        Error::new(Code::Unrepresentable, why)
    })?;
    let name = core::str::from_utf8(&tag.name).ok().and_then(|name| name.parse::<TagName>().ok());
    let name = name.ok_or_else(|| {
        let why = alloc::format!("`{}` is no name of a tag", tag.name.escape_ascii());
        Error::new(Code::InvalidName, why)
    })?;
    let mut out = Vec::with_capacity(256 + tag.message.len());
    out.extend_from_slice(alloc::format!("object {hash}\ntype {word}\ntag {name}\n").as_bytes());
    if let Some(tagger) = &tag.tagger {
        signature(&mut out, "tagger", tagger)?;
    }
    out.push(b'\n');
    out.extend_from_slice(&tag.message);
    Ok(with_header("tag", out.len(), |all| all.extend_from_slice(&out)))
}

pub(super) fn decode(hash_len: usize, object: &Object) -> Result<TagData> {
    let corrupt = |why: &str| Error::corrupt("tag", &object.id, why);
    let begun = begin(hash_len, object)?;
    let mut reader = Reader::new(object, begun.end, hash_len);
    let mut tagger = None;
    if reader.rest().starts_with(b"tagger ") {
        let read = reader.signature(b"tagger ");
        tagger = Some(read.ok_or_else(|| corrupt("its tagger is not as git writes one"))?);
    }
    while !reader.rest().is_empty() {
        let line = reader.line().ok_or_else(|| corrupt("its last header does not end"))?;
        if line.is_empty() {
            break;
        }
    }
    let message = object.bytes.slice(object.bytes.len() - reader.rest().len()..);
    Ok(TagData { target: begun.target, kind: begun.kind, name: begun.name, tagger, message })
}

/// The lines that every tag begins with.
struct Begun {
    target: Key,
    kind: Kind,
    name: Bytes,
    /// Where they end in the bytes of the object.
    end: usize,
}

/// What an annotated tag names.
pub(super) fn target(hash_len: usize, object: &Object) -> Result<(Kind, Key)> {
    begin(hash_len, object).map(|begun| (begun.kind, begun.target))
}

fn begin(hash_len: usize, object: &Object) -> Result<Begun> {
    let corrupt = |why: &str| Error::corrupt("tag", &object.id, why);
    let range = content("tag", object)?;
    let text = object.bytes.get(range).unwrap_or_default();
    let (target, rest): (Hash, _) =
        hash_line(text, b"object ", hash_len).ok_or_else(|| corrupt("it names no object"))?;
    let rest = rest.strip_prefix(b"type ").ok_or_else(|| corrupt("it has no type"))?;
    let (word, rest) = rest.split_at(rest.iter().position(|b| *b == b'\n').unwrap_or(0));
    let rest = rest.strip_prefix(b"\ntag ").unwrap_or_default();
    let name = rest.split(|b| *b == b'\n').next().unwrap_or_default();
    if name.len() == rest.len() {
        return Err(corrupt("it has no name"));
    }
    let kind = KINDS.iter().find(|(_, known)| known.as_bytes() == word).map(|(kind, _)| *kind);
    let kind = kind.ok_or_else(|| corrupt("the type of its object is unknown"))?;
    let at = object.bytes.len() - rest.len();
    let name = at..at + name.len();
    // What a store knows of where the target is.
    let hint = object.children.first().map(|child| child.key).filter(|key| key.hash == target);
    Ok(Begun {
        target: hint.unwrap_or(Key::from(target)),
        kind,
        name: object.bytes.slice(name.clone()),
        end: name.end + 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::HashFunction;
    use crate::info::Signature;

    fn object(bytes: Bytes) -> Object {
        let id = HashFunction::Sha1.digest(&bytes);
        Object::new(Kind::Tag, id, bytes)
    }

    fn stored(text: &str) -> Object {
        object(with_header("tag", text.len(), |out| out.extend_from_slice(text.as_bytes())))
    }

    fn tag() -> TagData {
        TagData {
            target: Key::from(HashFunction::Sha1.digest(b"a commit")),
            kind: Kind::Commit,
            name: Bytes::from_static(b"v1"),
            tagger: Some(Signature::new("ann <ann@example.org>", 7)),
            message: Bytes::from_static(b"first\n\nmore\n"),
        }
    }

    /// The hash is what `git mktag` gives for this text.
    #[test]
    fn the_bytes_are_gits() {
        let text = "object 4b825dc642cb6eb9a060e54bf8d69288fbee4904\ntype tree\ntag v1\n\
                    tagger ann <ann@example.org> 7 +0000\n\nfirst\n";
        let tag = TagData {
            target: "4b825dc642cb6eb9a060e54bf8d69288fbee4904".parse::<Hash>().unwrap().into(),
            kind: Kind::Node,
            message: Bytes::from_static(b"first\n"),
            ..tag()
        };
        let bytes = encode(20, &tag).unwrap();
        assert_eq!(bytes, stored(text).bytes);
        assert_eq!(object(bytes).id.to_string(), "8e8895a5b0232c2ea3d87dd72087cf90302918d6");
    }

    #[test]
    fn what_is_written_is_read() {
        let nobody = TagData { tagger: None, ..tag() };
        let bytes = encode(20, &nobody).unwrap();
        assert!(bytes.ends_with(b"\ntag v1\n\nfirst\n\nmore\n"), "{}", bytes.escape_ascii());
        assert_eq!(decode(20, &object(bytes)).unwrap(), nobody);
        for message in ["", "first", "first\n\nmore\n"] {
            let tag = TagData { message: Bytes::from(message), ..tag() };
            assert_eq!(decode(20, &object(encode(20, &tag).unwrap())).unwrap(), tag);
        }
    }

    #[test]
    fn what_others_wrote_is_read() {
        let begin = "object 4b825dc642cb6eb9a060e54bf8d69288fbee4904\ntype tree\ntag odd name\n";
        let read = |rest: &str| decode(20, &stored(&alloc::format!("{begin}{rest}")));
        for (rest, message) in [("", ""), ("\n", ""), ("\nold", "old"), ("x y\n z\n\nm\n", "m\n")] {
            let tag = read(rest).unwrap();
            assert_eq!((&*tag.name, tag.tagger), (&b"odd name"[..], None), "{rest:?}");
            assert_eq!(tag.message, message, "{rest:?}");
        }
        for rest in ["tagger ann\n\n", "tagger a <b> x +0000\n", "x", "tagger "] {
            assert_eq!(read(rest).unwrap_err().code(), Code::CorruptObject, "{rest:?}");
        }
    }

    #[test]
    fn what_would_break_the_syntax_is_refused() {
        let refused = |tag: TagData| encode(20, &tag).unwrap_err().code();
        for name in ["", "a b", "a\nb", "-x", "a..b"] {
            let tag = TagData { name: Bytes::from(name), ..tag() };
            assert_eq!(refused(tag), Code::InvalidName, "{name:?}");
        }
        let nobody = Some(Signature::new("a\nb", 7));
        assert_eq!(refused(TagData { tagger: nobody, ..tag() }), Code::InvalidValue);
        assert_eq!(refused(TagData { kind: Kind::Chunk, ..tag() }), Code::Unrepresentable);
        let long = Key::from(HashFunction::Sha256.digest(b"x"));
        assert_eq!(refused(TagData { target: long, ..tag() }), Code::Unrepresentable);
    }
}
