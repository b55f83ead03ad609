//! Object names of git, as this crate passes them around: twenty bytes.

use irmin_core::{Code, Error, Hash, HashFunction, Key, Kind, Result};

/// A SHA-1 object name.
pub(crate) type Oid = [u8; 20];

/// The name behind a hash.
///
/// # Errors
/// `invalid_revision` for a hash of another length.
pub(crate) fn from_hash(hash: &Hash) -> Result<Oid> {
    Oid::try_from(hash.as_bytes()).map_err(|_| {
        Error::new(
            Code::InvalidRevision,
            format!("{hash} is not the name of an object of this repository: 40 digits"),
        )
    })
}

/// The hash of a name.
pub(crate) fn to_hash(oid: &Oid) -> Hash {
    // Twenty bytes are always a hash; the digest of nothing stands in for the impossible.
    Hash::new(oid).unwrap_or_else(|_| HashFunction::Sha1.digest(&[]))
}

/// The key of a name: this engine has no locators.
pub(crate) fn to_key(oid: &Oid) -> Key {
    Key::from(to_hash(oid))
}

/// The digest of some bytes.
pub(crate) fn digest(bytes: &[u8]) -> Oid {
    finish(hasher_of(bytes))
}

/// A hasher that has seen some bytes.
pub(crate) fn hasher_of(bytes: &[u8]) -> irmin_core::Hasher {
    let mut hasher = HashFunction::Sha1.hasher();
    hasher.update(bytes);
    hasher
}

/// The digest of a SHA-1 hasher.
pub(crate) fn finish(hasher: irmin_core::Hasher) -> Oid {
    let hash = hasher.finish();
    let mut oid = [0; 20];
    for (to, from) in oid.iter_mut().zip(hash.as_bytes()) {
        *to = *from;
    }
    oid
}

/// The word that git's header has for a kind; `None` for kinds that git does not know.
pub(crate) fn type_word(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Value => Some("blob"),
        Kind::Node => Some("tree"),
        Kind::Commit => Some("commit"),
        Kind::Tag => Some("tag"),
        Kind::Inode | Kind::Chunk | Kind::ChunkIndex => None,
    }
}

/// The pre-image of an object: git's header and the body.
pub(crate) fn pre_image(kind: Kind, body: &[u8]) -> Result<Vec<u8>> {
    let word = type_word(kind).ok_or_else(|| not_of_git(kind))?;
    let mut bytes = format!("{word} {}\0", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    Ok(bytes)
}

/// The error for a kind of object that git does not have.
pub(crate) fn not_of_git(kind: Kind) -> Error {
    Error::new(Code::Unsupported, format!("a git repository cannot hold a {kind}"))
}

/// The body of an object, after checking that its header says what it is.
///
/// # Errors
/// `corrupt_object` if the header is not git's for this kind and length; `unsupported` for a kind
/// that git does not have.
pub(crate) fn body<'a>(kind: Kind, id: &Hash, bytes: &'a [u8]) -> Result<&'a [u8]> {
    let word = type_word(kind).ok_or_else(|| not_of_git(kind))?;
    let bad = || Error::corrupt(word, id, "its header does not say what it is");
    let end = bytes.iter().take(32).position(|b| *b == 0).ok_or_else(bad)?;
    let (header, rest) = bytes.split_at_checked(end).ok_or_else(bad)?;
    let body = rest.get(1..).ok_or_else(bad)?;
    if header == format!("{word} {}", body.len()).as_bytes() { Ok(body) } else { Err(bad()) }
}
