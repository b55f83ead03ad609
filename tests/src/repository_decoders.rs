//! What must hold for any bytes in the files of a git repository: the rest of
//! [`decoders`](crate::decoders), which reach their decoder through a repository on a simulated
//! disk.

use std::sync::{Arc, OnceLock};

use irmin_core::backend::{
    Backend, Batch, Durability, Expected, JournalOptions, Journaled, MemoryBackend, RefEdit,
    Target, View, Wait,
};
use irmin_core::io::{Io, OpenMode};
use irmin_core::{Bytes, Format, FormatSpec, Key, Object};
use irmin_git::{GitBackend, InitOptions, Options};

use crate::sim_io::SimIo;

/// A repository with one value under one ref.
struct Sample {
    disk: SimIo,
    value: Object,
    /// Its pack, without the ending.
    pack: String,
}

fn sample() -> &'static Sample {
    static SAMPLE: OnceLock<Sample> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let disk = SimIo::new();
        let store = GitBackend::init_on(
            Arc::new(disk.clone()),
            &InitOptions::default(),
            &Options::default(),
        );
        let value = Format::new(FormatSpec::git()).value(b"hello\n");
        let edit = RefEdit {
            name: "refs/tags/hello".parse().unwrap(),
            expected: Expected::Absent,
            new: Some(Target::Object(Key::from(value.id))),
        };
        let batch = Batch {
            objects: vec![value.clone()],
            edits: vec![edit],
            durability: Durability::Durable,
            ..Batch::default()
        };
        store.unwrap().publish(batch).unwrap();
        let names = disk.list("objects/pack").unwrap();
        let pack = names.iter().find_map(|entry| entry.name.strip_suffix(".pack")).unwrap();
        let pack = format!("objects/pack/{pack}");
        Sample { disk, value, pack }
    })
}

/// The sample with other bytes in one of its files.
fn with(path: &str, data: &[u8]) -> Option<GitBackend> {
    let disk = sample().disk.fork();
    let file = disk.open(path, OpenMode::ReadWrite).unwrap();
    file.set_len(0).unwrap();
    file.write_at(data, 0).unwrap();
    drop(file);
    GitBackend::open_on(Arc::new(disk), &Options::default()).ok()
}

/// Whether the value can be read: as it is, or not at all.
fn reads_the_value(store: &GitBackend) -> bool {
    let Sample { value, .. } = sample();
    let Ok(found) = store.get_many(&[Key::from(value.id)], Wait::Block) else { return false };
    let bytes: Option<Bytes> = found.into_iter().flatten().next().map(|object| object.bytes);
    assert!(bytes.as_ref().is_none_or(|bytes| *bytes == value.bytes), "other bytes were read");
    bytes.is_some()
}

/// The file `packed-refs`.
#[must_use]
pub fn git_packed_refs(data: &[u8]) -> bool {
    with("packed-refs", data).is_some_and(|store| {
        let listed = store.refs("");
        for (name, target) in listed.as_deref().unwrap_or_default() {
            assert_eq!(store.read_ref(name, View::Durable).unwrap().as_ref(), Some(target));
        }
        listed.is_ok()
    })
}

/// The file of one ref.
#[must_use]
pub fn git_ref(data: &[u8]) -> bool {
    with("refs/tags/hello", data).is_some_and(|store| {
        let name = "refs/tags/hello".parse().unwrap();
        store.read_ref(&name, View::Durable).is_ok_and(|target| target.is_some())
    })
}

/// The repository's own `config`.
#[must_use]
pub fn git_config(data: &[u8]) -> bool {
    with("config", data).is_some_and(|store| reads_the_value(&store))
}

/// What a store records of itself, in `irmin/config.toml`.
#[must_use]
pub fn git_recorded(data: &[u8]) -> bool {
    with("irmin/config.toml", data).is_some_and(|store| {
        let recorded = store.recorded();
        recorded == store.recorded() && reads_the_value(&store)
    })
}

/// A pack, under the index of another one.
#[must_use]
pub fn git_pack(data: &[u8]) -> bool {
    with(&format!("{}.pack", sample().pack), data).is_some_and(|store| reads_the_value(&store))
}

