//! Values in pieces: the suite of all stores, the original's vectors and bytes, and what cutting by
//! content promises.

use std::sync::Arc;

use irmin_core::backend::{
    Backend, Batch, Chunked, Chunking, Counted, Durability, FsBackend, FsInit, FsOptions,
    MemoryBackend, Note, StrictMemory, ValueRead, Wait,
};
use irmin_core::io::{Io, OpenMode};
use irmin_core::{
    Bytes, Code, Context, Format, FormatSpec, Hash, HashFunction, Key, Kind, Limits, Object, Repo,
    ValueEncoding,
};
use irmin_tests::conformance::Subject;
use irmin_tests::sim_io::SimIo;
use irmin_tests::vectors;
use proptest::prelude::*;

const CHUNKINGS: [Chunking; 5] = [
    Chunking::Content { log: 8 },
    Chunking::Content { log: 16 },
    Chunking::BestFit { size: 4096 },
    Chunking::BestFit { size: 140 },
    Chunking::Max { size: 1000 },
];

#[test]
fn chunked_stores_conform() {
    // The smallest pieces are for smaller values than the suite has.
    for (n, chunking) in CHUNKINGS.into_iter().enumerate().filter(|(n, _)| ![0, 3].contains(n)) {
        let spec = if n % 2 == 0 { FormatSpec::irmin_pack() } else { FormatSpec::native() };
        let make = || {
            let inner: Arc<dyn Backend> = match n {
                2 => Arc::new(StrictMemory::new(Format::new(spec))),
                _ => Arc::new(MemoryBackend::new(Format::new(spec))),
            };
            Arc::new(Chunked::new(inner, chunking).unwrap()) as Arc<dyn Backend>
        };
        Subject::new(format!("{chunking:?}"), make).run();
    }
}

fn spec(hash: HashFunction, values: ValueEncoding) -> FormatSpec {
    FormatSpec { hash, values, ..FormatSpec::irmin_mem() }
}

fn store(spec: FormatSpec, chunking: Chunking) -> (Arc<MemoryBackend>, Chunked) {
    let inner = Arc::new(MemoryBackend::new(Format::new(spec)));
    (inner.clone(), Chunked::new(inner, chunking).unwrap())
}

fn put(store: &dyn Backend, value: &[u8]) -> Key {
    let object = store.format().value(value);
    let key = Key::from(object.id);
    store.publish(Batch { objects: vec![object], ..Batch::default() }).unwrap();
    key
}

fn stored(inner: &MemoryBackend, hash: Hash) -> Object {
    inner.get_many(&[hash.into()], Wait::Block).unwrap().remove(0).unwrap()
}

fn opened(store: &dyn Backend, key: Key) -> Box<dyn ValueRead> {
    store.open_values(&[key], Wait::Block).unwrap().remove(0).unwrap()
}

fn read(value: &mut dyn ValueRead) -> irmin_core::Result<Vec<u8>> {
    let mut all = vec![0; value.len() as usize];
    let n = value.read_at(&mut all, 0)?;
    assert_eq!(n, all.len());
    Ok(all)
}

#[test]
fn values_have_the_names_that_the_original_gives_them() {
    let vectors = vectors::json("irmin-3.11.json");
    let cases = vectors["chunk"]["cases"].as_array().unwrap();
    let (mut agreed, mut raised) = (0, 0);
    for case in cases {
        let number = |name: &str| case[name].as_u64().map(|n| n as usize);
        let (size, len) = (number("size").unwrap(), number("len").unwrap());
        let value: Vec<u8> = (0..len).map(|i| ((i * 7 + 3) % 256) as u8).collect();
        let chunking = match case["chunking"].as_str() {
            Some("Best_fit") => Chunking::BestFit { size },
            // Where no name is given the original raised an exception, with `Max` only.
            Some("Max") | None => Chunking::Max { size },
            other => panic!("{other:?}"),
        };
        let chunking = chunking.at_least(number("min_size").unwrap_or(1)).unwrap();
        let (_, store) = store(spec(HashFunction::Sha1, ValueEncoding::Raw), chunking);
        let key = put(&store, &value);
        match case["root_key"].as_str() {
            Some(name) => {
                assert_eq!(key.hash.to_string(), name, "{case}");
                agreed += 1;
            }
            None => raised += 1,
        }
        assert!(read(&mut *opened(&store, key)).unwrap() == value, "{case}");
    }
    assert_eq!((agreed, raised), (17, 3));
}

