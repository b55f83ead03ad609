//! Keeping the number of packs small.
//!
//! Every publish leaves a pack. When more than a handful have gathered, the next one takes in those
//! that are not much larger than all smaller ones together, entry by entry, and they go once it is
//! durable: no sync is for merging alone. As with `git repack --geometric=2`, what is left grows geometrically, so that there are few packs
//! and every object is copied a number of times that is the logarithm of how many there are.

use std::collections::HashSet;

use irmin_core::io::File;
use irmin_core::{Code, Result};

use crate::backend::GitBackend;
use crate::files;
use crate::flush::{Ready, pack_paths};
use crate::oid::Oid;
use crate::pack::Place;
use crate::pack::read::{Pack, is_whole};
use crate::pack::write::{Entry, Running, pack_header};
use crate::recover::Listing;
use crate::temp::PACKS;

/// How many small packs there may be.
pub(crate) const MANY: usize = 8;
/// The largest pack that is copied, in bytes.
const MAX_PACK: u64 = 64 << 20;
/// How much of a pack is written at once.
const PIECE: usize = 1 << 20;
/// The files beside a pack that say that it is someone's.
const SIDECARS: [&str; 5] = ["keep", "promisor", "mtimes", "bitmap", "rev"];

impl GitBackend {
    /// The packs that a new one of this length is to take in, if there would be many with it: all
    /// of them hold whole objects. Whatever keeps others from being read, reads will report.
    pub(crate) fn small_packs(&self, new: u64, listed: &Listing) -> Vec<(String, Pack)> {
        if self.settings.precious {
            return Vec::new();
        }
        let candidates = self.candidates(listed).ok().filter(|packs| packs.len() >= MANY);
        let stems = candidates.map(|packs| geometric(new, packs)).unwrap_or_default();
        let mut small = Vec::with_capacity(stems.len());
        for stem in stems {
            // An entry that is a delta cannot be copied without its base.
            let whole = |pack: &Pack| pack.each(|_, entry| Ok(is_whole(entry)));
            let opened = Pack::open(&*self.refs.io, &stem);
            match opened.and_then(|pack| whole(&pack).map(|whole| whole.then_some(pack))) {
                Ok(Some(pack)) => small.push((stem, pack)),
                // It went meanwhile.
                Err(e) if e.code() == Code::NotFound => {}
                // It stays as it is, and is not read again at each publish to find the same.
                Ok(None) | Err(_) => drop(self.unmergeable.lock().insert(stem)),
            }
        }
        small
    }

    /// Removes the packs whose objects are in one that has its name, durably unless the owner wants
    /// no syncs: then it is `git repack -d` without them. A failure is of no consequence: they are
    /// merged again.
    pub(crate) fn remove_merged(&self, ready: &Ready) {
        let (io, (own, _)) = (&*self.refs.io, pack_paths(&ready.checksum));
        for stem in ready.merged.iter().filter(|stem| !own.contains(stem.as_str())) {
            // The index makes a pack visible: it goes first.
            let index = format!("{PACKS}/{stem}.idx");
            if files::remove(io, &index).is_ok() {
                self.written.forget(&index);
                drop(files::remove(io, &format!("{PACKS}/{stem}.pack")));
            }
        }
    }

    /// The packs that may be merged, with their lengths; none where there are not many packs.
    fn candidates(&self, listed: &Listing) -> Result<Vec<(u64, String)>> {
        // A file, or the directory of an incremental one.
        if listed.names().any(|name| name.starts_with("multi-pack-index")) {
            return Ok(Vec::new());
        }
        let passed = self.unmergeable.lock();
        let mergeable = |stem: &&str| {
            stem.starts_with("pack-")
                && listed.has(stem, "idx")
                && !SIDECARS.iter().any(|extension| listed.has(stem, extension))
                && !passed.contains(*stem)
        };
        let packs = listed.files().filter_map(|name| name.strip_suffix(".pack"));
        let stems: Vec<&str> = packs.filter(mergeable).collect();
        let mut found = Vec::new();
        if stems.len() < MANY {
            return Ok(found);
        }
        for stem in stems {
            let path = format!("{PACKS}/{stem}.pack");
            let len = self.refs.io.metadata(&path)?.map_or(0, |m| m.len);
            if len <= MAX_PACK {
                found.push((len, stem.to_owned()));
            }
        }
        Ok(found)
    }
}

/// The packs to merge into a new one of this length, given all with theirs: from the smallest up to
/// the last that is less than twice as large as those below it and the new one together.
fn geometric(new: u64, mut packs: Vec<(u64, String)>) -> Vec<String> {
    packs.sort_unstable();
    let mut below = new;
    let mut merge = 0;
    for (at, (len, _)) in packs.iter().enumerate() {
        if *len < below.saturating_mul(2) {
            merge = at + 1;
        }
        below = below.saturating_add(*len);
    }
    packs.into_iter().take(merge).map(|(_, stem)| stem).collect()
}

/// A pack that is being written, a piece at a time.
struct Growing<'a> {
    file: &'a dyn File,
    running: Running,
    /// What is not written yet, and where it goes.
    buffer: Vec<u8>,
    start: u64,
    places: Vec<Place>,
}

impl Growing<'_> {
    fn push(&mut self, id: Oid, crc: u32, bytes: &[u8]) -> Result<()> {
        self.places.push(Place { id, crc, offset: self.running.push(bytes) });
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() > PIECE {
            self.file.write_at(&self.buffer, self.start)?;
            self.start = self.running.offset;
            self.buffer.clear();
        }
        Ok(())
    }
}

/// Writes new entries and those of packs into one pack, each object once.
/// Answers its places in order of name, and its checksum.
///
/// # Errors
/// `corrupt_object`, `io`, `payload_too_large` for more objects than a pack holds.
pub(crate) fn assemble(
    file: &dyn File,
    new: &[&Entry],
    small: &[(String, Pack)],
) -> Result<(Vec<Place>, Oid)> {
    let mut all: HashSet<Oid> = new.iter().map(|entry| entry.id).collect();
    all.extend(small.iter().flat_map(|(_, pack)| &pack.index.places).map(|place| place.id));
    let header = pack_header(all.len())?;
    let (mut running, places) = (Running::new(), Vec::with_capacity(all.len()));
    let start = running.push(&header);
    let mut growing = Growing { file, running, buffer: header, start, places };
    // What is still in the set was not written yet.
    for entry in new {
        if all.remove(&entry.id) {
            growing.push(entry.id, entry.crc, &entry.bytes)?;
        }
    }
    for (_, pack) in small {
        pack.each(|place, bytes| {
            if all.remove(&place.id) {
                growing.push(place.id, place.crc, bytes)?;
            }
            Ok(true)
        })?;
    }
    let Growing { running, mut buffer, start, mut places, .. } = growing;
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
            let mut sum = 1;
            if packs.len() >= MANY {
                let merge: HashSet<String> = geometric(1, packs.clone()).into_iter().collect();
                let (gone, kept): (Vec<_>, Vec<_>) =
                    packs.into_iter().partition(|(_, stem)| merge.contains(stem));
                let taken: u64 = gone.iter().map(|(len, _)| len).sum();
                copied += taken;
                sum += taken;
                packs = kept;
                assert!(!gone.is_empty());
            }
            packs.push((sum, n.to_string()));
            assert!(packs.len() <= MANY, "{} packs after {n}", packs.len());
        }
        assert_eq!(packs.iter().map(|(len, _)| len).sum::<u64>(), 10_000);
        assert!(copied < 10_000 * 14, "{copied} copies");
    }
}
