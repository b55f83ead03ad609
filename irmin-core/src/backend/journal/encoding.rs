//! The bytes of a journal: pure, and strict in both directions.
//!
//! A journal is eight bytes that say what it is, and frames: the length of a body (four bytes, low
//! first), the first eight bytes of the BLAKE3 hash of the frame's place and its body, the body.
//! The place is part of the hash so that bytes inside of a text never pass for a frame. The first
//! frame holds the number of the next operation and all refs as they were when the journal began,
//! every other one an operation. Numbers are eight bytes, lengths and counts four; a ref name, a
//! text and a hash are their length and their bytes.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Operation, Origin};
use crate::backend::{RefChange, Target};
use crate::hash::{Hash, HashFunction};
use crate::id::Key;
use crate::name::RefName;

/// What a journal begins with.
const MAGIC: &[u8; 8] = b"irminop1";
/// The bytes of a frame before its body.
const FRAME: usize = 12;
/// How many operations further on a frame behind a damaged one is looked for.
const AHEAD: u64 = 1 << 20;
/// The longest text that is written; what is longer is cut.
const TEXT: usize = 1 << 10;

/// The refs at some time.
pub(super) type Refs = BTreeMap<RefName, Target>;

/// What a journal holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Journal {
    /// The number of the first operation, and the refs before it.
    pub(super) first: u64,
    pub(super) began: Refs,
    /// The operations, oldest first.
    pub(super) operations: Vec<Operation>,
}

/// How the bytes after the last good frame are to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// There are none.
    Clean,
    /// They are what a crash leaves of the last frame.
    Torn,
    /// They were damaged otherwise: good frames may follow.
    Damaged,
}

impl Journal {
    /// The number of the operation that comes next.
    pub(super) fn next(&self) -> u64 {
        self.operations.last().map_or(self.first, |last| last.number.saturating_add(1))
    }

    /// The refs after all operations.
    pub(super) fn refs(&self) -> Refs {
        let mut refs = self.began.clone();
        for change in self.operations.iter().flat_map(|operation| &operation.changes) {
            apply(&mut refs, change);
        }
        refs
    }

    /// The bytes of a journal without operations.
    pub(super) fn begin(next: u64, refs: &Refs) -> Vec<u8> {
        let mut body = next.to_le_bytes().to_vec();
        put_len(&mut body, refs.len());
        for (name, target) in refs {
            put_bytes(&mut body, name.as_str().as_bytes());
            put_target(&mut body, Some(target));
        }
        let mut out = MAGIC.to_vec();
        out.extend(frame(MAGIC.len() as u64, &body));
        out
    }

    /// Reads a journal as far as it is good: up to which byte, and what follows.
    ///
    /// Nothing at all is a journal that a crash cut off before it began.
    pub(super) fn decode(bytes: &[u8]) -> (Journal, usize, Tail) {
        let none = |tail| (Journal::default(), 0, tail);
        if bytes.len() < MAGIC.len() && MAGIC.starts_with(bytes) {
            return none(if bytes.is_empty() { Tail::Clean } else { Tail::Torn });
        }
        if !bytes.starts_with(MAGIC) {
            return none(Tail::Damaged);
        }
        let mut at = MAGIC.len();
        let begun = next_frame(bytes, at).and_then(|(body, end)| Some((snapshot(body)?, end)));
        let Some((mut journal, end)) = begun else { return none(tail(bytes, at, 0)) };
        at = end;
        let mut refs = journal.began.clone();
        while let Some((body, end)) = next_frame(bytes, at) {
            let operation = operation(body).filter(|operation| operation.number == journal.next());
            let Some(operation) = operation else { break };
            // An operation that does not go on from the one before was not written by us.
            if operation.changes.iter().any(|change| refs.get(&change.name) != change.old.as_ref())
            {
                break;
            }
            operation.changes.iter().for_each(|change| apply(&mut refs, change));
            journal.operations.push(operation);
            at = end;
        }
        let tail = tail(bytes, at, journal.next());
        (journal, at, tail)
    }
}

/// Makes refs what they are after a change.
pub(super) fn apply(refs: &mut Refs, change: &RefChange) {
    match &change.new {
        Some(target) => refs.insert(change.name.clone(), target.clone()),
        None => refs.remove(&change.name),
    };
}

/// What follows the last good frame: what a crash leaves of one that was being written, unless there
/// is another good one behind it.
fn tail(bytes: &[u8], at: usize, next: u64) -> Tail {
    if at >= bytes.len() {
        return Tail::Clean;
    }
    // Bytes that were made to look like many frames must not cost the square of their length.
    let mut budget = bytes.len().saturating_mul(8);
    for from in at..bytes.len() {
        let rest = bytes.get(from..).unwrap_or_default();
        let number = rest.get(FRAME..).and_then(|body| body.first_chunk::<8>());
        let Some(number) = number.map(|number| u64::from_le_bytes(*number)) else { break };
        let near = number >= next && number - next < AHEAD;
        let len = length(rest).filter(|len| near && *len < rest.len());
        let Some(left) = budget.checked_sub(len.unwrap_or(0)) else { return Tail::Damaged };
        budget = left;
        if len.is_some() && next_frame(bytes, from).is_some() {
            return Tail::Damaged;
        }
    }
    Tail::Torn
}