/// The pieces of a value below an object, in order, with their ids checked.
fn leaves(inner: &MemoryBackend, id: Hash, out: &mut Vec<Bytes>) {
    let object = stored(inner, id);
    if object.kind == Kind::Chunk {
        assert_eq!(inner.format().hash().digest(&object.bytes), id);
    }
    match object.bytes[0] {
        0 => out.push(object.bytes),
        1 => {
            let count = usize::from(object.bytes[1]) << 8 | usize::from(object.bytes[2]);
            for n in 0..count {
                let hash = &object.bytes[3 + 20 * n..23 + 20 * n];
                leaves(inner, Hash::new(hash).unwrap(), out);
            }
        }
        tag => panic!("{tag}"),
    }
}

/// The bytes are those of the types in `irmin_chunk.ml`: a tag, then a string with its length, or
/// hashes after their number; `Best_fit` cuts the binary form of a value every `size - 2` bytes, and
/// a list has `(size - 3) / 20` hashes.
#[test]
fn pieces_and_lists_are_laid_out_as_the_originals() {
    let value: Vec<u8> = (0..1000_u32).map(|i| (i * 7 + 3) as u8).collect();
    let binary = [&[0xE8, 0x07][..], &value].concat();
    let (inner, best) =
        store(spec(HashFunction::Sha1, ValueEncoding::Tagged), Chunking::BestFit { size: 65 });
    let key = put(&best, &value);
    let mut pieces = Vec::new();
    leaves(&inner, key.hash, &mut pieces);
    let expected: Vec<Vec<u8>> =
        binary.chunks(63).map(|part| [&[0, part.len() as u8][..], part].concat()).collect();
    assert_eq!(pieces, expected);
    // 16 pieces under lists of 3: 6 lists, 2 above them, and the root of those.
    let root = stored(&inner, key.hash);
    assert_eq!(
        (root.kind, &root.bytes[..3], root.bytes.len()),
        (Kind::ChunkIndex, &[1, 0, 2][..], 43)
    );
    let lists = inner.object_count() - 16 - 1;
    assert_eq!(lists, 6 + 2);

    let (inner, max) =
        store(spec(HashFunction::Sha1, ValueEncoding::Tagged), Chunking::Max { size: 100 });
    let key = put(&max, &value);
    let mut pieces = Vec::new();
    leaves(&inner, key.hash, &mut pieces);
    assert_eq!(pieces.len(), 1002_usize.div_ceil(98));
    assert!(pieces.iter().all(|piece| piece.len() == 100));
    assert_eq!(pieces[10][..2], [0, 22]);
    assert!(pieces[10][24..].iter().all(|byte| *byte == 0));
    assert_eq!(stored(&inner, key.hash).bytes.len(), 100);
    // A small value is one piece, under its own name.
    let small = put(&max, b"abc");
    assert_eq!(stored(&inner, small.hash).bytes[..6], *b"\0\x04\x03abc");
}

#[test]
fn sizes_that_cannot_be_are_refused_in_the_words_of_the_original() {
    let says = |chunking: Chunking, min| {
        let inner = Arc::new(MemoryBackend::new(Format::new(FormatSpec::irmin_mem())));
        let made = chunking.at_least(min).and_then(|chunking| Chunked::new(inner, chunking));
        made.unwrap_err().to_string()
    };
    assert_eq!(
        says(Chunking::BestFit { size: 3000 }, 4000),
        "Chunks of 3000 bytes are too small. Size should at least be 4000 bytes."
    );
    assert_eq!(
        says(Chunking::Max { size: 130 }, 1),
        "Chunks of 130 bytes are too small. Size should at least be 131 bytes."
    );
    assert!(says(Chunking::Content { log: 7 }, 1).contains("8 to 22"));
    let git = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
    assert!(Chunked::new(git, Chunking::default()).is_ok(), "the store decides, not the format");
}

