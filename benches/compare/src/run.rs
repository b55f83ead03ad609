//! The rounds: every case on ours, then on each peer.

use std::rc::Rc;

use irmin_benches::compare::{Comparison, Unit};
use irmin_benches::keys::{Keys, Shape};
use irmin_benches::machine;
use irmin_benches::store::Kind;

use crate::Args;
use crate::cases::{Case, DURABLE, FIRST, FLAT, RELAXED};
use crate::command::Git;
use crate::gitoxide::Gitoxide;
use crate::irmin::Irmin;
use crate::libgit2::Libgit2;
use crate::maps::{Imbl, ProllyMap};
use crate::memory;
use crate::side::{Result, Side, Syncs, names};

/// Keys, as paths and as texts.
#[derive(Clone)]
pub(crate) struct Named {
    pub(crate) keys: Rc<Keys>,
    names: Rc<Vec<String>>,
}

impl Named {
    pub(crate) fn new(shape: Shape, keys: usize) -> Self {
        let keys = Rc::new(Keys::new(shape, keys));
        let names = Rc::new(names(&keys));
        Named { keys, names }
    }
}

/// What stands beside one of our stores, which is the first.
pub(crate) const GROUPS: &[(Kind, &[&str])] = &[
    (Kind::MemNative, &["mem-native", "imbl", "prolly-map"]),
    (Kind::Git, &["git", "libgit2", "gix", "git command"]),
];

/// A side by its name, unless it cannot be what it is to be.
pub(crate) fn side(
    name: &str,
    named: &Named,
    args: &Args,
    syncs: Syncs,
) -> Result<Option<Box<dyn Side>>> {
    let (keys, names, dir) = (named.keys.clone(), named.names.clone(), &args.dir);
    Ok(Some(match name {
        "mem-native" => Box::new(Irmin::new(Kind::MemNative, keys, dir, syncs)?),
        "git" => Box::new(Irmin::new(Kind::Git, keys, dir, syncs)?),
        "imbl" => Box::new(Imbl::new(names)),
        "prolly-map" => Box::new(ProllyMap::new(names)),
        "libgit2" => Box::new(Libgit2::new(names, dir, syncs)?),
        "gix" if syncs == Syncs::Off => Box::new(Gitoxide::new(names, dir)?),
        "git command" => Box::new(Git::new(names, dir, syncs)?),
        _ => return Ok(None),
    }))
}

/// Runs all of it.
pub(crate) fn rounds(args: &Args) -> Result<Vec<Comparison>> {
    let named = Named::new(args.shape, args.keys);
    let flat = Named::new(Shape::Flat, args.keys);
    let mut run = Run { args, load1: machine::load1(), found: Vec::new() };
    for _ in 0..args.rounds {
        for (kind, group) in GROUPS.iter().filter(|(kind, _)| args.has_store(kind.name())) {
            run.round(group, &named, Syncs::Off, RELAXED)?;
            if *kind == Kind::Git {
                run.round(group, &named, Syncs::On, DURABLE)?;
            }
            run.round(group, &flat, Syncs::Off, FLAT)?;
            if args.has_workload("W9") {
                run.memory(group, &named)?;
            }
        }
    }
    Ok(run.found)
}

struct Run<'a> {
    args: &'a Args,
    load1: Option<f64>,
    found: Vec<Comparison>,
}

impl Run<'_> {
    fn round(&mut self, group: &[&str], named: &Named, syncs: Syncs, cases: &[Case]) -> Result<()> {
        let asked = |case: &&Case| self.args.has_workload(case.workload);
        let asked: Vec<&Case> = cases.iter().filter(asked).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let mut sides = Vec::new();
        for (n, name) in group.iter().enumerate() {
            if n == 0 || self.args.has_peer(name) {
                sides.extend(side(name, named, self.args, syncs)?);
            }
        }
        let Some((ours, peers)) = sides.split_first_mut() else { return Ok(()) };
        // What fills the store is needed by all others.
        if !asked.iter().any(|case| case.case == FIRST) {
            for side in [&mut *ours].into_iter().chain(peers.iter_mut()) {
                side.fill(&crate::side::edits(&named.keys.sorted(), 0))?;
            }
        }
        for case in asked {
            let run = |side: &mut dyn Side| {
                let figure = (case.run)(side, &named.keys);
                figure
                    .map_err(|e| format!("{} {} on {}: {e}", case.workload, case.case, side.name()))
            };
            let Some(our) = run(ours.as_mut())? else { continue };
            for peer in &mut *peers {
                if let Some(their) = run(peer.as_mut())? {
                    let names = (ours.name(), peer.name());
                    self.add(&named.keys, case.workload, case.case, case.unit, names, (our, their));
                }
            }
        }
        Ok(())
    }

    /// W9: each side in a process of its own.
    fn memory(&mut self, group: &[&str], named: &Named) -> Result<()> {
        let mut ours = Vec::new();
        for (n, name) in group.iter().enumerate() {
            if n > 0 && !self.args.has_peer(name) {
                continue;
            }
            let Some(figures) = memory::of(name, self.args)? else { continue };
            if n == 0 {
                ours = figures;
                continue;
            }
            let names = (group[0], *name);
            for (case, their) in figures {
                if let Some((_, our)) = ours.iter().find(|(known, _)| *known == case) {
                    self.add(&named.keys, "W9", &case, Unit::Memory, names, (*our, their));
                }
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        keys: &Keys,
        workload: &str,
        case: &str,
        unit: Unit,
        (ours, peer): (&str, &str),
        (our, their): (f64, f64),
    ) {
        let same = |c: &&mut Comparison| {
            (c.workload.as_str(), c.case.as_str(), c.store.as_str(), c.peer.as_str())
                == (workload, case, ours, peer)
        };
        if let Some(known) = self.found.iter_mut().find(same) {
            known.ours.push(our);
            known.theirs.push(their);
            return;
        }
        let files = machine::file_system(&self.args.dir).filter(|_| ours == Kind::Git.name());
        self.found.push(Comparison {
            workload: workload.to_owned(),
            case: case.to_owned(),
            store: ours.to_owned(),
            files,
            peer: peer.to_owned(),
            keys: keys.len(),
            shape: keys.shape,
            unit,
            ours: vec![our],
            theirs: vec![their],
            load1: self.load1,
        });
    }
}
