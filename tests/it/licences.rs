//! What the programs are made of: licences that ask for a notice only, and one version of a crate.
//!
//! The lists are those of `deny.toml`, so that this test and `cargo deny` cannot disagree.
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde_json::Value;

use super::tidy::project::root;

/// The lists of `deny.toml`.
struct Policy {
    licences: BTreeSet<String>,
    duplicates: BTreeSet<String>,
    refused: BTreeSet<String>,
}

impl Policy {
    fn on_disk() -> Self {
        let text = fs::read_to_string(root().join("deny.toml")).expect("deny.toml is there");
        let table: toml::Table = text.parse().expect("deny.toml is TOML");
        let crates = |key: &str| {
            let entries = table["bans"][key].as_array().expect("a list of crates").iter();
            entries
                .map(|entry| {
                    let reason = entry["reason"].as_str().unwrap_or_default();
                    assert!(!reason.is_empty(), "deny.toml: {entry} has no reason");
                    entry["crate"].as_str().expect("a crate has a name").to_owned()
                })
                .collect()
        };
        let licences = table["licenses"]["allow"].as_array().expect("a list of licences");
        Policy {
            licences: licences.iter().map(|l| l.as_str().unwrap().to_owned()).collect(),
            duplicates: crates("skip"),
            refused: crates("deny"),
        }
    }
}

/// The packages of the lock file, and whether these are those of every platform.
fn packages() -> (Vec<Value>, bool) {
    let metadata = |more: &[&str]| {
        let cargo = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--locked", "--offline"])
            .args(more)
            .current_dir(root())
            .output()
            .expect("cargo runs");
        let why = String::from_utf8_lossy(&cargo.stderr).into_owned();
        serde_json::from_slice::<Value>(&cargo.stdout).map_err(|_| why)
    };
    let all = metadata(&[]);
    let complete = all.is_ok();
    let all = all.or_else(|why| {
        // Crates of other platforms are not downloaded by a build for this one.
        assert!(std::env::var_os("CI").is_none(), "cargo metadata: {why}");
        println!("skipped: crates of other platforms: they need `cargo fetch`");
        metadata(&["--filter-platform", &host()])
    });
    let all = all.unwrap_or_else(|why| panic!("cargo metadata: {why}"));
    (all["packages"].as_array().expect("cargo lists packages").clone(), complete)
}

fn host() -> String {
    let rustc = Command::new("rustc").arg("-vV").output().expect("rustc runs");
    let text = String::from_utf8(rustc.stdout).expect("rustc prints text");
    let line = text.lines().find_map(|l| l.strip_prefix("host: "));
    line.expect("rustc names its host").to_owned()
}

/// Whether a licence expression can be satisfied with allowed licences alone.
fn permits(expression: &str, allowed: &BTreeSet<String>) -> bool {
    // `/` is what `OR` was before SPDX.
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut tokens = spaced.split_whitespace().peekable();
    let permitted = any(&mut tokens, allowed);
    permitted && tokens.next().is_none()
}

type Tokens<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(tokens: &mut Tokens<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut permitted = all(tokens, allowed);
    while tokens.next_if_eq(&"OR").is_some() {
        permitted |= all(tokens, allowed);
    }
    permitted
}

fn all(tokens: &mut Tokens<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut permitted = one(tokens, allowed);
    while tokens.next_if_eq(&"AND").is_some() {
        permitted &= one(tokens, allowed);
    }
    permitted
}

fn one(tokens: &mut Tokens<'_>, allowed: &BTreeSet<String>) -> bool {
    match tokens.next() {
        Some("(") => any(tokens, allowed) && tokens.next() == Some(")"),
        Some(id) => {
            // An exception only adds permissions.
            if tokens.next_if_eq(&"WITH").is_some() {
                tokens.next();
            }
            allowed.contains(id)
        }
        None => false,
    }
}

#[test]
fn expressions_are_understood() {
    let allowed = ["MIT", "ISC", "Apache-2.0"].map(str::to_owned).into();
    for good in [
        "MIT",
        "MIT OR GPL-3.0",
        "GPL-3.0 OR MIT",
        "MIT AND ISC",
        "(MIT OR GPL-3.0) AND ISC",
        "Apache-2.0 WITH LLVM-exception",
        "Unlicense/MIT",
        "GPL-3.0 AND ISC OR MIT",
    ] {
        assert!(permits(good, &allowed), "{good}");
    }
    for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "MIT GPL-3.0", "(MIT", "GPL-3.0 WITH MIT", "mit"]
    {
        assert!(!permits(bad, &allowed), "{bad}");
    }
}

#[test]
fn licences_ask_for_a_notice_only() {
    let policy = Policy::on_disk();
    let (all, _) = packages();
    assert!(all.len() > 20, "cargo lists {} packages: that cannot be all", all.len());
    let bad: Vec<String> = all
        .iter()
        .filter(|p| !p["license"].as_str().is_some_and(|l| permits(l, &policy.licences)))
        .map(|p| format!("{} {}: {}", p["name"], p["version"], p["license"]))
        .collect();
    assert!(bad.is_empty(), "use other crates, or see deny.toml: {bad:#?}");
}

#[test]
fn no_crate_is_there_twice() {
    let policy = Policy::on_disk();
    let (all, complete) = packages();
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in all {
        let name = package["name"].as_str().unwrap().to_owned();
        assert!(!policy.refused.contains(&name), "deny.toml refuses {name}");
        versions.entry(name).or_default().insert(package["version"].as_str().unwrap().to_owned());
    }
    let mut skipped = BTreeSet::new();
    for (name, versions) in &versions {
        let id = |version: &String| format!("{name}@{version}");
        let (skip, kept): (Vec<_>, Vec<_>) =
            versions.iter().map(id).partition(|id| policy.duplicates.contains(id));
        assert!(kept.len() <= 1, "{kept:?}: settle on one, or give the reason in deny.toml");
        skipped.extend(skip.into_iter().filter(|_| versions.len() > 1));
    }
    let stale: Vec<_> = policy.duplicates.difference(&skipped).collect();
    assert!(
        stale.is_empty() || !complete,
        "deny.toml skips {stale:?}, which are not there twice: remove them"
    );
}
