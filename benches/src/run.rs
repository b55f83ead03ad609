//! What figures are of: the commit, the day, and where files were.

use std::path::Path;
use std::process::Command;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::machine;

/// A run of the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The commit of the checkout that the program is from, as git describes it.
    pub commit: String,
    /// The day, in UTC.
    pub date: String,
    /// The file system of the directory in which stores with files are made.
    pub files: Option<String>,
}

impl Run {
    /// This run, with stores in a directory.
    #[must_use]
    pub fn this(dir: &Path) -> Self {
        Run {
            commit: commit(Path::new(env!("CARGO_MANIFEST_DIR"))),
            date: Timestamp::now().strftime("%F").to_string(),
            files: machine::file_system(dir),
        }
    }
}

/// The commit of a checkout, and whether files differ from it; `unknown` where there is none.
fn commit(checkout: &Path) -> String {
    let mut git = Command::new("git");
    git.arg("-C").arg(checkout).args(["describe", "--always", "--dirty", "--abbrev=12"]);
    match git.output() {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        _ => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_checkout_has_no_commit() {
        assert_eq!(commit(Path::new("/there/is/no/such/place")), "unknown");
        let run = Run::this(Path::new("/"));
        assert_eq!((run.commit.is_empty(), run.date.len()), (false, 10));
    }
}
