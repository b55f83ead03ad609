//! Making a group of batches durable.
//!
//! In order: a pack with all objects and its index, synced; a prepared file for each ref, synced;
//! the pack gets its name; one sync of the directory of packs makes all these names durable. Only
//! then the refs are locked, compared with what the batches were checked against, and moved, and
//! their directories synced. A commit to an existing branch costs five syncs, whoever shares them.
//! Where the repository's owner has turned some of them off (`core.fsync`) these are left out, and
//! nothing else is different.

use std::collections::BTreeMap;
use std::collections::btree_map;

use irmin_core::backend::{Expected, Published, RefChange, RefEdit, Target};
use irmin_core::io::{LockGuard, OpenMode};
use irmin_core::{Code, Error, RefName, Result};

use crate::backend::GitBackend;
use crate::consolidate::assemble;
use crate::files;
use crate::oid::{Oid, to_hash};
use crate::pack::index;
use crate::pack::read::Pack;
use crate::pack::write::Entry;
use crate::publish::{After, Fate, Pending, StagedPack, check};
use crate::recover::{Leftovers, Listing};
use crate::reflog;
use crate::refs::write::{Directories, Locked, Move};
use crate::temp::{PACKS, TempNames};

/// How often the lock of the store is tried: some ten seconds with real files.
const STORE_ATTEMPTS: u32 = 200;
/// How often a group is planned again because other programs moved its refs meanwhile.
const PLANS: u32 = 16;

/// What the one who writes keeps between writes.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    pub(crate) dirs: Directories,
    pub(crate) temp: TempNames,
    /// The refs as the watches know them, once someone watches.
    pub(crate) known: Option<BTreeMap<RefName, Target>>,
}

/// The lock of the store, and the directory of packs just after it was taken.
pub(crate) struct StoreLock {
    _guard: Box<dyn LockGuard>,
    listed: Listing,
}

/// What a group of batches comes to, as long as the refs stay as they are.
struct Plan {
    /// Parallel to the group.
    fates: Vec<Option<Fate>>,
    /// What changes, in order: the batch, and the change.
    changes: Vec<(usize, RefChange)>,
    moves: Vec<Move>,
}

/// A pack that is written and synced and has no name yet.
pub(crate) struct Ready {
    pack: String,
    index: String,
    pub(crate) checksum: Oid,
    /// Its objects in order; none for that of a stage, which may have very many.
    ids: Vec<Oid>,
    /// The packs whose objects it holds too.
    pub(crate) merged: Vec<String>,
}

impl Ready {
    fn staged(staged: &StagedPack) -> Self {
        Ready {
            pack: staged.pack.clone(),
            index: staged.index.clone(),
            checksum: staged.checksum,
            ids: Vec::new(),
            merged: Vec::new(),
        }
    }
}

/// A ref that batches of a group change.
struct Moving {
    disk: Option<Target>,
    then: Option<Target>,
}

impl After for Moving {
    fn target(&self) -> Option<&Target> {
        self.then.as_ref()
    }
}

impl GitBackend {
    /// Takes the lock of the store, and cleans up after a crash.
    ///
    /// # Errors
    /// `locked`, naming the file, `io`.
    pub(crate) fn lock_store(&self, writer: &mut Writer) -> Result<StoreLock> {
        let io = &*self.refs.io;
        for attempt in 0..STORE_ATTEMPTS {
            let locked = match io.try_lock(crate::LOCK) {
                // The first write of all.
                Err(e) if e.code() == Code::NotFound => {
                    io.create_dir("irmin")?;
                    io.try_lock(crate::LOCK)?
                }
                locked => locked?,
            };
            if let Some(guard) = locked {
                writer.dirs.ensure(io, PACKS, self.refs.fsync.packs_dir())?;
                let listed = Listing::read(io)?;
                // Whoever had the lock before may have died with it.
                Leftovers::among(&listed).sweep(io)?;
                return Ok(StoreLock { _guard: guard, listed });
            }
            io.back_off(attempt);
        }
        let why = format!("another program writes: `{}` stays locked", crate::LOCK);
        Err(Error::new(Code::Locked, why))
    }

    /// Removes what a crash left behind. The lock of the store is held.
    ///
    /// # Errors
    /// `io`, `poisoned`.
    pub(crate) fn sweep(&self) -> Result<()> {
        let io = &*self.refs.io;
        Leftovers::among(&Listing::read(io)?).sweep(io)
    }

