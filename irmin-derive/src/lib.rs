//! `derive(Contents)`: the encoding and the merge of structs and enums, field by field.
//!
//! Programs use it as `irmin_core::Contents`, the macro beside the trait, with the feature
//! `derive` of `irmin-core`. See [`macro@Contents`].

mod attributes;
mod input;
mod json;
mod merge;

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{ConstParam, DeriveInput, GenericParam, TypeParam, parse_macro_input};

use crate::input::Input;

/// Makes a struct or an enum a type of values.
///
/// ```
/// use irmin_core::Contents;
/// use std::collections::BTreeSet;
///
/// #[derive(Contents, Clone, PartialEq, Debug)]
/// #[irmin(type = "item")]
/// struct Item {
///     name: String,
///     #[irmin(merge = counter)]
///     stock: i64,
///     tags: BTreeSet<String>,
///     #[irmin(merge = lww(priced_at))]
///     price: f64,
///     priced_at: u64,
///     #[irmin(merge = text)]
///     notes: String,
/// }
///
/// let tea = Item {
///     name: "tea".into(),
///     stock: 10,
///     tags: BTreeSet::new(),
///     price: 2.5,
///     priced_at: 1,
///     notes: String::new(),
/// };
/// let ours = Item { stock: 13, tags: ["green".into()].into(), ..tea.clone() };
/// let theirs = Item { stock: 9, price: 2.75, priced_at: 2, ..tea.clone() };
/// let merged = Item::merge().apply(Some(&tea), &ours, &theirs).unwrap();
/// assert_eq!((merged.stock, merged.price), (12, 2.75));
/// assert_eq!(merged.tags, ["green".into()].into());
///
/// let ours = Item { name: "Tea".into(), ..tea.clone() };
/// let theirs = Item { name: "green tea".into(), ..tea.clone() };
/// let refused = Item::merge().apply(Some(&tea), &ours, &theirs).unwrap_err();
/// assert_eq!(refused.as_str(), "name: default");
/// # Ok::<(), irmin_core::Error>(())
/// ```
///
/// The type has to be `Clone`, `PartialEq`, `Debug`, and own what it is made of.
///
/// # How it merges
/// What only one side changed is taken whole. Otherwise each field merges by its own type (see
/// `irmin_core::contents::Mergeable`: another derived type, an optional value, a map or a set go
/// part by part, most others are one value), or as an attribute of the field says:
///
/// | `#[irmin(…)]` | for | the merge |
/// |---|---|---|
/// | `merge = own`, or `nested` | what merges | as the type says: the default |
/// | `merge = counter` | whole numbers | both sides' steps |
/// | `merge = set` | `BTreeSet` | both sides' additions and removals |
/// | `merge = multiset` | `BTreeMap<_, i64>` | both sides' steps, key by key |
/// | `merge = map(…)` | `BTreeMap` | key by key, as in the brackets; `map` alone is `map(own)` |
/// | `merge = option(…)` | `Option` | what is there as in the brackets |
/// | `merge = boxed(…)` | `Box` | what is in it as in the brackets |
/// | `merge = lww(field)` | anything | the side where that other field is larger, a time |
/// | `merge = log` | `Vec` of what has an order | both sides' new entries |
/// | `merge = text` | `String` | both sides' changes of different lines |
/// | `merge = idempotent` | anything | the side that changed; equal changes are one |
/// | `merge = default` | anything | the side that changed; two changes conflict |
/// | `merge_with = path` | anything | a function `fn(Option<&T>, &T, &T) -> Result<T, Reason>` |
///
/// A field that is the time of `lww` goes with what it is the time of. Fields that have one time go
/// together, from the later side: those that shall not be lost to changes of others need times of
/// their own. All fields that conflict
/// are told, with their names: `price: default; notes: text: both sides changed line 3`.
///
/// Containers (`irmin_core::containers`) are fields too, and merge as they do at a path of their own:
/// a `Counter`, an `LwwRegister`, a `BlobLog`, an `AddWinsSet`, a `MergeMap`, a `Text`, a `Queue`.
/// They are edited by an event, which `At::edit` gives out:
///
/// ```
/// # use std::sync::Arc;
/// # use irmin_core::backend::MemoryBackend;
/// use irmin_core::containers::{AddWinsSet, At, Text};
/// use irmin_core::{Contents, Context, Format, FormatSpec, Repo};
///
/// #[derive(Contents, Clone, PartialEq, Debug, Default)]
/// struct Note {
///     tags: AddWinsSet<String>,
///     text: Text,
/// }
/// # let backend = MemoryBackend::new(Format::new(FormatSpec::git()));
/// # let repo = Repo::new(Arc::new(backend), Context::new("ann", || 1_000))?;
///
/// let main = repo.typed::<Note>()?.main()?;
/// At::<Note>::new(&main, "today")?.edit("write it down", "milk", |old, event| {
///     let mut note = old.unwrap_or_default();
///     note.tags.add("shopping".into(), event);
///     note.text.write("milk\n", event);
///     Ok(Some(note))
/// })?;
/// assert_eq!(main.get("today")?.unwrap().text.read(), "milk\n");
/// # Ok::<(), irmin_core::Error>(())
/// ```
///
/// Two values of one variant of an enum merge field by field; two different variants conflict with
/// `default`. On a type, `merge = lww(field)`, `merge = idempotent` and `merge_with = path` merge
/// it as a whole. A type may hold itself, in a `Box`, an `Option` or a list.
///
/// # How it is encoded
/// As canonical JSON that is made to be read and compared in git, like `AsJson`: an object of the
/// fields in their order, each on a line of its own. A tuple struct is an array, one with a single
/// field is that field. A variant is its name, or an object from its name to its fields.
///
/// Reading is strict, because what is dropped would be lost when it is written again: unknown and
/// repeated fields are refused, and missing ones that are not optional. The error names the type,
/// the field, the line and the column. So a program that lacks a new field takes values with it
/// as they are, where only one side changed them, and refuses to merge them otherwise. (With `serde`
/// it is for the type to say `#[serde(deny_unknown_fields)]`.)
///
/// | `#[irmin(…)]` | on | meaning |
/// |---|---|---|
/// | `type = "item"` | a type | the name that stores record; otherwise `OrderLine` is `order-line`; parameters follow, as in `list<u8>` |
/// | `rename = "…"` | a field, a variant | its name in JSON and in conflicts |
/// | `default` | a field | if it is missing it is `Default::default()`: for fields that are new |
/// | `serde` | a type | it is encoded as its own `Serialize` and `Deserialize` say; `rename` is for conflicts only |
/// | `crate = path` | a type | where `irmin_core` is, if it has another name there |
///
/// Renaming a type, a field or a variant in the program changes what is written: give it its old
/// name with these attributes.
#[proc_macro_derive(Contents, attributes(irmin))]
pub fn contents(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    Input::read(input).map_or_else(|e| e.to_compile_error(), |input| expand(&input)).into()
}

