//! Large blobs: what we stream into packs is git's, and what git keeps is read piece by piece.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use irmin_core::backend::{Backend, Durability, Note, ValueRead, Wait};
use irmin_core::{Code, Context, HashFunction, Key, Metadata, Repo};
use irmin_git::{GitBackend, Options};
use irmin_tests::git_support::{command, fsck, git, has_git};

use super::git_repository::{fresh, open};

/// Bytes half of which compress.
fn bytes(len: usize) -> Vec<u8> {
    let words = (0..len.div_ceil(64)).flat_map(|n| {
        let noise = HashFunction::Blake2b(32).digest(&n.to_be_bytes());
        [noise.as_bytes(), &[b' '; 32]].concat()
    });
    words.take(len).collect()
}

fn stream(store: &GitBackend, value: &[u8]) -> Key {
    let mut stage = store.stage().unwrap();
    let key = stage.put_value(store.format(), value.len() as u64, &mut &value[..]).unwrap();
    stage.publish(Vec::new(), Durability::Durable, Note::default()).unwrap();
    key
}

fn opened(store: &GitBackend, key: Key) -> Box<dyn ValueRead> {
    store.open_values(&[key], Wait::Block).unwrap().remove(0).unwrap()
}

fn read(value: &mut dyn ValueRead) -> irmin_core::Result<Vec<u8>> {
    let (mut all, mut piece) = (Vec::new(), vec![0; 100_001]);
    loop {
        let n = value.read_at(&mut piece, all.len() as u64)?;
        if n == 0 {
            return Ok(all);
        }
        all.extend_from_slice(&piece[..n]);
    }
}

/// The key of a blob that git has made of a file.
fn hash_object(dir: &Path, value: &[u8]) -> Key {
    std::fs::write(dir.join("value"), value).unwrap();
    let name = git(dir, &["hash-object", "-w", "value"]);
    Key::from(name.parse::<irmin_core::Hash>().unwrap())
}

#[test]
fn what_is_streamed_into_a_pack_is_a_blob_of_git() {
    if !has_git() {
        return;
    }
    let (_dir, path, store) = fresh();
    for len in [(1 << 20) + 1, 5_000_000] {
        let value = bytes(len);
        let key = stream(&store, &value);
        assert_eq!(key, store.format().value(&value).id.into());
        assert_eq!(git(&path, &["cat-file", "-t", &key.hash.to_string()]), "blob");
        assert_eq!(git(&path, &["cat-file", "-s", &key.hash.to_string()]), len.to_string());
        assert!(read(&mut *opened(&open(&path), key)).unwrap() == value);
    }
    fsck(&path);
}

#[test]
fn loose_packed_and_borrowed_blobs_are_read_in_pieces_and_deltas_whole() {
    if !has_git() {
        return;
    }
    let (_dir, path, _) = fresh();
    let value = bytes(3_000_000);
    let mut edited = value.clone();
    edited[1_500_000] ^= 1;
    let keys = [&value, &edited].map(|value| hash_object(&path, value));
    let check = |path: &Path, told: [bool; 2]| {
        let store = open(path);
        for ((key, value), streamed) in keys.iter().zip([&value, &edited]).zip(told) {
            let mut opened = opened(&store, *key);
            assert_eq!(format!("{opened:?}").starts_with("Blob"), streamed, "{opened:?}");
            assert!(read(&mut *opened).unwrap() == *value);
        }
    };
    check(&path, [true, true]);
    let borrower = path.with_file_name("borrower.git");
    git(
        path.parent().unwrap(),
        &["clone", "-q", "--bare", "--shared", "store.git", "borrower.git"],
    );
    check(&borrower, [true, true]);
    // One of them becomes a delta against the other.
    for (name, key) in ["one", "two"].iter().zip(&keys) {
        git(&path, &["update-ref", &format!("refs/tags/{name}"), &key.hash.to_string()]);
    }
    git(&path, &["-c", "core.bigFileThreshold=1g", "repack", "-adfq"]);
    git(&path, &["prune-packed"]);
    let store = open(&path);
    let streamed =
        keys.iter().filter(|key| format!("{:?}", opened(&store, **key)).starts_with("Blob"));
    assert_eq!(streamed.count(), 1, "one is whole, the other a delta");
    for (key, value) in keys.iter().zip([&value, &edited]) {
        assert!(read(&mut *opened(&store, *key)).unwrap() == *value);
    }
    // A delta that is over the limit is refused, the blob that is no delta is not.
    let mut options = Options::default();
    options.limits.object = 2_000_000;
    let small = GitBackend::open(&path, &options).unwrap();
    let open = |key: &Key| small.open_values(&[*key], Wait::Block);
    let refused = keys.iter().filter_map(|key| open(key).err()).map(|e| e.code());
    assert_eq!(refused.collect::<Vec<_>>(), [Code::PayloadTooLarge]);
}

