//! Trees: a mode, a space, a name, a NUL and a hash per entry, in git's order.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::ops::Range;

use super::{content, with_header};
use crate::error::{Code, Error, Result};
use crate::hash::HashFunction;
use crate::id::{Key, Locator};
use crate::object::dir::{Below, Body, Item, Locators};
use crate::object::items::Items;
use crate::object::{Child, Dir, Edit, Entry, EntryKind, Kind, Metadata, Object};
use crate::sort;

const TYPE: u32 = 0o170_000;
const DIRECTORY: u32 = 0o040_000;
const GITLINK: u32 = 0o160_000;

/// What a mode means to git: the type bits decide what is followed, the rest is kept.
fn kind_of(mode: u32) -> EntryKind {
    match (mode & TYPE, mode) {
        (DIRECTORY, _) => EntryKind::Node,
        (GITLINK, _) => EntryKind::Opaque(mode),
        (_, 0o100_644) => EntryKind::Value(Metadata::Normal),
        (_, 0o100_755) => EntryKind::Value(Metadata::Exec),
        (_, 0o120_000) => EntryKind::Value(Metadata::Link),
        _ => EntryKind::Value(Metadata::Other(mode)),
    }
}

fn mode_of(kind: EntryKind) -> u32 {
    match kind {
        EntryKind::Node => DIRECTORY,
        EntryKind::Value(Metadata::Normal) => 0o100_644,
        EntryKind::Value(Metadata::Exec) => 0o100_755,
        EntryKind::Value(Metadata::Link) => 0o120_000,
        EntryKind::Value(Metadata::Other(mode)) | EntryKind::Opaque(mode) => mode,
    }
}

/// Git's order: a directory compares as if its name ended in a slash.
fn git_order(a: (&[u8], EntryKind), b: (&[u8], EntryKind)) -> Ordering {
    let common = a.0.len().min(b.0.len());
    let (head_a, tail_a) = a.0.split_at(common);
    let (head_b, tail_b) = b.0.split_at(common);
    // NUL cannot be in a name, so it stands for the end of one that is no directory.
    let next = |tail: &[u8], kind| match tail.first() {
        Some(byte) => *byte,
        None if kind == EntryKind::Node => b'/',
        None => 0,
    };
    head_a.cmp(head_b).then_with(|| next(tail_a, a.1).cmp(&next(tail_b, b.1)))
}

/// One entry as it stands in the bytes of a tree.
struct Raw {
    name: Range<usize>,
    end: usize,
    kind: EntryKind,
}

/// The entry that begins at an offset.
fn entry_at(bytes: &[u8], at: usize, hash_len: usize) -> Result<Raw, &'static str> {
    let rest = bytes.get(at..).unwrap_or_default();
    let mut mode = 0_u32;
    let mut digits = 0_usize;
    for byte in rest {
        match byte {
            b'0'..=b'7' => {
                // As git reads it: of a number too long for a mode the low bits count.
                mode = (mode << 3 | u32::from(byte - b'0')) & 0xFFFF;
                digits += 1;
            }
            b' ' if digits > 0 => break,
            _ => return Err("the mode of an entry is not an octal number"),
        }
    }
    let name = rest.get(digits + 1..).ok_or("it ends within an entry")?;
    let name_len = name.iter().position(|b| *b == 0).ok_or("it ends within an entry")?;
    if name_len == 0 {
        return Err("an entry has no name");
    }
    let start = at + digits + 1;
    let end = start + name_len + 1 + hash_len;
    if end > bytes.len() {
        return Err("it ends within an entry");
    }
    Ok(Raw { name: start..start + name_len, end, kind: kind_of(mode) })
}

/// The entries of a tree in the order of its bytes, checked to be git's order.
fn items(hash_len: usize, object: &Object) -> Result<(Vec<Item>, Locators)> {
    let corrupt = |why: &str| Error::corrupt("directory", &object.id, why);
    let range = content("tree", object)?;
    let bytes: &[u8] = &object.bytes;
    if u32::try_from(bytes.len()).is_err() {
        let why = format!("directory {} has 4 GiB or more in one object", object.id);
        return Err(Error::new(Code::PayloadTooLarge, why));
    }
    let mut items: Vec<Item> = Vec::with_capacity(range.len() / (hash_len + 8));
    let mut hints = object.children.iter();
    let mut locators = Vec::new();
    let mut at = range.start;
    let mut last: Option<Raw> = None;
    while at < bytes.len() {
        let raw = entry_at(bytes, at, hash_len).map_err(corrupt)?;
        let name = bytes.get(raw.name.clone()).unwrap_or_default();
        if let Some(last) = &last {
            let before = bytes.get(last.name.clone()).unwrap_or_default();
            if git_order((before, last.kind), (name, raw.kind)).is_ge() {
                return Err(corrupt("its entries are not in git's order, each once"));
            }
        }
        let hash_at = raw.name.end + 1;
        let hash = bytes.get(hash_at..raw.end).unwrap_or_default();
        let followed = !matches!(raw.kind, EntryKind::Opaque(_)) && !is_null(hash);
        let hint = if followed { hints.next() } else { None };
        let offset = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        if let Some(child) = hint
            && child.key.at != Locator::NONE
            && child.key.hash.as_bytes() == hash
        {
            locators.push((offset(hash_at), child.key.at));
        }
        items.push(Item {
            name_at: offset(raw.name.start),
            name_len: offset(raw.name.len()),
            hash_at: offset(hash_at),
            kind: raw.kind,
        });
        at = raw.end;
        last = Some(raw);
    }
    Ok((items, Locators::new(locators)))
}