/// Where the core has what generated code is made of.
fn support() -> TokenStream {
    support_at(Span::call_site())
}

/// The same for code that the compiler shall find at a place: all of a call has to be there, or it
/// points at everything between.
fn support_at(place: Span) -> TokenStream {
    quote_spanned!(place=> __irmin::contents::derived)
}

fn expand(input: &Input) -> TokenStream {
    let (ident, core) = (&input.ident, &input.core);
    let (impls, types, bounds) = input.generics.split_for_impl();
    let merge = merge::of_type(input);
    let (name, parametric) = name(input);
    let json = (!input.serde).then(|| json::of_type(input));
    // In a scope of its own, where the core has a name that nothing else has, whatever it is called
    // where the type is.
    quote! {
        const _: () = {
            use #core as __irmin;

            #json
            #parametric

            #[automatically_derived]
            impl #impls __irmin::Contents for #ident #types #bounds {
                const TYPE: &'static str = #name;
                const VALUES: __irmin::ValueEncoding = __irmin::ValueEncoding::Raw;

                fn encode(&self) -> __irmin::Result<__irmin::Bytes> {
                    __irmin::contents::derived::to_text(self)
                }

                fn decode(bytes: __irmin::Bytes) -> __irmin::Result<Self> {
                    __irmin::contents::derived::decode(&bytes)
                }

                fn encode_binary(&self) -> __irmin::Result<__irmin::Bytes> {
                    __irmin::contents::derived::to_line(self)
                }

                fn merge() -> __irmin::Merge<Self> {
                    #merge
                }
            }
        };
    }
}

/// The name that stores record, and what it is made of where the type has parameters.
fn name(input: &Input) -> (TokenStream, Option<TokenStream>) {
    let (ident, name, support) = (&input.ident, &input.name, support());
    let parts = input.generics.params.iter().filter_map(|parameter| match parameter {
        GenericParam::Type(TypeParam { ident, .. }) => Some(quote! {
            #support::Part::Type(<#ident as __irmin::contents::Mergeable>::NAME)
        }),
        GenericParam::Const(ConstParam { ident, .. }) => Some(quote! {
            #support::Part::Number(#ident as i128)
        }),
        GenericParam::Lifetime(_) => None,
    });
    let parts: Vec<TokenStream> = parts.collect();
    if parts.is_empty() {
        return (quote!(#name), None);
    }
    let (impls, types, bounds) = input.generics.split_for_impl();
    let parametric = quote! {
        #[automatically_derived]
        impl #impls #support::Parametric for #ident #types #bounds {
            const NAME: &'static #support::TypeName =
                &#support::TypeName::new(#name, &[#(#parts),*]);
        }
    };
    (quote!(<Self as #support::Parametric>::NAME.as_str()), Some(parametric))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that calls the core otherwise has no `irmin_core`.
    #[test]
    fn the_core_is_where_the_type_says() {
        let input: DeriveInput = syn::parse_quote! {
            #[irmin(crate = crate::store)]
            enum Shape<T> {
                Point,
                Text(#[irmin(merge = option(text))] Option<String>),
                Box(Option<Box<T>>, u8),
                Named { #[irmin(merge = lww(at), default)] shape: T, at: u64 },
            }
        };
        let input = Input::read(input).map(|input| expand(&input).to_string());
        let code = input.unwrap_or_else(|e| e.to_string());
        assert!(code.contains("use crate :: store as __irmin ;"), "{code}");
        assert!(!code.contains("irmin_core"), "{code}");
    }
}
