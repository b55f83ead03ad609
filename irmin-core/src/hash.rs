//! Hashes and the functions that make them, chosen by name at run time.
//!
//! A [`Hash`] is inline and `Copy`, whatever its length, so that nothing that holds hashes
//! allocates for them. A [`HashFunction`] is a value: one program opens stores of any function.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use crate::error::{Code, Error, Result};

/// The longest digest that a store may use, in bytes (BLAKE2b-512, Irmin's default).
pub const MAX_HASH_LEN: usize = 64;

/// A digest: between 1 and [`MAX_HASH_LEN`] bytes, printed as lower-case hexadecimal.
///
/// Equality and order are those of the bytes.
///
/// ```
/// use irmin_core::{Hash, HashFunction};
/// let hash = HashFunction::Sha1.digest(b"blob 6\0hello\n");
/// assert_eq!(hash.to_string(), "ce013625030ba8dba906f756967f9e9ca394464a");
/// assert_eq!("ce013625030ba8dba906f756967f9e9ca394464a".parse::<Hash>().unwrap(), hash);
/// ```
// The length first, so that most hashes end in the line of the processor's cache they begin in.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Hash {
    len: u8,
    bytes: [u8; MAX_HASH_LEN],
}

impl Hash {
    /// A hash of these bytes.
    ///
    /// # Errors
    /// `invalid_revision` unless there are 1 to [`MAX_HASH_LEN`] of them.
    pub fn new(digest: &[u8]) -> Result<Self> {
        let mut bytes = [0; MAX_HASH_LEN];
        match (bytes.get_mut(..digest.len()), u8::try_from(digest.len())) {
            (Some(slot), Ok(len)) if len > 0 => {
                slot.copy_from_slice(digest);
                Ok(Hash { len, bytes })
            }
            _ => Err(Error::new(
                Code::InvalidRevision,
                format!("a hash has 1 to {MAX_HASH_LEN} bytes, not {}", digest.len()),
            )),
        }
    }

    /// The bytes of the digest.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// How many bytes it has.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "no hash is empty")]
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// The first `digits` hexadecimal digits, for people.
    #[must_use]
    pub fn short(&self, digits: usize) -> String {
        let mut text = self.to_string();
        text.truncate(digits);
        text
    }
}

impl PartialEq for Hash {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}
impl Eq for Hash {}
impl PartialOrd for Hash {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Hash {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}
impl core::hash::Hash for Hash {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        // A digest is uniform already: eight of its bytes tell it from others, and the hash maps
        // of the store mix them with a seed of their own against crafted collisions.
        let mut word = [0; 8];
        let bytes = self.as_bytes();
        let n = bytes.len().min(8);
        if let (Some(to), Some(from)) = (word.get_mut(..n), bytes.get(..n)) {
            to.copy_from_slice(from);
        }
        state.write_u64(u64::from_le_bytes(word));
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}
impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = |why: &str| Error::new(Code::InvalidRevision, format!("`{text}` {why}"));
        if text.is_empty() || !text.len().is_multiple_of(2) || text.len() > 2 * MAX_HASH_LEN {
            return Err(bad("is not a hash: the number of digits is wrong"));
        }
        let mut bytes = [0; MAX_HASH_LEN];
        for (slot, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = core::str::from_utf8(pair).ok().filter(|d| !d.starts_with('+'));
            *slot = digits
                .and_then(|d| u8::from_str_radix(d, 16).ok())
                .ok_or_else(|| bad("is not a hash: it has other characters than 0-9 and a-f"))?;
        }
        Hash::new(bytes.get(..text.len() / 2).unwrap_or_default())
    }
}

