//! What is configured outside of a repository: by the system, by the user, and for one program.
//!
//! Only `core.fsync` is looked for: what a write is worth is a decision of whoever runs the program.
//! The files are found as git finds them; that of Apple's git, which only git itself can name, is
//! left out.

use std::path::{Path, PathBuf};

use gix::config::File;
use gix::config::file::{Metadata, includes, init};
use gix::config::path::interpolate::Context;
use gix::config::source::Kind;

use crate::fsync::KEY;

/// The values of `core.fsync` outside of a repository.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    /// That of the system and the user, which the repository's takes the place of.
    pub(crate) below: Option<String>,
    /// That of the environment, which takes the place of the repository's.
    pub(crate) above: Option<String>,
}

impl Outside {
    /// Looks, for the repository with this git directory. What cannot be read turns nothing off.
    pub(crate) fn read(git_dir: &Path) -> Outside {
        let files = global(git_dir).unwrap_or_default();
        let environment = File::from_environment_overrides();
        Outside {
            below: files.as_ref().and_then(value),
            above: environment.map_or_else(|_| Some(String::new()), |file| value(&file)),
        }
    }
}

/// The value in a file; empty, as for the default, if it is none that git would take.
pub(crate) fn value(file: &File) -> Option<String> {
    let text = |value: gix::bstr::BString| String::from_utf8(value.into()).unwrap_or_default();
    file.string_implicit(KEY).map(|value| value.map(text).unwrap_or_default())
}

/// The files of the system and of the user, with what they include, also for this repository alone.
fn global(git_dir: &Path) -> gix::Result<Option<File>> {
    let mut env = |name: &str| std::env::var_os(name);
    let mut files = Vec::new();
    for source in [Kind::System, Kind::Global].iter().flat_map(|kind| kind.sources()) {
        if let Some(path) = source.storage_location(&mut env).filter(|path| path.is_file()) {
            files.push(Metadata::from(*source).at(path));
        }
    }
    let home = env("HOME").map(PathBuf::from);
    let follow = includes::Options::follow(
        Context { home_dir: home.as_deref(), ..Context::default() },
        includes::conditional::Context { git_dir: Some(git_dir), branch_name: None },
    );
    File::from_paths_metadata(files, init::Options { includes: follow, ..Default::default() })
}
