//! Settings: what the flags, the environment and the settings files say, in that order.
//!
//! Everything here is pure but [`load_files`]: the environment is a function that is passed in.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use irmin_core::HashFunction;
use serde_json::{Map, Value};

use crate::args::Global;
use crate::exit::Failure;

/// Looks up a variable of the environment; one that is set to nothing counts as not set.
pub(crate) type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The kinds of stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreKind {
    /// A git repository.
    Git,
    /// Plain files, as the original's irmin-fs keeps them.
    Fs,
    /// A git repository in memory, gone when the command ends.
    GitMem,
    /// A store in memory that hashes like the original's, gone when the command ends.
    Mem,
}

impl StoreKind {
    const NAMES: [(&'static str, StoreKind); 4] = [
        ("git", StoreKind::Git),
        ("fs", StoreKind::Fs),
        ("git-mem", StoreKind::GitMem),
        ("mem", StoreKind::Mem),
    ];

    fn parse(name: &str) -> Result<Self, Failure> {
        find(&Self::NAMES, name).ok_or_else(|| {
            let names = list(&Self::NAMES);
            Failure::usage(format!("Invalid store type: {name}. Expected one of: {names}."))
        })
    }

    /// The options that this kind of store takes.
    pub(crate) fn options(self) -> &'static [StoreOption] {
        match self {
            StoreKind::Git => GIT_OPTIONS,
            StoreKind::Fs => FS_OPTIONS,
            StoreKind::GitMem | StoreKind::Mem => &[],
        }
    }
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(_, kind)| kind == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

/// The types of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContentsType {
    /// Any bytes: the original's strings are bytes too.
    String,
    /// A JSON object, merged key by key.
    Json,
    /// Any JSON value.
    JsonValue,
}

impl fmt::Display for ContentsType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(_, kind)| kind == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

impl ContentsType {
    const NAMES: [(&'static str, ContentsType); 4] = [
        ("string", ContentsType::String),
        ("json", ContentsType::Json),
        ("json-value", ContentsType::JsonValue),
        ("bytes", ContentsType::String),
    ];

    /// The type of a name, in any case.
    ///
    /// # Errors
    /// In the original's words.
    pub(crate) fn parse(name: &str) -> Result<Self, Failure> {
        find(&Self::NAMES, &name.to_ascii_lowercase()).ok_or_else(|| {
            let names = list(&Self::NAMES);
            Failure::usage(format!("Invalid content type: {name}. Expected one of: {names}."))
        })
    }
}

fn find<T: Copy>(names: &[(&str, T)], name: &str) -> Option<T> {
    names.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

fn list<T>(names: &[(&str, T)]) -> String {
    names.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// One option of a kind of store.
#[derive(Debug)]
pub(crate) struct StoreOption {
    pub(crate) name: &'static str,
    /// Its type, in the words of the original.
    pub(crate) kind: &'static str,
    pub(crate) doc: &'static str,
}

const GIT_OPTIONS: &[StoreOption] = &[
    StoreOption {
        name: "bare",
        kind: "bool",
        doc: "Do not expand the filesystem on the disk. New repositories are always bare.",
    },
    StoreOption {
        name: "dot-git",
        kind: "string option",
        doc: "The location of the .git directory. By default $root/.git, or $root if it is bare.",
    },
    StoreOption {
        name: "head",
        kind: "string option",
        doc: "The main branch of a new Git repository. By default `main`.",
    },
];

const FS_OPTIONS: &[StoreOption] = &[StoreOption {
    name: "head",
    kind: "string option",
    doc: "The main branch of a new store. By default `main`.",
}];

/// When to print colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Color {
    /// On a terminal, unless the environment says otherwise.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    fn parse(name: &str) -> Result<Self, Failure> {
        match name {
            "auto" => Ok(Color::Auto),
            "always" => Ok(Color::Always),
            "never" => Ok(Color::Never),
            _ => Err(Failure::usage(format!(
                "invalid value `{name}` for --color: one of auto, always, never"
            ))),
        }
    }

    /// Whether to print colours to a terminal, or to something else.
    ///
    /// `NO_COLOR` (no-color.org) wins over `CLICOLOR_FORCE` (bixense.com/clicolors).
    pub(crate) fn enabled(self, terminal: bool, env: Env<'_>) -> bool {
        let says = |name: &str, no: &str| env(name).is_some_and(|value| value != no);
        match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if env("NO_COLOR").is_some_and(|value| !value.is_empty()) => false,
            Color::Auto if says("CLICOLOR_FORCE", "0") => true,
            Color::Auto => terminal && env("TERM").is_none_or(|term| term != "dumb"),
        }
    }
}