/// A hash function of the registry: the text form is its name, with the length where it varies.
///
/// Those of SHA-2, RIPEMD-160 and BLAKE2s are there with the feature `hashes`, which `std` brings:
/// no preset needs them, and they are a tenth of a small program.
///
/// | name | digest |
/// |---|---|
/// | `sha1`, `sha224`, `sha256`, `sha384`, `sha512` | 20, 28, 32, 48, 64 bytes |
/// | `rmd160` | 20 bytes |
/// | `blake2b`, `blake2b/N` | 64, or N of 1 to 64 bytes |
/// | `blake2s`, `blake2s/N` | 32, or N of 1 to 32 bytes |
/// | `blake3` | 32 bytes |
///
/// ```
/// use irmin_core::HashFunction;
/// let f: HashFunction = "blake2b/32".parse().unwrap();
/// assert_eq!(f.len(), 32);
/// assert_eq!(f.to_string(), "blake2b/32");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HashFunction {
    /// SHA-1, the function of git.
    Sha1,
    /// SHA-224.
    #[cfg(feature = "hashes")]
    Sha224,
    /// SHA-256.
    #[cfg(feature = "hashes")]
    Sha256,
    /// SHA-384.
    #[cfg(feature = "hashes")]
    Sha384,
    /// SHA-512.
    #[cfg(feature = "hashes")]
    Sha512,
    /// RIPEMD-160.
    #[cfg(feature = "hashes")]
    Rmd160,
    /// BLAKE2b with a digest of that many bytes (1 to 64).
    Blake2b(u8),
    /// BLAKE2s with a digest of that many bytes (1 to 32).
    #[cfg(feature = "hashes")]
    Blake2s(u8),
    /// BLAKE3 with a digest of 32 bytes.
    Blake3,
}

impl HashFunction {
    /// The names of the registry, in the order in which messages list them.
    #[cfg(feature = "hashes")]
    pub const NAMES: &'static [&'static str] =
        &["blake2b", "blake2s", "blake3", "rmd160", "sha1", "sha224", "sha256", "sha384", "sha512"];

    /// The names of the registry, in the order in which messages list them.
    #[cfg(not(feature = "hashes"))]
    pub const NAMES: &'static [&'static str] = &["blake2b", "blake3", "sha1"];

    /// The length of its digests, in bytes.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "no digest is empty")]
    pub const fn len(self) -> usize {
        match self {
            HashFunction::Sha1 => 20,
            HashFunction::Blake3 => 32,
            HashFunction::Blake2b(n) => n as usize,
            #[cfg(feature = "hashes")]
            HashFunction::Rmd160 => 20,
            #[cfg(feature = "hashes")]
            HashFunction::Sha224 => 28,
            #[cfg(feature = "hashes")]
            HashFunction::Sha256 => 32,
            #[cfg(feature = "hashes")]
            HashFunction::Sha384 => 48,
            #[cfg(feature = "hashes")]
            HashFunction::Sha512 => 64,
            #[cfg(feature = "hashes")]
            HashFunction::Blake2s(n) => n as usize,
        }
    }

    /// The digest of some bytes.
    #[must_use]
    pub fn digest(self, bytes: &[u8]) -> Hash {
        if self == HashFunction::Blake3 {
            // At once it needs no state on the heap, which matters for the hashes of steps.
            let mut digest = [0; MAX_HASH_LEN];
            let len = fill(&mut digest, blake3::hash(bytes).as_bytes());
            return Hash { len, bytes: digest };
        }
        let mut hasher = self.hasher();
        hasher.update(bytes);
        hasher.finish()
    }

    /// A hasher that takes its input in pieces.
    #[must_use]
    pub fn hasher(self) -> Hasher {
        Hasher(match self {
            HashFunction::Sha1 => State::Sha1(sha1::Digest::new()),
            #[cfg(feature = "hashes")]
            HashFunction::Sha224 => State::Sha224(sha2::Digest::new()),
            #[cfg(feature = "hashes")]
            HashFunction::Sha256 => State::Sha256(sha2::Digest::new()),
            #[cfg(feature = "hashes")]
            HashFunction::Sha384 => State::Sha384(sha2::Digest::new()),
            #[cfg(feature = "hashes")]
            HashFunction::Sha512 => State::Sha512(sha2::Digest::new()),
            #[cfg(feature = "hashes")]
            HashFunction::Rmd160 => State::Rmd160(ripemd::Digest::new()),
            HashFunction::Blake2b(n) => {
                let len = usize::from(n).clamp(1, 64);
                State::Blake2b(blake2b_simd::Params::new().hash_length(len).to_state())
            }
            #[cfg(feature = "hashes")]
            HashFunction::Blake2s(n) => {
                let len = usize::from(n).clamp(1, 32);
                State::Blake2s(blake2s_simd::Params::new().hash_length(len).to_state())
            }
            HashFunction::Blake3 => State::Blake3(Box::new(blake3::Hasher::new())),
        })
    }
}

