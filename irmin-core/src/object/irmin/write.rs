//! Editing a directory: sorted edits go down the trie together, with the parts that it takes over
//! from another version, and what they touch is built anew from the leaves up.
//!
//! It takes two passes. The first loads the parts that they lead to, a level at a time, and
//! counts what they add and remove, because the form of everything (flat or trie, leaf or inner
//! node) follows from the counts. The second builds, so that no object is made in vain.

use alloc::format;
use alloc::vec::Vec;
use core::ops::Range;

use super::node::Part;
use super::walk::{Held, find_slot, is_inner, load_parts, slots};
use super::{IrminLayout, node, walk};
use crate::error::{Code, Error, Result};
use crate::id::Key;
use crate::object::flat::{self, Ent};
use crate::object::layout::Put;
use crate::object::parts::{Node, Other, Parts};
use crate::object::{Dir, Edit, Kind, Layout as _, Object, Source};
use crate::sort;

pub(super) fn write(
    layout: &IrminLayout,
    source: &dyn Source,
    base: Option<&Dir>,
    parts: &Parts,
    edits: &[Edit<'_>],
    put: &mut Put<'_>,
) -> Result<Key> {
    flat::check_edits(edits)?;
    // A part says its depth, and is not looked up in as a root is.
    base.map_or(Ok(()), |dir| layout.check_root(dir))?;
    match base {
        Some(dir) if is_inner(dir) => {
            let mut known = Vec::new();
            if let ([edit], true) = (edits, parts.is_none()) {
                let mut path = Vec::new();
                let pass = |dir, at| path.push((dir, at));
                let last = walk::descend(layout, source, dir, edit.name, pass)?;
                if let Some(key) = write_one(layout, &path, &last, edit, put)? {
                    return Ok(key);
                }
                let loaded = path.into_iter().map(|(dir, _)| dir).chain([last]);
                known.extend(loaded.skip(1));
            }
            Editor::new(layout, source, edits, known).write(dir, parts, put)
        }
        Some(dir) if !parts.is_none() => Err(not_there(&dir.key())),
        _ => write_entries(layout, base, edits, put),
    }
}

/// A directory that is one object, or none yet.
fn write_entries(
    layout: &IrminLayout,
    base: Option<&Dir>,
    edits: &[Edit<'_>],
    put: &mut Put<'_>,
) -> Result<Key> {
    if let Some(dir) = base
        && let Some(mut changes) = replacements(dir, edits.iter())
    {
        return if changes.is_empty() {
            Ok(dir.key())
        } else {
            put(dir.replaced(node::kind(dir), layout.hash, &mut changes))
        };
    }
    let old = base.into_iter().flat_map(|dir| dir.items().iter().map(move |item| (dir, item)));
    let mut entries = Vec::with_capacity(edits.len());
    let changed = flat::merge(old, edits.iter(), &mut entries);
    match base {
        Some(dir) if !changed => Ok(dir.key()),
        _ => Builder { layout, put }.root(base.map(Dir::key), &entries),
    }
}

/// One edit of a trie that makes an entry refer to something else: every object on the way there
/// differs in one hash, and nothing is to be counted. Nothing for any other edit.
fn write_one(
    layout: &IrminLayout,
    path: &[(Held<'_>, usize)],
    leaf: &Dir,
    edit: &Edit<'_>,
    put: &mut Put<'_>,
) -> Result<Option<Key>> {
    let Some((root, _)) = path.first().filter(|_| !is_inner(leaf)) else { return Ok(None) };
    let (at, key) = match replacement(leaf, edit) {
        Some(Some(change)) => change,
        Some(None) => return Ok(Some(root.key())),
        None => return Ok(None),
    };
    let replaced = |dir: &Dir, at, key| dir.replaced(Kind::Inode, layout.hash, &mut [(at, key)]);
    let mut key = put(replaced(leaf, at, key))?;
    for (dir, at) in path.iter().rev() {
        key = put(replaced(dir, *at, key))?;
    }
    Ok(Some(key))
}

/// The entries that edits make refer to something else, if that is all that they do.
fn replacements<'e>(
    dir: &Dir,
    edits: impl Iterator<Item = &'e Edit<'e>>,
) -> Option<Vec<(usize, Key)>> {
    let mut changes = Vec::with_capacity(edits.size_hint().0);
    for edit in edits {
        changes.extend(replacement(dir, edit)?);
    }
    Some(changes)
}

/// The entry that an edit makes refer to something else, if it changes anything; nothing if it does
/// more than that.
fn replacement(dir: &Dir, edit: &Edit<'_>) -> Option<Option<(usize, Key)>> {
    let at = dir.place(edit.name);
    match (at.and_then(|at| Some((at, dir.items().get(at)?))), &edit.entry) {
        (Some((_, item)), Some(entry)) if dir.is(item, entry) => Some(None),
        (Some((at, item)), Some(entry)) if dir.fits(item, entry) => Some(Some((at, entry.key))),
        (None, None) => Some(None),
        _ => None,
    }
}

/// Whether a directory with so many entries is one flat object.
pub(super) fn is_flat(layout: &IrminLayout, len: u64) -> bool {
    layout.params.stable_bound.is_none_or(|bound| len == 0 || len <= u64::from(bound))
}

/// An entry with the prefix of its step.
type Placed<'a> = (u64, Ent<'a>);

/// Makes objects and hands them on.
struct Builder<'a, 'p> {
    layout: &'a IrminLayout,
    put: &'a mut Put<'p>,
}

impl Builder<'_, '_> {
    /// A whole directory of entries in ascending order; `base` is where the old ones are.
    fn root(&mut self, base: Option<Key>, entries: &[Ent<'_>]) -> Result<Key> {
        if is_flat(self.layout, entries.len() as u64) {
            let object = node::entries_object(self.layout, true, base, entries)?;
            return (self.put)(object);
        }
        let order = self.layout.order;
        let placed = entries.iter().map(|entry| (order.prefix(entry.name()), *entry)).collect();
        self.trie(0, base, placed)
    }

    /// The part of a trie for entries in ascending order.
    fn trie(&mut self, depth: u32, base: Option<Key>, entries: Vec<Placed<'_>>) -> Result<Key> {
        let order = self.layout.order;
        if entries.len() <= order.fanout() as usize {
            let entries: Vec<Ent<'_>> = entries.iter().map(|(_, entry)| *entry).collect();
            let object = node::entries_object(self.layout, false, base, &entries)?;
            return (self.put)(object);
        }
        if depth >= order.max_depth() {
            let names: Vec<_> = entries.iter().take(2).map(|(_, e)| e.name()).collect();
            let name = names.first().copied().unwrap_or_default().escape_ascii();
            let why = format!(
                "`{name}` and {} other steps begin with the same bits of their hashes: \
                 too many for one place of the trie",
                entries.len() - 1
            );
            return Err(Error::new(Code::PayloadTooLarge, why));
        }
        let len = entries.len() as u64;
        let mut children = Vec::new();
        for (index, part) in order.spread(entries, depth) {
            // The depth is bounded by the number of bits that the order looks at.
            children.push((index, Part::New(self.trie(depth + 1, base, part)?)));
        }
        let object = node::inner_object(self.layout, depth, len, &children)?;
        (self.put)(object)
    }
}

/// A part of the trie that edits lead to, or parts of another version below it.
struct Visit<'a> {
    dir: Held<'a>,
    depth: u32,
    lead: Lead<'a>,
    /// How many entries it will have, and whether any will be different.
    len: u64,
    changed: bool,
    /// The visits of the parts below, in the order of slots.
    below: Vec<(u32, usize)>,
    /// What is new in other slots, in their order.
    news: Vec<(u32, New)>,
}

/// What leads to a part of the trie.
struct Lead<'a> {
    /// A range of [`Editor::edits`].
    edits: Range<usize>,
    /// What comes from another version.
    node: Option<&'a Node>,
    /// The visit of the part above, and the slot in which this one is there.
    parent: Option<(usize, u32)>,
}

/// What is new in a slot that no visit leads to.
#[derive(Clone)]
enum New {
    /// These edits fill it: it was empty.
    Fill(Range<usize>),
    /// It has what is at a place of another version, or is emptied.
    Take(Option<usize>),
}

struct Editor<'a> {
    layout: &'a IrminLayout,
    source: &'a dyn Source,
    /// The edits in the order of their prefixes, then of their names.
    edits: Vec<(u64, &'a Edit<'a>)>,
    /// The parts below the root that are loaded already, if there is one edit: one of each level.
    known: Vec<Held<'a>>,
    visits: Vec<Visit<'a>>,
}

