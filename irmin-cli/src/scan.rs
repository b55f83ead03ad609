//! Walking a directory that is imported: in order of names, without following links.

use std::ffi::OsString;
use std::fs::{self, FileType, Metadata};
use std::io::{self, Read as _};
use std::path::{Path as FilePath, PathBuf};

use irmin_core::Path;

use crate::args::bytes_of;
use crate::exit::Failure;

/// What begins the tag file of a directory whose contents can be made again.
///
/// Source: the Cache Directory Tagging Specification (bford.info/cachedir).
const CACHE_TAG: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// An ordinary file.
    File { path: Path, file: PathBuf, exec: bool },
    /// A symbolic link.
    Link { path: Path, target: Vec<u8> },
    /// Something that is left out.
    Skipped { file: PathBuf, why: Skip },
}

/// Why something is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skip {
    /// It belongs to git.
    Git,
    /// It is the store that is written.
    Store,
    /// It is a directory of things that can be made again.
    Cache,
    /// It is a socket, a device or a pipe.
    Special,
}

impl Skip {
    /// The reason in words.
    pub(crate) fn why(self) -> &'static str {
        match self {
            Skip::Git => "it belongs to git",
            Skip::Store => "it is the store",
            Skip::Cache => "its CACHEDIR.TAG says that it is a cache (--caches imports it)",
            Skip::Special => "it is neither a file, a directory nor a link",
        }
    }
}

/// A walk over a directory.
pub(crate) struct Scan {
    /// What is still to be looked at, the next one last.
    pending: Vec<(PathBuf, Path)>,
    store: Option<PathBuf>,
    caches: bool,
}

impl Scan {
    /// A walk over the directory `root`, whose names are put below `prefix`.
    ///
    /// # Errors
    /// If it is not a directory that can be read.
    pub(crate) fn new(
        root: &FilePath,
        prefix: &Path,
        store: Option<&FilePath>,
        caches: bool,
    ) -> Result<Self, Failure> {
        let mut scan = Scan {
            pending: Vec::new(),
            // A store that is not there yet cannot be met on the way.
            store: store.and_then(|path| fs::canonicalize(path).ok()),
            caches,
        };
        scan.enter(root, prefix)?;
        Ok(scan)
    }

    fn enter(&mut self, dir: &FilePath, path: &Path) -> Result<(), Failure> {
        let failed = |e: io::Error| Failure::file(dir, &e);
        let mut names: Vec<OsString> = Vec::new();
        for entry in fs::read_dir(dir).map_err(failed)? {
            names.push(entry.map_err(failed)?.file_name());
        }
        names.sort_unstable();
        for name in names.into_iter().rev() {
            let file = dir.join(&name);
            let step = bytes_of(name);
            // What is left out needs no name in the store.
            let path = if step == b".git" { Ok(path.clone()) } else { checked(path, &step) };
            match path {
                Ok(path) => self.pending.push((file, path)),
                Err(e) => return Err(e.context(file.display()).into()),
            }
        }
        Ok(())
    }

    fn look(&mut self, file: PathBuf, path: Path) -> Result<Option<Found>, Failure> {
        if file.file_name().is_some_and(|name| name == ".git") {
            return Ok(Some(Found::Skipped { file, why: Skip::Git }));
        }
        let metadata = fs::symlink_metadata(&file).map_err(|e| Failure::file(&file, &e))?;
        let kind: FileType = metadata.file_type();
        if kind.is_dir() {
            let skip = self.reason_to_skip(&file)?;
            if let Some(why) = skip {
                return Ok(Some(Found::Skipped { file, why }));
            }
            self.enter(&file, &path)?;
            return Ok(None);
        }
        if kind.is_symlink() {
            let target = fs::read_link(&file).map_err(|e| Failure::file(&file, &e))?;
            check_link(&file)?;
            let target = bytes_of(target.into_os_string());
            return Ok(Some(Found::Link { path, target }));
        }
        if kind.is_file() {
            return Ok(Some(Found::File { path, file, exec: is_executable(&metadata) }));
        }
        Ok(Some(Found::Skipped { file, why: Skip::Special }))
    }

    fn reason_to_skip(&self, dir: &FilePath) -> Result<Option<Skip>, Failure> {
        if let Some(store) = &self.store {
            let real = fs::canonicalize(dir).map_err(|e| Failure::file(dir, &e))?;
            if real == *store {
                return Ok(Some(Skip::Store));
            }
        }
        Ok((!self.caches && is_cache(dir)).then_some(Skip::Cache))
    }
}

