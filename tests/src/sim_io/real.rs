//! Simulated disks to and from real directories.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use irmin_core::{Code, Error, Result};

use super::SimIo;
use super::content::Content;
use super::disk::{Disk, Ino, Names, Node, ROOT};

impl SimIo {
    /// A disk with the files of a real directory, all durable.
    ///
    /// # Errors
    /// `io`, also for names that are not UTF-8; what is neither file nor directory is left out.
    pub fn from_dir(root: &Path) -> Result<SimIo> {
        let mut disk = Disk::default();
        let names = import(&mut disk, root)?;
        disk.settle(ROOT, Node::dir(names));
        Ok(SimIo::of_disk(disk))
    }

    /// Writes what programs see into a real directory, which is made if need be; two names of
    /// one file become two files. Other programs can look at a crash image this way.
    ///
    /// # Errors
    /// `io`.
    pub fn materialise(&self, root: &Path) -> Result<()> {
        let disk = self.inner().disk.clone();
        export(&disk, ROOT, root)
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.display().to_string();
    move |source| Error::new(Code::Io, format!("`{path}`: {source}")).with_source(source)
}

fn import(disk: &mut Disk, from: &Path) -> Result<Names> {
    let mut names = Names::new();
    for entry in fs::read_dir(from).map_err(failed(from))? {
        let entry = entry.map_err(failed(from))?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(failed(from))?);
        let name = entry
            .file_name()
            .into_string()
            .map_err(|name| Error::new(Code::Io, format!("`{}` is not UTF-8", name.display())))?;
        let node = if kind.is_dir() {
            Node::dir(import(disk, &path)?)
        } else if kind.is_file() {
            let mut content = Content::default();
            content.write(&fs::read(&path).map_err(failed(&path))?, 0);
            Node::file(content)
        } else {
            continue;
        };
        let ino = disk.next_ino();
        disk.settle(ino, node);
        names.insert(Arc::from(name), ino);
    }
    Ok(names)
}

fn export(disk: &Disk, dir: Ino, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(failed(to))?;
    for (name, ino) in disk.names(dir).into_iter().flatten() {
        let path = to.join(&**name);
        match disk.content(*ino) {
            Some(content) => fs::write(&path, content.bytes()).map_err(failed(&path))?,
            None => export(disk, *ino, &path)?,
        }
    }
    Ok(())
}
