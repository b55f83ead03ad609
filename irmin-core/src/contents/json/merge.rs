//! The merges of JSON values, as OCaml Irmin merges them.

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::{Json, JsonValue, Members};
use crate::merge::{Reason, merge_options, take_changed};

const DATATYPES: Reason = Reason::of("Conflicting JSON datatypes");

/// The merge of [`JsonValue`].
pub(super) fn values(
    base: Option<&JsonValue>,
    ours: &JsonValue,
    theirs: &JsonValue,
) -> Result<JsonValue, Reason> {
    take_changed(base, ours, theirs).or_else(|_| structure(base, ours, theirs))
}

/// The merge of [`Json`].
pub(super) fn objects(base: Option<&Json>, ours: &Json, theirs: &Json) -> Result<Json, Reason> {
    take_changed(base, ours, theirs)
        .or_else(|_| members(base.map(|base| &base.0), &ours.0, &theirs.0).map(Json))
}

/// Merges two values of one kind; a base that is `null` is no base.
fn structure(
    base: Option<&JsonValue>,
    ours: &JsonValue,
    theirs: &JsonValue,
) -> Result<JsonValue, Reason> {
    use JsonValue::{Array, Bool, Null, Number, Object, String};
    let base = base.filter(|base| !matches!(base, Null));
    if base.is_some_and(|base| base.tag() != ours.tag()) {
        return Err(DATATYPES);
    }
    match (ours, theirs) {
        (Null, Null) => Ok(Null),
        (Bool(_), Bool(_)) | (String(_), String(_)) | (Number(_), Number(_)) => {
            take_changed(base, ours, theirs)
        }
        (Array(_), Array(_)) if ours == theirs => Ok(ours.clone()),
        (Array(_), Array(_)) => take_changed(base, ours, theirs),
        (Object(ours), Object(theirs)) => {
            let base = base.and_then(|base| match base {
                Object(members) => Some(members),
                _ => None,
            });
            members(base, ours, theirs).map(Object)
        }
        _ => Err(DATATYPES),
    }
}

/// Merges lists of members; no list as base is an empty one: each key is known to be absent.
///
/// The result is in descending order of keys, and of several conflicts that of the last key in
/// ascending order is reported: both as the original does. Duplicates of a key are paired in the
/// order of their values.
fn members(base: Option<&Members>, ours: &Members, theirs: &Members) -> Result<Members, Reason> {
    let (ours, theirs) = (sorted(ours), sorted(theirs));
    let (mut ours, mut theirs) = (ours.into_iter().peekable(), theirs.into_iter().peekable());
    let mut merged = Members::new();
    let mut conflict = None;
    loop {
        let order = match (ours.peek(), theirs.peek()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.0.cmp(&b.0),
        };
        let a = if order.is_le() { ours.next() } else { None };
        let b = if order.is_ge() { theirs.next() } else { None };
        let Some((key, _)) = a.or(b) else { break };
        let find = |base: &Members| base.iter().find(|m| m.0 == *key).map(|m| m.1.clone());
        let base = base.and_then(find);
        let value = |side: Option<&(String, JsonValue)>| side.map(|m| m.1.clone());
        match merge_options(structure, Some(&base), &value(a), &value(b)) {
            Ok(Some(value)) => merged.push((key.clone(), value)),
            Ok(None) => {}
            Err(reason) => conflict = Some(reason),
        }
    }
    merged.reverse();
    conflict.map_or(Ok(merged), Err)
}

fn sorted(members: &Members) -> Vec<&(String, JsonValue)> {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.order(&b.1)));
    sorted
}
