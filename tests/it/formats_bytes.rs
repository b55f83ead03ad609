//! Bytes from anywhere: decoding ends, with a value or an error.

use irmin_core::{Bytes, Code, FormatSpec, Kind, Object};
use proptest::prelude::*;

use crate::formats::Store;

fn specs() -> Vec<FormatSpec> {
    FormatSpec::PRESETS.iter().map(|name| name.parse().unwrap()).collect()
}

/// Bytes that get further than random ones: pieces of the grammars in any order.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..24),
        prop::sample::select(vec![
            &b"tree 40\0"[..],
            b"commit 3\0",
            b"blob 0\0",
            b"tag 9\0",
            b"100644 a\0",
            b"40000 b\0",
            b"tree ",
            b"parent ",
            b"author ",
            b"a <b> 1 +0000\n",
            b"\n",
            b"object ",
            b"type tag\n",
            b"4b825dc642cb6eb9a060e54bf8d69288fbee4904\n",
            b"N\x01",
            b"\x00\x01",
            b"\x01\x00\x21",
            b"C",
            b"B",
            b"\x01\x01a",
            &[0xFF; 9],
            &[0; 20],
            &[7; 32],
        ])
        .prop_map(<[u8]>::to_vec),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn decoders_end_on_any_bytes(bytes in bytes(), header in any::<bool>(), spec in prop::sample::select(specs())) {
        let store = Store::new(spec);
        let layout = store.format.layout();
        for (kind, word) in [
            (Kind::Value, "blob"),
            (Kind::Node, "tree"),
            (Kind::Inode, "tree"),
            (Kind::Commit, "commit"),
            (Kind::Tag, "tag"),
        ] {
            // A right header lets git's decoders see the rest.
            let head = if header { format!("{word} {}\0", bytes.len()) } else { String::new() };
            let bytes = Bytes::from([head.as_bytes(), &bytes].concat());
            let id = spec.hash.digest(&bytes);
            let object = Object::new(kind, id, bytes);
            let errors = [
                layout.decode(id.into(), &object).err(),
                layout.decode_commit(&object).err(),
                layout.decode_value(&object).err(),
                layout.children(&object).err(),
            ];
            for error in errors.into_iter().flatten() {
                prop_assert_eq!(error.code(), Code::CorruptObject);
            }
            if let Ok(commit) = layout.decode_commit(&object) {
                prop_assert_eq!(layout.encode_commit(&commit).unwrap(), object.bytes.clone());
            }
        }
    }
}