    /// Writes a group; the ends are parallel to it.
    pub(crate) fn flush(&self, group: &[Pending], writer: &mut Writer) -> Vec<Result<Published>> {
        let first = self.heed(self.flush_together(group, writer));
        let ends = match first {
            Err(e) if group.len() > 1 && e.code() != Code::Poisoned => {
                // What one of them is refused for is no reason to refuse the others.
                let mut ends = Vec::with_capacity(group.len());
                for pending in group {
                    let end = self.flush_together(core::slice::from_ref(pending), writer);
                    let end = self.heed(end);
                    let end = end.and_then(|mut ends| {
                        ends.pop().unwrap_or(Err(Error::new(Code::Io, "no end")))
                    });
                    self.note_end(pending, &end);
                    ends.push(end);
                }
                ends
            }
            Ok(ends) => ends,
            Err(e) => group.iter().map(|_| Err(e.clone())).collect(),
        };
        for (pending, end) in group.iter().zip(&ends) {
            self.note_end(pending, end);
        }
        ends
    }

    /// Takes note of what later batches must know.
    fn note_end(&self, pending: &Pending, end: &Result<Published>) {
        let fate = match end {
            Ok(Published::Done { .. }) => return,
            Ok(Published::Lost { name, actual }) => Fate::Lost(name.clone(), actual.clone()),
            Err(e) => Fate::Failed(e.clone()),
        };
        self.line.lock().gone.insert(pending.seq, fate);
    }

    fn flush_together(
        &self,
        group: &[Pending],
        writer: &mut Writer,
    ) -> Result<Vec<Result<Published>>> {
        self.line.lock().alive()?;
        let lock = self.lock_store(writer)?;
        // Packs that have their names stay whatever comes: git does not write an object that it
        // finds in one, so a commit of git may already stand on them.
        let mut named = false;
        let mut swept = false;
        for _ in 0..PLANS {
            let plan = self.plan(group)?;
            if plan.fates.iter().all(Option::is_some) {
                return Ok(ends(group, &plan));
            }
            match self.write(group, &plan, &mut named, (&lock.listed, &mut *writer)) {
                Ok(true) => return Ok(ends(group, &plan)),
                Ok(false) => {}
                Err(e) if e.code() == Code::Locked && !swept => {
                    // The lock may be left from a crash of another process like this one.
                    swept = true;
                    self.sweep()?;
                }
                Err(e) if e.code() == Code::Poisoned => {
                    // This handle moves nothing any more, others may.
                    let io = &*self.refs.io;
                    drop(Listing::read(io).and_then(|now| Leftovers::among(&now).unlock(io)));
                    return Err(e);
                }
                Err(e) => {
                    // The next who takes the lock would do it; until then the room is wasted.
                    drop(self.sweep());
                    return Err(e);
                }
            }
        }
        Err(Error::new(Code::Locked, "other programs keep moving the refs: try again"))
    }

    /// What the group comes to with the refs as they are now.
    fn plan(&self, group: &[Pending]) -> Result<Plan> {
        let mut gone = self.line.lock().gone.clone();
        // The refs that the batches so far change: their value on disk, and their value then.
        let mut now: BTreeMap<RefName, Moving> = BTreeMap::new();
        // Each is read once: what is planned on is one state of the disk.
        let mut disk = BTreeMap::new();
        let mut plan = Plan { fates: Vec::new(), changes: Vec::new(), moves: Vec::new() };
        for (at, pending) in group.iter().enumerate() {
            let fate = match pending.needs.iter().find_map(|seq| gone.get(seq)) {
                Some(fate) => Some(fate.clone()),
                None => match check(&self.refs, &mut disk, &pending.edits, &now) {
                    Ok(lost) => lost.map(|(name, actual)| Fate::Lost(name, actual)),
                    Err(e) if e.code() == Code::NameClash => Some(Fate::Failed(e)),
                    Err(e) => return Err(e),
                },
            };
            if let Some(fate) = &fate {
                gone.insert(pending.seq, fate.clone());
            } else {
                for edit in &pending.edits {
                    let entry = match now.entry(edit.name.clone()) {
                        btree_map::Entry::Occupied(entry) => entry.into_mut(),
                        btree_map::Entry::Vacant(entry) => {
                            let disk = self.refs.read_once(&edit.name, &mut disk)?;
                            entry.insert(Moving { then: disk.clone(), disk })
                        }
                    };
                    let old = core::mem::replace(&mut entry.then, edit.new.clone());
                    if old != edit.new {
                        let (name, new) = (edit.name.clone(), edit.new.clone());
                        plan.changes.push((at, RefChange { name, old, new }));
                    }
                }
            }
            plan.fates.push(fate);
        }
        let moves = now.into_iter().filter(|(_, moving)| moving.disk != moving.then);
        let moves = moves.map(|(name, Moving { disk, then })| Move { name, old: disk, new: then });
        plan.moves = moves.collect();
        Ok(plan)
    }

