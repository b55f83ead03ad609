//! The order of writes: what is submitted and not durable yet.
//!
//! A submit checks a batch against the tips and puts it in line. Whoever waits first becomes the
//! leader, writes all that is in line with one pack and one move of each ref, and tells the
//! others. So writers that come while a leader syncs share the next syncs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use irmin_core::backend::{Expected, Note, Published, RefEdit, Target};
use irmin_core::lock::OnceLock;
use irmin_core::{Code, Error, Key, Object, RefName, Result};

use crate::oid::{self, Oid};
use crate::pack::write::Entry;
use crate::refs::read::Refs;
use crate::refs::write::name_clash;

/// A pack that a stage has written, and that has no name yet.
#[derive(Clone, Debug)]
pub(crate) struct StagedPack {
    /// Its file and its index, both synced.
    pub(crate) pack: String,
    pub(crate) index: String,
    pub(crate) checksum: Oid,
}

/// Where the end of a publish is put for who waits for it.
pub(crate) type Slot = Arc<OnceLock<Result<Published>>>;

/// A batch in line.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) seq: u64,
    pub(crate) entries: Vec<Entry>,
    pub(crate) staged: Option<StagedPack>,
    pub(crate) keys: Vec<Key>,
    pub(crate) edits: Vec<RefEdit>,
    pub(crate) note: Note,
    /// The batches in line whose objects this one refers to.
    pub(crate) needs: BTreeSet<u64>,
    pub(crate) slot: Slot,
}

/// Why a batch is not there.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// A ref was not as expected.
    Lost(RefName, Option<Target>),
    /// It failed.
    Failed(Error),
}

impl Fate {
    /// As the end of a publish.
    pub(crate) fn ended(&self) -> Result<Published> {
        match self {
            Fate::Lost(name, actual) => {
                Ok(Published::Lost { name: name.clone(), actual: actual.clone() })
            }
            Fate::Failed(e) => Err(e.clone()),
        }
    }
}

/// The value that a batch in line gives a ref.
#[derive(Clone, Debug)]
struct Tip {
    seq: u64,
    target: Option<Target>,
}

/// What a ref is once something that is not on disk yet has happened.
pub(crate) trait After {
    /// Its value then.
    fn target(&self) -> Option<&Target>;
}

impl After for Tip {
    fn target(&self) -> Option<&Target> {
        self.target.as_ref()
    }
}

/// What is in line and what it will make of the refs.
#[derive(Debug, Default)]
pub(crate) struct Line {
    next_seq: u64,
    /// In order.
    pub(crate) waiting: Vec<Pending>,
    /// The refs that batches in line change, and the last batch that does.
    tips: BTreeMap<RefName, Tip>,
    /// The objects of batches in line.
    objects: HashMap<Oid, (u64, Object)>,
    /// Batches that others in line may still refer to and that are not there.
    pub(crate) gone: BTreeMap<u64, Fate>,
    /// The durable values of refs that are just moving.
    pub(crate) moving: HashMap<RefName, Option<Target>>,
    /// The failed sync after which nothing more is written.
    pub(crate) poisoned: Option<Error>,
}

impl Line {
    /// Refuses to write after a failed sync.
    ///
    /// # Errors
    /// `poisoned`.
    pub(crate) fn alive(&self) -> Result<()> {
        self.poisoned.clone().map_or(Ok(()), Err)
    }

    /// An object of a batch in line, and which batch that is.
    pub(crate) fn object(&self, id: &Oid) -> Option<&(u64, Object)> {
        self.objects.get(id)
    }

