//! The program of README.md: two branches of a git repository, and their merge.
// The last line may fail: it is there to show what is true.
#![allow(clippy::unwrap_used)]

use irmin_core::Result;

fn main() -> Result<()> {
    let repo = irmin_git::open_or_init("words.git")?;
    let main = repo.main()?;
    main.set("greetings/en", "hello", "first words")?;
    let draft = main.fork("draft")?;
    draft.set("greetings/fr", "bonjour", "add French")?;
    main.merge(&draft, "bring French in")?.resolved()?;
    assert_eq!(main.get("greetings/fr")?.unwrap(), "bonjour");
    Ok(())
}
