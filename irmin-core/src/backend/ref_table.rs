//! Refs in memory, with the rules by which they change.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;
use core::ops::Bound;

use super::{Expected, Published, RefChange, RefEdit, Target};
use crate::error::{Code, Error, Result};
use crate::name::RefName;

/// A set of refs: the compare-and-set and name rules that all backends share.
///
/// It takes no lock and knows no disk: an engine keeps one under its own lock, as its tips, its
/// durable values or a copy of what is on disk.
///
/// ```
/// use irmin_core::backend::{Expected, RefEdit, RefTable, Target};
/// use irmin_core::RefName;
/// let name: RefName = "refs/heads/now".parse()?;
/// let target = Target::Symbolic("refs/heads/main".parse()?);
/// let edit = RefEdit { name: name.clone(), expected: Expected::Absent, new: Some(target) };
/// let mut refs = RefTable::default();
/// assert!(refs.check(&[edit.clone()])?.is_none());
/// assert_eq!(refs.apply(&[edit]).len(), 1);
/// assert!(refs.get(&name).is_some());
/// # Ok::<(), irmin_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefTable {
    refs: BTreeMap<RefName, Target>,
}

impl RefTable {
    /// The value of a ref.
    #[must_use]
    pub fn get(&self, name: &RefName) -> Option<&Target> {
        self.refs.get(name)
    }

    /// All refs, in order, those outside `refs/` included.
    pub fn iter(&self) -> impl Iterator<Item = (&RefName, &Target)> {
        self.refs.iter()
    }

    /// The refs under `refs/` whose name begins so, in order.
    #[must_use]
    pub fn list(&self, prefix: &str) -> Vec<(RefName, Target)> {
        self.refs
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(|(name, _)| name.as_str().starts_with(prefix))
            .filter(|(name, _)| name.as_str().starts_with("refs/"))
            .map(|(name, target)| (name.clone(), target.clone()))
            .collect()
    }

    /// Whether edits may be made: the first loss, if a ref is not as expected.
    ///
    /// # Errors
    /// `invalid_argument` for two edits of one name, `name_clash` for a new name that is a
    /// directory of another one or the reverse.
    pub fn check(&self, edits: &[RefEdit]) -> Result<Option<Published>> {
        if let Some(twice) = named_twice(edits) {
            let why = format!("ref `{twice}` is edited twice in one batch");
            return Err(Error::new(Code::InvalidArgument, why));
        }
        for edit in edits {
            let actual = self.refs.get(&edit.name);
            let holds = match &edit.expected {
                Expected::Any => true,
                Expected::Absent => actual.is_none(),
                Expected::Is(target) => actual == Some(target),
            };
            if !holds {
                let (name, actual) = (edit.name.clone(), actual.cloned());
                return Ok(Some(Published::Lost { name, actual }));
            }
        }
        // Those that are there are beside all others already.
        let is_new = |edit: &&RefEdit| edit.new.is_some() && !self.refs.contains_key(&edit.name);
        let mut added: BTreeMap<&RefName, ()> = BTreeMap::new();
        for edit in edits.iter().filter(is_new) {
            let there = clash(&self.refs, &edit.name).or_else(|| clash(&added, &edit.name));
            if let Some(there) = there {
                let why = format!("ref `{}` cannot be beside ref `{there}`", edit.name);
                return Err(Error::new(Code::NameClash, why));
            }
            added.insert(&edit.name, ());
        }
        Ok(None)
    }

    /// Makes edits that were [checked](RefTable::check), and says what changed by them.
    pub fn apply(&mut self, edits: &[RefEdit]) -> Vec<RefChange> {
        let mut changes = Vec::with_capacity(edits.len());
        for edit in edits {
            let old = match (&edit.new, self.refs.get_mut(&edit.name)) {
                (Some(target), Some(there)) => Some(core::mem::replace(there, target.clone())),
                (Some(target), None) => self.refs.insert(edit.name.clone(), target.clone()),
                (None, _) => self.refs.remove(&edit.name),
            };
            if old != edit.new {
                changes.push(RefChange { name: edit.name.clone(), old, new: edit.new.clone() });
            }
        }
        changes
    }
}

impl FromIterator<(RefName, Target)> for RefTable {
    fn from_iter<I: IntoIterator<Item = (RefName, Target)>>(refs: I) -> Self {
        RefTable { refs: refs.into_iter().collect() }
    }
}

/// A name that two edits have; most batches have one edit.
fn named_twice(edits: &[RefEdit]) -> Option<&RefName> {
    if edits.len() < 2 {
        return None;
    }
    let mut names: BTreeMap<&RefName, ()> = BTreeMap::new();
    edits.iter().map(|edit| &edit.name).find(|name| names.insert(name, ()).is_some())
}

