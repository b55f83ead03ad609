//! What must hold for any bytes in the files of a store of files: the rest of
//! [`decoders`](crate::decoders), which reach their decoder through a store on a simulated disk.

use std::sync::Arc;

use irmin_core::backend::{
    Backend, Batch, FsBackend, FsInit, FsOptions, Recorded, Target, View, Wait,
};
use irmin_core::io::{Io, OpenMode};
use irmin_core::{BranchName, FormatSpec, Hash, HashFunction, Key, Kind, Object, RefName};

use crate::sim_io::SimIo;

const HASH: HashFunction = HashFunction::Sha1;

/// The format of the stores.
fn spec() -> FormatSpec {
    FormatSpec { hash: HASH, ..FormatSpec::irmin_mem() }
}

/// An empty store, and its disk.
fn fresh(new: &FsInit) -> (SimIo, FsBackend) {
    let disk = SimIo::new();
    let store = FsBackend::init(Arc::new(disk.clone()), new, &FsOptions::default());
    (disk, store.unwrap_or_else(|e| panic!("{new:?}: {e}")))
}

/// A store with these bytes as one of its files, if it can be opened.
fn with(path: &str, data: &[u8]) -> Option<FsBackend> {
    let (disk, _) = fresh(&FsInit { spec: spec(), ..FsInit::default() });
    for (at, _) in path.match_indices('/') {
        disk.create_dir(&path[..at]).unwrap();
    }
    let mode = if disk.metadata(path).unwrap().is_some() {
        OpenMode::ReadWrite
    } else {
        OpenMode::CreateNew
    };
    let file = disk.open(path, mode).unwrap();
    file.set_len(0).unwrap();
    file.write_at(data, 0).unwrap();
    drop(file);
    FsBackend::open(Arc::new(disk), &FsOptions::default()).ok()
}

/// What a store records of itself, in `irmin/config`: it is written as it was read.
#[must_use]
pub fn fs_record(data: &[u8]) -> bool {
    with("irmin/config", data).is_some_and(|store| {
        let (spec, recorded) = (*store.format().spec(), store.recorded());
        let plain = spec == FormatSpec::irmin_mem() && recorded == Recorded::default();
        let (disk, again) = fresh(&FsInit { spec, recorded, branch: BranchName::main() });
        assert_eq!((again.format(), again.recorded()), (store.format(), store.recorded()));
        let written = disk.read_file("irmin/config").unwrap();
        // A store that is like the original's records nothing.
        assert_eq!(written.as_deref(), Some(data).filter(|_| !plain));
        true
    })
}

/// The file of one ref: the first byte says whether of a branch of the original's, of a branch or
/// tag of ours, or of `HEAD`.
#[must_use]
pub fn fs_ref(data: &[u8]) -> bool {
    let Some((which, data)) = data.split_first() else { return false };
    let (path, name) = match which % 4 {
        0 => ("refs/a/b", "refs/heads/a/b"),
        1 => ("irmin/refs/heads/a/b", "refs/heads/a/b"),
        2 => ("irmin/refs/tags/v1", "refs/tags/v1"),
        _ => ("irmin/HEAD", "HEAD"),
    };
    let store = with(path, data).expect("refs are not read when a store is opened");
    let name: RefName = name.parse().unwrap();
    let read = store.read_ref(&name, View::Durable);
    let Ok(read) = read.map(|target| target.expect("its file is there")) else {
        assert!(name == RefName::head() || store.refs("").is_err(), "a damaged ref was left out");
        return false;
    };
    if name != RefName::head() {
        assert_eq!(store.refs("").unwrap(), [(name, read.clone())]);
    }
    let written = match &read {
        Target::Object(key) if which % 4 == 0 => key.hash.as_bytes().to_vec(),
        Target::Object(key) => format!("{}\n", key.hash).into_bytes(),
        Target::Symbolic(other) => format!("ref: {other}\n").into_bytes(),
    };
    assert_eq!(written, data, "two ways to write a ref");
    true
}

/// The file of an object: the first byte says of which kind, and whether of the original's or of
/// ours. It is read under the hash that its bytes should have, and under another one.
#[must_use]
pub fn fs_object(data: &[u8]) -> bool {
    let Some((which, data)) = data.split_first() else { return false };
    let of = |before: &[u8], bytes: &[u8]| HASH.digest(&[before, bytes].concat());
    let id = match which % 5 {
        0 => of(b"B", data),
        1 => of(b"N", data),
        2 => of(b"C", data),
        3 => of(b"", data.get(1..).unwrap_or_default()),
        _ => of(b"", b"another"),
    };
    // Whatever a file holds, it may be in either directory.
    let read = ["objects", "irmin/objects"].map(|dir| object(dir, id, data));
    read.into_iter().flatten().map(|object| kept(&object)).count() > 0
}

/// The object of a file.
fn object(dir: &str, id: Hash, data: &[u8]) -> Option<Object> {
    let digits = id.to_string();
    let store = with(&format!("{dir}/{}/{}", &digits[..2], &digits[2..]), data);
    let store = store.expect("objects are not read when a store is opened");
    let keys = [Key::from(id)];
    assert_eq!(store.find_many(&[id]).unwrap(), [Some(keys[0])]);
    let found = store.get_many(&keys, Wait::Block).ok()?.remove(0);
    let found = found.expect("its file is there");
    assert_eq!(found.id, id);
    if found.kind != Kind::ChunkIndex {
        assert_eq!(HASH.digest(&found.bytes), id, "other bytes were read");
        assert!(found.children.is_empty());
    }
    if let Some(mut value) =
        store.open_values(&keys, Wait::Block).ok().and_then(|mut v| v.remove(0))
    {
        assert!(value.len() <= data.len() as u64);
        assert!(value.read_at(&mut [0; 16], 0).unwrap() as u64 <= value.len());
    }
    Some(found)
}

/// What was read is kept by a store, and read again as it is.
fn kept(object: &Object) {
    let (_, store) = fresh(&FsInit { spec: spec(), ..FsInit::default() });
    let published = store.publish(Batch { objects: vec![object.clone()], ..Batch::default() });
    if let Some(child) = object.children.first() {
        // Its pieces are not there.
        assert!(published.unwrap_err().missing().contains(&child.key));
        return;
    }
    published.unwrap();
    let again = store.get_many(&[Key::from(object.id)], Wait::Block).unwrap().remove(0);
    let again = again.expect("it was kept");
    assert_eq!((again.kind, again.id, &again.bytes), (object.kind, object.id, &object.bytes));
}
