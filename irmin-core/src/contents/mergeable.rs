//! How types bring their merge along, so that what is made of them needs no code.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Debug;

use super::Contents;
use super::type_name::{Parametric, Part, TypeName};
use crate::merge::{Merge, Reason};

/// A type that says how two changes of one of its values become one.
///
/// Every [`Contents`] does. Numbers, texts, booleans and lists merge as one value: equal changes
/// are one, others conflict. Optional values, pairs, triples and maps merge part by part, and sets
/// merge element by element. `derive(Contents)` merges structs and enums field by field, each by
/// its type unless an attribute says otherwise.
///
/// ```
/// use irmin_core::contents::Mergeable;
/// use std::collections::BTreeSet;
/// type Labels = Option<(String, BTreeSet<u8>)>;
/// assert_eq!(Labels::merge().name(), "option(pair(idempotent,set))");
/// ```
#[diagnostic::on_unimplemented(
    message = "nothing says how two changes of a `{Self}` merge",
    label = "this type has no merge of its own",
    note = "derive or implement `Contents` for it, or say how with `#[irmin(merge = …)]` or \
            `#[irmin(merge_with = function)]`",
    note = "`BTreeMap` and `BTreeSet` merge; hash maps and sets do not: they have no order, and so \
            no canonical bytes"
)]
pub trait Mergeable: Clone + PartialEq + Debug + Send + Sync + 'static {
    /// The name that it has as the parameter of a derived type: that one is recorded in stores, so
    /// it is as stable as [`Contents::TYPE`], which it is where there is one.
    ///
    /// Lists, sets and the keys of maps have no part in it, since they may be of any type.
    const NAME: &'static str;

    /// The merge of the type.
    fn merge() -> Merge<Self>;
}

// Otherwise the compiler speaks of `Contents`, and of all types that are.
#[diagnostic::do_not_recommend]
impl<C: Contents> Mergeable for C {
    const NAME: &'static str = C::TYPE;

    fn merge() -> Merge<Self> {
        <C as Contents>::merge()
    }
}

macro_rules! as_one_value {
    ($($type:ty,)*) => {
        $(impl Mergeable for $type {
            const NAME: &'static str = stringify!($type);

            fn merge() -> Merge<Self> {
                Merge::idempotent()
            }
        })*
    };
}

as_one_value! {
    (), bool, char, f32, f64,
    i8, i16, i32, i64, i128, isize,
    u8, u16, u32, u64, u128, usize,
}

impl<T: Clone + PartialEq + Debug + Send + Sync + 'static> Mergeable for Vec<T> {
    const NAME: &'static str = "vec";

    fn merge() -> Merge<Self> {
        Merge::idempotent()
    }
}

impl<T: Mergeable> Parametric for Option<T> {
    const NAME: &'static TypeName = &TypeName::new("option", &[Part::Type(T::NAME)]);
}

impl<T: Mergeable> Mergeable for Option<T> {
    const NAME: &'static str = <Self as Parametric>::NAME.as_str();

    fn merge() -> Merge<Self> {
        T::merge().option()
    }
}

impl<A: Mergeable, B: Mergeable> Parametric for (A, B) {
    const NAME: &'static TypeName =
        &TypeName::new("pair", &[Part::Type(A::NAME), Part::Type(B::NAME)]);
}

impl<A: Mergeable, B: Mergeable> Mergeable for (A, B) {
    const NAME: &'static str = <Self as Parametric>::NAME.as_str();

    fn merge() -> Merge<Self> {
        A::merge().pair(B::merge())
    }
}

impl<A: Mergeable, B: Mergeable, C: Mergeable> Parametric for (A, B, C) {
    const NAME: &'static TypeName =
        &TypeName::new("triple", &[Part::Type(A::NAME), Part::Type(B::NAME), Part::Type(C::NAME)]);
}

impl<A: Mergeable, B: Mergeable, C: Mergeable> Mergeable for (A, B, C) {
    const NAME: &'static str = <Self as Parametric>::NAME.as_str();

    fn merge() -> Merge<Self> {
        A::merge().triple(B::merge(), C::merge())
    }
}

impl<K, V> Parametric for BTreeMap<K, V>
where
    K: Ord + Clone + Debug + Send + Sync + 'static,
    V: Mergeable,
{
    const NAME: &'static TypeName = &TypeName::new("map", &[Part::Type(V::NAME)]);
}

impl<K, V> Mergeable for BTreeMap<K, V>
where
    K: Ord + Clone + Debug + Send + Sync + 'static,
    V: Mergeable,
{
    const NAME: &'static str = <Self as Parametric>::NAME.as_str();

    fn merge() -> Merge<Self> {
        V::merge().map()
    }
}

impl<T: Ord + Clone + Debug + Send + Sync + 'static> Mergeable for BTreeSet<T> {
    const NAME: &'static str = "set";

    fn merge() -> Merge<Self> {
        Merge::set()
    }
}

/// The ways to merge that `derive(Contents)` knows by name.
pub mod kind {
    use core::marker::PhantomData;

