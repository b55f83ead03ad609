//! The memory in use, by the room for caches.

use std::path::Path;
use std::process::{Command, Stdio};

use irmin_core::{Bytes, Code, Error, Result};

use super::read::{fold, found};
use super::{Setup, relaxed};
use crate::heap;
use crate::keys::{Draw, Keys, payload, value};
use crate::meter::Case;
use crate::record::Record;
use crate::store::{Store, Syncs};

/// What is done with each amount of cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Use {
    Load,
    Gets,
    Fold,
    Commits,
}

/// The amounts, in MiB.
const BUDGETS: [usize; 3] = [16, 64, 256];

/// The cases: their names, what they do, and with how many MiB.
fn cases() -> impl Iterator<Item = (String, Use, usize)> {
    let uses = [
        ("bulk-load", Use::Load),
        ("gets", Use::Gets),
        ("fold", Use::Fold),
        ("100 commits", Use::Commits),
    ];
    uses.into_iter().flat_map(|(name, does)| {
        BUDGETS.map(|mebi| (format!("{name}, {mebi} MiB of cache"), does, mebi))
    })
}

/// W9: the peak of memory while loading, reading, folding and writing, with 16, 64 and 256 MiB of
/// cache.
///
/// What a process once had, another case would find there: each case has a process of its own.
pub(super) fn budgets(setup: &mut Setup<'_>) -> Result<()> {
    if let Some(part) = setup.part {
        let known = cases().find(|(name, ..)| *name == part.case);
        let (case, does, mebi) = known.ok_or_else(|| {
            Error::new(Code::InvalidArgument, format!("W9 has no case {}", part.case))
        })?;
        return one(setup, &case, does, mebi);
    }
    // What files there are is written once, by a process that measures nothing.
    let filled = match (&setup.meter.program, setup.kind.has_files()) {
        (Some(_), true) => Some(setup.filled(&setup.keys(), Syncs::Off)?),
        _ => None,
    };
    let dir = filled.as_ref().and_then(Store::dir);
    for (case, does, mebi) in cases() {
        match &setup.meter.program {
            Some(program) => {
                for record in child(program, setup, &case, dir.as_deref())? {
                    (setup.emit)(record)?;
                }
            }
            None => one(setup, &case, does, mebi)?,
        }
    }
    Ok(())
}

/// One case, in this process.
fn one(setup: &mut Setup<'_>, case: &str, does: Use, mebi: usize) -> Result<()> {
    let (keys, cache) = (setup.keys(), mebi << 20);
    match does {
        Use::Load => {
            let pairs = keys.pairs(&keys.sorted());
            let store = setup.empty(Syncs::Off)?.restart(cache)?;
            let case = Case::bulk("W9", case, keys.len()).with_payload(payload(&pairs));
            setup.measure(case, &store, &keys, &mut |_| store.load(&pairs))
        }
        Use::Gets => {
            let store = filled(setup, &keys, cache)?;
            let paths = keys.paths_of(&Draw::new(9).picks(setup.times(100_000), keys.len()));
            let tree = store.main()?.tree()?;
            let case = Case::short("W9", case, paths.len());
            setup.measure(case, &store, &keys, &mut |call| found(&tree, &paths[call]))
        }
        Use::Fold => {
            let store = filled(setup, &keys, cache)?;
            fold(setup, Case::bulk("W9", case, keys.len()), &store, &keys)
        }
        Use::Commits => {
            let store = filled(setup, &keys, cache)?;
            // Others may have written the same keys to the same files: each amount of cache has
            // values of its own.
            let value = |n, index| value(index, mebi * 1000 + n);
            let indices = Draw::new(9).picks(100, keys.len());
            let pairs: Vec<(irmin_core::Path, Bytes)> = (0..)
                .zip(indices)
                .map(|(n, index)| (keys.path(index).clone(), value(n, index)))
                .collect();
            let case = Case::new("W9", case, pairs.len()).with_payload(payload(&pairs));
            let main = store.main()?;
            setup.measure(case, &store, &keys, &mut |call| {
                let (path, value) = &pairs[call];
                main.set(path, value.clone(), relaxed()).map(drop)
            })
        }
    }
}

/// A store with all keys, that no handle has used before this one.
fn filled(setup: &Setup<'_>, keys: &Keys, cache: usize) -> Result<Store> {
    match setup.part.and_then(|part| part.filled.clone()) {
        Some(dir) => Store::of_others(dir, cache, Syncs::Off),
        None => setup.filled(keys, Syncs::Off)?.restart(cache),
    }
}

/// The records of one case, which another process runs.
fn child(
    program: &Path,
    setup: &Setup<'_>,
    case: &str,
    filled: Option<&Path>,
) -> Result<Vec<Record>> {
    let mut command = Command::new(program);
    command.args(["--workload", "W9", "--json", "--case", case]);
    command.args(["--store", setup.kind.name(), "--shape", setup.shape.name()]);
    command.args(["--keys", &setup.n.to_string(), "--divisor", &setup.divisor.to_string()]);
    command.arg("--dir").arg(setup.meter.work());
    command.args(setup.meter.count.then_some("--count"));
    if let Some(dir) = filled {
        command.arg("--filled").arg(dir);
    }
    // A heap that keeps what it once had would have as much in each case.
    command.env_remove(heap::VARIABLE).stderr(Stdio::inherit());
    let failed = |why: String| Error::new(Code::Io, format!("{}: {why}", program.display()));
    let output =
        command.output().map_err(|e| failed("it cannot be started".into()).with_source(e))?;
    if !output.status.success() {
        return Err(failed(format!("{case}: {}", output.status)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let record = |line: &str| {
        serde_json::from_str(line).map_err(|e| failed(format!("no record: {line}")).with_source(e))
    };
    text.lines().map(record).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_case_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<String> = cases().map(|(name, ..)| name).collect();
        assert_eq!((names.len(), cases().count()), (12, 12));
        assert!(names.contains("gets, 16 MiB of cache"));
        assert!(cases().all(|(name, _, mebi)| name.contains(&format!(" {mebi} MiB"))));
    }
}