impl fmt::Display for HashFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HashFunction::Sha1 => f.write_str("sha1"),
            #[cfg(feature = "hashes")]
            HashFunction::Sha224 => f.write_str("sha224"),
            #[cfg(feature = "hashes")]
            HashFunction::Sha256 => f.write_str("sha256"),
            #[cfg(feature = "hashes")]
            HashFunction::Sha384 => f.write_str("sha384"),
            #[cfg(feature = "hashes")]
            HashFunction::Sha512 => f.write_str("sha512"),
            #[cfg(feature = "hashes")]
            HashFunction::Rmd160 => f.write_str("rmd160"),
            HashFunction::Blake2b(64) => f.write_str("blake2b"),
            HashFunction::Blake2b(n) => write!(f, "blake2b/{n}"),
            #[cfg(feature = "hashes")]
            HashFunction::Blake2s(32) => f.write_str("blake2s"),
            #[cfg(feature = "hashes")]
            HashFunction::Blake2s(n) => write!(f, "blake2s/{n}"),
            HashFunction::Blake3 => f.write_str("blake3"),
        }
    }
}

impl FromStr for HashFunction {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = |why: String| Error::new(Code::InvalidArgument, why);
        let (name, size) = match text.split_once('/') {
            Some((name, size)) => {
                let n = size.parse::<u8>().map_err(|_| {
                    invalid(format!("Non-numeric hash size {size} passed for `{name}'"))
                })?;
                (name, Some(n))
            }
            None => (text, None),
        };
        let sized = |max: u8, make: fn(u8) -> HashFunction| match size.unwrap_or(max) {
            n if n >= 1 && n <= max => Ok(make(n)),
            n => Err(invalid(format!("`{name}' has digests of 1 to {max} bytes, not {n}"))),
        };
        let fixed = match name {
            "blake2b" => return sized(64, HashFunction::Blake2b),
            #[cfg(feature = "hashes")]
            "blake2s" => return sized(32, HashFunction::Blake2s),
            "sha1" => HashFunction::Sha1,
            #[cfg(feature = "hashes")]
            "sha224" => HashFunction::Sha224,
            #[cfg(feature = "hashes")]
            "sha256" => HashFunction::Sha256,
            #[cfg(feature = "hashes")]
            "sha384" => HashFunction::Sha384,
            #[cfg(feature = "hashes")]
            "sha512" => HashFunction::Sha512,
            #[cfg(feature = "hashes")]
            "rmd160" => HashFunction::Rmd160,
            "blake3" => HashFunction::Blake3,
            _ => {
                return Err(invalid(format!(
                    "Invalid hash function: {name}. Expected one of: {}.",
                    HashFunction::NAMES.join(", ")
                )));
            }
        };
        match size {
            None => Ok(fixed),
            Some(n) => Err(invalid(format!(
                "Cannot specify a size for hash function `{name}' ({n} passed)."
            ))),
        }
    }
}

/// A hash in the making.
///
/// ```
/// use irmin_core::HashFunction;
/// let mut hasher = HashFunction::Blake3.hasher();
/// hasher.update(b"he");
/// hasher.update(b"llo");
/// assert_eq!(hasher.finish(), HashFunction::Blake3.digest(b"hello"));
/// ```
#[derive(Clone)]
pub struct Hasher(State);

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

#[derive(Clone)]
enum State {
    Sha1(sha1::Sha1),
    Blake2b(blake2b_simd::State),
    Blake3(Box<blake3::Hasher>),
    #[cfg(feature = "hashes")]
    Blake2s(blake2s_simd::State),
    #[cfg(feature = "hashes")]
    Sha224(sha2::Sha224),
    #[cfg(feature = "hashes")]
    Sha256(sha2::Sha256),
    #[cfg(feature = "hashes")]
    Sha384(sha2::Sha384),
    #[cfg(feature = "hashes")]
    Sha512(sha2::Sha512),
    #[cfg(feature = "hashes")]
    Rmd160(ripemd::Ripemd160),
}

