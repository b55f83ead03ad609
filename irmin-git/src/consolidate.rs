//! Keeping the number of packs small.
//!
//! Every publish leaves a pack. When more than a handful have gathered, those that are not much
//! larger than all smaller ones together are copied into one, entry by entry, as
//! `git repack --geometric=2` would: what is left grows geometrically, so that there are few packs
//! and every object is copied a number of times that is the logarithm of how many there are.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use irmin_core::io::{File, FileKind, OpenMode};
use irmin_core::{Code, Result};

use crate::backend::GitBackend;
use crate::files;
use crate::flush::{Writer, pack_paths};
use crate::oid::Oid;
use crate::pack::read::{Pack, is_whole};
use crate::pack::write::{Running, pack_header};
use crate::pack::{Place, index};
use crate::temp::PACKS;

/// How many small packs are left alone.
pub(crate) const MANY: usize = 8;
/// The largest pack that is copied, in bytes.
const MAX_PACK: u64 = 64 << 20;
/// The files beside a pack that say that it is someone's.
const SIDECARS: [&str; 5] = ["keep", "promisor", "mtimes", "bitmap", "rev"];

impl GitBackend {
    /// Merges small packs if there are many. What fails here fails nothing: the next publish will
    /// try again, and says what is wrong with the disk.
    pub(crate) fn maintain(&self) {
        if self.settings.precious || self.line.lock().alive().is_err() {
            return;
        }
        let Ok(candidates) = self.candidates() else { return };
        if candidates.len() <= MANY {
            return;
        }
        let mut writer = self.writer.lock();
        let Ok(_guard) = self.heed(self.lock_store(&mut writer)) else { return };
        // Another process may have done it while this one waited for the lock.
        let Ok(candidates) = self.candidates() else { return };
        if candidates.len() > MANY {
            let _ = self.heed(self.merge(&geometric(candidates), &mut writer));
        }
    }

    /// The packs that may be merged, with their lengths.
    fn candidates(&self) -> Result<Vec<(u64, String)>> {
        let io = &*self.refs.io;
        let entries = files::if_exists(io.list(PACKS))?.unwrap_or_default();
        let names: BTreeSet<&str> =
            entries.iter().filter(|e| e.kind == FileKind::File).map(|e| e.name.as_str()).collect();
        // A file, or the directory of an incremental one.
        if entries.iter().any(|entry| entry.name.starts_with("multi-pack-index")) {
            return Ok(Vec::new());
        }
        let has = |stem: &str, ext: &str| names.contains(format!("{stem}.{ext}").as_str());
        let passed = self.unmergeable.lock();
        let mut found = Vec::new();
        for stem in names.iter().filter_map(|name| name.strip_suffix(".pack")) {
            let claimed = SIDECARS.iter().any(|ext| has(stem, ext));
            if stem.starts_with("pack-") && has(stem, "idx") && !claimed && !passed.contains(stem) {
                let len = io.metadata(&format!("{PACKS}/{stem}.pack"))?.map_or(0, |m| m.len);
                if len <= MAX_PACK {
                    found.push((len, stem.to_owned()));
                }
            }
        }
        Ok(found)
    }

    /// Copies packs into one, durably, and removes them.
    fn merge(&self, stems: &[String], writer: &mut Writer) -> Result<()> {
        let io = &*self.refs.io;
        let mut packs = BTreeMap::new();
        for stem in stems {
            let whole = |pack: Pack| Ok(entries(&pack)?.map(|_| pack));
            match Pack::open(io, stem).and_then(whole) {
                Ok(Some(pack)) => drop(packs.insert(stem.clone(), pack)),
                // It went meanwhile.
                Err(e) if e.code() == Code::NotFound => {}
                // Deltas, or damage, which reads will report: it stays as it is, and is not read
                // again after each publish to find the same.
                Ok(None) | Err(_) => drop(self.unmergeable.lock().insert(stem.clone())),
            }
        }
        if packs.len() < 2 {
            return Ok(());
        }
        let (temp, temp_index) = (writer.temp.next("pack"), writer.temp.next("idx"));
        let file = io.open(&temp, OpenMode::CreateNew)?;
        let (places, checksum) = copy(&*file, packs.values())?;
        files::synced(file.sync())?;
        files::create(io, &temp_index, &index::encode(&places, &checksum)?)?;
        let (pack, index) = pack_paths(&checksum);
        io.rename(&temp, &pack)?;
        io.rename(&temp_index, &index)?;
        files::sync_dir(io, PACKS)?;
        for stem in packs.keys().filter(|stem| !pack.contains(stem.as_str())) {
            // The index makes a pack visible: it goes first.
            files::remove(io, &format!("{PACKS}/{stem}.idx"))?;
            files::remove(io, &format!("{PACKS}/{stem}.pack"))?;
        }
        Ok(())
    }
}

