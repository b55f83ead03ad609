//! Values that are written and read as streams, through repositories.

use std::sync::Arc;

use irmin_core::backend::MemoryBackend;
use irmin_core::io::Read as _;
use irmin_core::{Code, Context, Format, FormatSpec, Limits, Metadata, Repo};

fn repo(spec: FormatSpec) -> Repo {
    let backend = MemoryBackend::new(Format::new(spec));
    Repo::new(Arc::new(backend), Context::new("ann", || 1_000)).unwrap()
}

#[test]
fn a_streamed_value_is_the_value_in_every_format() {
    let text = vec![b'x'; 100_000];
    for preset in FormatSpec::PRESETS {
        let repo = repo(preset.parse().unwrap());
        let (one, two) = (repo.branch("one").unwrap(), repo.branch("two").unwrap());
        one.set("a/b", text.clone(), "whole").unwrap();
        two.staged("in pieces", |staged| {
            staged.set_stream("a/b", 100_000, &mut &text[..], Metadata::Normal)
        })
        .unwrap();
        let tree = |branch: &irmin_core::Branch| branch.tree().unwrap().hash().unwrap();
        assert_eq!(tree(&one), tree(&two), "{preset}");
        let mut value = two.open("a/b").unwrap().unwrap();
        let mut copy = Vec::new();
        value.copy_to(&mut copy).unwrap();
        assert_eq!((value.len(), copy), (100_000, text.clone()), "{preset}");
        let mut part = [0; 10];
        assert_eq!(value.read_at(&mut part, 99_995).unwrap(), 5);
        assert_eq!(value.read(&mut part).unwrap(), 10);
        assert!(two.open("a").unwrap().is_none() && two.open("c").unwrap().is_none());
    }
}

#[test]
fn values_over_the_limit_of_memory_are_read_as_streams_up_to_their_own_limit() {
    let limits = |value, streamed| Limits { value, streamed, ..Limits::default() };
    let repo = repo(FormatSpec::native()).with_limits(limits(10, 20));
    let main = repo.main().unwrap();
    let set = |len: usize| {
        let bytes = vec![7; len];
        main.staged("why", |staged| {
            staged.set_stream("v", len as u64, &mut &bytes[..], Metadata::Normal)
        })
    };
    assert_eq!(set(21).unwrap_err().code(), Code::PayloadTooLarge);
    set(20).unwrap();
    assert_eq!(main.get("v").unwrap_err().code(), Code::PayloadTooLarge);
    assert_eq!(main.open("v").unwrap().unwrap().len(), 20);
    let other = repo.with_limits(limits(10, 19));
    let e = other.main().unwrap().open("v").unwrap_err();
    assert_eq!(e.code(), Code::PayloadTooLarge);
}

#[test]
fn only_plain_bytes_are_written_as_streams() {
    let repo = repo(FormatSpec::git()).typed::<String>().unwrap();
    let main = repo.main().unwrap();
    let write = |path: &str| {
        let bytes: &[u8] = b"text";
        main.staged("why", |staged| staged.set_stream(path, 4, &mut &*bytes, Metadata::Normal))
    };
    assert_eq!(write("a").unwrap_err().code(), Code::Unsupported);
    main.set("a", "text", "why").unwrap();
    let mut copy = Vec::new();
    main.open("a").unwrap().unwrap().copy_to(&mut copy).unwrap();
    assert_eq!(copy, b"text");
    let plain = repo.typed::<irmin_core::Bytes>().unwrap().main().unwrap();
    let root = plain.staged("why", |s| s.set_stream("", 0, &mut &b""[..], Metadata::Normal));
    assert_eq!(root.unwrap_err().code(), Code::InvalidArgument);
}
