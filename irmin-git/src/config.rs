//! `irmin/config.toml`: what a store says of itself inside a git repository.
//!
//! A repository without it is a store with the `git` preset. Unknown keys are errors: a program
//! that does not know what a store asks for must not write it.

use std::collections::BTreeMap;

use irmin_core::io::Io;
use irmin_core::{Code, Error, FormatSpec, Result};
use serde::{Deserialize, Serialize};

use crate::files;

/// The file, below the common git directory.
pub(crate) const FILE: &str = "irmin/config.toml";
/// The longest file that is read, in bytes.
const MAX: u64 = 1 << 20;

/// What a store in a git repository records of itself.
///
/// ```
/// let config = irmin_git::Config::default();
/// assert_eq!(config.format, "git");
/// assert_eq!(config.contents, None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// The preset of its format; git repositories have one, `git`.
    #[serde(default = "git")]
    pub format: String,
    /// The type of its contents, such as `json`; none means bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contents: Option<String>,
    /// The remotes, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub remotes: BTreeMap<String, String>,
    /// The names of merge policies, by path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub policies: BTreeMap<String, String>,
}

fn git() -> String {
    String::from("git")
}

impl Default for Config {
    fn default() -> Self {
        Config {
            format: git(),
            contents: None,
            remotes: BTreeMap::new(),
            policies: BTreeMap::new(),
        }
    }
}

impl Config {
    /// Reads the file; the default where there is none.
    ///
    /// # Errors
    /// `corrupt_store` for a file that cannot be understood, `unsupported` for a format that git
    /// repositories do not have, `io`.
    pub(crate) fn load(io: &dyn Io) -> Result<Config> {
        let Some(bytes) = files::if_exists(files::read(io, FILE, MAX))? else {
            return Ok(Config::default());
        };
        let bad = |why: String| Error::new(Code::CorruptStore, format!("{FILE}: {why}"));
        let text = String::from_utf8(bytes).map_err(|e| bad(e.to_string()))?;
        let config: Config = toml::from_str(&text).map_err(|e| bad(e.to_string()))?;
        config.spec()?;
        Ok(config)
    }

    /// The format that it names.
    pub(crate) fn spec(&self) -> Result<FormatSpec> {
        match self.format.as_str() {
            "git" => Ok(FormatSpec::git()),
            other => {
                let why = format!("a git repository cannot have the format `{other}`: it is `git`");
                Err(Error::new(Code::Unsupported, why))
            }
        }
    }

    /// Writes the file durably, replacing what is there. The lock of the store is held.
    ///
    /// # Errors
    /// `io`.
    pub(crate) fn store(&self, io: &dyn Io) -> Result<()> {
        let text = toml::to_string(self).map_err(|e| {
            Error::new(Code::InvalidArgument, format!("{FILE} cannot be written")).with_source(e)
        })?;
        let new = format!("{FILE}.new");
        files::create_dirs(io, "irmin")?;
        files::remove(io, &new)?;
        files::create(io, &new, text.as_bytes())?;
        io.rename(&new, FILE)?;
        files::sync_dir(io, "irmin")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_errors_and_absent_ones_have_defaults() {
        assert_eq!(toml::from_str::<Config>("").unwrap(), Config::default());
        assert!(toml::from_str::<Config>("formt = \"git\"").is_err());
        let config = Config { contents: Some("json".into()), ..Config::default() };
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<Config>(&text).unwrap(), config);
        let other = Config { format: "native".into(), ..Config::default() };
        assert_eq!(other.spec().unwrap_err().code(), Code::Unsupported);
    }
}
