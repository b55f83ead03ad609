//! Finding large blobs where git keeps them, to read them piece by piece: gix reads objects whole.

use std::path::Path;
use std::sync::Arc;

use irmin_core::Result;
use irmin_core::backend::ValueRead as _;
use irmin_core::io::{File, Io as _, OpenMode, StdIo};

use crate::files::if_exists;
use crate::oid::{self, Oid};
use crate::pack::inflate::{Blob, Inflate};
use crate::pack::read;
use crate::reader::WHOLE;

/// The blob in the packs and loose objects of a directory and its alternates; `None` if it is
/// nowhere, or a delta everywhere.
///
/// # Errors
/// `corrupt_object`, `io`.
pub(crate) fn find(objects: &Path, id: &Oid) -> Result<Option<Blob>> {
    let alternates = gix::odb::alternate::resolve(objects.to_owned(), objects).unwrap_or_default();
    for dir in core::iter::once(objects.to_owned()).chain(alternates) {
        let Some(io) = if_exists(StdIo::open(&dir))? else { continue };
        if let Some(blob) = packed(&dir, &io, id)? {
            return Ok(Some(blob));
        }
        if let Some(blob) = loose(&io, id)? {
            return Ok(Some(blob));
        }
    }
    Ok(None)
}

/// The blob in the packs of one directory.
fn packed(dir: &Path, io: &StdIo, id: &Oid) -> Result<Option<Blob>> {
    for entry in if_exists(io.list("pack"))?.unwrap_or_default() {
        let Some(stem) = entry.name.strip_suffix(".idx") else { continue };
        // Mapped, not read: a large repository has large indexes. One that cannot be read is for
        // gix to report.
        let path = dir.join("pack").join(&entry.name);
        let Ok(index) = gix::odb::pack::index::File::at(path, gix::hash::Kind::Sha1) else {
            continue;
        };
        let Some(at) = index.lookup(gix::hash::ObjectId::Sha1(*id)) else { continue };
        let offset = index.pack_offset_at_index(at);
        if let Some(file) = if_exists(io.open(&format!("pack/{stem}.pack"), OpenMode::Read))?
            && let Some(blob) = read::blob(Arc::from(file), id, offset)?
        {
            return Ok(Some(blob));
        }
    }
    Ok(None)
}

/// The blob as a loose object: a zlib stream of git's header and the body.
fn loose(io: &StdIo, id: &Oid) -> Result<Option<Blob>> {
    let hash = oid::to_hash(id);
    let name = hash.to_string();
    let (fan, rest) = name.split_at(2);
    let opened = io.open(&format!("{fan}/{rest}"), OpenMode::Read);
    let Some(file) = if_exists(opened)?.map(Arc::<dyn File>::from) else { return Ok(None) };
    let mut head = [0; 32];
    let n = Inflate::new(0, 0).read(&*file, &hash, &mut head)?;
    let end = head.iter().take(n).position(|byte| *byte == 0);
    let text = end.and_then(|end| head.get(..end)).unwrap_or_default();
    let len = core::str::from_utf8(text).ok().and_then(|text| text.strip_prefix("blob "));
    let len = len.and_then(|digits| digits.parse::<u64>().ok());
    let (Some(end), Some(len)) = (end, len) else { return Ok(None) };
    let blob = Blob::new(file, hash, 0, end as u64 + 1, len);
    Ok(Some(blob).filter(|blob| blob.len() > WHOLE))
}
