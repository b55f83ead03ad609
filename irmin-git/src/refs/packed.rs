//! `packed-refs`: many refs in one file, a line each.
//!
//! A line is an object name and a ref name; a line that begins with `^` says what the tag before
//! it stands for; `#` begins a comment. Git keeps it sorted, which is not relied upon here.

use std::collections::BTreeMap;

use irmin_core::backend::Target;
use irmin_core::io::{Io, Metadata};
use irmin_core::lock::Mutex;
use irmin_core::{Code, Error, Hash, Key, RefName, Result};
use std::sync::Arc;

use crate::files;

/// The file.
pub(crate) const FILE: &str = "packed-refs";
/// The longest file that is read, in bytes: several million refs.
const MAX: u64 = 1 << 30;

/// The refs of one state of the file.
#[derive(Debug, Default)]
pub(crate) struct PackedRefs {
    /// The file as it stands.
    pub(crate) bytes: Vec<u8>,
    refs: BTreeMap<RefName, Hash>,
}

impl PackedRefs {
    /// Reads the file's bytes.
    ///
    /// # Errors
    /// `corrupt_store` for a line that is none of the three kinds.
    pub(crate) fn decode(bytes: Vec<u8>) -> Result<PackedRefs> {
        let mut refs = BTreeMap::new();
        for (number, line) in bytes.split(|b| *b == b'\n').enumerate() {
            if line.is_empty() || line.starts_with(b"#") || line.starts_with(b"^") {
                continue;
            }
            let (hash, name) = entry(line).ok_or_else(|| {
                let why = format!("line {} of packed-refs is not a ref", number + 1);
                Error::new(Code::CorruptStore, why)
            })?;
            // A name that git would refuse too is no ref; it stays in the file.
            if let Some(name) = core::str::from_utf8(name).ok().and_then(|n| n.parse().ok()) {
                refs.insert(name, hash);
            }
        }
        Ok(PackedRefs { bytes, refs })
    }

    /// The value of a ref.
    pub(crate) fn get(&self, name: &RefName) -> Option<Target> {
        self.refs.get(name).map(|hash| Target::Object(Key::from(*hash)))
    }

    /// The refs whose name begins so, in order.
    pub(crate) fn starting<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a RefName, Target)> {
        self.refs
            .range::<str, _>((core::ops::Bound::Included(prefix), core::ops::Bound::Unbounded))
            .take_while(move |(name, _)| name.as_str().starts_with(prefix))
            .map(|(name, hash)| (name, Target::Object(Key::from(*hash))))
    }

    /// The file without some refs; everything else stays byte for byte.
    pub(crate) fn without(&self, gone: &[&RefName]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len());
        let mut dropped = false;
        for line in self.bytes.split_inclusive(|b| *b == b'\n') {
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            if !text.starts_with(b"^") {
                let name = entry(text).map(|(_, name)| name);
                dropped = name.is_some_and(|n| gone.iter().any(|g| g.as_str().as_bytes() == n));
            }
            if !dropped {
                out.extend_from_slice(line);
            }
        }
        out
    }
}

/// The object and the name on a line.
fn entry(line: &[u8]) -> Option<(Hash, &[u8])> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (digits, name) = line.split_at_checked(40)?;
    let hash = core::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((hash, name.strip_prefix(b" ")?))
}

/// The file, read again only when it changed.
#[derive(Debug, Default)]
pub(crate) struct Cached {
    state: Mutex<Option<(Metadata, Arc<PackedRefs>)>>,
}

impl Cached {
    /// What the file says now.
    ///
    /// # Errors
    /// `corrupt_store`, `io`.
    pub(crate) fn load(&self, io: &dyn Io) -> Result<Arc<PackedRefs>> {
        let Some(now) = io.metadata(FILE)? else {
            return Ok(Arc::default());
        };
        // A clock that stands still proves nothing: without one the file is read each time.
        if let Some((then, refs)) = &*self.state.lock()
            && *then == now
            && now.modified != 0
        {
            return Ok(refs.clone());
        }
        let refs = Arc::new(read(io)?);
        *self.state.lock() = Some((now, refs.clone()));
        Ok(refs)
    }
}

/// Reads the file, whatever it was before.
///
/// # Errors
/// `corrupt_store`, `io`.
pub(crate) fn read(io: &dyn Io) -> Result<PackedRefs> {
    let bytes = files::if_exists(files::read(io, FILE, MAX))?;
    bytes.map_or(Ok(PackedRefs::default()), PackedRefs::decode)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# pack-refs with: peeled fully-peeled sorted \n\
        ce013625030ba8dba906f756967f9e9ca394464a refs/heads/main\n\
        1111111111111111111111111111111111111111 refs/tags/v1\n\
        ^2222222222222222222222222222222222222222\n\
        3333333333333333333333333333333333333333 refs/tags/v2\n";

    #[test]
    fn a_ref_leaves_with_what_it_stands_for() {
        let refs = PackedRefs::decode(FILE.as_bytes().to_vec()).unwrap();
        assert_eq!(refs.starting("refs/tags/").count(), 2);
        let name: RefName = "refs/tags/v1".parse().unwrap();
        assert!(refs.get(&name).is_some());
        let left = refs.without(&[&name]);
        let expected: String =
            FILE.split_inclusive('\n').filter(|l| !l.starts_with(['1', '^'])).collect();
        assert_eq!(String::from_utf8(left).unwrap(), expected);
        assert_eq!(refs.without(&[]), FILE.as_bytes());
    }

    #[test]
    fn lines_that_are_no_refs_are_reported_by_number() {
        for bad in ["zz", "ce013625030ba8dba906f756967f9e9ca394464a", &FILE.replace('3', "x")] {
            let e = PackedRefs::decode(bad.as_bytes().to_vec()).unwrap_err();
            assert_eq!(e.code(), Code::CorruptStore);
            assert!(e.to_string().contains("line "), "{e}");
        }
    }
}
