//! What must hold for any bytes of stored values and of files that carry them: see
//! [`decoders`](crate::decoders).

use std::sync::Arc;

use irmin_core::backend::{Backend, Batch, Chunked, Chunking, MemoryBackend, Wait};
use irmin_core::{Bytes, Format, FormatSpec, HashFunction, Key, Kind, Object, ValueEncoding};

/// A piece of a large value or a list of pieces, as the root of a value whose first pieces are
/// `chunk 0`, `chunk 1` and so on.
#[must_use]
pub fn chunk(data: &[u8]) -> bool {
    let spec = FormatSpec {
        hash: HashFunction::Sha1,
        values: ValueEncoding::Raw,
        ..FormatSpec::irmin_mem()
    };
    let inner = Arc::new(MemoryBackend::new(Format::new(spec)));
    let object = |kind, bytes: Bytes, id| Object::new(kind, id, bytes);
    let mut objects = Vec::new();
    let mut whole = Vec::new();
    for n in 0..8 {
        let text = format!("chunk {n}");
        whole.extend_from_slice(text.as_bytes());
        let bytes = Bytes::from([&[0, 7], text.as_bytes()].concat());
        objects.push(object(Kind::Chunk, bytes.clone(), HashFunction::Sha1.digest(&bytes)));
    }
    let root = HashFunction::Sha1.digest(&whole);
    objects.push(object(Kind::ChunkIndex, Bytes::copy_from_slice(data), root));
    let understood = inner.format().layout().children(&objects[8]).is_ok();
    inner.publish(Batch { objects, ..Batch::default() }).expect("a store in memory takes all");
    let chunked = Chunked::new(inner, Chunking::default()).expect("it keeps foreign ids");
    let keys = [Key::from(root)];
    if let Ok(mut opened) = chunked.open_values(&keys, Wait::Block) {
        let mut value = opened.remove(0).expect("it is there");
        let mut part = [0; 40];
        for offset in [0, 5, value.len() / 2, value.len().saturating_sub(3), u64::MAX] {
            if let Ok(n) = value.read_at(&mut part, offset) {
                assert_eq!(n as u64, value.len().saturating_sub(offset).min(40));
            }
        }
    }
    match chunked.get_many(&keys, Wait::Block) {
        Ok(found) => {
            let found = found[0].as_ref().expect("it is there");
            assert!(understood, "a value was made of what is no list");
            assert_eq!((found.kind, &found.bytes[..]), (Kind::Value, &whole[..]));
            true
        }
        Err(_) => understood,
    }
}