#[test]
fn a_git_repository_says_what_it_does_instead() {
    let dir = tempfile::tempdir().unwrap();
    let git = irmin_git::GitBackend::init(
        dir.path().join("a.git").as_path(),
        &irmin_git::InitOptions::default(),
        &irmin_git::Options::default(),
    );
    let refused = Chunked::new(Arc::new(git.unwrap()), Chunking::default()).unwrap_err();
    assert_eq!(refused.code(), Code::Unsupported);
    assert!(refused.to_string().contains("streams large values into its packs"), "{refused}");
}

fn noise(len: usize, mut state: u64) -> Vec<u8> {
    let words = (0..len.div_ceil(8)).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()
    });
    words.take(len).collect()
}

fn cuts(inner: &MemoryBackend, id: Hash) -> Vec<u64> {
    let object = stored(inner, id);
    let mut at = 0;
    let mut lens = Vec::new();
    // Height, then the number of entries in at most two bytes, then lengths and hashes of 32 bytes.
    let mut bytes = &object.bytes[..];
    assert_eq!(bytes[0], 2);
    let height = bytes[1];
    bytes = &bytes[2..];
    let number = |bytes: &mut &[u8]| {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            number |= u64::from(byte & 0x7F) << shift;
            shift += 7;
            if byte < 0x80 {
                return number;
            }
        }
    };
    for _ in 0..number(&mut bytes) {
        let len = number(&mut bytes);
        let (hash, rest) = bytes.split_at(32);
        bytes = rest;
        at += len;
        match height {
            1 => lens.push(len),
            _ => lens.extend(cuts(inner, Hash::new(hash).unwrap())),
        }
    }
    assert!(bytes.is_empty());
    assert_eq!(lens.iter().sum::<u64>(), at);
    lens
}

/// The crate `fastcdc` is the judge of where to cut.
#[test]
fn values_are_cut_where_fastcdc_cuts_them() {
    for (log, len) in [(8, 60_000), (12, 300_001), (16, 1_000_003), (17, 2_000_000)] {
        for value in [noise(len, 7), noise(len / 3, 9).repeat(2), vec![0; len]] {
            let (inner, chunked) = store(FormatSpec::native(), Chunking::Content { log });
            let key = put(&chunked, &value);
            let average = 1 << log;
            let theirs = fastcdc::v2020::FastCDC::new(&value, average / 4, average, average * 4);
            let theirs: Vec<u64> = theirs.map(|chunk| chunk.length as u64).collect();
            assert_eq!(cuts(&inner, key.hash), theirs, "{log} {len}");
        }
    }
}

/// No update may move the cuts, or the lists above them.
#[test]
fn the_names_of_pieces_are_pinned() {
    let (inner, chunked) = store(FormatSpec::native(), Chunking::default());
    let key = put(&chunked, &noise(3_000_000, 1));
    let root = stored(&inner, key.hash);
    let digest = HashFunction::Blake3.digest(&root.bytes).short(16);
    assert_eq!((inner.object_count(), digest.as_str()), (35, "2a48bfada3bd8588"));
}

#[test]
fn an_edit_in_the_middle_stores_little() {
    let (inner, chunked) = store(FormatSpec::native(), Chunking::Content { log: 12 });
    let mut value = noise(4_000_000, 3);
    let size = |inner: &MemoryBackend| inner.object_count();
    put(&chunked, &value);
    let all = size(&inner);
    assert!(all > 700, "{all}");
    // In place, and with what follows moved: two or three pieces, and the lists above them.
    value[2_000_000] ^= 1;
    put(&chunked, &value);
    let edited = size(&inner);
    value.splice(1_000_000..1_000_000, *b"inserted");
    put(&chunked, &value);
    let inserted = size(&inner);
    value.drain(3_000_000..3_050_000);
    put(&chunked, &value);
    let removed = size(&inner);
    let steps = [edited - all, inserted - edited, removed - inserted];
    assert!(steps.iter().all(|new| *new <= 12), "{steps:?} of {all}");
}