/// The packs to merge, given all with their lengths: from the smallest up to the last that is less
/// than twice as large as those below it together.
fn geometric(mut packs: Vec<(u64, String)>) -> Vec<String> {
    packs.sort_unstable();
    let mut below = 0_u64;
    let mut merge = 0;
    for (at, (len, _)) in packs.iter().enumerate() {
        if at > 0 && *len < below.saturating_mul(2) {
            merge = at + 1;
        }
        below = below.saturating_add(*len);
    }
    packs.into_iter().take(merge).map(|(_, stem)| stem).collect()
}

/// The entries of a pack with their ends; `None` if one of them is not a whole object, which
/// cannot be copied without its base.
fn entries(pack: &Pack) -> Result<Option<Vec<(Place, u64)>>> {
    let extents = pack.extents();
    for (place, end) in &extents {
        if !is_whole(&pack.raw(place, *end, pack.len())?) {
            return Ok(None);
        }
    }
    Ok(Some(extents))
}

/// Writes the entries of packs into one, each object once, and completes it.
fn copy<'a>(file: &dyn File, packs: impl Iterator<Item = &'a Pack>) -> Result<(Vec<Place>, Oid)> {
    let mut seen = HashSet::new();
    let mut chosen = Vec::new();
    for pack in packs {
        let extents = pack.extents().into_iter().filter(|(place, _)| seen.insert(place.id));
        chosen.extend(extents.map(|(place, end)| (pack, place, end)));
    }
    let mut running = Running::new();
    let header = pack_header(chosen.len())?;
    file.write_at(&header, running.push(&header))?;
    let mut places = Vec::with_capacity(chosen.len());
    let mut buffer = Vec::new();
    let mut start = running.offset;
    for (pack, place, end) in chosen {
        let raw = pack.raw(&place, end, pack.len())?;
        places.push(Place { offset: running.push(&raw), ..place });
        buffer.extend_from_slice(&raw);
        if buffer.len() > 1 << 20 {
            file.write_at(&buffer, start)?;
            start = running.offset;
            buffer.clear();
        }
    }
    let checksum = running.checksum();
    buffer.extend_from_slice(&checksum);
    file.write_at(&buffer, start)?;
    places.sort_unstable();
    Ok((places, checksum))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Simulates publishes of one size: the number of packs and the copying stay small.
    #[test]
    fn packs_stay_few_and_copies_amortised() {
        let mut packs: Vec<(u64, String)> = Vec::new();
        let mut copied = 0_u64;
        for n in 0..10_000_u32 {
            packs.push((1, n.to_string()));
            if packs.len() > MANY {
                let merge: HashSet<String> = geometric(packs.clone()).into_iter().collect();
                let (gone, kept): (Vec<_>, Vec<_>) =
                    packs.into_iter().partition(|(_, stem)| merge.contains(stem));
                let sum = gone.iter().map(|(len, _)| len).sum();
                copied += sum;
                packs = kept;
                packs.push((sum, format!("merged {n}")));
                assert!(gone.len() >= 2);
            }
            assert!(packs.len() <= MANY, "{} packs after {n}", packs.len());
        }
        assert_eq!(packs.iter().map(|(len, _)| len).sum::<u64>(), 10_000);
        assert!(copied < 10_000 * 14, "{copied} copies");
    }
}
