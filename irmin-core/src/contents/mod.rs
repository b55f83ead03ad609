//! L2: what values are: their types, their bytes, and how they merge.
//!
//! A store holds values of one type, a [`Contents`]. Its name and the merge policies in force
//! are recorded, so that a program that knows another type says so instead of merging wrongly.
//!
//! A value has two byte forms. Git stores keep what a person wants to read, the *text* form
//! ([`Contents::encode`]); stores of the Irmin layout hash what OCaml Irmin hashes, the *binary*
//! form ([`Contents::encode_binary`]). For plain bytes and text they are the same.

pub mod as_json;
pub mod binary;
#[doc(hidden)]
pub mod derived;
pub mod json;
mod mergeable;
mod policy;
mod type_name;

use alloc::format;
use alloc::string::String;
use core::fmt::Debug;

use bytes::Bytes;

use crate::error::{Code, Error, Result};
use crate::merge::Merge;
use crate::object::ValueEncoding;

pub use as_json::AsJson;
pub use mergeable::{MergeAs, Mergeable, kind};
pub use policy::{Pattern, Policies};

/// A type of values.
///
/// # Contract
/// - `decode(encode(v)?) == v`, with the same bytes when it is encoded again, and so in the binary
///   form. (Equal values need not have equal bytes: JSON objects keep the order of their members.)
/// - Decoding any bytes ends in bounded time and memory, without a panic: they come from outside.
/// - The merge is a pure function.
///
/// ```
/// # use std::sync::Arc;
/// # use irmin_core::{Context, Format, FormatSpec, Repo, backend::MemoryBackend};
/// # let backend = Arc::new(MemoryBackend::new(Format::new(FormatSpec::git())));
/// # let repo = Repo::new(backend, Context::new("ann", || 1_000))?;
/// use irmin_core::object::ValueEncoding;
/// use irmin_core::{Bytes, Code, Contents, Error, Merge};
///
/// /// The most that was ever seen.
/// #[derive(Clone, PartialEq, Debug)]
/// struct Most(u64);
///
/// impl Contents for Most {
///     const TYPE: &'static str = "most";
///     const VALUES: ValueEncoding = ValueEncoding::Tagged;
///
///     fn encode(&self) -> irmin_core::Result<Bytes> {
///         Ok(self.0.to_string().into())
///     }
///
///     fn decode(bytes: Bytes) -> irmin_core::Result<Self> {
///         let text = std::str::from_utf8(&bytes).ok().filter(|text| !text.starts_with(['+', '0']));
///         let number = text.and_then(|text| text.parse().ok());
///         number.map(Most).ok_or_else(|| Error::new(Code::InvalidValue, "not a number"))
///     }
///
///     fn merge() -> Merge<Self> {
///         Merge::new("most", |_, ours: &Self, theirs: &Self| Ok(Most(ours.0.max(theirs.0))))
///     }
/// }
///
/// let repo = repo.typed::<Most>()?;
/// let (main, side) = (repo.main()?, repo.branch("side")?);
/// main.set("load", Most(3), "seen")?;
/// side.set("load", Most(5), "seen")?;
/// main.merge(&side, "merge")?.resolved()?;
/// assert_eq!(main.get("load")?, Some(Most(5)));
/// # Ok::<(), irmin_core::Error>(())
/// ```
pub trait Contents: Clone + PartialEq + Debug + Send + Sync + 'static {
    /// The name that stores record, such as `json`: unique, and stable for ever.
    const TYPE: &'static str;

    /// How the binary form becomes the pre-image of a hash, in the Irmin layout.
    const VALUES: ValueEncoding;

    /// Whether any bytes are a value, and are their own encoding in both forms: such values are
    /// written and read as streams, of any size.
    const PLAIN: bool = false;

    /// The text form: canonical bytes, as a git store keeps them.
    ///
    /// # Errors
    /// `invalid_value` for a value that has no such form, as NaN has none in JSON: it is refused
    /// when it is put into a tree, before anything is written.
    fn encode(&self) -> Result<Bytes>;

    /// Reads the text form.
    ///
    /// # Errors
    /// `invalid_value`, saying what is wrong and where.
    fn decode(bytes: Bytes) -> Result<Self>;

    /// The binary form: what stores of the Irmin layout keep and hash; the text form unless a type
    /// says otherwise.
    ///
    /// # Errors
    /// As [`Contents::encode`].
    fn encode_binary(&self) -> Result<Bytes> {
        self.encode()
    }

    /// Reads the binary form.
    ///
    /// # Errors
    /// `invalid_value`, saying what is wrong and where.
    fn decode_binary(bytes: Bytes) -> Result<Self> {
        Self::decode(bytes)
    }

    /// How changes of one value on two sides become one, unless a policy of its path says
    /// otherwise.
    fn merge() -> Merge<Self>;
}

/// Uninterpreted bytes: files.
impl Contents for Bytes {
    const TYPE: &'static str = "bytes";
    const VALUES: ValueEncoding = ValueEncoding::Tagged;
    const PLAIN: bool = true;

    fn encode(&self) -> Result<Bytes> {
        Ok(self.clone())
    }

    fn decode(bytes: Bytes) -> Result<Self> {
        Ok(bytes)
    }

    fn merge() -> Merge<Self> {
        Merge::idempotent()
    }
}

/// Text in UTF-8.
impl Contents for String {
    const TYPE: &'static str = "string";
    const VALUES: ValueEncoding = ValueEncoding::Tagged;

    fn encode(&self) -> Result<Bytes> {
        Ok(Bytes::copy_from_slice(self.as_bytes()))
    }

    fn decode(bytes: Bytes) -> Result<Self> {
        match core::str::from_utf8(&bytes) {
            Ok(text) => Ok(String::from(text)),
            Err(e) => Err(Error::new(
                Code::InvalidValue,
                format!("the value is not text: not UTF-8 after byte {}", e.valid_up_to()),
            )),
        }
    }

    fn merge() -> Merge<Self> {
        Merge::idempotent()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_utf_8() {
        let refused = String::decode(Bytes::from_static(b"ok\xff")).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidValue);
        assert_eq!(refused.to_string(), "the value is not text: not UTF-8 after byte 2");
        assert_eq!(String::decode(Bytes::from_static("é".as_bytes())).unwrap(), "é");
    }
}
