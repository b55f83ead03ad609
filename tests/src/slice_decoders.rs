//! What must hold for any bytes of a slice: see [`decoders`](crate::decoders).

use std::sync::Arc;

use irmin_core::backend::MemoryBackend;
use irmin_core::object::LayoutSpec;
use irmin_core::slice::{Reader, Slice, SliceObject, Writer};
use irmin_core::{Context, Format, FormatSpec, HashFunction, Limits, Repo, Result};

/// A stream of a slice, without its checksum, which no fuzzer would guess.
#[must_use]
pub fn slice(data: &[u8]) -> bool {
    let _ = read(data);
    let fresh = |format| {
        let backend = Arc::new(MemoryBackend::new(Format::new(format)));
        Repo::new(backend, Context::new("ann", || 0)).expect("memory is there")
    };
    let whole = [data, HashFunction::Blake3.digest(data).as_bytes()].concat();
    let Ok(slice) = read(&whole) else {
        assert!(fresh(FormatSpec::git()).import_from(&mut &whole[..]).is_err());
        return false;
    };
    let mut again = Vec::new();
    let mut writer = Writer::new(&mut again, &slice.format, &slice.heads).expect("memory is there");
    for object in &slice.objects {
        writer.put(object).expect("what is read can be written");
    }
    writer.finish().expect("memory is there");
    assert_eq!(again, whole, "two streams of one slice");

    let repo = fresh(slice.format);
    let (streamed, imported) =
        (fresh(slice.format).import_from(&mut &whole[..]), repo.import(&slice));
    assert_eq!(streamed.as_ref().ok(), imported.as_ref().ok(), "a stream is what it was read as");
    let Ok(imported) = imported else { return false };
    assert_eq!(imported.objects(), slice.objects.len() as u64);
    let main = repo.main().expect("it has a name");
    for head in imported.heads {
        let head = repo.commit(head).expect("it was checked").expect("it was imported");
        main.set_head(Some(&head), "look").expect("it is a commit of this store");
        // A part of a trie may stand where another one should: a check says so.
        if slice.format.layout == LayoutSpec::Git {
            let report = repo.check(&mut |_| ()).expect("memory can be read");
            assert!(report.is_sound(), "{:?}", report.problems);
        }
    }
    true
}

fn read(mut data: &[u8]) -> Result<Slice> {
    let limits = Limits { object: 1 << 20, list: 1 << 10, ..Limits::default() };
    let mut reader = Reader::new(&mut data, &limits)?;
    let (format, heads) = (*reader.format(), reader.heads().to_vec());
    let objects: Vec<SliceObject> = reader.by_ref().collect::<Result<_>>()?;
    Ok(Slice { format, heads, objects })
}
