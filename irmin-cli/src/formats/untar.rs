//! A tar archive as one tree.

use std::io::BufRead;

use irmin_core::{Bytes, Contents, Error, Metadata, Path, Staged};
use irmin_git::tar::{Entry, Reader, What};

use super::{Tally, whole};
use crate::progress::Progress;

/// What a comment on the whole archive begins with that tells the hash of its tree.
pub(crate) const TREE: &str = "tree ";

/// From this size on the bytes of a file are not held in memory.
const LARGE: u64 = 1 << 20;

/// Sets what is in the archive, below a prefix.
pub(crate) fn import<C: Contents>(
    input: &mut dyn BufRead,
    limit: usize,
    prefix: &Path,
    staged: &mut Staged<'_, C>,
    progress: &mut Progress,
) -> irmin_core::Result<Tally> {
    let mut reader = Reader::new(input);
    let mut tally = Tally::default();
    while let Some(Entry { name, path, what, size }) = reader.next()? {
        let path = prefix.join(&path);
        let here = |e: Error| e.context(format_args!("`{path}` of the archive"));
        let skipped = match what {
            What::File { exec } => {
                let mode = if exec { Metadata::Exec } else { Metadata::Normal };
                if C::PLAIN && size > LARGE {
                    staged.set_stream(&path, size, &mut reader, mode).map_err(here)?;
                } else {
                    let bytes = whole(&mut reader, size, limit).map_err(here)?;
                    staged.set(&path, &C::decode(bytes).map_err(here)?, mode).map_err(here)?;
                }
                None
            }
            What::Link(target) => {
                staged.set(&path, &C::decode(target).map_err(here)?, Metadata::Link)?;
                None
            }
            What::Copy(of) => {
                staged.copy(prefix.join(&of), &path).map_err(here)?;
                None
            }
            What::Directory => continue,
            What::Git => Some("it belongs to git"),
            What::Special => Some("it is neither a file, a directory nor a link"),
        };
        if let Some(why) = skipped {
            tally.skipped.push((name, why));
            continue;
        }
        tally.keys += 1;
        tally.bytes += size;
        progress.step();
    }
    let told = |text: &Bytes| {
        let text = std::str::from_utf8(text).ok()?;
        text.strip_prefix(TREE).map(str::to_owned)
    };
    tally.tree = reader.comments().iter().find_map(told);
    Ok(tally)
}
