//! Which parts of a repository are synced: git's `core.fsync`.
//!
//! Git calls the parts components. A value is a list of their names, or of what their names begin
//! with, which are added to those of the default, or with a `-` taken from them; `none` at the end
//! of a value makes the default empty. What is both added and taken is synced. It is read as
//! `parse_fsync_components` of git's `environment.c` reads it; names that are not known count for
//! nothing, and git warns of them.
//!
//! The default differs: git does not sync refs unless it is told to, here everything is synced.
//! `core.fsyncObjectFiles` can only add the syncs of loose objects, in git as well, and none are
//! written here. `core.fsyncMethod` is not looked at: what is synced is synced whole.

/// The key in git's configuration.
pub(crate) const KEY: &str = "core.fsync";

/// The components that this crate writes, and whether each is synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fsync {
    /// Packs.
    pub(crate) pack: bool,
    /// Their indices.
    pub(crate) pack_metadata: bool,
    /// Refs: files of their own, `packed-refs`, `HEAD`.
    pub(crate) reference: bool,
}

/// None of the components.
const NONE: Fsync = Fsync { pack: false, pack_metadata: false, reference: false };
const PACK: Fsync = Fsync { pack: true, ..NONE };
const PACK_METADATA: Fsync = Fsync { pack_metadata: true, ..NONE };
const REFERENCE: Fsync = Fsync { reference: true, ..NONE };
/// Objects and what names them, which is what `git commit` and its like write.
const COMMITTED: Fsync = Fsync { pack: true, reference: true, ..NONE };

/// The names that a value may have, with what they stand for of what is written here.
const NAMES: [(&str, Fsync); 11] = [
    ("loose-object", NONE),
    ("pack", PACK),
    ("pack-metadata", PACK_METADATA),
    ("commit-graph", NONE),
    ("index", NONE),
    ("objects", PACK),
    ("reference", REFERENCE),
    ("derived-metadata", PACK_METADATA),
    ("committed", COMMITTED),
    ("added", COMMITTED),
    ("all", Fsync::ALL),
];

impl Fsync {
    /// All of them: what holds where nothing is configured.
    pub(crate) const ALL: Fsync = Fsync { pack: true, pack_metadata: true, reference: true };

    /// What a value of `core.fsync` says.
    pub(crate) fn parse(value: &str) -> Fsync {
        let (mut current, mut added, mut taken) = (Fsync::ALL, NONE, NONE);
        let mut rest = value;
        loop {
            rest = rest.trim_start_matches([',', ' ', '\t', '\n', '\r']);
            // Only what ends the value: git takes `none,pack` for a name that it does not know.
            if rest == "none" {
                current = NONE;
                break;
            }
            let name = rest.split(',').next().unwrap_or_default();
            rest = rest.strip_prefix(name).unwrap_or_default();
            let (start, set) = match name.strip_prefix('-') {
                Some(name) => (name, &mut taken),
                None => (name, &mut added),
            };
            if start.is_empty() {
                break;
            }
            for (_, components) in NAMES.iter().filter(|(full, _)| full.starts_with(start)) {
                *set = set.either(*components);
            }
        }
        current.without(taken).either(added)
    }

    /// What is in one of two.
    fn either(self, other: Fsync) -> Fsync {
        Fsync {
            pack: self.pack || other.pack,
            pack_metadata: self.pack_metadata || other.pack_metadata,
            reference: self.reference || other.reference,
        }
    }

    /// What is in the one and not in the other.
    fn without(self, other: Fsync) -> Fsync {
        Fsync {
            pack: self.pack && !other.pack,
            pack_metadata: self.pack_metadata && !other.pack_metadata,
            reference: self.reference && !other.reference,
        }
    }

    /// Whether the directory of packs is synced: it names packs, indices, and the files that will
    /// be refs, by which a lock that a crash leaves behind is known to be ours.
    pub(crate) fn packs_dir(self) -> bool {
        self != NONE
    }

    /// Git's names of those that are not synced.
    pub(crate) fn missing(self) -> Vec<&'static str> {
        let all = [
            ("pack", self.pack),
            ("pack-metadata", self.pack_metadata),
            ("reference", self.reference),
        ];
        all.into_iter().filter(|(_, synced)| !synced).map(|(name, _)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values, with what they leave synced.
    const VALUES: &[(&str, Fsync)] = &[
        ("", Fsync::ALL),
        ("all", Fsync::ALL),
        ("none", NONE),
        (" ,\tnone", NONE),
        ("committed,-loose-object", Fsync::ALL),
        ("-loose-object", Fsync::ALL),
        ("reference", Fsync::ALL),
        ("reference,none", REFERENCE),
        ("added,none", COMMITTED),
        ("committed, none", COMMITTED),
        ("objects,none", PACK),
        ("derived-metadata,none", PACK_METADATA),
        ("all,none", Fsync::ALL),
        ("index,none", NONE),
        ("-pack-metadata", COMMITTED),
        ("-derived-metadata", COMMITTED),
        ("-objects", Fsync { pack: false, ..Fsync::ALL }),
        ("-reference", Fsync { reference: false, ..Fsync::ALL }),
        ("-committed", PACK_METADATA),
        ("-added", PACK_METADATA),
        ("-all", NONE),
        ("-all,reference", REFERENCE),
        ("reference,-all", REFERENCE),
        // What a name begins with is enough, so that `pack` is two of them.
        ("-pack", REFERENCE),
        ("pack,none", Fsync { reference: false, ..Fsync::ALL }),
        ("c,none", COMMITTED),
        ("-re", Fsync { reference: false, ..Fsync::ALL }),
        // What is no name changes nothing.
        ("none,reference", Fsync::ALL),
        ("none ", Fsync::ALL),
        ("-none", Fsync::ALL),
        ("None", Fsync::ALL),
        ("-Pack", Fsync::ALL),
        ("surprise,none", NONE),
        ("-pack ", Fsync::ALL),
        ("- pack", Fsync::ALL),
        ("--pack", Fsync::ALL),
        ("-packs", Fsync::ALL),
        // A lone `-` ends the list.
        ("-reference,-,none", Fsync { reference: false, ..Fsync::ALL }),
    ];

    #[test]
    fn only_what_is_taken_away_is_not_synced() {
        for (value, expected) in VALUES {
            assert_eq!(Fsync::parse(value), *expected, "{value:?}");
        }
        assert_eq!(NONE.missing(), ["pack", "pack-metadata", "reference"]);
        assert!(Fsync::ALL.missing().is_empty());
        assert!(REFERENCE.packs_dir() && !NONE.packs_dir());
    }
}