impl<'a> Editor<'a> {
    fn new(
        layout: &'a IrminLayout,
        source: &'a dyn Source,
        edits: &'a [Edit<'a>],
        known: Vec<Held<'a>>,
    ) -> Self {
        let mut edits: Vec<(u64, &Edit<'_>)> =
            edits.iter().map(|edit| (layout.order.prefix(edit.name), edit)).collect();
        edits.sort_unstable_by(|a, b| (a.0, a.1.name).cmp(&(b.0, b.1.name)));
        Editor { layout, source, edits, known, visits: Vec::new() }
    }

    fn write(mut self, root: &'a Dir, parts: &'a Parts, put: &mut Put<'_>) -> Result<Key> {
        self.survey(root, parts)?;
        let (len, changed) = self.visits.first().map_or((0, false), |v| (v.len, v.changed));
        if !changed {
            return Ok(root.key());
        }
        let mut builder = Builder { layout: self.layout, put };
        if is_flat(self.layout, len) || len <= u64::from(self.layout.order.fanout()) {
            let (dirs, edits) = self.gather(0)?;
            let entries = merge_named(&dirs, &edits);
            check_count(&root.key(), len, entries.len())?;
            return builder.root(None, &entries);
        }
        match self.build(0, &mut builder)? {
            Some(key) => Ok(key),
            None => builder.root(None, &[]),
        }
    }

    fn range(&self, range: Range<usize>) -> &[(u64, &'a Edit<'a>)] {
        self.edits.get(range).unwrap_or_default()
    }

    /// The first pass: loads what the edits lead to, and counts.
    fn survey(&mut self, root: &'a Dir, parts: &'a Parts) -> Result<()> {
        let all = Lead { edits: 0..self.edits.len(), node: parts.node(), parent: None };
        let mut wanted = Vec::from([all]);
        let mut dirs = Vec::from([Held::Root(root)]);
        let mut known = core::mem::take(&mut self.known).into_iter();
        let mut depth = 0;
        while !dirs.is_empty() {
            let mut next = Vec::new();
            let mut places = Vec::new();
            for (dir, lead) in dirs.into_iter().zip(wanted) {
                let len = dir.len();
                let (below, news) = (Vec::new(), Vec::new());
                let mut visit = Visit { dir, depth, lead, len, changed: false, below, news };
                let grow_by = if is_inner(&visit.dir) {
                    self.visit_inner(&mut visit, &mut next, &mut places)?
                } else {
                    self.visit_leaf(&mut visit)?
                };
                let len = visit.len.checked_add_signed(grow_by);
                visit.len = len.ok_or_else(|| miscounted(&visit.dir.key()))?;
                self.visits.push(visit);
            }
            depth += 1;
            wanted = next;
            let dir = |number: usize| self.visits.get(number).map(|visit| &*visit.dir);
            let places: Vec<(&Dir, usize)> =
                places.into_iter().filter_map(|(number, at)| Some((dir(number)?, at))).collect();
            dirs = match known.next() {
                _ if places.is_empty() => Vec::new(),
                Some(part) => Vec::from([part]),
                None => load_parts(self.source, &places)?.into_iter().map(Held::Part).collect(),
            };
        }
        self.sum_up()
    }

    /// Counts what the edits do in a leaf.
    fn visit_leaf(&self, visit: &mut Visit<'a>) -> Result<i64> {
        if visit.lead.node.is_some() {
            return Err(not_there(&visit.dir.key()));
        }
        let mut grow_by = 0_i64;
        for (_, edit) in self.range(visit.lead.edits.clone()) {
            match (visit.dir.lookup(edit.name), &edit.entry) {
                (Some(item), Some(entry)) if visit.dir.is(item, entry) => continue,
                (Some(_), Some(_)) => {}
                (None, Some(_)) => grow_by += 1,
                (Some(_), None) => grow_by -= 1,
                (None, None) => continue,
            }
            visit.changed = true;
        }
        Ok(grow_by)
    }

    /// Finds the slots that edits and the parts of another version go to: the number of the visit,
    /// and the place of the slot in it.
    fn visit_inner(
        &self,
        visit: &mut Visit<'a>,
        next: &mut Vec<Lead<'a>>,
        places: &mut Vec<(usize, usize)>,
    ) -> Result<i64> {
        let (number, depth, order) = (self.visits.len(), visit.depth, self.layout.order);
        let slot = |(prefix, _): &(u64, _)| order.slot(*prefix, depth);
        let mut start = visit.lead.edits.start;
        let edits = self.range(visit.lead.edits.clone()).chunk_by(|a, b| slot(a) == slot(b));
        let mut edits = edits.map(|part| (part.first().map_or(0, slot), part)).peekable();
        let node = visit.lead.node;
        let mut parts = node.map_or(&[][..], |node| &node.slots).iter().peekable();
        let mut grow_by = node.map_or(0, |node| node.grow_by);
        loop {
            let heads = [edits.peek().map(|(at, _)| *at), parts.peek().map(|(at, _)| *at)];
            let Some(index) = heads.into_iter().flatten().min() else { break };
            let edits = edits.next_if(|(at, _)| *at == index).map_or(&[][..], |(_, part)| part);
            let part = parts.next_if(|(at, _)| *at == index).map(|(_, part)| part);
            let range = start..start.saturating_add(edits.len());
            start = range.end;
            let node = match part {
                Some(Other::Whole(_)) if !edits.is_empty() => {
                    return Err(not_there(&visit.dir.key()));
                }
                Some(Other::Whole(place)) => {
                    visit.news.push((index, New::Take(*place)));
                    continue;
                }
                Some(Other::Below(node)) => Some(node),
                None => None,
            };
            match find_slot(&visit.dir, index) {
                Ok(at) => {
                    places.push((number, at));
                    next.push(Lead { edits: range, node, parent: Some((number, index)) });
                }
                Err(_) if node.is_some() => return Err(not_there(&visit.dir.key())),
                Err(_) => {
                    let fill = edits.iter().filter(|(_, e)| e.entry.is_some()).count();
                    if fill > 0 {
                        visit.news.push((index, New::Fill(range)));
                    }
                    grow_by = grow_by.saturating_add(i64::try_from(fill).unwrap_or(i64::MAX));
                }
            }
        }
        visit.changed = !visit.news.is_empty();
        Ok(grow_by)
    }

    /// Carries the counts from the leaves up.
    fn sum_up(&mut self) -> Result<()> {
        for number in (0..self.visits.len()).rev() {
            let Some(visit) = self.visits.get(number) else { continue };
            let (old, new, changed) = (visit.dir.len(), visit.len, visit.changed);
            let Some((above, index)) = visit.lead.parent else { continue };
            let Some(parent) = self.visits.get_mut(above) else { continue };
            parent.below.push((index, number));
            parent.changed |= changed;
            parent.len = (parent.len.saturating_add(new))
                .checked_sub(old)
                .ok_or_else(|| miscounted(&parent.dir.key()))?;
        }
        for visit in &mut self.visits {
            visit.below.reverse();
        }
        Ok(())
    }

    /// What becomes of the slots of a visited inner node, in their order.
    fn plan(&self, visit: &Visit<'a>) -> Vec<(u32, Plan)> {
        let mut below = visit.below.iter().peekable();
        let mut news = visit.news.iter().peekable();
        let mut plans = Vec::with_capacity(slots(&visit.dir).len() + visit.news.len());
        let changed = |number: usize| self.visits.get(number).is_some_and(|visit| visit.changed);
        for (at, old) in slots(&visit.dir).iter().enumerate() {
            while let Some((index, new)) = news.next_if(|(index, _)| *index < old.index) {
                plans.push((*index, Plan::New(new.clone())));
            }
            let new = news.next_if(|(index, _)| *index == old.index);
            let plan = match (new, below.next_if(|(index, _)| *index == old.index)) {
                (Some((_, new)), _) => Plan::New(new.clone()),
                (None, Some((_, number))) if changed(*number) => Plan::Visit(*number),
                (None, Some(_) | None) => Plan::Keep(at),
            };
            plans.push((old.index, plan));
        }
        plans.extend(news.map(|(index, new)| (*index, Plan::New(new.clone()))));
        plans
    }

    /// The second pass: the key of what a visited part becomes, or none if it becomes empty.
    fn build(&self, number: usize, builder: &mut Builder<'_, '_>) -> Result<Option<Key>> {
        let Some(visit) = self.visits.get(number) else { return Ok(None) };
        let key = visit.dir.key();
        if !visit.changed {
            return Ok(Some(key));
        }
        if !is_inner(&visit.dir) {
            return if visit.len == 0 {
                Ok(None)
            } else {
                self.build_leaf(visit, builder).map(Some)
            };
        }
        if visit.len <= u64::from(self.layout.order.fanout()) {
            let (dirs, edits) = self.gather(number)?;
            let entries = merge_named(&dirs, &edits);
            check_count(&key, visit.len, entries.len())?;
            if entries.is_empty() {
                return Ok(None);
            }
            let object = node::entries_object(self.layout, false, None, &entries)?;
            return (builder.put)(object).map(Some);
        }
        if let Some(object) = self.replaced(visit, builder)? {
            return (builder.put)(object).map(Some);
        }
        let mut children = Vec::with_capacity(self.layout.order.fanout() as usize);
        for (index, plan) in self.plan(visit) {
            let child = match plan {
                Plan::Keep(at) => Some(Part::Old(&visit.dir, at)),
                // The depth of what was decoded is bounded.
                Plan::Visit(number) => self.build(number, builder)?.map(Part::New),
                Plan::New(New::Take(place)) => {
                    let from = visit.lead.node.map(|node| &node.from);
                    from.zip(place).map(|(from, at)| Part::New(from.child_key(at)))
                }
                Plan::New(New::Fill(range)) => {
                    let added = self.by_name(range).into_iter();
                    let placed = added
                        .filter_map(|(at, e)| Some((at, Ent::New(e.name, e.entry.as_ref()?))))
                        .collect();
                    Some(Part::New(builder.trie(visit.depth + 1, None, placed)?))
                }
            };
            children.extend(child.map(|child| (index, child)));
        }
        if children.is_empty() {
            return Err(miscounted(&key));
        }
        let object = node::inner_object(self.layout, visit.depth, visit.len, &children)?;
        (builder.put)(object).map(Some)
    }

    /// An inner node in which parts are replaced, if that is all there is to do.
    fn replaced(&self, visit: &Visit<'a>, builder: &mut Builder<'_, '_>) -> Result<Option<Object>> {
        let below = |(_, number): &(u32, usize)| self.visits.get(*number);
        let emptied = visit.below.iter().filter_map(below).any(|below| below.len == 0);
        if emptied || visit.len != visit.dir.len() {
            return Ok(None);
        }
        let mut changes = Vec::with_capacity(visit.below.len().saturating_add(visit.news.len()));
        for (index, new) in &visit.news {
            let from = visit.lead.node.map(|node| &node.from);
            let (New::Take(Some(place)), Some(from)) = (new, from) else { return Ok(None) };
            let Ok(at) = find_slot(&visit.dir, *index) else { return Ok(None) };
            changes.push((at, from.child_key(*place)));
        }
        for (index, number) in &visit.below {
            let changed = self.visits.get(*number).is_some_and(|below| below.changed);
            let Some(at) = find_slot(&visit.dir, *index).ok().filter(|_| changed) else { continue };
            // The depth of what was decoded is bounded.
            if let Some(key) = self.build(*number, builder)? {
                changes.push((at, key));
            }
        }
        Ok(Some(visit.dir.replaced(Kind::Inode, self.layout.hash, &mut changes)))
    }

    /// A leaf with its edits, which may make it more than a leaf.
    fn build_leaf(&self, visit: &Visit<'a>, builder: &mut Builder<'_, '_>) -> Result<Key> {
        let all = self.range(visit.lead.edits.clone()).iter().map(|(_, edit)| *edit);
        if let Some(mut changes) = replacements(&visit.dir, all) {
            return (builder.put)(visit.dir.replaced(Kind::Inode, self.layout.hash, &mut changes));
        }
        let dirs = [visit.dir.clone()];
        let base = Some(visit.dir.key());
        let edits = self.by_name(visit.lead.edits.clone());
        let entries = merge_named(&dirs, &edits);
        if entries.len() <= self.layout.order.fanout() as usize {
            let object = node::entries_object(self.layout, false, base, &entries)?;
            return (builder.put)(object);
        }
        let prefix = |entry: &Ent<'_>| {
            let edit = match entry {
                Ent::New(name, _) => edits.binary_search_by(|(_, edit)| edit.name.cmp(name)).ok(),
                Ent::Old(..) => None,
            };
            let known = edit.and_then(|at| edits.get(at)).map(|(prefix, _)| *prefix);
            known.unwrap_or_else(|| self.layout.order.prefix(entry.name()))
        };
        let placed = entries.iter().map(|e| (prefix(e), *e)).collect();
        builder.trie(visit.depth, base, placed)
    }

    fn by_name(&self, range: Range<usize>) -> Vec<(u64, &'a Edit<'a>)> {
        let mut edits = self.range(range).to_vec();
        sort::by(&mut edits, |a, b| a.1.name.cmp(b.1.name));
        edits
    }

    /// All that is below a visited part: the objects that hold its entries, and its edits by name.
    ///
    /// Only for parts that become small: what nothing leads to is loaded, and all of it stays, and
    /// what is taken over is loaded instead of what it replaces.
    fn gather(&self, number: usize) -> Result<Gathered<'a>> {
        let Some(top) = self.visits.get(number) else { return Ok((Vec::new(), Vec::new())) };
        let mut dirs = Vec::new();
        let mut wanted = Vec::new();
        let mut stack = Vec::from([top]);
        while let Some(visit) = stack.pop() {
            if !is_inner(&visit.dir) {
                dirs.push(visit.dir.clone());
            }
            for (_, plan) in self.plan(visit) {
                match plan {
                    Plan::Keep(at) => wanted.push((visit.dir.clone(), at)),
                    Plan::Visit(below) => stack.extend(self.visits.get(below)),
                    Plan::New(New::Take(Some(at))) => {
                        let from = visit.lead.node.map(|node| Held::Part(node.from.clone()));
                        wanted.extend(from.map(|from| (from, at)));
                    }
                    Plan::New(New::Take(None) | New::Fill(_)) => {}
                }
            }
        }
        while !wanted.is_empty() {
            let places: Vec<(&Dir, usize)> = wanted.iter().map(|(dir, at)| (&**dir, *at)).collect();
            let loaded = load_parts(self.source, &places)?;
            let len = loaded.iter().fold(0_u64, |len, dir| len.saturating_add(dir.len()));
            if len > top.len {
                return Err(miscounted(&top.dir.key()));
            }
            wanted.clear();
            for dir in loaded {
                if is_inner(&dir) {
                    let places = 0..slots(&dir).len();
                    wanted.extend(places.map(|at| (Held::Part(dir.clone()), at)));
                } else {
                    dirs.push(Held::Part(dir));
                }
            }
        }
        Ok((dirs, self.by_name(top.lead.edits.clone())))
    }
}

