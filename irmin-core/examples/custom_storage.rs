//! A backend of one's own: a decorator that protects a branch and keeps a record of each write.
//!
//! Backends are extended by wrapping them. This one refuses every change of `release`, whichever
//! way it comes, and passes on all else. `cargo run -p irmin-core --example custom_storage`
#![allow(clippy::print_stdout, reason = "an example says what it does")]

use std::sync::{Arc, Mutex};

use irmin_core::backend::{
    Backend, Batch, Durability, MemoryBackend, Note, Published, RefEdit, Stage, Submitted,
};
use irmin_core::{Bytes, Code, Context, Error, Format, FormatSpec, Repo, Result};

#[derive(Debug)]
struct Protected {
    inner: MemoryBackend,
    writes: Mutex<Vec<String>>,
}

impl Protected {
    /// Decides on the changes of refs: everything that writes comes through here.
    fn admit(&self, edits: &[RefEdit], note: &Note) -> Result<()> {
        if edits.iter().any(|edit| edit.name.as_str() == "refs/heads/release") {
            return Err(Error::new(Code::ReadOnly, "`release` is protected"));
        }
        if let Ok(mut writes) = self.writes.lock() {
            writes.extend(edits.iter().map(|edit| format!("{}: {}", edit.name, note.message)));
        }
        Ok(())
    }
}

impl Backend for Protected {
    fn submit(&self, batch: Batch) -> Result<Submitted<'_>> {
        self.admit(&batch.edits, &batch.note)?;
        self.inner.submit(batch)
    }
    fn stage(&self) -> Result<Box<dyn Stage + '_>> {
        Ok(Box::new(ProtectedStage { inner: self.inner.stage()?, rules: self }))
    }
    // The rest is passed on.
    irmin_core::pass_on! { Backend for inner:
        format pin get_many get get_within resident_dir resident_commit read_range open_values find_many
        find_prefix refs ref_names read_ref watch refresh recorded capabilities
    }
}

/// Large writes come in pieces; their refs change at the end, and are checked there.
struct ProtectedStage<'a> {
    inner: Box<dyn Stage + 'a>,
    rules: &'a Protected,
}

impl Stage for ProtectedStage<'_> {
    fn publish(
        self: Box<Self>,
        edits: Vec<RefEdit>,
        durability: Durability,
        note: Note,
    ) -> Result<Published> {
        self.rules.admit(&edits, &note)?;
        self.inner.publish(edits, durability, note)
    }
    irmin_core::pass_on! { Stage for inner: get_many put put_value }
}

fn main() -> Result<()> {
    let inner = MemoryBackend::new(Format::new(FormatSpec::git()));
    let backend = Arc::new(Protected { inner, writes: Mutex::default() });
    let context = Context::new("Ann <ann@example.org>", || 1_700_000_000);
    let repo = Repo::new(backend.clone(), context)?;
    let main = repo.main()?;
    main.set("version", "1", "first version")?;
    main.staged("notes", |staged| staged.set("notes", &Bytes::from("new"), Default::default()))?;

    // Neither a write, nor a large one, nor a fork gets past it.
    let release = repo.branch("release")?;
    let bytes = Bytes::from("2");
    let tries = [
        release.set("version", "2", "sneak in").map(drop),
        release.staged("sneak in", |s| s.set("version", &bytes, Default::default())).map(drop),
        main.fork("release").map(drop),
    ];
    assert!(tries.iter().all(|t| t.as_ref().is_err_and(|e| e.code() == Code::ReadOnly)));
    assert!(release.head()?.is_none());

    // All else is as if nothing were in between: reads, merges, checks.
    let draft = main.fork("draft")?;
    draft.set("version", "3", "third version")?;
    main.merge(&draft, "merge the draft")?.resolved()?;
    assert_eq!(main.get("version")?, Some(Bytes::from("3")));
    assert!(repo.check(&mut |_| ())?.is_sound());
    let writes = backend.writes.lock().map(|writes| writes.clone()).unwrap_or_default();
    assert_eq!(writes.len(), 5);
    writes.iter().for_each(|line| println!("{line}"));
    Ok(())
}