/// The length that a frame says its body has.
fn length(frame: &[u8]) -> Option<usize> {
    let len = frame.first_chunk::<4>()?;
    usize::try_from(u32::from_le_bytes(*len)).ok()
}

/// The body of the frame at a place, and where it ends.
fn next_frame(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let rest = bytes.get(at..)?;
    let end = length(rest)?.checked_add(FRAME)?;
    let body = rest.get(FRAME..end)?;
    let place = u64::try_from(at).ok()?;
    (rest.get(4..FRAME)? == check(place, body)).then_some((body, at.checked_add(end)?))
}

/// A frame at a place.
fn frame(place: u64, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len().saturating_add(FRAME));
    put_len(&mut out, body.len());
    out.extend(check(place, body));
    out.extend_from_slice(body);
    out
}

fn check(place: u64, body: &[u8]) -> [u8; 8] {
    let mut hasher = HashFunction::Blake3.hasher();
    hasher.update(&place.to_le_bytes());
    hasher.update(body);
    let hash = hasher.finish();
    let mut first = [0; 8];
    first.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
    first
}

/// The frame of an operation at a place.
pub(super) fn encode(place: u64, operation: &Operation) -> Vec<u8> {
    let mut body = operation.number.to_le_bytes().to_vec();
    let (origin, undone) = match operation.origin {
        Origin::Here => (0, 0),
        Origin::Outside => (1, 0),
        Origin::Undo(number) => (2, number),
    };
    body.push(origin);
    body.extend(undone.to_le_bytes());
    body.extend(operation.date.to_le_bytes());
    for text in [&operation.author, &operation.command, &operation.message] {
        put_bytes(&mut body, text.as_bytes());
    }
    put_len(&mut body, operation.changes.len());
    for change in &operation.changes {
        put_bytes(&mut body, change.name.as_str().as_bytes());
        put_target(&mut body, change.old.as_ref());
        put_target(&mut body, change.new.as_ref());
    }
    frame(place, &body)
}

/// A text that is short enough to be written.
pub(super) fn cut(text: &str) -> String {
    let mut end = text.len().min(TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().into()
}

fn put_len(out: &mut Vec<u8>, len: usize) {
    // Four gigabytes of refs are no journal; the frame would then not be read back.
    out.extend(u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_len(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn put_target(out: &mut Vec<u8>, target: Option<&Target>) {
    match target {
        None => out.push(0),
        Some(Target::Object(key)) => {
            out.push(1);
            put_bytes(out, key.hash.as_bytes());
        }
        Some(Target::Symbolic(name)) => {
            out.push(2);
            put_bytes(out, name.as_str().as_bytes());
        }
    }
}

fn snapshot(body: &[u8]) -> Option<Journal> {
    let mut reader = Reader(body);
    let first = reader.number()?;
    let mut began = Refs::new();
    for _ in 0..reader.len()? {
        let name = reader.name()?;
        if began.last_key_value().is_some_and(|(last, _)| *last >= name) {
            return None;
        }
        began.insert(name, reader.target()??);
    }
    reader.0.is_empty().then_some(Journal { first, began, operations: Vec::new() })
}

fn operation(body: &[u8]) -> Option<Operation> {
    let mut reader = Reader(body);
    let number = reader.number()?;
    let origin = reader.byte()?;
    let origin = match (origin, reader.number()?) {
        (0, 0) => Origin::Here,
        (1, 0) => Origin::Outside,
        (2, undone) if undone < number => Origin::Undo(undone),
        _ => return None,
    };
    let date = i64::from_le_bytes(reader.take(8)?.first_chunk().copied()?);
    let [author, command, message] = [reader.text()?, reader.text()?, reader.text()?];
    let mut changes: Vec<RefChange> = Vec::new();
    for _ in 0..reader.len()? {
        let change =
            RefChange { name: reader.name()?, old: reader.target()?, new: reader.target()? };
        let in_order = changes.last().is_none_or(|last| last.name < change.name);
        if change.old == change.new || !in_order {
            return None;
        }
        changes.push(change);
    }
    let whole = reader.0.is_empty() && !changes.is_empty();
    whole.then_some(Operation { number, origin, date, author, command, message, changes })
}

/// Reads a body from the front; nothing is allocated on the word of a length or a count alone.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn len(&mut self) -> Option<usize> {
        usize::try_from(u32::from_le_bytes(self.take(4)?.first_chunk().copied()?)).ok()
    }

    fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.first_chunk().copied()?))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.len()?;
        self.take(len)
    }

    fn text(&mut self) -> Option<String> {
        let text = core::str::from_utf8(self.bytes()?).ok()?;
        (text.len() <= TEXT).then(|| text.into())
    }

    fn name(&mut self) -> Option<RefName> {
        core::str::from_utf8(self.bytes()?).ok()?.parse().ok()
    }

    fn target(&mut self) -> Option<Option<Target>> {
        Some(match self.byte()? {
            0 => None,
            1 => Some(Target::Object(Key::from(Hash::new(self.bytes()?).ok()?))),
            2 => Some(Target::Symbolic(self.name()?)),
            _ => return None,
        })
    }
}