/// Objects with entries, and the edits of these, by name.
type Gathered<'a> = (Vec<Held<'a>>, Vec<(u64, &'a Edit<'a>)>);

/// What becomes of one slot.
enum Plan {
    /// What is at this place.
    Keep(usize),
    Visit(usize),
    New(New),
}

fn merge_named<'b>(dirs: &'b [Held<'_>], edits: &'b [(u64, &'b Edit<'b>)]) -> Vec<Ent<'b>> {
    let mut items: Vec<_> =
        dirs.iter().flat_map(|dir| dir.items().iter().map(move |item| (&**dir, item))).collect();
    if dirs.len() > 1 {
        sort::by(&mut items, |a, b| a.0.name(a.1).cmp(b.0.name(b.1)));
    }
    let mut entries = Vec::with_capacity(items.len() + edits.len());
    flat::merge(items.into_iter(), edits.iter().map(|(_, edit)| *edit), &mut entries);
    entries
}

/// The error of parts, or of edits over them, that are of another directory.
fn not_there(key: &Key) -> Error {
    Error::corrupt("directory", &key.hash, "parts of another one, or edits, do not fit it")
}

pub(super) fn miscounted(key: &Key) -> Error {
    Error::corrupt("directory", &key.hash, "it has not as many entries as it says")
}

fn check_count(key: &Key, expected: u64, found: usize) -> Result<()> {
    if found as u64 == expected { Ok(()) } else { Err(miscounted(key)) }
}