#[test]
fn damage_in_a_large_blob_is_an_error() {
    let (_dir, path, store) = fresh();
    let value = bytes(1_200_000);
    let key = stream(&store, &value);
    drop(store);
    let packs = std::fs::read_dir(path.join("objects/pack")).unwrap().map(|e| e.unwrap().path());
    let pack = packs.into_iter().find(|p| p.extension().is_some_and(|e| e == "pack")).unwrap();
    let good = std::fs::read(&pack).unwrap();
    std::fs::set_permissions(&pack, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    for at in [20, 3000, good.len() / 2, good.len() - 30] {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        std::fs::write(&pack, &bad).unwrap();
        let store = open(&path);
        let e =
            store.open_values(&[key], Wait::Block).map(|mut v| read(&mut *v.remove(0).unwrap()));
        match e {
            Ok(Ok(read)) => assert!(read == value, "what zlib does not notice at {at}"),
            Ok(Err(e)) | Err(e) => assert_eq!(e.code(), Code::CorruptObject, "{at}"),
        }
    }
    // A pack that was cut.
    std::fs::write(&pack, &good[..good.len() / 2]).unwrap();
    let store = open(&path);
    let read =
        store.open_values(&[key], Wait::Block).and_then(|mut v| read(&mut *v.remove(0).unwrap()));
    assert!(read.is_err());
}

#[test]
fn a_check_hashes_what_it_cannot_hold() {
    let (_dir, path, store) = fresh();
    let repo = |store| Repo::new(Arc::new(store), Context::new("ann", || 1_000)).unwrap();
    let main = repo(store).main().unwrap();
    let value = bytes(2_000_000);
    main.staged("large", |staged| {
        staged.set_stream("v", value.len() as u64, &mut &value[..], Metadata::Normal)
    })
    .unwrap();
    let mut options = Options::default();
    options.limits.object = 1_500_000;
    let report = || {
        let store = GitBackend::open(&path, &options).unwrap();
        repo(store).check(&mut |_| {}).unwrap()
    };
    let sound = report();
    assert!(sound.is_sound());
    assert_eq!((sound.values, sound.bytes > 2_000_000), (1, true));
    if !has_git() {
        return;
    }
    // The objects become loose, and the blob another one that is whole in itself.
    let pack = std::fs::read_dir(path.join("objects/pack")).unwrap().map(|e| e.unwrap().path());
    let pack = pack.into_iter().find(|p| p.extension().is_some_and(|e| e == "pack")).unwrap();
    let aside = path.with_file_name("aside.pack");
    std::fs::rename(&pack, &aside).unwrap();
    std::fs::remove_file(pack.with_extension("idx")).unwrap();
    let mut unpack = command(&path);
    unpack.arg("unpack-objects").stdin(std::fs::File::open(&aside).unwrap());
    assert!(unpack.status().unwrap().success());
    assert!(report().is_sound());
    let id = main.repo().format().value(&value).id.to_string();
    let blob = path.join("objects").join(&id[..2]).join(&id[2..]);
    std::fs::remove_file(&blob).unwrap();
    let mut bad = value.clone();
    bad[1_000_000] ^= 1;
    let file = std::fs::File::create(&blob).unwrap();
    let mut zlib = flate2::write::ZlibEncoder::new(file, flate2::Compression::fast());
    zlib.write_all(format!("blob {}\0", bad.len()).as_bytes()).unwrap();
    zlib.write_all(&bad).unwrap();
    zlib.finish().unwrap();
    let damaged = report();
    assert_eq!(damaged.problems.len(), 1);
    assert!(damaged.problems[0].to_string().contains("its bytes hash to"), "{damaged:?}");
    // Reading it says so too, at the end.
    let fresh = repo(open(&path)).main().unwrap();
    let e = fresh.open("v").unwrap().unwrap().copy_to(&mut Vec::new()).unwrap_err();
    assert_eq!(e.code(), Code::CorruptObject);
}