/// The index of a pack.
#[must_use]
pub fn git_pack_index(data: &[u8]) -> bool {
    with(&format!("{}.idx", sample().pack), data).is_some_and(|store| reads_the_value(&store))
}

/// The bytes of the sample's own pack and index: the seeds that are accepted.
#[must_use]
pub fn own_pack() -> (Vec<u8>, Vec<u8>) {
    let Sample { disk, pack, .. } = sample();
    let read = |ending: &str| disk.read_file(&format!("{pack}.{ending}")).unwrap().unwrap();
    (read("pack"), read("idx"))
}

/// The journal of refs. Whatever it holds, it can be read, and written on.
#[must_use]
pub fn journal(data: &[u8]) -> bool {
    const FILE: &str = "operations";
    let disk = SimIo::new();
    let file = disk.open(FILE, OpenMode::CreateNew).unwrap();
    file.write_at(data, 0).unwrap();
    drop(file);
    let store = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
    let journaled = || {
        let options = JournalOptions::new(FILE, "fuzz");
        Journaled::new(store.clone(), Arc::new(disk.clone()), || 0, options)
    };
    let first = journaled();
    let before = disk.read_file(FILE).unwrap();
    let read = first.operations().unwrap();
    // What the journal knows of refs that are not there is told as a change from outside.
    let again = journaled().operations().unwrap();
    if read.trouble.is_none() {
        assert_eq!(read, again);
    }
    for pair in again.operations.windows(2) {
        assert_eq!(pair[0].number, pair[1].number + 1, "numbers follow one another");
    }
    let value = Format::new(FormatSpec::git()).value(b"x");
    let edit = RefEdit {
        name: "refs/tags/x".parse().unwrap(),
        expected: Expected::Any,
        new: Some(Target::Object(Key::from(value.id))),
    };
    let batch = Batch { objects: vec![value], edits: vec![edit], ..Batch::default() };
    first.publish(batch).unwrap();
    let now = journaled().operations().unwrap().operations;
    assert_eq!(now.first().map(|o| o.command.as_str()), Some("fuzz"), "it goes on");
    read.trouble.is_none() && before.is_some_and(|bytes| !bytes.is_empty())
}

/// A stream for git's fast-import.
#[must_use]
pub fn git_fast(data: &[u8]) -> bool {
    use irmin_git::fast::{Command, Data, Reader};
    let most = 1 << 12;
    let mut reader = Reader::new(data, most);
    // Each command takes some bytes, and holds no more than there are.
    for _ in 0..=data.len() {
        match reader.next() {
            Ok(Some(Command::Blob { data: Data::Whole(value), .. })) => {
                assert!(value.len() <= most && value.len() <= data.len());
            }
            Ok(Some(Command::Blob { data: Data::Large(len), .. })) => {
                let mut piece = vec![0; data.len()];
                let read = irmin_core::io::Read::read(&mut reader, &mut piece);
                assert!(read.is_err() || len > 1 << 20);
            }
            Ok(Some(_)) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
    panic!("there are more commands than bytes");
}

/// An archive of tar.
#[must_use]
pub fn tar(data: &[u8]) -> bool {
    let mut reader = irmin_git::tar::Reader::new(data);
    // Each entry takes a header, and has no more bytes than there are.
    for _ in 0..=data.len() / 512 {
        let entry = match reader.next() {
            Ok(Some(entry)) => entry,
            Ok(None) => return true,
            Err(_) => return false,
        };
        assert_eq!(
            irmin_core::Path::new(entry.path.steps()).ok().as_ref(),
            Some(&entry.path),
            "unsafe path"
        );
        let (mut piece, mut read) = ([0; 700], 0);
        loop {
            match irmin_core::io::Read::read(&mut reader, &mut piece) {
                Ok(0) => break,
                Ok(n) => read += n as u64,
                Err(_) => return false,
            }
        }
        assert_eq!(read, entry.size);
    }
    panic!("there are more entries than blocks");
}
