//! W9: the most memory that a side takes. What one takes is told by a process of its own, since
//! what an allocator keeps of one is there for the next.

use std::process::Command;

use irmin_benches::machine;

use crate::Args;
use crate::cases::{check, picks};
use crate::run::{Named, side};
use crate::side::{Result, Side, Syncs, edits};

/// What starts the name of a side on the command line of such a process.
pub(crate) const OF: &str = "--memory-of";

/// The cases and their figures, of a process that is started for them; none of a side that works in
/// processes of its own.
pub(crate) fn of(name: &str, args: &Args) -> Result<Option<Vec<(String, f64)>>> {
    if name == "git command" {
        return Ok(None);
    }
    let output = Command::new(std::env::current_exe()?)
        .args([OF, name, "--keys", &args.keys.to_string(), "--shape", &args.shape.to_string()])
        .arg("--dir")
        .arg(&args.dir)
        .output()?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("W9 on {name}: {why}").into());
    }
    Ok(Some(serde_json::from_slice(&output.stdout)?))
}

/// Is such a process.
pub(crate) fn tell(name: &str, args: &Args) -> Result<()> {
    let named = Named::new(args.shape, args.keys);
    let (all, picks) = (edits(&named.keys.sorted(), 0), picks(&named.keys));
    let before = machine::memory().ok_or("the system does not tell what memory is in use")?;
    let made = side(name, &named, args, Syncs::Off)?;
    let mut side = made.ok_or_else(|| format!("nothing is called {name}"))?;
    let mut told = Vec::new();
    let mut case = |case: &str, run: &mut dyn FnMut(&mut dyn Side) -> Result<()>| {
        machine::forget_peak();
        run(side.as_mut())?;
        let peak = machine::peak_memory().unwrap_or_default();
        told.push((case.to_owned(), peak.saturating_sub(before) as f64 / f64::from(1 << 20)));
        Result::Ok(())
    };
    case("memory, load sorted", &mut |side| side.fill(&all))?;
    let keys = &named.keys;
    case("memory, get and fold", &mut |side| {
        check(side.get(&picks)?.unwrap_or_default(), picks.len())?;
        check(side.fold()?.unwrap_or_default(), keys.len())
    })?;
    println!("{}", serde_json::to_string(&told)?);
    Ok(())
}
