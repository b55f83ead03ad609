//! Containers as parts of other values: for serde, each is its JSON.

use serde_core::de::{Deserialize, Deserializer, Error as _};
use serde_core::ser::{Serialize, Serializer};

use super::{AddWinsSet, BlobLog, Container, Counter, Element, LwwRegister, MergeMap, Queue, Text};
use crate::contents::json::JsonValue;

macro_rules! parts {
    ($($name:ident $(<$($part:ident: $bound:ident $(+ $more:ident)?),+>)?,)*) => {$(
        impl $(<$($part: $bound $(+ $more)?),+>)? Serialize for $name $(<$($part),+>)? {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.to_json().serialize(serializer)
            }
        }

        impl<'de $(, $($part: $bound $(+ $more)?),+)?> Deserialize<'de>
            for $name $(<$($part),+>)?
        {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::from_json(JsonValue::deserialize(deserializer)?).map_err(D::Error::custom)
            }
        }
    )*};
}

parts! {
    AddWinsSet<T: Element + Ord>,
    BlobLog<T: Element + Ord>,
    Counter,
    LwwRegister<T: Element + Ord>,
    MergeMap<K: Element + Ord, V: Container>,
    Queue<T: Element + Ord>,
    Text,
}
