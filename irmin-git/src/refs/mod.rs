//! The refs of a repository: one small file each, or a line of `packed-refs`.

pub(crate) mod packed;
pub(crate) mod read;
pub(crate) mod write;

use irmin_core::backend::Target;
use irmin_core::{Code, Error, Key, RefName, Result};

use crate::oid;

/// Where the refs of a repository are, below its common git directory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    /// What a linked working tree has of its own: empty, or `worktrees/<name>/`.
    pub(crate) private: String,
}

impl Places {
    /// The file of a ref. `HEAD` and its like, and three directories of refs, belong to the
    /// working tree that is open; all others are shared.
    pub(crate) fn file(&self, name: &RefName) -> String {
        let text = name.as_str();
        let own = !text.starts_with("refs/")
            || ["refs/bisect/", "refs/worktree/", "refs/rewritten/"]
                .iter()
                .any(|dir| text.starts_with(dir));
        if own { format!("{}{text}", self.private) } else { text.to_owned() }
    }

    /// The journal of a ref.
    pub(crate) fn log(&self, name: &RefName) -> String {
        let own = self.file(name) != name.as_str();
        format!("{}logs/{name}", if own { self.private.as_str() } else { "" })
    }
}

/// The value that the file of a ref holds.
///
/// # Errors
/// `corrupt_store`, naming the ref.
pub(crate) fn decode(name: &str, bytes: &[u8]) -> Result<Target> {
    let bad = |why: &str| Error::new(Code::CorruptStore, format!("ref `{name}` {why}"));
    let text = core::str::from_utf8(bytes).map_err(|_| bad("is not text"))?;
    if let Some(rest) = text.strip_prefix("ref:") {
        let to = rest.trim();
        let to = to.parse().map_err(|_| bad("stands for something that is not a ref"))?;
        return Ok(Target::Symbolic(to));
    }
    let (digits, rest) = text.split_at_checked(40).ok_or_else(|| bad("is empty or cut off"))?;
    if rest.chars().next().is_some_and(|c| !c.is_whitespace()) {
        return Err(bad("is not an object name of 40 digits"));
    }
    let hash = digits.parse().map_err(|_| bad("is not an object name"))?;
    Ok(Target::Object(Key { hash, at: irmin_core::Locator::NONE }))
}

/// What the file of a ref with this value holds.
///
/// # Errors
/// `invalid_revision` for a hash that is not one of this repository.
pub(crate) fn encode(target: &Target) -> Result<Vec<u8>> {
    Ok(match target {
        Target::Symbolic(to) => format!("ref: {to}\n"),
        Target::Object(key) => {
            oid::from_hash(&key.hash)?;
            format!("{}\n", key.hash)
        }
    }
    .into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_git_reads_them() {
        let hex = "ce013625030ba8dba906f756967f9e9ca394464a";
        let object = Target::Object(Key::from(hex.parse::<irmin_core::Hash>().unwrap()));
        for text in
            [format!("{hex}\n"), hex.to_owned(), format!("{hex} trailing"), format!("{hex}\r\n")]
        {
            assert_eq!(decode("HEAD", text.as_bytes()).unwrap(), object, "{text:?}");
        }
        let symbolic = Target::Symbolic("refs/heads/main".parse().unwrap());
        for text in ["ref: refs/heads/main\n", "ref:refs/heads/main", "ref: \trefs/heads/main  \n"]
        {
            assert_eq!(decode("HEAD", text.as_bytes()).unwrap(), symbolic, "{text:?}");
        }
        for value in [&object, &symbolic] {
            assert_eq!(&decode("HEAD", &encode(value).unwrap()).unwrap(), value);
        }
        for bad in
            ["", "\n", &hex[..39], &format!("{hex}0"), "ref: a..b", "ref: ../x", &"é".repeat(30)]
        {
            assert_eq!(
                decode("x", bad.as_bytes()).unwrap_err().code(),
                Code::CorruptStore,
                "{bad:?}"
            );
        }
        assert!(decode("x", &[0xff; 40]).is_err());
    }

    #[test]
    fn a_working_tree_has_its_own_head_and_shares_branches() {
        let places = Places { private: "worktrees/w/".into() };
        for (name, file, log) in [
            ("HEAD", "worktrees/w/HEAD", "worktrees/w/logs/HEAD"),
            ("refs/heads/a", "refs/heads/a", "logs/refs/heads/a"),
            ("refs/bisect/bad", "worktrees/w/refs/bisect/bad", "worktrees/w/logs/refs/bisect/bad"),
        ] {
            let name: RefName = name.parse().unwrap();
            assert_eq!(places.file(&name), file);
            assert_eq!(places.log(&name), log);
        }
    }
}
