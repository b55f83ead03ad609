//! Merge policies: which merge decides for the value at a path.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::Contents;
use crate::error::{Code, Error, Result};
use crate::limits;
use crate::merge::Merge;
use crate::path::Path;

/// One part of a [`Pattern`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Part {
    /// This step.
    Step(Vec<u8>),
    /// `*`: any one step.
    One,
    /// `**`: any number of steps, none included.
    Any,
}

/// Which paths a policy is for: steps joined by `/`, where `*` is any one step and `**` any number
/// of them.
///
/// ```
/// use irmin_core::{Path, contents::Pattern};
/// let counters: Pattern = "stats/**/count".parse()?;
/// assert!(counters.matches(&Path::parse("stats/count")?));
/// assert!(counters.matches(&Path::parse("stats/2024/05/count")?));
/// assert!(!counters.matches(&Path::parse("stats/2024")?));
/// assert_eq!(counters.to_string(), "stats/**/count");
/// assert!("stats/a*".parse::<Pattern>().is_err());
/// # Ok::<(), irmin_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    parts: Vec<Part>,
}

impl Pattern {
    /// Whether a path is one of those.
    #[must_use]
    pub fn matches(&self, path: &Path) -> bool {
        let steps: Vec<&[u8]> = path.steps().collect();
        // As with file globs: on a mismatch only the last `**` takes one step more, because what
        // an earlier one would gain the last one can skip. This bounds the work by parts x steps.
        let (mut part, mut step) = (0, 0);
        let mut last_any: Option<(usize, usize)> = None;
        loop {
            match (self.parts.get(part), steps.get(step)) {
                (None, None) => return true,
                (Some(Part::Any), _) => {
                    last_any = Some((part, step));
                    part += 1;
                    continue;
                }
                (Some(Part::One), Some(_)) => {
                    (part, step) = (part + 1, step + 1);
                    continue;
                }
                (Some(Part::Step(name)), Some(actual)) if name == actual => {
                    (part, step) = (part + 1, step + 1);
                    continue;
                }
                _ => {}
            }
            match last_any {
                Some((any, from)) if from < steps.len() => {
                    last_any = Some((any, from + 1));
                    (part, step) = (any + 1, from + 1);
                }
                _ => return false,
            }
        }
    }
}

impl FromStr for Pattern {
    type Err = Error;

    /// Reads a pattern; as in paths, empty steps are dropped, so `/` is the root's.
    fn from_str(text: &str) -> Result<Self> {
        if text.len() > limits::PATH {
            let why = format!("the path pattern has more than {} bytes", limits::PATH);
            return Err(Error::new(Code::PayloadTooLarge, why));
        }
        let bad = |why: &str| Error::new(Code::InvalidPath, format!("pattern `{text}`: {why}"));
        if text.is_empty() {
            return Err(bad("it is empty: `**` is for all paths, `/` for the root"));
        }
        let mut parts = Vec::new();
        for step in text.split('/').filter(|step| !step.is_empty()) {
            parts.push(match step {
                "*" => Part::One,
                "**" if parts.last() == Some(&Part::Any) => continue,
                "**" => Part::Any,
                _ if step.contains('*') => {
                    return Err(bad("`*` and `**` stand for whole steps only"));
                }
                _ => Part::Step(Path::new([step])?.as_bytes().to_vec()),
            });
        }
        if parts.len() > limits::DEPTH {
            return Err(bad("it has too many steps"));
        }
        Ok(Pattern { parts })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.parts.is_empty() {
            return f.write_str("/");
        }
        for (i, part) in self.parts.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { "/" })?;
            match part {
                // Patterns are made from text, so the lossless case is the only one.
                Part::Step(name) => f.write_str(&String::from_utf8_lossy(name))?,
                Part::One => f.write_str("*")?,
                Part::Any => f.write_str("**")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

/// The merges of a store: the default of its contents type, and rules for certain paths.
///
/// They are values, recorded by name: a program that does not know the name of a rule can tell
/// that it must not merge.
///
/// ```
/// use irmin_core::{Merge, Path, contents::Policies};
/// let last = Merge::new("theirs", |_, _: &String, theirs: &String| Ok(theirs.clone()));
/// let policies = Policies::new().with("logs/**".parse()?, last);
/// assert_eq!(policies.for_path(&Path::parse("logs/a/b")?).name(), "theirs");
/// assert_eq!(policies.for_path(&Path::parse("notes")?).name(), "idempotent");
/// # Ok::<(), irmin_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Policies<C> {
    default: Merge<C>,
    rules: Vec<(Pattern, Merge<C>)>,
}

impl<C: Contents> Policies<C> {
    /// The merge of the contents type, for all paths.
    #[must_use]
    pub fn new() -> Self {
        Policies { default: C::merge(), rules: Vec::new() }
    }