    /// Carries a plan out; `false` if the refs are not as planned any more.
    fn write(
        &self,
        group: &[Pending],
        plan: &Plan,
        named: &mut bool,
        (listed, writer): (&Listing, &mut Writer),
    ) -> Result<bool> {
        let io = &*self.refs.io;
        let alive = || group.iter().zip(&plan.fates).filter(|(_, f)| f.is_none()).map(|(p, _)| p);
        let mut ready = Vec::new();
        if !*named {
            ready = self.write_packs(alive(), listed, writer)?;
        }
        // What a failure leaves of these files is swept when the lock is taken next.
        let prepared = self.refs.prepare(plan.moves.clone(), &mut writer.temp)?;
        if !*named {
            // A lock that was left behind would else cost a pack each time that it is met.
            self.refs.wait_for_locks(&plan.moves)?;
        }
        for ready in &ready {
            self.name_pack(ready)?;
        }
        *named = true;
        let wrote = !ready.is_empty() || !plan.moves.is_empty();
        if wrote && self.refs.fsync.packs_dir() {
            files::sync_dir(io, PACKS)?;
        }
        for ready in ready {
            self.remove_merged(&ready);
            self.written.add(pack_paths(&ready.checksum).1, ready.ids);
        }
        let Locked::All(held) = self.refs.lock(&prepared, &mut writer.dirs)? else {
            return Ok(false);
        };
        let moving = plan.moves.iter().map(|m| (m.name.clone(), m.old.clone()));
        self.line.lock().moving = moving.collect();
        for (at, change) in &plan.changes {
            if let Some(pending) = group.get(*at) {
                self.log(change, pending);
            }
        }
        // From here on some refs may have moved: a failure leaves what is there uncertain.
        files::synced(self.refs.commit(&prepared, held))?;
        prepared.files().for_each(|file| drop(io.remove(file)));
        self.after(plan, writer);
        Ok(true)
    }

