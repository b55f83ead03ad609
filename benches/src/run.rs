//! What figures are of: the commit, the day, and where files were.

use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

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
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Run {
            commit: commit(Path::new(env!("CARGO_MANIFEST_DIR"))),
            date: date(now.as_secs() / 86_400),
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

/// The date of a day since 1970, year first.
///
/// The years begin in March here, so that the day that only some have is the last one.
fn date(day: u64) -> String {
    const ERA: u64 = 146_097;
    // 1970-01-01 is so many days after the first of March of the year 0.
    let day = day + 719_468;
    let (era, day) = (day / ERA, day % ERA);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year + next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_days() {
        // From `date -u -d @SECONDS +%F`.
        for (day, text) in [
            (0, "1970-01-01"),
            (58, "1970-02-28"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (11_322, "2000-12-31"),
            (19_782, "2024-02-29"),
            (20_000, "2024-10-04"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
        ] {
            assert_eq!(date(day), text);
        }
    }

    #[test]
    fn what_is_no_checkout_has_no_commit() {
        assert_eq!(commit(Path::new("/there/is/no/such/place")), "unknown");
        let run = Run::this(Path::new("/"));
        assert_eq!((run.commit.is_empty(), run.date.len()), (false, 10));
    }
}
