//! What several commands take: the common options, paths and messages.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use irmin_core::Path;

/// Options that every command takes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Common options")]
// The comments are help texts, where marks of code would be printed.
#[allow(clippy::doc_markdown)]
pub(crate) struct Global {
    /// The directory of the store [env: IRMIN_ROOT]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// The kind of store: git (default), fs, git-mem or mem [env: IRMIN_STORE]
    #[arg(short, long, global = true)]
    pub(crate) store: Option<String>,
    /// The hash function, for stores that let one choose it [env: IRMIN_HASH]
    #[arg(long, global = true, value_name = "HASH")]
    pub(crate) hash: Option<String>,
    /// The type of the values: string (default), json, json-value or bytes [env: IRMIN_CONTENTS]
    #[arg(short, long, global = true, value_name = "TYPE")]
    pub(crate) contents: Option<String>,
    /// The branch to work on; the store's main branch by default [env: IRMIN_BRANCH]
    #[arg(short, long, global = true)]
    pub(crate) branch: Option<String>,
    /// A commit to work on instead of a branch [env: IRMIN_COMMIT]
    #[arg(long, global = true, value_name = "HASH")]
    pub(crate) commit: Option<String>,
    /// The settings file to read instead of ./irmin.yml [env: IRMIN_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// An option of the store, see `irmin options`; may be repeated
    #[arg(long = "opt", visible_alias = "options", global = true, value_name = "KEY=VALUE")]
    #[arg(value_delimiter = ',')]
    pub(crate) opt: Vec<String>,
    /// The author of commits, `name` or `name <e-mail>` [env: IRMIN_AUTHOR]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) author: Option<String>,
    /// The date of commits, in seconds since 1970 [env: IRMIN_DATE]
    #[arg(long, global = true, value_name = "SECONDS", allow_negative_numbers = true)]
    pub(crate) date: Option<String>,
    /// Print JSON; `irmin help json` documents the shapes
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// When to use colours: auto, always or never
    #[arg(long, global = true, value_name = "WHEN")]
    pub(crate) color: Option<String>,
    /// Print no notes and no progress on standard error
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Say more on standard error; may be repeated
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// Who says what about a commit: the message.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Message {
    /// The message of the commit
    #[arg(short, long, value_name = "MESSAGE")]
    pub(crate) message: Option<String>,
}

/// Reads a path: bytes as they are, or quoted as the program prints them.
///
/// Stray slashes do not matter. Whether its names may be written is the store's decision.
pub(crate) fn path(text: OsString) -> Result<Path, irmin_core::Error> {
    path_of_bytes(&bytes_of(text))
}

/// Reads a path: as [`path`].
pub(crate) fn path_of_bytes(bytes: &[u8]) -> Result<Path, irmin_core::Error> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.starts_with('"') => Path::parse_quoted(text),
        _ => Path::foreign(bytes.split(|b| *b == b'/').filter(|step| !step.is_empty())),
    }
}

/// A parser of paths for `clap`.
pub(crate) fn path_parser() -> impl clap::builder::TypedValueParser<Value = Path> {
    use clap::builder::TypedValueParser as _;
    clap::builder::OsStringValueParser::new().try_map(path)
}

/// The bytes of an argument.
#[cfg(unix)]
pub(crate) fn bytes_of(text: OsString) -> Vec<u8> {
    std::os::unix::ffi::OsStringExt::into_vec(text)
}

/// The bytes of an argument.
#[cfg(not(unix))]
pub(crate) fn bytes_of(text: OsString) -> Vec<u8> {
    text.to_string_lossy().into_owned().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let show = |text: &str| path(text.into()).unwrap().to_string();
        assert_eq!(show("/g/h//i/"), "g/h/i");
        assert_eq!(show("/"), "");
        assert_eq!(show(r#""caf\351""#), r#""caf\351""#);
        assert!(path(r#""open"#.into()).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn paths_that_are_not_text() {
        use std::os::unix::ffi::OsStringExt as _;
        let name = OsString::from_vec(b"caf\xe9".to_vec());
        assert_eq!(path(name).unwrap().as_bytes(), b"caf\xe9");
    }
}