    /// The objects in line.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &Oid> {
        self.objects.keys()
    }

    /// The value of a ref for who builds on it.
    ///
    /// # Errors
    /// Those of reading it.
    pub(crate) fn tip(&self, refs: &Refs, name: &RefName) -> Result<Option<Target>> {
        match self.tips.get(name) {
            Some(tip) => Ok(tip.target.clone()),
            None => refs.read(name),
        }
    }

    /// Checks a batch against the tips; the first loss, if a ref is not as expected.
    ///
    /// # Errors
    /// `name_clash`, and those of reading refs.
    pub(crate) fn check(&self, refs: &Refs, edits: &[RefEdit]) -> Result<Option<Published>> {
        match check(refs, &mut BTreeMap::new(), edits, &self.tips)? {
            Some((name, actual)) => Ok(Some(Published::Lost { name, actual })),
            None => Ok(None),
        }
    }

    /// Puts a checked batch in line.
    pub(crate) fn push(&mut self, mut pending: Pending, objects: Vec<Object>) {
        pending.seq = self.next_seq;
        self.next_seq += 1;
        for edit in &pending.edits {
            let tip = Tip { seq: pending.seq, target: edit.new.clone() };
            self.tips.insert(edit.name.clone(), tip);
        }
        for object in objects {
            if let Ok(id) = oid::from_hash(&object.id) {
                // The last batch that has it: it stays readable until that one has ended.
                self.objects.insert(id, (pending.seq, object));
            }
        }
        self.waiting.push(pending);
    }

    /// Takes batches out of the books once their end is known; returns the objects that are there.
    pub(crate) fn settle(&mut self, group: &[Pending]) -> Vec<Object> {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { return Vec::new() };
        let in_group = |seq: u64| (first.seq..=last.seq).contains(&seq);
        self.tips.retain(|_, tip| !in_group(tip.seq));
        let ended = self.objects.extract_if(|_, (seq, _)| in_group(*seq)).map(|(_, ended)| ended);
        let there = ended.filter(|(seq, _)| !self.gone.contains_key(seq));
        let objects = there.map(|(_, object)| object).collect();
        if self.waiting.is_empty() {
            self.gone.clear();
        }
        // After a failed sync readers stay with what was durable before.
        if self.poisoned.is_none() {
            self.moving.clear();
        }
        objects
    }
}

/// Checks that no ref is edited twice and that every value can be one here.
///
/// # Errors
/// `invalid_argument`, `invalid_revision`.
pub(crate) fn check_edits(edits: &[RefEdit]) -> Result<()> {
    let mut names = BTreeSet::new();
    for edit in edits {
        if !names.insert(&edit.name) {
            let why = format!("ref `{}` is edited twice in one batch", edit.name);
            return Err(Error::new(Code::InvalidArgument, why));
        }
        if let Some(Target::Object(key)) = &edit.new {
            oid::from_hash(&key.hash)?;
        }
        if edit.new.is_none() && edit.name == RefName::head() {
            let why = "`HEAD` cannot be removed: git knows a repository by it";
            return Err(Error::new(Code::InvalidArgument, why));
        }
    }
    Ok(())
}

/// Checks edits against the disk, as far as it was read already as it was then, and the refs that
/// already differ from it. Answers the first ref that is not as expected.
///
/// # Errors
/// `name_clash`, and those of reading refs.
pub(crate) fn check<V: After>(
    refs: &Refs,
    read: &mut BTreeMap<RefName, Option<Target>>,
    edits: &[RefEdit],
    differing: &BTreeMap<RefName, V>,
) -> Result<Option<(RefName, Option<Target>)>> {
    let mut new_names = BTreeMap::new();
    for edit in edits {
        let actual = match differing.get(&edit.name) {
            Some(known) => known.target().cloned(),
            None => refs.read_once(&edit.name, read)?,
        };
        let holds = match &edit.expected {
            Expected::Any => true,
            Expected::Absent => actual.is_none(),
            Expected::Is(target) => actual.as_ref() == Some(target),
        };
        if !holds {
            return Ok(Some((edit.name.clone(), actual)));
        }
        if actual.is_none() && edit.new.is_some() {
            new_names.insert(edit.name.clone(), ());
        }
    }
    // What was removed by an earlier batch is no obstacle, what this one removes is, as in git.
    let gone = |name: &RefName| differing.get(name).is_some_and(|v| v.target().is_none());
    for name in new_names.keys() {
        let there = clash_among(&new_names, name, |()| true)
            .or_else(|| clash_among(differing, name, |v| v.target().is_some()));
        let there = match there {
            Some(there) => Some(there.clone()),
            None => refs.clash(name, &gone)?,
        };
        if let Some(there) = there {
            return Err(name_clash(name, &there));
        }
    }
    Ok(None)
}

/// A name among these that exists and is a directory of this one, or the reverse.
fn clash_among<'a, V>(
    names: &'a BTreeMap<RefName, V>,
    name: &RefName,
    exists: impl Fn(&V) -> bool,
) -> Option<&'a RefName> {
    let text = name.as_str();
    let above = text.match_indices('/').find_map(|(at, _)| {
        let (above, value) = names.get_key_value(text.get(..at)?)?;
        exists(value).then_some(above)
    });
    above.or_else(|| {
        let inside = format!("{text}/");
        let from = (Bound::Included(inside.as_str()), Bound::Unbounded);
        let mut below = names.range::<str, _>(from);
        let is_below = |(below, _): &(&RefName, &V)| below.as_str().starts_with(&inside);
        below.by_ref().take_while(is_below).find(|(_, v)| exists(v)).map(|(below, _)| below)
    })
}
