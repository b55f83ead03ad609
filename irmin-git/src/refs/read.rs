//! Reading refs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use irmin_core::backend::Target;
use irmin_core::io::{FileKind, Io};
use irmin_core::{Code, Error, RefName, Result};

use super::packed::{Cached, PackedRefs};
use super::{Places, decode};
use crate::files;
use crate::fsync::Fsync;

/// How much of the file of a ref is looked at: more than the longest value.
const MAX_FILE: u64 = 4096;

/// The refs as they are on disk.
#[derive(Debug)]
pub(crate) struct Refs {
    pub(crate) io: Arc<dyn Io>,
    pub(crate) places: Places,
    /// What of a write is synced.
    pub(crate) fsync: Fsync,
    packed: Cached,
}

/// Where the value of a ref was found.
#[derive(Debug)]
pub(crate) enum Found {
    /// In a file of its own.
    Loose(Target),
    /// Packed, or nowhere: there is no file of its name.
    Elsewhere(Option<Target>),
}

impl Found {
    /// The value.
    pub(crate) fn target(self) -> Option<Target> {
        match self {
            Found::Loose(target) => Some(target),
            Found::Elsewhere(target) => target,
        }
    }
}

impl Refs {
    /// The refs below a common git directory.
    pub(crate) fn new(io: Arc<dyn Io>, places: Places, fsync: Fsync) -> Self {
        Refs { io, places, fsync, packed: Cached::default() }
    }

    /// The value of a ref.
    ///
    /// # Errors
    /// `corrupt_store` if its file cannot be understood, `io`.
    pub(crate) fn read(&self, name: &RefName) -> Result<Option<Target>> {
        self.find(name).map(Found::target)
    }

    /// The value of a ref that may have been read already.
    ///
    /// # Errors
    /// As [`read`](Refs::read).
    pub(crate) fn read_once(
        &self,
        name: &RefName,
        read: &mut BTreeMap<RefName, Option<Target>>,
    ) -> Result<Option<Target>> {
        if let Some(known) = read.get(name) {
            return Ok(known.clone());
        }
        let now = self.read(name)?;
        read.insert(name.clone(), now.clone());
        Ok(now)
    }

    /// The value of a ref, and where it is.
    ///
    /// # Errors
    /// As [`read`](Refs::read).
    pub(crate) fn find(&self, name: &RefName) -> Result<Found> {
        // `git pack-refs` moves a value from its file to the packed ones; looking there after the
        // file was found missing sees it.
        match self.loose(&self.places.file(name), name.as_str())? {
            Some(target) => Ok(Found::Loose(target)),
            None => Ok(Found::Elsewhere(self.packed()?.get(name))),
        }
    }

    /// The packed refs.
    ///
    /// # Errors
    /// `corrupt_store`, `io`.
    pub(crate) fn packed(&self) -> Result<Arc<PackedRefs>> {
        self.packed.load(&*self.io)
    }

    fn loose(&self, path: &str, name: &str) -> Result<Option<Target>> {
        match files::if_exists(files::read(&*self.io, path, MAX_FILE)) {
            Ok(bytes) => bytes.map(|bytes| decode(name, &bytes)).transpose(),
            Err(e) => match self.io.metadata(path)?.map(|m| m.kind) {
                Some(FileKind::Other) => {
                    let why = format!("ref `{name}` is a symbolic link, which is not supported");
                    Err(Error::new(Code::Unsupported, why).with_source(e))
                }
                _ => Err(e),
            },
        }
    }

    /// The refs under `refs/` whose name begins so, in order.
    ///
    /// # Errors
    /// `corrupt_store` for a ref that cannot be understood, `io`.
    pub(crate) fn list(&self, prefix: &str) -> Result<BTreeMap<RefName, Target>> {
        let mut found = BTreeMap::new();
        self.files(prefix, &mut |name| {
            if let Some(target) = self.loose(&self.places.file(&name), name.as_str())? {
                found.insert(name, target);
            }
            Ok(())
        })?;
        // Read after the files, for the reason given in `read`.
        for (name, target) in self.packed()?.starting(prefix) {
            if name.as_str().starts_with("refs/") {
                found.entry(name.clone()).or_insert(target);
            }
        }
        Ok(found)
    }

    /// The names that [`list`](Refs::list) lists, whatever their files hold.
    ///
    /// # Errors
    /// `corrupt_store` for packed refs that cannot be understood, `io`.
    pub(crate) fn names(&self, prefix: &str) -> Result<BTreeSet<RefName>> {
        let mut found = BTreeSet::new();
        self.files(prefix, &mut |name| {
            found.insert(name);
            Ok(())
        })?;
        let packed = self.packed()?;
        let packed = packed.starting(prefix).map(|(name, _)| name);
        found.extend(packed.filter(|name| name.as_str().starts_with("refs/")).cloned());
        Ok(found)
    }

    /// Calls `visit` for the names under `refs/` that begin so and have a file.
    fn files(&self, prefix: &str, visit: &mut dyn FnMut(RefName) -> Result<()>) -> Result<()> {
        let at = prefix.rfind('/').map_or("refs", |at| prefix.get(..at).unwrap_or("refs"));
        let hidden = at.split('/').any(|part| part.is_empty() || part.starts_with('.'));
        if at != "refs" && !at.starts_with("refs/") || hidden {
            return Ok(());
        }
        let mut dirs = vec![at.to_owned()];
        while let Some(dir) = dirs.pop() {
            for entry in files::if_exists(self.io.list(&dir))?.unwrap_or_default() {
                let path = format!("{dir}/{}", entry.name);
                let inside = format!("{path}/");
                match entry.kind {
                    FileKind::Dir if inside.starts_with(prefix) || prefix.starts_with(&inside) => {
                        dirs.push(path);
                    }
                    FileKind::File if path.starts_with(prefix) => {
                        // Locks and other files that cannot be refs are passed over, as git does.
                        if let Ok(name) = path.parse::<RefName>() {
                            visit(name)?;
                        }
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// A ref that cannot be beside one of this name (`a` beside `a/b`), apart from those that are
    /// gone already for the one who asks.
    ///
    /// # Errors
    /// As [`list`](Refs::list).
    pub(crate) fn clash(
        &self,
        name: &RefName,
        gone: &dyn Fn(&RefName) -> bool,
    ) -> Result<Option<RefName>> {
        let text = name.as_str();
        for (at, _) in text.match_indices('/') {
            let above = text.get(..at).and_then(|above| above.parse::<RefName>().ok());
            if let Some(above) = above.filter(|above| !gone(above))
                && self.read(&above)?.is_some()
            {
                return Ok(Some(above));
            }
        }
        let inside = format!("{text}/");
        // Most names have nothing below them: one look at the disk tells.
        let dir = self.io.metadata(&self.places.file(name))?;
        if dir.is_some_and(|m| m.kind == FileKind::Dir) {
            return Ok(self.list(&inside)?.into_keys().find(|name| !gone(name)));
        }
        let packed = self.packed()?;
        let mut below = packed.starting(&inside).map(|(name, _)| name);
        Ok(below.find(|name| !gone(name)).cloned())
    }
}
