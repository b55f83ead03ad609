//! Values of any type that serde knows, as JSON: [`AsJson`].

mod number;
mod unique;
mod writer;

use alloc::format;
use alloc::string::String;
use core::fmt::Debug;
use core::ops::{Deref, DerefMut};

use bytes::Bytes;
use serde_core::Serialize;
use serde_core::de::{DeserializeOwned, DeserializeSeed as _};

use super::Contents;
use crate::error::{Code, Error, Result};
use crate::merge::Merge;
use crate::object::ValueEncoding;

/// A value of a type that serde serialises, kept as JSON: the easy way to typed values.
///
/// The text form is made to be read in git, and compared and merged there line by line: two spaces
/// of indentation, one member or element a line, a newline at the end. It is canonical:
/// - the members of structs and variants are in the order of their declaration, the entries of
///   maps in the order of their keys as they are written, so that a `HashMap` has one text too;
/// - integers are exact, 64 bits and more; floats are the shortest text that reads as the same
///   float, with a fraction or an exponent, so that `1.0` stays a float;
/// - text is UTF-8, with no more escapes than JSON demands.
///
/// What has no JSON that reads as the same value is refused with `invalid_value` that names the
/// place: NaN and infinities, an inner `None` (`Some(None)`), keys that are neither text nor
/// whole numbers, equal keys, and more than [`MAX_DEPTH`](super::json::MAX_DEPTH) levels. A `HashSet` has
/// no order and so no canonical text: use a `BTreeSet`. Reading takes any JSON of the type, such
/// as what a person edited, but no object with two members of one name; written again it is
/// canonical.
///
/// Members that the type does not have are what serde makes of them: it drops them, and they are
/// lost when the value is written again, or merged. A type whose later versions may have more says
/// `#[serde(deny_unknown_fields)]`, which derived types do of themselves.
///
/// The binary form is the same without line breaks and spaces. Changes on both sides conflict
/// unless they are equal; [`AsJson::merge_by`] makes a policy from a merge of the plain type, and
/// `derive(Contents)` merges field by field.
///
/// ```
/// use irmin_core::contents::{AsJson, Contents};
/// use std::collections::BTreeMap;
/// type Prices = AsJson<BTreeMap<String, f64>>;
/// let prices: Prices = BTreeMap::from([("tea".into(), 2.5), ("apple".into(), 1.0)]).into();
/// let text = "{\n  \"apple\": 1.0,\n  \"tea\": 2.5\n}\n";
/// assert_eq!(prices.encode()?, text);
/// let edited = Prices::decode(r#"{"tea": 25e-1, "apple": 1}"#.into())?;
/// assert_eq!(edited.encode()?, text);
/// assert!(AsJson(f64::NAN).encode().is_err());
/// # Ok::<(), irmin_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct AsJson<T>(pub T);

impl<T> From<T> for AsJson<T> {
    fn from(value: T) -> Self {
        AsJson(value)
    }
}

impl<T> Deref for AsJson<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for AsJson<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Clone + PartialEq + 'static> AsJson<T> {
    /// A merge of the plain values, as one of these, under the same name.
    ///
    /// ```
    /// use irmin_core::contents::{AsJson, Policies};
    /// use irmin_core::Merge;
    /// type Stock = AsJson<std::collections::BTreeMap<String, i64>>;
    /// let merge = Stock::merge_by(Merge::counter().map());
    /// let policies = Policies::<Stock>::new().with("stock/**".parse()?, merge);
    /// assert_eq!(policies.rules().next().unwrap().1, "map(counter)");
    /// # Ok::<(), irmin_core::Error>(())
    /// ```
    #[must_use]
    pub fn merge_by(merge: Merge<T>) -> Merge<Self> {
        let name = String::from(merge.name());
        merge.like(|value: &Self| Some(value.0.clone()), |value| Some(AsJson(value))).named(name)
    }
}

impl<T> Contents for AsJson<T>
where
    T: Serialize + DeserializeOwned + Clone + PartialEq + Debug + Send + Sync + 'static,
{
    const TYPE: &'static str = "as-json";
    const VALUES: ValueEncoding = ValueEncoding::Raw;

    fn encode(&self) -> Result<Bytes> {
        to_text(&self.0)
    }

    fn decode(bytes: Bytes) -> Result<Self> {
        from_json(&bytes).map(AsJson)
    }

    fn encode_binary(&self) -> Result<Bytes> {
        to_line(&self.0)
    }

    fn merge() -> Merge<Self> {
        Merge::idempotent()
    }
}

/// Writes a value as canonical JSON with line breaks, the text form of [`AsJson`].
///
/// # Errors
/// `invalid_value`, naming the place, for what JSON cannot hold.
pub fn to_text(value: &(impl Serialize + ?Sized)) -> Result<Bytes> {
    let mut text = writer::write(value, writer::Style::Lines)?;
    text.push('\n');
    Ok(text.into())
}

/// Writes a value as canonical JSON in one line, the binary form of [`AsJson`].
///
/// # Errors
/// As [`to_text`].
pub fn to_line(value: &(impl Serialize + ?Sized)) -> Result<Bytes> {
    Ok(writer::write(value, writer::Style::Compact)?.into())
}

/// Reads JSON, in whatever style, with nothing after it, and no object that has two members of one
/// name.
///
/// The depth is bounded, and nothing is allocated but for what is read.
///
/// # Errors
/// `invalid_value` with the line and column where it is not what the type demands.
pub fn from_json<T: DeserializeOwned>(text: &[u8]) -> Result<T> {
    read(text).map_err(|e| {
        Error::new(Code::InvalidValue, format!("the value does not fit its type: {e}"))
            .with_source(e)
    })
}

fn read<T: DeserializeOwned>(text: &[u8]) -> serde_json::Result<T> {
    let value = serde_json::from_slice(text)?;
    // It is a value of the type, which may not be all that the text says.
    if text.contains(&b'{') {
        unique::Unique.deserialize(&mut serde_json::Deserializer::from_slice(text))?;
    }
    Ok(value)
}