#[test]
fn a_range_reads_the_pieces_that_it_needs() {
    let inner = Arc::new(MemoryBackend::new(Format::new(FormatSpec::native())));
    let counted = Arc::new(Counted::new(inner));
    for chunking in [Chunking::Content { log: 12 }, Chunking::BestFit { size: 4096 }] {
        let chunked = Chunked::new(counted.clone(), chunking).unwrap();
        let value = noise(4_000_000, 5);
        let key = put(&chunked, &value);
        counted.reset();
        let range = 2_000_000..2_010_000;
        let part = chunked.read_range(&key, range.clone()).unwrap();
        assert!(part == value[range.start as usize..range.end as usize]);
        let counts = counted.reset();
        assert!(counts.objects_read <= 20, "{chunking:?}: {counts:?}");
        // A stream reads each piece once, many in a call, and the lists once.
        let mut opened = opened(&chunked, key);
        let mut piece = vec![0; 1 << 18];
        let mut at = 0;
        while at < value.len() {
            let n = opened.read_at(&mut piece, at as u64).unwrap();
            assert!(piece[..n] == value[at..at + n]);
            at += n;
        }
        let counts = counted.reset();
        let pieces = value.len() as u64 / 1000;
        assert!(counts.objects_read < pieces && counts.get_calls < 60, "{chunking:?}: {counts:?}");
    }
}

#[test]
fn large_values_are_streams_only() {
    let (_, chunked) = store(FormatSpec::native(), Chunking::default());
    let chunked = chunked.with_limit(1_000_000);
    let (fits, over) = (noise(1_000_000, 1), noise(1_000_001, 2));
    let keys = [put(&chunked, &fits), put(&chunked, &over)];
    assert!(chunked.get_many(&keys[..1], Wait::Block).is_ok());
    let refused = |e: irmin_core::Error| e.code() == Code::PayloadTooLarge;
    assert!(refused(chunked.get_many(&keys[1..], Wait::Block).unwrap_err()));
    assert!(refused(chunked.read_range(&keys[1], 0..u64::MAX).unwrap_err()));
    assert_eq!(chunked.read_range(&keys[1], 1..1_000_001).unwrap(), over[1..]);
    assert!(read(&mut *opened(&chunked, keys[1])).unwrap() == over);
}

/// A store that was written without the decorator is read with it, piece by piece as before.
#[test]
fn values_that_are_kept_whole_are_streams_too() {
    let limits = Limits { object: 100_000, ..Limits::default() };
    let options = FsOptions { limits, ..FsOptions::default() };
    let io = Arc::new(SimIo::new());
    let files = Arc::new(FsBackend::init(io, &FsInit::default(), &options).unwrap());
    let value = noise(300_000, 6);
    let mut stage = files.stage().unwrap();
    let len = value.len() as u64;
    let key = stage.put_value(files.format(), len, &mut &value[..]).unwrap();
    stage.publish(Vec::new(), Durability::Durable, Note::default()).unwrap();
    let small = put(&*files, b"small");
    let chunked = Chunked::new(files, Chunking::default()).unwrap();
    let split = put(&chunked, &noise(90_000, 8));
    let absent = Key::from(HashFunction::Blake2b(64).digest(b"absent"));
    let opened = chunked.open_values(&[small, key, absent, split], Wait::Block).unwrap();
    let lens: Vec<_> = opened.iter().map(|value| value.as_ref().map(|v| v.len())).collect();
    assert_eq!(lens, [Some(5), Some(300_000), None, Some(90_000)]);
    for mut whole in opened.into_iter().skip(1).step_by(2).flatten() {
        assert!(
            read(&mut *whole).unwrap()
                == if whole.len() == len { value.clone() } else { noise(90_000, 8) }
        );
    }
    assert_eq!(chunked.read_range(&key, 299_990..u64::MAX).unwrap(), value[299_990..]);
}

