//! What a repository's own `config` says that concerns a store. What it includes is not followed.

use gix::config::File;
use irmin_core::io::Io;
use irmin_core::{Code, Error, Result};

use crate::files;
use crate::fsync::Fsync;
use crate::outside::{Outside, value};
use crate::refs::Places;

/// The longest `config` that is read, in bytes.
const MAX: u64 = 4 << 20;

/// Which refs have a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reflogs {
    /// Those whose journal exists already.
    Existing,
    /// Branches, remote branches, notes and `HEAD` too.
    Branches,
    /// All of them.
    All,
}

/// The settings.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Which refs have a journal.
    pub(crate) reflogs: Reflogs,
    /// Whether it has no working tree.
    pub(crate) bare: bool,
    /// Whether packs must not be removed (`extensions.preciousObjects`).
    pub(crate) precious: bool,
    /// What of a write is synced.
    pub(crate) fsync: Fsync,
}

impl Settings {
    /// Reads them, and refuses a repository that this crate could damage.
    ///
    /// # Errors
    /// `unsupported` for a format version or an extension that is not known, naming it;
    /// `corrupt_store` for a `config` that cannot be read; `io`.
    pub(crate) fn load(io: &dyn Io, places: &Places, outside: Outside) -> Result<Settings> {
        let read = |path: &str| {
            let bytes = files::if_exists(files::read(io, path, MAX))?.unwrap_or_default();
            parse(&bytes)
        };
        let shared = read("config")?;
        let mut settings = Settings::decode(&shared)?;
        // The nearest counts alone, as in git.
        let mut fsync = outside.above;
        if fsync.is_none() && file_of_each_tree(&shared) {
            fsync = said_of_syncs(&read(&format!("{}config.worktree", places.private))?);
        }
        let fsync = fsync.or_else(|| said_of_syncs(&shared)).or(outside.below);
        settings.fsync = fsync.map_or(Fsync::ALL, |value| Fsync::parse(&value));
        Ok(settings)
    }

    /// What the repository's `config` says, where nothing is said of syncs.
    fn decode(file: &File) -> Result<Settings> {
        let text = |key: &str| file.string(key).map(|v| v.to_string());
        let version = text("core.repositoryformatversion").unwrap_or_else(|| "0".into());
        let version = match version.trim() {
            "0" => 0,
            "1" => 1,
            other => {
                let why = format!("the repository has format version {other}: 0 and 1 are known");
                return Err(Error::new(Code::Unsupported, why));
            }
        };
        let mut precious = false;
        for section in file.sections_by_name("extensions").into_iter().flatten() {
            for name in section.value_names() {
                let value = text(&format!("extensions.{name}")).unwrap_or_default();
                precious |= extension(version, &name.to_lowercase(), &value)?;
            }
        }
        let bare = file.boolean("core.bare").map_err(corrupt)?.unwrap_or(false);
        let always =
            text("core.logAllRefUpdates").is_some_and(|v| v.eq_ignore_ascii_case("always"));
        // A key without a value is true.
        let asked =
            if always { None } else { file.boolean("core.logAllRefUpdates").map_err(corrupt)? };
        let reflogs = match asked {
            _ if always => Reflogs::All,
            Some(true) => Reflogs::Branches,
            None if !bare => Reflogs::Branches,
            Some(false) | None => Reflogs::Existing,
        };
        Ok(Settings { reflogs, bare, precious, fsync: Fsync::ALL })
    }
}

/// A file of git's configuration.
///
/// # Errors
/// `corrupt_store`.
fn parse(bytes: &[u8]) -> Result<File> {
    let meta = gix::config::file::Metadata::api();
    let options = gix::config::file::init::Options::default();
    File::from_bytes_no_includes(bytes, meta, options).map_err(corrupt)
}

fn corrupt(e: gix::Error) -> Error {
    let why = format!("the repository's config cannot be read: {e}");
    Error::new(Code::CorruptStore, why).with_source(e)
}

/// The value of `core.fsync` in a file of the repository. One that has none and includes others, which
/// may have one, is taken to say what is safe: that everything is synced.
fn said_of_syncs(file: &File) -> Option<String> {
    let includes =
        |name| file.sections_by_name(name).is_some_and(|mut found| found.next().is_some());
    let safe = || ["include", "includeIf"].into_iter().any(includes).then(String::new);
    value(file).or_else(safe)
}

/// Whether each working tree, the first one too, has a `config` of its own.
fn file_of_each_tree(file: &File) -> bool {
    matches!(file.boolean("extensions.worktreeConfig"), Ok(Some(true)))
}

