//! What is checked. A new part of irmin-core gets a line in [`ALL`] and a function below.

use alloc::string::{String, ToString};
use alloc::sync::Arc;

use irmin_core::backend::MemoryBackend;
use irmin_core::containers::{Container, Counter};
use irmin_core::contents::json::JsonValue;
use irmin_core::{
    BranchName, Contents, Context, Format, FormatSpec, HashFunction, HashPrefix, Path, RefName,
    Repo, Result,
};

/// A name to print, and whether it holds.
pub type Check = (&'static str, fn() -> bool);

/// All checks, in order.
pub const ALL: &[Check] = &[
    ("the id of a git blob", git_blob),
    ("a hash of every function", every_hash),
    ("paths and names", names),
    ("the empty directory of every format", empty_directories),
    ("set, merge and get in every format", stores),
    ("a counter on two branches", counter),
    ("a derived type as JSON, and its merge", derived),
    ("numbers of JSON, where serde_json keeps their digits", numbers),
];

/// `printf 'hello\n' | git hash-object --stdin`.
fn git_blob() -> bool {
    let hash = HashFunction::Sha1.digest(b"blob 6\0hello\n");
    let prefix: Result<HashPrefix> = "ce01".parse();
    hash.to_string() == "ce013625030ba8dba906f756967f9e9ca394464a"
        && prefix.is_ok_and(|p| p.matches(&hash))
}

fn every_hash() -> bool {
    HashFunction::NAMES.iter().all(|name| {
        let function: Result<HashFunction> = name.parse();
        function.is_ok_and(|f| {
            let mut pieces = f.hasher();
            pieces.update(&[7; 1000]);
            pieces.update(&[7; 3000]);
            pieces.finish() == f.digest(&[7; 4000]) && f.digest(b"").len() == f.len()
        })
    })
}

fn names() -> bool {
    let path = Path::parse("/greetings//en/");
    path.is_ok_and(|p| p.to_string() == "greetings/en" && p.depth() == 2)
        && Path::parse("a/../b").is_err()
        && "topic/x".parse::<BranchName>().is_ok()
        && "refs/heads/a..b".parse::<RefName>().is_err()
}

/// Git's is known to every git program; the others' are written and read.
fn empty_directories() -> bool {
    FormatSpec::PRESETS.iter().all(|preset| {
        let Ok(spec) = preset.parse::<FormatSpec>() else { return false };
        let format = Format::new(spec);
        let Ok((key, Some(object))) = format.empty_dir() else { return false };
        let git = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
        let read = format.layout().decode(key, &object);
        read.is_ok_and(|dir| dir.is_empty()) && (*preset != "git" || key.hash.to_string() == git)
    })
}

fn stores() -> bool {
    FormatSpec::PRESETS.iter().all(|preset| {
        let spec = preset.parse();
        spec.and_then(store).is_ok_and(|holds| holds)
    })
}

/// Two branches of a store in memory, and their merge.
fn store(spec: FormatSpec) -> Result<bool> {
    let backend = MemoryBackend::new(Format::new(spec));
    let repo = Repo::new(Arc::new(backend), Context::new("Ann <ann@example.org>", || 0))?;
    let main = repo.main()?;
    main.set("greetings/en", "hello", "first words")?;
    let draft = main.fork("draft")?;
    draft.set("greetings/fr", "bonjour", "add French")?;
    main.set("greetings/es", "hola", "add Spanish")?;
    main.merge(&draft, "bring French in")?.resolved()?;
    let french = main.get("greetings/fr")?;
    Ok(french.is_some_and(|value| value == "bonjour") && main.list("greetings")?.len() == 3)
}

fn counter() -> bool {
    let count = || -> Result<i64> {
        let backend = MemoryBackend::new(Format::new(FormatSpec::git()));
        let repo = Repo::new(Arc::new(backend), Context::new("Ann <ann@example.org>", || 0))?;
        let repo = repo.typed::<Counter>()?;
        let main = repo.main()?;
        Counter::at(&main, "visits")?.inc(5, "count")?;
        let draft = main.fork("draft")?;
        Counter::at(&draft, "visits")?.inc(2, "count")?;
        Counter::at(&main, "visits")?.dec(4, "count less")?;
        main.merge(&draft, "join")?.resolved()?;
        Counter::at(&main, "visits")?.read()
    };
    count().is_ok_and(|n| n == 3)
}

#[derive(Contents, Clone, PartialEq, Debug)]
struct Item {
    #[irmin(merge = counter)]
    stock: i64,
    #[irmin(merge = text)]
    notes: String,
}

fn derived() -> bool {
    let item = |stock, notes: &str| Item { stock, notes: notes.into() };
    let (base, ours, theirs) = (item(5, "a\nb\nc\n"), item(7, "x\nb\nc\n"), item(6, "a\nb\ny\n"));
    let merged = Item::merge().apply(Some(&base), &ours, &theirs);
    let Ok(text) = item(1, "é").encode() else { return false };
    merged == Ok(item(8, "x\nb\ny\n"))
        && text == "{\n  \"stock\": 1,\n  \"notes\": \"é\"\n}\n"
        && Item::decode(text).is_ok_and(|read| read == item(1, "é"))
}

/// With its feature `arbitrary_precision`, which is on here.
fn numbers() -> bool {
    let read = |text: &str| JsonValue::decode(text.to_string().into());
    let same = |text: &str, printed: &str| read(text).is_ok_and(|v| v.to_string() == printed);
    same("[1,-0.50,1e3,18446744073709551616]", "[1,-0.5,1000,1.8446744073709552e+19]")
        && same(r#"{"a":{"b":7}}"#, r#"{"a":{"b":7}}"#)
        && read("1e999").is_err()
        && Counter::decode("258\n".into()).is_ok_and(|counter| counter == Counter(258))
}
