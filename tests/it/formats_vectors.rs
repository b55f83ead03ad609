//! Hashes and pre-images that OCaml Irmin 3.11 produced.

use std::collections::BTreeMap;

use irmin_core::object::{LayoutSpec, ValueEncoding, irmin};
use irmin_core::{Bytes, CommitData, FormatSpec, Hash, HashFunction, Info, Key, Kind, Object};
use irmin_tests::vectors;
use serde_json::Value;

use crate::formats::Store;

const SEEDED: &str = "orders the children of inodes by seeded hashes";

/// The format of a table of `irmin-3.11.json`, or why it is not replayed; and the most entries of
/// a directory that the vectors of the table are right for.
fn format_of(table: &str) -> Result<(FormatSpec, u64), &'static str> {
    let mem = |hash| (FormatSpec { hash, ..FormatSpec::irmin_mem() }, u64::MAX);
    let pack = |hash| (FormatSpec { hash, ..FormatSpec::irmin_pack() }, u64::MAX);
    Ok(match table {
        "mem_default" | "fs_default" => mem(HashFunction::Blake2b(64)),
        "mem_sha1" => mem(HashFunction::Sha1),
        "mem_sha224" => mem(HashFunction::Sha224),
        "mem_sha256" => mem(HashFunction::Sha256),
        "mem_blake2s" => mem(HashFunction::Blake2s(32)),
        "mem_rmd160" => mem(HashFunction::Rmd160),
        "git_fs" => (FormatSpec::git(), u64::MAX),
        "pack_default" => pack(HashFunction::Blake2b(64)),
        "pack_sha1" => pack(HashFunction::Sha1),
        // Seeded order shows in tries only: up to the stable bound the vectors hold here too.
        "pack_seeded" => (FormatSpec::irmin_pack(), 256),
        "pack_small" => {
            let params = irmin::Params { fanout: 2, stable_bound: Some(3), modes: false };
            let layout = LayoutSpec::Irmin(params);
            (FormatSpec { layout, ..FormatSpec::irmin_pack() }, 3)
        }
        "mem_string_v2" => return Err("contents of version 2, hashed without `B`"),
        "chunk" => return Err("large values in pieces: a decorator, not a format"),
        "value_merges" => return Err("merges of values, no hashes"),
        "_meta" => return Err("explains the fields"),
        _ => panic!("table `{table}` is unknown: say how to replay it"),
    })
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("`{field}` in {value}"))
}