    /// Writes the objects of these batches as one pack, beside what stages have written already,
    /// and with what small packs hold if there are many: so that merging them costs no sync.
    fn write_packs<'a>(
        &self,
        alive: impl Iterator<Item = &'a Pending> + Clone,
        listed: &Listing,
        writer: &mut Writer,
    ) -> Result<Vec<Ready>> {
        let staged = alive.clone().filter_map(|p| p.staged.as_ref());
        let mut ready: Vec<_> = staged.map(Ready::staged).collect();
        let new: Vec<&Entry> = alive.flat_map(|p| &p.entries).collect();
        if new.is_empty() && ready.is_empty() {
            return Ok(ready);
        }
        let mut small = self.small_packs(new.iter().map(|e| e.bytes.len() as u64).sum(), listed);
        if new.is_empty() && small.len() < 2 {
            return Ok(ready);
        }
        let written = match self.write_pack(&new, &small, writer) {
            // No batch fails for packs that were to be merged: the next one will try again.
            Err(e) if e.code() != Code::Poisoned && !small.is_empty() => {
                small.clear();
                if new.is_empty() {
                    return Ok(ready);
                }
                self.write_pack(&new, &small, writer)
            }
            written => written,
        };
        ready.push(written?);
        Ok(ready)
    }

    /// Writes a pack and its index under names of no meaning, synced.
    ///
    /// # Errors
    /// `io`, `poisoned`; what was written is removed.
    fn write_pack(
        &self,
        new: &[&Entry],
        small: &[(String, Pack)],
        writer: &mut Writer,
    ) -> Result<Ready> {
        let io = &*self.refs.io;
        let (pack, index) = (writer.temp.next("pack"), writer.temp.next("idx"));
        let write = || -> Result<_> {
            let file = io.open(&pack, OpenMode::CreateNew)?;
            let (places, checksum) = assemble(&*file, new, small)?;
            let fsync = self.refs.fsync;
            if fsync.pack {
                files::synced(file.sync())?;
            }
            let encoded = index::encode(&places, &checksum)?;
            files::create_as(io, &index, &encoded, fsync.pack_metadata)?;
            Ok((places, checksum))
        };
        let (places, checksum) =
            write().inspect_err(|_| drop((io.remove(&pack), io.remove(&index))))?;
        let ids = places.iter().map(|p| p.id).collect();
        let merged = small.iter().map(|(stem, _)| stem.clone()).collect();
        Ok(Ready { pack, index, checksum, ids, merged })
    }

    /// Gives a written pack its name; its index last, because it makes the pack visible.
    fn name_pack(&self, ready: &Ready) -> Result<()> {
        let (pack, index) = pack_paths(&ready.checksum);
        self.refs.io.rename(&ready.pack, &pack)?;
        self.refs.io.rename(&ready.index, &index)
    }

    /// What follows a success and cannot undo it: emptied directories, watches.
    fn after(&self, plan: &Plan, writer: &mut Writer) {
        for gone in plan.moves.iter().filter(|m| m.new.is_none()) {
            self.refs.prune_dirs(&gone.name, &mut writer.dirs);
        }
        if let Some(known) = &mut writer.known {
            for (_, change) in &plan.changes {
                match &change.new {
                    Some(target) => known.insert(change.name.clone(), target.clone()),
                    None => known.remove(&change.name),
                };
            }
        }
        self.notifier.queue(plan.changes.iter().map(|(_, change)| change.clone()).collect());
    }

    /// Adds a change to the journals, as git does under the lock of the ref.
    fn log(&self, change: &RefChange, pending: &Pending) {
        let (io, places, reflogs) = (&*self.refs.io, &self.refs.places, self.settings.reflogs);
        let mut values = (change.old.as_ref(), change.new.as_ref());
        // A journal is a courtesy: the write is done whatever becomes of its line.
        if let Some(from) = renamed_from(change, pending) {
            let _ = reflog::rename(io, places, from, &change.name);
            values.0 = values.1;
        }
        let head = RefName::head();
        // Where `HEAD` goes from one branch to another the journal has their commits, as in git.
        let at = |target: Option<&Target>| match target {
            Some(Target::Symbolic(name)) => self.refs.read(name).ok().flatten(),
            target => target.cloned(),
        };
        let moved = (at(values.0), at(values.1));
        if let (true, (Some(_), Some(_))) = (change.name == head, &moved) {
            values = (moved.0.as_ref(), moved.1.as_ref());
        }
        let _ = reflog::append(io, places, reflogs, &change.name, values, &pending.note);
        let on_branch =
            || matches!(self.refs.read(&head), Ok(Some(Target::Symbolic(to))) if to == change.name);
        if change.new.is_some() && reflog::is_kept(io, places, reflogs, &head) && on_branch() {
            let _ = reflog::append(io, places, reflogs, &head, values, &pending.note);
        }
    }
}

/// The ref that a new one continues: the one that the same batch removes from where this one is.
fn renamed_from<'a>(change: &RefChange, pending: &'a Pending) -> Option<&'a RefName> {
    let (None, Some(target)) = (&change.old, &change.new) else { return None };
    let here = Expected::Is(target.clone());
    let gone = |edit: &&RefEdit| edit.new.is_none() && edit.expected == here;
    pending.edits.iter().find(gone).map(|edit| &edit.name)
}

/// The files of a pack.
pub(crate) fn pack_paths(checksum: &Oid) -> (String, String) {
    let stem = format!("{PACKS}/pack-{}", to_hash(checksum));
    (format!("{stem}.pack"), format!("{stem}.idx"))
}

fn ends(group: &[Pending], plan: &Plan) -> Vec<Result<Published>> {
    let end = |(pending, fate): (&Pending, &Option<Fate>)| match fate {
        None => Ok(Published::Done { keys: pending.keys.clone() }),
        Some(fate) => fate.ended(),
    };
    group.iter().zip(&plan.fates).map(end).collect()
}