/// Pieces are fetched a few at a time, however much is read at once.
#[test]
fn reads_of_any_size_fetch_a_few_pieces_at_a_time() {
    let inner = Arc::new(MemoryBackend::new(Format::new(FormatSpec::native())));
    let counted = Arc::new(Counted::new(inner));
    let chunked = Chunked::new(counted.clone(), Chunking::Content { log: 20 }).unwrap();
    let value = noise(24 << 20, 13);
    let key = put(&chunked, &value);
    counted.reset();
    assert!(read(&mut *opened(&chunked, key)).unwrap() == value);
    // The root, and four mebibytes with one piece that begins in them at a time.
    let calls = counted.counts().get_calls;
    assert!((4..=10).contains(&calls), "{calls}");
}

/// A store that a hand has changed: any piece or list lost or replaced is noticed, and nothing
/// panics.
#[test]
fn damage_is_noticed() {
    for chunking in [Chunking::Content { log: 8 }, Chunking::BestFit { size: 200 }] {
        let (inner, chunked) = store(FormatSpec::native(), chunking);
        let value = noise(6_000, 11);
        let key = put(&chunked, &value);
        let root = stored(&inner, key.hash);
        let other = put(&chunked, &noise(6_000, 12));
        let other = stored(&inner, other.hash);
        let mut broken: Vec<Bytes> = (0..root.bytes.len())
            .step_by(17)
            .flat_map(|at| {
                let mut flipped = root.bytes.to_vec();
                flipped[at] ^= 1;
                [Bytes::from(flipped), root.bytes.slice(..at)]
            })
            .collect();
        broken.push(other.bytes.clone());
        for bytes in broken {
            let inner = Arc::new(MemoryBackend::new(Format::new(FormatSpec::native())));
            let again = Chunked::new(inner.clone(), chunking).unwrap();
            put(&again, &value[..5_999]);
            let hurt = Object { bytes, children: Vec::new(), ..root.clone() };
            inner.publish(Batch { objects: vec![hurt], ..Batch::default() }).unwrap();
            for chunk in [&value, &noise(6_000, 12)] {
                // The pieces are there, under other roots.
                let mut longer = chunk.to_vec();
                longer.extend_from_slice(b"x");
                put(&again, &longer);
            }
            let whole = again.get_many(&[key], Wait::Block);
            let code = whole.map(drop).unwrap_err().code();
            assert!(matches!(code, Code::CorruptObject | Code::MissingObjects), "{code:?}");
        }
    }
}

fn in_files(disk: &SimIo) -> (Arc<FsBackend>, Chunked) {
    let (new, options) = (FsInit::default(), FsOptions::default());
    let files = Arc::new(FsBackend::open_or_init(Arc::new(disk.clone()), &new, &options).unwrap());
    (files.clone(), Chunked::new(files, Chunking::Content { log: 8 }).unwrap())
}

fn put_stream(store: &dyn Backend, value: &[u8]) {
    let mut stage = store.stage().unwrap();
    stage.put_value(store.format(), value.len() as u64, &mut &value[..]).unwrap();
    stage.publish(Vec::new(), Durability::Durable, Note::default()).unwrap();
}

/// The files below a directory of directories.
fn files_in(disk: &SimIo, dir: &str) -> Vec<String> {
    let below = |dir: &str| {
        let names = disk.list(dir).unwrap().into_iter();
        names.map(|entry| format!("{dir}/{}", entry.name)).collect::<Vec<_>>()
    };
    below(dir).iter().flat_map(|dir| below(dir)).collect()
}

