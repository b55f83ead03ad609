//! What the code that `derive(Contents)` writes is made of. It is no interface: it changes with
//! the macro.
//!
//! A *body* is the fields of a struct or of a variant, numbered from zero by variant: a type
//! implements [`Body`] once for each. What can be written once for all types is here, so that the
//! macro writes little.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Display};
use core::marker::PhantomData;

use serde_core::de::{
    Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde_core::forward_to_deserialize_any;

use super::Contents;
use super::as_json::from_json;
use crate::merge::{Merge, Reason, take_changed};

pub use super::as_json::{to_line, to_text};
pub use super::type_name::{Parametric, Part, TypeName};
pub use crate::merge::Asked;
pub use alloc::string::String as Name;
pub use serde_core as serde;

/// The fields of a struct, or of a variant, from JSON.
pub trait Body<const INDEX: usize>: Sized {
    /// What is expected, for messages.
    const EXPECTED: &'static str;

    /// Reads an object of fields that have names.
    fn object<'de, A: MapAccess<'de>>(_: A) -> Result<Self, A::Error> {
        Err(A::Error::invalid_type(Unexpected::Map, &Self::EXPECTED))
    }

    /// Reads an array of fields that have none.
    fn array<'de, A: SeqAccess<'de>>(_: A) -> Result<Self, A::Error> {
        Err(A::Error::invalid_type(Unexpected::Seq, &Self::EXPECTED))
    }
}

/// The variants of an enum, from JSON.
pub trait Variants: Sized {
    /// What is expected, for messages.
    const EXPECTED: &'static str;
    /// Their names.
    const NAMES: &'static [&'static str];

    /// Reads what follows the name of a variant.
    fn variant<'de, A: VariantAccess<'de>>(name: &str, access: A) -> Result<Self, A::Error>;
}

/// Reads a body.
#[derive(Debug)]
pub struct ReadBody<T, const INDEX: usize>(PhantomData<T>);

impl<T, const INDEX: usize> ReadBody<T, INDEX> {
    /// A visitor.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "the macro names it")]
    pub fn new() -> Self {
        ReadBody(PhantomData)
    }
}

impl<'de, T: Body<INDEX>, const INDEX: usize> Visitor<'de> for ReadBody<T, INDEX> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::object(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<T, A::Error> {
        T::array(seq)
    }
}

/// Reads an enum.
#[derive(Debug)]
pub struct ReadEnum<T>(PhantomData<T>);

impl<T> ReadEnum<T> {
    /// A visitor.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "the macro names it")]
    pub fn new() -> Self {
        ReadEnum(PhantomData)
    }
}

impl<'de, T: Variants> Visitor<'de> for ReadEnum<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<T, A::Error> {
        let (name, rest) = access.variant_seed(VariantName(T::NAMES))?;
        T::variant(name, rest)
    }
}

/// Reads one of these names. What reads JSON says where a name is that is none of them, as it could
/// not once it was read.
struct VariantName(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for VariantName {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<&'static str, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for VariantName {
    type Value = &'static str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a variant")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<&'static str, E> {
        let known = self.0.iter().find(|known| **known == name).copied();
        known.ok_or_else(|| E::unknown_variant(name, self.0))
    }
}

/// Reads the value of a field that is named here.
///
/// # Errors
/// If it is there twice, or is not of its type, naming the field.
pub fn fill<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    slot: &mut Option<T>,
    name: &'static str,
    map: &mut A,
) -> Result<(), A::Error> {
    if slot.is_some() {
        return Err(A::Error::duplicate_field(name));
    }
    *slot = Some(map.next_value().map_err(|e| inside(name, &e))?);
    Ok(())
}

/// Puts the name of a field before an error.
pub fn inside<E: Error>(name: impl Display, error: &E) -> E {
    E::custom(format_args!("field `{name}`: {error}"))
}

/// The value of a field that may not have been there: that of an optional one is `None`.
///
/// # Errors
/// If it was not there and is not optional.
pub fn filled<'de, T: Deserialize<'de>, E: Error>(
    slot: Option<T>,
    name: &'static str,
) -> Result<T, E> {
    slot.map_or_else(|| T::deserialize(Missing(name, PhantomData)), Ok)
}