impl Hasher {
    /// Adds bytes to the input.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha1(h) => sha1::Digest::update(h, bytes),
            #[cfg(feature = "hashes")]
            State::Sha224(h) => sha2::Digest::update(h, bytes),
            #[cfg(feature = "hashes")]
            State::Sha256(h) => sha2::Digest::update(h, bytes),
            #[cfg(feature = "hashes")]
            State::Sha384(h) => sha2::Digest::update(h, bytes),
            #[cfg(feature = "hashes")]
            State::Sha512(h) => sha2::Digest::update(h, bytes),
            #[cfg(feature = "hashes")]
            State::Rmd160(h) => ripemd::Digest::update(h, bytes),
            State::Blake2b(h) => {
                h.update(bytes);
            }
            #[cfg(feature = "hashes")]
            State::Blake2s(h) => {
                h.update(bytes);
            }
            State::Blake3(h) => {
                h.update(bytes);
            }
        }
    }

    /// The digest of all the input.
    #[must_use]
    pub fn finish(self) -> Hash {
        let mut bytes = [0; MAX_HASH_LEN];
        let len = match self.0 {
            State::Sha1(h) => fill(&mut bytes, &sha1::Digest::finalize(h)),
            #[cfg(feature = "hashes")]
            State::Sha224(h) => fill(&mut bytes, &sha2::Digest::finalize(h)),
            #[cfg(feature = "hashes")]
            State::Sha256(h) => fill(&mut bytes, &sha2::Digest::finalize(h)),
            #[cfg(feature = "hashes")]
            State::Sha384(h) => fill(&mut bytes, &sha2::Digest::finalize(h)),
            #[cfg(feature = "hashes")]
            State::Sha512(h) => fill(&mut bytes, &sha2::Digest::finalize(h)),
            #[cfg(feature = "hashes")]
            State::Rmd160(h) => fill(&mut bytes, &ripemd::Digest::finalize(h)),
            State::Blake3(h) => fill(&mut bytes, h.finalize().as_bytes()),
            State::Blake2b(h) => fill(&mut bytes, h.finalize().as_bytes()),
            #[cfg(feature = "hashes")]
            State::Blake2s(h) => fill(&mut bytes, h.finalize().as_bytes()),
        };
        Hash { len, bytes }
    }
}

fn fill(bytes: &mut [u8; MAX_HASH_LEN], digest: &[u8]) -> u8 {
    for (to, from) in bytes.iter_mut().zip(digest) {
        *to = *from;
    }
    u8::try_from(digest.len()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published test vectors of the functions, for the message "abc".
    #[test]
    fn known_digests() {
        for (name, digest) in [
            ("sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            ("sha224", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"),
            ("sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            ("rmd160", "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"),
            ("blake3", "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"),
            ("blake2s", "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982"),
            (
                "blake2b",
                "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1\
                 7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923",
            ),
            ("blake2b/20", "384264f676f39536840523f284921cdc68b6846b"),
        ] {
            let f: HashFunction = name.parse().unwrap();
            assert_eq!(f.digest(b"abc").to_string(), digest, "{name}");
            assert_eq!(f.digest(b"abc").len(), f.len());
            assert_eq!(f.to_string(), name);
        }
    }

    #[test]
    fn names_that_are_refused() {
        for (name, why) in [
            ("md5", "Invalid hash function: md5. Expected one of:"),
            ("blake2b/x", "Non-numeric hash size x passed"),
            ("blake2b/0", "1 to 64"),
            ("blake2b/65", "1 to 64"),
            ("sha1/20", "Cannot specify a size for hash function `sha1' (20 passed)."),
        ] {
            let message = name.parse::<HashFunction>().unwrap_err().to_string();
            assert!(message.contains(why), "{name}: {message}");
        }
    }

    #[test]
    fn hashes_that_are_refused() {
        for text in ["", "a", "zz", "+1", &"00".repeat(65)] {
            assert!(text.parse::<Hash>().is_err(), "{text}");
        }
        assert_eq!("AB".parse::<Hash>().unwrap().to_string(), "ab");
    }
}
