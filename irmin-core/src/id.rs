//! Names of objects: typed ids, and keys that pair a hash with where its object is.

use alloc::format;
use alloc::string::String;
use core::fmt;

use crate::error::{Code, Error, Result};
use crate::hash::Hash;

/// An opaque hint that lets one store find an object without an index.
///
/// It means something only to the store that issued it; [`Locator::NONE`] means "look it up".
/// A store never reuses a locator, and never trusts one: it checks that the record it finds
/// there carries the hash of the key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Locator(pub u64);

impl Locator {
    /// No hint.
    pub const NONE: Locator = Locator(u64::MAX);
}

/// The name of an object in one store: its hash, and where the store keeps it.
///
/// Equality, order and hashing look at the hash alone, so a key with a locator equals the same
/// key without one.
///
/// ```
/// use irmin_core::{HashFunction, Key, Locator};
/// let hash = HashFunction::Sha1.digest(b"x");
/// assert_eq!(Key::from(hash), Key { hash, at: Locator(7) });
/// ```
#[derive(Clone, Copy)]
pub struct Key {
    /// What the object is.
    pub hash: Hash,
    /// Where it is.
    pub at: Locator,
}

impl From<Hash> for Key {
    fn from(hash: Hash) -> Self {
        Key { hash, at: Locator::NONE }
    }
}
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}
impl Eq for Key {}
impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Key {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.hash.cmp(&other.hash)
    }
}
impl core::hash::Hash for Key {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.hash, f)
    }
}

macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Hash);

        impl $name {
            /// The hash behind the id.
            #[must_use]
            pub fn hash(self) -> Hash {
                self.0
            }
        }
        impl From<Hash> for $name {
            fn from(hash: Hash) -> Self {
                $name(hash)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
        impl core::str::FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                text.parse().map($name)
            }
        }
    )*};
}

typed_ids! {
    /// The id of a value.
    ContentsId;
    /// The id of a directory and everything below it.
    TreeId;
    /// The id of a commit: a tree and its history.
    CommitId;
}

/// The first digits of a hash, as people type them: at least four.
///
/// ```
/// use irmin_core::{HashFunction, HashPrefix};
/// let hash = HashFunction::Sha1.digest(b"x");
/// let prefix: HashPrefix = hash.short(7).parse().unwrap();
/// assert!(prefix.matches(&hash));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HashPrefix {
    digits: String,
}

impl HashPrefix {
    /// The fewest digits that name an object.
    pub const MIN_DIGITS: usize = 4;

    /// Whether the hash begins with these digits.
    #[must_use]
    pub fn matches(&self, hash: &Hash) -> bool {
        let digits = self.digits.as_bytes();
        digits.len() <= 2 * hash.len()
            && digits.iter().zip(nibbles(hash)).all(|(d, n)| digit(*d) == Some(n))
    }

    /// The smallest byte string that a hash with this prefix can begin with.
    ///
    /// A store whose index is sorted starts looking there.
    #[must_use]
    pub fn lower_bound(&self) -> alloc::vec::Vec<u8> {
        self.digits
            .as_bytes()
            .chunks(2)
            .map(|pair| {
                let high = pair.first().and_then(|d| digit(*d)).unwrap_or(0);
                let low = pair.get(1).and_then(|d| digit(*d)).unwrap_or(0);
                (high << 4) | low
            })
            .collect()
    }

    /// The digits, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.digits
    }
}

fn digit(d: u8) -> Option<u8> {
    char::from(d).to_digit(16).and_then(|n| u8::try_from(n).ok())
}

fn nibbles(hash: &Hash) -> impl Iterator<Item = u8> + '_ {
    hash.as_bytes().iter().flat_map(|b| [b >> 4, b & 15])
}

impl core::str::FromStr for HashPrefix {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let hex = text.bytes().all(|b| b.is_ascii_hexdigit());
        if !hex || text.len() < Self::MIN_DIGITS || text.len() > 2 * crate::hash::MAX_HASH_LEN {
            return Err(Error::new(
                Code::InvalidRevision,
                format!("`{text}` is not an abbreviated hash: 4 or more digits 0-9 and a-f"),
            ));
        }
        Ok(HashPrefix { digits: text.to_ascii_lowercase() })
    }
}

impl fmt::Display for HashPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.digits)
    }
}
