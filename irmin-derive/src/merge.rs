//! The merge.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::Ident;

use crate::attributes::How;
use crate::input::{Body, Field, Input, Shape};
use crate::{support, support_at};

/// The expression that `Contents::merge` is.
pub(crate) fn of_type(input: &Input) -> TokenStream {
    let support = support();
    let name = quote!(<Self as __irmin::Contents>::TYPE);
    let whole: syn::Type = syn::parse_quote!(Self);
    match &input.how {
        Some(How::LastWriter(time)) => {
            let field = input.bodies.iter().flat_map(|body| &body.fields);
            let whole = field.filter(|field| field.member == *time).map(|field| {
                let (ty, support) = (&field.ty, support_at(field.place()));
                quote_spanned!(field.place()=> <#ty as #support::Time>::whole::<Self>(|value| &value.#time))
            });
            return quote!(#(#whole)*.named(#name));
        }
        Some(how @ (How::Kind(_) | How::With(_))) => {
            let merge = how.merge(&whole);
            return quote!(#merge.named(#name));
        }
        Some(How::Own) | None => {}
    }
    let fields = input.bodies.iter().flat_map(|body| &body.fields);
    let parts = fields.filter_map(|field| field.how.merge(&field.ty));
    let bodies = input.bodies.iter().map(|body| of_body(input, body));
    let others = (input.bodies.len() > 1).then(|| quote!(_ => #support::variants(base),));
    quote! {
        #support::merge::<Self>(
            |asked| asked.parts::<Self>(&[
                #(|asked| #support::idempotent(&#parts, asked),)*
            ]),
            |base, ours, theirs| match (ours, theirs) {
                #(#bodies)*
                #others
            },
        )
    }
}

/// The arm for two values that are the same variant.
fn of_body(input: &Input, body: &Body) -> TokenStream {
    let (path, support) = (&body.path, support());
    let members: Vec<_> = body.fields.iter().map(|field| &field.member).collect();
    let names = |side: &str| -> Vec<Ident> {
        (0..body.fields.len()).map(|i| format_ident!("{side}_{i}")).collect()
    };
    let (ours, theirs, merged) = (names("ours"), names("theirs"), names("merged"));
    let steps = body.fields.iter().enumerate().map(|(i, field)| of_field(input, body, i, field));
    let (begin, check) = if body.fields.is_empty() {
        (None, None)
    } else {
        (
            Some(quote! {
                let mut parts = #support::Parts::default();
            }),
            Some(quote! {
                let (#(::core::option::Option::Some(#merged),)*) = (#(#merged,)*) else {
                    return ::core::result::Result::Err(parts.reason());
                };
            }),
        )
    };
    quote! {
        (#path { #(#members: #ours,)* }, #path { #(#members: #theirs,)* }) => {
            #begin
            #(#steps)*
            #check
            ::core::result::Result::Ok(#path { #(#members: #merged,)* })
        }
    }
}

fn of_field(input: &Input, body: &Body, i: usize, field: &Field) -> TokenStream {
    let sides = |i: usize| {
        (format_ident!("ours_{i}"), format_ident!("theirs_{i}"), format_ident!("merged_{i}"))
    };
    let (ours, theirs, merged) = sides(i);
    let name = match (body.shape, input.is_enum) {
        (Shape::Newtype, false) => "",
        (Shape::Newtype, true) => &body.name,
        _ => &field.name,
    };
    let base = |field: &Field| {
        let (path, member) = (&body.path, &field.member);
        if input.bodies.len() == 1 {
            quote!(base.map(|#path { #member: value, .. }| value))
        } else {
            quote! {
                base.and_then(|base| match base {
                    #path { #member: value, .. } => ::core::option::Option::Some(value),
                    _ => ::core::option::Option::None,
                })
            }
        }
    };
    let value = base(field);
    if let Some(merge) = field.how.merge(&field.ty) {
        return quote! {
            let #merged = parts.merge(#name, &#merge, #value, #ours, #theirs);
        };
    }
    // The others have a merge: this one goes with its time.
    let time = match &field.how {
        How::LastWriter(time) => body.fields.iter().position(|field| field.member == *time),
        _ => None,
    };
    let (time, i) = time.and_then(|i| Some((body.fields.get(i)?, i))).unwrap_or((field, i));
    let (our_time, their_time, _) = sides(i);
    let (ty, base_time, support) = (&time.ty, base(time), support_at(time.place()));
    quote_spanned! {time.place()=>
        let #merged = <#ty as #support::Time>::part(
            &mut parts,
            #name,
            #base_time.zip(#value),
            (#our_time, #ours),
            (#their_time, #theirs),
        );
    }
}