/// Whether an extension is one that forbids to remove packs.
///
/// Git looks at most extensions from version 1 on; those that say how objects and refs are stored
/// are refused wherever they stand.
fn extension(version: u32, name: &str, value: &str) -> Result<bool> {
    let unsupported = |what: String| Err(Error::new(Code::Unsupported, what));
    match name {
        "preciousobjects" => Ok(!matches!(value, "false" | "no" | "off" | "0")),
        "noop" | "noop-v1" | "partialclone" | "worktreeconfig" | "relativeworktrees" => Ok(false),
        "objectformat" if value == "sha1" => Ok(false),
        "refstorage" if value == "files" => Ok(false),
        "objectformat" | "refstorage" | "compatobjectformat" => unsupported(format!(
            "the repository has extensions.{name} = {value}, which is not supported"
        )),
        _ if version == 0 => Ok(false),
        _ => unsupported(format!("the repository has extensions.{name}, which is not known")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Result<Settings> {
        Settings::decode(&parse(text.as_bytes())?)
    }

    fn fsync(env: Option<&str>, tree: &str, config: &str, user: Option<&str>) -> Fsync {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("worktrees/w")).unwrap();
        std::fs::write(dir.path().join("config"), config).unwrap();
        std::fs::write(dir.path().join("worktrees/w/config.worktree"), tree).unwrap();
        let io = irmin_core::io::StdIo::open(dir.path()).unwrap();
        let outside = Outside { below: user.map(str::to_owned), above: env.map(str::to_owned) };
        let places = Places { private: "worktrees/w/".into() };
        Settings::load(&io, &places, outside).unwrap().fsync
    }

    #[test]
    fn what_is_synced_is_said_by_the_nearest() {
        let all = Fsync::ALL;
        let refs_only = Fsync::parse("-pack");
        let none = Fsync::parse("none");
        let own = "[extensions]\nworktreeConfig = true\n";
        assert_eq!(fsync(None, "", "", None), all);
        assert_eq!(fsync(None, "", "", Some("none")), none);
        assert_eq!(fsync(None, "", "[core]\nfsync = -pack\n", Some("none")), refs_only);
        assert_eq!(fsync(Some("none"), "", "[core]\nfsync = -pack\n", None), none);
        assert_eq!(fsync(Some(""), "", "[core]\nfsync = none\n", Some("none")), all);
        // Later lines take the place of earlier ones, and a section may come twice.
        let twice = "[core]\nfsync = none\n[x]\ny\n[CORE]\nFsync = -pack\n";
        assert_eq!(fsync(None, "", twice, None), refs_only);
        assert_eq!(fsync(None, "", "[core]\nfsync = none\nfsync =\n", None), all);
        // Git refuses a key without a value; it turns nothing off.
        assert_eq!(fsync(None, "", "[core]\nfsync = none\nfsync\n", Some("none")), all);
        // A working tree is asked only where trees have files of their own.
        let tree = "[core]\nfsync = none\n";
        assert_eq!(fsync(None, tree, "[core]\nfsync = -pack\n", None), refs_only);
        assert_eq!(fsync(None, tree, &format!("{own}[core]\nfsync = -pack\n"), None), none);
        assert_eq!(fsync(None, "", &format!("{own}[core]\nfsync = -pack\n"), None), refs_only);
        assert_eq!(fsync(Some("-pack"), tree, own, None), refs_only);
        // What may be said in a file that is not read is not taken for less.
        for (include, here) in [("include", all), ("INCLUDEif \"gitdir:/\"", all), ("other", none)]
        {
            let include = format!("[{include}]\npath = elsewhere\n");
            assert_eq!(fsync(None, "", &include, Some("none")), here, "{include}");
            assert_eq!(fsync(None, &include, &format!("{own}{tree}"), None), here, "{include}");
            assert_eq!(fsync(Some("none"), "", &include, None), none);
            assert_eq!(fsync(None, "", &format!("{include}{tree}"), None), none);
        }
        // What is older, and what says how to sync, is about nothing that is written here.
        for line in ["fsyncObjectFiles = false", "fsyncObjectFiles", "fsyncMethod = writeout-only"]
        {
            assert_eq!(fsync(None, "", &format!("[core]\n{line}\n"), None), all, "{line}");
        }
    }

    #[test]
    fn unknown_extensions_and_versions_are_refused_by_name() {
        for (text, word) in [
            ("[core]\nrepositoryformatversion = 2\n", "version 2"),
            (
                "[core]\nrepositoryformatversion = 1\n[extensions]\nobjectFormat = sha256\n",
                "sha256",
            ),
            (
                "[core]\nrepositoryformatversion = 1\n[extensions]\nrefStorage = reftable\n",
                "reftable",
            ),
            ("[core]\nrepositoryformatversion = 1\n[extensions]\nsurprise = 1\n", "surprise"),
            (
                "[core]\nrepositoryformatversion = 0\n[extensions]\nobjectFormat = sha256\n",
                "sha256",
            ),
        ] {
            let e = settings(text).unwrap_err();
            assert_eq!(e.code(), Code::Unsupported, "{text}");
            assert!(e.to_string().contains(word), "{e}");
        }
        assert_eq!(settings("[core\nx").unwrap_err().code(), Code::CorruptStore);
        for text in [
            "",
            "[core]\nrepositoryformatversion = 0\n[extensions]\nsurprise = 1\n",
            "[core]\nrepositoryformatversion = 1\n[extensions]\nobjectFormat = sha1\nworktreeConfig = true\n",
        ] {
            assert!(settings(text).is_ok(), "{text}");
        }
        assert!(settings("[extensions]\npreciousObjects\n").unwrap().precious);
    }

    #[test]
    fn journals_are_asked_for_as_in_git() {
        for (text, expected) in [
            ("", Reflogs::Branches),
            ("[core]\nbare = true\n", Reflogs::Existing),
            ("[core]\nbare = true\nlogAllRefUpdates = true\n", Reflogs::Branches),
            ("[core]\nbare = true\nlogAllRefUpdates\n", Reflogs::Branches),
            ("[core]\nlogAllRefUpdates = always\n", Reflogs::All),
            ("[core]\nlogAllRefUpdates = false\n", Reflogs::Existing),
        ] {
            assert_eq!(settings(text).unwrap().reflogs, expected, "{text}");
        }
    }
}
