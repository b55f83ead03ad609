//! Derived code stands in any module, and under any lint: it is not the user's to mend.
#![deny(warnings, missing_docs, unreachable_pub, missing_debug_implementations)]
#![deny(unused_qualifications, unused_results, single_use_lifetimes, non_ascii_idents)]
#![deny(clippy::all, clippy::pedantic, clippy::missing_inline_in_public_items)]
#![deny(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::shadow_unrelated,
    clippy::same_name_method
)]

/// Names that code likes to take for granted, and that mean something else here.
pub mod shadows {
    macro_rules! names {
        ($($name:ident)*) => {
            $(/// Not what it seems.
            #[derive(Clone, PartialEq, Debug)]
            #[allow(dead_code)]
            pub struct $name;)*
        };
    }
    names! { Option Result Vec Box String Some None Ok Err Merge Contents Error Bytes BTreeMap Reason }

    /// Not that of std.
    pub trait Default {}
    /// Not that of serde.
    pub trait Serialize {}

    mod irmin_core {}
    mod core {}
    mod std {}
    mod serde {}
    #[allow(unused_imports)]
    use self::{core as _, irmin_core as _, serde as _, std as _};

    /// Text that may be there.
    pub type Text = ::std::option::Option<::std::string::String>;

    /// Something of everything.
    #[derive(::irmin_core::Contents, Clone, PartialEq, Debug)]
    pub enum Everything<T, const N: usize> {
        /// Nothing.
        Unit,
        /// One.
        Newtype(#[irmin(merge = counter)] u64),
        /// Two.
        Tuple(T, ::std::vec::Vec<u8>),
        /// Many, under the names that generated code might choose.
        Named {
            /// A name.
            base: T,
            /// A name.
            ours: ::std::boxed::Box<Plain>,
            /// A name.
            #[irmin(merge = lww(name))]
            value_0: Text,
            /// A name.
            name: u64,
            /// A name.
            #[irmin(default, merge_with = super::larger)]
            parts: u8,
        },
    }

    /// The fields of a struct.
    #[derive(::irmin_core::Contents, Clone, PartialEq, Debug)]
    pub struct Plain {
        /// A keyword.
        pub r#match: u8,
        /// Another one.
        #[irmin(merge = lww(r#match))]
        pub r#type: Text,
        /// That nobody should use.
        #[deprecated]
        #[irmin(default)]
        pub old: bool,
    }

    /// Fields without names.
    #[derive(::irmin_core::Contents, Clone, PartialEq, Debug)]
    #[irmin(merge = lww(0))]
    pub struct Tuple(pub u8, pub Text);

    /// No fields.
    #[derive(::irmin_core::Contents, Clone, Copy, PartialEq, Debug)]
    pub struct Unit;
}

// Merges are given references, and may refuse.
#[allow(clippy::trivially_copy_pass_by_ref, clippy::unnecessary_wraps)]
fn larger(_: Option<&u8>, ours: &u8, theirs: &u8) -> Result<u8, irmin_core::Reason> {
    Ok(*ours.max(theirs))
}

/// Types that are arguments of another macro.
pub mod made {
    macro_rules! make {
        ($name:ident, $part:ty, $other:ty) => {
            /// A type.
            #[derive(irmin_core::Contents, Clone, PartialEq, Debug)]
            pub struct $name {
                /// A part.
                pub part: $part,
                /// A time.
                #[irmin(merge = lww(part))]
                pub boxed: $other,
            }
            /// Another type.
            #[derive(irmin_core::Contents, Clone, PartialEq, Debug)]
            pub enum Other {
                /// One.
                One($part),
                /// Two.
                Two($other, $part),
            }
        };
    }
    make!(Made, u8, Option<Box<Other>>);
}

/// Where the core has another name.
pub mod elsewhere {
    pub use irmin_core as store;
}

/// A type that finds the core there.
#[derive(elsewhere::store::Contents, Clone, PartialEq, Debug)]
#[irmin(crate = crate::elsewhere::store)]
pub struct Renamed {
    /// A part.
    #[irmin(merge = counter)]
    pub count: i64,
}

#[test]
fn names_and_lints_do_not_matter() {
    use elsewhere::store::Contents;
    fn read<C: Contents>(value: &C) -> C {
        C::decode(value.encode().expect("JSON")).expect("the same")
    }
    type Everything = shadows::Everything<bool, 3>;
    /// In a function, too.
    #[derive(irmin_core::Contents, Clone, PartialEq, Debug)]
    struct Local(Everything);

    let value = Local(Everything::Tuple(true, Vec::from([1])));
    assert_eq!(read(&value), value);
    let (one, two, three) = (Renamed { count: 1 }, Renamed { count: 2 }, Renamed { count: 3 });
    assert_eq!(Renamed::merge().apply(Some(&one), &two, &two), Ok(three));
}
