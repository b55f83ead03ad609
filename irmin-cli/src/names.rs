//! Names that people write: what they stand for, and what was meant where they stand for nothing.

use irmin_core::{Code, Commit, Contents, Repo};

use crate::exit::Failure;

/// The commit that a revision names.
///
/// # Errors
/// Those of resolving it; where there is no such name, one that is close to it is told.
pub(crate) fn resolve<C: Contents>(repo: &Repo<C>, revision: &str) -> Result<Commit<C>, Failure> {
    repo.resolve(revision).map_err(|e| {
        let meant = meant(repo, revision).filter(|_| e.code() == Code::NotFound);
        let failure = Failure::from(e);
        match meant {
            Some(name) => failure.hint(format!("did you mean `{name}`?")),
            None => failure,
        }
    })
}

/// Adds to a failure which branches there are, and which one was probably meant.
pub(crate) fn among<C: Contents>(repo: &Repo<C>, name: &str, failure: Failure) -> Failure {
    let list = "`irmin branches` lists the branches";
    failure.hint(match meant(repo, name) {
        Some(name) => format!("did you mean `{name}`? {list}"),
        None => list.into(),
    })
}

/// The branch or tag whose name is closest to the one that a revision begins with, if any is
/// close. A store that cannot be read has other troubles to tell.
fn meant<C: Contents>(repo: &Repo<C>, revision: &str) -> Option<String> {
    let name = revision.split(['~', '^']).next().unwrap_or_default();
    let branches = repo.branches().unwrap_or_default();
    let tags = repo.tags().unwrap_or_default();
    let names = branches.iter().map(ToString::to_string);
    closest(name, names.chain(tags.iter().map(ToString::to_string)))
}

/// The name that takes the fewest slips to become this one: none if it is there, or if more than
/// a third of its letters would be wrong.
fn closest(name: &str, names: impl Iterator<Item = String>) -> Option<String> {
    let letters = name.chars().count();
    let most = (letters / 3).max(1);
    let slips = names.map(|other| (strsim::damerau_levenshtein(name, &other), other));
    let (slips, other) = slips.min()?;
    (slips > 0 && slips <= most && slips < letters).then_some(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips() {
        let meant =
            |name| closest(name, ["main", "draft", "topic/x"].map(String::from).into_iter());
        assert_eq!(meant("mian").as_deref(), Some("main"));
        assert_eq!(meant("Main").as_deref(), Some("main"));
        assert_eq!(meant("drat").as_deref(), Some("draft"));
        assert_eq!(meant("topic-x").as_deref(), Some("topic/x"));
        for other in ["main", "mn", "nothing", "x", ""] {
            assert_eq!(meant(other), None, "{other}");
        }
    }
}
