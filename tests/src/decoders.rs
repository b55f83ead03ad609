//! What must hold for any bytes that a decoder is given: shared by the fuzzers of `fuzz/` and by
//! the test that replays their corpora.
//!
//! Each function takes any input, panics if a promise is broken, and says otherwise whether the
//! input was accepted. What is accepted must survive being written and read again.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::ops::ControlFlow;
use std::str::FromStr;
use std::sync::Arc;

use irmin_core::containers::{AddWinsSet, BlobLog, Counter, LwwRegister, MergeMap, Queue, Text};
use irmin_core::contents::Contents;
use irmin_core::{
    BranchName, Bytes, Dir, Edit, Entry, Error, Format, FormatSpec, Hash, HashFunction, HashPrefix,
    Key, Kind, Object, Parts, Path, RefName, Result, Revision, Source, Step, TagName,
};

use crate::{
    chunk_decoders, fs_decoders, line_decoders, repository_decoders, slice_decoders, value_decoders,
};

/// A decoder under test: the name of its fuzz target and corpus, and what must hold.
pub type Decoder = (&'static str, fn(&[u8]) -> bool);

/// All decoders.
pub const ALL: &[Decoder] = &[
    ("chunk", chunk_decoders::chunk),
    ("container", container),
    ("fs_object", fs_decoders::fs_object),
    ("fs_record", fs_decoders::fs_record),
    ("fs_ref", fs_decoders::fs_ref),
    ("git_commit", git_commit),
    ("git_config", repository_decoders::git_config),
    ("git_fast", repository_decoders::git_fast),
    ("git_pack", repository_decoders::git_pack),
    ("git_pack_index", repository_decoders::git_pack_index),
    ("git_packed_refs", repository_decoders::git_packed_refs),
    ("git_recorded", repository_decoders::git_recorded),
    ("git_ref", repository_decoders::git_ref),
    ("git_tag", git_tag),
    ("git_tree", git_tree),
    ("hash", hash),
    ("irmin_commit", irmin_commit),
    ("irmin_inode", irmin_inode),
    ("irmin_node", irmin_node),
    ("journal", repository_decoders::journal),
    ("jsonl", line_decoders::jsonl),
    ("jsonl_history", line_decoders::jsonl_history),
    ("path", path),
    ("ref_name", ref_name),
    ("revision", revision),
    ("slice", slice_decoders::slice),
    ("tar", repository_decoders::tar),
    ("typed_value", value_decoders::typed_value),
];

/// A container in either of its forms: the first byte says of which type.
#[must_use]
pub fn container(data: &[u8]) -> bool {
    let Some((which, data)) = data.split_first() else { return false };
    let read = match which % 8 {
        0 => value::<Counter>,
        1 => value::<LwwRegister<String>>,
        2 => value::<BlobLog<(i64, bool)>>,
        3 => value::<AddWinsSet<String>>,
        4 => value::<MergeMap<String, MergeMap<i64, Counter>>>,
        5 => value::<Queue<Vec<String>>>,
        6 => value::<Text>,
        _ => value::<MergeMap<Option<i64>, AddWinsSet<i64>>>,
    };
    read(data)
}

/// A value in either of its forms: its binary form is the only one, and its text form a fixed
/// point.
fn value<C: Contents>(data: &[u8]) -> bool {
    let binary = C::decode_binary(Bytes::copy_from_slice(data));
    if let Ok(value) = &binary {
        assert_eq!(value.encode_binary().ok().as_deref(), Some(data), "two encodings of a value");
    }
    let text = C::decode(Bytes::copy_from_slice(data));
    for value in binary.iter().chain(&text) {
        let encoded = value.encode().unwrap_or_else(|e| panic!("what decodes encodes: {e}"));
        let again = C::decode(encoded.clone()).unwrap_or_else(|e| panic!("{value:?}: {e}"));
        assert_eq!(&again, value);
        assert_eq!(again.encode().ok(), Some(encoded));
        let merged = C::merge().apply(None, value, value);
        assert!(merged.is_ok(), "a container has a merge: {merged:?}");
    }
    binary.is_ok() || text.is_ok()
}

/// A tree of git, without its header.
#[must_use]
pub fn git_tree(data: &[u8]) -> bool {
    let format = Format::new(FormatSpec::git());
    let _ = directory(&format, Kind::Node, data);
    directory(&format, Kind::Node, &with_header("tree", data))
}

/// A commit of git, without its header.
#[must_use]
pub fn git_commit(data: &[u8]) -> bool {
    let format = Format::new(FormatSpec::git());
    let _ = commit(&format, data);
    commit(&format, &with_header("commit", data))
}

/// An annotated tag of git, without its header.
#[must_use]
pub fn git_tag(data: &[u8]) -> bool {
    let format = Format::new(FormatSpec::git());
    let layout = format.layout();
    let read = |bytes: Bytes| {
        let id = HashFunction::Sha1.digest(&bytes);
        layout.decode_tag(&Object::new(Kind::Tag, id, bytes))
    };
    let _ = read(Bytes::copy_from_slice(data));
    let Ok(tag) = read(Bytes::from(with_header("tag", data))) else { return false };
    // What git would not write either (no tagger, odd names) is read and not written.
    if let Ok(object) = format.tag(&tag) {
        assert_eq!(layout.decode_tag(&object).ok().as_ref(), Some(&tag));
        let target: Vec<_> = object.children.iter().map(|child| child.key).collect();
        assert_eq!(target, [tag.target]);
    }
    true
}

/// A flat directory of the Irmin layout, in every preset.
#[must_use]
pub fn irmin_node(data: &[u8]) -> bool {
    irmin_presets()
        .into_iter()
        .filter(|spec| directory(&Format::new(*spec), Kind::Node, data))
        .count()
        > 0
}

/// A part of a directory of the Irmin layout, in the presets that split directories.
#[must_use]
pub fn irmin_inode(data: &[u8]) -> bool {
    irmin_presets()
        .into_iter()
        .filter(|spec| directory(&Format::new(*spec), Kind::Inode, data))
        .count()
        > 0
}

/// A commit of the Irmin layout, in every preset.
#[must_use]
pub fn irmin_commit(data: &[u8]) -> bool {
    irmin_presets().into_iter().filter(|spec| commit(&Format::new(*spec), data)).count() > 0
}

/// Paths and steps, in all their notations.
#[must_use]
pub fn path(data: &[u8]) -> bool {
    let mut accepted = false;
    if let Ok(path) = Path::parse(data) {
        assert!(path.check_git_safe().is_ok(), "{path} was accepted, and is not safe");
        assert_eq!(Path::new(path.steps()).ok().as_ref(), Some(&path));
        assert_eq!(Path::parse_quoted(&path.to_string()).ok(), Some(path));
        accepted = true;
    }
    if let Ok(step) = Step::new(data) {
        assert_eq!(step.as_bytes(), data);
    }
    if let Ok(text) = str::from_utf8(data)
        && let Ok(path) = Path::parse_quoted(text)
    {
        let again = path.to_string();
        assert_eq!(Path::parse_quoted(&again).ok(), Some(path), "{text:?} prints as {again:?}");
        accepted = true;
    }
    accepted
}

/// Names of branches, tags and refs.
#[must_use]
pub fn ref_name(data: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(data) else { return false };
    let refs = round_trip::<RefName>(text);
    let branches = round_trip::<BranchName>(text);
    let tags = round_trip::<TagName>(text);
    if let Ok(branch) = text.parse::<BranchName>() {
        let name = branch.to_ref();
        assert_eq!(name.branch(), Some(branch));
        assert_eq!(name.tag(), None);
        assert!(round_trip::<RefName>(name.as_str()));
    }
    assert!(tags || !branches, "what is a branch name is a tag name");
    refs || tags
}

/// Hashes, abbreviated hashes, and names of hash functions.
#[must_use]
pub fn hash(data: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(data) else { return false };
    let lower = text.to_ascii_lowercase();
    let mut accepted = false;
    if let Ok(hash) = text.parse::<Hash>() {
        assert_eq!(hash.to_string(), lower);
        assert_eq!(Hash::new(hash.as_bytes()).ok(), Some(hash));
        accepted = true;
    }
    if let Ok(prefix) = text.parse::<HashPrefix>() {
        assert_eq!(prefix.as_str(), lower);
        accepted = true;
        if let Ok(hash) = text.parse::<Hash>() {
            assert!(prefix.matches(&hash) && prefix.lower_bound() == hash.as_bytes());
        }
    }
    if let Ok(function) = text.parse::<HashFunction>() {
        assert_eq!(function.to_string().parse().ok(), Some(function));
        assert_eq!(function.digest(data).len(), function.len());
        accepted = true;
    }
    accepted
}

/// Revisions, as people type them.
#[must_use]
pub fn revision(data: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(data) else { return false };
    let Ok(revision) = text.parse::<Revision>() else { return false };
    // `^` prints as `^1`: the text may differ, the meaning may not.
    let again = revision.to_string();
    assert_eq!(again.parse().ok(), Some(revision), "{text:?} prints as {again:?}");
    true
}

fn irmin_presets() -> [FormatSpec; 3] {
    [FormatSpec::irmin_mem(), FormatSpec::irmin_pack(), FormatSpec::native()]
}

/// What is accepted prints as it was written, and is accepted again.
fn round_trip<T: FromStr<Err = Error> + Display + Debug + PartialEq>(text: &str) -> bool {
    let Ok(name) = text.parse::<T>() else { return false };
    assert_eq!(name.to_string(), text);
    assert_eq!(text.parse().ok(), Some(name));
    true
}

/// A source without objects: a directory that needs more than itself says so.
struct Nothing;

impl Source for Nothing {
    fn load(&self, keys: &[Key]) -> Result<Vec<Arc<Dir>>> {
        if keys.is_empty() { Ok(Vec::new()) } else { Err(Error::missing_objects(keys.to_vec())) }
    }
}

/// A header with the right length: fuzzers seldom guess it.
fn with_header(kind: &str, data: &[u8]) -> Vec<u8> {
    [format!("{kind} {}\0", data.len()).as_bytes(), data].concat()
}

fn object(format: &Format, kind: Kind, bytes: &[u8]) -> Object {
    let bytes = Bytes::copy_from_slice(bytes);
    Object::new(kind, format.hash().digest(&bytes), bytes)
}

fn commit(format: &Format, data: &[u8]) -> bool {
    let read = object(format, Kind::Commit, data);
    let references = format.layout().children(&read);
    let Ok(commit) = format.layout().decode_commit(&read) else { return false };
    assert_eq!(references.map(|r| r.len()).ok(), Some(1 + commit.parents.len()));
    if let Ok(written) = format.commit(&commit) {
        let again = format.layout().decode_commit(&written);
        assert_eq!(again.ok().as_ref(), Some(&commit));
        if *format.spec() != FormatSpec::git() {
            assert_eq!(written.bytes, read.bytes, "two encodings of one commit");
        }
    }
    true
}

fn directory(format: &Format, kind: Kind, data: &[u8]) -> bool {
    let layout = format.layout();
    let read = object(format, kind, data);
    let references = layout.children(&read);
    let Ok(dir) = layout.decode(Key::from(read.id), &read) else { return false };
    assert!(dir.weight() <= 8 * data.len() + 1024, "{} bytes of {}", dir.weight(), data.len());
    assert!(references.is_ok(), "what decodes has children: {references:?}");

    // A trie names objects that are not here; a flat directory is whole.
    let Ok(entries) = scan(format, &dir) else { return true };
    assert_eq!(entries.len() as u64, dir.len());
    for (name, entry) in &entries {
        assert_eq!(layout.find(&Nothing, &dir, name).ok(), Some(Some(*entry)));
    }
    let mut differences = 0;
    let same = layout.diff(&Nothing, Some(&dir), Some(&dir), &mut |_, _| {
        differences += 1;
        ControlFlow::Continue(())
    });
    assert!(same.is_ok() && differences == 0, "a directory differs from itself");
    rewrite(format, &read, &entries);
    true
}

type Entries = BTreeMap<Vec<u8>, Entry>;

fn scan(format: &Format, dir: &Dir) -> Result<Entries> {
    let mut entries = Entries::new();
    format.layout().scan(&Nothing, dir, None, &mut |_, name, entry| {
        let twice = entries.insert(name.to_vec(), entry);
        assert!(twice.is_none(), "a name is listed twice: {}", name.escape_ascii());
        ControlFlow::Continue(())
    })?;
    Ok(entries)
}

/// Writes the entries of a directory anew: they read back the same, and a strict layout had only
/// one way to write them.
fn rewrite(format: &Format, read: &Object, entries: &Entries) {
    let edits: Vec<Edit<'_>> =
        entries.iter().map(|(name, entry)| Edit { name, entry: Some(*entry) }).collect();
    let mut written: Vec<Object> = Vec::new();
    let root = format.layout().write(&Nothing, None, &Parts::NONE, &edits, &mut |object| {
        let key = Key::from(object.id);
        written.push(object);
        Ok(key)
    });
    let Ok(root) = root else { return };
    let Some(object) = written.iter().rfind(|o| o.id == root.hash) else { return };
    // A leaf of a trie is written in another form than a directory with the same entries.
    let same_form = object.bytes.first() == read.bytes.first();
    if *format.spec() != FormatSpec::git() && same_form {
        assert_eq!(object.bytes, read.bytes, "two encodings of one directory");
    }
    if written.len() == 1
        && let Ok(again) = format.layout().decode(root, object)
    {
        assert_eq!(scan(format, &again).ok().as_ref(), Some(entries));
    }
}
