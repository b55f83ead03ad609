//! A counter, a log and a set, changed on two devices that cannot reach each other, and merged.
//!
//! The store holds plain bytes, as any git repository does; policies say which paths are merged
//! as what. `cargo run -p irmin-core --example containers`
#![allow(clippy::print_stdout, reason = "an example says what it does")]

use std::sync::Arc;

use irmin_core::backend::MemoryBackend;
use irmin_core::containers::{AddWinsSet, Container, Counter, LinkedLog};
use irmin_core::contents::Policies;
use irmin_core::{Branch, Context, Format, FormatSpec, LcaLimits, Repo, Result};

/// What one device knows: its branch.
struct Device {
    branch: Branch,
}

impl Device {
    fn visit(&self, who: &str) -> Result<()> {
        Counter::at(&self.branch, "visits")?.inc(1, "a visit")?;
        AddWinsSet::<String>::at(&self.branch, "guests")?.add(who, "a guest")?;
        LinkedLog::at(&self.branch, "log")?.append(format!("{who} came"), "write it down")?;
        Ok(())
    }

    fn leave(&self, who: &str) -> Result<()> {
        AddWinsSet::<String>::at(&self.branch, "guests")?.remove(who, "a guest left")?;
        LinkedLog::at(&self.branch, "log")?.append(format!("{who} left"), "write it down")?;
        Ok(())
    }

    fn show(&self, title: &str) -> Result<()> {
        let visits = Counter::at(&self.branch, "visits")?.read()?;
        let guests = AddWinsSet::<String>::at(&self.branch, "guests")?.elements()?;
        println!("{title}: {visits} visits, here now: {}", guests.join(", "));
        // The log may be long: this reads the three newest entries, and no more.
        for entry in LinkedLog::at(&self.branch, "log")?.cursor()?.read(3)? {
            println!("  {}", String::from_utf8_lossy(&entry));
        }
        Ok(())
    }
}

fn main() -> Result<()> {
    let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
    let policies = Policies::new()
        .with("visits".parse()?, Counter::policy())
        .with("guests".parse()?, AddWinsSet::<String>::policy());
    // Edits are told apart by what their commits say, so each device has an author of its own.
    let author = |name: &str| Context::system().with_author(name);
    let door = Repo::new(backend, author("door"))?.with_policies(policies);
    let phone = door.with_context(author("phone"));

    let door = Device { branch: door.main()? };
    door.visit("Ann")?;
    door.branch.fork("phone")?;
    let phone = Device { branch: phone.branch("phone")? };

    // Bob comes through both, and Ann leaves by one and is let in again by the other.
    door.visit("Bob")?;
    door.leave("Ann")?;
    phone.visit("Bob")?;
    phone.visit("Ann")?;
    door.show("door")?;
    phone.show("phone")?;

    // Both ways, so that their histories cross; nothing ever conflicts.
    let before = door.branch.head()?;
    door.branch.merge(&phone.branch, "hear from the phone")?.resolved()?;
    if let Some(heard) = before {
        let limits = LcaLimits::default();
        phone.branch.merge_commit(&heard, limits, "hear from the door")?.resolved()?;
    }
    door.show("both")?;
    let same = door.branch.tree()?.same(&phone.branch.tree()?)?;
    println!("both devices hold the same: {same}");
    Ok(())
}