/// What one settings file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct File {
    entries: Map<String, Value>,
}

impl File {
    /// Reads the text of a settings file.
    ///
    /// # Errors
    /// If it is not YAML, or not a mapping: in the original's words.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self, Failure> {
        if text.trim().is_empty() {
            return Ok(File::default());
        }
        let value: Value = serde_saphyr::from_str(text).map_err(|e| {
            Failure::usage(format!("unable to parse YAML: {}: {e}", path.display()))
        })?;
        match value {
            Value::Null => Ok(File::default()),
            Value::Object(entries) => Ok(File { entries }),
            _ => Err(Failure::usage(format!("invalid YAML file: {}", path.display()))),
        }
    }

    fn text(&self, key: &str) -> Result<Option<String>, Failure> {
        match self.entries.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(value @ (Value::Bool(_) | Value::Number(_))) => Ok(Some(value.to_string())),
            Some(_) => Err(Failure::usage(format!("config key {key}: not a single value"))),
        }
    }

    fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }
}

/// The keys of settings files that are the same for all stores.
const KEYS: &[&str] = &["root", "store", "contents", "hash", "branch", "commit", "author"];

/// Where a command works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On a branch.
    Branch(String),
    /// On a commit.
    Commit(String),
    /// On the branch that the store is on.
    Main,
}

/// What all sources together say.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) root: Option<PathBuf>,
    pub(crate) store: StoreKind,
    pub(crate) hash: Option<HashFunction>,
    /// None: what the store records, or strings.
    pub(crate) contents: Option<ContentsType>,
    pub(crate) place: Place,
    pub(crate) options: BTreeMap<String, String>,
    pub(crate) author: Option<String>,
    pub(crate) date: Option<i64>,
    pub(crate) color: Color,
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    pub(crate) verbose: u8,
}

/// The sources, the strongest first.
struct Sources<'a> {
    env: Env<'a>,
    files: &'a [File],
}

