//! The encoding: `Serialize` and `Deserialize`, as serde's own macros would do it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};

use crate::input::{Body, Field, Input, Shape};
use crate::{support, support_at};

/// The statements that write fields, each as an expression, to `list`, and end it.
fn write_fields(body: &Body, writer: &str, values: &[TokenStream]) -> TokenStream {
    let writer = |place| {
        let (support, writer) = (support_at(place), Ident::new(writer, place));
        quote_spanned!(place=> #support::serde::ser::#writer)
    };
    let steps = body.fields.iter().zip(values).map(|(field, value)| {
        let name = (body.shape == Shape::Named).then_some(&field.name).into_iter();
        let writer = writer(field.place());
        quote_spanned!(field.place()=> #writer::serialize_field(&mut list, #(#name,)* #value)?;)
    });
    let writer = writer(Span::call_site());
    quote!(#(#steps)* #writer::end(list))
}

/// Both impls.
pub(crate) fn of_type(input: &Input) -> TokenStream {
    let (ident, name) = (&input.ident, input.ident.to_string());
    let (impls, types, bounds) = input.generics.split_for_impl();
    let support = support();
    let write = if input.is_enum { write_enum(input, &name) } else { write_struct(input, &name) };
    let read = if input.is_enum { read_enum(input, &name) } else { read_struct(input, &name) };
    let bodies = input.bodies.iter().enumerate();
    let bodies = bodies.map(|(index, body)| read_body(input, index, body));
    let mut reading = input.generics.clone();
    reading.params.insert(0, syn::parse_quote!('de));
    let (reading, _, _) = reading.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impls #support::serde::Serialize for #ident #types #bounds {
            fn serialize<__S: #support::serde::Serializer>(
                &self,
                serializer: __S,
            ) -> ::core::result::Result<__S::Ok, __S::Error> {
                #write
            }
        }

        #[automatically_derived]
        impl #reading #support::serde::Deserialize<'de> for #ident #types #bounds {
            fn deserialize<__D: #support::serde::Deserializer<'de>>(
                deserializer: __D,
            ) -> ::core::result::Result<Self, __D::Error> {
                #read
            }
        }

        #(#bodies)*
    }
}