/// What is damaged or lost is written again by whoever has it: each file of a value, whichever way
/// the value is written again.
#[test]
fn a_value_that_is_written_again_is_whole_again() {
    let sound = SimIo::new();
    let value = noise(6_000, 21);
    let key = put(&in_files(&sound).1, &value);
    let paths = files_in(&sound, "irmin/objects");
    assert!(paths.len() > 15, "{paths:?}");
    for path in &paths {
        let expected = sound.read_file(path).unwrap().unwrap();
        // Lost, or with bits changed: in the index, in a hash of what it lists or in its bytes; or
        // with the letter of another kind before the same bytes.
        let kinds = [Some((0, b'K' ^ b'C')), Some((0, b'X' ^ b'C'))];
        let bits = [None, Some((20, 1)), Some((expected.len() - 1, 1))];
        for at in bits.into_iter().chain(kinds) {
            for streamed in [false, true] {
                let disk = sound.fork();
                disk.remove(path).unwrap();
                if let Some((at, bits)) = at {
                    let mut bytes = expected.clone();
                    bytes[at] ^= bits;
                    let file = disk.open(path, OpenMode::CreateNew).unwrap();
                    file.write_at(&bytes, 0).unwrap();
                }
                let (_, store) = in_files(&disk);
                if streamed {
                    put_stream(&store, &value);
                } else {
                    put(&store, &value);
                }
                let now = disk.read_file(path).unwrap();
                assert!(now.as_ref() == Some(&expected), "{path} {at:?} {streamed}");
                assert!(read(&mut *opened(&store, key)).unwrap() == value);
            }
        }
    }
}

/// A value that was kept whole, and is damaged, does not hide the pieces that it is kept in now.
#[test]
fn a_value_that_was_whole_is_written_again_in_pieces() {
    let disk = SimIo::new();
    let value = noise(6_000, 22);
    let (files, store) = in_files(&disk);
    let key = put(&*files, &value);
    let path = files_in(&disk, "objects").remove(0);
    disk.open(&path, OpenMode::ReadWrite).unwrap().write_at(b"x", 100).unwrap();
    assert_eq!(store.get(&key, Wait::Block).unwrap_err().code(), Code::CorruptObject);
    put(&store, &value);
    assert!(store.get(&key, Wait::Block).unwrap().is_some_and(|object| object.id == key.hash));
    assert!(read(&mut *opened(&store, key)).unwrap() == value);
}

/// Where values are hashed as they are, one that is the bytes of a piece would have its hash: then
/// the store had one of them under the name of the other.
#[test]
fn a_value_that_has_the_form_of_a_piece_is_refused() {
    // The second one has larger pieces than this value is.
    for chunking in CHUNKINGS.into_iter().filter(|chunking| *chunking != CHUNKINGS[1]) {
        let raw = FormatSpec { values: ValueEncoding::Raw, ..FormatSpec::native() };
        let (inner, chunked) = store(raw, chunking);
        let (_, tagged) = store(FormatSpec::native(), chunking);
        let large = noise(20_000, 23);
        let key = put(&chunked, &large);
        let (mut pieces, mut todo) = (Vec::new(), vec![stored(&inner, key.hash)]);
        while let Some(object) = todo.pop() {
            let children = inner.format().layout().children(&object).unwrap();
            todo.extend(children.iter().map(|(_, child)| stored(&inner, child.key.hash)));
            pieces.push(object.bytes);
        }
        assert!(pieces.len() > 3);
        for piece in &pieces {
            let object = chunked.format().value(piece);
            let batch = Batch { objects: vec![object], ..Batch::default() };
            assert_eq!(chunked.publish(batch).unwrap_err().code(), Code::InvalidArgument);
            let mut stage = chunked.stage().unwrap();
            let len = piece.len() as u64;
            let streamed = stage.put_value(chunked.format(), len, &mut &piece[..]);
            assert_eq!(streamed.unwrap_err().code(), Code::InvalidArgument, "{len}");
            // With anything else before it, and in a format that has that, it is a value.
            put(&chunked, &[b"!", &piece[..]].concat());
            put(&tagged, piece);
        }
        assert!(read(&mut *opened(&chunked, key)).unwrap() == large);
    }
}

