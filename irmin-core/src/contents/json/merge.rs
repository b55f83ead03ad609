//! The merges of JSON values, as OCaml Irmin merges them.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Json, JsonValue, Members};
use crate::merge::{Reason, merge_alists, merge_options, take_changed};

const DATATYPES: Reason = Reason::of("Conflicting JSON datatypes");

/// The merge of [`JsonValue`].
pub(super) fn values(
    base: Option<&JsonValue>,
    ours: &JsonValue,
    theirs: &JsonValue,
) -> Result<JsonValue, Reason> {
    take_changed(base, ours, theirs).or_else(|_| structure(base, ours, theirs))
}

/// The merge of [`Json`]. Its members are compared as a list, so that another order is a change, as
/// it is in the original; in the objects inside it is none.
pub(super) fn objects(base: Option<&Json>, ours: &Json, theirs: &Json) -> Result<Json, Reason> {
    let base = base.map(|base| &base.0);
    let (ours, theirs) = (&ours.0, &theirs.0);
    take_changed(base, ours, theirs).or_else(|_| members(base, ours, theirs)).map(Json)
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

/// Merges lists of members, as association lists.
fn members(base: Option<&Members>, ours: &Members, theirs: &Members) -> Result<Members, Reason> {
    let value =
        |_: &String,
         base: &Option<JsonValue>,
         ours: &Option<JsonValue>,
         theirs: &Option<JsonValue>| { merge_options(structure, Some(base), ours, theirs) };
    merge_alists(value, JsonValue::order, base.map(Vec::as_slice), ours, theirs)
}
