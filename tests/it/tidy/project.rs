//! The files of the project, from disk or made up for a test of the tests.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::source::Source;

/// A breach of a rule: where, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) path: String,
    pub(super) line: usize,
    pub(super) what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// All text files, by path from the root of the workspace.
pub(super) struct Project {
    texts: BTreeMap<String, String>,
    sources: BTreeMap<String, Source>,
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace").to_owned()
}

impl Project {
    /// The project as it is on disk.
    pub(super) fn on_disk() -> Self {
        let mut texts = BTreeMap::new();
        let root = root();
        let mut todo = vec![root.clone()];
        while let Some(dir) = todo.pop() {
            for entry in fs::read_dir(&dir).expect("a directory of the project can be read") {
                let path = entry.expect("a directory of the project can be read").path();
                let name = path.strip_prefix(&root).expect("it is below the root");
                let name = name.to_str().expect("names in the project are text").to_owned();
                let last = name.rsplit('/').next().unwrap_or_default();
                let skipped = matches!(last, "target" | ".git" | "vectors" | "corpus");
                if path.is_dir() && !skipped && !path.join("CACHEDIR.TAG").exists() {
                    todo.push(path);
                } else if path.is_file()
                    && !skipped
                    && last != "Cargo.lock"
                    && let Ok(text) = fs::read_to_string(&path)
                {
                    texts.insert(name, text);
                }
            }
        }
        Project::new(texts)
    }

    /// A made-up project.
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        Project::new(files.iter().map(|(p, t)| ((*p).to_owned(), (*t).to_owned())).collect())
    }

    fn new(texts: BTreeMap<String, String>) -> Self {
        let rust = texts.iter().filter(|(path, _)| path.ends_with(".rs"));
        let sources = rust.map(|(path, text)| (path.clone(), Source::new(text))).collect();
        Project { texts, sources }
    }

    /// The text files.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The Rust files.
    pub(super) fn sources(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.sources.iter().map(|(path, source)| (path.as_str(), source))
    }

    /// One Rust file.
    pub(super) fn source(&self, path: &str) -> Option<&Source> {
        self.sources.get(path)
    }

    /// One text file.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// The packages: the directory of each `Cargo.toml` that has one, and what it says.
    pub(super) fn packages(&self) -> Vec<(&str, toml::Table)> {
        let manifests = self.texts().filter(|(path, _)| path.ends_with("Cargo.toml"));
        manifests
            .map(|(path, text)| {
                let table: toml::Table = text.parse().unwrap_or_else(|e| panic!("{path}: {e}"));
                (path.trim_end_matches("Cargo.toml").trim_end_matches('/'), table)
            })
            .filter(|(_, table)| table.contains_key("package"))
            .collect()
    }

    /// Whether a file, or a place in it, is there for tests and measurements alone.
    pub(super) fn for_tests(&self, path: &str, offset: usize) -> bool {
        let dirs = ["tests/", "benches/", "fuzz/"];
        let in_dir = dirs.iter().any(|d| path.starts_with(d) || path.contains(&format!("/{d}")));
        in_dir
            || path.ends_with("/tests.rs")
            || self.source(path).is_some_and(|s| s.in_tests(offset))
    }
}