/// The hash of zeros, which names no object: git warns of it, and nothing can follow it.
fn is_null(hash: &[u8]) -> bool {
    hash.iter().all(|b| *b == 0)
}

pub(super) fn decode(hash_len: usize, key: Key, object: &Object) -> Result<Dir> {
    let (mut items, locators) = items(hash_len, object)?;
    let mut dir = Dir {
        key,
        len: items.len() as u64,
        depth: 0,
        inode: false,
        differs_at: 0,
        bytes: object.bytes.clone(),
        hash_len: u8::try_from(hash_len).unwrap_or(u8::MAX),
        body: Body::Entries(Items::default()),
        locators,
        below: Below::default(),
    };
    let ascending = |items: &[Item]| {
        items.windows(2).all(|pair| match pair {
            [a, b] => dir.name(a) < dir.name(b),
            _ => true,
        })
    };
    if !ascending(&items) {
        items.sort_unstable_by(|a, b| dir.name(a).cmp(dir.name(b)));
        if !ascending(&items) {
            let why = "a name is there twice, as a file and as a directory";
            return Err(Error::corrupt("directory", &object.id, why));
        }
    }
    dir.body = Body::Entries(Items::new(items, &object.bytes));
    Ok(dir)
}

/// Puts entries into the order in which they are in the bytes.
fn by_bytes(items: &mut [&Item]) {
    if !items.is_sorted_by_key(|item| item.hash_at) {
        items.sort_unstable_by_key(|item| item.hash_at);
    }
}

pub(super) fn children(hash_len: usize, object: &Object) -> Result<Vec<(Kind, Child)>> {
    let dir = decode(hash_len, Key::from(object.id), object)?;
    let mut items: Vec<&Item> = dir.items().iter().collect();
    by_bytes(&mut items);
    let followed = |item: &&Item| child(&dir, item).is_some();
    Ok(items
        .into_iter()
        .filter(followed)
        .map(|item| {
            let kind = if item.kind == EntryKind::Node { Kind::Node } else { Kind::Value };
            (kind, dir.entry(item).key.into())
        })
        .collect())
}

/// The reference of an entry, unless it is one that is not followed.
fn child(dir: &Dir, item: &Item) -> Option<Key> {
    let opaque = matches!(item.kind, EntryKind::Opaque(_));
    (!opaque && !is_null(dir.hash_bytes(item))).then(|| dir.entry(item).key)
}

/// The outcome of a write.
pub(super) enum Written {
    Same(Key),
    New(Object),
}

/// A new entry is one that decodes to what it was made from.
fn check_new(hash_len: usize, name: &[u8], entry: &Entry) -> Result<()> {
    let shown = name.escape_ascii();
    if name.is_empty() || name.contains(&0) || name.contains(&b'/') {
        let why = format!("`{shown}` cannot be a name in a git tree: empty, or with `/` or NUL");
        return Err(Error::new(Code::InvalidPath, why));
    }
    if entry.key.hash.len() != hash_len {
        let why = format!(
            "`{shown}` refers to a hash of {} bytes, and those of this format have {hash_len}",
            entry.key.hash.len()
        );
        return Err(Error::new(Code::Unrepresentable, why));
    }
    let mode = mode_of(entry.kind);
    if kind_of(mode) != entry.kind || mode > 0xFFFF {
        let why = format!("`{shown}` has the mode {mode:o}, which is none of its kind in git");
        return Err(Error::new(Code::Unrepresentable, why));
    }
    Ok(())
}

