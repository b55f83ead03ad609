//! Values that are written and read piece by piece.

use std::sync::LazyLock;

use irmin_core::backend::{Durability, Stage, ValueRead, Wait};
use irmin_core::io::Read;
use irmin_core::{Code, Key, Result};

use super::Case;
use super::make::{Store, note};

pub(super) const CASES: &[(&str, Case)] = &[
    ("values: a stream is the value of its bytes", a_stream_is_the_value_of_its_bytes),
    ("values: parts are read anywhere", parts_are_read_anywhere),
    ("values: a stream of another length is refused", a_stream_of_another_length_is_refused),
    ("values: what fails to be read leaves the stage as it was", a_failed_stream),
    ("values: only values are opened", only_values_are_opened),
];

/// Below, at and above what stores may hold in memory or in one piece.
const SIZES: [usize; 8] = [0, 1, 127, 128, 4095, 70_000, (1 << 20) + 1, 2_100_000];

/// Bytes of which no part occurs twice, half of them compressible.
fn bytes(len: usize) -> &'static [u8] {
    static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut all = Vec::new();
        for n in 0..SIZES.iter().max().unwrap().div_ceil(16) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            all.extend_from_slice(&state.to_be_bytes());
            all.extend_from_slice(&(n as u64).to_be_bytes());
        }
        all
    });
    &BYTES[..len]
}

/// Gives a few bytes at a time, as a pipe may.
struct Drip<'a>(&'a [u8]);

impl Read for Drip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let len = buffer.len().min(50_021);
        self.0.read(&mut buffer[..len])
    }
}

fn put(store: &Store, stage: &mut dyn Stage, value: &[u8]) -> Result<Key> {
    stage.put_value(store.format(), value.len() as u64, &mut Drip(value))
}

fn publish(stage: Box<dyn Stage + '_>) {
    stage.publish(Vec::new(), Durability::Durable, note()).unwrap();
}

/// Reads a value in pieces of some length.
fn read(value: &mut dyn ValueRead, piece: usize) -> Vec<u8> {
    let (mut all, mut buffer) = (Vec::new(), vec![0; piece]);
    loop {
        let n = value.read_at(&mut buffer, all.len() as u64).unwrap();
        all.extend_from_slice(&buffer[..n]);
        if n < piece {
            return all;
        }
    }
}

fn open(store: &Store, key: Key) -> Box<dyn ValueRead> {
    let mut opened = store.backend.open_values(&[key, store.absent().into()], Wait::Block).unwrap();
    assert!(opened.pop().unwrap().is_none());
    opened.remove(0).unwrap()
}

fn a_stream_is_the_value_of_its_bytes(store: &Store) {
    let mut stage = store.backend.stage().unwrap();
    for len in SIZES {
        let value = bytes(len);
        let key = put(store, &mut *stage, value).unwrap();
        let object = store.format().value(value);
        assert_eq!(key.hash, object.id, "{len}");
        assert_eq!(put(store, &mut *stage, value).unwrap().hash, object.id, "twice");
        let staged = stage.get_many(&[key]).unwrap().remove(0).unwrap();
        assert_eq!((staged.kind, staged.bytes), (object.kind, object.bytes), "{len}");
        assert!(!store.has(object.id), "it is invisible until it is published");
    }
    publish(stage);
    for len in SIZES {
        let object = store.format().value(bytes(len));
        let stored = store.get(object.id.into()).unwrap();
        assert_eq!((stored.kind, stored.bytes), (object.kind, object.bytes), "{len}");
        let mut value = open(store, object.id.into());
        assert_eq!(value.len(), len as u64);
        assert!(read(&mut *value, 1 << 16) == bytes(len), "{len}");
    }
}

fn parts_are_read_anywhere(store: &Store) {
    for len in SIZES {
        let whole = bytes(len);
        let object = store.format().value(whole);
        let key = store.done(vec![object], Vec::new())[0];
        let mut value = open(store, key);
        let offsets = [0, len / 2, 1, len.saturating_sub(1), len, len + 1, 4096, 0];
        for (offset, want) in offsets.into_iter().zip([7, 100_000, 1, 5, 1, 1, 4096, 3]) {
            let expected = &whole[offset.min(len)..(offset + want).min(len)];
            let mut buffer = vec![0; want];
            let n = value.read_at(&mut buffer, offset as u64).unwrap();
            assert!(buffer[..n] == *expected, "{want} from {offset} of {len}");
            let range = offset as u64..(offset + want) as u64;
            assert!(store.backend.read_range(&key, range).unwrap() == *expected, "{offset} {len}");
        }
        assert_eq!(value.read_at(&mut [0; 4], u64::MAX).unwrap(), 0);
        assert!(store.backend.read_range(&key, 0..u64::MAX).unwrap() == whole);
        assert!(store.backend.read_range(&key, u64::MAX - 1..u64::MAX).unwrap().is_empty());
    }
}

fn a_stream_of_another_length_is_refused(store: &Store) {
    let mut stage = store.backend.stage().unwrap();
    for len in [10, 1_300_000] {
        let value = bytes(len);
        for said in [len - 1, len + 1, 2 * len, 0] {
            let e = stage.put_value(store.format(), said as u64, &mut Drip(value)).unwrap_err();
            assert_eq!(e.code(), Code::InvalidArgument, "{said} for {len}");
        }
    }
    publish(stage);
    assert!(!store.has(store.format().value(bytes(10)).id));
}

/// A reader that breaks.
struct Broken<'a>(Drip<'a>);

impl Read for Broken<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(irmin_core::Error::new(Code::Io, "the cable is out")),
            n => Ok(n),
        }
    }
}

fn a_failed_stream(store: &Store) {
    let mut stage = store.backend.stage().unwrap();
    let value = bytes(2_000_000);
    let first = put(store, &mut *stage, bytes(1_500_000)).unwrap();
    for sent in [0, 10, 1_999_999] {
        let mut broken = Broken(Drip(&value[..sent]));
        let e = stage.put_value(store.format(), 2_000_000, &mut broken).unwrap_err();
        assert_eq!(e.code(), Code::Io);
    }
    let second = put(store, &mut *stage, &value[..1_700_000]).unwrap();
    publish(stage);
    assert!(read(&mut *open(store, first), 1 << 20) == bytes(1_500_000));
    assert!(read(&mut *open(store, second), 1 << 20) == value[..1_700_000]);
}

fn only_values_are_opened(store: &Store) {
    let commit = store.set("refs/heads/a", "text");
    let e = store.backend.open_values(&[commit], Wait::Block).unwrap_err();
    assert_eq!(e.code(), Code::InvalidArgument);
}