fn write_struct(input: &Input, name: &str) -> TokenStream {
    let support = support();
    let Some(body) = input.bodies.first() else { return TokenStream::new() };
    let values = body.fields.iter().map(|field| {
        let member = &field.member;
        quote_spanned!(field.place()=> &self.#member)
    });
    let values: Vec<_> = values.collect();
    let n = values.len();
    match body.shape {
        Shape::Unit => quote!(serializer.serialize_unit_struct(#name)),
        Shape::Newtype => quote!(#(#support::serde::Serialize::serialize(#values, serializer))*),
        Shape::Tuple => {
            let fields = write_fields(body, "SerializeTupleStruct", &values);
            quote!(let mut list = serializer.serialize_tuple_struct(#name, #n)?; #fields)
        }
        Shape::Named => {
            let fields = write_fields(body, "SerializeStruct", &values);
            quote!(let mut list = serializer.serialize_struct(#name, #n)?; #fields)
        }
    }
}

fn write_enum(input: &Input, name: &str) -> TokenStream {
    let arms = input.bodies.iter().zip(0_u32..).map(|(body, index)| {
        let (path, variant) = (&body.path, &body.name);
        let members: Vec<_> = body.fields.iter().map(|field| &field.member).collect();
        let values: Vec<_> = values(body).iter().map(ToTokens::to_token_stream).collect();
        let n = values.len();
        let write = match body.shape {
            Shape::Unit => quote!(serializer.serialize_unit_variant(#name, #index, #variant)),
            Shape::Newtype => quote! {
                serializer.serialize_newtype_variant(#name, #index, #variant, #(#values)*)
            },
            Shape::Tuple => {
                let fields = write_fields(body, "SerializeTupleVariant", &values);
                quote! {{
                    let mut list =
                        serializer.serialize_tuple_variant(#name, #index, #variant, #n)?;
                    #fields
                }}
            }
            Shape::Named => {
                let fields = write_fields(body, "SerializeStructVariant", &values);
                quote! {{
                    let mut list =
                        serializer.serialize_struct_variant(#name, #index, #variant, #n)?;
                    #fields
                }}
            }
        };
        quote!(#path { #(#members: #values,)* } => #write,)
    });
    quote!(match self { #(#arms)* })
}

fn read_struct(input: &Input, name: &str) -> TokenStream {
    let support = support();
    let Some(body) = input.bodies.first() else { return TokenStream::new() };
    let (n, names) = (body.fields.len(), names(body));
    match body.shape {
        Shape::Unit => quote! {
            <() as #support::serde::Deserialize>::deserialize(deserializer).map(|()| Self {})
        },
        Shape::Newtype => {
            let places = body.fields.iter().map(Field::place);
            let read = places.map(|place| {
                let support = support_at(place);
                quote_spanned!(place=> #support::serde::Deserialize::deserialize(deserializer))
            });
            quote!(#(#read)*.map(|value| Self { 0: value }))
        }
        Shape::Tuple => quote! {
            deserializer.deserialize_tuple_struct(#name, #n, #support::ReadBody::<Self, 0>::new())
        },
        Shape::Named => quote! {
            deserializer.deserialize_struct(
                #name,
                &[#(#names),*],
                #support::ReadBody::<Self, 0>::new(),
            )
        },
    }
}

fn read_enum(input: &Input, name: &str) -> TokenStream {
    let support = support();
    let variants = input.bodies.iter().map(|body| &body.name);
    quote! {
        deserializer.deserialize_enum(
            #name,
            &[#(#variants),*],
            #support::ReadEnum::<Self>::new(),
        )
    }
}

/// What a visitor needs for one body, and for an enum before its first one.
fn read_body(input: &Input, index: usize, body: &Body) -> TokenStream {
    let (ident, support) = (&input.ident, support());
    let (impls, types, bounds) = input.generics.split_for_impl();
    let variants = (input.is_enum && index == 0).then(|| read_variants(input));
    let what = match input.is_enum {
        true => format!("variant `{}` of `{ident}`", body.name),
        false => format!("`{ident}`"),
    };
    let (read, kind) = match body.shape {
        Shape::Unit | Shape::Newtype => return quote!(#variants),
        Shape::Tuple => (read_array(index, body), format!("an array of {} for", body.fields.len())),
        Shape::Named => (read_object(body), "an object for".into()),
    };
    let expected = format!("{kind} {what}");
    quote! {
        #variants

        #[automatically_derived]
        impl #impls #support::Body<#index> for #ident #types #bounds {
            const EXPECTED: &'static str = #expected;
            #read
        }
    }
}

fn read_variants(input: &Input) -> TokenStream {
    let (ident, support) = (&input.ident, support());
    let (impls, types, bounds) = input.generics.split_for_impl();
    let expected = format!("a variant of `{ident}`");
    let all = input.bodies.iter().map(|body| &body.name);
    let arms = input.bodies.iter().enumerate().map(|(index, body)| {
        let (path, name) = (&body.path, &body.name);
        let (n, names) = (body.fields.len(), names(body));
        let read = match body.shape {
            Shape::Unit => quote!(access.unit_variant().map(|()| #path {})),
            Shape::Newtype => {
                let places = body.fields.iter().map(Field::place);
                let read = places.map(|place| quote_spanned!(place=> access.newtype_variant()));
                quote! {
                    #(#read)*.map(|value| #path { 0: value })
                        .map_err(|e| #support::inside(#name, &e))
                }
            }
            Shape::Tuple => quote! {
                access.tuple_variant(#n, #support::ReadBody::<Self, #index>::new())
            },
            Shape::Named => quote! {
                access.struct_variant(
                    &[#(#names),*],
                    #support::ReadBody::<Self, #index>::new(),
                )
            },
        };
        quote!(#name => #read,)
    });
    quote! {
        #[automatically_derived]
        impl #impls #support::Variants for #ident #types #bounds {
            const EXPECTED: &'static str = #expected;
            const NAMES: &'static [&'static str] = &[#(#all),*];

            fn variant<'de, __A: #support::serde::de::VariantAccess<'de>>(
                name: &str,
                access: __A,
            ) -> ::core::result::Result<Self, __A::Error> {
                match name {
                    #(#arms)*
                    _ => ::core::result::Result::Err(
                        #support::serde::de::Error::unknown_variant(
                            name,
                            <Self as #support::Variants>::NAMES,
                        ),
                    ),
                }
            }
        }
    }
}

fn read_object(body: &Body) -> TokenStream {
    let (path, support) = (&body.path, support());
    let (values, names) = (values(body), names(body));
    let members = body.fields.iter().map(|field| &field.member);
    let fields = || body.fields.iter().zip(&values);
    let fill = fields().map(|(field, value)| {
        let (name, support) = (&field.name, support_at(field.place()));
        quote_spanned!(field.place()=> #name => #support::fill(&mut #value, #name, &mut map)?,)
    });
    let filled = fields().map(|(field, value)| {
        let (name, support) = (&field.name, support_at(field.place()));
        match field.default {
            true => quote_spanned!(field.place()=> #value.unwrap_or_default()),
            false => quote_spanned!(field.place()=> #support::filled(#value, #name)?),
        }
    });
    quote! {
        fn object<'de, __A: #support::serde::de::MapAccess<'de>>(
            mut map: __A,
        ) -> ::core::result::Result<Self, __A::Error> {
            #(let mut #values = ::core::option::Option::None;)*
            while let ::core::option::Option::Some(name) =
                map.next_key::<#support::Name>()?
            {
                match &*name {
                    #(#fill)*
                    other => return ::core::result::Result::Err(
                        #support::serde::de::Error::unknown_field(other, &[#(#names),*]),
                    ),
                }
            }
            ::core::result::Result::Ok(#path { #(#members: #filled,)* })
        }
    }
}

fn read_array(index: usize, body: &Body) -> TokenStream {
    let (path, support) = (&body.path, support());
    let members = body.fields.iter().map(|field| &field.member);
    let elements = body.fields.iter().enumerate().map(|(i, field)| {
        let support = support_at(field.place());
        quote_spanned! {field.place()=>
            #support::element(&mut seq, #i, <Self as #support::Body<#index>>::EXPECTED)?
        }
    });
    quote! {
        fn array<'de, __A: #support::serde::de::SeqAccess<'de>>(
            mut seq: __A,
        ) -> ::core::result::Result<Self, __A::Error> {
            ::core::result::Result::Ok(#path { #(#members: #elements,)* })
        }
    }
}

/// Variables, each in the place of its field.
fn values(body: &Body) -> Vec<Ident> {
    let fields = body.fields.iter().enumerate();
    fields.map(|(i, field)| Ident::new(&format!("value_{i}"), field.place())).collect()
}

fn names(body: &Body) -> Vec<&String> {
    body.fields.iter().map(|field| &field.name).collect()
}
