//! One value, of which the last one written stays.

use alloc::vec::Vec;

use super::element::Name;
use super::{At, Container, Element, Event, Holds};
use crate::contents::binary::Reader;
use crate::contents::json::JsonValue;
use crate::error::Result;
use crate::merge::Reason;
use crate::repo::{Commit, CommitOptions};

/// A value and the time when it was written: OCaml Irmin's `Lww_register`.
///
/// **Promise**: it is the write of the history with the greatest time, and of those at the same
/// time the one with the greatest value. A write is later than all that it follows, whatever the
/// clock says, so a write is lost only to one that did not know of it, or that replaced it.
///
/// The original keeps a clock's nanoseconds; here they are counted from 1970, beginning with the
/// date of the commit, which has seconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LwwRegister<T> {
    value: T,
    time: i64,
}

impl<T: Element + Ord> LwwRegister<T> {
    /// A register with a value written at some time, in nanoseconds since 1970.
    #[must_use]
    pub fn new(value: T, time: i64) -> Self {
        LwwRegister { value, time }
    }

    /// What becomes of a register when a value is written to it.
    #[must_use]
    pub fn write(old: Option<&Self>, value: T, event: &Event) -> Self {
        LwwRegister { value, time: event.after(old.map(|old| old.time)) }
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &T {
        &self.value
    }

    /// When it was written, in nanoseconds since 1970.
    #[must_use]
    pub fn time(&self) -> i64 {
        self.time
    }
}

/// The pair of value and time, as in the original.
impl<T: Element + Ord> Element for LwwRegister<T> {
    const NAME: &'static str = const { &Name::of(&["lww-register(", T::NAME, ")"]) }.as_str();

    fn to_binary(&self, out: &mut Vec<u8>) {
        self.value.to_binary(out);
        self.time.to_binary(out);
    }

    fn from_binary(from: &mut Reader<'_>) -> Result<Self> {
        <(T, i64)>::from_binary(from).map(|(value, time)| LwwRegister { value, time })
    }

    fn to_json(&self) -> JsonValue {
        JsonValue::Array([self.value.to_json(), self.time.to_json()].into())
    }

    fn from_json(json: JsonValue) -> Result<Self> {
        <(T, i64)>::from_json(json).map(|(value, time)| LwwRegister { value, time })
    }
}

impl<T: Element + Ord> Container for LwwRegister<T> {
    fn join(_: Option<&Self>, ours: &Self, theirs: &Self) -> core::result::Result<Self, Reason> {
        let key = |register: &Self| (register.time, register.value.clone());
        Ok(if key(ours) > key(theirs) { ours.clone() } else { theirs.clone() })
    }
}

impl<T: Element + Ord, C: Holds<LwwRegister<T>>> At<LwwRegister<T>, C> {
    /// Writes a value.
    ///
    /// # Errors
    /// As [`At::edit`].
    pub fn write(
        &self,
        value: impl Into<T>,
        options: impl Into<CommitOptions>,
    ) -> Result<Option<Commit<C>>> {
        self.put(value, options, |old: Option<LwwRegister<T>>, value, event| {
            LwwRegister::write(old.as_ref(), value, event)
        })
    }

    /// The value, if one was written.
    ///
    /// # Errors
    /// As [`At::get`].
    pub fn read(&self) -> Result<Option<T>> {
        Ok(self.get()?.map(|register| register.value))
    }
}