/// The next value of an array.
///
/// # Errors
/// If there is none, or it is not of its type.
pub fn element<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(
    seq: &mut A,
    index: usize,
    expected: &'static str,
) -> Result<T, A::Error> {
    match seq.next_element() {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(A::Error::invalid_length(index, &expected)),
        Err(e) => Err(inside(index, &e)),
    }
}

/// A field that is not there.
struct Missing<E>(&'static str, PhantomData<E>);

impl<'de, E: Error> Deserializer<'de> for Missing<E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, E> {
        Err(E::missing_field(self.0))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_none()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// Reads the text form of a value, or the binary one.
///
/// # Errors
/// `invalid_value`, naming the type, the field, the line and the column.
pub fn decode<T: Contents + DeserializeOwned>(text: &[u8]) -> crate::Result<T> {
    from_json(text).map_err(|e| e.context(format_args!("type `{}`", T::TYPE)))
}

/// The merge of a type that has parts: what one side left alone is the other's, the rest is what
/// the parts say.
#[must_use]
pub fn merge<T: Contents>(
    parts: fn(&mut Asked) -> bool,
    function: fn(Option<&T>, &T, &T) -> Result<T, Reason>,
) -> Merge<T> {
    Merge::of_parts(T::TYPE, parts, move |base: Option<&T>, ours, theirs| {
        take_changed(base, ours, theirs).or_else(|_| function(base, ours, theirs))
    })
}

/// Whether a part is idempotent.
pub fn idempotent<T: 'static>(part: &Merge<T>, asked: &mut Asked) -> bool {
    part.asked(asked)
}

/// Two variants of an enum.
///
/// # Errors
/// Always: both sides changed it, to different things.
pub fn variants<T>(base: Option<&T>) -> Result<T, Reason> {
    Err(if base.is_some() { Reason::DEFAULT } else { Reason::NO_ANCESTOR })
}

/// Collects the conflicts of parts: all of them are told.
#[derive(Debug, Default)]
pub struct Parts {
    conflicts: Vec<String>,
}

impl Parts {
    /// Merges a part; the only one of a value has no name.
    pub fn merge<T: 'static>(
        &mut self,
        name: &str,
        merge: &Merge<T>,
        base: Option<&T>,
        ours: &T,
        theirs: &T,
    ) -> Option<T> {
        let merged = merge.apply(base, ours, theirs);
        let colon = if name.is_empty() { "" } else { ": " };
        merged.map_err(|reason| self.conflicts.push(format!("{name}{colon}{reason}"))).ok()
    }

    /// Why the whole conflicts.
    #[must_use]
    pub fn reason(self) -> Reason {
        Reason::new(self.conflicts.join("; "))
    }
}

/// What tells which of two changes is the later one.
#[diagnostic::on_unimplemented(
    message = "a `{Self}` is no time for `lww`: it has no total order",
    label = "this is to say which change is the later one",
    note = "whole numbers are times, and pairs of a number and an author; floats are not, since NaN \
            is neither before nor after anything"
)]
pub trait Time: Sized {
    /// Takes a part from the side that was written later, by another part, its time.
    fn part<T: Clone + PartialEq + 'static>(
        parts: &mut Parts,
        name: &str,
        base: Option<(&Self, &T)>,
        ours: (&Self, &T),
        theirs: (&Self, &T),
    ) -> Option<T>;

    /// The merge that takes the whole from the side that was written later.
    fn whole<T: Clone + PartialEq + 'static>(time: fn(&T) -> &Self) -> Merge<T>;
}

#[diagnostic::do_not_recommend]
impl<K: Ord + Clone + 'static> Time for K {
    fn part<T: Clone + PartialEq + 'static>(
        parts: &mut Parts,
        name: &str,
        base: Option<(&K, &T)>,
        ours: (&K, &T),
        theirs: (&K, &T),
    ) -> Option<T> {
        let own = |(time, value): (&K, &T)| (time.clone(), value.clone());
        let merge = Merge::last_writer(|written: &(K, T)| written.0.clone());
        let base = base.map(own);
        parts.merge(name, &merge, base.as_ref(), &own(ours), &own(theirs)).map(|written| written.1)
    }

    fn whole<T: Clone + PartialEq + 'static>(time: fn(&T) -> &K) -> Merge<T> {
        Merge::last_writer(move |value| time(value).clone())
    }
}
