//! Each limit: what is at it passes, what is one past it is refused with a typed error, and
//! nothing is written then.

use std::path::Path;
use std::sync::Arc;

use irmin_core::backend::{
    Backend, Chunked, Chunking, FsBackend, FsInit, FsOptions, MemoryBackend,
};
use irmin_core::io::StdIo;
use irmin_core::{
    Branch, Code, CommitOptions, Error, Format, FormatSpec, HashFunction, Limits, Merged, Reason,
    Repo, Tree, limits,
};
use irmin_git::{GitBackend, InitOptions, Options};

use crate::model::{context, specs};

fn with(spec: FormatSpec, limits: Limits) -> Repo {
    let backend = MemoryBackend::new(Format::new(spec));
    Repo::new(Arc::new(backend), context()).unwrap().with_limits(limits)
}

fn refused<T: std::fmt::Debug>(result: Result<T, Error>, main: &Branch, commits: usize) {
    let e = result.unwrap_err();
    assert_eq!(e.code(), Code::PayloadTooLarge, "{e}");
    let log = main.log(&irmin_core::LogOptions::default()).unwrap();
    assert_eq!(log.len(), commits, "nothing was written: {e}");
}

#[test]
fn values() {
    for spec in specs() {
        let main = with(spec, Limits { value: 100, ..Limits::default() }).main().unwrap();
        main.set("at", "x".repeat(100), "at the limit").unwrap().unwrap();
        assert_eq!(main.get("at").unwrap().unwrap().len(), 100);
        refused(main.set("past", "x".repeat(101), "one past"), &main, 1);
        // What a wider handle wrote is not read by a narrow one either.
        let wide = main.repo().with_limits(Limits::default()).main().unwrap();
        wide.set("wide", "x".repeat(101), "elsewhere").unwrap().unwrap();
        assert_eq!(main.get("wide").unwrap_err().code(), Code::PayloadTooLarge);
        assert_eq!(main.get("at").unwrap().unwrap().len(), 100);
    }
}

/// Changes a byte in the middle of every large file of a store, lists of pieces excepted.
fn damage(dir: &Path) {
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            damage(&path);
            continue;
        }
        let mut bytes = std::fs::read(&path).unwrap();
        if bytes.len() > 2_000 && bytes[0] != b'X' {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, bytes).unwrap();
        }
    }
}

/// Memory is not taken for what is refused: of a value past the limit not even the bytes are read,
/// where a store can tell its length. That they are damaged shows who reads them.
#[test]
fn values_past_the_limit_are_refused_unread() {
    type Open = fn(&Path) -> Arc<dyn Backend>;
    let stores: [(&str, Open); 4] = [
        ("git", |dir| {
            let (new, options) = (InitOptions::default(), Options::default());
            Arc::new(GitBackend::open_or_init(dir, &new, &options).unwrap())
        }),
        ("git on any files", |dir| {
            let io = Arc::new(StdIo::create(dir).unwrap());
            let (new, options) = (InitOptions::default(), Options::default());
            let opened = GitBackend::open_on(io.clone(), &options);
            Arc::new(opened.or_else(|_| GitBackend::init_on(io, &new, &options)).unwrap())
        }),
        ("fs", |dir| {
            let io = Arc::new(StdIo::create(dir).unwrap());
            let (new, options) = (FsInit::default(), FsOptions::default());
            Arc::new(FsBackend::open_or_init(io, &new, &options).unwrap())
        }),
        ("pieces", |dir| {
            let io = Arc::new(StdIo::create(dir).unwrap());
            let (new, options) = (FsInit::default(), FsOptions::default());
            let files = FsBackend::open_or_init(io, &new, &options).unwrap();
            Arc::new(Chunked::new(Arc::new(files), Chunking::Content { log: 12 }).unwrap())
        }),
    ];
    let noise = (0..10_000_u32).map(|n| HashFunction::Sha1.digest(&n.to_be_bytes()));
    let value: Vec<u8> = noise.flat_map(|hash| hash.as_bytes().to_vec()).collect();
    for (name, open) in stores {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("store");
        let main = || Repo::new(open(&at), context()).unwrap().main().unwrap();
        main().set("large", value.clone(), "200 KB").unwrap();
        assert!(main().get("large").unwrap().is_some_and(|read| read == value), "{name}");
        damage(&at);
        let code = |limits: Limits| {
            let main = main().repo().with_limits(limits).main().unwrap();
            main.get("large").unwrap_err().code()
        };
        assert_eq!(code(Limits::default()), Code::CorruptObject, "{name}");
        let small = Limits { value: 100_000, ..Limits::default() };
        assert_eq!(code(small), Code::PayloadTooLarge, "{name}");
    }
}