    macro_rules! kinds {
        ($($(#[$doc:meta])* $name:ident,)*) => {
            $($(#[$doc])* #[derive(Debug)] pub enum $name {})*
        };
    }

    kinds! {
        /// `own`: as the type says itself.
        AsOwn,
        /// `counter`: both sides' steps, for whole numbers.
        AsCounter,
        /// `set`: both sides' additions and removals.
        AsSet,
        /// `multiset`: both sides' steps, key by key.
        AsMultiset,
        /// `log`: both sides' new entries.
        AsLog,
        /// `text`: both sides' changes of different lines.
        AsText,
        /// `idempotent`: the side that changed; equal changes are one.
        AsIdempotent,
        /// `default`: the side that changed; two changes conflict, also when they are equal.
        AsDefault,
    }

    /// `map(…)`: key by key.
    #[derive(Debug)]
    pub struct AsMap<K>(PhantomData<K>);

    /// `boxed(…)`: what is in the box.
    #[derive(Debug)]
    pub struct AsBoxed<K>(PhantomData<K>);

    /// `option(…)`: a value that may be absent.
    #[derive(Debug)]
    pub struct AsOption<K>(PhantomData<K>);
}

/// A type that merges in a way that has a name, one of [`kind`]: what `#[irmin(merge = …)]` asks
/// of a field's type.
///
/// ```
/// use irmin_core::contents::{MergeAs, kind};
/// let stock = <u32 as MergeAs<kind::AsCounter>>::merge_as();
/// assert_eq!(stock.apply(Some(&5), &8, &4), Ok(7));
/// assert_eq!(stock.apply(Some(&5), &2, &1).unwrap_err().as_str(), "counter: out of range");
/// ```
#[diagnostic::on_unimplemented(
    message = "a `{Self}` has no merge `{K}`",
    label = "`{K}` is for other types",
    note = "`counter` is for whole numbers, `set` for `BTreeSet`, `map(…)` for `BTreeMap`, \
            `multiset` for `BTreeMap<_, i64>`, `log` for `Vec`s of what has an order, `text` for \
            `String`, `option(…)` for `Option`, `boxed(…)` for `Box`"
)]
pub trait MergeAs<K>: Sized {
    /// That merge of the type.
    fn merge_as() -> Merge<Self>;
}

impl<T: Mergeable> MergeAs<kind::AsOwn> for T {
    fn merge_as() -> Merge<Self> {
        T::merge()
    }
}

impl<T: Clone + PartialEq + 'static> MergeAs<kind::AsIdempotent> for T {
    fn merge_as() -> Merge<Self> {
        Merge::idempotent()
    }
}

impl<T: Clone + PartialEq + 'static> MergeAs<kind::AsDefault> for T {
    fn merge_as() -> Merge<Self> {
        Merge::default_()
    }
}

impl MergeAs<kind::AsCounter> for i64 {
    fn merge_as() -> Merge<Self> {
        Merge::counter()
    }
}

macro_rules! counters {
    ($($type:ty: $add:ident, $sub:ident;)*) => {
        $(impl MergeAs<kind::AsCounter> for $type {
            /// As [`Merge::counter`], but what the type cannot hold is a conflict.
            fn merge_as() -> Merge<Self> {
                Merge::new("counter", |base: Option<&$type>, ours, theirs| {
                    let base = base.copied().unwrap_or_default();
                    let steps = ours.abs_diff(base);
                    let sum = if *ours < base { theirs.$sub(steps) } else { theirs.$add(steps) };
                    sum.ok_or(Reason::of("counter: out of range"))
                })
            }
        })*
    };
}

counters! {
    i8: checked_add_unsigned, checked_sub_unsigned;
    i16: checked_add_unsigned, checked_sub_unsigned;
    i32: checked_add_unsigned, checked_sub_unsigned;
    i128: checked_add_unsigned, checked_sub_unsigned;
    isize: checked_add_unsigned, checked_sub_unsigned;
    u8: checked_add, checked_sub;
    u16: checked_add, checked_sub;
    u32: checked_add, checked_sub;
    u64: checked_add, checked_sub;
    u128: checked_add, checked_sub;
    usize: checked_add, checked_sub;
}

impl<T: Ord + Clone + 'static> MergeAs<kind::AsSet> for BTreeSet<T> {
    fn merge_as() -> Merge<Self> {
        Merge::set()
    }
}

impl<K: Ord + Clone + 'static> MergeAs<kind::AsMultiset> for BTreeMap<K, i64> {
    fn merge_as() -> Merge<Self> {
        Merge::multiset()
    }
}

impl<T: Ord + Clone + 'static> MergeAs<kind::AsLog> for Vec<T> {
    fn merge_as() -> Merge<Self> {
        Merge::log()
    }
}

impl MergeAs<kind::AsText> for String {
    fn merge_as() -> Merge<Self> {
        Merge::text()
    }
}

impl<K, V, I> MergeAs<kind::AsMap<I>> for BTreeMap<K, V>
where
    K: Ord + Clone + 'static,
    V: MergeAs<I> + Clone + PartialEq + 'static,
{
    fn merge_as() -> Merge<Self> {
        V::merge_as().map()
    }
}

impl<T, I> MergeAs<kind::AsBoxed<I>> for Box<T>
where
    T: MergeAs<I> + Clone + PartialEq + 'static,
{
    fn merge_as() -> Merge<Self> {
        let merge = T::merge_as();
        let name = String::from(merge.name());
        merge.like(|boxed: &Self| Some(T::clone(boxed)), |v| Some(Box::new(v))).named(name)
    }
}

impl<T, I> MergeAs<kind::AsOption<I>> for Option<T>
where
    T: MergeAs<I> + Clone + PartialEq + 'static,
{
    fn merge_as() -> Merge<Self> {
        T::merge_as().option()
    }
}