/// Applies edits in one pass over the entries of the base.
pub(super) fn write(
    function: HashFunction,
    base: Option<&Dir>,
    edits: &[Edit<'_>],
) -> Result<Written> {
    let mut gone: Vec<&Item> = Vec::new();
    let mut new: Vec<(&[u8], &Entry)> = Vec::new();
    for edit in edits {
        let old = base.and_then(|dir| dir.lookup(edit.name).map(|item| (dir, item)));
        if let (Some((dir, item)), Some(entry)) = (old, &edit.entry)
            && dir.is(item, entry)
        {
            continue;
        }
        gone.extend(old.map(|(_, item)| item));
        if let Some(entry) = &edit.entry {
            check_new(function.len(), edit.name, entry)?;
            new.push((edit.name, entry));
        }
    }
    if let Some(dir) = base
        && gone.is_empty()
        && new.is_empty()
    {
        return Ok(Written::Same(dir.key));
    }
    by_bytes(&mut gone);
    // Edits come by their names: nothing is to be done for most.
    sort::by(&mut new, |a, b| git_order((a.0, a.1.kind), (b.0, b.1.kind)));
    Rewrite { base, gone: &gone, new: &new }.object(function).map(Written::New)
}

/// A tree in the making: the entries of a base without some, with new ones, in git's order.
struct Rewrite<'a> {
    base: Option<&'a Dir>,
    gone: &'a [&'a Item],
    new: &'a [(&'a [u8], &'a Entry)],
}

impl Rewrite<'_> {
    fn object(&self, function: HashFunction) -> Result<Object> {
        let old_len = self.base.map_or(0, |dir| dir.bytes.len());
        let more: usize = self.new.iter().map(|(name, _)| name.len() + function.len() + 8).sum();
        let mut out = Vec::with_capacity(old_len.saturating_add(more));
        let mut children = Vec::with_capacity(self.new.len());
        self.merge(function.len(), &mut out, &mut children)?;
        let bytes = with_header("tree", out.len(), |all| all.extend_from_slice(&out));
        if u32::try_from(bytes.len()).is_err() {
            let why = String::from("a directory would have 4 GiB or more in one git tree");
            return Err(Error::new(Code::PayloadTooLarge, why));
        }
        let id = function.digest(&bytes);
        // What vouches for the entries that stay, if any does.
        let stays = |dir: &&Dir| dir.items().len() > self.gone.len();
        let base = self.base.filter(stays).map(Dir::key);
        Ok(Object { children, base, ..Object::new(Kind::Node, id, bytes) })
    }

    fn merge(&self, hash_len: usize, out: &mut Vec<u8>, children: &mut Vec<Child>) -> Result<()> {
        let mut new = self.new.iter().peekable();
        let mut gone = self.gone.iter().peekable();
        let mut items: Vec<&Item> = self.base.map_or(&[][..], Dir::items).iter().collect();
        by_bytes(&mut items);
        let bytes: &[u8] = self.base.map_or(&[][..], |dir| &dir.bytes);
        // The content begins after the NUL of the header.
        let mut at = bytes.iter().position(|b| *b == 0).map_or(0, |nul| nul + 1);
        // Untouched entries are copied in runs: `run` is where the current one begins.
        let mut run = at;
        for (dir, item) in
            self.base.into_iter().flat_map(|dir| items.iter().map(move |i| (dir, *i)))
        {
            let end = item.hash_at as usize + hash_len;
            if gone.next_if(|other| other.hash_at == item.hash_at).is_some() {
                out.extend_from_slice(bytes.get(run..at).unwrap_or_default());
                run = end;
            } else {
                let here = (dir.name(item), item.kind);
                while let Some((name, entry)) =
                    new.next_if(|(name, entry)| git_order((name, entry.kind), here).is_lt())
                {
                    out.extend_from_slice(bytes.get(run..at).unwrap_or_default());
                    run = at;
                    push(out, children, name, entry);
                }
                if let Some((name, _)) =
                    new.peek().filter(|(name, e)| git_order((name, e.kind), here).is_eq())
                {
                    let shown = name.escape_ascii();
                    let why = format!("`{shown}` clashes with an entry whose name has a slash");
                    return Err(Error::new(Code::InvalidPath, why));
                }
            }
            at = end;
        }
        out.extend_from_slice(bytes.get(run..at).unwrap_or_default());
        for (name, entry) in new {
            push(out, children, name, entry);
        }
        Ok(())
    }
}

fn push(out: &mut Vec<u8>, children: &mut Vec<Child>, name: &[u8], entry: &Entry) {
    out.extend_from_slice(format!("{:o} ", mode_of(entry.kind)).as_bytes());
    out.extend_from_slice(name);
    out.push(0);
    out.extend_from_slice(entry.key.hash.as_bytes());
    let opaque = matches!(entry.kind, EntryKind::Opaque(_));
    if !opaque && !is_null(entry.key.hash.as_bytes()) {
        children.push(entry.key.into());
    }
}
