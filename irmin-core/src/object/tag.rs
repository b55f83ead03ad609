//! What an annotated tag says.

use bytes::Bytes;

use super::Kind;
use crate::id::Key;
use crate::info::Signature;

/// The data of an annotated tag: an object, and who gave it this name and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TagData {
    /// What is tagged.
    pub target: Key,
    /// What that is: a commit, for the tags that are written here.
    pub kind: Kind,
    /// The name that it was given; that of the ref, unless the ref was renamed.
    pub name: Bytes,
    /// Who and when; the oldest tags of git do not say.
    pub tagger: Option<Signature>,
    /// Why, with the signature at its end where there is one.
    pub message: Bytes,
}