/// Values past the limit are merged as others are, as long as nobody has to look into them; where
/// somebody has, they are conflicts, and do not hide others.
#[test]
fn merges_of_values() {
    for spec in specs() {
        let wide = with(spec, Limits::default()).main().unwrap();
        let set = |branch: &Branch, key: &str, c: char| {
            branch.set(key, String::from(c).repeat(101), "large").unwrap();
        };
        for key in ["both", "ours", "theirs"] {
            set(&wide, key, '0');
        }
        wide.set("small", "0", "small").unwrap();
        let side = wide.fork("side").unwrap();
        for (branch, key, c) in [(&wide, "ours", '1'), (&side, "theirs", '2')] {
            set(branch, key, c);
            set(branch, "both", c);
            branch.set("small", String::from(c), "small").unwrap();
        }
        let narrow = wide.repo().with_limits(Limits { value: 100, ..Limits::default() });
        let merged = narrow.main().unwrap().merge(&side, "merge").unwrap();
        let Merged::Conflicts(conflicts) = merged else { panic!("{merged:?}") };
        let found: Vec<_> = conflicts.iter().map(|c| (c.path.to_string(), &c.reason)).collect();
        let large = Reason::new("a value is too large to be merged");
        let (both, small) = ("both".to_owned(), "small".to_owned());
        assert_eq!(found, [(both, &large), (small, &Reason::DEFAULT)]);
    }
}

#[test]
fn messages_and_parents() {
    for spec in specs() {
        let limits = Limits { message: 20, parents: 3, ..Limits::default() };
        let repo = with(spec, limits);
        let main = repo.main().unwrap();
        let first = main.set("a", "1", "m".repeat(20).as_str()).unwrap().unwrap();
        refused(main.set("a", "2", "m".repeat(21).as_str()), &main, 1);
        let why = |n: usize| CommitOptions::new("p").parents(vec![first.id(); n]);
        main.set("a", "3", why(3)).unwrap().unwrap();
        refused(main.set("a", "4", why(4)), &main, 2);
    }
}

#[test]
fn directories_and_lists() {
    for spec in specs() {
        let repo = with(spec, Limits { list: 40, entries: 50, ..Limits::default() });
        let main = repo.main().unwrap();
        let of = |n: usize| {
            let mut tree: Tree = Tree::empty();
            (0..n).try_for_each(|i| tree.set(format!("k{i:03}"), "x")).map(|()| tree).unwrap()
        };
        main.set_tree("d", &of(40), "at both").unwrap().unwrap();
        assert_eq!(main.list("d").unwrap().len(), 40);
        main.set_tree("d", &of(50), "past what is listed").unwrap().unwrap();
        assert_eq!(main.list("d").unwrap_err().code(), Code::PayloadTooLarge);
        let page = main.tree().unwrap().page("d", None, 50).unwrap();
        assert_eq!(page.entries.len(), 50, "pages have no such limit");
        refused(main.set_tree("d", &of(51), "past what is written"), &main, 2);
    }
}

#[test]
fn names_and_depths() {
    for spec in specs() {
        let main = with(spec, Limits::default()).main().unwrap();
        let step = "s".repeat(limits::STEP);
        main.set(step.as_str(), "x", "at the limit").unwrap().unwrap();
        refused(main.set(format!("{step}s"), "x", "one past"), &main, 1);
        let deep = vec!["d"; limits::DEPTH].join("/");
        main.set(deep.as_str(), "x", "at the limit").unwrap().unwrap();
        assert_eq!(main.get(deep.as_str()).unwrap().unwrap(), "x");
        refused(main.set(format!("{deep}/d"), "x", "one past"), &main, 2);
        // A subtree that is put deep down counts as deep as it then is.
        let mut tree: Tree = Tree::empty();
        tree.set(deep.as_str(), "x").unwrap();
        refused(main.set_tree("below", &tree, "one past"), &main, 2);

        let repo = main.repo();
        let longest = "b".repeat(limits::REF_NAME - "refs/heads/".len());
        repo.branch(&longest).unwrap().set("a", "1", "at the limit").unwrap().unwrap();
        let e = repo.branch(&format!("{longest}b")).unwrap_err();
        assert_eq!(e.code(), Code::PayloadTooLarge);
    }
}
