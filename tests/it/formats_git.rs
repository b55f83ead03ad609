//! The git layout against git itself: what `git fsck` accepts decodes, the rest does not, and
//! what decodes keeps its bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};

use irmin_core::{
    Bytes, Code, CommitData, Edit, Entry, EntryKind, Format, FormatSpec, Hash, Info, Key, Kind,
    Metadata, Object, Zone,
};

use crate::formats::Store;

fn git(dir: &Path, args: &[&str], input: &str) -> (String, String) {
    let mut command = Command::new("git");
    command.args(args).current_dir(dir).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    command.env_remove("GIT_DIR").stderr(Stdio::piped());
    let mut child = command.spawn().expect("these tests need git");
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // Written beside the reading, or both sides could wait for each other.
    let writer = std::thread::spawn(move || {
        let _ = std::io::Write::write_all(&mut stdin, input.as_bytes());
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// A repository to put arbitrary objects in.
struct Repo {
    dir: tempfile::TempDir,
}

impl Repo {
    fn new() -> Self {
        let repo = Repo { dir: tempfile::tempdir().unwrap() };
        git(repo.dir.path(), &["init", "-q", "."], "");
        repo
    }

    /// Writes objects of one type, all in one go; their ids in order.
    fn put(&self, kind: &str, contents: &[Vec<u8>]) -> Vec<Hash> {
        let raw = self.dir.path().join("raw");
        fs::create_dir_all(&raw).unwrap();
        let mut paths = String::new();
        for (at, content) in contents.iter().enumerate() {
            let path = raw.join(at.to_string());
            fs::write(&path, content).unwrap();
            paths += &format!("{}\n", path.display());
        }
        let args =
            ["hash-object", "-t", kind, "--literally", "-w", "--no-filters", "--stdin-paths"];
        let (out, err) = git(self.dir.path(), &args, &paths);
        let ids: Vec<Hash> = out.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(ids.len(), contents.len(), "{err}");
        ids
    }

    /// The objects of a type that plain `git fsck` calls broken in themselves, whatever they
    /// refer to.
    fn broken(&self, kind: &str) -> BTreeSet<Hash> {
        let (out, err) = git(self.dir.path(), &["fsck", "--no-dangling"], "");
        let id = |line: &str| {
            let rest = line.strip_prefix("error")?;
            let (id, why) = match rest.strip_prefix(" in ") {
                Some(rest) => rest.strip_prefix(kind)?.strip_prefix(' ')?.split_once(": ")?,
                // Trees get this too where they are taken for something else.
                None if kind != "tree" => rest.strip_prefix(": ")?.split_once(": ")?,
                None => return None,
            };
            if why == "broken links" { None } else { id.parse().ok() }
        };
        out.lines().chain(err.lines()).filter_map(id).collect()
    }
}

/// A small generator of our own: the seed is in the message of what fails.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        // Constants of Knuth's MMIX generator.
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// Sometimes a byte is changed, removed or added.
    fn damage(&mut self, mut bytes: Vec<u8>, one_in: usize) -> Vec<u8> {
        if self.one_in(one_in) && !bytes.is_empty() {
            let at = self.below(bytes.len());
            match self.below(4) {
                0 => bytes[at] = self.below(256) as u8,
                1 => bytes.truncate(at),
                2 => bytes.insert(at, self.pick(b" \n\t\0<>0/a")),
                _ => drop(bytes.remove(at)),
            }
        }
        bytes
    }
}

fn object(kind: Kind, word: &str, content: &[u8]) -> Object {
    let bytes = Bytes::from([format!("{word} {}\0", content.len()).as_bytes(), content].concat());
    let id = FormatSpec::git().hash.digest(&bytes);
    Object::new(kind, id, bytes)
}

const MODES: [&str; 16] = [
    "100644", "100644", "100755", "120000", "40000", "40000", "160000", "100664", "040000", "644",
    "40755", "100600", "0100644", "1100644", "", "100648",
];
/// Without `.gitattributes` and `.gitmodules`: fsck judges what is in these too, and we do not.
const NAMES: [&str; 18] = [
    "a", "a-", "a.b", "a0", "ab", "b", "a/b", ".", "..", ".git", "GIT~1", "", "é", "a b", "z",
    ".gitx", "con", "a\\b",
];

/// What an entry of this mode has to name for fsck to look no further.
fn target(mode: &str, [blob, tree, commit]: [Hash; 3]) -> Hash {
    let bits = u32::from_str_radix(mode, 8).unwrap_or(0) & 0o170_000;
    match bits {
        0o40_000 => tree,
        0o160_000 => commit,
        _ => blob,
    }
}

fn random_tree(random: &mut Random, targets: [Hash; 3]) -> Vec<u8> {
    let mut entries: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let odd = random.one_in(3);
    for n in 0..random.below(6) {
        let mode = random.pick(if odd { &MODES } else { &MODES[..8] });
        let name = random.pick(if odd { &NAMES } else { &NAMES[..6] });
        let hash = target(mode, targets);
        let slash = if hash == targets[1] { "/" } else { "\0" };
        // Twice the same name now and then.
        let twice = if random.one_in(20) { n.to_string() } else { String::new() };
        let entry = [mode.as_bytes(), b" ", name.as_bytes(), b"\0", hash.as_bytes()].concat();
        entries.insert(format!("{name}{slash}{twice}").into_bytes(), entry);
    }
    let mut entries: Vec<Vec<u8>> = entries.into_values().collect();
    if random.one_in(15) {
        entries.reverse();
    }
    random.damage(entries.concat(), 6)
}

#[test]
fn trees_that_fsck_accepts_decode() {
    let repo = Repo::new();
    let blob = repo.put("blob", &[b"x".to_vec()])[0];
    let tree = repo.put("tree", &[Vec::new()])[0];
    let who = "a <b> 1 +0000";
    let text = format!("tree {tree}\nauthor {who}\ncommitter {who}\n\nm");
    let commit = repo.put("commit", &[text.into_bytes()])[0];
    let mut random = Random(2_718_281);
    let targets = [blob, tree, commit];
    let trees: Vec<Vec<u8>> = (0..1500).map(|_| random_tree(&mut random, targets)).collect();
    let ids = repo.put("tree", &trees);
    let broken = repo.broken("tree");
    let format = Format::new(FormatSpec::git());
    let (mut good, mut bad) = (0, 0);
    for (content, id) in trees.iter().zip(ids) {
        let object = object(Kind::Node, "tree", content);
        assert_eq!(object.id, id);
        let decoded = format.layout().decode(id.into(), &object);
        let shown = content.escape_ascii();
        assert_eq!(decoded.is_ok(), !broken.contains(&id), "{decoded:?} of {shown}");
        match decoded {
            Ok(_) => {
                edits_spare_the_rest(&object);
                good += 1;
            }
            Err(error) => {
                assert_eq!(error.code(), Code::CorruptObject);
                bad += 1;
            }
        }
    }
    assert!(good > 500 && bad > 200, "{good} accepted, {bad} refused");
}

/// Every entry can be replaced and put back, a new one added and removed: the bytes are the same
/// again, odd modes of untouched entries included.
fn edits_spare_the_rest(object: &Object) {
    let store = Store::new(FormatSpec::git());
    let root = store.put_as_is(object.clone());
    let dir = store.dir(root).unwrap();
    let kind = EntryKind::Value(Metadata::Exec);
    let new = Entry { kind, key: Key::from(store.format.hash().digest(b"new")) };
    let add = Edit { name: b"a00", entry: Some(new) };
    let more = store.write(Some(root), &[add]).unwrap();
    assert_eq!(store.dir(more).unwrap().len(), dir.len() + 1);
    let less = store.write(Some(more), &[Edit { entry: None, ..add }]).unwrap();
    assert_eq!(store.object(less).unwrap().bytes, object.bytes);
    let mut names = Vec::new();
    let mut f = |_: &irmin_core::Position, name: &[u8], entry: Entry| {
        names.push((name.to_vec(), entry));
        ControlFlow::Continue(())
    };
    store.format.layout().scan(&store, &dir, None, &mut f).unwrap();
    assert!(names.is_sorted_by(|a, b| a.0 < b.0));
    for (name, entry) in names {
        assert_eq!(store.format.layout().find(&store, &dir, &name).unwrap(), Some(entry));
        let gone = store.write(Some(root), &[Edit { name: &name, entry: None }]).unwrap();
        assert_eq!(store.dir(gone).unwrap().len() + 1, dir.len());
    }
}

const PEOPLE: [&str; 17] = [
    "ann <a@x> 1 +0000",
    "ann <a@x> 1 +0000",
    "ann <a@x> 1700000000 -0730",
    "é\u{e8} <> 0 +0000",
    " <irmin@openmirage.org> 7 +0000",
    "irmin <irmin@openmirage.org> 7 +0000",
    "b  <irmin@openmirage.org> 7 -0000",
    "ann <a@x>  \t 1 +0000",
    "ann <a@x> 01 +0000",
    "ann <a@x> -1 +0000",
    "ann <a@x> 9223372036854775807 +0000",
    "ann <a@x> 9223372036854775808 +0000",
    "ann<a@x> 1 +0000",
    "<a@x> 1 +0000",
    "ann <a@x 1 +0000",
    "ann <a@x> 1 +000",
    "ann <a@x> 1 +00000",
];
const HEADERS: [&str; 12] = [
    "encoding ISO-8859-1\n",
    "gpgsig -----BEGIN\n \n line\n -----END\n",
    "mergetag object x\n type commit\n",
    "x-empty \n",
    "flag\n",
    "flag\n more\n",
    " first\n",
    "committer z <z> 1 +0000\n",
    "parent x\n",
    "a b c \n",
    "HG:rename-source hg\n",
    "x  two\n",
];
const MESSAGES: [&str; 9] =
    ["", "\n", "\nm", "\nm\n", "\n\n\nm\n\n", "\n x\n", "m", "\n\0", "\n\n"];

fn random_commit(random: &mut Random, tree: Hash, parent: Hash) -> Vec<u8> {
    let mut text = format!("tree {tree}\n");
    for _ in 0..random.below(3) {
        text += &format!("parent {parent}\n");
    }
    let people = if random.one_in(2) { &PEOPLE[..] } else { &PEOPLE[..7] };
    text += &format!("author {}\n", random.pick(people));
    text += &format!("committer {}\n", random.pick(people));
    for _ in 0..random.below(3) {
        text += random.pick(&HEADERS);
    }
    text += random.pick(&MESSAGES);
    random.damage(text.into_bytes(), 6)
}

/// Where decoding is stricter than fsck, because the bytes could not be written again: hashes in
/// capitals, a tab right before the date.
fn stricter(content: &[u8]) -> bool {
    let text = String::from_utf8_lossy(content);
    let mut lines = text.lines().take_while(|line| !line.is_empty());
    lines.any(|line| match line.split_once(' ') {
        Some(("tree" | "parent", hash)) => hash.bytes().any(|b| b.is_ascii_uppercase()),
        Some(("author" | "committer", who)) => {
            let date = who.rsplit_once('>').map_or("", |(_, date)| date);
            date.trim_start_matches([' ', '\t']).len() < date.len()
                && date.trim_start_matches(' ').contains('\t')
        }
        _ => false,
    })
}

#[test]
fn commits_that_fsck_accepts_decode_and_keep_their_bytes() {
    let repo = Repo::new();
    let tree = repo.put("tree", &[Vec::new()])[0];
    let who = "a <b> 1 +0000";
    let text = format!("tree {tree}\nauthor {who}\ncommitter {who}\n\nm");
    let parent = repo.put("commit", &[text.into_bytes()])[0];
    let mut random = Random(3_141_592);
    let commits: Vec<Vec<u8>> =
        (0..1500).map(|_| random_commit(&mut random, tree, parent)).collect();
    let ids = repo.put("commit", &commits);
    let broken = repo.broken("commit");
    let format = Format::new(FormatSpec::git());
    let (mut good, mut bad) = (0, 0);
    for (content, id) in commits.iter().zip(ids) {
        let object = object(Kind::Commit, "commit", content);
        let decoded = format.layout().decode_commit(&object);
        let shown = content.escape_ascii();
        if decoded.is_err() && stricter(content) {
            continue;
        }
        assert_eq!(decoded.is_ok(), !broken.contains(&id), "{decoded:?} of {shown}");
        match decoded {
            Ok(commit) => {
                let again = format.layout().encode_commit(&commit);
                assert_eq!(again.unwrap(), object.bytes, "{shown}");
                good += 1;
            }
            Err(_) => bad += 1,
        }
    }
    assert!(good > 400 && bad > 300, "{good} accepted, {bad} refused");
}

#[test]
fn tags_name_their_object() {
    let repo = Repo::new();
    let blob = repo.put("blob", &[b"x".to_vec()])[0];
    let good = format!("object {blob}\ntype blob\ntag v1\ntagger a <b> 1 +0000\n\nm");
    let contents: Vec<Vec<u8>> = [
        good.clone(),
        good.replace("v1", "v..1"),
        good.replace("tagger a <b> 1 +0000\n", ""),
        good.replace("type blob", "type nothing"),
        good.replace("type blob\n", ""),
        good.replace("tag v1\n", ""),
        good.replace("object ", "objekt "),
        format!("object {blob}\ntype blob\ntag v1"),
        format!("object {blob}\ntype blob\ntag v1\n"),
        String::new(),
    ]
    .map(String::into_bytes)
    .to_vec();
    let ids = repo.put("tag", &contents);
    let broken = repo.broken("tag");
    let format = Format::new(FormatSpec::git());
    for (content, id) in contents.iter().zip(ids) {
        let children = format.layout().children(&object(Kind::Tag, "tag", content));
        assert_eq!(children.is_ok(), !broken.contains(&id), "{}", content.escape_ascii());
        if let Ok(children) = children {
            assert_eq!(children[0].0, Kind::Value);
            assert_eq!(children[0].1.key.hash, blob);
        }
    }
}

/// What we write is what git accepts, and strictly.
#[test]
fn git_accepts_what_is_written() {
    let repo = Repo::new();
    let store = Store::new(FormatSpec::git());
    let map: BTreeMap<String, Option<String>> = ["a-", "a.b", "a/x", "a0", "dir/sub/f", "é"]
        .map(|path| (path.to_owned(), Some(path.to_owned())))
        .into();
    let tree = store.tree(&map);
    let mut info = Info::new("irmin", 1_700_000_000, "subject\n\nbody\n");
    info.committer.zone = "-0730".parse::<Zone>().unwrap();
    let name = Bytes::from_static(b"gpgsig");
    info.headers = vec![(name, Bytes::from_static(b"-----BEGIN\n\nabc\n-----END"))];
    let commit = CommitData { tree, parents: Vec::new(), info };
    let object = store.format.commit(&commit).unwrap();
    assert_eq!(store.format.layout().decode_commit(&object).unwrap(), commit);
    let id = store.put(object);
    for object in store.all() {
        let at = object.bytes.iter().position(|b| *b == 0).unwrap();
        let kind = std::str::from_utf8(&object.bytes[..at]).unwrap().split(' ').next().unwrap();
        assert_eq!(repo.put(kind, &[object.bytes[at + 1..].to_vec()]), [object.id]);
    }
    let dir = repo.dir.path();
    git(dir, &["update-ref", "refs/heads/main", &id.hash.to_string()], "");
    let (out, err) = git(dir, &["fsck", "--strict", "--full", "--no-dangling"], "");
    let complaints = out.lines().chain(err.lines()).filter(|line| !line.starts_with("notice"));
    assert_eq!(complaints.collect::<Vec<_>>(), Vec::<&str>::new());
    let (files, _) = git(dir, &["ls-tree", "-r", "-z", "--name-only", "main"], "");
    let files: Vec<&str> = files.split_terminator('\0').collect();
    assert_eq!(files, ["a-", "a.b", "a/x", "a0", "dir/sub/f", "é"]);
    let (shown, _) = git(dir, &["log", "-1", "--format=%an|%ae|%at|%s", "main"], "");
    assert_eq!(shown.trim(), "irmin|irmin@openmirage.org|1700000000|subject");
}
