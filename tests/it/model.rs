//! Random scripts against the reference model, on every format and on a backend that refuses
//! every breach of its contract.

pub(crate) mod script;
mod world;

use std::sync::Arc;

use irmin_core::backend::{Backend, MemoryBackend, StrictMemory};
use irmin_core::{Format, FormatSpec};
use proptest::prelude::*;

use script::Op;
use world::World;
pub(crate) use world::{apply, compare, compare_diff, context, has_modes, model_of, path, tree_of};

pub(crate) fn specs() -> Vec<FormatSpec> {
    FormatSpec::PRESETS.iter().map(|name| name.parse().unwrap()).collect()
}

fn memory(spec: FormatSpec) -> Arc<dyn Backend> {
    Arc::new(MemoryBackend::new(Format::new(spec)))
}

fn strict(spec: FormatSpec) -> Arc<dyn Backend> {
    Arc::new(StrictMemory::new(Format::new(spec)).demanding_pins())
}

fn run(backend: Arc<dyn Backend>, script: &[Op]) -> World {
    let mut world = World::new(backend);
    script.iter().for_each(|op| world.run(op));
    world
}

/// Few cases, for every build; `IRMIN_TEST_FACTOR` multiplies them for a longer search.
pub(crate) fn cases(n: u32) -> ProptestConfig {
    let factor = std::env::var("IRMIN_TEST_FACTOR").ok().and_then(|f| f.parse().ok()).unwrap_or(1);
    ProptestConfig { cases: n * factor, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn a_store_is_what_the_model_says(script in script::script(14)) {
        let worlds: Vec<World> = specs().into_iter().map(|s| run(memory(s), &script)).collect();
        for pair in [(0, 3), (1, 2)] {
            // Formats with modes, and those without, agree among themselves.
            let (a, b) = (&worlds[pair.0], &worlds[pair.1]);
            if a.wide_merges == 0 && b.wide_merges == 0 {
                prop_assert_eq!(&a.log, &b.log);
                prop_assert_eq!(a.models(), b.models());
            }
        }
    }

    #[test]
    fn a_strict_backend_has_nothing_to_refuse(script in script::script(14), n in 0..4_usize) {
        run(strict(specs()[n]), &script);
    }
}

proptest! {
    #![proptest_config(cases(3))]

    #[test]
    fn directories_around_a_leaf_of_the_trie(script in script::wide(32)) {
        specs().into_iter().for_each(|spec| drop(run(memory(spec), &script)));
    }

    #[test]
    fn directories_around_the_stable_bound(script in script::wide(256)) {
        run(memory(FormatSpec::irmin_pack()), &script);
        run(strict(FormatSpec::native()), &script);
    }
}