#[test]
fn a_length_that_lies_takes_no_memory() {
    let (inner, chunked) = store(FormatSpec::native(), Chunking::default());
    let chunked = chunked.with_limit(u64::MAX);
    let data = Bytes::from_static(b"\0\x04data");
    let piece = inner.format().hash().digest(&data);
    // Our list: of height 1, with one entry that is said to have 2^61 bytes.
    let said = [&[0x80_u8; 8][..], &[0x20]].concat();
    let list = [b"\x02\x01\x01", &said[..], piece.as_bytes()].concat();
    let id = inner.format().value(b"data").id;
    let object = |kind, id, bytes: Bytes, children: Vec<Key>| {
        let children = children.into_iter().map(irmin_core::Child::from).collect();
        Object { children, ..Object::new(kind, id, bytes) }
    };
    let objects = vec![
        object(Kind::Chunk, piece, data, vec![]),
        object(Kind::ChunkIndex, id, list.into(), vec![piece.into()]),
    ];
    inner.publish(Batch { objects, ..Batch::default() }).unwrap();
    let key = Key::from(id);
    assert_eq!(opened(&chunked, key).len(), 1 << 61);
    for error in [
        chunked.get_many(&[key], Wait::Block).unwrap_err(),
        chunked.read_range(&key, 0..u64::MAX).unwrap_err(),
        chunked.read_range(&key, 1 << 60..1 << 61).unwrap_err(),
    ] {
        assert_eq!(error.code(), Code::CorruptObject, "{error}");
    }
}

#[test]
fn a_repository_on_it_checks_whole() {
    let (inner, chunked) = store(FormatSpec::native(), Chunking::Content { log: 12 });
    let repo = Repo::new(Arc::new(chunked.with_limit(100_000)), Context::new("ann", || 1)).unwrap();
    let main = repo.main().unwrap();
    let value = noise(200_000, 4);
    main.set("a/small", "text", "small").unwrap();
    main.staged("large", |staged| {
        staged.set_stream("a/large", 200_000, &mut &value[..], irmin_core::Metadata::Normal)
    })
    .unwrap();
    let mut copy = Vec::new();
    main.open("a/large").unwrap().unwrap().copy_to(&mut copy).unwrap();
    assert!(copy == value);
    assert!(repo.check(&mut |_| {}).unwrap().is_sound());
    // The same store without the decorator: whole, too, piece by piece.
    let below = Repo::new(inner, Context::new("ann", || 1)).unwrap();
    let report = below.check(&mut |_| {}).unwrap();
    assert!(report.is_sound() && report.values > 20, "{report:?}");
    let below = below.main().unwrap();
    let whole = below.get("a/large").unwrap_err();
    assert_eq!(whole.code(), Code::Unsupported);
    // Whichever way it is read, the error says what to do.
    for error in [whole, below.open("a/large").unwrap_err()] {
        assert!(error.to_string().contains("`Chunked`"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the rule and the length, parts are those of the value, and streaming it makes the
    /// same objects as giving it whole.
    #[test]
    fn parts_are_parts_and_streams_are_values(
        which in 0..CHUNKINGS.len(),
        len in 0..20_000_usize,
        seed in 1..u64::MAX,
        tagged: bool,
        reads in prop::collection::vec((0..21_000_usize, 0..3_000_usize), 1..12),
    ) {
        let values = if tagged { ValueEncoding::Tagged } else { ValueEncoding::Raw };
        let spec = spec(HashFunction::Blake3, values);
        let value = noise(len, seed);
        let (inner, chunked) = store(spec, CHUNKINGS[which]);
        let key = put(&chunked, &value);
        let mut opened = opened(&chunked, key);
        for (offset, want) in reads {
            let mut buffer = vec![0; want];
            let n = opened.read_at(&mut buffer, offset as u64).unwrap();
            let expected = &value[offset.min(len)..(offset + want).min(len)];
            prop_assert!(buffer[..n] == *expected);
        }
        let (streamed, chunked) = store(spec, CHUNKINGS[which]);
        let mut stage = chunked.stage().unwrap();
        let again = stage.put_value(chunked.format(), len as u64, &mut &value[..]).unwrap();
        stage.publish(Vec::new(), Durability::Durable, Note::default()).unwrap();
        prop_assert_eq!(again, key);
        prop_assert_eq!(streamed.object_count(), inner.object_count());
        prop_assert_eq!(stored(&streamed, key.hash).bytes, stored(&inner, key.hash).bytes);
    }
}
