//! The encoding: `Serialize` and `Deserialize`, as serde's own macros would do it.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use crate::input::{Body, Field, Input, Shape};

fn support() -> TokenStream {
    quote!(__irmin::contents::derived)
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
    let fields = input.bodies.iter().flat_map(|body| &body.fields);
    let (members, names): (Vec<_>, Vec<_>) = fields.map(|f| (&f.member, &f.name)).unzip();
    let n = members.len();
    match input.bodies.first().map(|body| body.shape) {
        Some(Shape::Unit) | None => quote!(serializer.serialize_unit_struct(#name)),
        Some(Shape::Newtype) => quote! {
            #(#support::serde::Serialize::serialize(&self.#members, serializer))*
        },
        Some(Shape::Tuple) => quote! {
            let mut list = serializer.serialize_tuple_struct(#name, #n)?;
            #(#support::serde::ser::SerializeTupleStruct::serialize_field(
                &mut list,
                &self.#members,
            )?;)*
            #support::serde::ser::SerializeTupleStruct::end(list)
        },
        Some(Shape::Named) => quote! {
            let mut object = serializer.serialize_struct(#name, #n)?;
            #(#support::serde::ser::SerializeStruct::serialize_field(
                &mut object,
                #names,
                &self.#members,
            )?;)*
            #support::serde::ser::SerializeStruct::end(object)
        },
    }
}

fn write_enum(input: &Input, name: &str) -> TokenStream {
    let support = support();
    let arms = input.bodies.iter().zip(0_u32..).map(|(body, index)| {
        let (path, variant) = (&body.path, &body.name);
        let members: Vec<_> = body.fields.iter().map(|field| &field.member).collect();
        let names: Vec<_> = body.fields.iter().map(|field| &field.name).collect();
        let values: Vec<_> = values(body);
        let n = values.len();
        let write = match body.shape {
            Shape::Unit => quote!(serializer.serialize_unit_variant(#name, #index, #variant)),
            Shape::Newtype => quote! {
                serializer.serialize_newtype_variant(#name, #index, #variant, #(#values)*)
            },
            Shape::Tuple => quote! {{
                let mut list = serializer.serialize_tuple_variant(#name, #index, #variant, #n)?;
                #(#support::serde::ser::SerializeTupleVariant::serialize_field(
                    &mut list,
                    #values,
                )?;)*
                #support::serde::ser::SerializeTupleVariant::end(list)
            }},
            Shape::Named => quote! {{
                let mut object = serializer.serialize_struct_variant(#name, #index, #variant, #n)?;
                #(#support::serde::ser::SerializeStructVariant::serialize_field(
                    &mut object,
                    #names,
                    #values,
                )?;)*
                #support::serde::ser::SerializeStructVariant::end(object)
            }},
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
        Shape::Newtype => quote! {
            #support::serde::Deserialize::deserialize(deserializer).map(|value| Self { 0: value })
        },
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
            Shape::Newtype => quote! {
                access.newtype_variant().map(|value| #path { 0: value })
                    .map_err(|e| #support::inside(#name, &e))
            },
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

            fn variant<'de, __A: #support::serde::de::VariantAccess<'de>>(
                name: &str,
                access: __A,
            ) -> ::core::result::Result<Self, __A::Error> {
                match name {
                    #(#arms)*
                    _ => ::core::result::Result::Err(
                        #support::serde::de::Error::unknown_variant(name, &[#(#all),*]),
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
    let filled =
        body.fields.iter().zip(&values).map(|(Field { name, default, .. }, value)| match default {
            true => quote!(#value.unwrap_or_default()),
            false => quote!(#support::filled(#value, #name)?),
        });
    quote! {
        fn object<'de, __A: #support::serde::de::MapAccess<'de>>(
            mut map: __A,
        ) -> ::core::result::Result<Self, __A::Error> {
            #(let mut #values = ::core::option::Option::None;)*
            while let ::core::option::Option::Some(name) =
                map.next_key::<__irmin::contents::derived::Name>()?
            {
                match &*name {
                    #(#names => #support::fill(&mut #values, #names, &mut map)?,)*
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
    let elements = (0..body.fields.len()).map(|i| {
        quote! {
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

fn values(body: &Body) -> Vec<Ident> {
    (0..body.fields.len()).map(|i| format_ident!("value_{i}")).collect()
}

fn names(body: &Body) -> Vec<&String> {
    body.fields.iter().map(|field| &field.name).collect()
}
