//! What a repository's own `config` says that concerns a store.

use gix::config::File;
use irmin_core::io::Io;
use irmin_core::{Code, Error, Result};

use crate::files;

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
}

impl Settings {
    /// Reads them, and refuses a repository that this crate could damage.
    ///
    /// # Errors
    /// `unsupported` for a format version or an extension that is not known, naming it;
    /// `corrupt_store` for a `config` that cannot be read; `io`.
    pub(crate) fn load(io: &dyn Io) -> Result<Settings> {
        let bytes = files::if_exists(files::read(io, "config", MAX))?.unwrap_or_default();
        Settings::decode(&bytes)
    }

    fn decode(bytes: &[u8]) -> Result<Settings> {
        let corrupt = |e: gix::Error| {
            let why = format!("the repository's config cannot be read: {e}");
            Error::new(Code::CorruptStore, why).with_source(e)
        };
        let meta = gix::config::file::Metadata::api();
        let file =
            File::from_bytes_no_includes(bytes, meta, gix::config::file::init::Options::default())
                .map_err(corrupt)?;
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
        Ok(Settings { reflogs, bare, precious })
    }
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
        Settings::decode(text.as_bytes())
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