impl Iterator for Scan {
    type Item = Result<Found, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some((file, path)) = self.pending.pop() {
            if let Some(found) = self.look(file, path).transpose() {
                return Some(found);
            }
        }
        None
    }
}

/// The path of an entry, if the store may hold it.
fn checked(dir: &Path, step: &[u8]) -> Result<Path, irmin_core::Error> {
    irmin_core::Step::new(step)?;
    Path::new(dir.child(step).steps())
}

/// Refuses the link that `git fsck` refuses: one in place of `.gitmodules`.
fn check_link(file: &FilePath) -> Result<(), Failure> {
    let name = file.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase());
    match name.as_deref() {
        Some(".gitmodules" | "gitmod~1") => Err(Failure::usage(format!(
            "{}: git refuses a symbolic link of this name",
            file.display()
        ))),
        _ => Ok(()),
    }
}

/// Whether a directory is tagged as a cache.
fn is_cache(dir: &FilePath) -> bool {
    let mut start = [0; CACHE_TAG.len()];
    let tag = dir.join("CACHEDIR.TAG");
    // A pipe of that name would block a read for ever.
    fs::symlink_metadata(&tag).is_ok_and(|metadata| metadata.is_file())
        && fs::File::open(&tag).and_then(|mut file| file.read_exact(&mut start)).is_ok()
        && start == CACHE_TAG
}

#[cfg(unix)]
fn is_executable(metadata: &Metadata) -> bool {
    // Git looks at the owner's bit alone.
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &Metadata) -> bool {
    false
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn scan(root: &FilePath, store: Option<&FilePath>, caches: bool) -> Vec<String> {
        let show = |found: Found| match found {
            Found::File { path, exec, .. } => format!("file {path}{}", if exec { "*" } else { "" }),
            Found::Link { path, target } => format!("link {path} {}", target.escape_ascii()),
            Found::Skipped { file, why } => {
                format!("skip {} {why:?}", file.strip_prefix(root).unwrap().display())
            }
        };
        let prefix = Path::parse("p").unwrap();
        let scan = Scan::new(root, &prefix, store, caches).unwrap();
        scan.map(|found| found.map_or_else(|e| format!("error {}", e.message), show)).collect()
    }

    #[test]
    fn a_directory() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        let write = |name: &str, bytes: &[u8]| fs::write(root.join(name), bytes).unwrap();
        for name in ["a", "a/.git", "store", "target", "empty"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        write("a/.git/config", b"");
        write("a/.gitignore", b"");
        write("a/x", b"");
        write("a-b", b"");
        write("store/HEAD", b"");
        write("target/CACHEDIR.TAG", &[CACHE_TAG, b"\n# by cargo"].concat());
        fs::set_permissions(root.join("a-b"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("/etc", root.join("link")).unwrap();
        symlink("dangling", root.join("dangling")).unwrap();
        fs::write(root.join(OsString::from_vec(b"caf\xe9".to_vec())), b"").unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(root.join("sock")).unwrap();
        let store = root.join("store");
        assert_eq!(
            scan(root, Some(&store), false),
            [
                "skip a/.git Git",
                "file p/a/.gitignore",
                "file p/a/x",
                "file p/a-b*",
                r#"file "p/caf\351""#,
                "link p/dangling dangling",
                "link p/link /etc",
                "skip sock Special",
                "skip store Store",
                "skip target Cache",
            ]
        );
        let all = scan(root, None, true);
        assert!(all.contains(&"file p/target/CACHEDIR.TAG".into()), "{all:?}");
        assert!(all.contains(&"file p/store/HEAD".into()), "{all:?}");
    }

    #[test]
    fn names_that_cannot_be_steps() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(".GIT")).unwrap();
        let refused = Scan::new(dir.path(), &Path::root(), None, false).err().unwrap();
        assert!(refused.message.contains("/.GIT: step `.GIT`"), "{}", refused.message);
        assert_eq!(refused.code, "invalid_path");
    }

    #[test]
    fn links_that_git_refuses() {
        let dir = tempfile::tempdir().unwrap();
        symlink("x", dir.path().join(".gitmodules")).unwrap();
        let all = scan(dir.path(), None, false);
        assert!(all[0].ends_with("git refuses a symbolic link of this name"), "{all:?}");
    }

    #[test]
    fn what_cannot_be_read() {
        assert!(Scan::new(FilePath::new("/no/such/dir"), &Path::root(), None, false).is_err());
    }
}
