//! Names of branches, tags and refs: those that git accepts.

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use crate::error::{Code, Error, Result};
use crate::limits;

/// A full ref name, such as `refs/heads/main` or `HEAD`.
///
/// The rules are those of `git check-ref-format`, and names that are not under `refs/` are in
/// capitals, as git's own (`HEAD`, `ORIG_HEAD`). Below the branch API everything names refs in
/// full, so that a branch and a tag of one name cannot be mixed up.
///
/// ```
/// use irmin_core::RefName;
/// let name: RefName = "refs/tags/v1".parse()?;
/// assert_eq!(name.as_str(), "refs/tags/v1");
/// assert!("refs/heads/a..b".parse::<RefName>().is_err());
/// # Ok::<(), irmin_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefName(String);

/// Where branches are.
pub const HEADS: &str = "refs/heads/";
/// Where tags are.
pub const TAGS: &str = "refs/tags/";

impl RefName {
    /// The ref that says which branch a repository is on.
    #[must_use]
    pub fn head() -> Self {
        RefName(String::from("HEAD"))
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The branch that this ref is, if it is one.
    #[must_use]
    pub fn branch(&self) -> Option<BranchName> {
        self.0.strip_prefix(HEADS).and_then(|name| name.parse().ok())
    }

    /// The tag that this ref is, if it is one.
    #[must_use]
    pub fn tag(&self) -> Option<TagName> {
        self.0.strip_prefix(TAGS).and_then(|name| name.parse().ok())
    }

    /// Whether one name is a directory of the other: git cannot store both.
    #[must_use]
    pub fn clashes_with(&self, other: &RefName) -> bool {
        let inside = |a: &str, b: &str| a.strip_prefix(b).is_some_and(|rest| rest.starts_with('/'));
        inside(&self.0, &other.0) || inside(&other.0, &self.0)
    }
}

/// Ordered and hashed as its text, so that maps of refs can be searched by prefix.
impl core::borrow::Borrow<str> for RefName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl core::borrow::Borrow<str> for &RefName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for RefName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let special = text.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        if !special && !text.starts_with("refs/") {
            return Err(invalid("ref", text, "is not under `refs/`"));
        }
        check("ref", "", text)?;
        Ok(RefName(text.into()))
    }
}

macro_rules! short_names {
    ($($(#[$doc:meta])* $name:ident, $what:literal, $prefix:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The name without its `refs/…/` prefix.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The full name of the ref.
            #[must_use]
            pub fn to_ref(&self) -> RefName {
                RefName(format!("{}{}", $prefix, self.0))
            }
        }
        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                check($what, $prefix, text)?;
                if text.starts_with('-') || text == "HEAD" {
                    return Err(invalid($what, text, "would be taken for something else"));
                }
                Ok($name(text.into()))
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

short_names! {
    /// The name of a branch: what git accepts after `refs/heads/`.
    ///
    /// ```
    /// use irmin_core::BranchName;
    /// for good in ["main", "a/b", "é", "a@b"] {
    ///     assert!(good.parse::<BranchName>().is_ok());
    /// }
    /// for bad in ["", "-x", "HEAD", "a..b", "a b", "a.lock", "/a", "a//b"] {
    ///     assert!(bad.parse::<BranchName>().is_err());
    /// }
    /// ```
    BranchName, "branch", HEADS;
    /// The name of a tag: what git accepts after `refs/tags/`.
    TagName, "tag", TAGS;
}

impl BranchName {
    /// The branch that is used when nothing says which one: `main`.
    #[must_use]
    pub fn main() -> Self {
        BranchName(String::from("main"))
    }
}

impl fmt::Display for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Debug for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn invalid(what: &str, name: &str, why: &str) -> Error {
    Error::new(Code::InvalidName, format!("{what} name `{}` {why}", name.escape_debug()))
}

/// The rules of `git check-ref-format`, for what follows `prefix` in a ref name.
fn check(what: &str, prefix: &str, name: &str) -> Result<()> {
    let refuse = |why: &str| Err(invalid(what, name, why));
    if name.is_empty() {
        return refuse("is empty");
    }
    let most = limits::REF_NAME - prefix.len();
    if name.len() > most {
        let shown: String = name.chars().take(40).collect();
        let what = format!("{what} name `{shown}…` has more than {most} bytes");
        return Err(Error::new(Code::PayloadTooLarge, what));
    }
    if name.split('/').any(str::is_empty) {
        return refuse("has an empty part (a leading, trailing or double `/`)");
    }
    if name.split('/').any(|part| part.starts_with('.') || part.ends_with(".lock")) {
        return refuse("has a part that begins with `.` or ends with `.lock`");
    }
    if name.contains("..") || name.contains("@{") || name.ends_with('.') || name == "@" {
        return refuse("has `..`, `@{`, a final `.`, or is `@`");
    }
    if name.chars().any(|c| c.is_ascii_control() || " ~^:?*[\\".contains(c)) {
        return refuse("has a space, a control character or one of ~ ^ : ? * [ \\");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clashes() {
        let name = |text: &str| text.parse::<RefName>().unwrap();
        assert!(name("refs/heads/a").clashes_with(&name("refs/heads/a/b")));
        assert!(name("refs/heads/a/b").clashes_with(&name("refs/heads/a")));
        assert!(!name("refs/heads/a").clashes_with(&name("refs/heads/a")));
        assert!(!name("refs/heads/a").clashes_with(&name("refs/heads/ab")));
    }

    #[test]
    fn every_short_name_has_a_full_name() {
        let name = |bytes: usize| "a".repeat(bytes);
        let longest: BranchName = name(limits::REF_NAME - HEADS.len()).parse().unwrap();
        assert_eq!(longest.to_ref().as_str().parse::<RefName>().unwrap(), longest.to_ref());
        let error = name(limits::REF_NAME - HEADS.len() + 1).parse::<BranchName>().unwrap_err();
        assert_eq!(error.code(), Code::PayloadTooLarge);
    }

    #[test]
    fn full_names() {
        for good in ["HEAD", "ORIG_HEAD", "refs/heads/main", "refs/remotes/origin/main"] {
            assert!(good.parse::<RefName>().is_ok(), "{good}");
        }
        for bad in ["", "main", "head", "heads/main", "refs/", "refs/../x", "refs/heads/.x"] {
            assert!(bad.parse::<RefName>().is_err(), "{bad}");
        }
        assert_eq!("refs/heads/a/b".parse::<RefName>().unwrap().branch().unwrap().as_str(), "a/b");
        assert!("refs/tags/a".parse::<RefName>().unwrap().branch().is_none());
    }
}