/// Text that the vectors write in hexadecimal where it is not plain ASCII.
fn plain(value: &Value, field: &str) -> String {
    match value[field]["hex"].as_str() {
        Some(hex) => String::from_utf8(unhex(hex)).unwrap(),
        None => text(value, field).to_owned(),
    }
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn map_of(value: &Value) -> BTreeMap<String, Option<String>> {
    let entries = value.as_object().unwrap().iter();
    entries.map(|(path, value)| (path.clone(), value.as_str().map(str::to_owned))).collect()
}

fn contents(case: &Value) -> Vec<u8> {
    if let Some(hex) = case["value_hex"].as_str() {
        return unhex(hex);
    }
    let len = case["len"].as_u64().unwrap() as usize;
    match text(case, "desc") {
        desc if desc.starts_with("x *") => vec![b'x'; len],
        desc if desc.starts_with("(i*7+3) mod 256") => {
            (0..len).map(|i| ((i * 7 + 3) % 256) as u8).collect()
        }
        desc => panic!("no rule for `{desc}`"),
    }
}

fn replay_contents(store: &Store, table: &str, case: &Value) {
    let value = contents(case);
    let object = store.format.value(&value);
    assert_eq!(object.id.to_string(), text(case, "hash_hex"), "{table}: {}", case["desc"]);
    if let Some(hex) = case["pre_hash_hex"].as_str() {
        assert_eq!(object.bytes, unhex(hex), "{table}: {}", case["desc"]);
    }
    assert_eq!(store.format.layout().decode_value(&object).unwrap(), value);
}

fn node_map(case: &Value) -> BTreeMap<String, Option<String>> {
    if case["map"].is_object() {
        let mut map = map_of(&case["map"]);
        // The original takes an added empty directory for a removal.
        map.retain(|_, value| value.is_some());
        return map;
    }
    let n = case["n"].as_u64().unwrap();
    let path: fn(u64) -> String = match text(case, "desc") {
        desc if desc.starts_with("flat:") => |i| format!("k{i:05}"),
        desc if desc.starts_with("dirs:") => |i| format!("d{i:03}/f"),
        desc => panic!("no rule for `{desc}`"),
    };
    (0..n).map(|i| (path(i), Some(format!("v{i}")))).collect()
}

fn replay_node(store: &Store, table: &str, case: &Value) {
    let key = store.tree(&node_map(case));
    let name = format!("{table}: {} n={}", case["desc"], case["n"]);
    assert_eq!(key.hash.to_string(), text(case, "hash_hex"), "{name}");
    if let Some(hex) = case["pre_hash_hex"].as_str() {
        assert_eq!(store.object(key).unwrap().bytes, unhex(hex), "{name}");
    }
}

/// What is encoded from the fields is what the original hashed, and it decodes to the same.
fn replay_commit(store: &Store, table: &str, case: &Value) {
    let name = format!("{table}: {}", case["name"]);
    let (mut author, message) = (plain(case, "author"), plain(case, "message"));
    if table == "git_fs" && author == "author" {
        // The vectors list what the original's git store reads back: without the address.
        author = "author <author@example.org>".to_owned();
    }
    let info = Info::new(author, text(case, "date").parse().unwrap(), message);
    let pre_image = unhex(text(case, "pre_hash_hex"));
    let id: Hash = text(case, "hash_hex").parse().unwrap();
    let bytes = Bytes::from(pre_image);
    let object = Object::new(Kind::Commit, id, bytes);
    store.format.verify(&object).unwrap();
    let decoded = store.format.layout().decode_commit(&object).unwrap();
    assert_eq!(decoded.tree, store.tree(&map_of(&case["tree"])), "{name}");
    assert_eq!(decoded.parents.len(), case["parents"].as_array().unwrap().len(), "{name}");
    assert_eq!(store.format.commit(&decoded).unwrap().bytes, object.bytes, "{name}");
    // The parents have no other source here; their order must not matter where it is sorted.
    let mut parents = decoded.parents.clone();
    if matches!(store.format.spec().layout, LayoutSpec::Irmin(_)) {
        parents.reverse();
    }
    let commit = CommitData { tree: decoded.tree, parents, info: info.clone() };
    assert_eq!(store.format.commit(&commit).unwrap().id, id, "{name}");
    assert_eq!(decoded.info, info, "{name}");
}

#[test]
fn contents_nodes_and_commits_hash_as_in_the_original() {
    let all = vectors::json("irmin-3.11.json");
    let (mut contents, mut nodes, mut commits, mut skipped) = (0, 0, 0, Vec::new());
    for (table, vectors) in all.as_object().unwrap() {
        let (spec, most) = match format_of(table) {
            Ok(format) => format,
            Err(why) => {
                skipped.push(format!("{table}: {why}"));
                continue;
            }
        };
        let store = Store::new(spec);
        let list = |field: &str| vectors[field].as_array().cloned().unwrap_or_default();
        for case in list("contents") {
            replay_contents(&store, table, &case);
            contents += 1;
        }
        for case in list("nodes") {
            if case["n"].as_u64().unwrap() > most {
                skipped.push(format!("{table}: {} n={}: {SEEDED}", case["desc"], case["n"]));
                continue;
            }
            replay_node(&store, table, &case);
            nodes += 1;
        }
        for case in list("commits") {
            if let Some(exception) = case["exception"].as_str() {
                // A date before 1970, which the original cannot write either.
                assert_eq!((&**table, exception), ("git_fs", "Invalid_argument(\"emit_string\")"));
                continue;
            }
            replay_commit(&store, table, &case);
            commits += 1;
        }
    }
    println!("not replayed:\n{}", skipped.join("\n"));
    assert!(contents >= 80 && nodes >= 100 && commits >= 40, "{contents} {nodes} {commits}");
}

/// Every commit of the random histories: its tree from the flat map, its hash over the parents.
#[test]
fn histories_hash_as_in_the_original() {
    let mut commits = 0;
    for line in vectors::json_lines("histories.jsonl").iter().filter(|l| l["commits"].is_array()) {
        let hash = text(line, "hash").parse().unwrap();
        let store = Store::new(FormatSpec { hash, ..FormatSpec::irmin_mem() });
        let mut made: Vec<Key> = Vec::new();
        for (index, case) in line["commits"].as_array().unwrap().iter().enumerate() {
            let parents = case["parents"].as_array().unwrap().iter();
            let parents = parents.map(|p| made[p.as_u64().unwrap() as usize]).collect();
            let tree = store.tree(&map_of(&case["map"]));
            assert_eq!(tree.hash.to_string(), text(case, "tree"));
            let message = format!("h{} c{index}", line["id"]);
            let date = 1000 + i64::try_from(index).unwrap();
            let info = Info::new("ann <ann@example.org>", date, message);
            let object = store.format.commit(&CommitData { tree, parents, info }).unwrap();
            assert_eq!(object.id.to_string(), text(case, "hash"), "{} {index}", line["id"]);
            made.push(store.put(object));
            commits += 1;
        }
    }
    assert!(commits > 3000, "{commits}");
}

/// The last state of every branch of the random operations, and the directories made at once.
#[test]
fn final_states_hash_as_in_the_original() {
    for (file, spec, at_least) in [
        ("ops_mem.jsonl", FormatSpec::irmin_mem(), 100),
        ("ops_pack.jsonl", FormatSpec::irmin_pack(), 100),
        ("git_ops.jsonl", FormatSpec::git(), 20),
    ] {
        let mut states = 0;
        for line in vectors::json_lines(file).iter().filter(|line| line["ops"].is_array()) {
            let store = Store::new(spec);
            for state in line["final"].as_object().unwrap().values() {
                if state["map"].is_object() {
                    let key = store.tree(&map_of(&state["map"]));
                    assert_eq!(key.hash.to_string(), text(state, "t"), "{file} {}", line["id"]);
                    states += 1;
                }
            }
            for op in line["ops"].as_array().unwrap() {
                if op["op"] == "set_tree" && op["p"] == "" && op["gen"].is_object() {
                    let Some(tree) = op["t"].as_str() else { continue };
                    let (pre, v) = (text(&op["gen"], "pre"), text(&op["gen"], "v"));
                    let n = op["gen"]["n"].as_u64().unwrap();
                    let map = (0..n).map(|i| (format!("{pre}{i:05}"), Some(format!("{v}{i}"))));
                    assert_eq!(store.tree(&map.collect()).hash.to_string(), tree, "{file}");
                    states += 1;
                }
            }
        }
        assert!(states >= at_least, "{file}: {states}");
    }
}

/// The commits of the git store, byte for byte as git shows them.
#[test]
fn git_commits_are_as_git_shows_them() {
    let mut seen = 0;
    for line in vectors::json_lines("git_ops.jsonl") {
        for state in line["git"].as_object().into_iter().flat_map(|git| git.values()) {
            let raw = text(state, "head_commit_raw");
            let bytes = Bytes::from(format!("commit {}\0{raw}", raw.len()));
            let store = Store::new(FormatSpec::git());
            let id = store.format.hash().digest(&bytes);
            let object = Object::new(Kind::Commit, id, bytes);
            let commit = store.format.layout().decode_commit(&object).unwrap();
            let date = commit.info.author.date;
            let info = Info::new("ann <ann@example.org>", date, format!("op {}", date - 1000));
            assert_eq!(commit.info, info);
            assert_eq!(id.to_string(), text(state, "rev_parse"));
            assert_eq!(commit.tree.hash.to_string(), text(state, "tree"));
            assert_eq!(store.format.commit(&commit).unwrap().bytes, object.bytes);
            seen += 1;
        }
    }
    assert!(seen >= 30, "{seen}");
}

/// Values of a type of the caller's own have no tag.
#[test]
fn raw_values_are_hashed_as_they_are() {
    let spec = FormatSpec { values: ValueEncoding::Raw, ..FormatSpec::irmin_mem() };
    let object = Store::new(spec).format.value(b"{}");
    assert_eq!(object.bytes, &b"{}"[..]);
}