    /// These policies and one more rule; the last rule that matches a path decides.
    ///
    /// A rule with the same pattern is replaced, wherever it stood.
    #[must_use]
    pub fn with(mut self, pattern: Pattern, merge: Merge<C>) -> Self {
        self.rules.retain(|rule| rule.0 != pattern);
        self.rules.push((pattern, merge));
        self
    }

    /// The merge for the value at a path.
    #[must_use]
    pub fn for_path(&self, path: &Path) -> &Merge<C> {
        let rule = self.rules.iter().rev().find(|rule| rule.0.matches(path));
        rule.map_or(&self.default, |rule| &rule.1)
    }

    /// The merge where no rule matches.
    #[must_use]
    pub fn default_merge(&self) -> &Merge<C> {
        &self.default
    }

    /// Whether equal values merge to that value at every path.
    #[must_use]
    pub fn all_idempotent(&self) -> bool {
        let rules = self.rules.iter().map(|rule| &rule.1);
        rules.chain([&self.default]).all(Merge::is_idempotent)
    }

    /// The rules in their order, with the names of their merges: what a store records.
    pub fn rules(&self) -> impl Iterator<Item = (&Pattern, &str)> {
        self.rules.iter().map(|rule| (&rule.0, rule.1.name()))
    }
}

impl<C: Contents> Default for Policies<C> {
    fn default() -> Self {
        Policies::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn matches(pattern: &str, path: &str) -> bool {
        pattern.parse::<Pattern>().unwrap().matches(&Path::parse(path).unwrap())
    }

    #[test]
    fn wildcards() {
        for (pattern, path, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a", false),
            ("a", "a/b", false),
            ("/", "", true),
            ("/", "a", false),
            ("*", "a", true),
            ("*", "", false),
            ("*", "a/b", false),
            ("**", "", true),
            ("**", "a/b/c", true),
            ("a/**", "a", true),
            ("a/**", "b", false),
            ("**/c", "a/b/c", true),
            ("**/c", "c/c/d", false),
            ("**/b/**/d", "a/b/c/b/d", true),
            ("**/b/*/d", "a/b/b/x/d", true),
            ("a/**/*", "a", false),
            ("a/**/*", "a/b", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} on {path}");
        }
    }

    #[test]
    fn matching_does_not_explode() {
        let pattern = format!("{}z", "**/a/".repeat(60));
        assert!(!matches(&pattern, &"a/".repeat(limits::DEPTH)));
    }

    #[test]
    fn patterns_are_checked_and_print_as_they_are_read() {
        for bad in ["", "a*", "***", "a/..", ".git", "\0"] {
            assert!(bad.parse::<Pattern>().is_err(), "{bad}");
        }
        for (text, printed) in [("/a//b/", "a/b"), ("**/**/x", "**/x"), ("/", "/"), ("*/é", "*/é")]
        {
            let pattern: Pattern = text.parse().unwrap();
            assert_eq!(pattern.to_string(), printed);
            assert_eq!(printed.parse::<Pattern>().unwrap(), pattern);
        }
    }

    #[test]
    fn the_last_matching_rule_decides() {
        let merge = |name| Merge::<String>::default_().named(name);
        let parse = |pattern: &str| pattern.parse::<Pattern>().unwrap();
        let policies = Policies::new()
            .with(parse("**"), merge("all"))
            .with(parse("a/*"), merge("first"))
            .with(parse("a/b"), merge("second"))
            .with(parse("a/*"), merge("third"));
        let name = |path: &str| policies.for_path(&Path::parse(path).unwrap()).name().to_string();
        assert_eq!([name("a/b"), name("a/c"), name("x")], ["third", "third", "all"]);
        let rules: Vec<_> = policies.rules().map(|(p, name)| format!("{p}={name}")).collect();
        assert_eq!(rules, ["**=all", "a/b=second", "a/*=third"]);
    }
}