/// A name among these that is a directory of this one, or the reverse.
fn clash<'a, K, V>(names: &'a BTreeMap<K, V>, name: &RefName) -> Option<&'a str>
where
    K: core::borrow::Borrow<str> + Ord,
{
    let text = name.as_str();
    let above = text.match_indices('/').find_map(|(at, _)| {
        let parent = text.get(..at)?;
        names.get_key_value(parent).map(|(name, _)| name.borrow())
    });
    above.or_else(|| {
        let inside = format!("{text}/");
        let from = (Bound::Included(inside.as_str()), Bound::Unbounded);
        let next = names.range::<str, _>(from).next().map(|(name, _)| name.borrow());
        next.filter(|name: &&str| name.starts_with(&inside))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::HashFunction;
    use crate::id::Key;

    fn name(text: &str) -> RefName {
        text.parse().unwrap()
    }

    fn target(n: u8) -> Target {
        Target::Object(Key::from(HashFunction::Sha1.digest(&[n])))
    }

    fn edit(at: &str, expected: Expected, new: Option<Target>) -> RefEdit {
        RefEdit { name: name(at), expected, new }
    }

    fn table(names: &[&str]) -> RefTable {
        let mut table = RefTable::default();
        for at in names {
            table.apply(&[edit(at, Expected::Any, Some(target(0)))]);
        }
        table
    }

    #[test]
    fn expectations() {
        let refs = table(&["refs/heads/a"]);
        let lost = |expected, at| refs.check(&[edit(at, expected, None)]).unwrap().is_some();
        assert!(!lost(Expected::Any, "refs/heads/a"));
        assert!(!lost(Expected::Is(target(0)), "refs/heads/a"));
        assert!(lost(Expected::Is(target(1)), "refs/heads/a"));
        assert!(lost(Expected::Absent, "refs/heads/a"));
        assert!(!lost(Expected::Any, "refs/heads/b"));
        assert!(!lost(Expected::Absent, "refs/heads/b"));
        assert!(lost(Expected::Is(target(0)), "refs/heads/b"));
    }

    #[test]
    fn names_clash_with_those_above_and_below_but_not_beside() {
        let refs = table(&["refs/heads/a/b", "refs/heads/a-c", "refs/heads/x.y"]);
        let code = |at: &str| {
            let edit = edit(at, Expected::Any, Some(target(1)));
            refs.check(&[edit]).err().map(|e| e.code())
        };
        assert_eq!(code("refs/heads/a"), Some(Code::NameClash));
        assert_eq!(code("refs/heads/a/b/c"), Some(Code::NameClash));
        assert_eq!(code("refs/heads/a/b/c/d"), Some(Code::NameClash));
        for fine in ["refs/heads/a/b", "refs/heads/a/c", "refs/heads/a-", "refs/heads/x", "HEAD"] {
            assert_eq!(code(fine), None, "{fine}");
        }
    }

    #[test]
    fn names_of_one_batch_clash_and_a_removal_makes_no_room_in_its_own_batch() {
        let refs = table(&["refs/heads/a"]);
        let set = |at| edit(at, Expected::Any, Some(target(1)));
        let remove = |at| edit(at, Expected::Any, None);
        for edits in [
            [set("refs/heads/b"), set("refs/heads/b/c")],
            [set("refs/heads/b/c"), set("refs/heads/b")],
            [remove("refs/heads/a"), set("refs/heads/a/b")],
        ] {
            assert_eq!(refs.check(&edits).unwrap_err().code(), Code::NameClash);
        }
        let twice = [set("refs/heads/b"), remove("refs/heads/b")];
        assert_eq!(refs.check(&twice).unwrap_err().code(), Code::InvalidArgument);
    }

    #[test]
    fn changes_that_change_nothing_are_not_reported() {
        let mut refs = table(&["refs/heads/a"]);
        let edits = [
            edit("refs/heads/a", Expected::Any, Some(target(0))),
            edit("refs/heads/b", Expected::Any, None),
            edit("refs/heads/c", Expected::Any, Some(target(3))),
        ];
        let changes = refs.apply(&edits);
        let new = Some(target(3));
        assert_eq!(changes, [RefChange { name: name("refs/heads/c"), old: None, new }]);
    }

    #[test]
    fn listings_are_sorted_and_leave_out_special_refs() {
        let refs = table(&["refs/tags/t", "HEAD", "refs/heads/b", "refs/heads/a"]);
        let names = |prefix| {
            let list = refs.list(prefix).into_iter();
            list.map(|(name, _)| alloc::string::String::from(name.as_str())).collect::<Vec<_>>()
        };
        assert_eq!(names(""), ["refs/heads/a", "refs/heads/b", "refs/tags/t"]);
        assert_eq!(names("refs/heads/"), ["refs/heads/a", "refs/heads/b"]);
        assert_eq!(names("refs/t"), ["refs/tags/t"]);
        assert!(names("HEAD").is_empty());
    }
}