impl Sources<'_> {
    fn env(&self, name: &str) -> Result<Option<String>, Failure> {
        match (self.env)(name).filter(|value| !value.is_empty()) {
            None => Ok(None),
            Some(value) => value
                .into_string()
                .map(Some)
                .map_err(|_| Failure::usage(format!("the value of {name} is not UTF-8 text"))),
        }
    }

    fn file(&self, key: &str) -> Result<Option<String>, Failure> {
        for file in self.files {
            if let Some(value) = file.text(key)? {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// The first that says something: the flag, the variable, the files.
    fn pick(&self, flag: Option<&String>, key: &str) -> Result<Option<String>, Failure> {
        if let Some(value) = flag {
            return Ok(Some(value.clone()));
        }
        match self.env(&format!("IRMIN_{}", key.to_ascii_uppercase()))? {
            Some(value) => Ok(Some(value)),
            None => self.file(key),
        }
    }

    /// The branch or commit of the strongest source that names either; a commit wins.
    fn place(&self, flags: &Global) -> Result<Place, Failure> {
        let mut levels = vec![
            (flags.commit.clone(), flags.branch.clone()),
            (self.env("IRMIN_COMMIT")?, self.env("IRMIN_BRANCH")?),
        ];
        for file in self.files {
            levels.push((file.text("commit")?, file.text("branch")?));
        }
        Ok(levels
            .into_iter()
            .find_map(|level| match level {
                (Some(commit), _) => Some(Place::Commit(commit)),
                (None, Some(branch)) => Some(Place::Branch(branch)),
                (None, None) => None,
            })
            .unwrap_or(Place::Main))
    }

    fn options(
        &self,
        flags: &Global,
        store: StoreKind,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let known = |key: &str| store.options().iter().any(|option| option.name == key);
        let mut options = BTreeMap::new();
        for file in self.files.iter().rev() {
            for key in file.keys().filter(|key| !KEYS.contains(key)) {
                if !known(key) {
                    let message = format!("unknown config key for {store}: {key}");
                    return Err(Failure::usage(message));
                }
                if let Some(value) = file.text(key)? {
                    options.insert(key.to_owned(), value);
                }
            }
        }
        for option in &flags.opt {
            let (key, value) = option
                .split_once('=')
                .ok_or_else(|| Failure::usage(format!("--opt {option}: write it as KEY=VALUE")))?;
            if key == "root" {
                return Err(Failure::usage(
                    "use the --root flag to set the root directory instead of passing it as a \
                     config",
                ));
            }
            if !known(key) {
                let hint = format!("`irmin options -s {store}` lists the options of this store");
                return Err(Failure::usage(format!("--opt: there is no option `{key}`")).hint(hint));
            }
            options.insert(key.to_owned(), value.to_owned());
        }
        for option in store.options().iter().filter(|option| option.kind == "bool") {
            let value = options.get(option.name).map_or("true", String::as_str);
            if !matches!(value, "true" | "false") {
                let message = format!("{}: `{value}` is neither true nor false", option.name);
                return Err(Failure::usage(message));
            }
        }
        Ok(options)
    }
}

impl Settings {
    /// The defaults, for what needs no store; only how to print is taken from the flags.
    pub(crate) fn plain(flags: &Global) -> Self {
        Settings {
            root: None,
            store: StoreKind::Git,
            hash: None,
            contents: None,
            place: Place::Main,
            options: BTreeMap::new(),
            author: None,
            date: None,
            color: Color::Auto,
            json: flags.json,
            quiet: flags.quiet,
            verbose: flags.verbose,
        }
    }

    /// What the flags, the environment and the files (the strongest first) say together.
    ///
    /// # Errors
    /// For values and keys that nothing knows.
    pub(crate) fn resolve(flags: &Global, env: Env<'_>, files: &[File]) -> Result<Self, Failure> {
        let sources = Sources { env, files };
        let store = match sources.pick(flags.store.as_ref(), "store")? {
            Some(name) => StoreKind::parse(&name)?,
            None => StoreKind::Git,
        };
        let contents = match sources.pick(flags.contents.as_ref(), "contents")? {
            Some(name) => Some(ContentsType::parse(&name)?),
            None => None,
        };
        let hash = match sources.pick(flags.hash.as_ref(), "hash")? {
            Some(name) if matches!(store, StoreKind::Mem | StoreKind::Fs) => {
                Some(name.parse().map_err(Failure::from)?)
            }
            Some(_) => {
                let message = "Cannot customize the hash function for the given store";
                return Err(Failure::usage(message));
            }
            None => None,
        };
        let root = match &flags.root {
            Some(root) => Some(root.clone()),
            None => match env("IRMIN_ROOT").filter(|root| !root.is_empty()) {
                Some(root) => Some(root.into()),
                None => sources.file("root")?.map(PathBuf::from),
            },
        };
        let date = match (&flags.date, sources.env("IRMIN_DATE")?) {
            (Some(date), _) => Some(seconds("--date", date)?),
            (None, Some(date)) => Some(seconds("IRMIN_DATE", &date)?),
            (None, None) => None,
        };
        Ok(Settings {
            root,
            store,
            hash,
            contents,
            place: sources.place(flags)?,
            options: sources.options(flags, store)?,
            author: sources.pick(flags.author.as_ref(), "author")?,
            date,
            color: flags.color.as_deref().map_or(Ok(Color::Auto), Color::parse)?,
            json: flags.json,
            quiet: flags.quiet,
            verbose: flags.verbose,
        })
    }
}

fn seconds(source: &str, text: &str) -> Result<i64, Failure> {
    text.parse().map_err(|_| {
        Failure::usage(format!("{source}: `{text}` is not a number of seconds since 1970"))
    })
}

/// Reads the settings files: `irmin.yml` here (or the one named), then the user's.
///
/// # Errors
/// If a file that was named does not exist, or one cannot be read or understood.
pub(crate) fn load_files(flags: &Global, env: Env<'_>) -> Result<Vec<File>, Failure> {
    let named = match &flags.config {
        Some(path) => Some(path.clone()),
        None => env("IRMIN_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from),
    };
    let mut files = Vec::new();
    match &named {
        Some(path) => match read(path)? {
            Some(file) => files.push(file),
            None => {
                let message = format!("config file does not exist: {}", path.display());
                return Err(Failure::usage(message));
            }
        },
        None => files.extend(read(Path::new("irmin.yml"))?),
    }
    if let Some(path) = user_file(env).filter(|path| named.as_ref() != Some(path)) {
        files.extend(read(&path)?);
    }
    Ok(files)
}

/// Where the user's own settings are.
fn user_file(env: Env<'_>) -> Option<PathBuf> {
    let home = || env("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let base = match env("XDG_CONFIG_HOME").filter(|base| !base.is_empty()) {
        Some(base) => PathBuf::from(base),
        None => home()?.join(".config"),
    };
    Some(base.join("irmin").join("config.yml"))
}

fn read(path: &Path) -> Result<Option<File>, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => File::parse(&text, path).map(Some),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Failure::file(path, &e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> File {
        File::parse(text, Path::new("irmin.yml")).unwrap()
    }

    fn resolve(flags: &Global, env: &[(&str, &str)], files: &[&str]) -> Result<Settings, String> {
        let env: BTreeMap<_, _> = env.iter().copied().collect();
        let files: Vec<_> = files.iter().map(|text| file(text)).collect();
        let lookup = |name: &str| env.get(name).map(OsString::from);
        Settings::resolve(flags, &lookup, &files).map_err(|e| e.to_string())
    }

    #[test]
    fn flag_then_variable_then_files_then_default() {
        let both = ["branch: here\nroot: a", "branch: home\nauthor: ann"];
        let flags = Global { branch: Some("flag".into()), ..Global::default() };
        let place =
            |flags: &Global, env: &[_], files: &[_]| resolve(flags, env, files).unwrap().place;
        let on = |name: &str| Place::Branch(name.into());
        assert_eq!(place(&flags, &[("IRMIN_BRANCH", "env")], &both), on("flag"));
        let none = Global::default();
        assert_eq!(place(&none, &[("IRMIN_BRANCH", "env")], &both), on("env"));
        assert_eq!(place(&none, &[("IRMIN_BRANCH", "")], &both), on("here"));
        assert_eq!(place(&none, &[], &both[1..]), on("home"));
        assert_eq!(place(&none, &[], &[]), Place::Main);
        let settings = resolve(&none, &[], &both).unwrap();
        assert_eq!(settings.root, Some("a".into()));
        assert_eq!(settings.author.as_deref(), Some("ann"));
    }

    #[test]
    fn a_commit_wins_over_the_branch_of_its_source_only() {
        let commit =
            Global { commit: Some("abcd".into()), branch: Some("b".into()), ..Global::default() };
        assert_eq!(resolve(&commit, &[], &[]).unwrap().place, Place::Commit("abcd".into()));
        let branch = Global { branch: Some("b".into()), ..Global::default() };
        let settings = resolve(&branch, &[], &["commit: abcd"]).unwrap();
        assert_eq!(settings.place, Place::Branch("b".into()));
    }

    #[test]
    fn the_words_of_the_original() {
        let none = Global::default();
        for (files, message) in [
            (
                &["store: pack"][..],
                "Invalid store type: pack. Expected one of: git, fs, git-mem, mem.",
            ),
            (
                &["contents: xml"],
                "Invalid content type: xml. Expected one of: string, json, \
                json-value, bytes.",
            ),
            (&["plugin: x.cmxs"], "unknown config key for git: plugin"),
            (&["store: mem\nhead: x"], "unknown config key for mem: head"),
            (&["store: fs\nbare: true"], "unknown config key for fs: bare"),
            (&["hash: sha1"], "Cannot customize the hash function for the given store"),
            (
                &["store: mem\nhash: md5"],
                "Invalid hash function: md5. Expected one of: blake2b, \
                blake2s, blake3, rmd160, sha1, sha224, sha256, sha384, sha512.",
            ),
            (&["bare: 3"], "bare: `3` is neither true nor false"),
            (&["branch: [a]"], "config key branch: not a single value"),
        ] {
            assert_eq!(resolve(&none, &[], files).unwrap_err(), message);
        }
        let opt = |text: &str| Global { opt: vec![text.into()], ..Global::default() };
        let refused = |text: &str| resolve(&opt(text), &[], &[]).unwrap_err();
        assert!(refused("root=x").starts_with("use the --root flag to set the root directory"));
        assert_eq!(refused("nope=1"), "--opt: there is no option `nope`");
        assert!(refused("head").contains("KEY=VALUE"));
    }

    #[test]
    fn options_of_the_store() {
        let flags = Global { opt: vec!["head=trunk".into()], ..Global::default() };
        let settings = resolve(&flags, &[], &["head: main\nbare: true"]).unwrap();
        let options: Vec<_> = settings.options.iter().map(|(k, v)| (&**k, &**v)).collect();
        assert_eq!(options, [("bare", "true"), ("head", "trunk")]);
    }

    #[test]
    fn files() {
        assert_eq!(file(" \n"), File::default());
        assert_eq!(file("~"), File::default());
        assert_eq!(file("# only a comment\n"), File::default());
        let refused = |text: &str| File::parse(text, Path::new("x.yml")).unwrap_err().to_string();
        assert_eq!(refused("- a"), "invalid YAML file: x.yml");
        assert!(refused("a: [").starts_with("unable to parse YAML: "), "{}", refused("a: ["));
        // An alias bomb must be refused, and quickly.
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for i in 1..40 {
            let last = i - 1;
            let line = format!("a{i}: &a{i} [{}]\n", vec![format!("*a{last}"); 9].join(", "));
            bomb.push_str(&line);
        }
        assert!(refused(&bomb).starts_with("unable to parse YAML: "));
    }

    #[test]
    fn dates() {
        let date = |text: &str| Global { date: Some(text.into()), ..Global::default() };
        assert_eq!(resolve(&date("-5"), &[], &[]).unwrap().date, Some(-5));
        assert!(resolve(&date("yesterday"), &[], &[]).unwrap_err().contains("--date"));
        let none = Global::default();
        assert_eq!(resolve(&none, &[("IRMIN_DATE", "7")], &[]).unwrap().date, Some(7));
        assert!(resolve(&none, &[("IRMIN_DATE", "x")], &[]).unwrap_err().contains("IRMIN_DATE"));
    }

    #[test]
    fn colours() {
        let enabled = |color: Color, terminal: bool, env: &[(&str, &str)]| {
            let env: BTreeMap<_, _> = env.iter().copied().collect();
            color.enabled(terminal, &|name: &str| env.get(name).map(OsString::from))
        };
        assert!(enabled(Color::Auto, true, &[]));
        assert!(!enabled(Color::Auto, false, &[]));
        assert!(!enabled(Color::Auto, true, &[("NO_COLOR", "1")]));
        assert!(enabled(Color::Auto, true, &[("NO_COLOR", "")]));
        assert!(enabled(Color::Auto, false, &[("CLICOLOR_FORCE", "1")]));
        assert!(!enabled(Color::Auto, false, &[("CLICOLOR_FORCE", "0")]));
        assert!(!enabled(Color::Auto, false, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
        assert!(!enabled(Color::Auto, true, &[("TERM", "dumb")]));
        assert!(enabled(Color::Always, false, &[("NO_COLOR", "1")]));
        assert!(!enabled(Color::Never, true, &[("CLICOLOR_FORCE", "1")]));
    }
}
